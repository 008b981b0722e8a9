"""Runs one of the programs that read strangers' files: a process that sets its own limits, answers and is gone.

Its last argument are the milliseconds of processor time after which it has to end itself.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from app.journey.intake.bill import BillRefused

_TIMEOUT_S = 10


def run(program: Path, *arguments: str, cpu_ms: int, content: bytes, called: str) -> dict[str, Any]:
    """What it answers. Raises BillRefused with its refusal, or that ``called`` takes more than any bill needs.

    Raises OSError when it cannot be begun: this machine has no place for another process, or no such program.
    """
    program.stat()  # else its absence would look like a file that killed it
    try:
        # -I and no environment: nothing of ours is in there. Program and path are ours, the file goes in by a pipe.
        done = subprocess.run(  # noqa: S603
            [sys.executable, "-I", str(program), *arguments, str(cpu_ms)],
            input=content,
            capture_output=True,
            timeout=_TIMEOUT_S,
            check=False,
            env={},
        )
        found: dict[str, Any] = json.loads(done.stdout)
    except (subprocess.TimeoutExpired, ValueError):
        # killed by a limit, or gone without an answer
        raise BillRefused("too-large", f"Reading {called} takes more memory or time than any bill needs.") from None
    if "refused" in found:
        code, detail = found["refused"]
        raise BillRefused(code, detail)
    return found
