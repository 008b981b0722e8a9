"""Our certificate, and whether a bank's host picks up and takes it: told apart more finely than a payment needs."""

from __future__ import annotations

import contextlib
import datetime as dt
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID
from requests.utils import DEFAULT_CA_BUNDLE_PATH

from connectors.bank_keys import KEY, SIGNING, BankKeys, certificates_of
from connectors.inspection.finding import Finding, ok, warn, wrong

#: a certificate this close to its end is renewed now: a directory takes its time
SOON = dt.timedelta(days=30)
TIMEOUT_S = 5.0
#: in TLS 1.3 a server says only after the handshake that it does not take our certificate
REFUSAL_S = 0.5


def certificate(keys: BankKeys, *, now: dt.datetime) -> Iterator[Finding]:
    """Of ours: its dates and what it may be used for. And whether others may read our keys."""
    for name in (SIGNING, KEY):
        path = keys.folder / name
        if path.exists() and path.stat().st_mode & 0o077:
            yield warn("keys", f"{path} may be read by others on this machine: chmod 600 it")
    if keys.certificate is None:
        return
    ours = certificates_of(Path(keys.certificate[0]))[0]
    ends, subject = ours.not_valid_after_utc, ours.subject.rfc4514_string()
    about = f"{subject}, ends on {ends:%Y-%m-%d}"
    if now > ends:
        yield wrong("certificate", f"{about}: it has ended; get a new one from the directory")
    elif now < ours.not_valid_before_utc:
        yield wrong("certificate", f"{subject} begins on {ours.not_valid_before_utc:%Y-%m-%d}: is the clock right?")
    elif not _is_for_clients(ours):
        yield wrong("certificate", f"{about}: it is not for TLS clients (extended key usage); use the transport one")
    elif ends - now < SOON:
        yield warn("certificate", f"{about}, in {(ends - now).days} days: renew it now")
    else:
        yield ok("certificate", about)


def _is_for_clients(ours: x509.Certificate) -> bool:
    try:
        uses = ours.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except x509.ExtensionNotFound:
        return True
    return ExtendedKeyUsageOID.CLIENT_AUTH in uses or ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE in uses


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
