"""Delivers the demo's bills over the real API, each once, however often this program is killed and started."""

from __future__ import annotations

import datetime as dt
import logging
import threading
from pathlib import Path
from typing import Any

import requests

from app.demo import files
from app.demo.api_client import BillersClient
from app.demo.biller_files import BILLERS_FILE, client_of
from app.demo.bills import bills_of_today

log = logging.getLogger("quittance.demo_biller")

PAUSE_FIRST_S, PAUSE_MOST_S = 0.2, 5.0
#: the answers that a later try may change
_LATER = frozenset({401, 408, 425, 429})


class Courier:
    """Works through the outbox in a thread of its own; the outbox is written once, so every try has the same bytes."""

    def __init__(self, folder: Path, *, base_url: str) -> None:
        self._folder = folder
        self._base_url = base_url
        self._guard = threading.Lock()
        self._delivered: dict[str, dict[str, Any]] = files.read_json(folder / "delivered.json") or {}
        self.refused: dict[str, str] = {}
        self.done = False

    def start(self) -> None:
        threading.Thread(target=self._run, name="courier", daemon=True).start()

    def delivered(self, client_id: str) -> list[dict[str, Any]]:
        """What this program of a biller has delivered, with the ids it was given."""
        with self._guard:
            return [entry for key, entry in self._delivered.items() if key.startswith(f"{client_id}/")]

    def _run(self) -> None:
        pause, stop = PAUSE_FIRST_S, threading.Event()
        while not self._round():
            stop.wait(pause)
            pause = min(pause * 2, PAUSE_MOST_S)
        self.done = True

    def _round(self) -> bool:
        """Try everything that is still to deliver. True when nothing is left for a later try."""
        billers: dict[str, Any] = files.read_json(self._folder / BILLERS_FILE) or {}
        waiting = [
            bill
            for bill in self._outbox(billers)
            if self._key(billers, bill) not in self._delivered and self._key(billers, bill) not in self.refused
        ]
        clients = {slug: client_of(self._folder, self._base_url, slug) for slug in {bill["slug"] for bill in waiting}}
        tried = [self._try(clients[bill["slug"]], bill, self._key(billers, bill)) for bill in waiting]
        return all(tried)

    def _outbox(self, billers: dict[str, Any]) -> list[dict[str, Any]]:
        """The bills as they will be sent. Made anew only when the customers' addresses are others: a new database."""
        addresses = {slug: known["addresses"] for slug, known in billers.items()}
        outbox = files.read_json(self._folder / "outbox.json")
        if outbox is None or outbox["addresses"] != addresses:
            today = dt.datetime.now(dt.UTC).date()
            bills = [
                {
                    "slug": bill.company.slug,
                    "number": bill.number,
                    "customer": bill.customer.name,
                    "amount": str(bill.total),
                    "media_type": bill.media_type,
                    "content": bill.content(addresses[bill.company.slug][bill.customer.key]).decode(),
                }
                for bill in bills_of_today(today)
            ]
            outbox = {"addresses": addresses, "bills": bills}
            files.write_json(self._folder / "outbox.json", outbox)
        found: list[dict[str, Any]] = outbox["bills"]
        return found

    def _key(self, billers: dict[str, Any], bill: dict[str, Any]) -> str:
        return f"{billers[bill['slug']]['client_id']}/{bill['number']}"

    def _try(self, client: BillersClient, bill: dict[str, Any], key: str) -> bool:
        """Deliver one bill. True when it is settled one way or the other."""
        try:
            acknowledged = client.deliver(bill["content"].encode(), bill["media_type"])
        except requests.HTTPError as error:
            if error.response.status_code >= 500 or error.response.status_code in _LATER:
                return False
            self.refused[key] = error.response.text[:500]
            log.error("bill %s was refused: %s", bill["number"], error.response.text[:500])
            return True
        except requests.RequestException:
            return False  # the service is not up yet
        entry = {"number": bill["number"], "customer": bill["customer"], "amount": bill["amount"], **acknowledged}
        with self._guard:
            self._delivered[key] = entry
            files.write_json(self._folder / "delivered.json", self._delivered)
        return True
