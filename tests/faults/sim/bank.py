"""A bank that speaks the connectors' contract in this process: what really happened to the money, and all its vices.

It is honest, however badly it behaves: what it has called ended does not move money later, and what it does not know
any more never will. Only a bank that ``lies`` breaks that, and then only what it says later can put things right.
"""

from __future__ import annotations

import contextlib
import dataclasses
import datetime as dt
import json
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Self, TypeVar
from urllib.parse import parse_qs, urlencode, urlsplit

from connectors.berlin_group import messages
from connectors.berlin_group.status import fact_of
from connectors.contract import (
    Authorised,
    BankRequest,
    BankStatus,
    ConsentStatus,
    Fact,
    PaymentOrder,
    PsuContext,
    ScaOAuth,
    Staged,
)
from connectors.errors import BankRefused, BankSilent, BankUnavailable, NotSignedIn
from connectors.money import Money
from connectors.profile import POLL_S, BankProfile
from connectors.security.pkce import challenge
from tests.faults.sim.floor import Floor
from tests.faults.sim.keeping import Dated

T = TypeVar("T")

FORGOTTEN = "404"
#: of what is kept until a day
KEPT, _DAY = "ACTC", "requestedExecutionDate"
PAID = ("ACSC", "ACCC")
DEAD = ("RJCT", "CANC", FORGOTTEN)
S, M, H, D = 1, 60, 3600, 86_400

#: what may be said of a consent whose time is over. The last is an old copy's
OVER_WORDS = (ConsentStatus.EXPIRED, ConsentStatus.NOT_FOUND, ConsentStatus.WAITING)

#: what becomes of an order once it is approved: words, and the seconds (from, to) after the one before
PATHS: dict[str, tuple[tuple[str, int, int], ...]] = {
    "at once": (("ACSC", 0, 0),),
    "instant": (("ACTC", 0, 1), ("ACSC", 1, 6)),
    "usual": (("ACTC", 0, 2), ("ACSP", 1, 30), ("ACSC", 5, 10 * M)),
    "checked": (("PDNG", 0, 2), ("ACFC", 5, 60), ("ACSP", 5, 60), ("ACSC", 5, 60)),
    "slow": (("ACSP", 0, 60), ("ACSC", D, 4 * D)),
    "odd word": (("ACTC", 0, 2), ("XPTO", 1, 60), ("ACSC", 5, 10 * M)),
    "credited": (("ACSP", 0, 5), ("ACSC", 1, 60), ("ACCC", 1, H)),
    "rejected at once": (("RJCT", 0, 0),),
    "rejected": (("ACTC", 0, 2), ("ACSP", 1, 60), ("RJCT", 1, 10 * M)),
    "rejected late": (("ACSP", 0, 60), ("RJCT", D, 4 * D)),
    "dropped": (("ACTC", 0, 2), ("CANC", 1, H)),
    "reversed": (("ACSP", 0, 5), ("ACSC", 1, 60), ("RJCT", M, 5 * D)),
    "stuck": (("ACSP", 0, 60),),
}
_USUAL = (6, 8, 10, 3, 2, 2, 4, 3, 4, 1, 1, 2, 1)
#: slowly: what was denied is still under way when it is looked at again
_OF_LIARS = (1, 1, 4, 2, 12, 2, 1, 1, 1, 6, 1, 1, 4)

FAULTS = (
    "unreachable",
    "put_off",
    "lost_request",
    "lost_reply",
    "5xx_before",
    "5xx_after",
    "garbage",
    "late",
    "slow",
)
VERBS = ("initiate", "complete", "cancel", "status", "submit", "consent_status")
#: a call that is hard at a bank fails there so often, and so often the bank goes away when it gets it
HARD_RATE, LEAVES_RATE = 0.5, 0.1
#: questions, which a bank may want to be asked later
QUESTIONS = ("status", "cancel", "consent_status", "told", "pay_status", "pay_consent")
#: how long after its time-out a request may arrive; under a standing consent a payment is claimed for no later day
LATE_S, LATE_PAY_S = (1, 30, 200), (1, 10, 20)


@dataclass(frozen=True, slots=True, kw_only=True)
class SignIns:
    """How a bank goes about sign-ins, where it wants one before it takes an order (signing_in.py)."""

    life_s: int | None = 20 * M  #: of a token; None: it does not say, and means an hour
    others_are_told: str = "401"  #: of an order that is not theirs: 401, or 404
    ends_earlier: bool = False  #: a sign-in ends what the same person had before
    known_to_others: bool = False  #: the same X-Request-ID is the same order, whoever asks


@dataclass(kw_only=True)
class Nature:
    """What kind of bank it is, for one seed."""

    fault_rate: float
    faults: tuple[str, ...]
    hard_verbs: tuple[str, ...]  #: calls that fail more often than the others
    executes_on: str  #: approval, or exchange of the code
    takes_back: bool  #: DELETE is granted while nobody has approved
    after_deadline: str  #: its word for what nobody approved in time: RJCT, CANC, RCVD for ever, or it forgets
    deadline_shift_s: int  #: its approval time against ours
    refusal: str  #: its word for what the customer refused; RCVD: it says nothing
    idempotent: bool  #: the same X-Request-ID again is the same order
    stale_rate: float
    stale_s: int
    early_404_s: int
    before_decision: str  #: its answer until the customer has decided: the status, 404 or 409
    repeats_ids: float
    repeats_payment_ids: float
    keeps_keys: bool  #: a submission under the same key is answered as the first was; else the consent is used up
    over_consent: ConsentStatus | None  #: its word for a consent whose time is over, also for one that was used
    no_link: float
    rejects_orders: float
    names_issuer: bool
    second_approver: float
    code_life_s: int
    token_life_s: int | None
    lies: bool  #: forgets or drops an order that it executes after all
    mislaid_s: tuple[int, ...]  #: for how long it forgets such an order
    refuses_done: float = 0.0  #: how often its gateway refuses a submission that it had passed on
    sign_ins: SignIns = SignIns()

    @classmethod
    def drawn(cls, dice: random.Random) -> Self:
        rate = dice.choice((0.0, 0.0, 0.05, 0.15, 0.4))
        shift_s = dice.choice((-120, -1, 0, 0, 1, 290, 2 * H))
        faults = tuple(fault for fault in FAULTS if dice.random() < 0.6) or FAULTS
        return cls(
            fault_rate=rate,
            faults=faults,
            hard_verbs=(dice.choice(VERBS),) if dice.random() < 0.2 else (),
            executes_on=dice.choice(("approval", "approval", "exchange")),
            takes_back=dice.random() < 0.75,
            after_deadline=dice.choice(("RJCT", "CANC", "RCVD", "RCVD", FORGOTTEN)),
            deadline_shift_s=shift_s,
            refusal=dice.choice(("RJCT", "RJCT", "CANC", "RCVD")),
            idempotent=dice.random() < 0.3,
            stale_rate=dice.choice((0.0, 0.0, 0.3)),
            stale_s=dice.choice((2, 60, 280, 4000)),
            early_404_s=dice.choice((0, 0, 0, 5, 120)),
            # one that takes approvals past our fence and knows nothing of the order meanwhile would not be honest
            before_decision=dice.choice(("status", "status", "status", "409", "404" if shift_s < H else "409")),
            repeats_ids=dice.choice((0.0, 0.0, 0.0, 0.3)),
            repeats_payment_ids=dice.choice((0.0, 0.0, 0.0, 0.5)),
            keeps_keys=dice.random() < 0.8,
            over_consent=dice.choice(OVER_WORDS) if dice.random() < 0.12 else None,
            no_link=dice.choice((0.0, 0.0, 0.0, 0.3)),
            rejects_orders=dice.choice((0.0, 0.0, 0.1)),
            names_issuer=dice.random() < 0.5,
            second_approver=dice.choice((0.0, 0.0, 0.3)),
            code_life_s=dice.choice((60, 300, 600)),
            token_life_s=dice.choice((None, 120, 3600)),
            lies=dice.random() < 0.12,
            # for minutes nobody minds; for longer than its fence it is closed
            mislaid_s=(0, 10 * M, 3 * H, 3 * H),
        )

    @classmethod
    def of_code(cls, dice: random.Random) -> Nature:
        """A bank where exchanging the code executes, that shows nothing before, and fails often while it is asked to:
        what somebody approves there at the last moment may be executed long after its time."""
        return dataclasses.replace(
            cls.drawn(dice),
            fault_rate=0.4,
            executes_on="exchange",
            before_decision="404",
            after_deadline="RCVD",
            deadline_shift_s=dice.choice((0, 1, 290)),
            code_life_s=600,
            stale_rate=0.0,
            lies=False,
        )

    @classmethod
    def of_submission(cls, dice: random.Random) -> Nature:
        """A bank where customers get to approve, and what comes after that fails: the submission, or the question for
        its consent. Some do what they are asked, cannot say so, call the consent unused for minutes, and then say no to
        the repeat."""
        nature = dataclasses.replace(
            cls.drawn(dice),
            fault_rate=dice.choice((0.0, 0.05)),
            faults=FAULTS,
            hard_verbs=dice.choice(
                (("submit",), ("submit", "consent_status"), ("submit", "consent_status"), ("complete",))
            ),
            deadline_shift_s=dice.choice((0, 1, 290)),
            refusal="RJCT",
            repeats_ids=0.0,
            no_link=0.0,
            stale_rate=dice.choice((0.0, 0.5)),
            stale_s=280,
            code_life_s=600,
            token_life_s=dice.choice((None, 60, 120, 3600)),
        )
        if dice.random() < 0.3:
            done = ("lost_reply", "5xx_after", "garbage")
            return dataclasses.replace(nature, faults=done, hard_verbs=("submit",), stale_rate=0.9, keeps_keys=False)
        # one that refuses what it did, and calls the consent unused, lies twice: nobody could know
        return nature if nature.stale_rate else dataclasses.replace(nature, refuses_done=dice.choice((0.0, 0.3)))

    @classmethod
    def of_taking_back(cls, dice: random.Random) -> Nature:
        """A bank that waits for ever, so that orders are taken back there, and where that fails; most of these lie, and
        drop what they execute after all."""
        return dataclasses.replace(
            cls.drawn(dice),
            fault_rate=dice.choice((0.0, 0.05)),
            faults=FAULTS,
            hard_verbs=dice.choice((("cancel",), ("cancel",), ())),
            executes_on="approval",
            takes_back=dice.random() < 0.9,
            after_deadline="RCVD",
            deadline_shift_s=dice.choice((0, 1, 290)),
            refusal="RCVD",
            stale_rate=dice.choice((0.0, 0.9)),
            stale_s=4000,
            before_decision="status",
            lies=dice.random() < 0.8,
            mislaid_s=(0, 0, 0, 10 * M),
        )

    @classmethod
    def of_sign_in(cls, dice: random.Random) -> Nature:
        """A bank that wants its customers to sign in first, and where the order that follows is often answered to
        nobody, so that it is sent again. Meanwhile another one may have signed in, or the token be over."""
        return dataclasses.replace(
            cls.drawn(dice),
            fault_rate=dice.choice((0.0, 0.0, 0.05)),
            faults=FAULTS,
            hard_verbs=dice.choice(
                (("initiate",), ("initiate",), ("initiate",), ("complete",), ("signed_in",), (), ())
            ),
            executes_on=dice.choice(("approval", "approval", "exchange")),
            deadline_shift_s=dice.choice((-1, 0, 1, 290)),
            idempotent=dice.random() < 0.6,
            repeats_ids=0.0,
            no_link=dice.choice((0.0, 0.0, 0.1)),
            names_issuer=False,
            code_life_s=600,
            lies=False,
            sign_ins=SignIns(
                life_s=dice.choice((None, 5 * M, 20 * M, 20 * M, H, 90 * D)),
                others_are_told=dice.choice(("401", "404", "404")),
                ends_earlier=dice.random() < 0.3,
                known_to_others=dice.random() < 0.7,
            ),
        )

    def heal(self) -> None:
        """Nothing goes wrong any more; the bank's ways stay its ways."""
        self.fault_rate = self.stale_rate = self.repeats_ids = 0.0
        self.repeats_payment_ids = self.refuses_done = 0.0
        self.early_404_s = 0
        self.hard_verbs = ()
        self.lies = False


def profile_of(bank_id: str, dice: random.Random) -> BankProfile:
    return BankProfile(
        id=bank_id,
        name=bank_id.title(),
        country="FR",
        standard="berlin_group",
        base_url=f"https://{bank_id}.example",
        issuer=f"https://{bank_id}.example",
        client_id="quittance",
        redirect=True,
        tpp_token=True,
        status_access=dice.choice(("client_credentials", "client_credentials", "client_credentials", "psu_token")),
        currencies=("EUR",),
        authorisation_minutes=dice.choice((5, 15, 90, 90)),
        poll_s=POLL_S,
        status_calls_per_minute=dice.choice((2, 2, 60)),
        sandbox=False,
    )


@dataclass(eq=False, kw_only=True)
class Order:
    """What the bank knows of one order. ``log`` holds its words with their times, also those to come."""

    id: str
    end_to_end_id: str
    amount: Money
    iban: str
    name: str
    made_at: dt.datetime
    deadline: dt.datetime
    log: list[tuple[dt.datetime, str]]
    approved: bool = False  #: wholly: it takes its way
    half_approved: bool = False
    refused: bool = False
    link_held: bool = False  #: some browser has the link
    came_until: dt.datetime | None = None  #: the browser that came back first brought a code of its, good until then
    code_until: dt.datetime | None = None  #: an approval waits for the exchange of its code
    mislaid_until: dt.datetime | None = None  #: a bank that lies does not find it for so long
    is_submitted_apart: bool = False  #: an approval alone does nothing
    authorised: bool = False  #: it may be submitted
    submitted_as: str | None = None  #: the bank's id of the payment
    submitted_at: dt.datetime | None = None
    owner: str | None = None  #: who was signed in when it was given, where that is wanted
    given_with: str | None = None  #: and the token
    execute_on: dt.date | None = None  #: the later day until which it is kept once it is approved
    asked_in_app: bool = False  #: the bank's app asks for its approval
    lied: bool = False  #: the bank said that it will not happen, or that it knows nothing of it, and that was not so
    confessed: bool = False  #: and told since that it was executed

    def is_kept(self, at: dt.datetime) -> bool:
        """Approved, and its day has not come by the bank's clock."""
        return self.approved and self.execute_on is not None and at.date() < self.execute_on and self.word(at) == KEPT

    @property
    def is_undecided(self) -> bool:
        """Its customer has done nothing at the bank yet."""
        return not (self.approved or self.half_approved or self.refused or self.authorised or self.code_until)

    def word(self, at: dt.datetime) -> str:
        return next(word for when, word in reversed(self.log) if when <= at)

    def first(self, at: dt.datetime, words: tuple[str, ...]) -> bool:
        """Whether one of these words was said by then."""
        return any(when <= at and word in words for when, word in self.log)

    def executed(self, at: dt.datetime) -> bool:
        """Its money moved, whatever happened since."""
        return self.first(at, PAID)

    def stands(self, at: dt.datetime) -> bool:
        """Its money moved and was not taken back."""
        return self.executed(at) and self.word(at) not in DEAD

    def may_still_happen(self, at: dt.datetime, *, code_with_us: bool) -> bool:
        """It is not executed, and something that somebody holds could make it so. A code works in our hands only."""
        if self.executed(at) or self.word(at) in DEAD:
            return False
        if self.approved or self.half_approved:
            return True
        # a later approval's code is one that we never exchange
        if code_with_us and self.code_until is not None and self.came_until is not None and at < self.came_until:
            return True
        return self.link_held and not self.is_submitted_apart and not self.refused and at <= self.deadline

    def cut(self, at: dt.datetime) -> None:
        """What was to come does not."""
        self.log = [entry for entry in self.log if entry[0] <= at]


@dataclass(kw_only=True)
class Code:
    order: Order
    challenge: str
    redirect_uri: str
    until: dt.datetime
    used: bool = False
    asked: int = 0  #: how often somebody tried to exchange it
    native: bool = False  #: the browser that left brought it, with the right issuer
    foreign: str | None = None  #: why this code must never be exchanged


@dataclass(kw_only=True)
class WayBack:
    """Where the bank sends the browser."""

    redirect_uri: str
    state: str
    code: str | None
    error: str | None
    issuer: str | None

    @property
    def answer(self) -> dict[str, str]:
        """The parameters of the redirect."""
        named = {"code": self.code, "error": self.error, "iss": self.issuer}
        return {name: value for name, value in named.items() if value is not None}


@dataclass(eq=False)
class Bank:
    """Implements connectors.contract.Connector. What executes is an approval, or the exchange of its code
    (``Executing``), or a submission of ours (submitting.py)."""

    floor: Floor
    profile: BankProfile
    nature: Nature
    orders: list[Order] = field(default_factory=list)
    by_id: dict[str, Order] = field(default_factory=dict)
    codes: dict[str, Code] = field(default_factory=dict)
    tokens: dict[str, tuple[Order, dt.datetime]] = field(default_factory=dict)
    seen: dict[str, tuple[bytes, Order | None]] = field(default_factory=dict)  #: by X-Request-ID
    late: list[tuple[dt.datetime, Callable[[], object]]] = field(default_factory=list)
    away_until: dt.datetime | None = None
    left_alone_until: dt.datetime | None = None  #: it said so, and it was written down
    version: int = 0

    # ----------------------------------------------------------------------------------------------- the contract

    def draft(self, order: PaymentOrder, *, request_id: str, redirect_uri: str) -> BankRequest:
        headers = {"X-Request-ID": request_id, "TPP-Redirect-URI": redirect_uri}
        return BankRequest(
            method="POST",
            path="/v1/payments/sepa-credit-transfers",
            headers=headers,
            body=messages.initiation(order),
            request_id=request_id,
        )

    def initiate(self, request: BankRequest, *, psu: PsuContext, timeout_s: float) -> Staged:
        self._must_be_stored(request)
        return self._call("initiate", lambda: self._take(request), timeout_s)

    def authorise_url(
        self,
        staged: ScaOAuth,
        *,
        redirect_uri: str,
        state: str,
        nonce: str,
        code_challenge: str,
        timeout_s: float,
    ) -> str:
        query = {"scope": staged.scope, "state": state, "redirect_uri": redirect_uri, "code_challenge": code_challenge}
        return f"{staged.authorization_endpoint}?{urlencode(query)}"

    def complete(
        self,
        sca: ScaOAuth,
        *,
        answer: Mapping[str, str],
        code_verifier: str,
        redirect_uri: str,
        state: str,
        nonce: str,
        timeout_s: float,
    ) -> Authorised:
        known = self._asked_for(answer["code"])

        def exchange() -> Authorised:
            if known is None or known.used or self.floor.now > known.until or known.redirect_uri != redirect_uri:
                raise BankRefused("no such code", code="invalid_grant", http_status=400)
            if challenge(code_verifier) != known.challenge or known.order.word(self.floor.now) in DEAD:
                raise BankRefused("not for this order", code="invalid_grant", http_status=400)
            known.used = True
            if known.order.code_until is not None:
                known.order.code_until = None
                self._go(known.order)
            token = f"token-{len(self.tokens)}"
            life = self.nature.token_life_s
            self.tokens[token] = (known.order, self.floor.now + dt.timedelta(seconds=life or D))
            return Authorised(access_token=token, expires_in_s=life)

        return self._call("complete", exchange, timeout_s)

    def _asked_for(self, code: str) -> Code | None:
        """What it is, if the bank gave it. D3, D4: it is its own browser's, and comes once."""
        known = self.codes.get(code)
        if known is not None:
            known.asked += 1
            if known.asked > 1:
                self.floor.broken("D4", f"the code of {known.order.id} was sent {known.asked} times")
            if known.foreign is not None:
                self.floor.broken("D3", f"the code of {known.order.id} was sent, but {known.foreign}")
        return known

    def status(self, bank_payment_id: str, *, access_token: str | None, timeout_s: float) -> BankStatus:
        def tell() -> BankStatus:
            order = self._paid_by(bank_payment_id)
            if self.profile.status_access == "psu_token":
                holder, until = self.tokens.get(access_token or "", (None, None))
                if holder is None or holder is not order or until is None or self.floor.now > until:
                    raise NotSignedIn("no token", code="TOKEN_UNKNOWN", http_status=401)
            return self._status_of(order)

        return self._call("status", tell, timeout_s)

    # ------------------------------------------------------------------------------------------- what the customer does

    def give_link(self, order: Order) -> None:
        """Some browser has it from now on."""
        order.link_held = True

    def visit(self, url: str, what: str) -> WayBack | None:
        """A browser opens the link. ``what``: approve, refuse or abandon. None when it is not sent back."""
        query = query_of(url)
        order = self.by_id[query["scope"].removeprefix("PIS:")]
        now, dice = self.floor.now, self.floor.dice
        back = WayBack(
            redirect_uri=query["redirect_uri"],
            state=query["state"],
            code=None,
            error="access_denied",
            issuer=self.profile.issuer if self.nature.names_issuer or dice.random() < 0.5 else None,
        )
        self.version += 1
        if what == "abandon":
            return None
        open_ = order.word(now) == "RCVD" and now <= order.deadline and not order.refused
        if what == "refuse":
            if open_:
                self.floor.counts["bank refused by customer"] += 1
                order.refused, order.code_until = True, None
                if self.nature.refusal != "RCVD":
                    order.cut(now)
                    order.log.append((now, self.nature.refusal))
            return back
        if not open_ and not order.approved:
            self.floor.counts["bank approval too late"] += 1
            return back
        if open_ and not order.approved:
            self.floor.counts["bank approved"] += 1
            self._approved(order)
        code = self._new_code(order, query)
        if dice.random() < 0.1:  # approved, and the bank's own server fails on the way back
            self.floor.counts["bank error after approval"] += 1
            back.error = "server_error"
            return back
        back.code, back.error = code, None
        return back

    def _new_code(self, order: Order, query: Mapping[str, str]) -> str:
        code = f"code-{self.profile.id}-{len(self.codes)}"
        until = self.floor.now + dt.timedelta(seconds=self.nature.code_life_s)
        self.codes[code] = Code(
            order=order, challenge=query["code_challenge"], redirect_uri=query["redirect_uri"], until=until
        )
        return code

    def _approved(self, order: Order) -> None:
        """Its customer said yes."""
        now, dice = self.floor.now, self.floor.dice
        if self.nature.executes_on == "exchange":
            order.code_until = now + dt.timedelta(seconds=self.nature.code_life_s)
        elif dice.random() < self.nature.second_approver:
            self._half_approve(order)
        else:
            self._go(order)

    def _paid_by(self, bank_payment_id: str) -> Order | None:
        return self.by_id.get(bank_payment_id)

    def cancelled_there(self, order: Order) -> bool:
        """Its customer cancels, at the bank, what it keeps until a day."""
        if not order.is_kept(self.floor.now):
            return False
        self.version += 1
        self._gone(order, "bank cancelled by customer")
        return True

    def second_approval(self) -> None:
        """The second person signs one order, or never."""
        for order in self.orders:
            if order.half_approved and not order.approved and order.word(self.floor.now) == "PATC":
                self.floor.counts["bank second approval"] += 1
                self._go(order)
                return

    def approve_without_link(self, ids: set[str]) -> None:
        """An order without link is approved in the bank's own app, where the customer types in its id."""
        now = self.floor.now
        for order in self.orders:
            if order.id in ids and order.word(now) == "RCVD" and not order.approved and now <= order.deadline:
                self.floor.counts["bank approved without link"] += 1
                self._go(order)
                return

    def tick(self) -> None:
        """Requests that were on their way for long arrive now."""
        due = [entry for entry in self.late if entry[0] <= self.floor.now]
        self.late = [entry for entry in self.late if entry[0] > self.floor.now]
        for _, act in due:
            self._quietly(act)

    def moment(self) -> int:
        """Changes whenever something at the bank did."""
        return self.version + sum(1 for order in self.orders for when, _ in order.log if when <= self.floor.now)

    # ------------------------------------------------------------------------------------------------------- inside

    def _call(self, verb: str, act: Callable[[], T], timeout_s: float) -> T:
        floor, dice = self.floor, self.floor.dice
        floor.counts[f"call {verb}"] += 1
        floor.point(f"bank.{verb}")
        is_hard = verb in self.nature.hard_verbs
        if is_hard and dice.random() < LEAVES_RATE:
            self.away_until = floor.now + dt.timedelta(seconds=dice.choice((5, 60, 15 * M, 2 * H)))
        if self.away_until is not None and floor.now < self.away_until:
            floor.counts[f"fault {verb} away"] += 1
            if dice.random() < 0.5:
                raise BankUnavailable("nobody there")
            floor.sleep(timeout_s)
            raise BankSilent("nobody answers")
        rate = max(self.nature.fault_rate, HARD_RATE if is_hard else 0.0)
        fault = dice.choice(self.nature.faults) if dice.random() < rate else None
        if fault is not None:
            floor.counts[f"fault {verb} {fault}"] += 1
            floor.note(f"fault {fault}")
            return self._faulty(verb, fault, act, timeout_s)
        self.version += 1
        try:
            answer = act()
        finally:
            floor.point(f"bank.{verb}.answered")
        return answer

    def _faulty(self, verb: str, fault: str, act: Callable[[], T], timeout_s: float) -> T:
        floor, dice = self.floor, self.floor.dice
        if fault == "unreachable":
            raise BankUnavailable("connection refused")
        if fault == "put_off":
            wanted = dice.choice((1, 30, 300, 3600))
            if verb in QUESTIONS and floor.current is not None:
                floor.current.told_hold = (self, floor.now + dt.timedelta(seconds=wanted))
            raise BankUnavailable("429", retry_after_s=wanted)
        if fault == "slow":
            floor.sleep(dice.uniform(0.5, timeout_s * 0.99))
            return act()
        if fault == "late":
            delay = timeout_s + dice.choice(LATE_PAY_S if verb == "pay" else LATE_S)
            self.late.append((floor.now + dt.timedelta(seconds=delay), act))
        if fault in ("lost_reply", "5xx_after", "garbage"):
            self._quietly(act)
        if fault in ("lost_request", "lost_reply", "late"):
            floor.sleep(timeout_s)
        else:
            floor.point(f"bank.{verb}.answered")
        raise BankSilent(fault)

    def _quietly(self, act: Callable[[], object]) -> None:
        """Done, though nobody hears of it."""
        self.version += 1
        with contextlib.suppress(BankRefused, BankSilent):
            act()

    def _must_be_stored(self, request: BankRequest) -> None:
        """A6, C3, C4: what is sent was written down before, byte by byte."""
        row = self.floor.raw.execute(
            "SELECT c.body, count(a.number) FROM bank_call c LEFT JOIN bank_attempt a ON a.call_id = c.id"
            " WHERE c.request_id = ? GROUP BY c.id",
            (request.request_id,),
        ).fetchone()
        if row is None or row[1] == 0:
            self.floor.broken("A6", "the bank gets a key that was not written down before")
        elif bytes(row[0]) != request.body or self.seen.get(request.request_id, (request.body,))[0] != request.body:
            self.floor.broken("C3", "other bytes under the same key")

    def _take(self, request: BankRequest) -> Staged:
        now, dice, nature = self.floor.now, self.floor.dice, self.nature
        _, known = self.seen.get(request.request_id, (request.body, None))
        if known is None or not nature.idempotent:
            if dice.random() < nature.rejects_orders:
                self.floor.counts["bank rejected order"] += 1
                raise BankRefused("wrong format", code="FORMAT_ERROR", http_status=400)
            if known is not None:
                self.floor.counts["bank doubled order"] += 1
            known = self._new_order(request)
        self.seen[request.request_id] = (request.body, known)
        no_link = dice.random() < nature.no_link
        if no_link:
            self.floor.counts["bank no link"] += 1
        shown = known.id
        if dice.random() < nature.repeats_ids:
            shown = self._other_id() or known.id
        sca = None if no_link else self._sca(shown)
        return Staged(consent_id=shown, transaction_status=known.word(now), sca=sca, raw_response=shown.encode())

    def _other_id(self) -> str | None:
        """An id that belongs to another payment, and is known to us: of one that is not, nobody could see it."""
        row = self.floor.raw.execute(
            "SELECT min(bank_consent_id) FROM consent WHERE bank_id = ?", (self.profile.id,)
        ).fetchone()
        if row[0] is not None:
            self.floor.counts["bank repeated id"] += 1
        return None if row[0] is None else str(row[0])

    def _new_order(self, request: BankRequest) -> Order:
        now = self.floor.now
        body = json.loads(request.body)
        life = dt.timedelta(minutes=self.profile.authorisation_minutes, seconds=self.nature.deadline_shift_s)
        order = Order(
            id=f"{self.profile.id}-{len(self.orders)}",
            end_to_end_id=body["endToEndIdentification"],
            amount=Money.parse(body["instructedAmount"]["amount"], body["instructedAmount"]["currency"]),
            iban=body["creditorAccount"]["iban"],
            name=body["creditorName"],
            made_at=now,
            deadline=now + life,
            log=[(now, "RCVD")],
            execute_on=dt.date.fromisoformat(body[_DAY]) if _DAY in body else None,
        )
        if self.nature.after_deadline != "RCVD":
            order.log.append((order.deadline + dt.timedelta(seconds=1), self.nature.after_deadline))
        self.orders.append(order)
        self.by_id[order.id] = order
        return order

    def _sca(self, order_id: str) -> ScaOAuth:
        issuer = self.profile.issuer
        return ScaOAuth(
            issuer=issuer,
            authorization_endpoint=f"{issuer}/authorise",
            token_endpoint=f"{issuer}/token",
            scope=f"PIS:{order_id}",
            iss_parameter_supported=self.nature.names_issuer,
        )

    def _half_approve(self, order: Order) -> None:
        order.half_approved = True
        order.cut(self.floor.now)
        order.log.append((self.floor.now, "PATC"))

    def _go(self, order: Order, path: str | None = None) -> None:
        """Approved: the order takes its way, drawn now."""
        dice = self.floor.dice
        name = path or dice.choices(list(PATHS), _OF_LIARS if self.nature.lies else _USUAL)[0]
        self.floor.counts[f"path {name}"] += 1
        order.approved = True
        order.cut(self.floor.now)
        at = self.floor.now
        if order.execute_on is not None and at.date() < order.execute_on:
            self.floor.counts["bank kept until a day"] += 1
            order.log.append((at, KEPT))
            at = dt.datetime.combine(order.execute_on, dt.time(), dt.UTC)
        for word, least, most in PATHS[name]:
            at += dt.timedelta(seconds=dice.uniform(least, most))
            order.log.append((at, word))

    def _drop(self, order: Order | None) -> BankStatus | None:
        now = self.floor.now
        if order is None or order.word(now) in DEAD:
            self.floor.counts["bank nothing to drop"] += 1
            return None
        if order.is_kept(now) and self.nature.takes_back and not self.nature.lies:
            return self._gone(order, "bank dropped what it kept")
        if order.approved or not self.nature.takes_back:
            if self.nature.lies and self.nature.takes_back and not order.executed(now):
                self.floor.counts["lie dropped"] += 1
                order.lied = True
                return status_of_word("CANC")
            self.floor.counts["bank kept"] += 1
            return None
        return self._gone(order, "bank dropped")

    def drop(self, order_id: str, *, timeout_s: float) -> BankStatus | None:
        return self._call("cancel", lambda: self._drop(self.by_id.get(order_id)), timeout_s)

    def _gone(self, order: Order, how: str) -> BankStatus:
        self.floor.counts[how] += 1
        order.cut(self.floor.now)
        order.log.append((self.floor.now, "CANC"))
        return status_of_word("CANC")

    def _status_of(self, order: Order | None) -> BankStatus:
        now, dice, nature = self.floor.now, self.floor.dice, self.nature
        if order is None:
            return status_of_word(FORGOTTEN)
        decided = order.approved or order.refused or order.half_approved or order.word(now) != "RCVD"
        if nature.before_decision != "status" and not decided:
            self.floor.counts[f"bank early {nature.before_decision}"] += 1
            if nature.before_decision == "409":
                raise BankSilent("409 STATUS_INVALID")
            return status_of_word(FORGOTTEN)
        if nature.lies and order.approved and order.mislaid_until is None:
            order.mislaid_until = now + dt.timedelta(seconds=dice.choice(nature.mislaid_s))
        if nature.lies and order.mislaid_until is not None and now < order.mislaid_until:
            self.floor.counts["lie forgotten"] += 1
            order.lied = True
            return status_of_word(FORGOTTEN)
        at = now
        if dice.random() < nature.stale_rate:
            at = now - dt.timedelta(seconds=nature.stale_s)
            if (
                nature.stale_s > 300
            ):  # a very old copy, but an honest one: it knows the order, and any word of it so far
                at = order.made_at if nature.lies else dice.choice([when for when, _ in order.log if when <= now])
            if at < order.made_at or order.word(at) != order.word(now):
                self.floor.counts["bank stale answer"] += 1
        if at < order.made_at or now < order.made_at + dt.timedelta(seconds=nature.early_404_s):
            self.floor.counts["bank early 404"] += 1
            return status_of_word(FORGOTTEN)
        order.confessed = order.confessed or (order.lied and order.executed(at))
        return status_of_word(order.word(at))


class Executing(Bank):
    """One where the customer's approval executes, and that can be asked to drop what nobody has approved."""

    @property
    def future_dated(self) -> Dated:
        return Dated(self)

    def cancel(self, consent_id: str, *, timeout_s: float) -> BankStatus | None:
        return self.drop(consent_id, timeout_s=timeout_s)


def query_of(url: str) -> dict[str, str]:
    """Each parameter's first value."""
    return {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}


def status_of_word(word: str) -> BankStatus:
    fact = Fact.NOT_FOUND if word == FORGOTTEN else fact_of(word)
    return BankStatus(
        transaction_status="RESOURCE_UNKNOWN" if word == FORGOTTEN else word,
        fact=fact,
        reason_code=None,
        reason_text=None,
        raw_response=word.encode(),
    )
