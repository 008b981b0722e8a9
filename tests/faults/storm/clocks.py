"""How long outcomes were unknown, counting only the time in which they could have been found out. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from tests.faults.storm.compare import NOT_KNOWN, Said

Span = tuple[float, float]


@dataclass(frozen=True, kw_only=True)
class Change:
    """From ``at`` on this part worked, or did not."""

    at: float
    part: str
    works: bool


def fair_weather(changes: Iterable[Change], *, until: float) -> list[Span]:
    """Spans in which everything was there that is needed to find an outcome out: at least one of the workers, and all
    the other parts."""
    parts: dict[str, bool] = {}
    spans: list[Span] = []
    since: float | None = None
    for change in sorted(changes, key=lambda change: change.at):
        parts[change.part] = change.works
        workers = [works for part, works in parts.items() if part.startswith("worker")]
        fair = any(workers) and all(works for part, works in parts.items() if not part.startswith("worker"))
        if fair and since is None:
            since = change.at
        elif not fair and since is not None:
            spans.append((since, change.at))
            since = None
    if since is not None:
        spans.append((since, until))
    return spans


def counted(span: Span, fair: Sequence[Span]) -> float:
    """Seconds of the span that lie in fair weather."""
    return sum(max(0.0, min(span[1], end) - max(span[0], begin)) for begin, end in fair)


def unknown_spans(said: Iterable[Said], *, until: float) -> tuple[dict[str, list[Span]], dict[str, Span]]:
    """From the first "not known" on a payment's page to the first other word, by payment: those that ended, and those
    still open at ``until``."""
    since: dict[str, float] = {}
    ended: dict[str, list[Span]] = {}
    for one in sorted(said, key=lambda one: one.heard_at):
        if one.by != "page" or not one.payment:
            continue
        if one.word == NOT_KNOWN:
            since.setdefault(one.payment, one.heard_at)
        elif one.payment in since:
            ended.setdefault(one.payment, []).append((since.pop(one.payment), one.heard_at))
    return ended, {payment: (begin, until) for payment, begin in since.items()}


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least ``share`` of all do not exceed; 0 for none."""
    if not values:
        return 0.0
    ordered = sorted(values)
    return ordered[max(0, math.ceil(len(ordered) * share) - 1)]


#: upper bounds of the classes, in seconds
CLASSES = (1, 2, 5, 10, 20, 30, 45, 60, 120)


def histogram(values: Sequence[float]) -> str:
    """``≤1s 12 · ≤2s 3 · …``, without empty classes."""
    counts: list[tuple[str, int]] = []
    below = 0.0
    for bound in CLASSES:
        counts.append((f"≤{bound}s", sum(1 for value in values if below < value <= bound or (not below and not value))))
        below = bound
    counts.append((f">{CLASSES[-1]}s", sum(1 for value in values if value > CLASSES[-1])))
    return " · ".join(f"{name} {count}" for name, count in counts if count) or "none"
