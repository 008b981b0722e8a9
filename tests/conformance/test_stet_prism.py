"""Every call of the STET connector over a socket: answers and verdicts from prism, which has the official file."""

from __future__ import annotations

import io
import json
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
import urllib3
from requests.adapters import HTTPAdapter
from requests.structures import CaseInsensitiveDict
from typing_extensions import override

from connectors.contract import BankRequest, Cancels, PaymentOrder, PsuContext, ScaOAuth
from connectors.http import BankSession
from connectors.money import Money
from connectors.registry import Registry
from connectors.sandbox_bank import authority
from connectors.sandbox_bank.authority import Tpp
from connectors.stet.connector import StetConnector
from tests.support.judges import clock, running_prism
from tests.support.sandbox_tpp import new_key
from tests.support.stet_bank import NUMBER
from tests.support.stet_judge import for_prism

pytestmark = [pytest.mark.judges, pytest.mark.shared]

API, LOGIN = "https://bank.example/v1", "https://bank.example/token"
RETURN = "https://quittance.example/banks/judge/return/s"
PROFILE = f"""
name = "Judge"
country = "FR"
standard = "stet"
base_url = "{API}"
issuer = "https://bank.example"
token_endpoint = "{LOGIN}"
client_id = "{NUMBER}"
keys = "ours"
seal_url = "https://quittance.example/seal.pem"
[quirks]
request_id_not_echoed = true
"""
ORDER = PaymentOrder(
    amount=Money(84_20, "EUR"),
    creditor_name="Régie des Eaux",
    creditor_iban="DE02100100109307118603",
    end_to_end_id="QUI-1",
    remittance_unstructured="Facture 2026-118",
)


class _Listening(HTTPAdapter):
    """Gives tokens, leads each call to the judge, and keeps what the judge said of it."""

    def __init__(self, judge: str) -> None:
        super().__init__()
        self._judge = judge
        self.faults: list[tuple[str, Any]] = []
        self.asked: list[str] = []
        #: of the next answers: what prism makes up is no status of this payment request
        self.answers: list[tuple[int, dict[str, str], object]] = []

    @override
    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        if request.url == LOGIN:
            return _answer(request, 200, {}, {"access_token": "t0ken", "token_type": "Bearer", "expires_in": 300})
        resource = str(request.url).removeprefix(API)
        request.url = self._judge + resource
        kwargs["cert"] = None
        answer = super().send(request, *args, **kwargs)
        self.asked.append(f"{request.method} {resource}")
        said = json.loads(answer.headers.get("sl-violations", "[]"))
        self.faults += [(f"{request.method} {resource}", one) for one in said if one["location"][0] == "request"]
        if answer.status_code >= 400:
            self.faults.append((f"{request.method} {resource}", answer.status_code))
        answer.close()
        return _answer(request, *self.answers.pop(0))


def _answer(request: requests.PreparedRequest, status: int, headers: dict[str, str], body: object) -> requests.Response:
    made = requests.Response()
    made.request, made.url, made.status_code = request, str(request.url), status
    made.headers = CaseInsensitiveDict(headers)
    made.raw = urllib3.HTTPResponse(io.BytesIO(json.dumps(body).encode()), preload_content=False)
    return made


@pytest.fixture(scope="module")
def prism(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("prism")
    with running_prism(for_prism(folder), folder / "log") as running:
        yield running


@pytest.fixture
def listening(prism: str) -> _Listening:
    return _Listening(prism)


@pytest.fixture
def bank(tmp_path: Path, listening: _Listening) -> StetConnector:
    authority.make(tmp_path / "keys" / "ours", tpp=Tpp.sealed(NUMBER), clock=clock)
    (tmp_path / "judge.toml").write_text(PROFILE)

    def session(_: object) -> BankSession:
        made = BankSession()
        made.mount("https://bank.example", listening)
        return made

    made = Registry.from_folder(
        tmp_path,
        sandbox_bank_url=None,
        client_key=new_key().as_dict(private=True),
        allow_http=False,
        session_factory=session,
        bank_keys=tmp_path / "keys",
    ).connector("judge")
    assert isinstance(made, StetConnector)
    return made


def told(
    asked: BankRequest, word: str, *, confirmation: bool = False, **others: str
) -> tuple[int, dict[str, str], object]:
    """As a bank does, all that it was asked, and what has become of it."""
    links = {"confirmation": {"href": "payment-requests/pay-1/confirmation"}} if confirmation else {}
    itself = {**json.loads(asked.body), "paymentInformationStatus": word, **others}
    return 200, {}, {"paymentRequest": itself, "_links": links}


def test_no_call_breaks_the_official_file(bank: StetConnector, listening: _Listening) -> None:
    request = bank.draft(ORDER, request_id=str(uuid.uuid4()), redirect_uri=RETURN)
    link = {"consentApproval": {"href": "https://bank.example/approve"}}
    listening.answers = [
        (201, {"Location": f"{API}/payment-requests/pay-1"}, {"_links": link}),
        told(request, "ACCP", confirmation=True),
        told(request, "ACSP"),
        told(request, "ACSC"),
        told(request, "RCVD"),
        (200, {}, {}),
        told(request, "RJCT", statusReasonInformation="DS02"),
    ]
    psu = PsuContext(ip_address="203.0.113.7", user_agent="a browser")
    staged = bank.initiate(request, psu=psu, timeout_s=20)
    assert isinstance(staged.sca, ScaOAuth)
    answer = {"code": "approved"}
    bank.complete(
        staged.sca,
        answer=answer,
        code_verifier="v",
        redirect_uri=RETURN,
        state="s",
        nonce="n",
        timeout_s=20,
    )
    bank.status("pay-1", access_token=None, timeout_s=20)
    assert isinstance(bank, Cancels)
    assert bank.cancel("pay-1", timeout_s=20) is not None
    assert listening.faults == []
    assert listening.asked == [
        "POST /payment-requests",
        "GET /payment-requests/pay-1",
        "POST /payment-requests/pay-1/confirmation",
        "GET /payment-requests/pay-1",
        "GET /payment-requests/pay-1",
        "PUT /payment-requests/pay-1",
        "GET /payment-requests/pay-1",
    ]


@pytest.mark.parametrize("fault", ["Authorization", "Signature", "X-Request-ID", "id"])
def test_the_judge_sees_one_fault(prism: str, fault: str) -> None:
    headers = {"Authorization": "Bearer t0ken", "Signature": "s", "X-Request-ID": "1", "Accept": "application/hal+json"}
    headers.pop(fault, None)
    path = "x" * 36 if fault == "id" else "pay-1"
    with requests.Session() as session:
        session.trust_env = False
        answer = session.get(f"{prism}/payment-requests/{path}", headers=headers, timeout=20)
    assert 400 <= answer.status_code < 500


@pytest.mark.parametrize("change", [(b'"84.20"', b'"84,20"'), (b'"EUR"', b'"euro"'), (b'"creditor"', b'"payee"')])
def test_the_judge_sees_what_is_wrong_in_a_body(bank: StetConnector, prism: str, change: tuple[bytes, bytes]) -> None:
    """That it looks at bodies at all does not go without saying: see ``for_prism``."""
    good = bank.draft(ORDER, request_id=str(uuid.uuid4()), redirect_uri=RETURN).body
    headers = {
        "Authorization": "Bearer t0ken",
        "Signature": "s",
        "X-Request-ID": "1",
        "Content-Type": "application/json",
    }
    with requests.Session() as session:
        session.trust_env = False
        for body in (good, good.replace(*change)):
            answer = session.post(f"{prism}/payment-requests", data=body, headers=headers, timeout=20)
            said = json.loads(answer.headers.get("sl-violations", "[]"))
            wrong = answer.status_code == 400 or any(one["location"][0] == "request" for one in said)
            assert wrong is (body != good), (answer.status_code, answer.text)
