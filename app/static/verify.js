/* Checks a proof in the reader's own browser: nothing is sent anywhere, and no network is needed.
   The same steps as app/audit/checking.py, in the same order; what fails first is said. */

const texts = JSON.parse(document.getElementById("texts").textContent);
const bytes = (text) => new TextEncoder().encode(text);
const PROOF_BYTES_MOST = 20 * 1024 * 1024;
const FACTS_MOST = 1000;

class Wrong extends Error {}

function wrong(why, number) {
  return new Wrong(texts[why].replace("{number}", String(number)));
}

function decoded(text, why = "form") {
  try {
    return Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
  } catch {
    throw wrong(why);
  }
}

function urlDecoded(text) {
  return decoded(text.replaceAll("-", "+").replaceAll("_", "/"), "seal");
}

function urlEncoded(content) {
  let binary = "";
  for (let start = 0; start < content.length; start += 32768) {
    binary += String.fromCharCode(...content.subarray(start, start + 32768));
  }
  return btoa(binary).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

function joined(...parts) {
  const whole = new Uint8Array(parts.reduce((size, part) => size + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

function same(one, other) {
  return one.length === other.length && one.every((byte, index) => byte === other[index]);
}

async function sha256(...parts) {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", joined(...parts)));
}

const hex = (content) => Array.from(content, (byte) => byte.toString(16).padStart(2, "0")).join("");

function object(text) {
  try {
    const read = JSON.parse(text);
    if (read && typeof read === "object" && !Array.isArray(read)) return read;
  } catch { /* said below */ }
  throw wrong("form");
}

/* C2SP signed-note and tlog-checkpoint, by the key that this page came with */
async function opened(note, verifier) {
  const [origin, hash, ...encoded] = verifier.split("+");
  const key = decoded(encoded.join("+")).subarray(1); // Base64 has plus signs of its own
  const end = note.lastIndexOf("\n\n");
  const signed = note.slice(0, end + 1);
  const parts = signed.split("\n");
  const trusted = await crypto.subtle.importKey("raw", key, { name: "Ed25519" }, false, ["verify"]);
  for (const line of end < 0 ? [] : note.slice(end + 2).split("\n")) {
    const [dash, name, signature] = line.split(" ");
    if (dash !== "\u2014" || name !== origin || !signature) continue;
    const data = decoded(signature);
    if (hex(data.subarray(0, 4)) !== hash) continue;
    if (await crypto.subtle.verify({ name: "Ed25519" }, trusted, data.subarray(4), bytes(signed))) {
      if (parts[0] !== origin || !/^(0|[1-9][0-9]{0,14})$/.test(parts[1])) throw wrong("checkpoint");
      return { size: Number(parts[1]), root: decoded(parts[2]) };
    }
  }
  throw wrong("checkpoint");
}

/* RFC 9162, 2.1.3.2 */
async function rootBy(path, number, size, leaf) {
  if (!(number >= 0 && number < size)) return null;
  let [first, second, found] = [number, size - 1, leaf];
  for (const step of path) {
    if (second === 0) return null;
    if (first % 2 === 1 || first === second) {
      found = await sha256(Uint8Array.of(1), step, found);
      while (first !== 0 && first % 2 === 0) [first, second] = [first / 2, Math.floor(second / 2)];
    } else {
      found = await sha256(Uint8Array.of(1), found, step);
    }
    [first, second] = [Math.floor(first / 2), Math.floor(second / 2)];
  }
  return second === 0 ? found : null;
}

async function fact(listed, checkpoint) {
  const number = listed.number;
  if (!Number.isSafeInteger(number) || !Array.isArray(listed.path) || listed.path.length > 64) throw wrong("form");
  if (typeof listed.entry !== "string" || typeof listed.says !== "string") throw wrong("form");
  const path = listed.path.map((step) => decoded(step));
  const leaf = await sha256(Uint8Array.of(0), bytes(listed.entry));
  const root = await rootBy(path, number, checkpoint.size, leaf);
  if (!root || !same(root, checkpoint.root)) throw wrong("place", number);
  const entry = object(listed.entry);
  if (typeof listed.salt !== "string" || decoded(listed.salt).length !== 16) throw wrong("altered", number);
  const salt = await crypto.subtle.importKey("raw", decoded(listed.salt), { name: "HMAC", hash: "SHA-256" }, false, ["sign"]);
  const committed = new Uint8Array(await crypto.subtle.sign("HMAC", salt, bytes(listed.says)));
  if (hex(committed) !== entry.commitment) throw wrong("altered", number);
  if (!BOUND.includes(entry.kind) || typeof entry.at !== "string") throw wrong("form");
  return { number, kind: entry.kind, at: entry.at, says: object(listed.says) };
}

/* what a proof is made of: each is bound to the others below */
const BOUND = [
  "biller.registered", "key.registered", "key.revoked", "bill.delivered", "invoice.opened", "payment.decided",
  "bank.call", "bank.attempt", "bank.answer", "payment.step", "receipt.issued",
];

const ALGORITHMS = {
  ES256: [{ name: "ECDSA", namedCurve: "P-256" }, { name: "ECDSA", hash: "SHA-256" }],
  PS256: [{ name: "RSA-PSS", hash: "SHA-256" }, { name: "RSA-PSS", saltLength: 32 }],
  Ed25519: [{ name: "Ed25519" }, { name: "Ed25519" }],
};

async function isSealed(content, seal, jwk) {
  const match = /^([A-Za-z0-9_-]{1,1000})\.\.([A-Za-z0-9_-]{1,1000})$/.exec(seal);
  if (!match) return false;
  const header = object(new TextDecoder().decode(urlDecoded(match[1])));
  const known = Object.keys(header).every((name) => ["alg", "kid", "typ", "cty"].includes(name));
  if (!known || header.kid !== jwk.kid || header.alg !== jwk.alg || !(jwk.alg in ALGORITHMS)) return false;
  const [how, verifying] = ALGORITHMS[jwk.alg];
  const { kty, crv, x, y, n, e } = jwk;
  const key = await crypto.subtle.importKey("jwk", { kty, crv, x, y, n, e }, how, false, ["verify"]);
  return crypto.subtle.verify(verifying, key, urlDecoded(match[2]), bytes(`${match[1]}.${urlEncoded(content)}`));
}

const said = (facts, name) => facts.map((each) => each.says[name]);
const alike = (one, other) => JSON.stringify(one) === JSON.stringify(other);

/* of one bill of one biller, and of one payment of it, whole up to its last step */
function checkPayment(of) {
  const [delivered, invoices, decisions] = [of["bill.delivered"], of["invoice.opened"], of["payment.decided"]];
  if (delivered.length > 1 || invoices.length > 1 || !(delivered.length || decisions.length)) throw wrong("payment");
  if (!alike([...new Set(said(of["biller.registered"], "id"))], said(delivered, "biller_id"))) throw wrong("biller");
  if (invoices.length && !alike(said(invoices, "bill_id"), said(delivered, "id"))) throw wrong("payment");
  const paid = new Set(said(of.all.filter((each) => "payment_id" in each.says), "payment_id"));
  if (paid.size > 1 || decisions.length !== paid.size) throw wrong("payment");
  if (decisions.length && delivered.length && !alike(said(decisions, "invoice_id"), said(invoices, "id"))) throw wrong("payment");
  if (said(of["payment.step"], "sequence").some((sequence, index) => sequence !== index + 1)) throw wrong("left_out");
  const calls = said(of["bank.call"], "id");
  for (const call of said([...of["bank.attempt"], ...of["bank.answer"]], "call_id")) {
    if (!calls.includes(call)) throw wrong("left_out");
  }
}

/* the key that sealed it, or why its seal does not count any more; nothing where there is none */
async function sealOf(of, document) {
  if (of["bill.delivered"].length !== (document ? 1 : 0)) throw wrong("document");
  if (!document) return {};
  const [{ says, number }] = of["bill.delivered"];
  if (hex(await sha256(document)) !== says.sha256) throw wrong("document");
  if (says.seal === null) return {};
  const [key, ...more] = of["key.registered"];
  const others = of["key.revoked"].some((each) => each.says.id !== says.key_id);
  if (!key || more.length || others || key.says.id !== says.key_id || key.number > number) throw wrong("key_refused");
  if (key.says.biller_id !== says.biller_id) throw wrong("key_refused");
  if (!(await isSealed(document, says.seal, key.says.jwk))) throw wrong("seal");
  const at = says.delivered_at;
  if (!(key.says.valid_from <= at && at < key.says.valid_until)) return { over: texts.key_over };
  if (of["key.revoked"].some((each) => each.says.revoked_since <= at)) return { over: texts.revoked };
  return { key };
}

async function check(text, verifier) {
  const proof = object(text);
  if (proof.format !== "quittance-proof-1") throw wrong("form");
  if (proof.log !== verifier) throw wrong("log");
  if (typeof proof.checkpoint !== "string" || !Array.isArray(proof.facts)) throw wrong("form");
  if (!proof.facts.length || proof.facts.length > FACTS_MOST) throw wrong("form");
  const checkpoint = await opened(proof.checkpoint, verifier);
  const facts = [];
  for (const each of proof.facts) facts.push(await fact(object(JSON.stringify(each)), checkpoint));
  facts.sort((one, other) => one.number - other.number);
  if (new Set(facts.map((each) => each.number)).size < facts.length) throw wrong("form");
  const of = { all: facts };
  for (const kind of BOUND) of[kind] = facts.filter((each) => each.kind === kind);
  checkPayment(of);
  const document = "document" in proof ? decoded(proof.document) : null;
  return { of, checkpoint, document, ...(await sealOf(of, document)) };
}

/* ---------------------------------------------------------------- what the reader sees */

function money(says) {
  const format = new Intl.NumberFormat(texts.locale, { style: "currency", currency: says.currency });
  return format.format(says.amount_minor / 10 ** format.resolvedOptions().maximumFractionDigits);
}

const moment = (at) => new Intl.DateTimeFormat(texts.locale, { dateStyle: "long", timeStyle: "short" }).format(new Date(at));

/* 3, 4, 5, 9 → 3–5, 9 */
function ranges(numbers) {
  const found = [];
  for (const number of numbers.toSorted((one, other) => one - other)) {
    const last = found.at(-1);
    if (last && last[1] + 1 === number) last[1] = number;
    else found.push([number, number]);
  }
  return found.map(([first, last]) => (first === last ? `${first}` : `${first}–${last}`)).join(", ");
}

function* lines({ of, checkpoint, document, key, over }) {
  const [biller] = of["biller.registered"];
  const [delivery] = of["bill.delivered"];
  const [decision] = of["payment.decided"];
  const [receipt] = of["receipt.issued"];
  if (biller) yield [texts.from, [biller.says.name, biller.says.vat_id].filter(Boolean).join(", ")];
  if (delivery) yield [texts.bill, `${delivery.says.number}, ${money(delivery.says)}`];
  if (delivery) yield [texts.delivered, moment(delivery.says.delivered_at)];
  if (delivery) yield [texts.sealed, key ? key.says.kid : over ?? texts.unsealed];
  if (document) yield [texts.file, texts.unaltered];
  if (decision) yield [texts.paid, `${money(decision.says)}, ${decision.says.payee_name}, ${decision.says.payee_iban.replace(/(.{4})(?=.)/g, "$1\u00a0")}`];
  const last = of["payment.step"].at(-1);
  if (last) yield [texts.became, `${texts.states[last.says.after] ?? last.says.after}, ${moment(last.says.at)}`];
  if (receipt) yield [texts.receipt, receipt.says.number];
  yield [texts.logged, texts.places.replace("{numbers}", ranges(of.all.map((each) => each.number))).replace("{size}", String(checkpoint.size))];
}

function show(heading, colour, content) {
  const panel = document.getElementById("verdict");
  panel.hidden = false;
  panel.className = `panel ${colour}`;
  const title = document.createElement("h2");
  title.textContent = heading;
  panel.replaceChildren(title, ...content);
}

function asList(checked) {
  const list = document.createElement("dl");
  list.className = "facts tight";
  for (const [name, value] of lines(checked)) {
    const [row, term, said] = ["div", "dt", "dd"].map((tag) => document.createElement(tag));
    term.textContent = name;
    said.textContent = value;
    row.append(term, said);
    list.append(row);
  }
  return list;
}

function sentence(text) {
  const paragraph = document.createElement("p");
  paragraph.textContent = text;
  return paragraph;
}

/* what is said of a file, and how */
async function verdict(file) {
  if (!globalThis.crypto?.subtle) return [texts.unable, "brick", [sentence(texts.browser)]];
  try {
    if (file.size > PROOF_BYTES_MOST) throw wrong("form");
    const checked = await check(await file.text(), texts.key);
    const heading = checked.over ? texts.seal_over : texts.genuine;
    return [heading, checked.over ? "amber" : "green", [asList(checked)]];
  } catch (error) {
    if (error.name === "NotSupportedError") return [texts.unable, "brick", [sentence(texts.browser)]];
    return [texts.not_proven, "brick", [sentence(error instanceof Wrong ? error.message : texts.form)]];
  }
}

let asked = 0;

async function look(file) {
  asked += 1;
  const mine = asked;
  document.getElementById("verdict").hidden = true; // what is there is of another file
  const found = await verdict(file);
  if (mine === asked) show(...found);
}

const chosen = document.getElementById("proof");
chosen.addEventListener("click", () => {
  chosen.value = ""; // the same file once more is looked at once more
});
chosen.addEventListener("change", () => {
  const [file] = chosen.files;
  if (file) look(file);
});
