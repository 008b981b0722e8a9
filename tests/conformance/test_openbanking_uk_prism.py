"""Every call of the UK connector over sockets: tokens from oidc-provider, answers and verdicts from prism."""

from __future__ import annotations

import contextlib
import datetime as dt
import io
import json
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import requests
from joserfc.jwk import RSAKey
from requests.adapters import HTTPAdapter
from typing_extensions import override
from urllib3 import HTTPResponse

from connectors.capabilities import RecurringKind
from connectors.contract import ConsentStatus, Fact, PsuContext
from connectors.http import BankSession
from connectors.money import Money
from connectors.openbanking_uk import vrp_messages
from connectors.openbanking_uk.connector import OpenBankingUkConnector
from connectors.openbanking_uk.quirks import Quirks
from connectors.profile import POLL_S, BankProfile
from connectors.security.detached_jws import Signer
from tests.support.judges import Judge, clock, running_judge, running_prism
from tests.support.openbanking_uk import DIALECTS, consent, order
from tests.support.shared import shared_folder
from tests.support.thorough import spread

pytestmark = [pytest.mark.judges, pytest.mark.shared]

PSU = PsuContext(ip_address="203.0.113.7", user_agent="a browser")
API = "http://bank.example/open-banking/v4.0"
RETURN = "https://quittance.example/banks/judge/return"
#: which file judges what: how a path begins → the file
FILES = {
    **{
        version: {
            "/": f"{version}/payment-initiation-openapi.json",
            "/domestic-vrp": f"{version}/vrp-openapi.json",
            "/event-subscriptions": f"{version}/events-openapi.json",
        }
        for version in DIALECTS
    },
    "cvrp": {"/domestic-vrp": "cvrp/cvrp-openapi.yaml"},
}
#: cvrp has recurring payments alone
ALL_RESOURCES = pytest.mark.parametrize(
    "version", spread(sorted(DIALECTS), every=2, first=1), indirect=True, scope="module"
)


class _Listening(HTTPAdapter):
    """Leads each call to the judge of its resource, and keeps what the judge said of it."""

    def __init__(self, judges: Mapping[str, str]) -> None:
        """``judges``: how a path begins → the judge's address. The longest that fits is taken."""
        super().__init__()
        self._judges = judges
        self.faults: list[tuple[str, Any]] = []
        self.asked: list[str] = []

    @override
    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        resource = "/" + str(request.url).removeprefix(API).removeprefix("/pisp").lstrip("/")
        begins = max((one for one in self._judges if resource.startswith(one)), key=len)
        request.url = self._judges[begins] + resource
        answer = super().send(request, *args, **kwargs)
        self.asked.append(f"{request.method} {resource}")
        answer.headers.pop("x-fapi-interaction-id", None)  # prism makes one up instead of playing ours back
        if request.body:
            answer.raw = HTTPResponse(
                io.BytesIO(_repeated(json.loads(request.body), answer.content)), preload_content=False
            )
        said = json.loads(answer.headers.get("sl-violations", "[]"))
        self.faults += [(f"{request.method} {resource}", one) for one in said if one["location"][0] == "request"]
        return answer


def _repeated(asked: dict[str, Any], answer: bytes) -> bytes:
    """Prism makes up amounts and payees, too, where a bank repeats those that it was given."""
    said = json.loads(answer)
    for name in ("Initiation", "Instruction", "ControlParameters"):
        if name in said.get("Data", {}) and name in asked.get("Data", {}):
            said["Data"][name] = asked["Data"][name]
    return json.dumps(said).encode()


@pytest.fixture(scope="module")
def judge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Judge]:
    with running_judge(tmp_path_factory.mktemp("judge")) as running:
        yield running


@pytest.fixture(scope="module", params=spread(sorted(FILES), every=2))
def version(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def prisms(version: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    specs, logs = shared_folder() / "specs" / "obie", tmp_path_factory.mktemp("prism")
    with contextlib.ExitStack() as stack:
        yield {
            begins: stack.enter_context(running_prism(specs / file, logs / Path(file).stem))
            for begins, file in FILES[version].items()
        }


@pytest.fixture
def listening(prisms: dict[str, str]) -> _Listening:
    return _Listening(prisms)


@pytest.fixture
def bank(judge: Judge, version: str, listening: _Listening) -> OpenBankingUkConnector:
    session = BankSession(allow_http=True)
    session.mount(API, listening)
    profile = BankProfile(
        id="judge",
        name="Judge",
        country="GB",
        standard="openbanking_uk",
        base_url=f"{API}/pisp",
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
        recurring=tuple(RecurringKind),
    )
    key = RSAKey.generate_key(2048, private=True)
    return OpenBankingUkConnector(
        profile,
        session=session,
        oauth=judge.client("fapi1_advanced"),
        signer=Signer(key=key, kid="ours-1", issuer="org/software"),
        verifier=None,  # prism signs nothing
        dialect=DIALECTS.get(version, DIALECTS["v4.0"]),
        clock=clock,
        quirks=Quirks(unsigned_answers=True, interaction_id_not_echoed=True),
    )


def key() -> str:
    return str(uuid.uuid4())


@ALL_RESOURCES
@pytest.mark.parametrize(
    "changes",
    [{}, {"remittance_unstructured": None}, {"remittance_unstructured": "INV-42", "refund_account": True}],
    ids=["text", "no text", "reference"],
)
def test_no_request_for_a_single_payment_breaks_the_official_file(
    bank: OpenBankingUkConnector, listening: _Listening, changes: dict[str, Any]
) -> None:
    made = order(**changes)
    staged = bank.initiate(bank.draft(made, request_id=key(), redirect_uri=RETURN), psu=PSU, timeout_s=20)
    assert bank.consent_status(staged.consent_id, timeout_s=20) in ConsentStatus
    assert bank.funds(staged.consent_id, access_token="t0ken", timeout_s=20).available in (True, False, None)
    submission = bank.draft_submission(made, consent_id=staged.consent_id, request_id=key())
    submitted = bank.submit(submission, access_token="t0ken", psu=PSU, timeout_s=20)
    assert bank.status(submitted.bank_payment_id, access_token=None, timeout_s=20).fact in Fact
    assert all(detail.transaction_id for detail in bank.details(submitted.bank_payment_id, timeout_s=20))
    assert len(listening.asked) == 6
    assert listening.faults == []


@ALL_RESOURCES
def test_no_request_for_a_scheduled_payment_breaks_the_official_file(
    bank: OpenBankingUkConnector, listening: _Listening
) -> None:
    later, day = bank.scheduled, clock().date() + dt.timedelta(days=7)
    staged = later.initiate(later.draft(order(), execute_on=day, request_id=key()), psu=PSU, timeout_s=20)
    assert later.consent_status(staged.consent_id, timeout_s=20) in ConsentStatus
    submission = later.draft_submission(order(), execute_on=day, consent_id=staged.consent_id, request_id=key())
    submitted = later.submit(submission, access_token="t0ken", psu=PSU, timeout_s=20)
    assert later.status(submitted.bank_payment_id, access_token=None, timeout_s=20).fact in Fact
    assert all(detail.transaction_id for detail in later.details(submitted.bank_payment_id, timeout_s=20))
    assert len(listening.asked) == 5
    assert listening.faults == []


def test_no_request_for_recurring_payments_breaks_the_official_file(
    bank: OpenBankingUkConnector, version: str, listening: _Listening
) -> None:
    again = bank.recurring
    kind = RecurringKind.COMMERCIAL_1 if version == "cvrp" else RecurringKind.OTHER
    wanted = consent(kind=kind, valid_from=clock().date(), valid_to=clock().date() + dt.timedelta(days=365))
    staged = again.initiate(again.draft(wanted, request_id=key()), psu=PSU, timeout_s=20)
    assert again.consent_status(staged.consent_id, timeout_s=20) in ConsentStatus
    told = again.told(staged.consent_id, asked=b"{}", timeout_s=20)
    assert (told.status in ConsentStatus, told.created_at is not None) == (True, True)
    amount = Money(8420, "GBP")
    funds = again.funds(staged.consent_id, amount, access_token="t0ken", psu=PSU, timeout_s=20)
    assert funds.available in (True, False, None)
    payment = again.draft_payment(order(), consent=wanted, consent_id=staged.consent_id, request_id=key())
    submitted = again.submit(payment, access_token="t0ken", psu=PSU, timeout_s=20)
    assert again.status(submitted.bank_payment_id, access_token=None, timeout_s=20).fact in Fact
    assert all(detail.transaction_id for detail in again.details(submitted.bank_payment_id, timeout_s=20))
    again.revoke(staged.consent_id, timeout_s=20)
    assert len(listening.asked) == 8
    assert listening.faults == []


@ALL_RESOURCES
def test_no_request_about_events_breaks_the_official_file(bank: OpenBankingUkConnector, listening: _Listening) -> None:
    made = bank.subscribe("https://quittance.example/banks/judge/events", timeout_s=20)
    assert [one.subscription_id for one in bank.subscriptions(timeout_s=20)]
    bank.change_subscription(made.subscription_id, "https://quittance.example/banks/judge/events", timeout_s=20)
    bank.unsubscribe(made.subscription_id, timeout_s=20)
    assert len(listening.asked) == 4
    assert listening.faults == []


@pytest.mark.parametrize("fault", ["key", "body", "signature", "content type"])
def test_the_judge_sees_one_fault(prisms: dict[str, str], version: str, fault: str) -> None:
    dialect = DIALECTS.get(version, DIALECTS["v4.0"])
    headers = {
        "Authorization": "Bearer t0ken",
        "Content-Type": "application/json",
        "x-idempotency-key": "k" * 41 if fault == "key" else key(),
        "x-jws-signature": "eyJ..sig",
    }
    body = vrp_messages.consent(consent(), dialect=dialect)
    if fault == "body":
        body = body.replace(b'"GBP"', b'"pounds"')
    elif fault == "signature":
        del headers["x-jws-signature"]
    elif fault == "content type":
        headers["Content-Type"] = "text/plain"
    with requests.Session() as session:
        session.trust_env = False
        url = f"{prisms['/domestic-vrp']}/domestic-vrp-consents"
        answer = session.post(url, data=body, headers=headers, timeout=20)
    assert 400 <= answer.status_code < 500
