"""Each quirk in a bank's file is needed there: without its line the bank is not spoken to as it wants, and says so."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from connectors.contract import Fact
from connectors.errors import BankRefused, BankSilent
from tests.support.bench import BANKS, NEXTGEN, Bench, open_nextgen_bench

QUIRKS = [
    (bank_id, quirk)
    for bank_id in NEXTGEN
    for quirk in tomllib.loads((BANKS / f"{bank_id}.toml").read_text("utf-8"))["quirks"]
]


def pays(bench: Bench) -> None:
    """From the order to the books, and nothing is told that is not so."""
    early = bench.staged()
    for _ in range(4):
        try:
            assert bench.fact(early) is Fact.WAITING, "a payment that the bank has is told as another"
        except BankSilent:
            assert bench.early, "a bank that is not early is silent"
    staged, code, verifier = bench.approved()
    bench.complete(staged, code, verifier)
    got = bench.bank.test_client().get("/sandbox/ledger", headers={"Authorization": "Bearer ledger"})
    assert got.json == {"entries": []}
    assert bench.fact(staged) is Fact.ACCEPTED, "no money has moved"
    bench.clock.tick(seconds=2)
    assert bench.fact(staged) is bench.words.settled[0]


@pytest.mark.parametrize("bank_id", NEXTGEN)
def test_with_all_of_them_it_pays(bank_id: str, tmp_path: Path) -> None:
    with open_nextgen_bench(bank_id, tmp_path) as bench:
        pays(bench)


@pytest.mark.parametrize(("bank_id", "quirk"), QUIRKS)
def test_without_one_it_does_not(bank_id: str, quirk: str, tmp_path: Path) -> None:
    text = (BANKS / f"{bank_id}.toml").read_text("utf-8")
    less, count = re.subn(rf"(?m)^{quirk} = .*\n", "", text)
    assert count == 1
    if quirk == "date_wanted":  # a Date that is not there cannot be signed
        less = less.replace("date digest", "digest")
    (tmp_path / "banks").mkdir()
    (tmp_path / "banks" / f"{bank_id}.toml").write_text(less, "utf-8")
    with (
        pytest.raises((BankRefused, BankSilent, AssertionError)),
        open_nextgen_bench(bank_id, tmp_path, banks=tmp_path / "banks") as bench,  # some sign in here
    ):
        pays(bench)


def test_every_quirk_says_in_one_line_what_the_bank_wants() -> None:
    for bank_id in NEXTGEN:
        lines = (BANKS / f"{bank_id}.toml").read_text("utf-8").partition("[quirks]")[2].strip().splitlines()
        assert lines[0].startswith("# ")
        assert all(line.startswith(("# ", *(f"{quirk} = " for _, quirk in QUIRKS))) for line in lines)
