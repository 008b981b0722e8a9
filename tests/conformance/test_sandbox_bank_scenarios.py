"""Each magic amount does what the table says, and the ledger holds the truth whatever the bank answers."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path

import pytest

from connectors.sandbox_bank.context import HANG_S
from connectors.sandbox_bank.openbanking_uk.scenarios import OWN
from connectors.sandbox_bank.scenarios import SCENARIOS, Scenario
from tests.support.sandbox_tpp import Clock, Ledger, Person, Tpp, order_of


def kinds(entries: list[dict[str, str]]) -> list[str]:
    return [entry["kind"] for entry in reversed(entries)]


def approved(tpp: Tpp, person: Person, amount: str) -> str:
    payment_id = tpp.initiated(order_of(amount))
    person.approve(tpp.authorize_url(payment_id))
    return payment_id


def codes(tpp: Tpp, payment_id: str, *, reads: int) -> list[int]:
    return [tpp.get(f"{payment_id}/status").status for _ in range(reads)]


def payments_in(ledger: Ledger, clock: Clock) -> list[str]:
    clock.tick(seconds=1)
    return kinds(ledger())


@pytest.mark.parametrize(("bank", "scenarios"), [("# Horizon Bank", SCENARIOS), ("# The UK banks", OWN)])
def test_the_readme_shows_the_table(bank: str, scenarios: Mapping[int, Scenario]) -> None:
    text = (Path(__file__).parents[2] / "connectors/sandbox_bank/README.md").read_text(encoding="utf-8")
    [its] = [part for part in re.split(r"^(?=# )", text, flags=re.MULTILINE) if part.startswith(bank)]
    rows = re.findall(r"^\| (\d+)\.(\d\d) \| (.+) \|$", its, re.MULTILINE)
    shown = {int(whole) * 100 + int(cent): meaning for whole, cent, meaning in rows}
    assert shown == {minor: scenario.meaning for minor, scenario in scenarios.items()}


def test_initiation_refused(tpp: Tpp) -> None:
    got = tpp.initiate(order_of("999.01"))
    assert (got.status, got.json["tppMessages"][0]["code"]) == (400, "PAYMENT_FAILED")


@pytest.mark.parametrize("amount", ["999.02", "999.03"])
def test_initiation_fails(tpp: Tpp, amount: str) -> None:
    got = tpp.initiate(order_of(amount))
    assert (got.status, got.json["tppMessages"][0]["code"]) == (500, "INTERNAL_SERVER_ERROR")


def test_initiation_hangs(tpp: Tpp, naps: list[float]) -> None:
    assert tpp.status(tpp.initiated(order_of("999.04"))) == "RCVD"
    assert naps == [HANG_S]


def test_no_funds_at_once(tpp: Tpp, person: Person, ledger: Ledger, clock: Clock) -> None:
    payment_id = approved(tpp, person, "999.05")
    assert tpp.get(f"{payment_id}/status", PSU_Accept_Language="fr-CH, fr;q=0.9").json == {
        "transactionStatus": "RJCT",
        "psuMessage": "Il n’y avait pas assez d’argent sur le compte.",
    }
    assert payments_in(ledger, clock) == []


def test_rejected_after_two_seconds(tpp: Tpp, person: Person, ledger: Ledger, clock: Clock) -> None:
    payment_id = approved(tpp, person, "999.06")
    clock.tick(seconds=1.999)
    assert tpp.status(payment_id) == "ACSP"
    clock.tick(seconds=0.001)
    assert tpp.status(payment_id) == "RJCT"
    assert payments_in(ledger, clock) == []


def test_settled_after_twenty_seconds(tpp: Tpp, person: Person, ledger: Ledger, clock: Clock) -> None:
    payment_id = approved(tpp, person, "999.07")
    clock.tick(seconds=19)
    assert (tpp.status(payment_id), ledger()) == ("ACSP", [])
    clock.tick(seconds=1)
    assert (tpp.status(payment_id), kinds(ledger())) == ("ACSC", ["debit"])


def test_status_reads_fail(tpp: Tpp, person: Person, ledger: Ledger, clock: Clock) -> None:
    payment_id = approved(tpp, person, "999.08")
    assert codes(tpp, payment_id, reads=4) == [500, 500, 500, 200]
    assert payments_in(ledger, clock) == ["debit"]


def test_status_reads_hang(tpp: Tpp, person: Person, naps: list[float]) -> None:
    payment_id = approved(tpp, person, "999.09")
    assert codes(tpp, payment_id, reads=3) == [200, 200, 200]
    assert naps == [HANG_S, HANG_S]


@pytest.mark.parametrize(("amount", "status", "waits"), [("999.10", 500, []), ("999.11", 200, [HANG_S])])
def test_token_exchange_spends_the_code(
    tpp: Tpp, person: Person, naps: list[float], amount: str, status: int, waits: list[float]
) -> None:
    code = person.approve(tpp.authorize_url(tpp.initiated(order_of(amount))))["code"]
    assert tpp.exchange(code).status == status
    assert naps == waits
    assert tpp.exchange(code).json["error"] == "invalid_grant"


def test_status_reads_are_unreadable(tpp: Tpp, person: Person) -> None:
    payment_id = approved(tpp, person, "999.12")
    for path in (f"{payment_id}/status", payment_id):
        got = tpp.get(path)
        assert got.status == 200
        with pytest.raises(json.JSONDecodeError):
            _ = got.json
    assert tpp.status(payment_id) == "ACSP"


def test_reversed(tpp: Tpp, person: Person, ledger: Ledger, clock: Clock) -> None:
    payment_id = approved(tpp, person, "999.13")
    clock.tick(seconds=1)
    assert (tpp.status(payment_id), kinds(ledger())) == ("ACSC", ["debit"])
    clock.tick(seconds=3)
    assert (tpp.status(payment_id), kinds(ledger())) == ("RJCT", ["debit", "reversal"])


def test_a_reversal_that_nobody_read_before_is_booked_in_order(
    tpp: Tpp, person: Person, ledger: Ledger, clock: Clock
) -> None:
    approved(tpp, person, "999.13")
    clock.tick(hours=1)
    assert [(entry["kind"], entry["bookedAt"][14:19]) for entry in reversed(ledger())] == [
        ("debit", "00:01"),
        ("reversal", "00:04"),
    ]


def test_credited(tpp: Tpp, person: Person, ledger: Ledger, clock: Clock) -> None:
    payment_id = approved(tpp, person, "999.14")
    clock.tick(seconds=1)
    assert (tpp.status(payment_id), kinds(ledger())) == ("ACCC", ["debit"])


def test_status_goes_backwards_once(tpp: Tpp, person: Person, clock: Clock) -> None:
    payment_id = approved(tpp, person, "999.15")
    clock.tick(seconds=1)
    assert [tpp.status(payment_id) for _ in range(5)] == ["ACSP", "RCVD", "ACSP", "ACSC", "ACSC"]
