"""What is printed of names and references that nobody thought of."""

from __future__ import annotations

import datetime as dt

import pypdfium2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.web.customers.receipt_pdf import receipt_pdf
from app.web.customers.receipt_sheet import Amount, Said, Sheet
from tests.support.sheets import text_of
from tests.support.thorough import thorough

AT = dt.datetime(2026, 11, 30, tzinfo=dt.UTC)


def printed(payee: str, reference: str = "RF18 5390") -> tuple[int, str]:
    """How many pages, and their words."""
    sheet = Sheet(
        title="Receipt Q-1",
        number="Receipt Q-1",
        issued="issued 30 Nov 2026",
        heading="Receipt of payment",
        lede=f"€84.20 paid to {payee}.",
        demo=None,
        void=None,
        unverified=None,
        amounts=(Amount(label="Amount of the bill", value="€84.20"),),
        paid=Amount(label="Paid", value="€84.20"),
        payment_heading="The payment",
        payment=(Said(label="Payee", value=payee), Said(label="Reference", value=reference, is_code=True)),
        ground_heading="What this receipt rests on",
        ground="Horizon Bank confirmed it.",
        beside="Times are those of UTC.",
    )
    content = receipt_pdf(
        sheet,
        language="en-GB",
        issued_at=AT,
        proof=b"{}",
        proof_name="p.json",
        check_url="http://localhost/verify/receipts/Q-1/x",
        check_words="Check it.",
    )
    return len(pypdfium2.PdfDocument(content)), text_of(content)


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("Žluťoučký Šéf", "Žluťoučký Šéf"),
        ("Ωmega ﬁn", "?mega fin"),
        ("ｆｕｌｌ", "full"),
        ("日本 SA", "?? SA"),
        ("a\u200db\u2060c", "abc"),
        ("e\u0301t", "ét"),
    ],
)
def test_what_the_fonts_lack_is_written_as_near_as_can_be(name: str, written: str) -> None:
    assert f"paid to {written}." in printed(name)[1]


def test_a_long_reference_takes_more_lines_and_loses_nothing() -> None:
    reference = "".join(f"{n:04d}" for n in range(35))
    pages, said = printed("L" * 70, reference)
    assert pages == 1
    assert reference in said.replace(" ", "")


@settings(max_examples=thorough(5, 500), deadline=None)
@given(st.text(max_size=70), st.text(max_size=140))
def test_there_is_a_file_whatever_a_name_is(name: str, reference: str) -> None:
    assert printed(name, reference)[0] >= 1
