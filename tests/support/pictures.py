"""Photos and scans of bills of our own making, with payment codes on them."""

from __future__ import annotations

import io

import zxingcpp
from PIL import Image

IBAN = "DE75512108001245126199"
REFERENCE = "RF18539007547034"


def epc_text(
    *, payee: str = "Dachdeckerei Brandt", iban: str = IBAN, amount: str = "EUR184.50", reference: str = REFERENCE
) -> str:
    """An EPC code (EPC069-12, version 002)."""
    return f"BCD\n002\n1\nSCT\n\n{payee}\n{iban}\n{amount}\n\n{reference}"


def page(*codes: str, size: tuple[int, int] = (1240, 1754), data_matrix: bool = False) -> Image.Image:
    """A white page with these codes one below the other."""
    drawn = Image.new("RGB", size, "white")
    kind = zxingcpp.BarcodeFormat.DataMatrix if data_matrix else zxingcpp.BarcodeFormat.QRCode
    for number, text in enumerate(codes):
        code = Image.fromarray(zxingcpp.create_barcode(text.encode(), kind).to_image(scale=5, add_quiet_zones=True))
        drawn.paste(code, (100, 100 + number * 500))
    return drawn


def as_file(drawn: Image.Image, file_format: str = "JPEG") -> bytes:
    """The bytes of a picture; ``PDF`` makes a scan of it."""
    made = io.BytesIO()
    drawn.save(made, file_format)
    return made.getvalue()
