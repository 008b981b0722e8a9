"""A bank that takes an order only from a customer who has signed in there before (NextGenPSD2: OAuth2 as a pre-step).

What became of an order it tells mostly to the token alone with which it was given. Whoever signs in there later may be
somebody else to it: of that order it tells them nothing, or that there is no such order.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NoReturn
from urllib.parse import urlencode

from connectors.contract import (
    Approach,
    Authorised,
    BankRequest,
    BankStatus,
    Fact,
    PaymentOrder,
    PsuContext,
    ScaOAuth,
    Staged,
)
from connectors.errors import BankRefused, NotApproved, NotSignedIn
from connectors.security.pkce import challenge
from tests.faults.sim.bank import DEAD, Executing, H, Order, WayBack, query_of

#: before a token's end, there is its last look
LAST_LOOKS = dt.timedelta(minutes=3)


@dataclass(eq=False, kw_only=True)
class SignedIn:
    """One sign-in at the bank, and its token."""

    customer_id: str  #: ours, who went there
    who: str  #: and as whom the bank knows that person
    begun_at: dt.datetime  #: when it was exchanged for
    until: dt.datetime
    is_stated: bool  #: the bank said until when
    ended: bool = False  #: a later sign-in ended it


@dataclass(eq=False, kw_only=True)
class SignInCode:
    customer_id: str
    who: str
    challenge: str
    redirect_uri: str
    until: dt.datetime
    asked: int = 0


@dataclass(eq=False)
class SigningIn(Executing):
    """Implements connectors.capabilities.SignsIn as well. Its own status_access is told to whoever asks as we do."""

    sign_in_codes: dict[str, SignInCode] = field(default_factory=dict)
    signed: dict[str, SignedIn] = field(default_factory=dict)  #: by token
    sent_with: dict[str, str] = field(default_factory=dict)  #: the first token that came with an X-Request-ID

    # -------------------------------------------------------------------------------------------------- the sign-in

    def sign_in_url(self, *, redirect_uri: str, state: str, code_challenge: str, timeout_s: float) -> str:
        query = {"scope": "PIS", "state": state, "redirect_uri": redirect_uri, "code_challenge": code_challenge}
        return f"{self.profile.issuer}/authorise?{urlencode(query)}"

    def sign_in_visit(self, url: str, *, customer_id: str, who: str | None) -> WayBack:
        """Somebody signs in there, or will not (None)."""
        query = query_of(url)
        code, error = None, None if who else "access_denied"
        if who is not None:
            code = f"sign-in-code-{self.profile.id}-{len(self.sign_in_codes)}"
            self.sign_in_codes[code] = SignInCode(
                customer_id=customer_id,
                who=who,
                challenge=query["code_challenge"],
                redirect_uri=query["redirect_uri"],
                until=self.floor.now + dt.timedelta(seconds=self.nature.code_life_s),
            )
        self.version += 1
        return WayBack(redirect_uri=query["redirect_uri"], state=query["state"], code=code, error=error, issuer=None)

    def signed_in(
        self, *, answer: Mapping[str, str], code_verifier: str, redirect_uri: str, timeout_s: float
    ) -> Authorised:
        if "code" not in answer:
            raise NotApproved("nobody signed in", code=answer.get("error", "nothing"), http_status=400)
        known = self.sign_in_codes.get(answer["code"])
        if known is not None:
            known.asked += 1
            if known.asked > 1:
                self.floor.broken("D4", f"the code of a sign-in of {known.who} was sent {known.asked} times")

        def exchange() -> Authorised:
            if known is None or self.floor.now > known.until or known.redirect_uri != redirect_uri:
                raise BankRefused("no such code", code="invalid_grant", http_status=400)
            if challenge(code_verifier) != known.challenge:
                raise BankRefused("not who asked for it", code="invalid_grant", http_status=400)
            return self._sign_in(known)

        return self._call("signed_in", exchange, timeout_s)

    def _sign_in(self, code: SignInCode) -> Authorised:
        ways, now = self.nature.sign_ins, self.floor.now
        if ways.ends_earlier:
            for earlier in self.signed.values():
                if earlier.who == code.who and not earlier.ended and now <= earlier.until:
                    self.floor.counts["bank ended earlier sign-in"] += 1
                    earlier.ended = True
        token = f"customer-token-{self.profile.id}-{len(self.signed)}"
        self.signed[token] = SignedIn(
            customer_id=code.customer_id,
            who=code.who,
            begun_at=now,
            until=now + dt.timedelta(seconds=ways.life_s or H),
            is_stated=ways.life_s is not None,
        )
        self.floor.counts["some signed in there"] += 1
        return Authorised(access_token=token, expires_in_s=ways.life_s)

    def as_customer(self, access_token: str) -> AsCustomer:
        return AsCustomer(self, access_token)

    # ------------------------------------------------------------------------------------------------- with its token

    def initiate(self, request: BankRequest, *, psu: PsuContext, timeout_s: float, token: str | None = None) -> Staged:
        token = token or self._nobody()
        self._must_be_stored(request)
        first = self.sent_with.setdefault(request.request_id, token)
        if first != token:
            self.floor.broken("S1", f"an order goes again with the token of {self._whose(token)}")
        self._note_resend(request, first)
        return self._call("initiate", lambda: self._take_of(request, token), timeout_s)

    def _whose(self, token: str) -> str:
        return self.signed[token].who if token in self.signed else "nobody"

    def _note_resend(self, request: BankRequest, token: str) -> None:
        """It was sent before, and somebody else has signed in from the same space since."""
        mine = self.signed.get(token)
        if mine is None or request.request_id not in self.seen:
            return
        if any(
            other.customer_id == mine.customer_id and other.begun_at > mine.begun_at and other.who != mine.who
            for other in self.signed.values()
        ):
            self.floor.counts["some sent again after another's sign-in"] += 1

    def _take_of(self, request: BankRequest, token: str) -> Staged:
        try:
            mine = self._let_in(token)
        except BankRefused as refused:
            raise NotSignedIn(str(refused), code=refused.code, http_status=401) from None
        _, known = self.seen.get(request.request_id, (b"", None))
        if known is not None and known.owner != mine.who and not self.nature.sign_ins.known_to_others:
            del self.seen[request.request_id]  # a key is its own customer's
        staged = self._take(request)
        order = self.seen[request.request_id][1]
        if order is not None and order.owner is None:
            order.owner, order.given_with = mine.who, token
        return staged

    def status(self, bank_payment_id: str, *, access_token: str | None, timeout_s: float) -> BankStatus:
        if self.profile.status_access != "psu_token":
            return super().status(bank_payment_id, access_token=access_token, timeout_s=timeout_s)
        if access_token is None:
            self.floor.counts["some told to nobody"] += 1
            self._nobody()
        return self._call("status", lambda: self._tell(access_token, bank_payment_id), timeout_s)

    def _tell(self, token: str, bank_payment_id: str) -> BankStatus:
        try:
            order = self._theirs(token, bank_payment_id)
        except BankRefused as refused:
            self.floor.counts["bank told a sign-in 401"] += 1
            raise NotSignedIn(str(refused), code=refused.code, http_status=401) from None
        status = self._status_of(order)
        if status.fact is Fact.NOT_FOUND:
            self.floor.counts["bank told a sign-in 404"] += 1
        if self.signed[token].until - self.floor.now < LAST_LOOKS:
            self.floor.counts["bank told at the last"] += 1
        return status

    def cancel(self, consent_id: str, *, timeout_s: float, token: str | None = None) -> BankStatus | None:
        if self.profile.status_access != "psu_token":
            return super().cancel(consent_id, timeout_s=timeout_s)
        token = token or self._nobody()
        return self._call("cancel", lambda: self._drop(self._theirs(token, consent_id)), timeout_s)

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
        token: str | None = None,
    ) -> Authorised:
        """Have the app ask its customer; or confirm what was approved on the bank's page, where that executes."""
        if not self.profile.decoupled and self.nature.executes_on != "exchange":
            self._asked_for(answer["code"])
            return Authorised(access_token=None, expires_in_s=0)
        token = token or self._nobody()
        code, called_at = self._asked_for(answer["code"]), self.floor.now

        def go_on() -> Authorised:
            if code is None or code.used:
                raise BankRefused("no such authorisation", code="RESOURCE_UNKNOWN", http_status=404)
            order = self._theirs(token, code.order.id)
            if order is None or order.word(self.floor.now) in DEAD:
                raise BankRefused("no such order", code="RESOURCE_UNKNOWN", http_status=404)
            code.used = True
            if self.profile.decoupled:
                self._ask_in_app(order, since=called_at)
                return Authorised(access_token=None, expires_in_s=self.profile.authorisation_minutes * 60)
            if order.code_until is None or self.floor.now > order.code_until:
                raise BankRefused("nothing to confirm", code="SCA_INVALID", http_status=400)
            order.code_until = None
            self._go(order)
            return Authorised(access_token=None, expires_in_s=0)

        return self._call("complete", go_on, timeout_s)

    # ------------------------------------------------------------------------------------------- what its customer does

    def give_link(self, order: Order) -> None:
        """Where its app asks, there is none. S2: nobody is sent to approve what nobody could be asked about then."""
        given = self.signed.get(order.given_with or "")
        [left_at] = self.floor.raw.execute(
            "SELECT t.left_at FROM trip t JOIN consent c ON c.id = t.consent_id WHERE c.bank_consent_id = ?",
            (order.id,),
        ).fetchone()
        tells = given is not None and given.is_stated and self.profile.status_access == "psu_token"
        if tells and given is not None and dt.datetime.fromisoformat(left_at).replace(tzinfo=dt.UTC) >= given.until:
            self.floor.broken("S2", f"{order.id} is given out to be approved, and its token ended before")
        order.link_held = order.link_held or not self.profile.decoupled

    def visit(self, url: str, what: str) -> WayBack | None:
        if not self.profile.decoupled:
            return super().visit(url, what)
        if what == "abandon":
            return None
        query = query_of(url)  # the browser stays with us: the address is our own
        code = self._new_code(self.by_id[query["scope"].removeprefix("PIS:")], query)
        return WayBack(
            redirect_uri=query["redirect_uri"], state=query["state"], code=code, error=None, issuer=self.profile.issuer
        )

    def decide_in_app(self, *, approve: bool) -> bool:
        """What its app asks for first of all. False: it asks for nothing."""
        now = self.floor.now
        for order in self.orders:
            if order.asked_in_app and order.is_undecided and order.word(now) == "RCVD" and now <= order.deadline:
                self.version += 1
                if approve:
                    self.floor.counts["bank approved in app"] += 1
                    self._approved(order)
                    return True
                self.floor.counts["bank refused in app"] += 1
                order.refused = True
                if self.nature.refusal != "RCVD":
                    order.cut(now)
                    order.log.append((now, self.nature.refusal))
                return True
        return False

    # ------------------------------------------------------------------------------------------------------- inside

    def _approved(self, order: Order) -> None:
        if not self.profile.decoupled:
            super()._approved(order)
        elif self.floor.dice.random() < self.nature.second_approver:
            self._half_approve(order)
        else:
            self._go(order)

    def _sca(self, order_id: str) -> ScaOAuth:
        return dataclasses.replace(
            super()._sca(order_id),
            approach=self.profile.approach,
            token_endpoint="/authorisations" if self.profile.approach == Approach.DECOUPLED else "",
        )

    def _ask_in_app(self, order: Order, *, since: dt.datetime) -> None:
        """Its customer's time to approve only begins."""
        life = dt.timedelta(minutes=self.profile.authorisation_minutes, seconds=self.nature.deadline_shift_s)
        if self.floor.now > order.deadline or not order.is_undecided:
            raise BankRefused("its time is over", code="SCA_INVALID", http_status=400)
        order.asked_in_app = order.link_held = True
        order.deadline = max(order.deadline, since + life)
        if self.nature.after_deadline != "RCVD":
            order.cut(self.floor.now)
            order.log.append((order.deadline + dt.timedelta(seconds=1), self.nature.after_deadline))
        self.floor.counts["bank asked in app"] += 1

    def _let_in(self, token: str) -> SignedIn:
        mine = self.signed.get(token)
        if mine is None or mine.ended or self.floor.now > mine.until:
            self.floor.counts["bank dead sign-in"] += 1
            raise BankRefused("the token is dead", code="TOKEN_INVALID", http_status=401)
        return mine

    def _theirs(self, token: str, order_id: str) -> Order | None:
        """None: there is no such order, or so this bank says of one that is somebody else's."""
        mine, order = self._let_in(token), self.by_id.get(order_id)
        if order is None or order.owner == mine.who:
            return order
        self.floor.counts[f"bank another's token {self.nature.sign_ins.others_are_told}"] += 1
        if self.nature.sign_ins.others_are_told == "404":
            return None
        raise BankRefused("the token is of another customer", code="TOKEN_INVALID", http_status=401)

    def _nobody(self) -> NoReturn:
        raise NotSignedIn("there is no customer's token: nothing was sent", code="TOKEN_UNKNOWN", http_status=401)


@dataclass(frozen=True, slots=True)
class AsCustomer:
    """The bank, asked with the token of a sign-in. Implements connectors.contract.Connector and Cancels."""

    bank: SigningIn
    token: str = field(repr=False)

    def draft(self, order: PaymentOrder, *, request_id: str, redirect_uri: str) -> BankRequest:
        return self.bank.draft(order, request_id=request_id, redirect_uri=redirect_uri)

    def initiate(self, request: BankRequest, *, psu: PsuContext, timeout_s: float) -> Staged:
        return self.bank.initiate(request, psu=psu, timeout_s=timeout_s, token=self.token)

    def authorise_url(
        self, staged: ScaOAuth, *, redirect_uri: str, state: str, nonce: str, code_challenge: str, timeout_s: float
    ) -> str:
        return self.bank.authorise_url(
            staged,
            redirect_uri=redirect_uri,
            state=state,
            nonce=nonce,
            code_challenge=code_challenge,
            timeout_s=timeout_s,
        )

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
        return self.bank.complete(
            sca,
            answer=answer,
            code_verifier=code_verifier,
            redirect_uri=redirect_uri,
            state=state,
            nonce=nonce,
            timeout_s=timeout_s,
            token=self.token,
        )

    def status(self, bank_payment_id: str, *, access_token: str | None, timeout_s: float) -> BankStatus:
        return self.bank.status(bank_payment_id, access_token=access_token or self.token, timeout_s=timeout_s)

    def cancel(self, consent_id: str, *, timeout_s: float) -> BankStatus | None:
        return self.bank.cancel(consent_id, timeout_s=timeout_s, token=self.token)
