"""The sandbox's authority: what it makes, what it leaves alone, and that TLS believes it."""

from __future__ import annotations

import datetime as dt
import json
import socket
import ssl
import threading
from pathlib import Path

import pytest
from cryptography import x509

from connectors.bank_keys import BankKeys, KeysUnusable
from connectors.sandbox_bank import authority
from connectors.sandbox_bank.authority import Tpp
from connectors.security.psd2_certificates import Role, organisation_of, roles_of

NOW = dt.datetime.now(dt.UTC)
FILES = {"ca.pem", "ca.key", "server.pem", "server.key", "client.pem", "client.key", "signing.json", "tpps.json"}


def content(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("authority") / "new"
    authority.make(folder)
    return folder


@pytest.fixture
def folder(made: Path, tmp_path: Path) -> Path:
    """A copy that a test may spoil."""
    for name, raw in content(made).items():
        (tmp_path / name).write_bytes(raw)
    return tmp_path


def test_what_is_made_is_nobody_elses(made: Path) -> None:
    assert set(content(made)) == FILES
    assert {path.stat().st_mode & 0o777 for path in made.iterdir()} == {0o600}
    assert made.stat().st_mode & 0o777 == 0o700


def test_a_second_run_changes_nothing(folder: Path) -> None:
    before = content(folder)
    authority.make(folder)
    assert content(folder) == before


def test_what_is_missing_is_made_and_the_rest_stays(folder: Path) -> None:
    before = content(folder)
    (folder / "client.pem").unlink()
    authority.make(folder)
    after = content(folder)
    assert {name for name in FILES if after[name] != before[name]} == {"client.pem"}


def test_a_certificate_near_its_end_is_made_anew_with_the_same_key(folder: Path) -> None:
    before = content(folder)
    authority.make(folder, clock=lambda: NOW + authority.LIFE - dt.timedelta(days=29))
    after = content(folder)
    assert {name for name in FILES if after[name] != before[name]} == {"client.pem", "server.pem"}


def test_a_new_authority_certifies_all_anew(folder: Path) -> None:
    before = content(folder)
    (folder / "ca.key").unlink()
    authority.make(folder)
    after = content(folder)
    assert {name for name in FILES if after[name] == before[name]} == {
        "server.key",
        "client.key",
        "signing.json",
        "tpps.json",
    }
    ca = x509.load_pem_x509_certificate(after["ca.pem"])
    x509.load_pem_x509_certificate(after["client.pem"]).verify_directly_issued_by(ca)


def test_what_somebody_wrote_about_a_tpp_stays(folder: Path) -> None:
    known = json.loads((folder / "tpps.json").read_bytes())
    known["quittance"]["redirect_uris"] = ["https://bills.example/"]
    (folder / "tpps.json").write_text(json.dumps(known))
    authority.add_tpp(folder, Tpp(client_id="b", organisation="PSDGB-FCA-2", software="s"), files=folder / "b")
    now = json.loads((folder / "tpps.json").read_bytes())
    assert now["quittance"] == known["quittance"]
    assert now["b"]["certificate_subject"] == "CN=s,2.5.4.97=PSDGB-FCA-2,O=b,C=GB"
    assert "d" not in now["b"]["keys"][0]


def test_the_bank_session_can_use_the_folder(made: Path) -> None:
    keys = BankKeys.load(made, needs_certificate=True)
    known = json.loads((made / "tpps.json").read_bytes())["quittance"]
    assert keys.signing is not None
    assert keys.signing.algorithm == "PS256"
    assert keys.signing.kid == known["keys"][0]["kid"]
    assert known["organisation"] == "PSDGB-FCA-000000"


@pytest.mark.parametrize("name", ["localhost", "127.0.0.1"])
def test_tls_believes_both_sides(made: Path, name: str) -> None:
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=made / "ca.pem")
    server.load_cert_chain(made / "server.pem", made / "server.key")
    server.verify_mode = ssl.CERT_REQUIRED
    client = ssl.create_default_context(cafile=made / "ca.pem")
    client.verify_flags |= ssl.VERIFY_X509_STRICT
    client.load_cert_chain(made / "client.pem", made / "client.key")
    shown: list[bytes | None] = []
    near, far = socket.socketpair()

    def serve() -> None:
        with server.wrap_socket(far, server_side=True) as secured:
            shown.append(secured.getpeercert(binary_form=True))

    thread = threading.Thread(target=serve)
    thread.start()
    with client.wrap_socket(near, server_hostname=name):
        thread.join(10)
    expected = x509.load_pem_x509_certificate((made / "client.pem").read_bytes())
    assert shown[0] is not None
    assert x509.load_der_x509_certificate(shown[0]) == expected


def test_a_secret_is_made_once(tmp_path: Path) -> None:
    first = authority.secret(tmp_path / "own" / "token")
    assert len(first) > 30
    assert authority.secret(tmp_path / "own" / "token") == first


# ------------------------------------------------------------------------------------- a TPP with a seal, at STET banks

NUMBER = "PSDFR-ACPR-000000"
SEALED = (FILES - {"signing.json"}) | {"seal.pem", "seal.key"}


@pytest.fixture(scope="module")
def sealed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sealed")
    authority.make(folder, tpp=Tpp.sealed(NUMBER))
    return folder


def test_a_tpp_with_a_seal_needs_no_other_key(sealed: Path) -> None:
    assert set(content(sealed)) == SEALED
    before = content(sealed)
    authority.make(sealed, tpp=Tpp.sealed(NUMBER))
    assert content(sealed) == before
    keys = BankKeys.load(sealed, needs_certificate=True, needs_signing=False, needs_seal=True)
    assert keys.signing is None
    assert keys.seal is not None
    known = json.loads(before["tpps.json"])[NUMBER]
    assert known["seal"].encode() == before["seal.pem"]
    assert known["seal_url"].startswith("https://")
    assert known["organisation"] == NUMBER


@pytest.mark.parametrize("name", ["client.pem", "seal.pem"])
def test_its_certificates_say_whose_they_are_and_what_for(sealed: Path, name: str) -> None:
    made_for = x509.load_pem_x509_certificate((sealed / name).read_bytes())
    assert organisation_of(made_for) == NUMBER
    assert roles_of(made_for) == {Role.PAYMENT_INITIATION}
    made_for.verify_directly_issued_by(x509.load_pem_x509_certificate((sealed / "ca.pem").read_bytes()))
    usage = made_for.extensions.get_extension_for_class(x509.KeyUsage).value
    assert usage.content_commitment is (name == "seal.pem")
    assert usage.digital_signature is (name == "client.pem")
    extended = [one for one in made_for.extensions if isinstance(one.value, x509.ExtendedKeyUsage)]
    assert bool(extended) is (name == "client.pem")


def test_other_roles_are_another_certificate(sealed: Path, tmp_path: Path) -> None:
    for name, raw in content(sealed).items():
        (tmp_path / name).write_bytes(raw)
    other = Tpp.sealed(NUMBER, roles=(Role.ACCOUNT_INFORMATION,))
    authority.make(tmp_path, tpp=other)
    seal = x509.load_pem_x509_certificate((tmp_path / "seal.pem").read_bytes())
    assert roles_of(seal) == {Role.ACCOUNT_INFORMATION}
    assert (tmp_path / "seal.key").read_bytes() == (sealed / "seal.key").read_bytes()


@pytest.mark.parametrize(
    ("name", "text", "why"),
    [
        ("seal.pem", None, "cannot be read"),
        ("seal.key", None, "cannot be read"),
        ("seal.pem", "no certificate", "holds no certificate in PEM"),
        ("seal.key", "client.key", "is not the key of seal.pem"),
    ],
)
def test_a_seal_that_cannot_be_used(sealed: Path, tmp_path: Path, name: str, text: str | None, why: str) -> None:
    for one, raw in content(sealed).items():
        (tmp_path / one).write_bytes(raw)
    if text is None:
        (tmp_path / name).unlink()
    elif text in SEALED:
        (tmp_path / name).write_bytes((tmp_path / text).read_bytes())
    else:
        (tmp_path / name).write_text(text)
    with pytest.raises(KeysUnusable, match=why):
        BankKeys.load(tmp_path, needs_certificate=True, needs_signing=False, needs_seal=True)


def test_a_seal_is_rsa(sealed: Path, tmp_path: Path) -> None:
    for one, raw in content(sealed).items():
        (tmp_path / one).write_bytes(raw)
    for end in ("pem", "key"):
        (tmp_path / f"seal.{end}").write_bytes((tmp_path / f"client.{end}").read_bytes())
    with pytest.raises(KeysUnusable, match="not an RSA key"):
        BankKeys.load(tmp_path, needs_certificate=True, needs_signing=False, needs_seal=True)
