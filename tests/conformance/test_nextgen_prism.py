"""Every call of the Berlin Group connector over a socket: verdicts from prism, which has the official file."""

from __future__ import annotations

import datetime as dt
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

from connectors.berlin_group.connector import BerlinGroupConnector
from connectors.capabilities import Frequency, StandingOrder
from connectors.contract import PaymentOrder, PsuContext, ScaOAuth, Staged
from connectors.http import BankSession
from connectors.money import Money
from connectors.registry import Registry
from connectors.sandbox_bank import authority
from connectors.sandbox_bank.authority import Tpp
from tests.support.judges import clock, running_prism
from tests.support.nextgen_judge import for_prism
from tests.support.sandbox_tpp import new_key
from tests.support.stet_bank import NUMBER

pytestmark = [pytest.mark.judges, pytest.mark.shared]

API, LOGIN = "https://bank.example/psd2", "https://bank.example/token"
RETURN = "https://quittance.example/banks/judge/return/s"
PSU = PsuContext(ip_address="203.0.113.7", user_agent="a browser")
PROFILE = f"""
name = "Judge"
country = "DE"
standard = "berlin_group"
base_url = "{API}"
issuer = "https://bank.example"
token_endpoint = "{LOGIN}"
client_id = "{NUMBER}"
profile = "oauth2_qwac"
client_auth = "tls_client_auth"
keys = "ours"
signed = true
"""
QUIRKS = "[quirks]\ndebtor_account_wanted = true\n"
ORDER = PaymentOrder(
    amount=Money(84_20, "EUR"),
    creditor_name="Régie des Eaux",
    creditor_iban="DE02100100109307118603",
    end_to_end_id="QUI-1",
    remittance_unstructured="Facture 2026-118",
)
ONE = "/v1/payments/sepa-credit-transfers/pay-1"


class _Listening(HTTPAdapter):
    """Gives tokens, leads each call to the judge, and keeps what the judge said of it."""

    def __init__(self, judge: str) -> None:
        super().__init__()
        self._judge = judge
        self.faults: list[tuple[str, Any]] = []
        self.asked: list[str] = []
        #: of the next answers: what prism makes up is no status of this payment
        self.answers: list[tuple[int, object]] = []

    @override
    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        if request.url == LOGIN:
            return _answer(request, 200, {"access_token": "t0ken", "token_type": "Bearer", "expires_in": 300})
        resource = str(request.url).removeprefix(API)
        request.url = self._judge + resource
        kwargs["cert"] = None
        answer = super().send(request, *args, **kwargs)
        call = f"{request.method} {resource}"
        self.asked.append(call)
        said = json.loads(answer.headers.get("sl-violations", "[]"))
        self.faults += [(call, one) for one in said if one["location"][0] == "request"]
        if answer.status_code >= 400:
            self.faults.append((call, answer.status_code))
        answer.close()
        return _answer(request, *self.answers.pop(0))


def _answer(request: requests.PreparedRequest, status: int, body: object) -> requests.Response:
    made = requests.Response()
    made.request, made.url, made.status_code = request, str(request.url), status
    made.headers = CaseInsensitiveDict({"X-Request-ID": request.headers.get("X-Request-ID", "")})
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


def made(tmp_path: Path, listening: _Listening, more: str) -> BerlinGroupConnector:
    authority.make(tmp_path / "keys" / "ours", tpp=Tpp.sealed(NUMBER), clock=clock)
    (tmp_path / "judge.toml").write_text(PROFILE + more + QUIRKS)

    def session(_: object) -> BankSession:
        opened = BankSession()
        opened.mount("https://bank.example", listening)
        return opened

    connector = Registry.from_folder(
        tmp_path,
        sandbox_bank_url=None,
        client_key=new_key().as_dict(private=True),
        allow_http=False,
        session_factory=session,
        bank_keys=tmp_path / "keys",
    ).connector("judge")
    assert isinstance(connector, BerlinGroupConnector)
    return connector


def created(**links: str) -> tuple[int, object]:
    hrefs = {name: {"href": href} for name, href in links.items()}
    return 201, {"transactionStatus": "RCVD", "paymentId": "pay-1", "_links": hrefs}


def started(**links: str) -> tuple[int, object]:
    hrefs = {name: {"href": href} for name, href in links.items()}
    return 201, {"scaStatus": "received", "authorisationId": "a-1", "_links": hrefs}


def complete(bank: BerlinGroupConnector, sca: ScaOAuth | None, **answer: str) -> None:
    assert sca is not None
    bank.complete(sca, answer=answer, code_verifier="v", redirect_uri=RETURN, state="s", nonce="n", timeout_s=20)


def initiate(bank: BerlinGroupConnector) -> Staged:
    request = bank.draft(ORDER, request_id=str(uuid.uuid4()), redirect_uri=RETURN)
    return bank.initiate(request, psu=PSU, timeout_s=20)


def test_no_call_of_a_redirect_breaks_the_official_file(tmp_path: Path, listening: _Listening) -> None:
    bank = made(tmp_path, listening, 'approach = "redirect"\n')
    page = "https://bank.example/approve"
    listening.answers = [
        created(startAuthorisation=f"{API}{ONE}/authorisations"),
        started(scaRedirect=page, confirmation=f"{API}{ONE}/authorisations/a-1"),
        (200, {"scaStatus": "finalised", "_links": {}}),
        (200, {"transactionStatus": "ACSC"}),
        (204, {}),
        (
            202,
            {
                "transactionStatus": "ACTC",
                "_links": {"startAuthorisation": {"href": f"{ONE}/cancellation-authorisations"}},
            },
        ),
        started(scaRedirect=page),
    ]
    complete(bank, initiate(bank).sca, code="approved", confirmationCode="c0de")
    bank.status("pay-1", access_token=None, timeout_s=20)
    assert bank.cancel("pay-1", timeout_s=20) is not None
    assert bank.future_dated.cancel("pay-1", redirect_uri=RETURN, psu=PSU, timeout_s=20).sca is not None
    assert listening.faults == []
    assert listening.asked == [
        "POST /v1/payments/sepa-credit-transfers",
        f"POST {ONE}/authorisations",
        f"PUT {ONE}/authorisations/a-1",
        f"GET {ONE}/status",
        f"DELETE {ONE}",
        f"DELETE {ONE}",
        f"POST {ONE}/cancellation-authorisations",
    ]


def test_no_call_of_an_approval_in_an_app_breaks_it(tmp_path: Path, listening: _Listening) -> None:
    bank = made(tmp_path, listening, 'approach = "decoupled"\ninstant = true\n')
    instant = "/v1/payments/instant-sepa-credit-transfers"
    listening.answers = [created(startAuthorisation=f"{instant}/pay-1/authorisations"), started()]
    complete(bank, initiate(bank).sca, code="decoupled")
    assert listening.faults == []
    assert listening.asked == [f"POST {instant}", f"POST {instant}/pay-1/authorisations"]


def test_nor_does_what_the_bank_keeps(tmp_path: Path, listening: _Listening) -> None:
    bank = made(tmp_path, listening, 'approach = "redirect"\n')
    day = clock().date() + dt.timedelta(days=9)
    listening.answers = [created(scaRedirect="https://bank.example/a")] * 2
    request = bank.future_dated.draft(ORDER, execute_on=day, request_id=str(uuid.uuid4()), redirect_uri=RETURN)
    bank.future_dated.initiate(request, psu=PSU, timeout_s=20)
    asked = StandingOrder(order=ORDER, first=day, frequency=Frequency.MONTHLY, day_of_month=31)
    request = bank.standing_orders.draft(asked, request_id=str(uuid.uuid4()), redirect_uri=RETURN)
    bank.standing_orders.initiate(request, psu=PSU, timeout_s=20)
    assert listening.faults == []
    assert listening.asked[1] == "POST /v1/periodic-payments/sepa-credit-transfers"


@pytest.mark.parametrize("fault", ["X-Request-ID", "PSU-IP-Address", "creditorName", "debtorAccount", "uuid"])
def test_the_judge_sees_one_fault(prism: str, fault: str) -> None:
    headers = {"X-Request-ID": str(uuid.uuid4()), "PSU-IP-Address": "192.0.2.7", "Content-Type": "application/json"}
    body = {
        "debtorAccount": {"currency": "EUR"},
        "instructedAmount": {"currency": "EUR", "amount": "84.20"},
        "creditorAccount": {"iban": "DE02100100109307118603"},
        "creditorName": "Regie des Eaux",
    }
    headers.pop(fault, None)
    body.pop(fault, None)
    if fault == "uuid":
        headers["X-Request-ID"] = "1"
    with requests.Session() as session:
        session.trust_env = False
        answer = session.post(f"{prism}/v1/payments/sepa-credit-transfers", headers=headers, json=body, timeout=20)
    assert 400 <= answer.status_code < 500
