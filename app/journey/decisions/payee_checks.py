"""What its customer must have done before a bill is paid that nobody verified, or that may be another one paid before.

They typed the account back from the bill, saw what the payee's bank says of the name, and confirmed the warning, with
one of its own where the account is somebody else's, or where the payee looks like a company of theirs that has other
accounts. Where the file itself speaks against it they said that they looked into that, and where another bill may be
the same one that they want to pay both. Each check is of one payee, account, amount and bank, good for half an hour and
for one decision: the signature covers it.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import re
import unicodedata
from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import and_, delete, exists, or_, select
from sqlalchemy.orm import Session

from app.db.unit_of_work import UnitOfWork
from app.errors import Conflict, NotFound
from app.journey.decisions.models import Decision, PayeeCheck, PayeeName
from app.journey.invoices.access import (
    already_in_payment,
    invoice_of_customer,
    lock_invoices,
    must_be_free,
    payee_of,
)
from app.journey.invoices.alike import Likeness, likeness
from app.journey.invoices.models import Invoice
from app.journey.invoices.own import doubts_of
from app.journey.invoices.states import InvoiceState
from app.journey.invoices.twins import Twin, twins
from app.people.sessions import SignedIn
from app.services import Services
from connectors.payee_name import NOT_POSSIBLE, SAID, NameAnswer, NameMatch
from connectors.profile import BankProfile
from consent.base import new_id

CHECK_LIFE = dt.timedelta(minutes=30)
#: which words of the page were confirmed: others are another version
WARNING = "own-bill-4"
#: an answer about a name is asked for anew after this
ANSWER_LIFE = dt.timedelta(minutes=30)
#: a customer waits for it
ASK_TIMEOUT_S = 5.0
#: each is good for one decision
_IS_USED = exists().where(Decision.payee_check_id == PayeeCheck.id)
#: of this very payee, account and amount; and of an invoice that nobody delivered all three things were done
_IS_OF_INVOICE = and_(
    PayeeCheck.invoice_id == Invoice.id,
    PayeeCheck.payee_name == Invoice.payee_name,
    PayeeCheck.payee_iban == Invoice.payee_iban,
    PayeeCheck.currency == Invoice.currency,
    PayeeCheck.amount_minor == Invoice.amount_minor - Invoice.credited_minor,
    or_(
        Invoice.bill_id.is_not(None),
        and_(
            PayeeCheck.typed_iban == Invoice.payee_iban,
            PayeeCheck.name_check.is_not(None),
            PayeeCheck.warning.is_not(None),
        ),
    ),
)
_BETWEEN = re.compile(r"[\s.\-\u2010-\u2015]")


class NotChecked(Exception):
    """Nothing was written. ``faults``: ``typed``, ``named``, ``called`` (of what looks like a company of theirs),
    ``warned``, ``doubted``, ``besides``, or ``changed`` since the page was shown."""

    def __init__(self, faults: tuple[str, ...]) -> None:
        super().__init__(", ".join(faults))
        self.faults = faults


@dataclass(frozen=True, slots=True, kw_only=True)
class Needed:
    """What is to be checked before this invoice is paid from this bank, and what is shown for that."""

    is_unverified: bool  #: nobody delivered it: account, name and warning
    name: NameAnswer | None  #: what its bank says of name and account; None: it is not to be checked
    likeness: Likeness | None
    doubts: tuple[str, ...]  #: what in its own file speaks against it (own_file.Reading)
    besides: tuple[Twin, ...]  #: bills that may be the same one, and would be paid as well

    @property
    def is_nothing(self) -> bool:
        return not self.is_unverified and not self.besides

    @property
    def is_misnamed(self) -> bool:
        """The payee's bank says that the account is somebody else's: a warning of its own, to be confirmed."""
        return self.name is not None and self.name.outcome is NameMatch.NO_MATCH

    @property
    def shown(self) -> str:
        """A hash of all that the page says of it: SHA-256, in hexadecimal."""
        said = [
            WARNING if self.is_unverified else "",
            [self.name.outcome, self.name.name or ""] if self.name else [],
            [self.likeness.biller_name, self.likeness.by_number] if self.likeness else [],
            self.doubts,
            sorted([each.id, "paid in part" if each.is_paid_in_part else each.state] for each in self.besides),
        ]
        return hashlib.sha256(json.dumps(said, ensure_ascii=False).encode()).hexdigest()


def ask_name(services: Services, *, signed_in: SignedIn, invoice_id: str) -> None:
    """Have the payee's name checked, before the page is shown that says what came of it. Raises NotFound.

    The bank is asked outside any transaction, and not for a demo visit: so what it said is kept for a while.
    """
    if signed_in.read_only or not services.payee_names.is_offered:
        return
    customer_id = signed_in.customer.id
    with services.reading() as uow:
        invoice = invoice_of_customer(uow.session, invoice_id=invoice_id, customer_id=customer_id)
        if invoice.is_delivered or invoice.state != InvoiceState.TO_PAY:
            return
        name, iban = payee_of(invoice)
        kept = _name_kept(uow.session, invoice)
        if kept is not None and kept.asked_at > uow.now - ANSWER_LIFE:
            return
    answer = services.payee_names.check(name=name, iban=iban, timeout_s=ASK_TIMEOUT_S)
    with services.unit_of_work() as uow:
        if uow.session.get(Invoice, invoice_id, with_for_update={"key_share": True}) is None:
            raise NotFound("bill")  # its customer removed it meanwhile
        row = uow.session.merge(PayeeName(invoice_id=invoice_id, payee_name=name, payee_iban=iban))
        if answer.outcome is not NameMatch.NOT_POSSIBLE or kept is None or kept.outcome not in SAID:
            row.outcome, row.name_found = answer.outcome, answer.name  # no answer takes nothing back
        row.asked_at = uow.now
        uow.commit()


def _name_kept(session: Session, invoice: Invoice) -> PayeeName | None:
    """What was said last of this very name and account."""
    kept = session.get(PayeeName, invoice.id)
    is_of_it = kept is not None and (kept.payee_name, kept.payee_iban) == (invoice.payee_name, invoice.payee_iban)
    return kept if is_of_it else None


def _name_of(session: Session, invoice: Invoice, *, now: dt.datetime) -> NameAnswer:
    """A match counts for a while. That it is somebody else's, or nearly, stands until something else is said."""
    kept = _name_kept(session, invoice)
    if kept is None or (kept.outcome not in SAID and kept.asked_at <= now - ANSWER_LIFE):
        return NOT_POSSIBLE
    return NameAnswer(NameMatch(kept.outcome), kept.name_found)


def needed(session: Session, invoice: Invoice, *, now: dt.datetime) -> Needed:
    """Of a delivered bill nothing, unless one that its customer added may be the same and was paid, or may be."""
    if invoice.is_delivered:
        besides = [each for each in twins(session, invoice_id=invoice.id) if each.is_taken]
        return Needed(is_unverified=False, name=None, likeness=None, doubts=(), besides=tuple(besides))
    besides = [each for each in twins(session, invoice_id=invoice.id) if each.is_taken or each.is_delivered]
    return Needed(
        is_unverified=True,
        name=_name_of(session, invoice, now=now),
        likeness=likeness(session, invoice_id=invoice.id, now=now),
        doubts=doubts_of(session, invoice_id=invoice.id),
        besides=tuple(besides),
    )


def record(
    uow: UnitOfWork,
    *,
    signed_in: SignedIn,
    invoice_id: str,
    bank: BankProfile,
    typed: str,
    named: bool,
    called: bool,
    warned: bool,
    doubted: bool,
    besides: bool,
    shown: str,
) -> None:
    """The customer did what was needed. ``shown``: of the page that they saw. Raises NotChecked, NotFound, Conflict."""
    signed_in.check_acts()
    customer_id = signed_in.customer.id
    invoice = invoice_of_customer(uow.session, invoice_id=invoice_id, customer_id=customer_id, lock=True)
    must_be_free(invoice)
    need = needed(uow.session, invoice, now=uow.now)
    wrong = {
        "changed": shown != need.shown,
        "typed": need.is_unverified and account_key(typed) != invoice.payee_iban,
        "named": need.is_misnamed and not named,
        "called": need.likeness is not None and not called,
        "warned": need.is_unverified and not warned,
        "doubted": bool(need.doubts) and not doubted,
        "besides": bool(need.besides) and not besides,
    }
    if any(wrong.values()):
        raise NotChecked(tuple(fault for fault, holds in wrong.items() if holds))
    before = (PayeeCheck.invoice_id == invoice.id, PayeeCheck.bank_id == bank.id, ~_IS_USED)
    uow.session.execute(delete(PayeeCheck).where(*before))
    uow.session.add(
        PayeeCheck(
            id=new_id("chk"),
            customer_id=customer_id,
            invoice_id=invoice.id,
            bank_id=bank.id,
            payee_name=invoice.payee_name,
            payee_iban=invoice.payee_iban,
            currency=invoice.currency,
            amount_minor=invoice.asked.minor,
            typed_iban=account_key(typed) if need.is_unverified else None,
            name_check=need.name.outcome if need.name else None,
            name_found=need.name.name if need.name else None,
            warning=WARNING if need.is_unverified else None,
            likeness=need.likeness.biller_name if need.likeness else None,
            doubts=list(need.doubts),
            besides=[each.id for each in need.besides],
            shown=need.shown,
            checked_at=uow.now,
        )
    )


def _standing(session: Session, invoice: Invoice, need: Needed, *, bank_id: str, now: dt.datetime) -> PayeeCheck | None:
    """The check with which it may be paid from this bank now: of exactly what is shown and asked now, used by none."""
    check = session.scalar(
        select(PayeeCheck)
        .join(Invoice, _IS_OF_INVOICE)
        .where(
            Invoice.id == invoice.id,
            PayeeCheck.bank_id == bank_id,
            PayeeCheck.checked_at > now - CHECK_LIFE,
            ~_IS_USED,
        )
        .order_by(PayeeCheck.id.desc())
        .limit(1)
    )
    return check if check is not None and check.shown == need.shown else None


def stands_behind(session: Session, decision: Decision) -> bool:
    """Whether there is a check behind this decision, of the very payee, account and amount of its invoice."""
    check = (
        select(PayeeCheck.id)
        .join(Invoice, _IS_OF_INVOICE)
        .where(
            PayeeCheck.id == decision.payee_check_id,
            Invoice.id == decision.invoice_id,
            Invoice.payee_iban == decision.payee_iban,
            PayeeCheck.amount_minor == decision.amount_minor,
        )
    )
    return session.scalar(check) is not None


def known_besides(session: Session, decision: Decision) -> list[str]:
    """The bills that may be the same, and that its customer wanted to pay as well: they were shown with it."""
    besides = session.scalar(select(PayeeCheck.besides).where(PayeeCheck.id == decision.payee_check_id))
    return besides or []


def state_of(uow: UnitOfWork, *, invoice_id: str, bank_id: str | None) -> tuple[Needed, PayeeCheck | None]:
    """What is needed, and the check that stands, for a page that has shown the bill to its customer already."""
    invoice = uow.session.get_one(Invoice, invoice_id)
    need = needed(uow.session, invoice, now=uow.now)
    return need, None if bank_id is None else _standing(uow.session, invoice, need, bank_id=bank_id, now=uow.now)


def must_stand(uow: UnitOfWork, invoice: Invoice, *, bank: BankProfile) -> PayeeCheck | None:
    """The check that is needed; None where none is. Raises Conflict where it is not there."""
    need = needed(uow.session, invoice, now=uow.now)
    if need.is_nothing:
        return None
    check = _standing(uow.session, invoice, need, bank_id=bank.id, now=uow.now)
    if check is None:
        must_be_free(invoice)
        raise Conflict("check-payee-first", "Check the payee of this bill first. Nothing was paid.")
    return check


def as_signed(check: PayeeCheck | None) -> dict[str, str]:
    """What the passkey signs of it, with the order."""
    if check is None:
        return {}
    return {
        "typed_iban": check.typed_iban or "",
        "name_check": check.name_check or "",
        "name_found": check.name_found or "",
        "warning": check.warning or "",
        "likeness": check.likeness or "",
        "doubts": " ".join(check.doubts),
        "besides": " ".join(check.besides),
        "shown": check.shown,
    }


def lock_with_twins(session: Session, invoices: Collection[Invoice]) -> None:
    """Nobody decides about these, nor about a bill that may be the same, takes one of them or takes something off it
    until this transaction ends.

    Of bills that replace each other only the last one is locked: no other can be decided on, and whoever locks two of
    them begins with the earlier one. So of several each must be free before any is locked: one that was replaced
    meanwhile could stand here beside its new version. Raises Conflict.
    """
    ids = {invoice.id for invoice in invoices}
    same = {each.id for invoice in invoices for each in twins(session, invoice_id=invoice.id) if each.is_last}
    if len(ids) > 1:
        states = dict(session.execute(select(Invoice.id, Invoice.state).where(Invoice.id.in_(ids))).all())
        for invoice in invoices:  # in the order in which they were signed: of several the first one is named
            if states[invoice.id] != InvoiceState.TO_PAY:
                taken = already_in_payment()
                taken.about = invoice.id
                raise taken
    lock_invoices(session, ids | same)


def account_key(typed: str) -> str:
    """What somebody typed, as accounts are compared: without spaces and hyphens, in large letters."""
    return _BETWEEN.sub("", unicodedata.normalize("NFKC", typed)).upper().removeprefix("IBAN").removeprefix(":")


def drop_stale(uow: UnitOfWork) -> None:
    """Checks with which nothing was decided, and nothing can be any more."""
    stale = delete(PayeeCheck).where(PayeeCheck.checked_at <= uow.now - CHECK_LIFE, ~_IS_USED)
    uow.session.execute(stale.execution_options(synchronize_session=False))
