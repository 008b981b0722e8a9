"""Observers: look at payment pages as their customers, at bills, and at the billers' API, and note what was said."""

from __future__ import annotations

import heapq
import itertools
import random
import threading
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

import requests

from app.demo.api_client import BillersClient
from app.demo.browser import LateError, LostError, Page, RefusedError
from tests.faults.storm.compare import MAY_PAY, NOT_DONE, NOT_KNOWN, PAID
from tests.faults.storm.history import History
from tests.faults.storm.people import HICCUPS, Watched

_OUTSIDE = {"paid": PAID, "failed": NOT_DONE}
FINAL = (PAID, NOT_DONE)
#: how often what has ended is looked at again
LOOKS_AFTER_END = 3
#: the last look at everything ends after this long
LAST_LOOKS_S = 25.0


@dataclass
class _State:
    watched: Watched
    word: str = ""
    since: float = 0.0
    looks_after_end: int = 0


@dataclass
class Observers:
    """Any number of threads may ``run``."""

    history: History
    clients: Mapping[str, BillersClient]
    dice: random.Random
    end: threading.Event
    samples: Counter[str] = field(default_factory=Counter)
    trouble: Counter[str] = field(default_factory=Counter)
    _known: dict[str, _State] = field(default_factory=dict)
    _queue: list[tuple[float, int, str]] = field(default_factory=list)
    _numbers: itertools.count[int] = field(default_factory=itertools.count)
    _guard: threading.Lock = field(default_factory=threading.Lock)
    _said: set[tuple[str, str, str]] = field(default_factory=set)

    def add(self, watched: Watched) -> None:
        """Look after this payment from now on."""
        with self._guard:
            if watched.payment not in self._known:
                self._known[watched.payment] = _State(watched, since=time.monotonic())
                self._push(watched.payment, 0.3)

    def _push(self, payment: str, after_s: float) -> None:
        heapq.heappush(self._queue, (time.monotonic() + after_s, next(self._numbers), payment))

    def run(self) -> None:
        while not self.end.is_set():
            state = self._pop()
            if state is None:
                self.end.wait(0.05)
                continue
            self._look(state, thoroughly=False)
            with self._guard:
                pause = self._pause(state)
                if pause is not None:
                    self._push(state.watched.payment, pause)

    def look_at_all(self) -> None:
        """Once more at as many as time allows, the newest first."""
        deadline = time.monotonic() + LAST_LOOKS_S
        for state in reversed(list(self._known.values())):
            if time.monotonic() > deadline:
                self.samples["not looked at in the end"] += 1
                continue
            self._look(state, thoroughly=True)

    def _pop(self) -> _State | None:
        with self._guard:
            if not self._queue or self._queue[0][0] > time.monotonic():
                return None
            return self._known[heapq.heappop(self._queue)[2]]

    def _pause(self, state: _State) -> float | None:
        """Until the next look; None for the last one."""
        if state.word == NOT_KNOWN:
            return 0.4
        if state.word in FINAL:
            state.looks_after_end += 1
            return None if state.looks_after_end > LOOKS_AFTER_END else self.dice.uniform(5, 30)
        waiting_s = time.monotonic() - state.since
        return self.dice.uniform(0.5, 1.5) if waiting_s < 20 else self.dice.uniform(3, 8)

    def _look(self, state: _State, *, thoroughly: bool) -> None:
        try:
            self._look_at_payment(state)
            if thoroughly or self.dice.random() < 0.3:
                self._look_at_bill(state.watched)
            if thoroughly or self.dice.random() < 0.3:
                self._ask_as_biller(state.watched)
        except HICCUPS:
            pass
        except requests.RequestException:
            pass
        except Exception as error:  # noqa: BLE001  (an observer that is gone sees nothing: count it and go on)
            self.trouble[f"{type(error).__name__}: {error}"[:200]] += 1

    def _page(self, watched: Watched, path: str) -> tuple[Page, float]:
        """The page as the customer would see it now, and when it was asked for."""
        browser = watched.customer.browser.tab()
        asked_at = time.time()
        return browser.ask("GET", path), asked_at

    def _look_at_payment(self, state: _State) -> None:
        watched = state.watched
        try:
            page, asked_at = self._page(watched, f"/payments/{watched.payment}")
        except (LateError, LostError, RefusedError) as error:
            self.samples[f"page: {error.status if isinstance(error, RefusedError) else 'no answer'}"] += 1
            raise
        self.samples["page"] += 1
        words = str(page.tree.xpath("string(//div[contains(@class, 'truth ')]/@class)")).split()
        word = next((word.removeprefix("truth-") for word in words if word.startswith("truth-")), "").replace("-", "_")
        if not word:
            self.trouble[f"a payment page without a truth: {page.status}"] += 1
            return
        if word != state.word:
            state.word, state.since = word, time.monotonic()
            self._note(by="page", word=word, asked_at=asked_at, payment=watched.payment)
        if page.links(f"{watched.invoice}/pay"):
            self._note_once(by="page", word=MAY_PAY, asked_at=asked_at, bill=watched.bill.id)

    def _look_at_bill(self, watched: Watched) -> None:
        page, asked_at = self._page(watched, watched.invoice)
        self.samples["bill page"] += 1
        if page.links(f"{watched.invoice}/pay"):
            self._note(by="bill page", word=MAY_PAY, asked_at=asked_at, bill=watched.bill.id)
        elif any(str(chip.text_content()).strip() == "Paid" for chip in page.tree.xpath("//span[@class='chip']")):
            self._note_once(by="bill page", word=PAID, asked_at=asked_at, bill=watched.bill.id)

    def _ask_as_biller(self, watched: Watched) -> None:
        client, asked_at = self.clients[watched.bill.slug], time.time()
        payment = client.payment(watched.payment)
        if payment["status"] in _OUTSIDE:
            self._note_once(by="API", word=_OUTSIDE[payment["status"]], asked_at=asked_at, payment=watched.payment)
        asked_at = time.time()
        bill = client.bill(watched.bill.id)
        self.samples["API"] += 2
        if bill["status"] == "paid":
            self._note_once(by="API", word=PAID, asked_at=asked_at, bill=watched.bill.id)

    def _note(self, *, by: str, word: str, asked_at: float, payment: str = "", bill: str = "") -> None:
        self.history.note("said", by=by, word=word, asked_at=asked_at, payment=payment, bill=bill)

    def _note_once(self, *, by: str, word: str, asked_at: float, payment: str = "", bill: str = "") -> None:
        """What is said for the first time: later it is no less wrong, and no more."""
        with self._guard:
            key = (by, word, payment or bill)
            if key in self._said:
                return
            self._said.add(key)
        self._note(by=by, word=word, asked_at=asked_at, payment=payment, bill=bill)
