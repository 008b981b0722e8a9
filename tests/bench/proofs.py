"""``python -m tests.bench.proofs``: what it costs to check a thousand proofs of sealed bills, in CPU of one core.

The target is a second for all of them.
"""
# ruff: noqa: T201  # its output is for a person

from __future__ import annotations

import json
import time

from app.audit.checking import check
from app.signed_note import Signer
from tests.support.proofs import made, sealed_bill
from tests.support.sealing import new_sealing_key

PROOFS = 1000


def main() -> None:
    signer = Signer.generate("log")
    key = new_sealing_key()
    proofs = []
    for number in range(PROOFS):
        document = b'{"number": "%d"}' % number
        proofs.append(json.dumps(made(signer, sealed_bill(key, document), document=document)).encode())
    begun = time.process_time()
    for proof in proofs:
        check(proof, signer.verifier)
    seconds = time.process_time() - begun
    print(f"{PROOFS} proofs of sealed bills checked in {seconds:.2f} s")


if __name__ == "__main__":
    main()
