"""Every address that counts as one can stand in a message, as it is and with nothing else in its headers."""

from __future__ import annotations

import datetime as dt
import email
from email import policy

from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from app.journey.notices.compose import Letter
from app.journey.notices.smtp import Envelope, written
from config.mail import _ADDRESS, is_address
from tests.support.thorough import thorough

LETTER = Letter("Cette adresse est-elle la vôtre ?", "Oui.\n")
NOW = dt.datetime(2026, 11, 22, 9, 0, tzinfo=dt.UTC)
HEADERS = [
    "From", "To", "Subject", "Date", "Message-ID", "Auto-Submitted",
    "Content-Type", "Content-Transfer-Encoding", "MIME-Version", "Content-Language",
]  # fmt: skip
_LOCAL = st.text("abz019!#$%&'*+/=?^_`{|}~.-", min_size=1, max_size=64)


@settings(max_examples=thorough(8, 25))  # the parser of the standard library takes its time over some of them
@given(to=st.from_regex(_ADDRESS, fullmatch=True) | st.builds("{}@x.example".format, _LOCAL))
@example(to="=?utf-8?q?a=40evil.example?=@x.org")
@example(to="a" * 64 + "@" + ".".join(["b" * 60] * 3) + ".org")
def test_an_address_stands_in_its_header_as_it_is(to: str) -> None:
    assume(is_address(to))
    envelope = Envelope(
        sender="messages@bills.example", to=to, message_id="<ntc@bills.example>", date=NOW, language="fr"
    )
    raw = written(LETTER, envelope).as_bytes()
    read = email.message_from_bytes(raw, policy=policy.SMTP)
    assert read.keys() == HEADERS
    assert [each.addr_spec for each in read["To"].addresses] == [to]
    assert read["Subject"] == LETTER.subject
