"""The order in which bills stand is their customer's: by what they choose, or their own, in which they move them."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest
from bs4 import BeautifulSoup, Tag
from sqlalchemy import select, update
from werkzeug.test import TestResponse

from app.journey.invoices.models import Invoice, OwnOrder
from app.journey.invoices.ordering import Direction, move
from tests.support import factories, own_bills
from tests.support.journey import Journey

MINE = "/bills?sort=mine"


def numbers(journey: Journey, path: str) -> list[str]:
    """Of the bills of a page, in their order."""
    page = journey.browser.page(path)
    return [card.get_text().partition("Bill ")[2].partition(",")[0] for card in page.select(".cards .card")]


def push(journey: Journey, invoice_id: str, to: str, **form: str) -> TestResponse:
    token = journey.browser.token("/bills")
    return journey.browser.post(f"/bills/{invoice_id}/move", token=token, form={"to": to, **form})


def buttons(page: BeautifulSoup, invoice_id: str) -> list[str]:
    card = page.find(id=invoice_id)
    assert isinstance(card, Tag)
    return [str(each["value"]) for each in card.select("form.card-move button")]


def ranks(journey: Journey) -> list[int | None]:
    with journey.services.reading() as uow:
        rows = select(OwnOrder.rank).select_from(Invoice).outerjoin(OwnOrder, OwnOrder.invoice_id == Invoice.id)
        return list(uow.session.scalars(rows.order_by(Invoice.id)))


@pytest.fixture
def bills(journey: Journey) -> list[str]:
    """Four, by due day 1 to 4; the amounts go the other way."""
    return [
        journey.bill(number=f"n{n}", due_on=f"2026-12-{n:02}", amount=f"{50 - n * 10}.00", reference=f"R {n}")
        for n in (1, 2, 3, 4)
    ]


def test_as_their_customer_chooses(journey: Journey, bills: list[str]) -> None:
    other = factories.make_biller(journey.services, name="Éclair")
    factories.connect(journey.services, customer_id=journey.customer.id, biller_id=other.id)
    with journey.services.unit_of_work() as uow:
        uow.session.execute(update(Invoice).where(Invoice.id == bills[2]).values(biller_id=other.id))
        uow.commit()
    by_due = ["n1", "n2", "n3", "n4"]
    assert numbers(journey, "/bills") == by_due
    assert numbers(journey, "/bills?sort=due") == by_due
    assert numbers(journey, "/bills?sort=nonsense") == by_due
    assert numbers(journey, "/bills?sort=amount") == by_due
    assert numbers(journey, "/bills?sort=company") == ["n3", "n1", "n2", "n4"]
    assert numbers(journey, "/bills?show=to-pay&sort=company") == ["n3", "n1", "n2", "n4"]
    with journey.services.unit_of_work() as uow:
        uow.session.execute(update(Invoice).where(Invoice.id == bills[2]).values(biller_id=journey.biller.id))
        uow.commit()


def test_each_currency_by_itself_and_the_largest_first(journey: Journey) -> None:
    for number, amount, currency in (
        ("a", "5.00", "GBP"),
        ("b", "90.00", "EUR"),
        ("c", "7.00", "GBP"),
        ("d", "100.00", "EUR"),
    ):
        journey.bill(number=number, amount=amount, currency=currency, reference=number)
    assert numbers(journey, "/bills?sort=amount") == ["d", "b", "c", "a"]


def test_the_links_say_which_order_it_is(journey: Journey, bills: list[str]) -> None:
    page = journey.browser.page("/bills?show=to-pay&sort=amount")
    links = {link.get_text(): link for link in page.select(".sorts a")}
    assert list(links) == ["due day", "amount", "company", "my own order"]
    assert [name for name, link in links.items() if link.get("aria-current")] == ["amount"]
    assert links["my own order"]["href"] == "/bills?show=to-pay&sort=mine"
    assert [link["href"] for link in page.select(".tabs a")][2] == "/bills?show=paid&sort=amount"
    paid = journey.browser.page("/bills?show=paid&sort=mine")
    assert "my own order" not in paid.get_text()
    assert len(bills) == 4


def test_moved_by_two_buttons(journey: Journey, bills: list[str]) -> None:
    page = journey.browser.page(MINE)
    assert [buttons(page, each) for each in bills] == [["down"], ["up", "down"], ["up", "down"], ["up"]]
    names = [each.get_text(" ", strip=True) for each in page.select("form.card-move button .unseen")]
    assert "Lumen Énergie, n1" in names
    answer = push(journey, bills[2], "up", show="to-pay")
    assert (answer.status_code, answer.headers["Location"]) == (303, f"/bills?show=to-pay&sort=mine#{bills[2]}")
    assert journey.browser.page(MINE).find(id=bills[2], tabindex="-1") is not None
    assert numbers(journey, MINE) == ["n1", "n3", "n2", "n4"]
    push(journey, bills[3], "up")
    assert numbers(journey, MINE) == ["n1", "n3", "n4", "n2"]
    push(journey, bills[0], "down")
    assert numbers(journey, MINE) == numbers(journey, "/bills?show=to-pay&sort=mine") == ["n3", "n1", "n4", "n2"]
    assert numbers(journey, "/bills") == ["n1", "n2", "n3", "n4"]


def test_what_names_no_day_stands_last(journey: Journey, bills: list[str]) -> None:
    """In each order in which the day counts, and where it is moved from."""
    undated = own_bills.add(journey.browser, number="own")
    for path in ("/bills", "/bills?show=to-pay", MINE):
        assert numbers(journey, path) == ["n1", "n2", "n3", "n4", "own"], path
    again = journey.bill(number="n5", due_on=None, issued_on="2026-11-01", amount="40.00", reference="R 5")
    assert numbers(journey, "/bills?sort=amount")[1:3] == ["n1", "n5"]
    assert numbers(journey, "/bills?sort=company")[1:] == ["n1", "n2", "n3", "n4", "n5"]
    assert numbers(journey, MINE)[4:] == ["n5", "own"]
    push(journey, undated, "up")
    assert numbers(journey, MINE)[4:] == ["own", "n5"]
    push(journey, again, "up")
    assert numbers(journey, MINE)[4:] == ["n5", "own"]


def test_the_first_goes_no_higher_and_the_last_no_lower(journey: Journey, bills: list[str]) -> None:
    assert push(journey, bills[0], "up").status_code == 303
    assert push(journey, bills[3], "down").status_code == 303
    assert ranks(journey) == [None] * 4


def test_new_bills_come_behind_the_ordered_ones_by_their_day(journey: Journey, bills: list[str]) -> None:
    push(journey, bills[1], "up")
    journey.bill(number="new", due_on="2026-11-30", reference="new")
    assert numbers(journey, MINE) == ["n2", "n1", "new", "n3", "n4"]


def test_own_bills_and_muted_companies_share_the_order(journey: Journey, bills: list[str]) -> None:
    own = own_bills.add(journey.browser, number="own")
    path = f"/companies/{journey.biller.id}"
    journey.browser.post(f"{path}/mute", token=journey.browser.token(path))
    before = numbers(journey, MINE)
    place = before.index("own")
    push(journey, own, "down" if place == 0 else "up")
    after = numbers(journey, MINE)
    assert after != before
    assert sorted(after) == sorted(before)
    assert abs(after.index("own") - place) == 1
    assert numbers(journey, "/bills")[0] == "own"  # the others are muted, and stand behind
    assert len(bills) == 4


def test_what_is_paid_or_set_aside_has_no_place(journey: Journey, bills: list[str]) -> None:
    push(journey, bills[3], "up")
    journey.pay(bills[0])
    journey.wait(300)
    page = journey.browser.page(MINE)
    assert page.find(id=bills[0]) is None
    assert buttons(page, bills[1]) == ["down"]
    answer = push(journey, bills[0], "down")
    assert (answer.status_code, answer.headers["Location"]) == (303, "/bills?show=all&sort=mine")
    push(journey, bills[3], "up")
    assert numbers(journey, "/bills?show=to-pay&sort=mine") == ["n4", "n2", "n3"]


def put(journey: Journey, invoice_id: str, onto: str) -> TestResponse:
    token = journey.browser.token("/bills")
    return journey.browser.post(f"/bills/{invoice_id}/move", token=token, form={"onto": onto})


def test_put_where_another_stands(journey: Journey, bills: list[str]) -> None:
    answer = put(journey, bills[3], bills[1])
    assert (answer.status_code, answer.headers["Location"]) == (303, f"/bills?show=all&sort=mine#{bills[3]}")
    assert numbers(journey, MINE) == ["n1", "n4", "n2", "n3"]
    put(journey, bills[0], bills[2])
    assert numbers(journey, MINE) == ["n4", "n2", "n3", "n1"]
    assert ranks(journey) == [4, 2, 3, 1]
    put(journey, bills[0], bills[0])
    assert ranks(journey) == [4, 2, 3, 1]


def test_put_where_nothing_stands_it_stays(journeys: Callable[[], Journey]) -> None:
    mine, theirs = journeys(), journeys()
    bills = [mine.bill(number=f"a-{n}", reference=f"a {n}") for n in range(3)]
    other = theirs.bill(number="b-1")
    mine.pay(bills[2])
    mine.wait(300)
    for onto in ("", "inv_nothing", other, bills[2]):
        assert put(mine, bills[1], onto).status_code == 303
    assert put(mine, other, bills[0]).status_code == 404
    assert ranks(mine) == [None] * 4


@pytest.mark.parametrize("to", ["", "sideways", "UP"])
def test_nothing_else_moves_it(journey: Journey, bills: list[str], to: str) -> None:
    assert push(journey, bills[1], to).status_code == 400
    assert ranks(journey) == [None] * 4


def test_nobody_moves_a_bill_of_somebody_else(journeys: Callable[[], Journey]) -> None:
    mine, theirs = journeys(), journeys()
    mine.bill(number="a-1")
    other = [theirs.bill(number=f"b-{n}", reference=f"b {n}") for n in range(2)]
    assert push(mine, other[1], "up").status_code == 404
    assert push(mine, "inv_nothing", "up").status_code == 404
    assert ranks(mine) == [None] * 3


def test_a_visit_moves_nothing(journey: Journey, bills: list[str]) -> None:
    visitor = journey.browser.of(journey.app)
    token = factories.sign_in(journey.services, journey.customer, read_only=True)
    visitor.client.set_cookie("__Host-session-8000", token, domain="localhost", secure=True)
    page = visitor.page(MINE)
    assert not page.select("form.card-move")
    answer = visitor.post(f"/bills/{bills[1]}/move", token=visitor.token("/bills"), form={"to": "up"})
    assert answer.status_code == 403
    assert ranks(journey) == [None] * 4


def test_over_the_edge_of_a_page(journey: Journey, monkeypatch: pytest.MonkeyPatch, bills: list[str]) -> None:
    for module in ("app.journey.invoices.read", "app.web.customers.inbox"):
        monkeypatch.setattr(f"{module}.INBOX_MOST", 2)
    second = "/bills?sort=mine&page=2"
    assert numbers(journey, second) == ["n3", "n4"]
    page = journey.browser.page(second)
    assert [buttons(page, each) for each in bills[2:]] == [["up", "down"], ["up"]]
    answer = push(journey, bills[2], "up")
    assert answer.headers["Location"] == f"/bills?show=all&sort=mine#{bills[2]}"
    assert (numbers(journey, MINE), numbers(journey, second)) == (["n1", "n3"], ["n2", "n4"])
    answer = push(journey, bills[2], "down")
    assert answer.headers["Location"] == f"/bills?show=all&sort=mine&page=2#{bills[2]}"
    for sort in ("amount", "company"):
        pages = [numbers(journey, f"/bills?sort={sort}&page={page}") for page in (1, 2, 3)]
        assert pages == [["n1", "n2"], ["n3", "n4"], []]


def test_two_tabs_at_once_lose_and_double_nothing(journey: Journey, bills: list[str]) -> None:
    """Each of two threads moves bills of its own up and down; whatever comes of it is an order of all of them."""
    signed_in = factories.signed_in(journey.customer)
    start = threading.Barrier(2)
    faults: list[BaseException] = []

    def moving(first: int) -> None:
        start.wait()
        try:
            for number in range(6):
                with journey.services.unit_of_work() as uow:
                    to = Direction.UP if number % 2 else Direction.DOWN
                    assert move(uow, signed_in=signed_in, invoice_id=bills[first + number % 2], to=to) is not None
                    uow.commit()
        except BaseException as fault:  # noqa: BLE001  (the thread's own would be lost)
            faults.append(fault)

    threads = [threading.Thread(target=moving, args=(first,)) for first in (0, 2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert faults == []
    found = [rank for rank in ranks(journey) if rank is not None]
    assert sorted(found) == list(range(1, len(found) + 1))
    assert sorted(numbers(journey, MINE)) == ["n1", "n2", "n3", "n4"]


def test_the_order_changes_no_total(journey: Journey, bills: list[str]) -> None:
    before = journey.browser.page("/bills").select_one(".total")
    push(journey, bills[3], "up")
    after = journey.browser.page("/bills?sort=mine").select_one(".total")
    assert str(before) == str(after)
