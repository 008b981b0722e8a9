"""How the processes that answer and work look for garbage."""

from __future__ import annotations

import gc

#: Python's own is 700: a page that reads ten years of bills would have its rows searched hundreds of times
_NEW_ONES = 10_000


def keep_what_is_loaded() -> None:
    """To be called once, when all is loaded and, where a process forks, before that: what is there stays, and is not
    searched again and again with what each request leaves."""
    gc.freeze()
    gc.set_threshold(_NEW_ONES, 10, 10)
