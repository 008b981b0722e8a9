"""What a proof shows, and every way in which one shows nothing."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.audit.checking import Checked, ProofError, check
from app.audit.kinds import Kind
from app.signed_note import Signer
from tests.support.proofs import AFTER, AT, BEFORE, made, sealed_bill
from tests.support.sealing import new_sealing_key, seal

SIGNER = Signer.generate("log")
KEY = new_sealing_key()
DOCUMENT = b'{"number": "2026-1", "amount": "84.20"}'
PAYMENT: list[tuple[Kind, dict[str, Any]]] = [
    (Kind.INVOICE_OPENED, {"id": "inv_1", "bill_id": "bill_1"}),
    (Kind.PAYMENT_DECIDED, {"id": "dec_1", "invoice_id": "inv_1", "payment_id": "pay_1"}),
    (Kind.PAYMENT_STEP, {"payment_id": "pay_1", "sequence": 1, "after": "prepared"}),
    (Kind.PAYMENT_STEP, {"payment_id": "pay_1", "sequence": 2, "after": "settled"}),
    (Kind.RECEIPT_ISSUED, {"id": "rcp_1", "payment_id": "pay_1", "number": "Q-1"}),
]


def checked(proof: dict[str, Any]) -> Checked:
    return check(json.dumps(proof).encode(), SIGNER.verifier)


def test_a_sealed_bill_and_its_payment() -> None:
    found = checked(made(SIGNER, [*sealed_bill(KEY, DOCUMENT), *PAYMENT], document=DOCUMENT))
    assert found.document == DOCUMENT
    assert found.sealed_by is not None
    assert found.sealed_by.says["kid"] == KEY.kid
    assert [fact.number for fact in found.facts] == list(range(300, 308))
    assert found.of(Kind.RECEIPT_ISSUED)[0].says["number"] == "Q-1"
    assert found.checkpoint.size == 308


def test_a_bill_without_a_seal_is_unaltered_and_not_sealed() -> None:
    facts = sealed_bill(KEY, DOCUMENT, BILL_DELIVERED={"seal": None, "key_id": None})
    found = checked(made(SIGNER, facts, document=DOCUMENT))
    assert (found.document, found.sealed_by) == (DOCUMENT, None)


def test_a_flipped_byte_is_a_refusal_ten_thousand_times() -> None:
    """Each time another bill, another byte of it."""
    refused = 0
    for turn in range(10_000):
        content = b"%s %d" % (DOCUMENT, turn)
        place = turn % len(content)
        flipped = bytes([*content[:place], content[place] ^ (1 + turn % 255), *content[place + 1 :]])
        proof = _TEN_THOUSAND | {"document": base64.b64encode(flipped).decode()}
        try:
            checked(proof)
        except ProofError:
            refused += 1
    assert refused == 10_000


_TEN_THOUSAND = made(SIGNER, sealed_bill(KEY, DOCUMENT), document=DOCUMENT)


@given(st.data())
def test_no_bent_proof_says_anything_else(data: st.DataObject) -> None:
    """Whatever character is another one: it is refused, or it shows the very same."""
    right = made(SIGNER, [*sealed_bill(KEY, DOCUMENT), *PAYMENT], document=DOCUMENT)
    text = json.dumps(right)
    place = data.draw(st.integers(0, len(text) - 1))
    other = data.draw(st.characters(min_codepoint=32, max_codepoint=126).filter(lambda each: each != text[place]))
    bent = text[:place] + other + text[place + 1 :]
    try:
        found = check(bent.encode(), SIGNER.verifier)
    except ProofError:
        return
    said = checked(right)
    assert (found.facts, found.checkpoint) == (said.facts, said.checkpoint)
    assert found.document in (DOCUMENT, None)


Change = Callable[[dict[str, Any]], object]
WRONG: dict[str, tuple[Change, str]] = {
    "another form": (lambda proof: proof.update(format="x"), "not a proof of the form"),
    "another log": (lambda proof: proof.update(log="x"), "of another log"),
    "no checkpoint": (lambda proof: proof.pop("checkpoint"), "has no checkpoint"),
    "another's checkpoint": (
        lambda proof: proof.update(checkpoint=Signer.generate("log").checkpoint(303, bytes(32))),
        "not signed with the key",
    ),
    "no facts": (lambda proof: proof.update(facts=[]), "has no facts"),
    "a fact that is none": (lambda proof: proof.update(facts=[1]), "is no object"),
    "another place": (lambda proof: proof["facts"][0].update(number=1), "does not stand in the log"),
    "no place": (lambda proof: proof["facts"][0].update(number=True), "no number or no path"),
    "an endless path": (lambda proof: proof["facts"][0].update(path=[""] * 65), "no number or no path"),
    "a path of something else": (lambda proof: proof["facts"][0].update(path=[3]), "not Base64"),
    "another entry": (lambda proof: proof["facts"][0].update(entry="{}"), "does not stand in the log"),
    "other words": (lambda proof: proof["facts"][0].update(says="{}"), "does not say what it said"),
    "another salt": (lambda proof: proof["facts"][0].update(salt="AAAA"), "does not say what it said"),
    "another document": (lambda proof: proof.update(document="AAAA"), "not the one that was delivered"),
    "a document that is none": (lambda proof: proof.update(document=3), "has no document"),
    "no document": (lambda proof: proof.pop("document"), "a delivery without its document"),
    "one fact twice": (lambda proof: proof["facts"].append(proof["facts"][0]), "one fact twice"),
    "half a character": (lambda proof: proof["facts"][0].update(says="\ud800"), "is no text"),
    "no salt": (lambda proof: proof["facts"][0].update(salt=""), "does not say what it said"),
}


@pytest.mark.parametrize("what", WRONG)
def test_what_is_wrong_is_said(what: str) -> None:
    change, sentence = WRONG[what]
    proof = made(SIGNER, sealed_bill(KEY, DOCUMENT), document=DOCUMENT)
    change(proof)
    with pytest.raises(ProofError, match=sentence):
        checked(proof)


@pytest.mark.parametrize("content", [b"", b"\xff", b"[]", b"[" * 100_000, b"null"])
def test_what_is_no_proof_is_refused(content: bytes) -> None:
    with pytest.raises(ProofError):
        check(content, SIGNER.verifier)


OTHER = new_sealing_key(kid=KEY.kid)
FALSE: dict[str, tuple[list[tuple[Kind, dict[str, Any]]], str]] = {
    "sealed by another key": (
        sealed_bill(KEY, DOCUMENT, BILL_DELIVERED={"seal": seal(OTHER, DOCUMENT)}),
        "another key made it",
    ),
    "sealed over something else": (
        sealed_bill(KEY, DOCUMENT, BILL_DELIVERED={"seal": seal(KEY, b"x")}),
        "not over this document",
    ),
    "no key is shown": (sealed_bill(KEY, DOCUMENT)[::2], "does not show the key"),
    "the key came after the bill": (sealed_bill(KEY, DOCUMENT)[::-1], "registered before the bill"),
    "the key is another biller's": (
        sealed_bill(KEY, DOCUMENT, KEY_REGISTERED={"biller_id": "blr_2"}),
        "another biller's",
    ),
    "the end of another key": (
        [*sealed_bill(KEY, DOCUMENT), (Kind.KEY_REVOKED, {"id": "key_2", "revoked_since": AFTER})],
        "the end of another key",
    ),
    "another company is named": (
        sealed_bill(KEY, DOCUMENT, BILLER_REGISTERED={"id": "blr_2", "name": "Telekom"}),
        "not the one that delivered",
    ),
    "two companies are named": (
        [(Kind.BILLER_REGISTERED, {"id": "blr_2", "name": "Telekom"}), *sealed_bill(KEY, DOCUMENT)],
        "not the one that delivered",
    ),
    "no company is named": (sealed_bill(KEY, DOCUMENT)[1:], "not the one that delivered"),
    "a kind that is bound to nothing": (
        [*sealed_bill(KEY, DOCUMENT), (Kind.ACCOUNT_PROPOSED, {"id": "acc_1", "iban": "DE"})],
        "no proof is made of",
    ),
    "a fact that says nothing": ([*sealed_bill(KEY, DOCUMENT), (Kind.PAYMENT_STEP, {})], "does not say what"),
    "two deliveries": ([*sealed_bill(KEY, DOCUMENT), sealed_bill(KEY, DOCUMENT)[2]], "not of one bill"),
    "a step was left out": ([*sealed_bill(KEY, DOCUMENT), *PAYMENT[:2], *PAYMENT[3:]], "a step of the payment"),
    "a call was left out": (
        [*sealed_bill(KEY, DOCUMENT), (Kind.BANK_ATTEMPT, {"call_id": "bnk_1", "number": 1})],
        "a call to the bank",
    ),
    "a payment of another decision": (
        [*sealed_bill(KEY, DOCUMENT), *PAYMENT, (Kind.PAYMENT_STEP, {"payment_id": "pay_2", "sequence": 3})],
        "not of one decision",
    ),
    "a payment without a decision": ([*sealed_bill(KEY, DOCUMENT), PAYMENT[0], PAYMENT[2]], "not of one decision"),
    "a decision about another bill": (
        [
            *sealed_bill(KEY, DOCUMENT),
            PAYMENT[0],
            (Kind.PAYMENT_DECIDED, {"payment_id": "pay_1", "invoice_id": "inv_2"}),
        ],
        "about another bill",
    ),
    "another bill in the space": (
        [*sealed_bill(KEY, DOCUMENT), (Kind.INVOICE_OPENED, {"id": "inv_1", "bill_id": "bill_2"})],
        "not the one that was delivered",
    ),
}


@pytest.mark.parametrize("what", FALSE)
def test_facts_that_do_not_belong_together_prove_nothing(what: str) -> None:
    """Each of them stands in the log; together they would tell another story."""
    facts, sentence = FALSE[what]
    with pytest.raises(ProofError, match=sentence):
        checked(made(SIGNER, facts, document=DOCUMENT))


def test_only_a_registration_is_no_proof_of_anything() -> None:
    with pytest.raises(ProofError, match="not of one bill or one payment"):
        checked(made(SIGNER, sealed_bill(KEY, DOCUMENT)[:1]))


def test_a_key_that_was_taken_back_later_was_good_then() -> None:
    revoked = (Kind.KEY_REVOKED, {"id": "key_1", "revoked_since": AFTER})
    assert checked(made(SIGNER, [*sealed_bill(KEY, DOCUMENT), revoked], document=DOCUMENT)).sealed_by is not None


@pytest.mark.parametrize(
    ("facts", "sentence"),
    [
        (sealed_bill(KEY, DOCUMENT, KEY_REGISTERED={"valid_from": AFTER}), "was not good"),
        (sealed_bill(KEY, DOCUMENT, KEY_REGISTERED={"valid_until": AT}), "was not good"),
        (
            [*sealed_bill(KEY, DOCUMENT), (Kind.KEY_REVOKED, {"id": "key_1", "revoked_since": BEFORE})],
            "took the key back",
        ),
    ],
    ids=["not yet", "over", "taken back"],
)
def test_a_seal_that_does_not_count_takes_nothing_from_the_payment(
    facts: list[tuple[Kind, dict[str, Any]]], sentence: str
) -> None:
    found = checked(made(SIGNER, [*facts, *PAYMENT], document=DOCUMENT))
    assert found.sealed_by is None
    assert sentence in (found.seal_over or "")
    assert found.of(Kind.RECEIPT_ISSUED)


def test_facts_are_told_in_the_order_of_the_log() -> None:
    """Else who hands it over could put "settled" behind "reversed"."""
    proof = made(SIGNER, [*sealed_bill(KEY, DOCUMENT), *PAYMENT], document=DOCUMENT)
    proof["facts"].reverse()
    numbers = [fact.number for fact in checked(proof).facts]
    assert numbers == sorted(numbers)
