"""What somebody sees on a receipt that was printed."""

from __future__ import annotations

import pypdfium2
import zxingcpp


def text_of(content: bytes) -> str:
    document = pypdfium2.PdfDocument(content)
    return " ".join(" ".join(page.get_textpage().get_text_range() for page in document).split())


def code_on(content: bytes) -> str:
    """What a telephone reads."""
    page = pypdfium2.PdfDocument(content)[0]
    [code] = zxingcpp.read_barcodes(page.render(scale=2.5).to_pil())
    return str(code.text)
