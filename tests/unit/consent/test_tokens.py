"""Access tokens of one consent: sealed, and used only while they surely live."""

from __future__ import annotations

import datetime as dt

import pytest

from connectors.contract import Authorised
from consent import tokens
from consent.models import Consent, Sealed
from consent.vault import Vault
from tests.conftest import Clock
from tests.unit.conftest import Begin

VAULT = Vault({"k1": b"1" * 32}, active="k1")
CONSENT = Consent(id="con_1")
MARGIN_S = 10


@pytest.mark.parametrize(("expires_in_s", "life_s"), [(3600, 3600), (60, 60), (None, 300)])
def test_a_token_is_used_until_shortly_before_its_end(
    begin: Begin, clock: Clock, expires_in_s: int | None, life_s: int
) -> None:
    with begin() as uow:
        authorised = Authorised(access_token="t0ken", expires_in_s=expires_in_s)
        tokens.keep(uow.session, VAULT, CONSENT, authorised, now=clock.now)
        uow.session.flush()

        def at(seconds: int) -> str | None:
            moment = clock.now + dt.timedelta(seconds=seconds)
            return tokens.access_token(uow.session, VAULT, CONSENT, now=moment)

        assert at(0) == "t0ken"
        assert at(life_s - MARGIN_S - 1) == "t0ken"
        assert at(life_s - MARGIN_S) is None
        assert at(life_s) is None
        assert b"t0ken" not in uow.session.get_one(Sealed, "consent:con_1:token").box


def test_a_token_whose_key_is_gone_is_none_is_told_of_once_and_is_kept(
    begin: Begin, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    others = Vault({"k2": b"2" * 32}, active="k2")
    with begin() as uow:
        tokens.keep(uow.session, VAULT, CONSENT, Authorised(access_token="t0ken", expires_in_s=60), now=clock.now)
        uow.session.flush()
        tokens._tell.cache_clear()
        for _ in range(3):
            assert tokens.access_token(uow.session, others, CONSENT, now=clock.now) is None
        told = [record.getMessage() for record in caplog.records if record.name == "quittance.consent"]
        assert len(told) == 1
        assert "consent:con_1:token does not open" in told[0]
        assert tokens.access_token(uow.session, VAULT, CONSENT, now=clock.now) == "t0ken"


def test_another_consent_has_no_token(begin: Begin, clock: Clock) -> None:
    with begin() as uow:
        tokens.keep(uow.session, VAULT, CONSENT, Authorised(access_token="t", expires_in_s=60), now=clock.now)
        uow.session.flush()
        assert tokens.access_token(uow.session, VAULT, Consent(id="con_2"), now=clock.now) is None
