"""The TLS certificate that a request came with, and whose it is (RFC 8705)."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from typing import Any

from cryptography import x509
from cryptography.x509.oid import NameOID
from flask import request

from connectors.sandbox_bank.openbanking_uk.context import UkBank

#: where a test puts the certificate (DER) in the WSGI environment; read only by a bank that was made for tests
TEST_CERTIFICATE = "sandbox.client_certificate"


def presented(bank: UkBank) -> bytes | None:
    """In DER. TLS has checked by then that our authority made it, and that the key is the caller's."""
    if bank.testing:
        given: bytes | None = request.environ.get(TEST_CERTIFICATE)
        return given
    socket = request.environ.get("gunicorn.socket")
    read = getattr(socket, "getpeercert", None)
    der: bytes | None = None if read is None else read(True)
    return der


def thumbprint(der: bytes) -> str:
    """``x5t#S256`` (RFC 8705 §3.1)."""
    return base64.urlsafe_b64encode(hashlib.sha256(der).digest()).rstrip(b"=").decode()


def has_subject(der: bytes, tpp: Mapping[str, Any]) -> bool:
    """Whether it is the one that stands for the client (``tls_client_auth_subject_dn``, §2.1.2)."""
    return x509.load_der_x509_certificate(der).subject.rfc4514_string() == tpp.get("certificate_subject")


def is_of_organisation(der: bytes, tpp: Mapping[str, Any]) -> bool:
    """Whether the TPP's organisation is in its subject (ETSI TS 119 495 §5.2.1)."""
    subject = x509.load_der_x509_certificate(der).subject
    numbers = [part.value for part in subject.get_attributes_for_oid(NameOID.ORGANIZATION_IDENTIFIER)]
    return numbers == [tpp.get("organisation")]
