"""What a customer's rows say of a bill, as the pages ask for it, on both databases."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import replace
from typing import Any, cast

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, event, func, select, update

from app.db.unit_of_work import UnitOfWork
from app.errors import Invalid, NotAllowed, NotFound
from app.journey.consents import claims
from app.journey.consents.models import CustomerBank
from app.journey.decisions.models import Decision
from app.journey.invoices.models import Invoice
from app.journey.invoices.read import InvoiceView, invoice_view
from app.journey.matching.models import PayFirst
from app.journey.matching.read import Banks, Matched, bill_of, match
from app.journey.matching.rules import Preferred
from app.journey.matching.service import prefer
from app.people.models import Stop
from app.people.sessions import SignedIn
from connectors.capabilities import Alignment, Period, RecurringKind
from connectors.money import Money
from connectors.profile import BankProfile
from connectors.registry import Registry
from consent.base import new_id
from consent.models import ConsentUsage, Standing
from consent.rules import Frame, Limit, Reason, Why
from consent.states import StandingState, StandingStep
from consent.verdicts import Bank, Way
from tests.support import factories
from tests.support.factories import agree_standing
from tests.unit.app.journey.house import IBAN, PROFILE, House

FRAME = Frame(
    payee_name="Lumen SA",
    payee_iban=IBAN,
    currency="EUR",
    each_minor=100_00,
    limits=(
        Limit(period=Period.MONTH, alignment=Alignment.CALENDAR, minor=150_00),
        Limit(period=Period.WEEK, alignment=Alignment.CONSENT, minor=120_00),
    ),
    begins_on=dt.date(2026, 1, 1),
    ends_on=None,
)
BANKS = Banks(
    by_id={
        "horizon": Bank(id="horizon", currencies=("EUR",), journey=Why.REDIRECT, standing_in=("EUR",)),
        "albion": Bank(id="albion", currencies=("EUR", "GBP"), journey=Why.IN_APP, is_away=True),
        "humber": Bank(id="humber", currencies=("GBP",), journey=Why.REDIRECT, standing_in=("GBP",)),
    },
    names={"horizon": "Horizon", "albion": "Albion", "humber": "Humber"},
    reaches={"humber": ("GB",)},
    used_last=None,
)

pytestmark = pytest.mark.each_database


class Registered:
    """A registry of one bank, whose file names these kinds."""

    def __init__(self, *kinds: RecurringKind) -> None:
        self.profile = replace(PROFILE, recurring=kinds, currencies=("GBP",))

    def all_banks(self) -> list[BankProfile]:
        return [self.profile]

    def why_unusable(self, bank_id: str) -> None:
        assert bank_id == self.profile.id


def agree(house: House, *, steps: tuple[StandingStep, ...] | None = None, **changes: object) -> str:
    wanted: dict[str, Any] = {} if steps is None else {"steps": steps}
    with house.begin() as uow:
        standing = agree_standing(
            uow,
            customer_id=house.customer.id,
            biller_id="blr_1",
            bank_id="horizon",
            frame=replace(FRAME, **changes),  # type: ignore[arg-type]
            **wanted,
        )
        uow.commit()
        return standing.consent_id


def matched(house: House, *invoice_ids: str, banks: Banks = BANKS, ask: tuple[str, ...] = ()) -> Matched:
    with house.services.reading() as uow:
        views = [seen(house, uow, invoice_id) for invoice_id in invoice_ids]
        bills = {view.id: bill for view in views if (bill := bill_of(view))}
        return match(uow.session, customer_id=house.customer.id, bills=bills, banks=banks, ask=ask, now=uow.now)


def seen(house: House, uow: UnitOfWork, invoice_id: str) -> InvoiceView:
    return invoice_view(uow.session, invoice_id=invoice_id, customer_id=house.customer.id, today=uow.now.date())


def whys(found: Matched, invoice_id: str) -> dict[str | None, Why]:
    return {each.consent_id: each.reasons[0].why for each in found.ways[invoice_id].standing}


def test_a_bill_that_is_covered_and_one_that_is_not(house: House) -> None:
    small, large = house.bill("1", minor=99_00), house.bill("2", minor=112_40)
    consent_id = agree(house)
    found = matched(house, small, large)
    assert whys(found, small) == {consent_id: Why.COVERS}
    covering = found.ways[small].covering
    assert covering is not None
    assert (covering.way, covering.bank_id, covering.consent_id) == (Way.STANDING, "horizon", consent_id)
    over = found.ways[large]
    assert over.covering is None
    assert over.standing[0].reasons == (
        Reason(why=Why.OVER_EACH, amount=Money(100_00, "EUR"), over=Money(12_40, "EUR")),
    )
    allowed = found.allowed[consent_id]
    assert (allowed.bank_id, allowed.payee_name, allowed.state) == ("horizon", "Lumen SA", StandingState.AUTHORISED)


def test_what_early_payment_takes_off_counts(house: House) -> None:
    """What would leave the account today is what must fit."""
    invoice_id = house.bill("1", minor=104_00, discount=4_00)
    consent_id = agree(house)
    assert whys(matched(house, invoice_id), invoice_id) == {consent_id: Why.COVERS}


def test_what_is_used_counts_in_its_own_period_alone(house: House) -> None:
    invoice_id, consent_id = house.bill("1", minor=60_00), agree(house)
    today = house.clock.now.date()
    month = today.replace(day=1)
    with house.begin() as uow:
        whose = {"consent_id": consent_id, "number": 0, "limit_minor": 150_00}
        before = month - dt.timedelta(days=1)
        uow.session.add(ConsentUsage(**whose, first=before.replace(day=1), last=before, used_minor=150_00))
        uow.commit()
    assert whys(matched(house, invoice_id), invoice_id) == {consent_id: Why.COVERS}
    last = (month + dt.timedelta(days=31)).replace(day=1) - dt.timedelta(days=1)
    with house.begin() as uow:
        uow.session.add(ConsentUsage(**whose, first=month, last=last, used_minor=100_00))
        uow.commit()
    reason = matched(house, invoice_id).ways[invoice_id].standing[0].reasons[0]
    assert reason == Reason(
        why=Why.OVER_PERIOD,
        amount=Money(50_00, "EUR"),
        over=Money(10_00, "EUR"),
        day=last + dt.timedelta(days=1),
        period=Period.MONTH,
    )
    with house.begin() as uow:
        uow.session.execute(update(ConsentUsage).values(used_minor=0, refused_at=uow.now))
        uow.commit()
    assert whys(matched(house, invoice_id), invoice_id) == {consent_id: Why.BANK_COUNTS_OTHERWISE}


def test_only_what_is_to_be_paid_is_matched(house: House) -> None:
    invoice_id = house.bill()
    assert matched(house, invoice_id).ways
    with house.begin() as uow:
        uow.session.execute(update(Invoice).values(state="in_payment"))
        uow.commit()
    assert matched(house, invoice_id).ways == {}


def test_those_that_are_over_or_somebody_elses_are_not_looked_at(house: House) -> None:
    invoice_id = house.bill()
    agree(house, steps=(StandingStep.STAGE, StandingStep.REJECT))
    other = factories.make_customer(house.services)
    with house.begin() as uow:
        agree_standing(uow, customer_id=other.id, biller_id="blr_1", bank_id="horizon", frame=FRAME)
        uow.commit()
    found = matched(house, invoice_id)
    assert found.allowed == {}
    assert found.ways[invoice_id].standing == ()


def test_banks_are_judged_as_ways_of_their_own(house: House) -> None:
    invoice_id = house.bill()
    ways = matched(house, invoice_id, ask=("albion", "horizon", "humber", "nobody")).ways[invoice_id]
    assert [(each.bank_id, each.reasons[0].why) for each in ways.single] == [
        ("horizon", Why.REDIRECT),
        ("albion", Why.BANK_AWAY),
        ("humber", Why.CURRENCY_NOT_TAKEN),
    ]
    assert {each.bank_id: each.reasons[0].why for each in ways.set_up} == {
        "horizon": Why.CAN_SET_UP,
        "albion": Why.NOT_OFFERED,
        "humber": Why.CURRENCY_NOT_TAKEN,
    }
    assert Why.PAYEE_UNREACHABLE in {reason.why for reason in ways.single[2].reasons}


def test_a_removed_bank_and_a_stop_are_told(house: House) -> None:
    invoice_id, consent_id = house.bill(), agree(house)
    whose = {"customer_id": house.customer.id, "added_at": house.clock.now, "rank": 1}
    house.add(CustomerBank(**whose, bank_id="horizon", removed_at=house.clock.now))
    house.add(CustomerBank(**whose, bank_id="albion", removed_at=None))
    found = matched(house, invoice_id, ask=("horizon", "albion"))
    assert found.removed == {"horizon"}
    assert whys(found, invoice_id) == {consent_id: Why.REMOVED}
    assert {each.bank_id: each.covers for each in found.ways[invoice_id].single} == {"horizon": False, "albion": True}
    house.add(Stop(id="stp_1", customer_id=house.customer.id, session_id="ses_1", at=house.clock.now))
    found = matched(house, invoice_id, ask=("albion",))
    assert whys(found, invoice_id) == {consent_id: Why.STOPPED_ALL}
    assert found.ways[invoice_id].single[0].reasons[0].why is Why.STOPPED_ALL
    with house.begin() as uow:
        uow.session.execute(update(Stop).values(lifted_at=uow.now))
        uow.session.execute(delete(CustomerBank))
        uow.commit()
    assert whys(matched(house, invoice_id), invoice_id) == {consent_id: Why.COVERS}


def test_a_bank_whose_file_is_gone_is_no_way_now(house: House) -> None:
    invoice_id, consent_id = house.bill(), agree(house)
    nowhere = replace(BANKS, by_id={}, names={}, reaches={})
    assert whys(matched(house, invoice_id, banks=nowhere), invoice_id) == {consent_id: Why.BANK_UNUSABLE}


def test_a_whole_inbox_takes_one_statement(house: House) -> None:
    ids = [house.bill(str(number)) for number in range(5)]
    for _ in range(3):
        agree(house)
    said: list[str] = []

    def note(_: object, __: object, statement: str, *___: object) -> None:
        said.append(statement)

    with house.services.reading() as uow:
        bills = {each: bill for each in ids if (bill := bill_of(seen(house, uow, each)))}
        event.listen(house.engine, "before_cursor_execute", note)
        try:
            found = match(uow.session, customer_id=house.customer.id, bills=bills, banks=BANKS, now=uow.now)
        finally:
            event.remove(house.engine, "before_cursor_execute", note)
    assert [len(ways.standing) for ways in found.ways.values()] == [3] * 5
    assert len(said) == 1


# ---------------------------------------------------------------------------------------------------- what is preferred


class _Known:
    def all_banks(self) -> list[Bank]:
        return list(BANKS.by_id.values())


@pytest.fixture
def choose(house: House) -> Callable[..., None]:
    def choose(consent_id: str | None = None, bank_id: str | None = None, who: SignedIn | None = None) -> None:
        with house.begin() as uow:
            banks: Registry = _Known()  # type: ignore[assignment]
            prefer(
                uow,
                banks,
                signed_in=who or house.signed_in,
                invoice_id="inv_1",
                consent_id=consent_id,
                bank_id=bank_id,
            )
            uow.commit()

    return choose


def test_what_is_preferred_is_shown_first_until_it_is_cleared(house: House, choose: Callable[..., None]) -> None:
    invoice_id = house.bill()
    one, two = sorted((agree(house), agree(house)))

    def first() -> str | None:
        return matched(house, invoice_id).ways[invoice_id].standing[0].consent_id

    assert first() == one
    choose(consent_id=two)
    choose(consent_id=two)
    assert first() == two
    assert matched(house, invoice_id).ways[invoice_id].preferred == Preferred(two, None)
    choose(bank_id="albion")
    assert matched(house, invoice_id).ways[invoice_id].preferred == Preferred(None, "albion")
    choose()
    assert first() == one
    with house.services.reading() as uow:
        assert uow.session.scalar(select(func.count()).select_from(PayFirst)) == 0


def test_only_what_is_ones_own_and_of_the_company_can_be_preferred(house: House, choose: Callable[..., None]) -> None:
    house.bill()
    consent_id = agree(house)
    with pytest.raises(NotFound):
        choose(consent_id="con_none")
    with pytest.raises(NotFound):
        choose(bank_id="nobody")
    with pytest.raises(Invalid):
        choose(consent_id=consent_id, bank_id="albion")
    with pytest.raises(NotAllowed):
        choose(consent_id=consent_id, who=SignedIn(house.customer, "ses_1", read_only=True))
    other = factories.make_customer(house.services)
    with pytest.raises(NotFound):
        choose(consent_id=consent_id, who=SignedIn(other, "ses_2", read_only=False))
    with house.services.reading() as uow:
        assert uow.session.scalar(select(func.count()).select_from(PayFirst)) == 0


# ------------------------------------------------------------------------------------- the verdict, and what is claimed


def _decision(house: House, consent_id: str) -> str:
    payment_id = new_id("pay")
    house.add(
        Decision(
            id=new_id("dec"),
            customer_id=house.customer.id,
            invoice_id="inv_1",
            verb="pay_now",
            currency="EUR",
            amount_minor=1,
            discount_minor=0,
            pay_on=house.clock.now.date(),
            bank_id="horizon",
            payee_name="Lumen SA",
            payee_iban=IBAN,
            reference=None,
            payment_id=payment_id,
            consent_id=consent_id,
            evidence={},
            psu={},
            decided_at=house.clock.now,
        )
    )
    return payment_id


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(amounts=st.lists(st.integers(min_value=1, max_value=99_00), min_size=1, max_size=5))
def test_the_verdict_is_what_a_claim_would_say(house: House, amounts: list[int]) -> None:
    """Of one payment after the other, until the limits are full: it covers just when the claim is taken."""
    if not _has_bill(house):
        house.bill()
    consent_id = agree(house)
    for minor in amounts:
        with house.begin() as uow:
            uow.session.execute(update(Invoice).values(amount_minor=minor))
            uow.commit()
        found = matched(house, "inv_1").ways["inv_1"].standing
        verdict = next(each for each in found if each.consent_id == consent_id)
        payment_id = _decision(house, consent_id)
        with house.begin() as uow:
            standing = uow.session.get_one(Standing, consent_id)
            days = (uow.now.date(),)
            refused = None
            try:
                claims.take(uow.session, standing, payment_id=payment_id, minor=minor, days=days, now=uow.now)
                uow.commit()
            except claims.LimitReached as reached:
                refused = reached.reason
        assert verdict.covers is (refused is None)
        assert refused is None or refused in verdict.reasons


def _has_bill(house: House) -> bool:
    with house.services.reading() as uow:
        return uow.session.get(Invoice, "inv_1") is not None


@pytest.mark.parametrize(
    ("kinds", "is_offered"),
    [
        ((), False),
        ((RecurringKind.SWEEPING,), False),
        ((RecurringKind.SWEEPING, RecurringKind.OTHER), True),
        ((RecurringKind.COMMERCIAL_1,), True),
    ],
)
def test_no_consent_is_offered_where_none_for_bills_can_be_set_up(
    kinds: tuple[RecurringKind, ...], is_offered: bool
) -> None:
    banks = Banks.now(cast(Registry, Registered(*kinds)))
    assert bool(banks.by_id["horizon"].standing_in) is is_offered
