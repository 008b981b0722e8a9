"""The UK sandbox banks in this process, for tests: with an authority of their own and a clock that stands still."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from flask import Flask

from connectors.sandbox_bank import authority
from connectors.sandbox_bank.authority import Tpp
from connectors.sandbox_bank.openbanking_uk.app import create_uk_bank
from connectors.sandbox_bank.openbanking_uk.context import EXTENSION, UkBank
from connectors.sandbox_bank.openbanking_uk.settings import UkBankSettings
from tests.support.sandbox_tpp import Answer, Clock
from tests.support.uk_tpp import BASE_URL, BRANDS, REDIRECT_URI, UkTpp
from tests.support.uk_wire import InProcess, UkPerson

OTHER = Tpp(client_id="other", organisation="PSDGB-FCA-111111", software="other")
#: builds a TPP at a brand; changes go to UkTpp
AtBrand = Callable[..., UkTpp]


def make_folder(folder: Path) -> Path:
    """The authority's files, with a second TPP in the folder ``other``. RSA keys take a while: once a session."""
    authority.make(folder)
    authority.add_tpp(folder, OTHER, files=folder / "other")
    return folder


def make_bank(folder: Path, database: Path, *, clock: Clock, sleep: Callable[[float], None], **how: Any) -> Flask:
    settings = UkBankSettings(
        base_url=BASE_URL, database=database, folder=folder, ledger_token="ledger", clock=clock, sleep=sleep, **how
    )
    app = create_uk_bank(settings, testing=True)
    app.testing = True
    return app


def inside(app: Flask) -> UkBank:
    bank: UkBank = app.extensions[EXTENSION]
    return bank


def tpp_at(app: Flask, folder: Path, brand: str, *, clock: Clock, **changes: Any) -> UkTpp:
    """Our TPP at one of the brands, as the brand's file describes it."""
    how: dict[str, Any] = {"files": folder, **BRANDS[brand], **changes}
    return UkTpp(transport=InProcess(app), brand=brand, clock=clock, **how)


def other_at(app: Flask, folder: Path, brand: str, *, clock: Clock, **changes: Any) -> UkTpp:
    """The second TPP there."""
    claims = {"client_id": OTHER.client_id, "issuer_claim": f"{OTHER.organisation}/{OTHER.software}"}
    return tpp_at(app, folder, brand, clock=clock, **{"files": folder / "other", **claims, **changes})


# what tests of the door often do


def approved(tpp: UkTpp, person: UkPerson, **changes: Any) -> tuple[str, dict[str, str]]:
    """(ConsentId, the answer through the browser)."""
    consent_id = tpp.consent()
    return consent_id, tpp.answered(person.approve(tpp.authorize_url(consent_id, **changes)))


def error_of(answer: Answer) -> tuple[int, str]:
    return answer.status, answer.json["error"]


def sent_back(tpp: UkTpp, person: UkPerson, address: str) -> str:
    """The error that the bank sends back without showing a page."""
    answer, to = person.visit(address)
    assert answer.status == 303
    assert to.startswith(REDIRECT_URI)
    return tpp.answered(to)["error"]


def refused_on_a_page(person: UkPerson, address: str) -> str:
    """What a person reads where nobody can be told."""
    answer, _ = person.visit(address)
    assert answer.status == 400
    assert "Location" not in answer.headers
    return answer.text_of(".lead")


def named(changes: object) -> str:
    """The name of a case: what is changed, and to what; a key is a key, for its text is another one in each process."""
    if not isinstance(changes, dict):
        return str(changes)
    plain = (str, int, float, list, tuple, dict, bool, type(None))
    return str({name: value if isinstance(value, plain) else type(value).__name__ for name, value in changes.items()})
