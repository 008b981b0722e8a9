"""Letting a biller in: every number is checked before anything is written."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import func, select

from app.errors import AppError, Conflict
from app.people.billers import add_biller
from app.people.models import Biller, PayeeAccount
from tests.unit.conftest import Begin

RIGHT: dict[str, Any] = {
    "by": "ada",
    "name": "Eaux du Lac SA",
    "country": "FR",
    "vat_id": "FR64904172681",
    "ibans": ["FR1420041010050500013M02606"],
}


def test_adds_a_biller_with_its_accounts(begin: Begin) -> None:
    with begin() as uow:
        mended = {"vat_id": "fr 64 904172681", "ibans": ["fr14 2004 1010 0505 0001 3m02 606", *RIGHT["ibans"]]}
        biller = add_biller(uow, **{**RIGHT, **mended})
        uow.commit()
    with begin() as uow:
        kept = uow.session.get_one(Biller, biller.id)
        assert (kept.name, kept.vat_id, kept.country) == ("Eaux du Lac SA", "FR64904172681", "FR")
        assert uow.session.scalars(select(PayeeAccount.iban)).all() == RIGHT["ibans"]


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        ({"name": " "}, "biller-name"),
        ({"name": "x" * 71}, "biller-name"),
        ({"country": "fr"}, "country"),
        ({"country": "FRA"}, "country"),
        ({"ibans": []}, "no-account"),
        ({"ibans": ["FR1420041010050500013M02607"]}, "iban"),
        ({"vat_id": "FR64904172682"}, "vat-id"),
        ({"vat_id": "64904172681"}, "vat-id"),
    ],
)
def test_refuses_what_is_not_right_and_writes_nothing(begin: Begin, wrong: dict[str, Any], code: str) -> None:
    with begin() as uow:
        with pytest.raises(AppError) as refused:
            add_biller(uow, **{**RIGHT, **wrong})
        assert refused.value.code == code
        assert uow.session.scalar(select(func.count()).select_from(Biller)) == 0


def test_a_vat_number_belongs_to_one_biller(begin: Begin) -> None:
    with begin() as uow:
        add_biller(uow, **RIGHT)
        with pytest.raises(Conflict):
            add_biller(uow, **RIGHT)
