"""The words of the pages, in the bank's name. A bank that waits for the TPP says so."""

from __future__ import annotations

from collections.abc import Mapping

from connectors.sandbox_bank import texts
from connectors.sandbox_bank.stet.brands import Brand
from connectors.sandbox_bank.texts import Language

_AWAITED: Mapping[Language, Mapping[str, str]] = {
    "en": {
        "executes": "By approving you allow this payment. The bank executes it when {tpp} confirms it, which it does as"
        " soon as you are back there.",
        "approved_text": "You have approved {amount} to {payee}. {tpp} confirms it now: go back there.",
    },
    "fr": {
        "executes": "En approuvant, vous autorisez ce paiement. La banque l’exécute quand {tpp} le confirme, dès votre"
        " retour.",
        "approved_text": "Vous avez approuvé {amount} à {payee}. {tpp} le confirme maintenant\u00a0: revenez-y.",
    },
}


def of(brand: Brand, language: Language, *, tpp: str) -> dict[str, str]:
    words = {**texts.TEXTS[language], "bank": brand.name}
    if brand.confirmation == "awaited":
        awaited = _AWAITED[language]
        words |= {"executes": awaited["executes"].format(tpp=tpp), "approved_text": awaited["approved_text"]}
    return words
