"""Several bills are signed at once, and before all of it is decided something happens to one of them, to what they are
paid under, or to their customer.

Whatever it is and whenever it comes: all of the orders are begun, each once, or none of them, and then it is said why
and which bill is to be looked at. What is begun and has to give way is ended by the work that follows, by itself.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence

import pytest
from sqlalchemy import Engine, func, select

from app import invariants
from app.db.events import EventRow
from app.db.work import WorkRow
from app.journey.consents.access import locked
from app.journey.consents.step import take_back as take_back_consent
from app.journey.decisions.models import Decision
from app.journey.payments.models import Payment
from app.journey.payments.states import CLOSED
from app.people.models import Customer
from connectors.contract import Submitted
from consent.states import ConsentSource
from tests.conftest import Clock
from tests.functional.test_connection_races import at_once
from tests.support.thorough import spread, thorough
from tests.unit.app.journey.corrections.test_correction_races import Act, credit, take_back
from tests.unit.app.journey.corrections.test_correction_service import APPLY, send
from tests.unit.app.journey.decisions.bundles import Bundle, decisions
from tests.unit.app.journey.decisions.test_bundle_races import StandingRounds
from tests.unit.app.journey.decisions.test_decision_service import passkey_of
from tests.unit.app.journey.decisions.test_stop_races import stop
from tests.unit.app.journey.decisions.test_suspension_waits import freeze, suspend
from tests.unit.app.journey.decisions.test_twin_races import on_postgres
from tests.unit.app.journey.house import ACCEPTED, DEBITED, REJECTED, House
from tests.unit.app.journey.standing_house import StandingHouse

BILLS = ("inv_1", "inv_2")
#: by which what has to give way is looked at, in this order
AFTERWARDS = (
    *("payments.look_at_customer", "payments.look_at_account", "payments.look_at_consent"),
    *("payments.initiate", "payments.reconsider"),
)


def nothing(_: StandingHouse) -> None:
    pass


def deliver_version(house: StandingHouse) -> None:
    send(house, "1-B", amount="150.00", replaces="1")


def open_version(house: House) -> None:
    house.run(APPLY)


def fail_before(house: StandingHouse) -> None:
    """A payment of the first bill, which the bank called rejected."""
    house.decide("pay_0", invoice_id="inv_1", consent_id=house.consent_id)
    house.run("payments.initiate")
    house.go_on("pay_0", submit=Submitted(bank_payment_id="paid-0", status=REJECTED))
    house.clock.tick(seconds=3600)


def told_executed(house: House) -> None:
    assert isinstance(house, StandingHouse)
    house.go_on("pay_0", status=DEBITED)


def told_accepted(house: House) -> None:
    assert isinstance(house, StandingHouse)
    house.go_on("pay_0", status=ACCEPTED)


def end_consent(house: House) -> None:
    assert isinstance(house, StandingHouse)
    with house.begin() as uow:
        _, standing = locked(uow.session, house.consent_id)
        take_back_consent(uow, standing, source=ConsentSource.CUSTOMER, evidence="a test")
        uow.commit()


@dataclasses.dataclass(frozen=True)
class Meanwhile:
    """Something else that happens, and what the bundle is told that comes after it."""

    act: Act
    told: str
    or_told: str | None = None  #: where it waited for this, with its challenge in hand
    about: str | None = "inv_1"
    before: Callable[[StandingHouse], None] = nothing  #: what is there when the bills are signed
    #: which of the payments end by it, where it comes once they are decided and before anything is sent
    ends: Sequence[str] = ("inv_1",)


MEANWHILE: Mapping[str, Meanwhile] = {
    "a credit note": Meanwhile(credit, "order-changed"),
    "a new version": Meanwhile(open_version, "already-in-payment", before=deliver_version),
    "a withdrawal": Meanwhile(take_back, "already-in-payment"),
    "the biller is suspended": Meanwhile(suspend, "account-held", ends=BILLS),
    "its account is frozen": Meanwhile(freeze, "account-held", ends=BILLS),
    "an earlier payment was executed": Meanwhile(told_executed, "already-in-payment", before=fail_before),
    "an earlier payment was accepted": Meanwhile(told_accepted, "already-in-payment", before=fail_before),
    "all is stopped": Meanwhile(stop, "ceremony-over", or_told="stopped-all", about=None, ends=BILLS),
    "the consent is taken back": Meanwhile(end_consent, "not-covered", ends=BILLS),
}


@pytest.fixture
def rounds(engine: Engine, clock: Clock, customer: Customer, every: int) -> StandingRounds:
    return StandingRounds(engine, clock, customer, every)


@pytest.fixture
def house(engine: Engine, customer: Customer, clock: Clock) -> StandingHouse:
    return StandingHouse(engine, clock, customer)


def signed(house: StandingHouse, meanwhile: Meanwhile) -> Bundle:
    for number in ("1", "2"):
        house.bill(number)
    meanwhile.before(house)
    return Bundle.signed(house, passkey_of(house, house.customer), *BILLS)


def in_order(house: StandingHouse) -> None:
    assert [str(each) for each in invariants.check(house.engine, now=house.clock(), late=False)] == []


def looked_at(house: StandingHouse) -> None:
    """All work that follows is done, and what that asks for."""
    for handler in AFTERWARDS:
        with house.services.reading() as uow:
            due = len(uow.session.scalars(select(WorkRow.key).where(WorkRow.handler == handler)).all())
        for _ in range(due):
            run_one(house, handler)


def run_one(house: StandingHouse, handler: str) -> None:
    """One of several pieces of work of this handler."""
    with house.begin() as uow:
        rows = uow.session.scalars(select(WorkRow).where(WorkRow.handler == handler).order_by(WorkRow.key)).all()
        for number, row in enumerate(rows):
            row.run_at = uow.now if number == 0 else uow.now.replace(year=uow.now.year + 1)
        uow.commit()
    house.run(handler)


def ended(house: StandingHouse, bundle: Bundle) -> set[str]:
    """Nothing is broken, now and once all work is done; each order of the bundle was begun once, or none of them was.
    Returns the bills of those that gave way."""
    in_order(house)
    is_whole = bundle.is_whole()
    looked_at(house)
    in_order(house)
    with house.services.reading() as uow:
        begun = uow.session.scalars(select(Decision).where(Decision.payment_id != "pay_0")).all()
        told = uow.session.scalars(select(EventRow.payload).where(EventRow.kind == "PaymentDecided")).all()
        payments = {each.id: each for each in uow.session.scalars(select(Payment).where(Payment.id != "pay_0"))}
    assert sorted(each.invoice_id for each in begun) == (list(BILLS) if is_whole else [])
    ids = sorted(each.payment_id for each in begun)
    assert sorted(each["payment_id"] for each in told if each["payment_id"] != "pay_0") == ids
    assert sorted(payments) == ids
    return {each.invoice_id for each in payments.values() if each.state in CLOSED}


# ------------------------------------------------------------------------------------------ before it is sent, or after


@pytest.mark.parametrize("what", MEANWHILE)
def test_before_it_is_sent_nothing_is_begun_and_it_is_said_why(house: StandingHouse, what: str) -> None:
    meanwhile = MEANWHILE[what]
    bundle = signed(house, meanwhile)
    meanwhile.act(house)
    bundle.send()
    assert (bundle.told, bundle.about) == (meanwhile.told, meanwhile.about)
    assert ended(house, bundle) == set()


@pytest.mark.parametrize("what", MEANWHILE)
def test_once_it_is_decided_each_of_them_gives_way_by_itself(house: StandingHouse, what: str) -> None:
    meanwhile = MEANWHILE[what]
    bundle = signed(house, meanwhile)
    bundle.send()
    meanwhile.act(house)
    assert bundle.told is None
    assert ended(house, bundle) == set(meanwhile.ends)


# -------------------------------------------------------------------------------------------------- at the same moment

BOTH_WAYS = [(what, is_first) for what in MEANWHILE for is_first in (True, False)]


@on_postgres
@pytest.mark.parametrize(("what", "bundle_first"), spread(BOTH_WAYS, every=6, first=1))
def test_at_every_moment_of_each_other(rounds: StandingRounds, what: str, bundle_first: bool) -> None:
    meanwhile = MEANWHILE[what]
    laid: list[Bundle] = []

    def prepare(house: House) -> None:
        assert isinstance(house, StandingHouse)
        laid[:] = [signed(house, meanwhile)]

    def send_it(_: House) -> None:
        laid[0].send()

    acts = (send_it, meanwhile.act) if bundle_first else (meanwhile.act, send_it)
    for house in rounds.moments(prepare, *acts):
        assert isinstance(house, StandingHouse)
        [bundle] = laid
        gave_way = ended(house, bundle)
        if bundle.told is None:
            assert gave_way == set(meanwhile.ends)
        else:
            assert bundle.told in (meanwhile.told, meanwhile.or_told)
            assert bundle.about == meanwhile.about


# ----------------------------------------------------------------------------------------------- the same list, twice


def two_tabs(house: StandingHouse) -> list[Bundle]:
    """The same list, prepared and signed in two tabs at once."""
    for number in ("1", "2"):
        house.bill(number)
    devices = [passkey_of(house, house.customer) for _ in range(2)]
    made: list[Bundle] = []
    prepare = [lambda device=each: made.append(Bundle.signed(house, device, *BILLS)) for each in devices]
    assert at_once(*prepare) == []
    return made


def one_of(house: StandingHouse, tabs: Sequence[Bundle], told: str, about: str | None) -> None:
    [refused] = [each for each in tabs if each.told]
    assert (refused.told, refused.about) == (told, about)
    assert decisions(house) == len(BILLS)
    [taken] = [each for each in tabs if not each.told]
    assert ended(house, taken) == set()


def fresh_rounds(rounds: StandingRounds) -> Iterator[StandingHouse]:
    for _ in range(thorough(1, 12)):
        yield rounds.fresh()


def test_the_same_list_signed_in_two_tabs_is_taken_once(rounds: StandingRounds) -> None:
    for house in fresh_rounds(rounds):
        tabs = two_tabs(house)
        assert at_once(*(each.send for each in tabs)) == []
        one_of(house, tabs, "already-in-payment", "inv_1")


def test_one_signature_sent_twice_is_taken_once(rounds: StandingRounds) -> None:
    """A double click, or a form that is sent again while the first answer is on its way."""
    for house in fresh_rounds(rounds):
        [once, _] = two_tabs(house)
        twice = dataclasses.replace(once)
        assert at_once(once.send, twice.send) == []
        one_of(house, [once, twice], "ceremony-over", None)


@on_postgres
@pytest.mark.long
@pytest.mark.parametrize("is_same", [False, True])
def test_the_same_list_at_every_moment_of_the_other_tab(rounds: StandingRounds, is_same: bool) -> None:
    tabs: list[Bundle] = []

    def prepare(house: House) -> None:
        assert isinstance(house, StandingHouse)
        first, second = two_tabs(house)
        tabs[:] = [first, dataclasses.replace(first) if is_same else second]

    told = ("ceremony-over", None) if is_same else ("already-in-payment", "inv_1")
    for house in rounds.moments(prepare, lambda _: tabs[0].send(), lambda _: tabs[1].send()):
        assert isinstance(house, StandingHouse)
        one_of(house, tabs, *told)


def test_what_was_signed_is_taken_after_the_same_list_was_prepared_anew(house: StandingHouse) -> None:
    """Who opened the page once more and did not sign there has changed nothing."""
    first, _ = two_tabs(house)
    first.send()
    assert first.told is None
    assert ended(house, first) == set()
    with house.services.reading() as uow:
        assert uow.session.scalar(select(func.count()).select_from(Payment)) == len(BILLS)
