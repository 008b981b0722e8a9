"""What is owed, on its way and paid, and the receipts."""

from __future__ import annotations

from app.invariants.query import Invariant, holds

#: the discounts of bills as these were delivered, in the order in which they stand there; their days as text
_TIERS = (
    "(SELECT i.id, i.amount_minor, -1 AS place, CAST(i.discount_until AS text) AS until, i.discount_minor AS minor"
    " FROM invoice i WHERE i.discount_until IS NOT NULL UNION ALL"
    " SELECT i.id, i.amount_minor, tier.key, tier.value ->> 'until', CAST(tier.value ->> 'minor' AS bigint)"
    " FROM invoice i CROSS JOIN {later:i})"
)
#: of one of them (t) what is left by what of the bill was asked at a decision (d): the same share, rounded down. In two
#: steps, since the whole product of two large amounts has more digits than the database counts
_ASKED = "(t.amount_minor - d.credited_minor)"
_HIGH = f"(t.minor * ({_ASKED} / 1000000))"
SHARE = (
    f"({_HIGH} / t.amount_minor * 1000000"
    f" + ({_HIGH} % t.amount_minor * 1000000 + t.minor * ({_ASKED} % 1000000)) / t.amount_minor)"
)

LEDGER: tuple[Invariant, ...] = (
    holds(
        "F1",
        "the lines of every posting sum to zero, in one currency",
        "SELECT posting FROM ledger_entry GROUP BY posting HAVING sum(amount_minor) <> 0"
        " OR min(currency) <> max(currency)",
    ),
    holds(
        "F2",
        "what is settled was posted so once more than it was taken back, and over its amount; and nothing else was",
        "SELECT p.id FROM payment p LEFT JOIN ledger_entry e ON e.payment_id = p.id"
        " AND e.kind IN ('settled', 'corrected', 'reversed') AND e.account LIKE 'settled:%'"
        " GROUP BY p.id, p.state, p.amount_minor"
        " HAVING sum(CASE e.kind WHEN 'reversed' THEN -1 WHEN 'settled' THEN 1 WHEN 'corrected' THEN 1 ELSE 0 END)"
        " <> CASE WHEN p.state = 'settled' THEN 1 ELSE 0 END"
        " OR COALESCE(sum(e.amount_minor), 0) <> CASE WHEN p.state = 'settled' THEN p.amount_minor ELSE 0 END",
    ),
    holds(
        "F3",
        "what is due of an invoice is what was billed, less what its biller took off, less what was decided of it and"
        " may be executed, or was; and no more is owed of it than goes beyond that",
        "SELECT i.id FROM invoice i LEFT JOIN ledger_balance due ON due.account = 'due:' || i.id"
        " LEFT JOIN (SELECT account, sum(amount_minor) AS minor FROM ledger_entry WHERE account LIKE 'owed:%'"
        " GROUP BY account) owed ON owed.account = 'owed:' || i.id"
        " LEFT JOIN (SELECT d.invoice_id, sum(d.amount_minor + d.discount_minor) AS held, count(*) AS several"
        " FROM decision d LEFT JOIN payment p ON p.decision_id = d.id WHERE p.id IS NULL OR p.state IN {held}"
        " GROUP BY d.invoice_id) had ON had.invoice_id = i.id"
        " WHERE i.means = 'credit_transfer' AND (due.account IS NULL"
        " OR (i.amount_minor - i.credited_minor - COALESCE(had.held, 0) >= 0"
        " AND due.balance_minor + COALESCE(owed.minor, 0) <> i.amount_minor - i.credited_minor - COALESCE(had.held, 0))"
        " OR (i.amount_minor - i.credited_minor - COALESCE(had.held, 0) < 0 AND (due.balance_minor > 0"
        " OR COALESCE(owed.minor, 0) < i.amount_minor - i.credited_minor - had.held"
        # what is paid beside others is given back as that: what its biller took off, by the one that has it alone
        " OR (had.several = 1 AND COALESCE(owed.minor, 0) <> i.amount_minor - i.credited_minor - had.held))))",
    ),
    holds(
        "F4",
        "every balance is the sum of its entries, and what it has as owed is",
        "SELECT b.account FROM ledger_balance b LEFT JOIN ledger_entry e ON e.account = b.account"
        " GROUP BY b.account, b.balance_minor HAVING b.balance_minor <> COALESCE(sum(e.amount_minor), 0)"
        " UNION ALL SELECT b.account FROM ledger_balance b LEFT JOIN ledger_entry e"
        " ON e.account = 'owed:' || substr(b.account, 5) AND b.account LIKE 'due:%'"
        " GROUP BY b.account, b.owed_minor HAVING b.owed_minor <> -COALESCE(sum(e.amount_minor), 0)",
    ),
    holds(
        "F5",
        "one currency from the invoice to the posting",
        "SELECT p.id FROM payment p JOIN invoice i ON i.id = p.invoice_id WHERE p.currency <> i.currency"
        " UNION ALL SELECT e.posting FROM ledger_entry e JOIN invoice i ON i.id = e.invoice_id"
        " WHERE e.currency <> i.currency",
    ),
    holds(
        "F6",
        "a receipt stands for a payment that is settled, or was taken back since, and every settled one has it or is"
        " about to get it",
        "SELECT p.id FROM payment p LEFT JOIN receipt r ON r.payment_id = p.id"
        " WHERE p.state = 'settled' AND r.id IS NULL EXCEPT {asked:receipts.issue_receipt,payment_id}"
        " UNION ALL SELECT r.id FROM receipt r JOIN payment p ON p.id = r.payment_id"
        " WHERE p.state <> 'settled' AND NOT EXISTS (SELECT 1 FROM payment_history h WHERE h.payment_id = p.id"
        " AND h.after = 'reversed')",
    ),
    holds(
        "F7",
        "amounts are above zero",
        "SELECT id FROM payment WHERE amount_minor <= 0 UNION ALL SELECT id FROM invoice WHERE amount_minor <= 0"
        " UNION ALL SELECT id FROM decision WHERE amount_minor <= 0 OR discount_minor < 0",
    ),
    holds(
        "F8",
        "a payment under way holds its amount, or one that came alive again some of it; and no other holds anything",
        "SELECT p.id FROM payment p LEFT JOIN ledger_balance b ON b.account = 'inflight:' || p.id"
        " WHERE COALESCE(b.balance_minor, 0) > CASE WHEN p.state IN {live} THEN p.amount_minor ELSE 0 END"
        " OR (p.state IN {live} AND COALESCE(b.balance_minor, 0) < p.amount_minor AND NOT EXISTS (SELECT 1"
        " FROM payment_history h WHERE h.payment_id = p.id AND h.before IN {not_done} AND h.after = 'unknown'))",
    ),
    holds(
        "F9",
        "nothing is due of an invoice of which something is owed, and owing goes one way only",
        "SELECT e.account FROM ledger_entry e LEFT JOIN ledger_balance due"
        " ON due.account = 'due:' || substr(e.account, 6) WHERE e.account LIKE 'owed:%'"
        " GROUP BY e.account, due.balance_minor HAVING sum(e.amount_minor) > 0"
        " OR (sum(e.amount_minor) < 0 AND COALESCE(due.balance_minor, 0) <> 0)",
    ),
    holds(
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
    holds(
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
    holds(
        "F12",
        "of the discounts of a bill each later one takes off less, and each something, but not everything",
        f"SELECT t.id FROM {_TIERS} t WHERE t.minor <= 0 OR t.minor >= t.amount_minor"  # noqa: S608  # our own text
        f" UNION ALL SELECT t.id FROM {_TIERS} t JOIN {_TIERS} next ON next.id = t.id AND next.place > t.place"
        " WHERE next.until <= t.until OR next.minor >= t.minor",
    ),
    holds(
        "F13",
        "a decision took the discount of its day and no other one, to the cent; none, where none held or it is of a"
        " part",
        f"SELECT d.id FROM decision d LEFT JOIN (SELECT d.id, max({SHARE}) AS minor FROM decision d"  # noqa: S608
        f" JOIN {_TIERS} t ON t.id = d.invoice_id AND t.until >= CAST(d.pay_on AS text)"
        " WHERE d.rest_minor = 0 AND d.paid_minor = 0 GROUP BY d.id) held ON held.id = d.id"
        " WHERE d.discount_minor >= 0 AND d.discount_minor <> COALESCE(held.minor, 0)"
        f" UNION ALL SELECT d.id FROM decision d LEFT JOIN {_TIERS} t"
        " ON t.id = d.invoice_id AND t.until = CAST(d.discount_until AS text) WHERE d.discount_minor > 0"
        f" AND (d.discount_until < d.pay_on OR d.discount_minor <> COALESCE({SHARE}, 0))",
    ),
)
