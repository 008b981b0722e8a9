"""How the bank says no, in the three ways that it speaks: Berlin Group, OAuth, a page for a person."""

from __future__ import annotations


class BerlinGroupError(Exception):
    """Answered as `tppMessages` with a code of the standard. `path` names the header or the JSON field."""

    def __init__(self, status: int, code: str, text: str, *, path: str | None = None) -> None:
        super().__init__(code)
        self.status = status
        self.code = code
        self.text = text
        self.path = path

    def body(self) -> dict[str, object]:
        message = {"category": "ERROR", "code": self.code, "text": self.text}
        return {"tppMessages": [message if self.path is None else {**message, "path": self.path}]}


def format_error(path: str, text: str) -> BerlinGroupError:
    return BerlinGroupError(400, "FORMAT_ERROR", text, path=path)


class OAuthError(Exception):
    """Answered as RFC 6749 §5.2."""

    def __init__(self, error: str, description: str, *, status: int = 400) -> None:
        super().__init__(error)
        self.error = error
        self.description = description
        self.status = status

    def body(self) -> dict[str, str]:
        return {"error": self.error, "error_description": self.description}


class PageError(Exception):
    """Shown to the person, never redirected: we know nobody to trust. `text_key` is a key of texts.py."""

    def __init__(self, status: int, text_key: str) -> None:
        super().__init__(text_key)
        self.status = status
        self.text_key = text_key
