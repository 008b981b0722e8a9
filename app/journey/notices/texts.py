"""What messages say, by kind and language. They are whole sentences of our own: nothing is filled in.

A kind has a subject and its own paragraphs; before them stand the two safe words, after them ``CLOSING``.
"""

from __future__ import annotations

from dataclasses import dataclass

from app.journey.notices.kinds import NoticeKind


@dataclass(frozen=True, slots=True)
class Text:
    """A subject in one line, and paragraphs."""

    subject: str
    paragraphs: tuple[str, ...]
    #: whether it says how to tell a fake: whoever is written to for the first time knows no words yet
    warns: bool = True


#: in front of the two words, and behind all that is said: what to do, and how to tell a fake
OPENING = {"en": "Your two safe words:", "fr": "Vos deux mots de reconnaissance :"}
CLOSING = {
    "en": (
        "To see more, open your space as you always do: by your own bookmark, or by typing its address. There is no"
        " link in this message, and there never is one.",
        "A message that has no safe words or other ones than yours, that has a link, or that is not in the list under"
        " Messages in your space, is not from us. Throw it away. Never tell anybody your safe words: we never ask for"
        " them.",
    ),
    "fr": (
        "Pour en savoir plus, ouvrez votre espace comme d’habitude : par votre propre signet, ou en tapant son"
        " adresse. Il n’y a pas de lien dans ce message, et il n’y en a jamais.",
        "Un message sans mots de reconnaissance ou avec d’autres que les vôtres, avec un lien, ou absent de la liste"
        " sous Messages dans votre espace, ne vient pas de nous. Jetez-le. Ne dites jamais à personne vos mots de"
        " reconnaissance : nous ne les demandons jamais.",
    ),
}

TEXTS: dict[NoticeKind, dict[str, Text]] = {
    NoticeKind.NEW_BILL: {
        "en": Text("Something new is in your space", ("One or more new bills have come into your space.",)),
        "fr": Text(
            "Il y a du nouveau dans votre espace",
            ("Une ou plusieurs nouvelles factures sont arrivées dans votre espace.",),
        ),
    },
    NoticeKind.BILL_HELD: {
        "en": Text(
            "A bill is held back",
            (
                "A bill came that is to be paid to an account which we do not know as the company’s, or which is not"
                " open now. It is held back: nobody can pay it here before somebody has looked at it.",
                "There is nothing that you have to do. Do not pay it in another way either before you know that it"
                " is right.",
            ),
        ),
        "fr": Text(
            "Une facture est retenue",
            (
                "Une facture est arrivée, à payer sur un compte que nous ne connaissons pas comme celui de"
                " l’entreprise, ou qui n’est pas ouvert en ce moment. Elle est retenue : personne ne peut la payer ici"
                " avant que quelqu’un l’ait examinée.",
                "Vous n’avez rien à faire. Ne la payez pas non plus d’une autre façon avant de savoir si elle est"
                " juste.",
            ),
        ),
    },
    NoticeKind.PAYMENT_SETTLED: {
        "en": Text("A payment is done", ("Your bank says that a payment of yours is done.",)),
        "fr": Text("Un paiement est fait", ("Votre banque dit qu’un de vos paiements est fait.",)),
    },
    NoticeKind.PAYMENT_FAILED: {
        "en": Text(
            "A payment was not made",
            ("A payment of yours was not made. Your space says why, and whether the bill can be paid again.",),
        ),
        "fr": Text(
            "Un paiement n’a pas été fait",
            (
                "Un de vos paiements n’a pas été fait. Votre espace dit pourquoi, et si la facture peut être payée à"
                " nouveau.",
            ),
        ),
    },
    NoticeKind.PAYMENT_REVERSED: {
        "en": Text(
            "A payment was taken back",
            ("A payment of yours that was done has been taken back. Your space says how its bill stands now.",),
        ),
        "fr": Text(
            "Un paiement a été repris",
            ("Un de vos paiements qui était fait a été repris. Votre espace dit où en est sa facture.",),
        ),
    },
    NoticeKind.ACCOUNT_FROZEN: {
        "en": Text(
            "Nothing more is paid to an account",
            (
                "Nothing more is paid to the account that a payment of yours was on its way to. The payment is stopped"
                " where that is still possible. Your space says how it stands.",
            ),
        ),
        "fr": Text(
            "Plus rien n’est payé sur un compte",
            (
                "Plus rien n’est payé sur le compte vers lequel allait un de vos paiements. Le paiement est arrêté là"
                " où c’est encore possible. Votre espace dit où il en est.",
            ),
        ),
    },
    NoticeKind.ADDRESS_ASKED: {
        "en": Text(
            "Is this address yours?",
            (
                "Somebody who has a space with us said that this address is theirs. If that was you, type the two"
                " words above in your space, under Messages. From then on every message from us begins with them.",
                "If it was not you, throw this message away and tell nobody the words: without them nothing else can be"
                " sent to you in anybody’s name.",
            ),
            warns=False,
        ),
        "fr": Text(
            "Cette adresse est-elle la vôtre ?",
            (
                "Quelqu’un qui a un espace chez nous a dit que cette adresse est la sienne. Si c’était vous, tapez les"
                " deux mots ci-dessus dans votre espace, sous Messages. Dès lors, chacun de nos messages commence par"
                " eux.",
                "Si ce n’était pas vous, jetez ce message et ne dites les mots à personne : sans eux, rien d’autre ne"
                " peut vous être envoyé au nom de quiconque.",
            ),
            warns=False,
        ),
    },
    NoticeKind.WORDS_CHANGED: {
        "en": Text(
            "Your safe words were changed",
            (
                "New safe words were drawn in your space. This message still begins with those of before, because they"
                " are the ones you know; it is the last one that does. The new ones stand in your space.",
                "If it was not you, sign in, end the other sessions under Security, and draw new ones again.",
            ),
        ),
        "fr": Text(
            "Vos mots de reconnaissance ont changé",
            (
                "De nouveaux mots de reconnaissance ont été tirés dans votre espace. Ce message commence encore par"
                " ceux d’avant, car ce sont ceux que vous connaissez ; c’est le dernier à le faire. Les nouveaux sont"
                " dans votre espace.",
                "Si ce n’était pas vous, connectez-vous, mettez fin aux autres sessions sous Sécurité, et tirez-en à"
                " nouveau.",
            ),
        ),
    },
}
