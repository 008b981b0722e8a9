"""How a customer approves at a NextGenPSD2 bank, by its links: what is asked for and followed, and what never is."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from werkzeug.wrappers import Request, Response

from connectors.berlin_group import messages
from connectors.berlin_group.connector import BerlinGroupConnector
from connectors.berlin_group.links import Links, Place
from connectors.berlin_group.quirks import Quirks
from connectors.capabilities import (
    ExecutionRule,
    Frequency,
    FutureDates,
    KeepsStandingOrders,
    StandingOrder,
)
from connectors.contract import Approach, BankRequest, Cancels, Fact, PsuContext, ScaOAuth, Staged, Submits
from connectors.errors import BankRefused, BankSilent, BankUnavailable
from connectors.http import BankSession
from connectors.inspection.listing import capabilities
from connectors.profile import ProfileError
from connectors.registry import Registry
from connectors.security.http_signature import Verifier
from connectors.security.signature_form import Form
from connectors.strict_json import JsonObject, NotReadable
from tests.support.bench import sca_of
from tests.support.wsgi_adapter import WSGIAdapter
from tests.unit.connectors.bank import API, ISSUER, KEY, NOON, PROFILE, Answer, json_answer, metadata, token
from tests.unit.connectors.stet_bank import NUMBER, make_keys
from tests.unit.connectors.test_messages import ORDER

RETURN = "https://bills.test/banks/tested/return/s"
REQUEST_ID = "5f0c1c2e-6f57-4c1b-9f6e-0d6f3b3c9a11"
PSU = PsuContext(ip_address="192.0.2.7", user_agent="Firefox/140")
SINGLE = "/v1/payments/sepa-credit-transfers"
ONE = f"{SINGLE}/pay-1"
REDIRECT, DECOUPLED = 'approach = "redirect"\n', 'approach = "decoupled"\n'
PAGE = f"{ISSUER}/approve/1"
AUTHORISATION = f"{API}{ONE}/authorisations/a-1"
SEALED = PROFILE.replace('"quittance"', f'"{NUMBER}"') + (
    'keys = "ours"\nsigned = true\nprofile = "oauth2_qwac"\nclient_auth = "tls_client_auth"\n'
)


def created(*, status: int = 201, **links: str) -> Answer:
    hrefs = {name: {"href": href} for name, href in links.items()}
    return json_answer({"transactionStatus": "RCVD", "paymentId": "pay-1", "_links": hrefs}, status=status)


def started(sca_status: str = "received", **links: str) -> Answer:
    hrefs = {name: {"href": href} for name, href in links.items()}
    return json_answer({"scaStatus": sca_status, "authorisationId": "a-1", "_links": hrefs}, status=201)


class Bank:
    """Says what a test tells it to, by method and path below the API."""

    def __init__(self, folder: Path, more: str = "", *, profile: str = PROFILE, **_: Any) -> None:
        self.asked: list[Request] = []
        self.answers: dict[tuple[str, str], Answer] = {}
        make_keys(folder / "keys" / "ours")
        self.keys = folder / "keys" / "ours"
        (folder / "tested.toml").write_text(profile + more)
        session = BankSession()
        session.mount("https://", WSGIAdapter(Request.application(self._answer)))
        self.registry = Registry.from_folder(
            folder,
            sandbox_bank_url=None,
            client_key=KEY.as_dict(private=True),
            allow_http=False,
            session_factory=lambda _: session,
            clock=lambda: NOON,
            bank_keys=folder / "keys",
        )

    @property
    def connector(self) -> BerlinGroupConnector:
        found = self.registry.connector("tested")
        assert isinstance(found, BerlinGroupConnector)
        return found

    def says(self, method: str, path: str, answer: Answer) -> None:
        self.answers[method, path] = answer

    def calls(self) -> list[str]:
        return [f"{one.method} {one.path.removeprefix('/psd2')}" for one in self.asked if one.path.startswith("/psd2")]

    def draft(self) -> BankRequest:
        return self.connector.draft(ORDER, request_id=REQUEST_ID, redirect_uri=RETURN)

    def initiate(self, answer: Answer) -> Staged:
        self.says("POST", SINGLE, answer)
        return self.connector.initiate(self.draft(), psu=PSU, timeout_s=5)

    def url(self, sca: ScaOAuth) -> str:
        return self.connector.authorise_url(
            sca, redirect_uri=RETURN, state="s", nonce="n", code_challenge="c", timeout_s=5
        )

    def complete(self, sca: ScaOAuth, **answer: str) -> int | None:
        """For how long something may happen, in seconds."""
        done = self.connector.complete(
            sca, answer=answer, code_verifier="v", redirect_uri=RETURN, state="s", nonce="n", timeout_s=5
        )
        return done.expires_in_s

    def _answer(self, request: Request) -> Response:
        request.get_data()
        self.asked.append(request)
        if request.path == "/token":
            return token()(request)
        if request.path.startswith("/.well-known/"):
            return metadata()(request)
        answer = self.answers[request.method, request.path.removeprefix("/psd2")](request)
        answer.headers["X-Request-ID"] = request.headers["X-Request-ID"]
        return answer


def test_what_it_can(tmp_path: Path) -> None:
    connector = Bank(tmp_path).connector
    assert capabilities(connector) == ["cancels", "future-dates", "keeps-standing-orders", "signs-in"]
    assert not isinstance(connector, Submits)
    cancels: Cancels = connector
    future_dates: FutureDates = connector
    standing: KeepsStandingOrders = connector
    assert all((cancels, future_dates, standing))


# ------------------------------------------------------------------------------------------------------- on a page


def test_a_page_of_the_bank(tmp_path: Path) -> None:
    bank = Bank(tmp_path, REDIRECT)
    sca = sca_of(bank.initiate(created(scaRedirect=PAGE)))
    sent = bank.asked[-1].headers
    assert (sent["TPP-Redirect-URI"], sent["TPP-Nok-Redirect-URI"]) == (
        f"{RETURN}?code=approved",
        f"{RETURN}?error=not_approved",
    )
    assert (sca.approach, bank.url(sca)) == (Approach.REDIRECT, PAGE)
    assert bank.complete(sca, code="approved") == 0
    assert bank.calls() == [f"POST {SINGLE}"]  # no metadata, and nothing to confirm


def test_a_page_that_is_asked_for_by_a_call_of_its_own(tmp_path: Path) -> None:
    bank = Bank(tmp_path, REDIRECT)
    bank.says("POST", f"{ONE}/authorisations", started(scaRedirect="/approve/1"))
    sca = sca_of(bank.initiate(created(startAuthorisation=f"{API}{ONE}/authorisations")))
    begun = bank.asked[-1]
    assert bank.calls() == [f"POST {SINGLE}", f"POST {ONE}/authorisations"]
    assert json.loads(begun.get_data()) == {}
    assert begun.headers["TPP-Redirect-URI"] == f"{RETURN}?code=approved"
    assert begun.headers["PSU-IP-Address"] == "192.0.2.7"
    assert begun.headers["X-Request-ID"] != REQUEST_ID
    assert bank.url(sca) == "https://api.bank.test/approve/1"


def test_an_approval_that_asks_to_be_started_for_ever(tmp_path: Path) -> None:
    bank = Bank(tmp_path, REDIRECT)
    bank.says("POST", f"{ONE}/authorisations", started(startAuthorisation=f"{API}{ONE}/authorisations"))
    assert bank.initiate(created(startAuthorisation=f"{API}{ONE}/authorisations")).sca is None
    assert len(bank.calls()) == 2


def test_an_approval_that_cannot_be_started(tmp_path: Path) -> None:
    bank = Bank(tmp_path, REDIRECT)
    bank.says("POST", f"{ONE}/authorisations", started("failed"))
    with pytest.raises(BankRefused) as caught:
        bank.initiate(created(startAuthorisation=f"{API}{ONE}/authorisations"))
    assert caught.value.code == "SCA_INVALID"


@pytest.mark.parametrize(
    "answer",
    [
        Response(status=504),
        Response(b"{", status=201),
        Response(json.dumps({"tppMessages": [{"category": "ERROR", "code": "STATUS_INVALID"}]}), status=409),
    ],
)
def test_an_order_whose_approval_may_have_been_started_is_never_given_again(answer: Response, tmp_path: Path) -> None:
    """Its customer may be asked in the bank's app: an order of the same bill beside it could be approved, too."""
    bank = Bank(tmp_path, REDIRECT)
    bank.says("POST", f"{ONE}/authorisations", lambda _: answer)
    assert bank.initiate(created(startAuthorisation=f"{API}{ONE}/authorisations")).sca is None


@pytest.mark.parametrize(("status", "raised"), [(400, BankRefused), (403, BankRefused), (429, BankUnavailable)])
def test_but_where_nothing_was_started_it_may_be(status: int, raised: type[Exception], tmp_path: Path) -> None:
    bank = Bank(tmp_path, REDIRECT)
    bank.says("POST", f"{ONE}/authorisations", lambda _: Response(status=status))
    with pytest.raises(raised):
        bank.initiate(created(startAuthorisation=f"{API}{ONE}/authorisations"))


@pytest.mark.parametrize("href", [AUTHORISATION, f"/psd2{ONE}/authorisations/a-1", f"{ONE}/authorisations/a-1"])
def test_a_confirmation_code_goes_to_what_waits_for_it(href: str, tmp_path: Path) -> None:
    bank = Bank(tmp_path, REDIRECT)
    sca = sca_of(bank.initiate(created(scaRedirect=PAGE, confirmation=href)))
    bank.says("PUT", f"{ONE}/authorisations/a-1", json_answer({"scaStatus": "finalised", "_links": {}}))
    assert bank.complete(sca, code="approved", confirmationCode="c0de") == 0
    assert json.loads(bank.asked[-1].get_data()) == {"confirmationCode": "c0de"}


@pytest.mark.parametrize(
    ("answer", "raised"),
    [
        (json_answer({"scaStatus": "failed"}), BankRefused),
        (json_answer({"scaStatus": "unconfirmed"}), BankSilent),
        (json_answer({}), BankSilent),
        (json_answer({"tppMessages": [{"category": "ERROR", "code": "SCA_INVALID"}]}, status=400), BankRefused),
        (json_answer({}, status=500), BankSilent),
    ],
)
def test_a_confirmation_that_does_not_confirm(answer: Answer, raised: type[Exception], tmp_path: Path) -> None:
    bank = Bank(tmp_path, REDIRECT)
    sca = sca_of(bank.initiate(created(scaRedirect=PAGE, confirmation=AUTHORISATION)))
    bank.says("PUT", f"{ONE}/authorisations/a-1", answer)
    with pytest.raises(raised):
        bank.complete(sca, code="approved", confirmationCode="c0de")


def test_nothing_is_confirmed_without_a_code_of_the_banks(tmp_path: Path) -> None:
    """Our own word in the address is no confirmation: whoever left knows it."""
    bank = Bank(tmp_path, REDIRECT)
    sca = sca_of(bank.initiate(created(scaRedirect=PAGE, confirmation=AUTHORISATION)))
    with pytest.raises(BankRefused) as caught:
        bank.complete(sca, code="approved")
    assert caught.value.code == "not_believed"
    with pytest.raises(BankRefused):
        bank.complete(sca, error="not_approved")
    assert bank.calls() == [f"POST {SINGLE}"]


def test_a_confirmation_after_oauth_is_the_token(tmp_path: Path) -> None:
    bank = Bank(tmp_path)
    place = f"{ISSUER}/.well-known/oauth-authorization-server"
    sca = sca_of(bank.initiate(created(scaOAuth=place, confirmation=AUTHORISATION)))
    bank.says("PUT", f"{ONE}/authorisations/a-1", json_answer({"scaStatus": "finalised"}))
    assert bank.complete(sca, code="c") == 300
    assert json.loads(bank.asked[-1].get_data()) == {"confirmationCode": "our-token"}


def test_the_token_is_kept_whatever_the_confirmation_comes_to(tmp_path: Path) -> None:
    """At some banks only it lets us ask what became of the payment."""
    bank = Bank(tmp_path)
    place = f"{ISSUER}/.well-known/oauth-authorization-server"
    sca = sca_of(bank.initiate(created(scaOAuth=place, confirmation=AUTHORISATION)))
    bank.says("PUT", f"{ONE}/authorisations/a-1", lambda _: Response(status=504))
    assert bank.complete(sca, code="c") == 300


def test_a_confirmation_is_not_brought_twice(tmp_path: Path) -> None:
    bank = Bank(tmp_path)
    place = f"{ISSUER}/.well-known/oauth-authorization-server"
    sca = sca_of(bank.initiate(created(scaOAuth=place, confirmation=AUTHORISATION)))
    wrong = {"tppMessages": [{"category": "ERROR", "code": "PSU_CREDENTIALS_INVALID"}]}
    bank.says("PUT", f"{ONE}/authorisations/a-1", json_answer(wrong, status=401))
    bank.complete(sca, code="c")
    assert bank.calls().count(f"PUT {ONE}/authorisations/a-1") == 1


# ---------------------------------------------------------------------------------------------------------- in an app


def test_an_app_of_the_banks_is_told_only_when_the_customer_has_left_for_it(tmp_path: Path) -> None:
    bank = Bank(tmp_path, DECOUPLED)
    sca = sca_of(bank.initiate(created(startAuthorisation=f"{API}{ONE}/authorisations")))
    sent = bank.asked[-1].headers
    assert sent["TPP-Redirect-URI"] == f"{RETURN}?code=approved"  # should the bank have a page and no app
    assert [sent[f"TPP-{name}-Preferred"] for name in ("Redirect", "Decoupled", "Explicit-Authorisation")] == [
        "false",
        "true",
        "true",
    ]
    assert bank.url(sca) == f"{RETURN}?code=decoupled"  # our own address: nobody leaves
    assert bank.calls() == [f"POST {SINGLE}"]
    bank.says("POST", f"{ONE}/authorisations", started(scaStatus=AUTHORISATION))
    assert bank.complete(sca, code="decoupled") == 90 * 60  # until the bank gives up
    assert bank.calls() == [f"POST {SINGLE}", f"POST {ONE}/authorisations"]


@pytest.mark.parametrize(
    "answer",
    [
        started("failed"),
        started(scaRedirect=PAGE),
        started(updatePsuAuthentication=AUTHORISATION),
        started(updatePsuIdentification=AUTHORISATION),
        started(scaOAuth=f"{ISSUER}/.well-known/oauth-authorization-server"),
        json_answer({"tppMessages": [{"category": "ERROR", "code": "STATUS_INVALID"}]}, status=409),
    ],
)
def test_an_app_that_is_not_told(answer: Answer, tmp_path: Path) -> None:
    bank = Bank(tmp_path, DECOUPLED)
    sca = sca_of(bank.initiate(created(startAuthorisation=f"{API}{ONE}/authorisations")))
    bank.says("POST", f"{ONE}/authorisations", answer)
    with pytest.raises(BankRefused):
        bank.complete(sca, code="decoupled")


def test_a_bank_that_has_a_page_after_all_has_its_customer_sent_there(tmp_path: Path) -> None:
    """An app was a wish. The link is followed as at any bank with a page, and nobody is told to look in an app."""
    bank = Bank(tmp_path, DECOUPLED)
    sca = sca_of(bank.initiate(created(scaRedirect=PAGE)))
    assert sca.approach is Approach.REDIRECT
    assert bank.url(sca) == PAGE
    assert bank.complete(sca, code="approved") == 0  # nothing is started and nothing confirmed
    assert bank.calls() == [f"POST {SINGLE}"]


@pytest.mark.parametrize("approach", [DECOUPLED, REDIRECT])
def test_a_page_of_somebody_elses_is_nobodys_way(approach: str, tmp_path: Path) -> None:
    with pytest.raises(BankSilent, match="scaRedirect leads to a host"):
        Bank(tmp_path, approach).initiate(created(scaRedirect="https://evil.test/approve"))


def test_a_bank_that_asks_by_itself_leaves_nothing_to_follow(tmp_path: Path) -> None:
    assert Bank(tmp_path, DECOUPLED).initiate(created(scaStatus=AUTHORISATION)).sca is None


# ------------------------------------------------------------------------------------------------ what is never done


@pytest.mark.parametrize(
    "name",
    [
        "startAuthorisationWithPsuAuthentication",
        "startAuthorisationWithEncryptedPsuAuthentication",
        "updatePsuAuthentication",
        "selectAuthenticationMethod",
        "authoriseTransaction",
    ],
)
@pytest.mark.parametrize("approach", ["", REDIRECT, DECOUPLED])
def test_a_password_of_the_banks_is_never_asked_for(name: str, approach: str, tmp_path: Path) -> None:
    bank = Bank(tmp_path, approach)
    with pytest.raises(BankRefused, match="nobody is ever asked") as caught:
        bank.initiate(created(**{name: f"{API}{ONE}/authorisations"}, status=201))
    assert caught.value.code == "embedded_refused"
    assert bank.calls() == [f"POST {SINGLE}"]


def test_nor_a_name_there(tmp_path: Path) -> None:
    with pytest.raises(BankRefused) as caught:
        Bank(tmp_path, DECOUPLED).initiate(
            created(startAuthorisationWithPsuIdentification=f"{API}{ONE}/authorisations")
        )
    assert caught.value.code == "psu_identification_wanted"


@pytest.mark.parametrize(
    "links",
    [
        {"scaRedirect": "https://evil.test/approve"},
        {"scaRedirect": "http://login.bank.test/approve"},
        {"scaRedirect": "https://login.bank.test@evil.test/"},
        {"scaRedirect": "https://[x"},
        {"scaRedirect": "javascript:alert(1)"},
        {"scaRedirect": "//evil.test/x"},
        {"scaRedirect": "https://login.bank.test/a b"},
        {"startAuthorisation": f"https://evil.test/psd2{ONE}/authorisations"},
        {"startAuthorisation": f"{API}{SINGLE}/pay-2/authorisations"},
        {"startAuthorisation": f"{API}{ONE}/cancellation-authorisations"},
        {"startAuthorisation": f"{API}{ONE}/authorisations/a-1"},
        {"scaRedirect": PAGE, "confirmation": f"https://evil.test/psd2{ONE}/authorisations/a-1"},
        {"scaRedirect": PAGE, "confirmation": f"{API}{SINGLE}/pay-2/authorisations/a-1"},
        {"scaRedirect": PAGE, "confirmation": f"{API}{ONE}/authorisations"},
        {"scaRedirect": PAGE, "confirmation": f"{API}{ONE}/authorisations/.."},
        {"scaRedirect": PAGE, "confirmation": f"{API}{ONE}/authorisations/a/b"},
    ],
)
def test_a_bank_leads_nobody_elsewhere(links: dict[str, str], tmp_path: Path) -> None:
    bank = Bank(tmp_path, REDIRECT)
    with pytest.raises(BankSilent):
        bank.initiate(created(**links, status=201))
    assert bank.calls() == [f"POST {SINGLE}"]


def test_a_host_that_the_file_names_is_the_banks(tmp_path: Path) -> None:
    bank = Bank(tmp_path, f'hosts = ["banking.bank.test"]\n{REDIRECT}')
    assert bank.url(sca_of(bank.initiate(created(scaRedirect="https://banking.bank.test/x")))).endswith(".test/x")


@pytest.mark.parametrize(
    ("href", "found"),
    [
        (f"/psd2{ONE}/authorisations/a-1", f"{ONE}/authorisations/a-1"),
        (f"..{ONE}/authorisations/a-1", f"{ONE}/authorisations/a-1"),
        (f"{API}{ONE}/authorisations/a%20b", None),
        (f"{API}{ONE}/authorisations/a%2Fb", None),  # two steps for some servers
    ],
)
def test_links_as_they_may_be_written(href: str, found: str | None) -> None:
    place = Place(base_url=API, origins=frozenset({"api.bank.test"}))
    links = JsonObject({"confirmation": {"href": href}})
    if found is None:
        with pytest.raises(NotReadable):
            place.read(links, of=ONE)
    else:
        assert place.read(links, of=ONE) == Links(confirmation=found)


# --------------------------------------------------------------------------------------------------- what is kept there


def test_a_payment_on_a_day(tmp_path: Path) -> None:
    bank = Bank(tmp_path, REDIRECT)
    kept = bank.connector.future_dated
    day = NOON.date() + dt.timedelta(days=3)
    request = kept.draft(ORDER, execute_on=day, request_id=REQUEST_ID, redirect_uri=RETURN)
    assert json.loads(request.body)["requestedExecutionDate"] == "2026-11-25"
    bank.says("POST", SINGLE, created(scaRedirect=PAGE))
    assert sca_of(kept.initiate(request, psu=PSU, timeout_s=5)).authorization_endpoint == PAGE
    bank.says("GET", f"{ONE}/status", json_answer({"transactionStatus": "ACTC"}))
    assert kept.status("pay-1", access_token=None, timeout_s=5).fact is Fact.ACCEPTED
    for today in (NOON.date(), NOON.date() - dt.timedelta(days=1)):
        with pytest.raises(ValueError, match="not in the future"):
            kept.draft(ORDER, execute_on=today, request_id=REQUEST_ID, redirect_uri=RETURN)


def test_it_is_taken_back_at_once_where_the_bank_lets_us(tmp_path: Path) -> None:
    bank = Bank(tmp_path, REDIRECT)
    bank.says("DELETE", ONE, lambda _: Response(status=204))
    done = bank.connector.future_dated.cancel("pay-1", redirect_uri=RETURN, psu=PSU, timeout_s=5)
    assert done.status is not None
    assert (done.status.fact, done.sca, done.kept) == (Fact.CANCELLED, None, False)


def test_or_its_customer_is_asked_first(tmp_path: Path) -> None:
    bank = Bank(tmp_path, REDIRECT)
    place = f"{ONE}/cancellation-authorisations"
    bank.says("DELETE", ONE, created(status=202, startAuthorisation=f"{API}{place}"))
    bank.says("POST", place, started(scaRedirect=PAGE))
    done = bank.connector.future_dated.cancel("pay-1", redirect_uri=RETURN, psu=PSU, timeout_s=5)
    assert (done.status, done.kept) == (None, False)
    assert done.sca is not None
    assert bank.url(done.sca) == PAGE
    assert bank.asked[-1].headers["TPP-Redirect-URI"] == f"{RETURN}?code=approved"
    assert bank.calls() == [f"DELETE {ONE}", f"POST {place}"]


def test_or_it_stays(tmp_path: Path) -> None:
    bank = Bank(tmp_path, REDIRECT)
    bank.says("DELETE", ONE, json_answer({"tppMessages": []}, status=405))
    assert bank.connector.future_dated.cancel("pay-1", redirect_uri=RETURN, psu=PSU, timeout_s=5).kept


def test_a_cancellation_is_asked_for_in_the_app(tmp_path: Path) -> None:
    bank = Bank(tmp_path, DECOUPLED)
    place = f"{ONE}/cancellation-authorisations"
    bank.says("DELETE", ONE, created(status=202, startAuthorisation=f"{API}{place}"))
    done = bank.connector.future_dated.cancel("pay-1", redirect_uri=RETURN, psu=PSU, timeout_s=5)
    assert done.sca is not None
    bank.says("POST", place, started())
    bank.complete(done.sca, code="decoupled")
    assert bank.calls() == [f"DELETE {ONE}", f"POST {place}"]


def test_a_standing_order(tmp_path: Path) -> None:
    bank = Bank(tmp_path, REDIRECT)
    asked = StandingOrder(
        order=ORDER,
        first=dt.date(2026, 12, 1),
        last=dt.date(2027, 11, 30),
        frequency=Frequency.MONTHLY,
        day_of_month=1,
        execution_rule=ExecutionRule.FOLLOWING,
    )
    request = bank.connector.standing_orders.draft(asked, request_id=REQUEST_ID, redirect_uri=RETURN)
    assert request.path == "/v1/periodic-payments/sepa-credit-transfers"
    said = json.loads(request.body)
    assert {name: said[name] for name in said if name in ("startDate", "endDate", "frequency")} == {
        "startDate": "2026-12-01",
        "endDate": "2027-11-30",
        "frequency": "Monthly",
    }
    assert (said["dayOfExecution"], said["executionRule"]) == ("1", "following")


@pytest.mark.parametrize("changes", [{"day_of_month": 0}, {"day_of_month": 32}, {"last": dt.date(2026, 11, 30)}])
def test_a_standing_order_that_cannot_be(changes: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"day of the month|end before"):
        StandingOrder(order=ORDER, first=dt.date(2026, 12, 1), frequency=Frequency.MONTHLY, **changes)


# ------------------------------------------------------------------------------------------- what banks want otherwise


def test_instant_payments_have_a_place_of_their_own(tmp_path: Path) -> None:
    bank = Bank(tmp_path, "instant = true\n")
    assert bank.draft().path == "/v1/payments/instant-sepa-credit-transfers"
    day = NOON.date() + dt.timedelta(days=1)
    kept = bank.connector.future_dated.draft(ORDER, execute_on=day, request_id=REQUEST_ID, redirect_uri=RETURN)
    assert kept.path == SINGLE


INSTANT = "/v1/payments/instant-sepa-credit-transfers"
UNKNOWN = json_answer({"tppMessages": [{"category": "ERROR", "code": "RESOURCE_UNKNOWN"}]}, status=404)
NO_SUCH_PRODUCT = json_answer({"tppMessages": [{"category": "ERROR", "code": "PRODUCT_UNKNOWN"}]}, status=404)


def test_each_payment_keeps_its_product_when_the_file_names_another(tmp_path: Path) -> None:
    """Drafted before, initiated and asked about after the bank's file was changed."""
    drafted = Bank(tmp_path / "before", REDIRECT).draft()
    bank = Bank(tmp_path / "after", f"{REDIRECT}instant = true\n")
    bank.says("POST", SINGLE, created(startAuthorisation=f"{API}{ONE}/authorisations"))
    bank.says("POST", f"{ONE}/authorisations", started(scaRedirect=PAGE))
    staged = bank.connector.initiate(drafted, psu=PSU, timeout_s=5)
    assert bank.url(sca_of(staged)) == PAGE
    bank.says("GET", f"{INSTANT}/pay-1/status", UNKNOWN)
    bank.says("GET", f"{ONE}/status", json_answer({"transactionStatus": "ACSC"}))
    assert bank.connector.status("pay-1", access_token=None, timeout_s=5).fact is Fact.DEBITED
    assert bank.calls()[-2:] == [f"GET {INSTANT}/pay-1/status", f"GET {ONE}/status"]


def refused(status: int, code: str) -> Answer:
    return json_answer({"tppMessages": [{"category": "ERROR", "code": code}]}, status=status)


def test_what_was_drafted_before_is_taken_back_under_its_product(tmp_path: Path) -> None:
    bank = Bank(tmp_path, f"{REDIRECT}instant = true\n")
    bank.says("DELETE", f"{INSTANT}/pay-1", UNKNOWN)
    bank.says("DELETE", ONE, lambda _: Response(status=204))
    gone = bank.connector.cancel("pay-1", timeout_s=5)
    assert gone is not None
    assert gone.fact is Fact.CANCELLED
    assert bank.calls()[-2:] == [f"DELETE {INSTANT}/pay-1", f"DELETE {ONE}"]


@pytest.mark.parametrize(
    "other",
    [
        UNKNOWN,
        NO_SUCH_PRODUCT,
        json_answer({}, status=404),
        json_answer({}, status=405),
        refused(400, "RESOURCE_UNKNOWN"),
        refused(400, "SERVICE_INVALID"),
    ],
)
def test_a_payment_that_is_under_neither_product_is_not_there(tmp_path: Path, other: Answer) -> None:
    bank = Bank(tmp_path)
    bank.says("GET", f"{ONE}/status", UNKNOWN)
    bank.says("GET", f"{INSTANT}/pay-1/status", other)
    assert bank.connector.status("pay-1", access_token=None, timeout_s=5).fact is Fact.NOT_FOUND


@pytest.mark.parametrize(
    "other",
    [
        json_answer({}, status=403),
        refused(403, "SERVICE_BLOCKED"),
        refused(403, "PRODUCT_INVALID"),
        refused(403, "RESOURCE_UNKNOWN"),
        json_answer({}, status=400),
        refused(400, "RESOURCE_BLOCKED"),
    ],
)
def test_a_no_that_is_about_something_else_is_no_word_that_it_is_not_there(tmp_path: Path, other: Answer) -> None:
    """A blocked service, an account that may not, a resource that is kept from us: it may be there, and be executed."""
    bank = Bank(tmp_path)
    bank.says("GET", f"{ONE}/status", UNKNOWN)
    bank.says("GET", f"{INSTANT}/pay-1/status", other)
    with pytest.raises(BankRefused):
        bank.connector.status("pay-1", access_token=None, timeout_s=5)


@pytest.mark.parametrize("other", [json_answer({}, status=500), json_answer({}, status=409), lambda _: Response("{")])
def test_nobody_says_that_it_is_not_there_before_both_answers_are_in(tmp_path: Path, other: Answer) -> None:
    bank = Bank(tmp_path)
    bank.says("GET", f"{ONE}/status", UNKNOWN)
    bank.says("GET", f"{INSTANT}/pay-1/status", other)
    with pytest.raises(BankSilent):
        bank.connector.status("pay-1", access_token=None, timeout_s=5)


def test_an_amount_as_a_number_is_never_a_float() -> None:
    body = messages.initiation(ORDER, quirks=Quirks(amounts_as_numbers=True))
    assert b'"instructedAmount":{"currency":"EUR","amount":84.20}' in body


def test_a_debtor_account_that_names_none() -> None:
    body = json.loads(messages.initiation(ORDER, quirks=Quirks(debtor_account_wanted=True)))
    assert body["debtorAccount"] == {"currency": "EUR"}


def test_a_scope_with_a_space(tmp_path: Path) -> None:
    bank = Bank(tmp_path, "[quirks]\nscope_with_space = true\n")
    sca = sca_of(bank.initiate(created(scaOAuth=f"{ISSUER}/.well-known/oauth-authorization-server")))
    assert sca.scope == "PIS: pay-1"
    assert "scope=PIS%3A+pay-1" in bank.url(sca)


def test_a_scope_of_its_own_for_our_token(tmp_path: Path) -> None:
    bank = Bank(tmp_path, '[quirks]\nown_scope = "DEDICATED_PISP"\n')
    bank.initiate(created(scaOAuth=f"{ISSUER}/.well-known/oauth-authorization-server"))
    assert [one.form["scope"] for one in bank.asked if one.path == "/token"] == ["DEDICATED_PISP"]


def test_a_link_of_another_name(tmp_path: Path) -> None:
    bank = Bank(tmp_path, f'{REDIRECT}[quirks]\nredirect_link_name = "next"\n')
    assert bank.url(sca_of(bank.initiate(created(next=PAGE)))) == PAGE
    assert bank.initiate(created(scaRedirect=PAGE)).sca is None


@pytest.mark.parametrize(("name", "back"), [("code", RETURN), ("other", f"{RETURN}?code=approved")])
def test_a_confirmation_code_by_another_name(name: str, back: str, tmp_path: Path) -> None:
    bank = Bank(tmp_path, f'{REDIRECT}[quirks]\nconfirmation_code_name = "{name}"\n')
    assert bank.draft().headers["TPP-Redirect-URI"] == back
    sca = sca_of(bank.initiate(created(scaRedirect=PAGE, confirmation=AUTHORISATION)))
    bank.says("PUT", f"{ONE}/authorisations/a-1", json_answer({"scaStatus": "exempted"}))
    bank.complete(sca, **{"code": "approved", name: "c0de"})
    assert json.loads(bank.asked[-1].get_data()) == {"confirmationCode": "c0de"}


@pytest.mark.parametrize(
    ("quirk", "answer", "fact"),
    [
        ("", json_answer({"transactionStatus": "ACSC"}), Fact.DEBITED),
        ("acsc_is_accepted", json_answer({"transactionStatus": "ACSC"}), Fact.ACCEPTED),
        ("acsc_is_accepted", json_answer({"transactionStatus": "ACCC"}), Fact.CREDITED),
        (
            "",
            json_answer({"tppMessages": [{"category": "ERROR", "code": "RESOURCE_UNKNOWN"}]}, status=404),
            Fact.NOT_FOUND,
        ),
        (
            "unknown_is_early",
            json_answer({"tppMessages": [{"category": "ERROR", "code": "RESOURCE_UNKNOWN"}]}, status=404),
            None,
        ),
        ("unknown_is_early", json_answer({"type": "https://b.test", "code": "RESOURCE_UNKNOWN"}, status=404), None),
    ],
)
def test_what_a_status_says_there(quirk: str, answer: Answer, fact: Fact | None, tmp_path: Path) -> None:
    bank = Bank(tmp_path, f"[quirks]\n{quirk} = true\n" if quirk else "")
    bank.says("GET", f"{ONE}/status", answer)
    bank.says("GET", f"{INSTANT}/pay-1/status", UNKNOWN)
    if fact is None:
        with pytest.raises(BankSilent):
            bank.connector.status("pay-1", access_token=None, timeout_s=5)
    else:
        assert bank.connector.status("pay-1", access_token=None, timeout_s=5).fact is fact


def test_a_bank_without_tokens_is_asked_for_none(tmp_path: Path) -> None:
    bank = Bank(tmp_path, f'keys = "ours"\n{REDIRECT}tpp_token = false\nstatus_access = "certificate"\n')
    bank.initiate(created(scaRedirect=PAGE))
    bank.says("GET", f"{ONE}/status", json_answer({"transactionStatus": "RCVD"}))
    bank.connector.status("pay-1", access_token=None, timeout_s=5)
    assert [one.path for one in bank.asked] == ["/psd2" + SINGLE, f"/psd2{ONE}/status"]
    assert not any("Authorization" in one.headers for one in bank.asked)


# ------------------------------------------------------------------------------------------------------------ the seal


@pytest.mark.parametrize(
    ("quirks", "form"),
    [
        ("", Form()),
        (
            '[quirks]\nsigned_headers = "date digest x-request-id"\ndate_wanted = true\nkey_id_serial_decimal = true\n',
            Form(headers=("date", "digest", "x-request-id"), dated=True, serial_decimal=True),
        ),
        (
            "[quirks]\nsigned_names_as_written = true\nkey_id_issuer_from_the_root = true\n",
            Form(names_as_written=True, issuer_from_the_root=True),
        ),
        ("[quirks]\ncertificate_with_pem_lines = true\n", Form(certificate_with_pem_lines=True)),
    ],
)
def test_every_call_is_signed_as_the_bank_wants_it(quirks: str, form: Form, tmp_path: Path) -> None:
    bank = Bank(tmp_path, REDIRECT + quirks, profile=SEALED)
    bank.says("POST", f"{ONE}/authorisations", started(scaRedirect=PAGE, confirmation=AUTHORISATION))
    sca = sca_of(bank.initiate(created(startAuthorisation=f"{API}{ONE}/authorisations")))
    bank.says("PUT", f"{ONE}/authorisations/a-1", json_answer({"scaStatus": "finalised"}))
    bank.complete(sca, code="approved", confirmationCode="c")
    bank.says("GET", f"{ONE}/status", json_answer({"transactionStatus": "ACSC"}))
    bank.connector.status("pay-1", access_token=None, timeout_s=5)
    bank.says("DELETE", ONE, lambda _: Response(status=204))
    bank.connector.cancel("pay-1", timeout_s=5)
    authorities = tuple(x509.load_pem_x509_certificates((bank.keys / "ca.pem").read_bytes()))
    verifier = Verifier(authorities=authorities, form=form)
    asked = [one for one in bank.asked if one.path.startswith("/psd2")]
    assert len(asked) == 5
    for one in asked:
        headers = {name: value for name, value in one.headers.items() if (name, value) != ("Content-Length", "0")}
        verifier.verify(one.method, one.path, headers, one.get_data(), organisation=NUMBER, now=NOON)


def test_nothing_is_signed_unless_the_file_says_so(tmp_path: Path) -> None:
    bank = Bank(tmp_path, REDIRECT)
    bank.initiate(created(scaRedirect=PAGE))
    assert not {"Signature", "Digest", "Tpp-Signature-Certificate"} & set(bank.asked[-1].headers.keys())


@pytest.mark.parametrize(
    ("profile", "told"),
    [
        (PROFILE + "signed = true\n", "tested.toml: keys: missing"),
        (PROFILE + "[quirks]\nkey_id_serial_decimal = true\n", "nothing is signed at this bank"),
        (SEALED + "[quirks]\nkey_id_serial_and_issuer = true\n", "this standard names the certificate so itself"),
        (SEALED + '[quirks]\nsigned_headers = "date"\n', "digest must be among them"),
        (
            SEALED + '[quirks]\nsigned_headers = "digest x-requestid"\n',
            "x-requestid is in no message of ours; did you mean",
        ),
        (
            SEALED + '[quirks]\nsigned_headers = "digest psu-id"\n',
            "quirks.signed_headers: psu-id is in no message of ours",
        ),
        (SEALED + '[quirks]\nsigned_headers = "digest aspsp-*"\n', "aspsp-* is in no message of ours; leave it out"),
        (SEALED + '[quirks]\nsigned_headers = "digest date"\n', "date is sent only with date_wanted = true"),
        (PROFILE + 'approach = "embedded"\n', "approach: must be one of: oauth, redirect, decoupled"),
        (PROFILE + 'approach = "redirect"\nstatus_access = "psu_token"\n', "there is no token of the customer's"),
        (PROFILE + 'status_access = "certificate"\n', "keys: missing"),
    ],
)
def test_a_file_that_cannot_be(profile: str, told: str, tmp_path: Path) -> None:
    with pytest.raises(ProfileError, match=r"tested\.toml") as caught:
        Bank(tmp_path, profile=profile)
    assert told in str(caught.value)


def test_a_seal_of_somebody_else_is_not_used(tmp_path: Path) -> None:
    bank = Bank(tmp_path, profile=SEALED.replace(NUMBER, "PSDFR-ACPR-000007"))
    assert "is not of PSDFR-ACPR-000007" in str(bank.registry.why_unusable("tested"))
