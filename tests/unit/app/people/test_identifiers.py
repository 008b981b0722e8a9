"""Numbers of companies: what is right is stored in one form, what cannot be right is refused."""

from __future__ import annotations

import pytest

from app.errors import Invalid
from app.people.identifiers import Scheme, is_same_vat, parsed, whole


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("siren:904 172 681", "904172681"),
        ("SIREN : 904.172.681", "904172681"),
        ("siret:73282932000074", "73282932000074"),
        ("vat:fr64904172681", "FR64904172681"),
        ("vat:DE 136 695 976", "DE136695976"),
        ("vat:be 0403.170.701", "BE0403170701"),
        ("vat:BE 403170701", "BE0403170701"),  # as it was written before 2008
        ("vat:NL4495445B01", "NL004495445B01"),
        ("vat:GR 94259216", "EL094259216"),
        ("vat:EL094259216", "EL094259216"),
        ("vat:XI980780684", "XI980780684"),
        ("vat:CHE-107.787.577 MWST", "CHE107787577MWST"),
        ("vat:NO 995 525 828 MVA", "NO995525828MVA"),
        ("siret:35600000000048", "35600000000048"),  # La Poste, its head office: by Luhn
        ("siret:35600000009075", "35600000009075"),  # and its others: the sum of the digits is a multiple of five
        ("lei:213800kud8lajwsq9d15", "213800KUD8LAJWSQ9D15"),
        ("uk-company:01234567", "01234567"),
        ("uk-company:SC123456", "SC123456"),
        ("uk-company:R0000001", "R0000001"),
        ("kbo:0403.170.701", "0403170701"),
        ("kbo:403170701", "0403170701"),
        ("uid:CHE-109.322.551", "CHE109322551"),
    ],
)
def test_a_right_number_has_one_form(written: str, value: str) -> None:
    assert parsed(written)[1] == value


@pytest.mark.parametrize(
    "written",
    [
        "904172681",
        "siren",
        "siren:",
        "siren:904172682",
        "siren:90417268",
        "siren:000000000",
        "siren:９０４１７２６８１",
        "siret:73282932000075",
        "vat:64904172681",
        "vat:FR64904172682",
        "vat:FR",
        "vat:ZZ12",  # no country's
        "vat:US123456789",  # a country's that has none
        "vat:LI12345",  # or of which no check is known
        "vat:XI980780685",
        "siret:35600000009076",
        "lei:213800KUD8LAJWSQ9D16",
        "lei:98",  # its check digits are right
        "lei:213800KUD8LAJWSQ9D1",
        "uk-company:1234567",
        "uk-company:00000000",
        "uk-company:ABC12345",
        "kbo:0403170702",
        "uid:CHE109322552",
        "hrb:31746",
        "siren:<script>",
    ],
)
def test_a_wrong_one_is_refused(written: str) -> None:
    with pytest.raises(Invalid) as refused:
        parsed(written)
    assert refused.value.code in ("identifier", "vat-id")
    assert refused.value.detail


@pytest.mark.parametrize(
    ("given", "all_of_them"),
    [
        ("vat:FR64904172681", {"vat": "FR64904172681", "siren": "904172681"}),
        ("siret:73282932000074", {"siret": "73282932000074", "siren": "732829320"}),
        ("vat:BE0403170701", {"vat": "BE0403170701", "kbo": "0403170701"}),
        ("vat:CHE107787577MWST", {"vat": "CHE107787577MWST", "uid": "CHE107787577"}),
        ("vat:DE136695976", {"vat": "DE136695976"}),
        ("uk-company:01234567", {"uk-company": "01234567"}),
    ],
)
def test_what_stands_in_another_number_is_known_with_it(given: str, all_of_them: dict[str, str]) -> None:
    assert {str(scheme): value for scheme, value in whole([parsed(given)]).items()} == all_of_them


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("CHE-107.787.577 MWST", "CHE107787577TVA", True),
        ("CHE-107.787.577 IVA", "CHE-107.787.577 TVA", True),
        ("CHE-107.787.577 MWST", "CHE-116.281.710 MWST", False),
        ("GB980780684", "XI 980 7806 84", True),
        ("GB980780684", "GB980780684001", False),  # a branch
        ("EL094259216", "GR 94259216", True),
        ("NL4495445B01", "NL004495445B01", True),
        ("IE8D79739I", "IE0797398I", False),  # who knows
        ("LI12345", "LI12345", True),  # as it is: nobody can check it
        ("LI12345", "LI54321", False),
    ],
)
def test_one_vat_number_in_two_forms_is_one(one: str, other: str, same: bool) -> None:
    assert is_same_vat(one, other) is is_same_vat(other, one) is same


def test_two_forms_of_one_number_are_of_one_company() -> None:
    assert whole([parsed("vat:GB980780684"), parsed("vat:XI980780684")]) == {Scheme.VAT: "GB980780684"}


def test_numbers_of_two_companies_are_refused() -> None:
    with pytest.raises(Invalid) as refused:
        whole([(Scheme.SIRET, "73282932000074"), (Scheme.VAT, "FR64904172681")])
    assert refused.value.code == "identifiers-differ"
