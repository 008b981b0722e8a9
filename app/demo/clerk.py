"""The demo billers' customer service: it answers customers who ask, a moment later, as somebody with a list would."""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable
from typing import Any

import requests

from app.demo.api_client import BillersClient

log = logging.getLogger("quittance.demo_biller")

#: somebody looks into a list
LOOKS_S = 4.0
PAUSE_S = 2.0
#: references that begin so are not known here, so that the demo can show what happens then
UNKNOWN = ("X", "x")

#: slug → the program of this biller
Clients = Callable[[str], BillersClient]


class Clerk:
    """Works through the requests in a thread of its own. What was asked while it was away it finds when it begins."""

    def __init__(self, clients: Clients) -> None:
        self._clients = clients
        self._asked: queue.Queue[str] = queue.Queue()
        self._stop = threading.Event()

    def start(self) -> None:
        threading.Thread(target=self._run, name="clerk", daemon=True).start()

    def look(self, slug: str) -> None:
        """Somebody asks this biller."""
        self._asked.put(slug)

    def _run(self) -> None:
        while True:
            slug = self._asked.get()
            try:
                self._answer_all(self._clients(slug))
            except requests.HTTPError as error:
                log.error("%s: %s", slug, error.response.text[:500])
            except requests.RequestException:
                self._stop.wait(PAUSE_S)  # the service is not up yet
                self._asked.put(slug)

    def _answer_all(self, client: BillersClient) -> None:
        asked = client.connections(status="asked")
        for each in asked:
            self._answer(client, each, "check")
        checking = client.connections(status="checking")
        if checking:
            self._stop.wait(LOOKS_S)
        for each in checking:
            known = not str(each["customer_reference"]).startswith(UNKNOWN)
            self._answer(client, each, "confirm" if known else "refuse")

    def _answer(self, client: BillersClient, connection: dict[str, Any], word: str) -> None:
        try:
            client.answer(connection, word)
        except requests.HTTPError as error:
            if error.response.status_code != 409:  # withdrawn meanwhile, and asked anew perhaps
                raise
