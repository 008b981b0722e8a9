"""Many bills in one file: each stands by itself, exactly once, with a result for each line."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import delete, func, select, update

from app import failpoints
from app.db.work import WorkRow
from app.errors import Conflict, Invalid
from app.invariants import check
from app.journey.connections.models import Connection
from app.journey.intake import uploads
from app.journey.intake.formats import bulk
from app.journey.intake.models import DeliveredBill, Upload, UploadLine, UploadPart
from app.journey.intake.taking import ClientIdentity
from app.journey.invoices.models import Invoice
from app.journey.ledger.models import LedgerBalance, LedgerEntry
from app.journey.webhooks.models import WebhookMessage
from app.journey.webhooks.service import add_endpoint
from app.people.clients import stop_client
from app.people.models import ApiClient
from app.schedule import Schedule
from app.services import Services
from app.worker import Worker
from tests.conftest import Clock
from tests.functional.billers.test_billers_api import refused
from tests.support import factories
from tests.support.billers_door import Program
from tests.support.billers_spec import conforms
from tests.support.billers_world import World, json_bill

UPLOADS = "/api/v1/uploads"
NDJSON, CSV = "application/x-ndjson", "text/csv"


def file_of(*bills: bytes) -> bytes:
    return b"\n".join(bills) + b"\n"


def many(program: Program, to: str, count: int, **changes: Any) -> list[bytes]:
    return [json_bill(program, to, number=f"M-{number:06}", **changes) for number in range(1, count + 1)]


def upload(program: Program, content: bytes, *, media_type: str = NDJSON) -> dict[str, Any]:
    answer = program.deliver(content, media_type=media_type, path=UPLOADS)
    assert answer.status_code == 202, answer.text
    found: dict[str, Any] = answer.get_json()
    return found


def identity(program: Program) -> ClientIdentity:
    return ClientIdentity(client_id=program.client_id, biller_id=program.biller_id)


def results(program: Program, upload_id: str, **query: Any) -> list[dict[str, Any]]:
    """All pages."""
    found: list[dict[str, Any]] = []
    after: int | None = 0
    while after is not None:
        said = "&".join(f"{name}={value}" for name, value in {"after": after, **query}.items())
        page = program.get(f"{UPLOADS}/{upload_id}/lines?{said}").get_json()
        found += page["lines"]
        after = page["after"]
    return found


def outcomes(program: Program, upload_id: str) -> list[tuple[int, str, str | None]]:
    return [
        (each["line"], each["outcome"], each["problems"][0]["code"] if each["problems"] else None)
        for each in results(program, upload_id)
    ]


def counted(services: Services, *tables: Any) -> tuple[int, ...]:
    with services.reading() as uow:
        return tuple(uow.session.scalar(select(func.count()).select_from(table)) or 0 for table in tables)


def test_a_file_is_taken_then_delivered_and_each_line_has_its_result(
    app: Flask, services: Services, worker: Worker, aquarelle: Program, address: str, clock: Clock
) -> None:
    content = file_of(*many(aquarelle, address, 3))
    answer = aquarelle.deliver(content, media_type=NDJSON, path=UPLOADS)
    conforms(app, answer)
    assert answer.status_code == 202
    said = answer.get_json()
    place = answer.headers["Location"]
    assert place == f"{UPLOADS}/{said['id']}"
    assert said == {
        "id": said["id"],
        "status": "working",
        "sha256": hashlib.sha256(content).hexdigest(),
        "bills": 3,
        "done": 0,
        "delivered": 0,
        "repeated": 0,
        "held": 0,
        "refused": 0,
        "started_at": clock().isoformat(),
        "ended_at": None,
    }
    worker.run_until_idle()
    after = aquarelle.get(place)
    conforms(app, after)
    counts = {"status": "done", "done": 3, "delivered": 3, "ended_at": clock().isoformat()}
    assert after.get_json() == {**said, **counts}
    page = aquarelle.get(f"{place}/lines")
    conforms(app, page)
    lines = page.get_json()["lines"]
    assert [(each["line"], each["outcome"], each["number"]) for each in lines] == [
        (1, "delivered", "M-000001"),
        (2, "delivered", "M-000002"),
        (3, "delivered", "M-000003"),
    ]
    bill = aquarelle.get(f"/api/v1/bills/{lines[1]['id']}").get_json()
    assert (bill["number"], bill["status"]) == ("M-000002", "open")


def test_what_is_written_is_what_single_deliveries_write(
    services: Services, worker: Worker, world: World, aquarelle: Program, address: str
) -> None:
    """Column by column, but for the ids and the number."""
    with services.unit_of_work() as uow:
        add_endpoint(services, uow, biller_id=aquarelle.biller_id, url="http://127.0.0.1:9/hook")
        uow.commit()
    early = {"until": "2026-11-20", "discount": "4.20"}
    alone = json_bill(aquarelle, address, number="A-1", early_payment=early, note="Bonjour")
    together = [alone.replace(b"A-1", b"M-1"), alone.replace(b"A-1", b"M-2")]
    assert aquarelle.deliver(alone).status_code == 201
    worker.run_until_idle()
    upload(aquarelle, file_of(*together))
    worker.run_until_idle()
    with services.reading() as uow:
        rows: dict[str, list[tuple[Any, ...]]] = {}
        for invoice, bill in uow.session.execute(
            select(Invoice, DeliveredBill).join(DeliveredBill, DeliveredBill.id == Invoice.bill_id)
        ):
            entries = uow.session.scalars(select(LedgerEntry).where(LedgerEntry.invoice_id == invoice.id))
            balance = uow.session.get_one(LedgerBalance, f"due:{invoice.id}")
            messages = uow.session.scalars(select(WebhookMessage).where(WebhookMessage.subject == bill.id)).all()
            row = [
                *((name, value) for name, value in columns(invoice).items() if name not in OF_ITS_OWN),
                *((name, value) for name, value in columns(bill).items() if name in SAME_OF_A_BILL),
                (balance.currency, balance.balance_minor),
                *sorted((each.kind, each.account.partition(":")[0], each.amount_minor) for each in entries),
                *((each.type, json.loads(each.body)["data"]["status"]) for each in messages),
            ]
            rows.setdefault(repr(row).replace(bill.number, "NUMBER"), []).append((bill.number,))
    [same] = rows.values()
    assert sorted(same) == [("A-1",), ("M-1",), ("M-2",)]
    assert "bill.delivered" in next(iter(rows))


OF_ITS_OWN = ("id", "bill_id", "number", "number_letters")
SAME_OF_A_BILL = ("biller_id", "customer_id", "client_id", "currency", "amount_minor", "media_type", "delivered_at")


def columns(row: Any) -> dict[str, Any]:
    return {column.name: getattr(row, column.name) for column in row.__table__.columns}


def test_each_line_stands_by_itself(
    services: Services, worker: Worker, world: World, aquarelle: Program, address: str
) -> None:
    first = json_bill(aquarelle, address, number="one")
    assert aquarelle.deliver(json_bill(aquarelle, address, number="before")).status_code == 201
    stranger = {"name": "Aquarelle", "iban": "GB33BUKB20201555555555"}
    said = upload(
        aquarelle,
        file_of(
            first,
            b"",
            b"{",
            json_bill(aquarelle, address, number="two", amount="84,20"),
            json_bill(aquarelle, "aaaaaaaaaaaa@space.quittance.example", number="three"),
            first,
            json_bill(aquarelle, address, number="one", amount="1.00"),
            json_bill(aquarelle, address, number="ONE"),
            json_bill(aquarelle, address, number="four", payee=stranger),
            json_bill(aquarelle, address, number="before"),
            json_bill(aquarelle, address, number="five", amount="0.00"),
            json_bill(aquarelle, address, number="\u00e9t\u00e9"),
        ),
    )
    worker.run_until_idle()
    assert outcomes(aquarelle, said["id"]) == [
        (1, "delivered", None),
        (3, "refused", "not-well-formed"),
        (4, "refused", "amount-refused"),
        (5, "refused", "not-connected"),
        (6, "repeated", None),
        (7, "refused", "number-used"),
        (8, "held", "number-alike"),
        (9, "held", "account-not-registered"),
        (10, "repeated", None),
        (11, "refused", "nothing-to-pay"),
        (12, "delivered", None),
    ]
    by_line = {each["line"]: each for each in results(aquarelle, said["id"])}
    assert by_line[1]["id"] == by_line[6]["id"]
    assert by_line[4]["problems"][0]["pointer"] == "line 4/amount"
    assert "actions" not in by_line[4]["problems"][0]
    assert by_line[5]["problems"][0]["actions"] == ["redeem-code", "redeem-address", "other-channel"]
    assert (by_line[4]["number"], by_line[5]["number"]) == (None, "three")
    assert by_line[9]["id"].startswith("hld_")
    assert [each["line"] for each in results(aquarelle, said["id"], outcome="held")] == [8, 9]
    after = aquarelle.get(f"{UPLOADS}/{said['id']}").get_json()
    assert {name: after[name] for name in ("bills", "delivered", "repeated", "held", "refused")} == {
        "bills": 11,
        "delivered": 2,
        "repeated": 2,
        "held": 2,
        "refused": 5,
    }


def test_a_table_is_the_same_as_lines(worker: Worker, aquarelle: Program, address: str) -> None:
    header = "to;number;issued_on;currency;amount;payee.name;payee.iban;note"
    row = f'{address};T-1;2026-11-02;EUR;84.20;Aquarelle Eau SA;{aquarelle.iban};"in two\nlines"'
    content = "\n".join((header, row, row.replace("T-1", "T-2") + ";", row.replace("T-1", "T-3"))).encode()
    said = upload(aquarelle, content, media_type=CSV)
    worker.run_until_idle()
    assert outcomes(aquarelle, said["id"]) == [
        (3, "delivered", None),
        (5, "refused", "not-well-formed"),
        (7, "delivered", None),
    ]


def test_the_file_again_repeats_every_bill(
    services: Services, worker: Worker, aquarelle: Program, address: str
) -> None:
    content = file_of(*many(aquarelle, address, 1200))
    first = upload(aquarelle, content)
    again = aquarelle.deliver(content, media_type=NDJSON, path=UPLOADS)  # it is being worked on: the same one
    assert (again.status_code, again.get_json()["id"]) == (200, first["id"])
    assert again.headers["Location"] == f"{UPLOADS}/{first['id']}"
    worker.run_until_idle()
    second = upload(aquarelle, content)  # that one is done: what was refused may be right now
    assert second["id"] != first["id"]
    worker.run_until_idle()
    for found, outcome in ((first, "delivered"), (second, "repeated")):
        lines = results(aquarelle, found["id"])
        assert [each["line"] for each in lines] == list(range(1, 1201))
        assert {each["outcome"] for each in lines} == {outcome}
    assert counted(services, DeliveredBill, Invoice, UploadPart, WorkRow) == (1200, 1200, 0, 0)
    assert len({each["id"] for each in results(aquarelle, second["id"])}) == 1200


def test_the_answer_to_the_last_commit_is_lost_and_nothing_else(
    services: Services, worker: Worker, aquarelle: Program, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file is here as a whole, whatever its server made of it: the repeat says so, and it is delivered."""

    def lost(point: str) -> None:
        if point == "upload.received":
            raise ConnectionError("the database hung up")

    content = file_of(*many(aquarelle, address, 2))
    monkeypatch.setattr(failpoints, "hook", lost)
    with pytest.raises(ConnectionError):
        uploads.receive(services, client=identity(aquarelle), media_type=NDJSON, lines=bulk.split(content))
    monkeypatch.setattr(failpoints, "hook", None)
    assert counted(services, Upload, UploadPart) == (1, 1)
    again = aquarelle.deliver(content, media_type=NDJSON, path=UPLOADS)
    assert (again.status_code, again.get_json()["status"]) == (200, "working")
    worker.run_until_idle()
    assert [each[1] for each in outcomes(aquarelle, again.get_json()["id"])] == ["delivered", "delivered"]


@pytest.mark.tampers
def test_an_upload_is_not_done_while_a_bill_has_no_result(
    services: Services, worker: Worker, aquarelle: Program, address: str, clock: Clock
) -> None:
    said = upload(aquarelle, file_of(*many(aquarelle, address, 2)))
    with services.unit_of_work() as uow:
        uow.session.execute(delete(UploadPart))
        uow.commit()
    worker.run_until_idle()
    assert aquarelle.get(f"{UPLOADS}/{said['id']}").get_json()["status"] == "working"
    with services.unit_of_work() as uow:
        error = uow.session.scalars(select(WorkRow.last_error)).one()
        assert f"{said['id']} has results for 0 of its 2 bills" in str(error)
        uow.session.execute(update(Upload).values(state="done", ended_at=uow.now))  # as it was before
        uow.commit()
    assert [broken.invariant.name for broken in check(services.engine, now=clock())] == ["G7"]


@pytest.mark.parametrize("what", ["stopped", "bills:read payments:read"])
def test_of_a_program_that_was_stopped_nothing_more_is_delivered(
    services: Services, worker: Worker, aquarelle: Program, address: str, what: str
) -> None:
    said = upload(aquarelle, file_of(*many(aquarelle, address, 2), b"{"))
    with services.unit_of_work() as uow:
        if what == "stopped":
            stop_client(uow, client_id=aquarelle.client_id)
        else:
            uow.session.execute(update(ApiClient).values(scope=what))
        uow.commit()
    worker.run_until_idle()
    assert counted(services, DeliveredBill, Invoice, UploadPart, WorkRow) == (0, 0, 0, 0)
    with services.reading() as uow:
        done = uploads.upload_of(uow.session, upload_id=said["id"], biller_id=aquarelle.biller_id)
        lines = uow.session.scalars(select(UploadLine).order_by(UploadLine.line)).all()
    assert (done.state, done.refused) == ("done", 3)
    assert [(each.outcome, each.problems[0]["code"]) for each in lines] == [("refused", "client-stopped")] * 3


def test_the_same_bytes_as_something_else_are_another_file(worker: Worker, aquarelle: Program, address: str) -> None:
    header = "to,number,issued_on,currency,amount,payee.name,payee.iban"
    content = f"{header}\n{address},T-1,2026-11-02,EUR,84.20,Aquarelle Eau SA,{aquarelle.iban}\n".encode()
    wrong = upload(aquarelle, content, media_type=NDJSON)
    right = upload(aquarelle, content, media_type=CSV)
    again = aquarelle.deliver(content, media_type=CSV, path=UPLOADS)
    assert (again.status_code, again.get_json()["id"]) == (200, right["id"])
    worker.run_until_idle()
    assert [each[1] for each in outcomes(aquarelle, wrong["id"])] == ["refused", "refused"]
    assert outcomes(aquarelle, right["id"]) == [(2, "delivered", None)]


def test_what_is_mended_is_delivered_when_the_file_comes_again(
    worker: Worker, world: World, services: Services, aquarelle: Program
) -> None:
    to = "aaaaaaaaaaaa@space.quittance.example"
    content = file_of(*many(aquarelle, to, 2))
    said = upload(aquarelle, content)
    worker.run_until_idle()
    assert [each[1] for each in outcomes(aquarelle, said["id"])] == ["refused", "refused"]
    customer = factories.make_customer(services)
    factories.connect(services, customer_id=customer.id, biller_id=aquarelle.biller_id)
    with services.unit_of_work() as uow:
        uow.session.execute(update(Connection).values(address=to))
        uow.commit()
    said = upload(aquarelle, content)
    worker.run_until_idle()
    assert [each[1] for each in outcomes(aquarelle, said["id"])] == ["delivered", "delivered"]


def test_pages_of_results(worker: Worker, aquarelle: Program, address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uploads, "LINES_A_PAGE", 2)
    said = upload(aquarelle, file_of(*many(aquarelle, address, 5)))
    worker.run_until_idle()
    page = aquarelle.get(f"{UPLOADS}/{said['id']}/lines").get_json()
    assert ([each["line"] for each in page["lines"]], page["after"]) == ([1, 2], 2)
    assert [each["line"] for each in results(aquarelle, said["id"])] == [1, 2, 3, 4, 5]


def test_the_bytes_that_wait_are_sealed(services: Services, aquarelle: Program, address: str) -> None:
    upload(aquarelle, file_of(*many(aquarelle, address, 2)))
    with services.reading() as uow:
        [part] = uow.session.scalars(select(UploadPart)).all()
    assert address.encode() not in part.box


# ------------------------------------------------------------------------------------- what is refused


def test_a_file_that_is_none_leaves_nothing(app: Flask, world: World, aquarelle: Program, address: str) -> None:
    def put(content: bytes, media_type: str = NDJSON, **headers: str) -> Any:
        return world.refuses(aquarelle.deliver, content, media_type=media_type, path=UPLOADS, headers=headers)

    good = file_of(*many(aquarelle, address, 1))
    refused(app, put(b"\n \n"), 422, "empty")
    refused(app, put(b""), 411, "length-required")  # the test's client says no length of nothing
    refused(app, put(b"nonsense;1\n", CSV), 422, "element-unknown", pointer="line 1")
    refused(app, put(good * 600 + b" " * (bulk.LINE_BYTES_MAX + 1)), 422, "too-large", pointer="line 601")
    refused(app, put(good, "application/json"), 415, "media-type")
    refused(app, put(good, "text/csv; charset=latin1"), 415, "charset")
    refused(app, put(good, **{"Content-Encoding": "gzip"}), 415, "content-encoding")


def test_more_bills_than_a_file_may_have(
    app: Flask, world: World, aquarelle: Program, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bulk, "BILLS_MAX", 600)
    content = file_of(*many(aquarelle, address, 601))
    answer = world.refuses(aquarelle.deliver, content, media_type=NDJSON, path=UPLOADS)
    refused(app, answer, 422, "too-large", pointer="line 601")


def test_a_body_that_ends_too_soon_is_not_taken(app: Flask, world: World, aquarelle: Program, address: str) -> None:
    content = file_of(*many(aquarelle, address, 3))
    answer = world.refuses(
        lambda: aquarelle.http.post(
            UPLOADS,
            data=content,
            content_type=NDJSON,
            headers=aquarelle.bearer(),
            environ_overrides={"CONTENT_LENGTH": str(len(content) + 1), "wsgi.input_terminated": True},
        )
    )
    refused(app, answer, 400, "incomplete")


def test_a_body_beyond_the_limit_is_not_read(app: Flask, world: World, aquarelle: Program) -> None:
    answer = world.refuses(
        lambda: aquarelle.http.post(
            UPLOADS,
            content_type=NDJSON,
            headers=aquarelle.bearer(),
            environ_overrides={"CONTENT_LENGTH": str(bulk.BYTES_MAX + 1)},
        )
    )
    refused(app, answer, 413, "too-large")


def test_an_upload_is_seen_by_its_biller_alone(app: Flask, world: World, aquarelle: Program, address: str) -> None:
    said = upload(aquarelle, file_of(*many(aquarelle, address, 1)))
    other = world.program()
    for path in (f"{UPLOADS}/{said['id']}", f"{UPLOADS}/{said['id']}/lines"):
        refused(app, other.get(path), 404, "not-found")
    refused(app, aquarelle.get(f"{UPLOADS}/upl_{32 * '0'}/lines"), 404, "not-found")
    refused(app, aquarelle.get(f"{UPLOADS}/{said['id']}/lines?after=x"), 422, "parameter", pointer="?after")
    refused(app, aquarelle.get(f"{UPLOADS}/{said['id']}/lines?outcome=x"), 422, "parameter", pointer="?outcome")
    refused(app, aquarelle.get(f"{UPLOADS}/{said['id']}?x=1"), 422, "unknown-parameter")
    assert world.program(scope="bills:read").deliver(b"", path=UPLOADS, scope="bills:read").status_code == 403


def test_a_biller_has_so_many_files_at_work_and_no_more(app: Flask, aquarelle: Program, address: str) -> None:
    for number in range(uploads.OPEN_MOST):
        upload(aquarelle, file_of(json_bill(aquarelle, address, number=f"F-{number}")))
    answer = aquarelle.deliver(file_of(*many(aquarelle, address, 1)), media_type=NDJSON, path=UPLOADS)
    refused(app, answer, 409, "too-many-uploads")


@pytest.mark.each_database
def test_two_files_of_a_biller_come_in_at_once_and_no_more(
    app: Flask, services: Services, world: World, aquarelle: Program, address: str
) -> None:
    client, content = identity(aquarelle), file_of(*many(aquarelle, address, 1))
    begun: list[str] = []
    refusals: list[str] = []

    def begin() -> None:
        try:
            begun.append(uploads._begin(services, client))
        except Conflict as refusal:
            refusals.append(refusal.code)

    threads = [threading.Thread(target=begin) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(begun), refusals) == (uploads.RECEIVING_MOST, ["too-many-uploads"] * 4)
    refused(app, aquarelle.deliver(content, media_type=NDJSON, path=UPLOADS), 409, "too-many-uploads")
    other = world.program()
    assert other.deliver(content, media_type=NDJSON, path=UPLOADS).status_code == 202
    uploads.forget(services, begun[0])
    upload(aquarelle, content)


def test_a_file_whose_server_died_is_not_counted_for_long(
    services: Services, aquarelle: Program, address: str, clock: Clock
) -> None:
    for _ in range(uploads.RECEIVING_MOST):
        uploads._begin(services, identity(aquarelle))
    clock.tick(minutes=30)
    upload(aquarelle, file_of(*many(aquarelle, address, 1)))


def test_a_file_that_comes_too_slowly_is_refused(
    services: Services, aquarelle: Program, address: str, clock: Clock
) -> None:
    def slowly() -> Iterator[bytes]:
        for bill in many(aquarelle, address, 4):
            clock.tick(minutes=10)
            yield bill + b"\n"

    with pytest.raises(Invalid, match="not here after 30 minutes") as caught:
        uploads.receive(services, client=identity(aquarelle), media_type=NDJSON, lines=slowly())
    assert caught.value.code == "too-slow"
    assert counted(services, Upload, UploadPart) == (0, 0)


def test_what_was_never_received_as_a_whole_is_forgotten(services: Services, aquarelle: Program, clock: Clock) -> None:
    with services.unit_of_work() as uow:
        begun = Upload(id="upl_x", biller_id=aquarelle.biller_id, client_id=aquarelle.client_id, started_at=uow.now)
        uow.session.add(begun)
        uow.session.flush()
        uow.session.add(UploadPart(upload_id="upl_x", number=1, box=b"x"))
        uow.commit()
    schedule = Schedule(services)
    schedule.run_due()
    assert counted(services, Upload, UploadPart) == (1, 1)
    clock.tick(hours=25)
    schedule.run_due()
    assert counted(services, Upload, UploadPart, UploadLine) == (0, 0, 0)
