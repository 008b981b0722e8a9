"""What can stop the demo, in one sentence for the person at the terminal."""

from __future__ import annotations


class DemoError(Exception):
    """It cannot go on. The text says why and what to mend; nobody needs a traceback."""
