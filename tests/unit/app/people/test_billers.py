"""Writing a biller down: every number is checked before anything is written."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import func, select

from app.errors import AppError, Conflict
from app.people.billers import add_biller, find_billers
from app.people.identifiers import Scheme, parsed
from app.people.models import Biller, BillerHistory, BillerIdentifier, PayeeAccount
from tests.support import factories
from tests.unit.conftest import Begin

RIGHT: dict[str, Any] = {
    "by": "ada",
    "name": "Eaux du Lac SA",
    "country": "FR",
    "identifiers": [(Scheme.VAT, "FR64904172681")],
    "ibans": ["FR1420041010050500013M02606"],
}


def test_adds_a_biller_with_its_accounts_and_numbers(begin: Begin) -> None:
    mended = {
        "identifiers": [parsed("VAT: fr 64 904172681")],
        "ibans": ["fr14 2004 1010 0505 0001 3m02 606", *RIGHT["ibans"]],
    }
    with begin() as uow:
        biller = add_biller(uow, **{**RIGHT, **mended})
        uow.commit()
    with begin() as uow:
        kept = uow.session.get_one(Biller, biller.id)
        assert (kept.name, kept.vat_id, kept.country, kept.state) == (
            "Eaux du Lac SA",
            "FR64904172681",
            "FR",
            "proposed",
        )
        assert uow.session.scalars(select(PayeeAccount.iban)).all() == RIGHT["ibans"]
        numbers = uow.session.execute(select(BillerIdentifier.scheme, BillerIdentifier.value)).all()
        # a French VAT number has its SIREN in it
        assert sorted(tuple(each) for each in numbers) == [("siren", "904172681"), ("vat", "FR64904172681")]
        assert find_billers(uow.session, "eaux") == []


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        ({"name": " "}, "biller-name"),
        ({"name": "x" * 71}, "biller-name"),
        ({"name": "Eaux\u200bdu Lac"}, "biller-name"),  # nobody sees it
        ({"name": "Eaux \u202ecaL ud"}, "biller-name"),  # turns what follows around
        ({"name": "Eaux du\u3164Lac"}, "biller-name"),  # a letter that looks like nothing
        ({"name": "Eaux du\u00adLac"}, "biller-name"),
        ({"name": "𝗘aux du Lac"}, "biller-name"),
        ({"name": "Eaux du Lac\u0332"}, "biller-name"),
        ({"name": "Eaux™"}, "biller-name"),
        ({"name": "…"}, "biller-name"),
        ({"country": "fr"}, "country"),
        ({"country": "FRA"}, "country"),
        ({"ibans": ["FR1420041010050500013M02607"]}, "iban"),
        ({"identifiers": []}, "no-identifier"),
        ({"identifiers": [(Scheme.VAT, "FR64904172681"), (Scheme.SIREN, "895301422")]}, "identifiers-differ"),
        ({"identifiers": [(Scheme.SIREN, "904172681"), (Scheme.SIREN, "895301422")]}, "identifiers-differ"),
        ({"by": "Ada L"}, "person"),
    ],
)
def test_refuses_what_is_not_right_and_writes_nothing(begin: Begin, wrong: dict[str, Any], code: str) -> None:
    with begin() as uow, pytest.raises(AppError) as refused:
        add_biller(uow, **{**RIGHT, **wrong})
    assert refused.value.code == code
    with begin() as uow:
        assert uow.session.scalar(select(func.count()).select_from(Biller)) == 0
        assert uow.session.scalar(select(func.count()).select_from(BillerHistory)) == 0


@pytest.mark.parametrize(
    "again",
    [
        (Scheme.VAT, "FR64904172681"),
        (Scheme.SIREN, "904172681"),  # which stands in the VAT number
    ],
)
def test_a_number_belongs_to_one_biller(begin: Begin, again: tuple[Scheme, str]) -> None:
    with begin() as uow:
        add_biller(uow, **RIGHT)
        with pytest.raises(Conflict) as refused:
            add_biller(uow, **{**RIGHT, "name": "Quite Another", "identifiers": [again]})
    assert refused.value.code == "biller-known"


def test_only_who_is_vetted_is_found(begin: Begin) -> None:
    with begin() as uow:
        biller = add_biller(uow, **RIGHT)
        factories.vet(uow, biller.id)
        assert [each.id for each in find_billers(uow.session, "lac")] == [biller.id]
