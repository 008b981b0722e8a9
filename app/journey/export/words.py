"""What lies on top of an archive, for whoever opens it without Quittance, in both languages."""

README = """\
QUITTANCE – VOS PAPIERS / YOUR PAPERS
=====================================

FRANÇAIS

Cette archive contient tout ce que Quittance avait de vous : vos factures, les décisions que vous avez signées, les
paiements et leurs reçus, vos accords avec vos banques, vos liens avec des entreprises, et ce qui vous concerne
vous-même. Gardez-la comme vous garderiez ces papiers : qui l’a peut tout lire.

  manifest.json     l’inventaire : chaque fichier avec sa taille et son empreinte SHA-256
  manifest.sig      la signature de l’inventaire, avec la clé du journal
  bills/            une facture par fichier : ce qui en était montré, réponses, décisions, paiements, reçus, avoirs
  originals/        les documents mêmes, tels qu’ils sont arrivés ; leur nom est leur empreinte SHA-256
  consents.json     ce que vous avez permis à des banques
  connections.json  vos liens avec des entreprises
  privacy.json      le reste : clés d’accès, sessions, messages choisis, argent prévu …
  held.json         factures retenues, et factures que vous aviez commencé à ajouter
  proofs/           ce que le journal en dit, avec le chemin de chaque fait jusqu’à sa racine signée
  brought/          des archives que vous aviez apportées d’ailleurs, telles quelles
  verify.py         le programme qui vérifie tout cela, sans réseau et sans Quittance

Pour vérifier, décompressez l’archive et lancez dans son dossier (Python 3.9 ou plus récent) :

    python3 verify.py

La clé du journal est montrée par Quittance sur sa page /verify. Si vous l’avez gardée :

    python3 verify.py --log-key CLÉ

Les montants sont en plus petites unités de leur monnaie (12990 EUR = 129,90 €), les dates en ISO 8601.
Une autre installation de Quittance peut reprendre cette archive : on y lit vos papiers, rien ne s’y paie.


ENGLISH

This archive has all that Quittance had of you: your bills, the decisions that you signed, the payments and their
receipts, your consents at banks, your connections with companies, and what is about yourself. Keep it as you would
keep these papers: whoever has it can read everything.

  manifest.json     the list: each file with its size and its SHA-256
  manifest.sig      the signature over the list, by the log's key
  bills/            one bill in each file: what was shown of it, answers, decisions, payments, receipts, refunds
  originals/        the very documents as they came; each is named by its SHA-256
  consents.json     what you allowed at banks
  connections.json  your connections with companies
  privacy.json      the rest: passkeys, sessions, chosen messages, money that comes …
  held.json         bills that are held, and bills that you had begun to add
  proofs/           what the log says of all that, with the path of each fact to its signed root
  brought/          archives that you had brought along from elsewhere, as they are
  verify.py         the program that checks all of this, without a network and without Quittance

To check it, unpack the archive and run in its folder (Python 3.9 or newer):

    python3 verify.py

Quittance shows the log's key on its page /verify. If you have kept it:

    python3 verify.py --log-key KEY

Amounts are in the smallest units of their currency (12990 EUR = 129.90 EUR), times are ISO 8601.
Another installation of Quittance can take this archive over: your papers are read there, and nothing is paid.
"""
