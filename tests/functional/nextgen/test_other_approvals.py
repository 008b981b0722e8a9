"""Customers who approve in their bank's app, or come back with a code to confirm: through the doors, to the books."""

from __future__ import annotations

import dataclasses

import pytest
from werkzeug.datastructures import Headers

from app.journey.payments.models import Payment
from connectors.sandbox_bank.nextgen import brands, definition
from tests.support import nextgen_bank
from tests.support.journey import ORIGIN, Journey

pytestmark = pytest.mark.long_on_postgres


def decided(journey: Journey, bank: str, *, amount: str = "84.20") -> str:
    """The payment's id. The bank holds the order."""
    answer = journey.browser.confirm(journey.bill(number=f"{bank}-{amount}", amount=amount), bank=bank)
    assert answer.status_code == 303
    return answer.headers["Location"].split("/")[2]


def sent(journey: Journey, method: str, end: str) -> int:
    return sum(str(one.url).endswith(end) and one.method == method for one in journey.bank_wire.sent)


def ended(journey: Journey, payment_id: str) -> Payment:
    for _ in range(60):
        payment = journey.payment(payment_id)
        if payment.state not in ("awaiting_customer", "accepted", "unknown"):
            return payment
        journey.wait(60)
    raise AssertionError("it does not end")


# ----------------------------------------------------------------------------------------------------------- in the app


def asked(journey: Journey) -> list[str]:
    """What the bank's app asks."""
    links = journey.person.go(f"{nextgen_bank.BASE_URL}/lakenhal/app").page.select("#waiting a")
    return [nextgen_bank.BASE_URL + str(link["href"]) for link in links]


def stays(journey: Journey, payment_id: str) -> None:
    """The customer has the bank ask in its app."""
    to = journey.browser.leave(payment_id)
    assert to.startswith(f"{ORIGIN}/banks/lakenhal/return/")
    assert journey.browser.come_back(to).headers["Location"] == f"/payments/{payment_id}?back=1"


def words(journey: Journey, payment_id: str) -> str:
    return " ".join(journey.browser.page(f"/payments/{payment_id}").get_text(" ").split())


def test_the_page_says_that_the_bank_asks_in_its_app_and_waits(there: Journey) -> None:
    payment_id = decided(there, "lakenhal")
    leaving = there.browser.page(f"/payments/{payment_id}/leave").get_text(" ", strip=True)
    assert "Next: the app of Lakenhal Bank" in leaving
    assert "You leave Quittance now" not in leaving
    assert asked(there) == []  # nobody is asked before the customer wants it
    stays(there, payment_id)
    assert len(asked(there)) == 1
    for _ in range(2):
        assert there.truth(payment_id) == "at_bank"
        said = words(there, payment_id)
        assert "Waiting for your approval in the app of Lakenhal Bank" in said
        assert "you have not approved this payment" in said
        assert "Your approval at the bank we are waiting for this" in said
        bill = there.browser.page(f"/bills/{there.payment(payment_id).invoice_id}").get_text(" ")
        assert "A payment waits for your approval at Lakenhal Bank" in bill
        assert "We do not know" not in bill
        there.wait(60)
    assert there.ledger() == []
    there.at_bank(asked(there)[0])
    there.wait(400)
    assert ended(there, payment_id).state == "settled"
    assert len(there.ledger()) == 1
    assert there.truth(payment_id) == "done"


def test_before_signing_the_customer_reads_where_the_bank_will_ask(there: Journey) -> None:
    bill = there.bill(number="1", amount="84.20")
    said = {
        bank: there.browser.page(f"/bills/{bill}/pay?bank={bank}").get_text(" ") for bank in ("lakenhal", "hansekontor")
    }
    assert "asks you in its app" in said["lakenhal"]
    assert "on its own pages" not in said["lakenhal"]
    assert "on its own pages" in said["hansekontor"]


def test_the_page_to_choose_promises_no_page_of_a_bank_that_has_an_app(there: Journey) -> None:
    said = there.browser.page(f"/bills/{there.bill(number='1', amount='84.20')}/bank").get_text(" ")
    assert "Lakenhal Bank" in said
    assert "on its own pages or in its app" in said


def test_a_bank_without_an_app_for_this_customer_sends_them_to_its_page(
    there: Journey, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is asked for its app, and names a page: what our pages say is what the bank chose."""
    brand = dataclasses.replace(brands.BRANDS["lakenhal"], approach="redirect", explicit=False)
    monkeypatch.setitem(brands.BRANDS, "lakenhal", brand)

    def as_it_likes(headers: Headers, *, brand: brands.Brand) -> tuple[str, str]:
        return headers["TPP-Redirect-URI"], headers["TPP-Nok-Redirect-URI"]

    monkeypatch.setattr(definition, "ways_back", as_it_likes)
    payment_id = decided(there, "lakenhal")
    leaving = there.browser.page(f"/payments/{payment_id}/leave").get_text(" ", strip=True)
    assert "You leave Quittance now" in leaving
    assert "the app of" not in leaving
    to = there.browser.leave(payment_id)
    assert to.startswith(nextgen_bank.BASE_URL)
    said = words(there, payment_id)
    assert "Waiting for your approval at Lakenhal Bank" in said
    assert "app of Lakenhal" not in said
    there.browser.come_back(there.at_bank(to))
    assert ended(there, payment_id).state == "settled"
    said = words(there, payment_id)
    assert "Paid" in said
    assert "app of" not in said


def test_a_no_in_the_app(there: Journey) -> None:
    payment_id = decided(there, "lakenhal")
    stays(there, payment_id)
    there.at_bank(asked(there)[0], decision="refuse")
    assert ended(there, payment_id).state == "rejected"
    assert (there.ledger(), there.truth(payment_id)) == ([], "not_done")


def test_nobody_looks_at_the_app(there: Journey) -> None:
    payment_id = decided(there, "lakenhal")
    stays(there, payment_id)
    assert ended(there, payment_id).state == "rejected"
    assert (asked(there), there.ledger()) == ([], [])


def test_a_customer_who_does_not_want_it_is_asked_nothing(there: Journey) -> None:
    payment_id = decided(there, "lakenhal")
    there.wait(3600)
    assert there.payment(payment_id).state == "expired"
    assert sent(there, "POST", "/authorisations") == 0


def test_going_there_twice_asks_once(there: Journey) -> None:
    payment_id = decided(there, "lakenhal")
    to = there.browser.leave(payment_id)
    for _ in range(2):
        there.browser.come_back(to)
    assert sent(there, "POST", "/authorisations") == 1
    assert there.browser.get(f"/payments/{payment_id}/bank").headers["Location"] == f"/payments/{payment_id}"


@pytest.mark.parametrize("amount", ["999.10", "999.11"])
def test_a_lost_answer_of_the_asking_is_no_reason_to_ask_again(there: Journey, amount: str) -> None:
    payment_id = decided(there, "lakenhal", amount=amount)
    stays(there, payment_id)
    assert len(asked(there)) == 1
    there.at_bank(asked(there)[0])
    assert ended(there, payment_id).state == "settled"
    assert (sent(there, "POST", "/authorisations"), len(there.ledger())) == (1, 1)


# ----------------------------------------------------------------------------------------------- with a code to confirm


def test_a_customer_who_is_back_with_the_code_has_paid(there: Journey) -> None:
    payment_id = decided(there, "grachten")
    way_back = there.at_bank(there.browser.leave(payment_id))
    assert "authConfirmationCode=" in way_back
    there.wait(5)
    assert there.ledger() == []  # it waits for us
    for _ in range(2):
        assert there.browser.come_back(way_back).status_code == 303
    assert ended(there, payment_id).state == "settled"
    assert (sum(one.method == "PUT" for one in there.bank_wire.sent), len(there.ledger())) == (1, 1)


@pytest.mark.parametrize("code", ["", "&authConfirmationCode=made-up"])
def test_an_address_that_was_made_up_confirms_nothing(there: Journey, code: str) -> None:
    payment_id = decided(there, "grachten")
    way_back = there.at_bank(there.browser.leave(payment_id))
    assert there.browser.come_back(way_back.partition("&")[0] + code).status_code == 303
    assert ended(there, payment_id).state == "rejected"
    assert there.ledger() == []


@pytest.mark.parametrize("brand", ["hansekontor", "alpenkasse", "navigli", "azulejo"])
def test_all_others_lead_to_the_books_too(there: Journey, brand: str) -> None:
    payment_id = decided(there, brand)
    there.browser.come_back(there.at_bank(there.browser.leave(payment_id)))
    assert ended(there, payment_id).state == "settled"
    assert len(there.ledger()) == 1


@pytest.mark.parametrize("brand", ["alpenkasse", "navigli"])
def test_a_no_on_a_page(there: Journey, brand: str) -> None:
    payment_id = decided(there, brand)
    there.browser.come_back(there.at_bank(there.browser.leave(payment_id), decision="refuse"))
    payment = ended(there, payment_id)
    assert (payment.state, payment.reason, there.ledger()) == ("rejected", "not_approved", [])
