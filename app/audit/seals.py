"""Seals: a biller's signature over the exact bytes of a bill, which goes beside the bill for ever.

A seal is a detached JWS (RFC 7515 appendix F, compact): header..signature, with alg and kid in the header and nothing
that has to be understood.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping
from typing import Any

from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import JWKRegistry

_SEAL = re.compile(r"[A-Za-z0-9_-]{1,1000}\.\.[A-Za-z0-9_-]{1,1000}")
_HEADER = frozenset({"alg", "kid", "typ", "cty"})


def kid_of(seal: str) -> str | None:
    """The key that it names, unchecked. None: it is no seal."""
    if _SEAL.fullmatch(seal) is None:
        return None
    try:
        header = json.loads(base64.urlsafe_b64decode(seal.partition("..")[0] + "==").decode("utf-8"))
    except (ValueError, RecursionError):
        return None
    kid = header.get("kid") if isinstance(header, dict) and header.keys() <= _HEADER else None
    return kid if isinstance(kid, str) else None


def is_sealed(content: bytes, seal: str, jwk: Mapping[str, Any]) -> bool:
    """Whether this seal is one of this key over exactly these bytes. The key says by which algorithm."""
    if kid_of(seal) != jwk["kid"]:
        return False
    header, _, signature = seal.partition("..")
    whole = f"{header}.{base64.urlsafe_b64encode(content).rstrip(b'=').decode()}.{signature}"
    try:
        jws.deserialize_compact(whole, JWKRegistry.import_key(dict(jwk)), algorithms=[jwk["alg"]])
    except (JoseError, ValueError):
        return False
    return True
