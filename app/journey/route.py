"""The timetable: what happened → what happens next. The whole journey of a bill on one screen.

A stage never calls a later one. It records an event; the event's handlers run as durable work, each in its own time,
each safe to run again. To add a step, add a handler here.
"""

from __future__ import annotations

from app.db.events import Event
from app.db.unit_of_work import AtOnce
from app.journey.answers.events import AnswerChanged, AnswerOverdue
from app.journey.calendars import service as calendars
from app.journey.connections import invitations
from app.journey.connections import service as connections
from app.journey.connections.events import CodePresented, ConnectionChanged
from app.journey.consents import exchange, follow, stopping
from app.journey.consents.events import ConsentChanged, ConsentEnding, ConsentReturned
from app.journey.corrections import service as corrections
from app.journey.corrections.events import BillCorrected
from app.journey.decisions.events import PaymentDecided, PaymentScheduled
from app.journey.intake import conformance, uploads
from app.journey.intake.events import BillDelivered, BillHeld, CorrectionDelivered
from app.journey.invoices import service as invoices
from app.journey.invoices.events import BillUnseen, CorrectionDue, InvoiceOpened, RefundOwed
from app.journey.notices import pushing, sending
from app.journey.notices import service as notices
from app.journey.notices.events import BillDueSoon
from app.journey.payments import code_exchange, initiate, status, step
from app.journey.payments.events import (
    ConsentMoved,
    CustomerReturned,
    DecisionVoid,
    KeptUnwanted,
    PayeeMoved,
    PaymentAccepted,
    PaymentFailed,
    PaymentReversed,
    PaymentSettled,
    PaymentUnknown,
    TwinMoved,
)
from app.journey.plans import service as plans
from app.journey.plans.events import PlanChanged, PlanDue
from app.journey.receipts import service as receipts
from app.journey.refunds import accounts as refund_accounts
from app.journey.refunds.events import RefundMoved, RefundOverdue
from app.journey.webhooks import delivery
from app.journey.webhooks import service as webhooks
from app.people.events import (
    AddressAsked,
    AddressChanged,
    BillerVetted,
    CustomerStopped,
    DeviceAdded,
    ErasureAsked,
    PasskeyAdded,
    PasskeyRemoved,
    PayeeAccountMoved,
    RecoveryAsked,
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
from app.services import Handler

TIMETABLE: dict[type[Event], list[Handler]] = {
    CodePresented: [connections.take_up],
    ConnectionChanged: [webhooks.tell_connection_changed],
    BillDelivered: [invoices.open_invoice],
    BillHeld: [notices.tell_held_bill],
    InvoiceOpened: [webhooks.tell_bill_delivered, notices.tell_new_bill],
    BillUnseen: [webhooks.tell_bill_unseen],
    CorrectionDelivered: [corrections.apply_correction],
    CorrectionDue: [corrections.apply_correction],
    BillCorrected: [plans.follow_correction, webhooks.tell_bill_corrected],
    RefundOwed: [webhooks.tell_refund_owed],
    AnswerChanged: [plans.follow_answer, webhooks.tell_answer_changed, notices.tell_answer_ended],
    AnswerOverdue: [webhooks.tell_answer_overdue],
    PlanChanged: [webhooks.tell_plan_changed, notices.tell_plan_missed],
    PlanDue: [notices.tell_plan_due],
    BillDueSoon: [notices.tell_bill_due],
    RefundMoved: [webhooks.tell_refund_moved],
    RefundOverdue: [webhooks.tell_refund_overdue],
    ConsentReturned: [exchange.exchange_consent_code],
    ConsentChanged: [step.look_at_consent, notices.tell_consent_changed],
    ConsentEnding: [notices.tell_consent_ending],
    PaymentDecided: [initiate.initiate],
    PaymentScheduled: [notices.tell_payment_coming],
    TwinMoved: [step.reconsider],
    BillerVetted: [invitations.accept_invitations],
    PayeeAccountMoved: [step.look_at_account],
    PayeeMoved: [step.reconsider, notices.tell_account_frozen],
    KeptUnwanted: [notices.tell_kept_unwanted],
    ConsentMoved: [step.reconsider],
    CustomerStopped: [step.look_at_customer, notices.tell_all_stopped],
    DecisionVoid: [step.reconsider],
    StopLifted: [notices.tell_stop_lifted],
    PasskeyAdded: [notices.tell_passkey_added],
    PasskeyRemoved: [notices.tell_passkey_removed],
    DeviceAdded: [notices.tell_device_added],
    AddressChanged: [notices.tell_address_changed],
    RecoveryCodesMade: [notices.tell_codes_made],
    RecoveryCodeUsed: [notices.tell_code_used],
    RecoveryAsked: [notices.write_recovery_words],
    RecoveryWordsDrawn: [],  # its message is written with it
    RecoveryBegun: [step.look_at_customer, notices.tell_recovery_begun],
    RecoveryWaits: [notices.tell_recovery_waits],
    RecoveryOver: [notices.tell_recovery_over],
    RecoveryDone: [step.look_at_customer, notices.tell_recovery_done],
    SpaceExported: [notices.tell_space_exported],
    ErasureAsked: [notices.tell_erasure_asked],
    CustomerReturned: [code_exchange.exchange_code],
    PaymentAccepted: [webhooks.tell_payment_updated],
    PaymentSettled: [
        receipts.issue_receipt,
        plans.follow_payment,
        webhooks.tell_payment_settled,
        notices.tell_payment_settled,
    ],
    PaymentFailed: [plans.follow_payment, webhooks.tell_payment_failed, notices.tell_payment_failed],
    PaymentUnknown: [webhooks.tell_payment_updated],
    PaymentReversed: [plans.follow_payment, webhooks.tell_payment_failed, notices.tell_payment_reversed],
    AddressAsked: [],  # its message is written with it
    SafeWordsChanged: [notices.tell_words_changed],
}

#: what nobody may see undone, in the transaction of the fact itself: work comes too late for it
_WHEN_ALL_IS_STOPPED: list[AtOnce] = [
    stopping.take_back_at_once,
    refund_accounts.take_back_at_once,
    calendars.make_discreet_at_once,
]
AT_ONCE: dict[type[Event], list[AtOnce]] = {
    InvoiceOpened: [corrections.replace_at_once],
    AnswerChanged: [plans.agree_at_once],
    CustomerStopped: _WHEN_ALL_IS_STOPPED,
    RecoveryDone: _WHEN_ALL_IS_STOPPED,
}

#: work that repeats by itself until it is over; it is asked for by name, not by an event
FOLLOW_UPS: list[Handler] = [
    follow.follow,
    status.follow,
    delivery.deliver,
    sending.send,
    pushing.push,
    uploads.deliver_upload,
    conformance.check_conformance,
]

#: of facts that came by the hundred: what the handler without ``_together`` does for one of them
TOGETHER: list[Handler] = [
    invoices.open_invoice_together,
    webhooks.tell_bill_delivered_together,
    webhooks.tell_bill_unseen_together,
    notices.tell_new_bill_together,
    notices.tell_held_bill_together,
    notices.tell_bill_due_together,
]


def name_of(handler: Handler) -> str:
    """How a handler is named in the work table: stage and function, ``payments.follow``."""
    stage = handler.__module__.split(".")[2]
    return f"{stage}.{handler.__name__}"  # type: ignore[attr-defined]  # every handler is a function


ROUTE: dict[type[Event], tuple[AtOnce | str, ...]] = {
    event: (*AT_ONCE.get(event, ()), *(name_of(handler) for handler in handlers))
    for event, handlers in TIMETABLE.items()
}
HANDLERS = {
    name_of(handler): handler for handlers in (*TIMETABLE.values(), FOLLOW_UPS, TOGETHER) for handler in handlers
}
