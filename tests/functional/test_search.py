"""Somebody looks for a bill: by whatever is known of it, in their own space alone, and nothing typed is kept."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from urllib.parse import quote

import pytest
from bs4 import BeautifulSoup
from sqlalchemy import text

from app.journey.search.read import FOUND_MOST
from app.journey.search.rules import QUERY_MOST
from app.people.vetting import suspend
from app.tables import metadata
from tests.functional.test_corrections import credit
from tests.functional.test_corrections import withdrawn as withdraw
from tests.support import own_bills
from tests.support.journey import Journey


def look(journey: Journey, query: str, **more: str) -> BeautifulSoup:
    wanted = "".join(f"&{name}={value}" for name, value in more.items())
    return journey.browser.page(f"/search?q={quote(query, safe='')}{wanted}")


def found(page: BeautifulSoup) -> list[str]:
    """The ids of the bills, in their order."""
    return [str(link["href"]).rpartition("/")[2] for link in page.select(".found .card h3 a")]


def words(page: BeautifulSoup) -> str:
    return page.main.get_text(" ", strip=True) if page.main else ""


def why(page: BeautifulSoup) -> str:
    [part] = page.select(".found-why")
    return part.get_text(" ", strip=True)


def test_from_the_inbox_to_the_bill_in_two_clicks(journey: Journey) -> None:
    invoice_id = journey.bill(number="LU-118204")
    inbox = journey.browser.page("/bills")
    [form] = inbox.select('form[role="search"]')
    label = form.select_one("label")
    field = form.select_one("input[type=text]")
    assert label is not None
    assert field is not None
    assert (form["method"], form["action"], field["name"]) == ("get", "/search", "q")
    assert label["for"] == field["id"]
    page = look(journey, "lu-118204")
    assert found(page) == [invoice_id]
    assert journey.browser.get("/search?q=lu").headers["Cache-Control"] == "no-store"


def test_what_is_known_of_a_bill_finds_it(journey: Journey) -> None:
    invoice_id = journey.bill(
        number="LU-2026-7",
        amount="1234.50",
        issued_on="2026-03-12",
        due_on="2026-04-01",
        reference="RF18539007547034",
        order_reference="PO 77/4",
        note="Relevé d’avril",
        lines=[{"description": "Consommation d’électricité", "amount": "1028.75"}],
    )
    journey.bill(number="other", amount="9.99", issued_on="2025-01-02", due_on="2025-02-01", reference="REF471234")
    for query in (
        *("lumen lu-2026-7", "LU 2026 7", "1 234,50 €", "1,234.50", "1234", "12 March 2026", "mars 2026", "01/04/2026"),
        *("RF18 5390 0754", "po77/4", "electricite", "releve", "lumen mars 1234"),
    ):
        assert found(look(journey, query)) == [invoice_id], query
    assert found(look(journey, "lumen avril 2025")) == []


def test_it_says_why_where_that_is_not_seen(journey: Journey) -> None:
    invoice_id = journey.bill(number="w1", lines=[{"description": "Compteur 4711 et abonnement"}], note="Merci bien")
    page = look(journey, "compteur")
    assert why(page) == "Found by: line: Compteur 4711 et abonnement"
    assert why(look(journey, "merci")) == "Found by: note: Merci bien"
    assert not look(journey, "w1").select(".found-why")
    payment_id = journey.pay(invoice_id)
    journey.wait(300)
    [receipt] = journey.browser.page("/receipts").select("table a")
    number = re.search(r"Q-[\w-]+", receipt.get_text())
    assert number is not None
    page = look(journey, number[0])
    assert why(page) == f"Found by: receipt {number[0]}"
    assert [link["href"] for link in page.select(".found-why a")] == [receipt["href"]]
    links = {str(link["href"]) for link in page.select(".card-do a")}
    assert links == {f"/payments/{payment_id}", receipt["href"]}
    end_to_end_id = journey.payment(payment_id).end_to_end_id
    page = look(journey, end_to_end_id.lower())
    assert found(page) == [invoice_id]
    assert [link["href"] for link in page.select(".found-why a")] == [f"/payments/{payment_id}"]
    assert "Paid" in words(page)


def test_nothing_of_anybody_else_is_found(journeys: Callable[[], Journey]) -> None:
    mine, theirs = journeys(), journeys()
    own = mine.bill(number="a-1", reference="RF18539007547034", note="Nele")
    other = theirs.bill(number="b-1", reference="REF471234", note="Camille")
    paid = theirs.pay(other)
    theirs.wait(300)
    assert found(look(mine, "lumen")) == [own]
    for query in ("b-1", "REF471234", "camille", theirs.payment(paid).end_to_end_id, "Q-"):
        page = look(mine, query)
        assert found(page) == [], query
        assert other not in str(page)
    assert found(look(theirs, "camille")) == [other]


def test_a_credit_note_and_a_withdrawn_bill_are_found(journey: Journey) -> None:
    credited, withdrawn = journey.bill(number="c-1"), journey.bill(number="c-2")
    credit(journey, number="CN-88", of="c-1")
    withdraw(journey, withdrawn)
    journey.worker.run_until_idle()
    page = look(journey, "CN-88")
    assert found(page) == [credited]
    assert why(page) == "Found by: credit note CN-88"
    page = look(journey, "c-2")
    assert found(page) == [withdrawn]
    assert "Withdrawn" in words(page)
    assert "Nothing to pay" in words(page)


def test_an_own_bill_is_marked_as_on_the_cards(journey: Journey) -> None:
    invoice_id = own_bills.add(journey.browser)
    with journey.services.reading() as uow:
        name = uow.session.execute(text("SELECT payee_name FROM invoice")).scalar_one()
    page = look(journey, name.split()[0])
    assert found(page) == [invoice_id]
    [card] = page.select(".card.own")
    assert "Not verified · added by you" in card.get_text()


@pytest.mark.parametrize("step", ["mute", "block"])
def test_of_a_muted_or_blocked_company(journey: Journey, step: str) -> None:
    invoice_id = journey.bill(number="m-1")
    path = f"/companies/{journey.biller.id}"
    assert journey.browser.post(f"{path}/{step}", token=journey.browser.token(path)).status_code == 303
    page = look(journey, "m-1")
    assert found(page) == [invoice_id]
    assert ("muted" in words(page)) is (step == "mute")


def test_of_a_suspended_company_nothing_is_told_that_its_bills_do_not_tell(journey: Journey) -> None:
    invoice_id = journey.bill(number="s-1", reference="RF18539007547034", due_on="2027-04-01", note="Pay quickly")
    with journey.services.unit_of_work() as uow:
        suspend(uow, biller_id=journey.biller.id, by="op", note="an attack")
        uow.commit()
    page = look(journey, "s-1")
    assert found(page) == [invoice_id]
    assert "suspended" in words(page)
    for query in ("RF18539007547034", "quickly", "April 2027"):
        assert found(look(journey, query)) == [], query


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("", "What you can look for"),
        (" - ", "What you can look for"),
        ("zzz", "You have no bills yet"),
        ("a" * (QUERY_MOST + 1), "too long"),
        ("1 " * 30, "too long"),
        ("<b>", "You have no bills yet"),
        ("\0", "What you can look for"),
    ],
)
def test_helpful_words_in_an_empty_space(journey: Journey, query: str, said: str) -> None:
    page = look(journey, query)
    assert said in words(page)
    assert found(page) == []
    [field] = page.select("#find")
    assert field["value"] == query.strip()[:QUERY_MOST].replace("\0", "")


@pytest.mark.parametrize(("query", "is_several"), [("zzz", False), ("zzz yyy", True)])
def test_nothing_found_says_what_else_to_try(journey: Journey, query: str, is_several: bool) -> None:
    journey.bill(number="s-1")
    page = words(look(journey, query))
    assert f"No bill matches “{query}”" in page
    assert "The beginning of a word is enough." in page
    assert ("Try fewer words" in page) is is_several
    assert "You have no bills yet" not in page


def test_the_newest_first_and_fifty_on_a_page(journey: Journey) -> None:
    ids = [journey.deliver(number=f"p-{n:02}", issued_on=f"2026-{n // 28 + 1:02}-{n % 28 + 1:02}") for n in range(53)]
    journey.worker.run_until_idle()
    first = look(journey, "p")
    assert len(found(first)) == FOUND_MOST
    assert "53 bills found by “p”" in words(first)
    [more] = first.select(".more a")
    second = journey.browser.page(str(more["href"]))
    assert [each["href"] for each in second.select(".more a")] == ["/search?q=p&page=1"]
    numbers = [journey.invoice(inv).number for inv in found(first) + found(second)]
    assert numbers == [f"p-{n:02}" for n in reversed(range(len(ids)))]
    assert found(look(journey, "p", page="9")) == found(second)
    assert found(look(journey, "p", page="x")) == found(first)


def test_what_is_typed_is_neither_kept_nor_logged(journey: Journey, caplog: pytest.LogCaptureFixture) -> None:
    journey.bill(number="k-1")
    with caplog.at_level(logging.DEBUG):
        look(journey, "unheardof")
    assert "unheardof" not in caplog.text
    with journey.services.reading() as uow:
        for table in metadata.sorted_tables:
            rows = uow.session.connection().execute(table.select()).all()
            assert "unheardof" not in repr(rows), table.name


def test_a_stranger_is_shown_the_door(journey: Journey) -> None:
    answer = journey.browser.of(journey.app).get("/search?q=lumen")
    assert answer.status_code == 303


def test_in_french(journey: Journey) -> None:
    journey.bill(number="f-1", lines=[{"description": "Compteur"}])
    journey.browser.get("/language/fr?next=/bills")
    page = look(journey, "compteur")
    assert "1 facture trouvée" in words(page)
    assert "ligne\u00a0: Compteur" in words(page)
