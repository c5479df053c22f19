#!/usr/bin/env bash
# Stripe's libraries leave an empty list out of the request, so it clears nothing.
#
# Guess:    `default_tax_rates: []` removes the tax rates of an invoice, or is an error. In form encoding an empty
#           value has to be sent for that, as the Node.js library does for null.
# Seen:     2026-11-29, stripe 16.1.0 (PyPI) and 23.1.0 (npm): the parameter is not sent at all. The request succeeds,
#           and nothing has changed. An empty map is left out, too. Only "" is sent as the empty value by both.
# Matters:  A customer becomes exempt from tax, the code sets the list to what it now is, empty, and gets 200. The tax
#           is charged on, and every test that only looks at the arguments of the call passes.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/support/lab.bash"

python_packages stripe==16.1.0
npm_packages stripe@23.1.0
cat >echo.mjs <<'JS'
// A server that prints the form it is sent, and answers with an empty invoice.
import http from 'node:http';

const server = http.createServer((request, response) => {
  let form = '';
  request.on('data', (data) => { form += data; });
  request.on('end', () => {
    console.error(`sent: ${decodeURIComponent(form) || 'nothing'}`);
    response.setHeader('content-type', 'application/json');
    response.end('{"id":"in_1","object":"invoice"}');
  });
});
server.listen(0, '127.0.0.1', () => console.log(server.address().port));
JS
cat >clear.py <<'PY'
import sys

import stripe

client = stripe.StripeClient("sk_test_none", base_addresses={"api": f"http://127.0.0.1:{sys.argv[1]}"})
for fields in ({"default_tax_rates": []}, {"metadata": {}}, {"default_tax_rates": ""}):
    client.v1.invoices.update("in_1", fields)
PY
cat >clear.mjs <<'JS'
import Stripe from 'stripe';

const client = new Stripe('sk_test_none', { host: '127.0.0.1', port: process.argv[2], protocol: 'http', telemetry: false });
for (const fields of [{ default_tax_rates: [] }, { metadata: {} }, { default_tax_rates: '' }]) {
  await client.invoices.update('in_1', fields);
}
JS
node echo.mjs >port 2>>forms &
trap 'kill %1; rm -rf "$LAB"' EXIT
until [ -s port ]; do sleep 0.1; done
echo 'Python: an empty list, an empty map, an empty text' >>forms; python clear.py "$(cat port)"
echo 'Node.js: the same' >>forms; node clear.mjs "$(cat port)"
holds forms <<'SEEN'
Python: an empty list, an empty map, an empty text
sent: nothing
sent: nothing
sent: default_tax_rates=
Node.js: the same
sent: nothing
sent: nothing
sent: default_tax_rates=
SEEN
