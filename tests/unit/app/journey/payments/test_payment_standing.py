"""A payment under a standing consent has no trip of its own and shares its consent with others: it ends nothing that is
theirs, and the consent tells nothing of it."""

from __future__ import annotations

import dataclasses
import datetime as dt

import pytest
from sqlalchemy import Engine, select

from app import invariants
from app.errors import NotFound
from app.journey.payments import rules
from app.journey.payments import service as payments
from app.journey.payments.access import locked, payment_of_browser
from app.journey.payments.models import Payment
from app.journey.payments.read import payment_view, payments_of_invoice
from app.journey.payments.reasons import Reason
from app.journey.payments.states import CLOSED
from app.journey.payments.step import stop_outdated
from app.journey.payments.way import was_given_out, way_of
from app.journey.receipts.read import receipts_of
from app.journey.reconciliation import service as reconciliation
from app.people.models import Customer
from connectors.capabilities import Alignment, Event, EventKind, Period, PeriodicLimit, RecurringConsent, RecurringKind
from connectors.contract import Authorised, BankStatus, ConsentStatus, Fact, Submitted
from connectors.errors import AccessLost, BankError, BankRefused, BankUnavailable
from connectors.money import Money
from consent import tokens
from tests.conftest import Clock
from tests.unit.app.journey.house import ACCEPTED, DEBITED, NOT_FOUND, REJECTED, SILENT, said
from tests.unit.app.journey.standing_house import TOKEN, StandingHouse

HOUR, DAY = dt.timedelta(hours=1), dt.timedelta(days=1)
REFUSED = BankRefused("over a limit", code="U014", http_status=400)
PENDING = said("RCVD", Fact.ACCEPTED)
STUCK = said("PATC", Fact.WAITING)
#: a standing consent says so before its payments, between them and after them
AUTHORISED = ConsentStatus.AUTHORISED


@pytest.fixture
def house(engine: Engine, customer: Customer, clock: Clock) -> StandingHouse:
    return StandingHouse(engine, clock, customer)


def taken(status: BankStatus = PENDING, number: str = "1") -> Submitted:
    return Submitted(bank_payment_id=f"paid-{number}", status=status)


def holds(house: StandingHouse) -> None:
    assert invariants.check(house.engine, now=house.clock.now, late=False) == []


# ------------------------------------------------------------------------------------- the consent proves nothing of it


def test_a_refusal_under_an_authorised_consent_is_no_end(house: StandingHouse) -> None:
    """It may be the no of a gateway that had passed the payment on: the consent would say the same."""
    house.authorised()
    house.go_on(submit=REFUSED)
    house.go_on(consent_status=AUTHORISED)
    assert house.payment().state == "unknown"
    assert house.invoice().state == "in_payment"
    house.clock.now += rules.SEND_GAP
    house.go_on(consent_status=AUTHORISED, submit=taken(DEBITED))  # the same bytes, under the same key
    assert (house.payment().state, house.outcomes("submit")) == ("settled", ["refused", "submitted"])
    holds(house)


@pytest.mark.parametrize("outcome", [SILENT, REFUSED])
def test_what_reached_a_bank_that_forgets_keys_is_not_sent_again(house: StandingHouse, outcome: BankError) -> None:
    """It would be another payment: no payment uses up the consent."""
    house.bank.profile = dataclasses.replace(house.bank.profile, keeps_keys=False)
    house.authorised()
    house.go_on(submit=outcome)
    house.clock.now += rules.SEND_GAP
    house.go_on(consent_status=AUTHORISED, submit=taken(DEBITED))
    assert (house.payment().state, len(house.outcomes("submit"))) == ("unknown", 1)
    holds(house)


def test_what_never_reached_it_is(house: StandingHouse) -> None:
    house.bank.profile = dataclasses.replace(house.bank.profile, keeps_keys=False)
    house.authorised()
    house.go_on(submit=BankUnavailable("nobody is there"))
    house.clock.now += rules.SEND_GAP
    house.go_on(consent_status=AUTHORISED, submit=taken(DEBITED))
    assert (house.payment().state, len(house.outcomes("submit"))) == ("settled", 2)
    holds(house)


def test_what_it_did_not_let_in_is_not_sent_again_and_its_customer_is_told_that_nothing_was_paid(
    house: StandingHouse,
) -> None:
    house.bank.profile = dataclasses.replace(house.bank.profile, keeps_keys=False)
    with house.begin() as uow:
        given = Authorised(access_token="dead", expires_in_s=3600, refresh_token="r-1")
        until = uow.now + 400 * DAY
        tokens.keep_standing(uow.session, house.services.vault, house.consent_id, given, now=uow.now, until=until)
        uow.commit()
    house.authorised()
    house.go_on(submit=AccessLost("dead", code="401", http_status=401))
    house.clock.now += rules.SEND_GAP
    renewed = Authorised(access_token="new", expires_in_s=3600, refresh_token="r-2")
    house.go_on(renew=renewed, consent_status=AUTHORISED, submit=taken(DEBITED))
    payment = house.payment()
    assert (payment.state, payment.reason, len(house.outcomes("submit"))) == ("rejected", "bank_refused", 1)
    holds(house)


def test_an_authorised_consent_past_the_fence_does_not_say_that_nothing_was_executed(house: StandingHouse) -> None:
    house.authorised()
    house.go_on(submit=SILENT)
    assert house.payment().state == "unknown"
    house.clock.now += DAY
    house.go_on(consent_status=AUTHORISED)
    payment = house.payment()
    assert payment.fence_at is not None
    assert payment.fence_at < house.clock.now
    assert (payment.state, payment.know_by, payment.untold_since) == ("unknown", None, house.clock.now)
    assert house.invoice().state == "in_payment"
    holds(house)


@pytest.mark.parametrize("said_of_it", [AUTHORISED, ConsentStatus.CANCELLED, ConsentStatus.REJECTED])
def test_a_consent_that_was_taken_back_says_nothing_of_the_payment_either(
    house: StandingHouse, said_of_it: ConsentStatus
) -> None:
    house.authorised()
    house.go_on(submit=SILENT)
    house.clock.now += DAY
    house.go_on(consent_status=said_of_it)
    assert house.payment().state == "unknown"


def test_a_word_that_it_is_used_up_accepts_nothing(house: StandingHouse) -> None:
    house.authorised()
    house.go_on(submit=SILENT)
    house.go_on(consent_status=ConsentStatus.CONSUMED)
    assert (house.payment().state, house.payment().accepted_at) == ("unknown", None)


def test_of_what_ended_the_consent_is_not_asked(house: StandingHouse) -> None:
    """Not known, and a person said that it was not executed: a consent that is authorised would agree with anybody."""
    house.authorised()
    house.go_on(submit=SILENT)
    house.clock.now += DAY
    with house.begin() as uow:
        payments.resolve(uow, payment_id="pay_1", executed=False, because="The bank, by letter of today, file 12")
        uow.commit()
    asked = len(house.bank.asked)
    house.go_on()
    assert (house.payment().state, house.payment().status_says) == ("rejected", None)
    assert len(house.bank.asked) == asked
    assert house.due() == {}
    house.consent_stands()
    holds(house)


# -------------------------------------------------------------------------------------- what it does not end for others


def test_what_becomes_of_one_payment_moves_no_other_ones_consent(house: StandingHouse) -> None:
    house.authorised("1")
    house.go_on(submit=taken(DEBITED))
    assert house.payment().state == "settled"
    house.consent_stands()
    house.authorised("2")
    house.go_on("pay_2", submit=taken(REJECTED, "2"))
    assert house.payment("pay_2").state == "rejected"
    house.consent_stands()
    house.authorised("3")
    with house.begin() as uow:
        payments.cancel(uow, signed_in=house.signed_in, payment_id="pay_3")
        uow.commit()
    house.go_on("pay_3")
    assert house.history("pay_3")[-1] == ("authorised", "cancelled", "customer", "stopped here; nothing was submitted")
    house.consent_stands()
    holds(house)


def test_its_token_outlives_the_last_question(house: StandingHouse) -> None:
    house.authorised()
    house.go_on(submit=taken(REJECTED))
    for _ in range(12):
        house.clock.now += DAY
        house.go_on(status=REJECTED)
    assert house.due() == {}
    house.consent_stands()


def test_its_token_outlives_what_a_correction_stops(house: StandingHouse) -> None:
    """Nothing of it was sent: it is withheld at once, as nobody else can make it happen."""
    house.authorised()
    with house.begin() as uow:
        locked(uow.session, "pay_1")
        stop_outdated(uow, "inv_1", evidence="the bill was corrected")
        uow.commit()
    assert (house.payment().state, house.payment().reason) == ("rejected", Reason.BILL_CORRECTED)
    house.consent_stands()
    holds(house)


def test_a_doubt_about_it_does_not_bring_its_consent_back(house: StandingHouse) -> None:
    """Nor does a correction use it up."""
    house.authorised()
    house.go_on(submit=taken(REJECTED))
    house.clock.now += HOUR
    house.go_on(status=ACCEPTED)
    assert house.payment().state == "unknown"
    house.consent_stands()
    house.clock.now += HOUR
    house.go_on(status=DEBITED)
    assert house.payment().state == "settled"
    house.consent_stands()
    holds(house)


# ------------------------------------------------------------------------------------------------ how the bank is asked


def test_the_bank_is_spoken_to_by_its_verbs_for_recurring_payments(house: StandingHouse) -> None:
    house.authorised()
    house.go_on(submit=SILENT)
    house.clock.now += rules.SEND_GAP
    house.go_on(consent_status=AUTHORISED, submit=taken())
    house.go_on(status=DEBITED)
    assert house.bank.verbs() == [
        "recurring.draft_payment",
        "recurring.submit",
        "recurring.consent_status",
        "recurring.submit",
        "recurring.status",
    ]
    drafted, first = house.bank.asked[0][1], house.bank.asked[1][1]
    assert drafted["consent"] == RecurringConsent(
        creditor_name="Lumen SA",
        creditor_iban=drafted["order"].creditor_iban,
        maximum_individual=Money(500_00, "EUR"),
        periodic_limits=(
            PeriodicLimit(period=Period.MONTH, alignment=Alignment.CALENDAR, amount=Money(1000_00, "EUR")),
        ),
        kind=RecurringKind.OTHER,
        valid_from=dt.date(2026, 1, 1),
        off_session=True,
    )
    assert drafted["consent_id"] == house.consent().bank_consent_id
    assert (first["access_token"], first["request"]) == (TOKEN, house.bank.asked[3][1]["request"])
    assert house.bank.asked[4][1]["payment_id"] == "paid-1"
    holds(house)


def test_it_is_asked_about_at_once_whoever_has_left_for_no_bank(house: StandingHouse) -> None:
    """The time to approve the consent was over long ago: that ends no payment under it."""
    house.clock.now += DAY
    house.authorised()
    house.go_on(submit=taken(STUCK))
    assert house.payment().state == "submitting"
    house.go_on(status=STUCK)
    assert house.bank.verbs()[-1] == "recurring.status"
    assert house.payment().state == "submitting"  # told, and within its time
    house.clock.now += DAY
    house.go_on(status=STUCK)
    assert house.payment().state == "unknown"
    house.go_on(status=NOT_FOUND)
    assert house.payment().state == "unknown"
    holds(house)


def test_an_event_about_the_consent_is_none_about_a_payment(house: StandingHouse) -> None:
    house.authorised()
    house.go_on(submit=taken())
    house.clock.now += HOUR
    house.go_on(status=ACCEPTED)
    waits_until = house.due()["pay_1"]
    consent_id = house.consent().bank_consent_id
    assert consent_id is not None

    def heard(resource_id: str) -> None:
        house.clock.now += 2 * rules.HINT_PAUSE
        event = Event(
            event_id=f"of {resource_id}",
            kind=EventKind.RESOURCE_UPDATED,
            resource_type="domestic-vrp",
            resource_id=resource_id,
            occurred_at=house.clock.now,
        )
        payments.hear(house.services, bank_id="horizon", event=event)

    heard(consent_id)
    assert house.due()["pay_1"] == waits_until
    heard("paid-1")
    assert house.due()["pay_1"] <= house.clock.now


# ----------------------------------------------------------------------------------------------------- where it is seen


def test_it_is_in_the_bank_s_hands_from_its_first_sending(house: StandingHouse) -> None:
    house.authorised()

    def way() -> tuple[object, ...]:
        with house.services.reading() as uow:
            payment = uow.session.get_one(Payment, "pay_1")
            found = way_of(uow.session, payment)
            by_query = uow.session.scalars(select(Payment.id).where(was_given_out())).all()
        assert by_query == (["pay_1"] if found.given_out_at else [])
        return found.has_trip, found.is_approved, found.given_out_at, found.returned_at, found.keeps_link

    assert way() == (False, True, None, None, False)
    first = house.clock.now
    house.go_on(submit=SILENT)
    house.clock.now += rules.SEND_GAP
    house.go_on(consent_status=AUTHORISED, submit=SILENT)
    assert way() == (False, True, first, first, False)


def test_two_payments_under_one_consent_are_seen_everywhere(house: StandingHouse) -> None:
    for number in ("1", "2"):
        payment_id = house.authorised(number)
        house.go_on(payment_id, submit=taken(DEBITED, number))
        house.run("receipts.issue_receipt")
    with house.services.reading() as uow:
        view = payment_view(uow.session, "pay_1", now=uow.now)
        (one,) = payments_of_invoice(uow.session, invoice_id="inv_2", customer_id=house.customer.id, now=uow.now)
        receipts = receipts_of(uow.session, customer_id=house.customer.id)
        with pytest.raises(NotFound):
            payment_of_browser(uow.session, payment_id="pay_1", cookies=["any"])
    assert (view.state, one.id, one.state, view.approved, view.link_open) == (
        "settled",
        "pay_2",
        "settled",
        True,
        False,
    )
    assert [(each.key, each.done) for each in view.steps] == [("confirmed", True), ("sent", True), ("settled", True)]
    assert (view.consent_id, one.consent_id) == (house.consent_id, house.consent_id)
    assert sorted(each.payment_id for each in receipts) == ["pay_1", "pay_2"]
    assert all(each.under_consent for each in receipts)
    holds(house)


def test_reconciliation_asks_about_it(house: StandingHouse) -> None:
    """What was closed, too: it was sent, so the bank could think otherwise of it."""
    house.authorised("1")
    house.go_on(submit=taken())
    house.authorised("2")
    house.go_on("pay_2", submit=taken(REJECTED, "2"))
    house.authorised("3")
    with house.begin() as uow:
        payments.cancel(uow, signed_in=house.signed_in, payment_id="pay_3")
        uow.commit()
    assert reconciliation.ask(house.services, since=DAY) == 2
    assert house.payment("pay_2").state in CLOSED
