"""A TPP that drives the NextGenPSD2 sandbox banks over HTTP.

It signs by hand, from the guidelines and not with our code, so that the two cannot be wrong together.
"""

from __future__ import annotations

import base64
import hashlib
import json
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key

from tests.support.nextgen_bank import BASE_URL, NUMBER
from tests.support.sandbox_tpp import Answer
from tests.support.uk_wire import Transport

RETURN = "https://tpp.example/back?way=good"
PRODUCT = "/payments/sepa-credit-transfers"


def body(**changes: Any) -> dict[str, Any]:
    """A good payment; a change to None takes a member away. ``amount`` is a number, as lakenhal wants it."""
    made = {
        "instructedAmount": {"currency": "EUR", "amount": changes.pop("amount", 123.5)},
        "creditorAccount": {"iban": "DE02100100109307118603"},
        "creditorName": "Régie des Eaux",
        "endToEndIdentification": "E2E-1",
        "remittanceInformationUnstructured": "Facture 2026-118",
        **changes,
    }
    return {name: value for name, value in made.items() if value is not None}


#: of a header that is signed: another value, none, or what is made of it
Change = str | None | Callable[[str], str]


def changed_headers(good: Mapping[str, str], changes: Mapping[str, Change]) -> dict[str, str]:
    """``changes``: underscores stand for hyphens."""
    shown = dict(good)
    for written, change in changes.items():
        name = written.replace("_", "-")
        value = change(good[name]) if callable(change) else change
        if value is None:
            shown.pop(name, None)
        else:
            shown[name] = value
    return shown


@dataclass(kw_only=True)
class NextGenTpp:
    """At lakenhal, which signs nearly as the guidelines say. ``signed``: the names in Signature, in this order."""

    transport: Transport
    files: Path
    seal: str = "seal"  #: the name of the files that it signs with
    brand: str = "lakenhal"
    base_url: str = BASE_URL
    number: str = NUMBER
    token_query: str = ""  #: with its question mark
    signed: tuple[str, ...] = ("(request-target)", "digest", "x-request-id")
    #: headers that are otherwise before it signs; None takes one away
    before: dict[str, str | None] = field(default_factory=dict)
    _token: str | None = field(default=None, repr=False)

    @property
    def prefix(self) -> str:
        return f"{self.base_url}/{self.brand}/psd2/v1"

    def ask_token(self, *, certificate: str | None = "client.pem", **changes: str | None) -> Answer:
        form = {"grant_type": "client_credentials", "scope": "PIS", "client_id": self.number, **changes}
        return self.transport.send(
            "POST",
            f"{self.base_url}/{self.brand}/oauth2/token{self.token_query}",
            headers={"Content-Type": "application/x-www-form-urlencoded"},
            data=urlencode({name: value for name, value in form.items() if value is not None}).encode(),
            certificate=None if certificate is None else self.files / certificate,
        )

    def token(self) -> str:
        if self._token is None:
            got = self.ask_token()
            assert got.status == 200, got.content
            self._token = got.json["access_token"]
        return self._token

    def call(
        self,
        method: str,
        path: str = PRODUCT,
        content: object = None,
        *,
        certificate: str | None = "client.pem",
        sent: bytes | None = None,
        **headers: Change,
    ) -> Answer:
        """``headers`` are otherwise after it has signed: underscores stand for hyphens, None leaves one out.

        ``content``: as JSON, bytes as they are. ``sent``: the body that goes in place of the signed one.
        """
        data = content if isinstance(content, bytes) else b"" if content is None else json.dumps(content).encode()
        certificate_along = x509.load_pem_x509_certificate((self.files / f"{self.seal}.pem").read_bytes())
        good: dict[str, str] = {
            "Authorization": f"Bearer {self.token()}",
            "X-Request-ID": str(uuid.uuid4()),
            "Digest": f"SHA-256={base64.b64encode(hashlib.sha256(data).digest()).decode()}",
            "TPP-Signature-Certificate": base64.b64encode(certificate_along.public_bytes(Encoding.DER)).decode(),
        }
        if method == "POST" and path == PRODUCT:
            good |= {
                "PSU-IP-Address": "192.0.2.7",
                "TPP-Decoupled-Preferred": "true",
                "TPP-Explicit-Authorisation-Preferred": "true",
            }
        if data:
            good["Content-Type"] = "application/json"
        good = {name: value for name, value in {**good, **self.before}.items() if value is not None}
        good["Signature"] = self._signature(method, path, good, certificate_along)
        return self.transport.send(
            method,
            self.prefix + path,
            headers=changed_headers(good, headers),
            data=data if sent is None else sent,
            certificate=None if certificate is None else self.files / certificate,
        )

    def _signature(self, method: str, path: str, headers: Mapping[str, str], shown: x509.Certificate) -> str:
        low = {name.lower(): value for name, value in headers.items()}
        low["(request-target)"] = f"{method.lower()} /{self.brand}/psd2/v1{path}"
        text = "\n".join(f"{name}: {low[name]}" for name in self.signed)
        key = load_pem_private_key((self.files / f"{self.seal}.key").read_bytes(), password=None)
        assert isinstance(key, RSAPrivateKey)
        made = base64.b64encode(key.sign(text.encode(), padding.PKCS1v15(), hashes.SHA256())).decode()
        issuer = ",".join(f"{part.rfc4514_attribute_name}={part.value!s}" for part in reversed(list(shown.issuer)))
        named = f"SN={shown.serial_number:X},CA={issuer}"
        return f'keyId="{named}",algorithm="rsa-sha256",headers="{" ".join(self.signed)}",signature="{made}"'

    def posted(self, content: object = None) -> str:
        """The new paymentId."""
        got = self.call("POST", PRODUCT, body() if content is None else content)
        assert got.status == 201, got.content
        return str(got.json["paymentId"])
