"""A biller's sealing key, as its engineers would use one."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from joserfc import jws
from joserfc.jwk import ECKey, OKPKey, RSAKey


@dataclass(frozen=True)
class SealingKeyMade:
    key: ECKey | RSAKey | OKPKey
    alg: str
    id: str = ""  #: once it is registered

    @property
    def kid(self) -> str:
        return str(self.key.kid)

    @property
    def public(self) -> dict[str, Any]:
        return dict(self.key.as_dict(private=False))

    def registered(self, key_id: str) -> SealingKeyMade:
        return replace(self, id=key_id)


def new_sealing_key(alg: str = "ES256", *, kid: str | None = None) -> SealingKeyMade:
    about: Any = {"use": "sig", "alg": alg, **({"kid": kid} if kid else {})}
    if alg == "ES256":
        return SealingKeyMade(ECKey.generate_key("P-256", about, auto_kid=kid is None), alg)
    if alg == "PS256":
        return SealingKeyMade(RSAKey.generate_key(2048, about, auto_kid=kid is None), alg)
    return SealingKeyMade(OKPKey.generate_key("Ed25519", about, auto_kid=kid is None), alg)


def compact(key: SealingKeyMade, content: bytes, **header: Any) -> str:
    """The JWS with the bill inside, as a line of a file of many bills has it."""
    return jws.serialize_compact({"alg": key.alg, "kid": key.kid, **header}, content, key.key, algorithms=[key.alg])


def seal(key: SealingKeyMade, content: bytes, **header: Any) -> str:
    """The JWS without the bill, as it goes in the header."""
    before, _, after = compact(key, content, **header).split(".")
    return f"{before}..{after}"
