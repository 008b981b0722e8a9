"""The front door: media types and size."""

from __future__ import annotations

import pytest

from app.journey.intake.bill import BillRefused
from app.journey.intake.formats import BYTES_MAX, UnknownFormat, media_type_of, read_any, read_bill
from tests.support.bills import NUMBER, json_bill, ubl_bill


@pytest.mark.parametrize(
    "media_type",
    ["application/xml", "text/xml", "application/vnd.oasis.ubl+xml", "Application/XML; charset=ISO-8859-1"],
)
def test_ubl_has_three_media_types(media_type: str) -> None:
    assert read_bill(ubl_bill(), media_type).number == NUMBER


def test_json_has_one() -> None:
    assert read_bill(json_bill(), "application/json; charset=utf-8").number == NUMBER


@pytest.mark.parametrize("media_type", ["image/png", "application/problem+json", "", "xml"])
def test_an_unknown_media_type_is_the_doors_matter(media_type: str) -> None:
    with pytest.raises(UnknownFormat):
        read_bill(ubl_bill(), media_type)


@pytest.mark.parametrize("media_type", ["application/xml", "application/json"])
def test_a_document_beyond_the_limit_is_refused_unread(media_type: str) -> None:
    with pytest.raises(BillRefused, match="larger than 10 MiB") as caught:
        read_bill(b"<" * (BYTES_MAX + 1), media_type)
    assert (caught.value.code, caught.value.element) == ("too-large", "")


@pytest.mark.parametrize(
    ("content", "media_type"),
    [
        (b"%PDF-1.7", "application/pdf"),
        (b"<Invoice/>", "application/xml"),
        (b" \r\n<Invoice/>", "application/xml"),
        (b"\xef\xbb\xbf<Invoice/>", "application/xml"),
        ("\ufeff<Invoice/>".encode("utf-16-le"), "application/xml"),
        (b' {"to": ""}', "application/json"),
        (b"PK\x03\x04", None),
        (b"", None),
    ],
)
def test_a_file_is_what_it_begins_with(content: bytes, media_type: str | None) -> None:
    assert media_type_of(content) == media_type


def test_a_file_of_another_kind_is_no_bill() -> None:
    with pytest.raises(BillRefused) as caught:
        read_any(b"\x1f\x8b\x08")
    assert caught.value.code == "not-a-bill"


def test_a_peppol_envelope_is_opened() -> None:
    assert read_any(enveloped(ubl_bill())).number == NUMBER


@pytest.mark.parametrize("inside", [b"", ubl_bill() + ubl_bill()])
def test_an_envelope_holds_one_bill(inside: bytes) -> None:
    with pytest.raises(BillRefused) as caught:
        read_any(enveloped(inside))
    assert (caught.value.code, caught.value.element) == ("not-a-bill", "/StandardBusinessDocument")


def test_what_the_schema_forbids_is_refused_by_its_place() -> None:
    with pytest.raises(BillRefused) as caught:
        read_any(ubl_bill(extra="<cbc:Note>out of place</cbc:Note>"))
    assert (caught.value.code, caught.value.element) == ("structure-refused", "/*/cbc:Note")
    assert "Element 'Note': This element is not expected." in caught.value.detail


def enveloped(inside: bytes) -> bytes:
    namespace = b"http://www.unece.org/cefact/namespaces/StandardBusinessDocumentHeader"
    header = b"<StandardBusinessDocumentHeader><HeaderVersion>1.0</HeaderVersion></StandardBusinessDocumentHeader>"
    bill = inside.replace(b'<?xml version="1.0" encoding="UTF-8"?>\n', b"")
    return b"<StandardBusinessDocument xmlns='%s'>%s%s</StandardBusinessDocument>" % (namespace, header, bill)
