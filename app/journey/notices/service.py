"""Writing down what a customer is told, in their space and by the ways that they want besides, and what they chose.
Sending is sending.py's and pushing.py's."""

from __future__ import annotations

import datetime as dt
import zoneinfo
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import ColumnElement, Row, delete, exists, func, select, update
from sqlalchemy.orm import InstrumentedAttribute, Session

from app.db import work
from app.db.events import Event, EventRow
from app.db.locks import lock_name
from app.db.many import among, insert_new
from app.db.unit_of_work import UnitOfWork
from app.db.upsert import insert_once
from app.errors import Conflict, Invalid, TooMany
from app.journey.answers.models import BillAnswer, EndedBy
from app.journey.connections.models import Connection
from app.journey.connections.states import OPEN
from app.journey.consents.step import FUNDS_ASKED
from app.journey.decisions.models import Decision
from app.journey.intake.models import HeldBill
from app.journey.intake.rules import NOT_REGISTERED
from app.journey.invoices.models import Invoice
from app.journey.notices.kinds import ALWAYS, APART, CHOICES, GATHER, MAIL_ALONE, NoticeKind
from app.journey.notices.models import Notice, NoticeChoice, NoticeTimes, PushMessage, SpaceNotice
from app.journey.notices.reminders import IS_HEARD, is_any_due
from app.journey.notices.states import NoticeState
from app.journey.notices.times import NO_TIMES, Times, quiet_begins, quiet_until
from app.journey.payments.access import is_account_held, locked
from app.journey.payments.calls import drop_answered
from app.journey.payments.coming import is_to_come, told_from
from app.journey.payments.models import Payment
from app.journey.payments.reasons import Reason
from app.journey.payments.speaker import takes_back
from app.journey.payments.states import OVER, PaymentState
from app.journey.payments.terms import is_kept
from app.journey.plans.models import Plan, PlanDay
from app.journey.plans.states import DayState, PlanState
from app.people import mailboxes, recovery, safe_words
from app.people.customers import lock_customer, start_of
from app.people.events import (
    AddressAsked,
    AddressChanged,
    CustomerStopped,
    DeviceAdded,
    ErasureAsked,
    PasskeyAdded,
    PasskeyRemoved,
    RecoveryBegun,
    RecoveryCodesMade,
    RecoveryCodeUsed,
    RecoveryDone,
    RecoveryOver,
    RecoveryWaits,
    RecoveryWordsDrawn,
    SafeWordsChanged,
    SpaceExported,
    StopLifted,
)
from app.people.models import Customer, PushDevice
from app.services import Services, Task
from config.mail import is_address
from consent.base import new_id
from consent.models import Consent, ConsentHistory, Standing
from consent.payer import PAYER_NAMED
from consent.states import STANDING_USABLE, StandingState

SEND = "notices.send"
PUSH = "notices.push"
#: how long what was told stands on its customer's page
KEPT = dt.timedelta(days=90)

#: questions to one mailbox in that time, whoever's spaces they are for: nobody is pestered by people who make spaces
ASKED_MOST, ASKED_APART = 3, dt.timedelta(days=1)
#: and of one space in the time that they are KEPT: whoever does not answer is not asked every day for ever
ASKED_MOST_BY_ONE = 5

#: words for a way back by e-mail, to one customer in that time: more than they need, and no flood
RECOVERY_MOST, RECOVERY_APART = 12, dt.timedelta(days=1)

#: for how long a message may be in its tries: one that is older and has not ended is a dead letter
UNENDED_MOST = dt.timedelta(days=2)

#: how long a push service may keep a message for a device that is switched off
PUSH_KEPT = dt.timedelta(days=1)
_HOUR, _QUARTER = dt.timedelta(hours=1), dt.timedelta(minutes=15)

#: before a payment is sent, or a bank may carry it out, its customer has at least this long to cancel it
TO_CANCEL = dt.timedelta(hours=6)

#: in which a bank that can be asked to drop what it keeps has said whether it does
TIME_TO_DROP = dt.timedelta(minutes=15)
#: a payment that was decided and is not there yet is looked for again
NOT_MADE_YET, NOT_MADE_MOST = dt.timedelta(minutes=1), dt.timedelta(days=1)
#: and one that does not come as things are, but may
MAY_COME_YET = dt.timedelta(hours=1)

#: facts as they stand in payloads: with the id of their event
Facts = list[dict[str, Any]]
#: event → the customer whom it is told
Whose = dict[str, str]
WhoseOf = Callable[[Session, Facts], Whose]
#: one message that is sent: by e-mail, or to one device
Message = Notice | PushMessage


# ------------------------------------------------------------------------------------------------- what is chosen


def choose(
    uow: UnitOfWork,
    *,
    customer_id: str,
    kinds: Collection[str],
    push_kinds: Collection[str] | None = None,
    times: Times | None = None,
) -> None:
    """Be told of ``kinds`` by e-mail from now on, and of no other one; of ``push_kinds`` on the customer's devices, or,
    where that is None, as before; at these times, or as before. In the space everything is told. Raises Invalid.

    What waits already waits by the times that hold when it is to go.
    """
    if unknown := {*kinds, *(push_kinds or ())} - set(CHOICES):
        raise Invalid("kind", f"There is no kind of message called {', '.join(sorted(unknown))}. Nothing was changed.")
    lock_customer(uow.session, customer_id)
    found = uow.session.scalars(select(NoticeChoice).where(NoticeChoice.customer_id == customer_id))
    rows = {row.kind: row for row in found}
    pushed = set(push_kinds) if push_kinds is not None else {row.kind for row in rows.values() if row.by_push}
    for kind in CHOICES:
        ways, row = (kind in kinds, kind in pushed), rows.get(kind)
        if row is not None and not any(ways):
            uow.session.delete(row)
        elif row is not None and ways != (row.by_mail, row.by_push):
            row.by_mail, row.by_push = ways
        elif row is None and any(ways):
            way = {"by_mail": ways[0], "by_push": ways[1]}
            uow.session.add(NoticeChoice(customer_id=customer_id, kind=kind, chosen_at=uow.now, **way))
    if times is not None and times != times_of(uow.session, customer_id=customer_id):
        uow.session.merge(
            NoticeTimes(
                customer_id=customer_id,
                lead_days=times.lead_days,
                quiet_from=times.quiet_from,
                quiet_to=times.quiet_to,
                changed_at=uow.now,
            )
        )


def times_of(session: Session, *, customer_id: str) -> Times:
    """When this customer wants to be told."""
    row = session.get(NoticeTimes, customer_id)
    return row.times if row is not None else NO_TIMES


def is_wanted(session: Session, message: Message) -> bool:
    """Whether this customer still wants to be told of that in this way."""
    ways = _ways(session, NoticeKind(message.kind), {message.customer_id})
    if isinstance(message, PushMessage):
        return message.device_id in ways.devices.get(message.customer_id, ())
    return message.customer_id in ways.mailed


@dataclass(frozen=True, slots=True)
class _Ways:
    """By which ways some customers are told of a fact, beside their space."""

    mailed: set[str]
    devices: dict[str, list[str]] = field(default_factory=dict)  #: of each customer theirs


def _ways(session: Session, kind: NoticeKind, customer_ids: Collection[str]) -> _Ways:
    """What nobody can choose is told by every way that there is; what is for a mailbox, there alone."""
    if kind in MAIL_ALONE:
        return _Ways(set(customer_ids))
    if kind not in CHOICES:
        return _Ways(set(customer_ids), _devices_of(session, customer_ids))
    chose = select(NoticeChoice.customer_id, NoticeChoice.by_mail, NoticeChoice.by_push)
    chose = chose.where(among(session, NoticeChoice.customer_id, customer_ids), NoticeChoice.kind == kind)
    rows = session.execute(chose).all()
    pushed = {row.customer_id for row in rows if row.by_push}
    return _Ways({row.customer_id for row in rows if row.by_mail}, _devices_of(session, pushed) if pushed else {})


def _devices_of(session: Session, customer_ids: Collection[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    theirs = select(PushDevice.customer_id, PushDevice.id).order_by(PushDevice.id)
    for customer_id, device_id in session.execute(theirs.where(among(session, PushDevice.customer_id, customer_ids))):
        found.setdefault(customer_id, []).append(device_id)
    return found


# -------------------------------------------------------------------------------------------------- what happened


def tell_new_bill(task: Task) -> None:
    """InvoiceOpened: the bill stands in the customer's space."""
    _tell_one(task, NoticeKind.NEW_BILL)


def tell_new_bill_together(task: Task) -> None:
    """The same for invoices that were opened together: one message to each customer."""
    _tell_together(task, NoticeKind.NEW_BILL)


def tell_bill_due(task: Task) -> None:
    """BillDueSoon: its day is near."""
    _tell_one(task, NoticeKind.BILL_DUE)


def tell_bill_due_together(task: Task) -> None:
    """The same for bills that were found together: one message to each customer."""
    _tell_together(task, NoticeKind.BILL_DUE)


def tell_held_bill(task: Task) -> None:
    """BillHeld: somebody must look at it first; told where that is because of its account."""
    _tell_one(task, NoticeKind.BILL_HELD)


def tell_held_bill_together(task: Task) -> None:
    """The same for bills that were held together: one message to each customer."""
    _tell_together(task, NoticeKind.BILL_HELD)


def tell_answer_ended(task: Task) -> None:
    """AnswerChanged: told where it was the company that ended it."""
    _tell_one(task, NoticeKind.BILL_REPLY)


def tell_plan_due(task: Task) -> None:
    """PlanDue: told while it is that day, and as long as that is what its customer means to do."""
    _tell_one(task, NoticeKind.PLAN_DUE)


def tell_plan_missed(task: Task) -> None:
    """PlanChanged: told of a day that was missed."""
    _tell_one(task, NoticeKind.PLAN_MISSED)


def tell_payment_coming(task: Task) -> None:
    """PaymentScheduled: told in the morning of the day before, and later only as long as it waits for its own."""
    fact = task.payload
    with task.services.unit_of_work() as uow:
        decision = uow.session.get_one(Decision, fact["decision_id"])
        customer = uow.session.get_one(Customer, decision.customer_id)
        moment = told_from(decision.pay_on, customer=customer, decided_at=decision.decided_at)
        again = None if moment is None else _coming_again(uow, fact, moment=moment)
        if again is None:
            task.finish(uow)
        else:
            task.run_again(uow, run_at=again)
        uow.commit()


def _coming_again(uow: UnitOfWork, fact: dict[str, Any], *, moment: dt.datetime) -> dt.datetime | None:
    """Write it down if it is so; else when to look again. Whoever cancels or ends the payment waits for this, or is
    seen."""
    if uow.now < moment:
        return moment
    if uow.session.get(Payment, fact["payment_id"]) is None:  # it is about to be made
        return uow.now + NOT_MADE_YET if uow.now < moment + NOT_MADE_MOST else None
    payment = locked(uow.session, fact["payment_id"])
    if is_to_come(uow.session, payment, now=uow.now):
        _write(uow, NoticeKind.PAYMENT_COMING, {fact["event"]: payment.customer_id})
        return None
    waits_until = payment.send_from or payment.kept_until
    may_come = payment.state not in OVER and waits_until is not None and uow.now < waits_until
    return uow.now + MAY_COME_YET if may_come else None


def tell_payment_settled(task: Task) -> None:
    """PaymentSettled."""
    _tell_one(task, NoticeKind.PAYMENT_SETTLED)


def tell_payment_failed(task: Task) -> None:
    """PaymentFailed. Of what they decided for a later day, and left to us or to their bank, customers are told in any
    case, unless they stopped it."""
    with task.services.reading() as uow:
        payment = uow.session.get_one(Payment, task.payload["payment_id"])
        was_kept = payment.kept_until is not None and payment.accepted_at is not None
        is_later = (payment.send_from is not None or was_kept) and payment.reason != Reason.STOPPED_BY_CUSTOMER
    _tell_one(task, NoticeKind.LATER_FAILED if is_later else NoticeKind.PAYMENT_FAILED)


def tell_kept_unwanted(task: Task) -> None:
    """KeptUnwanted: at once where the bank has said that it keeps it, or nobody can ask it; else once it has had the
    time to say so, and has not."""
    with task.services.unit_of_work() as uow:
        payment = uow.session.get_one(Payment, task.payload["payment_id"])
        since = max(filter(None, (payment.unwanted_since, payment.accepted_at)), default=uow.now)
        waits = not task.payload["refused"] and takes_back(task.services, payment.bank_id)
        if waits and uow.now < since + TIME_TO_DROP:
            task.run_again(uow, run_at=since + TIME_TO_DROP)
            uow.commit()
            return
        if (waits and drop_answered(uow.session, payment) is not None) or not is_kept(payment, now=uow.now):
            task.finish(uow)  # it was told with the answer, or it is its day
            uow.commit()
            return
    _tell_one(task, NoticeKind.KEPT_UNWANTED)


def tell_payment_reversed(task: Task) -> None:
    """PaymentReversed."""
    _tell_one(task, NoticeKind.PAYMENT_REVERSED)


def tell_account_frozen(task: Task) -> None:
    """PayeeMoved: told where nothing is paid any more to the account that a payment under way goes to, be it that the
    account was stopped or its biller; and of a bill that its customer added as well."""
    _tell_one(task, NoticeKind.ACCOUNT_FROZEN)


def ask_address(services: Services, uow: UnitOfWork, customer_id: str) -> None:
    """Send two words to the customer's address, to be typed in their space. Raises Invalid, Conflict, TooMany.

    Its message is written here and not by work that comes later: what is counted stays so.
    """
    lock_customer(uow.session, customer_id)
    customer = uow.session.get_one(Customer, customer_id)
    if customer.email_proven_at is not None:
        raise Conflict("address-shown", "This address was shown to be its customer's already. Nothing was sent.")
    if not is_address(customer.email):
        raise Invalid("address-not-plain", "No e-mail can be sent to this address. Nothing was sent.")
    _must_be_few(uow, customer)
    safe_words.ask(services.vault, uow, customer)
    fact = uow.record(AddressAsked(customer_id=customer_id))
    _write(uow, NoticeKind.ADDRESS_ASKED, {fact.event_id: customer_id})


def asks_again_at(session: Session, *, customer_id: str, now: dt.datetime) -> dt.datetime | None:
    """From when on this space can ask again whether its address is its customer's; None: it can now."""
    asked = session.scalars(
        select(Notice.created_at)
        .where(
            Notice.customer_id == customer_id,
            Notice.kind == NoticeKind.ADDRESS_ASKED,
            Notice.state != NoticeState.NOT_SENT,
            Notice.created_at > now - KEPT,
        )
        .order_by(Notice.created_at.desc())
    ).all()
    if not asked:
        return None
    again_at = asked[0] + ASKED_APART
    if len(asked) >= ASKED_MOST_BY_ONE:
        again_at = asked[ASKED_MOST_BY_ONE - 1] + KEPT
    return again_at if again_at > now else None


def _must_be_few(uow: UnitOfWork, customer: Customer) -> None:
    """One question a day of each space, and ASKED_MOST to one mailbox; of these, one is kept for the space that was the
    first to have its address, of those that still have to show it, so that nobody who makes spaces shuts that out; one
    whose address has a label comes behind those that have none. Raises TooMany."""
    detail = "Enough was sent to this address for now. Nothing more was sent."
    if (again_at := asks_again_at(uow.session, customer_id=customer.id, now=uow.now)) is not None:
        raise TooMany("address-asked", detail, retry_after=again_at - uow.now)
    key = mailboxes.key_of(uow.session, customer.email)
    is_there = Customer.mailbox_key == key
    lock_name(uow.session, f"mailbox:{key}")
    asked = Notice.state != NoticeState.NOT_SENT
    lately = (Notice.created_at > uow.now - ASKED_APART) | (Notice.state == NoticeState.WAITING)
    found = select(Notice.customer_id).join(Customer, Customer.id == Notice.customer_id).distinct()
    found = found.where(Notice.kind == NoticeKind.ADDRESS_ASKED, asked, lately, is_there)
    # by its index; what waits for longer than its words are kept is not sent
    asking = set(uow.session.scalars(found.where(Notice.created_at > uow.now - safe_words.ASKED_KEPT)))
    room = ASKED_MOST - len(asking)
    if room == 1 and customer.id not in asking:
        unproven = select(Customer.id).where(is_there, Customer.email_proven_at.is_(None))
        by_rank = unproven.order_by(Customer.is_labelled, Customer.created_at, Customer.id)
        room -= uow.session.scalar(by_rank.limit(1)) not in {*asking, customer.id}
    if customer.id in asking or room < 1:
        raise TooMany("address-asked", detail, retry_after=ASKED_APART)


def tell_consent_changed(task: Task) -> None:
    """ConsentChanged: told where it can be used from now on, is paid from another account, was stopped at the bank, or
    is over in another way than by its customer's own hand."""
    with task.services.reading() as uow:
        kind = _told_of_consent(uow.session, task.payload)
    if kind is not None:
        _tell_one(task, kind)
        return
    with task.services.unit_of_work() as uow:
        task.finish(uow)
        uow.commit()


def tell_consent_ending(task: Task) -> None:
    """ConsentEnding."""
    _tell_one(task, NoticeKind.CONSENT_ENDING)


def tell_words_changed(task: Task) -> None:
    """SafeWordsChanged."""
    _tell_one(task, NoticeKind.WORDS_CHANGED)


def tell_all_stopped(task: Task) -> None:
    """CustomerStopped."""
    _tell_one(task, NoticeKind.ALL_STOPPED)


def tell_stop_lifted(task: Task) -> None:
    """StopLifted."""
    _tell_one(task, NoticeKind.STOP_LIFTED)


def tell_passkey_added(task: Task) -> None:
    """PasskeyAdded."""
    _tell_one(task, NoticeKind.PASSKEY_ADDED)


def tell_passkey_removed(task: Task) -> None:
    """PasskeyRemoved."""
    _tell_one(task, NoticeKind.PASSKEY_REMOVED)


def tell_device_added(task: Task) -> None:
    """DeviceAdded: told to the devices of before as well."""
    _tell_one(task, NoticeKind.DEVICE_ADDED)


def tell_address_changed(task: Task) -> None:
    """AddressChanged: by e-mail to the address of before, if it was shown to be the customer's."""
    _tell_one(task, NoticeKind.ADDRESS_CHANGED)


def tell_codes_made(task: Task) -> None:
    """RecoveryCodesMade."""
    _tell_one(task, NoticeKind.CODES_MADE)


def tell_code_used(task: Task) -> None:
    """RecoveryCodeUsed."""
    _tell_one(task, NoticeKind.CODE_USED)


def write_recovery_words(task: Task) -> None:
    """RecoveryAsked: whoever owns that address is sent words; what is asked of one that nobody owns comes to nothing
    here, and whoever asked has long been answered."""
    vault, attempt_id = task.services.vault, task.payload["attempt_id"]
    with task.services.unit_of_work() as uow:
        task.hold(uow)
        known = recovery.is_to_open(uow.session, attempt_id)  # no stranger shuts that out by asking often
        for customer in recovery.to_write_to(vault, uow, attempt_id):
            if not known and _was_asked_enough(uow.session, customer.id, now=uow.now):
                continue
            event_id = recovery.draw(vault, uow, attempt_id, customer)
            _write(uow, NoticeKind.RECOVERY_ASKED, {event_id: customer.id})
        task.finish(uow)
        uow.commit()


def _was_asked_enough(session: Session, customer_id: str, *, now: dt.datetime) -> bool:
    """Whether no more words are sent to this customer for now: a stranger who knows an address can ask for some."""
    lately = Notice.created_at > now - RECOVERY_APART
    asked = select(func.count()).where(
        Notice.customer_id == customer_id, Notice.kind == NoticeKind.RECOVERY_ASKED, lately
    )
    return (session.scalar(asked) or 0) >= RECOVERY_MOST


def tell_recovery_begun(task: Task) -> None:
    """RecoveryBegun."""
    _tell_one(task, NoticeKind.RECOVERY_BEGUN)


def tell_recovery_waits(task: Task) -> None:
    """RecoveryWaits: told as long as it does."""
    _tell_one(task, NoticeKind.RECOVERY_WAITS)


def tell_recovery_over(task: Task) -> None:
    """RecoveryOver."""
    _tell_one(task, NoticeKind.RECOVERY_OVER)


def tell_recovery_done(task: Task) -> None:
    """RecoveryDone."""
    _tell_one(task, NoticeKind.RECOVERY_DONE)


def tell_erasure_asked(task: Task) -> None:
    """ErasureAsked."""
    _tell_one(task, NoticeKind.ERASURE_ASKED)


def tell_space_exported(task: Task) -> None:
    """SpaceExported."""
    _tell_one(task, NoticeKind.SPACE_EXPORTED)


# ------------------------------------------------------------------------------------------------ whom it is about


def _whose_invoices(session: Session, facts: Facts) -> Whose:
    """Of billers that their customers did not mute: those come without a notice."""
    ids = {fact["invoice_id"]: fact["event"] for fact in facts}
    rows = session.execute(select(Invoice.id, Invoice.customer_id).where(among(session, Invoice.id, ids), IS_HEARD))
    return {ids[row.id]: row.customer_id for row in rows}


def _whose_bills(session: Session, facts: Facts) -> Whose:
    """Whether they are to pay still is looked at when it is told: these were found a moment ago."""
    ids = {fact["invoice_id"]: fact["event"] for fact in facts}
    rows = session.execute(select(Invoice.id, Invoice.customer_id).where(among(session, Invoice.id, ids)))
    return {ids[row.id]: row.customer_id for row in rows}


def _is_any_heard(session: Session, notice: Message) -> bool:
    """Whether of the bills that it speaks for, the first and all that came while it waited, one is of such a biller."""
    invoice_id = session.get_one(EventRow, notice.event_id).payload["invoice_id"]
    first = select(Invoice.opened_at).where(Invoice.id == invoice_id).scalar_subquery()
    came = select(Invoice.id).where(Invoice.customer_id == notice.customer_id, Invoice.opened_at >= first)
    return session.scalar(came.where(Invoice.biller_id.is_not(None), IS_HEARD).limit(1)) is not None


def _whose_held_bills(session: Session, facts: Facts) -> Whose:
    ids = {fact["held_id"]: fact["event"] for fact in facts}
    return {ids[row.id]: row.customer_id for row in _held_by_account(session, among(session, HeldBill.id, ids))}


def _held_by_account(session: Session, which: ColumnElement[bool]) -> list[Row[tuple[str, str, Any]]]:
    """Those of these that are held still, because of their account, and that their customers are shown."""
    delivers = exists().where(
        Connection.customer_id == HeldBill.customer_id,
        Connection.biller_id == HeldBill.biller_id,
        Connection.state.in_(OPEN),
    )
    held = select(HeldBill.id, HeldBill.customer_id, HeldBill.reasons).where(HeldBill.ended_as.is_(None))
    rows = session.execute(held.where(which, delivers))
    return [row for row in rows if NOT_REGISTERED in {reason["code"] for reason in row.reasons}]


def _whose_answers_ended(session: Session, facts: Facts) -> Whose:
    """By their company's own word."""
    found: Whose = {}
    for fact in facts:
        answer = session.get(BillAnswer, fact["answer_id"])  # one of a bill that was removed is gone
        by_word = answer is not None and answer.ended_by in (EndedBy.BILLER, EndedBy.CORRECTION)
        if answer is not None and by_word and answer.sequence == fact["sequence"]:
            found[fact["event"]] = answer.customer_id
    return found


def _whose_plans_are_due(session: Session, facts: Facts) -> Whose:
    """Of days that are asked about still: what was paid, taken back or is over is not told any more."""
    found: Whose = {}
    for fact in facts:
        plan = session.get(Plan, fact["plan_id"])  # one of a bill that was removed is gone
        if plan is None or plan.state != PlanState.STANDING:
            continue
        day = session.get_one(PlanDay, (plan.id, fact["number"]))
        if day.state == DayState.ASKED:
            found[fact["event"]] = plan.customer_id
    return found


def _whose_plans_were_missed(session: Session, facts: Facts) -> Whose:
    plans = {fact["event"]: session.get(Plan, fact["plan_id"]) for fact in facts if fact["missed"] is not None}
    told = (PlanState.STANDING, PlanState.MISSED)  # else it was paid, or answered, since
    return {event: plan.customer_id for event, plan in plans.items() if plan is not None and plan.state in told}


def _whose_payments(*states: PaymentState) -> WhoseOf:
    """Of payments that are so now: what was corrected since is not told any more."""

    def whose(session: Session, facts: Facts) -> Whose:
        payments = {fact["event"]: session.get_one(Payment, fact["payment_id"]) for fact in facts}
        return {event: each.customer_id for event, each in payments.items() if each.state in states}

    return whose


def _whose_payments_are_kept_on(session: Session, facts: Facts) -> Whose:
    """As long as its bank keeps it: the day is looked at by who asks this."""
    payments = {fact["event"]: session.get_one(Payment, fact["payment_id"]) for fact in facts}
    return {
        event: each.customer_id
        for event, each in payments.items()
        if each.state == PaymentState.ACCEPTED and (each.unwanted_since or each.take_back_since) is not None
    }


def _whose_payments_are_held_up(session: Session, facts: Facts) -> Whose:
    payments = {fact["event"]: session.get_one(Payment, fact["payment_id"]) for fact in facts}
    return {event: each.customer_id for event, each in payments.items() if is_account_held(session, each)}


def _told_of_consent(session: Session, fact: dict[str, Any]) -> NoticeKind | None:
    """What is told of this line of a consent's history; None: nothing. Its customer knows what they did here."""
    line = session.get_one(ConsentHistory, (fact["consent_id"], fact["sequence"]))
    if line.step == PAYER_NAMED:
        return NoticeKind.CONSENT_ACCOUNT
    if line.after in (StandingState.REJECTED, StandingState.EXPIRED) and line.before in _NEVER_IN_FORCE:
        return NoticeKind.CONSENT_NOT_TAKEN
    if line.after == StandingState.REVOKED and line.before == StandingState.REVOKING:
        return None
    return _OF_CONSENT.get(StandingState(line.after))


_NEVER_IN_FORCE = (StandingState.PREPARED, StandingState.AWAITING)
_OF_CONSENT = {
    StandingState.REJECTED: NoticeKind.CONSENT_ENDED,
    StandingState.AUTHORISED: NoticeKind.CONSENT_SET_UP,
    StandingState.STOPPED_AT_BANK: NoticeKind.CONSENT_STOPPED,
    StandingState.EXPIRED: NoticeKind.CONSENT_ENDED,
    StandingState.REVOKED: NoticeKind.CONSENT_ENDED,
}


def _whose_consent(kind: NoticeKind) -> WhoseOf:
    """Of a consent that still stands where this line of its history left it; that its bank was asked about money since
    changes nothing."""

    def whose(session: Session, facts: Facts) -> Whose:
        found: Whose = {}
        for fact in facts:
            standing = session.get_one(Standing, fact["consent_id"])
            since = select(func.max(ConsentHistory.sequence)).where(ConsentHistory.consent_id == standing.consent_id)
            last = session.scalar(since.where(ConsentHistory.step != FUNDS_ASKED))
            if last == fact["sequence"] and _told_of_consent(session, fact) is kind:
                found[fact["event"]] = standing.customer_id
        return found

    return whose


def _whose_consents_end(session: Session, facts: Facts) -> Whose:
    """Of those under which their customer can pay, or can again once they approve it anew."""
    consents = {fact["event"]: session.get_one(Consent, fact["consent_id"]) for fact in facts}
    return {event: each.customer_id for event, each in consents.items() if each.state in STANDING_USABLE}


def _whose_own(event: type[Event]) -> WhoseOf:
    """Of a fact about a customer themselves: what it was is looked up, since nothing else tells whether it is so."""

    def whose(session: Session, facts: Facts) -> Whose:
        found = {fact["event"]: session.get(EventRow, fact["event"]) for fact in facts}
        kinds = {each: row.kind for each, row in found.items() if row is not None}
        return {fact["event"]: fact["customer_id"] for fact in facts if kinds.get(fact["event"]) == event.__name__}

    return whose


def _whose_recovery_waits(session: Session, facts: Facts) -> Whose:
    """While it does."""
    waiting = {fact["customer_id"]: recovery.waiting(session, fact["customer_id"]) for fact in facts}
    still = {customer_id: row.id for customer_id, row in waiting.items() if row is not None}
    same = [fact for fact in facts if still.get(fact["customer_id"]) == fact["recovery_id"]]
    return _whose_own(RecoveryWaits)(session, same)


#: whom a fact is to be told, while it is so
_WHOSE: dict[NoticeKind, WhoseOf] = {
    NoticeKind.NEW_BILL: _whose_invoices,
    NoticeKind.BILL_HELD: _whose_held_bills,
    NoticeKind.BILL_DUE: _whose_bills,
    NoticeKind.BILL_REPLY: _whose_answers_ended,
    NoticeKind.PLAN_DUE: _whose_plans_are_due,
    NoticeKind.PLAN_MISSED: _whose_plans_were_missed,
    NoticeKind.PAYMENT_SETTLED: _whose_payments(PaymentState.SETTLED),
    NoticeKind.PAYMENT_FAILED: _whose_payments(PaymentState.REJECTED, PaymentState.CANCELLED, PaymentState.EXPIRED),
    NoticeKind.LATER_FAILED: _whose_payments(PaymentState.REJECTED, PaymentState.CANCELLED, PaymentState.EXPIRED),
    NoticeKind.PAYMENT_REVERSED: _whose_payments(PaymentState.REVERSED),
    NoticeKind.KEPT_UNWANTED: _whose_payments_are_kept_on,
    NoticeKind.ACCOUNT_FROZEN: _whose_payments_are_held_up,
    NoticeKind.CONSENT_SET_UP: _whose_consent(NoticeKind.CONSENT_SET_UP),
    NoticeKind.CONSENT_ENDING: _whose_consents_end,
    NoticeKind.CONSENT_STOPPED: _whose_consent(NoticeKind.CONSENT_STOPPED),
    NoticeKind.CONSENT_ACCOUNT: _whose_consent(NoticeKind.CONSENT_ACCOUNT),
    NoticeKind.CONSENT_ENDED: _whose_consent(NoticeKind.CONSENT_ENDED),
    NoticeKind.CONSENT_NOT_TAKEN: _whose_consent(NoticeKind.CONSENT_NOT_TAKEN),
    NoticeKind.WORDS_CHANGED: _whose_own(SafeWordsChanged),
    NoticeKind.ALL_STOPPED: _whose_own(CustomerStopped),
    NoticeKind.STOP_LIFTED: _whose_own(StopLifted),
    NoticeKind.PASSKEY_ADDED: _whose_own(PasskeyAdded),
    NoticeKind.PASSKEY_REMOVED: _whose_own(PasskeyRemoved),
    NoticeKind.DEVICE_ADDED: _whose_own(DeviceAdded),
    NoticeKind.SPACE_EXPORTED: _whose_own(SpaceExported),
    NoticeKind.ERASURE_ASKED: _whose_own(ErasureAsked),
    NoticeKind.ADDRESS_ASKED: _whose_own(AddressAsked),
    NoticeKind.ADDRESS_CHANGED: _whose_own(AddressChanged),
    NoticeKind.CODES_MADE: _whose_own(RecoveryCodesMade),
    NoticeKind.CODE_USED: _whose_own(RecoveryCodeUsed),
    NoticeKind.RECOVERY_ASKED: _whose_own(RecoveryWordsDrawn),
    NoticeKind.RECOVERY_BEGUN: _whose_own(RecoveryBegun),
    NoticeKind.RECOVERY_WAITS: _whose_recovery_waits,
    NoticeKind.RECOVERY_OVER: _whose_own(RecoveryOver),
    NoticeKind.RECOVERY_DONE: _whose_own(RecoveryDone),
}


def is_still_so(session: Session, notice: Message, *, now: dt.datetime) -> bool:
    """Whether what it says is true now: it may have waited for hours, and nobody is told what a bank contradicts."""
    kind = NoticeKind(notice.kind)
    if kind is NoticeKind.NEW_BILL:
        return _is_any_heard(session, notice)
    if kind is NoticeKind.BILL_DUE:
        return is_any_due(session, notice, now=now)
    if kind is NoticeKind.BILL_HELD:  # it speaks for all that came while it waited
        return bool(_held_by_account(session, HeldBill.customer_id == notice.customer_id))
    fact = {**session.get_one(EventRow, notice.event_id).payload, "event": notice.event_id}
    if kind is NoticeKind.PAYMENT_COMING:
        return is_to_come(session, session.get_one(Payment, fact["payment_id"]), now=now)
    if kind is NoticeKind.KEPT_UNWANTED and not is_kept(session.get_one(Payment, fact["payment_id"]), now=now):
        return False
    return notice.event_id in _WHOSE[kind](session, [fact])


# -------------------------------------------------------------------------------------------------- writing it down


def _tell_one(task: Task, kind: NoticeKind) -> None:
    _tell(task, kind, [task.payload])


def _tell_together(task: Task, kind: NoticeKind) -> None:
    _tell(task, kind, task.payload["facts"])


def _tell(task: Task, kind: NoticeKind, facts: Facts) -> None:
    """Read first: what is gathered from many rows keeps nobody from the database."""
    with task.services.reading() as uow:
        about = _WHOSE[kind](uow.session, facts)
    with task.services.unit_of_work() as uow:
        task.hold(uow)
        _write(uow, kind, about)
        task.finish(uow)
        uow.commit()


def _write(uow: UnitOfWork, kind: NoticeKind, about: Whose) -> None:
    """Every fact in its customer's space; and of each customer one message by each way that they want, with the work
    that sends it, for the first of theirs. Whoever has erased their space is told nothing more."""
    theirs = select(Customer.id).where(among(uow.session, Customer.id, set(about.values())))
    here = set(uow.session.scalars(theirs.where(Customer.erased_at.is_(None))))
    about = {event: customer for event, customer in about.items() if customer in here}
    rows = [
        {"id": new_id("spn"), "customer_id": customer, "event_id": event, "kind": kind, "created_at": uow.now}
        | {"seen_at": None}
        for event, customer in about.items()
    ]
    insert_new(uow.session, SpaceNotice, rows, unique=["event_id"])
    first = {customer: event for event, customer in reversed(about.items())}
    ways = _ways(uow.session, kind, first)
    for customer_id in sorted({*ways.mailed, *ways.devices}):
        if kind in _SAID_TOGETHER:
            lock_customer(uow.session, customer_id)  # nobody begins to send what waits meanwhile
        event_id = first[customer_id]
        if customer_id in ways.mailed:
            _write_mail(uow, kind, customer_id=customer_id, event_id=event_id)
        for device_id in ways.devices.get(customer_id, ()):
            if kind is NoticeKind.DEVICE_ADDED and not _was_there(uow.session, device_id, event_id):
                continue
            _write_push(uow, kind, customer_id=customer_id, event_id=event_id, device_id=device_id)


def _write_mail(uow: UnitOfWork, kind: NoticeKind, *, customer_id: str, event_id: str) -> None:
    """The e-mail and the work that sends it. What is gathered is said by the one that waits already; and a question
    that waits will have the words of now."""
    if kind in _SAID_TOGETHER and _waits(uow.session, Notice, kind, customer_id):
        return
    values = _message(uow, kind, customer_id=customer_id, event_id=event_id)
    if insert_once(uow.session, Notice, values, unique=["event_id"]):
        work.enqueue(
            uow.session,
            handler=SEND,
            key=f"{SEND}:{values['id']}",
            payload={"notice_id": values["id"]},
            now=uow.now,
            run_at=uow.now + GATHER.get(kind, dt.timedelta()),
        )


def _write_push(uow: UnitOfWork, kind: NoticeKind, *, customer_id: str, event_id: str, device_id: str) -> None:
    """The same for one device."""
    if kind in _SAID_TOGETHER and _waits(uow.session, PushMessage, kind, device_id):
        return
    values = _message(uow, kind, customer_id=customer_id, event_id=event_id)
    values |= {"id": new_id("psh"), "device_id": device_id}
    if insert_once(uow.session, PushMessage, values, unique=["event_id", "device_id"]):
        work.enqueue(
            uow.session,
            handler=PUSH,
            key=f"{PUSH}:{values['id']}",
            payload={"message_id": values["id"]},
            now=uow.now,
            run_at=uow.now + GATHER.get(kind, dt.timedelta()),
        )


def _was_there(session: Session, device_id: str, event_id: str) -> bool:
    """Whether this device was one before that fact: no device is told of itself."""
    came, fact = session.get_one(PushDevice, device_id), session.get_one(EventRow, event_id)
    return came.created_at < fact.recorded_at


def _message(uow: UnitOfWork, kind: NoticeKind, *, customer_id: str, event_id: str) -> dict[str, Any]:
    return {
        "id": new_id("ntc"),
        "customer_id": customer_id,
        "event_id": uow.session.get_one(EventRow, event_id).id,
        "kind": kind,
        "locale": uow.session.get_one(Customer, customer_id).locale,
        "state": NoticeState.WAITING,
        "tries": 0,
        "created_at": uow.now,
    }


#: of which one that waits speaks for those that come
_SAID_TOGETHER = frozenset({*GATHER, NoticeKind.ADDRESS_ASKED})


def _waits(session: Session, table: type[Message], kind: NoticeKind, whose: str) -> bool:
    """Whether a message of this kind is still to be sent for the first time, to this customer or this device."""
    waiting = select(table.id).where(
        _to(table) == whose, table.kind == kind, table.state == NoticeState.WAITING, table.tries == 0
    )
    return session.scalar(waiting.limit(1)) is not None


def _to(table: type[Message]) -> InstrumentedAttribute[str]:
    """By which column its messages are to one mailbox, or to one device."""
    return PushMessage.device_id if table is PushMessage else Notice.customer_id


def is_too_soon(session: Session, message: Message, *, now: dt.datetime) -> dt.datetime | None:
    """Until when a message that gathers more of its kind waits for its first try, to be APART from the last one; None:
    it may go. Asked when it is to go: the one before may have been tried for hours, and one that still is may go at any
    moment."""
    if message.kind not in GATHER or message.tries:
        return None
    table: type[Message] = type(message)
    whose = message.device_id if isinstance(message, PushMessage) else message.customer_id
    last = session.scalar(
        select(func.max(func.coalesce(table.ended_at, now))).where(
            _to(table) == whose,
            table.kind == message.kind,
            table.tries > 0,
            # whose work broke off for good never ends, and is not waited for
            table.ended_at.is_not(None) | (table.begun_at > now - UNENDED_MOST),
        )
    )
    return last + APART if last is not None and last + APART > now else None


def is_quiet(session: Session, notice: Message, *, now: dt.datetime) -> dt.datetime | None:
    """Until when a message waits because its customer wants none at this hour; None: it may go.

    What nobody can choose to miss goes at any hour: somebody else may be acting just then, its customer waits for it,
    or only they can undo something. So does that a payment comes, where too little time would be left to cancel it.
    """
    kind = NoticeKind(notice.kind)
    if kind in ALWAYS:
        return None
    times = times_of(session, customer_id=notice.customer_id)
    zone = session.get_one(Customer, notice.customer_id).time_zone
    until = quiet_until(times, now, time_zone=zone)
    if until is not None and kind is NoticeKind.PAYMENT_COMING:
        too_late = _too_late(session, notice)
        if too_late is not None and until + TO_CANCEL > too_late:
            return None
    return until


def _too_late(session: Session, notice: Message) -> dt.datetime | None:
    """When what it says comes can be cancelled no more."""
    payment = session.get_one(Payment, session.get_one(EventRow, notice.event_id).payload["payment_id"])
    return payment.send_from or payment.kept_until


def lives_for(session: Session, message: PushMessage, *, now: dt.datetime) -> dt.timedelta:
    """For how long a push service may keep it for a device that is switched off: it says what is so now, so not for
    longer than a day; not into the quiet hours, which the device would not keep; nor into another day, where it is
    about this one. What comes goes into quiet hours where it is sent in them (``is_quiet``), until it is too late.

    In whole hours, and below one in whole quarters: to the second it would tell whoever keeps it when its customer's
    day or evening ends. Less than a quarter is nothing: whoever is there gets it.
    """
    kind, most = NoticeKind(message.kind), PUSH_KEPT
    if kind in ALWAYS:
        return most
    zone = session.get_one(Customer, message.customer_id).time_zone
    quiet_from = quiet_begins(times_of(session, customer_id=message.customer_id), now, time_zone=zone)
    ends = [now + most, quiet_from]
    if kind is NoticeKind.PAYMENT_COMING:
        ends = [now + most, quiet_from if quiet_from != now else None, _too_late(session, message)]
    if kind is NoticeKind.PLAN_DUE:
        ends.append(start_of(now.astimezone(zoneinfo.ZoneInfo(zone)).date() + dt.timedelta(days=1), time_zone=zone))
    left = max(min(end for end in ends if end is not None) - now, dt.timedelta())
    return left - left % (_HOUR if left >= _HOUR else _QUARTER)


def see(uow: UnitOfWork, *, customer_id: str, ids: Collection[str]) -> None:
    """Its customer was shown these in their space."""
    shown = (SpaceNotice.customer_id == customer_id, SpaceNotice.id.in_(ids), SpaceNotice.seen_at.is_(None))
    uow.session.execute(update(SpaceNotice).where(*shown).values(seen_at=uow.now))


def drop_old(uow: UnitOfWork) -> None:
    """Forget what was told long ago."""
    before = uow.now - KEPT
    # the one has an index; by the other, what was sent within that time is still in the list
    for table in (Notice, PushMessage):
        old = delete(table).where(table.created_at <= before, table.ended_at <= before)
        uow.session.execute(old.execution_options(synchronize_session=False))
    sent = exists().where(Notice.event_id == SpaceNotice.event_id)
    pushed = exists().where(PushMessage.event_id == SpaceNotice.event_id)
    told = delete(SpaceNotice).where(SpaceNotice.created_at <= before, ~sent, ~pushed)
    uow.session.execute(told.execution_options(synchronize_session=False))
