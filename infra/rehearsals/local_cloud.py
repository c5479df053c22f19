"""The stand-ins of `cargo run`: Stripe with its hosted pages and webhooks, and the issuer of tokens."""

import json
import re
from contextlib import contextmanager

import requests

from processes import PATIENCE_SECONDS, check, environment, running, wait_for

ADDRESSES = {"api": "API", "stripe": "Stripe stand-in", "aws": "AWS stand-ins"}


@contextmanager
def local_cloud(program, log, is_empty=True):
    """Starts `prepaid`, the program of `cargo run`, on free ports, with the ready-made accounts or without any."""
    with running([program, "--port", "0"] + ["--empty"] * is_empty, log, environment()) as process:

        def addresses():
            check(process.poll() is None, "the local cloud did not start")
            text = log.read_text()
            # The tokens come last, so the addresses are complete by then.
            return "CUSTOMER_TOKEN=" in text and {name: address(title, text) for name, title in ADDRESSES.items()}

        yield LocalCloud(**wait_for("local cloud", addresses))


def address(title, text):
    return re.search(rf"^ *{title} +(http://\S+)", text, re.MULTILINE)[1]


class LocalCloud:
    """The parts that a rehearsal uses; its functions and table are for rehearsals without a deployment."""

    def __init__(self, api, stripe, aws):
        self.api, self.stripe, self.aws = api, stripe, aws
        self.issuer = f"{api}/_local/issuer"
        self.audience = "prepaid-local"
        target = {"X-Amz-Target": "secretsmanager.GetSecretValue", "Content-Type": "application/x-amz-json-1.1"}
        secret = requests.post(aws, headers=target, json={"SecretId": "stripe"}, timeout=PATIENCE_SECONDS).json()
        # Exactly the form that the deployment guide requires.
        self.stripe_secret = secret["SecretString"]
        self.stripe_key = json.loads(self.stripe_secret)["api_key"]

    def token(self, subject, scope):
        """An access token, signed by the issuer."""
        body = {"subject": subject, "scopes": [scope]}
        return requests.post(f"{self.api}/_local/tokens", json=body, timeout=PATIENCE_SECONDS).json()["token"]

    def send_webhooks_to(self, url):
        """Corrects the address of the webhook endpoint, which is the last step of the deployment guide."""
        endpoints = self.stripe_get("/v1/webhook_endpoints")["data"]
        check(len(endpoints) == 1, "the stand-in for Stripe should have exactly one webhook endpoint")
        self.stripe_post(f"/v1/webhook_endpoints/{endpoints[0]['id']}", {"url": url})

    def save_card(self, account, test_card):
        """Makes a card the customer's default, as Stripe's billing portal does."""
        customers = self.stripe_get("/v1/customers?limit=100")["data"]
        [customer] = [customer["id"] for customer in customers if customer["metadata"].get("account") == account]
        card = self.stripe_post(f"/v1/payment_methods/{test_card}/attach", {"customer": customer})["id"]
        self.stripe_post(f"/v1/customers/{customer}", {"invoice_settings[default_payment_method]": card})
        wait_for("arrival of Stripe's events", self.has_delivered)

    def has_delivered(self):
        """Whether every event has arrived at the webhook endpoint."""
        return not any(event["pending_webhooks"] for event in self.stripe_get("/v1/events?limit=100")["data"])

    def pay(self, page, card):
        """Pays on one of Stripe's hosted pages, like a browser."""
        form = {"card_number": card, "email": "owner@customer.example", "country": "US"}
        check(requests.get(page, timeout=PATIENCE_SECONDS).ok, f"the payment page {page} cannot be opened")
        paid = requests.post(page, data=form, allow_redirects=False, timeout=PATIENCE_SECONDS)
        check(paid.is_redirect or paid.ok, f"the payment page answered {paid.status_code}: {paid.text}")

    def stripe_get(self, path):
        answer = requests.get(self.stripe + path, auth=(self.stripe_key, ""), timeout=PATIENCE_SECONDS)
        check(answer.ok, f"Stripe answered GET {path} with {answer.status_code}: {answer.text}")
        return answer.json()

    def stripe_post(self, path, form):
        answer = requests.post(self.stripe + path, auth=(self.stripe_key, ""), data=form, timeout=PATIENCE_SECONDS)
        check(answer.ok, f"Stripe answered POST {path} with {answer.status_code}: {answer.text}")
        return answer.json()
