"""The one way out to banks. Without it a lost answer could pass for a call never made, and be paid twice.

`requests` folds an unknown host, a refused connection and a lost answer into one ConnectionError; here they
are told apart, because the first two may be repeated and the third may have moved money.
"""

from __future__ import annotations

import contextlib
import email.utils
import functools
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from http.cookiejar import DefaultCookiePolicy
from typing import Any, ClassVar
from urllib.parse import urlsplit

import requests
import urllib3
from requests.adapters import BaseAdapter, HTTPAdapter
from requests.exceptions import InvalidHeader, InvalidURL
from typing_extensions import override
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import ConnectTimeoutError, NewConnectionError
from urllib3.util.connection import create_connection
from urllib3.util.ssl_ import create_urllib3_context

from connectors.errors import BankError, BankSilent, BankUnavailable
from connectors.public_addresses import public_addresses

#: no honest answer to a payment call comes near this
ANSWER_BYTES_MAX = 1024 * 1024
#: a bank that does not pick up within this will not do so later either
CONNECT_TIMEOUT_S = 5
#: of a name that somebody else named as many of its addresses are tried: it may have hundreds, and none of them answer
ADDRESSES_MOST = 4
#: a Retry-After beyond an hour is not believed: all customers of the bank would wait for it
RETRY_AFTER_MAX_S = 3600
_CHUNK_BYTES = 64 * 1024


class Deadline:
    """One time limit over several calls, so that the time-outs of single sockets cannot add up."""

    def __init__(self, timeout_s: float) -> None:
        self._end = time.monotonic() + timeout_s

    def left_s(self) -> float:
        """Seconds left, never below zero."""
        return max(self._end - time.monotonic(), 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class BankResponse:
    """An answer with status 2xx or 4xx; others are exceptions. ``headers`` ignores upper and lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def ok(self) -> bool:
        return self.status < 300


class BankSession:
    """Connections of one client identity to one bank. Never shared between banks: TLS state would mix.

    It follows no redirect, keeps no cookie, takes no proxy and no CA from the environment, and logs nothing
    of what it carries.
    """

    def __init__(
        self,
        *,
        allow_http: bool = False,
        verify: bool | str = True,
        certificate: tuple[str, str] | None = None,
        public_only: bool = False,
    ) -> None:
        """``verify``: True, or the path of a CA bundle. ``certificate``: the paths of ours and of its key (mTLS).

        ``allow_http`` is for the demo and tests alone. ``public_only``: it connects to no machine of this network,
        whatever a name leads to; for addresses that somebody else has named.
        """
        self._allow_http = allow_http
        self._certificate = certificate
        self._verify = verify
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        self._session.headers["User-Agent"] = "Quittance"
        self._session.headers["Accept"] = "application/json"
        self._session.headers["Accept-Encoding"] = "identity"  # a compressed answer could grow past the limit
        for scheme in ("https://", "http://"):
            self.mount(scheme, _PublicAdapter() if public_only else _WatchedAdapter())

    def mount(self, prefix: str, adapter: BaseAdapter) -> None:
        """Serve addresses under ``prefix`` by ``adapter``: so tests put a bank into their process."""
        self._session.mount(prefix, adapter)

    def close(self) -> None:
        """Let go of all connections."""
        self._session.close()

    def call(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str],
        deadline: Deadline,
        body: bytes | None = None,
    ) -> BankResponse:
        """Send once. What a status code means: RFC 9110 §15.

        Raises BankUnavailable when nothing was sent or the bank put us off, BankSilent when the outcome is
        open, ValueError for an address that is not https or a header that cannot be sent.

        The deadline binds all but the look-up of the bank's name, whose limit is the operating system's.
        """
        check_scheme(url, allow_http=self._allow_http)
        left_s = deadline.left_s()
        if not left_s:
            raise BankUnavailable("no time was left to call the bank; this request was not sent")
        with _told_apart(urlsplit(url).netloc):
            response = self._session.request(
                method,
                url,
                headers=dict(headers),
                data=body,
                timeout=urllib3.Timeout(connect=min(CONNECT_TIMEOUT_S, left_s), total=left_s),  # type: ignore[arg-type]
                allow_redirects=False,
                cert=self._certificate,
                verify=self._verify,  # per request: the session's own would yield to REQUESTS_CA_BUNDLE
                stream=True,
            )
            with response:
                answer = BankResponse(
                    status=response.status_code,
                    headers=response.headers,
                    body=_read(response.raw, deadline=deadline),
                )
        return _judged(answer)


def check_scheme(url: str, *, allow_http: bool) -> None:
    """Raises ValueError unless ``url`` is an https address with a host (or http, where that is allowed)."""
    parts = urlsplit(url)
    allowed = ("https", "http") if allow_http else ("https",)
    if parts.scheme not in allowed or not parts.hostname or parts.username is not None:
        message = f"{url[:200]!r} is not an address that a bank may have: it must begin with https://"
        raise ValueError(message)


def _judged(answer: BankResponse) -> BankResponse:
    """The answer itself, where it says something; the outcome of the call where it does not."""
    status = answer.status
    if status == 429 or (status == 503 and "Retry-After" in answer.headers):
        message = f"the bank put us off with {status}"
        raise BankUnavailable(message, retry_after_s=_retry_after_s(answer.headers))
    if status == 408 or status >= 500 or not (200 <= status < 300 or status >= 400):
        # A 503 without Retry-After may come from a gateway that lost the bank after passing the call on.
        message = f"the bank answered {status}"
        raise BankSilent(message)
    return answer


def _retry_after_s(headers: Mapping[str, str]) -> int | None:
    """Seconds, from either form of RFC 9110 §10.2.3; a date is counted from the bank's own Date."""
    text = headers.get("Retry-After", "").strip()
    if text.isascii() and text.isdigit():
        return min(int(text[:9]), RETRY_AFTER_MAX_S)
    try:
        until, now = (email.utils.parsedate_to_datetime(date) for date in (text, headers.get("Date", "")))
        return min(max((until - now).days * 86_400 + (until - now).seconds, 0), RETRY_AFTER_MAX_S)
    except (TypeError, ValueError, OverflowError):  # the last for a zone beyond all hours
        return None


def _read(raw: urllib3.BaseHTTPResponse, *, deadline: Deadline) -> bytes:
    """The whole body, or BankSilent: too long, cut off, or too slow even if single bytes keep dripping in."""
    body = bytearray()
    with _alarm(deadline.left_s(), getattr(raw, _CUT, None)):
        while chunk := raw.read1(_CHUNK_BYTES):
            body += chunk
            if len(body) > ANSWER_BYTES_MAX:
                message = f"the bank's answer is longer than {ANSWER_BYTES_MAX} bytes"
                raise BankSilent(message)
    if not deadline.left_s():
        raise BankSilent("the bank's answer was too slow")
    return bytes(body)


@contextlib.contextmanager
def _told_apart(host: str) -> Iterator[None]:
    """Turns what requests and urllib3 raise into our outcomes, by the first cause, not the last name."""
    try:
        yield
    except (BankError, InvalidHeader, InvalidURL):
        raise  # the last two are our own mistake and a ValueError; nothing was sent
    except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
        if any(isinstance(cause, _BEFORE_SENDING) for cause in _causes(error)):
            message = f"{host} could not be reached; nothing was sent ({type(error).__name__})"
            raise BankUnavailable(message) from None
        message = f"{host} gave no answer after the request was sent ({type(error).__name__})"
        raise BankSilent(message) from None


#: refused or no address (NewConnectionError, NameResolutionError: kinds of it), a certificate not accepted
_BEFORE_SENDING = (ConnectTimeoutError, ssl.SSLCertVerificationError)


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The error and all that it wraps; urllib3 keeps the first cause in ``args`` or ``reason``.

    Not ``__context__``: that may be the error of an earlier call, and what was sent would look unsent.
    """
    waiting: list[object] = [error]
    while waiting:
        cause = waiting.pop()
        if isinstance(cause, BaseException):
            yield cause
            waiting += [*cause.args, getattr(cause, "reason", None)]


#: where a watched connection leaves, on its answer, the means to cut the line
_CUT = "quittance_cut"


@contextlib.contextmanager
def _alarm(after_s: float, cut: Callable[[], None] | None) -> Iterator[None]:
    """Calls ``cut`` when time is up: a socket's own time-out begins anew with each byte that arrives."""
    if cut is None:  # an adapter of tests, without a line
        yield
        return
    timer = threading.Timer(after_s, cut)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _cut(line: socket.socket) -> None:
    with contextlib.suppress(OSError):  # it ended by itself
        # not SSLSocket's own shutdown: it takes the TLS state away from the thread that is reading
        socket.socket.shutdown(line, socket.SHUT_RDWR)


class _Watched(HTTPConnection):
    """A connection that ends at its deadline even when the header lines drip in byte by byte."""

    @override
    def getresponse(self) -> urllib3.HTTPResponse:  # type: ignore[override]  # as urllib3's own
        cut = functools.partial(_cut, self.sock)
        with _alarm(self.timeout or 0, cut):
            response = super().getresponse()
        setattr(response, _CUT, cut)
        return response


class _WatchedTLS(_Watched, HTTPSConnection):
    pass


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Watched


class _TLSPool(HTTPSConnectionPool):
    ConnectionCls = _WatchedTLS


class _WatchedAdapter(HTTPAdapter):
    """requests' own adapter (it never repeats a call) on watched connections."""

    pools: ClassVar[dict[str, type[HTTPConnectionPool]]] = {"http": _Pool, "https": _TLSPool}

    @override
    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        context = create_urllib3_context()
        context.keylog_filename = None  # type: ignore[assignment]  # SSLKEYLOGFILE would give away all that is said
        super().init_poolmanager(*args, ssl_context=context, **kwargs)
        self.poolmanager.pool_classes_by_scheme = self.pools


class _Public(_Watched):
    """A connection that knows where it leads before it is made, and goes to no machine of this network.

    One end for the look-up, all addresses and the handshake of TLS: each of them could take nearly all the time anew.
    """

    def _new_conn(self) -> socket.socket:
        failed: Exception | None = None
        deadline = Deadline(self.timeout or CONNECT_TIMEOUT_S)
        try:
            for address in public_addresses(self._dns_host, self.port)[:ADDRESSES_MOST]:
                try:
                    line = create_connection((address, self.port), _left(deadline), socket_options=self.socket_options)
                    line.settimeout(_left(deadline))
                except TimeoutError:
                    raise
                except OSError as error:  # nobody is there; perhaps at the next one
                    failed = error
                else:
                    return line
        except TimeoutError as error:
            raise ConnectTimeoutError(self, "it did not pick up in time") from error
        except OSError as error:  # no such name, or one that leads where it must not
            failed = error
        raise NewConnectionError(self, f"no connection was made: {type(failed).__name__}") from failed


def _left(deadline: Deadline) -> float:
    """Seconds, never none: a socket would take that for no limit. Raises TimeoutError."""
    left_s = deadline.left_s()
    if not left_s:
        raise TimeoutError
    return left_s


class _PublicTLS(_Public, HTTPSConnection):
    pass


class _PublicPool(HTTPConnectionPool):
    ConnectionCls = _Public


class _PublicTLSPool(HTTPSConnectionPool):
    ConnectionCls = _PublicTLS


class _PublicAdapter(_WatchedAdapter):
    pools: ClassVar[dict[str, type[HTTPConnectionPool]]] = {"http": _PublicPool, "https": _PublicTLSPool}
