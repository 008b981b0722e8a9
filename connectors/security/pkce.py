"""PKCE (RFC 7636): a code that is stolen on its way back through the browser is of no use to the thief."""

from __future__ import annotations

import secrets

from authlib.oauth2.rfc7636 import create_s256_code_challenge


def new_verifier() -> str:
    """43 characters, 256 bits (§4.1). A secret: keep it beside the attempt, never in an address."""
    return secrets.token_urlsafe(32)


def challenge(code_verifier: str) -> str:
    """The S256 challenge of a verifier (§4.2), which may be seen by anybody."""
    return str(create_s256_code_challenge(code_verifier))
