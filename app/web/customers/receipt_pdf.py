"""A receipt as a file that lasts: PDF/A-3 (ISO 19005-3, level B), with the proof of the payment inside and the address
of its check as a QR code (ISO/IEC 18004)."""

from __future__ import annotations

import datetime as dt
import unicodedata
from collections.abc import Container
from typing import Final

import segno
from fpdf import FPDF
from fpdf.enums import WrapMode, XPos, YPos
from fpdf.fonts import TTFFont

from app.fonts import FONTS_FOLDER
from app.web.customers.receipt_sheet import Amount, Said, Sheet

#: all in millimetres
MARGIN: Final = 20.0
WIDTH: Final = 210 - 2 * MARGIN
LABEL: Final = 48.0
QR: Final = 27.0
#: the colours of the pages in light, and of print
INK: Final = (26, 36, 32)
SOFT: Final = (86, 98, 92)
LINE: Final = (222, 218, 207)
BRICK: Final = (143, 42, 29)


def receipt_pdf(
    sheet: Sheet,
    *,
    language: str,
    issued_at: dt.datetime,
    proof: bytes | None,
    proof_name: str,
    check_url: str | None,
    check_words: str,
) -> bytes:
    """``proof`` is attached as the data behind the page (None: the log has not numbered it yet). ``check_url`` is what
    the code leads to; None: there is none."""
    paper = _Paper(sheet, language=language, issued_at=issued_at)
    paper.body(sheet)
    if check_url is not None:
        paper.check(check_url, check_words)
    if proof is not None:
        paper.pdf.embed_file(
            bytes=proof,
            basename=proof_name,
            mime_type="application/json",
            desc=sheet.number,
            associated_file_relationship="Data",
            modification_date=issued_at,
            compress=True,
        )
    return bytes(paper.pdf.output())


def _printable(text: str, known: Container[int]) -> str:
    """With what the fonts have: of a letter that they lack its base, or a question mark. Nothing is left out."""
    return "".join(
        letter if ord(letter) in known else _nearest(letter, known) for letter in unicodedata.normalize("NFC", text)
    )


def _nearest(letter: str, known: Container[int]) -> str:
    bases = [each for each in unicodedata.normalize("NFKD", letter) if ord(each) in known]
    if bases:
        return "".join(bases)
    return "" if unicodedata.category(letter) in ("Cf", "Mn") else "?"


class _Paper:
    """One A4 page; a long name or reference takes more lines, never less of itself."""

    def __init__(self, sheet: Sheet, *, language: str, issued_at: dt.datetime) -> None:
        self.pdf = pdf = FPDF(format="A4", enforce_compliance="PDF/A-3B")
        pdf.set_lang(language)
        pdf.set_title(sheet.title)
        pdf.set_author("Quittance")
        pdf.set_creation_date(issued_at)
        pdf.set_margins(MARGIN, MARGIN - 2, MARGIN)
        pdf.c_margin = 0  # words begin where lines do
        pdf.set_auto_page_break(True, margin=MARGIN - 4)
        for family, style, name in (
            ("text", "", "atkinson-regular"),
            ("text", "B", "atkinson-bold"),
            ("display", "", "literata-semibold"),
        ):
            pdf.add_font(family, style, FONTS_FOLDER / f"{name}.ttf")
        self._known = frozenset.intersection(
            *(frozenset(font.cmap) for font in pdf.fonts.values() if isinstance(font, TTFFont))
        )
        pdf.add_page()

    def body(self, sheet: Sheet) -> None:
        self._top(sheet)
        self._say(sheet.heading, family="display", size=21, height=9, after=1.5)
        self._say(sheet.lede, size=12, height=6, after=3)
        if sheet.demo is not None:
            self._say(sheet.demo, style="B", size=11, height=5.5, colour=BRICK, after=3)
        if sheet.void is not None:
            self._say(f"{sheet.title}. {sheet.void}", style="B", size=11, height=5.5, colour=BRICK, after=3)
        if sheet.unverified is not None:
            self._say(sheet.unverified, colour=SOFT, after=3)
        for line in sheet.amounts[:-1]:
            self._amount(line)
            self._rule(after=0.6)
        self._amount(sheet.amounts[-1])
        self._rule(colour=INK, width=0.5, after=1.6)
        self._amount(sheet.paid, is_sum=True)
        self.pdf.ln(7)
        self._say(sheet.payment_heading, family="display", size=13, height=7, after=1)
        for fact in sheet.payment:
            self._fact(fact)
        self.pdf.ln(5)
        self._say(sheet.ground_heading, family="display", size=13, height=7, after=1)
        self._say(sheet.ground, after=1.5)
        self._say(sheet.beside, size=9.5, height=4.7, colour=SOFT, after=4)

    def check(self, url: str, words: str) -> None:
        """Black on white, with the quiet zone around it that readers want, and its address beside it."""
        if self.pdf.get_y() + QR > self.pdf.h - self.pdf.b_margin:
            self.pdf.add_page()
        left, top = MARGIN, self.pdf.get_y()
        code = segno.make(url, error="m", micro=False)
        modules = [list(row) for row in code.matrix]
        size = QR / len(modules)
        self.pdf.set_fill_color(0, 0, 0)
        for y, row in enumerate(modules):
            x = 0
            while x < len(row):
                end = x
                while end < len(row) and row[end]:
                    end += 1
                if end > x:  # one rectangle for neighbours: no white hair-lines between them
                    self.pdf.rect(left + x * size, top + y * size, (end - x) * size, size, style="F")
                x = end + 1
        self.pdf.set_xy(left + QR + 4 * size + 2, top)
        self._font(colour=INK)
        beside = WIDTH - QR - 4 * size - 2
        self.pdf.multi_cell(beside, 5, self._text(words), align="L", new_x=XPos.LEFT, new_y=YPos.NEXT)
        self._font(size=8.5, colour=SOFT)
        self.pdf.multi_cell(beside, 4.2, url, align="L", wrapmode=WrapMode.CHAR, new_x=XPos.LEFT, new_y=YPos.NEXT)
        self.pdf.set_y(max(self.pdf.get_y(), top + QR))

    def _top(self, sheet: Sheet) -> None:
        self._font("display", size=15)
        self.pdf.cell(WIDTH / 2, 7, "Quittance")
        self._font(style="B")
        self.pdf.cell(WIDTH / 2, 7, self._text(sheet.number), align="R", new_x=XPos.LMARGIN, new_y=YPos.NEXT)
        self._font(size=9.5, colour=SOFT)
        self.pdf.cell(WIDTH, 5, self._text(sheet.issued), align="R", new_x=XPos.LMARGIN, new_y=YPos.NEXT)
        self._rule(after=8)

    def _amount(self, line: Amount, *, is_sum: bool = False) -> None:
        self._font("display" if is_sum else "text", size=14 if is_sum else 10.5)
        top = self.pdf.get_y()
        self.pdf.multi_cell(WIDTH - 50, 6.5, self._text(line.label), align="L", new_x=XPos.RIGHT, new_y=YPos.NEXT)
        below = self.pdf.get_y()
        self.pdf.set_xy(MARGIN + WIDTH - 50, top)
        self.pdf.cell(50, 6.5, self._text(line.value), align="R")
        self.pdf.set_xy(MARGIN, below)

    def _fact(self, fact: Said) -> None:
        top = self.pdf.get_y()
        self._font(colour=SOFT)
        self.pdf.multi_cell(LABEL, 5.4, self._text(fact.label), align="L", new_x=XPos.LMARGIN, new_y=YPos.NEXT)
        below = self.pdf.get_y()
        self.pdf.set_xy(MARGIN + LABEL, top)
        for at, text in enumerate((fact.value, *fact.more)):
            self._font(style="B" if fact.more and at == 0 else "")
            wrap = WrapMode.CHAR if fact.is_code else WrapMode.WORD
            self.pdf.set_x(MARGIN + LABEL)
            self.pdf.multi_cell(
                WIDTH - LABEL, 5.4, self._text(text), align="L", wrapmode=wrap, new_x=XPos.LEFT, new_y=YPos.NEXT
            )
        self.pdf.set_xy(MARGIN, max(below, self.pdf.get_y()) + 0.8)

    def _say(
        self,
        text: str,
        *,
        family: str = "text",
        style: str = "",
        size: float = 10.5,
        height: float = 5.2,
        colour: tuple[int, int, int] = INK,
        after: float = 0,
    ) -> None:
        self._font(family, style=style, size=size, colour=colour)
        self.pdf.multi_cell(WIDTH, height, self._text(text), align="L", new_x=XPos.LMARGIN, new_y=YPos.NEXT)
        self.pdf.ln(after)

    def _text(self, text: str) -> str:
        return _printable(text, self._known)

    def _font(
        self, family: str = "text", *, style: str = "", size: float = 10.5, colour: tuple[int, int, int] = INK
    ) -> None:
        self.pdf.set_font(family, style, size)
        self.pdf.set_text_color(*colour)

    def _rule(self, *, after: float, colour: tuple[int, int, int] = LINE, width: float = 0.2) -> None:
        self.pdf.set_draw_color(*colour)
        self.pdf.set_line_width(width)
        y = self.pdf.get_y() + 1
        self.pdf.line(MARGIN, y, MARGIN + WIDTH, y)
        self.pdf.set_y(y + after)
