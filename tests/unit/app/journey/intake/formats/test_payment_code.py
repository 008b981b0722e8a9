"""The texts of payment codes on paper."""

from __future__ import annotations

import pytest

from app.journey.intake.bill import BillRefused
from app.journey.intake.formats import payment_code
from app.journey.intake.formats.payment_code import PaymentCode
from connectors.money import Money

EPC = ["BCD", "002", "1", "SCT", "", "Régie des Eaux", "DE75512108001245126199", "EUR84.20", "", "RF18539007547034"]
SWISS = [
    *("SPC", "0200", "1", "CH4431999123000889012", "S", "Wasserwerk AG", "", "", "8000", "Zürich", "CH"),
    *[""] * 7,
    *("84.20", "CHF", "S", "Jana Nováková", "", "", "1200", "Genève", "CH"),
    *("QRR", "210000000003139471430009017", "Wasser", "EPD", "//S1/10/X"),
]


def put(lines: list[str], number: int, value: str) -> bytes:
    changed = [*lines, *[""] * (number - len(lines))]
    changed[number - 1] = value
    return "\n".join(changed).encode()


def test_an_epc_code() -> None:
    for line_end in ("\n", "\r\n"):
        assert payment_code.read(line_end.join(EPC).encode()) == PaymentCode(
            creditor="Régie des Eaux",
            iban="DE75512108001245126199",
            amount=Money(8420, "EUR"),
            reference="RF18539007547034",
        )


def test_a_code_without_an_amount_leaves_it_to_the_payer() -> None:
    assert payment_code.read(put(EPC, 8, "")).amount is None


def test_a_code_may_be_in_another_character_set() -> None:
    content = "\n".join([*EPC[:2], "2", *EPC[3:]]).encode("latin-1")
    assert payment_code.read(content).creditor == "Régie des Eaux"


def test_a_swiss_code() -> None:
    assert payment_code.read("\n".join(SWISS).encode()) == PaymentCode(
        creditor="Wasserwerk AG",
        iban="CH4431999123000889012",
        amount=Money(8420, "CHF"),
        reference="210000000003139471430009017",
        reference_type="QRR",
        unstructured="Wasser",
        debtor="Jana Nováková",
        bill_information="//S1/10/X",
        address_type="S",
    )


@pytest.mark.parametrize(
    ("content", "code", "element"),
    [
        (put(EPC, 2, "003"), "not-a-bill", "line 4"),
        (put(EPC, 3, "9"), "encoding-refused", "line 3"),
        (put(EPC, 2, "001"), "account-refused", "line 5"),  # version 1 wants a BIC
        (put(EPC, 6, ""), "element-missing", "line 6"),
        (put(EPC, 7, "DE75512108001245126198"), "account-refused", "line 7"),
        (put(EPC, 8, "84.20"), "amount-refused", "line 8"),
        (put(EPC, 8, "EUR84,20"), "amount-refused", "line 8"),
        (put(EPC, 8, "EUR0.00"), "amount-refused", "line 8"),
        (put(EPC, 6, "Régie\u202e des Eaux"), "text-refused", "line 6"),
        (put(EPC, 7, "DE7551\u200b2108001245126199"), "text-refused", "line 7"),
        (put(EPC, 10, "RF18\u200b539007547034"), "text-refused", "line 10"),
        (put(SWISS, 19, "-84.20"), "amount-refused", "line 19"),
        (put(SWISS, 30, "Kd 12\u202e34"), "text-refused", "line 30"),
        (put(EPC, 10, "RF19539007547034"), "reference-refused", "line 10"),
        (put(EPC, 11, "and a text"), "reference-refused", "line 11"),
        (put(SWISS, 2, "0100"), "not-a-bill", "line 2"),
        (put(SWISS, 20, "USD"), "currency-refused", "line 20"),
        (put(SWISS, 19, "84.201"), "amount-refused", "line 19"),
        (put(SWISS, 28, "NON"), "reference-refused", "line 28"),
        (put(SWISS, 28, "SCOR"), "reference-refused", "line 28"),  # a QR-IBAN has QRR
        (put(SWISS, 29, "210000000003139471430009018"), "reference-refused", "line 29"),
        (put(SWISS, 4, "CH9300762011623852957"), "reference-refused", "line 28"),  # QRR has a QR-IBAN
        (b"https://pay.example", "not-a-bill", ""),
        (b"BCD" + b"\n" * 3000, "too-large", ""),
        (b"BCD\n002\n1\nSCT\n\n\xff", "encoding-refused", ""),
    ],
)
def test_a_code_that_is_wrong_is_refused_by_its_line(content: bytes, code: str, element: str) -> None:
    with pytest.raises(BillRefused) as caught:
        payment_code.read(content)
    assert (caught.value.code, caught.value.element) == (code, element)
