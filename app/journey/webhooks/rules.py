"""Signing (Standard Webhooks 1.0) and where a webhook may go. Pure."""

from __future__ import annotations

import base64
import hashlib
import hmac
import ipaddress
from urllib.parse import urlsplit

from config.hosts import is_loopback


def signature(secret: str, *, message_id: str, timestamp: int, body: bytes) -> str:
    """The ``webhook-signature`` header: ``v1,`` and base64 of HMAC-SHA256 over id, time and body.

    Standard Webhooks, "Signature scheme". By hand: the published package pulls in an HTTP client of its own for this.
    """
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signed = f"{message_id}.{timestamp}.".encode() + body
    return "v1," + base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()


def may_be_called(url: str, *, demo: bool) -> bool:
    """https to a host that is not this machine; the demo's biller on loopback is the only exception."""
    try:
        parts = urlsplit(url)
        host = parts.hostname
    except ValueError:
        return False
    if not host or parts.username or parts.fragment:
        return False
    if demo and is_loopback(host):
        return parts.scheme in ("http", "https")
    return parts.scheme == "https" and not is_loopback(host) and not _is_odd_address(host)


def _is_odd_address(host: str) -> bool:
    """Spellings of this machine that a resolver takes: 0.0.0.0, 127.1, 0x7f.1, 2130706433."""
    try:
        return ipaddress.ip_address(host).is_unspecified
    except ValueError:
        last = host.removesuffix(".").rpartition(".")[2]
        return last.isdigit() or last.startswith("0x")  # no top-level domain is or does
