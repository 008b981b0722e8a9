"""A TPP that drives the UK sandbox banks over HTTP alone, in the same process or another.

It is written from the standards and not with our connector, so that the two can disagree.
"""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from joserfc import jws, jwt
from joserfc.jwk import ECKey, KeySet, RSAKey
from joserfc.jws import JWSRegistry
from joserfc.registry import HeaderParameter

from tests.support.sandbox_tpp import Answer
from tests.support.uk_wire import InProcess, OverTls, Transport, UkPerson, way_back

__all__ = ["BRANDS", "InProcess", "OverTls", "UkPerson", "UkTpp", "consent_body", "way_back"]

BASE_URL = "https://127.0.0.1:8003"
REDIRECT_URI = "http://localhost:8000/banks/albion/return/one"
VERIFIER = "v" * 64
ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
#: how each profile is asked and answers, from the profiles themselves: (pushed, signed, answer, DPoP)
PROFILES: Mapping[str, tuple[bool, bool, str, bool]] = {
    "fapi1_advanced": (False, True, "hybrid", False),
    "fapi1_advanced_jarm": (False, True, "jarm", False),
    "fapi2_mtls": (True, False, "code", False),
    "fapi2_dpop": (True, False, "code", True),
    "fapi2_message_signing": (True, True, "jarm", True),
}

#: what the file of each brand says of it
BRANDS: Mapping[str, Mapping[str, Any]] = {
    "albion": {},
    "caledonia": {"version": "3.1", "client_auth": "tls_client_auth"},
    "severn": {"profile": "fapi2_dpop"},
    "mersey": {"profile": "fapi2_mtls"},
    "tyne": {"profile": "fapi1_advanced_jarm"},
    "humber": {"version": "3.1", "b64": False},
    "trent": {"answer_in_query": True},
    "avon": {"scope_in_code_exchange": True},
    "clyde": {
        "request_object_aud": "urn:clyde-bank:authorization",
        "intent_prefix": "urn:clyde-bank:intent:",
        "repeated_parameters": True,
    },
}

_OB = "http://openbanking.org.uk/"
_CLAIMS = [_OB + "iat", _OB + "iss", _OB + "tan"]
_SIGNATURES = JWSRegistry(
    header_registry={
        _CLAIMS[0]: HeaderParameter("iat", "int", False),
        _CLAIMS[1]: HeaderParameter("iss", "str", False),
        _CLAIMS[2]: HeaderParameter("tan", "str", False),
    },
    algorithms=["PS256", "RS256"],
)
_SIGNATURES.max_header_length = 4096

Clock = Callable[[], datetime]


def utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass(kw_only=True)
class UkTpp:
    """One TPP at one brand, with the ``files`` that `authority.add_tpp` made. Methods take changes: it can do wrong."""

    transport: Transport
    files: Path
    brand: str = "albion"
    version: str = "4.0"
    role: str = "/pisp"  #: of the API; events are of none
    profile: str = "fapi1_advanced"
    client_auth: str = "private_key_jwt"
    client_id: str = "quittance"
    issuer_claim: str = "PSDGB-FCA-000000/quittance"
    base_url: str = BASE_URL
    clock: Clock = utc_now
    request_object_aud: str | None = None
    intent_prefix: str = ""
    repeated_parameters: bool = False
    answer_in_query: bool = False
    scope_in_code_exchange: bool = False
    b64: bool = True
    dpop_key: ECKey = field(default_factory=lambda: ECKey.generate_key("P-256"))
    nonce: str | None = None  #: DPoP's, as the bank gave it last

    def __post_init__(self) -> None:
        self.signing = RSAKey.import_key(json.loads((self.files / "signing.json").read_bytes()))
        self.certificate: Path | None = self.files / "client.pem"
        self.pushed, self.signed, self.answer, self.dpop = PROFILES[self.profile]

    @property
    def issuer(self) -> str:
        return f"{self.base_url}/{self.brand}"

    @property
    def api(self) -> str:
        return f"{self.issuer}/open-banking/v{self.version}{self.role}"

    def now_s(self) -> int:
        return int(self.clock().timestamp())

    # what is signed

    def assertion(self, *, alg: str = "PS256", key: RSAKey | None = None, **changes: Any) -> str:
        claims = {
            "iss": self.client_id,
            "sub": self.client_id,
            "aud": self.issuer,
            "iat": self.now_s(),
            "exp": self.now_s() + 60,
            "jti": secrets.token_urlsafe(16),
            **changes,
        }
        return self._jwt({"alg": alg}, _without_none(claims), key)

    def request_object(
        self, parameters: Mapping[str, Any], *, alg: str = "PS256", key: RSAKey | None = None, **changes: Any
    ) -> str:
        claims = {
            **parameters,
            "iss": self.client_id,
            "aud": self.request_object_aud or self.issuer,
            "iat": self.now_s(),
            "nbf": self.now_s(),
            "exp": self.now_s() + 300,
            "jti": secrets.token_urlsafe(16),
            **changes,
        }
        return self._jwt({"alg": alg, "typ": "oauth-authz-req+jwt"}, _without_none(claims), key)

    def _jwt(self, header: dict[str, Any], claims: Mapping[str, Any], key: RSAKey | None) -> str:
        """By a copy of the key that says nothing of algorithms, so that a wrong one can be used."""
        jwk = (key or self.signing).as_dict(private=True)
        kid = str(jwk.get("kid", "other"))
        bare = RSAKey.import_key({name: value for name, value in jwk.items() if name not in ("alg", "use")})
        return jwt.encode({**header, "kid": kid}, dict(claims), bare, algorithms=[header["alg"]])

    def proof(self, method: str, url: str, *, access_token: str | None = None, **changes: Any) -> str:
        """DPoP, RFC 9449 §4.2."""
        claims = {"htm": method, "htu": url.split("?")[0], "iat": self.now_s(), "jti": secrets.token_urlsafe(16)}
        if access_token is not None:
            claims["ath"] = _b64(hashlib.sha256(access_token.encode()).digest())
        if self.nonce is not None:
            claims["nonce"] = self.nonce
        public = {name: self.dpop_key.as_dict(private=False)[name] for name in ("kty", "crv", "x", "y")}
        header = {"typ": "dpop+jwt", "alg": "ES256", "jwk": public}
        return jwt.encode(header, _without_none({**claims, **changes}), self.dpop_key, algorithms=["ES256"])

    def sign(self, body: bytes, **changes: Any) -> str:
        """x-jws-signature over these bytes. A change to None takes a claim of the header away."""
        names = _CLAIMS if self.b64 else ["b64", *_CLAIMS]
        header = {
            "alg": "PS256",
            "kid": self.signing.kid,
            "typ": "JOSE",
            "cty": "application/json",
            _CLAIMS[0]: self.now_s(),
            _CLAIMS[1]: self.issuer_claim,
            _CLAIMS[2]: "openbanking.org.uk",
            "crit": names,
            **({} if self.b64 else {"b64": False}),
            **changes,
        }
        return jws.detach_content(
            jws.serialize_compact(_without_none(header), body, self.signing, registry=_SIGNATURES)
        )

    # the authorization server

    def identity(self) -> dict[str, str]:
        if self.client_auth == "tls_client_auth":
            return {"client_id": self.client_id}
        return {
            "client_id": self.client_id,
            "client_assertion_type": ASSERTION_TYPE,
            "client_assertion": self.assertion(),
        }

    def post(self, path: str, form: Mapping[str, Any], *, headers: Mapping[str, str] | None = None) -> Answer:
        """A form to the authorization server; once more with a new proof where a nonce was all that was missing."""
        answer = self._post_once(path, form, headers)
        if self.dpop and answer.status == 400 and answer.json.get("error") == "use_dpop_nonce" and headers is None:
            self.nonce = answer.headers["DPoP-Nonce"]
            answer = self._post_once(path, form, headers)
        return answer

    def _post_once(self, path: str, form: Mapping[str, Any], headers: Mapping[str, str] | None) -> Answer:
        url = self.issuer + path
        if headers is None:
            headers = {"DPoP": self.proof("POST", url)} if self.dpop else {}
        body = urlencode(_without_none({**self.identity(), **form})).encode()
        headers = {"Content-Type": "application/x-www-form-urlencoded", **headers}
        return self.transport.send("POST", url, headers=headers, data=body, certificate=self.certificate)

    def get(self, path: str) -> Answer:
        return self.transport.send("GET", self.issuer + path, headers={}, data=b"", certificate=None)

    def keys(self) -> KeySet:
        return KeySet.import_key_set(self.get("/jwks").json)

    def own_token(self) -> str:
        answer = self.post("/oauth2/token", {"grant_type": "client_credentials", "scope": "payments"})
        assert answer.status == 200, answer.content
        return str(answer.json["access_token"])

    def parameters(self, consent_id: str, **changes: Any) -> dict[str, Any]:
        """Of an authorization request. A change to None takes one away."""
        intent = {"value": self.intent_prefix + consent_id, "essential": True}
        asked = {
            "response_type": "code id_token" if self.answer == "hybrid" else "code",
            "response_mode": "jwt" if self.answer == "jarm" else None,
            "client_id": self.client_id,
            "redirect_uri": REDIRECT_URI,
            "scope": "openid payments",
            "state": "state-of-one",
            "nonce": "nonce-of-one",
            "claims": {"id_token": {"openbanking_intent_id": intent}},
            "code_challenge": _b64(hashlib.sha256(VERIFIER.encode()).digest()),
            "code_challenge_method": "S256",
            **changes,
        }
        return _without_none(asked)

    def push(self, form: Mapping[str, Any]) -> Answer:
        return self.post("/oauth2/par", form)

    def authorize_url(self, consent_id: str, *, beside: Mapping[str, str] | None = None, **changes: Any) -> str:
        """Where the customer's browser is sent; what must be pushed is pushed. ``beside`` the request object."""
        asked = self.parameters(consent_id, **changes)
        form = {name: value if isinstance(value, str) else json.dumps(value) for name, value in asked.items()}
        if self.signed:
            names = ("response_type", "scope", *(("state", "nonce") if self.repeated_parameters else ()))
            shown = {name: form[name] for name in names if name in form}
            form = {"request": self.request_object(asked), **shown}
        if self.pushed:
            answer = self.push(form)
            assert answer.status == 201, answer.content
            form = {"request_uri": answer.json["request_uri"]}
        return self.address({**form, **(beside or {})})

    def address(self, query: Mapping[str, str]) -> str:
        return f"{self.issuer}/oauth2/authorize?{urlencode({'client_id': self.client_id, **query})}"

    def answered(self, address: str) -> dict[str, str]:
        """The answer at the end of a visit, out of the place where the profile has it; a JARM one opened."""
        parts = urlsplit(address)
        answer = dict(
            parse_qsl(parts.fragment if self.answer == "hybrid" and not self.answer_in_query else parts.query)
        )
        if self.answer == "jarm" and "response" in answer:
            claims = jwt.decode(answer["response"], self.keys(), algorithms=["PS256"]).claims
            answer = {name: str(value) for name, value in claims.items()}
        return answer

    def exchange(self, code: str, **changes: Any) -> Answer:
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": REDIRECT_URI,
            "code_verifier": VERIFIER,
            "scope": "openid payments" if self.scope_in_code_exchange else None,
            **changes,
        }
        return self.post("/oauth2/token", form)

    def id_token(self, token: str) -> dict[str, Any]:
        return dict(jwt.decode(token, self.keys(), algorithms=["PS256"]).claims)

    # the API

    def call(
        self,
        method: str,
        path: str,
        access_token: str,
        body: Mapping[str, Any] | bytes | None = None,
        *,
        key: str | None = None,
        headers: Mapping[str, str | None] | None = None,
        proof: str | None = None,
    ) -> Answer:
        """One request; what is POSTed is signed, with ``key`` as its idempotency key. ``headers``: changes."""
        data = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        answer = self._call_once(method, path, access_token, data, key, headers or {}, proof)
        if proof is None and "use_dpop_nonce" in answer.headers.get("WWW-Authenticate", ""):
            self.nonce = answer.headers["DPoP-Nonce"]
            answer = self._call_once(method, path, access_token, data, key, headers or {}, None)
        return answer

    def _call_once(
        self,
        method: str,
        path: str,
        access_token: str,
        data: bytes,
        key: str | None,
        changes: Mapping[str, str | None],
        proof: str | None,
    ) -> Answer:
        url = self.api + path
        headers: dict[str, str | None] = {
            "Authorization": f"{'DPoP' if self.dpop else 'Bearer'} {access_token}",
            "Accept": "application/json",
            "x-fapi-interaction-id": str(uuid.uuid4()),
        }
        if self.dpop:
            headers["DPoP"] = proof or self.proof(method, url, access_token=access_token)
        if data:
            headers |= {"Content-Type": "application/json", "x-jws-signature": self.sign(data)}
        if key is not None:
            headers["x-idempotency-key"] = key
        sent = {name: value for name, value in {**headers, **changes}.items() if value is not None}
        return self.transport.send(method, url, headers=sent, data=data, certificate=self.certificate)

    def consent(self, body: Mapping[str, Any] | None = None) -> str:
        """A new domestic-payment-consent, by the TPP's own token."""
        sent = consent_body(version=self.version) if body is None else body
        answer = self.call("POST", "/domestic-payment-consents", self.own_token(), sent, key=secrets.token_hex(16))
        assert answer.status == 201, answer.content
        return str(answer.json["Data"]["ConsentId"])

    def is_signed(self, answer: Answer) -> bool:
        """Whether x-jws-signature of an answer is the bank's, over exactly its body."""
        signature = answer.headers.get("x-jws-signature")
        if signature is None:
            return False
        jws.deserialize_compact(signature, self.keys(), registry=_SIGNATURES, payload=answer.content)
        return True


def consent_body(amount: str = "123.50", *, version: str = "4.0", **changes: Any) -> dict[str, Any]:
    """A good body of a domestic-payment-consent; ``changes`` are members of its Initiation, None takes one away."""
    remittance: dict[str, Any] = {"Unstructured": ["Invoice 2026-1"]}
    if version == "3.1":
        remittance = {"Unstructured": "Invoice 2026-1", "Reference": "2026-1"}
    initiation = {
        "InstructionIdentification": f"INSTR-{secrets.token_hex(8)}",
        "EndToEndIdentification": "Q-INV-1",
        "InstructedAmount": {"Amount": amount, "Currency": "GBP"},
        "CreditorAccount": {
            "SchemeName": "UK.OBIE.SortCodeAccountNumber",
            "Identification": "08080021325698",
            "Name": "Thames Water Works",
        },
        "RemittanceInformation": remittance,
        **changes,
    }
    return {"Data": {"Initiation": _without_none(initiation)}, "Risk": {}}


def _without_none(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def _b64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
