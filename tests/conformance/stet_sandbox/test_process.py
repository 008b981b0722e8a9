"""The STET banks served over TLS, and our connector in front of them: it pays, and what is wrong is told."""

from __future__ import annotations

import datetime as dt
import secrets
import shutil
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from connectors.contract import Fact, PaymentOrder, PsuContext
from connectors.errors import BankUnavailable
from connectors.inspection.check import check
from connectors.inspection.finding import Verdict
from connectors.inspection.listing import listing
from connectors.money import Money
from connectors.sandbox_bank import authority
from connectors.sandbox_bank.authority import Tpp
from tests.support.bench import STET, sca_of
from tests.support.served_banks import ServedBanks, serving

WAIT_S = 10
RETURN = "https://localhost:8000/banks/tested/return/s"


def clock() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedBanks]:
    with serving(tmp_path_factory.mktemp("stet"), standard="stet") as running:
        yield running


@pytest.mark.parametrize("bank_id", STET)
def test_our_connector_pays_at_each(served: ServedBanks, bank_id: str) -> None:
    connector = served.registry().connector(bank_id)
    order = PaymentOrder(
        amount=Money(84_20, "EUR"),
        creditor_name="Régie des Eaux",
        creditor_iban="DE02100100109307118603",
        end_to_end_id=f"QUI-{secrets.token_hex(12)}",
    )
    request = connector.draft(order, request_id=str(uuid.uuid4()), redirect_uri=RETURN)
    staged = connector.initiate(request, psu=PsuContext(ip_address="192.0.2.7"), timeout_s=WAIT_S)
    with served.person() as person:
        answer = person.approve(sca_of(staged).authorization_endpoint)
    connector.complete(
        sca_of(staged), answer=answer, code_verifier="v", redirect_uri=RETURN, state="s", nonce="n", timeout_s=WAIT_S
    )
    until = time.monotonic() + WAIT_S
    while (said := connector.status(staged.consent_id, access_token=None, timeout_s=WAIT_S)).fact is not Fact.DEBITED:
        assert said.fact is Fact.ACCEPTED
        assert time.monotonic() < until
        time.sleep(0.2)
    with requests.get(
        f"{served.base_url}/sandbox/ledger",
        params={"end_to_end_id": order.end_to_end_id},
        headers={"Authorization": f"Bearer {served.ledger_token}"},
        verify=str(served.folder / "ca.pem"),
        timeout=WAIT_S,
    ) as got:
        (entry,) = got.json()["entries"]
    assert (entry["amount"], entry["creditorIban"]) == ("84.20", order.creditor_iban)


@pytest.mark.parametrize("bank_id", STET)
def test_bank_check_has_nothing_to_say(served: ServedBanks, bank_id: str) -> None:
    banks = served.registry()
    found = list(check(banks.profile(bank_id), banks, clock=clock))
    assert [one.verdict for one in found] == [Verdict.OK] * 6, [str(one) for one in found]
    assert [one.step for one in found] == ["file", "certificate", "seal", "connection", "clock", "token"]
    assert "pisp" in found[-1].text
    assert any("phare" in line and "cancels" in line and "sandbox" in line for line in listing([banks], now=clock()))


@pytest.mark.parametrize("days", [364, 380])
def test_bank_check_warns_before_a_certificate_ends(served: ServedBanks, days: int) -> None:
    """Both were made for 395 days: thirty days before that, and not earlier."""
    banks = served.registry()
    found = list(check(banks.profile("remparts"), banks, clock=lambda: clock() + dt.timedelta(days=days)))
    warned = {one.step: one.text for one in found if one.verdict is Verdict.WARN and one.step != "clock"}
    assert warned.keys() == ({"certificate", "seal"} if days == 380 else set())
    assert all("renew it now" in text for text in warned.values())


def test_bank_check_says_what_is_wrong_with_a_seal(served: ServedBanks) -> None:
    banks = served.registry()
    found = list(check(banks.profile("remparts"), banks, clock=lambda: clock() + dt.timedelta(days=400)))
    assert [(one.step, one.verdict) for one in found[1:]] == [("certificate", Verdict.WRONG), ("seal", Verdict.WRONG)]


def test_bank_check_says_whose_a_certificate_is(served: ServedBanks, tmp_path: Path) -> None:
    """The transport certificate is another's: TLS takes it, the bank would not."""
    shutil.copytree(served.folder, tmp_path / "keys" / "sandbox-bank-stet")
    ours = tmp_path / "keys" / "sandbox-bank-stet"
    authority.add_tpp(ours, Tpp.sealed("PSDFR-ACPR-000009"), files=tmp_path / "other")
    for name in ("client.pem", "client.key"):
        shutil.copy(tmp_path / "other" / name, ours / name)
    banks = served.registry(tmp_path / "keys")
    found = list(check(banks.profile("remparts"), banks, clock=clock))
    (wrong,) = [one for one in found if one.verdict is Verdict.WRONG]
    assert wrong.step == "certificate"
    assert "it is not of PSDFR-ACPR-000000" in wrong.text


def test_a_bank_that_was_killed_is_away_and_comes_back(served: ServedBanks) -> None:
    connector = served.registry().connector("remparts")
    assert connector.status("unknown", access_token=None, timeout_s=WAIT_S).fact is Fact.NOT_FOUND
    served.kill()
    with pytest.raises(BankUnavailable):
        served.registry().connector("remparts").status("unknown", access_token=None, timeout_s=WAIT_S)
    served.start()
    assert connector.status("unknown", access_token=None, timeout_s=WAIT_S).fact is Fact.NOT_FOUND
