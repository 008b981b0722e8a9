"""Handing one message to the mail server: the only place from which mail goes out, and never inside a transaction."""

from __future__ import annotations

import contextlib
import datetime as dt
import enum
import io
import logging
import re
import smtplib
import socket
import ssl
import time
from collections.abc import Iterator
from dataclasses import dataclass
from email import policy
from email.headerregistry import Address
from email.message import EmailMessage
from typing import Any

from app.journey.notices.compose import Letter
from config.mail import MailServer, is_address

log = logging.getLogger("quittance.notices")

#: for each answer of the server, and for all that it says about one message: how long, and how much
TIMEOUT_S = 10.0
ALL_S = 60.0
ANSWERS_MOST = 64 * 1024
#: refusals of a mailbox where there is no enhanced code; enhanced ones, 5.1.x, that are about the sender's address
OF_MAILBOX, OF_SENDER = (550, 551, 553), (7, 8)
#: what is shown beside the address it comes from
SENDER = "Quittance"


class Outcome(enum.Enum):
    TAKEN = enum.auto()  #: 250: it is the mail server's to deliver now
    REFUSED = enum.auto()  #: 5xx for this address: to ask again would not help
    LATER = enum.auto()  #: not now, or nobody knows whether it was taken: it is sent again, as the very same message


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """From whom to whom, and what makes it the same message at every try."""

    sender: str
    to: str
    message_id: str
    date: dt.datetime
    language: str


def written(letter: Letter, envelope: Envelope) -> EmailMessage:
    """As it goes over the wire: text and nothing else."""
    message = EmailMessage(policy=policy.SMTP)  # it refuses a line break in any header
    message["From"] = Address(SENDER, addr_spec=envelope.sender)
    message["To"] = Address(addr_spec=envelope.to)
    message["Subject"] = letter.subject
    message["Date"] = envelope.date
    message["Message-ID"] = envelope.message_id
    message["Auto-Submitted"] = "auto-generated"  # RFC 3834: no absence notes in answer
    message.set_content(letter.text, cte="quoted-printable")
    message["Content-Language"] = envelope.language  # to set the content takes away what was said of it before
    return message


def post(server: MailServer, letter: Letter, envelope: Envelope) -> Outcome:
    """Say it to the server once."""
    if not is_address(envelope.to):
        return Outcome.REFUSED
    message = written(letter, envelope)
    try:
        with _connected(server, envelope.sender.rpartition("@")[2]) as smtp:
            # not send_message: that writes >From where a line begins with From
            smtp.sendmail(envelope.sender, [envelope.to], message.as_bytes())
    except smtplib.SMTPRecipientsRefused as refused:
        [(code, words)] = refused.recipients.values()
        if _is_about_address(code, words):
            return Outcome.REFUSED
        return _later(server, refused, code)
    except (smtplib.SMTPException, OSError, ValueError) as error:  # the last: a name or an answer that is no text
        return _later(server, error, getattr(error, "smtp_code", None))
    return Outcome.TAKEN


def _later(server: MailServer, error: Exception, code: int | None) -> Outcome:
    """Of our server, our password, our sender or our message: no fault of this address. Its words may quote anything:
    not logged."""
    said = type(error).__name__ if code is None else f"{type(error).__name__} {code}"
    log.warning("mail server %s:%d: %s, tried again", server.host, server.port, said)
    return Outcome.LATER


def _is_about_address(code: int, words: bytes) -> bool:
    """Whether a refusal of RCPT is for good, and of the mailbox: by its enhanced code (RFC 3463: 5.1 addresses, but not
    the sender's, and 5.2 mailboxes; not 5.7, who may send) or, of a server that gives none, by RFC 5321."""
    if enhanced := re.match(rb"([245])\.(\d{1,3})\.(\d{1,3})\b", words):
        kind, subject, detail = map(int, enhanced.groups())
        return 500 <= code < 600 and kind == 5 and (subject == 2 or (subject == 1 and detail not in OF_SENDER))
    return code in OF_MAILBOX


@contextlib.contextmanager
def _connected(server: MailServer, own_name: str) -> Iterator[smtplib.SMTP]:
    """Over TLS, or not at all. How the parting goes says nothing about the message."""
    context = ssl.create_default_context()
    smtp: smtplib.SMTP
    if server.implicit_tls:
        smtp = _ImplicitTls(server.host, server.port, own_name, timeout=TIMEOUT_S, context=context)
    else:
        smtp = _Patient(server.host, server.port, own_name, timeout=TIMEOUT_S)
    try:
        if not server.implicit_tls:
            smtp.starttls(context=context)
        if server.user:
            smtp.login(server.user, server.password)
        yield smtp
        with contextlib.suppress(smtplib.SMTPException, OSError):
            smtp.quit()
    finally:
        smtp.close()


class _Answers(io.RawIOBase):
    """What a server says, until it has talked for too long or too much: the library itself waits for ever for the end
    of a line that comes byte by byte, and of an answer that always has another line."""

    def __init__(self, sock: socket.socket, until: float) -> None:
        self._sock, self._until, self._left = sock, until, ANSWERS_MOST

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        left_s = self._until - time.monotonic()
        if left_s <= 0 or self._left <= 0:
            raise TimeoutError("the mail server does not come to an end")
        self._sock.settimeout(min(TIMEOUT_S, left_s))
        got = self._sock.recv_into(buffer)
        self._left -= got
        return got


class _Patient(smtplib.SMTP):
    """As the library's, but it does not listen for ever."""

    def __init__(self, *args: Any, **how: Any) -> None:
        self._until = time.monotonic() + ALL_S
        super().__init__(*args, **how)

    def getreply(self) -> tuple[int, bytes]:
        if self.file is None and self.sock is not None:
            self.file = io.BufferedReader(_Answers(self.sock, self._until))
        return super().getreply()


class _ImplicitTls(_Patient, smtplib.SMTP_SSL):
    pass
