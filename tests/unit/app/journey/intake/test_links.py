"""What people would take for the address of a page, and what they would not."""

from __future__ import annotations

import pytest

from app.journey.intake import links

ADDRESSES = (
    "https://pay.example/x",
    "HTTPS://PAY.EXAMPLE",
    "Pay at https://pay.example/x",
    "https:pay.example",
    "ftp://pay.example",
    "www.pay.example",
    "ｗｗｗ．pay.example/x",
    "pay.example/x",
    "pay-here.example?b=1",
    "pay.example:8443",
    "192.0.2.7/pay",
    "mailto:pay",
    "pay@pay.example",
    "zahlung.müller.example/x",
)
OTHERS = (
    "12345678",
    "60-16-13",
    "1234.56.78901",
    "5050-1055",
    "SE:BANKGIRO",
    "BPAY",
    "SBDKFRP0",
    "Eaux du Lac S.A.",
    "Stadtwerke N.V./S.A.",
    "C/O Müller & Co. KG",
    "T08GB0012A",
)


@pytest.mark.parametrize("written", ADDRESSES)
def test_an_address_is_one_however_it_is_written(written: str) -> None:
    assert links.names_page(written)
    assert links.is_page(written)


@pytest.mark.parametrize("written", OTHERS)
def test_accounts_branches_and_names_are_none(written: str) -> None:
    assert not links.is_page(written)


def test_a_host_alone_is_one_where_no_company_is_named() -> None:
    assert links.is_page(" Pay.example ")
    assert not links.names_page("Booking.com B.V.")
    assert not links.names_page("pay.example")
