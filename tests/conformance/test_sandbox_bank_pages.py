"""The pages where a person approves: what they show, and that no second press pays twice."""

from __future__ import annotations

import pytest
from flask import Flask

from connectors.sandbox_bank.texts import TEXTS
from tests.support.sandbox_tpp import (
    BASE_URL,
    REDIRECT_URI,
    Answer,
    Clock,
    InProcess,
    Ledger,
    Person,
    Tpp,
    answer_to_tpp,
    order,
    order_of,
)


def accounts(page: Answer) -> dict[str, bool]:
    """account id → may it be chosen."""
    return {str(i["value"]): not i.has_attr("disabled") for i in page.page.select("input[name=account]")}


def test_one_page_says_all_that_counts(tpp: Tpp, person: Person) -> None:
    page = person.sign_in(person.go(tpp.authorize_url(tpp.initiated(order(debtorAccount=None)))))
    terms = [dt.get_text() for dt in page.page.select("dt")]
    facts = [" ".join(dd.get_text().split()) for dd in page.page.select("dd")]
    assert dict(zip(terms, facts, strict=True)) == {
        "Amount": "€123.50",
        "Payee": "Stadtwerke Musterstadt",
        "Account of the payee": "DE02 1001 0010 9307 1186 03",
        "Reference": "Invoice 2026-1",
        "Asked by": "Quittance quittance",
    }
    assert accounts(page) == {"camille-current": True, "camille-savings": True}
    assert "€4,218.40 available" in page.page.get_text()
    assert "FR7699990000010000042184082" not in page.content.decode()


def test_french(bank: Flask, tpp: Tpp) -> None:
    person = Person(transport=InProcess(bank), base_url=BASE_URL, language="fr")
    page = person.go(tpp.authorize_url(tpp.initiated()))
    assert page.text_of("h1") == "Connectez-vous à votre banque"
    english = person.go(tpp.authorize_url(tpp.initiated(), ui_locales="en-GB fr"))
    assert english.text_of("h1") == "Sign in to your bank"
    assert person.sign_in(english).text_of("h1") == "Approve this payment?"


def test_both_languages_have_the_same_texts() -> None:
    assert TEXTS["en"].keys() == TEXTS["fr"].keys()


def test_pages_bring_no_script_and_a_strict_policy(tpp: Tpp, person: Person) -> None:
    page = person.go(tpp.authorize_url(tpp.initiated()))
    policy = page.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert page.headers["Referrer-Policy"] == "no-referrer"
    assert page.headers["Cache-Control"] == "no-store"
    assert page.page.select("script, style, [style], [onclick]") == []


def test_the_cookie_is_for_this_visit_only(bank: Flask, tpp: Tpp) -> None:
    got = bank.test_client().get(tpp.authorize_url(tpp.initiated()))
    place = got.headers["Location"].split("?")[0]
    cookie = got.headers["Set-Cookie"]
    assert cookie.endswith(f"; HttpOnly; Path={place}; SameSite=Lax")
    assert bank.test_client().get(place).status_code == 403


def test_approving_twice_pays_once_and_leads_back_the_same_way(
    tpp: Tpp, person: Person, ledger: Ledger, clock: Clock
) -> None:
    decision = person.sign_in(person.go(tpp.authorize_url(tpp.initiated())))
    first, second, third = (
        answer_to_tpp(person.submit(decision, account=account, decision=word))
        for account, word in [
            ("camille-current", "approve"),
            ("camille-savings", "approve"),
            ("camille-current", "refuse"),
        ]
    )
    assert first == second == third
    assert tpp.exchange(first["code"]).status == 200
    clock.tick(seconds=5)
    assert [entry["debtorIban"] for entry in ledger()] == ["FR7699990000010000042184082"]


def test_the_way_back_is_a_link_and_an_immediate_refresh(tpp: Tpp, person: Person) -> None:
    decision = person.sign_in(person.go(tpp.authorize_url(tpp.initiated())))
    page = person.submit(decision, account="camille-current", decision="approve")
    link = page.page.select_one("a#way-back")
    refresh = page.page.select_one("meta[http-equiv=refresh]")
    assert link is not None
    assert refresh is not None
    assert refresh["content"] == f"0;url={link['href']}"
    assert str(link["href"]).startswith(f"{REDIRECT_URI}?code=")


def test_refusing(tpp: Tpp, person: Person, ledger: Ledger, clock: Clock) -> None:
    payment_id = tpp.initiated()
    decision = person.sign_in(person.go(tpp.authorize_url(payment_id)))
    back = answer_to_tpp(person.submit(decision, decision="refuse"))
    assert back == {"error": "access_denied", "state": "state-of-the-tpp", "iss": BASE_URL}
    again = answer_to_tpp(person.submit(decision, account="camille-current", decision="approve"))
    assert again == back
    assert tpp.get(f"{payment_id}/status").json == {
        "transactionStatus": "RJCT",
        "psuMessage": "You refused this payment at your bank.",
    }
    clock.tick(seconds=5)
    assert ledger() == []


def test_two_visits_for_one_payment_pay_once(tpp: Tpp, person: Person, ledger: Ledger, clock: Clock) -> None:
    url = tpp.authorize_url(tpp.initiated())
    pages = [person.sign_in(person.go(url)) for _ in range(2)]
    first, second = (
        answer_to_tpp(person.submit(page, account="camille-current", decision="approve")) for page in pages
    )
    assert "code" in first
    assert second["error"] == "invalid_scope"
    clock.tick(seconds=5)
    assert len(ledger()) == 1


def test_five_wrong_pins_reject_the_payment(tpp: Tpp, person: Person) -> None:
    payment_id = tpp.initiated()
    page = person.go(tpp.authorize_url(payment_id))
    for tries_left in (4, 3, 2, 1):
        wrong = person.sign_in(page, pin="0000")
        assert (wrong.status, wrong.text_of("#error")) == (
            422,
            f"That PIN is not right. Tries left: {tries_left}.",
        )
    assert answer_to_tpp(person.sign_in(page, pin="0000"))["error"] == "access_denied"
    assert answer_to_tpp(person.sign_in(page))["error"] == "access_denied"
    assert tpp.status(payment_id) == "RJCT"


def test_an_unknown_customer_costs_no_try(tpp: Tpp, person: Person) -> None:
    page = person.go(tpp.authorize_url(tpp.initiated()))
    for _ in range(6):
        assert person.sign_in(page, customer="nobody").text_of("#error") == "Choose who you are."
    assert person.sign_in(page).text_of("h1") == "Approve this payment?"


@pytest.mark.parametrize("form_token", ["", "x", "é"])
def test_a_form_without_its_token_does_nothing(tpp: Tpp, person: Person, form_token: str) -> None:
    payment_id = tpp.initiated()
    decision = person.sign_in(person.go(tpp.authorize_url(payment_id)))
    got = person.submit(decision, account="camille-current", decision="approve", form_token=form_token)
    assert got.status == 403
    assert tpp.status(payment_id) == "RCVD"


def test_approving_needs_sign_in(tpp: Tpp, person: Person) -> None:
    payment_id = tpp.initiated()
    page = person.go(tpp.authorize_url(payment_id))
    form = page.page.select_one("form")
    assert form is not None
    forged = Answer(
        status=200,
        headers={},
        content=page.content.replace(b"/sign-in?", b"/decision?"),
    )
    got = person.submit(forged, account="camille-current", decision="approve")
    assert got.text_of("h1") == "Sign in to your bank"
    assert tpp.status(payment_id) == "RCVD"


def test_an_account_without_money_cannot_be_chosen(tpp: Tpp, person: Person) -> None:
    payment_id = tpp.initiated(order_of("5000.00", debtorAccount=None))
    page = person.sign_in(person.go(tpp.authorize_url(payment_id)))
    assert accounts(page) == {"camille-current": False, "camille-savings": True}
    assert page.text_of(".why") == "Not enough money on this account."
    for account in ("camille-current", "jonas-current", ""):
        got = person.submit(page, account=account, decision="approve")
        assert (got.status, got.text_of("#error")) == (422, "Choose an account that can pay this.")
    assert tpp.status(payment_id) == "RCVD"


def test_without_money_anywhere_one_can_only_refuse(tpp: Tpp, person: Person) -> None:
    url = tpp.authorize_url(tpp.initiated(order_of("2000.00", debtorAccount=None)))
    page = person.sign_in(person.go(url), customer="jonas")
    assert accounts(page) == {"jonas-current": False}
    assert [str(b["value"]) for b in page.page.select("button[name=decision]")] == ["refuse"]


def test_the_account_that_the_tpp_named_is_the_only_one(tpp: Tpp, person: Person) -> None:
    page = person.sign_in(person.go(tpp.authorize_url(tpp.initiated())))
    assert accounts(page) == {"camille-current": True, "camille-savings": False}
    assert page.text_of(".why") == "Quittance asked for another account."


def test_money_that_is_approved_is_no_longer_there(tpp: Tpp, person: Person, clock: Clock) -> None:
    person.approve(tpp.authorize_url(tpp.initiated(order_of("4000.00"))))
    for _ in range(2):  # before and after it is booked
        page = person.sign_in(person.go(tpp.authorize_url(tpp.initiated(order_of("218.41")))))
        assert accounts(page)["camille-current"] is False
        clock.tick(seconds=2)
    enough = person.sign_in(person.go(tpp.authorize_url(tpp.initiated(order_of("218.40")))))
    assert accounts(enough)["camille-current"] is True


def test_markup_in_names_stays_text(tpp: Tpp, person: Person) -> None:
    body = order(creditorName="<b>Bold</b>", remittanceInformationUnstructured="</dd><script>x</script>")
    page = person.sign_in(person.go(tpp.authorize_url(tpp.initiated(body))))
    assert page.page.select("script, dd b") == []
    assert "<b>Bold</b>" in page.page.get_text()


def test_an_unknown_page(bank: Flask) -> None:
    got = bank.test_client().get("/nowhere")
    assert got.status_code == 404
    assert "There is no such page." in got.text
