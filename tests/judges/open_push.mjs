// Opens a message of Web Push as a browser would, with the library of the standard's own author (npm http_ece).
// node open_push.mjs PRIVATE_KEY AUTH, both in base64url, with the sealed message at its input; what it says goes out.

import { createECDH } from "node:crypto";
import { readFileSync } from "node:fs";
import ece from "http_ece";

const [privateKey, authSecret] = process.argv.slice(2);
const receiver = createECDH("prime256v1");
receiver.setPrivateKey(Buffer.from(privateKey, "base64url"));
process.stdout.write(ece.decrypt(readFileSync(0), { version: "aes128gcm", privateKey: receiver, authSecret }));
