"""Who is let in at the STET banks: one fault in each request, and the bank says no to each."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from connectors.sandbox_bank import authority
from connectors.sandbox_bank.authority import Tpp
from connectors.security.psd2_certificates import Role
from tests.conformance.stet_sandbox.conftest import NewTpp
from tests.support.sandbox_tpp import Clock, Ledger
from tests.support.stet_bank import NUMBER, OTHER
from tests.support.stet_tpp import StetTpp, body

pytestmark = pytest.mark.shared


# ------------------------------------------------------------------------------------------------------------ the token


def test_a_token_for_the_number_in_the_certificate(tpp: StetTpp) -> None:
    got = tpp.ask_token()
    assert got.status == 200
    assert {name: value for name, value in got.json.items() if name != "access_token"} == {
        "token_type": "Bearer",
        "expires_in": 300,
        "scope": "pisp",
    }
    assert got.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"certificate": None}, "invalid_client"),
        ({"certificate": "other/client.pem"}, "invalid_client"),
        ({"client_id": OTHER}, "invalid_client"),
        ({"client_id": "quittance"}, "invalid_client"),
        ({"client_id": None}, "invalid_client"),
        ({"grant_type": "authorization_code"}, "unsupported_grant_type"),
        ({"grant_type": None}, "unsupported_grant_type"),
        ({"scope": "aisp"}, "invalid_scope"),
        ({"scope": "pisp aisp"}, "invalid_scope"),
    ],
)
def test_a_token_is_not_given(tpp: StetTpp, changes: dict[str, Any], error: str) -> None:
    got = tpp.ask_token(**changes)
    assert (got.status, got.json["error"]) == (401 if error == "invalid_client" else 400, error)


def test_a_certificate_without_the_role_gets_no_token(tpp: StetTpp, folder: Path) -> None:
    reader = Tpp.sealed(NUMBER, roles=(Role.ACCOUNT_INFORMATION,))
    authority.add_tpp(folder, reader, files=folder / "reader", clock=Clock())
    got = tpp.ask_token(certificate="reader/client.pem")
    assert got.json["error"] == "unauthorized_client"


def test_a_token_is_good_for_five_minutes_at_one_bank(tpp: StetTpp, new_tpp: NewTpp, clock: Clock) -> None:
    payment_id, _ = tpp.posted()
    elsewhere = new_tpp("canaux")
    elsewhere._token = tpp.token()
    assert elsewhere.call("GET", f"/{payment_id}").status == 401
    clock.tick(seconds=299)
    assert tpp.call("GET", f"/{payment_id}").status == 200
    clock.tick(seconds=1)
    assert tpp.call("GET", f"/{payment_id}").status == 401


@pytest.mark.parametrize("certificate", [None, "other/client.pem"])
def test_a_token_is_worth_nothing_without_its_certificate(tpp: StetTpp, certificate: str | None) -> None:
    assert tpp.call("POST", "", body(), certificate=certificate).status == 401


@pytest.mark.parametrize("value", [None, "Bearer", "Bearer x", "Basic eDp5"])
def test_no_token_or_none_that_the_bank_gave(tpp: StetTpp, value: str | None) -> None:
    got = tpp.call("POST", "", body(), Authorization=value)
    assert got.status == 401
    assert got.headers["WWW-Authenticate"] == "Bearer"


# ------------------------------------------------------------------------------------------------------------- the seal


@pytest.mark.parametrize(
    ("headers", "status", "message"),
    [
        ({"X_Request_ID": None}, 400, "Missing request header 'X-Request-ID'"),
        ({"Signature": None}, 400, "Signature: the message is not signed"),
        ({"Signature": "none"}, 400, "Signature: Signature cannot be read"),
        ({"Digest": None}, 400, "Signature: Digest is missing"),
        ({"Digest": "SHA-256=47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="}, 400, "Signature: Digest is not the"),
        ({"PSU_IP_Address": "192.0.2.8"}, 401, "Signature: the signature is not over this message"),
        ({"X_Request_ID": "another"}, 401, "Signature: the signature is not over this message"),
        ({"PSU_Device_ID": "added"}, 401, "Signature: psu-device-id is not signed"),
        ({"PSU_IP_Address": None}, 400, "Signature: headers names psu-ip-address"),
        ({"Date": "Sun, 22 Nov 2026 10:00:00 GMT"}, 401, "Signature: date is not signed"),
    ],
)
def test_a_seal_that_does_not_hold(
    tpp: StetTpp, ledger: Ledger, headers: dict[str, Any], status: int, message: str
) -> None:
    transport = tpp.transport
    if "X_Request_ID" in headers and headers["X_Request_ID"] is None:
        tpp.transport = transport.transport  # type: ignore[attr-defined]  # the judge wants it on answers, too
    got = tpp.call("POST", "", body(), **headers)
    assert (got.status, got.json["status"]) == (status, status)
    assert got.json["message"].startswith(message)
    assert not ledger()


@pytest.mark.parametrize("name", ["(request-target)", "digest", "content-type", "x-request-id", "psu-ip-address"])
def test_a_header_that_is_not_signed(tpp: StetTpp, name: str) -> None:
    tpp.signed = tuple(one for one in tpp.signed if one != name)
    got = tpp.call("POST", "", body())
    assert (got.status, got.json["message"]) == (401, f"Signature: {name} is not signed")


def test_a_body_that_was_changed_on_the_way(tpp: StetTpp) -> None:
    dearer = json.dumps(body(amount="999.99")).encode()
    got = tpp.call("POST", "", body(), sent=dearer)
    assert (got.status, got.json["message"]) == (400, "Signature: Digest is not the SHA-256 of the body")
    anew = f"SHA-256={base64.b64encode(hashlib.sha256(dearer).digest()).decode()}"
    got = tpp.call("POST", "", body(), sent=dearer, Digest=anew)
    assert (got.status, got.json["message"][:50]) == (401, "Signature: the signature is not over this message ")


def test_another_tpps_seal(tpp: StetTpp, folder: Path) -> None:
    """The token is ours and TLS is ours, and somebody else signs: as themselves, and in our name."""
    impostor = dataclasses.replace(tpp, number=OTHER)
    impostor._token = tpp.token()
    ours, theirs = folder / "seal.key", folder / "other" / "seal.key"
    ours.write_bytes(theirs.read_bytes())
    got = impostor.call("POST", "", body())
    assert (got.status, got.json["message"][:40]) == (403, "Signature: the certificate is not the ca")
    got = tpp.call("POST", "", body())
    assert (got.status, got.json["message"][:30]) == (401, "Signature: the signature is no")


def test_a_key_id_that_leads_nowhere(tpp: StetTpp) -> None:
    stranger = dataclasses.replace(tpp, number="PSDFR-ACPR-999999")
    stranger._token = tpp.token()
    assert stranger.call("POST", "", body()).status == 401


@pytest.mark.parametrize(
    ("date", "message"),
    [("Sun, 22 Nov 2026 09:54:59 GMT", "Date is not now"), ("Sun, 22 Nov 2026 10:05:01 GMT", "Date is not now")],
)
def test_a_message_of_another_time(tpp: StetTpp, date: str, message: str) -> None:
    tpp.before, tpp.signed = {"Date": date}, (*tpp.signed, "date")
    got = tpp.call("POST", "", body())
    assert (got.status, got.json["message"]) == (401, f"Signature: {message}")


def test_a_seal_that_has_ended(tpp: StetTpp, clock: Clock) -> None:
    clock.tick(days=396)
    got = tpp.call("POST", "", body(creationDateTime="2027-12-23T10:00:00Z"))
    assert (got.status, got.json["message"]) == (401, "Signature: the certificate has ended, or has not begun")


def test_a_tls_certificate_signs_no_message(tpp: StetTpp, folder: Path) -> None:
    """Its key is no RSA key, and its usage another: the bank looks at what it is for before that."""
    known = (folder / "tpps.json").read_text("utf-8")
    seal, client = (folder / "seal.pem").read_text("ascii"), (folder / "client.pem").read_text("ascii")
    (folder / "tpps.json").write_text(known.replace(seal.replace("\n", "\\n"), client.replace("\n", "\\n")))
    got = tpp.call("POST", "", body())
    assert (got.status, got.json["message"]) == (401, "Signature: the certificate is not one for signing messages")
