"""Our own errors. Each says what happened, what to mend, and in the type whether money moved (it never did).

The doors turn them into problem+json or an error page; nothing else knows about HTTP status codes.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class FieldError:
    """One fault of the input: where it stands (JSON pointer or XPath) and what to mend."""

    pointer: str
    detail: str


class AppError(Exception):
    """The base. ``code`` is public and stable (kebab-case); ``detail`` says what to mend. Nothing was taken."""

    status = 500
    title = "Something went wrong"

    def __init__(
        self, code: str, detail: str, *, errors: tuple[FieldError, ...] = (), actions: tuple[str, ...] = ()
    ) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail
        self.errors = errors
        self.actions = actions  # what can be done instead, for a program: public and stable
        self.about: str | None = None  # where several were meant at once: the id of the one that it is about


class Invalid(AppError):
    """The input is wrong; sending it again unchanged is useless."""

    status = 422
    title = "The request cannot be taken as it is"


class NotFound(AppError):
    """There is no such thing, or it is not yours: the answer is the same."""

    status = 404
    title = "Not found"

    def __init__(self, what: str) -> None:
        super().__init__("not-found", f"There is no such {what}.")


class NotAllowed(AppError):
    """Who asks may not do this."""

    status = 403
    title = "Not allowed"


class Conflict(AppError):
    """It does not fit what is already there."""

    status = 409
    title = "Conflict"


class TooLate(Conflict):
    """It was possible, and no longer is."""

    title = "Too late"


class TooMany(AppError):
    """So often within so short a time. ``retry_after``: when it is worth trying again."""

    status = 429
    title = "Too many requests"

    def __init__(self, code: str, detail: str, *, retry_after: dt.timedelta) -> None:
        super().__init__(code, detail)
        self.retry_after = retry_after
