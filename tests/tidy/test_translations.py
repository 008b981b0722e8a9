"""Every English sentence has its French one, complete and of today."""

from __future__ import annotations

import re
from functools import cache

from babel.messages.catalog import Catalog, Message
from babel.messages.extract import DEFAULT_KEYWORDS, extract_from_dir
from babel.messages.frontend import parse_mapping_cfg
from babel.messages.pofile import read_po

from config.settings import ROOT

WHERE = "app/translations/fr/LC_MESSAGES/messages.po"
KEYWORDS = DEFAULT_KEYWORDS | {"lazy_gettext": None, "lazy_ngettext": (1, 2)}


@cache
def wanted() -> Catalog:
    """Every sentence of pages and code."""
    with (ROOT / "config" / "babel.cfg").open(encoding="utf-8") as file:
        methods, options = parse_mapping_cfg(file)  # type: ignore[no-untyped-call]
    catalog = Catalog()
    found = extract_from_dir(ROOT, methods, options, keywords=KEYWORDS, directory_filter=only_ours)
    for path, line, words, _, context in found:
        catalog.add(words, locations=[(path, line)], context=context)
    return catalog


def only_ours(folder: object) -> bool:
    parts = str(folder).removeprefix(str(ROOT)).strip("/").split("/")
    return parts[0] in ("", "app", "connectors") and "__pycache__" not in parts


@cache
def french() -> Catalog:
    with (ROOT / WHERE).open("rb") as file:
        return read_po(file, locale="fr")


def sentences(catalog: Catalog) -> list[Message]:
    return [message for message in catalog if message.id]


def texts(message: Message) -> list[str]:
    return [message.string] if isinstance(message.string, str) else list(message.string or [""])


def test_there_are_sentences() -> None:
    assert len(sentences(wanted())) > 100


def test_every_sentence_is_translated() -> None:
    for message in sentences(wanted()):
        theirs = french().get(message.id, message.context)
        place = ":".join(str(part) for part in message.locations[0])
        assert theirs is not None, f"{WHERE} lacks {message.id!r} ({place})."
        assert all(texts(theirs)), f"{WHERE}: {message.id!r} ({place}) has no French words yet."
        assert not theirs.fuzzy, f"{WHERE}: {message.id!r} is marked fuzzy: read it, mend it, take the mark away."


def test_every_translation_is_still_said() -> None:
    for message in sentences(french()):
        assert wanted().get(message.id, message.context), f"{WHERE}: nothing says {message.id!r} any more: drop it."


def test_a_translation_fills_in_the_same_values() -> None:
    for message in sentences(french()):
        said = message.id if isinstance(message.id, str) else message.id[-1]
        for text in texts(message):
            assert holes(text) == holes(said), f"{WHERE}: {text!r} must fill in the values of {said!r}."
        faults = [str(fault) for fault in message.check(french())]
        assert not faults, f"{WHERE}: {message.id!r}: {faults}"


def holes(text: str) -> set[str]:
    return set(re.findall(r"%\(\w+\)[sd]", text))


def test_french_signs_do_not_begin_a_line() -> None:
    """A wide no-break space before a colon and within quotation marks, a narrow one before a semicolon and the like."""
    for message in sentences(french()):
        for words in texts(message):
            assert not re.search(r"[ \u202f][:»]|[ \xa0][;?!]|«[ \u202f]", words), f"{WHERE}: {words!r}"
