"""The list of receipts: page after page, and by the years of the customer's calendar."""

from __future__ import annotations

import datetime as dt
import zoneinfo

import pytest
from bs4 import BeautifulSoup, Tag
from flask import Flask
from sqlalchemy import select

from app.journey.receipts.models import Receipt
from app.journey.receipts.read import RECEIPTS_MOST
from app.people.models import Customer
from app.services import Services
from tests.support import factories
from tests.support.installation import BASE_URL
from tests.support.journey import Journey
from tests.support.ten_years import fill


@pytest.fixture
def old_one(services: Services) -> Customer:
    return fill(services)


@pytest.mark.tampers
def test_every_receipt_of_ten_years_is_on_one_page(app: Flask, services: Services, old_one: Customer) -> None:
    client = app.test_client()
    token = factories.sign_in(services, old_one)
    client.set_cookie("__Host-session-8000", token, domain="localhost", secure=True)
    of_customer = select(Receipt).where(Receipt.customer_id == old_one.id)
    with services.unit_of_work() as uow:
        mine = list(uow.session.scalars(of_customer))
        of_january = min((each for each in mine if each.issued_at.month == 1), key=lambda each: each.id)
        # what is of that year in Paris is of the year before in London
        of_january.issued_at = dt.datetime(of_january.issued_at.year - 1, 12, 31, 23, 30, tzinfo=dt.UTC)
        zone = zoneinfo.ZoneInfo(old_one.time_zone)
        of_year = {each.id: each.issued_at.astimezone(zone).year for each in mine}
        uow.commit()
    assert zone.key == "Europe/Paris"
    years = sorted(set(of_year.values()), reverse=True)

    def listed(path: str | None) -> tuple[list[str], str | None, Tag]:
        answer = client.get(path or "", base_url=BASE_URL)
        assert answer.status_code == 200, path
        page = BeautifulSoup(answer.data, "html.parser")
        more = next((each for each in page.select(".more a") if each.text == "Show older receipts"), None)
        links = [str(each["href"]) for each in page.select("table a")]
        return [each.rpartition("/")[2] for each in links], str(more["href"]) if more else None, page

    seen: list[str] = []
    more: str | None = "/receipts"
    while more:
        found, more, page = listed(more)
        assert len(found) <= RECEIPTS_MOST
        seen += found
        assert [int(each.text) for each in page.select(".sorts a")[1:]] == years
    assert seen == sorted(of_year, reverse=True)
    assert [each["href"] for each in listed("/receipts?page=3")[2].select(".more a")] == [
        "/receipts?page=2",
        "/receipts?page=4",
    ]
    for year in years:
        first, more, page = listed(f"/receipts?year={year}")
        current = page.select_one(".sorts a[aria-current]")
        assert current is not None
        assert current.text == str(year)
        rest = listed(more)[0] if more else []
        assert [*first, *rest] == [each for each in seen if of_year[each] == year]
    for path in ("/receipts?year=1999", "/receipts?year=x", "/receipts?page=0", "/receipts?page=-5"):
        assert listed(path)[0] == seen[:RECEIPTS_MOST], path
    found, more, page = listed("/receipts?page=900")
    assert (found, more) == ([], None)
    assert "No receipts are left on this page" in page.get_text()


def test_whoever_has_one_year_alone_is_asked_for_none(journey: Journey) -> None:
    journey.pay(journey.bill(number="R-1", amount="84.20"))
    journey.wait(5)
    journey.worker.run_until_idle()
    page = journey.browser.page("/receipts")
    assert page.select_one("table") is not None
    assert page.select_one(".sorts") is None
