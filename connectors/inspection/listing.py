"""``quittance bank list``: every bank on a line, and whether customers can be sent there."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable

from connectors import capabilities as optional
from connectors import contract
from connectors.capabilities import Recurs
from connectors.contract import Connector
from connectors.inspection import certificates
from connectors.inspection.finding import Verdict
from connectors.profile import BankProfile
from connectors.registry import Registry

_HEAD = ("id", "name", "standard", "profile", "can", "state")


def listing(registries: Iterable[Registry], *, now: dt.datetime) -> list[str]:
    """Lines for a person, with a head; as many again as banks, by their names."""
    rows = [_HEAD]
    found = [(bank, banks) for banks in registries for bank in banks.all_banks()]
    for bank, banks in sorted(found, key=lambda each: (each[0].name.casefold(), each[0].id)):
        usable = banks.why_unusable(bank.id) is None
        can = " ".join(capabilities(banks.connector(bank.id))) if usable else ""
        standard = f"{bank.standard} {bank.version}".rstrip()
        rows.append((bank.id, bank.name, standard, bank.security_profile, can or "-", _state(bank, banks, now=now)))
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEAD) - 1)]
    return [
        "  ".join([*(f"{text:<{width}}" for text, width in zip(row, widths, strict=False)), row[-1]]) for row in rows
    ]


def _state(bank: BankProfile, banks: Registry, *, now: dt.datetime) -> str:
    why = banks.why_unusable(bank.id)
    if why is not None:
        return f"not usable: {why}"
    keys = banks.line(bank.id).keys
    judged = certificates.findings(bank, keys, now=now) if keys else ()
    found = [one.text for one in judged if one.verdict is not Verdict.OK]
    return "; ".join(["sandbox" if bank.sandbox else "usable", *found])


def capabilities(connector: Connector) -> list[str]:
    """What is built for its standard beyond what all have: the protocols that it has, in words: ``checks-funds``.
    ``recurs`` only where its file names a kind that the bank takes."""
    known = {**vars(contract), **vars(optional)}
    left_out: set[object] = {Connector}
    if isinstance(connector, Recurs) and not connector.recurring.kinds:
        left_out.add(Recurs)
    return sorted(
        re.sub(r"(?<=[a-z])(?=[A-Z])", "-", name).lower()
        for name, one in known.items()
        if getattr(one, "_is_runtime_protocol", False) and one not in left_out and isinstance(connector, one)
    )
