//! Purchases that are paid by invoice, from the order to the credits, or to the void.

use crate::support::{Answer, TestCloud, options};
use jiff::{SignedDuration, Timestamp};
use local_stripe::{Fault, FaultAction, WebhookConduct};
use serde_json::{Value, json};

const PURCHASES: &str = "/v1/accounts/acme/purchases";
const DAY: SignedDuration = SignedDuration::from_hours(24);
const VISA: &str = "4242424242424242";

async fn opened() -> TestCloud {
    let cloud = TestCloud::start().await;
    cloud.open_account("acme").await;
    cloud
}

async fn order_with(cloud: &TestCloud, key: &str, body: Value) -> Answer {
    cloud.post(PURCHASES, &cloud.cloud.customer_token("acme"), Some(key), &body).await
}

async fn order(cloud: &TestCloud, key: &str) -> Answer {
    order_with(cloud, key, json!({"package": "credits_5000", "pay_by": "invoice", "days_until_due": 14})).await
}

async fn read(cloud: &TestCloud, purchase: &Answer) -> Value {
    let path = format!("{PURCHASES}/{}", purchase.body["purchase"].as_str().unwrap());
    cloud.get(&path, &cloud.cloud.customer_token("acme")).await.expect(200).body
}

async fn status(cloud: &TestCloud, purchase: &Answer) -> String {
    read(cloud, purchase).await["status"].as_str().unwrap().to_owned()
}

fn invoice_of(purchase: &Answer) -> String {
    purchase.body["invoice"]["invoice"].as_str().unwrap().to_owned()
}

async fn transfer(cloud: &TestCloud, cents: i64) {
    let customer = cloud.customer("acme").await;
    cloud.cloud.stripe.receive_transfer(&customer, "usd", cents).unwrap();
    cloud.settle().await;
}

fn lose_webhooks(cloud: &TestCloud) {
    cloud.cloud.stripe.set_webhook_conduct(WebhookConduct { drop_next: u32::MAX, ..WebhookConduct::default() });
}

fn told(cloud: &TestCloud, start: &str) -> usize {
    cloud.subjects("acme").iter().filter(|subject| subject.starts_with(start)).count()
}

/// How many purchases are in the index of what is due.
async fn unpaid(cloud: &TestCloud) -> Value {
    cloud.sweep().await["unpaid"]["due"].clone()
}

#[tokio::test]
async fn an_invoice_is_sent_by_us_and_a_transfer_days_later_brings_the_credits_once() {
    let cloud = opened().await;
    let terms = json!({"package": "credits_5000", "pay_by": "invoice", "days_until_due": 14, "po_number": "PO-4711"});
    let ordered = order_with(&cloud, "buy-1", terms.clone()).await.expect(201);
    let invoice = &ordered.body["invoice"];
    assert_eq!((&ordered.body["status"], &ordered.body["pay_by"]), (&json!("open"), &json!("invoice")));
    assert_eq!(ordered.body.get("checkout_url"), None);
    assert_eq!(
        (&invoice["amount_due"], &invoice["amount_paid"], &invoice["amount_remaining"], &invoice["po_number"]),
        (&json!(5_000), &json!(0), &json!(5_000), &json!("PO-4711"))
    );
    let due_at: Timestamp = invoice["due_at"].as_str().unwrap().parse().unwrap();
    assert_eq!(due_at.duration_since(cloud.now()).as_hours(), 14 * 24);
    let replay = order_with(&cloud, "buy-1", terms).await.expect(200);
    assert_eq!((replay.is_replay, &replay.text), (true, &ordered.text));
    order(&cloud, "buy-1").await.expect_problem(409, "idempotency_key_reused");

    let at_stripe = cloud.stripe_get(&format!("/v1/invoices/{}", invoice_of(&ordered))).await;
    assert_eq!(
        (&at_stripe["collection_method"], &at_stripe["auto_advance"], &at_stripe["custom_fields"]),
        (&json!("send_invoice"), &json!(false), &json!([{"name": "PO number", "value": "PO-4711"}]))
    );
    cloud.settle().await;
    let mails = cloud.mails("acme");
    let number = at_stripe["number"].as_str().unwrap();
    assert_eq!(mails.len(), 1, "{mails:?}");
    assert_eq!(mails[0].subject, format!("Invoice {number} for 5,000 credits: $50.00, due on 19 January 2026"));
    let text = mails[0].text.clone().unwrap();
    for part in ["bank transfer", "Amount due", "19 January 2026", number] {
        assert!(text.contains(part), "{part}: {text}");
    }
    for (start, end) in [("pay", ""), ("receipt", "/pdf")] {
        let start = format!("{}/{start}/", cloud.cloud.urls.api);
        let link = text.split_whitespace().find(|word| word.starts_with(&start) && word.ends_with(end)).unwrap();
        let page = cloud.visit(&link[cloud.cloud.urls.api.len()..]).await.expect(302);
        assert!(page.location.unwrap().starts_with(&cloud.cloud.urls.stripe));
    }

    cloud.advance(DAY * 5).await;
    assert_eq!((cloud.balance("acme").await, status(&cloud, &ordered).await.as_str()), (0, "open"));
    transfer(&cloud, 5_000).await;
    assert_eq!(cloud.balance("acme").await, 5_000);
    let paid = read(&cloud, &ordered).await;
    assert_eq!(
        (&paid["status"], &paid["invoice"]["amount_paid"], &paid["invoice"]["amount_remaining"]),
        (&json!("paid"), &json!(5_000), &json!(0))
    );
    assert_eq!((&paid["invoice"]["paid_out_of_band"], &paid["invoice"]["void_at"]), (&json!(false), &Value::Null));
    assert_eq!((told(&cloud, "Receipt"), cloud.mails("acme").len()), (1, 2));
    cloud.advance(DAY * 60).await;
    assert_eq!((cloud.balance("acme").await, cloud.mails("acme").len()), (5_000, 2), "nothing is due of what is paid");
    assert_eq!(unpaid(&cloud).await, 0);
}

#[tokio::test]
async fn a_payment_whose_event_is_lost_is_found_by_looking_and_by_the_next_reminder() {
    for looks in [true, false] {
        let cloud = opened().await;
        let ordered = order(&cloud, "buy-1").await.expect(201);
        lose_webhooks(&cloud);
        transfer(&cloud, 5_000).await;
        assert_eq!(cloud.balance("acme").await, 0, "no event came");
        if looks {
            assert_eq!(status(&cloud, &ordered).await, "paid");
            assert_eq!(status(&cloud, &ordered).await, "paid");
        } else {
            cloud.advance(DAY * 12).await;
            cloud.settle().await;
            assert_eq!(told(&cloud, "Reminder"), 0, "nobody is reminded of what is paid");
        }
        assert_eq!((cloud.balance("acme").await, cloud.entries("acme", "purchase").await), (5_000, vec![5_000]));
    }
}

#[tokio::test]
async fn a_customer_is_reminded_before_and_after_and_two_weeks_later_the_invoice_is_void() {
    let cloud = opened().await;
    let ordered = order(&cloud, "buy-1").await.expect(201);
    let mut told_on = vec![];
    for day in 1..=40 {
        let before = cloud.mails("acme").len();
        cloud.advance(DAY).await;
        cloud.settle().await;
        for subject in cloud.subjects("acme").split_off(before) {
            told_on.push((day, subject.split([':', ' ']).next().unwrap().to_owned()));
        }
    }
    let expected = [(1, "Invoice"), (11, "Reminder"), (15, "Overdue"), (21, "Overdue"), (28, "We")];
    let expected = expected.map(|(day, word)| (day, word.to_owned()));
    assert!(told_on.iter().filter(|(day, _)| *day > 1).eq(expected.iter().skip(1)), "{told_on:?}");
    let voided = read(&cloud, &ordered).await;
    assert_eq!(voided["status"], "voided");
    assert!(voided["note"].as_str().unwrap().starts_with("The invoice was voided"));
    assert_eq!(cloud.stripe_get(&format!("/v1/invoices/{}", invoice_of(&ordered))).await["status"], "void");
    assert_eq!((cloud.balance("acme").await, unpaid(&cloud).await), (0, json!(0)));
    // The money of a transfer that comes now stays on the customer's cash balance, and pays the next invoice.
    transfer(&cloud, 5_000).await;
    assert_eq!(cloud.balance("acme").await, 0);
    order(&cloud, "buy-2").await.expect(201);
    cloud.settle().await;
    assert_eq!(cloud.balance("acme").await, 5_000);
}

/// <https://docs.stripe.com/payments/bank-transfers/accept-a-payment>: a transfer that is too small funds no invoice.
#[tokio::test]
async fn what_is_paid_in_parts_or_too_much_is_granted_when_all_is_there_and_once() {
    let cloud = opened().await;
    let ordered = order(&cloud, "buy-1").await.expect(201);
    transfer(&cloud, 2_000).await;
    assert_eq!((status(&cloud, &ordered).await.as_str(), cloud.balance("acme").await), ("open", 0));
    transfer(&cloud, 3_500).await;
    assert_eq!((status(&cloud, &ordered).await.as_str(), cloud.balance("acme").await), ("paid", 5_000));

    // The company charges a part of the next invoice, and then more than the rest.
    let second = order(&cloud, "buy-2").await.expect(201);
    let invoice = invoice_of(&second);
    pay_part(&cloud, &invoice, "2000").await;
    let partly = read(&cloud, &second).await;
    assert_eq!(
        (&partly["status"], &partly["invoice"]["amount_paid"], &partly["invoice"]["amount_remaining"]),
        (&json!("open"), &json!(2_000), &json!(3_000))
    );
    assert_eq!(cloud.balance("acme").await, 5_000, "a part grants nothing");
    pay_part(&cloud, &invoice, "3400").await;
    let paid = read(&cloud, &second).await;
    assert_eq!(
        (&paid["status"], &paid["invoice"]["amount_paid"], &paid["invoice"]["amount_overpaid"]),
        (&json!("paid"), &json!(5_400), &json!(400))
    );
    assert_eq!(cloud.balance("acme").await, 10_000);
}

async fn pay_part(cloud: &TestCloud, invoice: &str, cents: &str) {
    let customer = cloud.customer("acme").await;
    let card = cloud.stripe_post("/v1/payment_methods/pm_card_visa/attach", &[("customer", &customer)]).await;
    let intent = [
        ("amount", cents),
        ("currency", "usd"),
        ("customer", &customer),
        ("payment_method", card["id"].as_str().unwrap()),
        ("confirm", "true"),
        ("off_session", "true"),
    ];
    let intent = cloud.stripe_post("/v1/payment_intents", &intent).await;
    let attached = [("payment_intent", intent["id"].as_str().unwrap())];
    cloud.stripe_post(&format!("/v1/invoices/{invoice}/attach_payment"), &attached).await;
    cloud.settle().await;
}

#[tokio::test]
async fn a_part_that_is_paid_when_the_invoice_would_be_voided_is_looked_into_by_a_person() {
    let cloud = opened().await;
    let ordered = order(&cloud, "buy-1").await.expect(201);
    pay_part(&cloud, &invoice_of(&ordered), "2000").await;
    cloud.advance(DAY * 29).await;
    let reviewed = read(&cloud, &ordered).await;
    assert_eq!((&reviewed["status"], cloud.balance("acme").await), (&json!("in_review"), 0));
    assert_eq!(cloud.stripe_get(&format!("/v1/invoices/{}", invoice_of(&ordered))).await["status"], "open");
    assert_eq!((unpaid(&cloud).await, told(&cloud, "We voided")), (json!(0), 0));
    pay_part(&cloud, &invoice_of(&ordered), "3000").await;
    assert_eq!((status(&cloud, &ordered).await.as_str(), cloud.balance("acme").await), ("paid", 5_000));
}

#[tokio::test]
async fn an_invoice_that_the_company_marks_as_paid_or_credits_has_its_own_name() {
    let cloud = opened().await;
    let ordered = order(&cloud, "buy-1").await.expect(201);
    let pay = format!("/v1/invoices/{}/pay", invoice_of(&ordered));
    cloud.stripe_post(&pay, &[("paid_out_of_band", "true")]).await;
    cloud.settle().await;
    let paid = read(&cloud, &ordered).await;
    assert_eq!((&paid["status"], &paid["invoice"]["paid_out_of_band"]), (&json!("paid"), &json!(true)));
    assert_eq!(cloud.balance("acme").await, 5_000);

    let credited = order(&cloud, "buy-2").await.expect(201);
    let note = [("invoice", &*invoice_of(&credited)), ("amount", "5000")];
    cloud.stripe_post("/v1/credit_notes", &note).await;
    cloud.settle().await;
    assert_eq!((status(&cloud, &credited).await.as_str(), cloud.balance("acme").await), ("in_review", 5_000));
}

#[tokio::test]
async fn a_card_pays_on_the_page_of_the_invoice_and_a_debit_is_awaited_or_fails_with_an_e_mail() {
    let cloud = opened().await;
    let by_card = order(&cloud, "buy-1").await.expect(201);
    cloud.pay_page(&hosted(&cloud, &by_card).await, VISA).await;
    cloud.settle().await;
    assert_eq!((status(&cloud, &by_card).await.as_str(), cloud.balance("acme").await), ("paid", 5_000));

    let by_debit = order(&cloud, "buy-2").await.expect(201);
    cloud.pay_page(&hosted(&cloud, &by_debit).await, "000222222227").await;
    cloud.settle().await;
    assert_eq!(status(&cloud, &by_debit).await, "processing");
    cloud.advance(DAY * 5).await;
    cloud.settle().await;
    assert_eq!((status(&cloud, &by_debit).await.as_str(), told(&cloud, "Your payment of invoice")), ("open", 1));
    cloud.pay_page(&hosted(&cloud, &by_debit).await, "000123456789").await;
    cloud.advance(DAY * 5).await;
    cloud.settle().await;
    assert_eq!((status(&cloud, &by_debit).await.as_str(), cloud.balance("acme").await), ("paid", 10_000));
}

async fn hosted(cloud: &TestCloud, purchase: &Answer) -> String {
    let invoice = cloud.stripe_get(&format!("/v1/invoices/{}", invoice_of(purchase))).await;
    invoice["hosted_invoice_url"].as_str().unwrap().to_owned()
}

/// Nothing is voided while a debit is on its way.
#[tokio::test]
async fn a_debit_that_is_under_way_at_the_end_is_awaited() {
    let cloud = opened().await;
    let ordered = order(&cloud, "buy-1").await.expect(201);
    cloud.advance(DAY * 27).await;
    cloud.pay_page(&hosted(&cloud, &ordered).await, "000123456789").await;
    cloud.advance(DAY * 2).await;
    assert_eq!((status(&cloud, &ordered).await.as_str(), told(&cloud, "We voided")), ("processing", 0));
    cloud.advance(DAY * 3).await;
    cloud.settle().await;
    assert_eq!((status(&cloud, &ordered).await.as_str(), cloud.balance("acme").await), ("paid", 5_000));
}

#[tokio::test]
async fn an_account_has_three_unpaid_invoices_at_most() {
    let cloud = opened().await;
    let mut orders = vec![];
    for key in ["buy-1", "buy-2", "buy-3"] {
        orders.push(order(&cloud, key).await.expect(201));
    }
    let footprint = cloud.footprint();
    order(&cloud, "buy-4").await.expect_problem(409, "too_many_unpaid_invoices");
    assert_eq!(cloud.footprint(), footprint);
    order(&cloud, "buy-3").await.expect(200);
    order_with(&cloud, "buy-5", json!({"package": "credits_500"})).await.expect(201);
    cloud.stripe_post(&format!("/v1/invoices/{}/void", invoice_of(&orders[1])), &[]).await;
    cloud.settle().await;
    assert_eq!((status(&cloud, &orders[1]).await.as_str(), told(&cloud, "We voided")), ("voided", 1));
    order(&cloud, "buy-4").await.expect(201);
    order(&cloud, "buy-6").await.expect_problem(409, "too_many_unpaid_invoices");
    transfer(&cloud, 5_000).await;
    order(&cloud, "buy-6").await.expect(201);
}

#[tokio::test]
async fn an_order_that_is_not_as_it_must_be_changes_nothing() {
    let cloud = opened().await;
    let footprint = cloud.footprint();
    let body = |more: Value| {
        let mut body = json!({"package": "credits_500"});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        body
    };
    for (more, field, message) in [
        (json!({"pay_by": "cash"}), "pay_by", "page or invoice"),
        (json!({"pay_by": 1}), "pay_by", "page or invoice"),
        (json!({"pay_by": "invoice", "days_until_due": 6}), "days_until_due", "from 7 to 60"),
        (json!({"pay_by": "invoice", "days_until_due": 61}), "days_until_due", "from 7 to 60"),
        (json!({"pay_by": "invoice", "days_until_due": "14"}), "days_until_due", "from 7 to 60"),
        (json!({"pay_by": "invoice", "po_number": ""}), "po_number", "1 to 140 characters"),
        (json!({"pay_by": "invoice", "po_number": "x".repeat(141)}), "po_number", "1 to 140 characters"),
        (json!({"days_until_due": 14}), "days_until_due", "must be left out unless pay_by is invoice"),
        (json!({"pay_by": "page", "po_number": "PO-1"}), "po_number", "must be left out unless pay_by is invoice"),
    ] {
        let answer = order_with(&cloud, "buy-1", body(more.clone())).await;
        let told = answer.expect_problem(422, "invalid_request").field_error(field);
        assert!(told.contains(message), "{more}: {told}");
    }
    assert_eq!(cloud.footprint(), footprint);

    let mut options = options();
    options.parameters.insert("StripeInvoices".to_owned(), "false".to_owned());
    let without = TestCloud::start_with(options).await.expect("the local cloud starts");
    without.open_account("acme").await;
    let footprint = without.footprint();
    let refused = order(&without, "buy-1").await.expect_problem(422, "invalid_request").field_error("pay_by");
    assert!(refused.contains("not offered here"), "{refused}");
    assert_eq!(without.footprint(), footprint);
}

/// Whatever fails on the way, there is one invoice and one e-mail, made by a repeated request or by the next run.
#[tokio::test]
async fn an_order_that_dies_halfway_is_finished_by_its_repetition_or_by_a_run() {
    let steps = ["/v1/invoices", "/v1/invoiceitems", "/v1/invoices/*/finalize"];
    for (step, is_repeated) in steps.into_iter().flat_map(|step| [(step, true), (step, false)]) {
        for action in [FaultAction::LoseRequest, FaultAction::LoseAnswer, FaultAction::InternalErrorAfterEffect] {
            let cloud = opened().await;
            cloud.cloud.stripe.add_fault(Fault { count: 4, ..Fault::once("POST", step, action) });
            let died = order(&cloud, "buy-1").await;
            cloud.cloud.stripe.clear_faults();
            if died.status == 503 && is_repeated {
                order(&cloud, "buy-1").await.expect(200);
            } else if died.status == 503 {
                cloud.advance(SignedDuration::from_hours(1)).await;
            }
            cloud.settle().await;
            let made = cloud.stripe_list("/v1/invoices?limit=100").await;
            let open: Vec<_> = made.iter().filter(|invoice| invoice["status"] == "open").collect();
            assert_eq!((made.len(), open.len()), (1, 1), "{step} {action:?}");
            assert_eq!((told(&cloud, "Invoice"), &open[0]["total"]), (1, &json!(5_000)), "{step} {action:?}");
            transfer(&cloud, 5_000).await;
            assert_eq!(cloud.balance("acme").await, 5_000, "{step} {action:?}");
        }
    }
}

/// The company voids it in Stripe's dashboard before the customer was told of it.
#[tokio::test]
async fn an_invoice_that_is_void_before_it_is_stored_is_not_made_again() {
    let cloud = opened().await;
    cloud
        .cloud
        .stripe
        .add_fault(Fault { count: 4, ..Fault::once("POST", "/v1/invoices/*/finalize", FaultAction::LoseAnswer) });
    order(&cloud, "buy-1").await.expect(503);
    cloud.cloud.stripe.clear_faults();
    let made = cloud.stripe_list("/v1/invoices?limit=100").await;
    let id = made[0]["id"].as_str().unwrap();
    cloud.stripe_post(&format!("/v1/invoices/{id}/void"), &[]).await;
    // Stripe has forgotten the key under which it was made.
    cloud.cloud.clock.advance(SignedDuration::from_hours(25)).unwrap();
    let ordered = order(&cloud, "buy-1").await;
    cloud.settle().await;
    assert_eq!(status(&cloud, &ordered).await, "voided");
    assert_eq!(cloud.stripe_list("/v1/invoices?limit=100").await.len(), 1);
}

#[tokio::test]
async fn where_stripe_makes_no_invoice_the_purchase_ends_and_the_remedy_is_named() {
    let mut options = options();
    options.parameters.insert("StripeAutomaticTax".to_owned(), "true".to_owned());
    let cloud = TestCloud::start_with(options).await.expect("the local cloud starts");
    cloud.open_account("acme").await;
    let refused = order(&cloud, "buy-1").await.expect_problem(409, "no_tax_location");
    assert!(refused.body["detail"].as_str().unwrap().contains("billing-details"), "{}", refused.text);
    let listed = cloud.get(PURCHASES, &cloud.cloud.customer_token("acme")).await.expect(200).body;
    assert_eq!(listed["data"][0]["status"], "failed");
    assert_eq!((cloud.stripe_list("/v1/invoices?limit=100").await, unpaid(&cloud).await), (vec![], json!(0)));

    let customer = cloud.customer("acme").await;
    let address = [("address[country]", "DE"), ("address[postal_code]", "10115")];
    cloud.stripe_post(&format!("/v1/customers/{customer}"), &address).await;
    let ordered = order(&cloud, "buy-2").await.expect(201);
    let due = ordered.body["invoice"]["amount_due"].as_i64().unwrap();
    transfer(&cloud, due).await;
    assert_eq!(cloud.balance("acme").await, 5_000, "tax never becomes credits");
}
