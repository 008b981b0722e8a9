"""Where only the token of a sign-in gives an order and tells of it: whose it is, how long it lives, and what then."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from flask import request
from sqlalchemy import select

from app.journey.payments.rules import SENDS_MOST
from config.settings import Settings
from connectors.sandbox_bank.errors import BerlinGroupError
from connectors.sandbox_bank.nextgen import api, brands, orders
from connectors.sandbox_bank.nextgen import sign_ins as bank_sign_ins
from consent.models import Sealed, SignIn
from tests.functional.nextgen.test_sign_in_first import (
    BANK,
    count,
    decided,
    forget_tokens_at_bank,
    initiations,
    offers_to_sign_in,
    sent,
    signs_in,
)
from tests.support.installation import make_settings
from tests.support.journey import Journey

#: what stands in the bank's file, and what is to stand there
Changes = tuple[tuple[str, str], ...]
BY_ITS_PAGE = (('approach = "decoupled"', 'approach = "redirect"'),)


@pytest.fixture
def in_its_file() -> Changes:
    return ()


@pytest.fixture
def settings(tmp_path: Path, database_url: str, in_its_file: Changes) -> Settings:
    made = make_settings(tmp_path, database_url=database_url)
    banks = Path(shutil.copytree(made.banks, tmp_path / "changed-banks"))
    file = banks / f"{BANK}.toml"
    for old, new in in_its_file:
        assert file.read_text().count(old) == 1
        file.write_text(file.read_text().replace(old, new))
    return dataclasses.replace(made, banks=banks)


def tokens_of_orders(journey: Journey) -> int:
    """In the vault, beside those of the sign-ins."""
    with journey.services.reading() as uow:
        kept = uow.session.scalars(select(Sealed.id).where(Sealed.id.like("%:token"))).all()
    return sum(not name.startswith("sign_in:") for name in kept)


def lives(monkeypatch: pytest.MonkeyPatch, minutes: float) -> None:
    monkeypatch.setattr(bank_sign_ins, "TOKEN_LIFE_S", int(minutes * 60))


# ------------------------------------------------------------------------------------------------ with whose it is sent


def test_an_order_is_sent_again_with_nobody_elses_token(there: Journey) -> None:
    """Between two sendings somebody else signs in there, in another window of the same private space."""
    invoice_id, other = there.bill(number="w6", amount="999.03"), there.bill(number="w7", amount="5.00")
    signs_in(there, invoice_id)
    payment_id = decided(there, invoice_id)  # the answer is lost
    first = {one.headers["Authorization"] for one in sent(there, "/sepa-credit-transfers")}
    signs_in(there, other, customer="jonas")
    for _ in range(6):
        there.wait(60)
    assert initiations(there) > 1
    assert {one.headers["Authorization"] for one in sent(there, "/sepa-credit-transfers")} == first
    assert there.payment(payment_id).state in ("rejected", "awaiting_customer")


@pytest.fixture
def by_its_own_page(monkeypatch: pytest.MonkeyPatch) -> None:
    brand = dataclasses.replace(brands.BRANDS[BANK], approach="redirect", explicit=False)
    monkeypatch.setitem(brands.BRANDS, BANK, brand)


@pytest.fixture
def recognises_orders(monkeypatch: pytest.MonkeyPatch) -> None:
    """The bank answers the same X-Request-ID with the same order, loses the answer to the first, and tells nobody but
    its customer that there is such an order."""
    seen: dict[str, str] = {}
    create, own, play = orders.create, api._own, api._play

    def once(connection: Any, **order: Any) -> str:
        key = request.headers["X-Request-ID"]
        seen[key] = seen[key] if key in seen else create(connection, **order)
        return seen[key]

    def unknown(*asked: Any, **how: Any) -> Any:
        try:
            return own(*asked, **how)
        except BerlinGroupError as error:
            if error.status == 401:
                raise api._unknown() from None
            raise

    answers = iter([api._internal_error()])

    def lose_the_first(*played: Any) -> None:
        lost = next(answers, None)
        if lost is not None:
            raise lost
        play(*played)

    monkeypatch.setattr(orders, "create", once)
    monkeypatch.setattr(api, "_own", unknown)
    monkeypatch.setattr(api, "_play", lose_the_first)


@pytest.mark.parametrize("in_its_file", [BY_ITS_PAGE])
@pytest.mark.usefixtures("by_its_own_page", "recognises_orders")
def test_at_a_bank_that_recognises_an_order_its_customer_is_the_one_who_gave_it(
    there: Journey, monkeypatch: pytest.MonkeyPatch
) -> None:
    lives(monkeypatch, 60)
    invoice_id, other = there.bill(number="w8", amount="10.00"), there.bill(number="w9", amount="5.00")
    signs_in(there, invoice_id)
    payment_id = decided(there, invoice_id)
    signs_in(there, other, customer="jonas")
    there.wait(3)
    assert (there.payment(payment_id).state, initiations(there)) == ("awaiting_customer", 2)
    there.browser.come_back(there.at_bank(there.browser.leave(payment_id)))
    for _ in range(40):
        there.wait(60)
    assert (there.payment(payment_id).state, there.invoice(invoice_id).state) == ("settled", "paid")
    assert len(there.ledger()) == 1


def test_nothing_is_sent_again_once_its_token_is_dead(there: Journey, monkeypatch: pytest.MonkeyPatch) -> None:
    lives(monkeypatch, 1)
    invoice_id, other = there.bill(number="w10", amount="999.03"), there.bill(number="w11", amount="5.00")
    signs_in(there, invoice_id)
    payment_id = decided(there, invoice_id)
    for _ in range(4):
        there.wait(12)
    before = initiations(there)
    assert before > 1
    lives(monkeypatch, 20)
    signs_in(there, other)
    for _ in range(20):
        there.wait(60)
    assert initiations(there) == before
    assert (there.payment(payment_id).state, there.payment(payment_id).reason) == ("rejected", "bank_unreachable")
    assert there.invoice(invoice_id).state == "to_pay"
    assert tokens_of_orders(there) == 0


def test_what_was_sent_does_not_fail_for_want_of_a_sign_in(there: Journey) -> None:
    """Begun at the last moment, and the answers are lost: the token lives, so it is not the sign-in that is over."""
    invoice_id = there.bill(number="w12", amount="999.03")
    signs_in(there, invoice_id)
    there.clock.tick(minutes=9, seconds=50)
    payment_id = decided(there, invoice_id)
    for _ in range(100):
        there.wait(5)
    assert initiations(there) == SENDS_MOST
    assert (there.payment(payment_id).state, there.payment(payment_id).reason) == ("rejected", "bank_unreachable")


def test_a_bank_that_takes_the_token_no_more_may_have_taken_the_order_before(there: Journey) -> None:
    invoice_id = there.bill(number="w13", amount="999.03")
    signs_in(there, invoice_id)
    payment_id = decided(there, invoice_id)
    forget_tokens_at_bank(there)
    there.wait(60)
    assert (there.payment(payment_id).state, there.payment(payment_id).reason) == ("rejected", "bank_unreachable")
    assert offers_to_sign_in(there, invoice_id)  # that token is tried no more


def test_a_process_without_the_key_loses_nobodys_sign_in(there: Journey) -> None:
    """The operator has given the new key of the vault to one process and not yet to another."""
    invoice_id = there.bill(number="w14", amount="10.00")
    signs_in(there, invoice_id)
    vault = there.services.vault
    keys = dict(vault._keys)
    vault._keys = {name: AESGCM(AESGCM.generate_key(256)) for name in keys}
    payment_id = decided(there, invoice_id)
    assert (there.payment(payment_id).state, initiations(there)) == ("rejected", 0)
    assert offers_to_sign_in(there, invoice_id)
    vault._keys = keys
    assert count(there, SignIn) == 1
    assert not offers_to_sign_in(there, invoice_id)
    decided(there, invoice_id)
    assert initiations(there) == 1
