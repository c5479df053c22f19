#!/usr/bin/env bash
# Stripe's Python library sends a Decimal in scientific notation, its Node.js library does not.
#
# Guess:    unit_amount_decimal, which the library itself types as Decimal, is sent in plain digits.
# Seen:     2026-11-29, stripe 16.1.0 (PyPI): Decimal("0.0000001") is sent as 1E-7, and 100 after normalize(), the
#           usual way to drop zeros, as 1E+2. stripe 23.1.0 (npm) sends its own Decimal as 0.0000001 and 100, but the
#           number 0.0000001 as 1e-7. What Stripe makes of it was not tried; its documentation shows plain digits
#           only.
# Matters:  A credit may cost less than a thousandth of a cent, so its price is where exponents begin. The same price
#           book is then sent in two spellings by a Python and a Node.js service, and an idempotency key that both use
#           has met "other parameters".
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/support/lab.bash"

python_packages stripe==16.1.0
npm_packages stripe@23.1.0
cat >echo.py <<'PY'
"""A server that prints the form it is sent, and answers with an empty price."""
import http.server
import json
import sys
from urllib.parse import unquote_plus


class Echo(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        form = self.rfile.read(int(self.headers["Content-Length"])).decode()
        print(unquote_plus(form), file=sys.stderr, flush=True)
        answer = json.dumps({"id": "price_1", "object": "price"}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Echo)
print(server.server_port, flush=True)
server.serve_forever()
PY
cat >prices.py <<'PY'
import sys
from decimal import Decimal

import stripe

client = stripe.StripeClient("sk_test_none", base_addresses={"api": f"http://127.0.0.1:{sys.argv[1]}"})
for price in (Decimal("0.0000001"), Decimal("100.00").normalize(), Decimal("12.50")):
    client.v1.prices.create({"unit_amount_decimal": price})
PY
cat >prices.mjs <<'JS'
import Stripe from 'stripe';

const client = new Stripe('sk_test_none', { host: '127.0.0.1', port: process.argv[2], protocol: 'http', telemetry: false });
for (const price of [Stripe.Decimal.from('0.0000001'), Stripe.Decimal.from('100.00'), Stripe.Decimal.from('12.50'), 0.0000001]) {
  await client.prices.create({ unit_amount_decimal: price });
}
JS
python echo.py >port 2>>forms &
trap 'kill %1; rm -rf "$LAB"' EXIT
until [ -s port ]; do sleep 0.1; done
echo Python >>forms; python prices.py "$(cat port)"
echo Node.js >>forms; node prices.mjs "$(cat port)"
holds forms <<'SEEN'
Python
unit_amount_decimal=1E-7
unit_amount_decimal=1E+2
unit_amount_decimal=12.50
Node.js
unit_amount_decimal=0.0000001
unit_amount_decimal=100
unit_amount_decimal=12.5
unit_amount_decimal=1e-7
SEEN
