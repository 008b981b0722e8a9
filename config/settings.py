"""Every setting of an installation, read from the environment once, when the parts are put together.

A variable that begins with QUITTANCE_ and is not listed here stops the start: a typo must not silently mean a default.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field, fields
from pathlib import Path
from urllib.parse import urlsplit

from environs import Env, EnvError

from config.hosts import is_loopback
from config.mail import MailServer, is_address

ROOT = Path(__file__).resolve().parent.parent


#: in the demo the sandbox bank answers (connectors/sandbox_bank/payee_names.py)
_SANDBOX_NAMES = "http://127.0.0.1:{}/vop/v1/payee-verifications"
#: and connectors/sandbox_bank/company_register.py
_SANDBOX_REGISTER = "http://127.0.0.1:{}/register/v1/companies"

#: from anywhere: with the country, in groups
_PHONE = re.compile(r"\+[1-9][0-9]{0,2}(?: [0-9]{1,6}){1,6}")


class SettingsError(Exception):
    """The environment does not describe an installation that may start. The text says which variable to mend."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Field ``x`` is the variable ``QUITTANCE_X``."""

    data: Path  #: folder for the database, keys and logs of an embedded installation
    base_url: str  #: the address customers type; passkeys are bound to its host name
    database_url: str  #: sqlite:///… or postgresql+psycopg://…
    #: where the customers' own keys are, a database of their own; "": in a file beside the embedded database
    customer_keys_url: str = ""
    keys: Path  #: folder with the installation's keys (`quittance keys init` makes it)
    banks: Path  #: folder of bank profiles, one TOML file a bank
    bank_keys: Path  #: folder of our keys and certificates, one folder for each name that a profile gives as `keys`
    space_domain: str  #: right-hand side of space addresses
    port: int
    bank_port: int  #: of the sandbox bank, demo only
    uk_bank_port: int  #: of the sandbox bank that speaks UK Open Banking, demo only
    stet_bank_port: int  #: of the sandbox banks that speak STET, demo only
    nextgen_bank_port: int  #: of those that speak NextGenPSD2 with quirks, demo only
    biller_port: int  #: of the demo biller, demo only
    web_workers: int
    web_threads: int
    #: how many proxies in front of us set X-Forwarded-…; 0 behind one: all customers are one address
    trusted_proxies: int
    demo: bool  #: demo customers, the sandbox bank, http and loopback allowed
    #: hours from the second approval of a biller's account until bills may be paid to it; 0 in the demo alone
    account_wait_hours: int = 72
    name_check_url: str = ""  #: where the name of a payee is checked (the EPC's Verification of Payee); "": nowhere
    company_register_url: str = (
        ""  #: where billers' numbers are looked up (connectors/company_register.py); "": nowhere
    )
    keep_payments_years: int = 5  #: what proves payments is kept so long after its customer has erased their space
    complaints: str = ""  #: to whom customers may complain of what is done with their data, by name and address
    unseen_days: int = 7  #: a bill that its customer has not opened for so long is told to its biller; 0: none is
    #: who takes our mail: smtps://user:password@host:465 or smtp+starttls://…; "": no e-mail is sent
    smtp_url: str = field(default="", repr=False)
    mail_from: str = ""  #: the address that messages to customers come from
    help_email: str = ""  #: where customers reach a person, on the help page; "": not by e-mail
    help_phone: str = ""  #: the same by telephone, as people read it

    @classmethod
    def from_environ(cls) -> Settings:
        """Read and check. Raises SettingsError with one sentence."""
        known = {f"QUITTANCE_{f.name.upper()}" for f in fields(cls)}
        unknown = sorted(name for name in os.environ if name.startswith("QUITTANCE_") and name not in known)
        if unknown:
            raise SettingsError(
                f"unknown setting {', '.join(unknown)}: is it a typing error? Known: {', '.join(sorted(known))}"
            )
        try:
            settings = cls._read(Env())
        except (EnvError, ValueError) as error:
            raise SettingsError(str(error)) from error
        settings.check()
        return settings

    @classmethod
    def _read(cls, env: Env) -> Settings:
        demo = env.bool("QUITTANCE_DEMO", False)
        data = env.path("QUITTANCE_DATA", Path("var")).absolute()
        port = env.int("QUITTANCE_PORT", 8000)
        bank_port = env.int("QUITTANCE_BANK_PORT", 8001)
        return cls(
            data=data,
            base_url=env.str("QUITTANCE_BASE_URL", f"http://localhost:{port}").rstrip("/"),
            database_url=env.str("QUITTANCE_DATABASE_URL", f"sqlite:///{data / 'quittance.sqlite3'}"),
            customer_keys_url=env.str("QUITTANCE_CUSTOMER_KEYS_URL", ""),
            keys=env.path("QUITTANCE_KEYS", data / "keys"),
            banks=env.path("QUITTANCE_BANKS", ROOT / "config" / "banks"),
            bank_keys=env.path("QUITTANCE_BANK_KEYS", data / "bank-keys"),
            space_domain=env.str("QUITTANCE_SPACE_DOMAIN", "space.quittance.example"),
            port=port,
            bank_port=bank_port,
            uk_bank_port=env.int("QUITTANCE_UK_BANK_PORT", 8003),
            stet_bank_port=env.int("QUITTANCE_STET_BANK_PORT", 8004),
            nextgen_bank_port=env.int("QUITTANCE_NEXTGEN_BANK_PORT", 8005),
            biller_port=env.int("QUITTANCE_BILLER_PORT", 8002),
            web_workers=env.int("QUITTANCE_WEB_WORKERS", 2),
            web_threads=env.int("QUITTANCE_WEB_THREADS", 8),
            trusted_proxies=env.int("QUITTANCE_TRUSTED_PROXIES", 0),
            demo=demo,
            account_wait_hours=env.int("QUITTANCE_ACCOUNT_WAIT_HOURS", 0 if demo else 72),
            name_check_url=env.str("QUITTANCE_NAME_CHECK_URL", _SANDBOX_NAMES.format(bank_port) if demo else ""),
            company_register_url=env.str(
                "QUITTANCE_COMPANY_REGISTER_URL", _SANDBOX_REGISTER.format(bank_port) if demo else ""
            ),
            keep_payments_years=env.int("QUITTANCE_KEEP_PAYMENTS_YEARS", 5),
            complaints=env.str("QUITTANCE_COMPLAINTS", ""),
            unseen_days=env.int("QUITTANCE_UNSEEN_DAYS", 7),
            smtp_url=env.str("QUITTANCE_SMTP_URL", ""),
            mail_from=env.str("QUITTANCE_MAIL_FROM", ""),
            help_email=env.str("QUITTANCE_HELP_EMAIL", ""),
            help_phone=env.str("QUITTANCE_HELP_PHONE", ""),
        )

    def check(self) -> None:
        """Refuse what must never run: a demo that others can reach, or a live service without TLS."""
        url = urlsplit(self.base_url)
        if url.scheme not in ("http", "https") or not url.hostname or url.path or url.query:
            raise SettingsError(f"QUITTANCE_BASE_URL {self.base_url!r} must be like https://bills.example")
        if self.demo and not is_loopback(url.hostname):
            raise SettingsError(
                f"QUITTANCE_DEMO is on but QUITTANCE_BASE_URL is {self.base_url}: it may only be served on localhost"
            )
        if not self.demo and url.scheme != "https":
            raise SettingsError("QUITTANCE_BASE_URL must begin with https:// unless QUITTANCE_DEMO is on")
        self._check_customer_keys()
        for name in ("port", "bank_port", "uk_bank_port", "stet_bank_port", "nextgen_bank_port", "biller_port"):
            if not 1 <= getattr(self, name) <= 65535:
                raise SettingsError(f"QUITTANCE_{name.upper()} must be a port between 1 and 65535")
        for name in ("name_check_url", "company_register_url"):
            self._check_asked(f"QUITTANCE_{name.upper()}", getattr(self, name))
        self._check_times()
        if self.trusted_proxies < 0:
            raise SettingsError("QUITTANCE_TRUSTED_PROXIES must be how many proxies stand in front of us, or 0")
        self._check_mail()
        self._check_help()

    def _check_times(self) -> None:
        if not (0 if self.demo else 1) <= self.account_wait_hours <= 720:
            raise SettingsError(
                "QUITTANCE_ACCOUNT_WAIT_HOURS must be a number of hours from 1 to 720; 0 is for QUITTANCE_DEMO alone"
            )
        if not 0 <= self.unseen_days <= 365:
            raise SettingsError("QUITTANCE_UNSEEN_DAYS must be a number of days from 0 (never) to 365")
        if not 1 <= self.keep_payments_years <= 30:
            raise SettingsError("QUITTANCE_KEEP_PAYMENTS_YEARS must be a number of years from 1 to 30")

    def _check_customer_keys(self) -> None:
        """Several machines with a file each would each make keys that the others have not."""
        if self.customer_keys_url == self.database_url:
            raise SettingsError("QUITTANCE_CUSTOMER_KEYS_URL must be another database than QUITTANCE_DATABASE_URL")
        if not self.customer_keys_url and not self.demo and not self.database_url.startswith("sqlite"):
            raise SettingsError(
                "QUITTANCE_CUSTOMER_KEYS_URL must name a database of its own for the customers' keys, beside"
                " QUITTANCE_DATABASE_URL: postgresql+psycopg://…, or sqlite:///… where all runs on one machine"
            )

    def _check_asked(self, variable: str, address: str) -> None:
        """Of a service that we ask: an address that can be asked at all, or "" for none."""
        if not address:
            return
        try:
            url = urlsplit(address)
            is_address = bool(url.hostname) and url.port != 0 and not url.username and not url.fragment
        except ValueError:
            url, is_address = urlsplit(""), False
        if not is_address or not address.isascii() or not address.isprintable() or " " in address:
            raise SettingsError(f"{variable} {address!r} must be an address like https://names.example/checks")
        if url.scheme not in (("https", "http") if self.demo else ("https",)):
            raise SettingsError(f"{variable} must begin with https:// unless QUITTANCE_DEMO is on")

    def _check_mail(self) -> None:
        try:
            server = self.mail_server
        except ValueError as error:
            raise SettingsError(f"QUITTANCE_SMTP_URL {error}") from None
        if server is not None and not is_address(self.mail_from):
            raise SettingsError("QUITTANCE_MAIL_FROM must be an e-mail address like messages@bills.example")

    def _check_help(self) -> None:
        if self.help_email and not is_address(self.help_email):
            raise SettingsError("QUITTANCE_HELP_EMAIL must be an e-mail address like help@bills.example, or empty")
        if self.help_phone and _PHONE.fullmatch(self.help_phone) is None:
            raise SettingsError("QUITTANCE_HELP_PHONE must be a number like +44 20 7946 0000, or empty")

    @property
    def customer_keys(self) -> str:
        """The address of the database with the customers' own keys."""
        return self.customer_keys_url or f"sqlite:///{self.data / 'customer-keys.sqlite3'}"

    @property
    def mail_server(self) -> MailServer | None:
        """Who takes our mail; None: nobody, no e-mail is sent."""
        return MailServer.parse(self.smtp_url) if self.smtp_url else None

    @property
    def sandbox_bank_url(self) -> str | None:
        """Where the sandbox bank answers; None outside the demo, so that no profile can name it."""
        return f"http://127.0.0.1:{self.bank_port}" if self.demo else None

    @property
    def sandbox_bank_uk_url(self) -> str | None:
        """The same for the sandbox bank that speaks UK Open Banking, which is served over TLS."""
        return f"https://127.0.0.1:{self.uk_bank_port}" if self.demo else None

    @property
    def sandbox_bank_stet_url(self) -> str | None:
        """The same for the sandbox banks that speak STET, over TLS too."""
        return f"https://127.0.0.1:{self.stet_bank_port}" if self.demo else None

    @property
    def sandbox_bank_nextgen_url(self) -> str | None:
        """The same for the further sandbox banks that speak NextGenPSD2, over TLS too."""
        return f"https://127.0.0.1:{self.nextgen_bank_port}" if self.demo else None

    @property
    def issuer(self) -> str:
        """Our OAuth issuer for billers (RFC 8414)."""
        return self.base_url

    @property
    def host(self) -> str:
        """The relying-party id of passkeys."""
        return urlsplit(self.base_url).hostname or ""

    @property
    def cookie_suffix(self) -> str:
        """Cookies do not know ports: in the demo the name carries it, or two copies would sign each other out."""
        return f"-{self.port}" if self.demo else ""
