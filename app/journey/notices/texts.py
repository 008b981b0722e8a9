"""What messages say, by kind and language. They are whole sentences of our own: nothing is filled in.

A device shows the subject and ``ON_DEVICE``, and none of the paragraphs.

A kind has a subject and its own paragraphs; before them stand the two safe words, after them ``CLOSING``. The one
that asks for two words has these in their place.
"""

from __future__ import annotations

from dataclasses import dataclass

from app.journey.notices.kinds import NoticeKind


@dataclass(frozen=True, slots=True)
class Text:
    """A subject in one line, and paragraphs."""

    subject: str
    paragraphs: tuple[str, ...]
    #: whether the two words that it begins with are to be typed: no safe words, since it may reach a stranger, who is
    #: not told either how to tell a fake by them
    asks: bool = False


#: in front of the two words, and behind all that is said: what to do, and how to tell a fake
OPENING = {"en": "Your two safe words:", "fr": "Vos deux mots de reconnaissance :"}
OPENING_OF_QUESTION = {"en": "Two words to type in your space:", "fr": "Deux mots à taper dans votre espace :"}
#: behind the safe words of the one message that has words to type as well
TO_TYPE = {"en": "Three words to type:", "fr": "Trois mots à taper :"}
CLOSING = {
    "en": (
        "Open your space only as you always do: by your own bookmark, or by typing its address. There is no link in"
        " this message; there never is one in ours.",
        "A message without your safe words, with other ones, with a link, or missing from the list of the last ninety"
        " days under Messages in your space, is not from us. Throw it away. Never tell anybody your safe words: we"
        " never ask for them.",
    ),
    "fr": (
        "N’ouvrez votre espace que comme d’habitude : par votre propre signet, ou en tapant son adresse. Il n’y a pas"
        " de lien dans ce message ; il n’y en a jamais dans les nôtres.",
        "Un message sans vos mots de reconnaissance, avec d’autres mots, avec un lien, ou absent de la liste des"
        " quatre-vingt-dix derniers jours sous Messages dans votre espace, ne vient pas de nous. Jetez-le. Ne dites"
        " jamais à personne vos mots de reconnaissance : nous ne les demandons jamais.",
    ),
}

#: what a device shows below the subject of a kind: the whole text is for whoever has opened their space
ON_DEVICE = {
    "en": "Open your space as you always do to read it.",
    "fr": "Ouvrez votre espace comme d’habitude pour le lire.",
}

#: how the list in the space says what a message says for several at once, or to a mailbox alone
IN_SPACE: dict[NoticeKind, dict[str, Text]] = {
    NoticeKind.NEW_BILL: {"en": Text("A new bill", ()), "fr": Text("Une nouvelle facture", ())},
    NoticeKind.BILL_DUE: {"en": Text("A bill is due soon", ()), "fr": Text("Une facture est bientôt à payer", ())},
    NoticeKind.WORDS_CHANGED: {
        "en": Text(
            "New safe words were drawn",
            ("If it was not you, end the other sessions under Security, and draw new ones again.",),
        ),
        "fr": Text(
            "De nouveaux mots de reconnaissance ont été tirés",
            ("Si ce n’était pas vous, mettez fin aux autres connexions sous Sécurité, et tirez-en de nouveaux.",),
        ),
    },
    NoticeKind.ADDRESS_CHANGED: {
        "en": Text(
            "Your space has another e-mail address",
            (
                "From now on we write to another address. One of your passkeys signed that.",
                "If it was not you, somebody else has that passkey: stop everything, remove it under Security, and"
                " change the address back under Messages.",
            ),
        ),
        "fr": Text(
            "Votre espace a une autre adresse e-mail",
            (
                "Nous écrivons désormais à une autre adresse. Une de vos clés d’accès a signé cela.",
                "Si ce n’était pas vous, quelqu’un d’autre a cette clé : arrêtez tout, supprimez-la sous Sécurité, et"
                " rétablissez l’adresse sous Messages.",
            ),
        ),
    },
    NoticeKind.ADDRESS_ASKED: {
        "en": Text("We asked by e-mail whether your address is yours", ()),
        "fr": Text("Nous avons demandé par e-mail si votre adresse est la vôtre", ()),
    },
    NoticeKind.RECOVERY_ASKED: {
        "en": Text(
            "Somebody asked for words by e-mail to come into your space",
            ("If it was not you, there is nothing to do: without these words nothing happens. Tell them to nobody.",),
        ),
        "fr": Text(
            "Quelqu’un a demandé des mots par e-mail pour entrer dans votre espace",
            (
                "Si ce n’était pas vous, il n’y a rien à faire : sans ces mots, il ne se passe rien. Ne les dites à"
                " personne.",
            ),
        ),
    },
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
                "There is nothing that you have to do. Do not pay it any other way either until you know that it"
                " is right.",
            ),
        ),
        "fr": Text(
            "Une facture est retenue",
            (
                "Une facture est arrivée, à payer sur un compte que nous ne connaissons pas comme celui de"
                " l’entreprise, ou qui n’est pas ouvert en ce moment. Elle est retenue : personne ne peut la payer ici"
                " avant que quelqu’un l’ait examinée.",
                "Vous n’avez rien à faire. Ne la payez pas non plus d’une autre façon tant que vous ne savez pas si"
                " elle est juste.",
            ),
        ),
    },
    NoticeKind.BILL_REPLY: {
        "en": Text("A company has replied to you", ("A company has replied to what you said of a bill.",)),
        "fr": Text(
            "Une entreprise vous a répondu",
            ("Une entreprise a répondu à ce que vous aviez dit d’une facture.",),
        ),
    },
    NoticeKind.BILL_DUE: {
        "en": Text(
            "Bills are due soon",
            (
                "One or more bills in your space are to be paid soon. You asked to be told a while before. Nothing is"
                " paid by itself: in your space you can pay, plan a day, or answer the company.",
            ),
        ),
        "fr": Text(
            "Des factures sont bientôt à payer",
            (
                "Une ou plusieurs factures de votre espace sont bientôt à payer. Vous aviez demandé un rappel quelque"
                " temps avant. Rien ne se paie tout seul : dans votre espace, vous pouvez payer, prévoir un jour ou"
                " répondre à l’entreprise.",
            ),
        ),
    },
    NoticeKind.PLAN_DUE: {
        "en": Text(
            "You meant to pay today",
            (
                "Today is a day on which you meant to pay a bill. Nothing is paid by itself: as long as you do not sign"
                " in your space, the bill stays unpaid.",
            ),
        ),
        "fr": Text(
            "Vous vouliez payer aujourd’hui",
            (
                "C’est aujourd’hui que vous vouliez payer une facture. Rien ne se paie tout seul : tant que vous ne"
                " signez pas dans votre espace, la facture reste impayée.",
            ),
        ),
    },
    NoticeKind.PLAN_MISSED: {
        "en": Text(
            "A planned payment was not made",
            (
                "A day on which you meant to pay a bill is over, and it was not paid. Nothing was taken from your"
                " account. In your space you can pay it, plan another day or ask for more time.",
            ),
        ),
        "fr": Text(
            "Un paiement prévu n’a pas été fait",
            (
                "Le jour où vous vouliez payer une facture est passé, et elle n’a pas été payée. Rien n’a été prélevé"
                " sur votre compte. Dans votre espace, vous pouvez la payer, prévoir un autre jour ou demander un"
                " délai.",
            ),
        ),
    },
    NoticeKind.PAYMENT_COMING: {
        "en": Text(
            "A payment of yours is about to be made",
            (
                "A payment that you decided on for a later day will be made on that day: tomorrow, or today if you read"
                " this after midnight. You are not asked again.",
                # one that we keep can be cancelled until it is sent, one that a bank keeps until its day begins
                "Before that it can be cancelled: open its bill or the payment in your space, which says until when,"
                " and where.",
            ),
        ),
        "fr": Text(
            "Un de vos paiements va bientôt être fait",
            (
                "Un paiement que vous avez décidé pour un autre jour sera fait ce jour-là : demain, ou aujourd’hui si"
                " vous lisez ceci après minuit. Rien ne vous sera plus demandé.",
                "Avant cela, il peut être annulé : ouvrez la facture ou le paiement dans votre espace, qui dit"
                " jusqu’à quand et où.",
            ),
        ),
    },
    NoticeKind.PAYMENT_SETTLED: {
        "en": Text("A payment is done", ("A payment of yours is done. Its receipt is in your space.",)),
        "fr": Text("Un paiement est fait", ("Un de vos paiements est fait. Son reçu est dans votre espace.",)),
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
    NoticeKind.LATER_FAILED: {
        "en": Text(
            "A payment for a later day is not made",
            (
                "A payment that you had decided on for a later day is not made. Your space says why, and whether the"
                " bill can be paid again.",
            ),
        ),
        "fr": Text(
            "Un paiement prévu pour un autre jour n’est pas fait",
            (
                "Un paiement que vous aviez décidé pour un autre jour n’est pas fait. Votre espace dit pourquoi, et si"
                " la facture peut être payée à nouveau.",
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
            ("Un de vos paiements, déjà fait, a été repris. Votre espace dit où en est sa facture.",),
        ),
    },
    NoticeKind.KEPT_UNWANTED: {
        "en": Text(
            "Your bank keeps a payment that should not be made",
            (
                "Your bank keeps a payment for a later day, and something has happened since you approved it: it should"
                " not be made any more. The bank has not dropped it for us.",
                "Open the payment in your space: it says what has happened. Then cancel it at your bank before its"
                " day.",
            ),
        ),
        "fr": Text(
            "Votre banque garde un paiement qui ne devrait pas être fait",
            (
                "Votre banque garde un paiement pour un autre jour, et quelque chose s’est passé depuis que vous l’avez"
                " approuvé : il ne devrait plus être fait. La banque ne l’a pas annulé.",
                "Ouvrez le paiement dans votre espace : il dit ce qui s’est passé. Annulez-le ensuite à votre banque"
                " avant son jour.",
            ),
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
                "Somebody who has a space at Quittance said that this address is theirs. If that was you, type the two"
                " words above in your space, under Messages, within a day. From then on we write to you here about what"
                " you chose, and each of these messages begins with your two safe words: those that stand on that"
                " page, not the two above.",
                "If it was not you, throw this message away and tell nobody the words above. As long as nobody types"
                " them, nothing else is sent here for that space; only this question may come again.",
            ),
            asks=True,
        ),
        "fr": Text(
            "Cette adresse est-elle la vôtre ?",
            (
                "Quelqu’un qui a un espace chez Quittance a dit que cette adresse est la sienne. Si c’était vous, tapez"
                " les deux mots ci-dessus dans votre espace, sous Messages, dans les vingt-quatre heures. Dès lors,"
                " nous vous écrivons ici au sujet de ce que vous avez choisi, et chacun de ces messages commence par"
                " vos deux mots de reconnaissance : ceux qui sont sur cette page, et non les deux ci-dessus.",
                "Si ce n’était pas vous, jetez ce message et ne dites à personne les mots ci-dessus. Tant que personne"
                " ne les tape, rien d’autre n’est envoyé ici pour cet espace ; seule cette question peut revenir.",
            ),
            asks=True,
        ),
    },
    NoticeKind.CONSENT_SET_UP: {
        "en": Text(
            "A consent is set up at your bank",
            (
                "A consent is set up at one of your banks: within its limits you can now pay one company with your"
                " passkey alone. Nothing is paid by that; each payment is still started by you.",
                "If it was not you, sign in, open Consents, and stop it there. Your bank can stop it, too.",
            ),
        ),
        "fr": Text(
            "Un accord est en place dans votre banque",
            (
                "Un accord est en place dans l’une de vos banques : dans ses limites, vous pouvez désormais payer une"
                " entreprise avec votre seule clé d’accès. Rien n’est payé pour autant ; c’est toujours vous qui lancez"
                " chaque paiement.",
                "Si ce n’était pas vous, connectez-vous, ouvrez Accords et arrêtez-le. Votre banque peut aussi"
                " l’arrêter.",
            ),
        ),
    },
    NoticeKind.CONSENT_ENDING: {
        "en": Text(
            "A consent at your bank ends soon",
            (
                "A consent that you gave at one of your banks ends soon. Nothing is lost by that: afterwards you"
                " approve each bill at your bank again, or set up another consent. Under Consents you see which one it"
                " is.",
            ),
        ),
        "fr": Text(
            "Un accord dans votre banque prend bientôt fin",
            (
                "Un accord que vous avez donné dans l’une de vos banques prend bientôt fin. Rien n’est perdu : ensuite,"
                " vous approuvez de nouveau chaque facture dans votre banque, ou vous mettez en place un autre accord."
                " Sous Accords, vous voyez duquel il s’agit.",
            ),
        ),
    },
    NoticeKind.CONSENT_STOPPED: {
        "en": Text(
            "A consent was stopped at your bank",
            (
                "One of your banks lets nothing more be paid under a consent that you gave there. You, or the bank, may"
                " have stopped it. Your bills are where they were, and can be paid in another way.",
                "If you want to use it again, approve it at your bank once more: under Consents in your space.",
            ),
        ),
        "fr": Text(
            "Un accord a été arrêté dans votre banque",
            (
                "L’une de vos banques ne laisse plus rien payer avec un accord que vous y avez donné. Vous, ou la"
                " banque, l’avez peut-être arrêté. Vos factures sont toujours là et peuvent être payées autrement.",
                "Si vous voulez l’utiliser de nouveau, approuvez-le encore une fois dans votre banque : sous Accords,"
                " dans votre espace.",
            ),
        ),
    },
    NoticeKind.CONSENT_ACCOUNT: {
        "en": Text(
            "A consent now pays from another account",
            (
                "Under a consent that you gave at one of your banks, bills are now paid from another account than"
                " before. You may have chosen it when you approved the consent again. Under Consents in your space you"
                " see which one it is.",
                "If it was not you, sign in, open Consents, and stop it there. Your bank can stop it, too.",
            ),
        ),
        "fr": Text(
            "Un accord paie désormais depuis un autre compte",
            (
                "Sous un accord que vous avez donné dans l’une de vos banques, les factures sont désormais payées"
                " depuis un autre compte qu’auparavant. Vous l’avez peut-être choisi en approuvant l’accord de nouveau."
                " Sous Accords, dans votre espace, vous voyez duquel il s’agit.",
                "Si ce n’était pas vous, connectez-vous, ouvrez Accords et arrêtez-le. Votre banque peut aussi"
                " l’arrêter.",
            ),
        ),
    },
    NoticeKind.CONSENT_ENDED: {
        "en": Text(
            "A consent at your bank has ended",
            (
                "A consent that you gave at one of your banks has ended, and nothing is paid under it any more. What it"
                " was, and why it ended, stands under Consents in your space.",
            ),
        ),
        "fr": Text(
            "Un accord dans votre banque a pris fin",
            (
                "Un accord que vous avez donné dans l’une de vos banques a pris fin, et plus rien n’est payé avec cet"
                " accord. Ce qu’il permettait et pourquoi il a pris fin se trouve sous Accords, dans votre espace.",
            ),
        ),
    },
    NoticeKind.CONSENT_NOT_TAKEN: {
        "en": Text(
            "Your bank did not take a consent",
            (
                "A consent that you signed was not set up: your bank did not take it, or not as you agreed on, or it"
                " was not approved there. Nothing can be paid under it. Your bills can be paid one by one, as before.",
            ),
        ),
        "fr": Text(
            "Votre banque n’a pas accepté un accord",
            (
                "Un accord que vous avez signé n’a pas été mis en place : votre banque ne l’a pas accepté, ou pas tel"
                " que convenu, ou il n’y a pas été approuvé. Rien ne peut être payé avec cet accord. Vos factures"
                " peuvent être payées une à une, comme avant.",
            ),
        ),
    },
    NoticeKind.WORDS_CHANGED: {
        "en": Text(
            "Your safe words were changed",
            (
                "New safe words were drawn in your space. This message still begins with those of before, because they"
                " are the ones you know; later ones begin with the new words, which stand in your space.",
                "If it was not you, sign in, end the other sessions under Security, and draw new ones again.",
            ),
        ),
        "fr": Text(
            "Vos mots de reconnaissance ont changé",
            (
                "De nouveaux mots de reconnaissance ont été tirés dans votre espace. Ce message commence encore par"
                " ceux d’avant, car ce sont ceux que vous connaissez ; les suivants commencent par les nouveaux, qui"
                " sont dans votre espace.",
                "Si ce n’était pas vous, connectez-vous, mettez fin aux autres sessions sous Sécurité, et tirez-en à"
                " nouveau.",
            ),
        ),
    },
    NoticeKind.ALL_STOPPED: {
        "en": Text(
            "You stopped everything",
            (
                "Everything was stopped in your space: nothing new is paid, everybody else was signed out, and your"
                " standing consents are taken back. What your bank had accepted already may still be paid. Your space"
                " says what was stopped, what was not, and whom to call at your banks.",
                "If it was not you, nothing was paid by it: sign in, look under Security at who else can, and lift it.",
            ),
        ),
        "fr": Text(
            "Vous avez tout arrêté",
            (
                "Tout a été arrêté dans votre espace : plus rien de nouveau n’est payé, toutes les autres sessions sont"
                " closes, et vos accords sont retirés. Ce que votre banque avait déjà accepté peut"
                " encore être payé. Votre espace dit ce qui a été arrêté, ce qui ne l’a pas été, et qui appeler dans"
                " vos banques.",
                "Si ce n’était pas vous, rien n’a été payé pour autant : connectez-vous, regardez sous Sécurité qui"
                " d’autre le peut, et levez l’arrêt.",
            ),
        ),
    },
    NoticeKind.STOP_LIFTED: {
        "en": Text(
            "Payments are possible again",
            (
                "Somebody lifted the stop in your space with one of your passkeys: bills can be paid again. What was"
                " stopped stays stopped.",
                "If it was not you, somebody else has one of your passkeys: stop everything again, and remove under"
                " Security each passkey that you do not know.",
            ),
        ),
        "fr": Text(
            "Les paiements sont de nouveau possibles",
            (
                "L’arrêt a été levé dans votre espace avec une de vos clés d’accès : des factures peuvent de nouveau"
                " être payées. Ce qui a été arrêté le reste.",
                "Si ce n’était pas vous, quelqu’un d’autre a une de vos clés d’accès : arrêtez tout à nouveau, et"
                " supprimez sous Sécurité chaque clé que vous ne connaissez pas.",
            ),
        ),
    },
    NoticeKind.PASSKEY_ADDED: {
        "en": Text(
            "A passkey was added",
            (
                "One more passkey opens your space and signs your payments from now on.",
                "If it was not you, sign in, stop everything, and remove it under Security.",
            ),
        ),
        "fr": Text(
            "Une clé d’accès a été ajoutée",
            (
                "Une clé d’accès de plus ouvre désormais votre espace et signe vos paiements.",
                "Si ce n’était pas vous, connectez-vous, arrêtez tout, et supprimez-la sous Sécurité.",
            ),
        ),
    },
    NoticeKind.PASSKEY_REMOVED: {
        "en": Text(
            "A passkey was removed",
            (
                "One of your passkeys opens and signs nothing any more, and whoever was signed in with it was signed"
                " out. Another of your passkeys signed that.",
                "If it was not you, somebody else has that other one: sign in, stop everything, and remove each passkey"
                " that you do not know. If you cannot sign in any more, call your banks.",
            ),
        ),
        "fr": Text(
            "Une clé d’accès a été supprimée",
            (
                "Une de vos clés d’accès n’ouvre et ne signe plus rien, et les sessions ouvertes avec elle sont closes."
                " Une autre de vos clés a signé cela.",
                "Si ce n’était pas vous, quelqu’un d’autre a cette autre clé : connectez-vous, arrêtez tout, et"
                " supprimez chaque clé que vous ne connaissez pas. Si vous ne pouvez plus vous connecter, appelez vos"
                " banques.",
            ),
        ),
    },
    NoticeKind.DEVICE_ADDED: {
        "en": Text(
            "Notices are shown on one more device",
            (
                "A phone or computer was added to your space: it shows that there is something new, and no amount and"
                " no company.",
                "If it was not you, somebody else is in your space: sign in, stop everything, and remove that device"
                " under Messages.",
            ),
        ),
        "fr": Text(
            "Des avis sont montrés sur un appareil de plus",
            (
                "Un téléphone ou un ordinateur a été ajouté à votre espace : il montre qu’il y a du nouveau, sans"
                " montant et sans nom d’entreprise.",
                "Si ce n’était pas vous, quelqu’un d’autre est dans votre espace : connectez-vous, arrêtez tout, et"
                " supprimez cet appareil sous Messages.",
            ),
        ),
    },
    NoticeKind.ADDRESS_CHANGED: {
        "en": Text(
            "Your space has another e-mail address",
            (
                "From now on we write to another address, and this is the last message that comes here. One of your"
                " passkeys signed that.",
                "If it was not you, somebody else has that passkey: sign in, stop everything, remove it under Security,"
                " and change the address back under Messages. If you cannot sign in any more, call your banks.",
            ),
        ),
        "fr": Text(
            "Votre espace a une autre adresse e-mail",
            (
                "Nous écrivons désormais à une autre adresse, et ce message est le dernier qui arrive ici. Une de vos"
                " clés d’accès a signé cela.",
                "Si ce n’était pas vous, quelqu’un d’autre a cette clé : connectez-vous, arrêtez tout, supprimez-la"
                " sous Sécurité, et rétablissez l’adresse sous Messages. Si vous ne pouvez plus vous connecter, appelez"
                " vos banques.",
            ),
        ),
    },
    NoticeKind.CODES_MADE: {
        "en": Text(
            "Recovery codes were made",
            (
                "New recovery codes were made in your space; those of before count no more. Each of them opens a way"
                " to a new passkey, once. Keep them where you keep what nobody else may have.",
                "If it was not you, sign in, make new ones under Security, and remove each passkey that you do not"
                " know.",
            ),
        ),
        "fr": Text(
            "Des codes de secours ont été créés",
            (
                "De nouveaux codes de secours ont été créés dans votre espace ; les précédents ne comptent plus. Chacun"
                " permet, une seule fois, de créer une nouvelle clé d’accès. Gardez-les là où vous gardez ce que"
                " personne d’autre ne doit avoir.",
                "Si ce n’était pas vous, connectez-vous, créez-en de nouveaux sous Sécurité, et supprimez chaque clé"
                " que vous ne connaissez pas.",
            ),
        ),
    },
    NoticeKind.CODE_USED: {
        "en": Text(
            "A recovery code was used",
            (
                "Somebody used one of your recovery codes, and can make a new passkey for your space. They can look at"
                " nothing and pay nothing before they have signed in with it.",
                "If it was not you, sign in and stop everything now: that signs them out. Then remove under Security"
                " each passkey that you do not know, and make new codes once you have lifted the stop.",
            ),
        ),
        "fr": Text(
            "Un code de secours a été utilisé",
            (
                "Quelqu’un a utilisé l’un de vos codes de secours et peut créer une nouvelle clé d’accès pour votre"
                " espace. Avant de s’être connecté avec elle, il ne peut rien voir et rien payer.",
                "Si ce n’était pas vous, connectez-vous et arrêtez tout dès maintenant : cela met fin à sa session."
                " Supprimez ensuite sous Sécurité chaque clé que vous ne connaissez pas, et créez de nouveaux codes"
                " après avoir levé l’arrêt.",
            ),
        ),
    },
    NoticeKind.RECOVERY_ASKED: {
        "en": Text(
            "Words for a way back into your space",
            (
                "Somebody who says that they have no passkey any more wants to come into your space. If that is you,"
                " type the three words above on the page that asked for your address, in the same browser, within ten"
                " minutes. They are not your safe words, which nobody ever asks for.",
                "If it is not you, there is nothing to do: without these words nothing happens. Tell them to nobody,"
                " not even to somebody who says that they call for us.",
            ),
        ),
        "fr": Text(
            "Des mots pour revenir dans votre espace",
            (
                "Quelqu’un qui dit ne plus avoir de clé d’accès veut entrer dans votre espace. Si c’est vous, tapez les"
                " trois mots ci-dessus sur la page qui vous a demandé votre adresse, dans le même navigateur, dans les"
                " dix minutes. Ce ne sont pas vos mots de reconnaissance, que personne ne demande jamais.",
                "Si ce n’est pas vous, il n’y a rien à faire : sans ces mots, il ne se passe rien. Ne les dites à"
                " personne, pas même à quelqu’un qui dit appeler de notre part.",
            ),
        ),
    },
    NoticeKind.RECOVERY_BEGUN: {
        "en": Text(
            "Somebody is asking for a way into your space",
            (
                "Somebody who reads your e-mail says that they have no passkey any more. In three days they can make a"
                " new one, and then all of your others end. Until then nothing is paid from your space, and what was"
                " decided and not sent yet is not sent.",
                "If it was not you, sign in with your passkey and stop it: the way to do so stands at the top of every"
                " page. Then look who else can read your e-mail.",
            ),
        ),
        "fr": Text(
            "Quelqu’un demande à entrer dans votre espace",
            (
                "Quelqu’un qui lit vos e-mails dit ne plus avoir de clé d’accès. Dans trois jours, il pourra en créer"
                " une nouvelle, et toutes les autres prendront fin. D’ici là, plus rien n’est payé depuis votre espace,"
                " et ce qui était décidé sans être encore envoyé ne l’est pas.",
                "Si ce n’était pas vous, connectez-vous avec votre clé d’accès et arrêtez cela : le moyen de le faire"
                " se trouve en haut de chaque page. Regardez ensuite qui d’autre peut lire vos e-mails.",
            ),
        ),
    },
    NoticeKind.RECOVERY_WAITS: {
        "en": Text(
            "Somebody still waits for a way into your space",
            (
                "Somebody who reads your e-mail still waits for a way into your space. Once the three days are over"
                " they can make a new passkey, and then all of your others end. Nothing is paid meanwhile.",
                "If it is not you, sign in with your passkey now and stop it: the way to do so stands at the top of"
                " every page.",
            ),
        ),
        "fr": Text(
            "Quelqu’un attend toujours d’entrer dans votre espace",
            (
                "Quelqu’un qui lit vos e-mails attend toujours d’entrer dans votre espace. Une fois les trois jours"
                " passés, il pourra créer une nouvelle clé d’accès, et toutes les autres prendront fin. Rien n’est payé"
                " d’ici là.",
                "Si ce n’est pas vous, connectez-vous maintenant avec votre clé d’accès et arrêtez cela : le moyen de"
                " le faire se trouve en haut de chaque page.",
            ),
        ),
    },
    NoticeKind.RECOVERY_OVER: {
        "en": Text(
            "Nobody waits for a way into your space any more",
            (
                "The way into your space that somebody had asked for by e-mail is closed: one of your passkeys stopped"
                " it, or nobody came in time. Your passkeys are as they were. Your space says whether payments are"
                " still stopped.",
                "If it was you who asked, and you still have no passkey, ask again.",
            ),
        ),
        "fr": Text(
            "Plus personne n’attend d’entrer dans votre espace",
            (
                "L’accès à votre espace que quelqu’un avait demandé par e-mail est fermé : une de vos clés d’accès l’a"
                " arrêté, ou personne n’est venu à temps. Vos clés d’accès sont comme avant. Votre espace dit si les"
                " paiements sont encore arrêtés.",
                "Si c’était vous, et que vous n’avez toujours pas de clé d’accès, demandez à nouveau.",
            ),
        ),
    },
    NoticeKind.RECOVERY_DONE: {
        "en": Text(
            "There is a new passkey, and no other one",
            (
                "Three days after somebody had asked for it by e-mail, a new passkey was made for your space. All"
                " others, your recovery codes and your consents have ended, and everybody was signed out. Nothing is"
                " paid until the new passkey lifts the stop.",
                "If it was not you, you cannot sign in any more, and we cannot tell you from them: call your banks, and"
                " us.",
            ),
        ),
        "fr": Text(
            "Il y a une nouvelle clé d’accès, et plus aucune autre",
            (
                "Trois jours après que quelqu’un l’avait demandé par e-mail, une nouvelle clé d’accès a été créée pour"
                " votre espace. Toutes les autres, vos codes de secours et vos accords ont pris fin, et toutes les"
                " sessions sont closes. Rien n’est payé tant que la nouvelle clé n’a pas levé l’arrêt.",
                "Si ce n’était pas vous, vous ne pouvez plus vous connecter, et nous ne pouvons pas vous distinguer de"
                " cette personne : appelez vos banques, et nous.",
            ),
        ),
    },
    NoticeKind.ERASURE_ASKED: {
        "en": Text(
            "Your space is going to be erased",
            (
                "One of your passkeys asked for your space to be erased, for good, and everything is stopped. Nothing"
                " is erased for at least three days. Until then whoever signs in with one of your passkeys can take it"
                " back on the page Privacy.",
                "If it was not you, sign in now and take it back, and remove under Security each passkey that you do"
                " not know.",
            ),
        ),
        "fr": Text(
            "Votre espace va être effacé",
            (
                "Une de vos clés d’accès a demandé que votre espace soit effacé, définitivement, et tout est arrêté."
                " Rien n’est effacé avant au moins trois jours. D’ici là, qui se connecte avec une de vos clés d’accès"
                " peut revenir là-dessus sur la page Vie privée.",
                "Si ce n’était pas vous, connectez-vous maintenant, revenez là-dessus, et supprimez sous Sécurité"
                " chaque clé que vous ne connaissez pas.",
            ),
        ),
    },
    NoticeKind.SPACE_EXPORTED: {
        "en": Text(
            "Your papers were taken along",
            (
                "Somebody asked in your space for all of your papers in one archive, and signed that with one of your"
                " passkeys. Whoever has the archive can read everything that is in your space.",
                "If it was not you, somebody else has one of your passkeys: sign in, stop everything, and remove under"
                " Security each passkey that you do not know.",
            ),
        ),
        "fr": Text(
            "Vos papiers ont été emportés",
            (
                "Quelqu’un a demandé dans votre espace tous vos papiers en une seule archive, et l’a signé avec une de"
                " vos clés d’accès. Qui a l’archive peut lire tout ce qui est dans votre espace.",
                "Si ce n’était pas vous, quelqu’un d’autre a une de vos clés d’accès : connectez-vous, arrêtez tout, et"
                " supprimez sous Sécurité chaque clé que vous ne connaissez pas.",
            ),
        ),
    },
}
