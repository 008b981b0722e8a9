"""Signatures by Standard Webhooks, and where a webhook may go."""

from __future__ import annotations

import pytest

from app.journey.webhooks.rules import may_be_called, signature

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
MESSAGE = "msg_p5jXN8AQM9LWM0D4loKWxJek"
SENT_AT = 1614265330
BODY = b'{"test": 2432232314}'
SIGNED = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_the_vector_of_the_specification() -> None:
    assert signature(SECRET, message_id=MESSAGE, timestamp=SENT_AT, body=BODY) == SIGNED


def test_the_signature_covers_id_time_body_and_secret() -> None:
    others = {
        signature(SECRET, message_id=MESSAGE + "x", timestamp=SENT_AT, body=BODY),
        signature(SECRET, message_id=MESSAGE, timestamp=SENT_AT + 1, body=BODY),
        signature(SECRET, message_id=MESSAGE, timestamp=SENT_AT, body=BODY + b" "),
        signature(SECRET[:-4] + "AAAA", message_id=MESSAGE, timestamp=SENT_AT, body=BODY),
    }
    assert len(others) == 4
    assert SIGNED not in others


@pytest.mark.parametrize(
    ("url", "live", "demo"),
    [
        ("https://biller.example/hooks", True, True),
        ("https://biller.example:8443/hooks?key=1", True, True),
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
def test_where_a_webhook_may_go(url: str, live: bool, demo: bool) -> None:
    assert may_be_called(url, demo=False) is live
    assert may_be_called(url, demo=True) is demo
