"""`quittance receipt`: checking what somebody hands over as a bill or a receipt. Needs no database and no network."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from app.cli.words import add_word


def add(words: Any) -> None:
    receipt = add_word(words, "receipt", None, "proofs of bills and payments")
    verbs = receipt.add_subparsers(metavar="COMMAND", required=True)
    verify = add_word(
        verbs, "verify", _verify, "check a proof offline: real, by whom, unaltered, logged as which number"
    )
    verify.add_argument("proof", type=Path, nargs="+", help="files as the pages and the API give them out")
    verify.add_argument("--key", required=True, type=Path, help="file with the log's public key (quittance audit key)")


def _verify(chosen: argparse.Namespace) -> int:
    from app.audit.checking import ProofError, check
    from app.signed_note import Verifier

    verifier = Verifier.parse(chosen.key.read_text())
    wrong = 0
    for path in chosen.proof:
        try:
            checked = check(path.read_bytes(), verifier)
        except ProofError as error:
            wrong += 1
            print(f"{path}: NOT PROVEN: {error}")
            continue
        print(f"{path}: genuine, of a log of {checked.checkpoint.size} facts")
        for fact in checked.facts:
            print(f"  {fact.number}  {fact.at}  {fact.kind}  {_words(fact.says)}")
        if checked.document is not None:
            sealed = f"sealed with key {checked.sealed_by.says['kid']}" if checked.sealed_by else "not sealed"
            sealed = f"its seal does not count: {checked.seal_over}" if checked.seal_over else sealed
            print(f"  the document is unaltered, and {sealed}")
    return 1 if wrong else 0


def _words(says: Any) -> str:
    """What a person looks for; the file has the rest."""
    names = ("name", "number", "amount_minor", "currency", "payee_name", "payee_iban", "before", "after", "kid", "fact")
    return "  ".join(f"{name} {says[name]}" for name in names if says.get(name) is not None)
