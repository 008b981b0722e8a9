"""The software passkey against the library that our door uses."""

from __future__ import annotations

import json
from typing import Any

import pytest
import webauthn
from webauthn.helpers import base64url_to_bytes
from webauthn.helpers.structs import AttestationFormat, CredentialDeviceType

from app.demo.authenticator import Authenticator, NoCredentialError

ORIGIN = "http://localhost:8000"


def creation_options() -> dict[str, Any]:
    options = webauthn.generate_registration_options(
        rp_id="localhost", rp_name="Quittance", user_id=b"cus_1", user_name="a@b.example", challenge=b"c" * 32
    )
    parsed: dict[str, Any] = json.loads(webauthn.options_to_json(options))
    return parsed


def request_options(**more: Any) -> dict[str, Any]:
    options = webauthn.generate_authentication_options(rp_id="localhost", challenge=b"d" * 32)
    parsed: dict[str, Any] = json.loads(webauthn.options_to_json(options))
    return parsed | more


def test_registers_and_signs_with_user_verification_and_a_rising_counter() -> None:
    passkey = Authenticator(ORIGIN)
    made = webauthn.verify_registration_response(
        credential=passkey.make(creation_options()),
        expected_challenge=b"c" * 32,
        expected_rp_id="localhost",
        expected_origin=ORIGIN,
        require_user_verification=True,
    )
    assert (made.fmt, made.sign_count, made.user_verified) == (AttestationFormat.NONE, 0, True)
    assert made.credential_device_type is CredentialDeviceType.SINGLE_DEVICE
    for count in (1, 2):
        checked = webauthn.verify_authentication_response(
            credential=passkey.sign(request_options()),
            expected_challenge=b"d" * 32,
            expected_rp_id="localhost",
            expected_origin=ORIGIN,
            credential_public_key=made.credential_public_key,
            credential_current_sign_count=count - 1,
            require_user_verification=True,
        )
        assert checked.new_sign_count == count
        assert checked.credential_id == made.credential_id


def test_says_which_user_signed() -> None:
    passkey = Authenticator(ORIGIN)
    passkey.make(creation_options())
    assert base64url_to_bytes(passkey.sign(request_options())["response"]["userHandle"]) == b"cus_1"


def test_makes_no_second_passkey_where_the_site_excludes_the_first() -> None:
    passkey = Authenticator(ORIGIN)
    first = passkey.make(creation_options())
    excluded = [{"type": "public-key", "id": first["id"]}]
    with pytest.raises(NoCredentialError):
        passkey.make(creation_options() | {"excludeCredentials": excluded})


@pytest.mark.parametrize(
    "more", [{"rpId": "evil.example"}, {"allowCredentials": [{"type": "public-key", "id": "AAAA"}]}]
)
def test_signs_for_no_other_site_and_with_no_other_credential(more: dict[str, Any]) -> None:
    passkey = Authenticator(ORIGIN)
    passkey.make(creation_options())
    with pytest.raises(NoCredentialError):
        passkey.sign(request_options(**more))


def test_knows_es256_only() -> None:
    rs256 = [{"type": "public-key", "alg": -257}]
    with pytest.raises(NoCredentialError):
        Authenticator(ORIGIN).make(creation_options() | {"pubKeyCredParams": rs256})
