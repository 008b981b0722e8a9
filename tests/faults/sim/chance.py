"""Everything the services leave to chance, from one seed: ids, secrets, jitter. Without it no seed would replay."""

from __future__ import annotations

import base64
import contextlib
import datetime as dt
import random
import secrets
import uuid
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import uuid_utils


@contextlib.contextmanager
def replaced(*changes: tuple[Any, str, Any]) -> Iterator[None]:
    """Attributes (of, name, value) for as long as it lasts."""
    before = [(of, name, getattr(of, name)) for of, name, _ in changes]
    for of, name, value in changes:
        setattr(of, name, value)
    try:
        yield
    finally:
        for of, name, value in reversed(before):
            setattr(of, name, value)


def from_seed(seed: int, clock: Callable[[], dt.datetime]) -> contextlib.AbstractContextManager[None]:
    """Draw from ``seed`` what is otherwise drawn from the system. Ids still sort by (simulated) time."""
    dice = random.Random(f"chance {seed}")  # noqa: S311  # the same for the same seed is the point
    count = 0

    def uuid7() -> SimpleNamespace:
        nonlocal count
        count += 1
        ms = int(clock().timestamp() * 1000)
        return SimpleNamespace(hex=f"{ms:012x}7{count:07x}8{dice.getrandbits(44):011x}")

    def token_bytes(size: int | None = None) -> bytes:
        return dice.randbytes(size or 32)

    return replaced(
        (uuid_utils, "uuid7", uuid7),
        (uuid, "uuid4", lambda: uuid.UUID(int=dice.getrandbits(128), version=4)),
        (secrets, "token_bytes", token_bytes),
        (secrets, "token_hex", lambda size=None: token_bytes(size).hex()),
        (secrets, "token_urlsafe", lambda size=None: base64.urlsafe_b64encode(token_bytes(size)).rstrip(b"=").decode()),
        (secrets, "randbelow", dice.randrange),
    )
