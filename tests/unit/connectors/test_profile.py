"""What a bank's file may say, and how it is told that it is wrong: by its name, the line and the key."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from connectors.berlin_group.quirks import Quirks
from connectors.capabilities import UNSURE, RecurringKind
from connectors.profile import POLL_S, BankProfile, ProfileError
from tests.unit.connectors.bank_files import UK_FILE, registry, write


def test_the_defaults_of_a_bank(tmp_path: Path) -> None:
    write(tmp_path)
    assert registry(tmp_path).profile("tested") == BankProfile(
        id="tested",
        name="Bank of Tests",
        country="DE",
        standard="berlin_group",
        base_url="https://api.bank.test/psd2",
        issuer="https://login.bank.test",
        client_id="quittance",
        redirect=True,
        tpp_token=True,
        status_access="client_credentials",
        currencies=("EUR",),
        authorisation_minutes=90,
        poll_s=POLL_S,
        status_calls_per_minute=600,
        sandbox=False,
        quirks=Quirks(),
    )


def test_the_default_pace_makes_8_calls_in_two_hours() -> None:
    calls, at_s = [0], 0
    for pause_s in (2, 5, 15, 45, *POLL_S):
        at_s += pause_s
        calls.append(at_s)
    assert len([at_s for at_s in calls if at_s <= 7200]) == 8


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"quirk": "yes"}, "tested.toml line 7: quirk: unknown; did you mean quirks?"),
        ({"id": "tested"}, "tested.toml line 7: id: unknown for this standard"),
        ({"seal_url": "x"}, "tested.toml line 7: seal_url: unknown for this standard: leave it out; it is one of stet"),
        ({"amounts_as_numbers": True}, "tested.toml line 7: amounts_as_numbers: belongs under [quirks], at the end"),
        ({"name": ...}, "tested.toml: name: missing"),
        ({"country": "de"}, "tested.toml line 2: country: must be two letters"),
        ({"country": "DE\n"}, "tested.toml line 2: country: must be two letters"),
        (
            {"standard": "pigeon"},
            "tested.toml line 3: standard: 'pigeon' is not built; known: berlin_group, openbanking_uk",
        ),
        ({"standard": ...}, "tested.toml: standard: missing; known: berlin_group, openbanking_uk"),
        ({"standard": 7}, "tested.toml line 3: standard: 7 is not built"),
        (
            {"base_url": "http://api.bank.test"},
            "tested.toml line 4: base_url: 'http://api.bank.test' is not an address",
        ),
        ({"base_url": "https://api.bank.test/"}, "tested.toml line 4: base_url: must not have a slash"),
        ({"base_url": "https://api.bank.test?x"}, "tested.toml line 4: base_url: must not have"),
        ({"issuer": "login.bank.test"}, "tested.toml line 5: issuer: 'login.bank.test' is not an address"),
        (
            {"issuer": "{sandbox_bank_url}"},
            "tested.toml line 5: issuer: {sandbox_bank_url} is for a file with sandbox = true",
        ),
        (
            {"issuer": "{sandbox}", "sandbox": True},
            "tested.toml line 5: issuer: {sandbox} is unknown; known: {sandbox_",
        ),
        ({"issuer": "https://a:b@login.bank.test"}, "tested.toml line 5: issuer: "),
        ({"redirect": "true"}, "tested.toml line 7: redirect: must be true or false, without quotation marks"),
        ({"redirect": False}, "tested.toml: redirect = false: only SCA by redirect is built"),
        (
            {"status_access": "magic"},
            "tested.toml line 7: status_access: must be one of: client_credentials, psu_token",
        ),
        ({"currencies": ["EUR", "XXX"]}, "tested.toml line 7: currencies.1: is not a currency that we know"),
        ({"currencies": []}, "tested.toml line 7: currencies: "),
        ({"authorisation_minutes": 0}, "tested.toml line 7: authorisation_minutes: Must be greater"),
        (
            {"authorisation_minutes": "90"},
            "tested.toml line 7: authorisation_minutes: must be a whole number",
        ),
        ({"poll_s": [5]}, "tested.toml line 7: poll_s.0: Must be greater"),
        ({"poll_s": []}, "tested.toml line 7: poll_s: "),
        ({"version": "4.0"}, "tested.toml line 7: version: unknown"),
        ({"also_in": ["Germany"]}, "tested.toml line 7: also_in.0: must be two letters, as FR"),
        ({"bics": ["HORZFRP"]}, "tested.toml line 7: bics.0: must be a BIC, as HORZFRP0"),
        ({"bank_codes": ["99990"]}, "tested.toml line 7: bank_codes.0: must be a country and a bank's code"),
        ({"bank_codes": ["ES9999"]}, "tested.toml line 7: bank_codes.0: ES is neither country nor in also_in"),
        ({"keys": "../keys"}, "tested.toml line 7: keys: must be the name of a folder"),
        ({"hosts": ["https://x.test"]}, "tested.toml line 7: hosts.0: must be a host"),
        ({"profile": "fapi3"}, "tested.toml line 7: profile: must be one of: oauth2, oauth2_qwac, fapi1_advanced"),
        ({"profile": "fapi1_advanced"}, "tested.toml: keys: missing: this profile proves who we are by a TLS"),
        (
            {"recurring": ["other"]},
            "tested.toml line 7: recurring: unknown for this standard: leave it out; it is one of o",
        ),
        ({"help_phone": "020 7946 0101"}, "tested.toml line 7: help_phone: must begin with + and the country"),
        ({"help_phone": "+44 20 7946 0101 "}, "tested.toml line 7: help_phone: must begin with + and the country"),
        ({"help_phone": "+44 CALL NOW"}, "tested.toml line 7: help_phone: must begin with + and the country"),
        ({"help_hours": "24/7"}, "tested.toml line 7: help_hours: nobody can be called in them: help_phone is missing"),
        (
            {"help_phone": "+44 20 7946 0101", "help_hours": "a\nb"},
            "tested.toml line 8: help_hours: must be one line of 1 to 70 characters",
        ),
        (
            {"help_phone": "+44 20 7946 0101", "help_hours": "x" * 71},
            "tested.toml line 8: help_hours: must be one line of 1 to 70 characters",
        ),
        (
            {"help_phone": "+44 20 7946 0101", "help_hours": "24/7\u202e"},
            "tested.toml line 8: help_hours: must be one line of 1 to 70 characters",
        ),
        ({"help_url": "http://bank.test/help"}, "tested.toml line 7: help_url: 'http://bank.test/help' is not an addr"),
        ({"help_url": "javascript:alert(1)"}, "tested.toml line 7: help_url: "),
        (
            {"profile": "fapi2_dpop", "client_auth": "tls_client_auth", "keys": "k"},
            "tested.toml line 8: client_auth: fapi2_dpop allows only private_key_jwt",
        ),
    ],
)
def test_a_wrong_file_is_told_by_file_and_key(changes: dict[str, Any], told: str, tmp_path: Path) -> None:
    write(tmp_path, **changes)
    with pytest.raises(ProfileError) as caught:
        registry(tmp_path)
    assert str(caught.value).startswith(told)


def test_a_file_that_is_not_toml(tmp_path: Path) -> None:
    (tmp_path / "tested.toml").write_text("name = ")
    with pytest.raises(ProfileError, match=r"^tested.toml: is not TOML: "):
        registry(tmp_path)


@pytest.mark.parametrize("stem", ["Tested", "te_sted", "-a", "a--b", "é", "a" * 41])
def test_an_id_must_fit_an_address(stem: str, tmp_path: Path) -> None:
    write(tmp_path, stem=stem)
    with pytest.raises(ProfileError, match="small letters, digits and hyphens"):
        registry(tmp_path)


def test_sandbox_banks_are_left_out_where_none_runs(tmp_path: Path) -> None:
    write(tmp_path)
    write(tmp_path, stem="toy", sandbox=True, base_url="{sandbox_bank_url}/x", issuer="{sandbox_bank_url}")
    assert [bank.id for bank in registry(tmp_path).banks()] == ["tested"]
    both = registry(tmp_path, sandbox_bank_url="http://127.0.0.1:8001/", allow_http=True)
    assert {bank.id for bank in both.banks()} == {"tested", "toy"}
    assert both.profile("toy").base_url == "http://127.0.0.1:8001/x"
    with pytest.raises(ProfileError, match="must begin with https"):
        registry(tmp_path, sandbox_bank_url="http://127.0.0.1:8001")


def test_a_wrong_sandbox_file_is_told_even_where_none_runs(tmp_path: Path) -> None:
    write(tmp_path, sandbox=True, nme="x")
    with pytest.raises(ProfileError, match="nme"):
        registry(tmp_path)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"keys": ...}, "tested.toml: keys: missing"),
        ({"version": "3.2"}, "tested.toml line 7: version: must be one of: 4.0, 3.1"),
        ({"version": ...}, "tested.toml: version: missing"),
        ({"status_access": "psu_token"}, "tested.toml line 12: status_access: unknown"),
        ({"tpp_token": False}, "tested.toml line 12: tpp_token: unknown"),
        ({"currencies": ["EUR"]}, "tested.toml line 12: currencies.0: must be one of: GBP"),
        ({"organisation_id": "a/b"}, "tested.toml line 10: organisation_id: must be"),
        ({"tan": "https://openbanking.org.uk"}, "tested.toml line 12: tan: must be a host"),
        ({"recurring": ["bills"]}, "tested.toml line 12: recurring.0: must be one of: sweeping, other, commercial_1"),
        ({"recurring": []}, "tested.toml line 12: recurring: "),
        ({"recurring": "other"}, "tested.toml line 12: recurring: "),
        ({"recurring": ["other", "other"]}, "tested.toml line 12: recurring: names one of them twice"),
        (
            {"version": "3.1", "recurring": ["other", "commercial_2"]},
            "tested.toml line 12: recurring.1: commercial_2 came with 4.0",
        ),
        ({"recurring": ["other"], "limit_days": "London"}, "tested.toml line 13: limit_days: must be a time zone"),
        ({"recurring": ["other"], "limit_days": "Europe"}, "tested.toml line 13: limit_days: must be a time zone"),
        ({"recurring": ["other"], "limit_days": "localtime"}, "tested.toml line 13: limit_days: must be a time zone"),
        ({"recurring": ["other"], "limit_days": "../UTC"}, "tested.toml line 13: limit_days: must be a time zone"),
        ({"limit_days": "UTC"}, "tested.toml line 12: limit_days: it is about recurring payments alone"),
        ({"keeps_keys": False}, "tested.toml line 12: keeps_keys: it is about recurring payments alone"),
        ({"recurring": ["other"], "keeps_keys": 0}, "tested.toml line 13: keeps_keys: must be true or false"),
    ],
)
def test_a_wrong_uk_file(changes: dict[str, Any], told: str, tmp_path: Path) -> None:
    write(tmp_path, **{**UK_FILE, **changes})
    with pytest.raises(ProfileError) as caught:
        registry(tmp_path)
    assert str(caught.value).startswith(told)


@pytest.mark.parametrize(
    ("lines", "told", "changes"),
    [
        ("b64_heder = true", "tested.toml line 14: quirks.b64_heder: unknown; did you mean b64_header?", {}),
        ("b64_header = 1", "tested.toml line 14: quirks.b64_header: must be true or false", {}),
        ("intent_id_prefix = true", "tested.toml line 14: quirks.intent_id_prefix: Not a valid string.", {}),
        ("request_object_aud = ''", "tested.toml line 14: quirks.request_object_aud: ", {}),
        (
            "b64_header = true\n# why\ncorrect_contract_indicator = true",
            "tested.toml line 16: quirks.correct_contract_indicator: 4.0 spells it so itself",
            {},
        ),
        *(
            (f"{name} = {value}", f"tested.toml line 14: quirks.{name}: ", {"profile": profile})
            for name, value, profile in [
                ("id_token_without_nonce", "true", "fapi2_mtls"),
                ("id_token_without_nonce", "true", "fapi1_advanced_jarm"),
                ("id_token_without_intent", "true", "fapi2_mtls"),
                ("answer_in_query", "true", "fapi1_advanced_jarm"),
                ("request_object_aud", "'x'", "fapi2_mtls"),
                ("repeated_parameters", "true", "fapi2_mtls"),
                ("repeated_parameters", "true", "fapi2_message_signing"),
                ("without_pkce", "true", "fapi2_mtls"),
                ("without_pkce", "true", "fapi2_message_signing"),
            ]
        ),
    ],
)
def test_a_wrong_quirk(lines: str, told: str, changes: dict[str, Any], tmp_path: Path) -> None:
    write(tmp_path, **{**UK_FILE, **changes})
    with (tmp_path / "tested.toml").open("a") as file:
        file.write(f"\n\n[quirks]\n{lines}\n")
    with pytest.raises(ProfileError) as caught:
        registry(tmp_path)
    assert str(caught.value).startswith(told)


def test_the_quirks_of_one_standard_are_not_those_of_another(tmp_path: Path) -> None:
    write(tmp_path)
    with (tmp_path / "tested.toml").open("a") as file:
        file.write("\n[quirks]\nb64_header = true\n")
    told = r"line 8: quirks.b64_header: unknown for this standard: leave it out; it is one of openbanking_uk"
    with pytest.raises(ProfileError, match=told):
        registry(tmp_path)


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("status_access = 'psu_token'", "status_access: belongs above [quirks]"),
        (
            "execution_date_wanted = true",
            "execution_date_wanted: unknown for this standard: leave it out",
        ),
        ("redirect_link_name = 'next'", "redirect_link_name: its customers approve elsewhere: approach = "),
        ("confirmation_code_name = 'code'", "confirmation_code_name: its customers approve elsewhere: approach = "),
    ],
)
def test_a_quirk_that_belongs_elsewhere_or_does_nothing(line: str, told: str, tmp_path: Path) -> None:
    write(tmp_path)
    with (tmp_path / "tested.toml").open("a") as file:
        file.write(f"\n[quirks]\n{line}\n")
    with pytest.raises(ProfileError) as caught:
        registry(tmp_path)
    assert str(caught.value).startswith(f"tested.toml line 8: quirks.{told}")


def test_all_that_is_wrong_is_told_in_the_order_of_the_file(tmp_path: Path) -> None:
    write(tmp_path, country="de", issuer=..., poll_s=[300, 5])
    with pytest.raises(ProfileError) as caught:
        registry(tmp_path)
    first, second, third = str(caught.value).split("; ")
    assert first.startswith("tested.toml: issuer: ")
    assert second.startswith("line 2: country: ")
    assert third.startswith("line 6: poll_s.1: ")


def test_what_a_bank_says_of_recurring_payments(tmp_path: Path) -> None:
    uk = {**UK_FILE, "keys": "ours"}
    write(tmp_path, **uk, recurring=["other", "commercial_1"], limit_days="Europe/London", keeps_keys=False)
    write(tmp_path, **uk, stem="unsaid", recurring=["sweeping"])
    write(tmp_path, **uk, stem="without")
    banks = registry(tmp_path)
    said, unsaid, without = (banks.profile(name) for name in ("tested", "unsaid", "without"))
    assert said.recurring == (RecurringKind.OTHER, RecurringKind.COMMERCIAL_1)
    assert (said.limit_days, said.keeps_keys) == ("Europe/London", False)
    assert (unsaid.limit_days, unsaid.keeps_keys) == (UNSURE, True)
    assert without.recurring == ()


def test_whom_to_call(tmp_path: Path) -> None:
    page = "https://bank.test/help/?lang=en#lost"
    write(tmp_path, help_phone="+44 20 7946 0101", help_hours="Mon–Fri 8:00–20:00", help_url=page)
    bank = registry(tmp_path).profile("tested")
    assert (bank.help_phone, bank.help_hours, bank.help_url) == ("+44 20 7946 0101", "Mon–Fri 8:00–20:00", page)
    write(tmp_path)
    bank = registry(tmp_path).profile("tested")
    assert (bank.help_phone, bank.help_hours, bank.help_url) == ("", "", "")
