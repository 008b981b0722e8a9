"""How a group adds a word to the command line, and the numbers that words take."""

from __future__ import annotations

import argparse
import datetime as dt
from collections.abc import Callable
from typing import Any

Command = Callable[[argparse.Namespace], int]


def add_word(words: Any, name: str, command: Command | None, about: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = words.add_parser(name, help=about, description=about)
    if command is not None:
        parser.set_defaults(command=command)
    return parser


def add_reason(parser: argparse.ArgumentParser) -> None:
    """Of a word that shows what stands in a customer's space: who looks, and why. Its customer sees both."""
    parser.add_argument("--by", required=True, metavar="OPERATOR", help="who looks: a name without spaces")
    parser.add_argument(
        "--because", required=True, metavar="REASON", help="why, in a sentence: the customer whose it is reads it"
    )


def a_count(text: str) -> int:
    if not text.isdigit() or not 1 <= int(text) <= 10_000:
        raise argparse.ArgumentTypeError("a number from 1 to 10000")
    return int(text)


def a_port(text: str) -> int:
    if not text.isdigit() or not 1 <= int(text) <= 65535:
        raise argparse.ArgumentTypeError("a port from 1 to 65535")
    return int(text)


def a_moment(text: str) -> dt.datetime:
    try:
        moment = dt.datetime.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError("a time like 2026-11-28T09:00:00Z") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)
