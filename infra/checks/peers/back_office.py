"""A company's back office on Stripe's own library for Python, against the stand-in for Stripe.

peers.py starts the stand-in and says where it is. Every assertion is about what Stripe documents, and none is about the
stand-in's own words.
"""

import json
import os
import re
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import islice

import pytest
import requests
import stripe

URL, KEY = os.environ["STRIPE_URL"], os.environ["STRIPE_KEY"]
API, ACCOUNT = os.environ["PREPAID_API"], os.environ["ACCOUNT"]
BUYER = "payments@buyer.example"
PAYS, DECLINES, ASKS_THE_BANK = "4242424242424242", "4000000000000002", "4000002500003155"
# It only ends a check that hangs, and is far longer than any step takes.
PATIENCE_SECONDS = 300


def connect(**options):
    return stripe.StripeClient(KEY, base_addresses={"api": URL}, **options)


back_office = connect().v1


def control(path, body, method="POST"):
    """Tells the stand-in what the network, the bank or Stripe itself does next."""
    answer = requests.request(method, f"{URL}/_control/{path}", json=body, timeout=PATIENCE_SECONDS)
    answer.raise_for_status()
    return answer.json()


def browse(page, **form):
    """What a customer's browser does with a form."""
    return requests.post(page, data=form, allow_redirects=False, timeout=PATIENCE_SECONDS)


def wait_for(what, probe):
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not (answer := probe()):
        assert time.monotonic() < deadline, f"there was no {what}"
        time.sleep(0.05)
    return answer


@pytest.fixture
def customer():
    return back_office.customers.create({"email": BUYER, "name": "A buyer"}).id


def attach(customer, card="pm_card_visa"):
    return back_office.payment_methods.attach(card, {"customer": customer}).id


def draft(customer, amount=5000, **parameters):
    invoice = back_office.invoices.create({"customer": customer, "auto_advance": False, **parameters})
    back_office.invoice_items.create(
        {"customer": customer, "invoice": invoice.id, "amount": amount, "currency": "usd", "description": "Credits"}
    )
    return invoice.id


def open_invoice(customer, amount=5000):
    return back_office.invoices.finalize_invoice(draft(customer, amount)).id


def intent_of(invoice):
    path = "payments.data.payment.payment_intent"
    payments = back_office.invoices.retrieve(invoice, {"expand": [path]}).payments
    return payments.data[0].payment.payment_intent


def paid_invoice(customer, amount=5000):
    card = attach(customer)
    return back_office.invoices.pay(open_invoice(customer, amount), {"payment_method": card})


class Listener:
    """A webhook endpoint of the back office, which keeps what arrives."""

    def __init__(self, *kinds):
        self.deliveries, listener = [], self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                listener.deliveries.append((body, self.headers["Stripe-Signature"]))
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{self.server.server_port}/stripe"
        endpoint = back_office.webhook_endpoints.create({"url": url, "enabled_events": list(kinds)})
        self.id, self.secret = endpoint.id, endpoint.secret

    def __enter__(self):
        return self

    def __exit__(self, *_):
        back_office.webhook_endpoints.delete(self.id)
        self.server.shutdown()
        self.server.server_close()

    def wait_for(self, count):
        wait_for("delivery", lambda: len(self.deliveries) >= count)
        return self.deliveries

    def events(self, count):
        return [connect().construct_event(*delivery, self.secret) for delivery in self.wait_for(count)]


# Signed events. This comes first, because the signatures' age is measured with this machine's clock.


def test_a_delivered_event_is_verified_and_describes_its_object():
    with Listener("customer.created", "customer.updated") as listener:
        created = back_office.customers.create({"email": BUYER, "metadata": {"plan": "small"}})
        listener.wait_for(1)
        back_office.customers.update(created.id, {"metadata": {"plan": "large"}})
        first, second = listener.events(2)
    assert (first.object, first.type, first.data.object.id) == ("event", "customer.created", created.id)
    assert first.livemode is False and first.api_version.endswith(".endive")
    assert second.type == "customer.updated"
    assert second.data.object.metadata["plan"] == "large"
    assert second.data.previous_attributes["metadata"]["plan"] == "small"
    fetched = back_office.events.retrieve(second.id)
    assert fetched.data.object == second.data.object


def test_an_event_is_refused_with_a_wrong_secret_a_changed_body_or_an_old_signature():
    with Listener("customer.created") as listener:
        back_office.customers.create({"email": BUYER})
        [(body, signature)] = listener.wait_for(1)
        control("webhooks/conduct", {"stale": True})
        back_office.customers.create({"email": BUYER})
        _, (stale_body, stale_signature) = listener.wait_for(2)
        control("webhooks/conduct", {})
    refusals = [
        (body, signature, "whsec_of_another_endpoint", "No signatures found"),
        (body.replace(BUYER, "else@buyer.example"), signature, listener.secret, "No signatures found"),
        (body, None, listener.secret, "header"),
        (stale_body, stale_signature, listener.secret, "outside the tolerance zone"),
    ]
    for refused_body, refused_signature, secret, why in refusals:
        with pytest.raises(stripe.SignatureVerificationError, match=why):
            stripe.Webhook.construct_event(refused_body, refused_signature, secret)
    # Only its age is wrong.
    assert stripe.Webhook.construct_event(stale_body, stale_signature, listener.secret, tolerance=3600)


def test_the_product_accepts_what_the_library_signs_and_nothing_else():
    secret, url = os.environ["PRODUCT_WEBHOOK_SECRET"], f"{API}/v1/webhooks/stripe"
    [event] = back_office.events.list({"type": "checkout.session.completed", "limit": 1}).data
    payload = json.dumps(event.to_dict())
    sign = stripe.WebhookSignature.generate_signature_header

    def send(signature):
        headers = {"Content-Type": "application/json", "Stripe-Signature": signature}
        return requests.post(url, data=payload, headers=headers, timeout=PATIENCE_SECONDS).status_code

    now = int(time.time())
    assert send(sign(payload, secret)) == 200
    assert send(sign(payload, "whsec_of_another_endpoint")) == 400
    assert send(sign(payload + " ", secret)) == 400
    assert send(sign(payload, secret, now - 600)) == 400


def test_a_duplicate_delivery_has_the_same_event_id():
    control("webhooks/conduct", {"duplicate": True})
    with Listener("customer.created") as listener:
        back_office.customers.create({"email": BUYER})
        first, second = listener.events(2)
    control("webhooks/conduct", {})
    assert first.id == second.id


def test_a_disabled_endpoint_gets_nothing():
    with Listener("customer.created") as off, Listener("customer.created") as on:
        endpoint = back_office.webhook_endpoints.update(off.id, {"disabled": True})
        assert endpoint.status == "disabled"
        back_office.customers.create({"email": BUYER})
        on.wait_for(1)
        assert off.deliveries == []
        assert {off.id, on.id} <= {endpoint.id for endpoint in back_office.webhook_endpoints.list().auto_paging_iter()}
    with pytest.raises(stripe.InvalidRequestError):
        back_office.webhook_endpoints.retrieve(off.id)


# Customers


def test_a_customer_is_made_changed_found_and_deleted():
    made = back_office.customers.create(
        {
            "email": "one-of-a-kind@buyer.example",
            "name": "A buyer",
            "address": {"line1": "1 Main Street", "city": "Springfield", "country": "US", "postal_code": "12345"},
            "preferred_locales": ["en"],
            "metadata": {"keep": "1", "remove": "2"},
        }
    )
    assert (made.object, made.livemode, made.address.country) == ("customer", False, "US")
    changed = back_office.customers.update(made.id, {"name": "", "metadata": {"remove": "", "add": "3"}})
    assert changed.name is None
    assert changed.metadata.to_dict() == {"keep": "1", "add": "3"}
    assert [found.id for found in back_office.customers.list({"email": made.email}).data] == [made.id]
    assert back_office.customers.delete(made.id).deleted is True
    assert back_office.customers.retrieve(made.id).deleted is True
    assert back_office.customers.list({"email": made.email}).data == []


def test_the_module_wide_functions_work_too():
    stripe.api_key, stripe.api_base = KEY, URL
    made = stripe.Customer.create(email=BUYER, metadata={"by": "module"})
    assert stripe.Customer.retrieve(made.id).metadata["by"] == "module"
    stripe.Customer.modify(made.id, name="Another buyer")
    assert stripe.Customer.retrieve(made.id).name == "Another buyer"


def test_an_unknown_object_parameter_or_key_is_refused_as_the_library_knows_it(customer):
    with pytest.raises(stripe.InvalidRequestError) as missing:
        back_office.customers.retrieve("cus_unknown")
    assert (missing.value.http_status, missing.value.code, missing.value.param) == (404, "resource_missing", "id")
    assert missing.value.request_id.startswith("req_")
    with pytest.raises(stripe.InvalidRequestError) as absent:
        back_office.invoices.create({"customer": "cus_unknown"})
    assert (absent.value.http_status, absent.value.code, absent.value.param) == (400, "resource_missing", "customer")
    with pytest.raises(stripe.InvalidRequestError) as unknown:
        back_office.customers.update(customer, {"favorite_color": "blue"})
    assert (unknown.value.code, unknown.value.param) == ("parameter_unknown", "favorite_color")
    with pytest.raises(stripe.InvalidRequestError) as left_out:
        back_office.invoice_items.create({"customer": customer, "currency": "usd"})
    assert (left_out.value.code, left_out.value.param) == ("parameter_missing", "amount")
    with pytest.raises(stripe.AuthenticationError):
        stripe.StripeClient("sk_test_wrong", base_addresses={"api": URL}).v1.customers.list()


# Pages, expansion and search


def test_the_library_walks_through_all_pages_in_both_directions():
    tag = "pages@buyer.example"
    made = [back_office.customers.create({"email": tag}).id for _ in range(7)]
    page = back_office.customers.list({"email": tag, "limit": 3})
    assert (len(page.data), page.has_more, page.url) == (3, True, "/v1/customers")
    assert [each.id for each in page.auto_paging_iter()] == made[::-1]
    backwards = back_office.customers.list({"email": tag, "limit": 3, "ending_before": made[0]})
    assert [each.id for each in backwards.auto_paging_iter()] == made[1:]
    with pytest.raises(stripe.InvalidRequestError) as refused:
        back_office.customers.list({"limit": 101})
    assert refused.value.param == "limit"


def test_ids_expand_to_objects_of_the_library(customer):
    card = attach(customer)
    back_office.customers.update(customer, {"invoice_settings": {"default_payment_method": card}})
    paths = ["customer.invoice_settings.default_payment_method", "payments.data.payment.payment_intent.latest_charge"]
    invoice = back_office.invoices.retrieve(paid_invoice(customer).id, {"expand": paths})
    assert isinstance(invoice.customer, stripe.Customer)
    assert invoice.customer.invoice_settings.default_payment_method.card.last4 == "4242"
    charge = invoice.payments.data[0].payment.payment_intent.latest_charge
    assert isinstance(charge, stripe.Charge)
    assert (charge.amount, charge.paid, charge.receipt_url is not None) == (5000, True, True)
    listed = back_office.invoices.list({"customer": customer, "expand": ["data.customer"]})
    assert [each.customer.id for each in listed.data] == [customer]
    with pytest.raises(stripe.InvalidRequestError):
        back_office.invoices.retrieve(invoice.id, {"expand": ["total"]})
    with pytest.raises(stripe.InvalidRequestError):
        back_office.invoices.retrieve(invoice.id, {"expand": ["nothing"]})


def test_a_search_finds_all_pages_once_the_index_has_caught_up(customer):
    made = [draft(customer, metadata={"order": "searched"}) for _ in range(5)]
    query = {"query": 'metadata["order"]:"searched"', "limit": 2}
    back_office.customers.update(customer, {"email": "searched@buyer.example"})
    assert back_office.invoices.search(query).data == []
    requests.post(f"{API}/_local/clock", json={"advance": "61s"}, timeout=PATIENCE_SECONDS).raise_for_status()
    first = back_office.invoices.search(query)
    assert (first.object, len(first.data), first.has_more) == ("search_result", 2, True)
    # A page that led to itself would be walked through forever.
    assert [each.id for each in islice(first.auto_paging_iter(), 20)] == made[::-1]
    number = back_office.invoices.finalize_invoice(made[0]).number
    assert [each.id for each in back_office.invoices.search({"query": f'number:"{number}"'}).data] == [made[0]]
    with pytest.raises(stripe.InvalidRequestError):
        back_office.invoices.search({"query": "not a clause"})
    email = 'email:"searched@buyer.example"'
    assert [each.id for each in back_office.customers.search({"query": email}).data] == [customer]


# Cards


def test_cards_are_attached_listed_made_default_and_detached(customer):
    first, second = attach(customer), attach(customer, "pm_card_mastercard")
    assert [card.id for card in back_office.payment_methods.list({"customer": customer, "type": "card"}).data] == [
        second,
        first,
    ]
    own = back_office.customers.payment_methods.list(customer, {"limit": 1})
    assert [card.card.brand for card in own.auto_paging_iter()] == ["mastercard", "visa"]
    settings = {"invoice_settings": {"default_payment_method": first}}
    default = back_office.customers.update(customer, settings).invoice_settings.default_payment_method
    assert default == first
    assert back_office.payment_methods.detach(first).customer is None
    assert back_office.customers.retrieve(customer).invoice_settings.default_payment_method is None
    for again in (
        lambda: back_office.payment_methods.attach(first, {"customer": customer}),
        lambda: back_office.payment_methods.detach(first),
        lambda: back_office.customers.update(customer, settings),
    ):
        with pytest.raises(stripe.InvalidRequestError):
            again()
    stranger = back_office.customers.create({"email": BUYER}).id
    with pytest.raises(stripe.InvalidRequestError):
        back_office.payment_methods.attach(second, {"customer": stranger})
    assert [card.id for card in back_office.payment_methods.list({"customer": customer}).data] == [second]


def test_a_card_that_its_network_updates_is_announced_with_what_changed(customer):
    card = attach(customer)
    before = back_office.payment_methods.retrieve(card).card
    with Listener("payment_method.automatically_updated") as listener:
        control(f"payment_methods/{card}/reissue", {"exp_month": 3, "exp_year": before.exp_year + 3})
        [event] = listener.events(1)
    assert event.data.object.id == card
    assert (event.data.object.card.exp_month, event.data.object.card.exp_year) == (3, before.exp_year + 3)
    assert event.data.previous_attributes["card"]["exp_year"] == before.exp_year


def test_a_declined_card_cannot_be_saved(customer):
    for card, code, decline_code in [
        ("pm_card_visa_chargeDeclined", "card_declined", "generic_decline"),
        ("pm_card_visa_chargeDeclinedInsufficientFunds", "card_declined", "insufficient_funds"),
        ("pm_card_chargeDeclinedExpiredCard", "expired_card", None),
        ("pm_card_chargeDeclinedIncorrectCvc", "incorrect_cvc", None),
        ("pm_card_chargeDeclinedProcessingError", "processing_error", None),
    ]:
        with pytest.raises(stripe.CardError) as declined:
            attach(customer, card)
        error = declined.value
        assert (error.http_status, error.code, getattr(error.error, "decline_code", None)) == (402, code, decline_code)
        assert error.user_message
    assert back_office.payment_methods.list({"customer": customer}).data == []


def test_a_setup_intent_saves_a_card_with_and_without_the_bank(customer):
    parameters = {"customer": customer, "payment_method_types": ["card"], "usage": "off_session", "confirm": True}
    saved = back_office.setup_intents.create({**parameters, "payment_method": "pm_card_visa"})
    assert saved.status == "succeeded"
    asked = back_office.setup_intents.create({**parameters, "payment_method": "pm_card_authenticationRequired"})
    assert (asked.status, asked.next_action.type) == ("requires_action", "redirect_to_url")
    browse(asked.next_action.redirect_to_url.url, outcome="complete")
    done = back_office.setup_intents.retrieve(asked.id, {"expand": ["payment_method"]})
    assert (done.status, done.payment_method.customer) == ("succeeded", customer)
    with pytest.raises(stripe.CardError) as declined:
        back_office.setup_intents.create({**parameters, "payment_method": "pm_card_visa_chargeDeclined"})
    assert (declined.value.code, declined.value.error.decline_code) == ("card_declined", "generic_decline")
    assert declined.value.error.setup_intent.status == "requires_payment_method"
    assert len(back_office.payment_methods.list({"customer": customer}).data) == 2


# Checkout


def checkout(customer, **parameters):
    urls = {"success_url": "http://127.0.0.1/back?id={CHECKOUT_SESSION_ID}", "cancel_url": "http://127.0.0.1/back"}
    return back_office.checkout.sessions.create({"customer": customer, **urls, **parameters})


def purchase(customer):
    price = {"currency": "usd", "unit_amount": 500, "product_data": {"name": "500 credits"}}
    return checkout(
        customer,
        mode="payment",
        line_items=[{"price_data": price, "quantity": 2}],
        invoice_creation={"enabled": True, "invoice_data": {"metadata": {"order": "7"}}},
        payment_intent_data={"setup_future_usage": "off_session", "metadata": {"order": "7"}},
        metadata={"order": "7"},
    )


def test_a_checkout_session_saves_a_card(customer):
    session = checkout(customer, mode="setup", currency="usd")
    assert (session.status, session.payment_status) == ("open", "no_payment_required")
    refused = browse(session.url, card_number=DECLINES)
    assert refused.status_code == 402
    asked = browse(session.url, card_number=ASKS_THE_BANK)
    browse(asked.headers["Location"], outcome="fail")
    assert back_office.checkout.sessions.retrieve(session.id).status == "open"
    asked = browse(session.url, card_number=ASKS_THE_BANK)
    returned = browse(asked.headers["Location"], outcome="complete")
    assert returned.headers["Location"] == f"http://127.0.0.1/back?id={session.id}"
    done = back_office.checkout.sessions.retrieve(session.id, {"expand": ["setup_intent.payment_method"]})
    assert (done.status, done.url, done.setup_intent.status) == ("complete", None, "succeeded")
    assert done.setup_intent.payment_method.customer == customer
    # It was saved, but is not the default.
    assert back_office.customers.retrieve(customer).invoice_settings.default_payment_method is None


def test_a_checkout_session_is_paid_once_and_leaves_an_invoice_and_a_card(customer):
    session = purchase(customer)
    assert (session.amount_total, session.payment_status) == (1000, "unpaid")
    [item] = back_office.checkout.sessions.line_items.list(session.id).data
    assert (item.description, item.quantity, item.amount_total) == ("500 credits", 2, 1000)
    with Listener("checkout.session.completed", "invoice.paid") as listener:
        assert browse(session.url, card_number=DECLINES).status_code == 402
        assert browse(session.url, card_number=PAYS).status_code == 303
        browse(session.url, card_number=PAYS)
        kinds = sorted(event.type for event in listener.events(2))
    assert kinds == ["checkout.session.completed", "invoice.paid"]
    done = back_office.checkout.sessions.retrieve(session.id, {"expand": ["invoice", "payment_intent", "line_items"]})
    assert (done.status, done.payment_status, done.payment_intent.status) == ("complete", "paid", "succeeded")
    assert (done.invoice.status, done.invoice.amount_paid, done.invoice.metadata["order"]) == ("paid", 1000, "7")
    assert done.line_items.data[0].amount_total == 1000
    assert [card.card.last4 for card in back_office.payment_methods.list({"customer": customer}).data] == ["4242"]
    found = back_office.checkout.sessions.list({"payment_intent": done.payment_intent.id}).data
    assert [each.id for each in found] == [session.id]
    with pytest.raises(stripe.InvalidRequestError):
        back_office.checkout.sessions.expire(session.id)


def test_an_expired_checkout_session_takes_no_payment(customer):
    session = purchase(customer)
    assert back_office.checkout.sessions.expire(session.id).status == "expired"
    assert browse(session.url, card_number=PAYS).status_code == 410
    assert back_office.checkout.sessions.retrieve(session.id).payment_status == "unpaid"
    assert back_office.invoices.list({"customer": customer}).data == []


def test_a_bank_debit_completes_the_session_before_it_is_paid(customer):
    session = purchase(customer)
    assert browse(session.url, card_number="000123456789").status_code == 303
    done = back_office.checkout.sessions.retrieve(session.id)
    assert (done.status, done.payment_status) == ("complete", "unpaid")


# Invoices


def test_an_invoice_goes_from_draft_to_paid(customer):
    card = attach(customer)
    invoice = draft(customer, amount=4000, metadata={"order": "8"}, description="For your order")
    back_office.invoice_items.create({"customer": customer, "invoice": invoice, "amount": 1000, "currency": "usd"})
    before = back_office.invoices.retrieve(invoice)
    assert (before.status, before.total, before.number, before.hosted_invoice_url) == ("draft", 5000, None, None)
    back_office.invoices.update(invoice, {"footer": "Thank you", "metadata": {"order": "9"}})
    opened = back_office.invoices.finalize_invoice(invoice)
    assert (opened.status, opened.amount_due, opened.amount_remaining) == ("open", 5000, 5000)
    assert opened.number and opened.hosted_invoice_url and opened.invoice_pdf
    with pytest.raises(stripe.InvalidRequestError):
        back_office.invoices.finalize_invoice(invoice)
    with pytest.raises(stripe.InvalidRequestError):
        back_office.invoices.update(invoice, {"footer": "Too late"})
    with pytest.raises(stripe.InvalidRequestError):
        back_office.invoice_items.create({"customer": customer, "invoice": invoice, "amount": 1, "currency": "usd"})
    paid = back_office.invoices.pay(invoice, {"payment_method": card, "off_session": True})
    assert (paid.status, paid.amount_paid, paid.amount_remaining, paid.metadata["order"]) == ("paid", 5000, 0, "9")
    assert intent_of(invoice).status == "succeeded"
    for forbidden in (back_office.invoices.pay, back_office.invoices.void_invoice, back_office.invoices.delete):
        with pytest.raises(stripe.InvalidRequestError):
            forbidden(invoice)
    lines = [line.amount for line in back_office.invoices.line_items.list(invoice).auto_paging_iter()]
    assert sorted(lines) == [1000, 4000]
    pdf = requests.get(paid.invoice_pdf, timeout=PATIENCE_SECONDS)
    assert pdf.content.startswith(b"%PDF")


def test_an_invoice_is_voided_deleted_or_given_up(customer):
    voided = back_office.invoices.void_invoice(open_invoice(customer))
    assert (voided.status, voided.status_transitions.voided_at is not None) == ("void", True)
    assert intent_of(voided.id).status == "canceled"
    with pytest.raises(stripe.InvalidRequestError):
        back_office.invoices.pay(voided.id, {"payment_method": attach(customer)})
    deleted = draft(customer)
    assert back_office.invoices.delete(deleted).deleted is True
    with pytest.raises(stripe.InvalidRequestError) as missing:
        back_office.invoices.retrieve(deleted)
    assert missing.value.code == "resource_missing"
    given_up = back_office.invoices.mark_uncollectible(open_invoice(customer))
    assert given_up.status == "uncollectible"
    sent = back_office.invoices.create({"customer": customer, "collection_method": "send_invoice", "days_until_due": 30})
    assert sent.due_date - sent.created == 30 * 86_400
    by_status = {status: len(back_office.invoices.list({"customer": customer, "status": status}).data) for status in
                 ("draft", "open", "paid", "void", "uncollectible")}
    assert by_status == {"draft": 1, "open": 0, "paid": 0, "void": 1, "uncollectible": 1}


def sent_invoice(customer, **parameters):
    terms = {"collection_method": "send_invoice", "days_until_due": 14, **parameters}
    return back_office.invoices.finalize_invoice(draft(customer, **terms))


def transfer(customer, amount):
    control(f"customers/{customer}/bank_transfer", {"currency": "usd", "amount": amount})


def test_an_invoice_that_is_sent_waits_for_a_transfer_that_covers_all_of_it(customer):
    order = [{"name": "PO number", "value": "PO-4711"}]
    invoice = sent_invoice(customer, custom_fields=order)
    assert (invoice.status, invoice.collection_method) == ("open", "send_invoice")
    assert invoice.due_date - invoice.created == 14 * 86_400
    assert [(field.name, field.value) for field in invoice.custom_fields] == [("PO number", "PO-4711")]
    transfer(customer, 2000)
    assert back_office.invoices.retrieve(invoice.id).amount_remaining == 5000, "nothing is funded in part"
    transfer(customer, 3500)
    paid = back_office.invoices.retrieve(invoice.id, {"expand": ["payments"]})
    assert (paid.status, paid.amount_paid, paid.payments.data[0].status) == ("paid", 5000, "paid")
    again = sent_invoice(customer, days_until_due=30)
    assert back_office.invoices.retrieve(again.id).status == "open", "what was left does not cover it"
    with pytest.raises(stripe.InvalidRequestError):
        draft(customer, collection_method="send_invoice")


def test_an_invoice_is_paid_in_parts_too_much_and_out_of_band(customer):
    invoice = sent_invoice(customer).id
    card = attach(customer)

    def pay(amount):
        intent = back_office.payment_intents.create(
            {
                "customer": customer,
                "amount": amount,
                "currency": "usd",
                "payment_method": card,
                "confirm": True,
                "off_session": True,
            }
        )
        return back_office.invoices.attach_payment(invoice, {"payment_intent": intent.id})

    part = pay(2000)
    assert (part.status, part.amount_paid, part.amount_remaining) == ("open", 2000, 3000)
    with pytest.raises(stripe.InvalidRequestError):
        back_office.invoices.void_invoice(invoice)
    with Listener("invoice.overpaid", "invoice.paid") as listener:
        over = pay(3400)
        assert (over.status, over.amount_paid, over.amount_overpaid) == ("paid", 5400, 400)
        told = {json.loads(body)["type"] for body, _ in listener.wait_for(2)}
        assert told == {"invoice.overpaid", "invoice.paid"}
    other = sent_invoice(customer, days_until_due=7).id
    back_office.invoices.pay(other, {"paid_out_of_band": True})
    marked = back_office.invoices.retrieve(other, {"expand": ["payments", "amount_paid_off_stripe"]})
    off_stripe = [payment.payment.type for payment in marked.payments.data if payment.status == "paid"]
    assert (marked.status, marked.amount_paid, off_stripe) == ("paid", marked.amount_due, ["payment_record"])
    assert marked.amount_paid_off_stripe == marked.amount_due


def test_a_declined_invoice_stays_open_until_another_card_pays_it(customer):
    declining = attach(customer, "pm_card_chargeCustomerFail")
    invoice = open_invoice(customer)
    with pytest.raises(stripe.CardError) as declined:
        back_office.invoices.pay(invoice, {"payment_method": declining})
    error = declined.value
    assert (error.http_status, error.code, error.error.decline_code) == (402, "card_declined", "generic_decline")
    assert error.error.payment_intent.status == "requires_payment_method"
    assert error.error.payment_intent.last_payment_error.code == "card_declined"
    assert error.error.payment_method.id == declining
    left = back_office.invoices.retrieve(invoice)
    assert (left.status, left.attempted, left.attempt_count, left.amount_paid) == ("open", True, 1, 0)
    assert back_office.invoices.pay(invoice, {"payment_method": attach(customer)}).status == "paid"
    charges = back_office.charges.list({"customer": customer}).data
    assert [charge.status for charge in charges] == ["succeeded", "failed"]
    assert charges[1].failure_code == "card_declined"


def test_an_invoice_whose_bank_asks_is_paid_on_its_page(customer):
    card = attach(customer, "pm_card_authenticationRequired")
    invoice = open_invoice(customer)
    kinds = ("invoice.payment_action_required", "invoice.payment_failed", "invoice.paid")
    with Listener(*kinds) as listener:
        with pytest.raises(stripe.CardError) as asked:
            back_office.invoices.pay(invoice, {"payment_method": card, "off_session": True})
        assert (asked.value.http_status, asked.value.code) == (402, "invoice_payment_intent_requires_action")
        assert back_office.invoices.retrieve(invoice).status == "open"
        assert intent_of(invoice).status == "requires_action"
        page = back_office.invoices.retrieve(invoice).hosted_invoice_url
        bank = re.search(r'href="([^"]*/authenticate/[^"]*)"', requests.get(page, timeout=PATIENCE_SECONDS).text)[1]
        browse(bank, outcome="complete")
        assert back_office.invoices.retrieve(invoice).status == "paid"
        events = listener.events(3)
    assert {event.type for event in events} == set(kinds)
    assert {event.data.object.id for event in events} == {invoice}


# Idempotency


def test_the_same_key_gives_the_same_answer_and_another_request_a_conflict(customer):
    options = {"idempotency_key": "invoice-of-order-1"}
    first = back_office.invoices.create({"customer": customer, "metadata": {"order": "1"}}, options)
    again = back_office.invoices.create({"customer": customer, "metadata": {"order": "1"}}, options)
    assert again.id == first.id
    assert again.last_response.headers["Idempotent-Replayed"] == "true"
    assert "Idempotent-Replayed" not in first.last_response.headers
    with pytest.raises(stripe.IdempotencyError) as other:
        back_office.invoices.create({"customer": customer, "metadata": {"order": "2"}}, options)
    assert other.value.http_status == 400
    with pytest.raises(stripe.IdempotencyError):
        back_office.customers.create({"email": BUYER}, options)
    assert len(back_office.invoices.list({"customer": customer}).data) == 1


def test_a_key_remembers_a_decline_and_forgets_a_refused_parameter(customer):
    card, invoice = attach(customer, "pm_card_chargeCustomerFail"), open_invoice(customer)
    for _ in range(2):
        with pytest.raises(stripe.CardError) as declined:
            back_office.invoices.pay(invoice, {"payment_method": card}, {"idempotency_key": f"pay-{invoice}"})
    assert declined.value.headers["Idempotent-Replayed"] == "true"
    assert back_office.invoices.retrieve(invoice).attempt_count == 1
    options = {"idempotency_key": "corrected"}
    with pytest.raises(stripe.InvalidRequestError):
        back_office.customers.create({"favorite_color": "blue"}, options)
    assert back_office.customers.create({"email": BUYER}, options).email == BUYER


def test_a_key_in_use_is_a_conflict():
    control("faults", {"method": "POST", "path": "/v1/customers", "action": "latency", "milliseconds": 1000})
    impatient, options, made, conflicts = connect(max_network_retries=0).v1, {"idempotency_key": "at-once"}, [], []

    def create():
        try:
            made.append(impatient.customers.create({"email": BUYER}, options).id)
        # The library has an error of its own only for the status 400.
        except stripe.APIError as error:
            conflicts.append((error.http_status, error.error.code))

    def conflict():
        create()
        return conflicts

    # Whichever request came first is slow, and the others meanwhile are refused.
    first = threading.Thread(target=create)
    first.start()
    wait_for("conflict", conflict)
    first.join()
    assert set(conflicts) == {(409, "idempotency_key_in_use")}
    assert len(set(made)) == 1


@pytest.mark.parametrize("fault", ["lose_answer", "lose_request", "unavailable"])
def test_the_library_repeats_a_lost_request_under_one_key_of_its_own(fault):
    email = f"{fault}@buyer.example"
    control("faults", {"method": "POST", "path": "/v1/customers", "action": fault, "count": 2})
    made = connect(max_network_retries=2).v1.customers.create({"email": email})
    assert [each.id for each in back_office.customers.list({"email": email}).data] == [made.id]


def test_an_outage_and_a_rate_limit_are_errors_of_their_own():
    for fault, error, status in [
        ("rate_limit", stripe.RateLimitError, 429),
        ("internal_error", stripe.APIError, 500),
        ("unavailable", stripe.APIError, 503),
        ("lose_answer", stripe.APIConnectionError, None),
    ]:
        control("faults", {"method": "GET", "path": "/v1/customers", "action": fault})
        with pytest.raises(error) as failed:
            connect(max_network_retries=0).v1.customers.list()
        assert failed.value.http_status == status
    control("faults", None, "DELETE")


# Payments, and money that goes back


def test_a_payment_off_session_that_the_bank_asks_about_is_refused(customer):
    parameters = {
        "amount": 1200,
        "currency": "usd",
        "customer": customer,
        "payment_method_types": ["card"],
        "payment_method": attach(customer, "pm_card_authenticationRequired"),
        "off_session": True,
        "confirm": True,
    }
    with pytest.raises(stripe.CardError) as asked:
        back_office.payment_intents.create(parameters)
    assert asked.value.code == "authentication_required"
    assert asked.value.error.decline_code == "authentication_required"
    intent = back_office.payment_intents.retrieve(asked.value.error.payment_intent.id)
    assert (intent.status, intent.amount_received) == ("requires_payment_method", 0)
    assert back_office.payment_intents.cancel(intent.id).status == "canceled"


def test_refunds_are_bounded_by_the_payment(customer):
    intent = intent_of(paid_invoice(customer).id)
    refund = back_office.refunds.create({"payment_intent": intent.id, "amount": 1500, "reason": "requested_by_customer"})
    assert (refund.status, refund.amount) == ("succeeded", 1500)
    with pytest.raises(stripe.InvalidRequestError):
        back_office.refunds.create({"payment_intent": intent.id, "amount": 3501})
    assert back_office.refunds.create({"payment_intent": intent.id}).amount == 3500
    with pytest.raises(stripe.InvalidRequestError) as again:
        back_office.refunds.create({"payment_intent": intent.id})
    assert again.value.code == "charge_already_refunded"
    charge = back_office.charges.retrieve(intent.latest_charge)
    assert (charge.refunded, charge.amount_refunded) == (True, 5000)
    assert [each.amount for each in back_office.refunds.list({"charge": charge.id}).auto_paging_iter()] == [3500, 1500]


def test_a_credit_note_takes_back_a_part_of_an_invoice(customer):
    invoice = paid_invoice(customer).id
    note = back_office.credit_notes.create({"invoice": invoice, "amount": 500, "credit_amount": 500})
    assert (note.status, note.total) == ("issued", 500)
    assert back_office.customers.retrieve(customer).balance == -500
    transactions = back_office.customers.balance_transactions.list(customer).data
    assert [(each.type, each.amount) for each in transactions] == [("credit_note", -500)]
    with pytest.raises(stripe.InvalidRequestError):
        back_office.credit_notes.create({"invoice": invoice, "amount": 4501, "credit_amount": 4501})


def test_a_dispute_is_listed_and_conceded(customer):
    card = attach(customer, "pm_card_createDispute")
    back_office.invoices.pay(invoice := open_invoice(customer), {"payment_method": card})
    intent = intent_of(invoice).id
    [dispute] = back_office.disputes.list({"payment_intent": intent}).data
    assert (dispute.status, dispute.amount, dispute.reason) == ("needs_response", 5000, "fraudulent")
    with pytest.raises(stripe.InvalidRequestError) as refused:
        back_office.refunds.create({"payment_intent": intent})
    assert refused.value.code == "charge_disputed"
    assert back_office.disputes.close(dispute.id).status == "lost"


# What happened, and what the product left


def test_events_tell_what_happened_in_order(customer):
    invoice = paid_invoice(customer).id
    events = back_office.events.list({"type": "invoice.*", "limit": 2}).auto_paging_iter()
    told = [event.type for event in events if event.data.object.id == invoice]
    assert set(told) >= {"invoice.created", "invoice.finalized", "invoice.paid", "invoice.payment_succeeded"}
    order = [told.index(kind) for kind in ("invoice.paid", "invoice.finalized", "invoice.created")]
    assert order == sorted(order)
    kinds = {event.type for event in back_office.events.list({"types": ["invoice.paid", "invoice.created"]}).data}
    assert kinds == {"invoice.paid", "invoice.created"}


def test_the_billing_portal_and_the_catalog_answer(customer):
    session = back_office.billing_portal.sessions.create({"customer": customer, "return_url": "http://127.0.0.1/back"})
    assert requests.get(session.url, timeout=PATIENCE_SECONDS).status_code == 200
    product = back_office.products.create({"name": "500 credits"})
    price = back_office.prices.create({"product": product.id, "currency": "usd", "unit_amount": 500})
    session = checkout(customer, mode="payment", line_items=[{"price": price.id, "quantity": 3}])
    assert session.amount_total == 1500
    expanded = back_office.prices.retrieve(price.id, {"expand": ["product"]})
    assert expanded.product.name == "500 credits"


def test_the_back_office_finds_what_the_product_did_for_an_account():
    customers = back_office.customers.list({"limit": 50}).auto_paging_iter()
    [owner] = [customer for customer in customers if customer.metadata.to_dict().get("account") == ACCOUNT]
    [invoice] = back_office.invoices.list({"customer": owner.id, "status": "paid"}).data
    assert (invoice.total, invoice.amount_paid, invoice.currency) == (5000, 5000, "usd")
    [session] = back_office.checkout.sessions.list({"customer": owner.id}).data
    assert os.environ["PURCHASE"] in session.metadata.to_dict().values()
    assert session.invoice == invoice.id
    headers = {"Authorization": f"Bearer {os.environ['SERVICE_TOKEN']}"}
    account = requests.get(f"{API}/v1/accounts/{ACCOUNT}", headers=headers, timeout=PATIENCE_SECONDS).json()
    assert account["balance"] == 5000
