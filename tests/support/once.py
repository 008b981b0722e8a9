"""What each test would make anew, and is always the same: made once in a process."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from joserfc.jwk import RSAKey
from werkzeug.routing import Rule

from connectors import bank_keys, profile
from connectors.profile import BankProfile


def make_once(patch: pytest.MonkeyPatch) -> None:
    """For as long as ``patch`` stands: most of the time that it takes to set up an application or a bank."""
    patch.setattr(Rule, "_compile_builder", _addresses_of(Rule._compile_builder))
    patch.setattr(profile, "read", _profiles_of(profile.read))
    patch.setattr(RSAKey.binding, "import_private_key", _jwks_of(RSAKey.binding.import_private_key))
    for module in (serialization, bank_keys):
        patch.setattr(module, "load_pem_private_key", _pems_of(serialization.load_pem_private_key))


def _addresses_of(real: Callable[[Rule, bool], Any]) -> Callable[..., Any]:
    """Werkzeug compiles a function for each route, which knows nothing of the application."""
    made: dict[Any, Any] = {}

    def compile_builder(rule: Rule, append_unknown: bool = True) -> Any:
        if rule.defaults:
            return real(rule, append_unknown)
        key = (tuple(rule._trace), append_unknown)
        if key not in made:
            made[key] = real(rule, append_unknown)
        return made[key]

    return compile_builder


def _profiles_of(real: Callable[..., BankProfile | None]) -> Callable[..., BankProfile | None]:
    """Twenty banks' files, which a test seldom changes."""
    made: dict[Any, BankProfile | None] = {}

    def read(path: Path, *, sandboxes: profile.Sandboxes, allow_http: bool) -> BankProfile | None:
        key = (path.name, path.read_bytes(), tuple(sorted(sandboxes.items())), allow_http)
        if key not in made:
            made[key] = real(path, sandboxes=sandboxes, allow_http=allow_http)
        return made[key]

    return read


# An RSA key's numbers are looked at for their primes whenever it is read: a twentieth of a second. What is no key is
# refused by the library each time anew.


def _jwks_of(real: Callable[[Any], Any]) -> Callable[[Any], Any]:
    made: dict[str, Any] = {}

    def import_private_key(jwk: Any) -> Any:
        key = json.dumps(jwk, sort_keys=True)
        if key not in made:
            made[key] = real(jwk)
        return made[key]

    return import_private_key


def _pems_of(real: Callable[..., PrivateKeyTypes]) -> Callable[..., PrivateKeyTypes]:
    made: dict[Any, PrivateKeyTypes] = {}

    def load_pem_private_key(data: bytes, password: bytes | None, backend: Any = None) -> PrivateKeyTypes:
        if (data, password) not in made:
            made[data, password] = real(data, password)
        return made[data, password]

    return load_pem_private_key
