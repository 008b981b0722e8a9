"""What a bank gets wrong, from both sides: with its quirk it is spoken to, without it nothing is forgiven.

And what a quirk does not name is as strict as ever.
"""

from __future__ import annotations

import base64
import contextlib
import datetime as dt
import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast
from urllib.parse import parse_qs, parse_qsl, urlsplit

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet, RSAKey
from werkzeug.wrappers import Request, Response

from connectors.contract import BankRequest, PaymentOrder, PsuContext, ScaOAuth
from connectors.errors import BankRefused, BankSilent
from connectors.http import BankSession
from connectors.money import Money
from connectors.openbanking_uk.connector import OpenBankingUkConnector
from connectors.registry import Registry
from connectors.security.detached_jws import SignatureError, Signer, Verifier
from connectors.security.request_object import Expected, NotBelieved, check_id_token, half_hash
from tests.support.bank_keys import SIGNING, make_bank_keys
from tests.support.wsgi_adapter import WSGIAdapter

NOW = dt.datetime(2026, 11, 22, 12, 0, tzinfo=dt.UTC)
S = int(NOW.timestamp())
ISSUER, API = "https://login.bank.test", "https://api.bank.test/open-banking/v4.0/pisp"
FILE = f"""
name = "Bank of Quirks"
country = "GB"
standard = "openbanking_uk"
version = "VERSION"
base_url = "{API}"
issuer = "{ISSUER}"
client_id = "quittance"
profile = "PROFILE"
keys = "ours"
organisation_id = "org"
software_id = "software"
[quirks]
"""
BANK_KEY = RSAKey.generate_key(2048, {"kid": "bank-1", "use": "sig"}, private=True)
ORDER = PaymentOrder(
    amount=Money(8420, "GBP"),
    creditor_name="Lumen Energy Ltd",
    creditor_iban="GB29NWBK60161331926819",
    end_to_end_id="pay-1",
    remittance_unstructured="October",
)
SCA = ScaOAuth(
    issuer=ISSUER,
    authorization_endpoint=f"{ISSUER}/authorize",
    token_endpoint=f"{ISSUER}/token",
    scope="openid payments",
    intent_id="consent-1",
)
PSU = PsuContext(ip_address="192.0.2.7")
METADATA = {
    "issuer": ISSUER,
    "authorization_endpoint": SCA.authorization_endpoint,
    "token_endpoint": SCA.token_endpoint,
    "jwks_uri": f"{ISSUER}/jwks",
}


@dataclass
class Bank:
    """Answers every call well but for what a test takes away, and keeps what it was sent."""

    signs: Signer | None = field(
        default_factory=lambda: Signer(key=BANK_KEY, kid="bank-1", issuer="the bank", trust_anchor="openbanking.org.uk")
    )
    echo: str | None = "yes"
    requests: list[Request] = field(default_factory=list)

    def answer(self, request: Request) -> Response:
        request.get_data()
        self.requests.append(request)
        if request.path == "/token":
            return _json({"access_token": "t0ken", "token_type": "BEARER", "expires_in": 300, "scope": "everything"})
        if request.path == "/jwks":
            return _json({"keys": [{"kty": "unheard-of"}, BANK_KEY.as_dict(private=False)]})
        if request.path.startswith("/.well-known/"):
            return _json(METADATA)
        said = _json({"Data": {"ConsentId": "consent-1", "Status": "AWAU"}}, status=201)
        if self.echo is not None:
            asked = request.headers["x-fapi-interaction-id"]
            said.headers["x-fapi-interaction-id"] = asked if self.echo == "yes" else self.echo
        if self.signs is not None:
            said.headers["x-jws-signature"] = self.signs.sign(said.get_data(), now=NOW)
        return said

    def last(self, path_end: str) -> Request:
        return next(one for one in reversed(self.requests) if one.path.endswith(path_end))


def _json(body: object, *, status: int = 200) -> Response:
    return Response(json.dumps(body), status=status, content_type="application/json")


class House:
    """Our side: the connector of a file with these quirks, and the bank behind it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.bank = Bank()
        make_bank_keys(folder / "keys" / "ours")

    def connector(
        self, quirks: str = "", *, version: str = "4.0", profile: str = "fapi1_advanced"
    ) -> OpenBankingUkConnector:
        text = FILE.replace("VERSION", version).replace("PROFILE", profile) + quirks
        (self._folder / "quirky.toml").write_text(text)
        self.registry = Registry.from_folder(
            self._folder,
            sandbox_bank_url=None,
            client_key=ECKey.generate_key("P-256").as_dict(private=True),
            allow_http=False,
            session_factory=lambda _: self._session(),
            clock=lambda: NOW,
            bank_keys=self._folder / "keys",
        )
        return cast(OpenBankingUkConnector, self.registry.connector("quirky"))

    def _session(self) -> BankSession:
        session = BankSession()
        session.mount("https://", WSGIAdapter(Request.application(self.bank.answer)))
        return session


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


def draft(connector: OpenBankingUkConnector) -> BankRequest:
    return connector.draft(ORDER, request_id=str(uuid.uuid4()), redirect_uri="https://us.test/return")


def initiate(connector: OpenBankingUkConnector) -> str:
    return connector.initiate(draft(connector), psu=PSU, timeout_s=5).consent_id


def authorise(connector: OpenBankingUkConnector) -> dict[str, list[str]]:
    url = connector.authorise_url(
        SCA, redirect_uri="https://us.test/return", state="s-1", nonce="n-1", code_challenge="c" * 43, timeout_s=5
    )
    return parse_qs(urlsplit(url).query)


def asked_in(query: Mapping[str, list[str]]) -> dict[str, Any]:
    [signed] = query["request"]
    return dict(jwt.decode(signed, SIGNING, algorithms=["PS256"]).claims)


def complete(connector: OpenBankingUkConnector, **changes: Any) -> str:
    """The hybrid answer with a good id_token, but for these claims; None takes one away."""
    claims = {
        "iss": ISSUER,
        "aud": "quittance",
        "sub": "somebody",
        "exp": S + 60,
        "iat": S,
        "nonce": "n-1",
        "c_hash": half_hash("code-1"),
        "s_hash": half_hash("s-1"),
        "openbanking_intent_id": "consent-1",
        **changes,
    }
    kept = {name: value for name, value in claims.items() if value is not None}
    id_token = jwt.encode({"alg": "PS256", "kid": "bank-1"}, kept, BANK_KEY, algorithms=["PS256"])
    return str(
        connector.complete(
            SCA,
            answer={"code": "code-1", "id_token": id_token},
            code_verifier="v" * 43,
            redirect_uri="https://us.test/return",
            state="s-1",
            nonce="n-1",
            timeout_s=5,
        ).access_token
    )


def refused(connector: OpenBankingUkConnector, **changes: Any) -> None:
    with pytest.raises(BankRefused, match="not the bank's answer"):
        complete(connector, **changes)


# ---------------------------------------------------------------------------------------------------------- a good bank


def test_a_bank_that_gets_nothing_wrong(house: House) -> None:
    """Some ways need no quirk: a token of the type BEARER with a wider scope, a published key of an unknown kind."""
    connector = house.connector()
    assert initiate(connector) == "consent-1"
    assert complete(connector) == "t0ken"


# ----------------------------------------------------------------------------------------------------------- signatures


@pytest.mark.parametrize("b64", [True, False])
def test_b64_header(house: House, b64: bool) -> None:
    connector = house.connector("" if b64 else "b64_header = true")
    house.bank.signs = Signer(key=BANK_KEY, kid="bank-1", issuer="the bank", b64=b64)
    assert initiate(connector) == "consent-1"
    sent = house.bank.last("/domestic-payment-consents")
    signature = sent.headers["x-jws-signature"]
    header = json.loads(base64.urlsafe_b64decode(signature.partition(".")[0] + "=="))
    assert header.get("b64") is (None if b64 else False)
    ours = Verifier(key_of=lambda _: SIGNING, issuers=frozenset({"org/software"}), b64=b64)
    ours.verify(signature, sent.get_data(), now=NOW)
    with pytest.raises(SignatureError):
        ours.verify(signature, sent.get_data() + b" ", now=NOW)


@pytest.mark.parametrize("b64", [True, False])
def test_a_signature_of_the_other_form_is_not_believed(house: House, b64: bool) -> None:
    connector = house.connector("" if b64 else "b64_header = true")
    house.bank.signs = Signer(key=BANK_KEY, kid="bank-1", issuer="the bank", b64=not b64)
    with pytest.raises(BankSilent, match="not signed as it must be"):
        initiate(connector)


def test_unsigned_answers(house: House) -> None:
    house.bank.signs = None
    assert initiate(house.connector("unsigned_answers = true")) == "consent-1"


QUIRKS = [
    "b64_header = true",
    "interaction_id_not_echoed = true",
    "id_token_without_nonce = true",
    "id_token_without_intent = true",
    "answer_in_query = true",
    "scope_in_code_exchange = true",
    "without_pkce = true",
    "request_object_aud = 'x'",
    "intent_id_prefix = 'x'",
    "repeated_parameters = true",
    "registration_as_jose = true",
]


def test_no_other_quirk_takes_the_signature_away(house: House) -> None:
    house.bank.signs = None
    for quirks in ("", "\n".join(QUIRKS)):
        with pytest.raises(BankSilent, match="not signed as it must be"):
            initiate(house.connector(quirks))


def test_a_signature_by_a_key_that_the_bank_does_not_publish(house: House) -> None:
    house.bank.signs = Signer(key=SIGNING, kid="bank-1", issuer="the bank")
    with pytest.raises(BankSilent, match="not signed as it must be"):
        initiate(house.connector())


def test_a_signature_by_another_organisation(house: House) -> None:
    text = FILE.replace("[quirks]", 'bank_organisation_id = "bank-org"\n[quirks]')
    assert text != FILE
    connector = house.connector()
    (house._folder / "other.toml").write_text(text.replace("VERSION", "4.0").replace("PROFILE", "fapi1_advanced"))
    assert initiate(connector) == "consent-1"
    house.connector()
    strict = cast(OpenBankingUkConnector, house.registry.connector("other"))
    with pytest.raises(BankSilent, match="not who sent the message"):
        initiate(strict)
    house.bank.signs = Signer(key=BANK_KEY, kid="bank-1", issuer="bank-org")
    assert initiate(strict) == "consent-1"


# ---------------------------------------------------------------------------------------------------------------- words


@pytest.mark.parametrize(
    ("version", "quirks", "indicator"),
    [
        ("3.1", "", "ContractPresentInidicator"),
        ("3.1", "correct_contract_indicator = true", "ContractPresentIndicator"),
        ("4.0", "", "ContractPresentIndicator"),
    ],
)
def test_correct_contract_indicator(house: House, version: str, quirks: str, indicator: str) -> None:
    connector = house.connector(quirks, version=version)
    for request in (
        draft(connector),
        connector.draft_submission(ORDER, consent_id="c", request_id=str(uuid.uuid4())),
    ):
        named = [name for name in json.loads(request.body)["Risk"] if name.startswith("ContractPresent")]
        assert named == [indicator]


def test_interaction_id_not_echoed(house: House) -> None:
    house.bank.echo = None
    with pytest.raises(BankSilent, match="no x-fapi-interaction-id"):
        initiate(house.connector())
    tolerant = house.connector("interaction_id_not_echoed = true")
    assert initiate(tolerant) == "consent-1"
    house.bank.echo = str(uuid.uuid4())
    with pytest.raises(BankSilent, match="of another call"):
        initiate(tolerant)


# ------------------------------------------------------------------------------------------------------------- id_token


def test_id_token_without_nonce(house: House) -> None:
    refused(house.connector(), nonce=None)
    tolerant = house.connector("id_token_without_nonce = true")
    assert complete(tolerant, nonce=None) == "t0ken"
    assert complete(tolerant) == "t0ken"


def test_id_token_without_intent(house: House) -> None:
    refused(house.connector(), openbanking_intent_id=None)
    tolerant = house.connector("id_token_without_intent = true")
    assert complete(tolerant, openbanking_intent_id=None) == "t0ken"


@pytest.mark.parametrize(
    "claims",
    [
        {"nonce": "n-2"},
        {"openbanking_intent_id": "consent-2"},
        {"c_hash": None},
        {"c_hash": half_hash("code-2")},
        {"s_hash": None},
        {"s_hash": half_hash("s-2")},
        {"iss": "https://evil.test"},
        {"aud": "another"},
        {"exp": S - 61},
    ],
    ids=str,
)
def test_what_is_wrong_is_not_what_is_missing(house: House, claims: Mapping[str, Any]) -> None:
    """All quirks at once forgive what is absent from an id_token by their names, and nothing else."""
    tolerant = house.connector("\n".join(QUIRKS))
    absent = {name: None for name in ("nonce", "openbanking_intent_id") if name not in claims}
    assert complete(tolerant, nonce=None, openbanking_intent_id=None) == "t0ken"
    asked = len([one for one in house.bank.requests if one.path == "/token"])
    refused(tolerant, **{**absent, **claims})
    assert len([one for one in house.bank.requests if one.path == "/token"]) == asked  # its code went nowhere


def test_an_id_token_that_hashes_no_state_needs_its_nonce() -> None:
    """In a token response nothing else would bind it."""
    claims = {"iss": ISSUER, "aud": "quittance", "exp": S + 60}
    expected = Expected(issuer=ISSUER, client_id="quittance", nonce="n-1", state="s-1", nonce_may_be_missing=True)
    for said, believed in ((claims, False), ({**claims, "nonce": "n-1"}, True)):
        token = jwt.encode({"alg": "PS256", "kid": "bank-1"}, said, BANK_KEY, algorithms=["PS256"])
        with contextlib.nullcontext() if believed else pytest.raises(NotBelieved):
            check_id_token(token, code=None, keys=KeySet([BANK_KEY]), expected=expected, now=NOW)


def test_answer_in_query(house: House) -> None:
    house.connector()
    assert house.registry.profile("quirky").answer_in_fragment
    house.connector("answer_in_query = true")
    assert not house.registry.profile("quirky").answer_in_fragment
    house.connector(profile="fapi2_mtls")
    assert not house.registry.profile("quirky").answer_in_fragment


# -------------------------------------------------------------------------------------------------------------- request


def test_scope_in_code_exchange(house: House) -> None:
    for quirks, scope in (("", None), ("scope_in_code_exchange = true", "openid payments")):
        complete(house.connector(quirks))
        form = dict(parse_qsl(house.bank.last("/token").get_data(as_text=True)))
        assert form.get("scope") == scope
        assert form["code_verifier"] == "v" * 43


def test_without_pkce(house: House) -> None:
    for quirks, there in (("", True), ("without_pkce = true", False)):
        connector = house.connector(quirks)
        asked = asked_in(authorise(connector))
        assert ("code_challenge" in asked, "code_challenge_method" in asked) == (there, there)
        complete(connector)
        assert ("code_verifier" in house.bank.last("/token").get_data(as_text=True)) is there


def test_request_object_aud(house: House) -> None:
    assert asked_in(authorise(house.connector()))["aud"] == ISSUER
    assert asked_in(authorise(house.connector("request_object_aud = 'urn:x'")))["aud"] == "urn:x"


def test_intent_id_prefix(house: House) -> None:
    for quirks, value in (("", "consent-1"), ("intent_id_prefix = 'urn:x:'", "urn:x:consent-1")):
        claim = asked_in(authorise(house.connector(quirks)))["claims"]["id_token"]["openbanking_intent_id"]
        assert claim == {"value": value, "essential": True}
    prefixed = house.connector("intent_id_prefix = 'urn:x:'")
    assert complete(prefixed, openbanking_intent_id="urn:x:consent-1") == "t0ken"
    assert complete(prefixed, openbanking_intent_id="consent-1") == "t0ken"
    refused(prefixed, openbanking_intent_id="urn:y:consent-1")
    refused(prefixed, openbanking_intent_id="urn:x:consent-2")
    refused(house.connector(), openbanking_intent_id="urn:x:consent-1")


def test_repeated_parameters(house: House) -> None:
    always = {"client_id", "request", "response_type", "scope"}
    assert authorise(house.connector()).keys() == always
    query = authorise(house.connector("repeated_parameters = true"))
    assert query.keys() == {*always, "state", "nonce"}
    assert (query["state"], query["nonce"]) == (["s-1"], ["n-1"])
    assert (asked_in(query)["state"], asked_in(query)["nonce"]) == ("s-1", "n-1")
