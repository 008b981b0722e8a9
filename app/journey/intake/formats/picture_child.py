"""Looks at a PDF or a photo of a customer's, in a process of its own that may use little memory and time.

Run as a file, not as a module of ours: it imports nothing of Quittance. A file comes in on stdin, one JSON object goes
out on stdout. Its arguments are what is asked for and the milliseconds of processor time after which it is ended. For
``codes``: ``{"codes": [base64, …], "whole": bool}``, what the QR and Data Matrix codes on it say, each once, and false
where a page was passed over that asks to draw too much. For ``picture``: ``{"picture": base64}``, its first page as a
JPEG that was drawn here, so that nothing of the file itself ever reaches a browser. For ``shown``:
``{"codes": [base64, …], "text": …, "besides": [code, …]}``, all that people could read on its first pages, and what
there is besides that no program reads: ``pictures`` (something is drawn or printed that is neither text nor a code),
``fonts`` (which may draw another letter than the text says), ``hidden-text`` (not everybody sees it), ``annotations``,
``pages`` (there are more). Or
``{"refused": [code, detail]}``.
"""

from __future__ import annotations

import base64
import io
import json
import re
import resource
import signal
import sys
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from PIL.Image import Image
    from pypdfium2 import PdfDocument, PdfObject, PdfPage
    from zxingcpp import Barcode

#: address space, so that what is in memory is always less; the libraries take 40 MB of it
MEMORY_MAX = 280 * 1024 * 1024
#: of the processor time that it is given, after which no further page is begun: one takes as long as the one before
LOOK_SHARE = 0.5
#: of a photo, and of all pictures on a page of a PDF: the cameras of phones make up to 50 million
PIXELS_MAX = 64_000_000
#: what unpacking a photo may take
UNPACKED_MAX = 200_000_000
#: passes over a JPEG: a progressive one has about ten
PASSES_MAX = 60
#: segments of a JPEG: what a camera says beside a picture takes about a hundred of the largest
SEGMENTS_MAX = 1_000
#: things on a page of a PDF, also inside of others
OBJECTS_MAX = 20_000
#: of what codes are looked for on, and of what is shown: the longer side
SIDE_MAX, SHOWN_SIDE_MAX = 3_000, 1_400
#: a payment part stands on the first page, or on the last
FIRST_PAGES, LAST_PAGES = 3, 2
CODES_MAX = 20
CODE_BYTES_MAX = 4_000
#: characters of the text of a page
TEXT_MAX = 50_000
#: as many points as an inch has pixels where codes are looked for; the bounds on sides hold whatever a page measures
_POINTS, _DPI = 72, 200
PDF, JPEG = b"%PDF-", b"\xff\xd8\xff"
#: of a JPEG: the next marker that is not part of its data, as libjpeg finds it too; the ones of a pass and of the end
_MARKER = re.compile(rb"\xff([^\x00\x01\xd0-\xd7\xff])")
_PASS, _END = b"\xda", b"\xd9"
PHOTOS = ("JPEG", "PNG", "WEBP")
#: fonts that every viewer has for itself, so that a letter of the text is drawn as that letter
PLAIN_FONTS = ("Helvetica", "Times", "Courier", "Arial", "TimesNewRoman", "CourierNew")
#: of each of the three colours of a text that everybody sees on white, of 255; and points that a rule is thick
DARK_MOST, RULE_MOST = 120, 3
#: the sides of a rectangle
_RECTANGLE_SEGMENTS = 5
#: what is printed beside a code: points that differ from those around by more than paper does, and how many of them, on
#: a picture of that side
_INK, _INK_POINTS, _INK_SIDE, _AROUND = 24, 40, 1_500, 8

#: of a code that is paid by: modules on a side (a QR-bill has 117 at the most); the least side of one in pixels, the
#: most at which it is looked at, and which part of it is
_MODULES_MOST, _MODULE_LEAST, _MODULE_MOST, _MODULE_INNER = 117, 4, 8, 0.62
#: how much of what mends a code must be unused: what is drawn over it uses it up, as the cross of a QR-bill does, whose
#: side is that part of the code's
_SWISS, _UNUSED, _UNUSED_SWISS, _CROSS_SHARE = b"SPC", 0.75, 0.4, 7 / 46
#: what differs within a module, and from the others; which part of all modules may be so: dust, and what a JPEG adds
_MODULE_INK, _MODULE_OFF, _UNCLEAN_SHARE = 48, 50, 0.004
#: modules on a side of a part of a code in which the light is taken to be the same
_PART = 11


class Refused(Exception):
    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code, self.detail = code, detail


def main() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_MAX, MEMORY_MAX))
    wanted, cpu_s = sys.argv[1], int(sys.argv[2]) / 1000
    signal.setitimer(signal.ITIMER_PROF, cpu_s)  # nothing handles its signal, so that it ends the process
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    json.dump(answer(sys.stdin.buffer.read(), wanted=wanted, look_s=cpu_s * LOOK_SHARE), sys.stdout)


def answer(content: bytes, *, wanted: str, look_s: float) -> dict[str, object]:
    """What goes out for these bytes."""
    try:
        if wanted == "picture":
            first = next(filter(None, _pages(content, side=SHOWN_SIDE_MAX, mode="RGB")))
            return {"picture": base64.b64encode(_jpeg(first)).decode()}
        if wanted == "shown":
            return _shown(content, look_s)
        codes, whole = _codes(content, look_s)
        return {"codes": [base64.b64encode(code).decode() for code in codes], "whole": whole}
    except Refused as refused:
        return {"refused": [refused.code, refused.detail]}
    except MemoryError:
        return {"refused": ["too-large", "Reading the file takes more memory than any bill needs."]}
    except Exception as error:  # noqa: BLE001  # whatever a stranger's file makes of the libraries
        return {"refused": ["not-well-formed", f"The file cannot be read ({type(error).__name__})."]}


def _codes(content: bytes, look_s: float) -> tuple[list[bytes], bool]:
    """What the codes say, and whether no page had to be passed over."""
    found: dict[bytes, None] = {}
    whole = True
    for page in _pages(content, side=SIDE_MAX, mode="L"):
        if page is None:
            whole = False
        else:
            found |= dict.fromkeys(code.bytes for code in _codes_on(page))
        if time.process_time() > look_s:
            break
    return list(found)[:CODES_MAX], whole


def _codes_on(page: Image) -> list[Barcode]:
    import zxingcpp

    looked_for = zxingcpp.BarcodeFormats([zxingcpp.BarcodeFormat.QRCode, zxingcpp.BarcodeFormat.DataMatrix])
    # dark on light, as every payment code is printed: to look for the others takes as long again
    read = zxingcpp.read_barcodes(page, formats=looked_for, try_invert=False)
    return [code for code in read if code.valid and 0 < len(code.bytes) <= CODE_BYTES_MAX]


def _shown(content: bytes, look_s: float) -> dict[str, object]:
    """Whatever is neither text nor a code must not be there: a forged account that is drawn beside a real code, or over
    a real text that nobody sees, is read by people alone."""
    found: dict[bytes, None] = {}
    texts: list[str] = []
    besides: set[str] = set()
    for page, bare, text, more in _looks(content, look_s):
        codes = _codes_on(page)
        found |= dict.fromkeys(code.bytes for code in codes)
        texts.append(text)
        besides |= more
        if not _is_bare(bare, codes):
            besides.add("pictures")
    if len(found) > CODES_MAX:
        besides.add("pictures")
    codes_found = [base64.b64encode(code).decode() for code in list(found)[:CODES_MAX]]
    return {
        "codes": codes_found,
        "text": "\n".join(texts).encode("utf-8", "replace").decode(),
        "besides": sorted(besides),
    }


def _looks(content: bytes, look_s: float) -> Iterator[tuple[Image, Image, str, set[str]]]:
    """Each page: drawn, drawn without its text and its rules, its text, and what there is besides."""
    if not content.startswith(PDF):
        photo = _photo(content, SIDE_MAX, "L")
        yield photo, photo, "", set()
        return
    document = _opened(content)
    pages = len(document)
    for number in range(min(pages, FIRST_PAGES)):
        page = document[number]
        if not _is_drawable(page):
            raise Refused("too-large", "A page of the PDF asks to draw more than any bill needs.")
        besides = {"pages"} if pages > FIRST_PAGES or (number and time.process_time() > look_s) else set()
        text = _as_seen(page)
        if len(text) > TEXT_MAX:
            besides.add("pages")
        drawn = _drawn(page, SIDE_MAX, "L")
        yield drawn, _without_text(page, drawn, besides), text, besides


def _as_seen(page: PdfPage) -> str:
    """Its text line by line, from the left to the right, whatever the order in which it stands in the file."""
    textpage = page.get_textpage()
    signs = []
    for at in range(textpage.count_chars()):
        sign = textpage.get_text_range(at, 1)
        if sign.strip():
            left, bottom, right, top = textpage.get_charbox(at, loose=True)
            signs.append(((bottom + top) / 2, left, right, top - bottom, sign))
    signs.sort(key=lambda each: -each[0])
    lines: list[list[tuple[float, float, float, float, str]]] = []
    for each in signs:
        if not lines or lines[-1][0][0] - each[0] > each[3] / 2:
            lines.append([])
        lines[-1].append(each)
    return "\n".join(map(_line, lines))


def _line(signs: list[tuple[float, float, float, float, str]]) -> str:
    signs.sort(key=lambda each: each[1])
    written, end = "", signs[0][1]
    for _, left, right, height, sign in signs:
        written += (" " if left - end > height / 8 else "") + sign
        end = max(end, right)
    return written


def _without_text(page: PdfPage, drawn: Image, besides: set[str]) -> Image:
    import PIL.Image
    import pypdfium2.raw as pdfium

    if pdfium.FPDFPage_GetAnnotCount(page.raw):
        besides.add("annotations")
    objects = list(page.get_objects(max_depth=1))
    texts = [each for each in objects if each.type == pdfium.FPDF_PAGEOBJ_TEXT]
    rules = [each for each in objects if each.type == pdfium.FPDF_PAGEOBJ_PATH and _is_rule(each, page)]
    if not all(map(_has_plain_font, texts)):
        besides.add("fonts")
    if not all(map(_is_visible, texts)) or _is_covered(objects, texts, rules):
        besides.add("hidden-text")
    if len(texts) + len(rules) == len(objects):  # nothing else is on it, and to draw nothing takes as long
        return PIL.Image.new("L", (1, 1), "white")
    for each in (*texts, *rules):
        page.remove_obj(each)
    return _drawn(page, SIDE_MAX, "L") if texts or rules else drawn


def _has_plain_font(text: PdfObject) -> bool:
    import ctypes

    import pypdfium2.raw as pdfium

    font = pdfium.FPDFTextObj_GetFont(text.raw)
    name = ctypes.create_string_buffer(100)
    pdfium.FPDFFont_GetBaseFontName(font, name, len(name))
    family = re.split(r"[-,]", name.value.decode("latin-1"))[0]
    return not pdfium.FPDFFont_GetIsEmbedded(font) and family in PLAIN_FONTS


def _is_visible(text: PdfObject) -> bool:
    """Dark, filled, and as high as something that is read."""
    import ctypes

    import pypdfium2.raw as pdfium

    red, green, blue, alpha = (ctypes.c_uint() for _ in range(4))
    pdfium.FPDFPageObj_GetFillColor(text.raw, red, green, blue, alpha)
    filled = (pdfium.FPDF_TEXTRENDERMODE_FILL, pdfium.FPDF_TEXTRENDERMODE_FILL_STROKE)
    is_dark = max(red.value, green.value, blue.value) <= DARK_MOST and alpha.value == 255
    _, bottom, _, top = text.get_bounds()
    is_blank = top <= bottom  # spaces alone have no height
    return is_blank or (is_dark and pdfium.FPDFTextObj_GetTextRenderMode(text.raw) in filled and top - bottom >= 1)


def _is_covered(objects: list[PdfObject], texts: list[PdfObject], rules: list[PdfObject]) -> bool:
    """Whether something is drawn over a text, so that words that people see apart stand there together."""
    written: list[tuple[float, ...]] = []
    for each in objects:
        if each in texts:
            written.append(each.get_bounds())
        elif each not in rules:
            left, bottom, right, top = each.get_bounds()
            if any(left < r and l < right and bottom < t and b < top for l, b, r, t in written):  # noqa: E741
                return True
    return False


def _is_rule(path: PdfObject, page: PdfPage) -> bool:
    """A thin line over half the page at the least: nobody writes an account with such strokes, nor covers one."""
    import pypdfium2.raw as pdfium

    segments = pdfium.FPDFPath_CountSegments(path.raw)
    if not 0 < segments <= _RECTANGLE_SEGMENTS:
        return False
    kinds = {
        pdfium.FPDFPathSegment_GetType(pdfium.FPDFPath_GetPathSegment(path.raw, number)) for number in range(segments)
    }
    left, bottom, right, top = path.get_bounds()
    across, up = right - left, top - bottom
    width, height = page.get_size()
    is_long = (across >= width / 2 and up <= RULE_MOST) or (up >= height / 2 and across <= RULE_MOST)
    return pdfium.FPDF_SEGMENT_BEZIERTO not in kinds and is_long


def _is_bare(page: Image, codes: list[Barcode]) -> bool:
    """Whether nothing is printed on it but these codes, and nothing within one that is paid by."""
    from PIL import Image, ImageChops, ImageDraw, ImageFilter

    if not all(_is_clean(page, code) for code in codes if code.bytes.startswith((b"BCD", _SWISS))):
        return False
    page = page.copy()
    for code in codes:
        at = code.position
        corners = [(each.x, each.y) for each in (at.top_left, at.top_right, at.bottom_right, at.bottom_left)]
        covered = Image.new("L", page.size)
        ImageDraw.Draw(covered).polygon(_around(corners, _AROUND), fill=255)
        box = covered.getbbox()
        if box is not None:
            page.paste(_paper(page, box), box, covered.crop(box))
    page.thumbnail((_INK_SIDE, _INK_SIDE))
    ink = ImageChops.difference(page, page.filter(ImageFilter.BoxBlur(_AROUND)))
    return sum(ink.histogram()[_INK:]) < _INK_POINTS


def _paper(page: Image, box: tuple[int, int, int, int]) -> Image:
    """What is around that place, as the light goes over it from corner to corner."""
    from PIL import Image

    left, top, right, bottom = box
    greys = Image.new("L", (2, 2))
    for place, (x, y) in (
        ((0, 0), (left, top)),
        ((1, 0), (right, top)),
        ((0, 1), (left, bottom)),
        ((1, 1), (right, bottom)),
    ):
        near = page.crop(
            (max(0, x - _AROUND), max(0, y - _AROUND), min(page.width, x + _AROUND), min(page.height, y + _AROUND))
        )
        found = sorted(near.tobytes()) or [255]
        greys.putpixel(place, found[len(found) // 2])
    return greys.resize((right - left, bottom - top), Image.Resampling.BILINEAR, box=(0.5, 0.5, 1.5, 1.5))


def _is_clean(page: Image, code: Barcode) -> bool:
    """Whether each module of a QR code is of one grey, and that is the one of the dark or of the light ones around it.
    What is written within a code crosses modules, or makes others of them. Not looked for in the middle of a QR-bill,
    where its cross stands."""
    import zxingcpp

    if code.format != zxingcpp.BarcodeFormat.QRCode:
        return False
    extra: Any = code.extra
    modules = 17 + 4 * int(extra["Version"])
    is_swiss = code.bytes.startswith(_SWISS)
    unused: Any = extra["UEC"]  # error correction that was not needed to read it, of one
    at = code.position
    corners = [(each.x, each.y) for each in (at.top_left, at.bottom_left, at.bottom_right, at.top_right)]
    pixels = min(abs(corners[2][axis] - corners[0][axis]) for axis in (0, 1)) / modules
    if modules > _MODULES_MOST or pixels < _MODULE_LEAST or unused < (_UNUSED_SWISS if is_swiss else _UNUSED):
        return False
    greys, spread = _modules_of(page, corners, modules, pixels)
    usual = _usual(greys, modules)
    cross = modules * _CROSS_SHARE / 2 + 1 if is_swiss else -1
    unclean = sum(
        spread[place] > _MODULE_INK or min(abs(greys[place] - each) for each in usual[place]) > _MODULE_OFF
        for place in range(modules * modules)
        if max(abs(which - modules // 2) for which in divmod(place, modules)) > cross
    )
    return unclean <= modules * modules * _UNCLEAN_SHARE


def _usual(greys: bytes, modules: int) -> list[tuple[int, ...]]:
    """Of each module the greys that dark and light ones have about there: a lamp and a shadow change them slowly, and
    what is written in between only those that it crosses."""
    between = (min(greys) + max(greys)) / 2
    parts: dict[tuple[int, ...], tuple[list[int], list[int]]] = {}
    part_of = [tuple(which // _PART for which in divmod(place, modules)) for place in range(modules * modules)]
    for part, grey in zip(part_of, greys, strict=True):
        parts.setdefault(part, ([], []))[grey > between].append(grey)
    found = {part: tuple(sorted(side)[len(side) // 2] for side in sides if side) for part, sides in parts.items()}
    return [found[part] for part in part_of]


def _modules_of(page: Image, corners: list[tuple[int, int]], modules: int, pixels: float) -> tuple[bytes, bytes]:
    """Of each module, row for row, its grey, and how much it differs within itself; ``pixels`` is its side."""
    from PIL import Image, ImageChops, ImageFilter

    columns, rows = zip(*corners, strict=True)
    left, top = min(columns), min(rows)
    by = max(1, int(pixels / _MODULE_MOST))
    inside = page.crop((left, top, max(columns) + 1, max(rows) + 1)).reduce(by)
    window = (int(pixels / by * _MODULE_INNER) - 1) | 1
    shape = [(place + 0.5) / by for x, y in corners for place in (x - left, y - top)]
    dark, light = (
        inside.filter(extreme(window)).transform((modules, modules), Image.Transform.QUAD, shape)
        for extreme in (ImageFilter.MinFilter, ImageFilter.MaxFilter)
    )
    return ImageChops.add(dark, light, scale=2).tobytes(), ImageChops.difference(dark, light).tobytes()


def _around(corners: list[tuple[int, int]], by: int) -> list[tuple[int, int]]:
    """The same four sided shape, a little larger."""
    middle_x, middle_y = sum(x for x, _ in corners) / 4, sum(y for _, y in corners) / 4
    return [(x + (by if x > middle_x else -by), y + (by if y > middle_y else -by)) for x, y in corners]


def _pages(content: bytes, *, side: int, mode: str) -> Iterator[Image | None]:
    """What a person would look at, grey (``L``) or in ``RGB``, none of it larger than ``side`` either way.

    None is a page after the first that asks to draw too much.
    """
    return _pdf_pages(content, side, mode) if content.startswith(PDF) else iter([_photo(content, side, mode)])


def _opened(content: bytes) -> PdfDocument:
    import pypdfium2

    try:
        document = pypdfium2.PdfDocument(content)
    except pypdfium2.PdfiumError as error:
        if "password" in str(error).lower():
            raise Refused(
                "encrypted", "The PDF opens with a password only. Save it without, and add it again."
            ) from None
        raise
    if not len(document):
        raise Refused("not-well-formed", "The PDF has no page.")
    return document


def _pdf_pages(content: bytes, side: int, mode: str) -> Iterator[Image | None]:
    document = _opened(content)
    pages = len(document)
    # the likeliest ones first: there may not be time for all
    numbers = [0, *range(pages - 1, max(0, pages - 1 - LAST_PAGES), -1), *range(1, min(FIRST_PAGES, pages))]
    for number in dict.fromkeys(numbers):
        page = document[number]
        if not _is_drawable(page):
            if number == 0:
                raise Refused("too-large", "The first page of the PDF asks to draw more than any bill needs.")
            yield None
            continue
        yield _drawn(page, side, mode)


def _drawn(page: PdfPage, side: int, mode: str) -> Image:
    longer = max(page.get_size())
    scale = min(_DPI / _POINTS, side / longer) if longer > 0 else 1
    drawn: Image = page.render(scale=scale, may_draw_forms=False).to_pil()
    return drawn.convert(mode)


def _is_drawable(page: PdfPage) -> bool:
    """By what it asks to draw, before it is drawn."""
    import pypdfium2

    pixels = 0
    for number, each in enumerate(page.get_objects()):
        if isinstance(each, pypdfium2.PdfImage):
            width, height = each.get_px_size()
            pixels += width * height
        if number >= OBJECTS_MAX or pixels > PIXELS_MAX:
            return False
    return True


def _photo(content: bytes, side: int, mode: str) -> Image:
    import PIL.Image
    import PIL.ImageOps

    passes = _passes(content) if content.startswith(JPEG) else []  # also one of several in a file
    PIL.Image.MAX_IMAGE_PIXELS = None  # the bounds stand below, before anything is unpacked
    with PIL.Image.open(io.BytesIO(content), formats=PHOTOS) as opened:
        width, height = opened.size
        if width * height > PIXELS_MAX:
            raise Refused("too-large", f"The picture has more than {PIXELS_MAX // 1_000_000} million pixels.")
        held = 0
        if passes and ("progressive" in opened.info or passes != [len(opened.getbands())]):
            held = width * height * len(opened.getbands()) * 2  # libjpeg keeps all coefficients
        opened.draft(mode, (side, side))  # a JPEG is made smaller while it is read
        width, height = opened.size
        if len(passes) > PASSES_MAX or held + width * height * _bytes_a_pixel(opened) > UNPACKED_MAX:
            raise Refused("too-large", "Reading the picture takes more memory or time than any bill needs.")
        photo = _resizable(opened, mode)
        photo.thumbnail((side, side))
        PIL.ImageOps.exif_transpose(photo, in_place=True)
        if photo.has_transparency_data:  # what nobody sees is on no page
            photo = photo.convert("RGBA")
            photo = PIL.Image.alpha_composite(PIL.Image.new("RGBA", photo.size, "white"), photo)
        return photo.convert(mode)


def _passes(content: bytes) -> list[int]:
    """How many components each pass over a JPEG has, up to one pass more than we allow.

    Only of the picture itself: not of a smaller one inside a segment, and nothing of what follows its end, as the film
    that a phone adds. Raises Refused for more segments than we allow: each costs time, however little it holds.
    """
    passes: list[int] = []
    segments, at = 0, 2
    while len(passes) <= PASSES_MAX and (found := _MARKER.search(content, at)) and found[1] != _END:
        segments, at = segments + 1, found.end()
        if segments > SEGMENTS_MAX:
            raise Refused("too-large", "The picture has more parts than any photo needs.")
        if found[1] == _PASS:
            passes += content[at + 2 : at + 3]
        at += max(2, int.from_bytes(content[at : at + 2]))
    return passes


def _bytes_a_pixel(opened: Image) -> int:
    """What unpacking it takes at most, with the copies that are made of it on the way."""
    if opened.format == "WEBP":
        return 16
    if "transparency" in opened.info:
        return 12
    return {"1": 2, "L": 1, "LA": 8, "RGBA": 8, "CMYK": 9}.get(opened.mode, 5)


def _resizable(opened: Image, mode: str) -> Image:
    """In a mode in which it becomes smaller without losing what is thin, and what is transparent stays so."""
    if opened.mode == "I;16":  # 16 bits of grey, of which convert() would take the lower ones
        return opened.point(lambda value: value * (1 / 256)).convert("L")
    if opened.has_transparency_data:
        return opened.convert("RGBA") if "transparency" in opened.info else opened
    wanted = "L" if opened.mode in ("1", "L") else mode
    return opened if opened.mode == wanted else opened.convert(wanted)


def _jpeg(page: Image) -> bytes:
    made = io.BytesIO()
    page.info = {}  # comments, places
    page.save(made, "JPEG", quality=75)
    return made.getvalue()


if __name__ == "__main__":
    main()
