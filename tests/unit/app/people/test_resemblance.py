"""Names that two people must look at before a company may have them, and names that are nobody else's. All invented."""

from __future__ import annotations

import itertools

import pytest

from app.people.resemblance import calls_itself, has_other_letters, is_same, resembles

#: a name that is here, and names that must not pass beside it
STOPPED = {
    "Lumen Énergie": [
        "Lumen Energie",
        "LUMEN ÉNERGIE",
        "Lumen-Énergie",
        "LumenÉnergie",
        "Lumen Énergie SA",
        "Lumen Énergie S.A.S.",
        "Énergie Lumen",
        "Lurnen Énergie",
        "Lumen Énergle",
        "Lumen Énerqie",
        "Lumen Énrgie",
        "Lumen Énergiee",
        "Lumne Énergie",
        "Lumen Énergie France",
        "Lumen Énergie Recouvrement",
        "Service Clients Lumen Énergie",
        "Lumen Énergie Bordeaux",
        "Groupe Lumen Énergie",
        "Lumеn Énergie",  # Cyrillic е
        "Lսmen Énergie",  # Armenian
        "Lumen Énerɡie",
        "www.lumen-energie.fr",
        "The Lumen Energie Company",
        "Lumen d'Énergie",
    ],
    "Filandre Télécom": [
        "Filandre Telecom",
        "FiIandre Télécom",  # a large i
        "Fi1andre Télécom",
        "Filandres Télécom",
        "Filandre Telekom",
        "Télécom Filandre SAS",
        "Filandre Télécom Facturation",
        "Filandre  Télécom Ltd",
        "Filаndre Télécоm",
        "Filandre-Télécoms",
    ],
    "Windgrund Energie GmbH": [
        "Windgrund Energie",
        "Windgrund Energie AG",
        "Vvindgrund Energie GmbH",
        "Windgrünt Energie GmbH",
        "Waldgrund Energie GmbH",  # another company, perhaps: two people look
        "Windgrund Energie Inkasso GmbH",
        "Energie Windgrund UG",
        "Windgrnud Energie",
        "Windgrund Energie Potsdam GmbH",
        "Kundenservice Windgrund Energie",
    ],
    "Severnside Trams Ltd": [
        "Severnside Trams",
        "Severnside Tram Ltd",
        "Sevemside Trams Ltd",
        "Severnslde Trams plc",
        "Severn Side Trams",
        "Severnside Trams Payments Ltd",
        "Severnside Trams (Bristol) Limited",
        "5evernside Trams",
    ],
    # where a part of the name is what others only put beside theirs, or it is one word with a trade behind it
    "La Poste": ["Laposte", "La Poste SA"],
    "PostFinance": ["Post Finance", "Postfinance AG"],
    "Swisscom": ["Swiss.com", "Swiscom", "Swisscom Mobile"],
    "AXA": ["AXA Assurances France", "AXA Versicherung"],
    "E.ON Energie": ["EON Energie Deutschland"],
    "Orbex": ["0rbex", "Orbexx", "Orbax", "ORBEX SA", "Orbéx", "Orbex Online", "Obrex", "Οrbex", "Orbex.com"],
    "Eaux de Brumeval": [
        "Eau de Brumeval",
        "Eaux de Brurneval",
        "Eaux du Brumeval",
        "Eaux Brumeval",
        "Brumeval Eaux SCOP",
        "Eaux de Brumeva1",
    ],
}
#: companies that share words, a trade or a place, and are not taken for one another
PASSING = [
    ("Lumen Énergie", "Soléa Énergie"),
    ("Lumen Énergie", "Lumen Immobilier"),
    ("Lumen Énergie", "Énergie du Ponant"),
    ("Lumen Énergie", "Lunaire Énergie"),
    ("Filandre Télécom", "Corail Télécom"),
    ("Filandre Télécom", "Filandre Assurances"),
    ("Filandre Télécom", "Calandre Télévision"),
    ("Eaux de Brumeval", "Eaux de Corbeval"),
    ("Eaux de Brumeval", "Gaz de Brumeval"),
    ("Eaux de Brumeval", "Piscine de Brumeval"),
    ("Eaux du Lac", "Eaux du Parc"),
    ("Eaux du Lac", "Crédit du Lac"),
    ("Eaux du Lac", "Hôtel du Lac"),
    ("Stadtwerke Neuhof", "Stadtwerke Altdorf"),
    ("Stadtwerke Neuhof", "Wasserwerke Neuhof"),
    ("Stadtwerke Birkenau", "Stadtwerke Lindenau"),
    ("Windgrund Energie GmbH", "Morgengrund Energie GmbH"),
    ("Windgrund Energie GmbH", "Windpark Morgen GmbH"),
    ("Windgrund Energie GmbH", "Nordlicht Energie GmbH"),
    ("Musikschule Sommergarten", "Musikschule Wintergarten"),
    ("Musikschule Sommergarten", "Kindergarten Sommerhaus"),
    ("Severnside Trams Ltd", "Severnside Waste Ltd"),
    ("Severnside Trams Ltd", "Thameside Trams Ltd"),
    ("Severnside Trams Ltd", "Severn Ferries plc"),
    ("Orbex", "Ortax"),
    ("Orbex", "Korbwerk"),
    ("Orbex", "Orbital Media"),
    ("Mutuelle des Cimes", "Mutuelle des Plaines"),
    ("Mutuelle des Cimes", "Garage des Cimes"),
    ("Assurances Vauclair", "Assurances Montclair"),
    ("Assurances Vauclair", "Transports Vauclair"),
    ("Régie du Val", "Régie du Port"),
    ("Régie du Val", "Régie des Dunes"),
    ("Cabinet Marchetti", "Cabinet Morandi"),
    ("Clinique Saint-Aubin", "Clinique Saint-Florent"),
    ("Clinique Saint-Aubin", "Résidence Saint-Aubin"),
    ("Pharmacie Lenoir", "Pharmacie Leblanc"),
    ("Crèche Les Lutins", "Crèche Les Écureuils"),
    ("Boulangerie Duvivier", "Boucherie Duvivier"),
    ("Taxi Hirondelle", "Taxi Alouette"),
    ("Garten Huber", "Garten Maier"),
    ("Autohaus Berger", "Autohaus Brandt"),
    ("Zahnarzt Dr. Kessler", "Zahnarzt Dr. Vogel"),
    ("Nordbahn AG", "Südbahn AG"),
    ("Nordbahn AG", "Nordwerk AG"),
    ("Kranich Verlag", "Storch Verlag"),
    ("Telefon Jura", "Telefon Valais"),
    ("Helvia Krankenkasse", "Sanaris Krankenkasse"),
    ("Gemeente Zandvoorde", "Gemeente Oosterhaven"),
    ("Waternet Polder", "Warmtenet Polder"),
    ("Bruma Internet", "Bravia Internet"),
    ("Aldersgill Gardens", "Aldersgill Dental"),
    ("Kestrel Water", "Heron Water"),
    ("Kestrel Water", "Kestrel Broadband"),
    ("Pemberley Council", "Hartfield Council"),
    ("Northmoor Energy", "Eastmoor Energy"),
    ("Fjordkraft Nord", "Fjordbank Nord"),
    ("Agua Clara", "Casa Clara"),
    ("Luz del Sur", "Voz del Norte"),
    ("Acqua Serena", "Aria Serena"),
    ("EDL", "GDV"),
    ("ABX", "CDY"),
    ("Télé 12", "Radio 34"),
    ("Quai des Arts", "Quai des Brumes"),
    ("CIC", "SCP"),
    ("La Poste", "La Banque Postale"),
    ("Swisscom", "Swiss Life"),
    ("Deutsche Post", "Deutsche Bahn"),
    ("Octopus Energy", "Ovo Energy"),
    ("Eau de Paris", "Gaz de Paris"),
]


PAIRS = [(known, each) for known, names in STOPPED.items() for each in names]


def test_there_are_enough_of_them() -> None:
    assert len(PAIRS) >= 60
    assert len(PASSING) >= 60
    assert len({frozenset(pair) for pair in (*PAIRS, *PASSING)}) == len(PAIRS) + len(PASSING)


@pytest.mark.parametrize(("known", "written"), PAIRS)
def test_a_look_alike_is_stopped_whichever_was_first(known: str, written: str) -> None:
    stopped = resembles(written, known) or has_other_letters(written)
    assert stopped
    assert stopped == (resembles(known, written) or has_other_letters(written))


@pytest.mark.parametrize(("one", "other"), PASSING)
def test_another_company_passes_whichever_was_first(one: str, other: str) -> None:
    assert not resembles(one, other)
    assert not resembles(other, one)
    assert not has_other_letters(one)


def test_companies_of_one_list_do_not_stop_each_other() -> None:
    assert [pair for pair in itertools.combinations(STOPPED, 2) if resembles(*pair)] == []


@pytest.mark.parametrize(
    ("name", "legal_name", "same"),
    [
        ("Filandre Télécom", "FILANDRE TELECOM SAS", True),
        ("Clara Closebuy", "Clara Closeby SARL", True),
        ("Orange", "Orange Pressée SARL", False),  # which resembles it, and is another company
        ("Lumen", "Lumen Recouvrement SARL", False),
        ("La Poste", "Poste Italiane SpA", False),
        ("CIC", "SCP", False),
    ],
)
def test_a_name_is_the_legal_one_only_where_nothing_is_added(name: str, legal_name: str, same: bool) -> None:
    assert is_same(name, legal_name) is same


@pytest.mark.parametrize(
    "name",
    [
        "Quittance",
        "QUlTTANCE",
        "Qu1ttance SA",
        "Quitance",
        "Quittances",
        "Quittance Service",
        "My Quittance",
        "Quit-tance",
    ],
)
def test_nobody_calls_itself_like_this_service(name: str) -> None:
    assert calls_itself(name, "quittance")


@pytest.mark.parametrize("name", ["Lumen Énergie", "Pitance du Chef", "Quincaillerie Moreau", "Acquisition SA"])
def test_others_do_not(name: str) -> None:
    assert not calls_itself(name, "quittance")
