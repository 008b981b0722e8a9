"""The log finds out whoever changes it, also with every right to the database and with the log's own key."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import Connection, func, select, text

from app.audit import tree
from app.audit.entries import canonical, commitment
from app.audit.models import LogCheckpoint, LogEntry, LogTile
from app.audit.sequencer import newest_checkpoint, number_waiting
from app.audit.verify import Audit, verify
from app.cli import machinery, main
from app.invariants import reading
from app.services import Services
from app.signed_note import NoteError, Signer
from tests.support.journey import Journey


def audit(services: Services, *outside: str) -> Audit:
    with reading(services.engine) as connection:
        return verify(connection, services.keys.log.verifier, outside=outside)


def kept(services: Services) -> str:
    """The newest checkpoint, as somebody else keeps it."""
    number_waiting(services)
    with services.reading() as uow:
        note = newest_checkpoint(uow.session)
    assert note is not None
    return note


@pytest.fixture
def lived(journey: Journey) -> Journey:
    """Two bills, one paid, one refused; all of it numbered, in several steps."""
    journey.pay(journey.bill())
    number_waiting(journey.services)
    journey.pay(journey.bill(number="2026-2"), decision="refuse")
    journey.wait(60)
    number_waiting(journey.services)
    return journey


def test_all_is_as_it_was(lived: Journey) -> None:
    with lived.services.reading() as uow:
        entries = uow.session.scalar(select(func.count()).select_from(LogEntry))
    found = audit(lived.services, kept(lived.services))
    assert (found.wrong, found.waiting, found.entries) == ([], 0, entries)
    assert found.entries > 20


def run(statement: str) -> Callable[[Connection], object]:
    return lambda connection: connection.execute(text(statement))


def reorder(connection: Connection) -> None:
    """Two of the same kind change places."""
    for number, to in ((3, -1), (4, 3), (-1, 4)):
        connection.execute(
            text("UPDATE log_entry SET number = :to WHERE number = :number"), {"number": number, "to": to}
        )


SPOILT: dict[str, tuple[Callable[[Connection], object], str]] = {
    "an entry is changed": (
        lambda connection: connection.execute(
            text("UPDATE log_entry SET leaf = :leaf WHERE number = 5"), {"leaf": b'{"v":1}'}
        ),
        "entry 5 is not what it was when it got its number",
    ),
    "an entry is dropped": (run("DELETE FROM log_entry WHERE number = 7"), "entry 7 is gone"),
    "the last entries are dropped": (
        run("DELETE FROM log_entry WHERE number >= 20"),
        "and there are 20: some were dropped",
    ),
    "two change places": (reorder, "entry 3 is not what it was when it got its number"),
    "what it says is changed": (
        run("UPDATE log_entry SET opening = SUBSTR(opening, 1, 120) WHERE kind = 'payment.decided'"),
        "what it says does not open",
    ),
    "it says what another one says": (
        run(
            "UPDATE log_entry SET opening = (SELECT opening FROM log_entry WHERE kind = 'receipt.issued')"
            " WHERE kind = 'payment.decided'"
        ),
        "what it says is not what it said",
    ),
    "what it says is written in clear": (
        run("UPDATE log_entry SET opening = '{}' WHERE kind = 'payment.decided'"),
        "what it says is not what it said",
    ),
    "what it says is gone": (run("UPDATE log_entry SET opening = NULL WHERE number = 5"), "entry 5: what it said is"),
    "it is kept as another's": (run("UPDATE log_entry SET subject = 'pay_x' WHERE number = 5"), "kept as one of"),
    "a tile is changed": (lambda connection: flip(connection), "entry 0 is not what it was"),
    "a checkpoint is another's": (
        lambda connection: connection.execute(
            LogCheckpoint.__table__.update().values(note=Signer.generate("log").checkpoint(1, bytes(32)))  # type: ignore[attr-defined]
        ),
        "is not signed with the key of this log",
    ),
    "a decision is changed": (
        run("UPDATE decision SET amount_minor = 1"),
        "was changed: amount_minor",
    ),
    "a payee is changed": (run("UPDATE decision SET payee_iban = 'GB33BUKB20201555555555'"), "was changed: payee_iban"),
    "a delivery is changed": (run("UPDATE delivered_bill SET sha256 = number"), "was changed: sha256"),
    "a step is changed": (run("UPDATE payment_history SET evidence = 'bank:ACCC' WHERE sequence = 4"), "evidence"),
    "the bytes of a call are changed": (
        lambda connection: connection.execute(text("UPDATE bank_call SET body = :body"), {"body": b"x"}),
        "was changed: body_sha256",
    ),
    "the lines of a bill do not open": (lambda connection: cut_lines(connection), "was changed: it does not open"),
    "a receipt is gone": (run("DELETE FROM receipt"), "its row in receipt"),
    "an answer stands in no entry": (
        run("DELETE FROM log_entry WHERE kind = 'bank.answer'"),
        "no entry says bank.answer",
    ),
}


def cut_lines(connection: Connection) -> None:
    customer_id = connection.scalar(text("SELECT customer_id FROM invoice"))
    sealed = json.dumps(f"~1:profile:{customer_id}:{base64.b64encode(bytes(40)).decode()}")
    connection.execute(text("UPDATE invoice SET lines = :sealed"), {"sealed": sealed})


def flip(connection: Connection) -> None:
    tile = connection.execute(select(LogTile)).first()
    assert tile is not None
    hashes = bytes([tile.hashes[0] ^ 1]) + tile.hashes[1:]
    connection.execute(text("UPDATE log_tile SET hashes = :hashes WHERE level = 0 AND number = 0"), {"hashes": hashes})


def test_whoever_changes_one_thing_is_found_out(lived: Journey) -> None:
    verifier = lived.services.keys.log.verifier
    for what, (spoil, sentence) in SPOILT.items():
        with lived.services.engine.connect() as connection:
            spoil(connection)
            found = verify(connection, verifier)
            connection.rollback()
        assert any(sentence in each for each in found.wrong), (what, found.wrong)
    assert audit(lived.services).wrong == []


def undo_invariants(services: Services) -> None:
    """The end of every test proves the invariants, and what is spoilt here breaks them, as it should."""
    with services.engine.begin() as connection:
        for table in reversed(LogEntry.metadata.sorted_tables):
            if table.name != "log_head":
                connection.execute(table.delete())


def rewrite(services: Services) -> None:
    """The whole history anew, with another amount in it, signed with the real key."""
    with services.unit_of_work() as uow:
        uow.session.execute(text("UPDATE decision SET amount_minor = 1"))
        entries = uow.session.scalars(select(LogEntry).order_by(LogEntry.number)).all()
        for entry in entries:
            if entry.kind == "payment.decided":
                says = json.loads(entry.opening or "") | {"amount_minor": 1}
                entry.opening = canonical(says)
                leaf = json.loads(entry.leaf) | {"commitment": commitment(entry.salt or b"", entry.opening)}
                entry.leaf = canonical(leaf).encode()
        sizes = uow.session.scalars(select(LogCheckpoint.size)).all()
        for table in (LogTile, LogCheckpoint):
            uow.session.execute(table.__table__.delete())  # type: ignore[attr-defined]
        tiles: dict[tuple[int, int], list[bytes]] = {}
        leaves = [tree.leaf_hash(entry.leaf) for entry in entries]
        for level, number, hashes in list(tree.grow(lambda *which: tiles.get(which, []), 0, leaves)):
            tiles[level, number] = hashes
            uow.session.add(LogTile(level=level, number=number, hashes=b"".join(hashes)))
        for size in sizes:
            note = services.keys.log.checkpoint(size, tree.root(lambda *which: tiles.get(which, []), size))
            uow.session.add(LogCheckpoint(size=size, note=note, made_at=uow.now))
        uow.commit()


def test_a_history_that_was_written_anew_and_signed_is_found_out_by_a_checkpoint_kept_outside(lived: Journey) -> None:
    outside = kept(lived.services)
    rewrite(lived.services)
    assert audit(lived.services).wrong == []  # from inside nobody can tell
    found = audit(lived.services, outside)
    assert [each for each in found.wrong if "not those that it was signed over" in each] == found.wrong
    assert len(found.wrong) == 1
    undo_invariants(lived.services)


def test_a_checkpoint_of_another_log_compares_nothing(lived: Journey) -> None:
    with pytest.raises(NoteError):
        audit(lived.services, Signer.generate("another").checkpoint(1, bytes(32)))


def test_an_earlier_checkpoint_is_the_beginning_of_a_later_one(lived: Journey) -> None:
    """Whoever kept two checkpoints can see by a short proof that nothing before the first was changed."""
    from app.audit.sequencer import reader

    with lived.services.reading() as uow:
        notes = uow.session.scalars(select(LogCheckpoint.note).order_by(LogCheckpoint.size)).all()
        first, last = (lived.services.keys.log.verifier.open(note) for note in (notes[0], notes[-1]))
        proof = tree.consistency(reader(uow.session), first.size, last.size)
    assert first.size < last.size
    assert tree.is_consistent(first.size, last.size, first.root, last.root, proof)
    assert not tree.is_consistent(first.size, last.size, last.root, last.root, proof)


def test_the_words_of_the_operator(
    lived: Journey, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(machinery, "services", lambda: lived.services)
    assert main(["audit", "key"]) == 0
    (tmp_path / "log.pub").write_text(capsys.readouterr().out)
    assert main(["audit", "checkpoint"]) == 0
    (tmp_path / "old.txt").write_text(capsys.readouterr().out)
    arguments = ["audit", "verify", "--key", str(tmp_path / "log.pub"), "--since", str(tmp_path / "old.txt")]
    assert main(arguments) == 0
    assert "all as it was" in capsys.readouterr().out
    rewrite(lived.services)
    assert main(arguments) == 1
    assert "a checkpoint kept outside: the first" in capsys.readouterr().out
    (tmp_path / "old.txt").write_text("no checkpoint")
    assert main(arguments) == 1
    assert "not signed with the key of this log" in capsys.readouterr().err
    undo_invariants(lived.services)


def test_a_receipt_is_verified_without_a_database(
    lived: Journey, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    link = lived.browser.page("/receipts").select_one("a[href^='/receipts/rcp_']")
    assert link is not None
    proof = lived.browser.get(f"{link['href']}/proof").data
    (tmp_path / "log.pub").write_text(str(lived.services.keys.log.verifier))
    (tmp_path / "receipt.json").write_bytes(proof)
    altered = json.loads(proof)
    altered["document"] = base64.b64encode(base64.b64decode(altered["document"]) + b" ").decode()
    (tmp_path / "altered.json").write_text(json.dumps(altered))
    monkeypatch.setattr(machinery, "services", lambda: pytest.fail("it needs no installation"))
    key = ["--key", str(tmp_path / "log.pub")]
    assert main(["receipt", "verify", str(tmp_path / "receipt.json"), *key]) == 0
    assert "genuine" in capsys.readouterr().out
    assert main(["receipt", "verify", str(tmp_path / "receipt.json"), str(tmp_path / "altered.json"), *key]) == 1
    assert "altered.json: NOT PROVEN: the document is not the one that was delivered" in capsys.readouterr().out
