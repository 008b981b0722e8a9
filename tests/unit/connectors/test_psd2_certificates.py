"""Who holds a certificate, and what its holder may do."""

from __future__ import annotations

import pytest
from cryptography import x509

from connectors.security.psd2_certificates import (
    QC_STATEMENTS,
    Role,
    is_number,
    organisation_of,
    qc_statements,
    roles_of,
)
from tests.support.seals import NUMBER, seal


def test_whose_it_is_and_what_they_may() -> None:
    assert organisation_of(seal().certificate) == NUMBER
    assert organisation_of(seal(number=None).certificate) is None
    assert roles_of(seal().certificate) == {Role.PAYMENT_INITIATION}


@pytest.mark.parametrize(
    ("text", "good"),
    [
        ("PSDFR-ACPR-12345", True),
        ("PSDGB-FCA-000000", True),
        ("PSDFR-ACPR-", False),
        ("PSDfr-ACPR-1", False),
        ("VATFR-12345", False),
        ("PSDFR-ACPR-1 2", False),
        ("quittance", False),
    ],
)
def test_how_a_number_is_written(text: str, good: bool) -> None:
    assert is_number(text) is good


def test_the_statement_is_the_one_of_the_standard() -> None:
    """ETSI TS 119 495 annex A, byte by byte: one role, PSP_PI, of FR-ACPR."""
    made = qc_statements([Role.PAYMENT_INITIATION], nca_name="ACPR", nca_id="FR-ACPR")
    assert made.oid == QC_STATEMENTS
    role = "3011" + "060704008198270102" + "0c06" + b"PSP_PI".hex()
    info = "3024" + "3013" + role + "0c04" + b"ACPR".hex() + "0c07" + b"FR-ACPR".hex()
    assert made.value.hex() == "3030" + "302e" + "0606040081982702" + info


@pytest.mark.parametrize(
    "value",
    ["", "00", "3000", "30020500", "300a300806060400" + "8e460101", "ff"],
    ids=["nothing", "no DER", "no statement", "another thing", "that it is qualified", "garbage"],
)
def test_what_cannot_be_read_says_nothing(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    extension = x509.UnrecognizedExtension(QC_STATEMENTS, bytes.fromhex(value))

    class Certificate:
        extensions = x509.Extensions([x509.Extension(QC_STATEMENTS, False, extension)])

    assert roles_of(Certificate()) == frozenset()  # type: ignore[arg-type]
