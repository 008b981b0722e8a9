"""route.py is the whole journey: no fact without a follower, no handler that nothing calls, no name of nothing."""

from __future__ import annotations

import ast
import importlib
from collections.abc import Iterator
from pathlib import Path

from app.db.events import Event
from app.db.unit_of_work import TOGETHER as WORD
from app.db.work import BULK_HANDLERS
from app.journey.intake.events import BillDelivered, BillHeld
from app.journey.invoices.events import BillUnseen, InvoiceOpened
from app.journey.route import FOLLOW_UPS, HANDLERS, ROUTE, TIMETABLE, TOGETHER, name_of
from app.people.events import AddressAsked, RecoveryWordsDrawn
from config.settings import ROOT
from tests.tidy.conftest import module_of, sources
from tests.tidy.conftest import name_of as file_name

JOURNEY = ROOT / "app" / "journey"
#: facts of which all that follows is written by who records them, in the same transaction
FOLLOWED = (AddressAsked, RecoveryWordsDrawn)


def events() -> set[type[Event]]:
    """Every kind of fact that our code knows."""
    for path in JOURNEY.rglob("events.py"):
        importlib.import_module(module_of(path))
    return {kind for kind in Event.kinds.values() if kind.__module__.startswith("app.")}


def handlers_in_code() -> dict[str, str]:
    """Every public function of a stage that takes a Task and nothing else: its name in the work table → its file."""
    return {
        f"{path.parent.name}.{node.name}": file_name(path)
        for path in sorted(JOURNEY.rglob("*.py"))
        for node in ast.parse(path.read_text("utf-8")).body
        if isinstance(node, ast.FunctionDef)
        and not node.name.startswith("_")
        and [ast.unparse(one.annotation) for one in node.args.args if one.annotation] == ["Task"]
        and not node.args.kwonlyargs
    }


def names_asked_for() -> Iterator[tuple[str, str]]:
    """(name, file) of every ``work.enqueue(handler=…)`` of the rooms and doors."""
    for path in sources():
        if file_name(path).startswith("app/db/"):
            continue  # there the name comes from the timetable itself
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("enqueue"):
                for keyword in node.keywords:
                    if keyword.arg == "handler":
                        yield _value(keyword.value, path), file_name(path)


def _value(node: ast.expr, path: Path) -> str:
    if isinstance(node, ast.Constant):
        return str(node.value)
    return str(getattr(importlib.import_module(module_of(path)), ast.unparse(node)))


def test_every_event_has_a_handler() -> None:
    idle = sorted(kind.__name__ for kind in events() - {*FOLLOWED} if not TIMETABLE.get(kind))
    assert not idle, f"Nothing happens after {', '.join(idle)}: give it a handler in app/journey/route.py, or drop it."
    strangers = sorted(kind.__name__ for kind in TIMETABLE.keys() - events())
    assert not strangers, f"{', '.join(strangers)} must stand in the events.py of its stage."


def test_every_handler_is_called_by_something() -> None:
    written = handlers_in_code()
    forgotten = sorted(f"{name} ({written[name]})" for name in written.keys() - HANDLERS.keys())
    assert not forgotten, f"Nothing calls {', '.join(forgotten)}: put it on the timetable in app/journey/route.py."
    assert HANDLERS.keys() <= written.keys(), "a handler is a public function of a stage: def name(task: Task)"


def test_every_name_that_work_is_asked_for_by_exists() -> None:
    asked = list(names_asked_for())
    wrong = [f"{name} ({where})" for name, where in asked if name not in HANDLERS]
    assert not wrong, f"No handler is called {', '.join(wrong)}: its work would fail for ever."
    never = {name_of(handler) for handler in FOLLOW_UPS} - {name for name, _ in asked}
    assert not never, f"FOLLOW_UPS in app/journey/route.py names {', '.join(sorted(never))}, which nobody asks for."


def test_what_is_done_together_is_done_one_by_one_too() -> None:
    for handler in map(name_of, TOGETHER):
        assert handler.removesuffix(WORD) in HANDLERS, f"{handler} has no handler for a single fact."
        assert handler in BULK_HANDLERS, f"{handler} would keep customers waiting: name it in app/db/work.py."


def test_facts_that_come_together_have_their_handlers() -> None:
    """What a handler of many records is recorded together too."""
    for event in (BillDelivered, BillHeld, InvoiceOpened, BillUnseen):
        missing = {f"{name}{WORD}" for name in ROUTE[event] if isinstance(name, str)} - HANDLERS.keys()
        assert not missing, f"{event.__name__} may come by the hundred: write {', '.join(sorted(missing))}."


def test_two_handlers_never_share_a_name() -> None:
    known = {handler for handlers in (*TIMETABLE.values(), FOLLOW_UPS, TOGETHER) for handler in handlers}
    assert len(known) == len(HANDLERS), "Two functions of one stage have the same name: rename one."


def test_a_name_fits_into_its_column() -> None:
    long = [name for name in HANDLERS if len(name) > 80]
    assert not long, f"{long} does not fit into work.handler (80 characters)."
