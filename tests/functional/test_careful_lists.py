"""What speaks against paying a bill is said in the list as well, and what may not be owed is in no sum."""

from __future__ import annotations

import pytest
from sqlalchemy import event

from app.journey.invoices.access import payee_of
from app.journey.invoices.models import Invoice
from tests.functional.test_answers import say
from tests.support.bills import IBAN as OTHER_IBAN
from tests.support.bills import cii_bill, pdf_bill
from tests.support.journey import Journey
from tests.support.own_bills import add
from tests.support.pictures import IBAN, as_file, epc_text, page

BY_DEBIT = (
    "<ram:SpecifiedTradeSettlementPaymentMeans><ram:TypeCode>59</ram:TypeCode>"
    "</ram:SpecifiedTradeSettlementPaymentMeans>"
)
#: nothing of it is a twin of what the journey delivers
OWN = {"payee": "Dachdeckerei Brandt", "iban": IBAN}


def careful(journey: Journey, path: str = "/bills") -> dict[str, list[str]]:
    """Of each card with anything to be careful of: the bill's number, and the lines."""
    found = {}
    for card in journey.browser.page(path).select(".cards .card"):
        lines = [each.get_text(" ", strip=True) for each in card.select(".careful")]
        if lines:
            number = card.select(".card-who .soft")[0].get_text(strip=True).removeprefix("Bill ").partition(",")[0]
            found[number] = lines
    return found


def total(journey: Journey) -> str:
    return " ".join(journey.browser.page("/bills").select(".total")[0].get_text(" ", strip=True).split())


def with_debit(journey: Journey, number: str, amount: str) -> str:
    """A bill that is paid by a transfer, and says that it is collected as well."""
    invoice_id = journey.bill(number=number, amount=amount)
    with journey.services.unit_of_work() as uow:
        uow.session.get_one(Invoice, invoice_id).means_details = {"besides": "direct_debit"}
        uow.commit()
    return invoice_id


def test_nothing_is_said_of_what_nothing_speaks_against(journey: Journey) -> None:
    journey.bill(number="A", amount="84.20")
    add(journey.browser, number="B", **OWN)
    assert careful(journey) == {}
    assert "€84.20 to pay, on 1 bill and €184.50 on 1 bill that you added yourself" in total(journey)
    assert "Not counted" not in total(journey)
    assert "may be the same" not in total(journey)


def test_a_debit_besides_is_said_and_in_no_sum(journey: Journey) -> None:
    invoice_id = with_debit(journey, "D", "39.90")
    assert careful(journey) == {"D": ["Also announced as a direct debit: do not pay twice"]}
    said = "Not counted: 1 bill that is also announced as a direct debit."
    assert f"Nothing else to pay for now. Through Quittance, nothing leaves your account until you say so. {said}" in (
        total(journey)
    )
    journey.bill(number="A", amount="84.20")
    assert "€84.20 to pay, on 1 bill" in total(journey)
    assert said in total(journey)
    assert journey.browser.page("/bills").select('main a[href="/together"]')
    say(journey, invoice_id, "declined", reason="not_mine")
    assert careful(journey) == {}
    assert "direct debit" not in total(journey)


def test_a_company_s_likeness_is_said_and_in_no_sum(journey: Journey) -> None:
    journey.bill(number="A-1", amount="84.20")
    add(journey.browser, payee="Lurnen Energie", iban=IBAN, number="B", reference="b", amount="10")
    add(journey.browser, payee="Quittance", iban=IBAN, number="C", reference="c", amount="20")
    add(journey.browser, payee="Inkasso Nord", iban=IBAN, number="A–1", reference="x", amount="30")
    add(journey.browser, payee="Wasserwerk", iban=IBAN, number="E", reference="e", amount="40")
    assert careful(journey) == {
        "B": ["Careful: Lumen Énergie has no such account"],
        "C": ["It looks like a bill of this service, and nobody pays one to it"],
        "A–1": ["Careful: Lumen Énergie has no such account"],
    }
    assert "and €40.00 on 1 bill that you added yourself" in total(journey)
    assert "Not counted: 3 bills that you added and that need a look before you pay." in total(journey)


@pytest.mark.parametrize(
    ("content", "said", "is_counted"),
    [
        (
            pdf_bill(("factur-x.xml", cii_bill(means=BY_DEBIT)), page="84,20 EUR"),
            "By its file it is collected by direct debit: do not pay twice",
            False,
        ),
        (
            as_file(page(epc_text(), epc_text(iban=OTHER_IBAN))),
            "Its file names two accounts: do not pay before you know why",
            False,
        ),
        (
            pdf_bill(*((f"{number}.txt", b"") for number in range(21)), page=f"IBAN {IBAN}"),
            "Something in its file needs a look before you pay",
            True,
        ),
    ],
    ids=["collected", "two-accounts", "not-looked-into"],
)
def test_what_its_own_file_says_is_said(journey: Journey, content: bytes, said: str, is_counted: bool) -> None:
    add(journey.browser, content, **OWN, number="B", amount="84.20", reference="R")
    assert careful(journey) == {"B": [said]}
    assert ("€84.20 on 1 bill that you added yourself" in total(journey)) is is_counted
    assert ("Not counted: 1 bill that you added" in total(journey)) is not is_counted


def test_what_may_be_the_same_is_said_on_both_cards_and_beside_the_sum(journey: Journey) -> None:
    delivered = journey.bill(number="A", amount="84.20")
    _, account = payee_of(journey.invoice(delivered))
    same = {"iban": account, "payee": "Lumen", "reference": "other", "amount": "84,20"}
    add(journey.browser, number="B", **same)
    assert careful(journey) == {"A": ["Perhaps the same as B"], "B": ["Perhaps the same as A"]}
    assert "1 of them may be the same as another bill here." in total(journey)
    add(journey.browser, number="C", **same)
    assert careful(journey)["B"] == ["Perhaps the same as A (and 1 more)"]
    assert "2 of them may be the same as other bills here." in total(journey)


@pytest.mark.parametrize(("is_settled", "said"), [(True, "paid"), (False, "being paid")])
def test_what_is_paid_or_may_be_is_said_on_the_card_of_its_copy(journey: Journey, is_settled: bool, said: str) -> None:
    delivered = journey.bill(number="A", amount="84.20")
    _, account = payee_of(journey.invoice(delivered))
    if is_settled:
        journey.pay(delivered)
        journey.wait(5)
    else:
        journey.confirm(delivered)
    add(journey.browser, number="B", iban=account, payee="Lumen", reference="other", amount="84,20")
    assert careful(journey) == {"B": [f"Perhaps {said} already as A: do not pay twice"]}
    assert "1 of them may be the same as another bill here." in total(journey)


def test_the_list_asks_as_much_of_many_bills_as_of_one(journey: Journey) -> None:
    asked: list[str] = []
    event.listen(journey.services.engine, "before_cursor_execute", lambda _c, _k, said, *_: asked.append(said))

    def count() -> int:
        asked.clear()
        journey.browser.page("/bills")
        return len(asked)

    add(journey.browser, number="n-0", payee="Lurnen Energie", iban=IBAN, amount="10")
    journey.bill(number="d-0", amount="10.00", reference="n-0")
    one = count()
    for number in range(1, 6):
        add(journey.browser, number=f"n-{number}", payee="Lurnen Energie", iban=IBAN, amount=f"1{number}")
        journey.bill(number=f"d-{number}", amount=f"1{number}.00", reference=f"n-{number}")
    assert len(careful(journey)) == 12
    assert count() == one
