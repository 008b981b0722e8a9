"""How the text of a letter is taken apart, and the words that more than one question looks for."""

from __future__ import annotations

import re
from collections.abc import Iterator

HERE = " \u00a4 "  #: stands where something was that is known, and parts what was around it
SPACE = "[ \u00a0\u202f]"
_SENTENCE = re.compile(r"[\n\r\u2028\u2029]+|(?<!\bincl)(?<!\bexcl)(?<!\binkl)[.;!?](?=\s)", re.IGNORECASE)
ASKED = re.compile(
    r"\b(?:payer|pay|be paid|payable(?! par carte)|payez|r[eé]gler|due|dûe?s?|ow(?:ed?|ing)|zahlen|zahlbar|f[aä]llig"
    r"|virer|verser|transfer|remit|settle|[uü]berweisen|betalen|exigible)\b",
    re.IGNORECASE,
)
#: beside which a sum or a day may be asked for: enough to say nothing, and too little to warn of it
CALLED_FOR = re.compile(
    rf"{ASKED.pattern}|\b(?:paid|payable|r[eé]glez|versez|versements?|r[eè]glements?|paiements?|payments?|proc[eé]der|proc[eé]dez"
    r"|effectuer|effectuez|virements?|virez|transfers?|zahlung|[uü]berweisung|betaling|overschrijving)\b",
    re.IGNORECASE,
)
BANK = "bank|banque|bancaires?|IBAN|RIB|accounts?|comptes?|konto|bankverbindung|coordonn[eé]es"
#: beside which the parts of an account would stand, as it is known in a country
BANK_WORDS = re.compile(
    rf"\b(?:{BANK}|guichet|agence|cl[eé]|branch|bsb|sort|kto|blz|giro|bankgiro|plusgiro|clearing|code)\b",
    re.IGNORECASE,
)


def carried_on(before: str, sentence: str, gap: str) -> str:
    """What a line that begins with a sum or a day is read with: the lines before it, without any number."""
    if gap[:1] in ".;!?" or any(map(str.isdigit, sentence)):
        return ""
    return f"{before} {sentence} " if len(sentence.split()) <= 1 else f"{sentence} "


def sentences(written: str) -> Iterator[tuple[str, int, str]]:
    """Each, where it begins, and what parts it from the next one."""
    at = 0
    for gap in _SENTENCE.finditer(written):
        yield written[at : gap.start()], at, gap[0]
        at = gap.end()
    yield written[at:], at, ""
