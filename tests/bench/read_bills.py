"""``python -m tests.bench.read_bills``: how long a bill takes to read, as a multiple of a bare parse of the same bytes.

A bare parse is lxml's with nothing switched off. Both are measured in one run, bill by bill, the best of many rounds
each: what else the machine does then falls on both. Bills are of our own making, and the official samples where they
are beside the checkout. Writes build/bench.json and ends with 1 where a target is missed.
"""
# ruff: noqa: T201  # its output is for a person

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lxml import etree

from app.journey.intake.bill import BillRefused
from app.journey.intake.formats import cii, ubl, xml, xml_bill
from tests.support.bills import cii_bill, ubl_bill

ROOT = Path(__file__).resolve().parents[2]
SAMPLES = ROOT.parent / "shared/samples/train"
RESULTS = ROOT / "build/bench.json"
ROUNDS = 25
#: times a bare parse
TARGETS = {"read_ubl": 5.0}


@dataclass(frozen=True, slots=True)
class Measured:
    bills: int
    bare_us: float
    read_us: float

    @property
    def ratio(self) -> float:
        return self.read_us / self.bare_us


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.read_bills", description=__doc__)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    rounds = parser.parse_args(arguments).rounds
    of_ubl = _readable([ubl_bill(), ubl_bill(lines=[("Eau potable", "21", "MTQ", "79.81")] * 20)], "ubl")
    of_cii = _readable([cii_bill()], "cii")
    found = {
        "read_ubl": _measure(of_ubl, ubl.read, rounds=rounds),
        "read_ubl_and_check_schema": _measure(of_ubl, xml_bill.read, rounds=rounds),
        "read_cii": _measure(of_cii, lambda content: cii.read_tree(xml.parse(content)), rounds=rounds),
        "read_cii_and_check_schema": _measure(of_cii, xml_bill.read, rounds=rounds),
    }
    for name, one in found.items():
        target = f" (at most {TARGETS[name]})" if name in TARGETS else ""
        print(f"{name}: {one.ratio:.2f} x a bare parse{target}; {one.read_us:.0f} us of {one.bills} bills")
    write(
        {
            name: {
                "ratio": round(one.ratio, 2),
                "target": TARGETS.get(name),
                "bare_us": round(one.bare_us, 1),
                "read_us": round(one.read_us, 1),
                "bills": one.bills,
            }
            for name, one in found.items()
        }
    )
    return 1 if any(found[name].ratio > most for name, most in TARGETS.items()) else 0


def _readable(ours: Sequence[bytes], folder: str) -> list[bytes]:
    """Ours, and the samples that are read and of the structure of their format."""
    found = list(ours)
    for path in sorted((SAMPLES / folder).glob("*.xml")):
        content = path.read_bytes()
        try:
            xml_bill.read(content)
        except BillRefused:
            continue
        found.append(content)
    return found


def _measure(bills: Sequence[bytes], read: Callable[[bytes], object], *, rounds: int) -> Measured:
    bare_s = read_s = 0.0
    for content in bills:
        bare, whole = [], []
        for _ in range(rounds):
            bare.append(_timed(etree.fromstring, content))
            whole.append(_timed(read, content))
        bare_s += min(bare)
        read_s += min(whole)
    return Measured(len(bills), bare_s / len(bills) * 1e6, read_s / len(bills) * 1e6)


def _timed(work: Callable[[bytes], object], content: bytes) -> float:
    begun = time.perf_counter()
    work(content)
    return time.perf_counter() - begun


def write(found: dict[str, dict[str, Any]]) -> None:
    """Into build/bench.json, beside what other benches wrote."""
    known = json.loads(RESULTS.read_text("utf-8")) if RESULTS.is_file() else {}
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(known | found, indent=2) + "\n", "utf-8")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
