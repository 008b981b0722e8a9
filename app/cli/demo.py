"""`quittance demo`, `sandbox-bank`, `demo-biller`: everything on one machine, with nobody else."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from app.cli import machinery
from app.cli.words import a_count, a_port, add_word

if TYPE_CHECKING:
    from config.settings import Settings


def add(words: Any) -> None:
    demo = add_word(words, "demo", _demo, "run everything on this machine, with a sandbox bank and made-up bills")
    demo.add_argument("--walk", action="store_true", help="pay one bill from end to end over HTTP and check every side")
    demo.add_argument(
        "--recurring",
        action="store_true",
        help="with --walk: a standing consent (VRP), bills within its limits and beyond them, and its end",
    )
    demo.add_argument("--times", type=a_count, default=None, metavar="N", help="with --walk: so many walks")
    demo.add_argument(
        "--bank", default=None, metavar="ID", help="with --walk: pay from this one of `quittance bank list`"
    )
    demo.add_argument("--all-banks", action="store_true", help="with --walk: once from every bank, and a table")
    _add_sandbox_bank(words)
    add_word(words, "demo-biller", _demo_biller, "serve the demo's billers (demo only)")


def _add_sandbox_bank(words: Any) -> None:
    bank = add_word(words, "sandbox-bank", _sandbox_bank, "serve a fake bank (demo only)")
    bank.add_argument(
        "--standard",
        choices=("berlin_group", "nextgen", "openbanking_uk", "stet"),
        default="berlin_group",
        help="(berlin_group); nextgen: further banks of that standard, with what real ones get wrong",
    )
    several = bank.add_argument_group("nextgen, openbanking_uk, stet", "several banks in one process, over TLS")
    several.add_argument("--port", type=a_port, help="(QUITTANCE_NEXTGEN_BANK_PORT, …_UK_BANK_PORT, …_STET_BANK_PORT)")
    several.add_argument("--folder", type=Path, help="of the authority's files; what is missing there is made")
    uk = bank.add_argument_group("openbanking_uk")
    uk.add_argument("--profile", help="all of them in this security profile, instead of each in its own")


def _demo(chosen: argparse.Namespace) -> int:
    from app.demo.errors import DemoError

    if not chosen.walk and (chosen.times is not None or chosen.bank or chosen.all_banks or chosen.recurring):
        print("quittance demo: --recurring, --times, --bank and --all-banks go with --walk", file=sys.stderr)
        return 2
    if chosen.all_banks and (chosen.times is not None or chosen.bank):
        print("quittance demo: --all-banks goes with neither --times nor --bank", file=sys.stderr)
        return 2
    settings = _demo_settings()
    if chosen.walk:
        from app.demo.walks import walks

        return walks(
            settings,
            times=chosen.times or 1,
            bank_id=chosen.bank,
            all_banks=chosen.all_banks,
            recurring=chosen.recurring,
        )
    if not _is_writable(settings.data):
        raise DemoError(f"The folder {settings.data} may not be written to; choose another one with QUITTANCE_DATA.")
    from app.demo.supervisor import run

    return run(settings)


def _sandbox_bank(chosen: argparse.Namespace) -> int:
    if chosen.standard == "openbanking_uk":
        return _uk_sandbox_bank(chosen)
    if chosen.profile is not None:
        print("quittance sandbox-bank: --profile goes with openbanking_uk", file=sys.stderr)
        return 2
    if chosen.standard == "stet":
        return _stet_sandbox_bank(chosen)
    if chosen.standard == "nextgen":
        return _nextgen_sandbox_bank(chosen)
    if (chosen.port, chosen.folder) != (None, None):
        print("quittance sandbox-bank: --port and --folder go with nextgen, openbanking_uk and stet", file=sys.stderr)
        return 2
    settings = _demo_settings()
    folder = settings.data / "sandbox-bank"
    os.environ.setdefault("SANDBOX_BANK_URL", f"http://127.0.0.1:{settings.bank_port}")
    os.environ.setdefault("SANDBOX_BANK_DATABASE", str(folder / "bank.sqlite3"))
    os.environ.setdefault("SANDBOX_BANK_TPPS", str(folder / "tpps.json"))
    if "SANDBOX_BANK_LEDGER_TOKEN" not in os.environ:
        os.environ["SANDBOX_BANK_LEDGER_TOKEN"] = (folder / "ledger-token").read_text("utf-8").strip()
    machinery.gunicorn("connectors.sandbox_bank.wsgi:application", port=settings.bank_port, threads=16, demo=True)
    return 0


def _uk_sandbox_bank(chosen: argparse.Namespace) -> int:
    from connectors.sandbox_bank import authority
    from connectors.sandbox_bank.openbanking_uk.app import create_uk_bank
    from connectors.sandbox_bank.openbanking_uk.brands import PROFILES
    from connectors.sandbox_bank.openbanking_uk.settings import UkBankSettings

    if chosen.profile not in (None, *PROFILES):
        print(f"quittance sandbox-bank: --profile is one of {', '.join(PROFILES)}", file=sys.stderr)
        return 2
    settings = _demo_settings()
    port = chosen.port or settings.uk_bank_port
    folder = chosen.folder or settings.bank_keys / "sandbox-bank-uk"
    own = settings.data / "sandbox-bank-uk"
    authority.make(folder)
    if chosen.profile is not None:
        os.environ["UK_SANDBOX_BANK_PROFILE"] = chosen.profile
    os.environ.setdefault("UK_SANDBOX_BANK_URL", f"https://127.0.0.1:{port}")
    os.environ.setdefault("UK_SANDBOX_BANK_DATABASE", str(own / "bank.sqlite3"))
    os.environ.setdefault("UK_SANDBOX_BANK_FOLDER", str(folder))
    os.environ.setdefault("UK_SANDBOX_BANK_LEDGER_TOKEN", authority.secret(own / "ledger-token"))
    bank = UkBankSettings.from_environ()
    machinery.gunicorn(lambda: create_uk_bank(bank), port=port, threads=16, demo=True, tls=_sandbox_tls(folder))
    return 0


def _stet_sandbox_bank(chosen: argparse.Namespace) -> int:
    from connectors.sandbox_bank.stet.app import create_stet_bank
    from connectors.sandbox_bank.stet.settings import StetBankSettings

    port, folder = _sealed_sandbox(chosen, "stet", port=_demo_settings().stet_bank_port)
    bank = StetBankSettings.from_environ()
    machinery.gunicorn(lambda: create_stet_bank(bank), port=port, threads=16, demo=True, tls=_sandbox_tls(folder))
    return 0


def _nextgen_sandbox_bank(chosen: argparse.Namespace) -> int:
    from connectors.sandbox_bank.nextgen.app import create_nextgen_bank
    from connectors.sandbox_bank.nextgen.settings import NextGenBankSettings

    port, folder = _sealed_sandbox(chosen, "nextgen", port=_demo_settings().nextgen_bank_port)
    bank = NextGenBankSettings.from_environ()
    machinery.gunicorn(lambda: create_nextgen_bank(bank), port=port, threads=16, demo=True, tls=_sandbox_tls(folder))
    return 0


def _sealed_sandbox(chosen: argparse.Namespace, name: str, *, port: int) -> tuple[int, Path]:
    """Port and folder of banks that know us by our number and believe our seal, with the files that they need."""
    from connectors.sandbox_bank import authority

    settings = _demo_settings()
    port = chosen.port or port
    folder: Path = chosen.folder or settings.bank_keys / f"sandbox-bank-{name}"
    own, prefix = settings.data / f"sandbox-bank-{name}", f"{name.upper()}_SANDBOX_BANK"
    authority.make(folder, tpp=authority.SEALED)
    os.environ.setdefault(f"{prefix}_URL", f"https://127.0.0.1:{port}")
    os.environ.setdefault(f"{prefix}_DATABASE", str(own / "bank.sqlite3"))
    os.environ.setdefault(f"{prefix}_FOLDER", str(folder))
    os.environ.setdefault(f"{prefix}_LEDGER_TOKEN", authority.secret(own / "ledger-token"))
    return port, folder


def _sandbox_tls(folder: Path) -> dict[str, object]:
    import ssl

    from connectors.sandbox_bank import authority

    return {
        "certfile": str(folder / authority.SERVER),
        "keyfile": str(folder / authority.SERVER_KEY),
        "ca_certs": str(folder / authority.CA),
        # asked for, so that a TPP can show one; a customer's browser has none
        "cert_reqs": ssl.CERT_OPTIONAL,
    }


def _demo_biller(_: argparse.Namespace) -> int:
    settings = _demo_settings()

    def load() -> object:
        from app.demo.biller import create_biller

        return create_biller(settings)

    machinery.gunicorn(load, port=settings.biller_port, threads=8, demo=True)
    return 0


def _demo_settings() -> Settings:
    """The settings with the demo on: it needs no other, and is refused where the base URL is not this machine."""
    from config.settings import Settings

    os.environ["QUITTANCE_DEMO"] = "true"
    return Settings.from_environ()


def _is_writable(folder: Path) -> bool:
    """Whether files can be made in the folder, or the folder itself where it does not exist yet."""
    there = next(each for each in (folder, *folder.parents) if each.exists())
    return there.is_dir() and os.access(there, os.W_OK | os.X_OK)
