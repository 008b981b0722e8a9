"""Answers to requests to pay: ISO 20022 pain.014, read and written in XML."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any, cast

from lxml import etree

from app.journey.intake.bill import BillRefused
from app.journey.intake.formats import checks, fields, text, xml
from app.journey.intake.formats.outcomes import WORDS, Outcome
from app.journey.intake.formats.payment_request import PaymentRequest
from connectors.money import Money

_NAMESPACE = "urn:iso:std:iso:20022:tech:xsd:pain.014.001.07"
_PREFIX = "urn:iso:std:iso:20022:tech:xsd:pain.014.001."
_MESSAGE = "CdtrPmtActvtnReqStsRpt"
#: what the rulebook of the EPC lets an answer say of a transaction
STATUSES = frozenset({"ACTC", "ACCP", "ACWC", "RJCT", "ACSP", "ACSC", "ACCC", "PDNG", "RCVD", "CANC"})
ANSWERS_MAX = 100


class NothingToSay(ValueError):
    """pain.014 has no status for this outcome."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentAnswer:
    """What became of one transaction of a request."""

    original_message_id: str
    end_to_end_id: str | None
    status: str  #: TxSts
    reason: str | None = None
    accepted: Money | None = None  #: with ACWC: what is paid instead


def answer(request: PaymentRequest, outcome: Outcome, *, accepted: Money | None = None) -> PaymentAnswer:
    """The answer to a request. ``accepted`` belongs to an outcome in part and to nothing else."""
    words = WORDS[outcome]
    if words.pain_014 is None:
        raise NothingToSay(f"pain.014 has no status for {outcome}")
    if (accepted is not None) != (outcome is Outcome.ACCEPTED_IN_PART):
        raise ValueError("an amount is accepted in part, or none is named")
    if accepted is not None and not 0 < accepted.minor < request.amount.minor:
        raise ValueError("a part is more than nothing and less than all")
    return PaymentAnswer(
        original_message_id=request.message_id,
        end_to_end_id=request.end_to_end_id,
        status=words.pain_014,
        reason=words.pain_014_reason,
        accepted=accepted,
    )


# --- read


def read(content: bytes) -> tuple[PaymentAnswer, ...]:
    """The answers in a pain.014 message, alone or in a bank's envelope. Raises BillRefused."""
    root = xml.parse(content)
    levels = [root, *root, *(inner for child in root for inner in child)]
    found = [each for each in levels if etree.QName(each).localname == _MESSAGE]
    if len(found) != 1 or not (etree.QName(found[0]).namespace or "").startswith(_PREFIX):
        raise xml.not_a_bill(root)
    names = xml.Names({"": etree.QName(found[0]).namespace or ""})
    message = xml.Node(found[0], f"/{_MESSAGE}", names)
    original = fields.exact(fields.required(message, "OrgnlGrpInfAndSts/OrgnlMsgId"), text.ID_MAX)
    return tuple(
        _answer(node, original)
        for instruction in fields.several(message, "OrgnlPmtInfAndSts", most=ANSWERS_MAX)
        for node in fields.several(instruction, "TxInfAndSts", most=ANSWERS_MAX)
    )


def _answer(node: xml.Node, original: str) -> PaymentAnswer:
    status = fields.required(node, "TxSts")
    if status.text() not in STATUSES:
        detail = f"{text.quoted(status.text())} is not a status that we know."
        raise BillRefused("text-refused", detail, element=status.path)
    reasons = fields.several(node, "StsRsnInf")
    amount = fields.given(node, "PmtCondSts/AccptdAmt")
    return PaymentAnswer(
        original_message_id=original,
        end_to_end_id=fields.maybe_exact(node, "OrgnlEndToEndId"),
        status=status.text(),
        reason=fields.maybe_exact(reasons[0], "Rsn/Cd") if reasons else None,
        accepted=_money(amount) if amount else None,
    )


def _money(node: xml.Node) -> Money:
    code = checks.currency(node.element.get("Ccy", ""), element=f"{node.path}/@Ccy")
    return fields.amount(node, code)


# --- written


def as_xml(request: PaymentRequest, said: PaymentAnswer, *, message_id: str, now: dt.datetime) -> bytes:
    """A pain.014.001.07 document that answers this request."""
    root = etree.Element(f"{{{_NAMESPACE}}}Document", nsmap=cast("dict[str, str]", {None: _NAMESPACE}))
    moment = now.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    us = {"Nm": "Quittance"}
    transaction: dict[str, Any] = {"OrgnlEndToEndId": said.end_to_end_id, "TxSts": said.status}
    if request.instruction_id is not None:
        transaction = {"OrgnlInstrId": request.instruction_id, **transaction}
    if said.reason is not None:
        transaction["StsRsnInf"] = {"Orgtr": us, "Rsn": {"Cd": said.reason}}
    if said.accepted is not None:
        transaction["PmtCondSts"] = {"AccptdAmt": said.accepted, "GrntedPmt": "false", "EarlyPmt": "false"}
    report: dict[str, Any] = {
        "GrpHdr": {"MsgId": message_id, "CreDtTm": moment, "InitgPty": us},
        "OrgnlGrpInfAndSts": {"OrgnlMsgId": said.original_message_id, "OrgnlMsgNmId": request.message_name},
        "OrgnlPmtInfAndSts": {"OrgnlPmtInfId": request.payment_information_id, "TxInfAndSts": transaction},
    }
    _grow(root, {_MESSAGE: report})
    return etree.tostring(root, xml_declaration=True, encoding="UTF-8")


def _grow(parent: etree._Element, content: dict[str, Any]) -> None:
    for name, value in content.items():
        child = etree.SubElement(parent, f"{{{_NAMESPACE}}}{name}")
        if isinstance(value, dict):
            _grow(child, value)
        elif isinstance(value, Money):
            child.set("Ccy", value.currency)
            child.text = str(value)
        else:
            child.text = value
