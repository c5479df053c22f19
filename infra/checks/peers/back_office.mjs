// A company's back office on Stripe's own library for Node, against the stand-in for Stripe; see back_office.py.

import assert from "node:assert/strict";
import { once } from "node:events";
import http from "node:http";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import Stripe from "stripe";

const { STRIPE_URL, STRIPE_KEY, PREPAID_API, PRODUCT_WEBHOOK_SECRET, ACCOUNT, PURCHASE } = process.env;
const BUYER = "payments@buyer.example";
const [PAYS, DECLINES, ASKS_THE_BANK] = ["4242424242424242", "4000000000000002", "4000002500003155"];
// It only ends a check that hangs, and is far longer than any step takes.
const PATIENCE_MS = 300_000;

function connect(options = {}) {
  const { hostname, port } = new URL(STRIPE_URL);
  return new Stripe(STRIPE_KEY, { host: hostname, port, protocol: "http", telemetry: false, ...options });
}

const stripe = connect();

async function control(path, body, method = "POST") {
  const answer = await fetch(`${STRIPE_URL}/_control/${path}`, { method, body: body && JSON.stringify(body) });
  assert.equal(answer.status, 200);
}

/** What a customer's browser does with a form. */
function browse(page, form) {
  return fetch(page, { method: "POST", body: new URLSearchParams(form), redirect: "manual" });
}

async function refusal(promise, kind) {
  const error = await promise.then(
    () => assert.fail("it was not refused"),
    (error) => error,
  );
  assert.ok(error instanceof kind, `${error.constructor.name}: ${error.message}`);
  return error;
}

async function customer() {
  return (await stripe.customers.create({ email: BUYER, name: "A buyer" })).id;
}

async function attach(customer, card = "pm_card_visa") {
  return (await stripe.paymentMethods.attach(card, { customer })).id;
}

async function openInvoice(customer, amount = 5000) {
  const invoice = await stripe.invoices.create({ customer, auto_advance: false });
  await stripe.invoiceItems.create({ customer, invoice: invoice.id, amount, currency: "usd" });
  return (await stripe.invoices.finalizeInvoice(invoice.id)).id;
}

/** Calls `act` with a webhook endpoint for `kinds`; `wait(count)` gives the first deliveries. */
async function listening(kinds, act) {
  const deliveries = [];
  const server = http.createServer(async (request, response) => {
    const chunks = await request.toArray();
    deliveries.push({ body: Buffer.concat(chunks), signature: request.headers["stripe-signature"] });
    response.end();
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const url = `http://127.0.0.1:${server.address().port}/stripe`;
  const { id, secret } = await stripe.webhookEndpoints.create({ url, enabled_events: kinds });
  const wait = async (count) => {
    const deadline = Date.now() + PATIENCE_MS;
    while (deliveries.length < count) {
      assert.ok(Date.now() < deadline, "there was no delivery");
      await sleep(50);
    }
    return deliveries;
  };
  try {
    await act({ secret, wait });
  } finally {
    await stripe.webhookEndpoints.del(id);
    server.close();
    server.closeAllConnections();
  }
}

// This comes first, because the signatures' age is measured with this machine's clock.
test("a delivered event is verified, and refused with a wrong secret, a changed body or an old signature", async () => {
  await listening(["customer.created"], async ({ secret, wait }) => {
    const made = await stripe.customers.create({ email: BUYER });
    const [first] = await wait(1);
    const event = stripe.webhooks.constructEvent(first.body, first.signature, secret);
    assert.equal(event.type, "customer.created");
    assert.equal(event.data.object.id, made.id);
    assert.deepEqual((await stripe.events.retrieve(event.id)).data, event.data);

    await control("webhooks/conduct", { stale: true });
    await stripe.customers.create({ email: BUYER });
    const [, stale] = await wait(2);
    await control("webhooks/conduct", {});
    const changed = Buffer.from(first.body.toString().replace(BUYER, "else@buyer.example"));
    for (const [body, signature, key, why] of [
      [first.body, first.signature, "whsec_of_another_endpoint", /No signatures found/],
      [changed, first.signature, secret, /No signatures found/],
      [first.body, undefined, secret, /header/i],
      [stale.body, stale.signature, secret, /Timestamp outside the tolerance zone/],
    ]) {
      const refused = () => stripe.webhooks.constructEvent(body, signature, key);
      assert.throws(refused, (error) => error instanceof Stripe.errors.StripeSignatureVerificationError && why.test(error.message));
    }
    // Only its age is wrong.
    assert.ok(stripe.webhooks.constructEvent(stale.body, stale.signature, secret, 3600));
  });
});

test("the product accepts what the library signs and nothing else", async () => {
  const { data } = await stripe.events.list({ type: "checkout.session.completed", limit: 1 });
  const payload = JSON.stringify(data[0]);
  const send = async (options) => {
    const signature = stripe.webhooks.generateTestHeaderString({ payload, secret: PRODUCT_WEBHOOK_SECRET, ...options });
    const headers = { "Content-Type": "application/json", "Stripe-Signature": signature };
    return (await fetch(`${PREPAID_API}/v1/webhooks/stripe`, { method: "POST", headers, body: payload })).status;
  };
  assert.equal(await send({}), 200);
  assert.equal(await send({ secret: "whsec_of_another_endpoint" }), 400);
  assert.equal(await send({ payload: `${payload} ` }), 400);
  assert.equal(await send({ timestamp: Math.floor(Date.now() / 1000) - 600 }), 400);
});

test("a customer is made, changed, found and deleted", async () => {
  const email = "one-of-a-kind@buyer.example";
  const made = await stripe.customers.create({ email, name: "A buyer", metadata: { keep: "1", remove: "2" } });
  const changed = await stripe.customers.update(made.id, { name: "", metadata: { remove: null, add: "3" } });
  assert.equal(changed.name, null);
  assert.deepEqual({ ...changed.metadata }, { keep: "1", add: "3" });
  const found = await stripe.customers.list({ email });
  assert.deepEqual(found.data.map(({ id }) => id), [made.id]);
  assert.equal((await stripe.customers.del(made.id)).deleted, true);
  assert.equal((await stripe.customers.retrieve(made.id)).deleted, true);
});

test("an unknown object, parameter or key is refused as the library knows it", async () => {
  const { StripeInvalidRequestError, StripeAuthenticationError } = Stripe.errors;
  const missing = await refusal(stripe.customers.retrieve("cus_unknown"), StripeInvalidRequestError);
  assert.deepEqual([missing.statusCode, missing.code, missing.param], [404, "resource_missing", "id"]);
  assert.match(missing.requestId, /^req_/);
  const unknown = await refusal(stripe.customers.create({ favorite_color: "blue" }), StripeInvalidRequestError);
  assert.deepEqual([unknown.code, unknown.param], ["parameter_unknown", "favorite_color"]);
  const { hostname: host, port } = new URL(STRIPE_URL);
  const stranger = new Stripe("sk_test_wrong", { host, port, protocol: "http", telemetry: false });
  await refusal(stranger.customers.list(), StripeAuthenticationError);
});

test("the library walks through all pages", async () => {
  const email = "pages@buyer.example";
  const made = [];
  for (let number = 0; number < 7; number += 1) made.push((await stripe.customers.create({ email })).id);
  const page = await stripe.customers.list({ email, limit: 3 });
  assert.deepEqual([page.data.length, page.has_more], [3, true]);
  const all = await stripe.customers.list({ email, limit: 3 }).autoPagingToArray({ limit: 100 });
  assert.deepEqual(all.map(({ id }) => id), made.toReversed());
  const backwards = [];
  for await (const { id } of stripe.customers.list({ email, limit: 3, ending_before: made[0] })) backwards.push(id);
  assert.deepEqual(backwards, made.slice(1));
});

test("a search finds all pages once the index has caught up", async () => {
  const owner = await customer();
  const made = [];
  for (let number = 0; number < 5; number += 1) {
    made.push((await stripe.invoices.create({ customer: owner, metadata: { order: "searched" } })).id);
  }
  const query = { query: 'metadata["order"]:"searched"', limit: 2 };
  assert.deepEqual((await stripe.invoices.search(query)).data, []);
  const headers = { "Content-Type": "application/json" };
  const clock = await fetch(`${PREPAID_API}/_local/clock`, { method: "POST", headers, body: '{"advance":"61s"}' });
  assert.equal(clock.status, 200);
  const found = await stripe.invoices.search(query).autoPagingToArray({ limit: 100 });
  assert.deepEqual(found.map(({ id }) => id), made.toReversed());
});

test("cards are attached, listed, made default and detached", async () => {
  const owner = await customer();
  const [first, second] = [await attach(owner), await attach(owner, "pm_card_mastercard")];
  const ids = async () => (await stripe.paymentMethods.list({ customer: owner, type: "card" })).data.map(({ id }) => id);
  assert.deepEqual(await ids(), [second, first]);
  const settings = { invoice_settings: { default_payment_method: first } };
  const changed = await stripe.customers.update(owner, { ...settings, expand: ["invoice_settings.default_payment_method"] });
  assert.equal(changed.invoice_settings.default_payment_method.card.last4, "4242");
  assert.equal((await stripe.paymentMethods.detach(first)).customer, null);
  assert.equal((await stripe.customers.retrieve(owner)).invoice_settings.default_payment_method, null);
  await refusal(attach(owner, first), Stripe.errors.StripeInvalidRequestError);
  assert.deepEqual(await ids(), [second]);
  const declined = await refusal(attach(owner, "pm_card_visa_chargeDeclinedInsufficientFunds"), Stripe.errors.StripeCardError);
  const facts = [declined.statusCode, declined.code, declined.decline_code];
  assert.deepEqual(facts, [402, "card_declined", "insufficient_funds"]);
});

test("a setup intent and a Checkout session save a card with the bank's consent", async () => {
  const owner = await customer();
  const intent = await stripe.setupIntents.create({
    customer: owner,
    payment_method_types: ["card"],
    payment_method: "pm_card_authenticationRequired",
    confirm: true,
  });
  assert.equal(intent.status, "requires_action");
  await browse(intent.next_action.redirect_to_url.url, { outcome: "complete" });
  assert.equal((await stripe.setupIntents.retrieve(intent.id)).status, "succeeded");

  const session = await stripe.checkout.sessions.create({
    mode: "setup",
    currency: "usd",
    customer: owner,
    success_url: "http://127.0.0.1/back",
  });
  assert.equal((await browse(session.url, { card_number: DECLINES })).status, 402);
  const asked = await browse(session.url, { card_number: ASKS_THE_BANK });
  await browse(asked.headers.get("location"), { outcome: "complete" });
  const done = await stripe.checkout.sessions.retrieve(session.id, { expand: ["setup_intent.payment_method"] });
  assert.deepEqual([done.status, done.setup_intent.payment_method.customer], ["complete", owner]);
});

test("a Checkout session is paid once and leaves an invoice", async () => {
  const owner = await customer();
  const session = await stripe.checkout.sessions.create({
    mode: "payment",
    customer: owner,
    line_items: [
      { quantity: 2, price_data: { currency: "usd", unit_amount: 500, product_data: { name: "500 credits" } } },
    ],
    invoice_creation: { enabled: true },
    success_url: "http://127.0.0.1/back?id={CHECKOUT_SESSION_ID}",
  });
  assert.equal((await browse(session.url, { card_number: DECLINES })).status, 402);
  const paid = await browse(session.url, { card_number: PAYS });
  assert.equal(paid.headers.get("location"), `http://127.0.0.1/back?id=${session.id}`);
  const done = await stripe.checkout.sessions.retrieve(session.id, { expand: ["invoice", "line_items"] });
  assert.deepEqual([done.payment_status, done.invoice.amount_paid, done.line_items.data[0].quantity], ["paid", 1000, 2]);
  await refusal(stripe.checkout.sessions.expire(session.id), Stripe.errors.StripeInvalidRequestError);
});

test("an invoice goes from draft to paid, and another is voided", async () => {
  const owner = await customer();
  const card = await attach(owner);
  const invoice = await openInvoice(owner);
  await refusal(stripe.invoices.finalizeInvoice(invoice), Stripe.errors.StripeInvalidRequestError);
  const expand = ["payments.data.payment.payment_intent.latest_charge"];
  const paid = await stripe.invoices.pay(invoice, { payment_method: card, expand });
  assert.deepEqual([paid.status, paid.amount_paid, paid.amount_remaining], ["paid", 5000, 0]);
  assert.equal(paid.payments.data[0].payment.payment_intent.latest_charge.amount, 5000);
  await refusal(stripe.invoices.pay(invoice), Stripe.errors.StripeInvalidRequestError);
  await refusal(stripe.invoices.voidInvoice(invoice), Stripe.errors.StripeInvalidRequestError);
  const voided = await stripe.invoices.voidInvoice(await openInvoice(owner));
  assert.equal(voided.status, "void");
  const listed = await stripe.invoices.list({ customer: owner, status: "void" });
  assert.deepEqual(listed.data.map(({ id }) => id), [voided.id]);
});

test("an invoice that is sent waits for a transfer, and another is paid in parts and out of band", async () => {
  const buyer = await customer();
  const sent = async () => {
    const terms = { collection_method: "send_invoice", days_until_due: 14 };
    const invoice = await stripe.invoices.create({ customer: buyer, auto_advance: false, ...terms });
    await stripe.invoiceItems.create({ customer: buyer, invoice: invoice.id, amount: 5000, currency: "usd" });
    return stripe.invoices.finalizeInvoice(invoice.id);
  };
  const first = await sent();
  assert.equal(first.due_date - first.created, 14 * 86_400);
  await control(`customers/${buyer}/bank_transfer`, { currency: "usd", amount: 4999 });
  assert.equal((await stripe.invoices.retrieve(first.id)).amount_remaining, 5000);
  await control(`customers/${buyer}/bank_transfer`, { currency: "usd", amount: 1 });
  assert.equal((await stripe.invoices.retrieve(first.id)).status, "paid");

  const second = await sent();
  const payment_method = await attach(buyer);
  const intent = await stripe.paymentIntents.create({
    customer: buyer,
    amount: 2000,
    currency: "usd",
    payment_method,
    confirm: true,
    off_session: true,
  });
  const part = await stripe.invoices.attachPayment(second.id, { payment_intent: intent.id });
  assert.deepEqual([part.status, part.amount_paid, part.amount_remaining], ["open", 2000, 3000]);
  const marked = await stripe.invoices.pay(second.id, { paid_out_of_band: true });
  assert.deepEqual([marked.status, marked.amount_paid], ["paid", 5000]);
});

test("a declined invoice stays open, and one whose bank asks is paid after the bank's page", async () => {
  const owner = await customer();
  const declining = await attach(owner, "pm_card_chargeCustomerFail");
  const declined = await openInvoice(owner);
  const refused = await refusal(stripe.invoices.pay(declined, { payment_method: declining }), Stripe.errors.StripeCardError);
  assert.deepEqual([refused.statusCode, refused.code, refused.decline_code], [402, "card_declined", "generic_decline"]);
  assert.equal(refused.payment_intent.status, "requires_payment_method");
  assert.equal((await stripe.invoices.retrieve(declined)).status, "open");

  await listening(["invoice.payment_action_required", "invoice.paid"], async ({ secret, wait }) => {
    const asking = await attach(owner, "pm_card_authenticationRequired");
    const invoice = await openInvoice(owner);
    const asked = await refusal(stripe.invoices.pay(invoice, { payment_method: asking }), Stripe.errors.StripeCardError);
    assert.deepEqual([asked.statusCode, asked.code], [402, "invoice_payment_intent_requires_action"]);
    const intent = await stripe.paymentIntents.retrieve(asked.payment_intent.id);
    await browse(intent.next_action.redirect_to_url.url, { outcome: "complete" });
    assert.equal((await stripe.invoices.retrieve(invoice)).status, "paid");
    const events = (await wait(2)).map(({ body, signature }) => stripe.webhooks.constructEvent(body, signature, secret));
    assert.deepEqual(events.map(({ type }) => type).sort(), ["invoice.paid", "invoice.payment_action_required"]);
    assert.ok(events.every(({ data }) => data.object.id === invoice));
  });
});

test("the same key gives the same answer, and another request a conflict", async () => {
  const owner = await customer();
  const options = { idempotencyKey: "invoice-of-order-1" };
  const first = await stripe.invoices.create({ customer: owner, metadata: { order: "1" } }, options);
  const again = await stripe.invoices.create({ customer: owner, metadata: { order: "1" } }, options);
  assert.equal(again.id, first.id);
  assert.equal(again.lastResponse.headers["idempotent-replayed"], "true");
  const other = stripe.invoices.create({ customer: owner, metadata: { order: "2" } }, options);
  assert.equal((await refusal(other, Stripe.errors.StripeIdempotencyError)).statusCode, 400);
  assert.equal((await stripe.invoices.list({ customer: owner })).data.length, 1);

  const card = await attach(owner, "pm_card_chargeCustomerFail");
  const invoice = await openInvoice(owner);
  const pay = () => stripe.invoices.pay(invoice, { payment_method: card }, { idempotencyKey: `pay-${invoice}` });
  await refusal(pay(), Stripe.errors.StripeCardError);
  const replayed = await refusal(pay(), Stripe.errors.StripeCardError);
  assert.equal(replayed.headers["idempotent-replayed"], "true");
  assert.equal((await stripe.invoices.retrieve(invoice)).attempt_count, 1);
});

test("the library repeats a lost request, and one whose key is in use, under one key", async () => {
  for (const action of ["lose_answer", "lose_request", "unavailable"]) {
    const email = `${action}@buyer.example`;
    await control("faults", { method: "POST", path: "/v1/customers", action, count: 2 });
    const made = await connect({ maxNetworkRetries: 2 }).customers.create({ email });
    assert.deepEqual((await stripe.customers.list({ email })).data.map(({ id }) => id), [made.id], action);
  }
  await control("faults", { method: "POST", path: "/v1/customers", action: "latency", milliseconds: 1000 });
  const patient = connect({ maxNetworkRetries: 20 });
  const request = () => patient.customers.create({ email: BUYER }, { idempotencyKey: "twice-at-once" });
  const [one, other] = await Promise.all([request(), request()]);
  assert.equal(one.id, other.id);
});

test("an outage and a rate limit are errors of their own", async () => {
  const { StripeRateLimitError, StripeAPIError, StripeConnectionError } = Stripe.errors;
  for (const [action, kind, status] of [
    ["rate_limit", StripeRateLimitError, 429],
    ["internal_error", StripeAPIError, 500],
    ["unavailable", StripeAPIError, 503],
    ["lose_answer", StripeConnectionError, undefined],
  ]) {
    // The library repeats a request once whose connection was closed, whatever it is told.
    const count = action === "lose_answer" ? 2 : 1;
    await control("faults", { method: "GET", path: "/v1/customers", action, count });
    const failed = await refusal(connect({ maxNetworkRetries: 0 }).customers.list(), kind);
    assert.equal(failed.statusCode, status, action);
  }
  await control("faults", undefined, "DELETE");
});

test("refunds are bounded by the payment", async () => {
  const owner = await customer();
  const invoice = await stripe.invoices.pay(await openInvoice(owner), {
    payment_method: await attach(owner),
    expand: ["payments"],
  });
  const { payment_intent } = invoice.payments.data[0].payment;
  assert.equal((await stripe.refunds.create({ payment_intent, amount: 1500 })).status, "succeeded");
  await refusal(stripe.refunds.create({ payment_intent, amount: 3501 }), Stripe.errors.StripeInvalidRequestError);
  assert.equal((await stripe.refunds.create({ payment_intent })).amount, 3500);
  const again = await refusal(stripe.refunds.create({ payment_intent }), Stripe.errors.StripeInvalidRequestError);
  assert.equal(again.code, "charge_already_refunded");
});

test("events tell what happened, and the back office finds the account's purchase", async () => {
  const owners = await stripe.customers.list({ limit: 50 }).autoPagingToArray({ limit: 1000 });
  const [owner] = owners.filter(({ metadata }) => metadata.account === ACCOUNT);
  const { data } = await stripe.checkout.sessions.list({ customer: owner.id, expand: ["data.invoice"] });
  assert.equal(data.length, 1);
  assert.ok(Object.values(data[0].metadata).includes(PURCHASE));
  assert.deepEqual([data[0].invoice.status, data[0].invoice.amount_paid], ["paid", 5000]);
  const told = [];
  for await (const event of stripe.events.list({ types: ["invoice.finalized", "invoice.paid"], limit: 2 })) {
    if (event.data.object.id === data[0].invoice.id) told.push(event.type);
  }
  assert.deepEqual(told, ["invoice.paid", "invoice.finalized"]);
});
