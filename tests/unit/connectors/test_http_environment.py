"""Nothing around the process changes whom a session with a bank trusts, where it goes, or what it says of itself.

On real sockets and real TLS: the variables are set, and the session holds.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest

from connectors.bank_keys import BankKeys
from connectors.errors import BankSilent, BankUnavailable
from connectors.http import BankResponse, BankSession, Deadline
from connectors.inspection import tls as inspection
from connectors.inspection.finding import Verdict
from tests.support.bank_keys import make_bank_keys
from tests.support.judges import certificate
from tests.unit.connectors.test_http import OK, answers, bank

AUTHORITIES = ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"]
PROXIES = ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy", "HTTP_PROXY", "http_proxy"]


class World:
    """The bank's authority and server, our certificate by it, and an authority that the bank does not know."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "keys"
        authority = make_bank_keys(self.folder)
        certificate(folder, "server", signer=authority)
        foreign = certificate(folder, "authority")
        certificate(folder, "imposter", signer=foreign)
        self.ca, self.foreign_ca = str(self.folder / "ca.pem"), str(folder / "authority.pem")
        self.ours = (str(self.folder / "client.pem"), str(self.folder / "client.key"))
        self.keys = BankKeys.load(self.folder, needs_certificate=True)
        self.server, self.imposter = (self._context(folder / name) for name in ("server", "imposter"))
        self.demanding = self._context(folder / "server")
        self.demanding.verify_mode = ssl.CERT_REQUIRED
        self.demanding.load_verify_locations(self.ca)

    def _context(self, name: Path) -> ssl.SSLContext:
        made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        made.load_cert_chain(name.with_suffix(".pem"), name.with_suffix(".key"))
        return made


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return World(tmp_path_factory.mktemp("world"))


class Seen:
    """A handler that keeps what reached it."""

    def __init__(self, reply: bytes = OK) -> None:
        self.lines: list[bytes] = []
        self._reply = reply

    def __call__(self, line: socket.socket) -> None:
        self.lines.append(b"reached")
        line.sendall(self._reply)


def call(url: str, *, verify: bool | str, certificate: tuple[str, str] | None = None) -> BankResponse:
    with contextlib.closing(BankSession(verify=verify, certificate=certificate)) as session:
        return session.call("POST", url, headers={}, body=b"{}", deadline=Deadline(5))


# ------------------------------------------------------------------------------------------------------ whom it trusts


@pytest.mark.parametrize("variable", AUTHORITIES)
@pytest.mark.parametrize("verify", ["the bank's", "the usual"])
def test_no_variable_adds_an_authority(
    variable: str, verify: str, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, world.foreign_ca)
    seen = Seen()
    with bank(seen, tls=world.imposter) as url, pytest.raises(BankUnavailable, match="nothing was sent"):
        call(url, verify=world.ca if verify == "the bank's" else True)
    assert seen.lines == []


def test_the_imposter_would_be_believed_by_whoever_trusts_its_authority(world: World) -> None:
    with bank(answers(OK), tls=world.imposter) as url:
        assert call(url, verify=world.foreign_ca).ok


@pytest.mark.parametrize("variable", [*AUTHORITIES, "SSL_CERT_DIR"])
@pytest.mark.parametrize("value", ["/does/not/exist.pem", ""])
def test_no_variable_takes_an_authority_away(
    variable: str, value: str, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, value)
    with bank(answers(OK), tls=world.server) as url:
        assert call(url, verify=world.ca).ok


def test_all_variables_together(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in AUTHORITIES:
        monkeypatch.setenv(variable, world.foreign_ca)
    with bank(answers(OK), tls=world.server) as url:
        assert call(url, verify=world.ca).ok
    with bank(answers(OK), tls=world.imposter) as url, pytest.raises(BankUnavailable):
        call(url, verify=world.ca)


@pytest.mark.parametrize("variable", AUTHORITIES)
def test_the_check_trusts_whom_the_session_trusts(variable: str, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(variable, world.foreign_ca)
    with bank(answers(OK), tls=world.imposter) as url:
        found = inspection.handshake(url, world.keys)
    assert (found.verdict, "is not accepted" in found.text) == (Verdict.WRONG, True)


def test_no_variable_gives_away_what_is_said(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = tmp_path / "secrets"
    monkeypatch.setenv("SSLKEYLOGFILE", str(log))
    with bank(answers(OK), tls=world.server) as url:
        assert call(url, verify=world.ca).ok
    assert not log.exists() or b"_SECRET" not in log.read_bytes()  # at most the line that says what it is


def test_the_name_must_be_the_banks(world: World) -> None:
    with bank(answers(OK), tls=world.server) as url, pytest.raises(BankUnavailable, match="nothing was sent"):
        call(url.replace("127.0.0.1", "localhost"), verify=world.ca)  # the certificate is for the address alone


# ------------------------------------------------------------------------------------------------------- where it goes


@contextlib.contextmanager
def proxy() -> Iterator[tuple[str, list[bytes]]]:
    """Takes down the first line that anybody sends."""
    first: list[bytes] = []
    with bank(lambda line: first.append(b"somebody came")) as url:
        yield url, first


@pytest.mark.parametrize("variable", PROXIES)
@pytest.mark.parametrize("scheme", ["http", "socks5"])
def test_no_proxy_is_taken(variable: str, scheme: str, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    with proxy() as (url_of_proxy, came), bank(answers(OK), tls=world.server) as url:
        monkeypatch.setenv(variable, url_of_proxy.replace("http", scheme))
        assert call(url, verify=world.ca).ok
    assert came == []


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_leads_nowhere(status: int, world: World) -> None:
    seen = Seen()
    with bank(seen, tls=world.server) as elsewhere:
        for place in (elsewhere, elsewhere.replace("https", "http"), "//evil.test/x", "/here"):
            away = f"HTTP/1.1 {status} Away\r\nLocation: {place}\r\nContent-Length: 0\r\n\r\n".encode()
            with bank(answers(away), tls=world.server) as url, pytest.raises(BankSilent, match=str(status)):
                call(url, verify=world.ca)
    assert seen.lines == []


# --------------------------------------------------------------------------------------------------------- who we say


@pytest.mark.parametrize("how", ["NETRC", "HOME"])
def test_no_netrc_speaks_for_us(how: str, world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / (".netrc" if how == "HOME" else "netrc")
    file.write_text("machine 127.0.0.1 login somebody password secret\ndefault login somebody password secret\n")
    file.chmod(0o600)
    monkeypatch.setenv(how, str(tmp_path if how == "HOME" else file))
    heads: list[bytes] = []

    def keep(line: socket.socket) -> None:
        line.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")  # then the next request on the same line
        heads.append(line.recv(65536))
        line.sendall(OK)

    with (
        bank(keep, tls=world.server) as url,
        contextlib.closing(BankSession(verify=world.ca)) as session,
    ):
        for _ in range(2):
            session.call("GET", url, headers={}, deadline=Deadline(5))
    assert heads[0].startswith(b"GET ")
    assert b"uthorization" not in heads[0]


def test_our_certificate_is_shown_by_its_own_session_only(world: World) -> None:
    with bank(answers(OK), tls=world.demanding) as url:
        assert call(url, verify=world.ca, certificate=world.ours).ok
        with pytest.raises((BankUnavailable, BankSilent)):
            call(url, verify=world.ca)
        assert call(url, verify=world.ca, certificate=world.ours).ok


def test_a_certificate_of_the_environment_is_not_shown(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SSL_CLIENT_CERT", "REQUESTS_CLIENT_CERT", "CURL_CLIENT_CERT"):
        monkeypatch.setenv(name, world.ours[0])
    with bank(answers(OK), tls=world.demanding) as url, pytest.raises((BankUnavailable, BankSilent)):
        call(url, verify=world.ca)
