"""Which headers a bank can want signed: those that our messages have, no more and no fewer."""

from __future__ import annotations

from pathlib import Path

import pytest

from connectors.berlin_group.quirks import Quirks as BerlinGroupQuirks
from connectors.security.signature_form import SignatureQuirks
from connectors.stet.quirks import Quirks as StetQuirks
from tests.support.bench import NEXTGEN, STET, cancels, open_bench

#: the signature adds these itself, or they are of the connection, as is Accept where a standard wants none of its own
NOT_OF_THE_MESSAGE = {
    *("authorization", "date", "digest", "signature", "tpp-signature-certificate", "content-length"),
    *("user-agent", "accept-encoding", "connection"),
}


@pytest.mark.parametrize(
    ("bank_ids", "quirks"), [(NEXTGEN, BerlinGroupQuirks), (STET, StetQuirks)], ids=["nextgen", "stet"]
)
def test_what_can_be_signed_is_what_is_sent(bank_ids: list[str], quirks: type[SignatureQuirks], tmp_path: Path) -> None:
    sent: set[str] = set()
    for bank_id in bank_ids:
        with open_bench(bank_id, tmp_path / bank_id) as bench:
            cancels(bench.connector).cancel(bench.staged().consent_id, timeout_s=5)
            staged, code, verifier = bench.approved()
            bench.complete(staged, code, verifier)
            bench.waiting(staged)
            sent |= {
                name.lower()
                for one in bench.adapter.sent
                if str(one.url).startswith(bench.api)
                for name, value in one.headers.items()
                if (name, value) != ("Accept", "application/json")
            }
    assert sent - NOT_OF_THE_MESSAGE == set(quirks.sent)
