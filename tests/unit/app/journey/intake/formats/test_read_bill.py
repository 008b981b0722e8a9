"""The front door: media types and size."""

from __future__ import annotations

import pytest

from app.journey.intake.bill import BillRefused
from app.journey.intake.formats import BYTES_MAX, UnknownFormat, read_bill
from tests.support.bills import NUMBER, json_bill, ubl_bill


@pytest.mark.parametrize(
    "media_type",
    ["application/xml", "text/xml", "application/vnd.oasis.ubl+xml", "Application/XML; charset=ISO-8859-1"],
)
def test_ubl_has_three_media_types(media_type: str) -> None:
    assert read_bill(ubl_bill(), media_type).number == NUMBER


def test_json_has_one() -> None:
    assert read_bill(json_bill(), "application/json; charset=utf-8").number == NUMBER


@pytest.mark.parametrize("media_type", ["application/pdf", "application/problem+json", "", "xml"])
def test_an_unknown_media_type_is_the_doors_matter(media_type: str) -> None:
    with pytest.raises(UnknownFormat):
        read_bill(ubl_bill(), media_type)


@pytest.mark.parametrize("media_type", ["application/xml", "application/json"])
def test_a_document_beyond_the_limit_is_refused_unread(media_type: str) -> None:
    with pytest.raises(BillRefused, match="larger than 10 MiB") as caught:
        read_bill(b"<" * (BYTES_MAX + 1), media_type)
    assert (caught.value.code, caught.value.element) == ("too-large", "")
