"""What customers answered to bills, and what that does to these."""

from __future__ import annotations

from app.invariants.query import Invariant, holds, in_time

ANSWERS: tuple[Invariant, ...] = (
    # ------------------------------------------------------------------------------------------------------- N answers
    holds(
        "N1",
        "nobody decided to pay a bill while what its customer had said of it kept it from being paid, nor, where they"
        " disputed lines, more of it than leaves unpaid what these come to",
        # what came at the same moment: its order within a minute is not told by the clock
        "SELECT d.id FROM bill_answer a JOIN decision d ON d.invoice_id = a.invoice_id"
        " WHERE a.kind IN ('paid_elsewhere', 'declined', 'disputed')"
        " AND (a.disputed_minor IS NULL OR d.rest_minor < a.disputed_minor)"
        " AND {seconds:d.decided_at,a.said_at} > 60 AND (a.ended_at IS NULL OR {seconds:a.ended_at,d.decided_at} > 60)",
    ),
    holds(
        "N2",
        "a bill is set aside, or some of it held back, exactly while its customer says that it is paid elsewhere,"
        " declines or disputes it",
        "SELECT id FROM invoice WHERE is_set_aside OR held_back_minor > 0"
        " EXCEPT SELECT invoice_id FROM bill_answer WHERE state = 'open'"
        " AND kind IN ('paid_elsewhere', 'declined', 'disputed')"
        " UNION ALL SELECT i.id FROM bill_answer a JOIN invoice i ON i.id = a.invoice_id"
        " WHERE a.state = 'open' AND a.kind IN ('paid_elsewhere', 'declined', 'disputed')"
        " AND NOT i.is_set_aside AND i.held_back_minor = 0",
    ),
    holds(
        "N3",
        "a bill is to be paid until the latest day to which its company, or its policy, has said yes, and no later",
        "SELECT id FROM invoice WHERE extended_to IS NOT NULL"
        " EXCEPT SELECT i.id FROM bill_answer a JOIN invoice i ON i.id = a.invoice_id"
        " WHERE a.state = 'accepted' AND a.until = i.extended_to"
        " UNION ALL SELECT i.id FROM bill_answer a JOIN invoice i ON i.id = a.invoice_id"
        " WHERE a.state = 'accepted' AND a.until > COALESCE(i.extended_to, i.due_on)",
    ),
    holds(
        "N4",
        "of a paid bill nothing stands but that it is disputed, and nothing of one of which nothing is left to pay",
        "SELECT a.id FROM bill_answer a JOIN invoice i ON i.id = a.invoice_id WHERE a.state = 'open'"
        " AND (i.state = 'cleared' OR (i.state = 'paid' AND a.kind <> 'disputed'))",
    ),
    holds(
        "N5",
        "nothing is asked of a bill once its company has said yes to what its customer says of it",
        "SELECT a.id FROM bill_answer a JOIN invoice i ON i.id = a.invoice_id WHERE a.state = 'accepted'"
        " AND a.kind IN ('paid_elsewhere', 'declined', 'disputed') AND a.ended_by <> 'correction'"
        " AND i.credited_minor < i.amount_minor",
    ),
    in_time(
        "N6",
        "of every answer it was noticed that its company's time to reply is over",
        # a day ends everywhere half a day after it does here; that is looked for every hour
        "SELECT id FROM bill_answer WHERE state = 'open' AND overdue_at IS NULL AND {seconds::now,reply_by} > 259200",
    ),
    holds(
        "N7",
        "of a bill is held back what its disputed lines come to, where that is not all that is left and it takes parts",
        "SELECT i.id FROM bill_answer a JOIN invoice i ON i.id = a.invoice_id WHERE a.state = 'open'"
        " AND a.kind <> 'more_time' AND i.held_back_minor <> CASE WHEN i.means = 'credit_transfer'"
        " AND i.bill_id IS NOT NULL AND NOT i.is_amount_fixed"
        " AND NOT i.may_have_been_paid AND a.disputed_minor < i.amount_minor - i.credited_minor - i.paid_minor"
        " THEN a.disputed_minor ELSE 0 END",
    ),
)
