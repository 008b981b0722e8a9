"""The words of which a letter about a bill is made, in French, English, German and Dutch.

A word is here only if it can stand anywhere in such a letter: it turns neither where, to whom, how much, when nor how
something is paid, and denies nothing that stands beside it. No currency is here: only the bill's own may be named.
Whatever could (pay, transfer, account, due …) stands only in whole phrases: ``letter_phrases.py``.
"""

from __future__ import annotations

import re

from app.people import lookalikes

# Words that join others: articles, possessives, prepositions, forms of to be and to have. None of them names
# anything, and what they join must be harmless itself. No "not", "no", "or", "other", "if", "all", "always", "plus".
_JOINING = """
très depuis pendant cela ceci donc car lorsque will some such about
over through between what how when who whom very s here ici tout toute tous à a au aux avec ce cet cette
ces ci d dans de des du elle en est et il ils elles ont été être sera sont étaient était avons avez j je l la le les
leur leurs ma mes mon n nos notre nous par pour qu que qui sa se ses son suite sur un une vos votre vous y afin ainsi
après bien comme dont dessous dessus entre lors selon am an and are as at be been being by dated during for from
had has have her his i in into is it its me my of on our she that the their them there these they this those to under
us was we were which while with you your yours auf bei das dem den der die diese diesen dieser ein eine einer für hier
ihr ihre ihrem ihren ihrer im ist mit sie sind und unser unsere unserer unseren vom von war wir wurde zu zum zur bij
deze dit een hebben heeft het hierbij met naar om onze op te u uw van voor wij zijn
"""
# How people greet, thank and part. They ask for nothing. "Call", "write", "answer" and "contact" are not here.
_GREETINGS = """
business bonjour bonsoir bonne belle excellente agréable merci remercie remercions remercier remerciements cher chère
chers chères madame mesdames mademoiselle monsieur messieurs cordialement cordiales cordiaux salutations sincères
sincèrement meilleures meilleurs respectueuses respectueusement distinguées distinguée sentiments dévoués agréer
agréez prie prions croire expression assurance considération attention confiance fidélité fidèle amitiés plaisir
heureux heureuse souhaite souhaitons souhaitent vœux écoute disposition restons reste restant ravis ravi sportivement
bienvenue accordez témoignez portez choisi parmi hello hi dear sir sirs madam mr mrs ms good thank thanks many
lot regards best warm wishes wish sincerely faithfully truly cheers hope hopefully well lovely nice great pleased
pleasure happy appreciate appreciated value valued welcome look forward hearing staying choosing chosen support
loyalty respectfully hallo liebe lieber sehr geehrte geehrter damen herren herr frau freundliche freundlichen
grüße grüßen gruß danke dank vielen herzliche herzlichen vertrauen beste geachte groeten vriendelijke hartelijk
bedankt heer mevrouw goede vertrouwen
"""
# The parties, as a bill names them: who sends it, and who gets it. Never behind "to", "at" or "for": letter_phrases.py.
_PARTIES = """
club école crèche clinic surgery nursery trésorier direction docteur équipe team comité committee client clients
cliente clientes clientèle abonné abonnée abonnés usager usagers adhérent adhérente adhérents sociétaire sociétaires
assuré assurée copropriétaire copropriétaires locataire locataires patient patiente famille foyer résident émetteur
destinataire fournisseur mairie commune régie syndic copropriété service services facturation comptabilité cabinet
customer customers member members resident residents tenant tenants household parent guardian holder supplier provider
council practice school company billing department kunde kunden kundin kundennummer mieter stadtwerke klant klanten
klantnummer
"""
# What is billed, and where it was used or measured: water, power, heat, waste, telephone, insurance, care, meals,
# membership. Things and events; nothing is paid with them or to them.
_SUPPLIES = """
dentaire dental retraite vet trier newsletter coming puissance souscrite creuses pleines acheminement
contribution locale communale départementale régionale ordures usées pluviales potable branchement raccordement
location diamètre point livraison site lots tantièmes budget prévisionnel exercice assemblée générale
garanties responsabilité civile véhicule franchise police mutuelle santé prévoyance enfant enfants restaurant
restauration inscription activité activités loisirs vacances bibliothèque piscine stationnement emplacement licence
adhésion stage cours formation matériel matériaux fournitures œuvre déplacement pièces devis chantier peinture
plomberie toiture jardin nettoyage ménage transport commande commandes produit produits article articles hébergement
domaine logiciel forfait option options données volume illimité communications débit hiver printemps automne
environnement papier planète préserver économiser gestes conseils rue avenue boulevard place chemin route bâtiment
étage parts labour delivery goods product products materials travel job design hosting software domain
training course courses lesson lessons class classes child children library swimming sports season cover vehicle
registration health pet animal examination vaccination prescription care cleaning plumbing roof painting
garden building floor street road lane data unlimited allowance bundle plan tariff variable fixed winter summer spring
autumn frost pipes pipe leak leaks tap protect environment paper recycling nature band estimate eau eaux robinet
électricité énergie gaz chauffage assainissement fourniture consommation consommations consommé consommée utilisation
compteur compteurs relevé relevés relève index estimé estimée période périodes saison internet fibre télécom
télévision abonnement abonnements contrat contrats logement habitation maison appartement immeuble déchets ménagers
redevance cotisation cotisations prime travaux réalisés réalisé effectués effectué effectuée intervention
entretien prestation prestations soins honoraires consultation traitement séjour repas cantine scolaire périscolaire
garderie accueil sport charges courantes distribution réseau qualité contrôlée water electricity power energy
gas heating sewerage drainage waste supply usage use used consumption consumed reading readings read actual
estimated meter meters period broadband television subscription subscriptions contract contracts policy
premium insurance home flat property renewal maintenance boiler repair work works provided treatment medicine
meals membership parking permit strom wasser wärme heizung energie verbrauch zähler zählerstand zeitraum
vertrag lieferung leistung abschlag müll stroom verbruik periode levering dienst
"""
# The paper itself and its table. What is a sum of money is compared; the words beside it only name its line.
_PAPER = """
correspond correspondant comprend incluant inclus incluse comprise compris calculé calculée basé basée figure figurant
présente présent présentée aperçu base taux based relates relating covers shows includes included inclusive
breakdown overview explained recent current calculated follows listed listing solde somme montants créance rappel
balance sum amounts reminder friendly facture factures facturé facturée facturés avis note état objet sujet
désignation description libellé détail détails quantité prix unitaire tarif tarifs ht ttc tva taxe taxes total
sous brut montant numéro numero nom référence références date émise émis émission établie établi établis établissement
disponible consultable prête prêt arrivée adressons transmettons transmettre envoyé envoyons trouver trouverez trouvez
voici voilà concernant relative relatif relatives relatifs informations information informe informons renseignement
complémentaire conformément réglementation vigueur traitées intracommunautaire siren siret siège capital ape espace
récapitulatif résumé message automatiquement automatique précédente dernière dernier écoulée suivant suivante élève
porte veuillez noter souvenir conserver bill bills billed invoice invoices invoiced statement statements notice
summary detail details item items quantity unit price prices rate rates net gross vat tax including incl
subtotal totals amount number reference issued prepared ready available shown below above find please
kindly subject regarding concerning latest glance record records keep automated particulars following writing inform
like sent charge charged rechnung rechnungen rechnungsnummer rechnungsdatum betreff menge preis netto brutto
mwst ust inkl zzgl summe betrag gesamt nummer datum referenz bitte beschreibung factuur facturen factuurnummer
omschrijving hoeveelheid prijs bedrag totaal btw referentie gelieve
"""
_WORD = re.compile(r"[^\W_]+")


def _words(written: str) -> frozenset[str]:
    """As ``lookalikes.plain`` writes them."""
    return frozenset(_WORD.findall(lookalikes.plain(written)))


LETTER_WORDS = _words(f"{_JOINING} {_GREETINGS} {_PARTIES} {_SUPPLIES} {_PAPER}")
#: of these the people and places
PARTIES = _words(_PARTIES)
