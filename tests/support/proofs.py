"""Proofs made by hand: a log in memory, and of each fact in it what a proof shows."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from typing import Any

from app.audit import tree
from app.audit.entries import canonical, commitment
from app.audit.kinds import Kind
from app.audit.proofs import FORMAT
from app.signed_note import Signer
from tests.support.sealing import SealingKeyMade, seal

Says = dict[str, Any]

AT = "2026-11-22T10:00:00.000000Z"
BEFORE, AFTER = "2026-01-01T00:00:00.000000Z", "2028-01-01T00:00:00.000000Z"


def made(
    signer: Signer, facts: Sequence[tuple[Kind, Says]], *, document: bytes | None = None, others: int = 300
) -> dict[str, Any]:
    """A proof of these facts, which stand in the log behind ``others`` of somebody else."""
    salts = [hashlib.sha256(str(number).encode()).digest()[:16] for number in range(len(facts))]
    entries = []
    for (kind, says), salt in zip(facts, salts, strict=True):
        committed = commitment(salt, canonical(says))
        entries.append(canonical({"v": 1, "kind": kind.value, "at": AT, "commitment": committed}))
    leaves = [tree.leaf_hash(b"other %d" % number) for number in range(others)]
    leaves += [tree.leaf_hash(entry.encode()) for entry in entries]
    tiles = {(level, number): hashes for level, number, hashes in tree.grow(lambda *_: [], 0, leaves)}

    def tile(level: int, number: int) -> Sequence[bytes]:
        return tiles.get((level, number), [])

    proof: dict[str, Any] = {
        "format": FORMAT,
        "log": str(signer.verifier),
        "checkpoint": signer.checkpoint(len(leaves), tree.root(tile, len(leaves))),
        "facts": [
            {
                "number": number,
                "entry": entry,
                "says": canonical(says),
                "salt": base64.b64encode(salt).decode(),
                "path": [base64.b64encode(step).decode() for step in tree.inclusion(tile, number, len(leaves))],
            }
            for number, (entry, (_, says), salt) in enumerate(zip(entries, facts, salts, strict=True), start=others)
        ],
    }
    return proof if document is None else proof | {"document": base64.b64encode(document).decode()}


def sealed_bill(key: SealingKeyMade, document: bytes, **changes: Says) -> list[tuple[Kind, Says]]:
    """The facts of a bill that this key sealed; by the kind's name, what of them is another."""
    said: dict[Kind, Says] = {
        Kind.BILLER_REGISTERED: {"id": "blr_1", "name": "Lumen"},
        Kind.KEY_REGISTERED: {
            "id": "key_1",
            "biller_id": "blr_1",
            "kid": key.kid,
            "jwk": key.public,
            "valid_from": BEFORE,
            "valid_until": AFTER,
        },
        Kind.BILL_DELIVERED: {
            "id": "bill_1",
            "biller_id": "blr_1",
            "number": "2026-1",
            "sha256": hashlib.sha256(document).hexdigest(),
            "seal": seal(key, document),
            "key_id": "key_1",
            "delivered_at": AT,
        },
    }
    return [(kind, says | changes.get(kind.name, {})) for kind, says in said.items()]
