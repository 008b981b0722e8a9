"""What must always be true of the database, each as one query that finds no row. `quittance check` runs them all.

The letters are groups: A connections, B claims, C calls that could lead to money, D states, E consents,
F ledger and receipts, G telling, H the log, L liveness (nothing waits longer than it may), M messages to customers,
P payee accounts, V billers. Many are constraints of the tables as well: what two things keep, one mistake does not
break. The queries read tables only, so that they judge the code and do not repeat it.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, DateTime, Engine, bindparam, text

from app.audit.kinds import SOURCES, without_entry

#: rows that are shown of a broken invariant
ROWS_MOST = 20

#: lists of states, and one of payments, that several queries name
_WORDS = {
    "live": "('prepared', 'initiating', 'awaiting_customer', 'authorised', 'submitting', 'accepted', 'unknown')",
    "held": "('prepared', 'initiating', 'awaiting_customer', 'authorised', 'submitting', 'accepted', 'unknown',"
    " 'settled')",
    "closed": "('rejected', 'cancelled', 'expired')",
    "ended": "('settled', 'rejected', 'cancelled', 'expired', 'reversed')",
    # corrections that came on top of another payment of the same invoice: the biller owes them
    "overpaid": "(SELECT payment_id FROM ledger_entry"
    " WHERE kind = 'corrected' AND account LIKE 'adjust:%' AND amount_minor < 0 AND payment_id IS NOT NULL"
    " AND payment_id NOT IN (SELECT payment_id FROM ledger_entry WHERE kind = 'applied' AND payment_id IS NOT NULL))",
}
_TOGETHER = re.compile(r"\{together:([^,}]+),([^}]+)\}")
_ASKED = re.compile(r"\{asked:([^,}]+),([^}]+)\}")
_SECONDS = re.compile(r"\{seconds:([^,}]+),([^}]+)\}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Invariant:
    """``sql`` returns the ids of what breaks it.

    In it ``{live}`` and its like are lists, ``{seconds:a,b}`` is a − b in seconds, ``:now`` is the time, and
    ``{asked:handler,field}`` selects the ids that stand in this field of the handler's work, ``{together:…}`` those in
    the many facts of its work. EXCEPT takes them away as one set: to look through all work for each id takes minutes
    among many payments.
    """

    name: str
    says: str
    sql: str
    #: a matter of time: it may be broken for a moment while something is away, and heals by itself
    late: bool = False

    def query(self, dialect: str) -> str:
        """The query in the words of ``sqlite`` or ``postgresql``."""
        query = self.sql
        for word, meaning in _WORDS.items():
            query = query.replace(f"{{{word}}}", meaning)
        facts = {
            "postgresql": "json_array_elements(payload -> 'facts') AS fact(value)",
            "sqlite": "json_each(payload, '$.facts') AS fact",
        }[dialect]
        query = _TOGETHER.sub(rf"SELECT fact.value ->> '\2' FROM work, {facts} WHERE handler = '\1'", query)  # noqa: S608
        query = _ASKED.sub(r"SELECT payload ->> '\2' FROM work WHERE handler = '\1'", query)
        if dialect == "postgresql":
            difference = r"EXTRACT(EPOCH FROM (CAST(\1 AS timestamptz) - CAST(\2 AS timestamptz)))"
        else:
            difference = r"((julianday(\1) - julianday(\2)) * 86400.0)"
        return _SECONDS.sub(difference, query)


def _holds(name: str, says: str, sql: str) -> Invariant:
    return Invariant(name=name, says=says, sql=sql)


def _in_time(name: str, says: str, sql: str) -> Invariant:
    return Invariant(name=name, says=says, sql=sql, late=True)


INVARIANTS: Sequence[Invariant] = (
    # -------------------------------------------------------------------------------------------------- A connections
    _holds(
        "A1",
        "a connection's history is unbroken and ends where the connection stands",
        "SELECT later.connection_id FROM connection_history later LEFT JOIN connection_history earlier"
        " ON earlier.connection_id = later.connection_id AND earlier.sequence = later.sequence - 1"
        " WHERE later.before <> COALESCE(earlier.after, 'none')"
        " UNION ALL SELECT c.id FROM connection c LEFT JOIN connection_history h"
        " ON h.connection_id = c.id AND h.sequence = c.sequence WHERE h.connection_id IS NULL OR h.after <> c.state"
        " UNION ALL SELECT h.connection_id FROM connection_history h JOIN connection c ON c.id = h.connection_id"
        " WHERE h.sequence > c.sequence",
    ),
    _holds(
        "A2",
        "nobody is connected whom the customer has not asked or accepted since they were last apart",
        "SELECT h.connection_id FROM connection_history h JOIN connection c ON c.id = h.connection_id"
        " WHERE h.after = 'active' AND h.before <> 'muted'"
        " AND NOT (h.source = 'operator' OR (h.step = 'accept' AND h.source = 'customer')"
        " OR (h.before IN ('asked', 'checking') AND EXISTS (SELECT 1 FROM connection_history a"
        " WHERE a.connection_id = h.connection_id AND a.sequence BETWEEN h.sequence - 2 AND h.sequence - 1"
        " AND a.step = 'ask' AND a.source = 'customer')))",
    ),
    _holds(
        "A3",
        "no bill reached a customer who had left, blocked or never accepted its biller, but a credit note of one that"
        " had reached them",
        # what was on its way at the same moment came before: their order within a minute is not told by the clock
        "SELECT b.id FROM delivered_bill b LEFT JOIN connection c"
        " ON c.customer_id = b.customer_id AND c.biller_id = b.biller_id WHERE c.id IS NULL"
        " UNION ALL SELECT b.id FROM delivered_bill b JOIN connection c"
        " ON c.customer_id = b.customer_id AND c.biller_id = b.biller_id"
        " JOIN connection_history h ON h.connection_id = c.id AND h.after NOT IN ('active', 'muted')"
        " LEFT JOIN connection_history later ON later.connection_id = c.id AND later.sequence = h.sequence + 1"
        " WHERE {seconds:b.delivered_at,h.at} > 60"
        " AND (later.connection_id IS NULL OR {seconds:later.at,b.delivered_at} > 60)"
        " AND NOT (b.kind = 'credit_note' AND EXISTS (SELECT 1 FROM delivered_bill n WHERE n.biller_id = b.biller_id"
        " AND n.customer_id = b.customer_id AND n.number = b.corrects_number AND n.kind = 'invoice'"
        " AND n.delivered_at <= b.delivered_at))"
        # before the very first step
        " UNION ALL SELECT b.id FROM delivered_bill b JOIN connection c"
        " ON c.customer_id = b.customer_id AND c.biller_id = b.biller_id"
        " JOIN connection_history h ON h.connection_id = c.id AND h.sequence = 1"
        " WHERE {seconds:h.at,b.delivered_at} > 60",
    ),
    _holds(
        "A4",
        "a code brought one biller to one customer, and an accepted redemption stands for a connection of its biller",
        "SELECT min(id) FROM connection_code WHERE redemption_id IS NOT NULL GROUP BY redemption_id HAVING count(*) > 1"
        " UNION ALL SELECT r.id FROM redemption r LEFT JOIN connection c ON c.id = r.connection_id"
        " WHERE (r.connection_id IS NOT NULL AND (c.id IS NULL OR c.biller_id <> r.biller_id))"
        " OR (r.accepted_at IS NOT NULL AND (c.id IS NULL OR c.shared_at IS NULL))"
        " UNION ALL SELECT k.id FROM connection_code k JOIN redemption r ON r.id = k.redemption_id"
        " JOIN connection c ON c.id = r.connection_id WHERE c.customer_id <> k.customer_id",
    ),
    _holds(
        "A5",
        "whatever a biller came with was looked at, or is about to be",
        "SELECT id FROM redemption WHERE taken_up_at IS NULL EXCEPT {asked:connections.take_up,redemption_id}",
    ),
    # ------------------------------------------------------------------------------------------------------- B claims
    _holds(
        "B1",
        "what payments hold and have paid of an invoice is never more than it was billed",
        "SELECT i.id FROM invoice i JOIN payment p ON p.invoice_id = i.id JOIN decision d ON d.id = p.decision_id"
        " WHERE p.state IN {held} AND p.id NOT IN {overpaid}"
        " GROUP BY i.id, i.amount_minor HAVING sum(p.amount_minor + d.discount_minor) > i.amount_minor",
    ),
    _holds(
        "B2",
        "every payment has its customer's decision, made before it, over exactly its values",
        "SELECT p.id FROM payment p LEFT JOIN decision d ON d.id = p.decision_id WHERE d.id IS NULL"
        " OR d.decided_at > p.created_at OR d.payment_id <> p.id OR d.amount_minor <> p.amount_minor"
        " OR d.currency <> p.currency OR d.invoice_id <> p.invoice_id OR d.customer_id <> p.customer_id"
        " OR d.bank_id <> p.bank_id",
    ),
    _holds(
        "B3",
        "a decision is about the very bill as it was then: payee, account, reference and what was asked",
        "SELECT d.id FROM decision d JOIN invoice i ON i.id = d.invoice_id WHERE d.payee_iban <> i.payee_iban"
        " OR d.payee_name <> i.payee_name OR d.currency <> i.currency OR d.customer_id <> i.customer_id"
        " OR COALESCE(d.reference, '') <> COALESCE(i.reference, '')"
        " OR d.amount_minor + d.discount_minor <> i.amount_minor - d.credited_minor"
        " OR d.credited_minor > i.credited_minor",
    ),
    _holds(
        "B4",
        "one decision starts one payment",
        "SELECT decision_id FROM payment GROUP BY decision_id HAVING count(*) > 1",
    ),
    _holds(
        "B6",
        "one number of one biller is one invoice",
        "SELECT min(id) FROM invoice WHERE biller_id IS NOT NULL GROUP BY biller_id, number HAVING count(*) > 1",
    ),
    _holds(
        "B7",
        "an invoice says paid, in payment or to pay as its ledger does",
        "SELECT i.id FROM invoice i JOIN ledger_balance due ON due.account = 'due:' || i.id"
        " LEFT JOIN payment p ON p.invoice_id = i.id AND p.state = 'settled'"
        " AND p.id NOT IN {overpaid}"
        " WHERE (i.state = 'to_pay') <> (due.balance_minor > 0) OR (i.state = 'paid') <> (p.id IS NOT NULL)",
    ),
    _holds(
        "B11",
        "a cleared invoice is one of which its biller asks nothing any more, and no payment has it",
        "SELECT i.id FROM invoice i WHERE i.state = 'cleared' AND (i.credited_minor < i.amount_minor OR EXISTS"
        " (SELECT 1 FROM payment p WHERE p.invoice_id = i.id AND p.state IN {held} AND p.id NOT IN {overpaid}))",
    ),
    _holds(
        "B12",
        "nothing is asked of an invoice that was withdrawn, or for which a new version stands",
        "SELECT i.id FROM invoice i JOIN correction c ON c.invoice_id = i.id"
        " WHERE c.kind <> 'credit_note' AND i.credited_minor < i.amount_minor",
    ),
    _holds(
        "B13",
        "no payment that we could stop stands once its bill was corrected after its decision",
        "SELECT p.id FROM payment p JOIN decision d ON d.id = p.decision_id JOIN invoice i ON i.id = p.invoice_id"
        " JOIN trip t ON t.id = p.trip_id WHERE d.credited_minor < i.credited_minor AND (p.state = 'authorised'"
        " OR (p.state = 'awaiting_customer' AND (t.left_at IS NULL OR p.submitted_apart)))",
    ),
    _holds(
        "B14",
        "a bill replaces the one that its own correction was applied to, and no other",
        "SELECT i.id FROM invoice i LEFT JOIN correction c ON c.bill_id = i.bill_id AND c.kind = 'new_version'"
        " WHERE COALESCE(i.replaces_id, '') <> COALESCE(c.invoice_id, '')",
    ),
    _holds(
        "B15",
        "no payment that we could stop stands, and none is wanted, while a bill that its own replaces is being paid, or"
        " has been since its decision, or was not to be paid from here and its decision did not know it",
        "SELECT p.id FROM payment p JOIN decision d ON d.id = p.decision_id JOIN trip t ON t.id = p.trip_id JOIN"
        " (WITH RECURSIVE line(id, earlier) AS (SELECT id, replaces_id FROM invoice WHERE replaces_id IS NOT NULL"
        " UNION SELECT l.id, i.replaces_id FROM line l JOIN invoice i ON i.id = l.earlier"
        " WHERE i.replaces_id IS NOT NULL)"
        " SELECT l.id, i.state, q.id AS paid_by, CASE WHEN i.means <> 'credit_transfer' THEN i.id END AS not_here"
        " FROM line l JOIN invoice i ON i.id = l.earlier"
        " LEFT JOIN payment q ON q.invoice_id = i.id AND q.state = 'settled') e ON e.id = p.invoice_id"
        # an id is found in the list by what is left of its text without it
        " WHERE (e.state = 'in_payment' OR replace(CAST(d.earlier_paid AS TEXT), e.paid_by, '')"
        " = CAST(d.earlier_paid AS TEXT) OR replace(CAST(d.earlier_not_here AS TEXT), e.not_here, '')"
        " = CAST(d.earlier_not_here AS TEXT)) AND (p.state = 'authorised' OR (p.state = 'awaiting_customer'"
        " AND (t.left_at IS NULL OR p.submitted_apart OR p.unwanted_since IS NULL))) GROUP BY p.id",
    ),
    _holds(
        "B18",
        "no decision on an invoice that nobody delivered without its customer's three confirmations of the very payee,"
        " account and amount and of every doubt about its file, and no check is another's or counts twice",
        "SELECT d.id FROM decision d JOIN invoice i ON i.id = d.invoice_id"
        " LEFT JOIN payee_check c ON c.id = d.payee_check_id WHERE i.own_bill_id IS NOT NULL AND (c.id IS NULL"
        " OR COALESCE(c.typed_iban, '') <> i.payee_iban OR c.name_check IS NULL OR c.warning IS NULL"
        " OR d.payee_iban <> i.payee_iban OR d.amount_minor <> i.amount_minor)"
        # the words of before, own-bill-1, spoke of no doubts; JSON is spaced in the one way or the other
        " UNION ALL SELECT d.id FROM decision d JOIN payee_check c ON c.id = d.payee_check_id"
        " JOIN invoice i ON i.id = d.invoice_id JOIN own_bill o ON o.id = i.own_bill_id"
        " WHERE c.warning <> 'own-bill-1' AND replace(COALESCE(CAST(o.reading -> 'doubts' AS TEXT), '[]'), ' ', '')"
        " <> replace(CAST(c.doubts AS TEXT), ' ', '')"
        " UNION ALL SELECT d.id FROM decision d JOIN payee_check c ON c.id = d.payee_check_id"
        " WHERE c.invoice_id <> d.invoice_id OR c.customer_id <> d.customer_id OR c.bank_id <> d.bank_id"
        " OR c.payee_name <> d.payee_name OR c.payee_iban <> d.payee_iban OR c.currency <> d.currency"
        " OR c.amount_minor <> d.amount_minor + d.discount_minor OR c.checked_at > d.decided_at"
        " UNION ALL SELECT min(id) FROM decision WHERE payee_check_id IS NOT NULL GROUP BY payee_check_id"
        " HAVING count(*) > 1",
    ),
    _holds(
        "B19",
        "an invoice that no biller delivered has no biller, no bill and no biller's payment, and its biller was told of"
        " none; every other one has the bill of its biller",
        "SELECT i.id FROM invoice i LEFT JOIN delivered_bill b ON b.id = i.bill_id"
        " LEFT JOIN own_bill o ON o.id = i.own_bill_id WHERE"
        " (i.own_bill_id IS NULL AND (b.id IS NULL OR b.biller_id <> COALESCE(i.biller_id, '')))"
        " OR (i.own_bill_id IS NOT NULL AND (o.id IS NULL OR o.customer_id <> i.customer_id"
        " OR i.bill_id IS NOT NULL OR i.biller_id IS NOT NULL))"
        " UNION ALL SELECT p.id FROM payment p JOIN invoice i ON i.id = p.invoice_id"
        " WHERE COALESCE(p.biller_id, '') <> COALESCE(i.biller_id, '')"
        " UNION ALL SELECT m.id FROM webhook_message m JOIN payment p ON p.id = m.subject WHERE p.biller_id IS NULL",
    ),
    _holds(
        "B20",
        "no payment that we could stop stands, and none is wanted, while an earlier decision has a bill of the same"
        " account, amount and reference, or one that replaces such a bill or is replaced by it, that its customer did"
        " not want to pay as well; or it is about to be seen",
        # from each bill that a customer added to those that are the same, and on to all in the line of these.
        # Apart, bills have no index, and SQLite makes the one that fits: by customer alone it would read all of theirs
        "SELECT p.id FROM (WITH RECURSIVE bill AS MATERIALIZED (SELECT id, customer_id, currency, payee_iban,"
        " amount_minor, reference, replaces_id FROM invoice),"
        " same(own, id, earlier) AS (SELECT o.id, i.id, i.replaces_id FROM invoice o"
        " JOIN bill i ON i.customer_id = o.customer_id AND i.id <> o.id AND i.currency = o.currency"
        " AND i.payee_iban = o.payee_iban AND i.amount_minor = o.amount_minor AND i.reference = o.reference"
        " WHERE o.own_bill_id IS NOT NULL UNION SELECT s.own, i.id, i.replaces_id FROM same s"
        " JOIN invoice i ON i.id = s.earlier OR i.replaces_id = s.id)"
        " SELECT own AS one, id AS other FROM same UNION SELECT id, own FROM same) s"
        " JOIN invoice o ON o.id = s.other AND o.state IN ('paid', 'in_payment')"
        " JOIN payment p ON p.invoice_id = s.one JOIN decision d ON d.id = p.decision_id"
        " JOIN trip t ON t.id = p.trip_id JOIN payment q ON q.invoice_id = o.id AND q.state IN {held}"
        " JOIN decision e ON e.id = q.decision_id AND e.decided_at < d.decided_at"
        " LEFT JOIN payee_check c ON c.id = d.payee_check_id"
        " WHERE (c.id IS NULL OR replace(CAST(c.besides AS TEXT), o.id, '') = CAST(c.besides AS TEXT))"
        " AND (p.state = 'authorised' OR (p.state = 'awaiting_customer'"
        " AND (t.left_at IS NULL OR p.submitted_apart OR p.unwanted_since IS NULL)))"
        " EXCEPT {asked:payments.reconsider,payment_id}",
    ),
    # a minute: transactions that wait for each other may write their times in the other order
    _holds(
        "B16",
        "nothing is given to a bank for a decision that a correction had made void",
        "SELECT c.payment_id FROM correction x JOIN payment p ON p.invoice_id = x.invoice_id"
        " JOIN decision d ON d.id = p.decision_id JOIN bank_call c ON c.payment_id = p.id"
        " JOIN bank_attempt a ON a.call_id = c.id AND (a.number = 1 OR c.verb = 'initiate')"
        " WHERE c.verb IN ('initiate', 'complete', 'submit') AND {seconds:a.sent_at,x.applied_at} > 60"
        " GROUP BY c.payment_id, c.id, a.number, d.credited_minor HAVING sum(x.taken_minor) > d.credited_minor",
    ),
    _holds(
        "B17",
        "of a bill that is not paid here nothing was ever claimed, decided, paid or posted, and none is offered",
        "SELECT i.id FROM invoice i JOIN delivered_bill b ON b.id = i.bill_id WHERE i.means <> b.means"
        " OR (i.state = 'not_here') <> (i.means <> 'credit_transfer' AND i.credited_minor < i.amount_minor)"
        " OR (i.means <> 'credit_transfer' AND (i.state NOT IN ('not_here', 'cleared') OR i.payee_iban IS NOT NULL"
        " OR EXISTS (SELECT 1 FROM ledger_entry e WHERE e.invoice_id = i.id)"
        " OR EXISTS (SELECT 1 FROM ledger_balance due WHERE due.account = 'due:' || i.id)"
        " OR EXISTS (SELECT 1 FROM decision d WHERE d.invoice_id = i.id)"
        " OR EXISTS (SELECT 1 FROM payment p WHERE p.invoice_id = i.id)))",
    ),
    _holds(
        "B8",
        "no invoice is offered that a payment has paid",
        "SELECT i.id FROM invoice i JOIN payment p ON p.invoice_id = i.id"
        " WHERE i.state = 'to_pay' AND p.state = 'settled'",
    ),
    _holds(
        "B9",
        "no invoice is offered while the bank calls a payment of it accepted that was closed as not done",
        "SELECT i.id FROM invoice i JOIN payment p ON p.invoice_id = i.id"
        " WHERE i.state = 'to_pay' AND p.state IN {closed} AND p.doubted_since IS NOT NULL",
    ),
    _holds(
        "B10",
        "no payment takes an invoice back that another one has paid",
        "SELECT DISTINCT back.id FROM ledger_entry e JOIN payment back ON back.id = e.payment_id"
        " JOIN payment p ON p.invoice_id = back.invoice_id AND p.id <> back.id"
        " WHERE e.kind = 'reclaimed' AND back.state IN {live} AND p.state = 'settled' AND p.settled_at <= e.at",
    ),
    # -------------------------------------------------------------------------------- C calls that could lead to money
    _holds(
        "C1",
        "one call, one key and one set of bytes for each thing asked of a bank about a payment",
        "SELECT min(id) FROM bank_call GROUP BY payment_id, verb HAVING count(*) > 1",
    ),
    _holds(
        "C2",
        "no key is shared by two calls",
        "SELECT min(id) FROM bank_call GROUP BY request_id HAVING count(*) > 1",
    ),
    _holds(
        "C4",
        "the bytes were stored before they were first sent",
        "SELECT c.id FROM bank_call c JOIN bank_attempt a ON a.call_id = c.id WHERE a.sent_at < c.made_at",
    ),
    _holds(
        "C5",
        "an initiation is not sent once its link was given away, nor a day after the first sending",
        "SELECT c.id FROM bank_call c JOIN bank_attempt a ON a.call_id = c.id JOIN payment p ON p.id = c.payment_id"
        " JOIN trip t ON t.id = p.trip_id JOIN bank_attempt first ON first.call_id = c.id AND first.number = 1"
        " WHERE c.verb = 'initiate' AND (a.sent_at > t.left_at OR {seconds:a.sent_at,first.sent_at} > 82800)",
    ),
    _holds(
        "C6",
        "between two sendings of the same bytes lies a second at least",
        "SELECT a.call_id FROM bank_attempt a JOIN bank_attempt b ON b.call_id = a.call_id AND b.number = a.number + 1"
        " WHERE {seconds:b.sent_at,a.sent_at} < 0.999",
    ),
    _holds(
        "C7",
        "what is not found at the bank is called not done only past its fence",
        "SELECT p.id FROM payment_history h JOIN payment p ON p.id = h.payment_id"
        " WHERE h.evidence = 'not_found' AND h.after = 'rejected' AND (p.fence_at IS NULL OR h.at <= p.fence_at)",
    ),
    _holds(
        "C8",
        "nothing is submitted before its customer's code was exchanged, nor once its consent had no use any more",
        "SELECT c.id FROM bank_call c JOIN bank_attempt a ON a.call_id = c.id JOIN payment p ON p.id = c.payment_id"
        " JOIN trip t ON t.id = p.trip_id WHERE c.verb = 'submit'"
        " AND (t.exchanged_at IS NULL OR a.sent_at < t.exchanged_at OR p.fence_at IS NULL OR a.sent_at > p.fence_at)",
    ),
    _holds(
        "C9",
        "the same submission is not sent a day after it was first sent",
        "SELECT c.id FROM bank_call c JOIN bank_attempt a ON a.call_id = c.id"
        " JOIN bank_attempt first ON first.call_id = c.id AND first.number = 1"
        " WHERE c.verb = 'submit' AND {seconds:a.sent_at,first.sent_at} > 82800",
    ),
    _holds(
        "C10",
        "what the bank is said to have was given to it: with its approval, or by a submission",
        "SELECT p.id FROM payment p LEFT JOIN consent c ON c.id = p.consent_id"
        " LEFT JOIN bank_call s ON s.payment_id = p.id AND s.verb = 'submit'"
        " WHERE p.bank_payment_id IS NOT NULL AND s.id IS NULL"
        " AND (p.submitted_apart OR c.bank_consent_id <> p.bank_payment_id)",
    ),
    _holds(
        "C11",
        "only what its approval does not execute is submitted by us",
        "SELECT p.id FROM payment p LEFT JOIN bank_call s ON s.payment_id = p.id AND s.verb = 'submit'"
        " WHERE NOT p.submitted_apart AND (s.id IS NOT NULL OR p.state IN ('authorised', 'submitting'))",
    ),
    # ------------------------------------------------------------------------------------------------------- D states
    _holds(
        "D1",
        "a payment's history is unbroken and ends where the payment stands",
        "SELECT later.payment_id FROM payment_history later LEFT JOIN payment_history earlier"
        " ON earlier.payment_id = later.payment_id AND earlier.sequence = later.sequence - 1"
        " WHERE (later.sequence > 1 AND (earlier.payment_id IS NULL OR COALESCE(later.before, '') <> earlier.after"
        " OR later.at < earlier.at)) OR (later.sequence = 1 AND later.before IS NOT NULL)"
        " UNION ALL SELECT p.id FROM payment p LEFT JOIN payment_history h"
        " ON h.payment_id = p.id AND h.sequence = p.sequence WHERE h.payment_id IS NULL OR h.after <> p.state"
        " UNION ALL SELECT h.payment_id FROM payment_history h JOIN payment p ON p.id = h.payment_id"
        " WHERE h.sequence > p.sequence",
    ),
    _holds(
        "D2",
        "what has ended stays so, but for a reversal, a correction or a doubt that names its evidence",
        "SELECT payment_id FROM payment_history WHERE before IN {ended}"
        " AND NOT (before = 'settled' AND after = 'reversed')"
        " AND NOT (before IN {closed} AND after = 'settled' AND evidence <> ''"
        " AND source IN ('bank', 'statement', 'operator'))"
        " AND NOT (before IN {closed} AND after = 'unknown' AND evidence LIKE 'bank:%' AND source = 'bank')",
    ),
    _holds(
        "D3",
        "nobody comes back from a bank who was not sent there",
        "SELECT id FROM trip WHERE returned_at IS NOT NULL AND (left_at IS NULL OR returned_at < left_at)",
    ),
    _holds(
        "D4",
        "a code is exchanged once at most",
        "SELECT c.payment_id FROM bank_call c JOIN bank_attempt a ON a.call_id = c.id WHERE c.verb = 'complete'"
        " GROUP BY c.payment_id HAVING count(*) > 1",
    ),
    _holds(
        "D5",
        "no payment is approved or paid whose link was given to nobody, unless a record of the bank says so",
        "SELECT p.id FROM payment p JOIN trip t ON t.id = p.trip_id"
        " WHERE p.state IN ('accepted', 'settled', 'reversed') AND t.left_at IS NULL"
        " AND NOT EXISTS (SELECT 1 FROM payment_history h WHERE h.payment_id = p.id"
        " AND h.source IN ('statement', 'operator'))",
    ),
    _holds(
        "D6",
        "an unknown outcome carries its promise, or says that nobody can be asked about it, or until when; and nothing"
        " else does, but what is accepted and cannot be asked about any more",
        "SELECT id FROM payment WHERE (know_by IS NOT NULL AND (state <> 'unknown' OR untold_since IS NOT NULL))"
        " OR (state = 'unknown' AND know_by IS NULL AND untold_since IS NULL AND told_until IS NULL)"
        " OR (untold_since IS NOT NULL AND state NOT IN ('unknown', 'accepted'))",
    ),
    # ----------------------------------------------------------------------------------------------------- E consents
    _holds(
        "E4",
        "a payment, its invoice, its decision, its consent and its trip are one customer's",
        "SELECT p.id FROM payment p JOIN invoice i ON i.id = p.invoice_id JOIN trip t ON t.id = p.trip_id"
        " LEFT JOIN consent c ON c.id = p.consent_id WHERE i.customer_id <> p.customer_id"
        " OR t.customer_id <> p.customer_id OR COALESCE(c.customer_id, p.customer_id) <> p.customer_id"
        " OR t.bank_id <> p.bank_id OR COALESCE(c.bank_id, p.bank_id) <> p.bank_id",
    ),
    _holds(
        "E5",
        "a sign-in and its trip are one customer's at one bank and no payment's, and its token came once, to who left",
        "SELECT s.id FROM sign_in s LEFT JOIN trip t ON t.id = s.trip_id LEFT JOIN payment p ON p.trip_id = s.trip_id"
        " WHERE t.id IS NULL OR t.customer_id <> s.customer_id OR t.bank_id <> s.bank_id OR t.consent_id IS NOT NULL"
        " OR p.id IS NOT NULL OR (s.signed_in_at IS NOT NULL"
        " AND (t.browser_hash IS NULL OR t.exchanged_at IS NULL OR s.signed_in_at < t.exchanged_at))"
        " UNION ALL SELECT x.id FROM sealed x LEFT JOIN sign_in s ON x.id = 'sign_in:' || s.id || ':' || 'token'"
        " WHERE x.id LIKE 'sign!_in:%' ESCAPE '!' AND (s.id IS NULL OR s.signed_in_at IS NULL)",
    ),
    # ------------------------------------------------------------------------------------------ F ledger and receipts
    _holds(
        "F1",
        "the lines of every posting sum to zero, in one currency",
        "SELECT posting FROM ledger_entry GROUP BY posting HAVING sum(amount_minor) <> 0"
        " OR min(currency) <> max(currency)",
    ),
    _holds(
        "F2",
        "what is settled was posted so once, and nothing else was",
        "SELECT p.id FROM payment p LEFT JOIN ledger_entry e ON e.payment_id = p.id"
        " AND e.kind IN ('settled', 'corrected') AND e.account LIKE 'settled:%'"
        " GROUP BY p.id, p.state HAVING count(e.id) <> CASE WHEN p.state IN ('settled', 'reversed') THEN 1 ELSE 0 END",
    ),
    _holds(
        "F3",
        "what is due of an invoice, or owed of it, is what was billed less what its biller took off and payments have",
        "SELECT i.id FROM invoice i LEFT JOIN ledger_balance due ON due.account = 'due:' || i.id"
        " LEFT JOIN (SELECT account, sum(amount_minor) AS minor FROM ledger_entry WHERE account LIKE 'owed:%'"
        " GROUP BY account) owed ON owed.account = 'owed:' || i.id"
        " LEFT JOIN (SELECT d.invoice_id, sum(d.amount_minor + d.discount_minor) AS held FROM decision d"
        " LEFT JOIN payment p ON p.decision_id = d.id"
        " WHERE (p.id IS NULL OR p.state IN {held}) AND d.payment_id NOT IN {overpaid}"
        " GROUP BY d.invoice_id) taken ON taken.invoice_id = i.id"
        " WHERE i.means = 'credit_transfer' AND (due.account IS NULL OR due.balance_minor + COALESCE(owed.minor, 0)"
        " <> i.amount_minor - i.credited_minor - COALESCE(taken.held, 0))",
    ),
    _holds(
        "F4",
        "every balance is the sum of its entries, and what it has as owed is",
        "SELECT b.account FROM ledger_balance b LEFT JOIN ledger_entry e ON e.account = b.account"
        " GROUP BY b.account, b.balance_minor HAVING b.balance_minor <> COALESCE(sum(e.amount_minor), 0)"
        " UNION ALL SELECT b.account FROM ledger_balance b LEFT JOIN ledger_entry e"
        " ON e.account = 'owed:' || substr(b.account, 5) AND b.account LIKE 'due:%'"
        " GROUP BY b.account, b.owed_minor HAVING b.owed_minor <> -COALESCE(sum(e.amount_minor), 0)",
    ),
    _holds(
        "F5",
        "one currency from the invoice to the posting",
        "SELECT p.id FROM payment p JOIN invoice i ON i.id = p.invoice_id WHERE p.currency <> i.currency"
        " UNION ALL SELECT e.posting FROM ledger_entry e JOIN invoice i ON i.id = e.invoice_id"
        " WHERE e.currency <> i.currency",
    ),
    _holds(
        "F6",
        "a receipt stands for a settled payment, and every one has it or is about to get it",
        "SELECT p.id FROM payment p LEFT JOIN receipt r ON r.payment_id = p.id"
        " WHERE p.state = 'settled' AND r.id IS NULL EXCEPT {asked:receipts.issue_receipt,payment_id}"
        " UNION ALL SELECT r.id FROM receipt r JOIN payment p ON p.id = r.payment_id"
        " WHERE p.state NOT IN ('settled', 'reversed')",
    ),
    _holds(
        "F7",
        "amounts are above zero",
        "SELECT id FROM payment WHERE amount_minor <= 0 UNION ALL SELECT id FROM invoice WHERE amount_minor <= 0"
        " UNION ALL SELECT id FROM decision WHERE amount_minor <= 0 OR discount_minor < 0",
    ),
    _holds(
        "F8",
        "a payment under way holds its amount, and no other payment holds anything",
        "SELECT p.id FROM payment p LEFT JOIN ledger_balance b ON b.account = 'inflight:' || p.id"
        " WHERE COALESCE(b.balance_minor, 0) <> CASE WHEN p.state IN {live} THEN p.amount_minor ELSE 0 END",
    ),
    _holds(
        "F9",
        "nothing is due of an invoice of which something is owed, and owing goes one way only",
        "SELECT e.account FROM ledger_entry e LEFT JOIN ledger_balance due"
        " ON due.account = 'due:' || substr(e.account, 6) WHERE e.account LIKE 'owed:%'"
        " GROUP BY e.account, due.balance_minor HAVING sum(e.amount_minor) > 0"
        " OR (sum(e.amount_minor) < 0 AND COALESCE(due.balance_minor, 0) <> 0)",
    ),
    _holds(
        "F10",
        "what came off an invoice is what its corrections took, and where it is paid here every cent was posted, once",
        "SELECT i.id FROM invoice i LEFT JOIN (SELECT invoice_id, sum(taken_minor) AS taken FROM correction"
        " WHERE invoice_id IS NOT NULL GROUP BY invoice_id) c ON c.invoice_id = i.id"
        " LEFT JOIN (SELECT invoice_id, sum(amount_minor) AS posted FROM ledger_entry WHERE kind = 'credited'"
        " AND account LIKE 'adjust:%' GROUP BY invoice_id) e ON e.invoice_id = i.id"
        " WHERE i.credited_minor <> COALESCE(c.taken, 0)"
        " OR (i.means = 'credit_transfer' AND i.credited_minor <> COALESCE(e.posted, 0))"
        " UNION ALL SELECT c.id FROM correction c LEFT JOIN invoice i ON i.id = c.invoice_id"
        " LEFT JOIN ledger_entry e ON e.posting = 'credited:' || c.id AND e.account LIKE 'adjust:%'"
        " WHERE COALESCE(i.means, 'credit_transfer') = 'credit_transfer'"
        " AND c.taken_minor <> COALESCE(e.amount_minor, 0)"
        " UNION ALL SELECT i.id FROM invoice i LEFT JOIN correction c ON c.invoice_id = i.id"
        " AND c.kind <> 'credit_note' GROUP BY i.id, i.retracted_minor"
        " HAVING i.retracted_minor <> COALESCE(sum(c.taken_minor), 0)",
    ),
    _holds(
        "F11",
        "a correction is of its biller's own bill for the same customer, and in its currency where it credits",
        "SELECT c.id FROM correction c JOIN invoice i ON i.id = c.invoice_id WHERE i.biller_id <> c.biller_id"
        " OR i.customer_id <> c.customer_id OR (c.kind = 'credit_note' AND i.currency <> c.currency)"
        # a further new version of a bill stands in for the last one, whether or not that bill ever came
        " OR (c.names <> i.number AND NOT (c.kind = 'new_version' AND (EXISTS (SELECT 1 FROM invoice named"
        " JOIN correction first ON first.invoice_id = named.id AND first.kind = 'new_version'"
        " WHERE named.biller_id = c.biller_id AND named.number = c.names) OR EXISTS (SELECT 1 FROM correction beside"
        " WHERE beside.biller_id = c.biller_id AND beside.customer_id = c.customer_id AND beside.names = c.names"
        " AND beside.kind = 'new_version' AND beside.id <> c.id))))",
    ),
    # ------------------------------------------------------------------------------------------------------ G telling
    _holds(
        "G1",
        "every step that must be told was recorded as a fact, once",
        "SELECT after FROM (SELECT after, count(*) AS steps FROM payment_history"
        " WHERE sequence > 1 AND after IN ('settled', 'reversed', 'unknown', 'accepted') GROUP BY after) h"
        " LEFT JOIN (SELECT kind, count(*) AS facts FROM event GROUP BY kind) e"
        " ON e.kind = CASE after WHEN 'settled' THEN 'PaymentSettled' WHEN 'reversed' THEN 'PaymentReversed'"
        " WHEN 'unknown' THEN 'PaymentUnknown' ELSE 'PaymentAccepted' END"
        " WHERE COALESCE(e.facts, 0) < h.steps",
    ),
    _holds(
        "G2",
        "no biller was told of a payment that was not so",
        "SELECT m.id FROM webhook_message m WHERE m.type = 'payment.settled' AND NOT EXISTS"
        " (SELECT 1 FROM payment_history h WHERE h.payment_id = m.subject AND h.after = 'settled')"
        " UNION ALL SELECT m.id FROM webhook_message m WHERE m.type = 'payment.failed' AND NOT EXISTS"
        " (SELECT 1 FROM payment_history h WHERE h.payment_id = m.subject"
        " AND h.after IN ('rejected', 'cancelled', 'expired', 'reversed'))",
    ),
    _holds(
        "G4",
        "one delivery is one bill: no number of a biller stands twice",
        "SELECT min(id) FROM delivered_bill GROUP BY biller_id, number HAVING count(*) > 1",
    ),
    _holds(
        "G5",
        "every delivered bill is in its customer's space, or about to be",
        "SELECT b.id FROM delivered_bill b LEFT JOIN invoice i ON i.bill_id = b.id WHERE i.id IS NULL"
        " AND b.kind = 'invoice' EXCEPT {asked:invoices.open_invoice,bill_id}"
        " EXCEPT {together:invoices.open_invoice_together,bill_id} EXCEPT {asked:corrections.apply_correction,bill_id}",
    ),
    _holds(
        "G8",
        "every delivered credit note is a correction and no bill, or about to be",
        "SELECT b.id FROM delivered_bill b LEFT JOIN correction c ON c.bill_id = b.id WHERE b.kind = 'credit_note'"
        " AND c.id IS NULL EXCEPT {asked:corrections.apply_correction,bill_id}"
        " UNION ALL SELECT b.id FROM delivered_bill b JOIN invoice i ON i.bill_id = b.id WHERE b.kind = 'credit_note'",
    ),
    _holds(
        "G9",
        "no correction stands whose bill is in its customer's space, unless it cannot be of that bill",
        "SELECT c.bill_id FROM correction c JOIN invoice i ON i.biller_id = c.biller_id AND i.number = c.names"
        " WHERE c.state = 'standing' AND c.because = 'unknown-preceding'"
        " EXCEPT {asked:corrections.apply_correction,bill_id}",
    ),
    _holds(
        "G6",
        "every decision has its payment, or is about to get it",
        "SELECT d.id FROM decision d LEFT JOIN payment p ON p.decision_id = d.id WHERE p.id IS NULL"
        " EXCEPT {asked:payments.initiate,decision_id}",
    ),
    _holds(
        "G7",
        "an upload that is done has a result for every one of its bills",
        "SELECT u.id FROM upload u WHERE u.state = 'done' AND (u.delivered + u.repeated + u.held + u.refused <> u.bills"
        " OR u.bills <> (SELECT count(*) FROM upload_line l WHERE l.upload_id = u.id))",
    ),
    # ------------------------------------------------------------------------------------------------------ H the log
    _holds(
        "H1",
        "the numbers of the log go from 0 without a hole, and the last of them is signed",
        "SELECT size FROM (SELECT COUNT(number) AS size, COALESCE(MAX(number) + 1, 0) AS numbered,"
        " (SELECT COALESCE(MAX(size), 0) FROM log_checkpoint) AS signed FROM log_entry) counted"
        " WHERE size <> numbered OR size <> signed",
    ),
    _holds(
        "H2",
        "every delivery, decision, call, answer, step and receipt of the last two days stands in the log",
        " UNION ALL ".join(
            without_entry(kind, where=f"{{seconds::now,fact.{source.since}}} <= 172800")
            for kind, source in SOURCES.items()
        ),
    ),
    _in_time(
        "H3",
        "no entry of the log waits for its number for more than a minute",
        "SELECT id FROM log_entry WHERE number IS NULL AND {seconds::now,at} > 60",
    ),
    # ------------------------------------------------------------------------------------------ M messages to customers
    _holds(
        "M1",
        "nobody was sent a message who has no safe words",
        "SELECT n.id FROM notice n LEFT JOIN sealed s ON s.id = 'customer:' || n.customer_id || ':' || 'safe-words'"
        " WHERE n.state = 'sent' AND s.id IS NULL",
    ),
    _holds(
        "M2",
        "one fact is told to its customer once, and as what it was",
        "SELECT min(id) FROM notice GROUP BY event_id HAVING count(*) > 1"
        " UNION ALL SELECT n.id FROM notice n JOIN event e ON e.id = n.event_id WHERE e.kind <> CASE n.kind"
        " WHEN 'new_bill' THEN 'InvoiceOpened' WHEN 'bill_held' THEN 'BillHeld'"
        " WHEN 'payment_settled' THEN 'PaymentSettled' WHEN 'payment_failed' THEN 'PaymentFailed'"
        " WHEN 'payment_reversed' THEN 'PaymentReversed' WHEN 'account_frozen' THEN 'PayeeMoved'"
        " WHEN 'address_asked' THEN 'AddressAsked' ELSE 'SafeWordsChanged' END",
    ),
    _holds(
        "M3",
        "no message to a customer is forgotten",
        "SELECT n.id FROM notice n LEFT JOIN work w ON w.key = 'notices.send:' || n.id"
        " WHERE n.state = 'waiting' AND w.id IS NULL",
    ),
    _holds(
        "M4",
        "to an address that its customer has not shown to be theirs nothing was sent but the question",
        "SELECT n.id FROM notice n JOIN customer c ON c.id = n.customer_id WHERE n.state = 'sent'"
        " AND n.kind <> 'address_asked' AND (c.email_proven_at IS NULL OR c.email_proven_at > n.ended_at)",
    ),
    # ----------------------------------------------------------------------------------------------- P payee accounts
    _holds(
        "P1",
        "a payee account's history is unbroken and ends where the account stands",
        "SELECT later.account_id FROM payee_account_history later LEFT JOIN payee_account_history earlier"
        " ON earlier.account_id = later.account_id AND earlier.sequence = later.sequence - 1"
        " WHERE COALESCE(later.before, '') <> COALESCE(earlier.after, '')"
        " UNION ALL SELECT a.id FROM payee_account a LEFT JOIN payee_account_history h"
        " ON h.account_id = a.id AND h.sequence = a.sequence WHERE h.account_id IS NULL OR h.after <> a.state"
        " OR h.holder <> a.holder OR (a.state = 'approved' AND COALESCE(h.active_from, h.at) <> a.active_from)"
        " UNION ALL SELECT h.account_id FROM payee_account_history h JOIN payee_account a ON a.id = h.account_id"
        " WHERE h.sequence > a.sequence",
    ),
    _holds(
        "P2",
        "no payee account is open by fewer than two people who said the same, one right after the other, about a name"
        " that was checked; and where it does not match each of the two said why",
        "SELECT h.account_id FROM payee_account_history h LEFT JOIN payee_account_history first"
        " ON first.account_id = h.account_id AND first.sequence = h.sequence - 1"
        " WHERE h.after = 'approved' AND h.step <> 'bring_over' AND (first.account_id IS NULL OR first.step <> h.step"
        " OR first.by = h.by OR h.step NOT IN ('approve', 'unfreeze') OR (h.step = 'approve' AND (h.name_check IS NULL"
        " OR (h.name_check = 'no_match' AND (h.note IS NULL OR first.note IS NULL)))))",
    ),
    _holds(
        "P3",
        "every decision on a delivered bill was on an account of its biller that was open and not frozen then",
        # what came at the same moment: its order within a minute is not told by the clock
        "SELECT d.id FROM decision d JOIN invoice i ON i.id = d.invoice_id WHERE i.bill_id IS NOT NULL AND NOT EXISTS"
        " (SELECT 1 FROM payee_account a JOIN payee_account_history h ON h.account_id = a.id AND h.after = 'approved'"
        " LEFT JOIN payee_account_history n ON n.account_id = h.account_id AND n.sequence = h.sequence + 1"
        " WHERE a.biller_id = i.biller_id AND a.iban = d.payee_iban AND h.active_from <= d.decided_at"
        " AND {seconds:h.at,d.decided_at} <= 60 AND (n.account_id IS NULL OR {seconds:d.decided_at,n.at} <= 60))",
    ),
    # ------------------------------------------------------------------------------------------------------ V billers
    _holds(
        "V1",
        "a biller's history is unbroken and ends where the biller stands",
        "SELECT later.biller_id FROM biller_history later LEFT JOIN biller_history earlier"
        " ON earlier.biller_id = later.biller_id AND earlier.sequence = later.sequence - 1"
        " WHERE COALESCE(later.before, '') <> COALESCE(earlier.after, '')"
        " UNION ALL SELECT b.id FROM biller b LEFT JOIN biller_history h"
        " ON h.biller_id = b.id AND h.sequence = b.sequence WHERE h.biller_id IS NULL OR h.after <> b.state"
        " UNION ALL SELECT h.biller_id FROM biller_history h JOIN biller b ON b.id = h.biller_id"
        " WHERE h.sequence > b.sequence",
    ),
    _holds(
        "V2",
        "no biller is vetted by fewer than two people who said the same, one right after the other; and where something"
        " spoke against it who approved it said why",
        "SELECT h.biller_id FROM biller_history h LEFT JOIN biller_history first"
        " ON first.biller_id = h.biller_id AND first.sequence = h.sequence - 1"
        " WHERE h.after = 'vetted' AND h.step <> 'bring_over' AND (first.biller_id IS NULL OR first.step <> h.step"
        " OR first.by = h.by OR h.step NOT IN ('approve', 'reinstate'))"
        " UNION ALL SELECT biller_id FROM biller_history WHERE step = 'approve' AND doubted AND note IS NULL",
    ),
    _holds(
        "V3",
        "every biller that two people approved has a number in a register which was looked up, its VAT number is among"
        " them, no other biller has one of them, and one that was refused has none",
        "SELECT h.biller_id FROM biller_history h LEFT JOIN biller_identifier i ON i.biller_id = h.biller_id"
        " WHERE h.step = 'approve' AND (i.outcome IS NULL OR i.registered_at > h.at)"
        " UNION ALL SELECT b.id FROM biller b LEFT JOIN biller_identifier i ON i.biller_id = b.id"
        " AND i.scheme = 'vat' WHERE b.vat_id <> COALESCE(i.value, '')"
        " UNION ALL SELECT min(biller_id) FROM biller_identifier WHERE released_at IS NULL"
        " GROUP BY scheme, value HAVING count(*) > 1"
        " UNION ALL SELECT b.id FROM biller b JOIN biller_identifier i ON i.biller_id = b.id"
        " WHERE (b.state = 'refused') <> (i.released_at IS NOT NULL)",
    ),
    _holds(
        "V4",
        "every bill was delivered, and every one that was delivered decided on, while its biller was vetted",
        # what came at the same moment: its order within a minute is not told by the clock
        "SELECT said.id FROM (SELECT id, biller_id, delivered_at AS at FROM delivered_bill UNION ALL"
        " SELECT d.id, i.biller_id, d.decided_at FROM decision d JOIN invoice i ON i.id = d.invoice_id"
        " WHERE i.bill_id IS NOT NULL) said WHERE NOT EXISTS (SELECT 1 FROM biller_history h"
        " LEFT JOIN biller_history n ON n.biller_id = h.biller_id AND n.sequence = h.sequence + 1"
        " WHERE h.biller_id = said.biller_id AND h.after = 'vetted' AND {seconds:h.at,said.at} <= 60"
        " AND (n.biller_id IS NULL OR {seconds:said.at,n.at} <= 60))",
    ),
    _holds(
        "V5",
        "a program that may act, and a connection with a customer, is of a biller that was vetted once",
        "SELECT c.client_id FROM api_client c JOIN biller b ON b.id = c.biller_id"
        " WHERE b.state NOT IN ('vetted', 'suspended', 'returning')"
        " UNION ALL SELECT c.id FROM connection c JOIN biller b ON b.id = c.biller_id"
        " WHERE b.state NOT IN ('vetted', 'suspended', 'returning')",
    ),
    # ----------------------------------------------------------------------------------------------------- L liveness
    _holds(
        "L1",
        "no payment under way is forgotten: somebody is going to look at it",
        "SELECT id FROM payment WHERE state IN ('prepared', 'initiating') EXCEPT {asked:payments.initiate,payment_id}"
        " UNION ALL SELECT p.id FROM payment p LEFT JOIN work w ON w.key = 'payments.follow:' || p.id"
        " WHERE p.state IN ('awaiting_customer', 'authorised', 'submitting', 'accepted', 'unknown') AND w.id IS NULL",
    ),
    _holds(
        "L2",
        "no message to a biller is forgotten",
        "SELECT m.id FROM webhook_message m JOIN webhook_endpoint e ON e.id = m.endpoint_id"
        " LEFT JOIN work w ON w.key = 'webhooks.deliver:' || m.id"
        " WHERE m.delivered_at IS NULL AND m.dropped_at IS NULL AND e.active AND w.id IS NULL",
    ),
    _in_time(
        "L4",
        "no work is due for more than five minutes",
        "SELECT key FROM work WHERE {seconds::now,run_at} > 300",
    ),
    _in_time(
        "L5",
        "no promise to a customer has passed without being kept or renewed",
        "SELECT id FROM payment WHERE state = 'unknown' AND {seconds::now,know_by} > 300",
    ),
    _in_time(
        "L6",
        "no order is still being given to its bank after an hour",
        "SELECT id FROM payment WHERE state IN ('prepared', 'initiating') AND {seconds::now,created_at} > 3600",
    ),
    _in_time(
        "L7",
        "no delivered bill has been on its way into its customer's space for a day, unless a payment of one that it"
        " replaces is under way, or has been within the last hour",
        # a new version waits for all of the line that it is to end, whichever bill of that it names; where that is not
        # here, of those that named it before
        "WITH RECURSIVE waiting AS (SELECT b.* FROM delivered_bill b LEFT JOIN invoice i ON i.bill_id = b.id"
        " WHERE i.id IS NULL AND b.kind = 'invoice'),"
        " replaced(id, by_id) AS (SELECT i.bill_id, c.bill_id FROM correction c JOIN invoice i ON i.id = c.invoice_id"
        " WHERE c.kind = 'new_version'),"
        " beside(id, other_id) AS (SELECT id, by_id FROM replaced UNION ALL SELECT by_id, id FROM replaced"
        " UNION ALL SELECT w.id, b.id FROM waiting w JOIN delivered_bill b ON b.biller_id = w.biller_id"
        " AND b.customer_id = w.customer_id AND b.kind = 'invoice' AND (b.number = w.corrects_number"
        " OR b.corrects_number = w.corrects_number AND (b.delivered_at, b.id) < (w.delivered_at, w.id))),"
        " line(first_id, bill_id) AS (SELECT id, id FROM waiting WHERE {seconds::now,delivered_at} > 86400"
        " UNION SELECT l.first_id, b.other_id FROM line l JOIN beside b ON b.id = l.bill_id)"
        " SELECT first_id FROM line EXCEPT SELECT l.first_id FROM line l JOIN invoice i ON i.bill_id = l.bill_id"
        " WHERE i.state = 'in_payment' OR EXISTS (SELECT 1 FROM payment p WHERE p.invoice_id = i.id"
        " AND {seconds::now,p.updated_at} <= 3600)",
    ),
)


@dataclass(frozen=True, slots=True)
class Broken:
    """An invariant that does not hold, and what breaks it."""

    invariant: Invariant
    ids: tuple[str, ...]  #: at most ROWS_MOST of them

    def __str__(self) -> str:
        return f"{self.invariant.name}: {self.invariant.says} — not so: {', '.join(self.ids)}"


def check(engine: Engine, *, now: dt.datetime, late: bool = True) -> list[Broken]:
    """Run all of them in one reading transaction. Without ``late`` only those that hold at every moment."""
    wanted = [invariant for invariant in INVARIANTS if late or not invariant.late]
    with reading(engine) as connection:
        return [Broken(each, ids) for each in wanted if (ids := found(connection, each, now=now))]


@contextlib.contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """A transaction that sees the database as it is at one moment, and has the time to look at all of it."""
    with engine.execution_options(read_only=True).connect() as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"))
            connection.execute(text("SET LOCAL statement_timeout = '120s'"))
        yield connection


def found(connection: Connection, invariant: Invariant, *, now: dt.datetime) -> tuple[str, ...]:
    """What breaks one of them, at most ROWS_MOST ids; empty when it holds."""
    dialect = connection.dialect.name
    query = text(f"SELECT * FROM ({invariant.query(dialect)}) AS found LIMIT {ROWS_MOST}")  # noqa: S608  # our own text
    values: dict[str, Any] = {}
    if ":now" in query.text:
        query = query.bindparams(bindparam("now", type_=DateTime(timezone=True)))
        values["now"] = now if dialect == "postgresql" else now.replace(tzinfo=None)
    return tuple(str(row[0]) for row in connection.execute(query, values))
