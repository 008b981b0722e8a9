"""Checking a proof: what a stranger can know of a bill or a payment, with the log's public key and nothing else.

No database, no network, no clock. What cannot be shown is not said: a proof that holds shows that these facts stand in
the log at these places, unaltered; that the log was signed with this key; and, of a sealed bill, that its biller's key
sealed exactly these bytes while it was good.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from app.audit import tree
from app.audit.entries import commitment
from app.audit.kinds import Kind
from app.audit.proofs import FORMAT
from app.audit.seals import is_sealed
from app.signed_note import Checkpoint, NoteError, Verifier

#: a proof with its document
PROOF_BYTES_MAX = 20 * 1024 * 1024
FACTS_MOST = 1000


class ProofError(Exception):
    """It proves nothing; the text says what is wrong."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """One line of the log, unaltered."""

    number: int
    kind: Kind
    at: str
    says: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """What a proof shows."""

    checkpoint: Checkpoint
    facts: tuple[Fact, ...]
    document: bytes | None
    sealed_by: Fact | None  #: the registration of the key that sealed the document

    def of(self, kind: Kind) -> list[Fact]:
        return [fact for fact in self.facts if fact.kind is kind]


def check(content: bytes, verifier: Verifier) -> Checked:
    """Check all of it. Raises ProofError for the first thing that is not right."""
    proof = _object(content)
    if proof.get("format") != FORMAT:
        raise ProofError(f"this is not a proof of the form {FORMAT}")
    if proof.get("log") != str(verifier):
        raise ProofError("it is a proof of another log: not the one whose key you trust")
    try:
        checkpoint = verifier.open(_text(proof, "checkpoint"))
    except NoteError as error:
        raise ProofError(str(error)) from error
    listed = proof.get("facts")
    if not isinstance(listed, list) or not 1 <= len(listed) <= FACTS_MOST:
        raise ProofError("it has no facts")
    facts = tuple(_fact(each, checkpoint) for each in listed)
    document = _decoded(proof, "document") if "document" in proof else None
    _check_payment(facts)
    return Checked(checkpoint=checkpoint, facts=facts, document=document, sealed_by=_check_document(facts, document))


def _fact(listed: object, checkpoint: Checkpoint) -> Fact:
    if not isinstance(listed, dict):
        raise ProofError("a fact is no object")
    number, entry, says = listed.get("number"), _text(listed, "entry"), _text(listed, "says")
    path = listed.get("path")
    if type(number) is not int or not isinstance(path, list) or len(path) > 64:
        raise ProofError("a fact has no number or no path")
    steps = [_base64(step) for step in path]
    leaf = tree.leaf_hash(entry.encode())
    if tree.root_by(steps, number=number, size=checkpoint.size, leaf=leaf) != checkpoint.root:
        raise ProofError(f"fact {number} does not stand in the log like that: it was altered, or never there")
    said = _object(entry.encode())
    committed = str(said.get("commitment"))
    if not hmac.compare_digest(commitment(_decoded(listed, "salt"), says).encode(), committed.encode()):
        raise ProofError(f"fact {number} does not say what it said when it was logged: it was altered")
    try:
        return Fact(number=number, kind=Kind(said["kind"]), at=str(said["at"]), says=_object(says.encode()))
    except (ValueError, KeyError) as error:
        raise ProofError(f"fact {number} is of a kind that is not known here") from error


def _check_payment(facts: Iterable[Fact]) -> None:
    """That all of it is of one payment, and that of the bill that is shown with it."""
    decisions = [fact.says for fact in facts if fact.kind is Kind.PAYMENT_DECIDED]
    paid = {str(fact.says["payment_id"]) for fact in facts if "payment_id" in fact.says}
    if len(paid) > 1 or len(decisions) != len(paid):
        raise ProofError("its facts are not of one decision and its payment")
    invoices = [fact.says for fact in facts if fact.kind is Kind.INVOICE_OPENED]
    delivered = [fact.says for fact in facts if fact.kind is Kind.BILL_DELIVERED]
    if [each["bill_id"] for each in invoices] not in ([], [each["id"] for each in delivered]):
        raise ProofError("the bill in the customer's space is not the one that was delivered")
    if decisions and delivered and [each["invoice_id"] for each in decisions] != [each["id"] for each in invoices]:
        raise ProofError("what was decided is about another bill")


def _check_document(facts: Iterable[Fact], document: bytes | None) -> Fact | None:
    """That it is the bill that was delivered, and sealed with the key that its biller had then. Returns that key."""
    delivered = [fact for fact in facts if fact.kind is Kind.BILL_DELIVERED]
    if document is None:
        return None
    if len(delivered) != 1:
        raise ProofError("it has a document, and not the one delivery of it")
    (delivery,) = delivered
    if hashlib.sha256(document).hexdigest() != delivery.says.get("sha256"):
        raise ProofError("the document is not the one that was delivered: it was altered")
    seal = delivery.says.get("seal")
    if seal is None:
        return None
    key = _key_of(facts, delivery)
    if not is_sealed(document, str(seal), key.says["jwk"]):
        raise ProofError("the seal is not over this document: it was altered, or another key made it")
    return key


def _key_of(facts: Iterable[Fact], delivery: Fact) -> Fact:
    """The registration of the key, if the key was good when the bill was delivered, by what this proof says of it."""
    key_id = delivery.says.get("key_id")
    keys = [fact for fact in facts if fact.kind is Kind.KEY_REGISTERED and fact.says.get("id") == key_id]
    if len(keys) != 1 or keys[0].number > delivery.number:
        raise ProofError("it does not show the key of the seal, registered before the bill came")
    (key,) = keys
    if key.says["biller_id"] != delivery.says["biller_id"]:
        raise ProofError("the key of the seal is another biller's")
    at = str(delivery.says["delivered_at"])
    if not str(key.says["valid_from"]) <= at < str(key.says["valid_until"]):
        raise ProofError("the key of the seal was not good when the bill came")
    for fact in facts:
        if fact.kind is Kind.KEY_REVOKED and fact.says.get("id") == key_id and str(fact.says["revoked_since"]) <= at:
            raise ProofError("the key of the seal had been taken back when the bill came")
    return key


def _object(content: bytes) -> dict[str, Any]:
    try:
        read = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise ProofError("it is not JSON") from error
    if not isinstance(read, dict):
        raise ProofError("it is not a JSON object")
    return read


def _text(holder: Mapping[str, Any], name: str) -> str:
    value = holder.get(name)
    if not isinstance(value, str):
        raise ProofError(f"it has no {name}")
    return value


def _decoded(holder: Mapping[str, Any], name: str) -> bytes:
    return _base64(_text(holder, name))


def _base64(value: object) -> bytes:
    try:
        return base64.b64decode(value if isinstance(value, str) else "?", validate=True)
    except (binascii.Error, ValueError) as error:
        raise ProofError("something in it is not Base64") from error
