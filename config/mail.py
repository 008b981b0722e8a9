"""The server that takes our mail, as one setting says it: always over TLS."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

#: scheme → the port where none is said
_PORTS = {"smtps": 465, "smtp+starttls": 587}
#: what may stand in an envelope: plain ASCII and a dot-atom (RFC 5322), so that nothing has to be guessed or quoted;
#: nor anything that a header would make another address of (RFC 2047: =?…?=)
_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_ADDRESS = re.compile(
    rf"(?!.*=\?)(?=[^@]{{1,64}}@){_ATOM}(?:\.{_ATOM})*@(?:{_LABEL}\.)+[A-Za-z][A-Za-z0-9-]{{0,61}}[A-Za-z0-9]"
)


def is_address(written: str) -> bool:
    """Whether mail can be sent to, or from, this address."""
    return len(written) <= 254 and _ADDRESS.fullmatch(written) is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class MailServer:
    """``implicit_tls``: the connection begins with TLS; else it is asked for (STARTTLS) before anything is said."""

    host: str
    port: int
    implicit_tls: bool
    user: str = ""
    password: str = field(default="", repr=False)

    @classmethod
    def parse(cls, url: str) -> MailServer:
        """Of ``smtps://user:password@host:465`` or ``smtp+starttls://host:587``; what is special in a password is
        percent-encoded. Raises ValueError with one sentence, in which the password does not stand."""
        parts = urlsplit(url)
        if parts.scheme not in _PORTS or not parts.hostname or parts.path not in ("", "/") or parts.query:
            raise ValueError("must be like smtps://user:password@host:465 or smtp+starttls://user:password@host:587")
        try:
            port = _PORTS[parts.scheme] if parts.port is None else parts.port
            if port == 0:
                raise ValueError
        except ValueError as error:
            raise ValueError("must name a port between 1 and 65535") from error
        if bool(parts.username) is not bool(parts.password):
            raise ValueError("must have a user and a password, or neither")
        if not unquote(f"{parts.username}{parts.password}").isascii():
            raise ValueError("must have a user and a password in plain ASCII")
        return cls(
            host=parts.hostname,
            port=port,
            implicit_tls=parts.scheme == "smtps",
            user=unquote(parts.username or ""),
            password=unquote(parts.password or ""),
        )
