"""What customers do with a bill, and what Horizon Bank makes of it. The UK banks' are in uk_stories.py, those of
standing consents in standing_stories.py."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

#: the bank that executes what was approved; and those to which a payment is submitted: FAPI 1 and mTLS, FAPI 2 and DPoP
HORIZON = "horizon"
UK_BANKS = ("albion", "severn")
BANKS = (HORIZON, *UK_BANKS)

#: whose process dies: the one that answers the customer's request, or the one that does durable work
WEB, WORKER = "web", "worker"

#: what each call to the bank may come to; gate.py does it, to the first call of its kind
OF_EVERY_CALL = (
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
    "initiate": (*OF_EVERY_CALL, "repeats an id", "no way to approve"),
    "complete": OF_EVERY_CALL,
    # of a question that changes nothing, to lose it or its answer is the same
    "status": ("answer lost", "5xx after", "unreadable", "429", "slow", "not found", "refuses", "unknown word"),
    "cancel": OF_EVERY_CALL,
    "token": ("answer lost", "429"),
}

#: the same of what a bank keeps for a later day and is asked to drop
KEPT_FAULTS = ("request lost", "answer lost", "5xx after", "late")

#: what a payment passes on its way. A point that is not named here is new: it is tried everywhere
WORK = ("work.claimed", "work.taken")
GIVEN = ("initiate.intended", "initiate.sent", "initiate.written")
THERE = ("leave.asked", "leave.given")
BACK = ("return.noted",)
EXCHANGED = ("exchange.taken", "exchange.sent", "exchange.kept", "exchange.written")
ASKED = ("status.asked", "status.heard", "status.written")
DROPPED = ("cancel.intended", "cancel.sent")
FAILED = ("initiate.failed",)
#: where a payment is for us to submit
SUBMITTED = ("submit.intended", "submit.sent", "submit.kept", "submit.written")
UNANSWERED = ("submit.failed", "submit.asked")
RAISED = ("work.failed",)
#: and a standing consent on its own
FOLLOWED = ("consents.intended", "consents.answered", "consents.written")
APPROVED = ("consents.left", "consents.returned", *(f"consents.exchange.{done}" for done in ("taken", "sent", "kept")))
LEFT = ("consents.leave.asked",)
RENEWED = ("consents.renew.begun", "consents.renew.sent")
TAKEN_BACK = ("consents.revoked",)
KNOWN = frozenset(
    (
        *(*WORK, *GIVEN, *THERE, *BACK, *EXCHANGED, *ASKED, *DROPPED, *FAILED, *SUBMITTED, *UNANSWERED, *RAISED),
        *(*FOLLOWED, *LEFT, *APPROVED, *RENEWED, *TAKEN_BACK),
    )
)


@dataclass(frozen=True, kw_only=True)
class Story:
    """What the customer does with one bill, and what the bank makes of it."""

    name: str
    bank: str = HORIZON
    customer: str = "pays"  #: a word of course.py
    amount: str = "84.20"
    fault: tuple[str, str] | None = None
    kills: Sequence[str] = (*WORK, *GIVEN, *THERE, *BACK, *EXCHANGED, *ASKED)  #: points that it passes
    thorough: bool = False  #: also the second time there, and the third …
    paid: bool = True  #: how it ends; a customer whose payment failed pays once more, as the page says they may

    @property
    def tries_most(self) -> int:
        """A customer pays a bill, and again when the page says that they may. A kill and a fault may each cost them an
        approval where that alone executes nothing."""
        return 3 if self.is_submitted and self.paid else 2

    @property
    def is_submitted(self) -> bool:
        """Whether its approval alone executes nothing."""
        return self.bank != HORIZON

    @property
    def hurried(self) -> bool:
        """Whether somebody waits in it for real until time is up."""
        return self.fault is not None and self.fault[1] in ("slow", "late")


#: of a bill that is paid twice, each a part: all of the way
_PARTS = (*WORK, *GIVEN, *THERE, *BACK, *EXCHANGED, *ASKED)


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
    yield Story(name="pays a part, then the rest", customer="pays a part", kills=_PARTS)
    yield Story(name="has it kept for a day", customer="has it kept", kills=(*WORK, *GIVEN, *BACK, *EXCHANGED, *ASKED))
    yield Story(
        name="has it kept and takes it back",
        customer="has it kept and takes it back",
        kills=(*WORK, *BACK, *ASKED, *DROPPED),
        thorough=True,
    )
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


def stories() -> Iterator[Story]:
    yield from _people()
    yield from _outcomes()
    yield from _faults()
    for fault in KEPT_FAULTS:
        name = f"has it kept, cancel: {fault}"
        kills = ("work.claimed", *ASKED, *DROPPED)
        yield Story(name=name, customer="has it kept and takes it back", fault=("cancel", fault), kills=kills)
