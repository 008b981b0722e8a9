"""A bank that also takes standing consents, and payments under them: with a count of their limits that is its own.

Whatever it says, its book holds what it did. It may count no limit at all: then nobody but us keeps to what was agreed.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
import random
import zoneinfo
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from connectors.capabilities import (
    UNSURE,
    Alignment,
    Event,
    EventKind,
    PayerAccount,
    Period,
    RecurringConsent,
    RecurringKind,
    ToldConsent,
)
from connectors.contract import (
    Authorised,
    BankRequest,
    BankStatus,
    ConsentStatus,
    PaymentOrder,
    PsuContext,
    ScaOAuth,
    Staged,
    Submitted,
)
from connectors.errors import AccessLost, BankRefused, BankSilent, BankUnavailable, BeyondLimits
from connectors.money import Money
from connectors.sandbox_bank.openbanking_uk.limits import (
    Asked,
    ControlParameters,
    PeriodicLimit,
    first_breach,
    period_of,
)
from connectors.security.pkce import challenge
from tests.faults.sim.bank import DEAD, FAULTS, D, M, Nature, Order, WayBack, query_of
from tests.faults.sim.submitting import KEY_LIFE, Submitting

#: its own verbs, as their faults are called; beside these renewals, and the question before a sending
STANDING_VERBS = ("agree", "told", "revoke", "pay", "pay_status")
ZONES = ("UTC", "Europe/London")
#: a bank's server waits no longer for the rest of a request whose sender stands still
CUT_OFF = dt.timedelta(seconds=45)
_LIMITED = {Period.DAY: "Day", Period.WEEK: "Week", Period.FORTNIGHT: "Fortnight", Period.MONTH: "Month"} | {
    Period.HALF_YEAR: "Half-year",
    Period.YEAR: "Year",
}
_ALIGNED = {Alignment.CONSENT: "Consent", Alignment.CALENDAR: "Calendar"}
_KIND, _METHOD, _INTERACTION = "UK.OBIE.VRPType.Other", "UK.OBIE.SCANotRequired", "OffSession"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ways:
    """How a bank goes about standing consents."""

    zone: str = "UTC"  #: by whose clock it counts days
    names_zone: bool = True  #: its file says by which
    counts: bool = True  #: it keeps to the limits itself
    miscounts: float = 0.0  #: how often it counts more than there was, and refuses
    stays_authorised: bool = True  #: its word for a consent that was stopped there: AUTH, or CANC
    over_word: ConsentStatus = ConsentStatus.WAITING  #: for one that nobody approved in time
    life_s: int | None = None  #: of a token; None: it does not say, and it lives as long as the consent
    renews: bool = False  #: it gives a refresh token with it
    rotates: bool = False  #: each renewal gives another one, and the second use of one ends the access
    distrusts: float = 0.0  #: how often it does not take us for us when we renew
    alters: float = 0.0  #: how often it holds otherwise than it was asked

    @classmethod
    def drawn(cls, dice: random.Random) -> Ways:
        life_s = dice.choice((None, None, 90, 5 * M, 3 * D))
        return cls(
            zone=dice.choice(ZONES),
            names_zone=dice.random() < 0.6,
            counts=dice.random() < 0.5,
            miscounts=dice.choice((0.0, 0.0, 0.1)),
            stays_authorised=dice.random() < 0.5,
            over_word=dice.choice((ConsentStatus.WAITING, ConsentStatus.EXPIRED, ConsentStatus.REJECTED)),
            life_s=life_s,
            renews=life_s is not None and dice.random() < 0.85,
            rotates=dice.random() < 0.5,
            distrusts=dice.choice((0.0, 0.0, 0.1)),
            alters=dice.choice((0.0, 0.0, 0.05)),
        )


@dataclass(kw_only=True)
class StandingNature(Nature):
    """What kind of bank it is, where it takes standing consents."""

    ways: Ways = Ways()

    def heal(self) -> None:
        super().heal()
        self.ways = dataclasses.replace(self.ways, miscounts=0.0, distrusts=0.0, alters=0.0)

    @classmethod
    def of_standing(cls, dice: random.Random) -> StandingNature:
        """One that is honest, and where mostly one call is hard."""
        often = (("pay",), ("pay",), ("pay", "pay_consent"), ("pay", "revoke"), ("revoke",))
        hard = (*often, ("renew",), ("complete",), ("agree",), (), (), ())
        return dataclasses.replace(
            cls.drawn(dice),
            fault_rate=dice.choice((0.0, 0.05, 0.15)),
            faults=FAULTS,
            hard_verbs=dice.choice(hard),
            deadline_shift_s=dice.choice((0, 1, 290)),
            repeats_ids=0.0,
            no_link=0.0,
            lies=False,
            code_life_s=600,
            refuses_done=dice.choice((0.0, 0.0, 0.3)),
            ways=Ways.drawn(dice),
        )


@dataclass(eq=False, kw_only=True)
class Held:
    """A standing consent as the bank has it."""

    id: str
    request_id: str
    body: bytes
    made_at: dt.datetime
    deadline: dt.datetime
    limits: ControlParameters
    payee: tuple[str, str]
    is_altered: bool
    is_approved: bool = False  #: at least once
    is_refused: bool = False
    is_stopped: bool = False  #: by its customer, there; they may approve it again
    is_gone: bool = False  #: for good
    payer: int = 0  #: which of its customer's accounts pays
    paid: list[Order] = field(default_factory=list)

    @property
    def is_usable(self) -> bool:
        return self.is_approved and not (self.is_refused or self.is_stopped or self.is_gone)


@dataclass(eq=False, kw_only=True)
class Grant:
    """A token of one approval, and with what it is renewed."""

    held: Held
    until: dt.datetime | None
    refresh_token: str | None
    ended: bool = False


@dataclass(eq=False, kw_only=True)
class Approval:
    """The code that a browser brings back."""

    held: Held
    challenge: str
    redirect_uri: str
    until: dt.datetime
    asked: int = 0
    foreign: str | None = None  #: why it must never be exchanged


@dataclass(eq=False)
class Recurring(Submitting):
    """Implements connectors.capabilities.Recurs as well."""

    held: dict[str, Held] = field(default_factory=dict)
    agreed: dict[str, Held] = field(default_factory=dict)  #: by the key with which it was given
    approvals: dict[str, Approval] = field(default_factory=dict)
    grants: dict[str, Grant] = field(default_factory=dict)  #: by token
    refreshing: dict[str, Grant] = field(default_factory=dict)  #: by refresh token
    denied: set[str] = field(default_factory=set)  #: keys of payments to which its gateway said no
    miscounted: set[str] = field(default_factory=set)
    unformed: set[str] = field(default_factory=set)  #: keys of what it refused for its form: that does not change
    events: int = 0

    def __post_init__(self) -> None:
        """What its file says of it is so."""
        self.profile = dataclasses.replace(
            self.profile,
            recurring=(RecurringKind.OTHER,),
            currencies=("EUR", "GBP"),
            status_access="client_credentials",
            keeps_keys=self.nature.keeps_keys,
            limit_days=self.ways.zone if self.ways.names_zone else UNSURE,
        )

    @property
    def recurring(self) -> Verbs:
        return Verbs(self)

    @property
    def ways(self) -> Ways:
        return self.nature.ways if isinstance(self.nature, StandingNature) else Ways()

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
        known = self.approvals.get(answer["code"])
        if known is None:
            return super().complete(
                sca,
                answer=answer,
                code_verifier=code_verifier,
                redirect_uri=redirect_uri,
                state=state,
                nonce=nonce,
                timeout_s=timeout_s,
            )
        known.asked += 1
        if known.asked > 1:
            self.floor.broken("D4", f"the code of {known.held.id} was sent {known.asked} times")
        if known.foreign is not None:
            self.floor.broken("D3", f"the code of {known.held.id} was sent, but {known.foreign}")

        def exchange() -> Authorised:
            is_its_own = known.redirect_uri == redirect_uri and challenge(code_verifier) == known.challenge
            if self.floor.now > known.until or not is_its_own or known.held.is_gone:
                raise BankRefused("no such code", code="invalid_grant", http_status=400)
            return self._grant(known.held)

        return self._call("complete", exchange, timeout_s)

    # ------------------------------------------------------------------------------------------- what its customer does

    def visit_consent(self, url: str, what: str) -> tuple[WayBack, str | None] | None:
        """A browser opens the link. ``what``: approve, refuse or abandon. The way back, and the code in it."""
        query, now, dice = query_of(url), self.floor.now, self.floor.dice
        held = self.held[query["scope"].removeprefix("VRP:")]
        self.version += 1
        if what == "abandon":
            return None
        named = self.nature.names_issuer or dice.random() < 0.5
        back = WayBack(
            redirect_uri=query["redirect_uri"],
            state=query["state"],
            code=None,
            error="access_denied",
            issuer=self.profile.issuer if named else None,
        )
        is_open = not held.is_gone and not held.is_refused and (held.is_approved or now <= held.deadline)
        if what == "refuse" and is_open and not held.is_approved:
            held.is_refused = True
        if what == "refuse" or not is_open:
            return back, None
        self.floor.counts["bank approved a standing consent"] += 1
        held.is_approved, held.is_stopped = True, False
        held.payer += dice.random() < 0.2
        code = f"approval-{self.profile.id}-{len(self.approvals)}"
        self.approvals[code] = Approval(
            held=held,
            challenge=query["code_challenge"],
            redirect_uri=query["redirect_uri"],
            until=now + dt.timedelta(seconds=self.nature.code_life_s),
        )
        if dice.random() < 0.1:
            back.error = "server_error"
            return back, None
        back.code, back.error = code, None
        return back, code

    def stop_there(self, held: Held) -> Event:
        """Its customer takes it back at the bank. The event that says so, whoever gets to hear it."""
        self.version += 1
        self.events += 1
        self.floor.counts["bank standing consent stopped there"] += 1
        held.is_stopped = True
        held.is_gone = self.floor.dice.random() < 0.15
        return Event(
            event_id=f"event-{self.profile.id}-{self.events}",
            kind=EventKind.CONSENT_REVOKED,
            resource_type="domestic-vrp-consent",
            resource_id=held.id,
            occurred_at=self.floor.now,
        )

    # ------------------------------------------------------------------------------------------------------- its book

    def beyond(self, held: Held) -> Iterator[str]:
        """What its book holds under a consent that was never agreed on."""
        orders = [order for order in held.paid if self._counts(order)]
        for order in orders:
            if order.amount.minor > held.limits.individual_minor:
                yield f"{order.id} is more than {held.id} allows for one payment"
        for at, limit in enumerate(held.limits.periodic):
            for day in sorted({self._day_of(order) for order in orders}):
                period = period_of(limit, begins=held.limits.begins, day=day)
                paid = sum(order.amount.minor for order in orders if self._day_of(order) in period)
                if paid > period.limit_minor:
                    yield f"{paid} was paid from {period.first} to {period.last} under {held.id}, limit {at}: {period}"

    def _counts(self, order: Order) -> bool:
        """What it refused in the end gives its room back; what it executed and took back does not."""
        now = self.floor.now
        return order.executed(now) or order.word(now) not in DEAD

    def _day_of(self, order: Order) -> dt.date:
        return self._day(order.made_at)

    def _day(self, at: dt.datetime) -> dt.date:
        return at.astimezone(zoneinfo.ZoneInfo(self.ways.zone)).date()

    def word_of(self, held: Held | None) -> ConsentStatus:
        """Its word for a consent: the truth, or by the standard what it says of one that was stopped there."""
        if held is None or held.is_gone:
            return ConsentStatus.NOT_FOUND
        if held.is_refused:
            return ConsentStatus.REJECTED
        now, ends = self.floor.now, held.limits.ends
        if held.is_approved and ends is not None and self._day(now) > ends:
            return ConsentStatus.EXPIRED
        if held.is_stopped:
            return ConsentStatus.AUTHORISED if self.ways.stays_authorised else ConsentStatus.CANCELLED
        if held.is_approved:
            return ConsentStatus.AUTHORISED
        return ConsentStatus.WAITING if now <= held.deadline else self.ways.over_word

    # ------------------------------------------------------------------------------------------------------- inside

    def _grant(self, held: Held) -> Authorised:
        ways, now = self.ways, self.floor.now
        token = f"standing-{self.profile.id}-{len(self.grants)}"
        refresh = f"refresh-{token}" if ways.renews else None
        until = None if ways.life_s is None else now + dt.timedelta(seconds=ways.life_s)
        grant = self.grants[token] = Grant(held=held, until=until, refresh_token=refresh)
        if refresh is not None:
            self.refreshing[refresh] = grant
        return Authorised(access_token=token, expires_in_s=ways.life_s, refresh_token=refresh)

    def take_consent(self, request: BankRequest) -> Staged:
        now, dice = self.floor.now, self.floor.dice
        held = self.agreed.get(request.request_id)
        if held is None or not self.nature.keeps_keys:
            if dice.random() < self.nature.rejects_orders:
                raise BankRefused("not in this form", code="U003", http_status=400)
            held = self._new_consent(request)
        staged = ScaOAuth(
            issuer=self.profile.issuer,
            authorization_endpoint=f"{self.profile.issuer}/authorise",
            token_endpoint=f"{self.profile.issuer}/token",
            scope=f"VRP:{held.id}",
            iss_parameter_supported=self.nature.names_issuer,
        )
        shows = held.is_altered and dice.random() < 0.5
        return Staged(
            consent_id=held.id,
            transaction_status="AWAU" if now <= held.deadline else "EXPD",
            sca=staged,
            raw_response=held.id.encode(),
            differences=("PeriodicLimits",) if shows else (),
        )

    def _new_consent(self, request: BankRequest) -> Held:
        now, said = self.floor.now, json.loads(request.body)
        is_altered = self.floor.dice.random() < self.ways.alters
        self.floor.counts["bank standing consent altered"] += is_altered
        life = dt.timedelta(minutes=self.profile.authorisation_minutes, seconds=self.nature.deadline_shift_s)
        held = Held(
            id=f"{self.profile.id}-consent-{len(self.held)}",
            request_id=request.request_id,
            body=request.body,
            made_at=now,
            deadline=now + life,
            limits=ControlParameters(
                begins=dt.date.fromisoformat(said["from"]),
                ends=dt.date.fromisoformat(said["to"]) if said["to"] else None,
                individual_minor=said["each"],
                periodic=[
                    PeriodicLimit(period_type=kind, alignment=aligned, amount_minor=minor)
                    for kind, aligned, minor in said["limits"]
                ],
                vrp_types=(_KIND,),
                authentication_methods=(_METHOD,),
                interaction_types=(_INTERACTION,),
            ),
            payee=(said["name"], said["iban"]),
            is_altered=is_altered,
        )
        self.held[held.id] = self.agreed[request.request_id] = held
        return held

    def tell(self, consent_id: str, asked: bytes) -> ToldConsent:
        held = self.held.get(consent_id)
        word = self.word_of(held)
        if held is None or word is ConsentStatus.NOT_FOUND:
            return ToldConsent(status=ConsentStatus.NOT_FOUND)
        is_new = self.floor.now < held.made_at + dt.timedelta(seconds=min(self.nature.stale_s, 280))
        if word is ConsentStatus.AUTHORISED and is_new and self.floor.dice.random() < self.nature.stale_rate:
            self.floor.counts["bank stale standing consent"] += 1
            word = ConsentStatus.WAITING
        is_other = held.is_altered or held.body != asked
        number = f"{held.payer:08d}"
        return ToldConsent(
            status=word,
            created_at=held.made_at,
            payer=PayerAccount(scheme="IBAN", identification=number, name="C") if held.is_approved else None,
            differences=("PeriodicLimits",) if is_other else (),
            raw_response=str(word).encode(),
        )

    def renewed(self, refresh_token: str) -> Authorised:
        grant = self.refreshing.get(refresh_token)
        if self.floor.dice.random() < self.ways.distrusts:
            self.floor.counts["bank distrusts us"] += 1
            raise BankRefused("who are you", code="invalid_client", http_status=401)
        if grant is None or not grant.held.is_usable:
            raise AccessLost("no such refresh token", code="invalid_grant", http_status=400)
        if grant.ended:
            self.floor.counts["bank refresh token used twice"] += 1
            for other in self.grants.values():  # one of the two who used it is a thief
                other.ended = other.ended or other.held is grant.held
            raise AccessLost("used before", code="invalid_grant", http_status=400)
        grant.ended = self.ways.rotates
        self.floor.counts["bank renewed a token"] += 1
        fresh = self._grant(grant.held)
        return fresh if self.ways.rotates else dataclasses.replace(fresh, refresh_token=refresh_token)

    def pay(self, request: BankRequest, access_token: str, sent_at: dt.datetime) -> Submitted:
        floor, now = self.floor, self.floor.now
        if now > sent_at + CUT_OFF:
            floor.counts["bank cut off"] += 1
            raise BankSilent("whoever sends it stands still")
        said = json.loads(request.body)
        held = self._let_in(access_token, said["consent"])
        _, known, first_at = self.keys.get(request.request_id, (b"", None, now))
        if known is not None and self.nature.keeps_keys and now <= first_at + KEY_LIFE:
            floor.counts["bank same key under a standing consent"] += 1
            return self._told(known)
        self._must_fit(held, said)
        if request.request_id in self.unformed or floor.dice.random() < self.nature.rejects_orders:
            self.unformed.add(request.request_id)
            floor.counts["bank rejected a payment under a standing consent"] += 1
            raise BankRefused("not in this form", code="U004", http_status=400)
        order = self._book(held, said)
        self.keys[request.request_id] = (request.body, order, now)
        self._go(order)
        return self._told(order)

    def _let_in(self, access_token: str, consent_id: str) -> Held:
        grant = self.grants.get(access_token)
        held = self.held[consent_id]
        if grant is not None and grant.held is not held:
            self.floor.broken("D3", f"a payment under {held.id} comes with the token of {grant.held.id}")
        is_dead = grant is None or grant.ended or (grant.until is not None and self.floor.now > grant.until)
        if is_dead or not held.is_usable:
            self.floor.counts["bank access lost"] += 1
            raise AccessLost("approve it again", code="U028", http_status=401 if is_dead else 403)
        return held

    def _must_fit(self, held: Held, said: Mapping[str, Any]) -> None:
        """What it asks of a payment, if it asks at all."""
        if (said["name"], said["iban"]) != held.payee:
            raise BankRefused("another payee", code="U009", http_status=400)
        amount = Money(said["minor"], said["currency"])
        asked = Asked(
            amount_minor=amount.minor, vrp_type=_KIND, authentication_method=_METHOD, interaction_type=_INTERACTION
        )
        paid = [(self._day_of(order), order.amount.minor) for order in held.paid if self._counts(order)]
        breach = first_breach(held.limits, asked, today=self._day(self.floor.now), paid=paid)
        reference = said["end_to_end_id"]
        if breach is None and (reference in self.miscounted or self.floor.dice.random() < self.ways.miscounts):
            self.miscounted.add(reference)
            self.floor.counts["bank counts otherwise"] += 1
            raise BeyondLimits("too much", code="U014", http_status=400, parameter="PeriodicLimits[0]")
        if breach is not None and self.ways.counts:
            self.floor.counts["bank beyond limits"] += 1
            raise BeyondLimits("too much", code="U014", http_status=400, parameter=breach)

    def _book(self, held: Held, said: Mapping[str, Any]) -> Order:
        now = self.floor.now
        number = f"{self.profile.id}-standing-{len(self.orders)}"
        order = Order(
            id=number,
            end_to_end_id=said["end_to_end_id"],
            amount=Money(said["minor"], said["currency"]),
            iban=said["iban"],
            name=said["name"],
            made_at=now,
            deadline=now,
            log=[(now, "RCVD")],
            is_submitted_apart=True,
            authorised=True,
            submitted_as=f"{number}-payment",
            submitted_at=now,
        )
        self.orders.append(order)
        self.by_id[order.id] = self.by_payment_id[f"{number}-payment"] = order
        held.paid.append(order)
        return order


@dataclass(frozen=True)
class Verbs:
    """Implements connectors.capabilities.RecurringPayments, but the question for funds, which nobody asks here."""

    bank: Recurring

    @property
    def kinds(self) -> frozenset[RecurringKind]:
        return frozenset(self.bank.profile.recurring)

    def draft(self, consent: RecurringConsent, *, request_id: str) -> BankRequest:
        said = {
            "name": consent.creditor_name,
            "iban": consent.creditor_iban,
            "each": consent.maximum_individual.minor,
            "limits": [
                (_LIMITED[limit.period], _ALIGNED[limit.alignment], limit.amount.minor)
                for limit in consent.periodic_limits
            ],
            "from": f"{consent.valid_from}",
            "to": f"{consent.valid_to}" if consent.valid_to else "",
        }
        body = json.dumps(said).encode()
        return BankRequest(method="POST", path="/vrp-consents", headers={}, body=body, request_id=request_id)

    def initiate(self, request: BankRequest, *, psu: PsuContext, timeout_s: float) -> Staged:
        self._must_be_agreed(request)
        return self.bank._call("agree", lambda: self.bank.take_consent(request), timeout_s)

    def _must_be_agreed(self, request: BankRequest) -> None:
        """A6, C3, C4: as of a payment."""
        floor = self.bank.floor
        query = "SELECT body, sends FROM standing WHERE request_id = ?"
        row = floor.raw.execute(query, (request.request_id,)).fetchone()
        if row is None or row[1] == 0:
            floor.broken("A6", "the bank gets the key of a standing consent that was not written down before")
        elif bytes(row[0]) != request.body:
            floor.broken("C3", "other bytes of a standing consent under the same key")

    def consent_status(self, consent_id: str, *, timeout_s: float) -> ConsentStatus:
        bank = self.bank
        return bank._call("pay_consent", lambda: bank.word_of(bank.held.get(consent_id)), timeout_s)

    def approval_now(self, sca: ScaOAuth, *, timeout_s: float) -> ScaOAuth:
        return sca

    def told(self, consent_id: str, *, asked: bytes, timeout_s: float) -> ToldConsent:
        return self.bank._call("told", lambda: self.bank.tell(consent_id, asked), timeout_s)

    def renew(self, refresh_token: str, *, timeout_s: float) -> Authorised:
        try:
            return self.bank._call("renew", lambda: self.bank.renewed(refresh_token), timeout_s)
        except BankSilent as error:
            raise BankUnavailable(str(error)) from None

    def draft_payment(
        self, order: PaymentOrder, *, consent: RecurringConsent, consent_id: str, request_id: str
    ) -> BankRequest:
        if (order.creditor_name, order.creditor_iban) != (consent.creditor_name, consent.creditor_iban):
            raise ValueError("another payee")
        if order.amount.minor > consent.maximum_individual.minor:
            raise ValueError("more than one payment may be")
        said = {
            "consent": consent_id,
            "minor": order.amount.minor,
            "currency": order.amount.currency,
            "end_to_end_id": order.end_to_end_id,
            "name": order.creditor_name,
            "iban": order.creditor_iban,
        }
        body = json.dumps(said).encode()
        return BankRequest(method="POST", path="/vrps", headers={}, body=body, request_id=request_id)

    def submit(self, request: BankRequest, *, access_token: str, psu: PsuContext | None, timeout_s: float) -> Submitted:
        bank, sent_at = self.bank, self.bank.floor.now
        bank._must_be_stored(request)
        done = bank._call("pay", lambda: bank.pay(request, access_token, sent_at), timeout_s)
        is_first = request.request_id not in bank.denied
        if is_first and bank.floor.dice.random() < bank.nature.refuses_done:
            bank.denied.add(request.request_id)
            bank.floor.counts["bank refused what it did under a standing consent"] += 1
            raise BankRefused("its gateway's no to what it had passed on", code="http_403", http_status=403)
        return done

    def status(self, payment_id: str, *, access_token: str | None, timeout_s: float) -> BankStatus:
        bank = self.bank
        return bank._call("pay_status", lambda: bank._status_of(bank.by_payment_id.get(payment_id)), timeout_s)

    def revoke(self, consent_id: str, *, timeout_s: float) -> None:
        def revoked() -> None:
            held = self.bank.held.get(consent_id)
            if held is not None:
                held.is_gone = True

        self.bank._call("revoke", revoked, timeout_s)
