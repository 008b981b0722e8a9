"""What customers and billers can do about a connection, and what the worker does for them.

A customer names a biller, a biller names a connection that it knows of. Whoever wants to step one locks it first.
"""

from __future__ import annotations

import datetime as dt

from sqlalchemy import ColumnElement, func, select

from app.db.locks import lock_name
from app.db.unit_of_work import UnitOfWork
from app.errors import Conflict, FieldError, Invalid, NotFound, TooLate, TooMany
from app.journey.connections import leaks, rules
from app.journey.connections import step as steps
from app.journey.connections.access import biller_that_answers, connection_of_biller, must_be_vetted
from app.journey.connections.events import CodePresented
from app.journey.connections.models import Connection, ConnectionCode, ConnectionHistory, Redemption
from app.journey.connections.states import CONNECTION, OPEN, By, ConnectionState, ConnectionStep
from app.people.biller_states import BillerState
from app.people.customers import lock_customer
from app.people.models import Biller
from app.services import Services, Task
from consent.base import hash_of, new_id

#: offers that one sweep ends
LAPSE_MOST = 100

CODE, ADDRESS = "code", "address"

# ------------------------------------------------------------------------------------------------------- the customer


def ask(
    uow: UnitOfWork, *, customer_id: str, biller_id: str, reference: str | None, today: dt.date, space_domain: str
) -> Connection:
    """Ask a vetted biller to deliver here. ``reference`` is by what it knows its customer.

    Raises NotFound, Invalid, Conflict where nobody at the biller could answer.
    """
    biller_that_answers(uow.session, biller_id)
    wanted = rules.checked_reference(reference)
    if wanted is None:
        detail = "Write the reference by which the company knows you: it stands on its letters."
        raise Invalid("reference", detail, errors=(FieldError("/reference", detail),))
    connection = steps.made(uow, customer_id=customer_id, biller_id=biller_id, space_domain=space_domain)
    if _asked_today(uow, connection) >= rules.ASKS_A_DAY:
        raise Conflict("asked-too-often", "You asked this company several times today: try again tomorrow.")
    if connection.state == ConnectionState.ASKED and connection.reference != wanted:
        raise Conflict("asked-otherwise", "You have asked with another reference already: withdraw that request first.")
    if steps.take(uow, connection, ConnectionStep.ASK, by=By.CUSTOMER, reference=wanted):
        connection.expected_on = rules.expected_on(today, None)
    return connection


def _asked_today(uow: UnitOfWork, connection: Connection) -> int:
    """Somebody at the biller looks at each: who asks and withdraws again and again keeps them from the others."""
    steps_of_today = select(func.count()).where(
        ConnectionHistory.connection_id == connection.id,
        ConnectionHistory.step == ConnectionStep.ASK.name.lower(),
        ConnectionHistory.at > uow.now - dt.timedelta(days=1),
    )
    return uow.session.scalar(steps_of_today) or 0


def hand(uow: UnitOfWork, *, customer_id: str, biller_id: str, space_domain: str) -> Connection:
    """Have an address for this biller alone, to be handed over. Nothing arrives at it before the biller is accepted.

    Raises NotFound, Conflict where the biller could not come with it.
    """
    biller_that_answers(uow.session, biller_id)
    connection = steps.made(uow, customer_id=customer_id, biller_id=biller_id, space_domain=space_domain)
    steps.take(uow, connection, ConnectionStep.HAND, by=By.CUSTOMER)
    return connection


def accept(uow: UnitOfWork, *, customer_id: str, biller_id: str) -> None:
    """Let the biller that came deliver. Raises TooLate once its offer has run out, Conflict while it is suspended."""
    must_be_vetted(uow.session, biller_id)
    connection = _of_customer(uow, customer_id, biller_id)
    if connection.offered_until is not None and connection.offered_until <= uow.now:
        raise TooLate("offer-over", "The company's request has run out. It can come again with a new code.")
    steps.take(uow, connection, ConnectionStep.ACCEPT, by=By.CUSTOMER)


def change(uow: UnitOfWork, *, customer_id: str, biller_id: str, step: ConnectionStep) -> None:
    """Decline an offer; mute, unmute or leave; block or unblock."""
    steps.take(uow, _of_customer(uow, customer_id, biller_id), step, by=By.CUSTOMER)


def make_code(services: Services, uow: UnitOfWork, *, customer_id: str) -> str:
    """A code to hand to whom the customer likes: good once, for CODE_LIFE. Returns it without hyphens."""
    lock_customer(uow.session, customer_id)  # two windows would count the same
    good = select(func.count()).where(*_good(uow.now), ConnectionCode.customer_id == customer_id)
    if (uow.session.scalar(good) or 0) >= rules.CODES_MOST:
        raise Conflict("too-many-codes", f"{rules.CODES_MOST} codes are open already: withdraw one, or use it.")
    code = rules.new_code()
    row = ConnectionCode(
        id=new_id("cod"),
        customer_id=customer_id,
        code_hash=hash_of(code),
        made_at=uow.now,
        expires_at=uow.now + rules.CODE_LIFE,
    )
    uow.session.add(row)
    uow.session.flush()
    services.vault.put(uow.session, code_row(row.id), code, now=uow.now, expires_at=row.expires_at)
    return code


def withdraw_code(uow: UnitOfWork, *, customer_id: str, code_id: str) -> None:
    """It is good no longer. One that is used or run out stays what it is. Raises NotFound."""
    code = uow.session.get(ConnectionCode, code_id, with_for_update=True)
    if code is None or code.customer_id != customer_id:
        raise NotFound("code")
    if code.used_at is None and code.withdrawn_at is None:
        code.withdrawn_at = uow.now


def code_row(code_id: str) -> str:
    return f"code:{code_id}"


def connect(uow: UnitOfWork, *, customer_id: str, biller_id: str, space_domain: str) -> str:
    """Two who know each other from before are brought over by an operator. Returns the address; the same one again.

    Raises NotFound, and Conflict for a biller that is suspended.
    """
    connection = steps.made(uow, customer_id=customer_id, biller_id=biller_id, space_domain=space_domain)
    if ConnectionState(connection.state) is ConnectionState.NONE:
        must_be_vetted(uow.session, biller_id)
        steps.take(uow, connection, ConnectionStep.BRING_OVER, by=By.OPERATOR)
    return connection.address


# --------------------------------------------------------------------------------------------------------- the biller


def present(
    services: Services, *, biller_id: str, code: str | None, address: str | None, reference: str | None
) -> Redemption:
    """Come with a code or an address that a customer handed over. Raises Invalid for what is neither, TooMany,
    and Conflict for a biller that is suspended.

    It is written down alike, with the same work, whether anybody is behind it or not: a worker looks, and only a
    customer who accepts is ever told of.
    """
    if (code is None) == (address is None):
        detail = "Send either a code or an address."
        raise Invalid("code-or-address", detail, errors=(FieldError("", detail),))
    kind = CODE if code is not None else ADDRESS
    presented = hash_of(rules.checked_code(code)) if code is not None else rules.checked_address(address or "")
    wanted = rules.checked_reference(reference, field="customer_reference")
    with services.unit_of_work() as uow:
        _is_not_too_often(uow, biller_id)
        must_be_vetted(uow.session, biller_id)
        redemption = Redemption(
            id=new_id("rdm"),
            biller_id=biller_id,
            kind=kind,
            presented=presented,
            reference=wanted,
            presented_at=uow.now,
            expires_at=uow.now + rules.OFFER_LIFE,
        )
        uow.session.add(redemption)
        uow.session.flush()
        uow.record(CodePresented(redemption_id=redemption.id))
        uow.commit()
    return redemption


def _is_not_too_often(uow: UnitOfWork, biller_id: str) -> None:
    """Counted in the database, one program after the other: it holds across processes. Who does not guess never
    meets it."""
    lock_name(uow.session, f"redemptions:{biller_id}")
    hour = uow.now - dt.timedelta(hours=1)
    recent, oldest = uow.session.execute(
        select(func.count(), func.min(Redemption.presented_at)).where(
            Redemption.biller_id == biller_id, Redemption.presented_at > hour
        )
    ).one()
    presented, accepted = uow.session.execute(
        select(func.count(), func.count(Redemption.accepted_at)).where(
            Redemption.biller_id == biller_id, Redemption.presented_at > uow.now - rules.OFFER_LIFE
        )
    ).one()
    most = rules.redemptions_an_hour(accepted=accepted, unaccepted=presented - accepted)
    if recent >= most:
        detail = f"You may come with {most} codes and addresses in an hour: try again later."
        raise TooMany("too-many-redemptions", detail, retry_after=oldest - hour)


def check(
    services: Services, *, biller_id: str, connection_id: str, sequence: int, expected_on: dt.date | None
) -> None:
    """A request is being checked. Naming a day again changes the day. ``sequence``: as in `answer`."""
    with services.unit_of_work() as uow:
        connection = connection_of_biller(uow.session, connection_id=connection_id, biller_id=biller_id, lock=True)
        _is_the_request(connection, sequence)
        day = rules.expected_on(uow.now.date(), expected_on)
        steps.take(uow, connection, ConnectionStep.CHECK, by=By.BILLER)
        if expected_on is not None or connection.expected_on is None:
            connection.expected_on = day
        uow.commit()


def answer(services: Services, *, biller_id: str, connection_id: str, sequence: int, step: ConnectionStep) -> None:
    """Confirm or refuse a request. ``sequence`` is of the connection as the biller saw it. Repeats change nothing.

    Raises Conflict when it is about something else by now: another reference would be confirmed than the one seen; and
    of a confirmation while the biller is suspended.
    """
    with services.unit_of_work() as uow:
        if step is ConnectionStep.CONFIRM:
            must_be_vetted(uow.session, biller_id)
        connection = connection_of_biller(uow.session, connection_id=connection_id, biller_id=biller_id, lock=True)
        _is_the_request(connection, sequence)
        steps.take(uow, connection, step, by=By.BILLER)
        uow.commit()


def end(services: Services, *, biller_id: str, connection_id: str) -> None:
    """The biller ends it, whatever became of it meanwhile. Repeats change nothing."""
    with services.unit_of_work() as uow:
        connection = connection_of_biller(uow.session, connection_id=connection_id, biller_id=biller_id, lock=True)
        steps.take(uow, connection, ConnectionStep.END, by=By.BILLER)
        uow.commit()


def _is_the_request(connection: Connection, sequence: int) -> None:
    if not connection.told_anew <= sequence <= connection.told:
        detail = "Something has changed since you saw this connection: look at it again, and answer that."
        raise Conflict("connection-changed", detail)


# --------------------------------------------------------------------------------------------------------- the worker


def take_up(task: Task) -> None:
    """CodePresented: look who is behind it, and ask them. Where there is nobody to be asked, nothing more happens."""
    with task.services.unit_of_work() as uow:
        redemption = uow.session.get_one(Redemption, task.payload["redemption_id"], with_for_update=True)
        presented = redemption.presented
        if presented is not None:
            # an address or a code of somebody who has nothing to do with this biller is not kept
            redemption.taken_up_at, redemption.presented = uow.now, None
            if redemption.kind == CODE:
                _take_up_code(task.services, uow, redemption, presented)
            else:
                _take_up_address(uow, redemption, presented)
        task.finish(uow)
        uow.commit()


def _take_up_code(services: Services, uow: UnitOfWork, redemption: Redemption, presented: str) -> None:
    code = uow.session.scalar(
        select(ConnectionCode)
        .where(ConnectionCode.code_hash == presented)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    if code is None or code.withdrawn_at is not None:
        return
    if code.used_at is not None:
        _repeat(uow, redemption, first=uow.session.get_one(Redemption, code.redemption_id))
        return
    if code.expires_at <= redemption.presented_at:
        return
    connection = steps.made(
        uow,
        customer_id=code.customer_id,
        biller_id=redemption.biller_id,
        space_domain=services.settings.space_domain,
    )
    if _offer(uow, connection, redemption, ConnectionStep.PRESENT_CODE):
        code.used_at, code.redemption_id = uow.now, redemption.id


def _repeat(uow: UnitOfWork, redemption: Redemption, *, first: Redemption) -> None:
    """A program that lost our answer comes with the same code again: it is told the same of both."""
    if first.biller_id != redemption.biller_id or not _is_about(redemption, first.reference):
        return
    if first.connection_id is not None:
        # who accepts, declines or leaves at this moment waits for us, or we for them: then we see what they did
        uow.session.get_one(Connection, first.connection_id, with_for_update=True)
        uow.session.refresh(first)
    redemption.connection_id, redemption.accepted_at = first.connection_id, first.accepted_at
    uow.session.flush()


def _take_up_address(uow: UnitOfWork, redemption: Redemption, presented: str) -> None:
    connection = uow.session.scalar(select(Connection).where(Connection.address == presented))
    if connection is None:
        return
    if connection.biller_id != redemption.biller_id:
        leaks.note(uow, connection_id=connection.id, biller_id=redemption.biller_id, at=redemption.presented_at)
        return
    theirs = _of_customer(uow, connection.customer_id, redemption.biller_id)
    _offer(uow, theirs, redemption, ConnectionStep.PRESENT_ADDRESS)


def _offer(uow: UnitOfWork, connection: Connection, redemption: Redemption, step: ConnectionStep) -> bool:
    """Have the customer asked, if this biller may ask this customer now. False: it may not, and nothing shows it.

    Where an offer stands already, or they are connected, it is only taken for what that stands for: the customer says
    yes to a reference that they see, and to no other.
    """
    if uow.session.get_one(Biller, connection.biller_id).state != BillerState.VETTED:
        return False  # it was suspended after it had come
    state = ConnectionState(connection.state)
    if (state, step) in CONNECTION.ignored:
        agreed = connection.offered_reference if state is ConnectionState.OFFERED else connection.reference
        if not _is_about(redemption, agreed):
            return False
    elif not CONNECTION.allows(state, step):
        return False
    redemption.connection_id = connection.id
    uow.session.flush()
    steps.take(uow, connection, step, by=By.BILLER, reference=redemption.reference, until=redemption.expires_at)
    if connection.state in OPEN:
        redemption.accepted_at = uow.now  # they are connected: there is nothing to ask
    uow.session.flush()
    return True


def _is_about(redemption: Redemption, reference: str | None) -> bool:
    """One that names no reference is about whatever its customer is known by."""
    return redemption.reference in (None, reference)


def lapse_offers(uow: UnitOfWork) -> None:
    """Offers that nobody has answered in their time are over."""
    due = uow.session.scalars(
        select(Connection)
        .where(Connection.state == ConnectionState.OFFERED, Connection.offered_until <= uow.now)
        .order_by(Connection.id)
        .limit(LAPSE_MOST)
        .with_for_update(skip_locked=True)
    )
    for connection in due.all():
        steps.take(uow, connection, ConnectionStep.LAPSE, by=By.WORKER)


# ------------------------------------------------------------------------------------------------------------- common


def _of_customer(uow: UnitOfWork, customer_id: str, biller_id: str) -> Connection:
    """Locked. Raises NotFound."""
    connection = steps.locked(uow, customer_id=customer_id, biller_id=biller_id)
    if connection is None:
        raise NotFound("connection")
    return connection


def _good(at: dt.datetime) -> tuple[ColumnElement[bool], ...]:
    """What is true of codes that can be used."""
    return (
        ConnectionCode.used_at.is_(None),
        ConnectionCode.withdrawn_at.is_(None),
        ConnectionCode.expires_at > at,
    )
