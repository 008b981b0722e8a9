"""Whether a bank's host picks up and takes our certificate: told apart more finely than a payment needs."""

from __future__ import annotations

import contextlib
import socket
import ssl
from urllib.parse import urlsplit

from requests.utils import DEFAULT_CA_BUNDLE_PATH

from connectors.bank_keys import BankKeys
from connectors.inspection.finding import Finding, ok, warn, wrong

TIMEOUT_S = 5.0
#: in TLS 1.3 a server says only after the handshake that it does not take our certificate
REFUSAL_S = 0.5


def handshake(url: str, keys: BankKeys | None) -> Finding:
    """With the host of ``url``, as a payment would: the same authorities, the same certificate of ours."""
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
    try:
        with socket.create_connection((host, port), timeout=TIMEOUT_S) as line:
            if parts.scheme != "https":
                return warn("connection", f"{parts.netloc} picks up, without TLS: for a demo on this machine alone")
            return _shaken(line, parts.netloc, host, keys)
    except socket.gaierror:
        return wrong("connection", f"{host} has no address (DNS): is it spelled as the bank says?")
    except OSError as error:
        return wrong("connection", f"{parts.netloc} does not pick up ({type(error).__name__}): is a firewall between?")


def _shaken(line: socket.socket, netloc: str, host: str, keys: BankKeys | None) -> Finding:
    context = ssl.create_default_context(cafile=(keys and keys.authorities) or DEFAULT_CA_BUNDLE_PATH)
    if keys is not None and keys.certificate is not None:
        context.load_cert_chain(*keys.certificate)
    try:
        with context.wrap_socket(line, server_hostname=host) as secured:
            version = secured.version()
            secured.settimeout(REFUSAL_S)
            with contextlib.suppress(TimeoutError):  # nobody has asked anything: silence is consent
                secured.recv(1)
    except ssl.SSLCertVerificationError as error:
        return wrong(
            "connection", f"the certificate of {netloc} is not accepted: {error.verify_message}; is it for ca.pem?"
        )
    except (ssl.SSLError, ConnectionError) as error:
        reason = getattr(error, "reason", None) or type(error).__name__
        return wrong("connection", f"{netloc} ends the TLS handshake ({reason}): does it want our certificate?")
    return ok("connection", f"{netloc} picks up, {version}" + (", with our certificate" if keys else ""))
