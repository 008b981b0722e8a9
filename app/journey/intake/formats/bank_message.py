"""Orders to a bank in files and its answers: ISO 20022 pain.001 and pain.002, as far as they name payments.

Quittance sends no such files: customers order at their own bank. It reads them where somebody shows what was ordered.
"""

from __future__ import annotations

from dataclasses import dataclass

from lxml import etree

from app.journey.intake.bill import BillRefused
from app.journey.intake.formats import checks, fields, text, xml
from app.journey.intake.formats.fields import given, maybe_exact, plain, required, several
from connectors.money import Money

TRANSFERS_MAX = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Transfer:
    end_to_end_id: str
    amount: Money | None  #: None where an equivalent in another currency is ordered


@dataclass(frozen=True, slots=True, kw_only=True)
class BankMessage:
    kind: str  #: pain.001 or pain.002
    message_id: str
    transfers: tuple[Transfer, ...] = ()
    statuses: tuple[str, ...] = ()  #: of the group, its parts and its transactions, once each


def read(content: bytes) -> BankMessage:
    """Raises BillRefused."""
    root = xml.parse(content)
    name = etree.QName(root)
    node = xml.Node(root, f"/{name.localname}", xml.Names({"": name.namespace or ""}))
    for message, reader in (("CstmrCdtTrfInitn", _orders), ("CstmrPmtStsRpt", _statuses)):
        found = node.maybe(message)
        if found is not None:
            return reader(found)
    raise BillRefused("not-a-bill", "The document is neither pain.001 nor pain.002.", element=node.path)


def _orders(message: xml.Node) -> BankMessage:
    nodes = [
        transfer
        for instruction in several(message, "PmtInf", most=TRANSFERS_MAX)
        for transfer in several(instruction, "CdtTrfTxInf", most=TRANSFERS_MAX)
    ]
    if len(nodes) > TRANSFERS_MAX:
        raise BillRefused("too-large", f"There are more than {TRANSFERS_MAX} transfers.", element=message.path)
    return BankMessage(kind="pain.001", message_id=_id(message), transfers=tuple(_transfer(each) for each in nodes))


def _transfer(node: xml.Node) -> Transfer:
    amount = given(node, "Amt/InstdAmt")
    return Transfer(
        end_to_end_id=fields.exact(required(node, "PmtId/EndToEndId"), text.ID_MAX),
        amount=_money(amount) if amount else None,
    )


def _money(node: xml.Node) -> Money:
    code = checks.currency(node.element.get("Ccy", ""), element=f"{node.path}/@Ccy")
    return fields.amount(node, code)


def _statuses(message: xml.Node) -> BankMessage:
    instructions = several(message, "OrgnlPmtInfAndSts", most=TRANSFERS_MAX)
    transactions = [each for one in instructions for each in several(one, "TxInfAndSts", most=TRANSFERS_MAX)]
    found = [
        plain(message, "OrgnlGrpInfAndSts/GrpSts"),
        *(plain(each, "PmtInfSts") for each in instructions),
        *(plain(each, "TxSts") for each in transactions),
    ]
    known = (text.printable(each, limit=text.QUOTE_MAX) for each in found if each)
    return BankMessage(kind="pain.002", message_id=_id(message), statuses=tuple(dict.fromkeys(known)))


def _id(message: xml.Node) -> str:
    found = maybe_exact(message, "GrpHdr/MsgId")
    if found is None:
        raise fields.missing(message, "GrpHdr/MsgId")
    return found
