"""A bank's JSON: what is read of it can be kept, and costs no more than its bytes."""

from __future__ import annotations

import pytest

from connectors.strict_json import EXPONENT_MAX, TEXT_CHARACTERS_MAX, NotReadable, read_object


@pytest.mark.parametrize(
    ("written", "read"),
    [
        (rb"no \ud83d", "no \ufffd"),
        (rb"\udc00no", "\ufffdno"),
        (rb"a\u0000b", "a\ufffdb"),
        (rb"\ud83d\ude00", "\U0001f600"),
        ("é\ufffd".encode(), "é\ufffd"),
    ],
)
def test_what_no_database_takes_is_replaced(written: bytes, read: str) -> None:
    text = read_object(b'{"Message": "' + written + b'"}').text("Message")
    assert text == read
    assert text.encode().decode() == text


def test_a_long_text_is_cut() -> None:
    assert len(read_object(b'{"a": "' + b"x" * 5000 + b'"}').text("a")) == TEXT_CHARACTERS_MAX


@pytest.mark.parametrize("number", [b"1e200000", b"1e-31", b"-9.9e999999999", b"1e31", b"1e1000000000000000000000"])
def test_a_number_beyond_all_measure_is_not_read(number: bytes) -> None:
    with pytest.raises(NotReadable):
        read_object(b'{"x": ' + number + b"}")


@pytest.mark.parametrize("number", [b"0.01", b"1e30", b"0e99999", b"123456789012345678901234567890.5"])
def test_all_others_are(number: bytes) -> None:
    assert abs(read_object(b'{"x": ' + number + b"}").members["x"].adjusted()) <= max(EXPONENT_MAX, 99_999)
