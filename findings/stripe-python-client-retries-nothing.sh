#!/usr/bin/env bash
# StripeClient of Stripe's Python library retries nothing, while the calls that it replaces retry twice.
#
# Guess:    The library retries a lost connection, a 409 and a 503 of its own accord, as its setting
#           stripe.max_network_retries of 2 says and as the one for Node.js does. StripeClient has the same default.
# Seen:     2026-11-30, stripe 16.1.0 (PyPI) and 23.1.0 (npm): stripe.Customer.create sends a request three times. The
#           same call of StripeClient sends it once and raises, unless max_network_retries is passed to StripeClient
#           itself: the setting, which is 2 without any code, is not looked at. Node.js sends it three times.
# Matters:  StripeClient replaces the older pattern, which will be deprecated. After the move each lost connection, and
#           each 409 when two requests meet, is a failed payment, in code that had retried it for years.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/support/lab.bash"

python_packages stripe==16.1.0
npm_packages stripe@23.1.0
cat >busy.mjs <<'JS'
// A server that answers each request to create a customer with the error that its description names.
import http from 'node:http';

const server = http.createServer((request, response) => {
  let form = '';
  request.on('data', (data) => { form += data; });
  request.on('end', () => {
    const status = Number(new URLSearchParams(form).get('description'));
    console.error(`  ${status}`);
    response.writeHead(status, { 'content-type': 'application/json' });
    response.end(JSON.stringify({ error: { type: 'api_error', message: 'try again' } }));
  });
});
server.listen(0, '127.0.0.1', () => console.log(server.address().port));
JS
cat >create.py <<'PY'
import sys

import stripe

address = f"http://127.0.0.1:{sys.argv[2]}"
stripe.api_key, stripe.api_base = "sk_test_none", address
retries = {"max_network_retries": 2} if sys.argv[1] == "set" else {}
client = stripe.StripeClient("sk_test_none", base_addresses={"api": address}, **retries)
for status in (409, 503):
    try:
        if sys.argv[1] == "global":
            stripe.Customer.create(description=status)
        else:
            client.v1.customers.create({"description": status})
    except stripe.StripeError:
        pass
PY
cat >create.mjs <<'JS'
import Stripe from 'stripe';

const client = new Stripe('sk_test_none', { host: '127.0.0.1', port: process.argv[2], protocol: 'http', telemetry: false });
for (const status of [409, 503]) {
  await client.customers.create({ description: status }).catch(() => {});
}
JS
node busy.mjs >port 2>>requests &
trap 'kill %1; rm -rf "$LAB"' EXIT
until [ -s port ]; do sleep 0.1; done
echo 'Python, stripe.Customer.create' >>requests; python create.py global "$(cat port)"
echo 'Python, StripeClient' >>requests; python create.py client "$(cat port)"
echo 'Python, StripeClient with max_network_retries=2' >>requests; python create.py set "$(cat port)"
echo 'Node.js' >>requests; node create.mjs "$(cat port)"
holds requests <<'SEEN'
Python, stripe.Customer.create
  409
  409
  409
  503
  503
  503
Python, StripeClient
  409
  503
Python, StripeClient with max_network_retries=2
  409
  409
  409
  503
  503
  503
Node.js
  409
  409
  409
  503
  503
  503
SEEN
