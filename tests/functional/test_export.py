"""A customer takes all of their papers along; a stranger checks them; another place takes them in."""

from __future__ import annotations

import hashlib
import io
import json
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from bs4 import BeautifulSoup
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select
from werkzeug.datastructures import FileStorage
from werkzeug.test import TestResponse, encode_multipart

from app.audit.sequencer import number_waiting
from app.factory import create_app
from app.journey.export import rules, verify
from app.journey.export.models import Brought, BroughtPart, Export
from app.journey.notices.models import Notice
from app.keys.installation import Keys
from app.people.models import Customer
from app.services import Services
from app.signed_note import NoteError, Verifier
from app.tables import metadata
from app.web.customers import limits
from consent.models import Sealed
from tests.functional.test_answers import say
from tests.support import factories, own_bills
from tests.support.bills import json_bill
from tests.support.engines import let_go
from tests.support.installation import make_services, make_settings
from tests.support.journey import ORIGIN, Browser, Journey
from tests.support.pictures import epc_text
from tests.support.provenance import bill_of, opened, put, register_key
from tests.support.sealing import seal
from tests.support.wsgi_adapter import WSGIAdapter

pytestmark = pytest.mark.long_on_postgres


def start(browser: Browser) -> tuple[str, TestResponse]:
    form = browser.token("/privacy/export")
    return form, browser.post("/privacy/export/ceremony", token=form, data={})


def finish(browser: Browser, form: str, started: dict[str, Any]) -> TestResponse:
    sent = {"ceremony": started["ceremony"], "credential": json.dumps(browser.device.sign(started["publicKey"]))}
    return browser.post("/privacy/export", token=form, form=sent)


def taken(journey: Journey) -> bytes:
    """The archive, by the page and a passkey."""
    number_waiting(journey.services)
    form, started = start(journey.browser)
    answer = finish(journey.browser, form, started.get_json())
    assert answer.status_code == 200, answer.text
    content: bytes = answer.data
    answer.close()  # as a server does
    return content


def lived(journey: Journey) -> dict[str, str]:
    """Something of most kinds: a sealed bill that is paid, one that is declined, one with a credit note, a bill of the
    customer's own and one that they have begun to add, and a bill that is held."""
    key = register_key(journey)
    content = bill_of(journey, "E-1", amount="129.90")
    paid = opened(journey, put(journey, content, seal=seal(key, content)))
    payment = journey.pay(paid)
    journey.wait(60)
    content = bill_of(journey, "E-2", amount="40.00")
    declined = opened(journey, put(journey, content, seal=seal(key, content)))
    say(journey, declined, "declined")
    content = bill_of(journey, "E-3", amount="100.00")
    opened(journey, put(journey, content, seal=seal(key, content)))
    content = bill_of(journey, "C-1", amount="30.00", kind="credit_note", corrects="E-3", reference=None)
    credit = put(journey, content, seal=seal(key, content)).bill_id
    own = own_bills.add(journey.browser)
    own_bills.begin(journey.browser, epc_text(amount="EUR17.17"))
    swapped = {"name": journey.biller.name, "iban": "NL39RABO0300065264"}
    held = json_bill(to=journey.address, number="H-1", payee=swapped)
    assert put(journey, held, seal=seal(key, held)).held
    journey.wait(60)
    return {"paid": paid, "payment": payment, "declined": declined, "credit": credit, "own": own}


def checked(content: bytes, log_key: str | None = None) -> verify.Report:
    try:
        return verify.check(verify.Zipped(io.BytesIO(content)), log_key=log_key)
    except verify.Broken as broken:
        return verify.Report(faults=[broken.fault])


def words(report: verify.Report) -> list[str]:
    return [fault.words("en") for fault in report.faults]


def files(content: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(content)) as packed:
        return {name: packed.read(name) for name in packed.namelist()}


def packed(content: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, each in content.items():
            archive.writestr(name, each)
    return out.getvalue()


# ------------------------------------------------------------------------------------------------------- taking along


def test_everything_is_in_it_and_holds(journey: Journey) -> None:
    made = lived(journey)
    content = taken(journey)
    report = checked(content, str(journey.services.keys.log.verifier))
    assert words(report) == []
    assert (report.bills, report.receipts, report.is_key_given) == (4, 1, True)
    assert report.untold == 1  # the bill that its customer added
    assert (report.seals_good, report.seals_unchecked, report.seals_void) == (4, 0, 0)
    inside = files(content)
    manifest = json.loads(inside["manifest.json"])
    assert manifest["customer"]["email"] == "camille@example.org"
    assert manifest["instance"] == ORIGIN
    bill = json.loads(inside[f"bills/{made['paid']}.json"])
    assert bill["shown"]["number"] == "E-1"
    [payment] = bill["rows"]["payment"]
    assert (payment["state"], payment["amount_minor"]) == ("settled", 12990)
    [receipt] = bill["rows"]["receipt"]
    assert bill["shown"]["receipts"] == [receipt["number"]]
    original = inside[bill["original"]]
    assert json.loads(original)
    kinds = {json.loads(fact["entry"])["kind"] for fact in json.loads(inside[f"proofs/{made['paid']}.json"])["facts"]}
    assert {"bill.delivered", "invoice.opened", "payment.decided", "payment.step", "receipt.issued"} <= kinds
    assert "key.registered" in kinds
    credit = json.loads(inside[f"bills/{made['credit']}.json"])
    assert (credit["rows"]["correction"][0]["number"], credit["shown"]["state"]) == ("C-1", None)
    [answer] = json.loads(inside[f"bills/{made['declined']}.json"])["rows"]["bill_answer"]
    assert answer["kind"] == "declined"
    own = json.loads(inside[f"bills/{made['own']}.json"])
    assert own["shown"]["is_delivered"] is False
    assert inside[own["original"]].startswith(b"BCD")
    assert f"proofs/{made['own']}.json" not in inside
    held = json.loads(inside["held.json"])["rows"]
    assert ([row["number"] for row in held["held_bill"]], len(held["own_bill"])) == (["H-1"], 1)
    connection = json.loads(inside["connections.json"])["rows"]["connection"][0]
    assert connection["address"] == journey.address
    assert json.loads(inside["privacy.json"])["rows"]["passkey"][0]["backed_up"] in (True, False)


def test_a_stranger_checks_it_with_python_alone(journey: Journey, tmp_path: Path) -> None:
    """Neither our packages nor our code: the program that lies in it, in a folder that has nothing else."""
    made = lived(journey)
    content = taken(journey)
    folder = tmp_path / "papers"
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        archive.extractall(folder)
    key = str(journey.services.keys.log.verifier)

    def run(*arguments: str, language: str = "C") -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-I", "-S", "verify.py", *arguments],
            cwd=folder,
            env={"LANG": language, "PATH": ""},
            capture_output=True,
            text=True,
            encoding="utf-8",
            check=False,
        )

    said = run()
    assert (said.returncode, said.stderr) == (0, "")
    assert said.stdout.startswith("Everything holds. ")
    assert "bills: 4, receipts: 1," in said.stdout
    assert "names this key itself" in said.stdout
    assert "good 0, not checked 4" in said.stdout  # P-256 without a package for it
    assert "cryptography" in said.stdout
    assert not list(folder.glob("**/__pycache__"))
    french = run("--log-key", key, language="fr_FR.UTF-8")
    assert french.returncode == 0
    assert "Tout concorde" in french.stdout
    assert "C’est la clé que vous avez donnée." in french.stdout
    whole = tmp_path / "as-it-came.zip"
    whole.write_bytes(content)
    assert run(str(whole)).returncode == 0
    assert run(str(tmp_path / "nothing")).returncode == 2
    other = journey.services.keys.log.generate("somebody-else").verifier
    assert run("--log-key", str(other)).returncode == 1
    bill = folder / "bills" / f"{made['paid']}.json"
    bill.write_text(bill.read_text("utf-8").replace("E-1", "E-9"), "utf-8")
    broken = run()
    assert broken.returncode == 1
    assert "does not hold" in broken.stdout
    assert bill.name in broken.stdout


def test_what_was_allowed_and_stopped_is_in_it(journey: Journey) -> None:
    """With the whole account that pays, which is their own; and without what went to the bank."""
    browser = journey.browser
    assert browser.post("/stop", token=browser.token("/stop"), form={}).status_code == 303
    form = browser.token("/stop")
    started = browser.post("/stop/lift/ceremony", token=form, data={}).get_json()
    sent = {"ceremony": started["ceremony"], "credential": json.dumps(browser.device.sign(started["publicKey"]))}
    assert browser.post("/stop/lift", token=form, form=sent).status_code == 303
    journey.clock.tick(seconds=1)
    payer = {"scheme": "SortCodeAccountNumber", "identification": "20201555555555", "name": "C Laurent"}
    with journey.services.unit_of_work() as uow:
        standing = factories.agree_standing(uow, customer_id=journey.customer.id, biller_id=journey.biller.id)
        journey.services.vault.put(uow.session, f"consent:{standing.consent_id}:payer", json.dumps(payer), now=uow.now)
        uow.commit()
    content = taken(journey)
    report = checked(content)
    assert (words(report), report.untold) == ([], 0)
    inside = files(content)
    rows = json.loads(inside["consents.json"])["rows"]
    assert rows["standing"][0]["payer_account"] == payer
    assert not {"headers", "body"} & rows["standing"][0].keys()
    assert rows["shown_text"][0]["text"] == '["You may start payments."]'
    assert len(rows["consent_history"]) == 3
    proven = {json.loads(fact["entry"])["kind"] for fact in json.loads(inside["proofs/consents.json"])["facts"]}
    assert proven == {"consent.agreed", "consent.step"}
    proven = {json.loads(fact["entry"])["kind"] for fact in json.loads(inside["proofs/privacy.json"])["facts"]}
    assert proven == {"customer.stopped", "stop.lifted"}


def test_the_manifest_is_signed_as_nothing_else_is(journey: Journey) -> None:
    """Neither can be taken for the other: a checkpoint says what the log is, an export what a customer has."""
    inside = files(taken(journey))
    log: Verifier = journey.services.keys.log.verifier
    note = inside["manifest.sig"].decode()
    with pytest.raises(NoteError):
        log.open(note)
    key = verify.Key.parse(str(log))
    assert key.opened(note) is not None
    assert key.checkpoint(note) is None


SECRETS = {
    "customer_session": ("token_hash",),
    "tool_token": ("token_hash",),
    "calendar_feed": ("token_hash",),
    "connection_code": ("code_hash",),
    "trip": ("state_hash", "browser_hash"),
    "ceremony": ("token_hash",),
}


def test_no_secret_and_nobody_else_is_in_it(journey: Journey) -> None:
    """Each secret that the database has is looked for in each file; and so is another customer."""
    lived(journey)
    browser = journey.browser
    form = browser.token("/calendar")
    made = browser.post("/calendar", token=form, form={"detail": "full"}).text
    feed = re.search(r"/calendar/([A-Za-z0-9_-]{43})[.]ics", made)
    assert feed is not None
    browser.post("/companies/code", token=browser.token("/companies/code"), form={})
    words_page = browser.page("/messages")
    other = Browser.of(journey.app)
    other.sign_up(name="Nele Neumann", email="nele@example.org")
    content = files(taken(journey))
    whole = b"\n".join(content.values())
    with journey.services.reading() as uow:
        looked = 0
        for name, columns in SECRETS.items():
            table = metadata.tables[name]
            for column in columns:
                for value in uow.session.scalars(select(table.columns[column])):
                    if value is not None:
                        assert str(value).encode() not in whole, (name, column)
                        looked += 1
        sealed = uow.session.scalars(select(Sealed)).all()
        for row in sealed:
            secret = journey.services.vault.get(uow.session, row.id)
            if len(secret) > 8 and not row.id.endswith(":payer"):
                assert secret.encode() not in whole, row.id
                looked += 1
        [stranger] = [each for each in uow.session.scalars(select(Customer)) if each.name == "Nele Neumann"]
    assert looked >= 8
    assert feed[1].encode() not in whole
    assert words_page.select_one("main") is not None
    for canary in (stranger.id, stranger.name, stranger.email):
        assert canary.encode() not in whole


def test_no_copy_stays_here(journey: Journey, tmp_path: Path) -> None:
    """What was sent is kept nowhere: neither in the database nor in a file of the installation."""
    content = taken(journey)
    for path in journey.services.settings.data.rglob("*"):
        if path.is_file():
            assert content[:64] not in path.read_bytes(), path
    with journey.services.reading() as uow:
        row = uow.session.scalars(select(Export)).one()
    assert row.size_bytes == len(content)
    assert row.manifest_sha256 == hashlib.sha256(files(content)["manifest.json"]).hexdigest()


# ------------------------------------------------------------------------------------------------------------ its door


def test_none_is_made_without_a_passkey_for_just_that(journey: Journey) -> None:
    browser = journey.browser
    form, started = start(browser)
    assert started.status_code == 200
    assert browser.post("/privacy/export", token=form, form={}).status_code == 422
    other = Browser.of(journey.app)
    other.sign_up(name="Nele Neumann", email="nele@example.org")
    asked = {**started.get_json()["publicKey"], "allowCredentials": []}
    wrong = {"ceremony": started.get_json()["ceremony"], "credential": json.dumps(other.device.sign(asked))}
    assert browser.post("/privacy/export", token=form, form=wrong).status_code in (403, 422)
    approval = browser.post("/passkeys/add", token=form, data={}).get_json()  # of something else
    assert finish(browser, form, approval).status_code == 422
    with journey.services.reading() as uow:
        assert uow.session.scalar(select(func.count()).select_from(Export)) == 0


def test_it_is_recorded_told_and_counted(journey: Journey) -> None:
    for _ in range(5):
        taken(journey)
    journey.worker.run_until_idle()
    with journey.services.reading() as uow:
        assert list(uow.session.scalars(select(Notice.kind))) == ["space_exported"] * 5
        assert uow.session.scalar(select(func.count()).select_from(Export).where(Export.made_at.is_not(None))) == 5
    page = journey.browser.page("/privacy/export").get_text(" ", strip=True)
    assert page.count("You took your papers with you") == 5
    assert start(journey.browser)[1].status_code == 429
    journey.clock.tick(hours=25)
    assert journey.browser.sign_in().status_code == 200
    assert start(journey.browser)[1].status_code == 200


def test_one_answer_is_one_archive(journey: Journey) -> None:
    form, started = start(journey.browser)
    first = finish(journey.browser, form, started.get_json())
    assert (first.status_code, first.headers["Cache-Control"], first.mimetype) == (200, "no-store", "application/zip")
    assert first.headers["Content-Disposition"].startswith("attachment; filename=quittance-")
    first.close()
    assert finish(journey.browser, form, started.get_json()).status_code == 422


def test_while_everything_is_stopped_nothing_goes_out(journey: Journey) -> None:
    form, started = start(journey.browser)
    assert journey.browser.post("/stop", token=form, form={}).status_code == 303
    assert finish(journey.browser, form, started.get_json()).status_code in (409, 422)
    assert start(journey.browser)[1].status_code == 409
    assert "until you lift that" in journey.browser.page("/privacy/export").get_text(" ", strip=True)


def test_a_visit_takes_nothing_and_brings_nothing(journey: Journey) -> None:
    content = taken(journey)
    visitor = Browser.of(journey.app)
    cookie = factories.sign_in(journey.services, journey.customer, read_only=True)
    visitor.client.set_cookie("__Host-session-8000", cookie, domain="localhost", secure=True)
    page = visitor.page("/privacy/export")
    assert not page.select("form[data-passkey]")
    form = visitor.token("/privacy/import")
    assert visitor.post("/privacy/export/ceremony", token=form, data={}).status_code == 403
    assert visitor.post("/privacy/export", token=form, form={}).status_code == 403
    assert send(visitor, content).status_code in (403, 413)
    with journey.services.reading() as uow:
        assert uow.session.scalar(select(func.count()).select_from(Brought)) == 0


# ----------------------------------------------------------------------------------------------------- to another place


def send(browser: Browser, content: bytes, *, name: str = "papers.zip") -> TestResponse:
    form = browser.token("/privacy/import")
    headers = {"Sec-Fetch-Site": "same-origin", "Origin": ORIGIN, "X-CSRFToken": form}
    boundary, body = encode_multipart({"file": FileStorage(io.BytesIO(content), filename=name)})
    kind = f'multipart/form-data; boundary="{boundary}"'
    return browser.client.post("/privacy/import", base_url=ORIGIN, headers=headers, data=body, content_type=kind)


@pytest.fixture
def elsewhere(
    tmp_path: Path, sqlite_template: Path, bank_wire: WSGIAdapter, clock: Any
) -> Iterator[tuple[Services, Browser]]:
    """Another installation: its own database, its own keys, its own log. One customer is there."""
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    shutil.copy(sqlite_template, folder / "quittance.sqlite3")
    its = make_settings(folder, database_url=f"sqlite:///{folder / 'quittance.sqlite3'}")
    Keys.init(its.keys)
    made = make_services(its, Keys.load(its.keys), bank_wire, clock=clock)
    app = create_app(made)
    app.testing = True
    browser = Browser.of(app)
    browser.sign_up(name="Camille Laurent", email="camille@example.net")
    yield made, browser
    let_go(made.engine)
    made.engine.dispose()


def counts(services: Services) -> dict[str, int]:
    with services.reading() as uow:
        return {
            name: uow.session.scalar(select(func.count()).select_from(table)) or 0
            for name, table in metadata.tables.items()
        }


@pytest.mark.each_database
def test_another_place_takes_them_in(journey: Journey, elsewhere: tuple[Services, Browser]) -> None:
    there, browser = elsewhere
    lived(journey)
    content = taken(journey)
    before = counts(there)
    answer = send(browser, content)
    assert answer.status_code == 303, answer.text
    after = counts(there)
    changed = {name for name in after if after[name] != before[name]}
    assert changed == {"brought", "brought_part"}  # no bill, no fact, no work: nothing is to be paid by it
    where = answer.headers["Location"]
    page = browser.page(where)
    text = page.get_text(" ", strip=True)
    assert "Not a bill to pay here." in text
    assert str(journey.services.keys.log.verifier) in text
    assert "Paid, says that place" in text
    assert "E-1" in text
    assert "E-2" in text
    link = next(str(each["href"]) for each in page.select("table a") if "E-1" in each.get_text())
    detail = browser.page(link)
    said = detail.get_text(" ", strip=True)
    assert "129.90" in said
    assert "Receipt Q-" in said
    assert not detail.select(".delivery, .truth, .seal, form:not([action='/sign-out'])")
    assert journey.biller.iban not in detail.get_text("").replace(" ", "")
    document = browser.get(f"{link}/original")
    assert (document.status_code, document.mimetype) == (200, "application/octet-stream")
    assert document.data in files(content).values()
    document.close()
    inbox = browser.page("/bills").get_text(" ", strip=True)
    assert "E-1" not in inbox
    assert not browser.page("/search?q=E-1").select("main a[href*='/bills/inv_'], main a[href*='/papers/']")
    assert send(browser, content).status_code == 409


def test_it_goes_along_again_as_it_is(journey: Journey, elsewhere: tuple[Services, Browser]) -> None:
    there, browser = elsewhere
    lived(journey)
    content = taken(journey)
    assert send(browser, content).status_code == 303
    number_waiting(there)
    form, started = start(browser)
    answer = finish(browser, form, started.get_json())
    again = answer.data
    answer.close()
    inside = files(again)
    [nested] = [name for name in inside if name.startswith("brought/")]
    assert inside[nested] == content
    report = checked(again)
    assert words(report) == []
    assert any("brought/" in line for line in report.lines("en"))
    assert send(journey.browser, again).status_code == 303  # and back
    assert "1 more archive is inside" in page_of_place(journey.browser)


def page_of_place(browser: Browser) -> str:
    link = browser.page("/papers").select_one(".cards a")
    assert link is not None
    return browser.page(str(link["href"])).get_text(" ", strip=True)


def test_whose_it_is_removes_it_and_nobody_else_sees_it(journey: Journey, elsewhere: tuple[Services, Browser]) -> None:
    there, browser = elsewhere
    lived(journey)
    where = send(browser, taken(journey)).headers["Location"]
    link = next(str(each["href"]) for each in browser.page(where).select("table a"))
    stranger = Browser.of(browser.client.application)
    stranger.sign_up(name="Nele Neumann", email="nele@example.org")
    for path in (where, link, f"{link}/original", f"{where}/inv_none", f"{where}/inv_none/original"):
        assert stranger.get(path).status_code == 404, path
    assert browser.get(f"{where}/inv_none").status_code == 404
    brought_id = where.rpartition("/")[2]
    form = stranger.token("/papers")
    assert stranger.post("/papers/remove", token=form, form={"archive": brought_id}).status_code == 404
    assert counts(there)["brought_part"] >= 1
    form = browser.token("/papers")
    assert browser.post("/papers/remove", token=form, form={"archive": brought_id}).status_code == 303
    after = counts(there)
    assert (after["brought"], after["brought_part"]) == (0, 0)
    assert browser.get(where).status_code == 404


def test_it_is_kept_sealed(journey: Journey, elsewhere: tuple[Services, Browser]) -> None:
    there, browser = elsewhere
    lived(journey)
    assert send(browser, taken(journey)).status_code == 303
    with there.reading() as uow:
        boxes = [*uow.session.scalars(select(BroughtPart.box)), *uow.session.scalars(select(Brought.box))]
    for box in boxes:
        assert b"E-1" not in box
        assert box[:2] != b"PK"
        assert b"manifest.json" not in box


# ------------------------------------------------------------------------------------------------------ what is refused


def refused(browser: Browser, services: Services, content: bytes) -> str:
    """It says what to mend, and writes nothing."""
    before = counts(services)
    answer = send(browser, content)
    assert answer.status_code == 422, answer.status_code
    assert counts(services) == before
    found = BeautifulSoup(answer.data, "html.parser").select_one(".problem")
    assert found is not None
    assert "Nothing was kept." in found.get_text()
    return found.get_text(" ", strip=True)


def test_what_is_no_archive_is_refused(journey: Journey, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "BRINGING_LIMIT", "1000 per minute")
    browser, services = journey.browser, journey.services
    good = files(taken(journey))
    cases = {
        b"": "damaged",
        b"PK\x05\x06" + bytes(18): "no manifest.json",
        b"not a zip at all": "damaged",
        packed({"manifest.json": b"{}", "manifest.sig": b""}): "quittance-export-1",
        packed({**good, "../../etc/passwd": b"x"}): "not allowed",
        packed({**good, "/etc/passwd": b"x"}): "not allowed",
        packed({**good, "bills\\x.json": b"x"}): "not allowed",
        packed({**good, "extra.txt": b"x"}): "was added",
        packed({name: each for name, each in good.items() if name != "held.json"}): "is missing",
        packed({**good, "manifest.json": b"[" * 100_000}): "does not say",
        packed(
            {**good, "manifest.json": good["manifest.json"].replace(ORIGIN.encode(), b"http://elsewhere")}
        ): "signed",
    }
    for content, expected in cases.items():
        assert expected in refused(browser, services, content)
    assert browser.get("/language/fr").status_code in (302, 303)
    sent = send(browser, packed({**good, "extra.txt": b"x"}))
    assert "il a été ajouté" in sent.text


def test_a_bomb_is_refused_before_it_is_unpacked(journey: Journey) -> None:
    browser, services = journey.browser, journey.services
    assert "larger than" in refused(browser, services, packed({"manifest.json": bytes(40 * 1024 * 1024)}))
    many = io.BytesIO()
    with zipfile.ZipFile(many, "w") as archive:
        for number in range(66_000):
            archive.writestr(f"bills/{number}.json", b"")
    assert refused(browser, services, many.getvalue())
    packer = io.BytesIO()
    with zipfile.ZipFile(packer, "w", zipfile.ZIP_BZIP2) as archive:
        archive.writestr("manifest.json", b"{}")
    assert "damaged" in refused(browser, services, packer.getvalue())
    twice = io.BytesIO()
    with zipfile.ZipFile(twice, "w") as archive:
        archive.writestr("manifest.json", b"{}")
        with pytest.warns(UserWarning, match="Duplicate name"):
            archive.writestr("manifest.json", b"{}")
    assert "two files" in refused(browser, services, twice.getvalue())


def test_no_more_is_kept_than_allowed(journey: Journey, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.journey.export.brought.BROUGHT_MOST", 1)
    assert send(journey.browser, taken(journey)).status_code == 303
    assert send(journey.browser, taken(journey)).status_code == 409
    monkeypatch.setattr("app.journey.export.brought.ARCHIVE_MOST", 1000)
    monkeypatch.setattr("app.journey.export.brought.BROUGHT_MOST", 5)
    assert "larger than" in refused(journey.browser, journey.services, taken(journey))


def test_whatever_is_changed_is_found(journey: Journey) -> None:
    """Each kind of file, at any place of it; files that are swapped, left out, or added."""
    lived(journey)
    good = files(taken(journey))
    names = sorted(good)
    assert words(checked(packed(good))) == []

    @settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
    @given(data=st.data())
    def altered(data: st.DataObject) -> None:
        name = data.draw(st.sampled_from(names))
        content = bytearray(good[name])
        how = data.draw(st.sampled_from(["flip", "cut", "add", "drop", "swap"]))
        changed = dict(good)
        if how == "flip" and content:
            content[data.draw(st.integers(0, len(content) - 1))] ^= data.draw(st.integers(1, 255))
            changed[name] = bytes(content)
        elif how == "cut" and content:
            changed[name] = bytes(content[: data.draw(st.integers(0, len(content) - 1))])
        elif how == "drop":
            del changed[name]
        elif how == "swap":
            other = data.draw(st.sampled_from(names))
            changed[name], changed[other] = good[other], good[name]
        else:
            changed[name] = bytes(content) + data.draw(st.binary(min_size=1, max_size=3))
        if changed != good and changed.get("manifest.sig", b"").rstrip() != b"":
            found = checked(packed(changed))
            only_space = {n: each for n, each in changed.items() if n != "manifest.sig"} == {
                n: each for n, each in good.items() if n != "manifest.sig"
            }
            # lines that nobody signed may stand behind a signature, as in every signed note
            assert not found.holds or only_space

    altered()


def test_who_has_the_key_and_lies_is_found(journey: Journey) -> None:
    """An operator signs another manifest over bills that say something else than the log: the log says so."""
    made = lived(journey)
    good = files(taken(journey))
    name = f"bills/{made['paid']}.json"
    lies: list[tuple[Callable[[dict[str, Any]], None], str]] = [
        (lambda bill: change(bill, "invoice", amount_minor=1), "amount_minor"),
        (lambda bill: change(bill, "invoice", payee_name="Somebody else"), "payee_name"),
        (lambda bill: change(bill, "decision", amount_minor=1), "amount_minor"),
        (lambda bill: change(bill, "decision", evidence={}), "evidence_sha256"),
        (lambda bill: change(bill, "receipt", number="Q-20260101-AAAAAAAA"), "number"),
        (lambda bill: change(bill, "payment_history", after="settled"), "after"),
        (lambda bill: bill["rows"]["receipt"].clear(), "the log has receipt.issued"),
        (lambda bill: bill["shown"].update(biller="Somebody else"), "summary says another biller"),
    ]
    for lie, said in lies:
        bill = json.loads(good[name])
        lie(bill)
        if said != "summary says another biller":
            bill["shown"] = {**bill["shown"], **again(bill)}
        report = checked(signed(journey, {**good, name: json.dumps(bill).encode()}))
        assert not report.holds
        assert any(said in each for each in words(report)), (said, words(report))
    proof = f"proofs/{made['paid']}.json"
    facts = json.loads(good[proof])
    facts["facts"][0]["says"] = facts["facts"][0]["says"].replace("Lumen", "Lumon")
    assert (
        "does not say what it said" in words(checked(signed(journey, {**good, proof: json.dumps(facts).encode()})))[0]
    )
    facts = json.loads(good[proof])
    facts["facts"][0]["number"] += 1
    assert (
        "does not stand in the log" in words(checked(signed(journey, {**good, proof: json.dumps(facts).encode()})))[0]
    )


def change(bill: dict[str, Any], table: str, **columns: Any) -> None:
    bill["rows"][table][0].update(columns)


def again(bill: dict[str, Any]) -> dict[str, Any]:
    """The summary as it follows from the rows, so that only the log speaks against them."""
    return rules.shown(bill["rows"], document=bill["shown"]["document"])


def signed(journey: Journey, content: dict[str, bytes]) -> bytes:
    """With a manifest over these files, by the log's own key."""
    manifest = json.loads(content["manifest.json"])
    for name in manifest["files"]:
        manifest["files"][name] = {
            "bytes": len(content[name]),
            "sha256": hashlib.sha256(content[name]).hexdigest(),
        }
    bills = [json.loads(each) for name, each in content.items() if name.startswith("bills/")]
    manifest["counts"]["receipts"] = sum(len(bill["rows"].get("receipt", ())) for bill in bills)
    written = json.dumps(manifest).encode()
    note = journey.services.keys.log.export(written).encode()
    return packed({**content, "manifest.json": written, "manifest.sig": note})


ODD: list[Any] = [
    None,
    -1,
    10**30,
    True,
    "",
    "x" * 5000,
    "\u202eABC\x00\x1b[2J",
    "2026-99-99",
    [],
    {},
    [{}],
    {"text": 1},
]


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def _odd_values(journey: Journey, good: dict[str, bytes], name: str, seen: set[int], data: st.DataObject) -> None:
    bill = json.loads(good[name])
    row = bill["rows"]["invoice"][0]
    for column in data.draw(st.lists(st.sampled_from(sorted(row)), min_size=1, max_size=3)):
        row[column] = data.draw(st.sampled_from(ODD))
    if data.draw(st.booleans()):
        bill["rows"]["payment"] = data.draw(st.sampled_from([*ODD, [{"id": "x"}], [{"id": "x", "amount_minor": "1"}]]))
        bill["rows"]["decision"] = data.draw(st.sampled_from([*ODD, [{"payment_id": "x", "pay_on": 7, "id": "d"}]]))
    try:
        bill["shown"] = rules.shown(bill["rows"], document=bill["shown"]["document"])
    except (TypeError, KeyError, AttributeError):
        return
    answer = send(journey.browser, signed(journey, {**good, name: json.dumps(bill).encode()}))
    seen.add(answer.status_code)
    assert answer.status_code in (303, 422), answer.status_code
    if answer.status_code == 303:
        where = answer.headers["Location"]
        page = journey.browser.page(where)
        for link in page.select("table a"):
            assert journey.browser.get(str(link["href"])).status_code == 200
        form = journey.browser.token("/papers")
        removed = {"archive": where.rpartition("/")[2]}
        assert journey.browser.post("/papers/remove", token=form, form=removed).status_code == 303


def test_another_place_may_sign_anything(journey: Journey, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a bill that nobody delivered its log says nothing: every value is that place's own. It is refused, or read."""
    monkeypatch.setattr(limits, "BRINGING_LIMIT", "1000 per minute")
    made = lived(journey)
    seen: set[int] = set()
    _odd_values(journey, files(taken(journey)), f"bills/{made['own']}.json", seen)
    assert seen == {303, 422}
