"""Public keys that billers give us: only what we know how to check, and nothing private."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any, TypeAlias

from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OKPKey, RSAKey
from joserfc.util import urlsafe_b64decode

from app.errors import FieldError, Invalid

RSA_BITS_MIN = 2048  # FAPI 2.0 §5.4.1
RSA_BITS_MAX = 4096  # a larger one only makes every check slow
RSA_EXPONENT_MIN = 65537
#: by kty, the one algorithm that a key of it signs with here (RFC 7518, RFC 9864)
ALGORITHM_OF = {"EC": "ES256", "RSA": "PS256", "OKP": "Ed25519"}

#: RFC 7518 §6.2.1, §6.3.1; RFC 8037 §2
_PUBLIC_MEMBERS = {"EC": ("crv", "x", "y"), "RSA": ("n", "e"), "OKP": ("crv", "x")}
_CURVES = {"EC": "P-256", "OKP": "Ed25519"}
_CLASSES: dict[str, type[ECKey] | type[RSAKey] | type[OKPKey]] = {"EC": ECKey, "RSA": RSAKey, "OKP": OKPKey}
_PRIVATE_MEMBERS = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})  # RFC 7518 §6.2.2, §6.3.2, §6.4
_P = 2**255 - 19  #: the field of Ed25519
#: y of its points of small order: of order 1, 4 and 2, then both of order 8. Their x is not needed
_SMALL_ORDER = (
    1,
    0,
    _P - 1,
    0x05FC536D880238B13933C6D305ACDFD5F098EFF289F4C345B027B2C28F95E826,
    0x7A03AC9277FDC74EC6CC392CFA53202A0F67100D760B3CBA4FD84D3D706A17C7,
)
_KID = re.compile(r"[\x21-\x7e]{1,100}")

Key: TypeAlias = ECKey | RSAKey | OKPKey


def public_key(jwk: object, where: str, *, kinds: Collection[str]) -> dict[str, str]:
    """The members we know and nothing else: no certificate, no address to fetch a key from.

    ``kinds`` are those of ALGORITHM_OF that are taken; ``where`` points at it in what was sent. Raises Invalid.
    """
    if not isinstance(jwk, dict):
        raise bad_key(where, "A key is a JSON object.")
    if private := sorted(_PRIVATE_MEMBERS & jwk.keys()):
        raise bad_key(
            where,
            f"This is a private key ({', '.join(private)}): keep it, make a new one, send the public part.",
        )
    kind = jwk.get("kty")
    if not isinstance(kind, str) or kind not in kinds:
        named = [f"{each} ({_CURVES[each]})" if each in _CURVES else each for each in kinds]
        raise bad_key(where, f"Only kty {', '.join(named[:-1])} and {named[-1]} are taken.")
    if jwk.get("alg", ALGORITHM_OF[kind]) != ALGORITHM_OF[kind]:
        raise bad_key(where, f"A key of kty {kind} signs with {ALGORITHM_OF[kind]} here.")
    if jwk.get("use", "sig") != "sig" or jwk.get("key_ops", ["verify"]) != ["verify"]:
        raise bad_key(where, "The key must be for signatures: use sig, key_ops verify.")
    members = {name: jwk.get(name) for name in _PUBLIC_MEMBERS[kind]}
    key = _import({"kty": kind, **members}, where)
    kid = jwk.get("kid", key.thumbprint())
    if not isinstance(kid, str) or _KID.fullmatch(kid) is None:
        raise bad_key(where, "A kid is 1 to 100 visible ASCII characters.")
    return {
        "kty": kind,
        **{name: str(value) for name, value in members.items()},
        "kid": kid,
        "use": "sig",
        "alg": ALGORITHM_OF[kind],
    }


def _import(members: dict[str, Any], where: str) -> Key:
    """A key that is on its curve, or an RSA modulus of a size that is neither weak nor a burden."""
    most = RSA_BITS_MAX // 4
    if not all(isinstance(value, str) and len(value) <= most for value in members.values()):
        named = ", ".join(name for name in members if name != "kty")
        raise bad_key(where, f"The key needs {named} as base64url text.")
    kind = members["kty"]
    if kind in _CURVES and members["crv"] != _CURVES[kind]:
        raise bad_key(where, f"The curve must be {_CURVES[kind]}.")
    try:
        key: Key = _CLASSES[kind].import_key(members)
        _ = key.public_key  # computes the point
    except (JoseError, ValueError, TypeError) as error:
        raise bad_key(where, "The numbers are not those of a key.") from error
    if kind == "OKP" and _is_weak(members["x"]):
        raise bad_key(where, "This is no key for signatures: any text would be signed by it. Make a new one.")
    if isinstance(key, RSAKey):
        bits, exponent = key.public_key.key_size, key.public_key.public_numbers().e
        if not RSA_BITS_MIN <= bits <= RSA_BITS_MAX or exponent < RSA_EXPONENT_MIN:
            raise bad_key(
                where,
                f"An RSA key has {RSA_BITS_MIN} to {RSA_BITS_MAX} bits and an exponent of {RSA_EXPONENT_MIN} or more.",
            )
    return key


def thumbprint(jwk: Mapping[str, Any]) -> str:
    """The same for a key whatever it is called (RFC 7638)."""
    return _CLASSES[jwk["kty"]].import_key(dict(jwk)).thumbprint()


def _is_weak(x: str) -> bool:
    """Whether an Ed25519 key is one of the points of small order, or not written in the one way of RFC 8032 §5.1.2: for
    such a key there are signatures that hold for any text, so its owner could deny all of them."""
    y = int.from_bytes(urlsafe_b64decode(x.encode()), "little") & ((1 << 255) - 1)
    return y >= _P or y in _SMALL_ORDER


def bad_key(where: str, detail: str) -> Invalid:
    return Invalid("jwks", detail, errors=(FieldError(where, detail),))
