"""The words of the pages, in the bank's name, and of its app."""

from __future__ import annotations

from collections.abc import Mapping

from connectors.sandbox_bank import texts
from connectors.sandbox_bank.nextgen.orders import Authorisation, day_in_words
from connectors.sandbox_bank.texts import Language

_CONFIRMED: Mapping[Language, Mapping[str, str]] = {
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
_KEPT: Mapping[Language, Mapping[str, str]] = {
    "en": {
        "executes": "By approving you order this payment for {day} and later days as agreed: the bank sets the money"
        " aside and pays then, even if you close this page.",
        "approved_text": "Your bank keeps the order to pay {amount} to {payee} until its day.",
    },
    "fr": {
        "executes": "En approuvant, vous ordonnez ce paiement pour le {day} et, le cas échéant, les jours convenus"
        "\u00a0: la banque réserve la somme et paiera alors, même si vous fermez cette page.",
        "approved_text": "Votre banque garde l’ordre de payer {amount} à {payee} jusqu’à son jour.",
    },
}
_CANCELS: Mapping[Language, Mapping[str, str]] = {
    "en": {
        "sign_in_lead": "{tpp} sent you here to take back the order to pay {amount} to {payee}.",
        "decide_title": "Cancel this payment?",
        "executes": "By approving you take the order back: nothing will be paid by it.",
        "approve": "Cancel the payment of {amount}",
        "approved_title": "Cancelled",
        "approved_text": "Your bank has dropped the order to pay {amount} to {payee}.",
        "refuse": "Keep the order",
        "refused_title": "Kept",
        "refused_text": "The order stands as it was.",
        "choose_account": "Only who ordered this payment can take it back.",
    },
    "fr": {
        "sign_in_lead": "{tpp} vous envoie ici pour annuler l’ordre de payer {amount} à {payee}.",
        "decide_title": "Annuler ce paiement\u00a0?",
        "executes": "En approuvant, vous annulez l’ordre\u00a0: rien ne sera payé par lui.",
        "approve": "Annuler le paiement de {amount}",
        "approved_title": "Annulé",
        "approved_text": "Votre banque a annulé l’ordre de payer {amount} à {payee}.",
        "refuse": "Garder l’ordre",
        "refused_title": "Gardé",
        "refused_text": "L’ordre reste tel quel.",
        "choose_account": "Seule la personne qui a ordonné ce paiement peut l’annuler.",
    },
}
_APP: Mapping[Language, Mapping[str, str]] = {
    "en": {
        "app": "The app of {bank}",
        "app_lead": "This page plays the app on your phone. It shows what waits for somebody’s approval in this"
        " sandbox.",
        "app_empty": "Nothing waits to be approved.",
        "app_open": "{amount} to {payee}",
        "app_again": "Look again",
        "going_back": "{tpp} learns of it from your bank. You can put your phone away.",
        "back": "Back to the app",
    },
    "fr": {
        "app": "L’application de {bank}",
        "app_lead": "Cette page joue l’application de votre téléphone. Elle montre ce qui attend une approbation dans"
        " ce bac à sable.",
        "app_empty": "Rien n’attend d’approbation.",
        "app_open": "{amount} à {payee}",
        "app_again": "Regarder de nouveau",
        "going_back": "{tpp} l’apprend de votre banque. Vous pouvez ranger votre téléphone.",
        "back": "Retour à l’application",
    },
}


_FIRST: Mapping[Language, Mapping[str, str]] = {
    "en": {
        "first_lead": "{tpp} sent you here: this bank takes orders through it only once you have signed in. Signing in"
        " pays nothing; each payment is approved in the app.",
        "not_sign_in": "Do not sign in",
        "signed_in_title": "Signed in",
        "signed_in_text": "For twenty minutes you can give payments through {tpp}. Nothing has been paid.",
        "not_signed_in_title": "Not signed in",
        "not_signed_in_text": "Nothing has been allowed and nothing paid.",
    },
    "fr": {
        "first_lead": "{tpp} vous envoie ici\u00a0: cette banque n’accepte des ordres par son intermédiaire qu’une fois"
        " que vous êtes connecté. Se connecter ne paie rien\u00a0; chaque paiement est approuvé dans l’application.",
        "not_sign_in": "Ne pas se connecter",
        "signed_in_title": "Connecté",
        "signed_in_text": "Pendant vingt minutes, vous pouvez donner des paiements via {tpp}. Rien n’a été payé.",
        "not_signed_in_title": "Non connecté",
        "not_signed_in_text": "Rien n’a été autorisé et rien n’a été payé.",
    },
}


def of_sign_in(name: str, language: Language) -> dict[str, str]:
    """Before there is any order."""
    return {**texts.TEXTS[language], **_FIRST[language], "bank": name}


def of_bank(name: str, language: Language) -> dict[str, str]:
    return {**texts.TEXTS[language], **_APP[language], "bank": name}


def of(asked: Authorisation, language: Language, *, tpp: str) -> dict[str, str]:
    """For what is asked there."""
    brand = asked.order.brand
    words = {**texts.TEXTS[language], "bank": brand.name}
    if asked.cancels:
        words |= _CANCELS[language]
    elif brand.confirms:
        words |= _CONFIRMED[language]
    elif asked.order.execute_on is not None:
        words |= _KEPT[language]
    if brand.approach == "decoupled":
        words |= {name: _APP[language][name] for name in ("going_back", "back")}
    if not asked.cancels:
        words["executes"] = words["executes"].format(tpp=tpp, day=day_in_words(asked.order) or "")
    return words
