#!/usr/bin/env bash
# A decimal of Stripe's is an object from a call, and text from a webhook.
#
# Guess:    unit_amount_decimal is text everywhere, as in the API; or if a library makes a decimal of it, then wherever
#           it makes the same object: in an event as in the answer to a call.
# Seen:     2026-11-30, stripe 23.1.0 (npm): from prices.retrieve it is a Decimal, from constructEvent text. Adding two
#           Decimals with + joins their texts, and JSON loses the zeros that Stripe sent. 16.1.0 (PyPI) makes a Decimal
#           in both, which json.dumps refuses, but text of the same field in previous_attributes.
# Matters:  A handler written and tested with retrieve() fails at the first webhook: `.mul` is not a function. In
#           Python the new price minus the old one raises, and so does storing an event as JSON if it has a decimal.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/support/lab.bash"

python_packages stripe==16.1.0
npm_packages stripe@23.1.0
cat >prices.mjs <<'JS'
import http from 'node:http';

import Stripe from 'stripe';

const price = '{"id":"price_1","object":"price","unit_amount_decimal":"0.0400"}';
const server = http.createServer((request, response) => {
  response.setHeader('content-type', 'application/json');
  response.end(price);
});
await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
const { port } = server.address();
const client = new Stripe('sk_test_none', { host: '127.0.0.1', port, protocol: 'http', telemetry: false });
const { unit_amount_decimal: called } = await client.prices.retrieve('price_1');
const payload = `{"id":"evt_1","object":"event","type":"price.updated","data":{"object":${price}}}`;
const header = client.webhooks.generateTestHeaderString({ payload, secret: 'whsec_none' });
const { unit_amount_decimal: sent } = client.webhooks.constructEvent(payload, header, 'whsec_none').data.object;
console.log('Node.js, retrieve:', typeof called, JSON.stringify(called), 'mul' in called, called + called);
console.log('Node.js, constructEvent:', typeof sent, JSON.stringify(sent));
server.close();
JS
cat >prices.py <<'PY'
import hashlib
import hmac
import json
import time

import stripe

body = json.dumps({"id": "evt_1", "object": "event", "type": "price.updated", "data": {
    "object": {"id": "price_1", "object": "price", "unit_amount_decimal": "0.0400"},
    "previous_attributes": {"unit_amount_decimal": "0.0400"}}})
now = int(time.time())
signature = hmac.new(b"whsec_none", f"{now}.{body}".encode(), hashlib.sha256).hexdigest()
data = stripe.Webhook.construct_event(body, f"t={now},v1={signature}", "whsec_none").data
after, before = data.object.unit_amount_decimal, data.previous_attributes["unit_amount_decimal"]
print(f"Python, construct_event: {after!r}, before {before!r}, equal: {after == before}")
try:
    json.dumps(data.object.to_dict())
except TypeError as error:
    print(f"Python, json.dumps: {error}")
PY
node prices.mjs >seen
python prices.py >>seen
holds seen <<'SEEN'
Node.js, retrieve: object "0.04" true 0.040.04
Node.js, constructEvent: string "0.0400"
Python, construct_event: Decimal('0.0400'), before '0.0400', equal: False
Python, json.dumps: Object of type Decimal is not JSON serializable
SEEN
