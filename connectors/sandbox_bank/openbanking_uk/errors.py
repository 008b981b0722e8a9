"""How the door says no: as OAuth does, as a resource server does, and as a page for a person."""

from __future__ import annotations

from collections.abc import Mapping


class OAuthError(Exception):
    """Answered as RFC 6749 §5.2, from the browser's side as §4.1.2.1."""

    def __init__(
        self, error: str, description: str, *, status: int = 400, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(f"{error}: {description}")
        self.error = error
        self.description = description
        self.status = status
        self.headers = dict(headers or {})

    def body(self) -> dict[str, str]:
        return {"error": self.error, "error_description": self.description}


class Unauthorised(Exception):
    """A request to the API without a token that is good for it: 401 with a challenge (RFC 6750 §3), or 403."""

    def __init__(self, status: int, headers: Mapping[str, str], reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.headers = dict(headers)
        self.reason = reason  #: for whoever reads the log of the bank


class PageError(Exception):
    """Shown to the person, never redirected: we know nobody to trust."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status
        self.text = text
