"""What a history turns on: things that are rare by themselves never come together, so some are about one of them."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from connectors.contract import Approach
from tests.faults.sim import adding
from tests.faults.sim.bank import Bank, Executing, Nature
from tests.faults.sim.signing_in import SigningIn
from tests.faults.sim.standing_bank import Recurring, StandingNature
from tests.faults.sim.submitting import Submitting


@dataclass(frozen=True, kw_only=True)
class Aim:
    weight: float  #: how often it is drawn
    nature: Callable[[random.Random], Nature] = Nature.drawn
    kind: type[Bank] | None = None  #: of all its banks
    about: tuple[str, ...] = ()  #: how the points are called at which its processes die more often
    comes_back: bool = True  #: whether those who hurry come back from their bank
    profile: Callable[[random.Random], Mapping[str, Any]] = lambda _: {}  #: what its banks' files say
    deeds: Mapping[str, float] = field(default_factory=dict)  #: what people do more often, or less
    own_deeds: Mapping[str, float] = field(default_factory=dict)  #: what they do here alone, and how often
    hurries_on: tuple[str, ...] = ()  #: the own deeds of those who hurry, in the end
    may_be_short: bool = False  #: its histories may have an early end
    corrects_between: float = 0.0  #: how often a bill is corrected between two steps of its payment
    vets_between: float = 0.0  #: how often an operator does something about an account between two steps of a payment
    in_pounds: bool = False  #: a company in Britain bills as well: standing consents can pay to it
    keeps: float = 0.0  #: how often a customer wants the bank to keep a single payment until a day
    stops_between: float = 0.0  #: how often a customer means to end a payment between two of its steps

    def is_about(self, point: str) -> bool:
        return point.startswith(self.about)


def _of_taking_back(dice: random.Random) -> Mapping[str, Any]:
    """Soon, and mostly by one that tells its customers alone: what it executed after all only a statement shows."""
    access = dice.choice(("client_credentials", "client_credentials", "psu_token"))
    return {"authorisation_minutes": dice.choice((5, 15)), "status_access": access}


def _of_corrections(dice: random.Random) -> Nature:
    """Also banks that drop what they execute after all: meanwhile its bill was replaced."""
    return dice.choice((Nature.drawn, Nature.drawn, Nature.of_taking_back))(dice)


AIMS = (
    Aim(weight=4),
    # what somebody approves at the last moment, and what an exchange long after its time may do
    Aim(weight=1, nature=Nature.of_code, kind=Executing, about=("exchange.",)),
    Aim(
        weight=3,
        nature=Nature.of_submission,
        kind=Submitting,
        about=("exchange.kept", "exchange.written", "submit.", "bank.submit", "bank.consent_status"),
        # people who get there: of a payment that nobody approves nothing is submitted
        deeds={"hurry": 5, "cancel": 2, "pass_days": 0.5, "jump": 0.5},
    ),
    # people who go to their bank and do not come back: then the order is taken back
    Aim(
        weight=1.5,
        nature=Nature.of_taking_back,
        kind=Executing,
        about=("cancel.", "bank.cancel"),
        comes_back=False,
        profile=_of_taking_back,
        deeds={"hurry": 3, "back": 0.1, "wait": 2, "pass_days": 2, "statement": 8},
    ),
    # billers that say something else of a bill at every moment of its payment
    Aim(
        weight=3,
        nature=_of_corrections,
        deeds={"correct": 20, "hurry": 2, "statement": 4, "cancel": 0.5},
        corrects_between=0.06,
    ),
)


def _of_sign_in(dice: random.Random) -> Mapping[str, Any]:
    return {
        "sign_in_first": True,
        "tpp_token": False,
        "approach": dice.choice((Approach.REDIRECT, Approach.DECOUPLED)).value,
        "status_access": dice.choice(("psu_token", "psu_token", "psu_token", "client_credentials")),
        "authorisation_minutes": dice.choice((5, 5, 15)),
    }


# banks that want a sign-in first
SIGN_IN = Aim(
    weight=0,
    nature=Nature.of_sign_in,
    kind=SigningIn,
    about=("initiate.", "bank.initiate"),
    profile=_of_sign_in,
    deeds={"hurry": 6, "pass_days": 0.2, "jump": 0.2, "away": 0.3},
    own_deeds={"sign_in": 8, "app": 6},
    hurries_on=("app",),
    may_be_short=True,
)
# banks that take standing consents, and people who pay under them, take them back, and stop everything
STANDING = Aim(
    weight=0,
    nature=StandingNature.of_standing,
    kind=Recurring,
    about=("submit.", "bank.pay", "consents.", "bank.agree", "bank.revoke", "bank.renew"),
    deeds={"hurry": 2, "correct": 0.5, "pass_days": 0.7, "jump": 0.7, "away": 0.5},
    own_deeds={"consent": 70, "stop": 1.5},
    in_pounds=True,
    stops_between=0.04,
    may_be_short=True,
)
#: of all seeds, STANDING_SHARE of those without a sign-in. By dice of their own: what other seeds are does not change
SIGN_IN_SHARE, ADDING_SHARE, VETTING_SHARE, STANDING_SHARE, STOPPING_SHARE = 0.2, 0.25, 0.15, 0.25, 0.1
#: of all seeds: people who answer their bills otherwise than by paying them; and who have banks keep payments
ANSWERING_SHARE, KEEPING_SHARE = 0.25, 0.2


def drawn(dice: random.Random, seed: int) -> Aim:
    aside = random.Random(f"sign in {seed}")  # noqa: S311  # the same for the same seed is the point
    aim = SIGN_IN if aside.random() < SIGN_IN_SHARE else dice.choices(AIMS, [aim.weight for aim in AIMS])[0]
    aside = random.Random(f"standing {seed}")  # noqa: S311  # as well
    if aim is not SIGN_IN and aside.random() < STANDING_SHARE:
        aim = STANDING
    elif aside.random() < STOPPING_SHARE:
        aim = replace(aim, own_deeds={**aim.own_deeds, "stop": 2}, stops_between=0.02)
    aside = random.Random(f"adding {seed}")  # noqa: S311  # as well
    if aside.random() < ADDING_SHARE:
        aim = _with_own_bills(aim)
    aside = random.Random(f"answering {seed}")  # noqa: S311  # as well
    if aside.random() < ANSWERING_SHARE:
        aim = replace(aim, own_deeds={**aim.own_deeds, "answer": 10})
    aside = random.Random(f"keeping {seed}")  # noqa: S311  # as well
    if aside.random() < KEEPING_SHARE:
        deeds = {**aim.deeds, "hurry": aim.deeds.get("hurry", 1) * 3}  # people who get there
        aim = replace(aim, keeps=0.9, deeds=deeds, own_deeds={**aim.own_deeds, "keep": 8})
    aside = random.Random(f"vetting {seed}")  # noqa: S311  # as well
    return _with_operators(aim) if aside.random() < VETTING_SHARE else aim


def _with_own_bills(aim: Aim) -> Aim:
    """Whatever else a history is about, its people may have bills that nobody delivers."""
    return replace(aim, about=(*aim.about, *adding.POINTS), own_deeds={**aim.own_deeds, "add": 8})


def _with_operators(aim: Aim) -> Aim:
    """Operators who freeze and open accounts. Nobody corrects a bill then: a new version would be held meanwhile."""
    return replace(
        aim,
        deeds={**aim.deeds, "correct": 0},
        own_deeds={**aim.own_deeds, "vet": 4},
        corrects_between=0.0,
        vets_between=0.06,
    )
