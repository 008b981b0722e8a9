"""What the tables themselves refuse of consents, and of what a customer sets about paying."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from app.journey.consents.models import CustomerBank
from app.journey.matching.models import PayFirst
from app.people.models import Stop, ToolToken
from consent.base import Base
from consent.models import Consent, Standing
from consent.states import STANDING_OVER, ConsentState, StandingState, StandingStep
from tests.support.factories import FRAME, agree_standing
from tests.unit.app.journey.house import House

NOW = dt.datetime(2026, 11, 24, 10, tzinfo=dt.UTC)
#: of which the bank may not know, or not yet have told its id
BEFORE = {StandingState.PREPARED, StandingState.REVOKING, *STANDING_OVER}


def consent(house: House, **changes: Any) -> Consent:
    usual: dict[str, Any] = {
        "id": "con_1",
        "customer_id": house.customer.id,
        "kind": "single",
        "bank_id": "horizon",
        "bank_consent_id": "b-1",
        "state": ConsentState.AUTHORISED,
        "sca": {},
        "created_at": NOW,
        "expires_at": NOW,
    }
    return Consent(**usual | changes)


def refuses(house: House, *rows: Base) -> None:
    with house.begin() as uow:
        uow.session.add_all(rows)
        with pytest.raises(IntegrityError):
            uow.session.flush()


@pytest.mark.parametrize("state", sorted({*ConsentState, *StandingState}))
@pytest.mark.parametrize("kind", ["single", "standing", "other"])
def test_each_kind_of_consent_has_its_own_states(kind: str, state: str, house: House) -> None:
    states: dict[str, list[str]] = {"single": list(ConsentState), "standing": list(StandingState), "other": []}
    if state in states[kind]:
        house.add(consent(house, kind=kind, state=state))
    else:
        refuses(house, consent(house, kind=kind, state=state))


@pytest.mark.parametrize("state", sorted(StandingState))
def test_the_bank_knows_each_that_could_be_used(state: StandingState, house: House) -> None:
    unknown = consent(house, kind="standing", state=state, bank_consent_id=None)
    if state in BEFORE:
        house.add(unknown)
    else:
        refuses(house, unknown)


def test_the_bank_knows_every_single_one_and_never_two_by_one_id(house: House) -> None:
    refuses(house, consent(house, bank_consent_id=None))
    refuses(house, consent(house), consent(house, id="con_2"))
    house.add(consent(house), consent(house, id="con_2", bank_id="meridian"))


def test_one_of_which_the_bank_may_not_know_has_no_id_there(house: House) -> None:
    assert consent(house).at_bank == "b-1"
    with pytest.raises(LookupError, match="con_1 is not at its bank"):
        _ = consent(house, bank_consent_id=None).at_bank


def test_what_was_agreed_comes_back_as_it_was(house: House) -> None:
    with house.begin() as uow:
        steps = (StandingStep.STAGE, StandingStep.AUTHORISE, StandingStep.REVOKE, StandingStep.BANK_GONE)
        made = agree_standing(uow, customer_id=house.customer.id, biller_id="blr_1", steps=steps)
        uow.commit()
    with house.services.reading() as uow:
        assert uow.session.get_one(Standing, made.consent_id).frame == FRAME
        assert uow.session.get_one(Consent, made.consent_id).state == StandingState.REVOKED


@pytest.mark.parametrize(
    "change", ["each_minor = 0", "ends_on = '2025-12-31'", "vrp_type = 'anything'", "shown_hash = 'what?'"]
)
def test_a_standing_consent_of_nonsense_is_refused(change: str, house: House) -> None:
    with house.begin() as uow:
        agree_standing(uow, customer_id=house.customer.id, biller_id="blr_1")
        with pytest.raises(IntegrityError):
            uow.session.execute(text(f"UPDATE standing SET {change}"))  # noqa: S608  # our own words


def test_a_payment_has_a_journey_or_a_standing_consent(house: House) -> None:
    house.bill()
    house.stage()
    with house.begin() as uow:
        standing = agree_standing(uow, customer_id=house.customer.id, biller_id="blr_1")
        uow.commit()
    to_none = text("UPDATE payment SET trip_id = NULL, consent_id = NULL")
    with house.begin() as uow, pytest.raises(IntegrityError):
        uow.session.execute(to_none)
    with house.begin() as uow:
        uow.session.execute(
            text("UPDATE payment SET trip_id = NULL, consent_id = :consent"), {"consent": standing.consent_id}
        )


def test_everything_is_stopped_once_at_a_time(house: House) -> None:
    def stop(number: int, *, lifted: bool) -> Stop:
        lifted_at = NOW if lifted else None
        return Stop(id=f"stp_{number}", customer_id=house.customer.id, session_id="s", at=NOW, lifted_at=lifted_at)

    house.add(stop(1, lifted=True), stop(2, lifted=True), stop(3, lifted=False))
    refuses(house, stop(4, lifted=False))


def test_a_biller_is_paid_first_in_one_way(house: House) -> None:
    whose = {"customer_id": house.customer.id, "biller_id": "blr_1", "chosen_at": NOW}
    refuses(house, PayFirst(**whose))
    house.add(consent(house))
    refuses(house, PayFirst(**whose, bank_id="horizon", consent_id="con_1"))
    house.add(PayFirst(**whose, consent_id="con_1"))
    refuses(house, PayFirst(**whose, bank_id="horizon"))


def test_a_customer_has_a_bank_once_and_a_token_is_one_customers(house: House) -> None:
    bank = {"customer_id": house.customer.id, "bank_id": "horizon", "rank": 1, "added_at": NOW}
    house.add(CustomerBank(**bank))
    refuses(house, CustomerBank(**bank))
    refuses(house, ToolToken(token_hash="x", customer_id="cus_none", name="n", scope="bills:read", created_at=NOW))
