"""The environment: a typing error or a dangerous combination stops the start and says which variable to mend."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from config.hosts import is_loopback
from config.settings import ROOT, Settings, SettingsError


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith("QUITTANCE_"):
            monkeypatch.delenv(name)


def read(monkeypatch: pytest.MonkeyPatch, **values: str) -> Settings:
    for name, value in values.items():
        monkeypatch.setenv(f"QUITTANCE_{name}", value)
    return Settings.from_environ()


def test_the_demo_needs_one_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = read(monkeypatch, DEMO="true")
    assert settings.base_url == "http://localhost:8000"
    assert settings.data == Path("var").absolute()
    assert settings.database_url == f"sqlite:///{Path('var').absolute() / 'quittance.sqlite3'}"
    assert settings.keys == Path("var").absolute() / "keys"
    assert settings.banks == ROOT / "config" / "banks"
    assert settings.bank_keys == Path("var").absolute() / "bank-keys"
    assert (settings.port, settings.bank_port, settings.biller_port, settings.uk_bank_port) == (8000, 8001, 8002, 8003)
    assert settings.sandbox_bank_url == "http://127.0.0.1:8001"
    assert settings.sandbox_bank_uk_url == "https://127.0.0.1:8003"
    assert settings.sandbox_bank_stet_url == "https://127.0.0.1:8004"
    assert settings.sandbox_bank_nextgen_url == "https://127.0.0.1:8005"
    assert settings.host == "localhost"
    assert settings.cookie_suffix == "-8000"


def test_a_live_service_knows_no_sandbox_bank(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = read(monkeypatch, BASE_URL="https://bills.example/")
    assert not settings.demo
    assert settings.base_url == settings.issuer == "https://bills.example"
    assert settings.sandbox_bank_url is None
    assert settings.sandbox_bank_uk_url is None
    assert settings.sandbox_bank_stet_url is None
    assert settings.sandbox_bank_nextgen_url is None
    assert settings.cookie_suffix == ""


def test_an_account_opens_at_once_in_the_demo_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    assert read(monkeypatch, DEMO="true").account_wait_hours == 0
    monkeypatch.delenv("QUITTANCE_DEMO")
    assert read(monkeypatch, BASE_URL="https://bills.example").account_wait_hours == 72
    for hours in ("0", "-1", "721"):
        with pytest.raises(SettingsError, match="QUITTANCE_ACCOUNT_WAIT_HOURS must be"):
            read(monkeypatch, BASE_URL="https://bills.example", ACCOUNT_WAIT_HOURS=hours)


def test_names_are_checked_at_the_sandbox_bank_or_over_tls_or_nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    demo = read(monkeypatch, DEMO="true", BANK_PORT="8101")
    assert demo.name_check_url == "http://127.0.0.1:8101/vop/v1/payee-verifications"
    monkeypatch.delenv("QUITTANCE_DEMO")
    assert read(monkeypatch, BASE_URL="https://bills.example").name_check_url == ""
    assert demo.company_register_url == "http://127.0.0.1:8101/register/v1/companies"
    assert read(monkeypatch, BASE_URL="https://bills.example").company_register_url == ""


@pytest.mark.parametrize("name", ["NAME_CHECK_URL", "COMPANY_REGISTER_URL"])
@pytest.mark.parametrize(
    ("address", "wrong"),
    [
        ("https://names.example/checks", None),
        ("https://names.example:8443", None),
        ("http://names.example/", "must begin with https://"),
        ("https://", "must be an address like"),
        ("https:names.example", "must be an address like"),
        ("https://[::1", "must be an address like"),
        ("https://names.example:99999/", "must be an address like"),
        ("https://names.example:port/", "must be an address like"),
        ("https://us\u0435r.example/", "must be an address like"),
        ("https://names.example/a b", "must be an address like"),
        ("https://who:secret@names.example/", "must be an address like"),
        ("names.example", "must be an address like"),
    ],
)
def test_whom_we_ask_has_an_address(
    monkeypatch: pytest.MonkeyPatch, name: str, address: str, wrong: str | None
) -> None:
    if wrong is None:
        assert getattr(read(monkeypatch, BASE_URL="https://bills.example", **{name: address}), name.lower()) == address
        return
    with pytest.raises(SettingsError, match=f"QUITTANCE_{name} .*{wrong}"):
        read(monkeypatch, BASE_URL="https://bills.example", **{name: address})


def test_an_unknown_variable_stops_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SettingsError, match=r"unknown setting QUITTANCE_DEMOO.*Known:.*QUITTANCE_DEMO"):
        read(monkeypatch, DEMO="true", DEMOO="true")


@pytest.mark.parametrize(
    "base_url",
    ["https://bills.example", "http://192.168.1.4:8000", "http://localhost.evil.example", "http://0.0.0.0:8000"],
)
def test_the_demo_is_for_this_machine_alone(monkeypatch: pytest.MonkeyPatch, base_url: str) -> None:
    with pytest.raises(SettingsError, match="may only be served on localhost"):
        read(monkeypatch, DEMO="true", BASE_URL=base_url)


def test_without_the_demo_it_is_https(monkeypatch: pytest.MonkeyPatch) -> None:
    for base_url in ("http://bills.example", "http://localhost:8000"):
        with pytest.raises(SettingsError, match="must begin with https://"):
            read(monkeypatch, BASE_URL=base_url)


@pytest.mark.parametrize(
    "base_url", ["bills.example", "ftp://bills.example", "https://", "https://bills.example/app", "https://b/?x=1", ""]
)
def test_the_address_is_only_scheme_and_host(monkeypatch: pytest.MonkeyPatch, base_url: str) -> None:
    with pytest.raises(SettingsError, match="QUITTANCE_BASE_URL"):
        read(monkeypatch, BASE_URL=base_url)


@pytest.mark.parametrize(
    "name", ["PORT", "BANK_PORT", "BILLER_PORT", "UK_BANK_PORT", "STET_BANK_PORT", "NEXTGEN_BANK_PORT"]
)
@pytest.mark.parametrize("value", ["0", "65536", "-1", "http", "80.5", ""])
def test_a_port_is_a_port(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    with pytest.raises(SettingsError, match=f"QUITTANCE_{name}"):
        read(monkeypatch, DEMO="true", BASE_URL="http://localhost:8000", **{name: value})


@pytest.mark.parametrize("name", ["DEMO", "WEB_WORKERS", "WEB_THREADS", "TRUSTED_PROXIES"])
def test_nonsense_is_named(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    with pytest.raises(SettingsError, match=f"QUITTANCE_{name}"):
        read(monkeypatch, BASE_URL="https://bills.example", **{name: "perhaps"})


def test_proxies_are_none_or_some(monkeypatch: pytest.MonkeyPatch) -> None:
    assert read(monkeypatch, BASE_URL="https://bills.example", TRUSTED_PROXIES="2").trusted_proxies == 2
    with pytest.raises(SettingsError, match="QUITTANCE_TRUSTED_PROXIES"):
        read(monkeypatch, BASE_URL="https://bills.example", TRUSTED_PROXIES="-1")


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("localhost", True),
        ("localhost.", True),
        ("shop.localhost", True),
        ("127.0.0.1", True),
        ("127.9.9.9", True),
        ("::1", True),
        ("::ffff:127.0.0.1", True),
        ("localhost.example", False),
        ("notlocalhost", False),
        ("0.0.0.0", False),  # noqa: S104
        ("192.168.0.1", False),
        ("example.org", False),
        ("", False),
    ],
)
def test_what_is_this_machine(host: str, expected: bool) -> None:
    assert is_loopback(host) is expected


MAIL = {"BASE_URL": "https://bills.example", "MAIL_FROM": "messages@bills.example"}


def test_mail_is_sent_over_tls_or_not_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    assert read(monkeypatch, BASE_URL="https://bills.example").mail_server is None
    server = read(monkeypatch, **MAIL, SMTP_URL="smtps://quittance:se%40cret@mail.example").mail_server
    assert server is not None
    assert (server.host, server.port, server.implicit_tls) == ("mail.example", 465, True)
    assert (server.user, server.password) == ("quittance", "se@cret")
    assert "se@cret" not in repr(server)
    server = read(monkeypatch, **MAIL, SMTP_URL="smtp+starttls://mail.example:2525").mail_server
    assert server is not None
    assert (server.port, server.implicit_tls, server.user) == (2525, False, "")


@pytest.mark.parametrize(
    "url",
    [
        "smtp://mail.example",
        "mail.example:465",
        "smtps://",
        "smtps://mail.example/box",
        "smtps://mail.example:0",
        "smtps://mail.example:99999",
        "smtps://quittance@mail.example",
        "smtps://:hidden@mail.example",
        "smtps://quittance:hidd%C3%A9n@mail.example",
    ],
)
def test_a_mail_server_that_cannot_be_used_stops_the_start(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    with pytest.raises(SettingsError, match="QUITTANCE_SMTP_URL must") as refused:
        read(monkeypatch, **MAIL, SMTP_URL=url)
    assert "hidden" not in str(refused.value)


@pytest.mark.parametrize(
    "sender", ["", "bills.example", "a@b", "a b@bills.example", "é@bills.example", "a@b.example\n"]
)
def test_mail_comes_from_an_address(monkeypatch: pytest.MonkeyPatch, sender: str) -> None:
    with pytest.raises(SettingsError, match="QUITTANCE_MAIL_FROM must be"):
        read(monkeypatch, BASE_URL="https://bills.example", SMTP_URL="smtps://mail.example", MAIL_FROM=sender)


def test_whom_customers_reach_is_named_or_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    assert (read(monkeypatch, BASE_URL="https://bills.example").help_email) == ""
    named = read(
        monkeypatch, BASE_URL="https://bills.example", HELP_EMAIL="help@bills.example", HELP_PHONE="+44 20 7946 0000"
    )
    assert (named.help_email, named.help_phone) == ("help@bills.example", "+44 20 7946 0000")


@pytest.mark.parametrize(
    "wrong", [{"HELP_EMAIL": "help"}, {"HELP_EMAIL": "a@b"}, {"HELP_PHONE": "020 7946 0000"}, {"HELP_PHONE": "+44 x"}]
)
def test_whom_nobody_could_reach_stops_the_start(monkeypatch: pytest.MonkeyPatch, wrong: dict[str, str]) -> None:
    (name,) = wrong
    with pytest.raises(SettingsError, match=f"QUITTANCE_{name} must be"):
        read(monkeypatch, BASE_URL="https://bills.example", **wrong)
