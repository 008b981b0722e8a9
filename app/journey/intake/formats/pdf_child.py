"""Takes a PDF apart, in a process of its own that may use little memory and time and then is gone.

Run as a file, not as a module of ours: it imports pypdf and nothing of Quittance. Its argument are the milliseconds
of processor time after which it is ended. A PDF comes in on stdin, one JSON object goes out on stdout:
``{"files": [[name, base64], …], "text": …, "text_is_whole": bool, "besides": [code, …]}``, or
``{"refused": [code, detail]}``.

``besides`` is why pages may show people something else than that text: ``annotations`` (also fields of a form, and
layers), ``fonts`` (that draw whatever they like), ``pages`` (more than are read), ``revisions`` (an earlier or a second
state of the file, of which programs show one or the other).
"""

from __future__ import annotations

import base64
import io
import json
import logging
import resource
import signal
import sys
from collections.abc import Iterator
from typing import Any

MEMORY_MAX = 256 * 1024 * 1024
FILES_MAX = 20
FILE_BYTES_MAX = 10 * 1024 * 1024
#: nodes of the tree of names; a tree of 20 files has a handful
NODES_MAX = 200
#: of what is read for people; a bill says its amount on the first of them
PAGES_MAX = 3
TEXT_MAX = 100_000
#: how a font that is not embedded may say which letter a byte is
_ENCODINGS = ("/WinAnsiEncoding", "/MacRomanEncoding", "/StandardEncoding")


class Refused(Exception):
    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code, self.detail = code, detail


def main() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_MAX, MEMORY_MAX))
    signal.setitimer(signal.ITIMER_PROF, int(sys.argv[1]) / 1000)  # nothing handles its signal: it ends the process
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    json.dump(answer(sys.stdin.buffer.read()), sys.stdout)


def answer(content: bytes) -> dict[str, Any]:
    """What goes out for these bytes."""
    logging.disable(logging.CRITICAL)  # pypdf tells what it mends; stderr is for a fault of ours
    try:
        return _taken_apart(content)
    except Refused as refused:
        return {"refused": [refused.code, refused.detail]}
    except MemoryError:
        return {"refused": ["too-large", "Reading the PDF takes more memory than any bill needs."]}
    except Exception as error:  # noqa: BLE001  # whatever a stranger's file makes of pypdf
        # pypdf's own limits are an error of this name
        code = "too-large" if type(error).__name__ == "LimitReachedError" else "not-well-formed"
        return {"refused": [code, f"The PDF cannot be read ({type(error).__name__})."]}
    finally:
        logging.disable(logging.NOTSET)


def _taken_apart(content: bytes) -> dict[str, Any]:
    import pypdf

    pypdf.overwrite_configuration(
        zlib_maximum_output_length=FILE_BYTES_MAX,
        lzw_maximum_output_length=FILE_BYTES_MAX,
        run_length_maximum_output_length=FILE_BYTES_MAX,
        brotli_maximum_output_length=FILE_BYTES_MAX,
        array_based_stream_maximum_output_length=FILE_BYTES_MAX,
        stream_decoding_work_maximum_length=4 * FILE_BYTES_MAX,
        page_tree_maximum_entries=10_000,
        jbig2dec_binary=None,  # no other program
    )
    reader = pypdf.PdfReader(io.BytesIO(content), strict=False)
    if reader.is_encrypted:
        raise Refused("encrypted", "The PDF is encrypted. Send it without a password and without restrictions.")
    catalog = reader.trailer["/Root"].get_object()
    _nothing_active(catalog)
    files = [[name, base64.b64encode(_content(stream, name)).decode()] for name, stream in _embedded(catalog)]
    text = _text(reader)
    whole = text is not None and len(text) <= TEXT_MAX
    shown = (text or "")[:TEXT_MAX].encode("utf-8", "replace").decode()
    return {"files": files, "text": shown, "text_is_whole": whole, "besides": _besides(content, reader, catalog)}


def _nothing_active(catalog: Any) -> None:
    action = _got(catalog, "/OpenAction")
    names = _got(catalog, "/Names")
    kind = _got(action, "/S") if isinstance(action, dict) else None
    if kind in ("/JavaScript", "/Launch") or _got(names, "/JavaScript") or _got(catalog, "/AA"):
        raise Refused("active-content", "The PDF runs a program when it is opened. Send it without.")


def _embedded(catalog: Any) -> list[tuple[str, Any]]:
    """Every embedded file by its name: the whole tree of names, which may have several levels, and the associated."""
    root = _got(_got(catalog, "/Names"), "/EmbeddedFiles")
    specifications = list(_leaves(root)) if root is not None else []
    if root is not None and not specifications and (_got(root, "/Kids") or _got(root, "/Names")):
        raise Refused("not-well-formed", "The PDF names embedded files, but none can be found.")
    for each in _got(catalog, "/AF") or []:
        specification = each.get_object()
        if not any(specification == known for known in specifications):
            specifications.append(specification)
    if len(specifications) > FILES_MAX:
        raise Refused("too-large", f"The PDF has more than {FILES_MAX} embedded files.")
    return [pair for each in specifications if (pair := _named(each)) is not None]


def _leaves(root: Any) -> Iterator[Any]:
    waiting, seen = [root], 0
    found = 0
    while waiting:
        node = waiting.pop()
        seen += 1
        if seen > NODES_MAX or found > FILES_MAX:
            raise Refused("too-large", f"The PDF has more than {FILES_MAX} embedded files.")
        for specification in (_got(node, "/Names") or [])[1::2]:
            found += 1
            yield specification.get_object()
        waiting += [kid.get_object() for kid in (_got(node, "/Kids") or [])[: NODES_MAX + 1]]


def _named(specification: Any) -> tuple[str, Any] | None:
    name = _got(specification, "/UF") or _got(specification, "/F")
    held = _got(specification, "/EF")
    stream = _got(held, "/UF") or _got(held, "/F")
    return (str(name or ""), stream) if stream is not None else None


def _content(stream: Any, name: str) -> bytes:
    data: bytes = stream.get_data() if name.lower().endswith(".xml") else b""
    if len(data) > FILE_BYTES_MAX:
        raise Refused("too-large", "An embedded file is larger than 10 MiB.")
    return data


def _text(reader: Any) -> str | None:
    """What the first pages say to people; None where it cannot be read. For comparing, never for reading values."""
    try:
        found = [reader.pages[number].extract_text() for number in range(min(PAGES_MAX, len(reader.pages)))]
    except Exception:  # noqa: BLE001  # a page that cannot be read tells nothing
        return None
    return "\n".join(found)


def _besides(content: bytes, reader: Any, catalog: Any) -> list[str]:
    try:
        pages = [reader.pages[number] for number in range(min(PAGES_MAX, len(reader.pages)))]
        found = {
            "annotations": _got(catalog, "/AcroForm") or _got(catalog, "/OCProperties") or any(map(_annotated, pages)),
            "fonts": not all(_is_plain(font.get_object()) for page in pages for font in _fonts(page)),
            "pages": len(reader.pages) > PAGES_MAX,
            "revisions": content.count(b"startxref") != 1 or b"/XRefStm" in content,
        }
    except Exception:  # noqa: BLE001  # what cannot be read may be anything
        return ["fonts"]
    return [code for code, holds in found.items() if holds]


def _annotated(page: Any) -> bool:
    return bool(_got(page, "/Annots"))


def _fonts(page: Any) -> list[Any]:
    return list((_got(page.get("/Resources").get_object(), "/Font") or {}).values()) if "/Resources" in page else []


def _is_plain(font: Any) -> bool:
    """Whether each viewer draws it with a font of its own, letter by letter as the text is read."""
    encoding = _got(font, "/Encoding")
    if _got(font, "/Subtype") not in ("/Type1", "/TrueType") or _got(font, "/ToUnicode") is not None:
        return False
    embedded = any(name.startswith("/FontFile") for name in _got(font, "/FontDescriptor") or {})
    return not embedded and (encoding is None or encoding in _ENCODINGS)


def _got(node: Any, key: str) -> Any:
    value = node.get(key) if isinstance(node, dict) else None
    return value.get_object() if value is not None else None


if __name__ == "__main__":
    main()
