"""Whose token asks for a status: ours wherever the bank allows it, for a customer's may die before the money moved."""

from __future__ import annotations

import dataclasses
import re
import shutil
from pathlib import Path

import pytest

from config.settings import Settings
from connectors.berlin_group.connector import BerlinGroupConnector
from connectors.contract import BankStatus
from connectors.errors import BankRefused
from consent import tokens
from tests.support.journey import Journey

only_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)  # the database plays no part


@pytest.fixture(params=["client_credentials", "psu_token"])
def status_access(request: pytest.FixtureRequest) -> str:
    """Who may ask Horizon Bank."""
    return str(request.param)


@pytest.fixture
def settings(settings: Settings, status_access: str, tmp_path: Path) -> Settings:
    banks = tmp_path / "banks"
    shutil.copytree(settings.banks, banks)
    file = banks / "horizon.toml"
    text, changed = re.subn(r"(?m)^status_access = .*$", f'status_access = "{status_access}"', file.read_text("utf-8"))
    assert changed == 1
    text = re.sub(r"(?m)^keeps_days = .*\n", "", text)  # nobody could ask on that day with a customer's token
    file.write_text(text, "utf-8")
    return dataclasses.replace(settings, banks=banks)


def only(status_access: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("status_access", [status_access], indirect=True)


@only_sqlite
def test_the_customers_token_is_used_only_where_ours_is_not_enough(
    journey: Journey, status_access: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, with_token = BerlinGroupConnector.status, []

    def status(
        self: BerlinGroupConnector, consent_id: str, *, access_token: str | None, timeout_s: float
    ) -> BankStatus:
        with_token.append(access_token is not None)
        return real(self, consent_id, access_token=access_token, timeout_s=timeout_s)

    monkeypatch.setattr(BerlinGroupConnector, "status", status)
    payment_id = journey.pay(journey.bill(number="o1", amount="50.00"))
    journey.wait(3)
    assert journey.payment(payment_id).state == "settled"
    assert with_token == [status_access == "psu_token"] * 2


@only_sqlite
@only("client_credentials")
def test_a_customers_token_that_the_bank_revoked_keeps_nothing_from_being_known(
    journey: Journey, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = BerlinGroupConnector.status

    def status(
        self: BerlinGroupConnector, consent_id: str, *, access_token: str | None, timeout_s: float
    ) -> BankStatus:
        if access_token is not None:
            raise BankRefused("revoked", code="TOKEN_INVALID", http_status=401)
        return real(self, consent_id, access_token=None, timeout_s=timeout_s)

    monkeypatch.setattr(BerlinGroupConnector, "status", status)
    payment_id = journey.pay(journey.bill(number="o2", amount="50.00"))
    journey.wait(3)
    assert journey.payment(payment_id).state == "settled"


@only_sqlite
@only("psu_token")
def test_without_the_customers_token_such_a_bank_leaves_it_unknown(journey: Journey) -> None:
    """Approved, and the tab is closed: no code, no token, no status; so nobody is told that nothing happened."""
    invoice_id = journey.bill(number="o3", amount="50.00")
    payment_id = journey.confirm(invoice_id)
    journey.at_bank(journey.browser.leave(payment_id))
    for seconds in (121, 300, 900, 86_400):
        journey.wait(seconds)
    journey.browser.sign_in()
    assert journey.payment(payment_id).state == "unknown"
    assert journey.truth(payment_id) == "not_known"
    assert journey.invoice(invoice_id).state == "in_payment"


@only_sqlite
@only("psu_token")
def test_a_token_that_was_lost_after_the_exchange_frees_nothing(
    journey: Journey, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The exchange is never repeated; what the bank would tell only with that token stays unknown."""

    def keep(*_: object, **__: object) -> None:
        raise TimeoutError("the database was busy for too long; nothing was written")

    monkeypatch.setattr(tokens, "keep", keep)
    invoice_id = journey.bill(number="o4", amount="50.00")
    payment_id = journey.pay(invoice_id)
    for _ in range(10):
        journey.wait(3600)
    assert sum(1 for one in journey.bank_wire.sent if "authorization_code" in str(one.body)) == 1
    assert journey.payment(payment_id).state == "unknown"
    assert journey.invoice(invoice_id).state == "in_payment"
