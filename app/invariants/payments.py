"""Claims on a bill, calls that could lead to money, states of payments, and consents at banks."""

from __future__ import annotations

from app.invariants.query import Invariant, holds

PAYMENTS: tuple[Invariant, ...] = (
    # --------------------------------------------------------------------------------------------------------- B claims
    holds(
        "B1",
        "what payments hold and have paid of an invoice is never more than it was billed",
        "SELECT i.id FROM invoice i JOIN {taken} t ON t.invoice_id = i.id GROUP BY i.id, i.amount_minor"
        " HAVING sum(t.minor) > i.amount_minor",
    ),
    holds(
        "B2",
        "every payment has its customer's decision, made before it, over exactly its values",
        "SELECT p.id FROM payment p LEFT JOIN decision d ON d.id = p.decision_id WHERE d.id IS NULL"
        " OR d.decided_at > p.created_at OR d.payment_id <> p.id OR d.amount_minor <> p.amount_minor"
        " OR d.currency <> p.currency OR d.invoice_id <> p.invoice_id OR d.customer_id <> p.customer_id"
        " OR d.bank_id <> p.bank_id OR (d.consent_id IS NULL) <> (p.trip_id IS NOT NULL)"
        " OR (d.consent_id IS NOT NULL AND COALESCE(p.consent_id, '') <> d.consent_id)",
    ),
    holds(
        "B3",
        "a decision is about the very bill as it was then: payee, account, reference, what was asked, and what of that"
        " it pays, what was paid before and what it leaves",
        "SELECT d.id FROM decision d JOIN invoice i ON i.id = d.invoice_id WHERE d.payee_iban <> i.payee_iban"
        " OR d.payee_name <> i.payee_name OR d.currency <> i.currency OR d.customer_id <> i.customer_id"
        " OR COALESCE(d.reference, '') <> COALESCE(i.reference, '')"
        " OR d.amount_minor + d.discount_minor + d.rest_minor <> i.amount_minor - d.credited_minor - d.paid_minor"
        " OR d.credited_minor > i.credited_minor",
    ),
    holds(
        "B4",
        "one decision starts one payment",
        "SELECT decision_id FROM payment GROUP BY decision_id HAVING count(*) > 1",
    ),
    holds(
        "B6",
        "one number of one biller is one invoice",
        "SELECT min(id) FROM invoice WHERE biller_id IS NOT NULL GROUP BY biller_id, number HAVING count(*) > 1",
    ),
    holds(
        "B7",
        "an invoice says paid, in payment or to pay as its payments and its ledger do, and how much of it is paid",
        "SELECT i.id FROM invoice i JOIN ledger_balance due ON due.account = 'due:' || i.id LEFT JOIN"
        " (SELECT d.invoice_id, sum(CASE WHEN p.state = 'settled' THEN t.minor ELSE 0 END) AS paid,"
        " sum(CASE WHEN p.state = 'settled' THEN 0 ELSE t.minor END) AS held FROM decision d"
        " JOIN {taken} t ON t.payment_id = d.payment_id LEFT JOIN payment p ON p.decision_id = d.id"
        " WHERE p.id IS NULL OR p.state IN {held} GROUP BY d.invoice_id) taken ON taken.invoice_id = i.id"
        " WHERE i.paid_minor <> COALESCE(taken.paid, 0) OR i.state <> CASE WHEN COALESCE(taken.held, 0) > 0"
        " THEN 'in_payment' WHEN due.balance_minor > 0 THEN 'to_pay' WHEN i.paid_minor > 0 THEN 'paid'"
        " ELSE 'cleared' END",
    ),
    holds(
        "B21",
        "of two payments of one invoice no decision was taken while the other one was under way",
        # what was closed may come alive again. A minute: who decides may have waited for the one that has ended
        "SELECT e.id FROM decision d JOIN decision e ON e.invoice_id = d.invoice_id AND e.decided_at > d.decided_at"
        " WHERE NOT EXISTS"
        " (SELECT 1 FROM payment_history h WHERE h.payment_id = d.payment_id AND h.after IN {ended}"
        " AND {seconds:h.at,e.decided_at} <= 60)",
    ),
    holds(
        "B22",
        "of a bill that takes parts no payment was closed that others than we could have made happen",
        "SELECT i.id FROM invoice i JOIN payment p ON p.invoice_id = i.id LEFT JOIN trip t ON t.id = p.trip_id"
        " WHERE NOT i.may_have_been_paid AND (t.left_at IS NOT NULL OR EXISTS"
        " (SELECT 1 FROM bank_call c JOIN bank_attempt a ON a.call_id = c.id WHERE c.payment_id = p.id"
        " AND ((t.id IS NULL AND c.verb = 'submit')"
        " OR (c.verb = 'initiate' AND (a.outcome IS NULL OR a.outcome = 'BankSilent')))))"
        " AND EXISTS (SELECT 1 FROM payment_history h WHERE h.payment_id = p.id AND h.after IN {closed})",
    ),
    holds(
        "B11",
        "a cleared invoice is one of which its biller asks nothing any more, and no payment has it",
        "SELECT i.id FROM invoice i WHERE i.state = 'cleared' AND (i.credited_minor < i.amount_minor OR EXISTS"
        " (SELECT 1 FROM {taken} t WHERE t.invoice_id = i.id AND t.minor > 0))",
    ),
    holds(
        "B12",
        "nothing is asked of an invoice that was withdrawn, or for which a new version stands",
        "SELECT i.id FROM invoice i JOIN correction c ON c.invoice_id = i.id"
        " WHERE c.kind <> 'credit_note' AND i.credited_minor < i.amount_minor",
    ),
    holds(
        "B13",
        "no payment that we could stop stands once its bill was corrected after its decision",
        "SELECT p.id FROM payment p JOIN decision d ON d.id = p.decision_id JOIN invoice i ON i.id = p.invoice_id"
        " LEFT JOIN trip t ON t.id = p.trip_id WHERE d.credited_minor < i.credited_minor AND (p.state = 'authorised'"
        " OR (p.state = 'awaiting_customer' AND (t.left_at IS NULL OR p.submitted_apart)))",
    ),
    holds(
        "B14",
        "a bill replaces the one that its own correction was applied to, and no other",
        "SELECT i.id FROM invoice i LEFT JOIN correction c ON c.bill_id = i.bill_id AND c.kind = 'new_version'"
        " WHERE COALESCE(i.replaces_id, '') <> COALESCE(c.invoice_id, '')",
    ),
    holds(
        "B15",
        "no payment that we could stop stands, and none is wanted, while a bill that its own replaces is being paid, or"
        " has been since its decision, or was not to be paid from here and its decision did not know it",
        "SELECT p.id FROM payment p JOIN decision d ON d.id = p.decision_id LEFT JOIN trip t ON t.id = p.trip_id JOIN"
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
    holds(
        "B18",
        "no decision on an invoice that nobody delivered without its customer's three confirmations of the very payee,"
        " account and amount and of every doubt about its file, and no check is another's or counts twice",
        "SELECT d.id FROM decision d JOIN invoice i ON i.id = d.invoice_id"
        " LEFT JOIN payee_check c ON c.id = d.payee_check_id WHERE i.own_bill_id IS NOT NULL AND (c.id IS NULL"
        " OR COALESCE(c.typed_iban, '') <> i.payee_iban OR c.name_check IS NULL OR c.warning IS NULL"
        " OR d.payee_iban <> i.payee_iban OR d.amount_minor <> i.amount_minor OR d.rest_minor > 0)"
        # the words of before, own-bill-1, spoke of no doubts; JSON is spaced in the one way or the other
        " UNION ALL SELECT d.id FROM decision d JOIN payee_check c ON c.id = d.payee_check_id"
        " JOIN invoice i ON i.id = d.invoice_id JOIN own_bill o ON o.id = i.own_bill_id"
        " WHERE c.warning <> 'own-bill-1' AND replace(COALESCE(CAST(o.reading -> 'doubts' AS TEXT), '[]'), ' ', '')"
        " <> replace(CAST(c.doubts AS TEXT), ' ', '')"
        " UNION ALL SELECT d.id FROM decision d JOIN payee_check c ON c.id = d.payee_check_id"
        " WHERE c.invoice_id <> d.invoice_id OR c.customer_id <> d.customer_id OR c.bank_id <> d.bank_id"
        " OR c.payee_name <> d.payee_name OR c.payee_iban <> d.payee_iban OR c.currency <> d.currency"
        " OR c.amount_minor <> d.amount_minor + d.discount_minor + d.rest_minor + d.paid_minor"
        " OR c.checked_at > d.decided_at"
        " UNION ALL SELECT min(id) FROM decision WHERE payee_check_id IS NOT NULL GROUP BY payee_check_id"
        " HAVING count(*) > 1",
    ),
    holds(
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
    holds(
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
        " JOIN invoice o ON o.id = s.other AND (o.state IN ('paid', 'in_payment') OR o.paid_minor > 0)"
        " JOIN payment p ON p.invoice_id = s.one JOIN decision d ON d.id = p.decision_id"
        " LEFT JOIN trip t ON t.id = p.trip_id JOIN payment q ON q.invoice_id = o.id AND q.state IN {held}"
        " JOIN decision e ON e.id = q.decision_id AND e.decided_at < d.decided_at"
        " LEFT JOIN payee_check c ON c.id = d.payee_check_id"
        " WHERE (c.id IS NULL OR replace(CAST(c.besides AS TEXT), o.id, '') = CAST(c.besides AS TEXT))"
        " AND (p.state = 'authorised' OR (p.state = 'awaiting_customer'"
        " AND (t.left_at IS NULL OR p.submitted_apart OR p.unwanted_since IS NULL)))"
        " EXCEPT {asked:payments.reconsider,payment_id}",
    ),
    # a minute: transactions that wait for each other may write their times in the other order
    holds(
        "B16",
        "nothing is given to a bank for a decision that a correction had made void",
        "SELECT c.payment_id FROM correction x JOIN payment p ON p.invoice_id = x.invoice_id"
        " JOIN decision d ON d.id = p.decision_id JOIN bank_call c ON c.payment_id = p.id"
        " JOIN bank_attempt a ON a.call_id = c.id AND (a.number = 1 OR c.verb = 'initiate')"
        " WHERE c.verb IN ('initiate', 'complete', 'submit') AND {seconds:a.sent_at,x.applied_at} > 60"
        " GROUP BY c.payment_id, c.id, a.number, d.credited_minor HAVING sum(x.taken_minor) > d.credited_minor",
    ),
    holds(
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
    holds(
        "B8",
        "no invoice is offered of which payments have paid all that is asked, and no more is offered than is left",
        "SELECT i.id FROM invoice i JOIN payment p ON p.invoice_id = i.id AND p.state = 'settled'"
        " JOIN decision d ON d.id = p.decision_id LEFT JOIN ledger_balance due ON due.account = 'due:' || i.id"
        " WHERE i.state = 'to_pay'"
        " GROUP BY i.id, i.amount_minor, i.credited_minor, due.balance_minor"
        " HAVING due.balance_minor > i.amount_minor - i.credited_minor - sum(d.amount_minor + d.discount_minor)"
        " OR i.amount_minor - i.credited_minor <= sum(d.amount_minor + d.discount_minor)",
    ),
    holds(
        "B9",
        "no invoice is offered while a payment of it may be executed, or its bank calls one accepted that had ended",
        "SELECT i.id FROM invoice i JOIN payment p ON p.invoice_id = i.id"
        " WHERE i.state = 'to_pay' AND (p.state IN {live} OR (p.state IN {not_done} AND p.doubted_since IS NOT NULL))",
    ),
    holds(
        "B10",
        "no payment has more of its invoice than its customer decided, nor less than nothing",
        "SELECT t.payment_id FROM {taken} t JOIN decision d ON d.payment_id = t.payment_id"
        " WHERE t.minor < 0 OR t.minor > d.amount_minor + d.discount_minor",
    ),
    # --------------------------------------------------------------------------------- C calls that could lead to money
    holds(
        "C1",
        "one call, one key and one set of bytes for each thing asked of a bank about a payment",
        "SELECT min(id) FROM bank_call GROUP BY payment_id, verb HAVING count(*) > 1",
    ),
    holds(
        "C2",
        "no key is shared by two calls",
        "SELECT min(id) FROM bank_call GROUP BY request_id HAVING count(*) > 1",
    ),
    holds(
        "C4",
        "the bytes were stored before they were first sent",
        "SELECT c.id FROM bank_call c JOIN bank_attempt a ON a.call_id = c.id WHERE a.sent_at < c.made_at",
    ),
    holds(
        "C5",
        "an initiation leads to a link, and is not sent once that was given away, nor a day after the first sending",
        "SELECT c.id FROM bank_call c JOIN bank_attempt a ON a.call_id = c.id JOIN payment p ON p.id = c.payment_id"
        " LEFT JOIN trip t ON t.id = p.trip_id JOIN bank_attempt first ON first.call_id = c.id AND first.number = 1"
        " WHERE c.verb = 'initiate' AND (t.id IS NULL OR a.sent_at > t.left_at"
        " OR {seconds:a.sent_at,first.sent_at} > 82800)",
    ),
    holds(
        "C6",
        "between two sendings of the same bytes lies a second at least",
        "SELECT a.call_id FROM bank_attempt a JOIN bank_attempt b ON b.call_id = a.call_id AND b.number = a.number + 1"
        " WHERE {seconds:b.sent_at,a.sent_at} < 0.999",
    ),
    holds(
        "C7",
        "what is not found at the bank is called not done only past its fence",
        "SELECT p.id FROM payment_history h JOIN payment p ON p.id = h.payment_id"
        " WHERE h.evidence = 'not_found' AND h.after = 'rejected' AND (p.fence_at IS NULL OR h.at <= p.fence_at)"
        # once its bank has it after all, the fence may be that of the day until which the bank keeps it
        " AND NOT EXISTS (SELECT 1 FROM payment_history d WHERE d.payment_id = h.payment_id"
        " AND d.sequence > h.sequence AND d.before = 'rejected')",
    ),
    holds(
        "C8",
        "nothing is submitted before its customer's code was exchanged, nor once its consent had no use any more",
        # under a standing consent the code is that of its approval, the first one: it may be approved again
        "SELECT id FROM (SELECT c.id, a.sent_at, p.fence_at, CASE WHEN p.trip_id IS NOT NULL THEN t.exchanged_at"
        " ELSE (SELECT min(x.exchanged_at) FROM trip x WHERE x.consent_id = p.consent_id) END AS exchanged_at"
        " FROM bank_call c JOIN bank_attempt a ON a.call_id = c.id JOIN payment p ON p.id = c.payment_id"
        " LEFT JOIN trip t ON t.id = p.trip_id WHERE c.verb = 'submit') s"
        " WHERE exchanged_at IS NULL OR sent_at < exchanged_at OR fence_at IS NULL OR sent_at > fence_at",
    ),
    holds(
        "C9",
        "the same submission is not sent a day after it was first sent",
        "SELECT c.id FROM bank_call c JOIN bank_attempt a ON a.call_id = c.id"
        " JOIN bank_attempt first ON first.call_id = c.id AND first.number = 1"
        " WHERE c.verb = 'submit' AND {seconds:a.sent_at,first.sent_at} > 82800",
    ),
    holds(
        "C10",
        "what the bank is said to have was given to it: with its approval, or by a submission",
        "SELECT p.id FROM payment p LEFT JOIN consent c ON c.id = p.consent_id"
        " LEFT JOIN bank_call s ON s.payment_id = p.id AND s.verb = 'submit'"
        " WHERE p.bank_payment_id IS NOT NULL AND s.id IS NULL"
        " AND (p.submitted_apart OR c.bank_consent_id <> p.bank_payment_id)",
    ),
    holds(
        "C11",
        "only what its approval does not execute is submitted by us",
        "SELECT p.id FROM payment p LEFT JOIN bank_call s ON s.payment_id = p.id AND s.verb = 'submit'"
        " WHERE NOT p.submitted_apart AND (s.id IS NOT NULL OR p.state IN ('authorised', 'submitting'))",
    ),
    holds(
        "C12",
        "what is paid under a standing consent is first sent on the day that its customer signed, wherever on earth"
        " they are, with a fence, and within three quarters of an hour where it was not decided for a later day",
        "SELECT p.id FROM payment p JOIN decision d ON d.id = p.decision_id JOIN bank_call c ON c.payment_id = p.id"
        " JOIN bank_attempt a ON a.call_id = c.id AND a.number = 1 WHERE p.trip_id IS NULL AND c.verb = 'submit'"
        " AND (p.fence_at IS NULL OR (p.send_from IS NULL AND {seconds:a.sent_at,d.decided_at} > 2760)"
        " OR {seconds:a.sent_at,d.pay_on} < -50400 OR {seconds:a.sent_at,d.pay_on} >= 129600)",
    ),
    holds(
        "C14",
        "what was decided for a later day is kept by its bank, or is under a standing consent and was not sent before"
        " that day had come",
        "SELECT p.id FROM payment p JOIN decision d ON d.id = p.decision_id"
        " WHERE (d.verb = 'pay_on_day') <> (p.send_from IS NOT NULL OR p.kept_until IS NOT NULL)"
        " OR (p.send_from IS NOT NULL AND (p.trip_id IS NOT NULL OR {seconds:p.send_from,d.decided_at} <= 0"
        " OR {seconds:p.send_from,d.pay_on} NOT BETWEEN -50400 AND 129600))"
        " UNION ALL SELECT p.id FROM payment p JOIN bank_call c ON c.payment_id = p.id"
        " JOIN bank_attempt a ON a.call_id = c.id WHERE {seconds:a.sent_at,p.send_from} < 0",
    ),
    holds(
        "C15",
        "what a bank keeps until a later day was approved by itself for that day, and nothing else is wanted back",
        "SELECT p.id FROM payment p JOIN decision d ON d.id = p.decision_id WHERE p.kept_until IS NOT NULL"
        " AND (p.trip_id IS NULL OR p.send_from IS NOT NULL OR {seconds:p.kept_until,d.decided_at} <= 0"
        " OR {seconds:p.kept_until,d.pay_on} NOT BETWEEN -50400 AND 129600)"
        " UNION ALL SELECT id FROM payment WHERE take_back_since IS NOT NULL AND kept_until IS NULL",
    ),
    holds(
        "C13",
        "only what is under a standing consent needs no approval of its own, and it alone is under one",
        "SELECT p.id FROM payment p LEFT JOIN consent c ON c.id = p.consent_id"
        " WHERE (p.trip_id IS NULL AND COALESCE(c.kind, '') <> 'standing')"
        " OR (p.trip_id IS NOT NULL AND COALESCE(c.kind, 'single') <> 'single')",
    ),
    # --------------------------------------------------------------------------------------------------------- D states
    holds(
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
    holds(
        "D2",
        "what has ended stays so, but for a reversal, a correction or a doubt that names its evidence",
        "SELECT payment_id FROM payment_history WHERE before IN {ended}"
        " AND NOT (before = 'settled' AND after = 'reversed')"
        " AND NOT (before IN {not_done} AND after = 'settled' AND evidence <> ''"
        # a statement may show the very execution that was taken back
        " AND (source IN ('bank', 'operator') OR (source = 'statement' AND before <> 'reversed')))"
        " AND NOT (before IN {not_done} AND after = 'unknown' AND evidence LIKE 'bank:%' AND source = 'bank')",
    ),
    holds(
        "D3",
        "nobody comes back from a bank who was not sent there",
        "SELECT id FROM trip WHERE returned_at IS NOT NULL AND (left_at IS NULL OR returned_at < left_at)",
    ),
    holds(
        "D4",
        "a code is exchanged once at most",
        "SELECT c.payment_id FROM bank_call c JOIN bank_attempt a ON a.call_id = c.id WHERE c.verb = 'complete'"
        " GROUP BY c.payment_id HAVING count(*) > 1",
    ),
    holds(
        "D5",
        "no payment is approved or paid whose link was given to nobody, nor one without link that was never submitted,"
        " unless a record of the bank says so",
        "SELECT p.id FROM payment p LEFT JOIN trip t ON t.id = p.trip_id"
        " WHERE p.state IN ('accepted', 'settled', 'reversed') AND t.left_at IS NULL AND NOT (p.trip_id IS NULL"
        " AND EXISTS (SELECT 1 FROM bank_call c JOIN bank_attempt a ON a.call_id = c.id"
        " WHERE c.payment_id = p.id AND c.verb = 'submit'))"
        " AND NOT EXISTS (SELECT 1 FROM payment_history h WHERE h.payment_id = p.id"
        " AND h.source IN ('statement', 'operator'))",
    ),
    holds(
        "D6",
        "an unknown outcome carries its promise, or says that nobody can be asked about it, or until when; and nothing"
        " else does, but what is accepted and cannot be asked about any more",
        "SELECT id FROM payment WHERE (know_by IS NOT NULL AND (state <> 'unknown' OR untold_since IS NOT NULL))"
        " OR (state = 'unknown' AND know_by IS NULL AND untold_since IS NULL AND told_until IS NULL)"
        " OR (untold_since IS NOT NULL AND state NOT IN ('unknown', 'accepted'))",
    ),
    # ------------------------------------------------------------------------------------------------------- E consents
    holds(
        "E1",
        "no period of a standing consent is over its limit, unless by what the bank calls done after all",
        "SELECT u.consent_id FROM consent_usage u WHERE u.used_minor > u.limit_minor AND NOT EXISTS"
        " (SELECT 1 FROM limit_claim l JOIN payment_history h ON h.payment_id = l.payment_id AND h.before IN {closed}"
        " WHERE l.consent_id = u.consent_id AND l.number = u.number AND l.first = u.first AND l.released_at IS NULL)"
        " UNION ALL SELECT u.consent_id FROM consent_usage u JOIN standing s ON s.consent_id = u.consent_id"
        " WHERE u.limit_minor > CAST(s.limits -> CAST(u.number AS INTEGER) ->> 'minor' AS BIGINT)",
    ),
    holds(
        "E2",
        "no payment is more than its standing consent allows for one",
        "SELECT l.payment_id FROM limit_claim l JOIN standing s ON s.consent_id = l.consent_id"
        " WHERE l.minor > s.each_minor",
    ),
    # a minute, as for B16; by the clock of London a day begins an hour before that of UTC
    holds(
        "E3",
        "nothing is first sent under a standing consent that is not authorised then, nor before its first day, nor"
        " after its last",
        "SELECT p.id FROM payment p JOIN standing s ON s.consent_id = p.consent_id"
        " JOIN bank_call c ON c.payment_id = p.id AND c.verb = 'submit'"
        " JOIN bank_attempt a ON a.call_id = c.id AND a.number = 1"
        " WHERE {seconds:a.sent_at,s.begins_on} < -3660 OR {seconds:a.sent_at,s.ends_on} > 86460"
        " OR NOT EXISTS (SELECT 1 FROM consent_history h LEFT JOIN consent_history n"
        " ON n.consent_id = h.consent_id AND n.sequence = h.sequence + 1 WHERE h.consent_id = s.consent_id"
        " AND h.after = 'authorised' AND {seconds:a.sent_at,h.at} >= -60"
        " AND (n.at IS NULL OR {seconds:a.sent_at,n.at} <= 60))",
    ),
    holds(
        "E4",
        "a payment, its invoice, its consent and its trip, where it has these, are one customer's at one bank",
        "SELECT p.id FROM payment p JOIN invoice i ON i.id = p.invoice_id LEFT JOIN trip t ON t.id = p.trip_id"
        " LEFT JOIN consent c ON c.id = p.consent_id WHERE i.customer_id <> p.customer_id"
        " OR COALESCE(t.customer_id, p.customer_id) <> p.customer_id"
        " OR COALESCE(c.customer_id, p.customer_id) <> p.customer_id"
        " OR COALESCE(t.bank_id, p.bank_id) <> p.bank_id OR COALESCE(c.bank_id, p.bank_id) <> p.bank_id",
    ),
    holds(
        "E5",
        "a sign-in and its trip are one customer's at one bank and no payment's, and its token came once, to who left",
        "SELECT s.id FROM sign_in s LEFT JOIN trip t ON t.id = s.trip_id LEFT JOIN payment p ON p.trip_id = s.trip_id"
        " WHERE t.id IS NULL OR t.customer_id <> s.customer_id OR t.bank_id <> s.bank_id OR t.consent_id IS NOT NULL"
        " OR p.id IS NOT NULL OR (s.signed_in_at IS NOT NULL"
        " AND (t.browser_hash IS NULL OR t.exchanged_at IS NULL OR s.signed_in_at < t.exchanged_at))"
        " UNION ALL SELECT x.id FROM sealed x LEFT JOIN sign_in s ON x.id = 'sign_in:' || s.id || ':' || 'token'"
        " WHERE x.id LIKE 'sign!_in:%' ESCAPE '!' AND (s.id IS NULL OR s.signed_in_at IS NULL)",
    ),
    holds(
        "E6",
        "what is used of a period of a standing consent is what the claims add up to that stand; each is of the amount"
        " and the consent of its payment, and stands exactly while that may still cost money, or has; and every payment"
        " under one has claimed of each limit",
        "SELECT u.consent_id FROM consent_usage u LEFT JOIN limit_claim l ON l.consent_id = u.consent_id"
        " AND l.number = u.number AND l.first = u.first AND l.released_at IS NULL"
        " GROUP BY u.consent_id, u.number, u.first, u.used_minor HAVING u.used_minor <> COALESCE(sum(l.minor), 0)"
        " UNION ALL SELECT l.payment_id FROM limit_claim l JOIN payment p ON p.id = l.payment_id"
        " WHERE (l.released_at IS NULL) = (p.state IN {closed}) OR l.minor <> p.amount_minor"
        " OR l.consent_id <> COALESCE(p.consent_id, '')"
        " UNION ALL SELECT d.payment_id FROM decision d JOIN standing s ON s.consent_id = d.consent_id"
        " WHERE json_array_length(s.limits) <> (SELECT count(DISTINCT l.number) FROM limit_claim l"
        " WHERE l.payment_id = d.payment_id AND l.consent_id = d.consent_id)",
    ),
    holds(
        "E7",
        "a standing consent's history is unbroken and ends where it stands",
        "SELECT later.consent_id FROM consent_history later LEFT JOIN consent_history earlier"
        " ON earlier.consent_id = later.consent_id AND earlier.sequence = later.sequence - 1"
        " WHERE (later.sequence > 1 AND (earlier.consent_id IS NULL OR COALESCE(later.before, '') <> earlier.after))"
        " OR (later.sequence = 1 AND later.before IS NOT NULL)"
        " UNION ALL SELECT s.consent_id FROM standing s JOIN consent c ON c.id = s.consent_id"
        " LEFT JOIN consent_history h ON h.consent_id = s.consent_id AND h.sequence = s.sequence"
        " WHERE h.consent_id IS NULL OR h.after <> c.state"
        " UNION ALL SELECT h.consent_id FROM consent_history h JOIN standing s ON s.consent_id = h.consent_id"
        " WHERE h.sequence > s.sequence",
    ),
    holds(
        "E9",
        "a standing consent says what was agreed: whose, at which bank, what was shown; and whether it is over",
        "SELECT s.consent_id FROM standing s LEFT JOIN consent c ON c.id = s.consent_id"
        " LEFT JOIN shown_text t ON t.sha256 = s.shown_hash WHERE c.id IS NULL OR c.kind <> 'standing'"
        " OR c.customer_id <> s.customer_id OR c.bank_id <> s.bank_id OR t.sha256 IS NULL"
        " OR (s.ended_at IS NULL) = (c.state IN ('rejected', 'expired', 'revoked'))"
        " UNION ALL SELECT c.id FROM consent c LEFT JOIN standing s ON s.consent_id = c.id"
        " WHERE c.kind = 'standing' AND s.consent_id IS NULL",
    ),
    holds(
        "E10",
        "what is decided under a standing consent is for its payee, company, currency, customer and bank",
        "SELECT d.id FROM decision d JOIN invoice i ON i.id = d.invoice_id"
        " LEFT JOIN standing s ON s.consent_id = d.consent_id WHERE d.consent_id IS NOT NULL"
        " AND (s.consent_id IS NULL OR d.payee_iban <> s.payee_iban OR d.payee_name <> s.payee_name"
        " OR d.currency <> s.currency OR d.customer_id <> s.customer_id OR d.bank_id <> s.bank_id"
        " OR COALESCE(i.biller_id, '') <> s.biller_id)",
    ),
    holds(
        "E11",
        "the consent of a single payment is approved in one journey, and pays once",
        "SELECT c.id FROM consent c JOIN trip t ON t.consent_id = c.id WHERE c.kind = 'single'"
        " GROUP BY c.id HAVING count(*) > 1"
        " UNION ALL SELECT c.id FROM consent c JOIN payment p ON p.consent_id = c.id WHERE c.kind = 'single'"
        " GROUP BY c.id HAVING count(*) > 1",
    ),
)
