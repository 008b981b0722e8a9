"""XML from strangers: what is read, and that nothing else is."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.journey.intake.bill import BillRefused
from app.journey.intake.formats import xml


@pytest.mark.parametrize(
    ("declared", "codec"),
    [
        ("UTF-8", "utf-8"),
        ("UTF-8", "utf-8-sig"),
        ("utf-16", "utf-16"),
        ("ISO-8859-1", "latin-1"),
        ("ISO-8859-15", "iso8859-15"),
        ("windows-1252", "cp1252"),
    ],
)
def test_the_allowed_encodings_are_read(declared: str, codec: str) -> None:
    root = xml.parse(f"<?xml version='1.0' encoding='{declared}'?><a>Müller</a>".encode(codec))
    assert root.text == "Müller"


def test_without_a_declaration_it_is_utf_8() -> None:
    assert xml.parse("<a>Müller</a>".encode()).text == "Müller"


@pytest.mark.parametrize(
    "content",
    [
        b"<?xml version='1.0' encoding='UTF-7'?><a/>",
        b"<?xml version='1.0' encoding='UTF-8_W/O_BOM'?><a/>",
        b"<?xml version='1.0' encoding='IBM037'?><a/>",
        b"\xef\xbb\xbf<?xml version='1.0' encoding='ISO-8859-1'?><a/>",
        "<?xml version='1.0' encoding='UTF-8'?><a>ü</a>".encode("latin-1"),
        "<a>ü</a>".encode("latin-1"),
    ],
)
def test_any_other_encoding_and_a_lie_about_it_are_refused(content: bytes) -> None:
    with pytest.raises(BillRefused) as caught:
        xml.parse(content)
    assert caught.value.code == "encoding-refused"


def test_bytes_in_another_encoding_are_named_by_their_line() -> None:
    with pytest.raises(BillRefused, match="Line 3 holds bytes that are not UTF-8"):
        xml.parse(b"<a>\n\n\xfc</a>")


@pytest.mark.parametrize(
    "content",
    [b"", b"\0" * 64, b'{"a":1}', b"<a>", b"<a/><a/>", b"<a>&#0;</a>", b"\n<?xml version='1.0'?><a/>"],
)
def test_what_is_not_well_formed_is_refused_with_its_line(content: bytes) -> None:
    with pytest.raises(BillRefused, match=r"line \d") as caught:
        xml.parse(content)
    assert caught.value.code == "not-well-formed"


def test_no_doctype_is_taken_and_no_file_read(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("the secret")
    content = f'<!DOCTYPE a [<!ENTITY x SYSTEM "{secret.as_uri()}">]><a>&x;</a>'
    with pytest.raises(BillRefused) as caught:
        xml.parse(content.encode())
    assert caught.value.code == "doctype-refused"


def test_xinclude_is_not_followed(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("the secret")
    include = f'<xi:include xmlns:xi="http://www.w3.org/2001/XInclude" href="{secret.as_uri()}" parse="text"/>'
    root = xml.parse(f"<a>{include}</a>".encode())
    assert "".join(str(part) for part in root.itertext()) == ""


def test_comments_and_processing_instructions_do_not_cut_a_value() -> None:
    root = xml.parse(b"<a><b>1<!-- --><?x?>19.00</b></a>")
    found = xml.Node(root, "/a", {}).maybe("b")
    assert found is not None
    assert found.text() == "119.00"


@pytest.mark.parametrize(
    "content",
    [
        b"<a>" + b"<b/>" * xml.MARKUP_MAX + b"</a>",
        b"<a " + b" ".join(b'b%d="%s"' % (index, b"x" * 2000) for index in range(51)) + b"/>",
    ],
)
def test_more_markup_than_a_bill_needs_is_refused(content: bytes) -> None:
    with pytest.raises(BillRefused) as caught:
        xml.parse(content)
    assert caught.value.code == "too-large"


def test_elements_nested_too_deep_are_refused() -> None:
    with pytest.raises(BillRefused, match="Excessive depth") as caught:
        xml.parse(b"<a>" * 1000 + b"</a>" * 1000)
    assert caught.value.code == "not-well-formed"


def test_a_node_walks_by_name_only_and_names_its_path() -> None:
    root = xml.parse(b"<a><b><c>1</c></b><d><c>2</c></d></a>")
    node = xml.Node(root, "/a", {})
    found = node.maybe("b/c")
    assert found is not None
    assert (found.path, found.text()) == ("/a/b/c", "1")
    assert node.maybe("c") is None
    assert [each.path for each in node.all("d/c")] == ["/a/d/c"]


@pytest.mark.parametrize("content", [b"<a><b><c/><c/></b></a>", b"<a><b><c/></b><b/></a>"])
def test_a_single_element_that_is_there_twice_is_refused_at_any_step(content: bytes) -> None:
    with pytest.raises(BillRefused, match="there 2 times") as caught:
        xml.Node(xml.parse(content), "/a", {}).maybe("b/c")
    assert caught.value.code == "element-doubled"


def test_an_element_inside_a_value_is_refused() -> None:
    with pytest.raises(BillRefused) as caught:
        xml.Node(xml.parse(b"<a>119<b>9</b>.00</a>"), "/a", {}).text()
    assert (caught.value.code, caught.value.element) == ("type-refused", "/a")
