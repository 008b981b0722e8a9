"""The pages of somebody who has been here for ten years, and of somebody who has just come: no barrier, no sideways
scroll, and little to carry. With PICTURES also their pictures in every dress."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import pytest
from playwright.sync_api import Browser, Request
from werkzeug.serving import make_server

from app.db.migrate import upgrade
from app.demo.processes import free_ports
from app.factory import create_app
from app.journey.route import HANDLERS, ROUTE
from app.keys.installation import Keys
from app.people.models import Customer
from app.services import build_services, open_banks, utc_now
from tests.browser.conftest import LOCALES, PICTURES
from tests.browser.screen import DESKTOP, PATIENCE_MS, PHONE, Language, Screen, Theme
from tests.browser.world import World
from tests.support import factories
from tests.support.installation import make_settings
from tests.support.ten_years import LISTS, fill

pytestmark = [pytest.mark.browser, pytest.mark.timeout(900)]

#: without fonts, which are kept: the page, the stylesheet and the scripts
PAGE_MOST = 60_000
SEARCHES = ("/search", "/search?q=e", "/search?q=zzz", "/search?q=compagnie+mars")
#: those of somebody who has none of all that
PLAIN = ["/bills", *(path for path in LISTS if "?" not in path and "_" not in path)]
#: where much stands; for the pictures all of them
LONG = ("/bills?show=all&sort=mine", "/receipts", "/money", "/companies", "/messages", "/notices", "/search?q=e")
MANY = [*LISTS, *SEARCHES] if PICTURES else LONG
#: on which a bill need not be dragged out of sight
TALL = (1180, 2400)
DRESSES: tuple[tuple[Language, Theme, tuple[int, int]], ...] = (("en", "light", DESKTOP), ("fr", "dark", PHONE))


@dataclass
class Site:
    """A server with two customers in it, both signed in by their cookies."""

    url: str
    cookie: str
    tokens: dict[str, str]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("ten-years")
    (port,) = free_ports(1)
    settings = make_settings(
        folder, database_url=f"sqlite:///{folder}/space.sqlite3", port=port, base_url=f"http://localhost:{port}"
    )
    Keys.init(settings.keys)
    banks = open_banks(settings, Keys.load(settings.keys), utc_now)
    services = build_services(settings, route=ROUTE, handlers=HANDLERS, clock=utc_now, banks=banks)
    upgrade(services.engine)
    people: dict[str, Customer] = {"ten-years": fill(services), "empty": factories.make_customer(services, name="Ada")}
    tokens = {name: factories.sign_in(services, customer) for name, customer in people.items()}
    server = make_server("localhost", port, create_app(services), threaded=True)
    serving = threading.Thread(target=server.serve_forever)
    serving.start()
    yield Site(f"http://localhost:{port}", f"__Host-session-{port}", tokens)
    server.shutdown()
    serving.join()
    server.server_close()
    services.engine.dispose()
    services.customer_keys.engine.dispose()


@pytest.mark.parametrize(("language", "theme", "size"), DRESSES)
@pytest.mark.parametrize(("whose", "paths"), [("ten-years", MANY), ("empty", [*PLAIN, *SEARCHES])])
def test_no_page_has_a_barrier_or_is_heavy(
    chromium: Browser,
    site: Site,
    whose: str,
    paths: Sequence[str],
    language: Language,
    theme: Theme,
    size: tuple[int, int],
) -> None:
    screen = _screen(chromium, site, whose, language=language, theme=theme, size=size)
    asked: list[Request] = []
    kept: dict[str, int] = {}  # what each page loads, and the browser keeps
    screen.page.on("requestfinished", lambda request: asked.append(request))
    screen.open(f"/language/{language}?next=/help")
    for path in paths:
        asked.clear()
        screen.open(path)
        screen.check_page()
        if PICTURES:
            name = re.sub(r"[^a-z0-9]+", "-", path.strip("/")) or "home"
            dress = f"{'phone' if size == PHONE else 'desktop'}-{theme}-{language}"
            screen.page.screenshot(path=Path(PICTURES) / f"{whose}-{name}-{dress}.png", full_page=True)
        carried = {each.url: each.sizes()["responseBodySize"] for each in asked if "/static/fonts/" not in each.url}
        kept |= {url: length for url, length in carried.items() if "/static/" in url and length}
        assert sum((carried | kept).values()) <= PAGE_MOST, (path, carried, kept)
    screen.page.context.close()
    assert screen.troubles == []


def test_a_bill_is_dragged_to_where_another_stands(chromium: Browser, site: Site) -> None:
    screen = _screen(chromium, site, "ten-years", size=TALL)
    screen.open("/bills?show=to-pay&sort=mine")
    cards = screen.page.locator("li.card")
    before = [cards.nth(n).get_attribute("id") for n in range(5)]
    cards.nth(3).locator(".grip").drag_to(cards.nth(1))
    screen.at(f"/bills[?]show=to-pay&sort=mine#{before[3]}")
    first, second, third, fourth, fifth = before
    assert [cards.nth(n).get_attribute("id") for n in range(5)] == [first, fourth, second, third, fifth]
    screen.page.context.close()
    assert screen.troubles == []


def _screen(
    chromium: Browser,
    site: Site,
    whose: str,
    *,
    language: Language = "en",
    theme: Theme = "light",
    size: tuple[int, int] = DESKTOP,
) -> Screen:
    """A browser in which this customer is signed in."""
    context = chromium.new_context(
        viewport={"width": size[0], "height": size[1]}, color_scheme=theme, locale=LOCALES[language]
    )
    context.set_default_timeout(PATIENCE_MS)
    # a cookie of such a name may name no domain, and comes from an address that is protected
    address = site.url.replace("http:", "https:")
    context.add_cookies([{"name": site.cookie, "value": site.tokens[whose], "url": address, "secure": True}])
    return Screen(cast("World", site), context.new_page())
