"""How the banks say no to a TPP's program: ErrorModel of the standard."""

from __future__ import annotations

from http import HTTPStatus

from connectors.sandbox_bank.context import iso_utc

TEXT_LENGTH_MAX = 140


class StetError(Exception):
    """Answered as {timestamp, status, error, message, path}. ``text`` says what is wrong and names the field."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status
        self.text = text

    def body(self, *, path: str, now_ms: int) -> dict[str, object]:
        return {
            "timestamp": iso_utc(now_ms),
            "status": self.status,
            "error": HTTPStatus(self.status).phrase,
            "message": self.text[:TEXT_LENGTH_MAX],
            "path": path[:TEXT_LENGTH_MAX],
        }


def wrong(field: str, text: str) -> StetError:
    return StetError(400, f"{field}: {text}")
