#!/usr/bin/env bash
# json-canonicalize leaves the keys unsorted in what an object's toJSON gives.
#
# Guess:    Canonical JSON (RFC 8785) of a statement is the same before it is sent and after it is read again, whatever
#           its amounts are objects of.
# Seen:     2026-11-30, json-canonicalize 3.0.1: of an object with toJSON it takes JSON.stringify's text as it is. So an
#           amount of Dinero.js 2.0.2 has code before base at the sender and base before code at the receiver. An array
#           with a gap loses it, and a method becomes undefined, which is not JSON. canonicalize 5.1.0 does as guessed.
# Matters:  The statement's signature is right at the sender and wrong for everyone who checks it, but only where an
#           amount is an object; tests with plain numbers pass.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/support/lab.bash"

npm_packages json-canonicalize@3.0.1 canonicalize@5.1.0 dinero.js@2.0.2
cat >statement.mjs <<'JS'
import other from 'canonicalize';
import { dinero } from 'dinero.js';
import { EUR } from 'dinero.js/currencies';
import { canonicalize } from 'json-canonicalize';

const statement = { month: '2026-11', balance: dinero({ amount: 1050, currency: EUR }) };
const received = JSON.parse(JSON.stringify(statement));
for (const [name, write] of Object.entries({ 'json-canonicalize': canonicalize, canonicalize: other })) {
  console.log(`${name}, sent:     ${write(statement)}`);
  console.log(`${name}, received: ${write(received)}`);
  console.log(`${name}, a gap: ${write([, 1])}, a method: ${write({ total: () => 1 })}`);
}
JS
node statement.mjs >seen
holds seen <<'SEEN'
json-canonicalize, sent:     {"balance":{"amount":1050,"currency":{"code":"EUR","base":10,"exponent":2},"scale":2},"month":"2026-11"}
json-canonicalize, received: {"balance":{"amount":1050,"currency":{"base":10,"code":"EUR","exponent":2},"scale":2},"month":"2026-11"}
json-canonicalize, a gap: [1], a method: {"total":undefined}
canonicalize, sent:     {"balance":{"amount":1050,"currency":{"base":10,"code":"EUR","exponent":2},"scale":2},"month":"2026-11"}
canonicalize, received: {"balance":{"amount":1050,"currency":{"base":10,"code":"EUR","exponent":2},"scale":2},"month":"2026-11"}
canonicalize, a gap: [null,1], a method: {}
SEEN
