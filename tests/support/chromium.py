"""Debian's Chromium for the browser tests: where it is, and how to start it without a screen and as root.

Playwright would download a browser of its own, which is not allowed everywhere and which Debian's security
updates do not reach.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Final

CHROMIUM_VARIABLE: Final = "CHROMIUM"
PROGRAM_NAMES: Final = ("chromium", "chromium-browser", "google-chrome-stable")

LAUNCH_FLAGS: Final = (
    "--headless",
    "--no-sandbox",  # Chromium refuses its sandbox as root; the tests open our own pages only
    "--disable-dev-shm-usage",  # /dev/shm is small or missing in a container
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",  # the rest: no calls home, so that a test sees our requests only
    "--disable-component-update",
    "--disable-sync",
)

# A bare system without /etc/hosts may not know `localhost`, and elsewhere it may be ::1 first: here it is
# always the address that our servers listen on.
LOCALHOST_IS_IPV4: Final = "--host-resolver-rules=MAP localhost 127.0.0.1"


class ChromiumMissingError(RuntimeError):
    """No Chromium on this machine; the message says how to get one."""


def find_chromium() -> Path:
    """Return Chromium's path: what CHROMIUM names, else Debian's. Raises ChromiumMissingError."""
    named = os.environ.get(CHROMIUM_VARIABLE)
    if named:
        if os.access(named, os.X_OK):
            return Path(named)
        message = f"{CHROMIUM_VARIABLE} is {named}, but there is no program there"
        raise ChromiumMissingError(message)
    for name in PROGRAM_NAMES:
        found = shutil.which(name)
        if found:
            return Path(found)
    message = (
        "The browser tests need Chromium: run `make test` as root, which installs it, "
        f"or apt-get install chromium, or name one in {CHROMIUM_VARIABLE}"
    )
    raise ChromiumMissingError(message)


def launch_flags() -> list[str]:
    """Return the flags for every start of Chromium in the tests."""
    return [*LAUNCH_FLAGS, LOCALHOST_IS_IPV4]
