"""Choosing the bank, through the customers' door: what is found, what is kept, what is said of a bank that is away."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
from bs4 import BeautifulSoup
from sqlalchemy import select
from werkzeug.test import TestResponse

from app.tables import metadata
from app.web.customers.filters import iban
from config.settings import ROOT, Settings
from tests.support.installation import make_settings
from tests.support.journey import Journey

#: an account at the sandbox bank, whose code the file names; and the same at a bank that is not here
ACCOUNT, STRANGE = "FR76 9999 0000 0187 6543 2101 234", "DE12 4444 0000 1876 5432 10"


@pytest.fixture
def settings(tmp_path: Path, database_url: str) -> Settings:
    """Three banks: two at the same sandbox bank, and one that we have no keys for."""
    folder = tmp_path / "banks"
    folder.mkdir()
    horizon = (ROOT / "config" / "banks" / "horizon.toml").read_text("utf-8")
    (folder / "horizon.toml").write_text(horizon, "utf-8")
    meridian = horizon.replace("Horizon Bank", "Meridian Bank").replace("HORZ", "MERI").replace("99990", "77770")
    (folder / "meridian.toml").write_text(meridian, "utf-8")
    lost = {"name": "Lost Bank", "country": "FR", "standard": "berlin_group", "keys": "lost", "client_id": "us"}
    lost |= {"base_url": "https://lost.example/api", "issuer": "https://lost.example"}
    (folder / "lost.toml").write_text("".join(f'{key} = "{value}"\n' for key, value in lost.items()), "utf-8")
    return make_settings(tmp_path, database_url=database_url, banks=folder)


def choose(invoice_id: str) -> str:
    return f"/bills/{invoice_id}/bank"


def typed(journey: Journey, invoice_id: str, what: str) -> TestResponse:
    path = choose(invoice_id)
    return journey.browser.post(path, token=journey.browser.token(path), form={"find": what})


def words(answer: TestResponse) -> str:
    return " ".join(BeautifulSoup(answer.data, "html.parser").get_text(" ").split())


def at_the_end_of(journey: Journey, path: str) -> str:
    return " ".join(journey.browser.page(path).get_text(" ").split())


def test_who_has_paid_from_no_bank_chooses_one_first(journey: Journey) -> None:
    invoice_id = journey.bill(number="c1")
    answer = journey.browser.get(f"/bills/{invoice_id}/pay")
    assert (answer.status_code, answer.headers["Location"]) == (303, choose(invoice_id))
    links = [link["href"] for link in journey.browser.page(choose(invoice_id)).select("#banks a")]
    assert links == [f"/bills/{invoice_id}/pay?bank={bank}" for bank in ("horizon", "meridian")]


def test_the_bank_used_last_stands_first(journey: Journey) -> None:
    browser = journey.browser
    browser.confirm(journey.bill(number="c2"), bank="meridian")
    second = journey.bill(number="c3")
    first = browser.page(choose(second)).select("#banks li")[0]
    assert "Meridian" in first.get_text()
    assert "you used it last" in first.get_text()
    assert "Meridian" in at_the_end_of(journey, f"/bills/{second}/pay")


def test_words_go_on_into_the_address(journey: Journey) -> None:
    invoice_id = journey.bill(number="c4")
    answer = typed(journey, invoice_id, " hor ")
    assert answer.status_code == 303
    assert answer.headers["Location"] == f"{choose(invoice_id)}?find=hor#banks-title"
    page = journey.browser.page(f"{choose(invoice_id)}?find=hor")
    assert [name.get_text() for name in page.select("#banks strong")] == ["Horizon Bank"]
    field = page.select_one("#find")
    assert field is not None
    assert field["value"] == "hor"


def test_what_was_typed_is_shown_as_text(journey: Journey) -> None:
    answer = journey.browser.get(f"{choose(journey.bill(number='c5'))}?find=%22%3E%3Cscript%3Ex")
    assert "<script>x" not in answer.get_data(as_text=True)


@pytest.mark.tampers  # reads every table, and changes none
def test_an_account_number_stands_in_no_address_no_answer_no_log_and_no_row(
    journey: Journey, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    invoice_id = journey.bill(number="c6")
    chosen = typed(journey, invoice_id, ACCOUNT)
    assert (chosen.status_code, chosen.headers["Location"]) == (303, f"/bills/{invoice_id}/pay?bank=horizon")

    unknown = typed(journey, invoice_id, STRANGE)
    assert unknown.status_code == 200
    assert "has accounts that begin so" in words(unknown)
    in_an_address = journey.browser.get(f"{choose(invoice_id)}?find={STRANGE}")  # no form of ours sends it so
    assert (in_an_address.status_code, in_an_address.headers["Location"]) == (303, choose(invoice_id))

    with journey.services.reading() as uow:
        rows = [repr(row) for table in metadata.tables.values() for row in uow.session.execute(select(table))]
    said = [str(answer.headers) + answer.get_data(as_text=True) for answer in (chosen, unknown, in_an_address)]
    for account in (ACCOUNT, STRANGE):
        for part in (account, account.replace(" ", ""), account[-8:], account[5:14]):
            assert part not in "".join([*rows, *said, caplog.text])


def test_there_is_no_such_page_for_a_bill_of_somebody_else(journey: Journey) -> None:
    invoice_id = journey.bill(number="c8")
    stranger = journey.browser.of(journey.app)
    stranger.sign_up(name="Nele Neumann", email="nele@example.org")
    token = stranger.token("/bills")
    assert stranger.get(choose(invoice_id)).status_code == 404
    assert stranger.post(choose(invoice_id), token=token, form={"find": STRANGE}).status_code == 404
    one_of_ours = stranger.post(choose(invoice_id), token=token, form={"find": ACCOUNT})
    assert one_of_ours.status_code == 404


def test_a_bank_that_we_have_no_keys_for_is_found_and_cannot_be_chosen(journey: Journey) -> None:
    page = journey.browser.page(f"{choose(journey.bill(number='c9'))}?find=lost")
    assert page.select("#banks a") == []
    assert "Out of order at Quittance" in page.select(".banks-not")[0].get_text()


def test_a_bill_that_is_paid_needs_no_bank(journey: Journey) -> None:
    invoice_id = journey.bill(number="c7")
    journey.pay(invoice_id)
    journey.wait(130)
    answer = journey.browser.get(choose(invoice_id))
    assert (answer.status_code, answer.headers["Location"]) == (303, f"/bills/{invoice_id}")


# ------------------------------------------------------------------------------------------------ a bank that is away


def test_a_bank_that_does_not_answer_is_said_plainly_with_other_ways(journey: Journey) -> None:
    journey.confirm(journey.bill(number="d1", amount="999.03"))  # the bank hangs
    second = journey.bill(number="d2")
    page = f"/bills/{second}/pay?bank=horizon"
    assert "may be out of reach" not in at_the_end_of(journey, page)  # once may be an accident
    journey.wait(130)
    said = at_the_end_of(journey, page)
    for words_said in (
        "Horizon Bank may be out of reach just now",
        "It has not answered us since",
        "nothing is paid until you approve it there",
        "Pay from another bank",
        "Pay later",
        "Pay by hand",
    ):
        assert words_said in said
    banks = journey.browser.page(choose(second)).select("#banks li")
    assert ["It has not answered us since" in bank.get_text() for bank in banks] == [True, False]
    # an account number does not lead past that
    assert typed(journey, second, ACCOUNT).status_code == 200


def test_it_is_said_no_more_once_the_bank_answers_or_after_a_while(journey: Journey) -> None:
    journey.confirm(journey.bill(number="d3", amount="999.03"))
    journey.wait(130)
    second = journey.bill(number="d4")
    page = f"/bills/{second}/pay?bank=horizon"
    assert "may be out of reach" in at_the_end_of(journey, page)
    journey.confirm(second)  # nothing forbids it, and the bank is back
    third = journey.bill(number="d5")
    assert "may be out of reach" not in at_the_end_of(journey, f"/bills/{third}/pay?bank=horizon")


def test_a_refusal_is_an_answer(journey: Journey) -> None:
    for number in ("d6", "d7"):
        journey.confirm(journey.bill(number=number, amount="999.01"))
    page = f"/bills/{journey.bill(number='d8')}/pay?bank=horizon"
    assert "may be out of reach" not in at_the_end_of(journey, page)


def test_by_hand_says_all_that_a_transfer_needs(journey: Journey) -> None:
    invoice_id = journey.bill(number="d9", amount="84.20", reference="RF-D9")
    said = at_the_end_of(journey, choose(invoice_id))
    for part in (journey.biller.name, iban(journey.biller.iban), "€84.20", "RF-D9", "do not pay it here as well"):
        assert part in said
