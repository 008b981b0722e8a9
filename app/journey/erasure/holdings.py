"""Every table: what of a person stands in it, what for, how long, and what becomes of it when they erase their space.

This is the record of processing (GDPR, Article 30; ``quittance privacy record`` prints it), and it is what erasing goes
by: the two cannot differ. A test fails for a table that is not here.

``whose`` is SQL: which rows are those of ``:customer``. Values of ``emptied`` and ``forgotten`` are SQL as well, and
take the place of what is not null. What a private column holds goes with its key, and is emptied with the rest
(``consent/private.py``).
"""

# ruff: noqa: E501  (SQL)

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field


class Stays(enum.StrEnum):
    """How long a row of a customer's stays."""

    WHILE_HERE = "until the customer erases their space, or removes it"
    RECORD = "as long as payments must be provable, without what tells who it was"
    SHORT = "minutes to days, by itself"
    NOBODYS = "no data of customers"


class Purpose(enum.StrEnum):
    """What for, and by which basis of GDPR, Article 6(1)."""

    SPACE = "giving the customer their space (contract)"
    BILLS = "receiving and showing bills (contract)"
    PAYING = "starting and proving payments (contract; legal obligation)"
    SAFETY = "keeping others out and finding fraud (contract; legitimate interest)"
    COMPANIES = "serving companies, as far as their customers allow (contract)"
    RUNNING = "running the installation (legitimate interest)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Holding:
    data: str  #: what of a person, in words; of a table without any, what it is
    purpose: Purpose
    stays: Stays
    whose: str = ""
    first: Mapping[str, str] = field(default_factory=dict)  #: before any row goes: what refers to those that do
    emptied: Mapping[str, str] = field(default_factory=dict)  #: at once, of rows that stay
    forgotten: Mapping[str, str] = field(default_factory=dict)  #: once payments need not be provable any more


_OF_CUSTOMER = "customer_id = :customer"
_OF_INVOICE = "invoice_id IN (SELECT id FROM invoice WHERE customer_id = :customer)"
_OF_PAYMENT = "payment_id IN (SELECT id FROM payment WHERE customer_id = :customer)"
_OF_CONSENT = "consent_id IN (SELECT id FROM consent WHERE customer_id = :customer)"
_OF_REFUND = "refund_id IN (SELECT id FROM refund WHERE customer_id = :customer)"
_OF_CONNECTION = "connection_id IN (SELECT id FROM connection WHERE customer_id = :customer)"
_OF_BILL = "bill_id IN (SELECT id FROM delivered_bill WHERE customer_id = :customer)"
_OF_HELD = "bill_id IN (SELECT id FROM held_bill WHERE customer_id = :customer)"
_OF_PLAN = "plan_id IN (SELECT id FROM plan WHERE customer_id = :customer)"
_OF_CALL = (
    "call_id IN (SELECT c.id FROM bank_call c JOIN payment p ON p.id = c.payment_id WHERE p.customer_id = :customer)"
)
#: in place of a number that must be the only one of its kind, and that nobody could have taken before
_UNKNOWN = "'(erased) ' || :chance || ' ' || id"
#: the same as its consent's where the bank had executed it by the approval alone (C10 of `quittance check`)
_UNKNOWN_TO_BANKS = (
    "'(erased) ' || CASE WHEN EXISTS (SELECT 1 FROM bank_call s WHERE s.payment_id = payment.id AND s.verb = 'submit')"
    " THEN id ELSE COALESCE(consent_id, id) END"
)
_NOT_BY_SQL = ":customer = ''"
#: whose payee is a person or company that a customer named themselves
_OWN_PAYEE = "CASE WHEN biller_id IS NULL THEN '(erased)' ELSE {} END"
_OWN_INVOICE_PAYEE = (
    "CASE WHEN invoice_id IN (SELECT id FROM invoice WHERE biller_id IS NULL) THEN '(erased)' ELSE {} END"
)


def _goes(
    data: str, purpose: Purpose = Purpose.SPACE, whose: str = _OF_CUSTOMER, stays: Stays = Stays.WHILE_HERE
) -> Holding:
    return Holding(data=data, purpose=purpose, stays=stays, whose=whose)


def _nobodys(what: str, purpose: Purpose = Purpose.RUNNING) -> Holding:
    return Holding(data=what, purpose=purpose, stays=Stays.NOBODYS)


def _record(
    data: str, whose: str = _OF_CUSTOMER, *, emptied: Mapping[str, str] | None = None, **forgotten: str
) -> Holding:
    return Holding(
        data=data,
        purpose=Purpose.PAYING,
        stays=Stays.RECORD,
        whose=whose,
        emptied=emptied or {},
        forgotten=forgotten,
    )


HOLDINGS: dict[str, Holding] = {
    # ------------------------------------------------------------------------------------------------ who they are
    "customer": Holding(
        data="name, e-mail address, language, time zone",
        purpose=Purpose.SPACE,
        stays=Stays.RECORD,
        whose="id = :customer",
        emptied={
            "mailbox_key": "NULL",
            "is_labelled": "FALSE",
            "email_proven_at": "NULL",
            "email_changed_at": "NULL",
            "demo": "FALSE",
        },
    ),
    "passkey": _goes("public keys of passkeys, their names, when they were used", Purpose.SAFETY),
    "removed_passkey": _goes("passkeys that were removed, and by which signature", Purpose.SAFETY),
    "customer_session": _goes("where they are signed in: browser, times", Purpose.SAFETY, stays=Stays.SHORT),
    "push_device": _goes("devices that show notices: where their browsers are reached (sealed), browser, times"),
    "ceremony": _goes("what was begun with a passkey", Purpose.SAFETY, stays=Stays.SHORT),
    "stop": Holding(
        data="when they stopped everything, and lifted that",
        purpose=Purpose.SAFETY,
        stays=Stays.RECORD,
        whose=_OF_CUSTOMER,
        first={"paused_by": "NULL"},
        forgotten={"lifted_evidence": "'{}'"},
    ),
    "recovery_code": _goes("codes that let them back in (hashes)", Purpose.SAFETY),
    "recovery": _goes("ways back in by e-mail, and what became of each", Purpose.SAFETY),
    "recovery_attempt": _goes(
        "who asked for words by e-mail to come back in",
        Purpose.SAFETY,
        "recovery_id IN (SELECT id FROM recovery WHERE customer_id = :customer)",
        Stays.SHORT,
    ),
    "operator_access": _record("which operator read something of theirs, and why", because="'(erased)'"),
    "tool_token": _goes("programs that they connected: name, scope, times"),
    "calendar_feed": _goes("calendars that they connected, and what these were told"),
    # ---------------------------------------------------------------------------------------------------- companies
    "connection": Holding(
        data="which companies they are connected with, their address for each, their reference there",
        purpose=Purpose.BILLS,
        stays=Stays.RECORD,
        whose=_OF_CUSTOMER,
        emptied={"address": "'erased-' || id", "reference": "NULL", "offered_reference": "NULL"},
    ),
    "connection_history": _record("when connections began and ended", _OF_CONNECTION),
    "connection_code": _goes("codes by which a company may find them (hashes)", Purpose.BILLS, stays=Stays.SHORT),
    "redemption": Holding(
        data="codes and addresses that companies came with, with their reference for the customer",
        purpose=Purpose.COMPANIES,
        stays=Stays.RECORD,
        whose=_OF_CONNECTION,
        emptied={"presented": "NULL", "reference": "NULL"},
    ),
    "stray_bill": _goes(
        "addresses to which a company delivered without being allowed to",
        Purpose.SAFETY,
        "address IN (SELECT address FROM connection WHERE customer_id = :customer)",
        Stays.SHORT,
    ),
    "address_leak": _goes("which company used an address that was another's", Purpose.SAFETY, _OF_CONNECTION),
    "invitation": _goes("companies that they asked to come here, by name", Purpose.BILLS),
    # -------------------------------------------------------------------------------------------------------- bills
    "delivered_bill": _record(
        "bills as delivered: number, amount",
        number=_UNKNOWN,
        number_key=_UNKNOWN,
        corrects_number="NULL",
        seal="NULL",
        content="NULL",
    ),
    "original": _goes(
        "the documents themselves", Purpose.BILLS, "name IN (SELECT '' WHERE :customer = '')"
    ),  # by their names, which SQL cannot make: service.py
    "held_bill": Holding(
        data="bills at which somebody must look first",
        purpose=Purpose.SAFETY,
        stays=Stays.RECORD,
        whose=_OF_CUSTOMER,
        emptied={
            "number": "'(erased)'",
            "corrects_number": "NULL",
            "payee_iban": "NULL",
            "seal": "NULL",
            "content": "NULL",
        },
    ),
    "own_bill": Holding(
        data="bills that they added themselves: the file, and what was read of it",
        purpose=Purpose.BILLS,
        stays=Stays.RECORD,
        whose=_OF_CUSTOMER,
        emptied={"sha256": "''", "box": "''", "reading": "'{}'"},
    ),
    "conformance": _goes("what the rules of EN 16931 say of their bills", Purpose.BILLS, _OF_BILL),
    "upload": _nobodys("files of bills of companies: counts", Purpose.COMPANIES),
    "upload_part": _goes("lines of such a file that wait, sealed", Purpose.COMPANIES, _NOT_BY_SQL, Stays.SHORT),
    "upload_line": Holding(
        data="what became of a line of such a file: number of the bill",
        purpose=Purpose.COMPANIES,
        stays=Stays.RECORD,
        whose=f"{_OF_BILL} OR {_OF_HELD}",
        emptied={"number": "NULL", "problems": "'[]'"},
    ),
    "invoice": _record(
        "bills: company, number, amounts, days, what they are for, how they are paid",
        emptied={"means_details": "'{}'"},
        number=_UNKNOWN,
        number_letters="''",
        reference="NULL",
        reference_letters="''",
        order_reference="NULL",
        payee_name=_OWN_PAYEE.format("payee_name"),
        payee_iban=_OWN_PAYEE.format("payee_iban"),
    ),
    "own_order": _goes("in which order they put their bills"),
    "correction": _record(
        "credit notes, new versions, withdrawals: number, amount, why", number=_UNKNOWN, names="NULL"
    ),
    "bill_answer": _record("what they said of a bill, and what its company replied", _OF_INVOICE),
    "answer_policy": _nobodys("how long companies give for an answer", Purpose.COMPANIES),
    "refund": _record("money that companies promised back", reference="NULL"),
    "refund_history": _record("what was said of it", _OF_REFUND, reference="NULL"),
    "refund_account": _record(
        "the account that they released for it, masked; the whole is in the vault",
        _OF_REFUND,
        emptied={"mask": "''"},
        evidence="'{}'",
    ),
    "plan": _record("on which days they meant to pay", _OF_INVOICE),
    "plan_day": _record("each of these days", _OF_PLAN),
    "paying_round": _goes("through which bills they are going", stays=Stays.SHORT),
    # ------------------------------------------------------------------------------------------------------- paying
    "customer_bank": _goes("which banks they use", Purpose.PAYING),
    "pay_first": _goes("from which bank they like to pay a company", Purpose.PAYING),
    "sign_in": _goes("sign-ins at a bank before a payment", Purpose.PAYING, stays=Stays.SHORT),
    "payee_name": _goes("what a bank said of the name of a payee", Purpose.SAFETY, _OF_INVOICE),
    "payee_check": _record(
        "what they confirmed of a payee before they paid",
        payee_name=_OWN_INVOICE_PAYEE.format("payee_name"),
        payee_iban=_OWN_INVOICE_PAYEE.format("payee_iban"),
        typed_iban="'(erased)'",
        name_found="NULL",
        likeness="NULL",
    ),
    "decision": _record(
        "what they decided to pay, with the signature of their passkey",
        payee_name=_OWN_INVOICE_PAYEE.format("payee_name"),
        payee_iban=_OWN_INVOICE_PAYEE.format("payee_iban"),
        reference="NULL",
        evidence="'{}'",
    ),
    "payment": _record("payments: amount, bank, state, times", bank_payment_id=_UNKNOWN_TO_BANKS),
    "payment_history": _record(
        "how each came to its state, and the bank's answer",
        _OF_PAYMENT,
        answer="NULL",
        evidence="CASE WHEN evidence LIKE '% %' THEN '(erased)' ELSE evidence END",  # a sentence of an operator's
    ),
    "bank_call": _record(
        "what was sent to the bank, byte by byte, with the address of their device",
        _OF_PAYMENT,
        headers="'{}'",
        body="''",
    ),
    "bank_attempt": _record("how often, and what the bank answered", _OF_CALL, answer="NULL"),
    "bank_budget": _nobodys("how often a bank may be asked"),
    "trip": _record("trips to their bank: times, and which came back"),
    "consent": _record("approvals at their bank", bank_consent_id="'(erased) ' || id", sca="'{}'"),
    "standing": _record(
        "consents under which several bills are paid: payee, limits, the account that pays, masked",
        evidence="'{}'",
        headers="'{}'",
        body="''",
    ),
    "consent_history": _record(
        "how each came to its state, and the bank's answer",
        _OF_CONSENT,
        answer="NULL",
        evidence="CASE WHEN evidence LIKE '% %' THEN '(erased)' ELSE evidence END",  # it may name an account, masked
    ),
    "consent_usage": _record("how much of a limit was used", _OF_CONSENT),
    "limit_claim": _record("by which payments", _OF_CONSENT),
    "shown_text": _nobodys("the sentences under which a consent was given", Purpose.PAYING),
    "ledger_entry": _record("what is owed and was paid: amounts", _OF_INVOICE),
    "ledger_balance": _nobodys("sums of these"),
    "receipt": _record("receipts", number="id"),
    "biller_word": _record("what a company said of a payment it got", _OF_PAYMENT),
    "statement": _nobodys("statements of the installation's own accounts"),
    "statement_account": _nobodys("which accounts these are"),
    "statement_entry": _record(
        "lines of such a statement about their payments",
        _OF_PAYMENT,
        counterparty_iban="NULL",
        end_to_end_id="'(erased)'",
    ),
    "difference_note": _nobodys("what operators wrote about differences"),
    # -------------------------------------------------------------------------------------------------------- money
    "outlook": _goes("what they have in their account, as they say, and the least that is to stay"),
    "payday": _goes("when money comes, and how much, as they say"),
    # ------------------------------------------------------------------------------------------------------ messages
    # it stays: who compares the counts of before and after would learn what one person said
    "opinion": _record("whether a payment or a dispute was easy for them"),
    "space_notice": _goes("what they were told in their space, and whether they have seen it"),
    "notice": _goes("which messages they were sent by e-mail, and what became of each"),
    "push_message": _goes("which were sent to their devices"),
    "notice_choice": _goes("what they want to be told of"),
    "notice_times": _goes("when they want to be told"),
    "bill_reminder": _goes("of which bills they were reminded"),
    # -------------------------------------------------------------------------------------------------------- papers
    "export": _goes("that they took their papers along, and by which signature", Purpose.SAFETY),
    "brought": _goes("papers of other places that they brought along"),
    "brought_part": _goes(
        "these papers themselves", whose="brought_id IN (SELECT id FROM brought WHERE customer_id = :customer)"
    ),
    # ------------------------------------------------------------------------------------------------ what is sealed
    "sealed": _goes(
        "secrets: safe words, accounts that pay or were released for a refund; tokens of banks end by themselves",
        Purpose.PAYING,
        "id LIKE 'customer:' || :customer || ':%'"
        " OR id IN (SELECT 'refund:' || a.id FROM refund_account a JOIN refund r ON r.id = a.refund_id"
        " WHERE r.customer_id = :customer)"
        " OR id IN (SELECT 'consent:' || id || '\\:payer' FROM consent WHERE customer_id = :customer)",
    ),
    "erasure": _record("that they erased their space, and when"),
    # ------------------------------------------------------------------------------------------------------- the log
    "log_entry": _record("facts of bills, payments and consents, each sealed with a key of its customer", _NOT_BY_SQL),
    "log_head": _nobodys("when the log began"),
    "log_tile": _nobodys("hashes of the log's tree"),
    "log_checkpoint": _nobodys("what was signed of the log"),
    "event": _nobodys("what happened, by ids"),
    "work": _nobodys("what is to be done, by ids"),
    # ----------------------------------------------------------------------------------------------------- companies'
    "biller": _nobodys("companies", Purpose.COMPANIES),
    "biller_history": _nobodys("how they were vetted, and by which operator", Purpose.COMPANIES),
    "biller_identifier": _nobodys("their numbers in registers", Purpose.COMPANIES),
    "payee_account": _nobodys("their accounts", Purpose.COMPANIES),
    "payee_account_history": _nobodys("how these were checked, and by which operator", Purpose.COMPANIES),
    "sealing_key": _nobodys("keys with which they seal bills", Purpose.COMPANIES),
    "api_client": _nobodys("their programs", Purpose.COMPANIES),
    "used_assertion": _nobodys("which of these programs' assertions were used"),
    "webhook_endpoint": _nobodys("where they are told", Purpose.COMPANIES),
    "webhook_message": Holding(
        data="what a company was told of its own bills and connections",
        purpose=Purpose.COMPANIES,
        stays=Stays.RECORD,
        whose=(
            "(delivered_at IS NOT NULL OR dropped_at IS NOT NULL) AND (subject IN (SELECT id FROM connection WHERE"
            " customer_id = :customer) OR subject IN (SELECT id FROM invoice WHERE customer_id = :customer) OR subject"
            " IN (SELECT bill_id FROM invoice WHERE customer_id = :customer) OR subject IN (SELECT id FROM payment WHERE"
            " customer_id = :customer) OR subject IN (SELECT id FROM refund WHERE customer_id = :customer) OR subject IN"
            " (SELECT id FROM bill_answer WHERE customer_id = :customer))"
        ),
        emptied={"body": "''"},
        forgotten={"body": "''"},
    ),
}

#: also at once where no payment was ever begun: there is nothing to prove
UNPAID: dict[str, str] = {
    "invoice": "customer_id = :customer AND NOT EXISTS (SELECT 1 FROM decision d WHERE d.invoice_id = invoice.id)",
    "delivered_bill": (
        "customer_id = :customer AND NOT EXISTS (SELECT 1 FROM invoice i JOIN decision d ON d.invoice_id = i.id"
        " WHERE i.bill_id = delivered_bill.id)"
    ),
    "correction": (
        "customer_id = :customer AND NOT EXISTS (SELECT 1 FROM decision d WHERE d.invoice_id = correction.invoice_id)"
    ),
}
