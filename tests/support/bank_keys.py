"""Our keys for a bank, in a folder as an operator has them; made anew for each test."""

from __future__ import annotations

import json
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec
from joserfc.jwk import RSAKey

from tests.support.judges import certificate

#: made once: RSA keys take their time
SIGNING = RSAKey.generate_key(2048, {"kid": "ours-1", "use": "sig", "alg": "PS256"}, private=True)


def make_bank_keys(folder: Path, *, authority: ec.EllipticCurvePrivateKey | None = None) -> ec.EllipticCurvePrivateKey:
    """signing.json, client.pem, client.key and ca.pem, by ``authority`` or a new one, which is returned."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "signing.json").write_text(json.dumps(SIGNING.as_dict(private=True)))
    if authority is None:
        authority = certificate(folder, "authority")
        (folder / "authority.pem").rename(folder / "ca.pem")
        (folder / "authority.key").unlink()
    certificate(folder, "client", signer=authority)
    return authority
