"""Archives of other places: checked when they are brought, kept sealed, and read one paper at a time.

Nothing that is in one becomes a bill here. It moves nothing, is found by nothing else, and says of itself whose it is.
What stands in it was written by strangers: nothing of it is taken for more than words of a bounded length.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import hashlib
import io
import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.db.unit_of_work import UnitOfWork
from app.errors import Conflict, Invalid, NotFound
from app.journey.export import verify
from app.journey.export.models import Brought, BroughtPart
from app.journey.export.rules import (
    ARCHIVE_MOST,
    BROUGHT_MOST,
    PART,
    RATIO_FROM,
    RATIO_MOST,
    UNPACKED_MOST,
)
from app.people.customers import lock_customer
from app.people.sessions import SignedIn
from app.services import Services
from connectors.money import Money
from consent.base import new_id
from consent.private import KeyKind, keys_of, seal, unseal

#: of a text that another place wrote, as much as is shown
TEXT_MOST = 200
_ID = re.compile(r"[A-Za-z0-9_]{1,60}")


class NotWhole(Invalid):
    """An archive that does not hold. Nothing of it was kept."""

    def __init__(self, faults: list[verify.Fault]) -> None:
        super().__init__("archive-refused", "This archive does not hold. Nothing was kept.")
        self.faults = faults


# ------------------------------------------------------------------------------------------------------- bringing one


def bring(services: Services, *, signed_in: SignedIn, file: BinaryIO) -> str:
    """Check an archive and keep it. Returns its id. Raises NotWhole, Invalid, Conflict, NotAllowed; then nothing is
    kept."""
    signed_in.check_acts()
    customer_id = signed_in.customer.id
    size = file.seek(0, os.SEEK_END)
    if size > ARCHIVE_MOST:
        raise NotWhole([verify.Broken("too-large", name=f"{ARCHIVE_MOST // 1024 // 1024} MiB").fault])
    sha256 = _digest(file)
    with services.reading() as uow:  # before the work of checking it
        _must_fit(uow.session, customer_id, sha256)
    listed = _checked(file)
    brought_id = new_id("brg")
    with services.unit_of_work() as uow:
        lock_customer(uow.session, customer_id)
        keys = keys_of(uow.session)
        _must_fit(uow.session, customer_id, sha256)
        uow.session.add(
            Brought(
                id=brought_id,
                customer_id=customer_id,
                sha256=sha256,
                size_bytes=size,
                bills=sum(paper["state"] is not None for paper in listed["papers"]),
                receipts=sum(len(paper["receipts"]) for paper in listed["papers"]),
                brought_at=uow.now,
                box=seal(keys, customer_id, KeyKind.PROFILE, json.dumps(listed).encode(), what=_list_name(brought_id)),
            )
        )
        uow.session.flush()
        for number, part in enumerate(_parts(file)):
            box = seal(keys, customer_id, KeyKind.PROFILE, part, what=_part_name(brought_id, number))
            row = BroughtPart(brought_id=brought_id, number=number, box=box)
            uow.session.add(row)
            uow.session.flush()
            uow.session.expunge(row)  # one at a time in memory
        uow.commit()
    return brought_id


def remove(uow: UnitOfWork, *, signed_in: SignedIn, brought_id: str) -> None:
    """It and all its bytes are gone. Raises NotFound, NotAllowed."""
    signed_in.check_acts()
    row = _of(uow.session, brought_id=brought_id, customer_id=signed_in.customer.id)
    uow.session.delete(row)  # the database drops its parts with it


def _must_fit(session: Session, customer_id: str, sha256: str) -> None:
    theirs = Brought.customer_id == customer_id
    if session.scalar(select(Brought.id).where(theirs, Brought.sha256 == sha256)) is not None:
        raise Conflict("brought-already", "You have brought this archive along already.")
    if session.scalars(select(func.count()).select_from(Brought).where(theirs)).one() >= BROUGHT_MOST:
        raise Conflict("too-many-brought", f"There are {BROUGHT_MOST} archives already. Remove one first.")


def _checked(file: BinaryIO) -> dict[str, Any]:
    """Whose it is, and its papers. Raises NotWhole."""
    try:
        place = verify.Zipped(file)
        if place.unpacked > UNPACKED_MOST or place.unpacked > max(RATIO_FROM, RATIO_MOST * place.packed):
            raise verify.Broken("too-large", name="ZIP")
        report = verify.check(place)
        if not report.holds:
            raise NotWhole(report.faults)
        return {
            "instance": _text(report.manifest["instance"]),
            "log": report.key,
            "made_at": _moment(report.manifest["made_at"]).isoformat(),
            "papers": _newest_first([_paper(place, name) for name in place.names() if name.startswith("bills/")]),
            "nested": sum(name.startswith("brought/") for name in place.names()),
        }
    except verify.Broken as broken:
        raise NotWhole([broken.fault]) from broken


def _newest_first(papers: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(papers, key=lambda paper: (paper["issued_on"] or "", paper["id"]), reverse=True)


def _paper(place: verify.Zipped, name: str) -> dict[str, Any]:
    """As its list shows it, looked at as what a stranger wrote: who has signed it may have signed anything. Raises
    Broken."""
    read = verify.read_json(place, name)
    try:
        paper = _bounded(read["shown"])
        if name != f"bills/{paper['id']}.json":
            raise verify.Broken("json", name=name)
        found = [each for each in place.names() if each.startswith(f"originals/{read['shown']['document']}.")]
        paper["document"] = found[0] if found else None
        _detail(_listed(paper), read["rows"])  # what its page will say can be said
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        raise verify.Broken("json", name=name) from error
    return paper


def _bounded(shown: dict[str, Any]) -> dict[str, Any]:
    """Raises ValueError and its like for what is none of a bill's."""
    if _ID.fullmatch(shown["id"]) is None:
        raise ValueError("no id")
    for each in ("amount_minor", "paid_minor"):
        if Money(shown[each], shown["currency"]).minor < 0:
            raise ValueError("less than nothing")
    for each in ("issued_on", "due_on"):
        if shown[each] is not None and _day(shown[each]) is None:
            raise ValueError("no day")
    return {
        **{each: shown[each] for each in ("id", "currency", "amount_minor", "paid_minor", "issued_on", "due_on")},
        "biller": _text(shown["biller"]),
        "number": _text(shown["number"]),
        "state": None if shown["state"] is None else _text(shown["state"]),
        "receipts": [_text(each) for each in list(shown["receipts"])[:TEXT_MOST]],
    }


def _text(written: object) -> str:
    """Of what another place wrote, one line without signs that nobody sees."""
    return "".join(sign for sign in str(written) if sign.isprintable())[:TEXT_MOST]


def _day(written: object) -> dt.date | None:
    """None: it is no day."""
    try:
        return dt.date.fromisoformat(written) if isinstance(written, str) and len(written) == 10 else None
    except ValueError:
        return None


def _moment(written: object) -> dt.datetime:
    """Raises Broken."""
    try:
        moment = dt.datetime.fromisoformat(str(written))
        return moment.astimezone(dt.UTC) if moment.tzinfo else moment.replace(tzinfo=dt.UTC)
    except (ValueError, OverflowError) as error:
        raise verify.Broken("json", name=verify.MANIFEST) from error


def _digest(file: BinaryIO) -> str:
    digest = hashlib.sha256()
    for part in _parts(file):
        digest.update(part)
    return digest.hexdigest()


def _parts(file: BinaryIO) -> Iterator[bytes]:
    file.seek(0)
    yield from iter(lambda: file.read(PART), b"")


# --------------------------------------------------------------------------------------------------------- reading one


@dataclass(frozen=True, slots=True, kw_only=True)
class Paper:
    """One bill of another place, as that place has it. Nothing of it is to be paid here."""

    id: str
    biller: str
    number: str
    amount: Money
    paid: Money  #: as that place says
    issued_on: dt.date | None
    due_on: dt.date | None
    is_bill: bool  #: else it is a credit note, or another document that became no bill
    is_paid: bool
    receipts: tuple[str, ...]  #: their numbers
    document: str | None  #: the name of its file in the archive


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """An archive that was brought along, and whose it says it is."""

    id: str
    instance: str
    log: str
    made_at: dt.datetime
    brought_at: dt.datetime
    size_bytes: int
    nested: int  #: archives inside that had been brought there
    papers: tuple[Paper, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PaidThere:
    """A payment of such a bill, as that place has it."""

    amount: Money
    state: str
    pay_on: dt.date | None
    settled_on: dt.date | None
    end_to_end_id: str
    receipt: str | None  #: its number


@dataclass(frozen=True, slots=True, kw_only=True)
class PaperDetail:
    paper: Paper
    payee_name: str | None
    reference: str | None
    lines: tuple[str, ...]
    payments: tuple[PaidThere, ...]


def places(session: Session, *, customer_id: str) -> list[Place]:
    """What a customer has brought along, the latest first."""
    rows = session.scalars(
        select(Brought).where(Brought.customer_id == customer_id).order_by(Brought.brought_at.desc(), Brought.id)
    )
    return [_place(session, row) for row in rows]


def place_of(session: Session, *, brought_id: str, customer_id: str) -> Place:
    """Raises NotFound."""
    return _place(session, _of(session, brought_id=brought_id, customer_id=customer_id))


def paper_of(session: Session, *, brought_id: str, paper_id: str, customer_id: str) -> tuple[Place, PaperDetail]:
    """One paper with what is told of it. Raises NotFound."""
    place = place_of(session, brought_id=brought_id, customer_id=customer_id)
    paper = next((each for each in place.papers if each.id == paper_id), None)
    if paper is None:
        raise NotFound("paper")
    with _opened(session, place.id) as archive:
        rows = verify.read_json(archive, f"bills/{paper.id}.json")["rows"]
    return place, _detail(paper, rows)


def document_of(session: Session, *, brought_id: str, paper_id: str, customer_id: str) -> tuple[str, bytes]:
    """The very bytes that had come there, and the name of their file. Raises NotFound."""
    place = place_of(session, brought_id=brought_id, customer_id=customer_id)
    paper = next((each for each in place.papers if each.id == paper_id), None)
    if paper is None or paper.document is None:
        raise NotFound("document")
    with _opened(session, place.id) as archive:
        return paper.document.partition("/")[2], verify.read_file(archive, paper.document)


def bytes_of(session: Session, brought_id: str) -> Iterator[bytes]:
    """The archive as it came, part by part."""
    numbers = session.scalars(
        select(BroughtPart.number).where(BroughtPart.brought_id == brought_id).order_by(BroughtPart.number)
    ).all()
    for number in numbers:
        yield _part(session, brought_id, number)


def _of(session: Session, *, brought_id: str, customer_id: str) -> Brought:
    row = session.get(Brought, brought_id)
    if row is None or row.customer_id != customer_id:
        raise NotFound("archive")
    return row


def _place(session: Session, row: Brought) -> Place:
    listed = json.loads(_open(session, _list_name(row.id), row.box))
    return Place(
        id=row.id,
        instance=listed["instance"],
        log=listed["log"],
        made_at=dt.datetime.fromisoformat(listed["made_at"]),
        brought_at=row.brought_at,
        size_bytes=row.size_bytes,
        nested=listed["nested"],
        papers=tuple(_listed(each) for each in listed["papers"]),
    )


def _listed(paper: dict[str, Any]) -> Paper:
    return Paper(
        id=paper["id"],
        biller=paper["biller"],
        number=paper["number"],
        amount=Money(paper["amount_minor"], paper["currency"]),
        paid=Money(paper["paid_minor"], paper["currency"]),
        issued_on=_day(paper["issued_on"]),
        due_on=_day(paper["due_on"]),
        is_bill=paper["state"] is not None,
        is_paid=paper["state"] == "paid",
        receipts=tuple(paper["receipts"]),
        document=paper["document"],
    )


def _detail(paper: Paper, rows: dict[str, Any]) -> PaperDetail:
    """No account number: nobody is to pay by this page."""
    of: dict[str, Any] = next(iter([*rows.get("invoice", ()), *rows.get("delivered_bill", ())]), {})
    receipts = {row["payment_id"]: _text(row["number"]) for row in rows.get("receipt", ())}
    decided = {row["payment_id"]: row for row in rows.get("decision", ())}
    payments = [
        PaidThere(
            amount=Money(row["amount_minor"], row["currency"]),
            state=_text(row["state"]),
            pay_on=_day(decided[row["id"]]["pay_on"]),
            settled_on=_day(str(row["settled_at"])[:10]),
            end_to_end_id=_text(row["end_to_end_id"]),
            receipt=receipts.get(row["id"]),
        )
        for row in rows.get("payment", ())
        if row["id"] in decided
    ]
    texts = [each.get("description") for each in of.get("lines") or () if isinstance(each, dict)]
    return PaperDetail(
        paper=paper,
        payee_name=_text(of["payee_name"]) if of.get("payee_name") else None,
        reference=_text(of["reference"]) if of.get("reference") else None,
        lines=tuple(_text(each) for each in texts if each),
        payments=tuple(payments),
    )


# ------------------------------------------------------------------------------------------------- its bytes, in parts


@contextlib.contextmanager
def _opened(session: Session, brought_id: str) -> Iterator[verify.Zipped]:
    """What is read of it is opened, and nothing else."""
    row = session.get_one(Brought, brought_id)
    try:
        yield verify.Zipped(io.BufferedReader(_Sealed(session, row)))
    except verify.Broken as broken:
        raise NotFound("paper") from broken


class _Sealed(io.RawIOBase):
    """The archive as a file that is read at any place, out of its sealed parts."""

    def __init__(self, session: Session, row: Brought) -> None:
        self._session, self._id, self._size = session, row.id, row.size_bytes
        self._at = 0
        self._part: tuple[int, bytes] = (-1, b"")

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        self._at = offset + {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._size}[whence]
        if self._at < 0:
            raise ValueError("before its beginning")
        return self._at

    def readinto(self, buffer: Any) -> int:
        number, start = divmod(self._at, PART)
        if self._at >= self._size:
            return 0
        if self._part[0] != number:
            self._part = (number, _part(self._session, self._id, number))
        found = self._part[1][start : start + len(buffer)]
        buffer[: len(found)] = found
        self._at += len(found)
        return len(found)


def _part(session: Session, brought_id: str, number: int) -> bytes:
    box = session.scalars(
        select(BroughtPart.box).where(BroughtPart.brought_id == brought_id, BroughtPart.number == number)
    ).one()
    return _open(session, _part_name(brought_id, number), box)


def _open(session: Session, name: str, box: bytes) -> bytes:
    """Raises NotFound where its customer's key is gone."""
    opened = unseal(keys_of(session), box, what=name)
    if opened is None:
        raise NotFound("archive")
    return opened


def _list_name(brought_id: str) -> str:
    return f"brought:{brought_id}:list"


def _part_name(brought_id: str, number: int) -> str:
    return f"brought:{brought_id}:{number}"
