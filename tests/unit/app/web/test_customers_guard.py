"""What no database can hold is nothing by that name, never an error of ours (PostgreSQL refuses the character NUL)."""

from __future__ import annotations

import pytest
from flask import Flask

from app.services import Services
from tests.support import factories
from tests.support.installation import BASE_URL
from tests.support.journey import Browser


@pytest.fixture
def browser(app: Flask, services: Services) -> Browser:
    """Signed in."""
    here = Browser.of(app)
    token = factories.sign_in(services, factories.make_customer(services))
    here.client.set_cookie("__Host-session-8000", token, domain="localhost", secure=True)
    return here


def test_an_address_with_nul_leads_nowhere(browser: Browser) -> None:
    for path in ("/bills/%00", "/bills/x%00/pay", "/payments/%00", "/payments/%00/bank", "/receipts/%00"):
        assert browser.client.get(path, base_url=BASE_URL).status_code == 404, path


def test_a_form_with_nul_names_nothing(browser: Browser) -> None:
    token = browser.token("/bills")
    for path, field in (("/demo/sign-in", "customer"), ("/security/sessions/end", "session")):
        assert browser.post(path, token=token, form={field: "a\0b"}).status_code == 404, path


def test_a_bank_says_nothing_with_nul(browser: Browser) -> None:
    answer = browser.client.get("/banks/horizon/return/state?error=a%00b", base_url=BASE_URL)
    assert answer.status_code == 400
