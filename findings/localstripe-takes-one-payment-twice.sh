#!/usr/bin/env bash
# localstripe takes a payment twice that has the same Idempotency-Key.
#
# Guess:    A stateful stand-in for Stripe answers a used Idempotency-Key with the first answer, and refuses it with
#           other parameters. It lists the newest first, and an empty text removes a key of metadata, as with Stripe.
# Seen:     2026-11-30, localstripe 1.15.10 with stripe 16.1.0: the key is not looked at. A second payment is taken, and
#           a third with another amount. The list begins with the oldest, and the key of metadata stays, with "".
# Matters:  A test that repeats a payment after a lost response finds two of them, in code that is right. Code whose
#           keys are not unique passes, and so does a sync that reads the first page and takes it for the newest.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/support/lab.bash"

python_packages localstripe==1.15.10 stripe==16.1.0
cat >serve.py <<'PY'
# localstripe's own application, on this machine's address only, and without the file that it keeps in /tmp.
import sys

from aiohttp import web
from localstripe.resources import Store
from localstripe.server import app

Store.dump_to_disk = lambda store: None
web.run_app(app, host="127.0.0.1", port=int(sys.argv[1]), print=None)
PY
cat >pay.py <<'PY'
import socket
import subprocess
import sys
import time

import stripe

with socket.socket() as free:
    free.bind(("127.0.0.1", 0))
    port = free.getsockname()[1]
server = subprocess.Popen([sys.executable, "serve.py", str(port)], stderr=subprocess.DEVNULL)
try:
    client = stripe.StripeClient("sk_test_none", base_addresses={"api": f"http://127.0.0.1:{port}"})
    while True:
        try:
            customer = client.v1.customers.create({"metadata": {"plan": "old", "team": "a"}})
            break
        except stripe.APIConnectionError:
            time.sleep(0.2)

    def pay(amount):
        return client.v1.payment_intents.create(
            {"amount": amount, "currency": "eur", "customer": customer.id, "payment_method": "pm_card_visa",
             "confirm": True}, {"idempotency_key": "purchase-1"})

    first, again, other = pay(500), pay(500), pay(700)
    print(f"first {first.status}, again {again.status}, the same payment: {first.id == again.id}")
    print(f"another amount: {other.status}, {other.amount}")
    listed = [payment.id for payment in client.v1.payment_intents.list().data]
    print("listed:", *({first.id: "first", again.id: "again", other.id: "other"}[id] for id in listed))
    updated = client.v1.customers.update(customer.id, {"metadata": {"plan": ""}})
    print("metadata:", updated.metadata.to_dict())
finally:
    server.terminate()
PY
python pay.py >seen
holds seen <<'SEEN'
first succeeded, again succeeded, the same payment: False
another amount: succeeded, 700
listed: first again other
metadata: {'plan': '', 'team': 'a'}
SEEN
