"""The words of which a letter about a bill is made, in French, English, German and Dutch.

A word is here only if it names no other account, asks for no more money, and denies nothing that stands beside it:
there is no "not", "or", "plus", "other", "new", "old", "twice", "month", "call", "attached", no number in words and no
name.
"""

from __future__ import annotations

_WORDS = """
à a au aux avant avec bien bonjour bonsoir ce cet cette cher chère chers client cliente clients compte comptable
confiance consommation consommé consommée contrat cordialement d date dans de des délai du dû due échéance
électricité eau émise émis émission en énergie escompte est et facturation facture facturé facturée factures
fourniture gaz hors ht iban index internet intracommunautaire j jours jusqu l la le les madame merci mesdames
messieurs monsieur montant n net nom nos notre nous numéro numero objet par payable payer période pour prestation
prête prêt prie prions quantité règlement régler référence références relevé s salutations siren siret sentiments
somme sur tarif taxe taxes télécom total toute trouverez ttc tva unitaire prix un une veuillez vers virement virer
voici vos votre vous désignation abonnement service services distinguées agréer expression meilleures bic swift chf
eur euro euros gbp usd account amount and are at bank beneficiary best bill billed billing by consumption contract
customer day days dear description electricity energy excl excluding for from gas good has hello id in incl
including invoice invoiced is issued item its it kind kindly ltd many meter morning number of on order our payee pay
payment period please price quantity reading ready recipient reference regards sir sirs madam sincerely subscription
subtotal sum supply tax thank thanks that the this to transfer until usage vat water we with within you your yours
am an auf bankverbindung bei betrag bezahlen bis bitte brutto damen das datum dem den der die diesen diese energie
empfänger fällig fälligkeit für frau freundliche freundlichen geehrte geehrter gesamt gesamtbetrag grüße grüssen
grüßen guten herr herren hier ihr ihre ihrer im inkl ist konto kontoinhaber kunde kundennummer leistung lieferung
liebe lieber menge mit mwst netto nummer preis rechnung rechnungsbetrag rechnungsdatum rechnungsnummer referenz sehr
sie strom summe tag tage tagen überweisen überweisung und unser unsere ust verbrauch vielen dank vertrag
verwendungszweck vom von wasser wir zahlbar zahlen zahlung zählerstand zu zum zur zwecks bedrag begunstigde beste
btw betalen betaling dagen deze een factuur factuurnummer geachte gelieve goede groeten het hierbij klant
klantnummer kunt met naar onze omschrijving op periode rekening rekeningnummer referentie te termijn totaal tot uw u
van vervaldatum vriendelijke voor wij mededeling
"""
#: small letters
LETTER_WORDS = frozenset(_WORDS.split())
