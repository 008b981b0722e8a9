// Has this browser show what its customer is told (Web Push). It begins by their own press of the button alone.

import { Problem, post } from "./quittance.js";

const WORKER = "/static/push-worker.js";
const place = document.querySelector("[data-device]");

/** The one address that the page's policy trusts a script for. Made once: a second policy of that name is refused. */
const policy = place ? globalThis.trustedTypes?.createPolicy("quittance-worker", { createScriptURL: () => WORKER }) : null;
const trusted = policy ? policy.createScriptURL("") : WORKER;

/** Its registration, once it is there to be sent to. */
async function worker() {
  const registration = await navigator.serviceWorker.register(trusted);
  const coming = registration.installing ?? registration.waiting;
  if (!registration.active && coming) {
    await new Promise((done, failed) => {
      coming.addEventListener("statechange", () => {
        if (coming.state === "activated") done();
        if (coming.state === "redundant") failed(new Error("the worker was not taken"));
      });
    });
  }
  return registration;
}

async function subscribe() {
  if ((await Notification.requestPermission()) !== "granted") throw new Problem({ detail: place.dataset.denied });
  const { pushManager } = await worker();
  await (await pushManager.getSubscription())?.unsubscribe(); // an old one may be for another key, or another person
  const made = await pushManager.subscribe({ userVisibleOnly: true, applicationServerKey: place.dataset.key });
  const { to } = await post("/messages/devices", made.toJSON());
  location.replace(to);
  location.reload(); // the same page with another end is not fetched anew by itself
}

function prepare() {
  const button = place.querySelector("[data-go]");
  const problem = place.querySelector("[data-problem]");
  const busy = place.querySelector("[data-busy]");
  if (!("serviceWorker" in navigator && "PushManager" in globalThis && "Notification" in globalThis)) {
    place.querySelector("[data-cannot]").hidden = false;
    button.hidden = true;
    return;
  }
  button.disabled = false;
  button.addEventListener("click", async () => {
    button.disabled = true;
    problem.hidden = true;
    busy.textContent = place.dataset.waiting;
    try {
      await subscribe();
    } catch (error) {
      button.disabled = false;
      busy.textContent = "";
      problem.textContent = error instanceof Problem && error.message ? error.message : place.dataset.failed;
      problem.hidden = false;
      problem.focus();
    }
  });
}

/** What is removed on this very device ends in its browser as well. */
function forget(form) {
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const registration = await navigator.serviceWorker?.getRegistration(WORKER).catch(() => undefined);
    await registration?.unregister().catch(() => undefined);
    form.submit();
  });
}

if (place) prepare();
for (const form of document.querySelectorAll("[data-forget]")) forget(form);
