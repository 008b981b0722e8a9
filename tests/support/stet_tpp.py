"""A TPP that drives a STET sandbox bank over HTTP alone. It signs by hand, from the draft, not with our own signer."""

from __future__ import annotations

import base64
import hashlib
import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from tests.support.nextgen_tpp import Change, changed_headers
from tests.support.sandbox_tpp import Answer
from tests.support.stet_bank import BASE_URL, NUMBER
from tests.support.uk_wire import Transport

SUCCESS, FAILURE = "https://tpp.example/back?way=good", "https://tpp.example/back?way=bad"


def body(**changes: Any) -> dict[str, Any]:
    """A good payment request; a change to None takes a member away. ``amount`` is that of the one instruction."""
    amount = changes.pop("amount", "123.50")
    made = {
        "paymentInformationId": "PMT-1",
        "creationDateTime": "2026-11-22T11:00:00.000+01:00",
        "numberOfTransactions": 1,
        "initiatingParty": {"name": "Quittance"},
        "paymentTypeInformation": {"serviceLevel": "SEPA"},
        "beneficiary": {
            "creditor": {"name": "Régie des Eaux"},
            "creditorAccount": {"iban": "DE02100100109307118603"},
        },
        "creditTransferTransaction": [
            {
                "paymentId": {"instructionId": "INS-1", "endToEndId": "E2E-1"},
                "instructedAmount": {"currency": "EUR", "amount": amount},
                "remittanceInformation": ["Facture 2026-118"],
            }
        ],
        "supplementaryData": {
            "acceptedAuthenticationApproach": ["REDIRECT"],
            "successfulReportUrl": SUCCESS,
            "unsuccessfulReportUrl": FAILURE,
        },
        **changes,
    }
    return {name: value for name, value in made.items() if value is not None}


@dataclass(kw_only=True)
class StetTpp:
    """``files``: its certificates, as the authority made them. ``signed``: the names in Signature, in this order."""

    transport: Transport
    files: Path
    brand: str = "remparts"
    base_url: str = BASE_URL
    number: str = NUMBER
    signed: tuple[str, ...] = ("(request-target)", "digest", "content-type", "x-request-id", "psu-ip-address")
    #: headers that are otherwise before it signs; None takes one away
    before: dict[str, str | None] = field(default_factory=dict)
    _token: str | None = field(default=None, repr=False)

    @property
    def prefix(self) -> str:
        return f"{self.base_url}/{self.brand}/stet/v1/payment-requests"

    @property
    def key_id(self) -> str:
        return f"https://certificates.example/{self.number}/seal.pem"

    @property
    def seal(self) -> x509.Certificate:
        return x509.load_pem_x509_certificate((self.files / "seal.pem").read_bytes())

    def ask_token(self, *, certificate: str | None = "client.pem", **changes: str | None) -> Answer:
        form = {"grant_type": "client_credentials", "scope": "pisp", "client_id": self.number, **changes}
        return self.transport.send(
            "POST",
            f"{self.base_url}/{self.brand}/oauth2/token",
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
        path: str,
        content: object = None,
        *,
        certificate: str | None = "client.pem",
        sent: bytes | None = None,
        **headers: Change,
    ) -> Answer:
        """``path``: below /payment-requests. ``content``: as JSON, bytes as they are. ``headers`` are otherwise after
        it has signed: underscores stand for hyphens, None leaves one out. ``sent``: the body that goes in its place."""
        data = content if isinstance(content, bytes) else b"" if content is None else json.dumps(content).encode()
        url = self.prefix + path
        good: dict[str, str] = {
            "Authorization": f"Bearer {self.token()}",
            "X-Request-ID": str(uuid.uuid4()),
            "Digest": f"SHA-256={base64.b64encode(hashlib.sha256(data).digest()).decode()}",
        }
        if method == "POST" and not path:
            good["PSU-IP-Address"] = "192.0.2.7"
        if data:
            good["Content-Type"] = "application/json"
        good = {name: value for name, value in {**good, **self.before}.items() if value is not None}
        good["Signature"] = self.signature(method, url, good)
        return self.transport.send(
            method,
            url,
            headers=changed_headers(good, headers),
            data=data if sent is None else sent,
            certificate=None if certificate is None else self.files / certificate,
        )

    def signature(self, method: str, url: str, headers: Mapping[str, str]) -> str:
        low = {name.lower(): value for name, value in headers.items()}
        names = [name for name in self.signed if name == "(request-target)" or name in low]
        target = f"{method.lower()} {urlsplit(url).path}"
        text = "\n".join(f"{name}: {target if name == '(request-target)' else low[name]}" for name in names)
        key = load_pem_private_key((self.files / "seal.key").read_bytes(), password=None)
        assert isinstance(key, RSAPrivateKey)
        made = base64.b64encode(key.sign(text.encode(), padding.PKCS1v15(), hashes.SHA256())).decode()
        return f'keyId="{self.key_id}",algorithm="rsa-sha256",headers="{" ".join(names)}",signature="{made}"'

    def posted(self, content: object = None) -> tuple[str, str]:
        """(the new id, the link to its approval)."""
        got = self.call("POST", "", body() if content is None else content)
        assert got.status == 201, got.content
        return got.headers["Location"].rpartition("/")[2], got.json["_links"]["consentApproval"]["href"]

    def get(self, payment_id: str) -> Any:
        got = self.call("GET", f"/{payment_id}")
        assert got.status == 200, got.content
        return got.json

    def words(self, payment_id: str) -> tuple[str, str | None, bool]:
        """Status, reason, and whether a confirmation is offered."""
        got = self.get(payment_id)
        asked = got["paymentRequest"]
        return (
            asked["paymentInformationStatus"],
            asked.get("statusReasonInformation"),
            "confirmation" in got["_links"],
        )

    def cancel(self, payment_id: str, **changes: Any) -> Answer:
        asked = {
            **self.get(payment_id)["paymentRequest"],
            "paymentInformationStatus": "RJCT",
            "statusReasonInformation": "DS02",
            **changes,
        }
        return self.call("PUT", f"/{payment_id}", {name: value for name, value in asked.items() if value is not None})
