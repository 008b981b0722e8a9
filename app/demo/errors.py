"""What can stop the demo, in one sentence for the person at the terminal."""

from __future__ import annotations


class DemoError(Exception):
    """It cannot go on. The text says why and what to mend; nobody needs a traceback."""


class NotOffered(Exception):
    """The bank does not have what was to be walked, and need not have it. The sentence says which bank."""
