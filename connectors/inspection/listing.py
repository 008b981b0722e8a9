"""``quittance bank list``: every bank on a line, and whether customers can be sent there."""

from __future__ import annotations

from connectors import contract
from connectors.contract import Connector
from connectors.registry import Registry

_HEAD = ("id", "name", "standard", "profile", "can", "state")


def listing(banks: Registry) -> list[str]:
    """Lines for a person, with a head; as many again as banks."""
    rows = [_HEAD]
    for bank in banks.all_banks():
        why = banks.why_unusable(bank.id)
        can = "-" if why is not None else " ".join(capabilities(banks.connector(bank.id))) or "-"
        standard = f"{bank.standard} {bank.version}".rstrip()
        state = f"not usable: {why}" if why is not None else "sandbox" if bank.sandbox else "usable"
        rows.append((bank.id, bank.name, standard, bank.security_profile, can, state))
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEAD) - 1)]
    return [
        "  ".join([*(f"{text:<{width}}" for text, width in zip(row, widths, strict=False)), row[-1]]) for row in rows
    ]


def capabilities(connector: Connector) -> list[str]:
    """What is built for its standard beyond what all have: the contract's further protocols, in small letters."""
    return sorted(
        name.lower()
        for name, one in vars(contract).items()
        if getattr(one, "_is_runtime_protocol", False) and one is not Connector and isinstance(connector, one)
    )
