"""What is read of a PDF, a photo or a code that a customer adds, and what a hostile one cannot do."""

from __future__ import annotations

import array
import dataclasses
import errno
import io
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import pikepdf
import pytest
from PIL import Image, ImageOps, ImageStat

from app.journey.intake.bill import BillRefused
from app.journey.intake.formats import child, own_file, picture_child
from app.journey.intake.formats.own_file import Reading
from connectors.money import Money
from tests.support import bills
from tests.support.pictures import IBAN, REFERENCE, as_file, epc_text, page
from tests.support.shared import shared_folder
from tests.support.thorough import spread

pytestmark = pytest.mark.slow  # a process for each file

FOUND = Reading(payee="Dachdeckerei Brandt", iban=IBAN, amount=Money(18450, "EUR"), reference=REFERENCE)
OTHER_IBAN = "FR1420041010050500013M02606"


def refused(content: bytes) -> str:
    with pytest.raises(BillRefused) as caught:
        own_file.read(content)
    return caught.value.code


@pytest.mark.parametrize("file_format", ["JPEG", "PNG", "WEBP", "PDF"])
def test_the_code_on_a_photo_or_a_scan_is_read(file_format: str) -> None:
    assert own_file.read(as_file(page(epc_text()), file_format)) == FOUND


def test_a_photo_may_lie_on_its_side_and_be_large() -> None:
    photo = page(epc_text(), size=(4000, 3000)).rotate(90, expand=True)
    assert own_file.read(as_file(photo)) == FOUND


@pytest.mark.parametrize("size", [(4_000, 3_000), (8_064, 6_048)])
def test_a_photo_as_a_phone_makes_it_is_read(size: tuple[int, int]) -> None:
    """With a small picture in its EXIF, another one after it, and a film behind both."""
    photo = as_file(page(epc_text()).resize(size))
    several = io.BytesIO()
    page(epc_text()).resize(size).save(several, "MPO", save_all=True, append_images=[page()])
    film = b"\xff\xda\0\x08" * 1_000
    for content in (with_small_picture(photo), photo + film, with_small_picture(several.getvalue()) + film):
        assert own_file.read(content) == FOUND


def with_small_picture(photo: bytes) -> bytes:
    """A JPEG with a second one in its EXIF, as cameras add it for lists."""
    small = as_file(page().resize((120, 160)))
    fields = struct.pack("<HHII", 0x0201, 4, 1, 44) + struct.pack("<HHII", 0x0202, 4, 1, len(small))
    exif = b"Exif\0\0II*\0" + struct.pack("<IHIH", 8, 0, 14, 2) + fields + struct.pack("<I", 0) + small
    return photo[:2] + b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif + photo[2:]


def test_a_long_run_of_what_may_begin_a_marker_takes_no_time() -> None:
    """Between the segments of a JPEG any number of FF may stand, and what is no marker is passed over."""
    photo = as_file(page(epc_text()))
    filled = photo[:2] + b"\xff" * 1_000_000 + b"\x00" + photo[2:]
    assert own_file.read(filled).iban == IBAN


def test_a_data_matrix_is_read_too() -> None:
    assert own_file.read(as_file(page(epc_text(), data_matrix=True), "PNG")) == FOUND


def test_the_text_of_a_code_is_read_as_somebody_pastes_it() -> None:
    assert own_file.read_code("\r\n".join(["", *epc_text().split("\n"), ""])) == FOUND
    latin = epc_text(payee="Régie des Eaux").replace("\n1\nSCT", "\n2\nSCT")
    assert own_file.read_code(latin).payee == "Régie des Eaux"


def test_nothing_to_read_is_no_refusal() -> None:
    for content in (as_file(page()), as_file(page("https://example.org/pay-me")), as_file(page(), "PDF")):
        found = own_file.read(content)
        assert found == Reading()
        assert found.is_empty


def test_a_bill_for_programs_in_a_pdf_is_read() -> None:
    found = own_file.read(bills.pdf_bill(("factur-x.xml", bills.cii_bill()), page="84,20 EUR"))
    assert (found.payee, found.iban, found.amount) == (bills.SELLER_NAME, bills.IBAN, Money(8420, "EUR"))
    assert (found.number, found.doubts) == (bills.NUMBER, ())


def test_of_a_plain_pdf_the_one_account_on_the_page_is_read_and_nothing_guessed() -> None:
    assert own_file.read(bills.pdf_bill(page=f"184,50 EUR, IBAN {IBAN}")) == Reading(iban=IBAN)
    assert own_file.read(bills.pdf_bill(page=f"IBAN {IBAN} ou {OTHER_IBAN}")).iban is None


def test_a_pasted_over_code_shows() -> None:
    """Two codes say two accounts: the field stays empty. A code and the page: the account of the code, and a doubt."""
    found = own_file.read(as_file(page(epc_text(), epc_text(iban=OTHER_IBAN))))
    assert (found.iban, found.amount, found.doubts) == (None, Money(18450, "EUR"), ("accounts-differ",))
    found = own_file.read(as_file(page(epc_text(), epc_text(amount="EUR9184.50"))))
    assert (found.iban, found.amount, found.doubts) == (IBAN, None, ("amounts-differ",))
    inner = ("factur-x.xml", bills.cii_bill())
    found = own_file.read(bills.pdf_bill(inner, page=f"84,20 EUR, IBAN {IBAN}"))
    assert (found.iban, found.doubts) == (bills.IBAN, ("page-differs",))


def test_a_code_against_its_rules_is_not_half_read() -> None:
    found = own_file.read(as_file(page(epc_text(iban="DE00512108001245126199"))))
    assert found == Reading(doubts=("code-unreadable",))


@pytest.mark.parametrize(
    "hides",
    [
        [(f"{number}.txt", b"") for number in range(21)],
        [("factur-x.xml", bills.cii_bill()), ("zugferd-invoice.xml", bills.cii_bill())],
        [("factur-x.xml", bills.cii_bill()[:-20])],
    ],
    ids=["too-many-files", "two-bills", "half-a-bill"],
)
def test_whoever_keeps_a_part_from_being_read_has_a_doubt(hides: list[tuple[str, bytes]]) -> None:
    found = own_file.read(bills.pdf_bill(*hides, page=f"IBAN {IBAN}"))
    assert "not-looked-into" in found.doubts
    assert own_file.read(bills.pdf_bill(("terms.txt", b""), page=f"IBAN {IBAN}")).doubts == ()


def test_a_text_that_cannot_be_read_to_its_end_is_a_doubt() -> None:
    long = "a" * 100_000
    assert own_file.read(bills.pdf_bill(page=f"{long} IBAN {IBAN}")) == Reading(doubts=("not-looked-into",))
    packed = bills.pdf_bill(page=f"IBAN {IBAN}").replace(b"/Length", b"/Filter /Unheard /Length")
    assert own_file.read(packed) == Reading(doubts=("not-looked-into",))


def test_a_page_that_asks_too_much_is_passed_over_and_the_first_is_not() -> None:
    """As a plan or a map behind a bill does."""
    heavy = f"{' '.join(['1 1 9 9 re f'] * (picture_child.OBJECTS_MAX + 1))}".encode()
    for at, code in ((1, None), (0, "too-large")):
        made = io.BytesIO()
        with pikepdf.open(io.BytesIO(as_file(page(epc_text()), "PDF"))) as pdf:
            pdf.add_blank_page()
            pdf.pages[1].Contents = pdf.make_stream(heavy)
            if at == 0:
                pdf.pages.reverse()
            pdf.save(made)
        if code:
            assert refused(made.getvalue()) == code
        else:
            assert own_file.read(made.getvalue()) == dataclasses.replace(FOUND, doubts=("not-looked-into",))
            assert own_file.picture(made.getvalue()).startswith(b"\xff\xd8\xff")


def test_what_asks_for_nothing_is_refused() -> None:
    inner = ("factur-x.xml", bills.cii_bill(type_code="381"))
    assert refused(bills.pdf_bill(inner)) == "nothing-to-pay"


@pytest.mark.parametrize(
    ("means_code", "doubt"),
    spread(
        [
            *(("59", "collected"), ("48", "by-card"), ("10", "paid-elsewhere")),
            *(("49", "collected"), ("54", "by-card"), ("20", "paid-elsewhere")),
        ],
        every=2,
    ),
)
def test_what_is_not_paid_by_a_transfer_says_so(means_code: str, doubt: str) -> None:
    inner = ("factur-x.xml", bills.cii_bill(means_code=means_code))
    assert own_file.read(bills.pdf_bill(inner)).doubts == (doubt,)
    transfer = ("factur-x.xml", bills.cii_bill(means_code="58"))
    assert own_file.read(bills.pdf_bill(transfer)).doubts == ()


def test_what_else_differs_is_empty_and_said() -> None:
    """Slips of two instalments have one account and one amount; a name in other letters is the same name."""
    found = own_file.read(as_file(page(epc_text(reference="RF18539007547034"), epc_text(reference="RF712348231"))))
    assert (found.iban, found.reference, found.doubts) == (IBAN, None, ("references-differ",))
    found = own_file.read(as_file(page(epc_text(), epc_text(payee="Somebody"))))
    assert (found.iban, found.payee, found.doubts) == (IBAN, None, ("names-differ",))
    assert own_file.read(as_file(page(epc_text(), epc_text(payee="DACHDECKEREI BRANDT")))).doubts == ()


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "not-a-bill"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "not-a-bill"),
        (b"<html><script>alert(1)</script>", "not-a-bill"),
        (b"MZ\x90\0", "not-a-bill"),
        (as_file(page(), "GIF"), "not-a-bill"),
        (as_file(page(), "TIFF"), "not-a-bill"),
        (b"\xff\xd8\xff" + b"\0" * own_file.BYTES_MAX, "too-large"),
        (b"\xff\xd8\xff\xe0 no picture", "not-well-formed"),
        (as_file(page())[:400], "not-well-formed"),
        (as_file(page(), "PNG")[:2000], "not-well-formed"),
        (b"\xff\xd8\xff" + as_file(page(), "GIF"), "not-well-formed"),
        (b"RIFF\x04\0\0\0WEBP", "not-well-formed"),
        (b"%PDF-1.7\n%%EOF", "not-well-formed"),
        (bills.pdf_bill()[:-10], "not-well-formed"),
    ],
)
def test_any_other_file_is_refused(content: bytes, code: str) -> None:
    assert refused(content) == code


@pytest.mark.parametrize(("user", "read"), [("", True), ("secret", False)])
def test_a_pdf_that_only_its_owner_may_change_is_read_and_one_with_a_password_is_not(user: str, read: bool) -> None:
    made = io.BytesIO()
    with pikepdf.open(io.BytesIO(as_file(page(epc_text()), "PDF"))) as pdf:
        pdf.save(made, encryption=pikepdf.Encryption(owner="owner", user=user))
    if read:
        assert own_file.read(made.getvalue()) == dataclasses.replace(FOUND, doubts=("not-looked-into",))
    else:
        assert refused(made.getvalue()) == "encrypted"


def png(width: int, height: int, rows: bytes = b"") -> bytes:
    """A PNG that says a size, whatever is in it."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def test_a_bomb_of_pixels_is_refused_by_what_it_says_of_itself() -> None:
    assert refused(png(60_000, 60_000)) == "too-large"
    assert refused(png(2**31 - 1, 2**31 - 1)) in ("too-large", "not-well-formed")


def test_a_page_as_large_as_a_field_is_drawn_small() -> None:
    content = as_file(page(epc_text()), "PDF")
    huge = content.replace(b"/MediaBox [ 0 0 1240.0 1754.0 ]", b"/MediaBox [ 0 0 14400 14400 ]   ")
    drawn = Image.open(io.BytesIO(own_file.picture(huge if huge != content else content)))
    assert max(drawn.size) <= picture_child.SHOWN_SIDE_MAX


def transparent(drawn: Image.Image) -> Image.Image:
    """What is white becomes transparent, above black."""
    made = Image.new("RGBA", drawn.size, (0, 0, 0, 0))
    made.putalpha(ImageOps.invert(drawn.convert("L")))
    return made


@pytest.mark.parametrize("file_format", ["PNG", "WEBP"])
@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_what_is_transparent_is_white(mode: str, file_format: str) -> None:
    drawn = transparent(page(epc_text()))
    content = as_file(drawn.quantize(8) if mode == "P" else drawn.convert(mode), file_format)
    assert own_file.read(content) == FOUND
    assert ImageStat.Stat(Image.open(io.BytesIO(own_file.picture(content))).convert("L")).mean[0] > 200


def test_a_code_that_nobody_sees_is_not_read() -> None:
    hidden = page(epc_text()).convert("RGBA")
    hidden.putalpha(0)
    assert own_file.read(as_file(hidden, "PNG")).is_empty


def test_a_scan_of_16_bits_of_grey_is_read_and_drawn() -> None:
    drawn = page(epc_text()).resize((4_960, 7_016)).convert("L")
    grey = Image.frombytes("I;16", drawn.size, array.array("H", (32 * value for value in drawn.tobytes())).tobytes())
    content = as_file(grey, "PNG")
    assert own_file.read(content) == FOUND
    darkest, lightest = Image.open(io.BytesIO(own_file.picture(content))).convert("L").getextrema()
    assert darkest < 5 < 25 < lightest  # type: ignore[operator]  # of one band


def test_both_processes_of_a_pdf_wait_for_their_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    begun = []
    monkeypatch.setattr(own_file, "_TURN_S", 0.01)
    monkeypatch.setattr(child, "run", lambda program, *_, **__: begun.append(program))
    with own_file.turn(), own_file.turn():
        assert refused(bills.pdf_bill()) == "busy"
    assert begun == []


def test_no_place_for_another_process_is_busy(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOMEM, "Cannot allocate memory")

    monkeypatch.setattr(subprocess, "run", full)
    assert refused(as_file(page())) == "busy"
    assert refused(bills.pdf_bill()) == "busy"
    assert caplog.text.count("Cannot allocate memory") == 2


def test_a_machine_without_its_interpreter_or_program_is_not_busy(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Nobody is told to try again, nor that their file is too large: it is a fault, and answered and logged as one."""
    with monkeypatch.context() as changed:
        changed.setattr(own_file, "CHILD", tmp_path / "none.py")
        with pytest.raises(FileNotFoundError):
            own_file.read(as_file(page()))
    monkeypatch.setattr(sys, "executable", str(tmp_path / "none"))
    with pytest.raises(FileNotFoundError):
        own_file.read(as_file(page()))


def test_a_file_that_kills_its_reader_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """By memory, by time, by a fault in a library: the process is gone, and nothing else is."""
    for fault in ("bytearray(4 << 30)", "os.kill(os.getpid(), 11)", "os._exit(0)"):
        program = tmp_path / "child.py"
        limits = "resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))"
        program.write_text(f"import os, resource\n{limits}\n{fault}\n")
        monkeypatch.setattr(own_file, "CHILD", program)
        assert refused(as_file(page())) == "too-large"


def test_the_process_that_looks_has_nothing_of_ours(tmp_path: Path) -> None:
    """No environment, where the keys of an installation may stand, and no module of Quittance."""
    program = tmp_path / "child.py"
    program.write_text("import json, os, sys\njson.dump({'names': sorted(os.environ)}, sys.stdout)\n")
    names = child.run(program, cpu_ms=1_000, content=b"", called="the file")["names"]
    assert [name for name in names if name != "LC_CTYPE"] == []
    source = Path(picture_child.__file__).read_text()
    assert "from app" not in source
    done = subprocess.run(
        [sys.executable, "-I", picture_child.__file__, "codes", "1000"],
        input=as_file(page()),
        capture_output=True,
        check=True,
    )
    assert done.stdout == b'{"codes": [], "whole": true}'


def test_the_picture_that_is_shown_was_drawn_here() -> None:
    """Nothing of the file: no comment of it, no place where it was taken, no second file behind it."""
    photo = page(epc_text())
    exif = Image.Exif()
    exif[0x010E] = "secret-description"
    made = io.BytesIO()
    photo.save(made, "JPEG", exif=exif, comment=b"secret-comment")
    shown = own_file.picture(made.getvalue() + b"<script>secret-tail</script>")
    assert shown.startswith(b"\xff\xd8\xff")
    assert b"secret" not in shown
    assert max(Image.open(io.BytesIO(shown)).size) <= picture_child.SHOWN_SIDE_MAX


@pytest.mark.shared
def test_official_samples_of_the_swiss_bill() -> None:
    read = {}
    for sample in sorted((shared_folder() / "samples/train/swissqr").glob("*.pdf")):
        found = own_file.read(sample.read_bytes())
        assert not found.doubts
        assert found == own_file.read_code(sample.with_suffix(".txt").read_text())
        read[sample.stem.rsplit("_", 1)[-1]] = (found.iban, str(found.amount), found.reference)
    assert read["ex3"] == ("CH7400700110006116002", "199.95", "RF18539007547034")
    assert read.keys() == {"ex1", "ex3", "ex5", "ex8a"}
