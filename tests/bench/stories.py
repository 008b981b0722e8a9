"""Payments of every kind, lived through the doors once, so that their rows are what the service really writes.

A large database is made of copies of them (copies.py), and each invariant is broken in one of them
(tests/unit/app/test_invariants.py): neither has to know how a history, a posting or a message looks.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import logging
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

from sqlalchemy import event, select

from app.audit.sequencer import number_waiting
from app.db.engine import make_engine
from app.db.migrate import upgrade
from app.factory import create_app
from app.journey.answers import service as answers
from app.journey.answers.rules import Instalment, Policy
from app.journey.answers.service import Said
from app.journey.answers.states import AnswerKind
from app.journey.corrections.replies import reply
from app.journey.corrections.service import withdraw
from app.journey.invoices.models import Invoice
from app.journey.payments.looks import work_key
from app.journey.plans import service as plans
from app.journey.plans.rules import PlannedDay
from app.journey.reconciliation.service import import_statement
from app.journey.webhooks.service import add_endpoint
from app.keys.installation import Keys
from app.people.sessions import SignedIn
from app.schedule import Schedule
from app.tables import metadata
from app.tasks import run_now
from app.worker import Worker
from connectors.sandbox_bank.context import EXTENSION as BANK
from tests.conftest import Clock
from tests.support import own_bills
from tests.support.camt import Line, camt
from tests.support.installation import make_bank, make_services, make_settings
from tests.support.journey import Journey
from tests.support.pictures import IBAN, epc_text
from tests.support.wsgi_adapter import WSGIAdapter

#: table → its rows, column by column, as SQLAlchemy gives them
Rows = dict[str, list[dict[str, Any]]]

Story = Callable[[Journey], None]

DAY_S = 24 * 3600.0
DAY = dt.timedelta(days=1)
EARLY = {"until": "2026-12-31", "discount": "4.20"}


@dataclass(frozen=True, slots=True)
class Lived:
    """All rows of an installation in which the stories happened, and the moment at which they stand so."""

    rows: Rows
    clock: Clock


def live(folder: Path, *, old: Sequence[Story], recent: Sequence[Story], open_: Sequence[Story]) -> Lived:
    """Live these stories in a new installation below ``folder`` and take its rows along."""
    clock = Clock()
    with _installation(folder, clock) as journey, _billers_listen():
        _tell(journey, old)
        _pass(journey, 7 * DAY_S)
        _tell(journey, recent)
        _pass(journey, 3 * 3600.0)
        _tell(journey, open_)
        number_waiting(journey.services)
        with journey.services.reading() as uow:
            rows = {
                table.name: [dict(row) for row in uow.session.execute(select(table)).mappings()]
                for table in metadata.sorted_tables
            }
    return Lived(rows, clock)


def _tell(journey: Journey, stories: Sequence[Story]) -> None:
    for story in stories:
        if journey.browser.get("/").status_code == 200:  # a session ends when nobody uses it for a while
            journey.browser.sign_in()
        story(journey)


def _pass(journey: Journey, seconds: float) -> None:
    """So much time goes by, and what comes due in it is done when it does, give or take a twentieth."""
    for _ in range(20):
        journey.wait(seconds / 20)


# --------------------------------------------------------------------------------------------------------- the stories


def _bill(journey: Journey, amount: str = "84.20", **changes: Any) -> str:
    """Its number must be another one in each copy: it looks like an id, so that it is renamed like one."""
    return journey.bill(number=f"2026-{uuid.uuid4().hex}", amount=amount, **changes)


def _pay(journey: Journey, invoice_id: str, *, decision: str = "approve") -> str:
    """From the account that has enough for all stories."""
    payment_id = journey.confirm(invoice_id)
    link = journey.browser.leave(payment_id)
    way_back = journey.at_bank(link, decision=decision, account="camille-savings")
    answer = journey.browser.come_back(way_back)
    assert answer.status_code == 303, answer.status_code
    return payment_id


def _paid(journey: Journey, amount: str = "84.20", **changes: Any) -> str:
    payment_id = _pay(journey, _bill(journey, amount, **changes))
    for seconds in (3, 6, 20, 60, 400):
        journey.wait(seconds)
    return payment_id


def _refused(journey: Journey, invoice_id: str | None = None) -> str:
    payment_id = _pay(journey, invoice_id or _bill(journey), decision="refuse")
    journey.wait(5)
    return payment_id


def _booked(journey: Journey, payment_id: str, **changes: Any) -> None:
    """The payee's bank has it on a statement."""
    payment = journey.payment(payment_id)
    line = Line(end_to_end_id=payment.end_to_end_id, amount=str(payment.amount), reference=f"R{uuid.uuid4().hex[:8]}")
    content = camt(Line(**{**_fields(line), **changes}), account=journey.biller.iban, message_id=uuid.uuid4().hex)
    import_statement(journey.services, content)
    journey.worker.run_until_idle()


def _fields(line: Line) -> dict[str, Any]:
    return {name: getattr(line, name) for name in Line.__dataclass_fields__}


def refused_by_the_bank(journey: Journey) -> None:
    journey.confirm(_bill(journey, "999.01"))


def never_got_there(journey: Journey) -> None:
    journey.confirm(_bill(journey, "999.03"))
    for _ in range(8):
        journey.wait(130)


def settled(journey: Journey) -> None:
    _paid(journey)


def settled_early(journey: Journey) -> None:
    _paid(journey, early_payment=EARLY)


def corrected(journey: Journey) -> None:
    """Bills that were corrected before and after they were paid, one that was taken back, one that was replaced, a
    credit without a bill."""
    before, after, back, owing = (_bill(journey, "100.00") for _ in range(4))
    journey.confirm(before)
    journey.wait(1)
    _credit(journey, before)
    _pay(journey, before)
    _pay(journey, after)
    for seconds in (3, 6, 20):
        journey.wait(seconds)
    _credit(journey, after)
    _credit(journey, owing, amount="100.00")
    with journey.services.unit_of_work() as uow:
        bill_id = uow.session.get_one(Invoice, back).delivery.bill_id
        withdraw(uow, biller_id=journey.biller.id, bill_id=bill_id, reason="It was not ours.")
        uow.commit()
    replaced = journey.invoice(_bill(journey, "100.00")).number
    journey.deliver(number=f"2026-{uuid.uuid4().hex}", replaces=replaced, amount="90.00")
    number = f"C-{uuid.uuid4().hex}"
    journey.deliver(number=number, kind="credit_note", corrects=f"2026-{uuid.uuid4().hex}", amount="5.00")
    journey.worker.run_until_idle()


def not_paid_here(journey: Journey) -> None:
    """Bills that their biller collects, one of them credited and one taken back, and one to an account without IBAN."""
    collected: dict[str, Any] = {"payee": None, "means": "direct_debit", "mandate": "M-1"}
    _bill(journey, **collected)
    _credit(journey, _bill(journey, **collected))
    _credit(journey, _bill(journey, payee=None, means="card"), amount="84.20")
    _bill(journey, payee={"iban": None, "account": "5050-1055"}, currency="SEK")


def answered(journey: Journey) -> None:
    """Bills of which their customer says something else, in every state that this can be in."""
    due = {"due_on": f"{journey.clock.now + dt.timedelta(days=9):%Y-%m-%d}"}
    until = (journey.clock.now + dt.timedelta(days=30)).date()
    taken_back = _bill(journey)
    declined = Said(kind=AnswerKind.DECLINED, reason="not_ordered")
    with journey.services.unit_of_work() as uow:
        answers.publish_policy(uow, biller_id=journey.biller.id, policy=Policy(more_time_days=5))
        uow.commit()
    with journey.services.unit_of_work() as uow:
        one = answers.say(uow, signed_in=_signed_in(journey), invoice_id=taken_back, said=declined)
        answers.take_back(uow, signed_in=_signed_in(journey), answer_id=one.id)
        uow.commit()
    journey.wait(120)
    _pay(journey, taken_back)
    journey.wait(3)
    _say(journey, taken_back, Said(kind=AnswerKind.DISPUTED, reason="not_received"))
    _say(journey, _bill(journey, **due), Said(kind=AnswerKind.MORE_TIME, until=until))
    _say(journey, _bill(journey), declined)
    for bill, said, accepts in (
        (_bill(journey), Said(kind=AnswerKind.PAID_ELSEWHERE), True),
        (_bill(journey, **due), Said(kind=AnswerKind.MORE_TIME, until=until), True),
        (_bill(journey), declined, False),
    ):
        answer_id = _say(journey, bill, said)
        reply(journey.services, biller_id=journey.biller.id, answer_id=answer_id, accepts=accepts, words="We looked.")
    journey.worker.run_until_idle()


def planned(journey: Journey) -> None:
    """A day that is kept, one that is missed, a plan that stands, and one that was dropped."""
    tomorrow = journey.clock.now.date() + DAY
    kept, missed, stands, dropped = (_bill(journey) for _ in range(4))
    _plan(journey, kept, PlannedDay(tomorrow, 20_00), PlannedDay(tomorrow + 3 * DAY))
    _plan(journey, missed, PlannedDay(tomorrow))
    _plan(journey, stands, PlannedDay(tomorrow, 20_00), PlannedDay(tomorrow + 60 * DAY))
    plan_id = _plan(journey, dropped, PlannedDay(tomorrow))
    with journey.services.unit_of_work() as uow:
        plans.withdraw(uow, signed_in=_signed_in(journey), plan_id=plan_id)
        uow.commit()
    _pay(journey, kept)
    for _ in range(3):
        journey.wait(DAY_S)
        plans.look_at_days(journey.services)
    journey.worker.run_until_idle()


def agreed(journey: Journey) -> None:
    """Instalments that wait for a reply, and some to which the company has said yes."""
    due_on = journey.clock.now.date() + 9 * DAY
    parts = [Instalment(due_on + 30 * DAY, 20_00), Instalment(due_on + 60 * DAY)]
    said = Said(kind=AnswerKind.INSTALMENTS, instalments=parts)
    _, answer_id = (_say(journey, _bill(journey, due_on=due_on.isoformat()), said) for _ in range(2))
    reply(journey.services, biller_id=journey.biller.id, answer_id=answer_id, accepts=True, words="")
    journey.worker.run_until_idle()


def _plan(journey: Journey, invoice_id: str, *days: PlannedDay) -> str:
    with journey.services.unit_of_work() as uow:
        plan = plans.make(uow, signed_in=_signed_in(journey), invoice_id=invoice_id, days=days)
        uow.commit()
        return plan.id


def _say(journey: Journey, invoice_id: str, said: Said) -> str:
    with journey.services.unit_of_work() as uow:
        answer = answers.say(uow, signed_in=_signed_in(journey), invoice_id=invoice_id, said=said)
        uow.commit()
        return answer.id


def _signed_in(journey: Journey) -> SignedIn:
    return SignedIn(journey.customer, "ses_1", read_only=False)


def _credit(journey: Journey, invoice_id: str, *, amount: str = "30.00") -> None:
    number = journey.invoice(invoice_id).number
    journey.deliver(number=f"C-{uuid.uuid4().hex}", kind="credit_note", corrects=number, amount=amount)
    journey.worker.run_until_idle()


def credited(journey: Journey) -> None:
    _paid(journey, "999.14")


def settled_and_booked(journey: Journey) -> None:
    _booked(journey, _paid(journey))


def settled_and_taken_back(journey: Journey) -> None:
    payment_id = _paid(journey, "1003.33", early_payment=EARLY)  # 999.13 after the discount
    for seconds in (3700, 400):  # it is not believed at once
        journey.wait(seconds)
    assert journey.payment(payment_id).state == "reversed"


def no_funds(journey: Journey) -> None:
    _paid(journey, "999.05")


def rejected_late(journey: Journey) -> None:
    _paid(journey, "999.06")


def unknown_for_a_while(journey: Journey) -> None:
    _paid(journey, "999.08")


def refused_by_the_customer(journey: Journey) -> None:
    _refused(journey)


def stopped(journey: Journey) -> None:
    payment_id = journey.confirm(_bill(journey))
    token = journey.browser.token(f"/payments/{payment_id}/leave")
    answer = journey.browser.post(f"/payments/{payment_id}/cancel", token=token, form={})
    assert answer.status_code == 303, answer.status_code
    journey.worker.run_until_idle()
    assert journey.payment(payment_id).state == "cancelled"


def never_left(journey: Journey) -> None:
    journey.confirm(_bill(journey))
    journey.wait(3600)


def never_came_back(journey: Journey) -> None:
    journey.browser.leave(journey.confirm(_bill(journey)))
    _pass(journey, 3600)


def paid_after_all(journey: Journey) -> None:
    """What was closed as refused turns up on a statement."""
    payment_id = _refused(journey)
    _booked(journey, payment_id)
    assert journey.payment(payment_id).state == "settled"


def paid_twice(journey: Journey) -> None:
    """The same when the bill was paid by another payment meanwhile: the biller owes it."""
    invoice_id = _bill(journey)
    payment_id = _refused(journey, invoice_id)
    _pay(journey, invoice_id)
    journey.wait(10)
    _booked(journey, payment_id)
    assert journey.payment(payment_id).state == "settled"


def paid_twice_and_taken_back(journey: Journey) -> None:
    invoice_id = _bill(journey)
    payment_id = _refused(journey, invoice_id)
    _pay(journey, invoice_id)
    journey.wait(10)
    _booked(journey, payment_id)
    _booked(journey, payment_id, reversal=True, indicator="DBIT")
    assert journey.payment(payment_id).state == "reversed"


def not_paid_yet(journey: Journey) -> None:
    _bill(journey)


def not_paid_yet_early(journey: Journey) -> None:
    _bill(journey, early_payment=EARLY)


def added_by_its_customer(journey: Journey) -> None:
    """Nobody delivered it, and nobody has verified it. Its reference looks like an id, or all copies were twins."""
    own_bills.add(journey.browser, epc_text(reference=uuid.uuid4().hex))
    begun = own_bills.add(journey.browser, epc_text(amount="EUR12.00", reference=uuid.uuid4().hex), number="R-2")
    assert own_bills.check_payee(journey.browser, begun, typed=IBAN).status_code == 303
    journey.browser.leave(journey.confirm(begun))


def just_delivered(journey: Journey) -> None:
    journey.deliver(number=f"2026-{uuid.uuid4().hex}")


def just_decided(journey: Journey) -> None:
    invoice_id = _bill(journey)
    with mock.patch("app.web.customers.decide.run_now", return_value=False):
        journey.confirm(invoice_id)


def being_initiated(journey: Journey) -> None:
    payment_id = journey.confirm(_bill(journey, "999.02"))
    assert journey.payment(payment_id).state == "initiating"


def not_sent_to_the_bank_yet(journey: Journey) -> None:
    journey.confirm(_bill(journey))


def at_the_bank(journey: Journey) -> None:
    journey.browser.leave(journey.confirm(_bill(journey, early_payment=EARLY)))


def accepted(journey: Journey) -> None:
    payment_id = _pay(journey, _bill(journey, "999.07"))
    assert journey.payment(payment_id).state == "accepted"


def unknown(journey: Journey) -> None:
    payment_id = _pay(journey, _bill(journey, "999.08"))
    assert journey.payment(payment_id).state == "unknown"


def unwanted(journey: Journey) -> None:
    """Under way while another payment of the same bill turns out to be executed."""
    invoice_id = _bill(journey)
    payment_id = _refused(journey, invoice_id)
    journey.browser.leave(journey.confirm(invoice_id))
    _booked(journey, payment_id)
    assert journey.payment(payment_id).state == "settled"


def just_settled(journey: Journey) -> None:
    """The receipt is about to be issued, the biller about to be told. The last story: no worker may run after it."""
    payment_id = _pay(journey, _bill(journey))
    journey.clock.tick(seconds=2)
    assert run_now(journey.services, work_key(payment_id), deadline_s=10)
    assert journey.payment(payment_id).state == "settled"


#: over and done with: nothing of them is looked at any more
OLD: Sequence[Story] = (
    *[settled] * 8,
    *[settled_early] * 2,
    *[settled_and_booked] * 4,
    credited,
    settled_and_taken_back,
    refused_by_the_bank,
    never_got_there,
    no_funds,
    rejected_late,
    unknown_for_a_while,
    refused_by_the_customer,
    stopped,
    never_left,
    never_came_back,
    paid_after_all,
    paid_twice,
    paid_twice_and_taken_back,
    not_paid_yet,
)
#: a few hours old: the bank is asked again
RECENT: Sequence[Story] = (settled, settled, settled_early, settled_and_booked, credited, never_came_back, not_paid_yet)
OPEN: Sequence[Story] = (
    answered,
    planned,
    agreed,
    not_paid_yet,
    not_paid_yet_early,
    added_by_its_customer,
    accepted,
    at_the_bank,
    not_sent_to_the_bank_yet,
    unwanted,
    unknown,
    being_initiated,
    just_decided,
    just_settled,
    just_delivered,
)


# -------------------------------------------------------------------------------------------------- where they happen


@contextlib.contextmanager
def _billers_listen() -> Iterator[None]:
    """Every second message is taken at the first try; no test reaches another host."""
    answers: list[int | None] = []

    def post(*_: object, **__: object) -> int | None:
        answers.append(200 if len(answers) % 2 else 503)
        return answers[-1]

    quittance = logging.getLogger("quittance")
    level, quittance.level = quittance.level, logging.CRITICAL
    try:
        with mock.patch("app.journey.webhooks.delivery._post", post):
            yield
    finally:
        quittance.level = level


@contextlib.contextmanager
def _installation(folder: Path, clock: Clock) -> Iterator[Journey]:
    settings = make_settings(folder, database_url=f"sqlite:///{folder / 'lived.sqlite3'}")
    Keys.init(settings.keys)
    keys = Keys.load(settings.keys)
    engine = make_engine(settings.database_url)
    upgrade(engine)
    engine.dispose()
    bank = make_bank(folder / "bank.sqlite3", keys, clock=clock, sleep=_hang)
    wire = WSGIAdapter(bank)
    services = make_services(settings, keys, wire, clock=clock)
    event.listen(services.engine, "connect", lambda made, _: made.execute("PRAGMA synchronous=OFF"))
    app = create_app(services)
    app.testing = True
    journey = Journey.begin(
        app=app, services=services, worker=Worker(services, Schedule(services)), bank=bank, clock=clock, bank_wire=wire
    )
    with services.unit_of_work() as uow:
        add_endpoint(services, uow, biller_id=journey.biller.id, url="https://biller.example/hooks")
        uow.commit()
    yield journey
    services.engine.dispose()
    bank.extensions[BANK].store.close()


def _hang(_: float) -> None:
    raise TimeoutError
