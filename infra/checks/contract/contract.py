"""Checks the running API against infra/openapi.yaml with thousands of generated requests.

It starts the local cloud on free ports, and opens accounts and buys credits so that most requests find something.
Then schemathesis sends its requests. The check fails for a response that differs from the description, and for too few
requests.

usage: contract.py PREPAID [ARGUMENT OF SCHEMATHESIS…]
"""

import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import requests

HERE = Path(__file__).parent
CASES_MIN = 10_000
CARDS = {"pays": "4242424242424242", "is disputed": "4000000000000259", "declines": "pm_card_chargeCustomerFail"}


class Cloud:
    """The local cloud, with the actions of its pages and its operator."""

    def __init__(self, program):
        self.process = subprocess.Popen([program, "--port", "0", "--empty"], stdout=subprocess.PIPE, text=True)
        printed = ""
        while "/charges" not in printed:
            line = self.process.stdout.readline()
            if not line:
                sys.exit("The local cloud did not start.")
            printed += line
        self.api, self.stripe, self.aws = (
            re.search(rf"{name} +(http://[0-9.:]+)", printed)[1] for name in ("API", "Stripe stand-in", "AWS stand-ins")
        )
        secret = self.post(
            self.aws, json={"SecretId": "stripe"}, headers={"X-Amz-Target": "secretsmanager.GetSecretValue"}
        )
        secret = json.loads(secret["SecretString"])
        self.stripe_key, self.webhook_secret = secret["api_key"], secret["webhook_secrets"][0]
        self.service = self.token("service", "credits/service")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()

    def post(self, url, **arguments):
        answer = requests.post(url, timeout=900, **arguments)
        answer.raise_for_status()
        return answer.json()

    def token(self, subject, scope):
        return self.post(f"{self.api}/_local/tokens", json={"subject": subject, "scopes": [scope]})["token"]

    def ask(self, method, path, body, key=None):
        headers = {"Authorization": f"Bearer {self.service}"} | ({"Idempotency-Key": key} if key else {})
        answer = requests.request(method, self.api + path, json=body, headers=headers, timeout=900)
        answer.raise_for_status()
        return answer.json()

    def cards(self, account):
        return [card["payment_method"] for card in self.ask("GET", f"/v1/accounts/{account}/payment-methods", None)["data"]]

    def invoices(self, account):
        return [invoice["invoice"] for invoice in self.ask("GET", f"/v1/accounts/{account}/invoices?limit=5", None)["data"]]

    def operate(self, path, **form):
        """Does what the company does in Stripe's dashboard."""
        return self.post(self.stripe + path, data=form, auth=(self.stripe_key, ""))

    def disputes(self):
        listed = requests.get(f"{self.stripe}/v1/disputes", auth=(self.stripe_key, ""), timeout=900).json()
        return [dispute["id"] for dispute in listed["data"]]

    def pay(self, page, card="pays"):
        form = {"card_number": CARDS[card], "email": "payer@customer.example", "country": "US"}
        requests.post(page, data=form, allow_redirects=False, timeout=900).raise_for_status()

    def advance(self, by):
        self.post(f"{self.api}/_local/clock", json={"advance": by})

    def clock_ahead_seconds(self):
        now = requests.get(f"{self.api}/_local/clock", timeout=900).json()["now"]
        return round(time.mktime(time.strptime(now[:19], "%Y-%m-%dT%H:%M:%S")) - time.mktime(time.gmtime()))

    def links(self):
        """The tokens of all payment links that were sent."""
        mails = requests.get(f"{self.aws}/inbox.json", timeout=900).json()
        return {token for mail in mails for token in re.findall(r"/pay/([A-Za-z0-9_.-]+)", mail["text"])}


def buy(cloud, account, package, key, card="pays"):
    purchase = cloud.ask("POST", f"/v1/accounts/{account}/purchases", {"package": package}, key)
    cloud.pay(purchase["checkout_url"], card)
    return purchase["purchase"]


def declined_top_up(cloud, account):
    """A paused account whose customer got a link by e-mail."""
    cloud.ask("POST", "/v1/accounts", {"account": account, "email": f"owner@{account}.example"})
    customers = requests.get(f"{cloud.stripe}/v1/customers?limit=100", auth=(cloud.stripe_key, ""), timeout=900).json()
    customer = next(customer["id"] for customer in customers["data"] if customer["metadata"]["account"] == account)
    card = cloud.operate(f"/v1/payment_methods/{CARDS['declines']}/attach", customer=customer)["id"]
    cloud.operate(f"/v1/customers/{customer}", **{"invoice_settings[default_payment_method]": card})
    consent = {"text_version": 3, "accepted_by": "owner"}
    settings = {"enabled": True, "threshold": 1000, "target": 5000, "consent": consent}
    cloud.ask("PUT", f"/v1/accounts/{account}/auto-top-up", settings)
    before = cloud.links()
    # The sweep runs meanwhile, and its e-mail is delivered before the response arrives.
    cloud.advance("30m")
    # If that ended seconds before the next sweep, this one had no time left.
    cloud.advance("15m")
    return (cloud.links() - before).pop()


def prepare(cloud, directory):
    """Accounts with credits, charges, purchases and links in every state; returns what the requests need."""
    paid, open_ = (declined_top_up(cloud, account) for account in ("paid", "paused"))
    page = requests.get(f"{cloud.api}/pay/{paid}", allow_redirects=False, timeout=900).headers["Location"]
    cloud.pay(page)

    charges, purchases = [], []
    for account in ("customer-42", "customer-43"):
        cloud.ask("POST", "/v1/accounts", {"account": account, "email": "ada@example.com"})
        purchases += [buy(cloud, account, "credits_125000", f"buy-{number}") for number in range(20)]
        opened = cloud.ask("POST", f"/v1/accounts/{account}/purchases", {"package": "credits_500"}, "open")
        purchases.append(opened["purchase"])
    cloud.ask("POST", "/v1/accounts", {"account": "disputed", "email": "owner@disputed.example"})
    buy(cloud, "disputed", "credits_500", "buy-1", "is disputed")
    # The clock responds after all payments have been granted.
    cloud.advance("1m")
    for number in range(8):
        for account in ("customer-42", "customer-43"):
            body = {"operation": "training", "max_minutes": 1 + number}
            cloud.ask("POST", f"/v1/accounts/{account}/charges", body, f"prepared-{number}")
            cloud.ask("POST", f"/v1/accounts/{account}/charges", body | {"expires_in_seconds": 604_800}, f"pending-{number}")
        charges += [f"prepared-{number}", f"pending-{number}"]
    invoices = [invoice for account in ("customer-42", "customer-43") for invoice in cloud.invoices(account)]
    cards = [card for account in ("customer-42", "customer-43") for card in cloud.cards(account)]
    directory.mkdir(parents=True, exist_ok=True)
    for name, values in [
        ("cards", cards),
        ("disputes", cloud.disputes()),
        ("invoices", invoices),
        ("charges", charges),
        ("purchases", purchases[::5]),
        ("tokens", [paid, open_]),
    ]:
        (directory / name).write_text("".join(f'"{value}"\n' for value in values))
    return {
        "SERVICE_TOKEN": cloud.service,
        "CUSTOMER_TOKEN": cloud.token("customer-42", "credits/customer"),
        "SUPPORT_TOKEN": cloud.token("operator", "credits/support"),
        "WEBHOOK_SECRET": cloud.webhook_secret,
        "CLOCK_AHEAD_SECONDS": str(cloud.clock_ahead_seconds()),
    }


def main(program, *arguments):
    directory = Path("target/contract")
    with Cloud(program) as cloud:
        known = prepare(cloud, directory)
        report = directory / "report.json"
        report.unlink(missing_ok=True)
        command = [
            *(Path(sys.executable).parent / "st", "--config-file", HERE / "schemathesis.toml", "run"),
            *("infra/openapi.yaml", "--url", cloud.api, "--report", "json", "--report-json-path", report),
            *arguments,
        ]
        outcome = subprocess.run(command, env={**os.environ, **known}, check=False).returncode
    cases = json.loads(report.read_text())["test_cases"]["generated"] if report.exists() else 0
    print(f"{cases} cases were sent, and at least {CASES_MIN} are required.")
    return outcome or int(cases < CASES_MIN)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
