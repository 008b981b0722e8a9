// What a page cannot do without a script: ask the device for a passkey, and follow a payment; and one comfort.
// Texts come from the page's data attributes and are set as text, never as markup (trusted types 'none').

const csrf = document.querySelector('meta[name="csrf-token"]').content;

/** What the server says went wrong, in the customer's language, its word for programs, and which bill or field it is. */
export class Problem extends Error {
  constructor({ detail = "", code = "", about = "", errors = [] }) {
    super(detail);
    this.code = code;
    this.about = about;
    this.field = errors[0]?.pointer.slice(1) ?? "";
  }
}

export async function post(path, body = {}) {
  const answer = await fetch(path, {
    method: "POST",
    headers: { "Content-Type": "application/json", Accept: "application/json", "X-CSRFToken": csrf },
    body: JSON.stringify(body),
  });
  const json = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Problem(json);
  return json;
}

// ------------------------------------------------------------------------------------------------ passkeys

async function create({ ceremony, publicKey }) {
  const options = PublicKeyCredential.parseCreationOptionsFromJSON(publicKey);
  const credential = await navigator.credentials.create({ publicKey: options });
  return { ceremony, credential: credential.toJSON() };
}

async function sign({ ceremony, publicKey }) {
  const options = PublicKeyCredential.parseRequestOptionsFromJSON(publicKey);
  const credential = await navigator.credentials.get({ publicKey: options });
  return { ceremony, credential: credential.toJSON() };
}

function submitSigned(form, { ceremony, credential }) {
  form.elements.ceremony.value = ceremony;
  form.elements.credential.value = JSON.stringify(credential);
  form.submit();
}

/** One per value of data-passkey. Each leaves the page when it has worked. */
const ceremonies = {
  async use(place) {
    const signed = await sign(await post("/passkeys/use"));
    const { to } = await post("/passkeys/use/done", { ...signed, next: place.dataset.next });
    location.assign(to);
  },
  async new(form) {
    const { name, email } = form.elements;
    const made = await create(await post("/passkeys/new", { name: name.value, email: email.value }));
    const { to } = await post("/passkeys/new/done", made);
    location.assign(to);
  },
  async add(place) {
    let start = await post("/passkeys/add");
    if (start.approve) start = await post("/passkeys/add", await sign(start)); // first a passkey that is there already
    await post("/passkeys/add/done", await create(start));
    const then = document.getElementById(place.dataset.then); // the answer to a form is drawn anew by the form
    if (then) then.submit();
    else location.replace(location.href); // the same page again, fetched anew, now with a passkey
  },
  async back() { // by whoever came in without one
    const { to } = await post("/way-in/passkey/done", await create(await post("/way-in/passkey")));
    location.assign(to);
  },
  async tool(form) {
    const { pathname } = new URL(form.action);
    submitSigned(form, await sign(await post(`${pathname}/ceremony`, { name: form.elements.name.value })));
  },
  async pay(form) {
    const { pathname } = new URL(form.action);
    const { bank, shown, consent, part, on } = form.dataset;
    let start;
    try {
      start = await post(`${pathname}/ceremony`, { bank, shown, consent, part, on });
    } catch (error) {
      if (error.code !== "order-changed" && error.code !== "not-covered") throw error;
      // nobody signs what they were not shown: the page is drawn anew
      location.replace(`${form.action}&changed=${encodeURIComponent(error.about)}`);
      return;
    }
    submitSigned(form, await sign(start));
  },
  async signed(form) { // what a stolen session alone must not do
    const { pathname } = new URL(form.action);
    const about = { passkey: form.dataset.of, email: form.elements.email?.value };
    submitSigned(form, await sign(await post(`${pathname}/ceremony`, about)));
  },
  async agree(form) {
    const { ceremonyAt, shown, language } = form.dataset;
    const terms = [...form.querySelectorAll("[data-terms]")].map(({ name, value }) => [name, value]);
    let start;
    try {
      start = await post(ceremonyAt, { ...Object.fromEntries(terms), shown, language });
    } catch (error) {
      if (error.code !== "terms-changed") throw error;
      const { limits } = document.forms; // nobody signs what they were not shown: the page is drawn anew
      limits.elements.changed.disabled = false;
      limits.submit();
      return;
    }
    submitSigned(form, await sign(start));
  },
};

function words(place, error) {
  if (error instanceof Problem && error.message) return error.message;
  if (error.name === "NotAllowedError" || error.name === "AbortError") return place.dataset.unfinished;
  if (error.name === "InvalidStateError") return place.dataset.known;
  return place.dataset.failed;
}

/** Of each field that has a place for it: what is wrong with that one, or nothing any more. Whether it was said. */
function sayAtField(place, { field = "", message = "" } = {}) {
  let said = false;
  for (const fault of place.querySelectorAll("[data-fault]")) {
    const is = fault.dataset.fault === field;
    const input = place.elements[fault.dataset.fault];
    fault.textContent = is ? message : "";
    fault.hidden = !is;
    fault.parentElement.classList.toggle("wrong", is);
    input.removeAttribute("aria-invalid");
    if (is) {
      input.setAttribute("aria-invalid", "true");
      input.focus();
      said = true;
    }
  }
  return said;
}

function prepare(place) {
  const button = place.querySelector("[data-go]");
  const problem = place.querySelector("[data-problem]");
  const busy = place.querySelector("[data-busy]");
  const say = (text) => {
    problem.textContent = text;
    problem.hidden = false;
    problem.focus();
  };

  if (!globalThis.PublicKeyCredential?.parseCreationOptionsFromJSON) {
    say(place.dataset.unsupported);
    return;
  }
  const ready = () => {
    button.disabled = false;
    busy.textContent = "";
  };
  ready();
  addEventListener("pageshow", (event) => event.persisted && ready());

  place.addEventListener(place.matches("form") ? "submit" : "click", async (event) => {
    if (!place.matches("form") && !button.contains(event.target)) return;
    event.preventDefault();
    button.disabled = true;
    problem.hidden = true;
    sayAtField(place);
    busy.textContent = place.dataset.waiting;
    try {
      await ceremonies[place.dataset.passkey](place);
      if (place.dataset.stays) { // the answer is a file, and the page stays
        button.disabled = false;
        busy.textContent = place.dataset.stays;
      }
    } catch (error) {
      ready();
      if (!sayAtField(place, error)) say(words(place, error));
    }
  });
}

for (const place of document.querySelectorAll("[data-passkey]")) prepare(place);

// ------------------------------------------------------------------------------------------------ following a payment

const FIRST_MS = 2_000;
const SLOWEST_MS = 10_000;
const LONGEST_MS = 10 * 60_000;

/** Ask for the payment's version; draw the page anew when it changes. A lost answer is simply asked for again. */
async function follow(place) {
  const end = performance.now() + LONGEST_MS;
  const known = place.dataset.version; // empty while the payment is not there yet
  for (let wait = FIRST_MS; performance.now() < end; wait = Math.min(wait * 1.2, SLOWEST_MS)) {
    await new Promise((done) => setTimeout(done, wait));
    if (document.hidden) continue;
    try {
      const answer = await fetch(place.dataset.poll, { headers: { Accept: "application/json" }, cache: "no-store" });
      if (known && [401, 403, 404].includes(answer.status)) break; // signed out, or not ours any more
      if (!answer.ok || answer.redirected) continue;
      const { version, final } = await answer.json();
      if (version !== known) {
        location.reload();
        return;
      }
      if (final) break;
    } catch {
      // no network just now
    }
  }
  for (const line of document.querySelectorAll("[data-stopped]")) line.hidden = false;
  for (const line of document.querySelectorAll(".looking")) line.hidden = true;
}

// ------------------------------------------------------------------------------------------------ back from a bank

/** Some banks answer behind the # of the address, which no server sees: hand it to ours, and keep it nowhere. */
function carry(form) {
  const said = new URLSearchParams(location.hash.slice(1));
  history.replaceState(null, "", location.pathname);
  for (const field of form.querySelectorAll("[data-from-bank]")) field.value = said.get(field.name) ?? "";
  form.submit();
}

const carried = document.querySelector("[data-carry]");
if (carried) carry(carried);

const followed = document.querySelector("[data-poll]");
if (followed) follow(followed);

// ------------------------------------------------------------------------------------------------ finding a bank

const plain = (text) => text.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase();

/** The banks on the page that what is typed begins, while it is typed. It leaves this browser only with Enter. */
function narrow(field) {
  const list = document.getElementById(field.dataset.finds);
  const none = document.querySelector("[data-none]");
  if (list?.dataset.whole === undefined) return; // only some are here: the server searches
  field.addEventListener("input", () => {
    const typed = /\d{3}/.test(field.value) ? [] : plain(field.value).split(/[^\p{L}\p{N}]+/u).filter(Boolean);
    for (const bank of list.children) {
      const words = bank.dataset.words.split(" ");
      bank.hidden = !typed.every((begun) => words.some((word) => word.startsWith(begun)));
    }
    none.hidden = [...list.children].some((bank) => !bank.hidden);
  });
}

for (const field of document.querySelectorAll("[data-finds]")) narrow(field);

// ------------------------------------------------------------------------------------------------ one's own order

/** A bill can be dragged to where another stands, beside the buttons that move it by one. */
function draggable(grip, among) {
  const card = grip.closest("li");
  grip.hidden = false;
  grip.addEventListener("dragstart", (event) => {
    event.dataTransfer.setData("text/plain", card.id); // without any nothing is dragged
    event.dataTransfer.setDragImage(card, 20, 20);
    event.dataTransfer.effectAllowed = "move";
    among.dragged = grip.closest("form");
  });
  grip.addEventListener("dragend", () => delete among.dragged);
  card.addEventListener("dragover", (event) => {
    if (!among.dragged || card.contains(among.dragged)) return;
    event.preventDefault();
    card.classList.add("onto");
  });
  for (const over of ["dragleave", "drop"]) card.addEventListener(over, () => card.classList.remove("onto"));
  card.addEventListener("drop", (event) => {
    if (!among.dragged) return;
    event.preventDefault();
    const onto = Object.assign(document.createElement("input"), { type: "hidden", name: "onto", value: card.id });
    among.dragged.append(onto);
    among.dragged.submit();
  });
}

const order = {};
for (const grip of document.querySelectorAll(".grip")) draggable(grip, order);

// ------------------------------------------------------------------------------------------------ several bills

/** How many of the bills are chosen, and what they come to in each currency. */
function count(place) {
  const boxes = [...place.closest("form").querySelectorAll("[data-amount]")];
  const locale = document.documentElement.lang === "fr" ? "fr-FR" : "en-GB";
  const written = ([currency, { minor, digits }]) =>
    new Intl.NumberFormat(locale, { style: "currency", currency, minimumFractionDigits: digits, maximumFractionDigits: digits })
      .format(minor / 10 ** digits);
  const say = () => {
    const chosen = boxes.filter((box) => box.checked);
    const sums = new Map();
    for (const { dataset: { amount, currency } } of chosen) { // in whole minor units: 84.20 is 8420
      const minor = (sums.get(currency)?.minor ?? 0) + Number(amount.replace(".", ""));
      sums.set(currency, { minor, digits: amount.split(".")[1]?.length ?? 0 });
    }
    const { none, one, many, and } = place.dataset;
    const words = [none, one][chosen.length] ?? many.replace("#", chosen.length);
    place.textContent = `${words} ${[...sums].map(written).join(and)}`.trim();
  };
  place.hidden = false;
  say();
  for (const box of boxes) box.addEventListener("change", say);
  addEventListener("pageshow", say); // a browser that comes back may have kept what was ticked
}

for (const place of document.querySelectorAll("[data-chosen]")) count(place);

// ------------------------------------------------------------------------------------------------ printing

for (const button of document.querySelectorAll("[data-print]")) {
  button.hidden = false;
  button.addEventListener("click", () => print());
}
