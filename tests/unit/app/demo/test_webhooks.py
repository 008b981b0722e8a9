"""The demo biller's own check of a webhook, against the service's signature."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.demo.webhooks import Mailbox, NotGenuineError, check
from app.journey.webhooks.rules import signature

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
NOW_S = 1_614_265_330
BODY = b'{"test": 2432232314}'
NOON = "2026-11-22T12:00:00+00:00"


def headers(*, sent_at: int = NOW_S, body: bytes = BODY) -> dict[str, str]:
    signed = signature(SECRET, message_id="msg_1", timestamp=sent_at, body=body)
    return {"webhook-id": "msg_1", "webhook-timestamp": str(sent_at), "webhook-signature": signed}


@pytest.mark.parametrize("away_s", [-300, 0, 300])
def test_takes_a_genuine_message_within_five_minutes(away_s: int) -> None:
    assert check(BODY, headers(), secret=SECRET, now_s=NOW_S + away_s) == "msg_1"


def test_the_example_of_the_standard() -> None:
    sent = {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": str(NOW_S),
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }
    assert check(BODY, sent, secret=SECRET, now_s=NOW_S) == sent["webhook-id"]


def test_one_fitting_signature_among_several_is_enough() -> None:
    sent = headers()
    sent["webhook-signature"] = f"v1,AAAA v1a,BBBB {sent['webhook-signature']}"
    assert check(BODY, sent, secret=SECRET, now_s=NOW_S) == "msg_1"


@pytest.mark.parametrize("away_s", [-301, 301])
def test_refuses_a_message_of_another_time(away_s: int) -> None:
    with pytest.raises(NotGenuineError):
        check(BODY, headers(), secret=SECRET, now_s=NOW_S + away_s)


@pytest.mark.parametrize(
    "changed",
    [
        {"webhook-id": "msg_2"},
        {"webhook-id": ""},
        {"webhook-timestamp": str(NOW_S + 1)},
        {"webhook-timestamp": "now"},
        {"webhook-timestamp": "¹"},
        {"webhook-signature": "v1,AAAA"},
        {"webhook-signature": ""},
        {"webhook-signature": "v1,é"},
    ],
)
def test_refuses_what_was_changed(changed: dict[str, str]) -> None:
    with pytest.raises(NotGenuineError):
        check(BODY, headers() | changed, secret=SECRET, now_s=NOW_S)


def test_refuses_another_body() -> None:
    with pytest.raises(NotGenuineError):
        check(BODY + b" ", headers(), secret=SECRET, now_s=NOW_S)


def test_the_mailbox_keeps_a_message_once_and_over_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "webhooks.jsonl"
    assert Mailbox(path).keep("water", "msg_1", {"type": "a"}, received_at=NOON)
    assert not Mailbox(path).keep("water", "msg_1", {"type": "a"}, received_at=NOON)
    assert Mailbox(path).keep("energy", "msg_1", {"type": "b"}, received_at=NOON)
    assert [message["type"] for message in Mailbox(path).of("water")] == ["a"]
    assert [message["type"] for message in Mailbox(path).of("energy")] == ["b"]


def test_a_line_that_was_cut_short_harms_no_other(tmp_path: Path) -> None:
    path = tmp_path / "webhooks.jsonl"
    Mailbox(path).keep("water", "msg_1", {"type": "a"}, received_at=NOON)
    with path.open("a") as file:
        file.write('\n{"id": "water/msg_2", "sl')
    mailbox = Mailbox(path)
    assert mailbox.keep("water", "msg_2", {"type": "b"}, received_at=NOON)
    assert [message["type"] for message in Mailbox(path).of("water")] == ["a", "b"]
