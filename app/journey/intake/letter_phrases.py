"""The phrases in which an honest letter says where, to whom, how much, when and how a bill is paid; French and English.

A word that could turn a payment stands in a letter that is called real only in such a phrase, and all else in the
phrase was compared with the bill before: an account, an amount, a day, a number, a time to pay in, the name of the
company. So "transfer M to our account A by D" may be said, and "to the account of our service" not, for no account
stands there.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from app.journey.intake.letter_words import LETTER_WORDS, PARTIES
from app.people import lookalikes

#: what stands in a text for something that was compared with the bill; of private use, so that no text brings its own
ACCOUNT, AMOUNT, DAY, MONTH, NUMBER, TERM, COMPANY = map(chr, range(0xE000, 0xE007))

# Patterns over small words; ``_`` ends a word, blanks and breaks are for reading. A capital stands for what was
# compared: A an account of the company's, M an amount, D a day, T a time to pay in, N a number, C the company's name,
# S a month.

#: until when
_BY = """(?:
    (?:by|on|before|until|till|within|no_later_than|not_later_than|on_or_before|at_the_latest_by)_ (?:the_)? [DT]_
    | (?:avant|pour|jusqu_(?:au|à)|au_plus_tard|d_ici(?:_au)?|au|dans|sous|à)_
        (?:le_|la_|un_|date_du_|délai_de_){0,3} [DT]_
    | (?:bis|bis_zum|bis_spätestens|am|vor_dem|innerhalb_von|voor|uiterlijk|binnen)_ (?:op_)? [DT]_
    | le_D_
)"""
#: where to: an account of the company's, whatever it is called
_TO = f"""(?:
    (?:(?:to|into|on|using|at|via)_)?
    (?:(?:our|the|this|these|following|club|bank|account|accounts|details|number|iban|below|of|for|C)_){{0,8}} A_
    | to_our_account_ {_BY} (?:·_)? (?:beneficiary_C_)? (?:iban_)? A_
    | (?:(?:à|sur|au|vers|via|en_utilisant)_)?
    (?:(?:le|la|l|notre|nos|mon|un|compte|coordonnées|bancaires?|du|de|d|club|régisseur|créditer|à|suivante?s?|ci|dessous
        |après|iban|C)_){{0,8}} A_
    | (?:(?:auf|an|naar|op)_)?
    (?:(?:das|unser|onze|het|folgendes|konto|rekening|bankverbindung|rekeningnummer|von|van|iban|C)_){{0,8}} A_
)"""
#: to whom
_FOR = "(?:(?:to|for|payable_to|to_the_order_of|à|pour|à_l_ordre_de|au_profit_de|en_faveur_de|au_nom_de|an|aan)_C_)"
#: how: by a transfer, and nothing else
_WAY = """(?:
    (?:by|via|per)_(?:bank_)?transfer_(?:only_)? | (?:par|au_moyen_d_un)_virement_(?:bancaire_)?(?:uniquement_)?
    | (?:per|durch)_überweisung_ | per_overschrijving_
)"""
#: under which number
_UNDER = """(?:
    (?:quoting|with|stating|using|mentioning|under)_ (?:(?:the|your|our|payment|bill|invoice|reference|number)_){0,6} N_
    | (?:en|avec|sous)_
    (?:(?:indiquant|précisant|rappelant|mentionnant|la|le|votre|notre|référence|mention|numéro|libellé|communication
        |facture|n)_){0,6} N_
)"""
_SO = f"(?:{_BY}|{_TO}|{_FOR}|{_WAY}|{_UNDER})"
#: what is paid: the bill, or a sum that was compared
_IT = """(?:(?:it|this|the|your|our|full|total|outstanding|bill|invoice|amount|sum|balance|due|payable|of|for|N|M
    |eur)_){0,9}"""
_CELA = """(?:(?:la|le|l|les|cette|ce|votre|notre|ma|au|en|facture|somme|montant|total|solde|cotisation|redevance
    |règlement|paiement|virement|de|du|d_un|n|numéro|N|M|eur)_){0,9}"""
_PLEASE = """(?:
    (?:it_would_be_great_if_you_could|we_would_be_grateful_if_you_could|please|kindly|you_can|you_may|we|ask_you_to
        |could_you|you_need_to|to_be|is|must_be)_
){0,4}"""
_VEUILLEZ = """(?:
    (?:veuillez|merci|de|d|bien|vouloir|nous|vous|prions|remercions|saurions_gré|pouvez|la|le|l|demandons|est|sont|doit_être|pour|à)_
){0,9}"""
_PAID = "(?:payment|règlement|paiement|virement|transfer|zahlung|überweisung|betaling)"
_SUM = """(?:montant|total|somme|net|solde|reste|amount|balance|sum|betrag|gesamtbetrag|summe|bedrag|totaal
    |rechnungsbetrag)"""
_THIS = "this_(?:message|reminder|letter)"
# what begins first is taken first, and of two that begin at one word the one that stands first here
_PHRASES = (
    # a reminder that asks nothing of who has paid; no answer is wanted
    f"if_you_have_already_paid_ (?:(?:this|the|it|bill|invoice)_){{0,3}} please_(?:ignore|disregard)_{_THIS}_",
    f"please_(?:ignore|disregard)_{_THIS}_if_(?:payment_has_been_made|you_have_already_paid)_",
    f"""si_vous_avez_déjà_(?:effectué|réglé|payé)_ (?:(?:le|votre|ce|cette|{_PAID}|facture)_){{0,3}}
        (?:merci_de|veuillez)_ne_pas_tenir_compte_de_ce_(?:message|rappel|courrier)_""",
    "merci_de_ne_pas_y_répondre_ | merci_de_ne_pas_répondre_à_ce_message_ | please_do_not_reply_to_this_message_",
    "dans_le_cas_contraire_",
    # what stands over a part of a letter, and asks for nothing
    f"""(?:your_)?account_summary_ | notice_of_{_PAID}_ | avis_d_échéance_ | avis_de_somme_à_payer_
        | (?:{_PAID}_method|(?:mode|moyen|modalités)_de_{_PAID})_
            (?:(?:by_|par_)?(?:bank_transfer|virement_bancaire|virement)_)?
        | {_PAID}_(?:details|information)_""",
    # whose account it is
    """(?:the_)?name_on_the_account_is_C_
        | (?:account_(?:holder|name)|titulaire(?:_du_compte)?|payee|beneficiary|bénéficiaire|recipient|empfänger
        |zahlungsempfänger|kontoinhaber|begunstigde|payable_to|à_l_ordre_de)_(?:is_|est_)? C_""",
    f"(?:(?:payment_)?(?:terms|conditions_de_{_PAID})_)? {_PAID}_by_ [DT]_",
    # a sum that is asked for
    f"""(?:{_SUM}_)? (?:(?:total|amount|ttc|of)_){{0,2}}
        (?:to_pay|to_be_paid|due|payable|owed|owing|you_owe|what_you_owe|à_payer|à_régler|dûe?|exigible|zu_zahlen|zahlbar|fällig
        |te_betalen)_ (?:est_de_|is_|s_élève_à_)? (?:eur_)? M_ (?:{_SO}){{0,4}}""",
    f"(?:escompte|rabais|remise|discount|skonto|korting)_ (?:of_|de_){{0,1}} M_ (?:{_BY})?",
    "new_charges_M_",
    # the transfer, to be made as compared
    f"""(?:your_|votre_|le_|the_)? (?:bank_)? {_PAID}_ (?:bancaire_)?
        (?:(?:est|is|requested|attendu|expected|should_reach_us|doit_nous_parvenir|à_effectuer|due|uniquement)_){{0,2}}
        (?:{_SO}){{1,6}}""",
    f"""{_PLEASE} (?:pay|paid|settle|settled|transfer|transferred|remit|make|arrange|use)_
        (?:(?:your_|the_)?{_PAID}_)? {_IT} (?:{_SO}){{1,6}}""",
    f"{_PLEASE} (?:pay|settle|transfer|remit|arrange_payment_of)_ {_IT} (?<=[MN]_)",
    f"""{_VEUILLEZ} (?:payer|régler|réglez|virer|verser|versez|effectuer|procéder|attendue?|payable|exigible)_ {_CELA}
        (?:{_SO}){{1,6}}""",
    f"{_VEUILLEZ} (?:payer|régler|virer|verser)_ {_CELA} (?<=[MN]_)",
    f"""(?:bitte_)? (?:überweisen|zahlen|bezahlen)_
        (?:(?:sie|bitte|den|die|das|betrag|gesamtbetrag|rechnung|von|in_höhe_von|M|N)_){{0,8}} (?:{_SO}){{1,6}}""",
    f"(?:gelieve_)? (?:te_)? betalen_ (?:(?:het|bedrag|van|M|N)_){{0,6}} (?:{_SO}){{1,6}}",
    # until when
    f"""(?:(?:is|are|and|it|falls)_){{0,3}} (?:due|payable|fällig|zahlbar|exigible)_ (?:date_)?
        (?:{_SO}|[DT]_){{1,6}}""",
    f"""(?:(?:payment_)?due_date|payment_deadline|last_day_for_{_PAID}|date_(?:limite|d_échéance)(?:_de_{_PAID})?
        |(?:arrive_)?(?:à_)?échéance|délai_de_{_PAID}|fälligkeit|fälligkeitsdatum|zahlungsziel|vervaldatum
        |(?:{_PAID}_)?terms|conditions_de_{_PAID})_ (?:à_réception_au_plus_tard_le_)? (?:{_BY}|[DT]_)""",
    "(?:until|by|before|within|avant|bis)_ [DT]_",
    "vous_avez_jusqu_(?:au|à)_ (?:le_)? D_",
    f"(?:we_)?look_forward_to_your_{_PAID}_ (?:{_BY})?",
    # what stands before an account or a number in a table
    f"""(?:(?:bank|account|accounts|compte|bancaires?|coordonnées|details|konto|bankverbindung|rekening|rekeningnummer|{_PAID}
        |iban|is|our|in|à_créditer|du_régisseur|C)_){{1,8}} A_""",
    f"""(?:{_PAID}_reference|reference_for_{_PAID}|message_to_payee|(?:référence|motif|libellé)_d[eu]_{_PAID}
        |communication(?:_structurée)?|verwendungszweck|mededeling|mention|motif)_ N_""",
    f"""(?:(?:please|merci_de|merci_d|veuillez|n_oubliez_pas_de|remember_to|et|and)_){{0,2}}
        (?:quote|use|mention|state|indiquer|rappeler|mentionner|préciser|utiliser|indiquant|précisant|rappelant)_
        (?:(?:the|your|la|le|l|votre|référence|reference|numéro|number|et|and|iban|de|bill|invoice|facture|C|N|A)_){{1,9}}
        (?<=[NAC]_) (?:(?:with|for|pour|dans|in|on)_ (?:(?:the|your|le_libellé_de|votre)_)? {_PAID}_)?""",
    f"dans_le_libellé_de_votre_{_PAID}_",
    "(?:bic|swift)_(?:bic_|swift_|code_){0,2} (?=[a-z]{6}[a-z0-9]{2,5}_)",  # its code stays, to be the bill's
    # times and news that are only told, and greetings with one
    """(?:have_a|bonne|excellente|belle)_ (?:(?:nice|good|lovely|great|very)_){0,2}
        (?:day|week|evening|weekend|journée|soirée|fin_de_semaine)_""",
    """de_ce_mois_ci_ | du_mois_ | de_l_année_ | for_the_(?:month|year|quarter|coming_year)_
        | (?:of|for|in|de|d|pour|du_mois_de)_S_""",
    """(?:your|our|latest|this)_ (?:annual|monthly|quarterly|yearly|new)_ (?:bill|invoice|statement|subscription)_
        | (?:cotisation|redevance|facture|prime)_(?:annuelle|mensuelle|trimestrielle)_ | votre_nouvelle_facture_""",
    "(?:ancien|nouvel|nouveau|dernier|previous|new|last|present)_ (?:index|reading|relevé)_",
    """(?:now|désormais)_(?:available|ready|disponible|consultable)_ | before_(?:vat|tax)_
        | (?:we_)?hope_to_see_you_(?:again|soon)_ | hear(?:ing)?_from_you_soon_ | see_(?:below|above)_
        | (?:with_)?(?:our_)?best_wishes_
        | (?:nous_)?restons_à_votre_disposition_
        | à_(?:très_)?(?:vite|bientôt)_ | good_(?:morning|afternoon|evening)_ | guten_(?:tag|morgen|abend)_
        | (?:et_)?recevez_(?:madame|monsieur|cher|chère|nos|l_expression)_ | comes?_to_M_""",
    """(?:je|nous)_vous_adresse_ | pleased_to_send_you_ | let_you_know_ | parent_or_guardian_ | sir_or_madam_
        | d_avoir_choisi_ | bonne_réception_ | bien_à_vous_ | (?:numéro|référence|n)_(?:de_)?client_
        | customer_(?:number|reference|id)_ | to_whom_it_may_concern_ | without_deduction_ | appel_de_fonds_
        | let_us_know_if_anything_is_unclear_ | bon_rétablissement_""",
    # what is harmless only in its phrase
    """hors_(?:taxes?|tva)_(?:est_|is_)?M_ | excl(?:uding)?_(?:vat|tax)_M_ | standing_charges?_ | waste_collection_
        | collecte_des_(?:déchets|ordures)_ | (?:for|of)_your_trust_ | (?:bill|invoice)_no_N_
        | kind_(?:regards|wishes)_ | value_added_tax_""",
)

_ANY = re.compile(rf"\b(?:{'|'.join(_PHRASES).replace('_', '[ ]')})", re.VERBOSE)
_TOKEN = re.compile(rf"[^\W_]+|[{ACCOUNT}-{COMPANY}·]")
_AS_LETTER = dict(zip((ACCOUNT, AMOUNT, DAY, MONTH, NUMBER, TERM, COMPANY), "AMDSNTC", strict=True))
#: what was compared; what was a phrase, and the end of a sentence
_EXPLAINED = frozenset("AMDSNTC·")

#: somebody to whom, or at whose place, something could be paid that is no account of the company's: "M to our club"
_TOWARDS = re.compile(
    r"\b(?:to|at|for|pour|für|voor|with|via|by|into|on|chez|à|au|aux|vers|avec|par|sur|an|auf|bei|mit|zum|zur|aan"
    r"|bij|naar|met|op)[ ]"
    rf"(?:[^\W\d_A-Z]+[ ]){{0,4}}?((?:{'|'.join(sorted(PARTIES))}|internet|home|maison)[ ])"
)
#: somebody behind a sum who is neither the company nor an account of its; a day, a number and a time may stand there
_SOMEBODY = re.compile(
    r"\bM[ ]((?:to|à|an|aan|voor|for|für|through|chez)[ ])"
    r"(?!(?:(?:le|la|l|the|your|votre|notre|our|account|compte|bank|iban|bill|invoice|facture|n|no|numéro|number|reference"
    r"|référence|date|du|de|of|month|mois|be|paid|pay|payer|régler|verser|virer|payable|échéance|club|avant|jusqu|au|plus"
    r"|tard|dans|sous|by|before|until|on|par|virement|transfer)[ ]){0,8}[ACDNST][ ])"
)
_END_OF_SENTENCE = re.compile(r"[.;!?](?=\s|\Z)|\n\s*\n")


def strange_words(left: str) -> Iterator[str]:
    """The words of a text that are neither harmless nor part of a phrase, small."""
    tokens = _TOKEN.findall(lookalikes.plain(_END_OF_SENTENCE.sub(" · ", left)))
    written = "".join(f"{_AS_LETTER.get(each, each)} " for each in tokens)
    said = _ANY.sub("· ", written)
    yield from (each for each in said.split() if each not in LETTER_WORDS and each not in _EXPLAINED)
    yield from _TOWARDS.findall(said)
    yield from _SOMEBODY.findall(written)


# What turns what stands beside it. A bill may have such words, and who repeats one may say another thing with it.
_TURNING = """
not never no nor or either instead other another else new changed change changes update updated former old wrong
cancel cancelled closed void twice double again first second once today tomorrow now immediately urgent urgently hour
hours call phone telephone write email mail contact click scan visit send reply ask tell fee fees fine penalty
surcharge extra additional plus more less half card cards cash cheque check voucher gift wallet crypto code pin
password collector agent partner lawyer bailiff court ne pas plus non jamais ni ou sinon autre autres nouveau nouvelle
nouveaux nouvelles changé change changement modifié ancien ancienne faux annulé fermé clos deux double encore fois
aujourd hui demain immédiatement urgent heure heures appeler appelez téléphone écrire écrivez contacter contactez
cliquer cliquez scanner scannez envoyer envoyez répondre frais pénalité pénalités majoration supplément moitié carte
cartes espèces chèque bon cadeau code mot passe huissier partenaire mandataire avocat tribunal rib banque compte payer
paiement nicht kein keine nie oder sondern statt anstatt ander andere anderen neu neue neuen neues geändert alt alte
doppelt sofort heute morgen dringend stunden anrufen rufen telefon schreiben senden gebühr gebühren mahngebühr karte
bar gutschein inkasso anwalt bank konto zahlen niet geen nooit of maar ander andere nieuw nieuwe gewijzigd oud dubbel
nu vandaag dringend uur bellen bel sturen kosten kaart bank rekening betalen incasso deurwaarder
"""


def _turning() -> Iterator[str]:
    for phrase in _PHRASES:
        yield from re.findall(r"[^\W\d_]{2,}", phrase)
    yield from _TURNING.split()


#: words that are not harmless for standing in the bill, as any others are; of a currency the bill's own is known
TURNING = frozenset(_turning()) - LETTER_WORDS - {"eur"}
