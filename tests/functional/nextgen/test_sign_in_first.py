"""A bank that takes an order only from a customer who has signed in there before (OAuth2 as a pre-step)."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from sqlalchemy import func, select
from werkzeug.test import TestResponse

from app.journey.banks import sign_in
from app.journey.decisions.models import Decision
from app.journey.payments import status
from app.journey.payments.models import BankCall, Payment
from app.schedule import forget_expired_secrets
from app.services import Task
from app.tables import metadata
from app.web.customers import decide
from connectors.berlin_group.connector import BerlinGroupConnector
from connectors.errors import BankSilent, BankUnavailable
from connectors.sandbox_bank.context import EXTENSION
from connectors.sandbox_bank.nextgen import sign_ins as bank_sign_ins
from consent.models import Sealed, SignIn, Trip
from tests.support import nextgen_bank
from tests.support.journey import ORIGIN, Browser, Journey

pytestmark = pytest.mark.long_on_postgres

BANK = "tuulipankki"


def page_of(invoice_id: str) -> str:
    return f"/bills/{invoice_id}/pay?bank={BANK}"


def words(journey: Journey, path: str) -> str:
    return " ".join(journey.browser.page(path).get_text(" ").split())


def leaves(journey: Journey, invoice_id: str) -> str:
    """Where our page sends the browser to sign in."""
    answer = journey.browser.get(f"/bills/{invoice_id}/bank/sign-in?bank={BANK}")
    assert answer.status_code == 303, answer.get_data(as_text=True)
    return answer.headers["Location"]


def at_bank(journey: Journey, url: str, *, customer: str = "camille", decision: str = "sign-in") -> str:
    """Signs in at the bank. Returns where the bank sends the browser."""
    last = journey.person.submit(journey.person.go(url), customer=customer, pin="1234", decision=decision)
    link = last.page.select_one("a#way-back")
    assert link is not None, last.content
    return str(link["href"])


def signs_in(journey: Journey, invoice_id: str, **how: str) -> TestResponse:
    """All the way, and back at the page that is confirmed."""
    answer = journey.browser.come_back(at_bank(journey, leaves(journey, invoice_id), **how))
    assert answer.status_code == 303
    assert answer.headers["Location"] == f"/bills/{invoice_id}/pay?bank={BANK}&back=1"
    return answer


def decided(journey: Journey, invoice_id: str) -> str:
    answer = journey.browser.confirm(invoice_id, bank=BANK)
    assert answer.status_code == 303, answer.get_data(as_text=True)
    return answer.headers["Location"].split("/")[2]


def asked_in_app(journey: Journey) -> list[str]:
    links = journey.person.go(f"{nextgen_bank.BASE_URL}/{BANK}/app").page.select("#waiting a")
    return [nextgen_bank.BASE_URL + str(link["href"]) for link in links]


def approves(journey: Journey, payment_id: str) -> None:
    journey.browser.come_back(journey.browser.leave(payment_id))
    journey.at_bank(asked_in_app(journey)[0])


def offers_to_sign_in(journey: Journey, invoice_id: str) -> bool:
    page = journey.browser.page(page_of(invoice_id))
    offered = page.select_one("a.button[href*='/bank/sign-in']") is not None
    assert offered != (page.select_one("form[data-passkey=pay]") is not None)
    return offered


def sent(journey: Journey, end: str) -> list[Any]:
    return [one for one in journey.bank_wire.sent if urlsplit(str(one.url)).path.endswith(end) and one.method == "POST"]


def initiations(journey: Journey) -> int:
    return len(sent(journey, "/sepa-credit-transfers"))


def count(journey: Journey, table: type[Any]) -> int:
    with journey.services.reading() as uow:
        return uow.session.scalar(select(func.count()).select_from(table)) or 0


def forget_tokens_at_bank(journey: Journey) -> None:
    with journey.bank.extensions[EXTENSION].store.write() as connection:
        connection.execute("UPDATE token SET revoked = 1")


# ----------------------------------------------------------------------------------------------------- the straight way


def test_from_the_sign_in_to_the_books(there: Journey) -> None:
    invoice_id = there.bill(number="s1", amount="84.20")
    said = words(there, page_of(invoice_id))
    assert "First, sign in at Tuulipankki" in said
    assert "Nothing is paid or approved by that." in said
    assert offers_to_sign_in(there, invoice_id)
    url = leaves(there, invoice_id)
    asked = {name: value for name, [value] in parse_qs(urlsplit(url).query).items()}
    assert (asked["scope"], asked["response_type"], asked["code_challenge_method"]) == ("DEDICATED_PIS", "CODE", "S256")
    assert there.browser.come_back(at_bank(there, url)).status_code == 303
    assert (count(there, Payment), count(there, Decision), there.ledger()) == (0, 0, [])  # nothing is paid by it

    assert not offers_to_sign_in(there, invoice_id)
    assert "You are signed in at Tuulipankki. Until 10:10 you can begin payments from it." in words(
        there, page_of(invoice_id)
    )
    payment_id = decided(there, invoice_id)
    assert "Next: the app of Tuulipankki" in words(there, f"/payments/{payment_id}/leave")
    assert asked_in_app(there) == []
    approves(there, payment_id)
    there.wait(60)
    assert there.payment(payment_id).state == "settled"
    assert (len(there.ledger()), initiations(there)) == (1, 1)
    [exchange] = sent(there, "/oauth2/token")
    assert str(exchange.url).endswith("?role=DEDICATED_PIS")
    assert b"grant_type=authorization_code" in exchange.body
    with there.services.reading() as uow:
        for call in uow.session.scalars(select(BankCall)):
            assert "authorization" not in {name.lower() for name in call.headers}


def test_one_sign_in_serves_several_payments(there: Journey) -> None:
    first, second = there.bill(number="s2", amount="10.00"), there.bill(number="s3", amount="20.00")
    signs_in(there, first)
    for invoice_id in (first, second):
        approves(there, decided(there, invoice_id))
        there.wait(60)
    assert len(there.ledger()) == 2
    assert len(sent(there, "/oauth2/token")) == 1


def test_the_language_of_the_pages(there: Journey) -> None:
    there.browser.get("/language/fr?next=/")
    invoice_id = there.bill(number="s4", amount="10.00")
    assert "D’abord, connectez-vous chez Tuulipankki" in words(there, page_of(invoice_id))
    signs_in(there, invoice_id)
    assert "Votre session chez Tuulipankki est ouverte." in words(there, page_of(invoice_id))


# ---------------------------------------------------------------------------------------------------- without a sign-in


def test_nothing_is_decided_without_a_sign_in(there: Journey) -> None:
    invoice_id = there.bill(number="w1", amount="10.00")
    token = there.browser.token("/bills")
    answer = there.browser.post(f"/bills/{invoice_id}/pay/ceremony", token=token, data={"bank": BANK})
    assert (answer.status_code, answer.get_json()["code"]) == (409, "sign-in-first")
    assert "sign in there again" in answer.get_json()["detail"]
    assert (count(there, Decision), there.bank_wire.sent) == (0, [])


def test_a_sign_in_that_ends_before_the_signature_decides_nothing(there: Journey) -> None:
    invoice_id = there.bill(number="w2", amount="10.00")
    signs_in(there, invoice_id)
    there.clock.tick(minutes=9)
    token, started = there.browser.start_paying(invoice_id, bank=BANK)
    there.clock.tick(minutes=2)
    answer = there.browser.decide(invoice_id, token, started.get_json())
    assert answer.status_code == 409
    said = answer.get_data(as_text=True)
    assert "Your sign-in at the bank is over." in said
    assert "Nothing was paid." in said
    assert (count(there, Decision), initiations(there)) == (0, 0)
    assert there.invoice(invoice_id).state == "to_pay"
    assert offers_to_sign_in(there, invoice_id)
    signs_in(there, invoice_id)
    decided(there, invoice_id)


def test_a_token_that_dies_before_the_order_is_sent_sends_nothing(
    there: Journey, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The web server was killed after the decision, and the worker comes late."""
    invoice_id = there.bill(number="w3", amount="10.00")
    signs_in(there, invoice_id)
    with monkeypatch.context() as patched:
        patched.setattr(decide, "run_now", lambda *_, **__: False)
        payment_id = decided(there, invoice_id)
    there.wait(21 * 60)
    there.browser.sign_in()
    payment = there.payment(payment_id)
    assert (payment.state, payment.reason) == ("rejected", "sign_in_over")
    assert (initiations(there), there.invoice(invoice_id).state) == (0, "to_pay")
    said = words(there, f"/payments/{payment_id}")
    assert "Nothing left your account." in said
    assert "Your sign-in at Tuulipankki ended before the bank could ask you for your approval" in said
    assert "Sign in there again" in said
    again = there.browser.page(f"/bills/{invoice_id}/pay")  # the bank used last
    assert again.select_one(f"a[href*='/bank/sign-in?bank={BANK}']") is not None


def test_a_worker_that_comes_a_moment_later_still_sends_it(there: Journey, monkeypatch: pytest.MonkeyPatch) -> None:
    invoice_id = there.bill(number="w4", amount="10.00")
    signs_in(there, invoice_id)
    there.clock.tick(minutes=9, seconds=59)
    with monkeypatch.context() as patched:
        patched.setattr(decide, "run_now", lambda *_, **__: False)
        payment_id = decided(there, invoice_id)
    there.wait(30)
    assert (there.payment(payment_id).state, initiations(there)) == ("awaiting_customer", 1)


def test_a_bank_that_does_not_take_the_token_took_no_order(there: Journey) -> None:
    invoice_id = there.bill(number="w5", amount="10.00")
    signs_in(there, invoice_id)
    forget_tokens_at_bank(there)
    payment_id = decided(there, invoice_id)
    payment = there.payment(payment_id)
    assert (payment.state, payment.reason, there.invoice(invoice_id).state) == ("rejected", "sign_in_over", "to_pay")
    assert offers_to_sign_in(there, invoice_id)  # that token is tried no more
    signs_in(there, invoice_id)
    approves(there, decided(there, invoice_id))
    there.wait(60)
    assert len(there.ledger()) == 1


@pytest.mark.parametrize("amount", ["999.02", "999.03"])
def test_a_lost_answer_is_asked_for_again_with_the_same_token(there: Journey, amount: str) -> None:
    """999.03 is told to nobody, and 999.02 fails each time: nobody has a link, so it comes to nothing."""
    invoice_id = there.bill(number=f"w-{amount}", amount=amount)
    signs_in(there, invoice_id)
    payment_id = decided(there, invoice_id)
    for _ in range(30):
        there.wait(60)
    assert there.payment(payment_id).state in ("rejected", "expired")
    tokens = {one.headers["Authorization"] for one in sent(there, "/sepa-credit-transfers")}
    assert len(tokens) == 1
    assert there.ledger() == []


# ----------------------------------------------------------------------------------------------- the answer of the bank


def test_a_no_at_the_bank_is_said_and_may_be_tried_again(there: Journey) -> None:
    invoice_id = there.bill(number="a1", amount="10.00")
    answer = signs_in(there, invoice_id, decision="refuse")
    said = words(there, answer.headers["Location"])
    assert "You are not signed in at Tuulipankki. Nothing was paid. You can try again." in said
    assert sent(there, "/oauth2/token") == []
    signs_in(there, invoice_id)
    assert not offers_to_sign_in(there, invoice_id)


def test_a_second_return_changes_nothing(there: Journey) -> None:
    invoice_id = there.bill(number="a2", amount="10.00")
    way_back = at_bank(there, leaves(there, invoice_id))
    for _ in range(3):
        assert there.browser.come_back(way_back).status_code == 303
    assert len(sent(there, "/oauth2/token")) == 1
    decided(there, invoice_id)


def test_a_state_that_we_never_gave_and_one_of_another_bank(there: Journey) -> None:
    invoice_id = there.bill(number="a3", amount="10.00")
    way_back = at_bank(there, leaves(there, invoice_id))
    state = urlsplit(way_back).path.rsplit("/", 1)[1]
    for wrong in (
        f"/banks/{BANK}/return/made-up?code=x",
        f"/banks/lakenhal/return/{state}?{urlsplit(way_back).query}",
        f"{urlsplit(way_back).path}?code=x&state=another",
        f"{urlsplit(way_back).path}?code=x&code=y",
    ):
        assert there.browser.get(wrong).status_code == 400
    assert sent(there, "/oauth2/token") == []
    assert there.browser.come_back(way_back).status_code == 303  # the right one is still good
    assert not offers_to_sign_in(there, invoice_id)


def test_the_answer_of_another_browser_signs_nobody_in(there: Journey) -> None:
    """Somebody is sent the link of another one to the bank, or the way back of another one's sign-in."""
    invoice_id = there.bill(number="for-nobody-else-4", amount="10.00")
    way_back = at_bank(there, leaves(there, invoice_id))
    stranger, mallory = Browser.of(there.app), Browser.of(there.app)
    mallory.sign_up(name="Mallory", email="mallory@example.org")
    for browser in (stranger, mallory):
        answer = browser.come_back(way_back)
        assert answer.status_code == 200
        said = answer.get_data(as_text=True)
        assert "a sign-in at a bank counts only in the browser that began it" in said
        assert "for-nobody-else-4" not in said
    assert sent(there, "/oauth2/token") == []
    assert there.browser.come_back(way_back).status_code == 303  # and nothing was used up
    assert not offers_to_sign_in(there, invoice_id)


def test_in_the_same_browser_another_customer_takes_over_nothing(there: Journey) -> None:
    invoice_id = there.bill(number="a5", amount="10.00")
    url = leaves(there, invoice_id)
    there.clock.tick(minutes=25)  # she was away, and is signed out
    way_back = at_bank(there, url)
    there.browser.sign_up(name="Mallory", email="mallory@example.org")
    answer = there.browser.come_back(way_back)
    assert answer.status_code == 200
    assert sent(there, "/oauth2/token") == []
    said = answer.get_data(as_text=True)
    assert "another browser" not in said
    assert "or somebody else is signed in here now" in said
    there.browser.get("/language/fr?next=/")
    said = there.browser.come_back(way_back).get_data(as_text=True)
    assert "ou quelqu’un d’autre y est maintenant connecté" in said


def test_a_sign_in_that_lasts_for_days_says_until_which_day(there: Journey, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bank_sign_ins, "TOKEN_LIFE_S", 90 * 86400)
    invoice_id = there.bill(number="a8", amount="10.00")
    signs_in(there, invoice_id)
    with there.services.reading() as uow:
        until = sign_in.good_until(
            uow,
            there.services.vault,
            customer_id=uow.session.scalars(select(SignIn.customer_id)).one(),
            bank=there.services.banks.profile(BANK),
        )
    assert until is not None
    said = words(there, page_of(invoice_id)).partition("You are signed in at Tuulipankki. Until ")[2]
    is_today = until.date() == there.clock().date()
    assert said.startswith(f"{until:%H:%M}"[:2] if is_today else f"{until.day} ")


def test_what_is_asked_with_a_token_does_not_show_it(
    there: Journey, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    asked: list[object] = []
    real = status._ask

    def ask(task: Task, question: Any) -> Any:
        asked.append(question)
        return real(task, question)

    monkeypatch.setattr(status, "_ask", ask)
    invoice_id = there.bill(number="b1", amount="10.00")
    signs_in(there, invoice_id)
    approves(there, decided(there, invoice_id))
    there.wait(60)
    tokens = {one.headers["Authorization"].partition(" ")[2] for one in sent(there, "/sepa-credit-transfers")}
    assert asked
    for token in tokens:
        assert all(token not in repr(question) for question in asked)
        assert token not in caplog.text


def test_a_return_that_comes_too_late_says_what_to_do(there: Journey) -> None:
    """After half an hour; and of the eleventh sign-in that was begun."""
    invoice_id = there.bill(number="a9", amount="10.00")
    way_back = at_bank(there, leaves(there, invoice_id))
    there.clock.tick(minutes=31)
    with there.services.unit_of_work() as uow:
        forget_expired_secrets(uow)
        uow.commit()
    there.browser.sign_in()
    first = at_bank(there, leaves(there, invoice_id))
    for _ in range(10):
        leaves(there, invoice_id)
    for late in (way_back, first):
        answer = there.browser.come_back(late)
        assert answer.status_code == 400
        said = answer.get_data(as_text=True)
        assert "If you only signed in there: that took too long, or was begun anew since." in said
        assert "Nothing was paid by it" in said
    assert sent(there, "/oauth2/token") == []
    signs_in(there, invoice_id)
    assert not offers_to_sign_in(there, invoice_id)


def test_who_was_signed_out_meanwhile_is_signed_in_there_all_the_same(there: Journey) -> None:
    invoice_id = there.bill(number="a6", amount="10.00")
    url = leaves(there, invoice_id)
    there.clock.tick(minutes=25)
    to = there.browser.come_back(at_bank(there, url)).headers["Location"]
    assert there.browser.get(to).headers["Location"].startswith("/?next=/bills/")
    there.browser.sign_in()
    assert not offers_to_sign_in(there, invoice_id)


@pytest.mark.parametrize("iss", ["", "https://127.0.0.1:8005/lakenhal"])
def test_an_answer_of_another_server_is_not_believed(there: Journey, iss: str) -> None:
    invoice_id = there.bill(number="a7", amount="10.00")
    parts = urlsplit(at_bank(there, leaves(there, invoice_id)))
    [code] = parse_qs(parts.query)["code"]
    answer = there.browser.get(f"{parts.path}?code={code}" + (f"&iss={iss}" if iss else ""))
    assert answer.status_code == 303
    assert sent(there, "/oauth2/token") == []
    assert offers_to_sign_in(there, invoice_id)


def test_the_sign_in_of_another_customer_is_of_no_use(journeys: Callable[[], Journey]) -> None:
    one, other = journeys(), journeys()
    for each in (one, other):
        each.person.base_url = nextgen_bank.BASE_URL
    mine, theirs = one.bill(number="c1", amount="10.00"), other.bill(number="c2", amount="10.00")
    signs_in(one, mine)
    assert offers_to_sign_in(other, theirs)
    token = other.browser.token("/bills")
    refused = other.browser.post(f"/bills/{theirs}/pay/ceremony", token=token, data={"bank": BANK})
    assert refused.status_code == 409
    assert other.browser.get(f"/bills/{mine}/bank/sign-in?bank={BANK}").status_code == 404
    assert initiations(one) == 0


def test_after_a_lost_exchange_one_signs_in_again(there: Journey, monkeypatch: pytest.MonkeyPatch) -> None:
    def lost(*_: object, **__: object) -> None:
        raise BankSilent("no answer")

    invoice_id = there.bill(number="a8", amount="10.00")
    with monkeypatch.context() as patched:
        patched.setattr(BerlinGroupConnector, "signed_in", lost)
        answer = signs_in(there, invoice_id)
    assert "You are not signed in at Tuulipankki." in words(there, answer.headers["Location"])
    signs_in(there, invoice_id)
    assert not offers_to_sign_in(there, invoice_id)


def test_a_bank_that_is_away_is_said_plainly(there: Journey, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*_: object, **__: object) -> None:
        raise BankUnavailable("not there")

    monkeypatch.setattr(BerlinGroupConnector, "sign_in_url", away)
    invoice_id = there.bill(number="a9", amount="10.00")
    answer = there.browser.get(f"/bills/{invoice_id}/bank/sign-in?bank={BANK}")
    assert answer.status_code == 409
    assert "The bank cannot be reached just now." in answer.get_data(as_text=True)


def test_there_is_no_such_way_to_other_banks_nor_for_a_look(there: Journey) -> None:
    invoice_id = there.bill(number="a10", amount="10.00")
    for bank in ("lakenhal", "nowhere"):
        assert there.browser.get(f"/bills/{invoice_id}/bank/sign-in?bank={bank}").status_code == 404
    head = there.browser.client.head(f"/bills/{invoice_id}/bank/sign-in?bank={BANK}", base_url=ORIGIN)
    assert head.status_code == 405
    assert count(there, SignIn) == 0


def test_the_last_sign_in_says_who_it_is(there: Journey) -> None:
    """At the bank it may be somebody else: then the next order is that person's to approve, and nobody else's."""
    invoice_id = there.bill(number="a11", amount="10.00")
    signs_in(there, invoice_id)
    signs_in(there, invoice_id, customer="jonas")
    assert count(there, SignIn) == 1
    payment_id = decided(there, invoice_id)
    there.browser.come_back(there.browser.leave(payment_id))
    [link] = asked_in_app(there)
    page = there.person.sign_in(there.person.go(link), customer="camille")
    assert page.status == 422  # it is not hers
    decision = there.person.sign_in(there.person.go(link), customer="jonas")
    there.person.submit(decision, account="jonas-current", decision="approve")
    there.wait(60)
    assert there.payment(payment_id).state == "settled"


# -------------------------------------------------------------------------------------- the status, and the token's end


def test_a_status_is_asked_with_the_very_token_that_began_the_payment(there: Journey) -> None:
    """A later sign-in may be somebody else's at the bank, who would be told that there is no such payment."""
    first, second = there.bill(number="t1", amount="999.07"), there.bill(number="t2", amount="10.00")
    signs_in(there, first)
    payment_id = decided(there, first)
    approves(there, payment_id)
    signs_in(there, second, customer="jonas")
    there.wait(120)
    assert there.payment(payment_id).state == "settled"


def test_after_the_tokens_death_no_time_is_promised(there: Journey) -> None:
    invoice_id = there.bill(number="t3", amount="10.00")
    signs_in(there, invoice_id)
    payment_id = decided(there, invoice_id)
    approves(there, payment_id)
    forget_tokens_at_bank(there)
    there.wait(90)
    assert (there.payment(payment_id).state, there.payment(payment_id).know_by) == ("unknown", None)
    assert "Tuulipankki can no longer tell us" in words(there, f"/payments/{payment_id}")
    before = len(there.bank_wire.sent)
    for _ in range(5):
        there.wait(3600)
    asked = len(there.bank_wire.sent)
    there.wait(24 * 3600)
    assert len(there.bank_wire.sent) == asked  # nobody is asked without it
    assert asked - before < 40
    there.browser.sign_in()
    assert there.invoice(invoice_id).state == "in_payment"  # nobody says that nothing happened
    said = words(there, f"/payments/{payment_id}")
    assert "Tuulipankki can no longer tell us what became of this payment" in said
    assert "Please do not pay this bill again" in said


def test_nobody_approves_it_and_the_bank_says_so_in_time(there: Journey) -> None:
    """Begun at the last moment, left at the last moment: the token still lives when the bank gives up."""
    invoice_id = there.bill(number="t4", amount="10.00")
    signs_in(there, invoice_id)
    there.clock.tick(minutes=9, seconds=59)
    payment_id = decided(there, invoice_id)
    there.wait(4 * 60)
    there.browser.come_back(there.browser.leave(payment_id))
    for _ in range(6):
        there.wait(60)
    assert there.payment(payment_id).state == "rejected"
    assert there.invoice(invoice_id).state == "to_pay"


def test_a_no_in_the_app(there: Journey) -> None:
    invoice_id = there.bill(number="t5", amount="10.00")
    signs_in(there, invoice_id)
    payment_id = decided(there, invoice_id)
    there.browser.come_back(there.browser.leave(payment_id))
    there.at_bank(asked_in_app(there)[0], decision="refuse")
    there.wait(60)
    assert (there.payment(payment_id).state, there.ledger()) == ("rejected", [])


# --------------------------------------------------------------------------------------------------------- what is kept


@pytest.mark.tampers  # reads every table, and changes none
def test_no_code_and_no_token_stands_in_clear(there: Journey) -> None:
    invoice_id = there.bill(number="k1", amount="10.00")
    way_back = at_bank(there, leaves(there, invoice_id))
    there.browser.come_back(way_back)
    decided(there, invoice_id)
    heard = [json.loads(body) for one, _, _, body in there.bank_wire.heard if "/oauth2/token" in str(one.url)]
    [code] = parse_qs(urlsplit(way_back).query)["code"]
    with there.services.reading() as uow:
        rows = repr([row for table in metadata.tables.values() for row in uow.session.execute(select(table))])
    for secret in (code, heard[0]["access_token"]):
        assert secret not in rows


def test_dead_sign_ins_are_removed_with_their_trips(there: Journey) -> None:
    one, other = there.bill(number="k2", amount="10.00"), there.bill(number="k3", amount="10.00")
    leaves(there, other)  # and never comes back
    signs_in(there, one)
    assert (count(there, SignIn), count(there, Trip)) == (2, 2)
    there.clock.tick(minutes=31)
    with there.services.unit_of_work() as uow:
        forget_expired_secrets(uow)
        uow.commit()
    assert (count(there, SignIn), count(there, Trip)) == (0, 0)
    with there.services.reading() as uow:
        sealed = uow.session.scalars(select(Sealed.id)).all()
    assert [each for each in sealed if not each.endswith(":safe-words")] == []
    there.browser.sign_in()
    assert offers_to_sign_in(there, one)


def test_what_was_begun_again_and_again_does_not_pile_up(there: Journey) -> None:
    invoice_id = there.bill(number="k4", amount="10.00")
    last = [leaves(there, invoice_id) for _ in range(15)][-1]
    assert count(there, SignIn) == 10
    there.browser.come_back(at_bank(there, last))
    assert not offers_to_sign_in(there, invoice_id)
