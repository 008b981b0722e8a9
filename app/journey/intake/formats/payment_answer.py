"""Answers to requests to pay: ISO 20022 pain.014, read and written in XML, and written in the JSON of SEPA
Request-to-Pay (EPC133-22), whose answers repeat most of the request."""

from __future__ import annotations

import datetime as dt
import json
import math
from dataclasses import dataclass
from typing import Any, cast

from lxml import etree

from app.journey.intake.bill import BillRefused
from app.journey.intake.formats import checks, fields, payment_request, text, xml
from app.journey.intake.formats.json_tree import JsonNode, JsonNumber
from app.journey.intake.formats.outcomes import WORDS, Outcome
from app.journey.intake.formats.payment_request import PaymentRequest
from connectors.money import Money

#: the version of a request → that of its answer; to any other the first one
_VERSIONS = {"pain.013.001.08": "08"}
_VERSION = "07"
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


def as_xml(
    request: PaymentRequest,
    said: PaymentAnswer,
    *,
    message_id: str,
    now: dt.datetime,
    decided_at: dt.datetime | None = None,
) -> bytes:
    """A pain.014 document that answers this request. ``decided_at``: when its customer accepted or declined it."""
    namespace = f"{_PREFIX}{_VERSIONS.get(request.message_name, _VERSION)}"
    root = etree.Element(f"{{{namespace}}}Document", nsmap=cast("dict[str, str]", {None: namespace}))
    us = {"Nm": "Quittance"}
    transaction: dict[str, Any] = {"OrgnlEndToEndId": said.end_to_end_id, "TxSts": said.status}
    if request.instruction_id is not None:
        transaction = {"OrgnlInstrId": request.instruction_id, **transaction}
    if said.reason is not None:
        transaction["StsRsnInf"] = {"Orgtr": us, "Rsn": {"Cd": said.reason}}
    if said.accepted is not None:
        transaction["PmtCondSts"] = {"AccptdAmt": said.accepted, "GrntedPmt": "false", "EarlyPmt": "false"}
    if decided_at is not None:
        transaction["DbtrDcsnDtTm"] = _moment(decided_at)
    report: dict[str, Any] = {
        "GrpHdr": {"MsgId": message_id, "CreDtTm": _moment(now), "InitgPty": us},
        "OrgnlGrpInfAndSts": {"OrgnlMsgId": said.original_message_id, "OrgnlMsgNmId": request.message_name},
        "OrgnlPmtInfAndSts": {"OrgnlPmtInfId": request.payment_information_id, "TxInfAndSts": transaction},
    }
    _grow(root, {_MESSAGE: report})
    return etree.tostring(root, xml_declaration=True, encoding="UTF-8")


def _moment(at: dt.datetime) -> str:
    return at.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _grow(parent: etree._Element, content: dict[str, Any]) -> None:
    for name, value in content.items():
        child = etree.SubElement(parent, f"{{{etree.QName(parent).namespace}}}{name}")
        if isinstance(value, dict):
            _grow(child, value)
        elif isinstance(value, Money):
            child.set("Ccy", value.currency)
            child.text = str(value)
        else:
            child.text = value


#: who speaks for the service
_US = {"Id": {"OrgId": {"Othr": {"Id": "QUITTANCE", "SchmeNm": {"Cd": "BOID"}}}}}
#: of a number: any of so many has a double of IEEE 754
_DIGITS_MAX = 300
#: what an answer repeats of the transaction, and of the instruction around it
_OF_TRANSACTION = ("Amt", "ReqdExctnDt", "PmtTpInf", "RmtInf", "CdtrAgt", "Cdtr", "CdtrAcct")
_OF_INSTRUCTION = ("ReqdExctnDt", "XpryDt", "Dbtr", "DbtrAgt")
#: of a party its name and address stay with whoever wrote them
_OF_PARTY = {"Cdtr": ("Nm", "Id"), "Dbtr": ("Id",)}


def as_json(
    tree: Any,
    request: PaymentRequest,
    said: PaymentAnswer,
    *,
    message_id: str,
    now: dt.datetime,
    decided_at: dt.datetime | None = None,
) -> bytes:
    """The same in the JSON of the scheme: DS-05 (delivered), DS-08P (accepted), DS-08N (its customer says no), DS-04b
    (we cannot have it paid). ``decided_at``: when its customer said so; None: it is we who say it.

    ``tree`` is the request as it came; its own words are given back.
    """
    message, instruction, transaction = payment_request.asked_in(tree)
    identifier = _first(instruction, "Dbtr/Id") if decided_at else None
    whose = {"Id": identifier} if identifier else _US
    status: dict[str, Any] = {
        "StsId": message_id,
        "OrgnlInstrId": request.instruction_id,
        "OrgnlEndToEndId": said.end_to_end_id,
        "TxSts": said.status,
        "StsRsnInf": {"Orgtr": whose} | ({"Rsn": {"Cd": said.reason}} if said.reason else {}),
    }
    if said.accepted is not None:
        amount = json.loads(str(said.accepted))  # a number, as the scheme has it
        status["PmtCondSts"] = {"AccptdAmt": amount, "GrntedPmt": False, "EarlyPmt": False}
    if decided_at is not None:
        status["DbtrDcsnDtTm"] = _moment(decided_at)
    status["OrgnlTxRef"] = _repeated(instruction, _OF_INSTRUCTION) | _repeated(transaction, _OF_TRANSACTION)
    of_instruction = {"OrgnlPmtInfId": request.payment_information_id}
    report = {
        "GrpHdr": {
            "MsgId": message_id,
            "CreDtTm": _moment(now),
            "InitgPty": {"Nm": "Quittance"} if decided_at else _US,
        },
        "OrgnlGrpInfAndSts": {
            "OrgnlMsgId": said.original_message_id,
            "OrgnlMsgNmId": request.message_name,
            "OrgnlCreDtTm": _first(message, "GrpHdr/CreDtTm"),
        },
        # the scheme writes a list here in one place, and there in the other
        "OrgnlPmtInfAndSts": of_instruction | {"TxInfAndSts": [status]}
        if decided_at and said.reason is None
        else [of_instruction | {"TxInfAndSts": status}],
    }
    written = json.dumps({"Document": {_MESSAGE: report}}, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return written.encode(errors="replace")  # half a surrogate pair, where nobody has read it


def _repeated(parent: JsonNode, names: tuple[str, ...]) -> dict[str, Any]:
    found = {name: _first(parent, name) for name in names}
    for name, kept in _OF_PARTY.items():
        if isinstance(found.get(name), dict):
            found[name] = {key: found[name][key] for key in kept if key in found[name]}
    return {name: value for name, value in found.items() if value}


def _first(parent: JsonNode, path: str) -> Any:
    """The first of what stands there, to be written again; None where nothing does."""
    return next((_single(node.value) for node in parent.all(path)), None)


def _single(value: Any) -> Any:
    """The same with the first of each list in its place, as answers have it, and numbers as numbers.

    A number that none of our machines can hold is left out.
    """
    if isinstance(value, list):
        return _single(value[0]) if value else None
    if isinstance(value, dict):
        return {name: found for name, inner in value.items() if (found := _single(inner)) is not None}
    if isinstance(value, JsonNumber):
        number = json.loads(value.written) if len(value.written) <= _DIGITS_MAX else math.inf
        return number if math.isfinite(number) else None
    return value
