"""Walks through the Billing Dashboard in Chromium as a customer does, against the local cloud.

usage: walk.py PROGRAM AXE DIRECTORY_OF_PICTURES

Each page that is reached is checked: axe-core finds no violation of WCAG 2.2 AA in light and dark, nothing is wider than a
phone, nothing is loaded from elsewhere, and no script or style is refused by the page's own policy. The pictures of all
pages are kept.
"""

import json
import os
import re
import shutil
import sys
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import requests
from playwright.sync_api import expect, sync_playwright

sys.path.insert(0, str(Path(__file__).parents[1] / "rehearsals"))
from local_cloud import local_cloud  # noqa: E402
from processes import PATIENCE_SECONDS, Failure, check, wait_for  # noqa: E402

RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
SIZES = [("phone", 360, 780), ("desktop", 1280, 900)]
SCHEMES = ["light", "dark"]
GOOD, DECLINED, ASKS_LATER = "4242424242424242", "4000000000000341", "4000002760003184"


class Company:
    """The company's backend: it opens accounts, charges them, and asks for links into the dashboard."""

    def __init__(self, cloud):
        self.cloud = cloud
        self.token = cloud.token("service", "credits/service")

    def call(self, method, path, body=None, key=None, status=None):
        headers = {"Authorization": f"Bearer {self.token}"} | ({"Idempotency-Key": key} if key else {})
        answer = requests.request(method, self.cloud.api + path, json=body, headers=headers, timeout=PATIENCE_SECONDS)
        check(status in (None, answer.status_code), f"{method} {path}: {answer.status_code} {answer.text}")
        return answer.json()

    def open(self, account):
        self.call("POST", "/v1/accounts", {"account": account, "email": f"owner@{account}.example"}, status=201)

    def charge(self, account, key, minutes):
        body = {"operation": "dubbing", "duration_ms": minutes * 60_000, "reference": f"video-{key}", "spender": "studio"}
        return self.call("POST", f"/v1/accounts/{account}/charges", body, key)

    def link(self, account, **visit):
        return self.call("POST", f"/v1/accounts/{account}/portal-sessions", visit, status=200)["url"]

    def balance(self, account):
        return self.call("GET", f"/v1/accounts/{account}/balance", status=200)["balance"]

    def auto_top_up(self, account):
        return self.call("GET", f"/v1/accounts/{account}/auto-top-up", status=200)

    def local(self, path, body=None):
        answer = requests.post(f"{self.cloud.api}/_local{path}", json=body, timeout=PATIENCE_SECONDS)
        check(answer.ok, f"{path}: {answer.status_code} {answer.text}")


class Browser:
    """A window with a session of its own, which checks each page that is shown."""

    def __init__(self, context, company, axe, pictures):
        self.company, self.axe, self.pictures = company, axe, pictures
        self.page = context.new_page()
        self.page.on("console", self.heard)
        self.page.on("request", self.loads)
        self.problems, self.seen = [], 0

    def heard(self, message):
        # Answers such as 422 are pages of ours.
        if message.type == "error" and "Failed to load resource" not in message.text:
            self.problems.append(f"{self.page.url}: {message.text}")

    def loads(self, request):
        hosts = {urlsplit(url).netloc for url in (self.company.cloud.api, self.company.cloud.stripe)}
        if not request.url.startswith("data:") and urlsplit(request.url).netloc not in hosts:
            self.problems.append(f"{self.page.url} loads {request.url}")

    def enter(self, account, **visit):
        self.page.goto(self.company.link(account, **visit))
        self.continues()

    def continues(self):
        """Uses the link up, unless the script has done that."""
        button = self.page.get_by_role("button", name="Continue")
        if "/enter/" in self.page.url and button.count():
            try:
                button.click(timeout=5_000)
            except Exception:  # The script was faster than the test.
                pass
        self.page.wait_for_url("**/portal/*")

    def open(self, name):
        self.page.get_by_role("navigation", name="Billing").get_by_role("link", name=name).click()

    def press(self, name):
        self.page.get_by_role("button", name=name, exact=False).first.click()

    def follow(self, name):
        self.page.get_by_role("link", name=name, exact=False).first.click()

    def says(self, text):
        expect(self.page.locator("main")).to_contain_text(re.compile(text), timeout=30_000)

    def look(self, name):
        """Checks this page in every size and scheme, and keeps its pictures."""
        self.seen += 1
        for scheme in SCHEMES:
            self.page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
            for size, width, height in SIZES:
                self.page.set_viewport_size({"width": width, "height": height})
                self.page.screenshot(path=self.pictures / f"{name}-{size}-{scheme}.png", full_page=True)
                needed = self.page.evaluate("document.documentElement.scrollWidth")
                check(needed <= width, f"{name} needs {needed} pixels and has {width}")
            for violation in self.violations():
                self.problems.append(f"{name} ({scheme}): {violation}")
        self.page.emulate_media(color_scheme="light")

    def violations(self):
        # As an administrator's tool would: the page's own policy lets no script of others run.
        session = self.page.context.new_cdp_session(self.page)
        session.send("Runtime.evaluate", {"expression": self.axe})
        run = f"axe.run(document, {{runOnly: {RULES}}}).then(found => JSON.stringify(found.violations))"
        answer = session.send("Runtime.evaluate", {"expression": run, "awaitPromise": True, "returnByValue": True})
        for violation in json.loads(answer["result"]["value"]):
            yield f"{violation['id']}: {violation['help']}: {[node['html'][:160] for node in violation['nodes']][:3]}"

    def pay(self, card):
        """On the payment provider's page."""
        self.page.wait_for_url(f"{self.company.cloud.stripe}/**")
        self.page.fill("[name=card_number]", card)
        for name, value in {"line1": "1 Example Street", "city": "Springfield"}.items():
            if self.page.locator(f"[name={name}]").count():
                self.page.fill(f"[name={name}]", value)
        self.page.locator("button").first.click()


def first_day(browser, company):
    """An account without anything: every page has something to say."""
    company.open("beginner")
    browser.enter("beginner")
    browser.says("Automatic top-ups are off")
    browser.look("first-day-overview")
    for name in ["Buy credits", "Automatic top-ups", "Cards", "Usage", "History", "Invoices"]:
        browser.open(name)
        browser.look(f"first-day-{name.lower().replace(' ', '-')}")
    browser.press("Sign out")
    browser.says("You are signed out")
    browser.look("signed-out")
    browser.page.goto(f"{company.cloud.api}/portal/overview")
    browser.says("Your session is over")
    browser.look("session-over")


def buy(browser, company):
    company.open("acme")
    browser.enter("acme", flow="buy")
    browser.press("Buy 5,000 credits")
    browser.pay(GOOD)
    browser.page.wait_for_url("**/portal/purchases/*")
    browser.says("Thank you")
    browser.look("purchase-paid")
    check(company.balance("acme") == 5_000, "the credits are granted")
    browser.page.go_back()
    browser.open("History")
    browser.says("Credits bought")
    browser.open("Invoices")
    browser.says("Paid")
    browser.look("invoices")
    for number in range(1, 9):
        company.charge("acme", f"job-{number}", number * 7)
    browser.open("Overview")
    browser.says("Dubbing")
    browser.open("Usage")
    browser.says("credits spent")
    browser.look("usage")
    browser.open("History")
    browser.look("history")
    browser.follow("Dubbing")
    browser.says("of audio, billed as")
    browser.look("entry")


def buy_by_invoice_and_change_ones_mind(browser, company):
    browser.open("Buy credits")
    browser.press("Buy 500 credits")
    browser.page.wait_for_url(f"{company.cloud.stripe}/**")
    browser.page.go_back()
    browser.open("Buy credits")
    browser.press("By invoice 500 credits")
    browser.says("The invoice is on its way")
    browser.look("purchase-by-invoice")


def missing_credits(browser, company):
    """A payment whose events are lost: the customer asks, and gets what was paid."""
    browser.open("Invoices")
    browser.follow("Look for a payment")
    browser.page.fill("#last4", "4242")
    browser.press("Look for it")
    browser.says("The amount must be written")
    browser.look("missing-invalid")
    browser.page.fill("#number", "WRONG-0001")
    browser.press("Look for it")
    browser.says("We|no payment")
    invoice = company.call("GET", "/v1/accounts/acme/invoices", status=200)["data"][-1]["number"]
    browser.page.fill("#number", invoice.lower())
    browser.press("Look for it")
    browser.says("are on your balance already")
    browser.look("missing-found")
    browser.follow("See the entry")
    browser.says("Credits bought")


def turn_on(browser, company):
    browser.open("Automatic top-ups")
    browser.page.fill("#threshold", "20")
    browser.page.fill("#target", "many")
    browser.press("Show what this means")
    browser.says("whole number")
    browser.look("top-ups-invalid")
    browser.page.fill("#threshold", "2000")
    browser.page.fill("#target", "4000")
    browser.page.fill("#max_per_month", "100")
    browser.press("Show what this means")
    browser.says("at most \\$100.00")
    browser.look("top-ups-consent")
    # The box is not ticked, and the browser does not send the form without it.
    browser.press("Save and turn on")
    check(not company.auto_top_up("acme")["enabled"], "nothing is turned on without consent")
    browser.page.check("#agreed")
    browser.press("Save and turn on")
    browser.says("Automatic top-ups are on")
    browser.look("top-ups-on")
    saved = company.auto_top_up("acme")
    check((saved["threshold"], saved["target"], saved["monthly_cap"]["max"]) == (2_000, 4_000, 10_000), f"{saved}")
    browser.open("Overview")
    browser.says("is charged")
    browser.look("overview")


def stale_settings(browser, company):
    """Two windows: the second one saves while the first one is read."""
    browser.open("Automatic top-ups")
    browser.page.fill("#target", "4500")
    browser.press("Show what this means")
    company.call("PUT", "/v1/accounts/acme/auto-top-up", {"enabled": False}, status=200)
    browser.page.check("#agreed")
    browser.press("Save and turn on")
    browser.says("were changed in the meantime")
    check(browser.page.input_value("#target") == "4500", "what was typed is kept")
    browser.look("top-ups-stale")
    browser.page.check("#agreed")
    browser.press("Save and turn on")
    browser.says("Automatic top-ups are on")


def decline(browser, company):
    company.cloud.save_card("acme", "pm_card_chargeCustomerFail")
    company.charge("acme", "job-big", 60)
    company.local("/sweep")
    wait_for("the pause", lambda: company.auto_top_up("acme")["payment_issue"])
    browser.open("Overview")
    browser.says("Automatic top-ups are paused")
    browser.look("overview-declined")
    browser.follow("Pay and continue")
    browser.says("did not go through")
    browser.look("pay-declined")
    browser.press("Pay now")
    browser.says("did not go through")


def another_card(browser, company):
    browser.open("Cards")
    browser.look("cards")
    browser.press("Add a card")
    browser.pay(GOOD)
    browser.page.wait_for_url("**/portal/cards*")
    wait_for("the new card", lambda: cards_in(browser))
    browser.look("cards-two")
    browser.page.goto(f"{company.cloud.api}/portal/pay")
    browser.page.get_by_label("Visa •••• 4242").check()
    browser.press("Pay now")
    browser.says("The payment was received|There is no answer yet")
    while browser.page.get_by_role("button", name="Ask again").count():
        browser.page.wait_for_timeout(4_000)
        if browser.page.get_by_role("button", name="Ask again").count():
            browser.press("Ask again")
    browser.says("The payment was received")
    check(company.auto_top_up("acme")["payment_issue"] is None, "the pause has ended")
    browser.look("overview-paid")


def cards_in(browser):
    browser.page.reload()
    return "4242" in browser.page.locator("main").inner_text()


def confirm(browser, company):
    """3D Secure: the bank asks, and the customer answers on the invoice's page."""
    company.open("opera")
    browser.enter("opera", flow="buy")
    browser.press("Buy 5,000 credits")
    browser.pay(ASKS_LATER)
    browser.page.wait_for_url(re.compile(r"/portal/purchases/|/authenticate"))
    if "/authenticate" in browser.page.url:
        browser.press("Complete authentication")
    browser.says("Thank you")
    body = {"enabled": True, "threshold": 3_000, "target": 6_000, "consent": {"text_version": 3, "accepted_by": "Ada"}}
    company.call("PUT", "/v1/accounts/opera/auto-top-up", body, status=200)
    company.charge("opera", "job-1", 250)
    company.local("/sweep")
    wait_for("the pause", lambda: company.auto_top_up("opera")["payment_issue"])
    browser.open("Overview")
    browser.says("Your bank asks you to confirm")
    browser.look("overview-3d-secure")
    browser.follow("Pay and continue")
    browser.look("pay-3d-secure")
    browser.press("Resume automatic top-ups")
    browser.says("Automatic top-ups work again")


def stop(browser, company):
    browser.press("Stop spending")
    browser.says("Spending is stopped")
    browser.look("overview-stopped")
    refused = company.charge("opera", "job-2", 1)
    check(refused["code"] == "spending_stopped", f"{refused}")
    browser.press("Allow spending again")
    browser.says("Spending is allowed again")


def limit(browser, company):
    """The account may spend less than the next charge takes."""
    browser.open("Limits")
    browser.page.fill("#account-day", "many")
    browser.press("Save")
    browser.says("whole number of credits")
    browser.open("Limits")
    browser.page.fill("#account-day", "5")
    browser.press("Save")
    browser.says("The limits hold from now on")
    browser.page.fill("#new-spender", "studio")
    browser.page.fill("#new-month", "1000")
    browser.press("Add")
    browser.says("This month")
    browser.look("limits")
    refused = company.charge("opera", "job-3", 1)
    check(refused["code"] == "limit_reached", f"{refused}")
    browser.page.fill("#account-day", "")
    browser.press("Save")
    browser.says("The limits hold from now on")
    browser.open("History")
    wait_for("the refused request", lambda: refused_in(browser))
    browser.look("requests")


def refused_in(browser):
    browser.open("History")
    browser.follow("Refused requests")
    return "limit" in browser.page.locator("main").inner_text()


def contacts(browser, company):
    browser.open("Contacts")
    browser.page.fill("#email-1", "not an address")
    browser.press("Save")
    browser.says("is not an e-mail address")
    browser.page.fill("#email-1", "books@opera.example")
    browser.press("Save")
    browser.says("Choose what books@opera.example gets")
    browser.page.check("#billing-1")
    browser.press("Save")
    browser.says("Waits for confirmation")
    browser.look("contacts")
    browser.follow("When the balance is low")
    browser.page.fill("#number-0", "0")
    browser.press("Save")
    browser.says("0: ")
    browser.page.fill("#number-0", "500")
    browser.press("Save")
    browser.says("are told at these levels")
    browser.page.fill("#number-1", "7")
    browser.page.select_option("#unit-1", "days")
    browser.press("Save")
    browser.look("alerts")
    levels = company.call("GET", "/v1/accounts/opera/alerts", status=200)["levels"]
    check([(level["credits"], level["days_left"]) for level in levels] == [(500, None), (None, 7)], f"{levels}")


def billing_details(browser, company):
    browser.open("Invoices")
    browser.follow("Billing details and tax id")
    browser.page.fill("#company", "Opera House")
    browser.page.fill("#city", "Springfield")
    browser.press("Save")
    browser.says("The country must be")
    browser.page.fill("#line1", "1 Example Street")
    browser.page.fill("#postal_code", "12345")
    browser.page.fill("#country", "de")
    browser.page.select_option("#tax_id_type", "eu_vat")
    browser.page.fill("#tax_id", "DE123456789")
    browser.press("Save")
    browser.says("The next invoice shows these details")
    check(browser.page.input_value("#company") == "Opera House", "the payment provider has the details")
    browser.look("billing-details")


def consents(browser, company):
    browser.open("Automatic top-ups")
    browser.follow("What was agreed to")
    browser.says("by Ada")
    browser.look("consents")


def remove_the_card_and_turn_off(browser, company):
    browser.open("Cards")
    browser.follow("Remove")
    browser.says("automatic top-ups are turned off")
    browser.look("cards-remove")
    browser.press("Remove this card")
    browser.says("The card was removed")
    check(not company.auto_top_up("opera")["enabled"], "automatic top-ups are off")
    browser.open("Overview")
    browser.says("The last saved card was removed")


def look_only(browser, company):
    browser.enter("acme", read_only=True)
    browser.says("Overview|Balance")
    for name in ["Overview", "Buy credits", "Automatic top-ups", "Cards"]:
        browser.open(name)
        forms = browser.page.locator("main form[method=post]").count()
        check(forms == 0, f"{name} has {forms} forms for somebody who may only look")
    browser.look("read-only-cards")


def ready_made(browser, company):
    """What `cargo run` shows: the accounts with a past."""
    browser.page.goto(f"{company.cloud.api}/_local/")
    for account, text in {
        "studio": "is charged",
        "polyglot": "Your bank declined",
        "aria": "Your bank asks you to confirm",
        "halted": "Spending is stopped",
        "newcomer": "Automatic top-ups are off",
    }.items():
        browser.page.goto(f"{company.cloud.api}/_local/dashboard/{account}")
        browser.continues()
        browser.says(text)
        browser.look(f"ready-made-{account}")
    browser.page.goto(f"{company.cloud.api}/_local/dashboard/studio")
    browser.continues()
    browser.open("Usage")
    browser.follow("90 days")
    browser.says("Archive|Training")
    browser.look("ready-made-usage")
    browser.open("Invoices")
    browser.says("Automatic top-up")
    browser.look("ready-made-invoices")
    browser.open("History")
    browser.follow("Older entries")
    browser.look("ready-made-history")
    browser.follow("Verify the ledger")
    browser.says("Your ledger is right")
    browser.look("verify")


STORY = [ready_made, first_day, buy, buy_by_invoice_and_change_ones_mind, missing_credits,
         turn_on, stale_settings, decline, another_card, confirm, stop, limit, contacts, billing_details, consents,
         remove_the_card_and_turn_off, look_only]


@contextmanager
def chromium():
    with sync_playwright() as playwright:
        program = shutil.which("chromium") or shutil.which("google-chrome")
        # Chromium refuses to build its sandbox for root, as whom containers run.
        alone = ["--no-sandbox"] if os.geteuid() == 0 else []
        browser = playwright.chromium.launch(executable_path=program, args=alone)
        yield browser
        browser.close()


def walk(program, axe, pictures):
    pictures.mkdir(parents=True, exist_ok=True)
    for old in pictures.glob("*.png"):
        old.unlink()
    log = pictures / "cloud.log"
    for has_scripts in (True, False):
        with local_cloud(program, log, is_empty=False) as cloud, chromium() as browser:
            company = Company(cloud)
            context = browser.new_context(java_script_enabled=has_scripts)
            kept = pictures if has_scripts else pictures / "without-scripts"
            kept.mkdir(exist_ok=True)
            window = Browser(context, company, axe, kept)
            if not has_scripts:
                window.look = lambda name: None
            for part in STORY:
                try:
                    part(window, company)
                except Exception:
                    window.page.screenshot(path=pictures / "failed.png", full_page=True)
                    print(f"{part.__name__} failed at {window.page.url}:\n{window.page.locator('body').inner_text()}")
                    raise
                print(f"{'with' if has_scripts else 'without'} scripts: {part.__name__.replace('_', ' ')}", flush=True)
            check(not window.problems, "\n".join(window.problems))
    print(f"pictures are in {pictures}")


if __name__ == "__main__":
    try:
        walk(sys.argv[1], Path(sys.argv[2]).read_text(), Path(sys.argv[3]).resolve())
    except Failure as failure:
        sys.exit(f"FAILED: {failure}")
