"""A bank where the customer approves a consent, and the payment is submitted apart, with the customer's token, once."""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import dataclass, field

from connectors.contract import BankRequest, ConsentStatus, PaymentOrder, PsuContext, Submitted
from connectors.errors import BankRefused
from tests.faults.sim.bank import DEAD, Bank, Order, status_of_word
from tests.faults.sim.keeping import Scheduled

#: a bank keeps an idempotency key for so long
KEY_LIFE = dt.timedelta(hours=24)
#: it forgets a consent no sooner than so long after the time to approve it
OVER_MARGIN = dt.timedelta(minutes=10)


@dataclass(eq=False)
class Submitting(Bank):
    """Implements connectors.contract.Submits as well. What its consents and payments are it never forgets."""

    keys: dict[str, tuple[bytes, Order, dt.datetime]] = field(default_factory=dict)
    by_payment_id: dict[str, Order] = field(default_factory=dict)

    @property
    def scheduled(self) -> Scheduled:
        return Scheduled(self)

    def draft_submission(self, order: PaymentOrder, *, consent_id: str, request_id: str) -> BankRequest:
        said = {"consent": consent_id, "amount": str(order.amount), "end_to_end_id": order.end_to_end_id}
        body = json.dumps(said).encode()
        return BankRequest(method="POST", path="/payments", headers={}, body=body, request_id=request_id)

    def submit(self, request: BankRequest, *, access_token: str, psu: PsuContext | None, timeout_s: float) -> Submitted:
        self._must_be_stored(request)
        done = self._call("submit", lambda: self._execute(request, access_token), timeout_s)
        if self.floor.dice.random() < self.nature.refuses_done:
            self.floor.counts["bank refused what it did"] += 1
            raise BankRefused("its gateway's no to what it had passed on", code="http_403", http_status=403)
        return done

    def consent_status(self, consent_id: str, *, timeout_s: float) -> ConsentStatus:
        return self._call("consent_status", lambda: self._consent(self.by_id.get(consent_id)), timeout_s)

    # ------------------------------------------------------------------------------------------------------- inside

    def _new_order(self, request: BankRequest) -> Order:
        order = super()._new_order(request)
        order.is_submitted_apart = True
        order.log = [(self.floor.now, "RCVD")]
        return order

    def _approved(self, order: Order) -> None:
        order.authorised = True

    def _paid_by(self, bank_payment_id: str) -> Order | None:
        return self.by_payment_id.get(bank_payment_id)

    def _execute(self, request: BankRequest, access_token: str) -> Submitted:
        floor, now = self.floor, self.floor.now
        holder, until = self.tokens.get(access_token, (None, None))
        if holder is None or until is None or now > until:
            floor.counts["bank dead token"] += 1
            raise BankRefused("the token is dead", code="U028", http_status=401)
        consent_id = json.loads(request.body)["consent"]
        order = self.by_id[consent_id]
        if holder is not order:
            floor.broken("D3", f"{order.id} is submitted with the token of {holder.id}")
        body, known, first_at = self.keys.get(request.request_id, (request.body, None, now))
        if known is not None and self.nature.keeps_keys and now <= first_at + KEY_LIFE:
            floor.counts["bank same key"] += 1
            return self._told(known)
        if order.submitted_as is not None:
            floor.counts["bank consent used up"] += 1
            raise BankRefused("the consent is used up", code="U009", http_status=floor.dice.choice((400, 400, 409)))
        if not order.authorised or order.word(now) in DEAD:
            raise BankRefused("nobody authorised it", code="U009", http_status=400)
        if floor.dice.random() < self.nature.rejects_orders:
            floor.counts["bank rejected submission"] += 1
            raise BankRefused("not like the consent", code="U008", http_status=400)
        order.submitted_as, order.submitted_at = f"{order.id}-payment", now
        self.by_payment_id[order.submitted_as] = order
        self.keys[request.request_id] = (body, order, now)
        if floor.dice.random() < self.nature.second_approver:
            self._half_approve(order)
        else:
            self._go(order)
        return self._told(order)

    def _told(self, order: Order) -> Submitted:
        shown = order.submitted_as or ""
        if self.floor.dice.random() < self.nature.repeats_payment_ids:
            shown = self._other_payment_id(shown) or shown
        return Submitted(bank_payment_id=shown, status=status_of_word(order.word(self.floor.now)))

    def _other_payment_id(self, own: str) -> str | None:
        """Another payment's, and known to us: an answer about one that is not is seen by what else it says, and that is
        the connector's business."""
        row = self.floor.raw.execute(
            "SELECT min(bank_payment_id) FROM payment WHERE bank_id = ? AND bank_payment_id != ?",
            (self.profile.id, own),
        ).fetchone()
        if row[0] is not None:
            self.floor.counts["bank repeated payment id"] += 1
        return None if row[0] is None else str(row[0])

    def _consent(self, order: Order | None) -> ConsentStatus:
        """As it is, or as a copy of a few minutes ago knows it."""
        if order is None:
            return ConsentStatus.NOT_FOUND
        now = self.floor.now
        if self.nature.over_consent is not None and now > order.deadline + OVER_MARGIN:
            self.floor.counts[f"bank consent {self.nature.over_consent}"] += 1
            return self.nature.over_consent
        if order.submitted_as is not None:
            if order.approved and self.floor.dice.random() < self.nature.stale_rate:
                first_at = min(at for _, known, at in self.keys.values() if known is order)
                if now - dt.timedelta(seconds=min(self.nature.stale_s, 280)) < first_at:
                    self.floor.counts["bank stale consent"] += 1
                    return ConsentStatus.AUTHORISED
            return ConsentStatus.CONSUMED
        if order.refused or order.word(now) in DEAD:
            return ConsentStatus.REJECTED
        return ConsentStatus.AUTHORISED if order.authorised else ConsentStatus.WAITING
