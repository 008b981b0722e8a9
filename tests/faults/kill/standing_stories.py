"""What customers do with standing consents at UK banks, and what those make of it: set up, paid under, taken back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from typing_extensions import override

from tests.faults.kill.stories import (
    APPROVED,
    ASKED,
    FOLLOWED,
    LEFT,
    SUBMITTED,
    TAKEN_BACK,
    UK_BANKS,
    WEB,
    WORKER,
    Story,
)
from tests.faults.kill.uk_stories import UK_FAULTS

FAPI_1, FAPI_2 = UK_BANKS

#: (who dies, at which point, which time)
Death = tuple[str, str, int]

#: as UK_FAULTS: of the calls that only a standing consent needs, and of those of a payment under one
STANDING_FAULTS: Mapping[str, Sequence[str]] = {
    "agree": ("answer lost", "late", "5xx after", "unreadable", "bank dies", "refuses"),
    "complete": ("answer lost", "5xx after", "bank dies"),
    "told": ("answer lost", "unreadable", "bank dies"),
    "submit": UK_FAULTS["submit"],
    "status": UK_FAULTS["status"],
    "revoke": ("request lost", "answer lost", "late", "5xx after", "bank dies", "refuses"),
}
#: of the bank whose tokens live for minutes
RENEWAL_FAULTS: Mapping[str, Sequence[str]] = {"renew": ("answer lost", "429", "bank dies")}


@dataclass(frozen=True, kw_only=True)
class StandingStory(Story):
    """``customer`` is a word of consenting.py."""

    bank: str = FAPI_1
    deaths: Sequence[Death] = ()  #: in place of ``kills``
    holds: bool = False  #: consents stand when it begins
    stands: bool = True  #: one does in the end

    @property
    @override
    def tries_most(self) -> int:
        """Who has ended the consent pays no second time under it."""
        return super().tries_most if self.stands else 1


def web(*points: str) -> list[Death]:
    """Where the process dies that answers the customer; ``point:2`` is the second time there."""
    return [_death(WEB, point) for point in points]


def worker(*points: str) -> list[Death]:
    return [_death(WORKER, point) for point in points]


def _death(who: str, point: str) -> Death:
    name, _, nth = point.partition(":")
    return who, name, int(nth or 1)


def both(*points: str) -> list[Death]:
    return web(*points) + worker(*points)


def again(points: Sequence[str], nth: int = 2) -> list[str]:
    """The same ones, at a later time there."""
    return [f"{point}:{nth}" for point in points]


def stories() -> Iterator[StandingStory]:
    yield from _paying()
    yield from _setting_up()
    yield from _taking_back()
    yield from _stopping()


def _paying() -> Iterator[StandingStory]:
    """With one signature, and no visit to the bank."""
    kills = [*web("work.taken"), *worker(*(f"work.claimed:{nth}" for nth in (4, 5, 6, 7)), *SUBMITTED, *ASKED)]
    yield StandingStory(name="albion: pays under a consent", customer="pays", holds=True, deaths=kills)
    kills = web("work.taken", "work.taken:2")
    yield StandingStory(name="albion: pays two at once", customer="pays two at once", holds=True, deaths=kills)
    kills = worker("consents.renew.begun", "consents.renew.sent", "submit.intended", "submit.sent", "submit.kept")
    yield StandingStory(name="severn: pays under a consent", customer="pays", bank=FAPI_2, holds=True, deaths=kills)
    for fault in STANDING_FAULTS["submit"]:
        # who is refused asks nothing first: a gateway's no is no proof, and the same bytes tell
        asked = () if fault == "refuses" else ("submit.asked",)
        yield _faulty("pays", "submit", fault, worker("submit.failed", *asked, "submit.kept"))
    for fault in STANDING_FAULTS["status"]:
        yield _faulty("pays", "status", fault, worker("status.heard"))
    for fault in RENEWAL_FAULTS["renew"]:
        kills = worker("consents.renew.begun", "submit.kept")
        yield _faulty("pays", "renew", fault, kills, bank=FAPI_2)


def _setting_up() -> Iterator[StandingStory]:
    """From the company's page to the bank and back; then a bill is paid under it."""
    alone = web(*LEFT, "consents.left", "consents.returned")
    kills = [*alone, *both(*FOLLOWED, *again(FOLLOWED), *APPROVED[2:])]
    yield StandingStory(name="albion: sets a consent up", customer="pays", deaths=kills)
    kills = [*alone, *both(*APPROVED[2:])]
    yield StandingStory(name="severn: sets a consent up", customer="pays", bank=FAPI_2, deaths=kills)
    for fault in STANDING_FAULTS["agree"]:
        yield _faulty("sets a consent up", "agree", fault, both(*FOLLOWED))
    for fault in STANDING_FAULTS["complete"]:
        yield _faulty("sets a consent up", "complete", fault, both(*APPROVED[2:]))
    for fault in STANDING_FAULTS["told"]:
        yield _faulty("sets a consent up", "told", fault, both("consents.answered:2"))


def _taking_back() -> Iterator[StandingStory]:
    """Here: from that moment nothing is paid under it."""
    name = "albion: takes a consent back"
    kills = [*web(*TAKEN_BACK), *both(*FOLLOWED)]
    yield StandingStory(name=name, customer="takes it back", holds=True, stands=False, paid=False, deaths=kills)
    for fault in STANDING_FAULTS["revoke"]:
        yield _faulty("takes it back", "revoke", fault, both("consents.answered"))


def _stopping() -> Iterator[StandingStory]:
    """While a payment was decided under it: what was not sent is not, and what was is told of as it is."""
    yield _ending("stops everything", "stops everything", worker(*FOLLOWED))
    for does, kills in (("takes it back", web(*TAKEN_BACK)), ("stops everything", [])):
        way, name = f"pays and {does}", f"{does} before a payment is sent"
        yield _ending(name, way, [*kills, *worker("work.claimed:4", *FOLLOWED)])
        way, name = f"{way}, later", f"{does} after a payment was sent"
        told = worker("submit.sent", "submit.kept", "submit.written", "status.heard", "consents.answered")
        # who dies at the payment's own work keeps the customer waiting until a worker has sent it
        yield _ending(name, way, [*web("work.taken"), *kills, *told], paid=True)
        # the worker dies between the two, so that nobody knows: nothing is sent again, and the bank is asked in person
        yield _ending(f"{does} when a payment may have been sent", way, worker("submit.intended"))
        for fault, is_executed in (("answer lost", True), ("late", True), ("bank dies", True), ("request lost", False)):
            yield _ending(f"{name}: {fault}", way, worker("submit.failed"), paid=is_executed, fault=("submit", fault))


def _ending(
    name: str, way: str, deaths: Sequence[Death], *, paid: bool = False, fault: tuple[str, str] | None = None
) -> StandingStory:
    return StandingStory(
        name=f"albion: {name}", customer=way, fault=fault, deaths=deaths, holds=True, stands=False, paid=paid
    )


def _faulty(does: str, verb: str, fault: str, deaths: Sequence[Death], *, bank: str = FAPI_1) -> StandingStory:
    """What one call to the bank comes to."""
    ends = does == "takes it back"
    return StandingStory(
        name=f"{bank}: {_CALLED[does]}: {verb}: {fault}",
        customer="takes it back" if ends else "pays",
        bank=bank,
        fault=(verb, fault),
        deaths=deaths,
        holds=does != "sets a consent up",
        stands=not ends,
        paid=not ends,
    )


_CALLED = {
    "pays": "pays under a consent",
    "sets a consent up": "sets a consent up",
    "takes it back": "takes a consent back",
}
