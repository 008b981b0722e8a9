"""Hostile files that a customer adds, or asks about: none takes 300 MB or two seconds of a processor,
whatever becomes of it."""

from __future__ import annotations

import io
import itertools
import json
import struct
import subprocess
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path

import pikepdf
import pytest
from PIL import Image

from app.journey.intake.formats import own_file
from tests.support.pictures import epc_text, page

pytestmark = pytest.mark.slow  # a process for each look

MEMORY_KB_MOST, CPU_S_MOST = 300_000, 2.0
SIDE = 8_000
MUST_BE_REFUSED = {
    "jpeg-of-scans",
    "jpeg-of-scans-and-another",
    "jpeg-of-a-scan-for-each-colour",
    "jpeg-of-comments",
    "png-rgba",
    "pdf-of-one-thing",
    "pdf-of-forms",
}
MUST_BE_TAKEN = {"png-of-one-bit", "jpeg-of-a-phone"}

# In a process of its own, which is small: a new process has for a moment what its parent has.
MEASURE = """
import json, resource, sys
from pathlib import Path
from app.journey.intake.bill import BillRefused
from app.journey.intake.formats import own_file, shown

def seconds():
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime

measured = {}
for path in sorted(Path(sys.argv[1]).iterdir()):
    content, outcomes = path.read_bytes(), []
    for look in (own_file.read, own_file.picture, shown.of_file):
        before = seconds()
        try:
            look(content)
            outcome = "taken"
        except BillRefused as refused:
            outcome = refused.code
        outcomes.append((outcome, seconds() - before))
    measured[path.name] = outcomes
json.dump([measured, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss], sys.stdout)
"""


@pytest.mark.parametrize("every", [3, pytest.param(1, marks=pytest.mark.long)])
def test_no_file_takes_more_than_its_share(tmp_path: Path, every: int) -> None:
    chosen = dict(itertools.islice(hostile_files(), 0, None, every))
    for name, content in chosen.items():
        assert len(content) <= own_file.BYTES_MAX
        (tmp_path / name).write_bytes(content)
    done = subprocess.run(
        [sys.executable, "-c", MEASURE, str(tmp_path)],
        capture_output=True,
        check=True,
        env={"PYTHONPATH": ":".join(sys.path)},
    )
    measured, memory_kb = json.loads(done.stdout)
    assert memory_kb < MEMORY_KB_MOST
    # this is no measure of speed: a process that comes near is ended
    assert [name for name, looks in measured.items() if any(seconds >= CPU_S_MOST for _, seconds in looks)] == []
    refused = {name for name, looks in measured.items() if all(outcome != "taken" for outcome, _ in looks)}
    assert MUST_BE_REFUSED & chosen.keys() <= refused
    assert [name for name in MUST_BE_TAKEN & chosen.keys() if measured[name][0][0] != "taken"] == []
    assert measured.keys() == chosen.keys()
    assert MUST_BE_REFUSED & refused


def hostile_files() -> Iterator[tuple[str, bytes]]:
    yield "png-rgba", png(SIDE, SIDE, colour=6)
    yield "png-rgb-just-let-in", png(SIDE, SIDE * 5 // 8 - 1, colour=2)
    yield "png-rgba-just-let-in", png(SIDE, SIDE * 3 // 8, colour=6)
    yield "png-grey-of-16-bits", png(SIDE, SIDE, colour=0, depth=16)
    yield "png-of-one-bit", png(SIDE, SIDE, colour=0, depth=1)
    white = Image.new("RGB", (SIDE, SIDE), "white")
    yield "jpeg-of-a-phone", encoded(white, "JPEG", quality=10)
    yield "jpeg-cmyk", encoded(Image.new("CMYK", (SIDE, SIDE)), "JPEG", quality=10, progressive=True)
    yield "jpeg-of-scans", jpeg_of_scans(2_000, 100_000)
    yield "jpeg-of-scans-and-another", jpeg_of_scans(2_000, 100_000, several=True)
    yield "jpeg-of-a-scan-for-each-colour", jpeg_of_colours(white)
    yield "jpeg-of-comments", jpeg_of_comments()
    yield "webp", encoded(white, "WEBP", lossless=True, method=0)
    yield "webp-just-let-in", encoded(white.resize((4_000, 3_100)), "WEBP", lossless=True, method=0)
    drawn = b"q 595 0 0 842 0 0 cm /X Do Q "
    yield "pdf-of-a-picture", pdf(drawn, pdf_picture(SIDE))
    yield "pdf-of-a-large-picture", pdf(drawn, pdf_picture(SIDE + 1))
    yield "pdf-of-one-thing", pdf(b"1 1 500 800 re f " * 500_000)
    yield "pdf-of-text", pdf(b"BT /F 1 Tf 0 0 Td (a) Tj ET " * 300_000)
    yield "pdf-of-forms", pdf(b"/X Do", *(pdf_form(b"/X Do " * 10, 6 + level) for level in range(7)), pdf_form(b"f"))
    group = pdf_form(b"0 0 595 842 re f", extra=b"/Group<</S/Transparency/I true/K true>>")
    yield "pdf-of-groups", pdf(b"/X Do " * 400, group)
    yield "pdf-of-letters", pdf(b"BT /F 1 Tf " + b"(abcdefghij) Tj " * 15_000 + b"ET")
    yield "png-of-codes", png_of_codes()
    yield "pdf-of-heavy-pages", pdf_of_pages(b"f", *[b"1 1 9 9 re f " * 60_000] * 4)


def png_of_codes() -> bytes:
    """As many payment codes as a page has room for, each of which is looked into."""
    code = page(epc_text(), size=(300, 300)).crop((100, 100, 300, 300))
    sheet = Image.new("L", (3_000, 3_000), 255)
    for at in range(225):
        sheet.paste(code, (at % 15 * 200, at // 15 * 200))
    return encoded(sheet, "PNG")


def encoded(picture: Image.Image, file_format: str, **options: object) -> bytes:
    made = io.BytesIO()
    picture.save(made, file_format, **options)
    return made.getvalue()


def png(width: int, height: int, *, colour: int, depth: int = 8) -> bytes:
    """All black, row for row."""
    samples = {0: 1, 2: 3, 6: 4}[colour]
    row = bytes(1 + (width * samples * depth + 7) // 8)
    packing = zlib.compressobj(1)
    data = b"".join(packing.compress(row) for _ in range(height)) + packing.flush()
    head = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    chunks = [(b"IHDR", head), (b"IDAT", data), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(inside)) + kind + inside + struct.pack(">I", zlib.crc32(kind + inside))
        for kind, inside in chunks
    )


def jpeg_of_scans(side: int, scans: int, *, several: bool = False) -> bytes:
    """The last pass over it again and again, each of some bytes; the first of several pictures or the only one."""
    grey = Image.new("L", (side, side), 255)
    options = {"save_all": True, "append_images": [grey]} if several else {}
    content = encoded(grey, "MPO" if several else "JPEG", quality=10, progressive=True, **options)
    end = content.index(b"\xff\xd9")
    last = content[content.rindex(b"\xff\xda", 0, end) : end]
    return content[:end] + last * scans + content[end:]


def jpeg_of_colours(picture: Image.Image) -> bytes:
    """Not progressive, and all of it is kept all the same: it has a pass for one colour only."""
    content = encoded(picture, "JPEG", quality=10)
    at = content.index(b"\xff\xda")
    return content[:at] + b"\xff\xda\0\x08\x01\x01\0\0\x3f\0" + content[at + 14 :]


def jpeg_of_comments() -> bytes:
    content = encoded(Image.new("L", (100, 100)), "JPEG")
    return content[:2] + b"\xff\xfe\0\x02" * 2_500_000 + content[2:]


def pdf(drawn: bytes, *named: bytes) -> bytes:
    """One page; the things that are named are its objects from 5 on, and the first of them is its /X."""
    font = b"/Font<</F<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>>>"
    resources = b"<<%s%s>>" % (font, b"/XObject<</X 5 0 R>>" if named else b"")
    page = b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]/Contents 4 0 R/Resources%s>>" % resources
    objects = [b"<</Type/Catalog/Pages 2 0 R>>", b"<</Type/Pages/Kids[3 0 R]/Count 1>>", page, stream(drawn), *named]
    made, places = b"%PDF-1.7\n", []
    for number, each in enumerate(objects, 1):
        places.append(b"%010d 00000 n \n" % len(made))
        made += b"%d 0 obj\n%s\nendobj\n" % (number, each)
    table = b"xref\n0 %d\n0000000000 65535 f \n%s" % (len(objects) + 1, b"".join(places))
    return made + b"%strailer\n<</Size %d/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF\n" % (table, len(objects) + 1, len(made))


def pdf_of_pages(*drawn: bytes) -> bytes:
    made = io.BytesIO()
    with pikepdf.new() as document:
        for each in drawn:
            document.add_blank_page().Contents = document.make_stream(each)
        document.save(made)
    return made.getvalue()


def pdf_picture(side: int) -> bytes:
    packing = zlib.compressobj(1)
    data = b"".join(packing.compress(bytes(3 * side)) for _ in range(side)) + packing.flush()
    kind = b"/Type/XObject/Subtype/Image/ColorSpace/DeviceRGB/BitsPerComponent 8/Width %d/Height %d" % (side, side)
    return b"<<%s/Filter/FlateDecode/Length %d>>\nstream\n%s\nendstream" % (kind, len(data), data)


def pdf_form(drawn: bytes, inner: int | None = None, *, extra: bytes = b"") -> bytes:
    """A form that draws another object of the file, its own /X."""
    resources = b"/Resources<</XObject<</X %d 0 R>>>>" % inner if inner else b""
    return stream(drawn, b"/Type/XObject/Subtype/Form/BBox[0 0 600 850]%s%s" % (resources, extra))


def stream(data: bytes, extra: bytes = b"") -> bytes:
    packed = zlib.compress(data, 9)
    return b"<<%s/Filter/FlateDecode/Length %d>>\nstream\n%s\nendstream" % (extra, len(packed), packed)
