"""What the cells are: each failpoint of the source × who dies there × what bank and customer do × database."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tests.faults.storm.world import names_of_failpoints

ENGINES = ("sqlite", "postgresql")
#: whose process dies: the one that answers the customer's request, or the one that does durable work
WEB, WORKER = "web", "worker"

#: what each call to the bank may come to; gate.py does it, to the first call of its kind
_OF_EVERY_CALL = (
    "request lost",
    "answer lost",
    "5xx before",
    "5xx after",
    "unreadable",
    "429",
    "slow",  # done, and said when nobody listens any more
    "late",  # done when nobody listens any more
)
FAULTS: dict[str, Sequence[str]] = {
    "initiate": (*_OF_EVERY_CALL, "repeats an id", "no way to approve"),
    "complete": _OF_EVERY_CALL,
    # of a question that changes nothing, to lose it or its answer is the same
    "status": ("answer lost", "5xx after", "unreadable", "429", "slow", "not found", "refuses", "unknown word"),
    "cancel": _OF_EVERY_CALL,
    "token": ("answer lost", "429"),
}

#: what a payment passes on its way. A point that is not named here is new: it is tried everywhere
WORK = ("work.claimed", "work.taken")
GIVEN = ("initiate.intended", "initiate.sent", "initiate.written")
THERE = ("leave.asked", "leave.given")
BACK = ("return.noted",)
EXCHANGED = ("exchange.taken", "exchange.sent", "exchange.kept", "exchange.written")
ASKED = ("status.asked", "status.heard", "status.written")
DROPPED = ("cancel.intended", "cancel.sent")
FAILED = ("initiate.failed",)
#: no bank of this matrix is submitted to: the simulator tries these
SUBMITTED = ("submit.asked", "submit.intended", "submit.failed", "submit.sent", "submit.kept", "submit.written")
RAISED = ("work.failed",)
_KNOWN = frozenset((*WORK, *GIVEN, *THERE, *BACK, *EXCHANGED, *ASKED, *DROPPED, *FAILED, *SUBMITTED, *RAISED))

#: only one of the two does this
_WEB_ALONE = ("work.taken", *THERE, *BACK)
_WORKER_ALONE = ("work.claimed", *DROPPED)
#: the page asks the bank only for who comes back as the one who went there
_NEVER_ASKS = ("never comes back", "looks and goes away", "other browser")


@dataclass(frozen=True, kw_only=True)
class Story:
    """What the customer does with one bill, and what the bank makes of it."""

    name: str
    customer: str = "pays"  #: a word of course.py
    amount: str = "84.20"
    fault: tuple[str, str] | None = None
    kills: Sequence[str] = (*WORK, *GIVEN, *THERE, *BACK, *EXCHANGED, *ASKED)  #: points that it passes
    thorough: bool = False  #: also the second time there, and the third …
    paid: bool = True  #: how it ends; a customer whose payment failed pays once more, as the page says they may

    @property
    def hurried(self) -> bool:
        """Whether somebody waits in it for real until time is up."""
        return self.fault is not None and self.fault[1] in ("slow", "late")


def _people() -> Iterator[Story]:
    """What customers do. Who does not pay as one should is met by kills from where the ways part."""
    yield Story(name="pays", thorough=True)
    yield Story(name="refuses", customer="refuses", kills=(*WORK, *BACK, *ASKED))
    yield Story(name="forgets the PIN", customer="wrong PIN", kills=(*WORK, *BACK, *ASKED))
    yield Story(name="approves and never comes back", customer="never comes back", kills=(*WORK, *THERE, *ASKED))
    yield Story(
        name="looks and goes away",
        customer="looks and goes away",
        kills=(*WORK, *THERE, *ASKED, *DROPPED),
        thorough=True,
    )
    yield Story(name="never goes to the bank", customer="never goes", kills=(*WORK, *GIVEN))
    yield Story(name="stops it here", customer="stops", kills=(*WORK, *GIVEN))
    yield Story(name="comes back twice", customer="comes back twice", kills=(*WORK, *BACK, *EXCHANGED, *ASKED))
    yield Story(name="comes back in another browser", customer="other browser", kills=(*WORK, *THERE, *ASKED))
    yield Story(name="approves in the last minute", customer="hesitates", kills=(*WORK, *BACK, *ASKED))


def _outcomes() -> Iterator[Story]:
    """What the sandbox bank makes of its magic amounts: what was given to it, and then what it says of it."""
    given = (*WORK, "initiate.intended", "initiate.written", *FAILED)
    yield Story(name="the bank refuses the order", amount="999.01", kills=given, paid=False)
    yield Story(name="the bank always fails", amount="999.02", kills=given, paid=False)
    yield Story(name="the bank keeps orders and fails", amount="999.03", kills=given, paid=False)
    told = (*WORK, *BACK, "exchange.written", *ASKED)
    yield Story(name="no funds", amount="999.05", kills=told, paid=False)
    yield Story(name="accepted, then rejected", amount="999.06", kills=told, paid=False, thorough=True)
    yield Story(name="accepted for 20 s", amount="999.07", kills=told, thorough=True)
    yield Story(name="three questions fail", amount="999.08", kills=told, thorough=True)
    yield Story(name="the exchange always fails", amount="999.10", kills=(*told, "exchange.sent"))
    yield Story(name="two answers unreadable", amount="999.12", kills=told)
    yield Story(name="settled, then reversed", amount="999.13", kills=told, paid=False, thorough=True)
    yield Story(name="credited", amount="999.14", kills=told)
    yield Story(name="the status goes backwards", amount="999.15", kills=told, thorough=True)


#: where a fault is felt: in the call itself, in what is done next, and in what has to find out about it
_FELT = {
    "initiate": (*WORK, *GIVEN, *FAILED),
    "token": (*WORK, *GIVEN, *FAILED),
    "complete": (*WORK, *BACK, *EXCHANGED, *ASKED),
    "status": (*WORK, *BACK, "exchange.written", *ASKED),
    "cancel": ("work.claimed", *ASKED, *DROPPED),
}


def _faults() -> Iterator[Story]:
    """What one call to the bank comes to."""
    for verb, faults in FAULTS.items():
        for fault in faults:
            kills = _FELT[verb]
            if fault in ("repeats an id", "no way to approve"):  # the bank has answered
                kills = (*WORK, *GIVEN, *ASKED, *(RAISED if fault == "repeats an id" else ()))
            customer = "looks and goes away" if verb == "cancel" else "pays"
            yield Story(name=f"{verb}: {fault}", customer=customer, fault=(verb, fault), kills=kills)


STORIES: Sequence[Story] = (*_people(), *_outcomes(), *_faults())


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
    if point not in _KNOWN:
        return (1,)
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
    return (2,) if who == WEB else (5,)


def _passed_by_page(point: str, story: Story) -> bool:
    """Whether the page gets there at all: it gives an order to the bank once, and asks the bank once."""
    if story.fault is not None and story.fault[0] in ("initiate", "token"):
        if story.fault[1] == "no way to approve":
            return point not in ASKED
        if story.fault[1] == "repeats an id":
            return point != "initiate.written"
        return point != "initiate.sent"
    return point not in ASKED or story.customer not in _NEVER_ASKS
