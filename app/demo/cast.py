"""Who plays in the demo: three customers and five billers. Every name, account and number is made up.

The accounts have right check digits and bank codes that no bank has; the VAT numbers are right in form only.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Person:
    """A customer as billers know them, and as we seed them."""

    key: str
    name: str
    email: str
    locale: str
    time_zone: str
    street: str
    postcode: str
    city: str
    country: str


@dataclass(frozen=True, kw_only=True)
class Company:
    """A biller: what its bills say of it, and what was vetted."""

    slug: str
    name: str
    street: str
    postcode: str
    city: str
    country: str
    vat_id: str
    legal_id: str
    #: ISO 6523 code of the register that gave legal_id; a German commercial register has none
    legal_scheme: str | None
    iban: str
    bic: str
    currency: str = "EUR"
    contact: str
    email: str
    phone: str


CAMILLE = Person(
    key="camille",
    name="Camille Laurent",
    email="camille.laurent@example.org",
    locale="fr",
    time_zone="Europe/Paris",
    street="12, rue des Tilleuls argentés",
    postcode="67000",
    city="Strasbourg",
    country="FR",
)
JONAS = Person(
    key="jonas",
    name="Jonas Weber",
    email="jonas.weber@example.org",
    locale="en",
    time_zone="Europe/Berlin",
    street="Kastanienhof 7",
    postcode="10435",
    city="Berlin",
    country="DE",
)
#: bills in pounds, so that she can allow payments in advance, and sign several bills at once
ROWAN = Person(
    key="rowan",
    name="Rowan Ellis",
    email="rowan.ellis@example.org",
    locale="en",
    time_zone="Europe/London",
    street="3 Ropewalk Lane",
    postcode="BS1 6XQ",
    city="Bristol",
    country="GB",
)
PEOPLE = (CAMILLE, JONAS, ROWAN)
#: who vetted the companies: two different people have to
OPERATORS = ("ada", "grace")

WATER = Company(
    slug="eaux-de-brumeval",
    name="Eaux de Brumeval",
    street="4, quai de la Source",
    postcode="67100",
    city="Strasbourg",
    country="FR",
    vat_id="FR64904172681",
    legal_id="904172681",
    legal_scheme="0002",
    iban="FR7699999000020000417260538",
    bic="SBDKFRP0",
    contact="Service clients",
    email="clients@brumeval.example",
    phone="+33 3 00 00 41 72",
)
INTERNET = Company(
    slug="filandre-telecom",
    name="Filandre Télécom",
    street="88, boulevard du Relais",
    postcode="69003",
    city="Lyon",
    country="FR",
    vat_id="FR80895301422",
    legal_id="895301422",
    legal_scheme="0002",
    iban="FR7699999000020000895301467",
    bic="SBDKFRP0",
    contact="Service facturation",
    email="factures@filandre.example",
    phone="+33 4 00 00 53 01",
)
ENERGY = Company(
    slug="windgrund-energie",
    name="Windgrund Energie GmbH",
    street="Am Umspannwerk 3",
    postcode="14467",
    city="Potsdam",
    country="DE",
    vat_id="DE317462058",
    legal_id="HRB 31746",
    legal_scheme=None,
    iban="DE71999990000999900031",
    bic="SBDKDEP0",
    contact="Kundenbetreuung",
    email="kunden@windgrund.example",
    phone="+49 331 0003174",
)
MUSIC = Company(
    slug="musikschule-sommergarten",
    name="Musikschule Sommergarten gGmbH",
    street="Rheinpromenade 15",
    postcode="77694",
    city="Kehl",
    country="DE",
    vat_id="DE309581276",
    legal_id="HRB 30958",
    legal_scheme=None,
    iban="DE65999990000999900042",
    bic="SBDKDEP0",
    contact="Sekretariat",
    email="sekretariat@sommergarten.example",
    phone="+49 7851 000958",
)
TRAMS = Company(
    slug="severnside-trams",
    name="Severnside Trams Ltd",
    street="9 Harbour Row",
    postcode="BS1 6XN",
    city="Bristol",
    country="GB",
    vat_id="GB904417207",
    legal_id="09044172",
    legal_scheme=None,
    iban="GB74SBDK99999941726053",
    bic="SBDKGB20",
    currency="GBP",
    contact="Season tickets",
    email="tickets@severnside.example",
    phone="+44 117 000 4172",
)
COMPANIES = (WATER, INTERNET, ENERGY, MUSIC, TRAMS)

#: who gets bills from whom
CONNECTIONS = {
    CAMILLE.key: (WATER.slug, INTERNET.slug, MUSIC.slug),
    JONAS.key: (ENERGY.slug, MUSIC.slug, INTERNET.slug),
    ROWAN.key: (TRAMS.slug,),
}
