"""x-jws-signature as the bank judges it: each fault has its code of the standard."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from connectors.sandbox_bank.openbanking_uk import detached
from connectors.sandbox_bank.openbanking_uk.brands import BRANDS
from connectors.sandbox_bank.openbanking_uk.detached import IAT, ISS, TAN, SignatureFault
from tests.support.sandbox_tpp import Answer, Clock
from tests.support.uk_bank import inside, make_bank, make_folder, tpp_at
from tests.support.uk_tpp import UkTpp

BODY = b'{"Data": {"Initiation": {}}, "Risk": {}}'
CLOCK = Clock()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_folder(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def bank(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flask]:
    app = make_bank(folder, tmp_path_factory.mktemp("bank") / "bank.db", clock=CLOCK, sleep=lambda _: None)
    with app.app_context():
        yield app
    inside(app).store.close()


@pytest.fixture(scope="module")
def tpp(bank: Flask, folder: Path) -> UkTpp:
    return tpp_at(bank, folder, "albion", clock=CLOCK)


@pytest.fixture(scope="module")
def old_tpp(bank: Flask, folder: Path) -> UkTpp:
    return tpp_at(bank, folder, "humber", clock=CLOCK)


def verify(signature: str | None, body: bytes = BODY, *, brand: str = "albion", tpp: str = "quittance") -> None:
    detached.verify(signature, body, brand=BRANDS[brand], tpp=tpp, now=CLOCK())


def code_of(signature: str | None, body: bytes = BODY, **how: str) -> str:
    with pytest.raises(SignatureFault) as caught:
        verify(signature, body, **how)
    return caught.value.code


def test_a_signature_over_these_bytes(tpp: UkTpp) -> None:
    verify(tpp.sign(BODY))
    verify(tpp.sign(BODY, typ=None, cty=None))
    verify(tpp.sign(BODY, cty="json"))


def test_another_body_of_the_same_meaning_is_another_message(tpp: UkTpp) -> None:
    assert code_of(tpp.sign(BODY), BODY.replace(b" ", b"")) == "U015"
    assert code_of(tpp.sign(BODY), b"") == "U015"


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"kid": "nobody's"}, "U016"),
        ({"kid": None}, "U017"),
        ({"crit": None}, "U017"),
        ({"crit": [IAT, ISS]}, "U016"),
        ({"crit": [IAT, ISS, TAN, TAN]}, "U016"),
        ({"crit": [IAT, ISS, ISS]}, "U016"),
        ({IAT: None, "crit": [ISS, TAN]}, "U017"),
        ({ISS: None, "crit": [IAT, TAN]}, "U017"),
        ({TAN: None, "crit": [IAT, ISS]}, "U017"),
        ({IAT: CLOCK.seconds() + 11}, "U016"),
        ({ISS: "PSDGB-FCA-000000"}, "U016"),
        ({ISS: "PSDGB-FCA-111111/other"}, "U016"),
        ({TAN: "openbanking.example"}, "U016"),
        ({"typ": "JWT"}, "U016"),
        ({"cty": "text/plain"}, "U016"),
        ({"alg": "RS256"}, "U016"),
    ],
    ids=str,
)
def test_a_claim_that_is_wrong_or_missing(tpp: UkTpp, changes: dict[str, Any], code: str) -> None:
    if changes.get("alg") == "RS256":
        tpp = _with_a_key_for_anything(tpp)
    assert code_of(tpp.sign(BODY, **changes)) == code


def test_a_clock_that_is_a_little_ahead_is_borne(tpp: UkTpp) -> None:
    verify(tpp.sign(BODY, **{IAT: CLOCK.seconds() + 10}))


@pytest.mark.parametrize("signature", [None, ""])
def test_no_signature(signature: str | None) -> None:
    assert code_of(signature) == "U019"


@pytest.mark.parametrize("signature", ["x", "a.b.c", "..", "a..", "!..c", "W10..c", "bm90IEpTT04..c"])
def test_what_is_no_signature(bank: Flask, signature: str) -> None:
    assert code_of(signature) == "U018"


def test_the_signature_of_somebody_else(tpp: UkTpp) -> None:
    assert code_of(tpp.sign(BODY), tpp="other") == "U016"
    assert code_of(tpp.sign(BODY), tpp="nobody") == "U016"


def test_the_old_way_has_b64(tpp: UkTpp, old_tpp: UkTpp) -> None:
    verify(old_tpp.sign(BODY), brand="humber")
    assert code_of(tpp.sign(BODY), brand="humber") == "U017"
    assert code_of(old_tpp.sign(BODY), brand="albion") == "U016"
    assert code_of(old_tpp.sign(BODY), BODY + b" ", brand="humber") == "U015"


def test_the_bank_signs_as_it_wants_to_be_signed_to(tpp: UkTpp, old_tpp: UkTpp) -> None:
    for client, brand in ((tpp, "albion"), (old_tpp, "humber")):
        signature = detached.sign(BODY, brand=BRANDS[brand], now=CLOCK() - timedelta(seconds=1))
        answer = Answer(status=200, headers={"x-jws-signature": signature}, content=BODY)
        assert client.is_signed(answer)


def _with_a_key_for_anything(tpp: UkTpp) -> UkTpp:
    """The same TPP, whose key does not say for which algorithm it is."""
    from copy import copy

    from joserfc.jwk import RSAKey

    other, jwk = copy(tpp), tpp.signing.as_dict(private=True)
    other.signing = RSAKey.import_key({name: value for name, value in jwk.items() if name not in ("alg", "use")})
    return other
