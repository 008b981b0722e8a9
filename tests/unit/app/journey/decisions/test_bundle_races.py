"""Several bills that are signed at once, each moment of it against something else: two real transactions.

However they meet, all of a bundle is taken or nothing of it; no limit is exceeded; who comes second is told why, and of
which bill; and nobody waits for somebody who waits for them.
"""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest
from sqlalchemy import Engine, event, select

from app import invariants
from app.demo.authenticator import Authenticator
from app.journey.consents.access import locked
from app.journey.consents.step import take_back
from app.journey.invoices.models import Invoice
from app.journey.payments.access import locked as locked_payment
from app.journey.payments.reasons import Reason
from app.journey.payments.states import PaymentStep, Source
from app.journey.payments.step import correct, step
from app.people.models import Customer
from connectors.contract import Fact
from consent.models import ConsentUsage
from consent.states import ConsentSource
from tests.conftest import Clock
from tests.functional.test_connection_races import at_once
from tests.support.engines import empty
from tests.support.factories import agree_standing
from tests.unit.app.journey.corrections.test_correction_races import Act, Rounds
from tests.unit.app.journey.corrections.test_correction_service import APPLY
from tests.unit.app.journey.corrections.test_correction_service import send as send_correction
from tests.unit.app.journey.decisions.bundles import Bundle, agree, decisions
from tests.unit.app.journey.decisions.test_decision_service import passkey_of
from tests.unit.app.journey.decisions.test_stop_races import stop
from tests.unit.app.journey.decisions.test_twin_races import on_postgres
from tests.unit.app.journey.decisions.test_under_consent import send as send_one
from tests.unit.app.journey.decisions.test_under_consent import start as start_one
from tests.unit.app.journey.house import House
from tests.unit.app.journey.standing_house import FRAME, StandingHouse

#: why somebody is not let on
TOLD = {"already-in-payment", "not-covered", "order-changed", "stopped-all", "ceremony-over"}


class StandingRounds(Rounds):
    def fresh(self) -> StandingHouse:
        self.clock.now = Clock().now  # of the same day in each round, however many there are
        with self.engine.begin() as connection:
            empty(connection, but=("customer", "log_head"))
        return StandingHouse(self.engine, self.clock, self.customer)

    def before(self, words: str, prepare: Act, act: Act, other: Act) -> Iterator[StandingHouse]:
        """The same, but only before those statements of the first one in which these words stand."""
        house = self.fresh()
        prepare(house)
        moments = [number for number, each in enumerate(statements(self.engine, act, house)) if words in each]
        assert moments
        for moment in moments:
            house = self.fresh()
            prepare(house)
            assert self._meet(house, act, other, moment)
            yield house


def statements(engine: Engine, act: Act, house: House) -> list[str]:
    """What this sends to the database, in order, and in this thread."""
    sent: list[str] = []
    me = threading.get_ident()

    def hear(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        if threading.get_ident() == me:
            sent.append(statement)

    event.listen(engine, "before_cursor_execute", hear)
    try:
        act(house)
    finally:
        event.remove(engine, "before_cursor_execute", hear)
    return sent


@pytest.fixture
def rounds(engine: Engine, clock: Clock, customer: Customer, every: int) -> StandingRounds:
    return StandingRounds(engine, clock, customer, every)


@dataclasses.dataclass
class Table:
    """What was signed in one round, in order."""

    bundles: list[Bundle] = dataclasses.field(default_factory=list)
    device: Authenticator | None = None

    def lay(self, house: House, *bundles: Sequence[str], minor: int = 9900) -> StandingHouse:
        assert isinstance(house, StandingHouse)
        for number in sorted({each.removeprefix("inv_") for bundle in bundles for each in bundle}):
            house.bill(number, minor=minor)
        self.device = passkey_of(house, house.customer)
        # each by a device of its own: of one the counter tells which signature was the later one
        self.bundles = [Bundle.signed(house, passkey_of(house, house.customer), *each) for each in bundles]
        return house

    def send(self, which: int) -> Callable[[House], None]:
        return lambda _: self.bundles[which].send()


@pytest.fixture
def table() -> Table:
    return Table()


def another_consent(house: StandingHouse) -> str:
    with house.begin() as uow:
        standing = agree_standing(uow, customer_id=house.customer.id, biller_id="blr_1", bank_id="horizon", frame=FRAME)
        uow.commit()
        return standing.consent_id


def in_order(house: House) -> StandingHouse:
    assert isinstance(house, StandingHouse)
    assert [str(each) for each in invariants.check(house.engine, now=house.clock(), late=False)] == []
    agree(house)
    return house


@on_postgres
@pytest.mark.parametrize("first", [0, 1])
def test_two_bundles_that_overlap(rounds: StandingRounds, table: Table, first: int) -> None:
    def prepare(house: House) -> None:
        table.lay(house, ("inv_1", "inv_2"), ("inv_3", "inv_2"))

    ends = set()
    for house in rounds.moments(prepare, table.send(first), table.send(1 - first)):
        in_order(house)
        whole = [each.is_whole() for each in table.bundles]
        assert sorted(whole) == [False, True]
        [refused] = [each for each in table.bundles if each.told]
        assert (refused.told, refused.about) == ("already-in-payment", "inv_2")
        ends.add(whole.index(True))
    assert ends


@on_postgres
@pytest.mark.parametrize("bundle_first", [True, False])
def test_a_bundle_and_one_of_its_bills_by_itself(rounds: StandingRounds, table: Table, bundle_first: bool) -> None:
    single: dict[str, Any] = {}

    def prepare(house: House) -> None:
        standing = table.lay(house, ("inv_2", "inv_1"))
        single["started"] = start_one(standing, invoice_id="inv_1")

    def alone(house: House) -> None:
        assert isinstance(house, StandingHouse)
        assert table.device is not None
        send_one(house, table.device, single["started"], "inv_1")

    acts = (table.send(0), alone) if bundle_first else (alone, table.send(0))
    for house in rounds.moments(prepare, *acts):
        in_order(house)
        [bundle] = table.bundles
        assert decisions(house) == (2 if bundle.is_whole() else 1)  # type: ignore[arg-type]
        assert (bundle.told, bundle.about) in {(None, None), ("already-in-payment", "inv_1")}


@on_postgres
@pytest.mark.parametrize("bundle_first", [True, False])
def test_a_bundle_and_a_stop(rounds: StandingRounds, table: Table, bundle_first: bool) -> None:
    def prepare(house: House) -> None:
        table.lay(house, ("inv_1", "inv_2"))

    acts = (table.send(0), stop) if bundle_first else (stop, table.send(0))
    for house in rounds.moments(prepare, *acts):
        [bundle] = table.bundles
        in_order(house)
        bundle.is_whole()
        assert bundle.told in {None, "stopped-all", "ceremony-over"}


@on_postgres
@pytest.mark.parametrize("bundle_first", [True, False])
def test_a_bundle_and_a_consent_that_is_taken_back(rounds: StandingRounds, table: Table, bundle_first: bool) -> None:
    other: dict[str, str] = {}

    def prepare(house: House) -> None:
        """The two bills are under two consents, and one of these ends."""
        assert isinstance(house, StandingHouse)
        for number in ("1", "2"):
            house.bill(number)
        other["id"] = another_consent(house)
        consents = {"inv_1": other["id"], "inv_2": house.consent_id}
        table.bundles = [Bundle.signed(house, passkey_of(house, house.customer), "inv_1", "inv_2", consents=consents)]

    def end(house: House) -> None:
        with house.begin() as uow:
            _, standing = locked(uow.session, other["id"])
            take_back(uow, standing, source=ConsentSource.CUSTOMER, evidence="a test")
            uow.commit()

    acts = (table.send(0), end) if bundle_first else (end, table.send(0))
    ends = set()
    for house in rounds.moments(prepare, *acts):
        [bundle] = table.bundles
        agree(house)  # type: ignore[arg-type]
        ends.add(bundle.is_whole())
        assert (bundle.told, bundle.about) in {(None, None), ("not-covered", "inv_1")}
    assert ends


@on_postgres
@pytest.mark.parametrize("first", [0, 1])
def test_two_bundles_that_do_not_fit_into_one_limit(rounds: StandingRounds, table: Table, first: int) -> None:
    """€1000.00 a month, and twice €600.00: by the last of its bills the second one is too much."""

    def prepare(house: House) -> None:
        table.lay(house, ("inv_1", "inv_2"), ("inv_4", "inv_3"), minor=300_00)

    for house in rounds.moments(prepare, table.send(first), table.send(1 - first)):
        in_order(house)
        assert sorted(each.is_whole() for each in table.bundles) == [False, True]
        [refused] = [each for each in table.bundles if each.told]
        assert refused.told == "not-covered"
        assert refused.about == refused.bills[1]


TAKES = "UPDATE consent_usage"


def stopped(house: StandingHouse, payment_id: str) -> None:
    with house.begin() as uow:
        step(
            uow,
            locked_payment(uow.session, payment_id),
            PaymentStep.WITHHOLD,
            source=Source.WORKER,
            evidence="a test",
            reason=Reason.APPROVAL_LOST,
        )
        uow.commit()


def two_tries(house: StandingHouse, *, first: str, second: str) -> None:
    """Bill 9: a payment under the one consent was closed, and it is paid again under the other one."""
    house.bill("9")
    house.decide("pay_9", invoice_id="inv_9", consent_id=first)
    house.run("payments.initiate")
    stopped(house, "pay_9")
    house.clock.tick(seconds=1)
    house.decide("pay_10", invoice_id="inv_9", consent_id=second)
    house.run("payments.initiate")


def happened_after_all(house: House) -> None:
    """The bank's record of the first one. The second one is stopped by it: two consents in one transaction, and that of
    the second one before that of the first."""
    with house.begin() as uow:
        assert correct(
            uow, locked_payment(uow.session, "pay_9"), Fact.DEBITED, source=Source.STATEMENT, evidence="camt:1/1"
        )
        uow.commit()


def paid_anew(house: StandingHouse, *, first: str, second: str) -> None:
    """Bill 9: a payment of it was closed, and its new version is being paid under another consent."""
    house.bill("9")
    house.decide("pay_9", invoice_id="inv_9", consent_id=first)
    house.run("payments.initiate")
    stopped(house, "pay_9")
    send_correction(house, "9-B", amount="99.00", replaces="9")
    house.run(APPLY)
    house.clock.tick(seconds=1)
    with house.services.reading() as uow:
        version = uow.session.scalars(select(Invoice.id).where(Invoice.number == "9-B")).one()
    house.decide("pay_10", invoice_id=version, consent_id=second)
    house.run("payments.initiate")


@pytest.mark.parametrize("tried", [two_tries, paid_anew])
def test_limits_are_the_last_that_is_locked(
    engine: Engine, customer: Customer, clock: Clock, tried: Callable[..., None]
) -> None:
    """Also where a word about one payment ends another one before it counts itself: nothing comes after them that
    somebody may hold who waits for a limit."""
    house = StandingHouse(engine, clock, customer)
    low, high = sorted((house.consent_id, another_consent(house)))
    tried(house, first=low, second=high)
    sent = statements(engine, happened_after_all, house)
    assert sum(each.startswith(TAKES) for each in sent) == 2
    assert all(each.startswith(TAKES) for each in sent[-2:])
    assert (house.payment("pay_9").state, house.payment("pay_10").state) == ("settled", "rejected")
    with house.services.reading() as uow:
        used = {each.consent_id: each.used_minor for each in uow.session.scalars(select(ConsentUsage))}
    assert used == {low: 9900, high: 0}


@on_postgres
@pytest.mark.parametrize("bundle_first", [True, pytest.param(False, marks=pytest.mark.long)])
@pytest.mark.parametrize("is_up", [True, pytest.param(False, marks=pytest.mark.long)], ids=["up", "down"])
def test_a_late_word_about_two_consents_and_a_bundle_under_both(
    rounds: StandingRounds, table: Table, bundle_first: bool, is_up: bool
) -> None:
    """About a bill that is none of the bundle: they meet at the limits alone, and nobody waits in a ring."""

    def prepare(house: House) -> None:
        assert isinstance(house, StandingHouse)
        low, high = sorted((house.consent_id, another_consent(house)))
        two_tries(house, first=low if is_up else high, second=high if is_up else low)
        bills = [house.bill(number) for number in ("1", "2")]
        of = dict(zip(bills, (high, low), strict=True))
        table.bundles = [Bundle.signed(house, passkey_of(house, house.customer), *bills, consents=of)]

    acts = (table.send(0), happened_after_all) if bundle_first else (happened_after_all, table.send(0))
    for house in rounds.before(TAKES, prepare, *acts):
        [bundle] = table.bundles
        assert bundle.is_whole()
        assert (house.payment("pay_9").state, house.payment("pay_10").state) == ("settled", "rejected")
        assert [str(each) for each in invariants.check(house.engine, now=house.clock(), late=False)] == []


def test_many_bundles_and_single_ones_at_once_in_every_order(rounds: StandingRounds, table: Table) -> None:
    """Under two consents, in opposite orders, overlapping: nobody waits in a ring, and no limit is exceeded."""
    for _ in range(8):
        house = rounds.fresh()
        for each in range(1, 7):
            house.bill(str(each), minor=150_00)
        other = another_consent(house)
        devices = [passkey_of(house, house.customer) for _ in range(4)]
        of = {f"inv_{each}": (house.consent_id, other)[each % 2] for each in range(1, 7)}
        asked_for = [
            ("inv_1", "inv_2", "inv_3", "inv_4"),
            ("inv_6", "inv_5", "inv_4"),
            ("inv_3", "inv_6"),
            ("inv_2", "inv_5", "inv_1"),
        ]
        bundles = [
            Bundle.signed(house, device, *bills, consents=of) for device, bills in zip(devices, asked_for, strict=True)
        ]
        assert at_once(*(each.send for each in bundles)) == []
        agree(house)
        assert any(each.is_whole() for each in bundles)
        assert {each.told for each in bundles} - {None} <= TOLD
        with house.services.reading() as uow:
            for usage in uow.session.scalars(select(ConsentUsage)):
                assert usage.used_minor <= usage.limit_minor
