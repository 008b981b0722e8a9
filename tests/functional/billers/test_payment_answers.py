"""A request to pay is answered in the form in which it came, and only with what its customer has really said."""

from __future__ import annotations

import datetime as dt
import json
from functools import cache
from typing import Any

import pytest
import yaml
from flask import Flask
from lxml import etree
from openapi_schema_validator import OAS31Validator
from werkzeug.test import TestResponse

from app.journey.answers import service as answers
from app.journey.answers.service import Said
from app.journey.answers.states import AnswerKind
from app.journey.corrections.replies import reply
from app.journey.intake.formats import payment_answer
from app.people.sessions import SignedIn
from tests.functional.billers.test_billers_api import refused
from tests.functional.billers.test_billers_corrections import invoice_of
from tests.functional.billers.test_billers_payments import program_of
from tests.functional.test_corrections import credit, withdrawn
from tests.functional.test_corrections import said as said_on
from tests.functional.test_linked_bills import at_the_bank, comes_alive, refused_by_the_bank
from tests.support.billers_door import Program
from tests.support.billers_spec import conforms
from tests.support.journey import Journey
from tests.support.shared import shared_folder

pytestmark = pytest.mark.shared
BILLS = "/api/v1/bills"
XML, JSON = "application/xml", "application/json"
BOTH = pytest.mark.parametrize("media_type", [XML, JSON])


def in_json(journey: Journey, amount: float = 100.0) -> bytes:
    """A whole request of the scheme (DS-02)."""
    company = {"Nm": journey.biller.name, "Id": {"OrgId": {"Othr": [{"Id": "12345671", "SchmeNm": {"Cd": "BOID"}}]}}}
    transaction = {
        "PmtId": {"InstrId": "I-1", "EndToEndId": "2026-1"},
        "PmtTpInf": {"SvcLvl": {"Cd": "SRTP"}, "LclInstrm": {"Cd": "TRF"}},
        "PmtCond": {"AmtModAllwd": True, "EarlyPmtAllwd": True, "GrntedPmtReqd": False},
        "Amt": {"InstdAmt": amount},
        "ChrgBr": "SLEV",
        "CdtrAgt": {"FinInstnId": {"BICFI": "SBDKFRP0"}},
        "Cdtr": company,
        "CdtrAcct": {"Id": {"IBAN": journey.biller.iban}},
        "RmtInf": {"Ustrd": ["Water, autumn", "thank you"]},
    }
    debtor = {"Nm": "Camille", "Id": {"PrvtId": {"Othr": [{"Id": "C-1", "SchmeNm": {"Cd": "POID"}}]}}}
    instruction = {
        "PmtInfId": "P-1",
        "PmtMtd": "TRF",
        "ReqdExctnDt": {"Dt": "2026-12-01"},
        "XpryDt": {"Dt": "2026-12-31"},
        "Dbtr": debtor,
        "DbtrAgt": {"FinInstnId": {"BICFI": "HORZFRP0"}},
        "CdtTrfTx": [transaction],
    }
    header = {"MsgId": "M-1", "CreDtTm": "2026-11-20T09:00:00Z", "NbOfTxs": "1", "InitgPty": company}
    message = {"GrpHdr": header, "PmtInf": [instruction]}
    return json.dumps(
        {"callbackUrl": "https://biller.example/answers", "Document": {"CdtrPmtActvtnReq": message}}
    ).encode()


def in_xml(journey: Journey, *, version: str = "08", account: str | None = None) -> bytes:
    found = f"<IBAN>{journey.biller.iban}</IBAN>" if account is None else f"<Othr><Id>{account}</Id></Othr>"
    return (
        f'<Document xmlns="urn:iso:std:iso:20022:tech:xsd:pain.013.001.{version}"><CdtrPmtActvtnReq>'
        "<GrpHdr><MsgId>M-1</MsgId><CreDtTm>2026-11-20T09:00:00Z</CreDtTm><NbOfTxs>1</NbOfTxs>"
        f"<InitgPty><Nm>{journey.biller.name}</Nm></InitgPty></GrpHdr>"
        "<PmtInf><PmtInfId>P-1</PmtInfId><PmtMtd>TRF</PmtMtd><ReqdExctnDt><Dt>2026-12-01</Dt></ReqdExctnDt>"
        "<Dbtr><Nm>Camille</Nm></Dbtr><CdtTrfTx><PmtId><EndToEndId>2026-1</EndToEndId></PmtId>"
        f'<Amt><InstdAmt Ccy="EUR">100.00</InstdAmt></Amt><Cdtr><Nm>{journey.biller.name}</Nm></Cdtr>'
        f"<CdtrAcct><Id>{found}</Id></CdtrAcct></CdtTrfTx></PmtInf></CdtrPmtActvtnReq></Document>"
    ).encode()


def asked(journey: Journey, program: Program, media_type: str, **changes: Any) -> tuple[str, str]:
    """Delivered and in the customer's space: the bill and its invoice."""
    content = in_xml(journey, **changes) if media_type == XML else in_json(journey, **changes)
    answer = program.deliver(content, media_type=media_type, path=f"{BILLS}?to={journey.address}")
    assert answer.status_code == 201, answer.get_json()
    journey.worker.run_until_idle()
    bill_id = answer.get_json()["id"]
    return bill_id, invoice_of(journey, bill_id)


def answered(app: Flask, program: Program, bill_id: str, media_type: str) -> dict[str, Any]:
    """What the answer says, read from whichever form it has, which its schema allows."""
    answer = program.get(f"{BILLS}/{bill_id}/answer")
    assert (answer.status_code, answer.mimetype) == (200, media_type), answer.text
    return of_xml(answer) if media_type == XML else of_json(app, answer)


def of_xml(answer: TestResponse) -> dict[str, Any]:
    root = etree.fromstring(answer.data)
    version = str(etree.QName(root).namespace).rpartition(":")[2]
    etree.XMLSchema(etree.parse(str(shared_folder() / f"schemas/{version}.xsd"))).assertValid(root)
    (said,) = payment_answer.read(answer.data)
    accepted = str(said.accepted) if said.accepted else None
    found = {"status": said.status, "reason": said.reason, "accepted": accepted, "version": version}
    return found | {"id": root.findtext(".//{*}GrpHdr/{*}MsgId"), "decided": root.findtext(".//{*}DbtrDcsnDtTm")}


#: status → which of the scheme's answers it is
SHAPES = {
    "ACTC": "PositiveSepaRequestToPayResponseResource_DS05",
    "ACCP": "PositiveSepaRequestToPayResponse_DS08P",
    "ACWC": "PositiveSepaRequestToPayResponse_DS08P",
    "RJCT": "NegativeSepaRequestToPayResponse_DS08N",
}


def of_json(app: Flask, answer: TestResponse) -> dict[str, Any]:
    conforms(app, answer)
    document = answer.get_json()
    report = document["Document"]["CdtrPmtActvtnReqStsRpt"]
    instruction = report["OrgnlPmtInfAndSts"]
    said = instruction["TxInfAndSts"][0] if isinstance(instruction, dict) else instruction[0]["TxInfAndSts"]
    valid(document, SHAPES[said["TxSts"]])
    assert (said["OrgnlEndToEndId"], said["OrgnlTxRef"]["Amt"]) == ("2026-1", {"InstdAmt": 100.0})
    assert "Camille" not in answer.text
    amount = said.get("PmtCondSts", {}).get("AccptdAmt")
    accepted = None if amount is None else f"{amount:.2f}"
    reason = said["StsRsnInf"].get("Rsn", {}).get("Cd")
    found = {"status": said["TxSts"], "reason": reason, "accepted": accepted}
    return found | {"id": report["GrpHdr"]["MsgId"], "decided": said.get("DbtrDcsnDtTm")}


@cache
def scheme() -> dict[str, Any]:
    """The scheme's own description. Its oneOf allow each other, so that strictly nothing is one of them."""
    with (shared_folder() / "schemas/epc133-22.yaml").open(encoding="utf-8") as file:
        text = file.read().replace("oneOf:", "anyOf:")
    found: dict[str, Any] = yaml.safe_load(text)
    return found


def valid(document: Any, shape: str) -> None:
    schema = {"$ref": f"#/components/schemas/{shape}", "components": scheme()["components"]}
    OAS31Validator(schema).validate(document)


@BOTH
def test_it_is_delivered_then_accepted_then_stays_so(app: Flask, journey: Journey, media_type: str) -> None:
    program = program_of(journey)
    bill_id, invoice_id = asked(journey, program, media_type)
    first = answered(app, program, bill_id, media_type)
    assert (first["status"], first["accepted"], first["decided"]) == ("ACTC", None, None)
    assert answered(app, program, bill_id, media_type)["id"] == first["id"]
    payment_id = journey.pay(invoice_id)
    then = answered(app, program, bill_id, media_type)
    assert (then["status"], then["accepted"]) == ("ACCP", None)
    assert then["decided"] == journey.clock().strftime("%Y-%m-%dT%H:%M:%SZ")
    assert then["id"] != first["id"]
    journey.wait(3)
    assert journey.truth(payment_id) == "done"
    assert answered(app, program, bill_id, media_type) == then


@BOTH
def test_less_is_accepted_with_its_amount(app: Flask, journey: Journey, media_type: str) -> None:
    program = program_of(journey)
    bill_id, invoice_id = asked(journey, program, media_type)
    credit(journey, "30.00", of="2026-1")
    assert answered(app, program, bill_id, media_type)["status"] == "ACTC"
    journey.pay(invoice_id)
    said = answered(app, program, bill_id, media_type)
    assert (said["status"], said["accepted"]) == ("ACWC", "70.00")


@BOTH
def test_a_payment_that_is_stopped_leaves_it_delivered(app: Flask, journey: Journey, media_type: str) -> None:
    program = program_of(journey)
    bill_id, invoice_id = asked(journey, program, media_type)
    payment_id = journey.confirm(invoice_id)
    assert answered(app, program, bill_id, media_type)["status"] == "ACCP"
    token = journey.browser.token(f"/payments/{payment_id}")
    journey.browser.post(f"/payments/{payment_id}/cancel", token=token)
    journey.worker.run_until_idle()
    assert answered(app, program, bill_id, media_type)["status"] == "ACTC"


def test_a_request_that_has_expired_is_refused(app: Flask, journey: Journey) -> None:
    program = program_of(journey)
    path = f"{BILLS}?to={journey.address}"
    today = journey.clock().date()
    over = in_json(journey).replace(b"2026-12-31", (today - dt.timedelta(days=1)).isoformat().encode())
    refused(app, program.deliver(over, media_type=JSON, path=path), 422, "expired", pointer="XpryDt")
    open_still = in_json(journey).replace(b"2026-12-31", today.isoformat().encode())
    assert program.deliver(open_still, media_type=JSON, path=path).status_code == 201
    # said again on a later day it is still the bill that was taken
    journey.clock.tick(days=2)
    assert program_of(journey).deliver(open_still, media_type=JSON, path=path).status_code == 200


def test_the_last_day_of_a_request_is_shown(app: Flask, journey: Journey) -> None:
    _, invoice_id = asked(journey, program_of(journey), JSON)
    assert "Request valid until Thursday, 31 December 2026" in said_on(journey, f"/bills/{invoice_id}")


@BOTH
def test_what_is_said_again_after_something_else_is_another_message(
    app: Flask, journey: Journey, media_type: str
) -> None:
    """Who drops a message of an id that it had before would believe what was said in between."""
    program = program_of(journey)
    bill_id, invoice_id = asked(journey, program, media_type)
    ids = [answered(app, program, bill_id, media_type)["id"]]
    for _ in range(2):
        payment_id = journey.confirm(invoice_id)
        ids.append(answered(app, program, bill_id, media_type)["id"])
        token = journey.browser.token(f"/payments/{payment_id}")
        journey.browser.post(f"/payments/{payment_id}/cancel", token=token)
        journey.worker.run_until_idle()
        ids.append(answered(app, program, bill_id, media_type)["id"])
        assert answered(app, program, bill_id, media_type)["id"] == ids[-1]
    assert len(set(ids)) == 5


@BOTH
def test_the_same_is_said_by_the_same_message_when_the_bill_comes_into_the_space(
    app: Flask, journey: Journey, media_type: str
) -> None:
    program = program_of(journey)
    content = in_xml(journey) if media_type == XML else in_json(journey)
    answer = program.deliver(content, media_type=media_type, path=f"{BILLS}?to={journey.address}")
    bill_id = answer.get_json()["id"]
    before = answered(app, program, bill_id, media_type)
    journey.worker.run_until_idle()
    assert journey.invoice(invoice_of(journey, bill_id)).state == "to_pay"
    after = answered(app, program, bill_id, media_type)
    assert (before["status"], before["id"]) == ("ACTC", after["id"])


def test_a_payment_that_comes_alive_again_is_said_by_another_message(app: Flask, journey: Journey) -> None:
    program = program_of(journey)
    bill_id, invoice_id = asked(journey, program, XML)
    payment_id, _ = at_the_bank(journey, invoice_id)
    before = answered(app, program, bill_id, XML)
    refused_by_the_bank(journey, payment_id)
    assert answered(app, program, bill_id, XML)["status"] == "ACTC"
    comes_alive(journey, payment_id)
    again = answered(app, program, bill_id, XML)
    assert (again["status"], again["decided"]) == ("ACCP", before["decided"])
    assert again["id"] != before["id"]


def test_a_decision_that_a_correction_made_void_accepts_nothing_any_more(app: Flask, journey: Journey) -> None:
    program = program_of(journey)
    bill_id, invoice_id = asked(journey, program, XML)
    _, way = at_the_bank(journey, invoice_id)
    journey.at_bank(way)
    assert answered(app, program, bill_id, XML)["status"] == "ACCP"
    credit(journey, "30.00", of="2026-1")
    assert journey.invoice(invoice_id).state == "in_payment"
    said = answered(app, program, bill_id, XML)
    assert (said["status"], said["decided"]) == ("ACTC", None)


def test_a_payment_that_is_executed_all_the_same_was_accepted(app: Flask, journey: Journey) -> None:
    program = program_of(journey)
    bill_id, invoice_id = asked(journey, program, XML)
    _, way = at_the_bank(journey, invoice_id)
    back = journey.at_bank(way)
    first = answered(app, program, bill_id, XML)
    withdrawn(journey, invoice_id)
    refused(app, program.get(f"{BILLS}/{bill_id}/answer"), 409, "nothing-asked")
    journey.browser.come_back(back)
    journey.wait(3)
    assert journey.invoice(invoice_id).state == "paid"
    again = answered(app, program, bill_id, XML)
    assert (again["status"], again["decided"]) == ("ACCP", first["decided"])
    assert again["id"] != first["id"]


Where = tuple[str | int, ...]


def wrapped(message: Any, where: Where) -> None:
    """The value there becomes a list of one, which is the same to a reader of such messages."""
    *way, last = where
    for step in way:
        message = message[step]
    message[last] = [message[last]]


MESSAGE: Where = ("Document", "CdtrPmtActvtnReq")
INSTRUCTION: Where = (*MESSAGE, "PmtInf", 0)
TRANSACTION: Where = (*INSTRUCTION, "CdtTrfTx", 0)


@pytest.mark.parametrize(
    "where",
    [
        ("Document",),
        MESSAGE,
        (*MESSAGE, "GrpHdr"),
        (*MESSAGE, "GrpHdr", "CreDtTm"),
        (*INSTRUCTION, "Dbtr"),
        (*INSTRUCTION, "Dbtr", "Id"),
        (*INSTRUCTION, "ReqdExctnDt"),
        (*TRANSACTION, "Cdtr"),
        (*TRANSACTION, "CdtrAgt"),
    ],
)
def test_what_was_taken_as_a_list_of_one_is_answered(app: Flask, journey: Journey, where: Where) -> None:
    document = json.loads(in_json(journey))
    wrapped(document, where)
    answered_twice(app, journey, json.dumps(document))


def test_an_instruction_without_a_transaction_is_passed_over(app: Flask, journey: Journey) -> None:
    document = json.loads(in_json(journey))
    document["Document"]["CdtrPmtActvtnReq"]["PmtInf"].insert(0, {"PmtInfId": "P-0", "CdtTrfTx": []})
    answered_twice(app, journey, json.dumps(document))


@pytest.mark.parametrize("odd", ["1e999", "-1e999", "9" * 5000, '"\\ud800"'])
def test_what_is_given_back_is_json_whatever_came(app: Flask, journey: Journey, odd: str) -> None:
    written = in_json(journey).decode().replace('"BICFI": "SBDKFRP0"', f'"BICFI": "SBDKFRP0", "Odd": {odd}')
    answered_twice(app, journey, written, strictly=False)


def answered_twice(app: Flask, journey: Journey, content: str, *, strictly: bool = True) -> None:
    """Before its customer has decided, and after."""
    program = program_of(journey)
    answer = program.deliver(content.encode(), media_type=JSON, path=f"{BILLS}?to={journey.address}")
    assert answer.status_code == 201, answer.get_json()
    journey.worker.run_until_idle()
    bill_id = answer.get_json()["id"]
    for status in ("ACTC", "ACCP"):
        if strictly:
            assert answered(app, program, bill_id, JSON)["status"] == status
        else:
            said = program.get(f"{BILLS}/{bill_id}/answer")
            assert said.status_code == 200
            assert "Infinity" not in said.text
            assert status in json.dumps(said.get_json())
        if status == "ACTC":
            journey.confirm(invoice_of(journey, bill_id))


@pytest.mark.parametrize(("version", "answer"), [("07", "07"), ("08", "08"), ("10", "07")])
def test_the_version_goes_with_that_of_the_request(app: Flask, journey: Journey, version: str, answer: str) -> None:
    program = program_of(journey)
    bill_id, _ = asked(journey, program, XML, version=version)
    assert answered(app, program, bill_id, XML)["version"] == f"pain.014.001.{answer}"


def test_what_cannot_be_paid_here_is_not_accepted(app: Flask, journey: Journey) -> None:
    program = program_of(journey)
    bill_id, _ = asked(journey, program, XML, account="5050-1055")
    said = answered(app, program, bill_id, XML)
    assert (said["status"], said["reason"]) == ("RJCT", "MS03")


def says(journey: Journey, invoice_id: str, kind: AnswerKind, reason: str | None = None) -> str:
    with journey.services.unit_of_work() as uow:
        signed_in = SignedIn(journey.customer, "ses_1", read_only=False)
        said = Said(kind=kind, reason=reason)
        answer = answers.say(uow, signed_in=signed_in, invoice_id=invoice_id, said=said)
        uow.commit()
    return answer.id


def takes_back(journey: Journey, answer_id: str) -> None:
    with journey.services.unit_of_work() as uow:
        answers.take_back(uow, signed_in=SignedIn(journey.customer, "ses_1", read_only=False), answer_id=answer_id)
        uow.commit()


@BOTH
def test_a_no_of_its_customer_is_a_rejection_until_it_ends(app: Flask, journey: Journey, media_type: str) -> None:
    """Each time it is another message, also where it says what was said before."""
    program = program_of(journey)
    bill_id, invoice_id = asked(journey, program, media_type)
    ids = [answered(app, program, bill_id, media_type)["id"]]
    for kind, reason, code in (
        (AnswerKind.DECLINED, "not_ordered", "MS02"),
        (AnswerKind.DECLINED, "twice", "AM05"),
        (AnswerKind.PAID_ELSEWHERE, None, "MS02"),
        (AnswerKind.PAID_ELSEWHERE, None, "MS02"),
    ):
        one = says(journey, invoice_id, kind, reason)
        said = answered(app, program, bill_id, media_type)
        assert (said["status"], said["reason"], said["accepted"]) == ("RJCT", code, None)
        assert said["decided"] == journey.clock().strftime("%Y-%m-%dT%H:%M:%SZ")
        takes_back(journey, one)
        again = answered(app, program, bill_id, media_type)
        assert (again["status"], again["reason"], again["decided"]) == ("ACTC", None, None)
        ids += [said["id"], again["id"]]
    assert len(set(ids)) == 9
    says(journey, invoice_id, AnswerKind.DISPUTED, "wrong_amount")  # of which it has no word
    assert answered(app, program, bill_id, media_type)["id"] == ids[-1]


def test_a_no_to_what_is_not_paid_here_and_a_no_that_was_accepted(app: Flask, journey: Journey) -> None:
    program = program_of(journey)
    bill_id, invoice_id = asked(journey, program, XML, account="5050-1055")
    one = says(journey, invoice_id, AnswerKind.DECLINED, "not_mine")
    assert answered(app, program, bill_id, XML)["reason"] == "MS03"
    reply(journey.services, biller_id=journey.biller.id, answer_id=one, accepts=True, words="")
    refused(app, program.get(f"{BILLS}/{bill_id}/answer"), 409, "nothing-asked")


def test_what_is_no_request_or_asks_nothing_has_no_answer(app: Flask, journey: Journey) -> None:
    program = program_of(journey)
    ordinary = journey.invoice(journey.bill(number="1")).bill_id
    refused(app, program.get(f"{BILLS}/{ordinary}/answer"), 409, "not-a-request")
    bill_id, invoice_id = asked(journey, program, JSON)
    withdrawn(journey, invoice_id)
    refused(app, program.get(f"{BILLS}/{bill_id}/answer"), 409, "nothing-asked")
    refused(app, program.get(f"{BILLS}/bill_{'0' * 32}/answer"), 404, "not-found")


def test_what_is_not_paid_here_and_withdrawn_asks_nothing_either(app: Flask, journey: Journey) -> None:
    program = program_of(journey)
    bill_id, invoice_id = asked(journey, program, XML, account="5050-1055")
    withdrawn(journey, invoice_id)
    refused(app, program.get(f"{BILLS}/{bill_id}/answer"), 409, "nothing-asked")


def test_nobody_else_sees_it(app: Flask, journey: Journey, world: Any) -> None:
    bill_id, _ = asked(journey, program_of(journey), JSON)
    refused(app, world.program().get(f"{BILLS}/{bill_id}/answer"), 404, "not-found")
