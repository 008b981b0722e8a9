"""Cuts the pages' fonts to size: from the wheels' TrueType files to small woff2 files in app/static/fonts, and beside
them TrueType for the PDFs that are made here.

Without it a first visit would fetch several hundred kilobytes, or show the system's fonts. `make install`
runs it once (`python -m app.fonts`); the files it writes are git-ignored and never committed.

The fonts, both under the SIL Open Font License 1.1, whose text is copied beside the files:

- Atkinson Hyperlegible, by the Braille Institute, from the wheel fontpkg-atkinson-hyperlegible: text and
  figures. Static weights 400 and 700.
- Literata, by TypeTogether for Google, from the wheel fontpkg-literata: headings and amounts. The wheel has
  one variable font (optical size 7-72, weight 200-900); its optical size is fixed at 24 and its weight kept
  from 400 to 700.

Neither has a reserved font name, so that a subset may keep the name (checked in both wheels' LICENSE).
"""

from __future__ import annotations

import importlib.resources
import io
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from fontTools import subset
from fontTools.ttLib import TTFont
from fontTools.varLib import instancer

FONTS_FOLDER: Final = Path(__file__).resolve().parent / "static" / "fonts"

# Latin with the accents of the languages of Europe, then what a bill needs: dashes and quotes, currency
# signs, arrows, a check mark, the minus sign.
UNICODE_RANGES: Final = (
    (0x0020, 0x007E),  # Basic Latin
    (0x00A0, 0x00FF),  # Latin-1
    (0x0100, 0x017F),  # Latin Extended-A
    (0x0218, 0x021B),  # Romanian S and T with comma below
    (0x02C6, 0x02DD),  # spacing accents
    (0x2000, 0x206F),  # punctuation: narrow no-break space of French amounts, dashes, quotes, ellipsis
    (0x20A0, 0x20C0),  # currency
    (0x2116, 0x2122),  # numero, trade mark
    (0x2190, 0x2199),  # arrows
    (0x2212, 0x2212),  # minus
    (0x2713, 0x2713),  # check mark
)

# French amounts group their digits by a narrow no-break space, which neither font maps: it takes the thin
# space's glyph (or, without one, the no-break space's), so that a browser does not fall back for it.
NARROW_NO_BREAK_SPACE: Final = 0x202F
STAND_INS: Final = (0x2009, 0x00A0)

# `tnum`: figures of one width, for columns of amounts. The rest is what a browser switches on by itself.
LAYOUT_FEATURES: Final = ("ccmp", "kern", "liga", "locl", "lnum", "mark", "mkmk", "tnum")


@dataclass(frozen=True, slots=True, kw_only=True)
class Font:
    """One file to make: from which wheel, under which name, with which axes fixed or cut."""

    package: str
    source: str
    target: str
    axes: tuple[tuple[str, float | tuple[float, float]], ...] = ()


FONTS: Final = (
    Font(
        package="fontpkg_atkinson_hyperlegible",
        source="AtkinsonHyperlegible-Regular.ttf",
        target="atkinson-regular.woff2",
    ),
    Font(
        package="fontpkg_atkinson_hyperlegible",
        source="AtkinsonHyperlegible-Bold.ttf",
        target="atkinson-bold.woff2",
    ),
    Font(
        package="fontpkg_literata",
        source="Literata[opsz,wght].ttf",
        target="literata-variable.woff2",
        axes=(("opsz", 24.0), ("wght", (400.0, 700.0))),
    ),
    # the same for what is printed: PDF takes TrueType, and no axes
    Font(
        package="fontpkg_atkinson_hyperlegible",
        source="AtkinsonHyperlegible-Regular.ttf",
        target="atkinson-regular.ttf",
    ),
    Font(
        package="fontpkg_atkinson_hyperlegible",
        source="AtkinsonHyperlegible-Bold.ttf",
        target="atkinson-bold.ttf",
    ),
    Font(
        package="fontpkg_literata",
        source="Literata[opsz,wght].ttf",
        target="literata-semibold.ttf",
        axes=(("opsz", 24.0), ("wght", 600.0)),
    ),
)

LICENCES: Final = (
    ("fontpkg_atkinson_hyperlegible", "atkinson-OFL.txt"),
    ("fontpkg_literata", "literata-OFL.txt"),
)


def build(folder: Path) -> list[Path]:
    """Write every font and licence into `folder`; what is there and newer than its source stays as it is.

    Returns the files it wrote. A half-written file is never left under the final name.
    """
    folder.mkdir(parents=True, exist_ok=True)
    written: list[Path] = []
    for font in FONTS:
        source = _inside(font.package) / "files" / font.source
        target = folder / font.target
        if _is_current(target, source):
            continue
        _write(target, _cut(source, font))
        written.append(target)
    for package, name in LICENCES:
        source, target = _inside(package) / "LICENSE", folder / name
        if not _is_current(target, source):
            _write(target, source.read_bytes())
            written.append(target)
    return written


def main() -> int:
    """Build into the place the pages expect; says what it wrote, or nothing."""
    for path in build(FONTS_FOLDER):
        print(f"{path.name}: {path.stat().st_size / 1000:.0f} kB")
    return 0


def _inside(package: str) -> Path:
    return Path(str(importlib.resources.files(package)))


def _is_current(target: Path, source: Path) -> bool:
    if not target.exists():
        return False
    oldest_allowed = max(source.stat().st_mtime, Path(__file__).stat().st_mtime)
    return target.stat().st_mtime >= oldest_allowed


def _cut(source: Path, font: Font) -> bytes:
    options = subset.Options()
    options.flavor = "woff2" if font.target.endswith(".woff2") else None
    options.layout_features = list(LAYOUT_FEATURES)
    options.hinting = False
    options.desubroutinize = True
    options.name_IDs = [0, 1, 2, 3, 4, 5, 6, 13, 14]  # names, copyright and licence stay in the file
    opened = TTFont(source)
    _map_narrow_space(opened)
    cutter = subset.Subsetter(options)
    cutter.populate(unicodes=[c for first, last in UNICODE_RANGES for c in range(first, last + 1)])
    cutter.subset(opened)
    if (
        font.axes
    ):  # after the cut: a fraction of the glyphs is left, and the instancer drops variations the cut looks up
        opened = instancer.instantiateVariableFont(opened, dict(font.axes), inplace=True)
    buffer = io.BytesIO()
    subset.save_font(opened, buffer, options)
    return buffer.getvalue()


def _map_narrow_space(opened: TTFont) -> None:
    for table in opened["cmap"].tables:
        glyph = next((table.cmap[c] for c in STAND_INS if c in table.cmap), None)
        if glyph is not None and table.isUnicode():
            table.cmap.setdefault(NARROW_NO_BREAK_SPACE, glyph)


def _write(target: Path, content: bytes) -> None:
    partial = target.with_name(f".{target.name}.{os.getpid()}")
    partial.write_bytes(content)
    partial.replace(target)


if __name__ == "__main__":
    sys.exit(main())
