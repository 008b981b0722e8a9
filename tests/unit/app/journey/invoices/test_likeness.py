"""Names of which a person could take one for the other."""

from __future__ import annotations

import pytest

from app.journey.invoices.alike import resembles

FORGED = {
    "ENGIE": ["ENGlE", "ENG1E", "Engie SA", "ENGIE Recouvrement"],
    "Orange": ["0range", "0RANGE", "Orange Bill"],
    "Lumen Énergie": ["Lurnen Energie", "Łumen Energie", "Lumen Energy", "Lumen", "LumenEnergie", "Lumen Energ1e"],
    "Vattenfall": ["VattenfaII", "Vattenfal1", "VVattenfall", "Vatten fall"],
    "Société Générale": ["Societe Generale", "SOCIETE GENERALE SA"],
    "Wasserwerk Süd": ["Wasserwerk Sued", "Wasserwerk Sud"],
}
OTHER = {
    "ENGIE": ["EDF", "Enercoop"],
    "Orange": ["Free", "Bouygues Telecom"],
    "Lumen Énergie": ["Dachdeckerei Brandt", "Inkasso Nord"],
    "Société Générale": ["Crédit Agricole"],
}


@pytest.mark.parametrize(("known", "written"), [(known, each) for known in FORGED for each in FORGED[known]])
def test_a_name_that_looks_like_another(known: str, written: str) -> None:
    assert resembles(written, known)
    assert resembles(known, written)


@pytest.mark.parametrize(("known", "written"), [(known, each) for known in OTHER for each in OTHER[known]])
def test_another_name_is_another(known: str, written: str) -> None:
    assert not resembles(written, known)
