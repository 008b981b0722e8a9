"""Our certificates for a bank: their dates, what they are for, whose they say they are; and who may read our keys."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from pathlib import Path

from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from connectors.bank_keys import KEY, SEAL_KEY, SIGNING, BankKeys, certificates_of
from connectors.inspection.finding import Finding, ok, warn, wrong
from connectors.profile import BankProfile
from connectors.security.psd2_certificates import Role, organisation_of, roles_of

#: a certificate this close to its end is renewed now: a directory takes its time
SOON = dt.timedelta(days=30)


def findings(bank: BankProfile, keys: BankKeys, *, now: dt.datetime) -> Iterator[Finding]:
    """One line for each certificate, and one for each key that others may read."""
    for name in (SIGNING, KEY, SEAL_KEY):
        path = keys.folder / name
        if path.exists() and path.stat().st_mode & 0o077:
            yield warn("keys", f"{path} may be read by others on this machine: chmod 600 it")
    if keys.certificate is not None:
        yield _certificate(bank, "certificate", certificates_of(Path(keys.certificate[0]))[0], now=now)
    if keys.seal is not None:
        yield _certificate(bank, "seal", keys.seal.certificate, now=now)


def _certificate(bank: BankProfile, step: str, ours: x509.Certificate, *, now: dt.datetime) -> Finding:
    ends, subject = ours.not_valid_after_utc, ours.subject.rfc4514_string()
    about = f"{subject}, ends on {ends:%Y-%m-%d}"
    if now > ends:
        return wrong(step, f"{about}: it has ended; get a new one from the directory")
    if now < ours.not_valid_before_utc:
        return wrong(step, f"{subject} begins on {ours.not_valid_before_utc:%Y-%m-%d}: is the clock right?")
    if step == "certificate" and not _is_for_clients(ours):
        return wrong(step, f"{about}: it is not for TLS clients (extended key usage); use the transport one")
    if bank.security.client_is_organisation and organisation_of(ours) != bank.client_id:
        return wrong(step, f"{about}: it is not of {bank.client_id}, which the file has as client_id")
    if ends - now < SOON:
        return warn(step, f"{about}, in {(ends - now).days} days: renew it now")
    if bank.security.client_is_organisation and Role.PAYMENT_INITIATION not in roles_of(ours):
        return warn(step, f"{about}: it does not say that we may initiate payments ({Role.PAYMENT_INITIATION})")
    return ok(step, about)


def _is_for_clients(ours: x509.Certificate) -> bool:
    try:
        uses = ours.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except x509.ExtensionNotFound:
        return True
    return ExtendedKeyUsageOID.CLIENT_AUTH in uses or ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE in uses
