"""In which order the ways of a bill are shown. Pure: verdicts in, the same verdicts out."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from consent.rules import Why
from consent.verdicts import Next, Verdict, Way

#: what makes a way of one that is none yet
_STEPS = {
    Way.STANDING: frozenset({Next.RENEW, Next.GO_ON, Next.WAIT, Next.LIFT_STOP}),
    Way.SINGLE: frozenset({Next.LIFT_STOP}),
    Way.SET_UP: frozenset({Next.SET_UP}),
}


@dataclass(frozen=True, slots=True)
class Preferred:
    """What a customer wants to pay a biller by first: one of the two."""

    consent_id: str | None
    bank_id: str | None

    def is_(self, verdict: Verdict) -> bool:
        if verdict.way is Way.STANDING:
            return verdict.consent_id == self.consent_id
        return verdict.way is Way.SINGLE and verdict.bank_id == self.bank_id


def ranked(
    verdicts: Iterable[Verdict], *, preferred: Preferred | None, used_last: str | None, names: Mapping[str, str]
) -> tuple[Verdict, ...]:
    """What covers the bill first, then a single approval, then what is one step away, then what is no way.

    Within these what the customer prefers, then the bank ``used_last``, then those that answer before those that do
    not, then by the bank's name, of ``names`` by id. The same verdicts have the same order, however they came.
    """

    def key(verdict: Verdict) -> tuple[int, bool, bool, bool, str, str, str, str]:
        return (
            _nearness(verdict),
            preferred is None or not preferred.is_(verdict),
            verdict.bank_id != used_last,
            _is_away(verdict),
            names.get(verdict.bank_id, verdict.bank_id).casefold(),
            verdict.bank_id,
            verdict.way,
            verdict.consent_id or "",
        )

    return tuple(sorted(verdicts, key=key))


def is_of_another(verdict: Verdict, *, biller_id: str | None, biller_of: Mapping[str, str]) -> bool:
    """Whether a standing consent is for another company than the bill's, and so says nothing of this bill."""
    return verdict.consent_id is not None and biller_of[verdict.consent_id] != biller_id


def best(verdicts: Collection[Verdict]) -> Verdict | None:
    """Of ranked ones: the standing consent that covers the bill."""
    return next((verdict for verdict in verdicts if verdict.covers and verdict.way is Way.STANDING), None)


def _nearness(verdict: Verdict) -> int:
    if verdict.covers:
        return 0 if verdict.way is Way.STANDING else 1
    return 2 if not _STEPS[verdict.way].isdisjoint(verdict.next) else 3


def _is_away(verdict: Verdict) -> bool:
    return any(reason.why is Why.BANK_AWAY for reason in verdict.reasons)
