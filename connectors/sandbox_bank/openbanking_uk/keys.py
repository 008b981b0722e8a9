"""Each brand's own signing key: it signs id_tokens, JARM answers, messages, events. Made once, beside the database."""

from __future__ import annotations

import json
import os
import threading
from pathlib import Path
from typing import Any

from joserfc.jwk import RSAKey

RSA_BITS = 2048


class BrandKeys:
    """The private keys, by the brand's id. Several workers that start at once agree on one: the first file stays."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._known: dict[str, RSAKey] = {}
        self._lock = threading.Lock()

    def of(self, brand_id: str) -> RSAKey:
        with self._lock:
            if brand_id not in self._known:
                self._known[brand_id] = self._load_or_make(self._folder / f"{brand_id}.jwk.json")
            return self._known[brand_id]

    def kid(self, brand_id: str) -> str:
        return str(self.of(brand_id).kid)

    def jwks(self, brand_id: str) -> dict[str, Any]:
        """RFC 7517 §5, public halves only."""
        return {"keys": [self.of(brand_id).as_dict(private=False)]}

    def _load_or_make(self, path: Path) -> RSAKey:
        if not path.exists():
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            key = RSAKey.generate_key(RSA_BITS, {"use": "sig", "alg": "PS256"})
            jwk = {**key.as_dict(private=True), "kid": key.thumbprint()}
            _write_first(path, json.dumps(jwk).encode())
        return RSAKey.import_key(json.loads(path.read_bytes()))


def _write_first(path: Path, content: bytes) -> None:
    """Whole, and never over what another process wrote meanwhile: a link to an existing name is refused."""
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(content)
    try:
        os.link(partial, path)
    except FileExistsError:
        pass  # theirs is as good
    finally:
        partial.unlink()
