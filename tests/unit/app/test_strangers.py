"""Where something may be sent that somebody else named, and that nothing goes anywhere else."""

from __future__ import annotations

import socket
from typing import Any

import pytest

from app import strangers
from app.strangers import Answer, may_be_called, post
from connectors.http import ADDRESSES_MOST
from tests.support.push_service import talking


@pytest.mark.parametrize(
    ("url", "live", "demo"),
    [
        ("https://biller.example/hooks", True, True),
        ("https://biller.example:8443/hooks?key=1", True, True),
        ("https://biller.example:0/", False, False),
        ("https://biller.example:99999/", False, False),
        ("https://203.0.113.7/", True, True),
        ("http://biller.example/hooks", False, False),
        ("ftp://biller.example/", False, False),
        ("https://", False, False),
        ("biller.example/hooks", False, False),
        ("https://user:secret@biller.example/", False, False),
        ("https://biller.example/#here", False, False),
        ("https://[::1", False, False),
        ("", False, False),
        # this machine, by any of its names: the demo's biller only
        ("http://127.0.0.1:8002/hooks", False, True),
        ("http://localhost:8002/hooks", False, True),
        ("https://localhost/", False, True),
        ("https://localhost./", False, True),
        ("https://shop.localhost/", False, True),
        ("https://[::1]/", False, True),
        ("https://[::ffff:127.0.0.1]/", False, True),
        ("ftp://localhost/", False, False),
        # spellings of it that only a resolver understands
        ("https://127.1/", False, False),
        ("https://2130706433/", False, False),
        ("https://0x7f.0.0.1/", False, False),
        ("https://127.0.0.0x1/", False, False),
        ("https://0.0.0.0/", False, False),
        ("https://[::]/", False, False),
    ],
)
def test_what_may_be_named(url: str, live: bool, demo: bool) -> None:
    assert may_be_called(url, demo=False) is live
    assert may_be_called(url, demo=True) is demo


def _say(status: str) -> Any:
    def answer(connection: socket.socket) -> None:
        connection.recv(65_536)
        connection.sendall(f"HTTP/1.1 {status}\r\nContent-Length: 0\r\nRetry-After: 90\r\n\r\n".encode())

    return answer


@pytest.mark.parametrize(
    ("status", "answer", "is_taken"),
    [
        ("201 Created", Answer(201), True),
        ("204 No Content", Answer(204), True),
        ("410 Gone", Answer(410), False),
        ("429 Too Many Requests", Answer(None, 90), False),
        ("503 Service Unavailable", Answer(None, 90), False),
        ("500 Oh", Answer(None), False),
        ("302 Found", Answer(None), False),
    ],
)
def test_what_is_answered(status: str, answer: Answer, is_taken: bool) -> None:
    with talking(_say(status)) as url:
        said = post(url, headers={}, body=b"x", demo=True)
    assert said == answer
    assert said.is_taken is is_taken


@pytest.mark.parametrize("demo", [True, False])
@pytest.mark.parametrize("host", ["push.example", "localhost.push.example", "10.0.0.1", "192.168.1.1", "[fe80::1]"])
def test_nobody_is_connected_to_in_this_network(monkeypatch: pytest.MonkeyPatch, host: str, demo: bool) -> None:
    """Whatever a name leads to when it is looked up: the demo's exception is for names of this machine alone."""
    came: list[object] = []
    real, reached = socket.getaddrinfo, socket.socket.connect

    def rebound(name: str, port: int, *about: Any, **how: Any) -> Any:
        return real("127.0.0.1" if name.endswith("push.example") else name, port, *about, **how)

    def connect(self: socket.socket, address: Any) -> None:
        came.append(address)
        reached(self, address)

    monkeypatch.setattr(socket, "getaddrinfo", rebound)
    monkeypatch.setattr(socket.socket, "connect", connect)
    assert post(f"https://{host}:1/hook", headers={}, body=b"x", demo=demo) == Answer(None)
    assert came == []


def test_one_address_that_is_not_public_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    def both(*_: Any, **__: Any) -> Any:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 443)) for address in ("1.1.1.1", "10.0.0.1")]

    monkeypatch.setattr(socket, "getaddrinfo", both)
    monkeypatch.setattr("connectors.http.create_connection", lambda *_, **__: pytest.fail("it connected"))
    assert post("https://push.example/", headers={}, body=b"x", demo=False) == Answer(None)


def test_it_connects_to_the_address_that_was_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    """And does not ask for the name again, which could mean something else by then."""
    asked: list[str] = []
    tried: list[tuple[str, int]] = []

    def looked_up(host: str, *_: Any, **__: Any) -> Any:
        asked.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 443)) for address in ("1.1.1.1", "8.8.8.8")]

    def connect(address: tuple[str, int], *_: Any, **__: Any) -> Any:
        tried.append(address)
        raise ConnectionRefusedError

    monkeypatch.setattr(socket, "getaddrinfo", looked_up)
    monkeypatch.setattr("connectors.http.create_connection", connect)
    assert post("https://push.example/", headers={}, body=b"x", demo=False) == Answer(None)
    assert (asked, tried) == (["push.example"], [("1.1.1.1", 443), ("8.8.8.8", 443)])


def _many(*_: Any, **__: Any) -> Any:
    return [(socket.AF_INET6, socket.SOCK_STREAM, 6, "", (f"2a00:1450:4007:80e::{n:x}", 443)) for n in range(1, 200)]


def test_a_name_of_many_addresses_is_tried_at_a_few(monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[tuple[str, int]] = []

    def refused(address: tuple[str, int], *_: Any, **__: Any) -> Any:
        tried.append(address)
        raise ConnectionRefusedError

    monkeypatch.setattr(socket, "getaddrinfo", _many)
    monkeypatch.setattr("connectors.http.create_connection", refused)
    assert post("https://push.example/", headers={}, body=b"x", demo=False) == Answer(None)
    assert len(tried) == ADDRESSES_MOST


def test_all_its_addresses_have_one_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that says no just before its time is up leaves the next one no more than what is left."""
    clock, given = [1000.0], []

    def late(_: tuple[str, int], timeout: float, **__: Any) -> Any:
        given.append(timeout)
        clock[0] += 2.0
        raise ConnectionRefusedError

    monkeypatch.setattr(socket, "getaddrinfo", _many)
    monkeypatch.setattr("connectors.http.create_connection", late)
    monkeypatch.setattr("connectors.http.time.monotonic", lambda: clock[0])
    assert post("https://push.example/", headers={}, body=b"x", demo=False) == Answer(None)
    assert given == [5.0, 3.0, 1.0]


def test_the_handshake_has_what_connecting_left_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [1000.0]
    there, here = socket.socketpair()

    def late(*_: Any, **__: Any) -> Any:
        clock[0] += 4.5
        return here

    monkeypatch.setattr(socket, "getaddrinfo", _many)
    monkeypatch.setattr("connectors.http.create_connection", late)
    monkeypatch.setattr("connectors.http.time.monotonic", lambda: clock[0])
    with there:
        assert post("https://push.example/", headers={}, body=b"x", demo=False) == Answer(None)  # it never greets
    assert clock[0] == 1004.5


def test_nothing_is_looked_up_for_what_may_not_be_called(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(strangers, "BankSession", lambda **_: pytest.fail("it was about to be called"))
    for url in ("http://push.example/", "https://127.0.0.1/", "file:///etc/passwd", ""):
        assert post(url, headers={}, body=b"x", demo=False) == Answer(None)
