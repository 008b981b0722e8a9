"""Signing (Standard Webhooks 1.0). Pure."""

from __future__ import annotations

import base64
import hashlib
import hmac


def signature(secret: str, *, message_id: str, timestamp: int, body: bytes) -> str:
    """The ``webhook-signature`` header: ``v1,`` and base64 of HMAC-SHA256 over id, time and body.

    Standard Webhooks, "Signature scheme". By hand: the published package pulls in an HTTP client of its own for this.
    """
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signed = f"{message_id}.{timestamp}.".encode() + body
    return "v1," + base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()
