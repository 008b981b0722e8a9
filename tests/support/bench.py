"""A connector in front of the sandbox bank, in one process: what the tests of every standard stand on."""

from __future__ import annotations

import contextlib
import re
import secrets
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import parse_qsl, urlsplit

from flask import Flask

from connectors.capabilities import SignsIn
from connectors.contract import (
    BankRequest,
    BankStatus,
    Cancels,
    Connector,
    Fact,
    PaymentOrder,
    PsuContext,
    ScaOAuth,
    Staged,
)
from connectors.errors import BankRefused, BankSilent
from connectors.http import BankSession
from connectors.money import Money
from connectors.registry import Registry
from connectors.sandbox_bank.app import create_bank
from connectors.sandbox_bank.context import EXTENSION as BANK
from connectors.sandbox_bank.nextgen.brands import BRANDS as NEXTGEN_BRANDS
from connectors.sandbox_bank.settings import BankSettings
from connectors.sandbox_bank.stet.brands import BRANDS
from connectors.security import pkce
from tests.support import nextgen_bank, sandbox_tpp, stet_bank
from tests.support.sandbox_tpp import Answer, Clock, InProcess, Person
from tests.support.wsgi_adapter import WSGIAdapter

BANKS = Path(__file__).resolve().parents[2] / "config" / "banks"
BANK_URL = "http://127.0.0.1:8001"
RETURN = "http://localhost:8000/banks/sandbox/return/one"
PSU = PsuContext(ip_address="192.0.2.7", user_agent="Firefox/140")


def _served_at(placeholder: str) -> list[str]:
    return [path.stem for path in sorted(BANKS.glob("*.toml")) if placeholder in path.read_text("utf-8")]


STET, NEXTGEN = _served_at("{sandbox_bank_stet_url}"), _served_at("{sandbox_bank_nextgen_url}")
#: whose approval ends in a code for the customer's token
OAUTH = [
    *_served_at("{sandbox_bank_url}"),
    *[id_ for id_ in NEXTGEN if id_ in NEXTGEN_BRANDS and NEXTGEN_BRANDS[id_].approach == "oauth"],
]
SANDBOXES = [*_served_at("{sandbox_bank_url}"), *STET, *NEXTGEN]


T = TypeVar("T")


class NoSuchBrandError(LookupError):
    """A bank's file has no bank behind it."""

    def __init__(self, bank_id: str, *, standard: str) -> None:
        super().__init__(
            f"{bank_id}.toml speaks to a sandbox bank that is not there: say what {bank_id} does in"
            f" connectors/sandbox_bank/{standard}/brands.py, and put {bank_id} into the addresses of its file"
            " (connectors/README.md, Try it without the bank)"
        )


def _brand(brands: Mapping[str, T], bank_id: str, *, standard: str, banks: Path = BANKS) -> T:
    """What the bank of this file does. The addresses of a copied file may still be those of another brand."""
    text = (banks / f"{bank_id}.toml").read_text("utf-8")
    led_to = set(re.findall(r"\{sandbox_bank_\w+_url\}/([\w-]+)", text))
    if bank_id not in brands or led_to != {bank_id}:
        raise NoSuchBrandError(bank_id, standard=standard)
    return brands[bank_id]


def cancels(connector: Connector) -> Cancels:
    """The same, of a standard that takes orders back."""
    assert isinstance(connector, Cancels)
    return connector


def sca_of(staged: Staged) -> ScaOAuth:
    """Where to approve it, of a bank that says so."""
    assert staged.sca is not None
    return staged.sca


def signed_in(connector: Connector, person: Person, customer: str = "camille") -> Connector:
    """The same, with the token of who signs in at the bank before there is any order."""
    assert isinstance(connector, SignsIn)
    verifier = pkce.new_verifier()
    url = connector.sign_in_url(
        redirect_uri=RETURN, state="our-state", code_challenge=pkce.challenge(verifier), timeout_s=10
    )
    last = person.submit(person.go(url), customer=customer, pin="1234", decision="sign-in")
    answer = sandbox_tpp.answer_to_tpp(last)
    authorised = connector.signed_in(answer=answer, code_verifier=verifier, redirect_uri=RETURN, timeout_s=10)
    assert authorised.access_token is not None
    return connector.as_customer(authorised.access_token)


def hang(_: float) -> None:
    raise TimeoutError


def order(amount: str = "84.20") -> PaymentOrder:
    """For at once, like no other."""
    return PaymentOrder(
        amount=Money.parse(amount, "EUR"),
        creditor_name="Régie des Eaux",
        creditor_iban="DE02100100109307118603",
        end_to_end_id=f"QUI-{secrets.token_hex(12)}",
        remittance_unstructured="Facture 2026-118",
    )


@dataclass(frozen=True, kw_only=True)
class Words:
    """What a standard calls what all of them have."""

    refused: str  #: the code of an initiation that the bank does not take
    cancelled: str  #: the status of an order that was taken back
    unknown: str  #: the status of an order that the bank does not know
    said_no: str  #: the error with which a customer who refused comes back
    settled: tuple[Fact, str]  #: how a payment ends, and the bank's word for it
    credited: Fact  #: how a payment ends that has arrived, where there is a word for it


BERLIN_GROUP = Words(
    refused="PAYMENT_FAILED",
    cancelled="CANC",
    unknown="RESOURCE_UNKNOWN",
    said_no="access_denied",
    settled=(Fact.DEBITED, "ACSC"),
    credited=Fact.CREDITED,
)
STET_WORDS = Words(
    refused="Bad Request",
    cancelled="RJCT",
    unknown="NOT_FOUND",
    said_no="not_approved",
    settled=(Fact.DEBITED, "ACSC"),
    credited=Fact.DEBITED,
)


@dataclass(kw_only=True)
class Bench:
    """A connector, the bank that it speaks to, and a customer of that bank."""

    connector: Connector
    bank: Flask
    adapter: WSGIAdapter
    clock: Clock
    new_bank: Callable[[], Flask]
    words: Words
    url_of_bank: str  #: of its pages
    api: str  #: where the connector's paths begin
    answer: dict[str, str]  #: what comes back with an approval besides its code
    awaits: bool = False  #: an approval moves nothing before it is completed
    confirms: bool = True  #: to complete an approval is a call that may be lost
    code: str = "code"  #: the parameter in which what counts comes back
    app: str | None = None  #: where the bank's app is, which asks the customer once the approval is completed
    early: bool = False  #: it does not know at first what it has just taken
    approval_minutes: int = 15  #: how long its customer may take
    sign_in_first: bool = False  #: all is asked with the token of a customer who has signed in there before

    def order(self, amount: str = "84.20") -> PaymentOrder:
        return order(amount)

    def order_with(self, **changes: Any) -> PaymentOrder:
        return replace(self.order(), **changes)

    def draft(self, amount: str = "84.20") -> BankRequest:
        return self.connector.draft(self.order(amount), request_id=str(uuid.uuid4()), redirect_uri=RETURN)

    def staged(self, amount: str = "84.20") -> Staged:
        return self.connector.initiate(self.draft(amount), psu=PSU, timeout_s=5)

    def url(self, staged: Staged, *, verifier: str) -> str:
        return self.connector.authorise_url(
            sca_of(staged),
            redirect_uri=RETURN,
            state="our-state",
            nonce="our-nonce",
            code_challenge=pkce.challenge(verifier),
            timeout_s=5,
        )

    def approved(self, amount: str = "84.20") -> tuple[Staged, str, str]:
        """(staged, code, verifier) after the customer said yes at the bank."""
        staged, verifier = self.staged(amount), pkce.new_verifier()
        if self.app is not None:
            with contextlib.suppress(BankSilent):  # what was lost is the answer
                self._complete(staged, {"code": "decoupled"}, verifier)
            self.person().approve(self._asked_in_app(staged))
            return staged, "decoupled", verifier
        answer = self.person().approve(self.url(staged, verifier=verifier))
        assert {name: text for name, text in answer.items() if name != self.code} == self.answer
        return staged, answer[self.code], verifier

    def _asked_in_app(self, staged: Staged) -> str:
        """Where the bank's app asks about this payment: the newest that waits."""
        links = self.person().go(str(self.app)).page.select("#waiting a")
        assert links, f"the app does not ask about {staged.consent_id}"
        return self.url_of_bank + str(links[0]["href"])

    def visit(self, staged: Staged) -> tuple[Person, Answer]:
        """A customer, and the first page of the bank's that asks about it."""
        person = self.person()
        if self.app is None:
            return person, person.go(self.url(staged, verifier=pkce.new_verifier()))
        self._complete(staged, {"code": "decoupled"}, "v")
        return person, person.go(self._asked_in_app(staged))

    def executed(self, amount: str = "84.20") -> Staged:
        """What the bank does not wait for us to execute: approved, and completed only where it does wait."""
        staged, code, verifier = self.approved(amount)
        if self.awaits:
            self.complete(staged, code, verifier)
        return staged

    def sign_in(self, customer: str = "camille") -> Connector:
        """The connector with the token of who signs in at the bank now."""
        return signed_in(self.connector, self.person(), customer)

    def person(self) -> Person:
        return Person(transport=InProcess(self.bank), base_url=self.url_of_bank)

    def refused_at_once(self, staged: Staged) -> str:
        """The error of a link that leads nowhere any more; or of asking for an approval of it."""
        if self.app is not None:
            try:
                self._complete(staged, {"code": "decoupled"}, "v")
            except BankRefused as error:
                return error.code
            raise AssertionError("the bank asks its customer all the same")
        page = self.person().go(self.url(staged, verifier=pkce.new_verifier()))
        place = page.headers.get("Location")
        return dict(parse_qsl(urlsplit(place).query))["error"] if place else sandbox_tpp.answer_to_tpp(page)["error"]

    def complete(self, staged: Staged, code: str, verifier: str) -> str | None:
        """What is left to do with an approval; nothing where the bank's app was asked to have it."""
        if self.app is not None:
            return None
        return self._complete(staged, {"code": "approved", **self.answer, self.code: code}, verifier)

    def _complete(self, staged: Staged, answer: dict[str, str], verifier: str) -> str | None:
        authorised = self.connector.complete(
            sca_of(staged),
            answer=answer,
            code_verifier=verifier,
            redirect_uri=RETURN,
            state="our-state",
            nonce="our-nonce",
            timeout_s=5,
        )
        return authorised.access_token

    def status(self, staged: Staged, access_token: str | None = None) -> BankStatus:
        return self.connector.status(staged.consent_id, access_token=access_token, timeout_s=5)

    def waiting(self, staged: Staged) -> Fact:
        """The fact while nobody has approved it: told after a while by a bank that is early with a no."""
        for _ in range(3 if self.early else 0):
            with contextlib.suppress(BankSilent):
                return self.fact(staged)
        return self.fact(staged)

    def fact(self, staged: Staged) -> Fact:
        return self.status(staged).fact


@contextlib.contextmanager
def open_bench(bank_id: str, folder: Path) -> Iterator[Bench]:
    """``bank_id``: a sandbox bank of config/banks. ``folder``: for the bank's files."""
    made = _stet_bench if bank_id in STET else open_nextgen_bench if bank_id in NEXTGEN else _oauth_bench
    with made(bank_id, folder) as opened:
        yield opened


@contextlib.contextmanager
def open_nextgen_bench(bank_id: str, folder: Path, *, banks: Path = BANKS) -> Iterator[Bench]:
    """``banks``: where its file is."""
    brand = _brand(NEXTGEN_BRANDS, bank_id, standard="nextgen", banks=banks)
    clock, keys = Clock(), nextgen_bank.make_folder(folder / "bank-keys" / "sandbox-bank-nextgen")
    opened: list[Flask] = []

    def new_bank() -> Flask:
        database = folder / f"{secrets.token_hex(4)}.sqlite3"
        opened.append(nextgen_bank.make_nextgen_bank(keys, database=database, clock=clock, sleep=hang))
        return opened[-1]

    adapter = WSGIAdapter(new_bank(), environ=nextgen_bank.with_certificate(keys / "client.pem"))

    def session(_: object) -> BankSession:
        made = BankSession()
        made.mount(nextgen_bank.BASE_URL, adapter)
        return made

    registry = Registry.from_folder(
        banks,
        sandbox_bank_url=None,
        sandbox_bank_nextgen_url=nextgen_bank.BASE_URL,
        client_key=sandbox_tpp.new_key().as_dict(private=True),
        allow_http=False,
        session_factory=session,
        clock=clock,
        bank_keys=folder / "bank-keys",
    )
    profile = registry.profile(bank_id)
    answers = {
        "oauth": {"state": "our-state", "iss": profile.issuer},
        "redirect": {"code": "approved"} if brand.confirms else {},
        "decoupled": {},
    }
    bench = Bench(
        connector=registry.connector(bank_id),
        bank=opened[0],
        adapter=adapter,
        clock=clock,
        new_bank=new_bank,
        words=replace(
            BERLIN_GROUP,
            said_no="access_denied" if brand.approach == "oauth" else "not_approved",
            settled=(Fact.CREDITED, "ACCC") if brand.settles_with_accc else (Fact.DEBITED, "ACSC"),
        ),
        url_of_bank=nextgen_bank.BASE_URL,
        api=profile.base_url,
        answer=answers[brand.approach],
        awaits=brand.confirms,
        confirms=brand.confirms or brand.approach == "oauth",
        code=brand.confirmation_code_name if brand.confirms else "code",
        app=f"{profile.issuer}/app" if brand.approach == "decoupled" else None,
        early=brand.early_failures,
        approval_minutes=brand.approval_minutes or 15,
        sign_in_first=brand.sign_in_first,
    )
    if brand.sign_in_first:
        bench.connector = bench.sign_in()
        adapter.sent.clear()
    yield bench
    for app in opened:
        app.extensions[BANK].store.close()


@contextlib.contextmanager
def _stet_bench(bank_id: str, folder: Path) -> Iterator[Bench]:
    brand = _brand(BRANDS, bank_id, standard="stet")
    clock, keys = Clock(), stet_bank.make_folder(folder / "bank-keys" / "sandbox-bank-stet")
    opened: list[Flask] = []

    def new_bank() -> Flask:
        database = folder / f"{secrets.token_hex(4)}.sqlite3"
        opened.append(stet_bank.make_stet_bank(keys, database=database, clock=clock, sleep=hang))
        return opened[-1]

    adapter = WSGIAdapter(new_bank(), environ=stet_bank.with_certificate(keys / "client.pem"))

    def session(_: object) -> BankSession:
        made = BankSession()
        made.mount(stet_bank.BASE_URL, adapter)
        return made

    registry = Registry.from_folder(
        BANKS,
        sandbox_bank_url=None,
        sandbox_bank_stet_url=stet_bank.BASE_URL,
        client_key=sandbox_tpp.new_key().as_dict(private=True),
        allow_http=False,
        session_factory=session,
        clock=clock,
        bank_keys=folder / "bank-keys",
    )
    yield Bench(
        connector=registry.connector(bank_id),
        bank=opened[0],
        adapter=adapter,
        clock=clock,
        new_bank=new_bank,
        words=STET_WORDS,
        url_of_bank=stet_bank.BASE_URL,
        api=registry.profile(bank_id).base_url,
        answer={},
        awaits=brand.confirmation == "awaited",
        confirms=brand.confirmation != "none",
    )
    for app in opened:
        app.extensions[BANK].store.close()


@contextlib.contextmanager
def _oauth_bench(bank_id: str, folder: Path) -> Iterator[Bench]:
    key, clock = sandbox_tpp.new_key(), Clock()
    opened: list[Flask] = []

    def new_bank() -> Flask:
        app = create_bank(
            BankSettings(
                base_url=BANK_URL,
                database=folder / f"{secrets.token_hex(4)}.sqlite3",
                ledger_token="ledger",
                tpps={"quittance": sandbox_tpp.jwks_of(key)},
                clock=clock,
                sleep=hang,
            )
        )
        app.testing = True
        opened.append(app)
        return app

    bank = new_bank()
    adapter = WSGIAdapter(bank)

    def session(_: object) -> BankSession:
        made = BankSession(allow_http=True)
        made.mount(BANK_URL, adapter)
        return made

    registry = Registry.from_folder(
        BANKS,
        sandbox_bank_url=BANK_URL,
        client_key=key.as_dict(private=True),
        allow_http=True,
        session_factory=session,
        clock=clock,
    )
    yield Bench(
        connector=registry.connector(bank_id),
        bank=bank,
        adapter=adapter,
        clock=clock,
        new_bank=new_bank,
        words=BERLIN_GROUP,
        url_of_bank=BANK_URL,
        api=registry.profile(bank_id).base_url,
        answer={"state": "our-state", "iss": registry.profile(bank_id).issuer},
    )
    for app in opened:
        app.extensions[BANK].store.close()
