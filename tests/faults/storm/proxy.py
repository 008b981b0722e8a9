"""A TCP proxy that breaks connections on purpose: one program for all links.

Its arguments are links, ``name:port:upstream port:http|tcp``. Lines on its standard input set a link's mode:
``name mode chance``, where chance is that of each message. It ends with its standard input.

    ok         nothing happens
    latency    each message waits up to a second
    blackhole  messages are held until the mode ends; then they are lost, or arrive late
    reset      the connection is reset
    half       the server did the work, and its answer is lost
    cut        the answer is cut off in its middle
    502        a gateway says 502: before the server heard of it, or after it did the work
"""

from __future__ import annotations

import asyncio
import random
import sys
from dataclasses import dataclass, field

MODES = ("ok", "latency", "blackhole", "reset", "half", "cut", "502")
CHUNK_BYTES = 65536
LATENCY_MOST_S = 1.0
_BAD_GATEWAY = (
    b"HTTP/1.1 502 Bad Gateway\r\nContent-Type: text/html\r\nContent-Length: 11\r\nConnection: close\r\n\r\nBad Gateway"
)


@dataclass
class Link:
    """One way through, and how it behaves now."""

    name: str
    port: int
    upstream: int
    http: bool
    dice: random.Random
    mode: str = "ok"
    chance: float = 1.0
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    def set(self, mode: str, chance: float) -> None:
        self.mode, self.chance = mode, chance
        self.changed.set()
        self.changed = asyncio.Event()

    def draw(self) -> str:
        return self.mode if self.dice.random() < self.chance else "ok"

    async def held(self) -> bool:
        """Wait until the mode ends. True when the message is lost then, False when it arrives late."""
        await self.changed.wait()
        return self.dice.random() < 0.5


class Ended(Exception):
    """This connection is over."""


class Connection:
    """One client's connection and the one behind it."""

    def __init__(self, link: Link, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.link, self.reader, self.writer = link, reader, writer
        self.fate = "ok"  #: what becomes of the answer to the request that is under way

    async def serve(self) -> None:
        try:
            back_reader, back_writer = await asyncio.open_connection("127.0.0.1", self.link.upstream)
        except OSError:
            self.writer.transport.abort()
            return
        ways = [
            asyncio.create_task(self._up(back_writer)),
            asyncio.create_task(self._down(back_reader)),
        ]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
            for writer in (self.writer, back_writer):
                writer.close()

    async def _up(self, server: asyncio.StreamWriter) -> None:
        while data := await self.reader.read(CHUNK_BYTES):
            mode = self.link.draw()
            await self._suffer(mode)
            self.fate = mode if mode in ("half", "cut", "502") else "ok"
            if mode == "502" and self.link.http and self.link.dice.random() < 0.5:
                await self._say_bad_gateway()
            server.write(data)
            await server.drain()

    async def _down(self, server: asyncio.StreamReader) -> None:
        while data := await server.read(CHUNK_BYTES):
            if self.fate == "half":
                await asyncio.sleep(self.link.dice.uniform(0.0, 1.5))
                self.writer.transport.abort()
                return
            if self.fate == "cut":
                self.writer.write(data[: len(data) * 2 // 3])
                await self.writer.drain()
                return
            if self.fate == "502" and self.link.http:
                await self._say_bad_gateway()
            await self._suffer(self.link.draw())
            self.writer.write(data)
            await self.writer.drain()

    async def _suffer(self, mode: str) -> None:
        if mode == "latency":
            await asyncio.sleep(self.link.dice.uniform(0.02, LATENCY_MOST_S))
        elif mode == "reset" or (mode == "blackhole" and await self.link.held()):
            self.writer.transport.abort()
            raise Ended

    async def _say_bad_gateway(self) -> None:
        self.writer.write(_BAD_GATEWAY)
        await self.writer.drain()
        raise Ended


async def listen(link: Link) -> asyncio.Server:
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await Connection(link, reader, writer).serve()

    return await asyncio.start_server(handle, "127.0.0.1", link.port)


async def main(arguments: list[str], seed: int) -> None:
    links: dict[str, Link] = {}
    for argument in arguments:
        name, port, upstream, kind = argument.split(":")
        dice = random.Random(f"{seed}:{name}")  # noqa: S311  (the same dice for the same seed)
        links[name] = Link(name, int(port), int(upstream), kind == "http", dice)
    servers = [await listen(link) for link in links.values()]
    orders = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(orders), sys.stdin)
    while line := await orders.readline():
        name, mode, chance = line.decode().split()
        links[name].set(mode, float(chance))
    for server in servers:
        server.close()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[2:], int(sys.argv[1])))
