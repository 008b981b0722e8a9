"""Looks at a PDF or a photo that a customer adds, in a process of its own that may use little memory and time.

Run as a file, not as a module of ours: it imports nothing of Quittance. A file comes in on stdin, one JSON object goes
out on stdout. Asked for ``codes``: ``{"codes": [base64, …]}``, what the QR and Data Matrix codes on it say, each once.
Asked for ``picture``: ``{"picture": base64}``, its first page as a JPEG that was drawn here, so that nothing of the
file itself ever reaches a browser. Or ``{"refused": [code, detail]}``.
"""

from __future__ import annotations

import base64
import io
import json
import resource
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL.Image import Image

#: address space: the libraries take a third of it
MEMORY_MAX = 1024 * 1024 * 1024
CPU_S_MAX = 8
#: of a photo: the cameras of phones make up to 50 million
PIXELS_MAX = 64_000_000
#: of what codes are looked for on, and of what is shown: the longer side
SIDE_MAX, SHOWN_SIDE_MAX = 3_000, 1_400
#: a payment part stands on the first page, or on the last
FIRST_PAGES, LAST_PAGES = 3, 2
CODES_MAX = 20
CODE_BYTES_MAX = 4_000
#: as many points as an inch has pixels where codes are looked for; the bounds on sides hold whatever a page measures
_POINTS, _DPI = 72, 200
PDF = b"%PDF-"
PHOTOS = ("JPEG", "PNG", "WEBP")


class Refused(Exception):
    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code, self.detail = code, detail


def main() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_MAX, MEMORY_MAX))
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_S_MAX, CPU_S_MAX))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    json.dump(answer(sys.stdin.buffer.read(), wanted=sys.argv[1]), sys.stdout)


def answer(content: bytes, *, wanted: str) -> dict[str, object]:
    """What goes out for these bytes."""
    try:
        if wanted == "picture":
            return {"picture": base64.b64encode(_jpeg(next(_pages(content, side=SHOWN_SIDE_MAX)))).decode()}
        return {"codes": [base64.b64encode(code).decode() for code in _codes(content)]}
    except Refused as refused:
        return {"refused": [refused.code, refused.detail]}
    except MemoryError:
        return {"refused": ["too-large", "Reading the file takes more memory than any bill needs."]}
    except Exception as error:  # noqa: BLE001  # whatever a stranger's file makes of the libraries
        return {"refused": ["not-well-formed", f"The file cannot be read ({type(error).__name__})."]}


def _codes(content: bytes) -> list[bytes]:
    import zxingcpp

    found: dict[bytes, None] = {}
    for page in _pages(content, side=SIDE_MAX):
        looked_for = zxingcpp.BarcodeFormats([zxingcpp.BarcodeFormat.QRCode, zxingcpp.BarcodeFormat.DataMatrix])
        for code in zxingcpp.read_barcodes(page.convert("L"), formats=looked_for):
            if code.valid and 0 < len(code.bytes) <= CODE_BYTES_MAX:
                found[code.bytes] = None
    return list(found)[:CODES_MAX]


def _pages(content: bytes, *, side: int) -> Iterator[Image]:
    """What a person would look at, none of it larger than ``side`` either way."""
    return _pdf_pages(content, side) if content.startswith(PDF) else iter([_photo(content, side)])


def _pdf_pages(content: bytes, side: int) -> Iterator[Image]:
    import pypdfium2

    try:
        document = pypdfium2.PdfDocument(content)
    except pypdfium2.PdfiumError as error:
        if "password" in str(error).lower():
            raise Refused(
                "encrypted", "The PDF opens with a password only. Save it without, and add it again."
            ) from None
        raise
    pages = len(document)
    if not pages:
        raise Refused("not-well-formed", "The PDF has no page.")
    for number in sorted({*range(min(FIRST_PAGES, pages)), *range(max(0, pages - LAST_PAGES), pages)}):
        page = document[number]
        longer = max(page.get_size())
        scale = min(_DPI / _POINTS, side / longer) if longer > 0 else 1
        yield page.render(scale=scale, may_draw_forms=False).to_pil()


def _photo(content: bytes, side: int) -> Image:
    import PIL.Image
    import PIL.ImageOps

    PIL.Image.MAX_IMAGE_PIXELS = None  # the bound stands below, before anything is unpacked
    with PIL.Image.open(io.BytesIO(content), formats=PHOTOS) as opened:
        width, height = opened.size
        if width * height > PIXELS_MAX:
            raise Refused("too-large", f"The picture has more than {PIXELS_MAX // 1_000_000} million pixels.")
        opened.draft("RGB", (side, side))  # a JPEG is made smaller while it is read
        photo = PIL.ImageOps.exif_transpose(opened)
        photo.thumbnail((side, side))
        return photo.convert("RGB")


def _jpeg(page: Image) -> bytes:
    made = io.BytesIO()
    page.info = {}  # comments, places
    page.convert("RGB").save(made, "JPEG", quality=75)
    return made.getvalue()


if __name__ == "__main__":
    main()
