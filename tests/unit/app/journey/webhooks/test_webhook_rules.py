"""Signatures by Standard Webhooks."""

from __future__ import annotations

from app.journey.webhooks.rules import signature

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
