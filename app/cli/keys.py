"""`quittance keys`: the installation's keys, and the turn of those that seal its secrets."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from app.cli import machinery
from app.cli.words import add_word

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from app.keys.vault_keys import VaultKeys


def add(words: Any) -> None:
    verbs = add_word(words, "keys", None, "the installation's keys").add_subparsers(metavar="COMMAND", required=True)
    add_word(verbs, "init", _init, "make the keys that are not there yet")
    add_word(verbs, "list", _list, "list the keys of the vault: which one seals, and how many secrets each has sealed")
    add_word(verbs, "add", _add, "make a new key of the vault, which opens and does not seal yet")
    activate = add_word(verbs, "activate", _activate, "have this key of the vault seal what comes")
    add_word(verbs, "rewrap", _rewrap, "have the key that seals seal also all that others have sealed")
    remove = add_word(verbs, "remove", _remove, "forget a key of the vault with which nothing is sealed any more")
    for verb in (activate, remove):
        verb.add_argument("name", metavar="KEY", help="its id, as `keys list` has it")


def _init(_: argparse.Namespace) -> int:
    from app.keys.installation import Keys
    from config.settings import Settings

    made = Keys.init(Settings.from_environ().keys)
    print("\n".join(f"made {path}" for path in made) or "All keys are there already.")
    return 0


def _list(_: argparse.Namespace) -> int:
    from app.keys.rotation import list_keys

    with _engine() as engine:
        print("\n".join(list_keys(engine, _vault(), machinery.customer_keys())))
    return 0


def _add(_: argparse.Namespace) -> int:
    made = _vault().add()
    print(
        f"made {made}\nNow bring it to every machine and restart every server and worker: then each of them opens what"
        f" it seals. Only then: `quittance keys activate {made.stem}`."
    )
    return 0


def _activate(chosen: argparse.Namespace) -> int:
    _vault().activate(chosen.name)
    print(
        f"{chosen.name} seals from now on. Bring the file `active` to every machine, restart every server and worker,"
        " and run `quittance keys rewrap`."
    )
    return 0


def _rewrap(_: argparse.Namespace) -> int:
    from app.keys.rotation import rewrap

    with _engine() as engine:
        lines, is_whole = rewrap(engine, _vault(), machinery.customer_keys())
    print("\n".join(lines))
    return 0 if is_whole else 1


def _remove(chosen: argparse.Namespace) -> int:
    from app.keys.rotation import remove

    with _engine() as engine:
        print("\n".join(remove(engine, _vault(), machinery.customer_keys(), chosen.name)))
    return 0


def _vault() -> VaultKeys:
    """Raises KeysMissing where the installation has none."""
    from app.keys.files import KeysMissing
    from app.keys.vault_keys import VaultKeys
    from config.settings import Settings

    keys = VaultKeys(Settings.from_environ().keys / "vault")
    if not keys.names():
        raise KeysMissing(f"{keys.folder} holds no key: make the keys with `quittance keys init`")
    return keys


@contextmanager
def _engine() -> Iterator[Engine]:
    engine = machinery.engine()
    try:
        yield engine
    finally:
        engine.dispose()
