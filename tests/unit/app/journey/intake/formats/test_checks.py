"""Dates, amounts, currencies, accounts and references, value by value."""

from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.journey.intake.bill import BillRefused
from app.journey.intake.formats import checks
from connectors.money import EXPONENTS, MINOR_MAX, Money

MONEY = st.builds(Money, st.integers(-MINOR_MAX, MINOR_MAX), st.sampled_from(sorted(EXPONENTS)))


def refusal(caught: pytest.ExceptionInfo[BillRefused]) -> tuple[str, str]:
    return caught.value.code, caught.value.element


@pytest.mark.parametrize("written", ["2026-12-01", "2026-12-01Z", "2026-12-01+14:00", "2026-12-01-05:30"])
def test_an_xml_date_loses_its_time_zone(written: str) -> None:
    assert checks.xml_date(written, element="/d") == dt.date(2026, 12, 1)


@pytest.mark.parametrize(
    "written",
    [
        *(
            "2026-02-30",
            "0000-00-00",
            "10000-01-01",
            "2026-12-01T00:00:00",
            "12/01/2026",
            "20261201",
            "2026-W49-2",
        ),
        *("1999-12-31", "2101-01-01", "9999-12-31", "", "2026-12-1", "２０２６-12-01", "2026-12-01+15:00"),
    ],
)
def test_what_is_no_day_of_ours_is_refused(written: str) -> None:
    with pytest.raises(BillRefused) as caught:
        checks.xml_date(written, element="/d")
    assert refusal(caught) == ("date-refused", "/d")


def test_the_first_and_the_last_day_that_we_take() -> None:
    assert checks.date("2000-01-01", element="/d") == dt.date(2000, 1, 1)
    assert checks.date("2100-12-31", element="/d") == dt.date(2100, 12, 31)


def test_a_date_of_our_json_has_no_time_zone() -> None:
    with pytest.raises(BillRefused, match="write YYYY-MM-DD"):
        checks.date("2026-12-01Z", element="/d")


@pytest.mark.parametrize(
    ("written", "currency", "minor"),
    [
        ("119.00", "EUR", 11900),
        ("+119", "EUR", 11900),
        ("119.", "EUR", 11900),
        (".50", "EUR", 50),
        ("-0.00", "EUR", 0),
        ("-10835", "SEK", -1083500),
        ("00084.2000", "EUR", 8420),
        ("289490.0", "JPY", 289490),
        ("1.234", "KWD", 1234),
        ("9" * 13 + ".99", "EUR", MINOR_MAX),
    ],
)
def test_a_legal_decimal_is_read_exactly(written: str, currency: str, minor: int) -> None:
    assert checks.xml_amount(written, currency, element="/a") == Money(minor, currency)


@pytest.mark.parametrize(
    "written",
    [
        *(
            "1.19E2",
            "NaN",
            "Infinity",
            "INF",
            "1_19.00",
            "１１９.００",
            "١١٩.٠٠",
            "119,00",
            "1,119.00",
            "0x77",
        ),
        *(
            "9" * 40 + ".99",
            "9" * 100_000,
            "119.001",
            "",
            ".",
            "+",
            "--1",
            "EUR 119.00",
            "1 19.00",
            "10000000000000.00",
        ),
    ],
)
def test_what_only_looks_like_a_decimal_is_refused(written: str) -> None:
    with pytest.raises(BillRefused) as caught:
        checks.xml_amount(written, "EUR", element="/a")
    assert refusal(caught) == ("amount-refused", "/a")
    assert len(caught.value.detail) < 200


@given(MONEY)
def test_every_amount_survives_both_formats(money: Money) -> None:
    assert checks.xml_amount(str(money), money.currency, element="/a") == money
    assert checks.json_amount(str(money), money.currency, element="/a", signed=True) == money


@pytest.mark.parametrize(
    ("written", "detail"),
    [
        ("84,20", "'84,20' has a comma: write 84.20, with a dot."),
        ("84.2", "'84.2' does not have 2 decimals as EUR does: 84.20."),
        ("84", "'84' does not have 2 decimals as EUR does: 84.20."),
        ("-84.20", "'-84.20' is not an amount: write digits and a dot, like 84.20."),
        ("1,084.20", "'1,084.20' is not an amount: write digits and a dot, like 84.20."),
    ],
)
def test_an_amount_of_our_api_is_refused_with_what_to_write(written: str, detail: str) -> None:
    with pytest.raises(BillRefused) as caught:
        checks.json_amount(written, "EUR", element="/a")
    assert (caught.value.code, caught.value.detail) == ("amount-refused", detail)


@pytest.mark.parametrize("code", ["eur", "XXX", "XTS", "BTC", "EURO", "", "EU", "ЕUR"])
def test_what_is_no_money_is_no_currency(code: str) -> None:
    with pytest.raises(BillRefused) as caught:
        checks.currency(code, element="/c")
    assert refusal(caught) == ("currency-refused", "/c")


@pytest.mark.parametrize(
    ("written", "iban"),
    [
        ("DE75512108001245126199", "DE75512108001245126199"),
        ("de75512108001245126199", "DE75512108001245126199"),
        ("DE75 5121 0800 1245 1261 99", "DE75512108001245126199"),
        ("DE75-5121-0800-1245-1261-99", "DE75512108001245126199"),
        ("DE75.5121.0800.1245.1261.99", "DE75512108001245126199"),
        ("IBAN DE75 5121 0800 1245 1261 99", "DE75512108001245126199"),
        ("Iban:DE75512108001245126199", "DE75512108001245126199"),
        # right by ISO 13616, though stdnum's list of Belgian banks does not have it
        ("BE68 5390 0754 7034", "BE68539007547034"),
    ],
)
def test_a_valid_iban_is_kept_in_electronic_form(written: str, iban: str) -> None:
    assert checks.account(written, element="/i") == checks.Account(iban=iban)


@pytest.mark.parametrize("written", ["1234567", "IBAN32423940", "NLING34434343434", "https://pay.example.test/x"])
def test_an_account_that_is_no_iban_stays_as_written(written: str) -> None:
    assert checks.account(written, element="/i") == checks.Account(other=written)


@pytest.mark.parametrize(
    "written",
    [
        *("DE75512108001245126198", "NL11 BANK 1111111111", "DE7551210800124512619", "DE12 3"),
        *("\u0410T611904300234573201", "\u202eDE75512108001245126199", "DE7551210800\u200b1245126199"),
    ],
)
def test_a_wrong_iban_is_refused(written: str) -> None:
    with pytest.raises(BillRefused) as caught:
        checks.account(written, element="/i")
    assert refusal(caught) == ("account-refused", "/i")


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("DE75-5121-0800-1245-1261-98", "is not a valid IBAN"),
        ("IBAN: DE75512108001245126198", "is not a valid IBAN"),
        ("DE75-5121-0800-1245-1261-9", "is not a valid IBAN"),
        ("DE75_51210800_1245126199 (Spk)", "holds an IBAN and more"),
        ("DE75 5121 0800 1245 1261 99 SPKADEFF", "holds an IBAN and more"),
        ("Konto DE75512108001245126199", "holds an IBAN and more"),
        ("BIC SPK, IBAN DE75-5121-0800-1245-1261-99", "holds an IBAN and more"),
        ("no.DE75512108001245126199.", "holds an IBAN and more"),
        ("\uff24\uff25\uff17\uff15512108001245126199", "holds an IBAN and more"),
        ("DE75 5121 0800 1245 1261 99", "is an IBAN: send it as one"),
    ],
)
def test_an_iban_in_a_text_is_found(written: str, said: str) -> None:
    with pytest.raises(BillRefused, match=said) as caught:
        checks.refuse_iban_in("1234567", written, element="/i")
    assert refusal(caught) == ("account-refused", "/i")


def test_an_iban_that_is_followed_by_more_is_not_called_wrong() -> None:
    with pytest.raises(BillRefused, match="holds an IBAN and more: send the IBAN alone"):
        checks.account("DE75 5121 0800 1245 1261 99 SPKADEFF", element="/i")


@pytest.mark.parametrize(
    "written", ["SE 12345-6", "NO 1234.56.78903", "GB12-34567", "5050-1055", "SC 12-34-56 12345678", "", "GmbH 2026"]
)
def test_a_number_behind_the_letters_of_a_country_is_no_iban(written: str) -> None:
    checks.refuse_iban_in(written, element="/i")
    assert not written or checks.account(written, element="/i") == checks.Account(other=written)


@given(st.integers(0, 21), st.integers(0, 9))
def test_one_mistyped_digit_of_an_iban_never_passes(place: int, digit: int) -> None:
    iban = "DE75512108001245126199"
    mistyped = iban[:place] + str(digit) + iban[place + 1 :]
    assert checks.valid_iban(mistyped) == (iban if mistyped == iban else None)


@pytest.mark.parametrize(
    ("written", "bic"),
    [
        ("QNTOFRP1XXX", "QNTOFRP1XXX"),
        ("cobadeff", "COBADEFF"),
        ("BPAY", None),
        ("083-001", None),
        ("BIC12345", None),
    ],
)
def test_a_branch_is_a_bic_or_none(written: str, bic: str | None) -> None:
    assert checks.bic(written) == bic


@pytest.mark.parametrize("written", ["RF18539007547034", "RF18 5390 0754 7034", "+++090/9337/55493+++", "RE-1", "RF"])
def test_a_reference_stays_as_written(written: str) -> None:
    assert checks.reference(written, element="/r") == written


@pytest.mark.parametrize("written", ["RF19539007547034", "rf19 5390 0754 7034", "RF18539007547034" + "0" * 20])
def test_a_wrong_creditor_reference_is_refused(written: str) -> None:
    with pytest.raises(BillRefused) as caught:
        checks.reference(written, element="/r")
    assert refusal(caught) == ("reference-refused", "/r")
