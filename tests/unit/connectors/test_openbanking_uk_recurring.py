"""Recurring consents at a UK bank that says what a test tells it to: what it holds, how access ends and is renewed, and
what it refuses.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl

import pytest
from werkzeug.wrappers import Response

from connectors.capabilities import Alignment, Period, RecurringKind
from connectors.contract import ConsentStatus, ScaOAuth
from connectors.errors import AccessLost, BankRefused, BankSilent, BankUnavailable, BeyondLimits
from connectors.money import Money
from connectors.openbanking_uk.messages import Dialect
from tests.support.openbanking_uk import consent, limit, order
from tests.unit.connectors.uk_bank import ISSUER, KEY, PSU, UkBank, said_no, told

CONSENT, PAYMENTS = "/domestic-vrp-consents/c-1", "/domestic-vrps"
FUNDS = f"{CONSENT}/funds-confirmation"
WANTED = consent(
    periodic_limits=(limit(), limit(Period.YEAR, Alignment.CONSENT, 200_000)), valid_to=dt.date(2027, 12, 23)
)
PAYER = {"SchemeName": "UK.OBIE.SortCodeAccountNumber", "Identification": "99999910000041", "Name": "Camille Laurent"}

Change = Callable[[dict[str, Any]], Any]


@pytest.fixture
def bank() -> UkBank:
    return UkBank()


def asked(bank: UkBank) -> bytes:
    return bank.connector.recurring.draft(WANTED, request_id=KEY).body


def held(bank: UkBank, **more: Any) -> dict[str, Any]:
    """The Data of a bank that holds exactly what it was asked."""
    given = json.loads(asked(bank))["Data"]
    return {"ConsentId": "c-1", "Status": "AUTH", "CreationDateTime": "2026-11-23T11:00:00Z", **given, **more}


# ---------------------------------------------------------------------------------------------------- what it is told


def test_a_bank_tells_status_account_and_time(bank: UkBank) -> None:
    bank.gives(f"GET {CONSENT}", told(held(bank, DebtorAccount=PAYER)))
    said = bank.connector.recurring.told("c-1", asked=asked(bank), timeout_s=5)
    assert (said.status, said.differences, said.is_access_lost) == (ConsentStatus.AUTHORISED, (), False)
    assert said.created_at == dt.datetime(2026, 11, 23, 11, tzinfo=dt.UTC)
    assert said.payer is not None
    assert (said.payer.identification, said.payer.name) == ("99999910000041", "Camille Laurent")
    assert "99999910000041" not in repr(said)
    assert json.loads(said.raw_response)["Data"]["Status"] == "AUTH"


@pytest.mark.parametrize("account", [{}, {"SchemeName": "UK.OBIE.IBAN"}, "99999910000041", None], ids=str)
def test_an_account_that_is_none_is_not_told(bank: UkBank, account: Any) -> None:
    bank.gives(f"GET {CONSENT}", told(held(bank, DebtorAccount=account)))
    assert bank.connector.recurring.told("c-1", asked=asked(bank), timeout_s=5).payer is None


@pytest.mark.parametrize("created", ["yesterday", "2026-11-23T11:00:00", 7, None], ids=str)
def test_a_time_that_is_none_is_not_told(bank: UkBank, created: Any) -> None:
    bank.gives(f"GET {CONSENT}", told(held(bank, CreationDateTime=created)))
    assert bank.connector.recurring.told("c-1", asked=asked(bank), timeout_s=5).created_at is None


def test_a_consent_that_the_bank_does_not_know_and_one_that_it_took_back(bank: UkBank) -> None:
    bank.gives(f"GET {CONSENT}", said_no("U011"), told(held(bank, Status="CANC")))
    gone, cancelled = (bank.connector.recurring.told("c-1", asked=asked(bank), timeout_s=5) for _ in range(2))
    assert (gone.status, gone.payer, gone.raw_response) == (ConsentStatus.NOT_FOUND, None, b"")
    assert (cancelled.status, cancelled.is_access_lost) == (ConsentStatus.CANCELLED, True)


@pytest.mark.parametrize("data", [{"Status": None}, {"ConsentId": "c-2"}, {"ConsentId": "a/b"}], ids=str)
def test_an_answer_about_nothing_or_another_is_none(bank: UkBank, data: dict[str, Any]) -> None:
    bank.gives(f"GET {CONSENT}", told(held(bank, **data)))
    with pytest.raises(BankSilent):
        bank.connector.recurring.told("c-1", asked=asked(bank), timeout_s=5)


def parameters(change: Change) -> Change:
    return lambda data: change(data["ControlParameters"])


def limits(change: Callable[[list[dict[str, Any]]], Any]) -> Change:
    return lambda data: change(data["ControlParameters"]["PeriodicLimits"])


def put(name: str, value: Any) -> Change:
    return parameters(lambda found: found.update({name: value}))


def away(name: str) -> Change:
    return parameters(lambda found: found.pop(name))


def payee(**changes: Any) -> Change:
    return lambda data: data["Initiation"]["CreditorAccount"].update(changes)


MORE = {"PeriodType": "Day", "PeriodAlignment": "Calendar", "Amount": "150.00", "Currency": "GBP"}


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (put("MaximumIndividualAmount", {"Amount": "150.01", "Currency": "GBP"}), "MaximumIndividualAmount"),
        (put("MaximumIndividualAmount", {"Amount": "150.00", "Currency": "EUR"}), "MaximumIndividualAmount"),
        (put("MaximumIndividualAmount", {"Amount": "sNaN", "Currency": "GBP"}), "MaximumIndividualAmount"),
        (put("MaximumIndividualAmount", {"Amount": "much", "Currency": "GBP"}), "MaximumIndividualAmount"),
        (away("MaximumIndividualAmount"), "MaximumIndividualAmount"),
        (limits(lambda found: found[0].update(Amount="3000.00")), "PeriodicLimits"),
        (limits(lambda found: found[0].update(Amount="299.99")), "PeriodicLimits"),
        (limits(lambda found: found[0].update(Currency="EUR")), "PeriodicLimits"),
        (limits(lambda found: found[0].update(PeriodType="Week")), "PeriodicLimits"),
        (limits(lambda found: found[0].update(PeriodAlignment="Consent")), "PeriodicLimits"),
        (limits(lambda found: found.pop()), "PeriodicLimits"),
        (limits(lambda found: found.append(MORE)), "PeriodicLimits"),
        (limits(lambda found: found.append(found[0])), "PeriodicLimits"),
        (away("PeriodicLimits"), "PeriodicLimits"),
        (put("ValidFromDateTime", "2026-12-23T00:00:00Z"), "ValidFromDateTime"),
        (away("ValidFromDateTime"), "ValidFromDateTime"),
        (put("ValidFromDateTime", 7), "ValidFromDateTime"),
        (put("ValidToDateTime", "2027-12-24T23:59:59Z"), "ValidToDateTime"),
        (put("ValidToDateTime", "2028-12-23T23:59:59Z"), "ValidToDateTime"),
        (put("ValidToDateTime", "2027-12-24T00:59:59"), "ValidToDateTime"),
        (away("ValidToDateTime"), "ValidToDateTime"),
        (put("VRPType", ["UK.OBIE.VRPType.Other", "UK.OBIE.VRPType.Sweeping"]), "VRPType"),
        (put("VRPType", ["UK.OBIE.VRPType.Sweeping"]), "VRPType"),
        (put("VRPType", [1, "UK.OBIE.VRPType.Other"]), "VRPType"),
        (away("VRPType"), "VRPType"),
        (put("PSUAuthenticationMethods", ["UK.OBIE.SCA"]), "PSUAuthenticationMethods"),
        (put("PSUInteractionTypes", ["InSession", "OffSession"]), "PSUInteractionTypes"),
        (payee(Identification="20201555555555"), "CreditorAccount"),
        (payee(SchemeName="UK.OBIE.IBAN", Identification="GB33BUKB20201555555555"), "CreditorAccount"),
        (payee(SchemeName="UK.OBIE.IBAN", Identification="DE29NWBK60161331926819"), "CreditorAccount"),
        (lambda data: data.pop("Initiation"), "CreditorAccount"),
    ],
)
def test_a_bank_that_holds_something_else_is_found_out(bank: UkBank, change: Change, named: str) -> None:
    data = held(bank)
    change(data)
    bank.gives(f"GET {CONSENT}", told(data))
    assert bank.connector.recurring.told("c-1", asked=asked(bank), timeout_s=5).differences == (named,)
    # and where it says so at once, that is told with its id: the bank has it, so it is to be taken back there
    bank.gives("POST /domestic-vrp-consents", told({**data, "Status": "AWAU"}, 201))
    request = bank.connector.recurring.draft(WANTED, request_id=KEY)
    staged = bank.connector.recurring.initiate(request, psu=PSU, timeout_s=5)
    assert (staged.consent_id, staged.differences) == ("c-1", (named,))


def test_a_bank_that_does_not_say_what_it_holds_is_found_out(bank: UkBank) -> None:
    data = held(bank)
    del data["ControlParameters"]
    bank.gives(f"GET {CONSENT}", told(data))
    said = bank.connector.recurring.told("c-1", asked=asked(bank), timeout_s=5)
    assert {"MaximumIndividualAmount", "PeriodicLimits", "ValidFromDateTime", "ValidToDateTime"} <= {*said.differences}


@pytest.mark.parametrize(
    "change",
    [
        put("MaximumIndividualAmount", {"Amount": "150.00000", "Currency": "GBP"}),
        put("MaximumIndividualAmount", {"Amount": "150", "Currency": "GBP"}),
        limits(lambda found: found.reverse()),
        put("ValidFromDateTime", "2026-12-24T09:30:00.000Z"),
        put("ValidToDateTime", "2027-12-24T00:59:59+01:00"),
        put("ValidToDateTime", "2027-12-23T00:00:00+00:00"),
        put("ValidToDateTime", "2027-12-23T23:59:59"),  # ISODateTime wants an offset; the day is the same
        away("PSUInteractionTypes"),  # 0..n: a bank need not play it back
        payee(Identification="60-16-13 31926819"),
        payee(Name="LUMEN ENERGY LTD"),
        payee(SchemeName="UK.OBIE.IBAN", Identification="GB29 NWBK 6016 1331 9268 19"),
    ],
)
def test_the_same_written_otherwise_is_no_difference(bank: UkBank, change: Change) -> None:
    data = held(bank)
    change(data)
    bank.gives(f"GET {CONSENT}", told(data))
    assert bank.connector.recurring.told("c-1", asked=asked(bank), timeout_s=5).differences == ()


def test_what_the_bank_holds_in_the_words_of_3_1() -> None:
    bank = UkBank(dialect=Dialect(version="3.1"))
    bank.gives(f"GET {CONSENT}", told(held(bank, Status="Authorised", DebtorAccount=PAYER)))
    said = bank.connector.recurring.told("c-1", asked=asked(bank), timeout_s=5)
    assert (said.status, said.differences) == (ConsentStatus.AUTHORISED, ())


def test_a_kind_that_the_bank_does_not_take_is_not_drafted() -> None:
    bank = UkBank(kinds=[RecurringKind.SWEEPING])
    assert bank.connector.recurring.kinds == {RecurringKind.SWEEPING}
    with pytest.raises(ValueError, match="of the kind other"):
        bank.connector.recurring.draft(WANTED, request_id=KEY)


# ------------------------------------------------------------------------------------------------- what it says no to


def submit(bank: UkBank) -> None:
    recurring = bank.connector.recurring
    request = recurring.draft_payment(order(), consent=WANTED, consent_id="c-1", request_id=KEY)
    recurring.submit(request, access_token="customers", psu=PSU, timeout_s=5)


def funds(bank: UkBank) -> None:
    bank.connector.recurring.funds("c-1", Money(1, "GBP"), access_token="customers", psu=PSU, timeout_s=5)


CALLS = pytest.mark.parametrize(("call", "path"), [(submit, PAYMENTS), (funds, FUNDS)], ids=["submit", "funds"])


@CALLS
@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (lambda: Response(status=401), "http_401"),
        (lambda: said_no("U099", 401), "U099"),
        (lambda: said_no("U028", 403), "U028"),
        (lambda: said_no("UK.OBIE.Reauthenticate", 403), "UK.OBIE.Reauthenticate"),
        (lambda: said_no("U009"), "U009"),
        (lambda: said_no("UK.OBIE.Resource.InvalidConsentStatus"), "UK.OBIE.Resource.InvalidConsentStatus"),
    ],
)
def test_access_that_was_lost_is_told_as_that(
    bank: UkBank, call: Callable[[UkBank], None], path: str, answer: Callable[[], Response], code: str
) -> None:
    bank.gives(f"POST {path}", answer())
    with pytest.raises(AccessLost) as lost:
        call(bank)
    assert (lost.value.code, lost.value.http_status) == (code, bank.answers[f"POST {path}"][0].status_code)


@CALLS
@pytest.mark.parametrize("fault", ["invalid_dpop_proof", "invalid_client"])
def test_a_401_about_our_own_proof_says_nothing_of_the_customers_access(
    bank: UkBank, call: Callable[[UkBank], None], path: str, fault: str
) -> None:
    answer = Response(status=401)
    answer.headers["WWW-Authenticate"] = f'DPoP error="{fault}", algs="PS256"'
    bank.gives(f"POST {path}", answer)
    with pytest.raises(BankRefused) as refused:
        call(bank)
    assert not isinstance(refused.value, AccessLost)
    assert (refused.value.code, refused.value.http_status) == (fault, 401)


@pytest.mark.parametrize(
    ("errors", "code", "parameter"),
    [
        ([{"ErrorCode": "U014"}], "U014", None),
        ([{"ErrorCode": "U014", "Path": "Data.ControlParameters.PeriodicLimits[1]"}], "U014", "PeriodicLimits[1]"),
        ([{"ErrorCode": "U014", "Path": "$.PeriodicLimits[0].Amount"}], "U014", "PeriodicLimits[0]"),
        ([{"ErrorCode": "U014", "Path": "$.PeriodicLimits"}], "U014", None),
        ([{"ErrorCode": "U014", "Path": "Data.Instruction.InstructedAmount"}], "U014", None),
        ([{"ErrorCode": "U014", "Path": "Data.ControlParameters.ValidToDateTime"}], "U014", None),
        (
            [
                {"ErrorCode": "UK.OBIE.Field.Invalid"},
                {
                    "ErrorCode": "UK.OBIE.Rules.FailsControlParameters",
                    "Path": "ControlParameters.MaximumIndividualAmount",
                },
            ],
            "UK.OBIE.Rules.FailsControlParameters",
            "MaximumIndividualAmount",
        ),
    ],
)
def test_a_limit_is_told_as_one(bank: UkBank, errors: list[Any], code: str, parameter: str | None) -> None:
    bank.gives(f"POST {PAYMENTS}", Response(json.dumps({"Errors": errors}), status=400))
    with pytest.raises(BeyondLimits) as beyond:
        submit(bank)
    assert (beyond.value.code, beyond.value.parameter) == (code, parameter)


@pytest.mark.parametrize(("code", "status"), [("U002", 400), ("U011", 403), ("U029", 409), ("http_403", 403)])
def test_any_other_no_is_about_this_payment(bank: UkBank, code: str, status: int) -> None:
    bank.gives(f"POST {PAYMENTS}", said_no(code, status))
    with pytest.raises(BankRefused) as refused:
        submit(bank)
    assert (type(refused.value), refused.value.code) == (BankRefused, code)


def test_that_the_bank_does_not_know_us_says_nothing_of_the_consent(bank: UkBank) -> None:
    """Asked as ourselves: our own token is made anew once, and then the bank's no is about us."""
    bank.gives(f"GET {CONSENT}", Response(status=401))
    with pytest.raises(BankRefused) as refused:
        bank.connector.recurring.told("c-1", asked=asked(bank), timeout_s=5)
    assert (type(refused.value), bank.tokens) == (BankRefused, 2)


# ------------------------------------------------------------------------------------------------------------- renewal


def given(status: int = 200, **answer: Any) -> Response:
    return Response(json.dumps(answer), status=status, content_type="application/json")


def test_a_token_is_renewed_and_the_next_refresh_token_kept(bank: UkBank) -> None:
    bank.token_answers = [
        given(access_token="a-2", token_type="Bearer", expires_in=300, refresh_token="r-2"),
        given(access_token="a-3", token_type="Bearer"),
    ]
    first = bank.connector.recurring.renew("r-1", timeout_s=5)
    assert (first.access_token, first.expires_in_s, first.refresh_token) == ("a-2", 300, "r-2")
    second = bank.connector.recurring.renew("r-2", timeout_s=5)
    assert (second.access_token, second.expires_in_s, second.refresh_token) == ("a-3", None, "r-2")
    assert not any(secret in repr(first) for secret in ("a-2", "r-2"))
    forms = [dict(parse_qsl(request.get_data().decode())) for request in bank.token_requests]
    for form, spent in zip(forms, ("r-1", "r-2"), strict=True):
        assert (form["grant_type"], form["refresh_token"]) == ("refresh_token", spent)
        assert form["client_assertion"]
        assert "scope" not in form


def test_a_consent_is_approved_again_where_the_bank_is_now(bank: UkBank) -> None:
    made = ScaOAuth(
        issuer="https://old.bank.test",
        authorization_endpoint="https://old.bank.test/authorize",
        token_endpoint="https://old.bank.test/token",
        scope="openid payments",
        intent_id="c-1",
    )
    assert bank.connector.recurring.approval_now(made, timeout_s=5) == dataclasses.replace(
        made,
        issuer=ISSUER,
        authorization_endpoint=f"{ISSUER}/authorize",
        token_endpoint=f"{ISSUER}/token",
    )


def test_a_refresh_token_that_is_gone(bank: UkBank) -> None:
    bank.token_answers = [given(400, error="invalid_grant")]
    with pytest.raises(AccessLost) as lost:
        bank.connector.recurring.renew("r-1", timeout_s=5)
    assert (lost.value.code, lost.value.http_status) == ("invalid_grant", 400)


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (lambda: given(401, error="invalid_client"), BankRefused),
        (lambda: given(400, error="unsupported_grant_type"), BankRefused),
        (lambda: given(403), BankRefused),
        (lambda: given(500), BankUnavailable),
        (lambda: given(503), BankUnavailable),
        (lambda: given(429), BankUnavailable),
        (lambda: Response("{"), BankUnavailable),
        (lambda: given(access_token="a-2", token_type="mac"), BankUnavailable),
    ],
)
def test_a_bank_that_does_not_renew_for_now(
    bank: UkBank, answer: Callable[[], Response], kind: type[BankRefused | BankUnavailable]
) -> None:
    """The consent may be as good as ever."""
    bank.token_answers = [answer()]
    with pytest.raises(kind) as caught:
        bank.connector.recurring.renew("r-1", timeout_s=5)
    assert type(caught.value) is kind
    assert caught.value.may_repeat is (kind is BankUnavailable)


@pytest.mark.parametrize("written", [7, "", "a\nb", "é", "x" * 9000, None], ids=lambda one: str(one)[:9])
def test_what_is_no_refresh_token_is_none(bank: UkBank, written: Any) -> None:
    bank.token_answers = [given(access_token="a-2", token_type="Bearer", refresh_token=written)]
    assert bank.connector.recurring.renew("r-1", timeout_s=5).refresh_token == "r-1"
