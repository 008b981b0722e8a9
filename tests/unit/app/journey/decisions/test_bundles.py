"""Several bills that are signed at once: whatever bills, amounts and limits there are, all are decided or none, and no
consent is taken more of than it allows."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime as dt
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, select, update

from app import invariants
from app.demo.authenticator import Authenticator
from app.errors import Conflict
from app.journey.decisions import orders, together
from app.journey.decisions.models import Decision
from app.journey.decisions.service import order_to_sign
from app.journey.decisions.under_consent import NotCovered
from app.journey.invoices.models import Invoice
from app.people.models import Ceremony, Customer
from app.people.passkeys import linked_challenge
from connectors.capabilities import Alignment, Period
from consent.models import ConsentUsage
from consent.rules import Limit
from tests.conftest import Clock
from tests.support.engines import empty
from tests.support.evidence import signed_by
from tests.support.factories import agree_standing
from tests.unit.app.journey.decisions.bundles import Bundle, agree, decisions, ways_of
from tests.unit.app.journey.decisions.test_decision_service import PARTY, passkey_of
from tests.unit.app.journey.decisions.test_under_consent import send as send_one
from tests.unit.app.journey.decisions.test_under_consent import start as start_one
from tests.unit.app.journey.house import VAULT
from tests.unit.app.journey.standing_house import FRAME, StandingHouse


@pytest.fixture
def house(engine: Engine, customer: Customer, clock: Clock) -> StandingHouse:
    return StandingHouse(engine, clock, customer)


@pytest.fixture
def device(house: StandingHouse) -> Authenticator:
    return passkey_of(house, house.customer)


def sorted_out(house: StandingHouse, *bills: str) -> together.Sorted:
    with house.services.reading() as uow:
        return together.sort_out(uow, customer=house.customer, vault=VAULT, ways=ways_of(house, bills))


def test_the_challenge_is_over_the_very_orders_that_are_signed_one_by_one(
    house: StandingHouse, device: Authenticator
) -> None:
    house.bill("1", discount=200)
    house.bill("2", minor=4000)
    singles = []
    for number in ("1", "2"):
        start_one(house, invoice_id=f"inv_{number}")
        with house.begin() as uow:
            [ceremony] = uow.session.scalars(select(Ceremony))
            singles.append(ceremony.data["order"])
            uow.session.delete(ceremony)
            uow.commit()
    bundle = Bundle.signed(house, device, "inv_1", "inv_2")
    with house.services.reading() as uow:
        [ceremony] = uow.session.scalars(select(Ceremony))
    assert ceremony.data["orders"] == singles
    assert ceremony.challenge == linked_challenge(ceremony.data["salt"], singles)
    bundle.send()
    with house.services.reading() as uow:
        made = {each.invoice_id: each for each in uow.session.scalars(select(Decision))}
    for order in singles:
        decision = made[order["invoice"]]
        assert signed_by(decision.evidence, host=PARTY.host, origin=PARTY.origin) == order
        assert (decision.verb, decision.consent_id) == ("pay_now", house.consent_id)


def test_a_signature_over_one_order_is_none_over_a_list_of_it(house: StandingHouse) -> None:
    house.bill()
    order = sorted_out(house, "inv_1").orders[0]
    assert linked_challenge("s", [order]) != linked_challenge("s", order)
    assert orders.shown_of([order]) != orders.shown_of(order)


def test_one_alone_is_not_offered(house: StandingHouse, device: Authenticator) -> None:
    house.bill()
    assert not sorted_out(house, "inv_1").is_offered
    with pytest.raises(Conflict, match="changed"):
        Bundle.signed(house, device, "inv_1")


@pytest.mark.parametrize("word", ["expired_on", "earlier_paid", "earlier_not_here", "shown", "sent_from", "a new one"])
def test_whatever_more_is_signed_is_a_word_of_its_own(
    house: StandingHouse, word: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also what nobody has thought of yet."""
    house.bill("1")
    house.bill("2")

    def with_more(uow: Any, *, bill: Any, **asked: Any) -> dict[str, str]:
        order = order_to_sign(uow, bill=bill, **asked)
        return order | ({word: "x"} if bill.invoice_id == "inv_1" else {})

    monkeypatch.setattr("app.journey.decisions.together.order_to_sign", with_more)
    found = sorted_out(house, "inv_1", "inv_2")
    assert [each.order["invoice"] for each in found.signable] == ["inv_2"]
    assert found.apart["inv_1"].code == "own-word"


def test_a_request_whose_last_day_is_over_goes_alone(house: StandingHouse) -> None:
    house.bill("1")
    house.bill("2")
    with house.begin() as uow:
        over = update(Invoice).where(Invoice.id == "inv_2")
        uow.session.execute(over.values(expires_on=house.clock.now.date() - dt.timedelta(days=1)))
        uow.commit()
    assert sorted_out(house, "inv_1", "inv_2").apart["inv_2"].code == "own-word"


def test_what_is_left_of_a_limit_is_told_beside_all_that_is_signed(house: StandingHouse) -> None:
    """Of €1000.00 a month: €900.00 before the third bill, and €50.00 after it."""
    for number, minor in (("1", 400_00), ("2", 500_00), ("3", 200_00), ("4", 50_00)):
        house.bill(number, minor=minor)
    found = sorted_out(house, "inv_1", "inv_2", "inv_3", "inv_4")
    assert [each.order["invoice"] for each in found.signable] == ["inv_1", "inv_2", "inv_4"]
    refused = found.apart["inv_3"]
    assert isinstance(refused, NotCovered)
    assert (str(refused.reason.amount), str(refused.reason.over)) == ("50.00", "150.00")


@pytest.mark.parametrize(
    ("before", "now", "bill"),
    [
        ("a:1 b:2", "a:1 b:3", "b"),
        ("a:1 b:2", "a:1", "b"),
        ("a:1", "a:1 b:2", "b"),
        ("a:1 b:2", "c:3", "a"),
        ("a:1 b:2", "b:2 a:1", None),
        ("a:1 b:2", "a:1 b:2", None),
        ("", "a:1", None),
        (None, "a:1", None),
        (7, "a:1", None),
    ],
)
def test_of_two_pages_the_bill_that_differs_is_named(before: object, now: str, bill: str | None) -> None:
    assert together.first_changed(before, now) == bill


# ------------------------------------------------------------------------------------------------ all of it, or nothing

AMOUNTS = st.integers(1, 700)


@dataclasses.dataclass(frozen=True)
class Drawn:
    minors: tuple[int, ...]
    first: tuple[int, int]  #: what the first consent allows for one payment, and a month
    second: tuple[int, int]
    of: tuple[bool, ...]  #: which bills are under the second one
    meanwhile: tuple[int, ...]  #: which are paid by themselves between the signature and its sending


@st.composite
def drawn(draw: st.DrawFn) -> Drawn:
    many = draw(st.integers(2, 5))
    limits = st.tuples(st.integers(100, 800), st.integers(100, 2000)).map(lambda pair: (min(pair), max(pair)))
    return Drawn(
        minors=tuple(draw(st.lists(AMOUNTS, min_size=many, max_size=many))),
        first=draw(limits),
        second=draw(limits),
        of=tuple(draw(st.lists(st.booleans(), min_size=many, max_size=many))),
        meanwhile=tuple(draw(st.lists(st.integers(0, many - 1), max_size=2, unique=True))),
    )


@given(drawn())
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_bills_and_limits_there_are(engine: Engine, customer: Customer, clock: Clock, drawn: Drawn) -> None:
    with engine.begin() as connection:
        empty(connection, but=("customer", "log_head"))
    house = StandingHouse(engine, clock, customer)
    ids = [house.bill(str(number), minor=minor) for number, minor in enumerate(drawn.minors)]
    consents = [agreed(house, *limits) for limits in (drawn.first, drawn.second)]
    of = {each: consents[drawn.of[number]] for number, each in enumerate(ids)}
    with house.services.reading() as uow:
        found = together.sort_out(uow, customer=customer, vault=VAULT, ways=ways_of(house, ids, of))
    offered = [each.order["invoice"] for each in found.signable]
    assert offered == fitting(drawn, ids)
    assert set(offered) | set(found.apart) == set(ids)
    if not found.is_offered:
        return
    bundle = Bundle.signed(house, passkey_of(house, customer), *offered, consents=of)
    device, alone = passkey_of(house, customer), set()
    for invoice_id in (ids[number] for number in drawn.meanwhile):
        with contextlib.suppress(NotCovered):
            send_one(house, device, start_one(house, invoice_id=invoice_id, consent_id=of[invoice_id]), invoice_id)
            alone.add(invoice_id)
    bundle.send()
    assert decisions(house) == len(alone) + (len(offered) if bundle.is_whole() else 0)
    if alone & set(offered):
        assert bundle.told == "already-in-payment"
        assert bundle.about in alone
    elif not alone:
        assert bundle.told is None
    else:
        assert bundle.told in (None, "not-covered")
    agree(house)
    with house.services.reading() as uow:
        for usage in uow.session.scalars(select(ConsentUsage)):
            assert usage.used_minor <= usage.limit_minor
    assert [str(each) for each in invariants.check(engine, now=house.clock(), late=False)] == []


def fitting(drawn: Drawn, ids: list[str]) -> list[str]:
    """Counted once more: in their order, as many as fit."""
    left = [drawn.first[1], drawn.second[1]]
    each = [drawn.first[0], drawn.second[0]]
    fits = []
    for number, minor in enumerate(drawn.minors):
        consent = drawn.of[number]
        if minor <= each[consent] and minor <= left[consent]:
            left[consent] -= minor
            fits.append(ids[number])
    return fits


def agreed(house: StandingHouse, each_minor: int, month_minor: int) -> str:
    limit = Limit(period=Period.MONTH, alignment=Alignment.CALENDAR, minor=month_minor)
    frame = dataclasses.replace(FRAME, each_minor=each_minor, limits=(limit,))
    with house.begin() as uow:
        standing = agree_standing(uow, customer_id=house.customer.id, biller_id="blr_1", bank_id="horizon", frame=frame)
        uow.commit()
        return standing.consent_id
