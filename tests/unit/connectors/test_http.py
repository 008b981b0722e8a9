"""Every way in which a bank can fail to answer, on real sockets of this machine."""

from __future__ import annotations

import contextlib
import datetime as dt
import ipaddress
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from connectors.errors import BankSilent, BankUnavailable
from connectors.http import ANSWER_BYTES_MAX, BankResponse, BankSession, Deadline

Handler = Callable[[socket.socket], None]
OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"


def read_request(line: socket.socket) -> None:
    """To its last byte: a socket that is closed with bytes unread resets the connection."""
    reader = line.makefile("rb")
    length = 0
    while (header := reader.readline()) not in (b"\r\n", b""):
        name, _, value = header.partition(b":")
        if name.lower() == b"content-length":
            length = int(value)
    reader.read(length)
    reader.close()


@contextlib.contextmanager
def bank(handle: Handler, *, tls: ssl.SSLContext | None = None) -> Iterator[str]:
    """A server that reads one request on each connection and then does what ``handle`` does; its address."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                line, _ = listener.accept()
            except OSError:
                return
            with contextlib.suppress(OSError):
                if tls is not None:
                    line = tls.wrap_socket(line, server_side=True)
                line.settimeout(5)
                read_request(line)
                handle(line)
            line.close()

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield f"{'http' if tls is None else 'https'}://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join()


def answers(*parts: bytes, pause_s: float = 0) -> Handler:
    def handle(line: socket.socket) -> None:
        for part in parts:
            line.sendall(part)
            time.sleep(pause_s)

    return handle


def reset(line: socket.socket) -> None:
    line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def hang(line: socket.socket) -> None:
    while line.recv(65536):
        pass


def call(url: str, *, timeout_s: float = 5, verify: bool | str = True) -> BankResponse:
    with contextlib.closing(BankSession(allow_http=True, verify=verify)) as session:
        return session.call("POST", url, headers={}, body=b"{}", deadline=Deadline(timeout_s))


def test_an_answer_comes_through_whole() -> None:
    with bank(answers(OK)) as url:
        answer = call(url)
    assert (answer.status, answer.ok, answer.body) == (200, True, b"{}")
    assert answer.headers["content-type"] == "application/json"


def test_a_refused_connection_was_not_sent() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with pytest.raises(BankUnavailable, match="nothing was sent"):
        call(f"http://127.0.0.1:{port}")


def test_an_unknown_name_was_not_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    with pytest.raises(BankUnavailable, match="nothing was sent"):
        call("http://bank.invalid")


def test_a_connection_that_is_not_picked_up_was_not_sent() -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full:
        address = full.getsockname()
        waiting = [socket.socket() for _ in range(4)]
        try:
            for line in waiting:  # fill the queue that nobody accepts from
                line.setblocking(False)
                line.connect_ex(address)
            time.sleep(0.1)
            with pytest.raises(BankUnavailable, match="nothing was sent"):
                call(f"http://127.0.0.1:{address[1]}", timeout_s=0.3)
        finally:
            for line in waiting:
                line.close()


@pytest.mark.parametrize(
    "handle",
    [
        pytest.param(answers(), id="closed without an answer"),
        pytest.param(reset, id="reset"),
        pytest.param(answers(b"HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n{}"), id="cut off"),
        pytest.param(answers(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{"), id="cut off, in chunks"),
        pytest.param(answers(b"220 mail.example ESMTP\r\n"), id="not HTTP"),
        pytest.param(answers(b"HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 0\r\n\r\n"), id="redirect"),
        pytest.param(answers(b"HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n"), id="500"),
        pytest.param(answers(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n"), id="502"),
        pytest.param(answers(b"HTTP/1.1 503 Later\r\nContent-Length: 0\r\n\r\n"), id="503 without Retry-After"),
        pytest.param(answers(b"HTTP/1.1 408 Timeout\r\nContent-Length: 0\r\n\r\n"), id="408"),
    ],
)
def test_what_was_sent_and_not_answered_is_open(handle: Handler) -> None:
    with bank(handle) as url, pytest.raises(BankSilent) as caught:
        call(url)
    assert caught.value.money_may_have_moved
    assert not caught.value.may_repeat


def test_an_answer_that_is_too_long_is_not_read() -> None:
    body = b"x" * (ANSWER_BYTES_MAX + 1)
    head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    with bank(answers(head, body)) as url, pytest.raises(BankSilent, match="longer than"):
        call(url)


def test_the_longest_answer_is_read() -> None:
    head = f"HTTP/1.1 200 OK\r\nContent-Length: {ANSWER_BYTES_MAX}\r\n\r\n".encode()
    with bank(answers(head, b"x" * ANSWER_BYTES_MAX)) as url:
        assert len(call(url).body) == ANSWER_BYTES_MAX


@pytest.mark.parametrize(
    "handle",
    [
        pytest.param(hang, id="never answers"),
        pytest.param(answers(b"HTTP/1.1 200 OK\r\n", *[b"A: b\r\n"] * 40, pause_s=0.1), id="headers drip"),
        pytest.param(
            answers(b"HTTP/1.1 200 OK\r\nContent-Length: 40\r\n\r\n", *[b" "] * 40, pause_s=0.1),
            id="body drips",
        ),
        pytest.param(answers(b"HTTP/1.1 200 OK\r\n\r\n", *[b" "] * 40, pause_s=0.1), id="body without length drips"),
    ],
)
@pytest.mark.parametrize("secure", [False, True], ids=["http", "https"])
def test_the_deadline_holds_however_slowly_it_comes(handle: Handler, secure: bool, tls: Tls) -> None:
    with bank(handle, tls=tls.server if secure else None) as url:
        start = time.monotonic()
        with pytest.raises(BankSilent):
            call(url, timeout_s=0.5, verify=tls.ca)
        assert 0.4 < time.monotonic() - start < 1.5


def test_a_deadline_that_has_passed_sends_nothing() -> None:
    with pytest.raises(BankUnavailable, match="not sent"):
        call("http://127.0.0.1:9", timeout_s=0)


def test_silence_is_not_mistaken_for_an_earlier_failure_to_connect() -> None:
    """Python remembers the error that is being handled as the context of the next one."""
    with bank(answers()) as url:
        try:
            call("http://127.0.0.1:1")
        except BankUnavailable:
            with pytest.raises(BankSilent):
                call(url)


@pytest.mark.parametrize(
    ("headers", "retry_after_s"),
    [
        (b"Retry-After: 120\r\n", 120),
        (b"Retry-After: 999999999999\r\n", 3600),
        (
            b"Date: Sun, 22 Nov 2026 10:00:00 GMT\r\nRetry-After: Sun, 22 Nov 2026 10:01:30 GMT\r\n",
            90,
        ),
        (b"Date: Sun, 22 Nov 2026 10:00:00 GMT\r\nRetry-After: Sun, 22 Nov 2026 09:00:00 GMT\r\n", 0),
        (b"Retry-After: Sun, 22 Nov 2026 10:01:30 GMT\r\n", None),
        (b"Retry-After: soon\r\n", None),
        (b"Retry-After: Mon, 01 Jan 2024 00:00:00 +99999999999999999\r\n", None),
    ],
)
@pytest.mark.parametrize("status", [b"429 Too Many Requests", b"503 Service Unavailable"])
def test_a_bank_that_puts_us_off_may_be_asked_again(status: bytes, headers: bytes, retry_after_s: int | None) -> None:
    answer = b"HTTP/1.1 " + status + b"\r\n" + headers + b"Content-Length: 0\r\n\r\n"
    with bank(answers(answer)) as url, pytest.raises(BankUnavailable) as caught:
        call(url)
    assert caught.value.retry_after_s == retry_after_s
    assert caught.value.may_repeat


def test_too_many_requests_needs_no_date() -> None:
    answer = answers(b"HTTP/1.1 429 Slow\r\nContent-Length: 0\r\n\r\n")
    with bank(answer) as url, pytest.raises(BankUnavailable) as caught:
        call(url)
    assert caught.value.retry_after_s is None


def test_a_refusal_is_an_answer() -> None:
    with bank(answers(b"HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n")) as url:
        answer = call(url)
    assert (answer.status, answer.ok) == (404, False)


def test_cookies_of_a_bank_are_not_kept() -> None:
    received: list[bytes] = []

    def handle(line: socket.socket) -> None:
        line.sendall(b"HTTP/1.1 200 OK\r\nSet-Cookie: a=b; Path=/\r\nContent-Length: 0\r\n\r\n")
        received.append(line.recv(65536))
        line.sendall(OK)

    with bank(handle) as url, contextlib.closing(BankSession(allow_http=True)) as session:
        for _ in range(2):
            session.call("GET", url, headers={}, deadline=Deadline(5))
    assert b"GET / " in received[0]
    assert b"ookie" not in received[0]


@pytest.mark.parametrize(
    "url", ["http://bank.example/", "ftp://bank.example/", "https:///x", "https://user:secret@bank.example/"]
)
def test_addresses_that_no_bank_may_have(url: str) -> None:
    with (
        contextlib.closing(BankSession()) as session,
        pytest.raises(ValueError, match="must begin with https"),
    ):
        session.call("GET", url, headers={}, deadline=Deadline(1))


def test_a_header_that_breaks_out_is_our_own_mistake() -> None:
    with (
        contextlib.closing(BankSession(allow_http=True)) as session,
        pytest.raises(ValueError, match="header"),
    ):
        session.call("GET", "http://127.0.0.1:9/", headers={"A": "b\r\nC: d"}, deadline=Deadline(1))


class Tls:
    """A CA of this test, a certificate of 127.0.0.1 by it, and a server with it."""

    def __init__(self, folder: Path) -> None:
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "test bank")])
        now = dt.datetime.now(dt.UTC)
        certificate = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(key.public_key())
            .serial_number(1)
            .not_valid_before(now - dt.timedelta(days=1))
            .not_valid_after(now + dt.timedelta(days=1))
            .add_extension(
                x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]),
                critical=False,
            )
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .sign(key, hashes.SHA256())
        )
        self.ca = str(folder / "ca.pem")
        Path(self.ca).write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        key_file = folder / "key.pem"
        key_file.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
        self.server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.server.load_cert_chain(self.ca, key_file)


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> Tls:
    return Tls(tmp_path_factory.mktemp("tls"))


@pytest.mark.parametrize("variable", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
def test_the_environment_adds_no_certificate_authority(
    variable: str, tls: Tls, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, tls.ca)
    with bank(answers(OK), tls=tls.server) as url, pytest.raises(BankUnavailable, match="nothing was sent"):
        call(url)


def test_the_environment_replaces_no_certificate_authority(tls: Tls, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/does/not/exist.pem")
    with bank(answers(OK), tls=tls.server) as url:
        assert call(url, verify=tls.ca).ok


def test_the_environment_sets_no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    with bank(answers(OK)) as url:
        assert call(url).ok
