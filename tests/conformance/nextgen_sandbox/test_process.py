"""The NextGenPSD2 banks served over TLS, and our connector in front: it pays at each, and a check finds nothing."""

from __future__ import annotations

import datetime as dt
import secrets
import time
import uuid
from collections.abc import Iterator

import pytest
import requests

from connectors.contract import Approach, Fact, PaymentOrder, PsuContext
from connectors.inspection.check import check
from connectors.inspection.finding import Verdict
from connectors.money import Money
from connectors.registry import Registry
from connectors.sandbox_bank.nextgen.brands import BRANDS
from connectors.security import pkce
from tests.support.bench import NEXTGEN, sca_of, signed_in
from tests.support.served_banks import ServedBanks, serving

WAIT_S = 10
RETURN = "https://localhost:8000/banks/tested/return/s"


def clock() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedBanks]:
    with serving(tmp_path_factory.mktemp("nextgen"), standard="nextgen") as running:
        yield running


@pytest.fixture(scope="module")
def banks(served: ServedBanks) -> Registry:
    return served.registry()


@pytest.mark.parametrize("bank_id", NEXTGEN)
def test_our_connector_pays_at_each(served: ServedBanks, banks: Registry, bank_id: str) -> None:
    connector, brand = banks.connector(bank_id), BRANDS[bank_id]
    if brand.sign_in_first:
        with served.person() as person:
            connector = signed_in(connector, person)
    order = PaymentOrder(
        amount=Money(84_20, "EUR"),
        creditor_name="Régie des Eaux",
        creditor_iban="DE02100100109307118603",
        end_to_end_id=f"QUI-{secrets.token_hex(12)}",
    )
    request = connector.draft(order, request_id=str(uuid.uuid4()), redirect_uri=RETURN)
    staged = connector.initiate(request, psu=PsuContext(ip_address="192.0.2.7"), timeout_s=WAIT_S)
    sca, verifier = sca_of(staged), pkce.new_verifier()
    url = connector.authorise_url(
        sca, redirect_uri=RETURN, state="s", nonce="n", code_challenge=pkce.challenge(verifier), timeout_s=WAIT_S
    )

    def complete(answer: dict[str, str]) -> None:
        connector.complete(
            sca,
            answer=answer,
            code_verifier=verifier,
            redirect_uri=RETURN,
            state="s",
            nonce="n",
            timeout_s=WAIT_S,
        )

    with served.person() as person:
        if sca.approach == Approach.DECOUPLED:
            complete({"code": "decoupled"})
            asked = person.go(f"{served.base_url}/{bank_id}/app").page.select("#waiting a")
            person.approve(served.base_url + str(asked[0]["href"]))
        else:
            complete(person.approve(url))
    end = Fact.CREDITED if brand.settles_with_accc else Fact.DEBITED
    until = time.monotonic() + WAIT_S
    while (said := connector.status(staged.consent_id, access_token=None, timeout_s=WAIT_S)).fact is not end:
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


@pytest.mark.parametrize("bank_id", NEXTGEN)
def test_bank_check_has_nothing_to_say(banks: Registry, bank_id: str) -> None:
    found = list(check(banks.profile(bank_id), banks, clock=clock))
    assert {one.verdict for one in found} == {Verdict.OK}, [str(one) for one in found]
    steps = ["file", "certificate", "seal", "connection", "clock"]
    brand = BRANDS[bank_id]
    ours = [] if brand.sign_in_first else ["token"]
    assert [one.step for one in found] == steps + (["metadata", *ours] if brand.tokens else [])
