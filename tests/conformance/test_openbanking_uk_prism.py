"""Every call of the UK connector over sockets: tokens from oidc-provider, answers and verdicts from prism."""

from __future__ import annotations

import dataclasses
import json
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
import requests
from joserfc.jwk import RSAKey
from requests.adapters import HTTPAdapter
from typing_extensions import override

from connectors.contract import ConsentStatus, Fact, PaymentOrder, PsuContext
from connectors.errors import BankError
from connectors.http import BankSession
from connectors.money import Money
from connectors.openbanking_uk.connector import OpenBankingUkConnector
from connectors.openbanking_uk.messages import Dialect
from connectors.openbanking_uk.quirks import Quirks
from connectors.profile import POLL_S, BankProfile
from connectors.security.detached_jws import Signer
from tests.support.judges import Judge, clock, running_judge, running_prism
from tests.support.shared import shared_folder

pytestmark = [pytest.mark.judges, pytest.mark.shared]

PSU = PsuContext(ip_address="203.0.113.7", user_agent="a browser")
VERSIONS = {"v4.0": Dialect(), "v3.1.11": Dialect(version="3.1", misspelt_contract_present=True)}
ORDER = PaymentOrder(
    amount=Money(8420, "GBP"),
    creditor_name="Lumen Energy Ltd",
    creditor_iban="GB29NWBK60161331926819",
    end_to_end_id="pay0123456789abcdef0123456789abcdef",
    remittance_unstructured="Energy for October, account 4711",
)


class _Listening(HTTPAdapter):
    """Keeps what the judge said of each request."""

    def __init__(self) -> None:
        super().__init__()
        self.faults: list[tuple[str, Any]] = []
        self.asked = 0

    @override
    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        answer = super().send(request, *args, **kwargs)
        self.asked += 1
        answer.headers.pop("x-fapi-interaction-id", None)  # prism makes one up instead of playing ours back
        said = json.loads(answer.headers.get("sl-violations", "[]"))
        self.faults += [(f"{request.method} {request.url}", one) for one in said if one["location"][0] == "request"]
        return answer


@pytest.fixture(scope="module")
def judge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Judge]:
    with running_judge(tmp_path_factory.mktemp("judge")) as running:
        yield running


@pytest.fixture(scope="module", params=sorted(VERSIONS))
def version(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def prism(version: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    official = shared_folder() / "specs" / "obie" / version / "payment-initiation-openapi.json"
    with running_prism(official, tmp_path_factory.mktemp("prism") / "log") as url:
        yield url


@pytest.fixture
def listening() -> _Listening:
    return _Listening()


@pytest.fixture
def bank(judge: Judge, prism: str, version: str, listening: _Listening) -> OpenBankingUkConnector:
    session = BankSession(allow_http=True)
    session.mount("http://", listening)
    profile = BankProfile(
        id="judge",
        name="Judge",
        country="GB",
        standard="openbanking_uk",
        base_url=prism,
        issuer=judge.issuer,
        client_id="fapi1_advanced",
        redirect=True,
        tpp_token=True,
        status_access="client_credentials",
        currencies=("GBP",),
        authorisation_minutes=15,
        poll_s=POLL_S,
        status_calls_per_minute=600,
        sandbox=False,
    )
    key = RSAKey.generate_key(2048, private=True)
    return OpenBankingUkConnector(
        profile,
        session=session,
        oauth=judge.client("fapi1_advanced"),
        signer=Signer(key=key, kid="ours-1", issuer="org/software"),
        verifier=None,  # prism signs nothing
        dialect=VERSIONS[version],
        clock=clock,
        quirks=Quirks(unsigned_answers=True, interaction_id_not_echoed=True),
    )


@pytest.mark.parametrize(
    "changes",
    [{}, {"remittance_unstructured": None}, {"remittance_unstructured": "INV-42"}],
    ids=["text", "no text", "reference"],
)
def test_no_request_breaks_the_official_file(
    bank: OpenBankingUkConnector, listening: _Listening, changes: dict[str, Any]
) -> None:
    order = dataclasses.replace(ORDER, **changes)
    draft = bank.draft(order, request_id=str(uuid.uuid4()), redirect_uri="https://quittance.example/banks/judge/return")
    staged = bank.initiate(draft, psu=PSU, timeout_s=20)
    assert staged.consent_id
    submission = bank.draft_submission(order, consent_id="consent-1", request_id=str(uuid.uuid4()))
    submitted = bank.submit(submission, access_token="t0ken", psu=PSU, timeout_s=20)
    assert submitted.bank_payment_id
    assert bank.consent_status("consent-1", timeout_s=20) in ConsentStatus
    assert bank.status("payment-1", access_token=None, timeout_s=20).fact in Fact
    assert listening.asked == 4
    assert listening.faults == []


@pytest.mark.parametrize("fault", ["key", "body", "signature", "content type"])
def test_the_judge_sees_one_fault(bank: OpenBankingUkConnector, listening: _Listening, fault: str) -> None:
    draft = bank.draft(ORDER, request_id=str(uuid.uuid4()), redirect_uri="https://quittance.example/return")
    headers = dict(draft.headers)
    body = draft.body
    if fault == "key":
        headers["x-idempotency-key"] = "k" * 41
    elif fault == "body":
        body = body.replace(b'"GBP"', b'"pounds"')
    elif fault == "signature":
        headers.pop("x-idempotency-key")
    else:
        headers["Content-Type"] = "text/plain"
    with pytest.raises(BankError):
        bank.initiate(dataclasses.replace(draft, headers=headers, body=body), psu=PSU, timeout_s=20)
