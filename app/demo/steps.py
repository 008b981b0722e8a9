"""The steps of a walk: each with its own deadline and a line of what it took, and what it is when one fails."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Protocol, TypeVar

from app.demo.authenticator import NoCredentialError
from app.demo.browser import Browser, LateError, LostError, Page, RefusedError
from app.demo.errors import DemoError
from connectors.errors import BankError


class DisagreementError(Exception):
    """Two sides do not say the same, or one says what must not be."""


class Walked(Protocol):
    """What is walked. ``seen``: the hiccups that none of the browsers has noted."""

    seen: list[str]

    @property
    def browsers(self) -> tuple[Browser, ...]: ...


AnyWalk = TypeVar("AnyWalk", bound=Walked)
#: name → (what is done, deadline in seconds)
Steps = Mapping[str, tuple[Callable[[AnyWalk], str], int]]


def take(
    here: AnyWalk,
    steps: Steps[AnyWalk],
    *,
    on_step: Callable[[str], None] = lambda _: None,
    say: Callable[[str], None] = lambda line: print(line, flush=True),
) -> None:
    """All of them. ``on_step`` is called with the name of each one before it. Raises DemoError naming the step."""
    for name, (do, deadline_s) in steps.items():
        on_step(name)
        for browser in here.browsers:
            browser.until = time.monotonic() + deadline_s
        say(_one_step(here, name, do))


def _one_step(here: AnyWalk, name: str, do: Callable[[AnyWalk], str]) -> str:
    started = time.monotonic()
    hiccups = len(_hiccups(here))
    try:
        said = do(here)
    except (LateError, LostError, RefusedError, DisagreementError, NoCredentialError, BankError) as error:
        waited_s = time.monotonic() - started
        raise DemoError(f"The walk failed at {name!r} after {waited_s:.1f} s: {error}.{_saw(here)}") from error
    again = len(_hiccups(here)) - hiccups
    note = f"  ({again} times without an answer)" if again else ""
    return f"  {name:<13} {round((time.monotonic() - started) * 1000):>6} ms  {said}{note}"


def _hiccups(here: Walked) -> list[str]:
    return here.seen + [each for browser in here.browsers for each in browser.seen]


def _saw(here: Walked) -> str:
    found = dict.fromkeys(_hiccups(here))
    return f" It saw: {'; '.join(found)}." if found else ""


def shows(page: Page, said: str) -> None:
    """Raises DisagreementError."""
    if said not in page.words:
        raise DisagreementError(f"the page {page.url.partition('?')[0]} does not show {said}")


def same(what: str, found: object, expected: object) -> None:
    """Raises DisagreementError."""
    if found != expected:
        raise DisagreementError(f"{what}: {found!r} where {expected!r} was expected")
