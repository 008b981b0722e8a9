"""Accounts of payees, who billers are, and customers who have stopped everything."""

from __future__ import annotations

from app.invariants.query import Invariant, holds, in_time

PEOPLE: tuple[Invariant, ...] = (
    # ------------------------------------------------------------------------------------------------- P payee accounts
    holds(
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
    holds(
        "P2",
        "no payee account is open by fewer than two people who said the same, one right after the other, about a name"
        " that was checked; and where it does not match each of the two said why",
        "SELECT h.account_id FROM payee_account_history h LEFT JOIN payee_account_history first"
        " ON first.account_id = h.account_id AND first.sequence = h.sequence - 1"
        " WHERE h.after = 'approved' AND h.step <> 'bring_over' AND (first.account_id IS NULL OR first.step <> h.step"
        " OR first.by = h.by OR h.step NOT IN ('approve', 'unfreeze') OR (h.step = 'approve' AND (h.name_check IS NULL"
        " OR (h.name_check = 'no_match' AND (h.note IS NULL OR first.note IS NULL)))))",
    ),
    holds(
        "P3",
        "every decision on a delivered bill was on an account of its biller that was open and not frozen then",
        # what came at the same moment: its order within a minute is not told by the clock
        "SELECT d.id FROM decision d JOIN invoice i ON i.id = d.invoice_id WHERE i.bill_id IS NOT NULL AND NOT EXISTS"
        " (SELECT 1 FROM payee_account a JOIN payee_account_history h ON h.account_id = a.id AND h.after = 'approved'"
        " LEFT JOIN payee_account_history n ON n.account_id = h.account_id AND n.sequence = h.sequence + 1"
        " WHERE a.biller_id = i.biller_id AND a.iban = d.payee_iban AND h.active_from <= d.decided_at"
        " AND {seconds:h.at,d.decided_at} <= 60 AND (n.account_id IS NULL OR {seconds:d.decided_at,n.at} <= 60))",
    ),
    # -------------------------------------------------------------------------------------------------------- V billers
    holds(
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
    holds(
        "V2",
        "no biller is vetted by fewer than two people who said the same, one right after the other; and where something"
        " spoke against it who approved it said why",
        "SELECT h.biller_id FROM biller_history h LEFT JOIN biller_history first"
        " ON first.biller_id = h.biller_id AND first.sequence = h.sequence - 1"
        " WHERE h.after = 'vetted' AND h.step <> 'bring_over' AND (first.biller_id IS NULL OR first.step <> h.step"
        " OR first.by = h.by OR h.step NOT IN ('approve', 'reinstate'))"
        " UNION ALL SELECT biller_id FROM biller_history WHERE step = 'approve' AND doubted AND note IS NULL",
    ),
    holds(
        "V3",
        "every biller that two people approved has a number in a register which was looked up, its VAT number is among"
        " them, no other biller has one of them, and one that was refused has none",
        "SELECT h.biller_id FROM biller_history h LEFT JOIN biller_identifier i ON i.biller_id = h.biller_id"
        " WHERE h.step = 'approve' AND (i.outcome IS NULL OR i.registered_at > h.at)"
        " UNION ALL SELECT b.id FROM biller b LEFT JOIN biller_identifier i ON i.biller_id = b.id"
        " AND i.scheme = 'vat' WHERE b.vat_id <> COALESCE(i.value, '')"
        " UNION ALL SELECT min(biller_id) FROM biller_identifier WHERE released_at IS NULL"
        " GROUP BY scheme, value_key HAVING count(*) > 1"
        " UNION ALL SELECT b.id FROM biller b JOIN biller_identifier i ON i.biller_id = b.id"
        " WHERE (b.state = 'refused') <> (i.released_at IS NOT NULL)",
    ),
    holds(
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
    holds(
        "V5",
        "a program that may act, and a connection with a customer, is of a biller that was vetted once",
        "SELECT c.client_id FROM api_client c JOIN biller b ON b.id = c.biller_id"
        " WHERE b.state NOT IN ('vetted', 'suspended', 'returning')"
        " UNION ALL SELECT c.id FROM connection c JOIN biller b ON b.id = c.biller_id"
        " WHERE b.state NOT IN ('vetted', 'suspended', 'returning')",
    ),
    # ---------------------------------------------------------------------------------------------------------- S stops
    holds(
        "S1",
        "while a customer has stopped everything nothing of theirs is decided or first sent; nor afterwards what they"
        " had decided before they lifted that",
        # to the second: two machines may tell the time otherwise by that much
        "SELECT d.id FROM decision d JOIN stop s ON s.customer_id = d.customer_id"
        " WHERE {seconds:d.decided_at,s.at} > 1 AND (s.lifted_at IS NULL OR {seconds:s.lifted_at,d.decided_at} > 1)"
        " UNION ALL SELECT c.id FROM bank_call c JOIN bank_attempt a ON a.call_id = c.id AND a.number = 1"
        " JOIN payment p ON p.id = c.payment_id JOIN decision d ON d.id = p.decision_id"
        " JOIN stop s ON s.customer_id = p.customer_id WHERE c.verb IN ('initiate', 'complete', 'submit')"
        " AND {seconds:a.sent_at,s.at} > 1 AND (s.lifted_at IS NULL OR {seconds:s.lifted_at,d.decided_at} > 1)"
        " UNION ALL SELECT p.id FROM payment p JOIN trip t ON t.id = p.trip_id"
        " JOIN decision d ON d.id = p.decision_id JOIN stop s ON s.customer_id = p.customer_id"
        " WHERE t.browser_hash IS NOT NULL AND {seconds:t.left_at,s.at} > 1"
        " AND (s.lifted_at IS NULL OR {seconds:s.lifted_at,d.decided_at} > 1)",
    ),
    holds(
        "S2",
        "a customer stops everything once at a time, and each stop that was lifted was so by a passkey, later",
        "SELECT min(id) FROM stop WHERE lifted_at IS NULL GROUP BY customer_id HAVING count(*) > 1"
        " UNION ALL SELECT id FROM stop WHERE lifted_at < at OR (lifted_at IS NOT NULL AND lifted_evidence IS NULL)",
    ),
    holds(
        "S3",
        "while a way back by e-mail waits everything of its customer's is stopped; and none came to a new passkey, or"
        " to a session that could make one, before three days were over",
        "SELECT r.id FROM recovery r WHERE r.state = 'waiting' AND NOT EXISTS"
        " (SELECT 1 FROM stop s WHERE s.customer_id = r.customer_id AND s.lifted_at IS NULL)"
        " UNION ALL SELECT r.id FROM recovery r WHERE r.state = 'done' AND {seconds:r.ended_at,r.began_at} < 259200"
        " UNION ALL SELECT c.id FROM customer_session c JOIN recovery r ON r.id = c.way_back"
        " WHERE {seconds:c.created_at,r.began_at} < 259200",
    ),
    holds(
        "S4",
        "who has erased their space cannot sign in, is found by no address, is connected with no company, and had"
        " nothing under way",
        "SELECT id FROM customer WHERE erased_at IS NOT NULL"
        " AND (mailbox_key IS NOT NULL OR email_proven_at IS NOT NULL)"
        " UNION ALL SELECT c.id FROM customer c WHERE c.erased_at IS NOT NULL AND (EXISTS"
        " (SELECT 1 FROM passkey k WHERE k.customer_id = c.id) OR EXISTS"
        " (SELECT 1 FROM customer_session s WHERE s.customer_id = c.id) OR EXISTS"
        " (SELECT 1 FROM connection n WHERE n.customer_id = c.id"
        " AND n.state IN ('active', 'muted', 'asked', 'checking'))"
        " OR NOT EXISTS (SELECT 1 FROM erasure e WHERE e.customer_id = c.id AND e.erased_at IS NOT NULL))"
        " UNION ALL SELECT p.id FROM payment p JOIN customer c ON c.id = p.customer_id"
        " WHERE c.erased_at IS NOT NULL AND {seconds:p.created_at,c.erased_at} > 0",
    ),
    in_time(
        "S5",
        "the keys of whoever has erased their space are destroyed: the first at once, the second when its time is over",
        "SELECT id FROM erasure WHERE erased_at IS NOT NULL AND profile_gone_at IS NULL"
        " AND {seconds::now,erased_at} > 3600"
        " UNION ALL SELECT id FROM erasure WHERE erased_at IS NOT NULL AND record_gone_at IS NULL"
        " AND {seconds::now,keep_until} > 86400",
    ),
)
