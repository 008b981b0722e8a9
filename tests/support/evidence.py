"""What anybody can check of a decision with nothing but its row: that a passkey signed the very order it says."""

from __future__ import annotations

from typing import Any

import webauthn
from webauthn.helpers import base64url_to_bytes

from app.people.passkeys import linked_challenge


def signed_by(evidence: dict[str, Any], *, host: str, origin: str) -> dict[str, str]:
    """The order that is signed by it. Raises where the signature is over anything else."""
    order, orders = evidence["order"], evidence.get("orders")
    assert orders is None or order in orders
    response = {
        "authenticatorData": evidence["authenticator_data"],
        "clientDataJSON": evidence["client_data_json"],
        "signature": evidence["signature"],
    }
    credential = {
        "id": evidence["credential_id"],
        "rawId": evidence["credential_id"],
        "type": "public-key",
        "response": response,
    }
    webauthn.verify_authentication_response(
        credential=credential,
        expected_challenge=linked_challenge(evidence["salt"], order if orders is None else orders),
        expected_rp_id=host,
        expected_origin=origin,
        credential_public_key=base64url_to_bytes(evidence["public_key"]),
        credential_current_sign_count=0,
        require_user_verification=True,
    )
    return dict(order)
