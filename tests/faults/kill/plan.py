"""What the cells are: each failpoint of the source × who dies there × what bank and customer do × database."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tests.faults.kill import standing_stories, stories, uk_stories
from tests.faults.kill.standing_stories import StandingStory
from tests.faults.kill.stories import (
    ASKED,
    BACK,
    DROPPED,
    GIVEN,
    KNOWN,
    THERE,
    WEB,
    WORK,
    WORKER,
    Story,
)
from tests.faults.storm.world import names_of_failpoints

ENGINES = ("sqlite", "postgresql")

#: only one of the two does this
_WEB_ALONE = ("work.taken", *THERE, *BACK)
_WORKER_ALONE = ("work.claimed", *DROPPED)
#: the page asks the bank only for who comes back as the one who went there
_NEVER_ASKS = ("never comes back", "looks and goes away", "other browser")


STORIES: Sequence[Story] = (*stories.stories(), *uk_stories.stories(), *standing_stories.stories())


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One kill: ``who`` dies the ``nth`` time its process gets to ``point``."""

    who: str
    point: str
    nth: int
    story: Story
    engine: str

    @property
    def name(self) -> str:
        return f"{self.who} {self.point}:{self.nth} / {self.story.name} / {self.engine}"


def cells() -> list[Cell]:
    """All of them."""
    points = names_of_failpoints()
    return [
        Cell(who=who, point=point, nth=nth, story=story, engine=engine)
        for story in STORIES
        for point in points
        for who in (WEB, WORKER)
        for nth in _times(who, point, story)
        for engine in ENGINES
    ]


def _times(who: str, point: str, story: Story) -> Sequence[int]:
    """Which of the times that a process gets there are worth a kill of their own."""
    if point not in KNOWN:
        return (1,)
    if isinstance(story, StandingStory):
        return [nth for dies, at, nth in story.deaths if (dies, at) == (who, point)]
    if point not in story.kills or point in (_WEB_ALONE if who == WORKER else _WORKER_ALONE):
        return ()
    if who == WEB and not _passed_by_page(point, story):
        return ()
    if point in WORK:
        return _of_work(who, story)
    return (1, 2) if story.thorough and who == WORKER and point in ASKED else (1,)


def _of_work(who: str, story: Story) -> Sequence[int]:
    """A page takes the giving, the exchange and the question, a worker the bill, two messages, and then the same."""
    if story.thorough and story.customer == "pays":
        return (1, 2, 3) if who == WEB else (1, 2, 3, 4, 5, 6, 7, 8)
    if not {*GIVEN, *THERE}.isdisjoint(story.kills):
        return (1,) if who == WEB else (4,)
    if story.is_submitted and "submit.intended" in story.kills:
        return (2, 3) if who == WEB else (5, 6, 7)
    return (2,) if who == WEB else (5,)


def _passed_by_page(point: str, story: Story) -> bool:
    """Whether the page gets there at all: it gives an order to the bank once, and asks it or submits to it once."""
    if story.fault is not None and story.fault[0] in ("initiate", "token"):
        if story.fault[1] == "no way to approve":
            return point not in ASKED
        if story.fault[1] == "repeats an id":
            return point != "initiate.written"
        return point != "initiate.sent"
    if story.is_submitted:
        later = "submit.asked" in story.kills and point in ("submit.sent", "submit.kept")
        return point not in (*ASKED, "submit.asked") and not later
    return point not in ASKED or story.customer not in _NEVER_ASKS
