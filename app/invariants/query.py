"""One invariant: a query that finds no row, written once for both databases."""

from __future__ import annotations

import re
from dataclasses import dataclass

#: lists of states, and a table of payments, that several queries name
_WORDS = {
    "live": "('prepared', 'initiating', 'awaiting_customer', 'authorised', 'submitting', 'accepted', 'unknown')",
    "held": "('prepared', 'initiating', 'awaiting_customer', 'authorised', 'submitting', 'accepted', 'unknown',"
    " 'settled')",
    "closed": "('rejected', 'cancelled', 'expired')",
    "ended": "('settled', 'rejected', 'cancelled', 'expired', 'reversed')",
    "not_done": "('rejected', 'cancelled', 'expired', 'reversed')",
    # what each payment has of its invoice, by the books
    "taken": "(SELECT invoice_id, payment_id, -sum(amount_minor) AS minor FROM ledger_entry"
    " WHERE payment_id IS NOT NULL AND (account LIKE 'due:%' OR account LIKE 'owed:%')"
    " GROUP BY invoice_id, payment_id)",
}
_TOGETHER = re.compile(r"\{together:([^,}]+),([^}]+)\}")
_ASKED = re.compile(r"\{asked:([^,}]+),([^}]+)\}")
_LATER = re.compile(r"\{later:(\w+)\}")
_SECONDS = re.compile(r"\{seconds:([^,}]+),([^}]+)\}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Invariant:
    """``sql`` returns the ids of what breaks it.

    In it ``{live}`` and its like are lists, ``{seconds:a,b}`` is a − b in seconds, ``:now`` is the time,
    ``{later:i}`` are the later discounts of the invoices ``i``, each a ``tier.value`` in the order of ``tier.key``, and
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
        later = {
            "postgresql": r"json_array_elements(\1.later_discounts) WITH ORDINALITY AS tier(value, key)",
            "sqlite": r"json_each(\1.later_discounts) AS tier",
        }[dialect]
        query = _LATER.sub(later, query)
        query = _ASKED.sub(r"SELECT payload ->> '\2' FROM work WHERE handler = '\1'", query)
        if dialect == "postgresql":
            difference = r"EXTRACT(EPOCH FROM (CAST(\1 AS timestamptz) - CAST(\2 AS timestamptz)))"
        else:
            difference = r"((julianday(\1) - julianday(\2)) * 86400.0)"
        return _SECONDS.sub(difference, query)


def holds(name: str, says: str, sql: str) -> Invariant:
    return Invariant(name=name, says=says, sql=sql)


def in_time(name: str, says: str, sql: str) -> Invariant:
    return Invariant(name=name, says=says, sql=sql, late=True)
