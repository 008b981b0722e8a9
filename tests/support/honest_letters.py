"""Letters about a bill as billers write them: water, power, telephone, insurance, towns, small firms; in French and in
English, short and long. Written before the words of ``letter_words.py`` were chosen, and not changed to fit them.

``{company}``, ``{number}``, ``{reference}``, ``{amount}``, ``{iban}``, ``{due}``, ``{issued}``, ``{name}`` (the
customer's), ``{customer}`` (their number there), ``{net}``, ``{tax}`` and ``{used}`` are of the bill. None has a link,
a mailbox or a telephone: with one it is unknown.
"""

from __future__ import annotations

FRENCH = (
    """{company}
Bonjour {name},
Votre facture n° {number} du {issued} est disponible.
Montant TTC : {amount}
À régler avant le {due} par virement sur le compte IBAN {iban}.
Merci d'indiquer la référence {reference}.
Toute l'équipe {company} vous remercie de votre confiance.""",
    """{company} - Service clients
Référence client : {customer}
Madame, Monsieur,
Nous vous prions de trouver ci-dessous le détail de votre facture d'eau {number}.
Consommation : {used} m³
Total hors taxes : {net}
TVA : {tax}
Total à payer : {amount}
Date limite de paiement : {due}
IBAN : {iban}
Veuillez agréer, Madame, Monsieur, l'expression de nos salutations distinguées.
{company}""",
    """Facture {number}
Émetteur : {company}
Destinataire : {name}
Date de facturation : {issued}
Date d'échéance : {due}
Net à payer : {amount}
Mode de paiement : virement bancaire
IBAN : {iban}
Communication : {reference}""",
    """Cher client,
voici votre nouvelle facture {company}. Elle porte le numéro {number} et s'élève à {amount}.
Vous avez jusqu'au {due} pour la régler par virement : {iban}.
N'oubliez pas de rappeler la référence {reference} dans le libellé de votre virement.
À bientôt,
{company}""",
    """{company}
Objet : votre facture de consommation d'eau
Madame, Monsieur,
Suite au relevé de votre compteur, nous avons établi votre facture n° {number}, d'un montant de {amount}.
Nous vous remercions de bien vouloir procéder au règlement de cette somme avant le {due}, par virement
sur notre compte :
{iban}
en précisant la référence {reference}.
Nous restons à votre disposition pour tout renseignement complémentaire.
Cordialement,
Le service facturation
{company}""",
    """{company} vous informe
Votre facture est arrivée !
N° de facture : {number}
Montant : {amount}
Échéance : {due}
Coordonnées bancaires : IBAN {iban}
Bonne journée et merci de votre fidélité.""",
    """Bonjour,
Je vous adresse ma facture {number} du {issued} pour les travaux réalisés.
Montant total : {amount}
Le règlement est attendu pour le {due} par virement :
Titulaire : {company}
IBAN {iban}
Bien à vous,
{company}""",
    """MAIRIE - RÉGIE
{company}
Avis de somme à payer n° {number}
Usager : {name}
Objet de la créance : abonnement et consommation
Somme due : {amount}
À payer avant le {due}
Compte à créditer : {iban}
Référence : {reference}""",
    """{company}
Assurance habitation, contrat {customer}
Cher sociétaire,
votre cotisation annuelle est à régler au plus tard le {due}.
Avis d'échéance : {number}
Montant de la cotisation : {amount}
Pour régler par virement : {iban}, référence {reference}
Nous vous remercions de la confiance que vous nous accordez.""",
    """Chère cliente, cher client,
Merci d'avoir choisi {company}. Vous trouverez ci-après les informations relatives à votre facture.
Facture : {number}
Émise le : {issued}
Abonnement et consommation : {amount} TTC
Payable avant le {due}
par virement à {company}, IBAN {iban}
Sincères salutations""",
    """{company}
Rappel : notre facture {number} du {issued} d'un montant de {amount} arrive à échéance le {due}.
Si vous avez déjà effectué le paiement, merci de ne pas tenir compte de ce message.
Dans le cas contraire, vous pouvez la régler par virement :
{iban}
{reference}
Cordialement""",
    """Bonjour {name},
Votre facture internet et mobile de ce mois-ci est prête.
Elle est de {amount}, à payer pour le {due}.
Numéro de facture {number}
Numéro de client {customer}
Bénéficiaire : {company}
IBAN : {iban}
Merci et à bientôt,
L'équipe {company}""",
    """{company}, votre fournisseur d'électricité
Relevé de compteur effectué par nos agents.
Consommation de la période : {used} m³
Facture {number}, échéance {due}
Solde à régler : {amount}
Virement à effectuer au compte {iban} avec la mention {reference}.
Avec nos meilleures salutations""",
    """Madame, Monsieur,
Veuillez trouver les références de la facture {number} relative à votre abonnement.
Total TTC {amount} dont TVA {tax}
Délai de paiement : {due}
Paiement par virement uniquement sur le compte de {company} :
{iban}
Nous vous en souhaitons bonne réception.""",
    """{company}
FACTURE
Numéro : {number}
Client : {customer} {name}
Désignation : abonnement
Total HT : {net}
TVA : {tax}
Total TTC : {amount}
Conditions de règlement : à réception, au plus tard le {due}
Règlement par virement : IBAN {iban}""",
    """Bonjour,
Veuillez noter que votre facture {number} de {amount} est désormais consultable dans votre espace.
Elle est payable jusqu'au {due} par virement bancaire sur l'IBAN {iban}, bénéficiaire {company}.
Ce message est envoyé automatiquement, merci de ne pas y répondre.""",
    """{company}
Monsieur,
Conformément à votre contrat, nous vous adressons la facture de la période écoulée.
Votre numéro de contrat : {customer}
Votre facture : {number}
Le montant de {amount} est à verser au plus tard le {due} sur le compte suivant : {iban}
Recevez, Monsieur, nos salutations les meilleures.""",
    """Cantine scolaire et accueil périscolaire
{company}
Famille {name}
Facture n° {number} - repas et garderie
Montant dû : {amount}
Date limite de règlement : {due}
IBAN du régisseur : {iban}
Motif du virement : {reference}""",
    """{company}
Chers abonnés,
l'eau du robinet est contrôlée chaque jour par nos laboratoires.
Votre consommation s'élève à {used} m³.
Facture {number} : {amount} à régler avant le {due}.
IBAN {iban}
Nous vous remercions.""",
    """De : {company}
À : {name}
Sujet : Facture {number}
Bonjour,
Ci-dessous votre facture du {issued}.
Montant : {amount}
Date d'échéance : {due}
IBAN : {iban}
Référence : {reference}
Excellente journée,
{company}""",
    """{company}
Syndic de copropriété
Appel de fonds {number}
Copropriétaire : {name}
Charges courantes : {amount}
Exigible le {due}
Virement : {iban}
Libellé : {reference}
Le syndic vous remercie de votre ponctualité.""",
    """Bonjour {name}, c'est {company}.
La facture {number} ({amount}) est à payer avant le {due}.
IBAN {iban}
Merci !""",
    """{company}
Cabinet dentaire
Note d'honoraires {number} du {issued}
Patient : {name}
Soins : {amount}
Paiement par virement avant le {due}
{iban}
Le docteur et son équipe vous souhaitent un bon rétablissement.""",
    """Madame, Monsieur,
Le relevé de votre consommation a été effectué. Le montant de votre facture, établie selon les
tarifs en vigueur, est de {amount}.
Facture {number} du {issued}, client {customer}.
Nous vous saurions gré de bien vouloir régler cette facture avant le {due} au moyen d'un virement
à {company}, compte {iban}.
Nous vous prions d'agréer nos salutations respectueuses.""",
    """{company}
Collecte des déchets ménagers
Redevance du logement : {amount}
Facture {number}
Paiement attendu au plus tard le {due}
Compte bancaire : {iban}
Communication structurée : {reference}
Trier ses déchets, c'est préserver la nature.""",
    """Bonjour,
Merci pour votre commande. Voici la facture {number}.
Sous-total : {net}
TVA : {tax}
Total : {amount}
Merci d'effectuer votre virement à l'ordre de {company}
IBAN : {iban}
avant le {due}.
À très vite""",
    """{company}
Cotisation au club de sport
Cher adhérent,
la cotisation de la saison est de {amount}.
Vous pouvez la verser sur le compte du club ({iban}) jusqu'au {due}.
Facture {number}
Sportivement,
le trésorier""",
    """Récapitulatif de votre facture
{company}
Facture {number}
Client {customer}
Période facturée : abonnement du mois
Montant HT {net}
Montant TVA {tax}
Montant TTC {amount}
À payer avant le {due}
IBAN {iban}
Vos données sont traitées conformément à la réglementation.""",
    """Cher monsieur, chère madame,
nous avons le plaisir de vous transmettre votre facture {number} concernant la fourniture d'énergie.
Le total s'élève à {amount}, payable au {due}.
Veuillez utiliser la référence {reference} et l'IBAN {iban} de {company} pour votre paiement.
Restant à votre écoute, nous vous adressons nos cordiales salutations.""",
    """{company}
Maison de retraite
Frais de séjour du résident {name}
Facture {number}
Total : {amount}
Échéance : {due}
Règlement : virement
IBAN {iban}
La direction""",
)

ENGLISH = (
    """{company}
Dear {name},
Your bill {number} dated {issued} is now available.
Total amount due: {amount}
Please pay by {due} by bank transfer to IBAN {iban}, quoting {reference}.
Thank you for being our customer.
{company}""",
    """{company}
Water bill
Customer number: {customer}
Bill number: {number}
Bill date: {issued}
Water used this period: {used} m³
Total before VAT: {net}
VAT: {tax}
Amount to pay: {amount}
Payment due date: {due}
Account: {iban}
Thank you.""",
    """INVOICE {number}
From: {company}
To: {name}
Date: {issued}
Due: {due}
Subtotal: {net}
VAT: {tax}
Total: {amount}
Payment details
Account name: {company}
IBAN: {iban}
Reference: {reference}""",
    """Hi {name},
hope you are well! Please find below the details of invoice {number} for {amount}.
It would be great if you could settle it by {due}.
Our account is {iban} ({company}).
Many thanks and have a lovely day""",
    """Dear customer,
we have read your meter and prepared your statement. You used {used} m³ during this period.
The amount of {amount} is payable by {due}.
Kindly use the reference {reference} with your transfer to {company}, IBAN {iban}.
If you have already paid, please ignore this reminder.
Yours faithfully
The billing team""",
    """{company}
Your broadband and mobile bill is ready.
Account number: {customer}
Bill reference: {number}
What you owe: {amount}
Pay before {due} using these details:
{iban}
Thanks for staying with us.""",
    """Dear Sir or Madam,
Please find the details of our invoice {number} of {issued} for services provided.
We kindly ask you to transfer the amount of {amount} to our account no later than {due}.
Beneficiary: {company}
IBAN: {iban}
Payment reference: {reference}
Yours sincerely""",
    """{company} council tax and waste collection
Household: {name}
Notice {number}
Charge for the year: {amount}
Payable on or before {due}
Bank transfer: {iban}
Please quote {reference}.""",
    """Home insurance renewal
{company}
Policy {customer}
Dear {name}, your premium for the coming year is {amount}.
Invoice {number}, to be paid by {due}.
IBAN {iban}
We appreciate your business.""",
    """Hello,
A friendly reminder that invoice {number} from {company} for {amount} is due on {due}.
IBAN {iban}, reference {reference}.
Please disregard this message if payment has been made.
Best wishes""",
    """Your {company} energy statement
Statement date {issued}
Statement number {number}
Electricity charges including standing charge
Total charges {amount}
Please make your payment to {iban} by {due}.
We look forward to hearing from you soon.""",
    """Good afternoon {name},
this is your invoice for the month.
Number: {number}
Net: {net}
VAT: {tax}
Gross: {amount}
Terms: payment by {due}
Bank: IBAN {iban}
Kind regards,
the team at {company}""",
    """Thank you for your order!
Invoice: {number}
Invoice date: {issued}
Order total: {amount}
Please remit payment to {company}
IBAN {iban}
Due date {due}
We hope to see you again.""",
    """{company}
Membership subscription
Dear member,
your annual subscription of {amount} falls due on {due}.
Please transfer it to the club account {iban} with the reference {reference}.
Invoice {number}
With best wishes from the committee""",
    """Dear {name},
Enclosed are the particulars of your latest bill from {company}.
Bill {number}
Period usage {used} m³
Amount payable {amount}
Last day for payment {due}
Transfer to {iban}
Your sincerely
Customer services""",
    """School meals
{company}
Parent or guardian: {name}
Statement {number}
Balance: {amount}
Please pay before {due}
Account {iban}
Reference {reference}
Thank you for your support.""",
    """{company}
Your account summary
Previous balance cleared, thank you.
New charges: {amount}
Bill {number}
Due {due}
Pay by transfer: {iban}
Keep this bill for your records.""",
    """Dental practice {company}
Invoice {number}
Patient {name}
Treatment {issued}
Fee: {amount}
To be settled within the agreed period, by {due}, to {iban}.
We wish you good health.""",
    """Dear resident,
the water supply of your home is billed twice a year. Your bill {number} amounts to {amount}.
Payment is requested by {due} to the account of {company}: {iban}
Message to payee: {reference}
Kind regards""",
    """Hi,
your monthly invoice is here.
{company}
{number}
{amount}
due {due}
{iban}
Cheers""",
    """{company}
Notice of payment
We are writing to let you know that your invoice {number} has been issued.
Amount: {amount}
Due date: {due}
Payment method: bank transfer
Bank account: {iban}
Payment reference: {reference}
This is an automated message.""",
    """Dear tenant,
service charges for your flat have been calculated and come to {amount}.
Demand {number} of {issued}
Payable to {company} at {iban} by {due}.
Yours truly
The managing agent""",
    """Subject: Invoice {number}
Dear {name}
Thanks for choosing {company}. Your invoice for {amount} is shown below.
Subscription and usage
Total including VAT {amount}
Payment by {due}
IBAN {iban}
Have a nice day""",
    """{company}
Gas and electricity
Your bill at a glance
Customer reference {customer}
Bill number {number}
Bill date {issued}
We have used an actual reading of your meter.
You need to pay {amount} by {due}
IBAN {iban}""",
    """To whom it may concern,
with reference to contract {customer} we invoice you as follows:
Invoice {number}
Net amount {net}
Value added tax {tax}
Total amount {amount}
Payment terms: by {due}, without deduction
Account holder {company}, IBAN {iban}
Respectfully""",
    """Dear {name},
we are pleased to send you your quarterly bill for the maintenance of your boiler.
Bill: {number}
Amount: {amount}
When: by {due}
How: bank transfer to {iban}
Reference: {reference}
Warm regards
{company}""",
    """Vet bill {number}
{company}
Thank you for bringing your pet to our clinic.
Consultation and medicine: {amount}
Please pay by {due}.
IBAN {iban}""",
    """{company}
Parking permit
Holder: {name}
Invoice {number}
Price: {amount}
Payment deadline: {due}
Pay to: {iban}
Remember to display your permit.""",
    """Good morning,
could you please arrange payment of {number}? The total is {amount} and it is due by {due}.
You can pay it into {iban}; the name on the account is {company}.
Let us know if anything is unclear.
Thanks a lot""",
    """{company} newsletter and bill
Winter is coming: protect your pipes and meter from frost.
Your bill: {number}
Consumption: {used} m³
To pay: {amount}
Until: {due}
IBAN: {iban}
Reference: {reference}
We thank you for your trust.""",
)
LETTERS = FRENCH + ENGLISH
