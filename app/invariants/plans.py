"""When customers mean to pay, and that they are asked."""

from __future__ import annotations

from app.invariants.query import Invariant, holds, in_time

PLANS: tuple[Invariant, ...] = (
    # --------------------------------------------------------------------------------------------------------- Y plans
    holds(
        "Y1",
        "the days of a plan come one after the other, each with its amount but the last, for which something is left",
        "SELECT d.plan_id FROM plan_day d JOIN plan_day e ON e.plan_id = d.plan_id AND e.number = d.number + 1"
        " WHERE e.pay_on <= d.pay_on OR d.minor IS NULL"
        " UNION ALL SELECT d.plan_id FROM plan_day d LEFT JOIN plan_day e"
        " ON e.plan_id = d.plan_id AND e.number = d.number + 1 WHERE e.plan_id IS NULL AND d.minor IS NOT NULL"
        " UNION ALL SELECT p.id FROM plan p LEFT JOIN plan_day d ON d.plan_id = p.id"
        " GROUP BY p.id, p.left_minor HAVING count(d.plan_id) = 0 OR COALESCE(sum(d.minor), 0) >= p.left_minor",
    ),
    holds(
        "Y2",
        "of a plan that stands a day is still to be looked at, and of one that has ended none",
        "SELECT id FROM plan WHERE state = 'standing' EXCEPT SELECT plan_id FROM plan_day WHERE look_at IS NOT NULL"
        " UNION ALL SELECT p.id FROM plan p JOIN plan_day d ON d.plan_id = p.id"
        " WHERE p.state <> 'standing' AND d.look_at IS NOT NULL",
    ),
    holds(
        "Y3",
        "nobody was asked before a planned day had come, anywhere on earth",
        "SELECT d.plan_id FROM plan_day d JOIN event e ON e.kind = 'PlanDue' AND e.payload ->> 'plan_id' = d.plan_id"
        " AND CAST(e.payload ->> 'number' AS integer) = d.number WHERE {seconds:d.pay_on,e.recorded_at} > 28800",
    ),
    holds(
        "Y5",
        "a company has said yes to the days of an agreed plan, and of every yes to instalments one was made",
        "SELECT p.id FROM plan p JOIN bill_answer a ON a.id = p.answer_id WHERE a.kind <> 'instalments'"
        " OR a.state <> 'accepted' OR a.invoice_id <> p.invoice_id"
        " OR a.until <> (SELECT max(d.pay_on) FROM plan_day d WHERE d.plan_id = p.id)"
        # but where nothing was asked any more, or all of their days were over by then
        " UNION ALL SELECT a.id FROM bill_answer a JOIN invoice i ON i.id = a.invoice_id"
        " LEFT JOIN plan p ON p.answer_id = a.id WHERE a.kind = 'instalments' AND a.state = 'accepted' AND p.id IS NULL"
        " AND i.credited_minor < i.amount_minor AND {seconds:a.until,a.ended_at} > 0",
    ),
    in_time(
        "Y4",
        "no planned day has come, or is over, without being looked at",
        "SELECT d.plan_id FROM plan_day d JOIN plan p ON p.id = d.plan_id"
        " WHERE p.state = 'standing' AND {seconds::now,d.look_at} > 3600",
    ),
)
