"""The hostile files: what must be refused is, nothing is read wrongly, nothing takes long or much memory."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from pathlib import Path

import pytest

from app.journey.intake.bill import Bill, BillKind, BillRefused
from app.journey.intake.formats import read_bill
from connectors.money import Money
from tests.support.shared import shared_folder

pytestmark = pytest.mark.shared

SECONDS_MAX = 2.0  # of CPU: what else the machine does is no fault of a file's
MEMORY_MAX_MIB = 300

#: Only who knows the biller, its accounts and its earlier bills can find these: the stages after this one.
NEED_STATE = {
    *("iban_countrydiffers.xml", "iban_swap_2_changed.xml", "iban_swap_3_next_invoice.xml"),
    *("dup_4_other_amount.xml", "dup_6_case.xml", "dup_7_homoglyph.xml"),
    *("seller_homoglyph.xml", "seller_zwj.xml", "seller_rtl.xml", "seller_impersonate.xml"),
}
#: Marked "hold for review"; our bill says it by itself: a credit, no IBAN, nowhere to pay.
SAID_BY_THE_BILL = {
    *("prepaid_over_total.xml", "creditnote_as_invoice_381.xml", "iban_url.xml", "iban_empty.xml"),
}
#: Marked "reject or warn", and read: what is odd in them is nothing that we read.
HARMLESS = {
    *(
        "many_namespaces.xml",
        "amount_spaces.xml",
        "due_beforeissue.xml",
    ),
    *("attach_html.xml", "attach_exe.xml", "attach_svg.xml", "attach_bad_base64.xml"),
    *("skonto_comma.xml", "skonto_over100.xml", "skonto_negative_base.xml", "skonto_huge_days.xml"),
    "skonto_base_over_total.xml",
}
#: Marked "accept" or "hold", and refused: formats that are not ours, and amounts that do not add up.
REFUSED_ALL_THE_SAME = {
    "amount_negative.xml": "amounts-do-not-add-up",
}


#: Reads every file it is given; prints the seconds of CPU of each with its child processes, and the highest memory use
#: of this process and of a child.
MEASURE = r"""
import contextlib, json, os, pathlib, re, resource, sys
from app.journey.intake.bill import BillRefused
from app.journey.intake.formats import read_any
seconds = {}
for path in map(pathlib.Path, sys.argv[1:]):
    started = sum(os.times()[:4])
    with contextlib.suppress(BillRefused):
        read_any(path.read_bytes())
    seconds[path.name] = sum(os.times()[:4]) - started
# not ru_maxrss of this one: a child begins with the peak of the process that started it
peak_mib = int(re.search(r"VmHWM:\s*(\d+) kB", pathlib.Path("/proc/self/status").read_text())[1]) // 1024
child_mib = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024
print(json.dumps({"seconds": seconds, "peak_mib": peak_mib, "child_mib": child_mib}))
"""


@pytest.fixture(scope="module")
def every_attack(tmp_path_factory: pytest.TempPathFactory) -> dict[Path, str]:
    """Every attack with what must become of it."""
    folder = tmp_path_factory.mktemp("attacks")
    script = shared_folder() / "attacks/make_attacks.py"
    subprocess.run([sys.executable, str(script), str(folder)], check=True, capture_output=True, timeout=100)
    with (folder / "expected.csv").open(encoding="utf-8") as file:
        return {folder / row["file"]: row["must"] for row in csv.DictReader(file)}


@pytest.fixture(scope="module")
def attacks(every_attack: dict[Path, str]) -> dict[Path, str]:
    """Those in XML and JSON; the others meet the whole intake in tests/functional/test_attack_files.py."""
    return {path: must for path, must in every_attack.items() if path.suffix in (".xml", ".json")}


def outcome(path: Path) -> Bill | BillRefused:
    try:
        return read_bill(path.read_bytes(), "application/xml" if path.suffix == ".xml" else "application/json")
    except BillRefused as refused:
        return refused


def read(attacks: dict[Path, str], name: str) -> Bill:
    found = outcome(next(path for path in attacks if path.name == name))
    assert isinstance(found, Bill), found
    return found


def test_all_that_must_be_refused_is_refused(attacks: dict[Path, str]) -> None:
    must = [path for path, verdict in attacks.items() if verdict == "reject"]
    assert len(must) == 75
    assert [path.name for path in must if isinstance(outcome(path), Bill)] == []


def test_exactly_these_of_the_doubtful_are_read(attacks: dict[Path, str]) -> None:
    doubtful = [path for path, verdict in attacks.items() if verdict in ("reject-or-warn", "hold-for-review")]
    assert {
        path.name for path in doubtful if isinstance(outcome(path), Bill)
    } == NEED_STATE | SAID_BY_THE_BILL | HARMLESS


def test_what_is_honest_is_read(attacks: dict[Path, str]) -> None:
    honest = [path for path, must in attacks.items() if must not in ("reject", "reject-or-warn")]
    outcomes = {path.name: outcome(path) for path in honest}
    assert {
        name: found.code for name, found in outcomes.items() if isinstance(found, BillRefused)
    } == REFUSED_ALL_THE_SAME


@pytest.mark.slow
def test_none_of_them_takes_long_or_much_memory(every_attack: dict[Path, str]) -> None:
    # In a process of its own: the peak of this one may be another test's.
    command = [sys.executable, "-c", MEASURE, *map(str, every_attack)]
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=100)
    measured = json.loads(done.stdout)
    assert {name: seconds for name, seconds in measured["seconds"].items() if seconds > SECONDS_MAX} == {}
    assert len(measured["seconds"]) == 187
    assert max(measured["peak_mib"], measured["child_mib"]) < MEMORY_MAX_MIB


@pytest.mark.parametrize(
    "name", ["comment_in_amount.xml", "cdata_amount.xml", "amount_plus.xml", "base_cii.xml", "sbdh_wrapped.xml"]
)
def test_a_trick_with_the_amount_reads_the_whole_amount(attacks: dict[Path, str], name: str) -> None:
    assert read(attacks, name).payable == Money(11900, "EUR")


@pytest.mark.parametrize("name", ["pi_in_iban.xml", "iban_lower.xml", "iban_spaces.xml"])
def test_a_trick_with_the_account_reads_the_whole_account(attacks: dict[Path, str], name: str) -> None:
    payee = read(attacks, name).payee
    assert payee is not None
    assert payee.iban == "DE75512108001245126199"


def test_what_the_bill_says_by_itself(attacks: dict[Path, str]) -> None:
    assert read(attacks, "creditnote_as_invoice_381.xml").kind is BillKind.CREDIT_NOTE
    assert read(attacks, "prepaid_over_total.xml").payable == Money(-8100, "EUR")
    assert read(attacks, "iban_empty.xml").payee is None
    url = read(attacks, "iban_url.xml").payee
    assert url is not None
    assert (url.iban, url.other_account) == (None, "https://pay.example.test/x")


def test_only_the_discount_by_the_rule_is_a_discount(attacks: dict[Path, str]) -> None:
    names = [path.name for path in attacks if path.name.startswith("skonto_")]
    bills = {name: outcome(next(path for path in attacks if path.name == name)) for name in names}
    assert [name for name, bill in bills.items() if isinstance(bill, Bill) and bill.early_payments] == ["skonto_ok.xml"]
