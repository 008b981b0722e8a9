"""The record of processing (GDPR, Article 30), printed from the tables: Markdown, for whoever runs an installation."""

from __future__ import annotations

from app.journey.erasure.holdings import HOLDINGS, Holding, Purpose, Stays
from consent.base import Base
from consent.private import KeyKind, Private


def lines(*, years: int) -> list[str]:
    """One table for each purpose; then what holds no data of customers. ``years``: for how long payments are proved.
    Every models.py must have been imported (app/tables.py)."""
    written = [
        "# Record of processing",
        "",
        "What an installation keeps of its customers, by the tables of its database. It starts payments, and keeps what"
        f" proves them for {years} {'year' if years == 1 else 'years'} after a space was erased.",
        "",
        "`profile` and `record` are sealed with the customer's own key of that name; what is `clear` is searched or"
        " compared by the database. Companies are given what stands on the customer's page of privacy; banks are given"
        " the orders that the customer has signed. Nobody else is given anything.",
    ]
    for purpose in Purpose:
        of_purpose = {
            name: holding
            for name, holding in HOLDINGS.items()
            if holding.purpose is purpose and holding.stays is not Stays.NOBODYS
        }
        if of_purpose:
            written += ["", f"## {purpose.value}", "", "| table | what | sealed | how long |", "|---|---|---|---|"]
            written += [_row(name, holding) for name, holding in of_purpose.items()]
    written += ["", "## No data of customers", "", "| table | what |", "|---|---|"]
    written += [f"| {name} | {each.data} |" for name, each in HOLDINGS.items() if each.stays is Stays.NOBODYS]
    return written


def _row(name: str, holding: Holding) -> str:
    return f"| {name} | {holding.data} | {_sealed(name)} | {holding.stays.value} |"


def _sealed(name: str) -> str:
    columns = Base.metadata.tables[name].columns
    by_kind: dict[KeyKind, list[str]] = {}
    for column in columns:
        if isinstance(column.type, Private):
            by_kind.setdefault(column.type.kind, []).append(column.name)
    if name in _WHOLE:
        by_kind.setdefault(KeyKind.PROFILE, []).append("box")
    return "; ".join(f"{kind.value}: {', '.join(names)}" for kind, names in by_kind.items()) or "clear"


#: whose bytes are sealed as a whole: app/journey/intake (originals.py, own_bills.py), app/journey/export/brought.py
_WHOLE = ("original", "own_bill", "brought", "brought_part")
