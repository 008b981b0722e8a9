"""An operator who reads what stands in a customer's space says who they are and why, and the customer sees it."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import select

from app.audit.kinds import Kind
from app.audit.models import LogEntry
from app.cli import _parser, machinery, main
from app.journey.reconciliation.read import differences
from app.people.models import OperatorAccess
from tests.functional.test_corrections import bill
from tests.functional.test_corrections_said import settled
from tests.functional.test_held_bills import swapped
from tests.support.camt import Line, camt
from tests.support.journey import Browser, Journey

BECAUSE = "The company says on the telephone that its account is another one"
WHY = ("--by", "ada", "--because", BECAUSE)


@pytest.fixture(autouse=True)
def command_line(journey: Journey, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machinery, "services", lambda: journey.services)


def accesses(journey: Journey) -> list[tuple[str, str, str, str, str]]:
    with journey.services.reading() as uow:
        rows = uow.session.scalars(select(OperatorAccess).order_by(OperatorAccess.id)).all()
        in_log = uow.session.scalars(select(LogEntry.subject).where(LogEntry.kind == Kind.OPERATOR_ACCESS.value)).all()
        assert sorted(in_log) == sorted(row.id for row in rows)
        return [(row.customer_id, row.by, row.what, row.subject_id, row.because) for row in rows]


def shown(browser: Browser) -> list[str]:
    return [
        " ".join(each.get_text(" ").replace("\xa0", " ").split())
        for each in browser.page("/privacy").select("[data-access]")
    ]


def test_a_held_bill(journey: Journey, capsys: pytest.CaptureFixture[str]) -> None:
    held_id = swapped(journey, "swap-1")
    assert main(["bill", "held"]) == 0
    listed = capsys.readouterr().out
    assert held_id in listed
    assert "account-not-registered" in listed
    for content in ("swap-1", "84.20"):
        assert content not in listed
    assert accesses(journey) == []
    assert "Nobody has read anything in this space." in journey.browser.page("/privacy").get_text()
    assert main(["bill", "show", held_id, *WHY]) == 0
    assert "swap-1, 84.20 EUR" in capsys.readouterr().out
    assert accesses(journey) == [(journey.customer.id, "ada", "held_bill", held_id, BECAUSE)]
    assert shown(journey.browser) == [f"ada read a bill for you that was held back {BECAUSE}"]


def test_a_bill(journey: Journey, capsys: pytest.CaptureFixture[str]) -> None:
    invoice_id = bill(journey)
    assert main(["bill", "show", invoice_id, *WHY]) == 0
    said = capsys.readouterr().out
    assert "2026-1, 100.00 EUR" in said
    assert journey.biller.iban in said
    assert accesses(journey) == [(journey.customer.id, "ada", "bill", invoice_id, BECAUSE)]
    assert shown(journey.browser) == [f"ada read a bill of yours {BECAUSE}"]
    assert journey.browser.page("/privacy").select_one(f"[data-access] a[href='/bills/{invoice_id}']")
    assert main(["bill", "show", f"inv_{'0' * 32}", *WHY]) == 1
    assert len(accesses(journey)) == 1


@pytest.mark.parametrize(
    "why",
    [("--by", "ada", "--because", " "), ("--by", "Ada Lovelace", "--because", BECAUSE), ("--by", "", "--because", "x")],
)
def test_without_a_name_and_a_reason_nothing_is_shown(
    journey: Journey, capsys: pytest.CaptureFixture[str], why: tuple[str, ...]
) -> None:
    invoice_id = bill(journey)
    assert main(["bill", "show", invoice_id, *why]) == 1
    said = capsys.readouterr()
    assert "2026-1" not in said.out + said.err
    assert accesses(journey) == []


@pytest.mark.parametrize("command", [("bill", "show"), ("reconcile", "show")])
def test_the_command_line_asks_for_both(command: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    for left_out in (["--by", "ada"], ["--because", BECAUSE], []):
        with pytest.raises(SystemExit):
            _parser().parse_args([*command, "hld_1", *left_out])


def test_what_banks_and_we_say_of_a_payment(
    journey: Journey, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    payment_id = settled(journey, bill(journey))
    name = journey.payment(payment_id).end_to_end_id
    file = tmp_path / "statement.xml"
    other = Line(end_to_end_id=name, amount="99.99", reference="R1")
    nobodys = Line(end_to_end_id="pay" + "0" * 32, reference="R9")
    file.write_bytes(camt(other, nobodys, account=journey.biller.iban))
    assert main(["reconcile", "statement", str(file)]) == 0
    with journey.services.reading() as uow:
        found = differences(uow.session)
    [about] = [each for each in found if each.payment_id == payment_id]
    [unknown] = [each for each in found if each.payment_id is None]
    capsys.readouterr()
    assert main(["reconcile"]) == 1
    listed = capsys.readouterr().out
    assert about.id in listed
    for content in ("99.99", "100.00", journey.biller.iban):
        assert content not in listed
    assert main(["reconcile", "show", about.id, *WHY]) == 0
    assert "The bank books 99.99 EUR, and the customer decided 100.00 EUR." in capsys.readouterr().out
    assert accesses(journey) == [(journey.customer.id, "ada", "payment", payment_id, BECAUSE)]
    assert main(["reconcile", "show", unknown.id, *WHY]) == 0  # of nobody who is here
    assert len(accesses(journey)) == 1
    assert main(["reconcile", "show", "dif_0", *WHY]) == 1
    [line] = shown(journey.browser)
    assert line == f"ada read a payment of yours {BECAUSE}"


def test_nobody_else_sees_it(journey: Journey) -> None:
    assert main(["bill", "show", bill(journey), *WHY]) == 0
    other = Browser.of(journey.app)
    other.sign_up(name="Jonas", email="jonas@example.org")
    assert shown(other) == []
    assert BECAUSE not in other.page("/privacy").get_text()


def test_lists_say_nothing_of_what_stands_in_a_space(journey: Journey, capsys: pytest.CaptureFixture[str]) -> None:
    """Every word that lists, after a story with a name, a number, an amount and an address of a customer in it."""
    settled(journey, bill(journey, "CANARY-7"))
    swapped(journey, "CANARY-8")
    customer = journey.customer
    for words in (
        ("bill", "held"),
        ("payment", "unknown"),
        ("payment", "voided"),
        ("consents", "list"),
        ("reconcile",),
        ("connection", "count"),
        ("connection", "leaks"),
        ("connection", "redemptions"),
        ("invitation", "list"),
    ):
        assert main([*words]) == 0, words
        said = capsys.readouterr().out
        for canary in (customer.name, customer.email, customer.id, "CANARY", "100.00", journey.address):
            assert canary not in said, (words, canary)
