"""Every table of the database: where its rows stand in an archive, or why they do not.

A test goes through the tables that there are, so a new one is in here or the test fails; and through their columns, so
that no secret gets out by a table that is in here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """Its rows are in the archive."""

    where: str  #: the file, under its ``rows``
    but: Mapping[str, str] = field(default_factory=dict)  #: columns that are not, each with its reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Left:
    """Its rows are not."""

    because: str


BILL = "bills/<id>.json"
CONSENTS, CONNECTIONS, PRIVACY, HELD = "consents.json", "connections.json", "privacy.json", "held.json"
_HIDDEN = "a secret, or the hash of one"
_DOCUMENT = "the document itself is in originals/"
_WIRE = "a request as it went to the bank: it may hold a code that was good once; its SHA-256 is in the proof"
_COMPARED = "made from another column, to compare by"
_COMPANY = "about a company, not about its customers"
_OURS = "how the service works; it has ids and no contents"

TABLES: dict[str, Taken | Left] = {
    # of a bill
    "invoice": Taken(where=BILL, but={"number_letters": _COMPARED, "reference_letters": _COMPARED}),
    "delivered_bill": Taken(
        where=BILL,
        but={"content": _DOCUMENT, "number_key": _COMPARED, "client_id": "what a program of the company is called"},
    ),
    "own_bill": Taken(where=f"{BILL}, {HELD}", but={"box": _DOCUMENT}),
    "held_bill": Taken(where=HELD, but={"content": _DOCUMENT, "client_id": "what a program of the company is called"}),
    "conformance": Taken(where=BILL),
    "biller": Taken(where=f"{BILL}, {CONNECTIONS}", but={"name_key": _COMPARED, "sequence": _COMPANY}),
    "biller_identifier": Taken(where=BILL, but={"value_key": _COMPARED}),
    "sealing_key": Taken(where=BILL),
    "correction": Taken(where=BILL),
    "bill_answer": Taken(where=BILL),
    "payee_name": Taken(where=BILL),
    "payee_check": Taken(where=BILL),
    "decision": Taken(where=BILL),
    "payment": Taken(where=BILL),
    "payment_history": Taken(where=BILL),
    "bank_call": Taken(where=BILL, but={"headers": _WIRE, "body": _WIRE}),
    "bank_attempt": Taken(where=BILL),
    "limit_claim": Taken(where=BILL),
    "statement_entry": Taken(where=BILL),
    "biller_word": Taken(where=BILL, but={"client_id": "what a program of the company is called"}),
    "receipt": Taken(where=BILL),
    "refund": Taken(where=BILL),
    "refund_history": Taken(where=BILL),
    "refund_account": Taken(where=BILL),
    "plan": Taken(where=BILL),
    "plan_day": Taken(where=BILL),
    "ledger_entry": Taken(where=BILL),
    "own_order": Taken(where=BILL),
    "bill_reminder": Taken(where=BILL),
    # of what is allowed at banks
    "consent": Taken(where=CONSENTS, but={"sca": "addresses at the bank that were good once"}),
    "standing": Taken(where=CONSENTS, but={"headers": _WIRE, "body": _WIRE}),
    "consent_history": Taken(where=CONSENTS),
    "consent_usage": Taken(where=CONSENTS),
    "shown_text": Taken(where=CONSENTS),
    "customer_bank": Taken(where=CONSENTS),
    "pay_first": Taken(where=CONSENTS),
    "trip": Taken(
        where=CONSENTS,
        but={"state_hash": _HIDDEN, "browser_hash": _HIDDEN, "redirect_uri": "it may end in a secret"},
    ),
    "sign_in": Taken(where=CONSENTS),
    # of companies
    "connection": Taken(where=CONNECTIONS),
    "connection_history": Taken(where=CONNECTIONS),
    "connection_code": Taken(where=CONNECTIONS, but={"code_hash": _HIDDEN}),
    "redemption": Taken(where=CONNECTIONS, but={"presented": _HIDDEN}),
    "invitation": Taken(where=CONNECTIONS, but={"name_key": _COMPARED}),
    "address_leak": Taken(where=CONNECTIONS),
    # of the customer
    "customer": Taken(where=f"manifest.json, {PRIVACY}", but={"mailbox_key": _COMPARED, "is_labelled": _COMPARED}),
    "recovery_code": Taken(where=PRIVACY, but={"code_hash": _HIDDEN}),
    "recovery": Taken(where=PRIVACY, but={"browser_hash": _HIDDEN}),
    "operator_access": Taken(where=PRIVACY),
    "opinion": Taken(where=PRIVACY),
    "erasure": Taken(where=PRIVACY),
    "passkey": Taken(where=PRIVACY),
    "removed_passkey": Taken(where=PRIVACY),
    "customer_session": Taken(where=PRIVACY, but={"token_hash": _HIDDEN}),
    "push_device": Taken(
        where=PRIVACY,
        but={
            "token_hash": _HIDDEN,
            "endpoint_key": _COMPARED,
            "subscription": "whoever has it could send to that browser",
        },
    ),
    "tool_token": Taken(where=PRIVACY, but={"token_hash": _HIDDEN}),
    "calendar_feed": Taken(where=PRIVACY, but={"token_hash": _HIDDEN, "told": "hashes of what stands in the bills"}),
    "stop": Taken(where=PRIVACY),
    "space_notice": Taken(where=PRIVACY),
    "notice": Taken(where=PRIVACY),
    "push_message": Taken(where=PRIVACY),
    "notice_choice": Taken(where=PRIVACY),
    "notice_times": Taken(where=PRIVACY),
    "outlook": Taken(where=PRIVACY),
    "payday": Taken(where=PRIVACY),
    "paying_round": Taken(where=PRIVACY),
    "export": Taken(where=PRIVACY),
    "brought": Taken(where=f"{PRIVACY}, brought/<id>.zip", but={"box": "the archive itself is in brought/"}),
    "brought_part": Taken(where="brought/<id>.zip", but={"box": "its bytes, in one file"}),
    "original": Taken(where="originals/<sha256>.<ending>", but={"box": "its bytes are the file"}),
    "log_entry": Taken(where="proofs/", but={"leaf": "the entry of each fact", "opening": "what it says"}),
    "log_checkpoint": Taken(where="proofs/: the newest"),
    # none of theirs
    "sealed": Left(
        because="tokens of banks, safe words and other secrets; accounts stand in standing and refund_account"
    ),
    "used_assertion": Left(because=_COMPANY),
    "recovery_attempt": Left(because="who asked for words by e-mail, which are good for ten minutes"),
    "ceremony": Left(because="challenges for passkeys, good for five minutes"),
    "ledger_balance": Left(because="sums over ledger_entry, which is in the archive"),
    "event": Left(because=_OURS),
    "work": Left(because=_OURS),
    "webhook_message": Left(because="what companies were told of rows that are in the archive, in other words"),
    "webhook_endpoint": Left(because=_COMPANY),
    "log_head": Left(because="of the log as a whole"),
    "log_tile": Left(because="hashes of all facts of everybody; the paths in proofs/ have those that are needed"),
    "biller_history": Left(because=_COMPANY),
    "payee_account": Left(because=_COMPANY),
    "payee_account_history": Left(because=_COMPANY),
    "api_client": Left(because=_COMPANY),
    "answer_policy": Left(because=_COMPANY),
    "upload": Left(because="many people's bills in one file of a company; each bill is with its customer"),
    "upload_part": Left(because="the same"),
    "upload_line": Left(because="the same"),
    "stray_bill": Left(because="a bill that reached nobody: nobody knows whose it was to be"),
    "bank_budget": Left(because="how often a bank is asked, for everybody"),
    "statement": Left(
        because="whole statements, of an account of many; bookings of a customer's payments are with them"
    ),
    "statement_account": Left(because="accounts whose statements we are sent: nothing says whose one is"),
    "difference_note": Left(because="an operator's note on a difference between banks and us"),
}


def left_of(table: str) -> frozenset[str]:
    """The columns that do not go along. Raises KeyError for a table that is not taken."""
    entry = TABLES[table]
    if isinstance(entry, Left):
        raise KeyError(table)
    return frozenset(entry.but)
