"""Security event tokens: what a bank signed for us is believed, and each single fault is refused and named."""

from __future__ import annotations

import base64
import datetime as dt
import hmac
import json
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jws
from joserfc.jwk import ECKey, RSAKey

from connectors.capabilities import EventKind
from connectors.errors import EventNotBelieved
from connectors.openbanking_uk.events import ACCOUNT_CHANGED, REVOKED, RID, RLK, RTY, SUBJECT_TYPE, UPDATED, EventReader
from connectors.security import event_token
from connectors.security.event_token import EventToken

NOW = dt.datetime(2026, 11, 23, 11, 0, tzinfo=dt.UTC)
RSA = RSAKey.generate_key(2048, {"kid": "rsa"}, private=True)
EC = ECKey.generate_key("P-256", {"kid": "ec"}, private=True)
KEYS: Mapping[str, Any] = {"rsa": RSA, "ec": EC}
ISSUER, CLIENT_ID, HOST = "https://login.bank.test", "quittance", "api.bank.test"
SUBJECT: Mapping[str, Any] = {
    "subject_type": SUBJECT_TYPE,
    RID: "p-1",
    RTY: "domestic-payment",
    RLK: [{"version": "v4.0", "link": f"https://{HOST}/open-banking/v4.0/pisp/domestic-payments/p-1"}],
}
CLAIMS: Mapping[str, Any] = {
    "iss": ISSUER,
    "iat": int(NOW.timestamp()),
    "jti": "b460a07c-4962-43d1-85ee-9dc10fbb8f6c",
    "sub": f"https://{HOST}/open-banking/v4.0/pisp/domestic-payments/p-1",
    "aud": CLIENT_ID,
    "txn": "dfc51628-3479-4b81-ad60-210b43d02306",
    "toe": int(NOW.timestamp()) - 30,
    "events": {UPDATED: {"subject": SUBJECT}},
}
HEADER: Mapping[str, Any] = {"alg": "PS256", "kid": "rsa", "typ": "secevent+jwt"}


def b64(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def signed(claims: Any = None, *, header: Mapping[str, Any] = HEADER, key: Any = None) -> bytes:
    """By joserfc, with any algorithm that it knows."""
    payload = json.dumps(CLAIMS if claims is None else claims).encode()
    algorithm = str(header["alg"])
    shown = {name: value for name, value in header.items() if name not in ("crit", "b64")}
    token = jws.serialize_compact(shown, payload, key or KEYS[str(header["kid"])], algorithms=[algorithm])
    return token.encode()


def unsigned(header: Any, claims: Any = None) -> bytes:
    """With any header, and a signature that nobody looks at: what is wrong in it is found before."""
    return f"{b64(json.dumps(header).encode())}.{b64(json.dumps(claims or CLAIMS).encode())}.c2ln".encode()


def read(raw: bytes) -> EventToken:
    return event_token.read(raw, issuer=ISSUER, client_id=CLIENT_ID, key_of=KEYS.get, now=NOW)


def reader(**changes: Any) -> EventReader:
    usual: dict[str, Any] = {
        "issuer": ISSUER,
        "client_id": CLIENT_ID,
        "origins": frozenset({HOST}),
        "key_of": KEYS.get,
        "clock": lambda: NOW,
    }
    return EventReader(**{**usual, **changes})


@pytest.mark.parametrize(("algorithm", "kid"), [("PS256", "rsa"), ("ES256", "ec")])
@pytest.mark.parametrize("typ", ["secevent+jwt", "application/secevent+jwt", "JWT", "JOSE", None])
def test_what_the_bank_signed_is_believed(algorithm: str, kid: str, typ: str | None) -> None:
    header = {"alg": algorithm, "kid": kid, **({"typ": typ} if typ else {})}
    token = read(signed(header=header))
    assert token.jti == CLAIMS["jti"]
    assert (token.issued_at, token.occurred_at) == (NOW, NOW - dt.timedelta(seconds=30))
    assert token.events == CLAIMS["events"]


def test_it_may_be_for_several() -> None:
    assert read(signed({**CLAIMS, "aud": ["another", CLIENT_ID]})).jti == CLAIMS["jti"]


def test_it_does_not_grow_old() -> None:
    """A bank tries again for days; what it says is a hint, and its id tells that it was seen."""
    past = int((NOW - dt.timedelta(days=30)).timestamp())
    assert read(signed({**CLAIMS, "iat": past, "toe": past})).jti == CLAIMS["jti"]


@pytest.mark.parametrize(("algorithm", "kid"), [("PS256", "rsa"), ("ES256", "ec")])
@given(at=st.integers(0, 10_000), by=st.integers(1, 255))
def test_with_one_byte_changed_it_is_not_believed(algorithm: str, kid: str, at: int, by: int) -> None:
    raw = signed(header={"alg": algorithm, "kid": kid})
    at %= len(raw) - 1  # of the last character of base64 some bits say nothing
    with pytest.raises(EventNotBelieved):
        read(raw[:at] + bytes([raw[at] ^ by]) + raw[at + 1 :])


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"iss": "https://evil.test"}, "iss"),
        ({"iss": None}, "iss"),
        ({"aud": "another"}, "aud"),
        ({"aud": ["another"]}, "aud"),
        ({"aud": []}, "aud"),
        ({"aud": {"quittance": 1}}, "aud"),
        ({"aud": None}, "aud"),
        ({"iat": int(NOW.timestamp()) + 61}, "has not come"),
        ({"toe": int(NOW.timestamp()) + 61}, "has not come"),
        ({"iat": None}, "iat"),
        ({"iat": "1516239022"}, "iat"),
        ({"iat": True}, "iat"),
        ({"iat": -1}, "iat"),
        ({"iat": 10**30}, "iat"),
        ({"toe": None}, "toe"),
        ({"toe": 1.5}, "toe"),
        ({"jti": None}, "jti"),
        ({"jti": ""}, "jti"),
        ({"jti": 7}, "jti"),
        ({"jti": "x" * 129}, "jti"),
        ({"events": None}, "events"),
        ({"events": {}}, "events"),
        ({"events": [UPDATED]}, "events"),
    ],
    ids=str,
)
def test_a_claim_that_is_wrong_is_named(changes: Mapping[str, Any], named: str) -> None:
    with pytest.raises(EventNotBelieved, match=named):
        read(signed({**CLAIMS, **changes}))
    missing = {name: value for name, value in CLAIMS.items() if name not in changes}
    with pytest.raises(EventNotBelieved):
        read(signed(missing))


@pytest.mark.parametrize(
    ("header", "named"),
    [
        ({**HEADER, "alg": "none"}, "alg"),
        ({**HEADER, "alg": "RS256"}, "alg"),
        ({**HEADER, "alg": "HS256"}, "alg"),
        ({**HEADER, "alg": "PS512"}, "alg"),
        ({**HEADER, "alg": ["PS256"]}, "alg"),
        ({"kid": "rsa"}, "alg"),
        ({"alg": "PS256"}, "kid"),
        ({**HEADER, "kid": ""}, "kid"),
        ({**HEADER, "kid": 7}, "kid"),
        ({**HEADER, "kid": "unknown"}, "no such key"),
        ({**HEADER, "kid": "ec"}, "no such key"),
        ({**HEADER, "alg": "ES256"}, "no such key"),
        ({**HEADER, "typ": "at+jwt"}, "typ"),
        ({**HEADER, "typ": "oauth-authz-req+jwt"}, "typ"),
        ({**HEADER, "crit": ["exp"]}, "crit"),
        ({**HEADER, "b64": False}, "crit"),
    ],
    ids=str,
)
def test_a_header_that_is_wrong_is_named(header: Mapping[str, Any], named: str) -> None:
    with pytest.raises(EventNotBelieved, match=named):
        read(unsigned(header))


def test_the_signature_must_be_the_banks() -> None:
    other = RSAKey.generate_key(2048, private=True)
    with pytest.raises(EventNotBelieved, match="signature"):
        read(signed(key=other))
    with pytest.raises(EventNotBelieved, match="signature"):
        read(unsigned(HEADER))
    rs256 = signed(header={"alg": "RS256", "kid": "rsa"})
    ps256 = signed()
    forged = ps256.rpartition(b".")[0] + b"." + rs256.rpartition(b".")[2]
    with pytest.raises(EventNotBelieved, match="signature"):
        read(forged)


def test_a_public_key_is_no_secret() -> None:
    """The oldest trick: HS256 with the text of the public key."""
    begin = unsigned({"alg": "HS256", "kid": "rsa"}).rpartition(b".")[0]
    forged = hmac.digest(RSA.as_pem(private=False), begin, "sha256")
    with pytest.raises(EventNotBelieved, match="alg"):
        read(begin + b"." + b64(forged).encode())


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"x",
        b"a.b",
        b"a.b.",
        b"a.b.c.d",
        b"..",
        b" " + signed(),
        signed() + b"\n",
        b"!.b.c",
        b"W10.e30.c2ln",  # a list
        b"e30.W10.c2ln",
        b"e30.e30.c2ln",
        b"\xff.\xff.\xff",
        f"{b64(b'[' * 5000)}.e30.c2ln".encode(),
        b"a" * 20_000 + b".b.c",
        b'{"payload":"","signatures":[]}',
    ],
    ids=lambda raw: str(raw[:20]),
)
def test_what_cannot_be_read_is_refused(raw: bytes) -> None:
    with pytest.raises(EventNotBelieved):
        read(raw)


@given(st.binary(max_size=300))
def test_rubbish_is_refused_and_asks_nobody_for_keys(raw: bytes) -> None:
    def asked(_: str) -> None:
        raise AssertionError("asked for a key")

    with pytest.raises(EventNotBelieved):
        event_token.read(raw, issuer=ISSUER, client_id=CLIENT_ID, key_of=asked, now=NOW)


# ------------------------------------------------------------------------------------------- what UK events are about


def test_an_event_names_a_resource_and_no_status() -> None:
    event = reader().read(signed())
    assert event.event_id == CLAIMS["jti"]
    assert (event.kind, event.resource_type, event.resource_id) == (
        EventKind.RESOURCE_UPDATED,
        "domestic-payment",
        "p-1",
    )
    assert event.occurred_at == NOW - dt.timedelta(seconds=30)
    assert not hasattr(event, "status")


@pytest.mark.parametrize(
    "events",
    [
        {REVOKED: {"subject": SUBJECT}},
        {REVOKED: {}, UPDATED: {"subject": SUBJECT}},
        {REVOKED: {"subject": SUBJECT, "reason": "x"}, UPDATED: {"subject": SUBJECT}, "urn:other": {}},
    ],
    ids=["alone", "beside an update", "both"],
)
def test_a_consent_that_was_taken_back(events: Any) -> None:
    event = reader().read(signed({**CLAIMS, "events": events}))
    assert (event.kind, event.resource_id) == (EventKind.CONSENT_REVOKED, "p-1")


@pytest.mark.parametrize("beside", [{}, {UPDATED: {"subject": SUBJECT}}], ids=["alone", "beside an update"])
def test_the_account_of_a_consent_that_changed(beside: Any) -> None:
    events = {ACCOUNT_CHANGED: {"subject": SUBJECT, "reason": "UK.OBIE.AccountClosed"}, **beside}
    event = reader().read(signed({**CLAIMS, "events": events}))
    assert (event.kind, event.resource_id) == (EventKind.PAYER_ACCOUNT_CHANGED, "p-1")


def subject(**changes: Any) -> dict[str, Any]:
    return {name: value for name, value in {**SUBJECT, **changes}.items() if value is not None}


@pytest.mark.parametrize(
    ("events", "named"),
    [
        ({"urn:uk:org:openbanking:events:account-access-consent-linked-account-update": {}}, "asked for"),
        ({UPDATED: {}}, "subject"),
        ({UPDATED: []}, "subject"),
        ({UPDATED: {"subject": "p-1"}}, "subject"),
        ({UPDATED: {"subject": subject(subject_type="account")}}, "subject_type"),
        ({UPDATED: {"subject": subject(subject_type=None)}}, "subject_type"),
        ({UPDATED: {"subject": subject(**{RID: None})}}, "rid"),
        ({UPDATED: {"subject": subject(**{RID: ".."})}}, "rid"),
        ({UPDATED: {"subject": subject(**{RID: "a/b"})}}, "rid"),
        ({UPDATED: {"subject": subject(**{RTY: None})}}, "rty"),
        ({UPDATED: {"subject": subject(**{RTY: 7})}}, "rty"),
        ({UPDATED: {"subject": subject(**{RLK: None})}}, "rlk"),
        ({UPDATED: {"subject": subject(**{RLK: []})}}, "rlk"),
        ({UPDATED: {"subject": subject(**{RLK: [{}]})}}, "rlk"),
        (
            {UPDATED: {"subject": SUBJECT}, REVOKED: {"subject": subject(**{RID: "p-2"})}},
            "different resources",
        ),
    ],
    ids=str,
)
def test_an_event_that_names_nothing_is_refused(events: Any, named: str) -> None:
    with pytest.raises(EventNotBelieved, match=named):
        reader().read(signed({**CLAIMS, "events": events}))


@pytest.mark.parametrize(
    "link",
    [
        "https://evil.test/p-1",
        f"http://{HOST}/p-1",
        f"https://{HOST}:8443/p-1",
        f"https://{HOST}.evil.test/p-1",
        f"https://{HOST}@evil.test/p-1",
        f"https://me@{HOST}/p-1",
        "//evil.test/p-1",
        "/p-1",
        "",
    ],
)
def test_a_link_leads_to_no_foreign_host(link: str) -> None:
    links = [*SUBJECT[RLK], {"version": "v3.1", "link": link}]
    with pytest.raises(EventNotBelieved, match="rlk"):
        reader().read(signed({**CLAIMS, "events": {UPDATED: {"subject": subject(**{RLK: links})}}}))


def test_a_link_may_lead_to_a_host_that_the_banks_file_names() -> None:
    links = [*SUBJECT[RLK], {"version": "v3.1", "link": f"https://{HOST}:8443/p-1"}]
    raw = signed({**CLAIMS, "events": {UPDATED: {"subject": subject(**{RLK: links})}}})
    assert reader(origins=frozenset({HOST, f"{HOST}:8443"})).read(raw).resource_id == "p-1"
