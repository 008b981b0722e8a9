"""The account to which a refund is to go, where its customer wants another one than it was paid from.

A company gets no account of a customer otherwise. One is released for one refund, with a passkey, since whoever can
name an account has the money sent there; it is whole in the vault alone, and leaves it by the company's own question.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from app.audit import entries
from app.audit.kinds import Kind
from app.db.events import Event
from app.db.unit_of_work import UnitOfWork
from app.errors import Conflict, Invalid
from app.journey.refunds.access import account_of, refund_of_biller, refund_of_customer
from app.journey.refunds.models import Refund, RefundAccount
from app.journey.refunds.rules import ACCOUNT_KEPT, ACCOUNTS_MOST, TYPED_KEPT, IbanFault, checked_iban, erased_at
from app.journey.refunds.states import ACCOUNT, WANTS_ACCOUNT, AccountState, AccountStep, RefundState
from app.journey.refunds.step import write_down
from app.people import passkeys, stops
from app.people.biller_states import BillerState
from app.people.billers import locked_to_read
from app.people.events import CustomerStopped
from app.people.passkeys import RelyingParty, Started
from app.people.sessions import SignedIn
from app.services import Services
from consent.base import new_id
from consent.models import Sealed
from consent.vault import VaultError

PURPOSE = "refund"
SHOWN = 4
#: in one transaction
OVER_AT_ONCE = 200


class NotAnIban(Invalid):
    """What was typed is no account number. What it was stands in no message."""

    def __init__(self, fault: IbanFault) -> None:
        super().__init__("iban", "This is not an IBAN.")
        self.fault = fault


def row_of(account_id: str) -> str:
    return f"refund:{account_id}"


# ------------------------------------------------------------------------------------------------- what a customer does


def type_in(services: Services, *, signed_in: SignedIn, refund_id: str, typed: str) -> None:
    """Keep the number for the page that shows who would see it; nobody else does until it is released. What was typed
    before is forgotten. Raises NotFound, NotAllowed, NotAnIban, and Conflict where none is wanted now."""
    iban = checked_iban(typed)
    if isinstance(iban, IbanFault):
        raise NotAnIban(iban)
    with services.unit_of_work() as uow:
        refund = _wanted(uow, signed_in=signed_in, refund_id=refund_id)
        _forget_typed(uow.session, refund.id)
        released = select(RefundAccount.id).where(RefundAccount.refund_id == refund.id).limit(ACCOUNTS_MOST)
        if len(uow.session.scalars(released).all()) >= ACCOUNTS_MOST:
            raise Conflict("accounts-most", "Too many accounts were released for this refund. Talk to the company.")
        account = RefundAccount(
            id=new_id("rfa"),
            refund_id=refund.id,
            state=AccountState.TYPED,
            mask=f"····{iban[-SHOWN:]}",
            typed_at=uow.now,
            erase_at=uow.now + TYPED_KEPT,
        )
        uow.session.add(account)
        uow.session.flush()
        services.vault.put(uow.session, row_of(account.id), iban, now=uow.now, expires_at=account.erase_at)
        uow.commit()


def start_release(
    uow: UnitOfWork, *, signed_in: SignedIn, refund_id: str, party: RelyingParty, shown: object
) -> Started:
    """Ask for a passkey of theirs, over this very account. ``shown`` is the id of the one on their page: what somebody
    who found their space open typed since is not what they mean. Raises NotFound, NotAllowed, Conflict."""
    refund = _wanted(uow, signed_in=signed_in, refund_id=refund_id)
    account = account_of(uow.session, refund.id, AccountState.TYPED)
    if account is None or account.id != shown or account.erase_at <= uow.now:
        raise _not_typed()
    return passkeys.start_approval(
        uow, party=party, customer_id=refund.customer_id, purpose=PURPOSE, data={"account": account.id}
    )


def release(
    services: Services,
    *,
    signed_in: SignedIn,
    refund_id: str,
    party: RelyingParty,
    ceremony: object,
    credential: dict[str, Any],
) -> None:
    """From now on this company can read it, for this refund. Raises NotFound, NotAllowed, Invalid, Conflict."""
    with services.unit_of_work() as uow:
        signed_in.check_acts()
        customer_id = signed_in.customer.id
        taken = passkeys.take(uow, token=ceremony, purpose=PURPOSE, customer_id=customer_id)
        refund = _wanted(uow, signed_in=signed_in, refund_id=refund_id)
        account = account_of(uow.session, refund.id, AccountState.TYPED)
        if account is None or account.id != taken.data["account"] or account.erase_at <= uow.now:
            raise _not_typed()
        _, evidence = passkeys.verify(uow, party=party, ceremony=taken, credential=credential, customer_id=customer_id)
        account.state = ACCOUNT.next(AccountState(account.state), AccountStep.RELEASE)
        account.released_at, account.evidence = uow.now, evidence
        account.erase_at = erased_at(uow.now, promised_by=refund.promised_by)
        uow.session.get_one(Sealed, row_of(account.id)).expires_at = None  # it goes with the account
        uow.session.flush()
        entries.write(uow, Kind.REFUND_ACCOUNT, account)
        write_down(uow, refund, AccountStep.RELEASE, before=refund.state)
        uow.commit()


def take_back(uow: UnitOfWork, *, signed_in: SignedIn, refund_id: str) -> Refund:
    """At once nobody reads it any more. Said again it is the same. Raises NotFound, NotAllowed."""
    signed_in.check_acts()
    refund = refund_of_customer(uow.session, refund_id=refund_id, customer_id=signed_in.customer.id, lock=True)
    _end(uow, refund, AccountStep.TAKE_BACK, told=True)
    _forget_typed(uow.session, refund.id)
    return refund


def take_back_at_once(uow: UnitOfWork, events: Sequence[Event]) -> None:
    """CustomerStopped: whoever was here in their place may have named an account of their own."""
    customers = [event.customer_id for event in events if isinstance(event, CustomerStopped)]
    of_them = (
        select(Refund)
        .join(RefundAccount, RefundAccount.refund_id == Refund.id)
        .where(
            Refund.customer_id.in_(customers),
            RefundAccount.state.in_((AccountState.TYPED, AccountState.RELEASED)),
        )
        .order_by(Refund.id)
        .with_for_update(of=Refund)
        .execution_options(populate_existing=True)
    )
    for refund in uow.session.scalars(of_them).unique().all():
        _end(uow, refund, AccountStep.TAKE_BACK, told=True)
        _forget_typed(uow.session, refund.id)


# ------------------------------------------------------------------------------------------------ what its company does


def read(services: Services, *, biller_id: str, refund_id: str) -> str | None:
    """The number, for the company that owes the refund, while it is still to be sent; that it was read is written down
    before it is said. None: there is none, or it is not to be read now. Raises NotFound."""
    with services.reading() as uow:
        refund = refund_of_biller(uow.session, refund_id=refund_id, biller_id=biller_id)
        if refund.state not in WANTS_ACCOUNT or account_of(uow.session, refund.id, AccountState.RELEASED) is None:
            return None
    with services.unit_of_work() as uow:
        is_vetted = locked_to_read(uow.session, biller_id).state == BillerState.VETTED
        refund = refund_of_biller(uow.session, refund_id=refund_id, biller_id=biller_id, lock=True)
        account = account_of(uow.session, refund.id, AccountState.RELEASED)
        if not is_vetted or refund.state not in WANTS_ACCOUNT or account is None or account.erase_at <= uow.now:
            return None
        try:
            number = services.vault.get(uow.session, row_of(account.id))
        except VaultError:
            return None  # its key is gone: nobody can say what it was
        account.first_read_at, account.last_read_at = account.first_read_at or uow.now, uow.now
        uow.commit()
    return number


def was_read(session: Session, refund_id: str) -> bool:
    """Whether its company has read an account that was released for it."""
    read_one = (RefundAccount.refund_id == refund_id, RefundAccount.first_read_at.is_not(None))
    return session.scalar(select(RefundAccount.id).where(*read_one).limit(1)) is not None


# ------------------------------------------------------------------------------------------------------- how it ends


def erase(uow: UnitOfWork, refund: Refund) -> None:
    """The refund has ended, and that tells it."""
    _end(uow, refund, AccountStep.ERASE, told=False)
    _forget_typed(uow.session, refund.id)


def keep_for_a_while(uow: UnitOfWork, refund: Refund) -> None:
    """The refund was sent: nobody reads it meanwhile, but it may have to be sent again."""
    account = account_of(uow.session, refund.id, AccountState.RELEASED)
    if account is not None:
        account.erase_at = uow.now + ACCOUNT_KEPT
    _forget_typed(uow.session, refund.id)


def erase_over(uow: UnitOfWork) -> None:
    """Those whose time is over."""
    over = (RefundAccount.erase_at <= uow.now, RefundAccount.state.in_((AccountState.TYPED, AccountState.RELEASED)))
    refunds = uow.session.scalars(
        select(Refund)
        .where(Refund.id.in_(select(RefundAccount.refund_id).where(*over)))
        .order_by(Refund.id)
        .limit(OVER_AT_ONCE)
        .with_for_update(skip_locked=True)
        .execution_options(populate_existing=True)
    ).all()
    for refund in refunds:
        released = account_of(uow.session, refund.id, AccountState.RELEASED)
        if released is not None and released.erase_at <= uow.now:
            _end(uow, refund, AccountStep.ERASE, told=True)
        typed = account_of(uow.session, refund.id, AccountState.TYPED)
        if typed is not None and typed.erase_at <= uow.now:
            _forget_typed(uow.session, refund.id)


def _end(uow: UnitOfWork, refund: Refund, step: AccountStep, *, told: bool) -> None:
    """Of the one that is released, if there is one: the number is gone in this very transaction."""
    account = account_of(uow.session, refund.id, AccountState.RELEASED)
    if account is None:
        return
    account.state, account.ended_at = ACCOUNT.next(AccountState(account.state), step), uow.now
    uow.session.flush()
    uow.session.execute(delete(Sealed).where(Sealed.id == row_of(account.id)))
    if told:
        write_down(uow, refund, step, before=refund.state)


def _forget_typed(session: Session, refund_id: str) -> None:
    """Nobody ever saw it: nothing of it stays."""
    account = account_of(session, refund_id, AccountState.TYPED)
    if account is not None:
        session.execute(delete(Sealed).where(Sealed.id == row_of(account.id)))
        session.delete(account)
        session.flush()


def _wanted(uow: UnitOfWork, *, signed_in: SignedIn, refund_id: str) -> Refund:
    """The refund, locked, of which an account may be released now. Raises NotFound, NotAllowed, Conflict."""
    signed_in.check_acts()
    customer_id = signed_in.customer.id
    found = refund_of_customer(uow.session, refund_id=refund_id, customer_id=customer_id)
    is_vetted = locked_to_read(uow.session, found.biller_id).state == BillerState.VETTED
    stops.hold_off(uow.session, customer_id)
    stops.must_not_stand(uow, customer_id)
    refund = refund_of_customer(uow.session, refund_id=refund_id, customer_id=customer_id, lock=True)
    if not is_vetted:
        raise Conflict("biller-not-vetted", "This company is suspended: it is told no account now.")
    if RefundState(refund.state) not in WANTS_ACCOUNT:
        raise Conflict("no-account-wanted", "The refund is not to be sent now, so the company needs no account.")
    if account_of(uow.session, refund.id, AccountState.RELEASED) is not None:
        raise Conflict("account-released", "An account is released already: take it back first.")
    return refund


def _not_typed() -> Conflict:
    return Conflict("no-account-typed", "No account waits to be released. Type it once more.")
