"""One running demo for all tests of this folder; a screen for each test.

Pictures of all pages, for people to look at (off unless PICTURES names a folder):

    PICTURES=/tmp/pictures .venv/bin/python -m pytest tests/browser/test_pictures.py

writes ``<page>-<phone|desktop>-<light|dark>-<en|fr>.png``: every page of the customers' door and of the sandbox bank in
all eight combinations, full length. About seven minutes.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, StorageState

from tests.browser.screen import DESKTOP, PATIENCE_MS, Language, Screen, Theme
from tests.browser.world import World, running_world

PICTURES = os.environ.get("PICTURES")

collect_ignore = [] if PICTURES else ["test_pictures.py"]

LOCALES: dict[Language, str] = {"en": "en-GB", "fr": "fr-FR"}


@pytest.fixture(scope="package")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with running_world(tmp_path_factory.mktemp("demo") / "data") as running:
        yield running


class Screens:
    """Opens browsers (contexts: cookies of their own) and tabs, and gathers what they complain about."""

    def __init__(self, chromium: Browser, world: World) -> None:
        self._chromium, self._world = chromium, world
        self._contexts: list[BrowserContext] = []
        self.open: list[Screen] = []

    def new(
        self,
        *,
        size: tuple[int, int] = DESKTOP,
        theme: Theme = "light",
        language: Language = "en",
        script: bool = True,
        trusts_all: bool = False,
        downloads: bool = False,
        state: StorageState | None = None,
    ) -> Screen:
        """Another browser, on another person's desk. ``state`` brings cookies along.

        ``trusts_all``: it asks nobody whether a certificate is good, as those of some sandbox banks are not.
        """
        context = self._chromium.new_context(
            viewport={"width": size[0], "height": size[1]},
            color_scheme=theme,
            locale=LOCALES[language],
            java_script_enabled=script,
            ignore_https_errors=trusts_all,
            storage_state=state,
            accept_downloads=downloads,
        )
        context.set_default_timeout(PATIENCE_MS)
        self._contexts.append(context)
        return self.tab(context)

    def tab(self, context: BrowserContext) -> Screen:
        """Another tab of the same browser."""
        screen = Screen(self._world, context.new_page())
        self.open.append(screen)
        return screen

    def close(self) -> None:
        for context in self._contexts:
            context.close()


@pytest.fixture
def screens(chromium: Browser, world: World) -> Iterator[Screens]:
    """Fails the test when a browser complained: console, scripts, lost requests, answers of 500 and above."""
    made = Screens(chromium, world)
    yield made
    made.close()
    troubles = [trouble for screen in made.open for trouble in screen.troubles]
    assert troubles == []


@pytest.fixture
def screen(screens: Screens) -> Screen:
    """An English desktop."""
    return screens.new()


@pytest.fixture(scope="package")
def pictures() -> Callable[[str], Path]:
    """A page's name → where its picture goes."""
    assert PICTURES, "PICTURES names no folder"
    folder = Path(PICTURES)
    folder.mkdir(parents=True, exist_ok=True)
    return lambda name: folder / f"{name}.png"
