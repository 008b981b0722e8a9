"""What a person types, and what day it is for them."""

from __future__ import annotations

import datetime as dt
import zoneinfo

import pytest

from app.errors import Invalid
from app.people.customers import add_customer, checked_name_and_email, demo_customers, today_of
from app.people.models import Customer
from tests.unit.conftest import Begin


@pytest.mark.parametrize(
    ("name", "email", "kept"),
    [
        ("Camille", "camille@example.org", ("Camille", "camille@example.org")),
        ("  Zoë d’Arc ", " Zoe@Example.ORG ", ("Zoë d’Arc", "zoe@example.org")),
        ("李", "li+bills@mail.example.co.uk", ("李", "li+bills@mail.example.co.uk")),
        ("x" * 100, "a@b.fr", ("x" * 100, "a@b.fr")),
    ],
)
def test_a_name_and_an_address_are_kept_stripped(name: str, email: str, kept: tuple[str, str]) -> None:
    assert checked_name_and_email(name, email) == kept


@pytest.mark.parametrize("name", ["", "   ", "x" * 101, "a\nb", "a\x00b", "a\u202eb", None, 7, ["Camille"]])
def test_what_is_no_name_is_refused_by_its_field(name: object) -> None:
    with pytest.raises(Invalid) as refused:
        checked_name_and_email(name, "camille@example.org")
    assert [error.pointer for error in refused.value.errors] == ["/name"]


@pytest.mark.parametrize(
    "email",
    [
        "",
        "camille",
        "camille@",
        "@example.org",
        "camille@example",
        "camille@example..org",
        "a b@example.org",
        "a@b@example.org",
        "x" * 65 + "@example.org",
        "a@" + "x" * 250 + ".org",
        "camille\x00@example.org",
        "camille@exam\u202eple.org",
        None,
        7,
    ],
)
def test_what_is_no_address_is_refused_by_its_field(email: object) -> None:
    with pytest.raises(Invalid) as refused:
        checked_name_and_email("Camille", email)
    assert [error.pointer for error in refused.value.errors] == ["/email"]


@pytest.mark.parametrize(("locale", "kept"), [("fr", "fr"), ("en", "en"), ("de", "en"), ("", "en")])
def test_a_language_that_we_do_not_speak_becomes_english(begin: Begin, locale: str, kept: str) -> None:
    with begin() as uow:
        customer = add_customer(uow, name="C", email="c@example.org", locale=locale, time_zone="UTC")
    assert customer.locale == kept


def test_an_unknown_time_zone_is_not_stored(begin: Begin) -> None:
    with begin() as uow, pytest.raises(zoneinfo.ZoneInfoNotFoundError):
        add_customer(uow, name="C", email="c@example.org", locale="fr", time_zone="Europe/Nowhere")
    with begin() as uow:
        assert uow.session.query(Customer).count() == 0


def test_two_spaces_may_name_the_same_address(begin: Begin) -> None:
    with begin() as uow:
        for name in ("One", "Two"):
            add_customer(uow, name=name, email="c@example.org", locale="fr", time_zone="UTC")
        uow.commit()


def test_only_demo_customers_can_be_visited(begin: Begin, customer: Customer) -> None:
    with begin() as uow:
        seeded = add_customer(uow, name="D", email="d@example.org", locale="fr", time_zone="UTC", demo=True)
        uow.commit()
        assert [one.id for one in demo_customers(uow.session)] == [seeded.id]


@pytest.mark.parametrize(
    ("zone", "moment", "day"),
    [
        ("Europe/Paris", dt.datetime(2026, 11, 30, 22, 59, tzinfo=dt.UTC), dt.date(2026, 11, 30)),
        ("Europe/Paris", dt.datetime(2026, 11, 30, 23, 0, tzinfo=dt.UTC), dt.date(2026, 12, 1)),
        ("Europe/Paris", dt.datetime(2026, 6, 30, 22, 0, tzinfo=dt.UTC), dt.date(2026, 7, 1)),  # summer time
        ("Pacific/Auckland", dt.datetime(2026, 11, 30, 11, 0, tzinfo=dt.UTC), dt.date(2026, 12, 1)),
        ("America/Los_Angeles", dt.datetime(2026, 12, 1, 7, 59, tzinfo=dt.UTC), dt.date(2026, 11, 30)),
        ("UTC", dt.datetime(2026, 12, 31, 23, 59, tzinfo=dt.UTC), dt.date(2026, 12, 31)),
    ],
)
def test_today_is_the_customers_own_day(zone: str, moment: dt.datetime, day: dt.date) -> None:
    assert today_of(Customer(time_zone=zone), moment) == day
