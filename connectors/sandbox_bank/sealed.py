"""What the doors of banks over TLS see of a request: its client certificate, and all that a seal may cover."""

from __future__ import annotations

import base64
import hashlib

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from flask import request

from connectors.sandbox_bank.errors import OAuthError

#: where a test puts the certificate (DER) in the WSGI environment; read only by a bank that was made for tests
TEST_CERTIFICATE = "sandbox.client_certificate"


def single_parameters() -> dict[str, str]:
    """RFC 6749 §3.2: a parameter occurs once, and an empty one counts as absent."""
    if request.mimetype != "application/x-www-form-urlencoded":
        raise OAuthError("invalid_request", "the body must be application/x-www-form-urlencoded")
    if any(len(values) > 1 for _, values in request.form.lists()):
        raise OAuthError("invalid_request", "a parameter occurs twice")
    return {name: value for name, value in request.form.items() if value}


def headers_as_signed() -> dict[str, str]:
    """As the draft wants them; a message without a body has no length."""
    shown = {name: ", ".join(request.headers.getlist(name)) for name, _ in request.headers.items()}
    return {name: value for name, value in shown.items() if (name.lower(), value) != ("content-length", "0")}


def target() -> str:
    """What was asked for, as it was written: the path with its query."""
    return str(request.environ.get("RAW_URI") or request.full_path.rstrip("?"))


def presented_certificate(*, testing: bool) -> x509.Certificate | None:
    """TLS has checked by then that our authority made it, and that the key is the caller's."""
    if testing:
        given: bytes | None = request.environ.get(TEST_CERTIFICATE)
    else:
        read = getattr(request.environ.get("gunicorn.socket"), "getpeercert", None)
        given = None if read is None else read(True)
    return None if given is None else x509.load_der_x509_certificate(given)


def thumbprint(certificate: x509.Certificate) -> str:
    """``x5t#S256`` (RFC 8705 §3.1)."""
    return base64.urlsafe_b64encode(hashlib.sha256(certificate.public_bytes(Encoding.DER)).digest()).decode()
