"""Notices on a device, in Debian's Chromium: the page's button, its worker, what it shows, and how it ends.

A browser subscribes at the push service of its maker, which no test reaches, and Chromium without one says no to
``pushManager.subscribe``. So the page is given the subscription of a push service of ours in its place; everything else
is as it is: the button, the worker that is registered under the page's own policy, the form, the demo's worker that
seals and sends, and the push service that opens what it was sent. What came out of that is handed to the browser by its
own DevTools, as its maker's service would, and the page's worker shows it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from playwright.sync_api import CDPSession, Page, expect

from tests.browser.conftest import Screens
from tests.browser.screen import Screen
from tests.browser.world import World
from tests.support.push_service import PushService, Subscriber, serve_push, wait_for

pytestmark = [pytest.mark.browser, pytest.mark.slow]

#: in the place of the one call that needs the browser's maker
SUBSCRIBES = """
PushManager.prototype.subscribe = async function (options) {
  globalThis.asked = { key: options.applicationServerKey, visible: options.userVisibleOnly };
  return { toJSON: () => (%s) };
};
"""
SHOWN = """async () => {
  const registration = await navigator.serviceWorker.getRegistration("/static/");
  const shown = await registration.getNotifications();
  return shown.map(({ title, body, tag, lang }) => ({ title, body, tag, lang }));
}"""
PRESSED = """async () => {
  const [shown] = await registration.getNotifications();
  let opened;
  clients.openWindow = async (url) => { opened = url; };
  dispatchEvent(new NotificationEvent("notificationclick", { notification: shown }));
  return [opened, (await registration.getNotifications()).length];
}"""


@pytest.fixture
def push() -> Iterator[PushService]:
    """As the demo may call it: on this machine, without TLS. Over TLS it is spoken to in tests/functional."""
    with serve_push(None) as service:
        yield service


def ready(screens: Screens, push: PushService, email: str) -> tuple[Screen, Subscriber]:
    screen, subscriber = screens.new(), push.subscribe()
    screen.page.context.grant_permissions(["notifications"])
    screen.page.add_init_script(SUBSCRIBES % json.dumps(subscriber.as_json()))
    screen.sign_up("Nele Neumann", email)
    screen.open("/messages")
    return screen, subscriber


def the_worker(page: Page) -> tuple[CDPSession, str]:
    """By which the browser's own tools know the page's worker."""
    tools = page.context.new_cdp_session(page)
    found: list[str] = []
    tools.on(
        "ServiceWorker.workerRegistrationUpdated",
        lambda said: found.extend(each["registrationId"] for each in said["registrations"]),
    )
    tools.send("ServiceWorker.enable")
    wait_for(lambda: bool(page.evaluate("0") or found))
    return tools, found[-1]


def test_a_device_is_added_told_and_removed(screens: Screens, world: World, push: PushService) -> None:
    screen, subscriber = ready(screens, push, "nele.push@example.org")
    page = screen.page
    push.key = str(page.locator("[data-device]").get_attribute("data-key"))
    screen.check_page()
    page.get_by_role("button", name="Show notices on this device").click()
    expect(page.locator("section[aria-labelledby=devices] li")).to_have_count(1)
    expect(page.get_by_text("This is where you are now.")).to_be_visible()
    screen.check_page()
    page.locator("input[name=push_kind][value=new_bill]").check()
    page.locator("input[name=push_kind][value=payment_settled]").check()
    page.locator("form[action='/messages/choice'] button").click()
    expect(page.locator("input[name=push_kind]:checked")).to_have_count(2)

    # what nobody can choose to miss goes at once: new words
    page.get_by_role("button", name="Draw new words").click()
    wait_for(lambda: bool(push.taken), within_s=30)
    assert push.wrong == []
    [pushed] = push.taken
    assert pushed.endpoint == subscriber.endpoint
    assert pushed.shown["title"] == "Your safe words were changed"

    # and the browser shows what came out of it, by the page's own worker
    tools, registration = the_worker(page)
    said = {"origin": world.url, "registrationId": registration, "data": pushed.text.decode()}
    tools.send("ServiceWorker.deliverPushMessage", said)
    wait_for(lambda: bool(page.evaluate(SHOWN)))
    assert page.evaluate(SHOWN) == [pushed.shown]
    tools.send("ServiceWorker.deliverPushMessage", said)  # the same once more takes the place of the first
    page.wait_for_timeout(300)
    assert page.evaluate(SHOWN) == [pushed.shown]

    # pressing it asks for the space's first page, whatever was sent; a test's press opens no window
    [worker] = page.context.service_workers
    assert worker.evaluate(PRESSED) == ["/", 0]

    screen.open("/notices")
    screen.check_page()
    expect(page.locator("ul.told li h2").first).to_contain_text("New safe words were drawn")

    screen.open("/messages")
    page.locator("section[aria-labelledby=devices]").get_by_role("button", name="Remove").click()
    expect(page.get_by_role("button", name="Show notices on this device")).to_be_enabled()
    assert page.evaluate("async () => (await navigator.serviceWorker.getRegistrations()).length") == 0


def test_what_the_worker_may_do(screens: Screens, push: PushService, world: World) -> None:
    """It is for no page: it cannot see one, and no request. And it shows something even of what is none of ours."""
    screen, _ = ready(screens, push, "nele.worker@example.org")
    page = screen.page
    page.get_by_role("button", name="Show notices on this device").click()
    expect(page.locator("section[aria-labelledby=devices] li")).to_have_count(1)
    screen.open("/bills")
    assert page.evaluate("navigator.serviceWorker.controller") is None
    assert page.evaluate("async () => (await caches.keys()).length") == 0
    tools, registration = the_worker(page)
    for data in ("", "{", "[1]", "null"):
        tools.send(
            "ServiceWorker.deliverPushMessage", {"origin": world.url, "registrationId": registration, "data": data}
        )
    wait_for(lambda: len(page.evaluate(SHOWN)) == 4)
    assert {each["title"] for each in page.evaluate(SHOWN)} == {"Quittance"}


def test_a_browser_that_may_not_show_any_says_so(screens: Screens, push: PushService) -> None:
    screen = screens.new()
    screen.sign_up("Nele Neumann", "nele.denied@example.org")
    screen.page.add_init_script("Notification.requestPermission = async () => 'denied';")
    screen.open("/messages")
    screen.page.get_by_role("button", name="Show notices on this device").click()
    expect(screen.page.locator("[data-device] [data-problem]")).to_contain_text("not allowed to show notices")
    expect(screen.page.get_by_role("button", name="Show notices on this device")).to_be_enabled()
    screen.check_page()


def test_who_was_not_understood_tries_again(screens: Screens, push: PushService) -> None:
    """The maker's service is away for a moment, and the same page asks it once more."""
    screen, _ = ready(screens, push, "nele.again@example.org")
    screen.page.evaluate("""() => {
      const works = PushManager.prototype.subscribe;
      PushManager.prototype.subscribe = async function () {
        PushManager.prototype.subscribe = works;
        throw new DOMException("away", "AbortError");
      };
    }""")
    screen.page.get_by_role("button", name="Show notices on this device").click()
    expect(screen.page.locator("[data-device] [data-problem]")).to_be_visible()
    screen.page.get_by_role("button", name="Show notices on this device").click()
    expect(screen.page.locator("section[aria-labelledby=devices] li")).to_have_count(1)


def test_a_browser_that_cannot_says_so(screens: Screens) -> None:
    screen = screens.new()
    screen.page.add_init_script("delete globalThis.PushManager;")
    screen.sign_up("Nele Neumann", "nele.cannot@example.org")
    screen.open("/messages")
    expect(screen.page.get_by_text("This browser cannot show notices")).to_be_visible()
    expect(screen.page.locator("[data-device] [data-go]")).to_be_hidden()
    screen.check_page()


def test_without_script_the_page_says_that_this_device_cannot(screens: Screens) -> None:
    signed = screens.new()
    signed.sign_up("Nele Neumann", "nele.noscript@example.org")
    without = screens.new(script=False, state=signed.page.context.storage_state())
    without.open("/messages")
    assert "This device cannot do it without JavaScript" in without.text("section[aria-labelledby=devices]")
    expect(without.page.locator("[data-device] [data-go]")).to_be_disabled()


def test_no_page_but_one_can_register_a_worker(screens: Screens) -> None:
    """Neither the policy lets them, nor does trusted types."""
    screen = screens.new()
    screen.sign_up("Nele Neumann", "nele.policy@example.org")
    screen.open("/bills")
    screen.allow("Content Security Policy")
    screen.allow("requires 'TrustedScriptURL' assignment")
    refused = """async () => {
      try { await navigator.serviceWorker.register("/static/push-worker.js"); return "registered"; }
      catch (error) { return error.name; }
    }"""
    assert screen.page.evaluate(refused) in ("TypeError", "SecurityError")
    screen.open("/messages")
    assert screen.page.evaluate(refused) == "TypeError"  # a plain address is trusted by no policy, here neither
