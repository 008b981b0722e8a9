"""Every word that a person reads at the bank, in English and French. Without it they would drift apart."""

from __future__ import annotations

from decimal import Decimal
from typing import Literal, cast

from babel.numbers import format_currency
from werkzeug.datastructures import LanguageAccept
from werkzeug.http import parse_accept_header

from connectors.sandbox_bank.scenarios import Reason

Language = Literal["en", "fr"]
LANGUAGES: dict[Language, str] = {"fr": "Français", "en": "English"}
_LOCALES: dict[Language, str] = {"en": "en_GB", "fr": "fr_FR"}

_ENGLISH = {
    "bank": "Horizon Bank",
    "sandbox": "Sandbox: a pretend bank. No real money moves here.",
    "language": "Language",
    "step": "Step {step} of 2",
    "sign_in_title": "Sign in to your bank",
    "sign_in_lead": "{tpp} sent you here to pay {amount} to {payee}.",
    "who_are_you": "Who are you?",
    "pin": "PIN",
    "pin_hint": "In the sandbox everybody’s PIN is 1234.",
    "sign_in": "Sign in",
    "wrong_pin": "That PIN is not right. Tries left: {tries}.",
    "no_customer": "Choose who you are.",
    "decide_title": "Approve this payment?",
    "hello": "Signed in as {name}",
    "amount": "Amount",
    "payee": "Payee",
    "payee_iban": "Account of the payee",
    "reference": "Reference",
    "none": "none",
    "asked_by": "Asked by",
    "pay_from": "Pay from",
    "current": "Current account",
    "savings": "Savings account",
    "available": "{amount} available",
    "obstacle_NO_FUNDS": "Not enough money on this account.",
    "obstacle_ANOTHER_ACCOUNT_WANTED": "{tpp} asked for another account.",
    "no_account": "None of your accounts can pay this. You can only refuse.",
    "choose_account": "Choose an account that can pay this.",
    "approve": "Approve {amount}",
    "refuse": "Refuse",
    "executes": "By approving you pay: the money leaves your account, even if you close this page.",
    "executes_later": "By approving you order this payment for {day}: the bank keeps it until then.",
    "day": "Day",
    "approved_title": "Approved",
    "approved_text": "Your bank has taken the order to pay {amount} to {payee}.",
    "refused_title": "Not paid",
    "refused_text": "No money has moved.",
    "closed_title": "This payment is already decided",
    "closed_text": "There is nothing more to approve here. {tpp} shows you where the payment stands.",
    "going_back": "We are taking you back to {tpp}.",
    "back": "Back to {tpp}",
    "error_title": "We cannot go on",
    "error_request": "The request that brought you here is not right, and nothing was approved by it."
    " Go back to where you came from and start again.",
    "error_visit": "This visit is over, or it began in another browser. Go back to where you came from:"
    " there you see where your payment stands.",
    "error_form": "This form is no longer valid. Go back, reload the page and try again.",
    "error_404": "There is no such page.",
    "error_other": "Something is not right with this request.",
    "refused_by_customer": "You refused this payment at your bank.",
    "wrong_pin_five_times": "The PIN was wrong five times.",
    "timed_out": "The payment was not approved within 15 minutes.",
    "no_funds": "There was not enough money on the account.",
    "rejected_later": "Your bank rejected the payment after checking it.",
    "reversed": "The payment was sent back by the payee’s bank; the money is on your account again.",
}

# \u00a0: French keeps its colon, semicolon and question mark on the line of the word before.
_FRENCH = {
    "bank": "Horizon Bank",
    "sandbox": "Bac à sable\u00a0: une banque fictive. Aucun argent réel ne circule ici.",
    "language": "Langue",
    "step": "Étape {step} sur 2",
    "sign_in_title": "Connectez-vous à votre banque",
    "sign_in_lead": "{tpp} vous envoie ici pour payer {amount} à {payee}.",
    "who_are_you": "Qui êtes-vous\u00a0?",
    "pin": "Code secret",
    "pin_hint": "Dans le bac à sable, le code de tout le monde est 1234.",
    "sign_in": "Se connecter",
    "wrong_pin": "Ce code n’est pas le bon. Essais restants\u00a0: {tries}.",
    "no_customer": "Choisissez qui vous êtes.",
    "decide_title": "Approuver ce paiement\u00a0?",
    "hello": "Session de {name}",
    "amount": "Montant",
    "payee": "Bénéficiaire",
    "payee_iban": "Compte du bénéficiaire",
    "reference": "Référence",
    "none": "aucune",
    "asked_by": "Demandé par",
    "pay_from": "Payer depuis",
    "current": "Compte courant",
    "savings": "Compte d’épargne",
    "available": "{amount} disponibles",
    "obstacle_NO_FUNDS": "Pas assez d’argent sur ce compte.",
    "obstacle_ANOTHER_ACCOUNT_WANTED": "{tpp} a demandé un autre compte.",
    "no_account": "Aucun de vos comptes ne peut payer cette somme. Vous pouvez seulement refuser.",
    "choose_account": "Choisissez un compte qui peut payer cette somme.",
    "approve": "Approuver {amount}",
    "refuse": "Refuser",
    "executes": "Approuver, c’est payer\u00a0: l’argent quitte votre compte, même si vous fermez cette page.",
    "executes_later": "En approuvant, vous ordonnez ce paiement pour le {day}\u00a0: la banque le garde d’ici là.",
    "day": "Jour",
    "approved_title": "Approuvé",
    "approved_text": "Votre banque a pris l’ordre de payer {amount} à {payee}.",
    "refused_title": "Non payé",
    "refused_text": "L’argent n’a pas bougé.",
    "closed_title": "Ce paiement est déjà décidé",
    "closed_text": "Il n’y a plus rien à approuver ici. {tpp} vous montre où en est le paiement.",
    "going_back": "Nous vous ramenons chez {tpp}.",
    "back": "Retour chez {tpp}",
    "error_title": "Nous ne pouvons pas continuer",
    "error_request": "La demande qui vous amène ici est incorrecte\u00a0; rien n’a été approuvé par elle."
    " Revenez d’où vous venez et recommencez.",
    "error_visit": "Cette visite est terminée, ou elle a commencé dans un autre navigateur. Revenez d’où"
    " vous venez\u00a0: vous y verrez où en est votre paiement.",
    "error_form": "Ce formulaire n’est plus valable. Revenez en arrière, rechargez la page et réessayez.",
    "error_404": "Cette page n’existe pas.",
    "error_other": "Cette demande n’est pas correcte.",
    "refused_by_customer": "Vous avez refusé ce paiement à votre banque.",
    "wrong_pin_five_times": "Le code secret était faux cinq fois.",
    "timed_out": "Le paiement n’a pas été approuvé en 15 minutes.",
    "no_funds": "Il n’y avait pas assez d’argent sur le compte.",
    "rejected_later": "Votre banque a rejeté le paiement après vérification.",
    "reversed": "La banque du bénéficiaire a renvoyé le paiement\u00a0; l’argent est sur votre compte.",
}

TEXTS: dict[Language, dict[str, str]] = {"en": _ENGLISH, "fr": _FRENCH}


def language(wanted: str) -> Language:
    """The best of ours for an Accept-Language value; English where there is none."""
    for tag in parse_accept_header(wanted, LanguageAccept).values():
        if tag.lower().split("-")[0] in LANGUAGES:
            return cast(Language, tag.lower().split("-")[0])
    return "en"


def money(lang: Language, amount_minor: int) -> str:
    return format_currency(Decimal(amount_minor).scaleb(-2), "EUR", locale=_LOCALES[lang])


def rejection(lang: Language, reason: Reason) -> str:
    """`psuMessage`: why the payment was rejected, in words for the customer."""
    return TEXTS[lang][reason.value]


def spaced_iban(iban: str) -> str:
    """In groups of four, as ISO 13616 prints it."""
    return " ".join(iban[at : at + 4] for at in range(0, len(iban), 4))


def masked_iban(iban: str) -> str:
    """Enough to recognise one's own account, not enough for a look over the shoulder."""
    return f"{iban[:4]} •••• {iban[-4:]}"
