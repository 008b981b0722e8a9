"""What PSD2 puts into certificates (ETSI TS 119 495): who holds one, and what the holder may do.

The holder is the subject's organizationIdentifier, ``PSDxx-NCA-id`` (§5.2.1). The roles stand in a statement of the
qualified-certificate statements (§5.1, RFC 3739 §3.2.6). Both are alike in a QWAC, which is shown in TLS, and in a
QSEAL, which signs messages.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Iterable

from cryptography import x509
from cryptography.hazmat import asn1
from cryptography.x509.oid import NameOID

QC_STATEMENTS = x509.ObjectIdentifier("1.3.6.1.5.5.7.1.3")
_PSD2 = x509.ObjectIdentifier("0.4.0.19495.2")
#: country, then the authority that gave the licence, then the holder's number there
_NUMBER = re.compile(r"PSD[A-Z]{2}-[A-Z]{2,8}-[\x21-\x7e]{1,60}")


class Role(enum.StrEnum):
    """Of a payment service provider, by the names of §5.1."""

    ACCOUNT_SERVICING = "PSP_AS"
    PAYMENT_INITIATION = "PSP_PI"
    ACCOUNT_INFORMATION = "PSP_AI"
    CARD_ISSUING = "PSP_IC"


_OIDS = {role: x509.ObjectIdentifier(f"0.4.0.19495.1.{number}") for number, role in enumerate(Role, start=1)}
_ROLES = {oid: role for role, oid in _OIDS.items()}


@asn1.sequence
class _RoleOfPsp:
    oid: x509.ObjectIdentifier
    name: str


@asn1.sequence
class _Psd2:
    roles: list[_RoleOfPsp]
    nca_name: str
    nca_id: str


@asn1.sequence
class _Statement:
    id: x509.ObjectIdentifier
    info: _Psd2


@asn1.sequence
class _Written:
    statements: list[_Statement]


@asn1.sequence
class _Read:
    statements: list[asn1.TLV]


@asn1.sequence
class _Around:
    inner: asn1.TLV


def is_number(text: str) -> bool:
    """Whether ``text`` is written as an organizationIdentifier of PSD2 is: ``PSDFR-ACPR-12345``."""
    return _NUMBER.fullmatch(text) is not None


def organisation_of(certificate: x509.Certificate) -> str | None:
    """The holder's organizationIdentifier; None where there is none, or more than one."""
    found = certificate.subject.get_attributes_for_oid(NameOID.ORGANIZATION_IDENTIFIER)
    return str(found[0].value) if len(found) == 1 else None


def roles_of(certificate: x509.Certificate) -> frozenset[Role]:
    """What its holder may do. Empty where it does not say, or cannot be read."""
    try:
        extension = certificate.extensions.get_extension_for_oid(QC_STATEMENTS).value
        assert isinstance(extension, x509.UnrecognizedExtension)  # noqa: S101  # the library knows no better
        around = asn1.encode_der(_Around(inner=asn1.decode_der(asn1.TLV, extension.value)))
        statements = asn1.decode_der(_Read, around).statements
    except (x509.ExtensionNotFound, ValueError):
        return frozenset()
    return frozenset(role for statement in statements for role in _roles(statement))


def _roles(statement: asn1.TLV) -> Iterable[Role]:
    try:
        read = statement.parse(_Statement)
    except ValueError:  # another statement: that it is qualified, for one
        return ()
    if read.id != _PSD2:
        return ()
    return [_ROLES[role.oid] for role in read.info.roles if role.oid in _ROLES]


def qc_statements(roles: Iterable[Role], *, nca_name: str, nca_id: str) -> x509.UnrecognizedExtension:
    """The extension for a certificate to be made. ``nca_id``: country and authority, ``FR-ACPR``."""
    held = [_RoleOfPsp(oid=_OIDS[role], name=role.value) for role in roles]
    statement = _Statement(id=_PSD2, info=_Psd2(roles=held, nca_name=nca_name, nca_id=nca_id))
    # a sequence of statements by itself is not written by the library: it is the content of one around it
    around = asn1.decode_der(asn1.TLV, asn1.encode_der(_Written(statements=[statement])))
    return x509.UnrecognizedExtension(QC_STATEMENTS, bytes(around.data))
