"""Checking a proof: what a stranger can know of a bill or a payment, with the log's public key and nothing else.

No database, no network, no clock. What cannot be shown is not said: a proof that holds shows that these facts stand in
the log at these places, unaltered and about one bill or payment; that the log was signed with this key; and, of a
sealed bill, that its biller's key sealed exactly these bytes. What whoever hands it over has left out, it cannot show:
a key that was taken back, a step that came later. A proof made anew has both.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from app.audit import tree
from app.audit.entries import SALT_SIZE, commitment
from app.audit.kinds import Kind
from app.audit.proofs import FORMAT
from app.audit.seals import is_sealed
from app.signed_note import Checkpoint, NoteError, Verifier

#: a proof with its document
PROOF_BYTES_MAX = 20 * 1024 * 1024
FACTS_MAX = 1000
#: what a proof is made of. Each is bound to the others below; what is not bound to them could be anybody's
BOUND = frozenset(
    {
        Kind.BILLER_REGISTERED,
        Kind.KEY_REGISTERED,
        Kind.KEY_REVOKED,
        Kind.BILL_DELIVERED,
        Kind.INVOICE_OPENED,
        Kind.PAYMENT_DECIDED,
        Kind.BANK_CALL,
        Kind.BANK_ATTEMPT,
        Kind.BANK_ANSWER,
        Kind.PAYMENT_STEP,
        Kind.RECEIPT_ISSUED,
    }
)


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
    """What a proof shows: all of it unaltered, and in the order of the log."""

    checkpoint: Checkpoint
    facts: tuple[Fact, ...]
    document: bytes | None  #: the bill, where it was delivered
    sealed_by: Fact | None  #: the registration of the key that sealed it, if that counts
    seal_over: str | None  #: why a seal does not count: its key was not good, or was taken back

    def of(self, kind: Kind) -> list[Fact]:
        return [fact for fact in self.facts if fact.kind is kind]


def check(content: bytes, verifier: Verifier) -> Checked:
    """Check all of it. Raises ProofError for the first thing that is not right."""
    if len(content) > PROOF_BYTES_MAX:
        raise ProofError("it is too large for a proof")
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
    if not isinstance(listed, list) or not 1 <= len(listed) <= FACTS_MAX:
        raise ProofError("it has no facts")
    facts = tuple(sorted((_fact(each, checkpoint) for each in listed), key=lambda fact: fact.number))
    if len({fact.number for fact in facts}) < len(facts):
        raise ProofError("it has one fact twice")
    document = _decoded(proof, "document") if "document" in proof else None
    try:
        _check_payment(facts)
        key, over = _check_document(facts, document)
    except (KeyError, TypeError) as error:
        raise ProofError("a fact of it does not say what a fact of its kind says") from error
    return Checked(checkpoint=checkpoint, facts=facts, document=document, sealed_by=key, seal_over=over)


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
    salt = _decoded(listed, "salt")
    if len(salt) != SALT_SIZE or not hmac.compare_digest(commitment(salt, says).encode(), committed.encode()):
        raise ProofError(f"fact {number} does not say what it said when it was logged: it was altered")
    kind = said.get("kind")
    if kind not in BOUND:
        raise ProofError(f"fact {number} is of a kind that no proof is made of")
    return Fact(number=number, kind=Kind(str(kind)), at=_text(said, "at"), says=_object(says.encode()))


def _check_payment(facts: Sequence[Fact]) -> None:
    """That all of it is of one bill of one biller, and of one payment of it, whole up to its last step."""
    of = {kind: [fact.says for fact in facts if fact.kind is kind] for kind in BOUND}
    decisions, delivered, invoices = of[Kind.PAYMENT_DECIDED], of[Kind.BILL_DELIVERED], of[Kind.INVOICE_OPENED]
    if len(delivered) > 1 or len(invoices) > 1 or not (delivered or decisions):
        raise ProofError("it is not of one bill or one payment")
    billers = {str(says["id"]) for says in of[Kind.BILLER_REGISTERED]}
    if billers != {str(says["biller_id"]) for says in delivered}:
        raise ProofError("the company that it names is not the one that delivered the bill")
    if [says["bill_id"] for says in invoices] not in ([], [says["id"] for says in delivered]):
        raise ProofError("the bill in the customer's space is not the one that was delivered")
    paid = {str(fact.says["payment_id"]) for fact in facts if "payment_id" in fact.says}
    if len(paid) > 1 or len(decisions) != len(paid):
        raise ProofError("its facts are not of one decision and its payment")
    if decisions and delivered and [says["invoice_id"] for says in decisions] != [says["id"] for says in invoices]:
        raise ProofError("what was decided is about another bill")
    steps = [says["sequence"] for says in of[Kind.PAYMENT_STEP]]
    if steps != list(range(1, len(steps) + 1)):
        raise ProofError("a step of the payment was left out")
    calls = {str(says["id"]) for says in of[Kind.BANK_CALL]}
    if not {str(says["call_id"]) for says in [*of[Kind.BANK_ATTEMPT], *of[Kind.BANK_ANSWER]]} <= calls:
        raise ProofError("a call to the bank was left out")


def _check_document(facts: Sequence[Fact], document: bytes | None) -> tuple[Fact | None, str | None]:
    """That it is the bill that was delivered, and sealed with the key that its biller had. Returns that key, or why the
    seal does not count any more; both None where there is none."""
    delivered = [fact for fact in facts if fact.kind is Kind.BILL_DELIVERED]
    if len(delivered) != (0 if document is None else 1):
        raise ProofError("it has a delivery without its document, or a document that was never delivered")
    if document is None:
        return None, None
    (delivery,) = delivered
    if hashlib.sha256(document).hexdigest() != delivery.says["sha256"]:
        raise ProofError("the document is not the one that was delivered: it was altered")
    seal = delivery.says["seal"]
    if seal is None:
        return None, None
    key = _key_of(facts, delivery)
    if not is_sealed(document, str(seal), key.says["jwk"]):
        raise ProofError("the seal is not over this document: it was altered, or another key made it")
    at = str(delivery.says["delivered_at"])
    if not str(key.says["valid_from"]) <= at < str(key.says["valid_until"]):
        return None, "its key was not good when the bill came"
    for fact in facts:
        if fact.kind is Kind.KEY_REVOKED and str(fact.says["revoked_since"]) <= at:
            return None, "its company took the key back: others may have had it when the bill came"
    return key, None


def _key_of(facts: Sequence[Fact], delivery: Fact) -> Fact:
    """The registration of the key that the seal is of."""
    key_id = delivery.says["key_id"]
    keys = [fact for fact in facts if fact.kind is Kind.KEY_REGISTERED]
    if [fact.says["id"] for fact in keys] != [key_id] or keys[0].number > delivery.number:
        raise ProofError("it does not show the key of the seal, registered before the bill came")
    if any(fact.says["id"] != key_id for fact in facts if fact.kind is Kind.KEY_REVOKED):
        raise ProofError("it shows the end of another key")
    if keys[0].says["biller_id"] != delivery.says["biller_id"]:
        raise ProofError("the key of the seal is another biller's")
    return keys[0]


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
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise ProofError(f"its {name} is no text") from error
    return value


def _decoded(holder: Mapping[str, Any], name: str) -> bytes:
    return _base64(_text(holder, name))


def _base64(value: object) -> bytes:
    try:
        return base64.b64decode(value if isinstance(value, str) else "?", validate=True)
    except (binascii.Error, ValueError) as error:
        raise ProofError("something in it is not Base64") from error
