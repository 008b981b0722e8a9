"""Every hostile file through the intake, with all that it knows: each ends as its list says."""

from __future__ import annotations

import csv
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import delete, select

from app.db.events import EventRow
from app.db.work import WorkRow
from app.errors import AppError
from app.journey.intake.formats import UnknownFormat, media_type_of
from app.journey.intake.models import DeliveredBill, HeldBill
from app.journey.intake.service import ClientIdentity, deliver
from app.people.models import Biller, PayeeAccount
from app.services import Services
from tests.support import factories
from tests.support.shared import shared_folder

pytestmark = [pytest.mark.shared, pytest.mark.slow, pytest.mark.tampers, pytest.mark.long_on_postgres]

IBAN = "DE75512108001245126199"
#: files that belong together, in their order; every other one meets an intake that has seen nothing
SEQUENCES = ("iban_swap_", "dup_")
MEDIA_TYPES = {".xml": "application/xml", ".json": "application/json", ".pdf": "application/pdf"}

#: "accept" as a file, and nothing that a customer could pay by a transfer: read, and then not taken
NOT_PAYABLE = {"amount_zero.xml", "amount_negzero.xml"}
#: "hold for review", and turned away with the reason: nothing in them can ever be paid, or the first one stands
TURNED_AWAY = {
    *("prepaid_over_total.xml", "amount_negative.xml"),  # credits that do not say so
    "iban_empty.xml",  # nowhere to pay
    *("iban_swap_2_changed.xml", "dup_4_other_amount.xml"),  # the number is that of the first, which stays
    "pdf_no_xml.pdf",  # nothing to read
}
#: "hold for review", and taken for the credit that its type code says it is: it asks for nothing
CREDITS = {"creditnote_as_invoice_381.xml"}
#: "accept one of" its readings; the others are refused or are the first delivery again
READ = {"sbdh_wrapped.xml", "comment_in_amount.xml", "pi_in_iban.xml"}
#: "reject or warn", and taken: what is odd in them is nothing that we read, show or fetch
HARMLESS = {
    *("many_namespaces.xml", "amount_spaces.xml", "due_beforeissue.xml"),
    *("attach_html.xml", "attach_exe.xml", "attach_svg.xml", "attach_bad_base64.xml"),
    *("skonto_comma.xml", "skonto_over100.xml", "skonto_negative_base.xml", "skonto_huge_days.xml"),
    *("skonto_base_over_total.xml", "pdf_page_cycle.pdf", "pdf_xref_loop.pdf"),
}


@pytest.fixture(scope="module")
def attacks(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[Path, str]]:
    """Every file with what must become of it."""
    folder = tmp_path_factory.mktemp("attacks")
    script = shared_folder() / "attacks/make_attacks.py"
    subprocess.run([sys.executable, str(script), str(folder)], check=True, capture_output=True, timeout=100)
    with (folder / "expected.csv").open(encoding="utf-8") as file:
        return [(folder / row["file"], row["must"]) for row in csv.DictReader(file)]


class Intake:
    """A customer with two billers, who are those of the files."""

    def __init__(self, services: Services) -> None:
        self.services = services
        customer = factories.make_customer(services)
        self.known = self._biller(customer.id, "Stadtwerke Musterstadt GmbH", "DE123456789")
        self.other = self._biller(customer.id, "Wasserwerk Nord GmbH", "DE999999999")

    def _biller(self, customer_id: str, name: str, vat_id: str) -> tuple[ClientIdentity, str]:
        made = factories.make_biller(self.services, name=name)
        with self.services.unit_of_work() as uow:
            uow.session.get_one(Biller, made.id).vat_id = vat_id
            account = uow.session.scalars(select(PayeeAccount).where(PayeeAccount.biller_id == made.id)).one()
            account.iban = IBAN
            uow.commit()
        address = factories.connect(self.services, customer_id=customer_id, biller_id=made.id)
        return ClientIdentity(client_id=made.client_id, biller_id=made.id), address

    def outcome(self, path: Path) -> str:
        """taken, again, held or refused."""
        content = path.read_bytes()
        client, address = self.other if b"DE999999999" in content else self.known
        media_type = MEDIA_TYPES.get(path.suffix) or media_type_of(content) or "application/octet-stream"
        try:
            answer = deliver(self.services, client=client, content=content, media_type=media_type, to=address)
        except (AppError, UnknownFormat):
            return "refused"
        return "held" if answer.held else "taken" if answer.created else "again"

    def forget(self) -> None:
        with self.services.unit_of_work() as uow:
            for table in (DeliveredBill, HeldBill, WorkRow, EventRow):
                uow.session.execute(delete(table))
            uow.commit()


def test_every_file_ends_as_its_list_says(services: Services, attacks: list[tuple[Path, str]]) -> None:
    intake = Intake(services)
    ends: dict[str, dict[str, str]] = {}
    for path, must in attacks:
        if not path.name.startswith(SEQUENCES):
            intake.forget()
        ends.setdefault(must, {})[path.name] = intake.outcome(path)
    assert sum(map(len, ends.values())) == 187
    assert {name: end for name, end in ends["reject"].items() if end != "refused"} == {}
    assert {name for name, end in ends["accept"].items() if end != "taken"} == NOT_PAYABLE
    assert {name for name, end in ends["hold-for-review"].items() if end != "held"} == TURNED_AWAY | CREDITS
    assert {ends["hold-for-review"][name] for name in CREDITS} == {"taken"}
    assert {name for name in TURNED_AWAY if ends["hold-for-review"][name] != "refused"} == set()
    assert {name for name, end in ends["reject-or-warn"].items() if end not in ("refused", "held")} == HARMLESS
    assert {name for name, end in ends["accept-one-of"].items() if end == "taken"} == READ
    assert ends["accept-one-of"]["dup_2_same_bytes.xml"] == "again"
