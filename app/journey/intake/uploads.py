"""Many bills in one file. The file is taken as a whole or not at all; then each line of it stands by itself.

It comes in parts of some hundred lines, so that nobody ever holds it as a whole. A worker takes one part after the
other, in the order of the file: the bills, the results of the lines and the end of the part are one transaction. So a
worker may die at any moment and another one goes on with the part that has no results yet; and a biller that is not
sure sends the file again, because a bill that is there is a repeat.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from app.db import work
from app.db.locks import lock_name
from app.db.many import insert_many
from app.db.unit_of_work import UnitOfWork
from app.errors import AppError, Conflict, Invalid, NotAllowed, NotFound
from app.failpoints import failpoint
from app.journey.intake import taking
from app.journey.intake.bill import BillRefused
from app.journey.intake.formats import bulk
from app.journey.intake.formats.bulk import BulkLine, Piece
from app.journey.intake.models import Upload, UploadLine, UploadPart
from app.journey.intake.states import UPLOAD, UploadState, UploadStep
from app.journey.intake.taking import ClientIdentity, Delivery, Outcome
from app.people.clients import client_of
from app.services import Services, Task
from consent.base import new_id

DELIVER = "intake.deliver_upload"
#: media type → what cuts such a file into its lines
FORMATS: Mapping[str, Callable[[Iterator[bytes]], Iterator[Piece]]] = MappingProxyType(
    {"application/x-ndjson": bulk.cut_ndjson, "text/csv": bulk.cut_table}
)
#: whatever the file was, what a line of it holds is our JSON
MEDIA_TYPE = "application/json"
PART_LINES, PART_BYTES = 1000, 1024 * 1024
#: a worker that was told to stop should not have to wait for a whole file
PARTS_A_TURN = 5
#: what was never received as a whole is forgotten after that
ABANDONED = dt.timedelta(days=1)
#: files of one biller that are here and not done, and those of them that are just coming in: each of these keeps a
#: thread of the web server busy
OPEN_MOST, RECEIVING_MOST = 20, 2
#: a file that comes in more slowly is refused; one whose server died counts no longer than that
RECEIVING_TIME_MOST = dt.timedelta(minutes=30)
#: what a program needs that delivers bills
SCOPE = "bills:write"
LINES_A_PAGE = 1000
OUTCOMES = ("delivered", "repeated", "held", "refused")


class PartsMissing(Exception):
    """No part of an upload is left, and some of its bills have no result."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UploadView:
    """How far an upload is, as its biller may see it."""

    id: str
    state: str
    sha256: str
    bills: int
    delivered: int
    repeated: int
    held: int
    refused: int
    started_at: dt.datetime
    ended_at: dt.datetime | None
    known: bool = False  #: these bytes are being worked on already

    @property
    def done(self) -> int:
        """Lines that have their result."""
        return self.delivered + self.repeated + self.held + self.refused


@dataclass(frozen=True, slots=True, kw_only=True)
class LineView:
    line: int
    outcome: str
    bill_id: str | None
    number: str | None
    problems: tuple[Mapping[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class LinesView:
    lines: tuple[LineView, ...]
    after: int | None  #: where the next page begins; None when there is none yet


# ------------------------------------------------------------------------------------------------------ taking the file


def receive(services: Services, *, client: ClientIdentity, media_type: str, lines: Iterable[bytes]) -> UploadView:
    """Take the file, which ``lines`` gives line by line. When this returns it is durably ours.

    Raises Invalid, Conflict (too many files at once) and whatever reading it raises; then nothing of it stays, unless
    it was the answer to the last commit that got lost: then it is here as a whole, and is delivered.
    """
    upload_id = _begin(services, client)
    try:
        return _receive(services, upload_id, client, media_type, lines)
    except BaseException as error:
        forget(services, upload_id)
        if isinstance(error, BillRefused):
            raise taking.invalid(error) from error
        raise


def _begin(services: Services, client: ClientIdentity) -> str:
    with services.unit_of_work() as uow:
        lock_name(uow.session, f"uploads:{client.biller_id}")  # whoever begins at the same moment counts this one
        _may_begin(uow, client.biller_id)
        upload = Upload(id=new_id("upl"), biller_id=client.biller_id, client_id=client.client_id, started_at=uow.now)
        uow.session.add(upload)
        uow.commit()
        return upload.id


def _may_begin(uow: UnitOfWork, biller_id: str) -> None:
    of_biller = select(func.count()).select_from(Upload).where(Upload.biller_id == biller_id)
    since = uow.now - RECEIVING_TIME_MOST
    receiving = of_biller.where(Upload.state == UploadState.RECEIVING, Upload.started_at > since)
    coming = uow.session.scalar(receiving) or 0
    working = uow.session.scalar(of_biller.where(Upload.state == UploadState.WORKING)) or 0
    if coming >= RECEIVING_MOST:
        detail = f"{coming} files of yours are coming in at this moment: send the next one when one is here."
        raise Conflict("too-many-uploads", detail)
    if coming + working >= OPEN_MOST:
        raise Conflict("too-many-uploads", f"{OPEN_MOST} files of yours are being worked on: wait until one is done.")


def _receive(
    services: Services, upload_id: str, client: ClientIdentity, media_type: str, lines: Iterable[bytes]
) -> UploadView:
    digest, found, number = hashlib.sha256(), 0, 0
    hashed = _hashed(_in_time(lines, services.clock), digest.update)
    for number, part in enumerate(_parts(FORMATS[media_type](hashed)), start=1):
        found += len(part)
        box = services.vault.seal(_box_name(upload_id, number), _packed(part))
        with services.unit_of_work() as uow:
            uow.session.add(UploadPart(upload_id=upload_id, number=number, box=box))
            uow.commit()
        failpoint("upload.part_received")
    if not found:
        raise Invalid("empty", "There is no bill in the file.")
    with services.unit_of_work() as uow:
        known = _same(uow.session, biller_id=client.biller_id, sha256=digest.hexdigest(), media_type=media_type)
        if known is not None:
            _delete(uow.session, upload_id)
            uow.commit()
            return _view(known, known=True)
        upload = uow.session.get_one(Upload, upload_id)
        upload.state = UPLOAD.next(UploadState(upload.state), UploadStep.RECEIVE)
        upload.sha256, upload.media_type, upload.bills = digest.hexdigest(), media_type, found
        work.enqueue(
            uow.session, handler=DELIVER, key=f"{DELIVER}:{upload_id}", payload={"upload_id": upload_id}, now=uow.now
        )
        uow.commit()
    failpoint("upload.received")
    return _view(upload)


def _same(session: Session, *, biller_id: str, sha256: str, media_type: str) -> Upload | None:
    """The very same file that we are working on. One that is done is done again: what was wrong may be right now.

    With another media type the same bytes are other bills, or none.
    """
    return session.scalars(
        select(Upload)
        .where(
            Upload.biller_id == biller_id,
            Upload.sha256 == sha256,
            Upload.media_type == media_type,
            Upload.state == UploadState.WORKING,
        )
        .order_by(Upload.id)
        .limit(1)
    ).first()


def forget(services: Services, upload_id: str) -> None:
    """One that was not received as a whole."""
    with services.unit_of_work() as uow:
        _delete(uow.session, upload_id)
        uow.commit()


def drop_abandoned(uow: UnitOfWork) -> None:
    """What a process that died had received of files. For the schedule."""
    old = select(Upload.id).where(Upload.state == UploadState.RECEIVING, Upload.started_at < uow.now - ABANDONED)
    for upload_id in uow.session.scalars(old.limit(10)).all():
        _delete(uow.session, upload_id)


def _delete(session: Session, upload_id: str) -> None:
    """While it is being received; one that is here as a whole stays, with its parts."""
    receiving = select(Upload.id).where(Upload.id == upload_id, Upload.state == UploadState.RECEIVING)
    if session.scalar(receiving.with_for_update()) is None:
        return
    session.execute(delete(UploadPart).where(UploadPart.upload_id == upload_id))
    session.execute(delete(Upload).where(Upload.id == upload_id))


def _in_time(lines: Iterable[bytes], clock: Callable[[], dt.datetime]) -> Iterator[bytes]:
    until = clock() + RECEIVING_TIME_MOST
    for line in lines:
        if clock() > until:
            minutes = RECEIVING_TIME_MOST // dt.timedelta(minutes=1)
            raise Invalid("too-slow", f"The file was not here after {minutes} minutes: send smaller ones.")
        yield line


def _hashed(lines: Iterable[bytes], update: Callable[[bytes], object]) -> Iterator[bytes]:
    for line in lines:
        update(line)
        yield line


def _parts(pieces: Iterator[Piece]) -> Iterator[list[Piece]]:
    part: list[Piece] = []
    size = 0
    for piece in pieces:
        part.append(piece)
        size += len(piece.content)
        if len(part) >= PART_LINES or size >= PART_BYTES:
            yield part
            part, size = [], 0
    if part:
        yield part


def _box_name(upload_id: str, number: int) -> str:
    return f"upload:{upload_id}:{number}"


def _packed(part: list[Piece]) -> bytes:
    """A line each: its number, then the bill as it came; or its number, an exclamation mark and why it is no bill."""
    return b"\n".join(
        b"%d!%b" % (piece.number, json.dumps([refused.code, refused.detail, refused.element]).encode())
        if (refused := piece.refused)
        else b"%d %b" % (piece.number, piece.content)
        for piece in part
    )


def _unpacked(packed: bytes) -> Iterator[Piece]:
    for line in packed.split(b"\n"):
        digits = len(line) - len(line.lstrip(b"0123456789"))
        number, mark, content = int(line[:digits]), line[digits : digits + 1], line[digits + 1 :]
        if mark == b"!":
            code, detail, element = json.loads(content)
            yield Piece(number=number, content=b"", refused=BillRefused(code, detail, element=element))
        else:
            yield Piece(number=number, content=content)


# ------------------------------------------------------------------------------------------------- delivering its bills


def deliver_upload(task: Task) -> None:
    """A few parts of an upload; it comes back until there are none."""
    upload_id = task.payload["upload_id"]
    for _ in range(PARTS_A_TURN):
        if not _deliver_part(task, upload_id):
            return
        failpoint("upload.part_delivered")
    with task.services.unit_of_work() as uow:
        task.run_again(uow, run_at=uow.now)
        uow.commit()


def _deliver_part(task: Task, upload_id: str) -> bool:
    """The next part. False when there was none: then the upload is done."""
    services = task.services
    with services.reading() as uow:
        part = uow.session.scalars(
            select(UploadPart).where(UploadPart.upload_id == upload_id).order_by(UploadPart.number).limit(1)
        ).first()
    judged = [] if part is None else _read(services.vault.open(_box_name(upload_id, part.number), part.box))
    with services.unit_of_work() as uow:
        task.hold(uow)  # whoever else had it is over, and what it did can be seen
        upload = uow.session.get_one(Upload, upload_id)
        if part is None:
            have = upload.delivered + upload.repeated + upload.held + upload.refused
            if have != upload.bills:  # never done: it is told to an operator
                raise PartsMissing(f"{upload_id} has results for {have} of its {upload.bills} bills, and no more parts")
            upload.state = UPLOAD.next(UploadState(upload.state), UploadStep.END)
            upload.ended_at = uow.now
            task.finish(uow)
            uow.commit()
            return False
        if uow.session.get(UploadPart, (upload_id, part.number)) is None:
            return True  # it was delivered between our look and now
        if not _may_deliver(uow.session, upload.client_id):
            judged = [(line, _STOPPED) for line, _ in judged]
        results = _results(uow, upload, judged)
        insert_many(uow.session, UploadLine, results)
        for outcome, count in Counter(row["outcome"] for row in results).items():
            setattr(upload, outcome, getattr(upload, outcome) + count)
        uow.session.execute(
            delete(UploadPart).where(UploadPart.upload_id == upload_id, UploadPart.number == part.number)
        )
        uow.commit()
    return True


_STOPPED = NotAllowed("client-stopped", "The program that sent the file may not deliver bills any more.")


def _may_deliver(session: Session, client_id: str) -> bool:
    """Now: what the door asked when the file came may be long ago."""
    client = client_of(session, client_id)
    return client is not None and SCOPE in client.scope.split()


def _read(packed: bytes) -> list[tuple[BulkLine, Delivery | AppError]]:
    """What is in each line, by the rules that need no database."""
    return [(line, _delivery_of(line)) for line in map(bulk.read, _unpacked(packed))]


def _delivery_of(line: BulkLine) -> Delivery | AppError:
    try:
        if line.bill is None:
            raise line.refused or BillRefused("not-a-bill", "There is no bill in the line.")
        return taking.checked(line.bill, line.content, MEDIA_TYPE, seal=line.seal)
    except BillRefused as refused:
        return taking.invalid(refused)


def _results(
    uow: UnitOfWork, upload: Upload, judged: list[tuple[BulkLine, Delivery | AppError]]
) -> list[dict[str, Any]]:
    """Take what can be taken. A row for each line."""
    client = ClientIdentity(client_id=upload.client_id, biller_id=upload.biller_id)
    taken = iter(taking.take(uow, [each for _, each in judged if isinstance(each, Delivery)], client=client))
    return [_result(upload.id, line, next(taken) if isinstance(each, Delivery) else each) for line, each in judged]


def _result(upload_id: str, line: BulkLine, outcome: Outcome) -> dict[str, Any]:
    row: dict[str, Any] = {"upload_id": upload_id, "line": line.number}
    if isinstance(outcome, AppError):
        where = outcome.errors[0].pointer if outcome.errors else ""
        problem: dict[str, Any] = {"code": outcome.code, "detail": outcome.detail, "element": where}
        if outcome.actions:
            problem["actions"] = list(outcome.actions)
        number = line.bill.number if line.bill else None
        return row | {"outcome": "refused", "bill_id": None, "number": number, "problems": [problem]}
    said = "held" if outcome.held else "delivered" if outcome.created else "repeated"
    doubts = [{"code": each.code, "detail": each.detail, "element": each.element} for each in outcome.held]
    return row | {"outcome": said, "bill_id": outcome.bill_id, "number": outcome.number, "problems": doubts}


# ---------------------------------------------------------------------------------------------------- what became of it


def upload_of(session: Session, *, upload_id: str, biller_id: str) -> UploadView:
    """One upload of this biller. Raises NotFound, also while it is not here as a whole."""
    upload = session.get(Upload, upload_id)
    if upload is None or upload.biller_id != biller_id or upload.state == UploadState.RECEIVING:
        raise NotFound("upload")
    return _view(upload)


def lines_of(session: Session, *, upload_id: str, biller_id: str, after: int, outcome: str | None) -> LinesView:
    """The results of the lines behind ``after``, at most LINES_A_PAGE, in their order. Raises NotFound."""
    upload_of(session, upload_id=upload_id, biller_id=biller_id)
    query = select(UploadLine).where(UploadLine.upload_id == upload_id, UploadLine.line > after)
    if outcome is not None:
        query = query.where(UploadLine.outcome == outcome)
    rows = session.scalars(query.order_by(UploadLine.line).limit(LINES_A_PAGE + 1)).all()
    shown = tuple(
        LineView(
            line=row.line, outcome=row.outcome, bill_id=row.bill_id, number=row.number, problems=tuple(row.problems)
        )
        for row in rows[:LINES_A_PAGE]
    )
    return LinesView(lines=shown, after=shown[-1].line if len(rows) > LINES_A_PAGE else None)


def _view(upload: Upload, *, known: bool = False) -> UploadView:
    return UploadView(
        id=upload.id,
        state=upload.state,
        sha256=upload.sha256 or "",
        bills=upload.bills,
        delivered=upload.delivered,
        repeated=upload.repeated,
        held=upload.held,
        refused=upload.refused,
        started_at=upload.started_at,
        ended_at=upload.ended_at,
        known=known,
    )
