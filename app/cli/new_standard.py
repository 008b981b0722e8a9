"""`quittance new-standard`: the first files of a connector, and the tests that say what is still missing."""

from __future__ import annotations

import argparse
import itertools
import keyword
import re
from dataclasses import dataclass
from pathlib import Path
from string import Template
from typing import Any

from app.cli.words import add_word

_NAME = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
_NAME_MOST = 30
_TEMPLATES = Path(__file__).parent / "templates" / "standard"


def add(words: Any) -> None:
    new = add_word(
        words, "new-standard", _new_standard, "lay the first files of a connector, with the tests that it must pass"
    )
    new.add_argument("name", type=_a_name, help="small letters, digits and _, as polish_api: a folder in connectors/")


def _a_name(text: str) -> str:
    """It becomes a package, a word in banks' files, and with hyphens the id of a bank."""
    if keyword.iskeyword(text):
        raise argparse.ArgumentTypeError(f"{text} is a word of Python's: take another, as polish_api")
    if _NAME.fullmatch(text) is None or len(text) > _NAME_MOST:
        raise argparse.ArgumentTypeError(f"small letters, digits and _, at most {_NAME_MOST}, as polish_api")
    return text


def _new_standard(chosen: argparse.Namespace) -> int:
    from config.settings import ROOT

    laid = _Standard(chosen.name).files(ROOT)
    for path, text in laid.items():
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, "utf-8")
        path.chmod(0o644)  # source for everybody, whatever the command line keeps for itself
    (ROOT / "connectors" / chosen.name).chmod(0o755)
    print("\n".join(str(path.relative_to(ROOT)) for path in laid))
    print(
        "\nWhat is missing is told by:\n"
        f"  python -m pytest tests/conformance/test_{chosen.name}.py"
        f" tests/conformance/test_connector.py -k '{chosen.name} or {chosen.name.replace('_', '-')}'\n"
        "How to go on stands in connectors/README.md, under Add a standard in a day."
    )
    return 0


@dataclass(frozen=True)
class _Standard:
    name: str

    def files(self, root: Path) -> dict[Path, str]:
        """What is to stand where, new files and changed ones. Raises Conflict, and nothing is written yet."""
        from app.errors import Conflict
        from connectors.profile_schema import SCHEMAS

        folder, bank = root / "connectors" / self.name, self.name.replace("_", "-")
        new = {
            folder / "__init__.py": "init",
            folder / "connector.py": "connector",
            folder / "messages.py": "messages",
            folder / "status.py": "status",
            root / "config" / "banks" / f"{bank}.toml": "bank",
            root / "tests" / "conformance" / f"test_{self.name}.py": "test",
        }
        in_the_way = [path for path in (folder, folder.with_suffix(".py"), *new) if path.exists()]
        if in_the_way or self.name in SCHEMAS:
            there = in_the_way[0].relative_to(root) if in_the_way else self.name
            raise Conflict("exists", f"{there} is there already; nothing was written")
        if not all(path.parent.is_dir() for path in new if path.parent != folder):
            raise Conflict("no-sources", f"{root} is no checkout of the sources; nothing was written")
        return {path: self._filled(template, bank=bank) for path, template in new.items()} | self._registered(root)

    def _filled(self, template: str, *, bank: str) -> str:
        words = self.name.split("_")
        return _in_order(
            Template((_TEMPLATES / f"{template}.txt").read_text("utf-8")).substitute(
                name=self.name, bank=bank, camel=self._camel, words=" ".join(words).capitalize()
            )
        )

    def _must_be_new(self, name: str, path: Path) -> None:
        """polish2 and polish_2 are two names, and one class."""
        from app.errors import Conflict

        if re.search(rf"\b{name}\b", path.read_text("utf-8")):
            raise Conflict("exists", f"{name} is in connectors/{path.name} already; nothing was written")

    @property
    def _camel(self) -> str:
        return "".join(word.capitalize() for word in self.name.split("_"))

    def _registered(self, root: Path) -> dict[Path, str]:
        """The three tables: who speaks the standard, what its banks' files may say, which token is asked for."""
        connectors = root / "connectors"
        registry, schema, check = (
            connectors / "registry.py",
            connectors / "profile_schema.py",
            connectors / "inspection" / "check.py",
        )
        connector = f"{self._camel}Connector"
        self._must_be_new(connector, registry)
        self._must_be_new(f"_{self._camel}Schema", schema)
        text = _with_import(registry, f"from connectors.{self.name}.connector import {connector}\n")
        added = f"""class _{self._camel}Schema(_BankSchema):
    status_access = fields.String(
        load_default="client_credentials", validate=_words(["client_credentials", "psu_token"])
    )
    quirks = fields.Nested(_quirks_schema(OAuthQuirks), load_default=OAuthQuirks)


"""
        schemas = _inserted(schema.read_text("utf-8"), "#: the word in a bank's file → what it may say\n", added)
        return {
            registry: _entry(text, "STANDARDS", f'    "{self.name}": {connector},\n'),
            schema: _entry(schemas, "SCHEMAS", f'    "{self.name}": _{self._camel}Schema,\n'),
            check: _entry(check.read_text("utf-8"), "SCOPES", f'    "{self.name}": "payments",\n'),
        }


def _in_order(text: str) -> str:
    """With our imports sorted: where the new name belongs among them depends on the name."""
    runs = itertools.groupby(text.splitlines(keepends=True), key=lambda line: line.startswith("from connectors."))
    return "".join(line for ours, lines in runs for line in (sorted(lines) if ours else lines))


def _with_import(path: Path, line: str) -> str:
    """In its place among the imports, which are in order."""
    lines = path.read_text("utf-8").splitlines(keepends=True)
    ours = [number for number, one in enumerate(lines) if one.startswith("from connectors.")]
    after = next((number for number in ours if lines[number] > line), ours[-1] + 1)
    return "".join([*lines[:after], line, *lines[after:]])


def _entry(text: str, table: str, line: str) -> str:
    """At the end of a table that begins with its name and ends with a lone brace."""
    from app.errors import Conflict

    begins = re.search(rf"^{table}: .*\{{$", text, re.MULTILINE)
    end = text.find("\n}\n", begins.end()) if begins else -1
    if end == -1:
        raise Conflict("no-table", f"the table {table} is not where it was; nothing was written")
    return text[: end + 1] + line + text[end + 1 :]


def _inserted(text: str, before: str, added: str) -> str:
    from app.errors import Conflict

    if text.count(before) != 1:
        raise Conflict("no-table", "connectors/profile_schema.py is not as it was; nothing was written")
    return text.replace(before, added + before)
