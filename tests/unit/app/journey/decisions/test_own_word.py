"""What is to be read of one bill alone is not signed among others, whoever asks for it and whenever it comes up."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

import pytest
from sqlalchemy import Engine, select, update

from app.demo.authenticator import Authenticator
from app.errors import Conflict
from app.journey.answers.service import Said, say
from app.journey.answers.states import AnswerKind
from app.journey.decisions import together
from app.journey.decisions.own_word import PLAIN, Beside, must_ask_nothing
from app.journey.intake.models import DeliveredBill
from app.journey.invoices.models import Invoice
from app.people.models import Customer, SealingKey
from tests.conftest import Clock
from tests.support.sealing import new_sealing_key
from tests.unit.app.journey.corrections.test_correction_service import APPLY, send
from tests.unit.app.journey.decisions.bundles import Bundle, decisions, ways_of
from tests.unit.app.journey.decisions.test_decision_service import passkey_of
from tests.unit.app.journey.house import VAULT
from tests.unit.app.journey.standing_house import StandingHouse

BILLS = ("inv_1", "inv_2", "inv_3")
NOTHING = Beside(is_collected_besides=False, is_said_paid=False, is_seal_wrong=False)
ORDER = dict.fromkeys(PLAIN, "x")


@pytest.fixture
def house(engine: Engine, customer: Customer, clock: Clock) -> StandingHouse:
    made = StandingHouse(engine, clock, customer)
    for number in ("1", "2", "3"):
        made.bill(number)
    return made


@pytest.fixture
def device(house: StandingHouse) -> Authenticator:
    return passkey_of(house, house.customer)


def test_what_is_plain_asks_nothing() -> None:
    must_ask_nothing(ORDER, NOTHING)


@pytest.mark.parametrize(
    "name", ["expired_on", "earlier_paid", "kept_by", "sent_from", "what nobody has thought of yet"]
)
def test_whatever_more_stands_in_an_order_is_a_word_of_its_own(name: str) -> None:
    with pytest.raises(Conflict) as refused:
        must_ask_nothing({**ORDER, name: ""}, NOTHING)
    assert refused.value.code == "own-word"


def test_what_is_under_no_consent_is_approved_at_a_bank_by_itself() -> None:
    with pytest.raises(Conflict) as refused:
        must_ask_nothing({name: each for name, each in ORDER.items() if name != "consent"}, NOTHING)
    assert refused.value.code == "own-word"


@pytest.mark.parametrize(
    ("beside", "code"),
    [
        (Beside(is_collected_besides=True, is_said_paid=False, is_seal_wrong=False), "collected-besides"),
        (Beside(is_collected_besides=False, is_said_paid=True, is_seal_wrong=False), "said-paid"),
        (Beside(is_collected_besides=False, is_said_paid=False, is_seal_wrong=True), "seal-wrong"),
        (Beside(is_collected_besides=True, is_said_paid=True, is_seal_wrong=True), "seal-wrong"),
    ],
)
def test_what_is_said_beside_an_order_is_one_too(beside: Beside, code: str) -> None:
    with pytest.raises(Conflict) as refused:
        must_ask_nothing(ORDER, beside)
    assert refused.value.code == code


def collected_besides(house: StandingHouse) -> None:
    with house.begin() as uow:
        besides = {"besides": "direct_debit"}
        uow.session.execute(update(Invoice).where(Invoice.id == "inv_2").values(means_details=besides))
        uow.commit()


def seal_wrong(house: StandingHouse) -> None:
    """Delivered with a seal of this key, and that does not hold now."""
    now, made = house.clock.now, new_sealing_key("Ed25519")
    year = dt.timedelta(days=365)
    with house.begin() as uow:
        key = SealingKey(
            id="sk_1",
            biller_id="blr_1",
            kid=made.kid,
            jwk=made.public,
            valid_from=now - year,
            valid_until=now + year,
            registered_at=now - year,
        )
        uow.session.add(key)
        uow.session.flush()
        uow.session.execute(update(DeliveredBill).where(DeliveredBill.id == "bill_2").values(key_id="sk_1"))
        uow.commit()


CHANGES: dict[str, Callable[[StandingHouse], None]] = {
    "collected-besides": collected_besides,
    "seal-wrong": seal_wrong,
}


def why_apart(house: StandingHouse, *bills: str) -> dict[str, str]:
    with house.services.reading() as uow:
        found = together.sort_out(uow, customer=house.customer, vault=VAULT, ways=ways_of(house, bills))
    return {invoice_id: refused.code for invoice_id, refused in found.apart.items()}


@pytest.mark.parametrize("code", CHANGES)
def test_it_is_not_among_those_that_are_offered(house: StandingHouse, code: str) -> None:
    assert why_apart(house, *BILLS) == {}
    CHANGES[code](house)
    assert why_apart(house, *BILLS) == {"inv_2": code}


@pytest.mark.parametrize("code", CHANGES)
def test_what_comes_to_be_so_after_the_signature_begins_nothing(
    house: StandingHouse, device: Authenticator, code: str
) -> None:
    """Though nothing of the orders has changed."""
    bundle = Bundle.signed(house, device, *BILLS)
    CHANGES[code](house)
    bundle.send()
    assert (bundle.told, bundle.about) == (code, "inv_2")
    assert decisions(house) == 0


def test_who_paid_an_earlier_version_elsewhere_is_asked_about_the_new_one_alone(house: StandingHouse) -> None:
    with house.begin() as uow:
        said = Said(kind=AnswerKind.PAID_ELSEWHERE, paid_on=house.clock.now.date())
        say(uow, signed_in=house.signed_in, invoice_id="inv_1", said=said)
        uow.commit()
    send(house, "1-B", amount="150.00", replaces="1")
    house.run(APPLY)
    with house.services.reading() as uow:
        [version] = uow.session.scalars(select(Invoice.id).where(Invoice.number == "1-B"))
    assert why_apart(house, version, "inv_2", "inv_3") == {version: "said-paid"}
