//! R1, R37: a customer's balance pays invoices, and an amount too small to be charged becomes a debt.
//! <https://docs.stripe.com/billing/customer/balance>

use serde_json::Value;

use crate::support::{Bench, id};

async fn with_balance(bench: &Bench, amount: &str) -> String {
    let customer = bench.customer().await;
    let path = format!("/v1/customers/{customer}/balance_transactions");
    bench.post(&path, &[("amount", amount), ("currency", "usd")]).await.ok();
    customer
}

async fn invoice_over(bench: &Bench, customer: &str, amount: &str, currency: &str) -> Value {
    let invoice = id(&bench.post("/v1/invoices", &[("customer", customer), ("currency", currency)]).await.ok());
    let item = [("customer", customer), ("invoice", &invoice), ("amount", amount), ("currency", currency)];
    bench.post("/v1/invoiceitems", &item).await.ok();
    bench.post(&format!("/v1/invoices/{invoice}/finalize"), &[]).await.ok()
}

async fn balance_of(bench: &Bench, customer: &str) -> i64 {
    bench.get(&format!("/v1/customers/{customer}"), &[]).await.ok()["balance"].as_i64().unwrap()
}

// R1: only this kind of invoice is paid without a payment and still granted.
#[tokio::test]
async fn credit_pays_an_invoice_by_its_being_finalized() {
    let bench = Bench::new();
    let customer = with_balance(&bench, "-8000").await;
    let paid = invoice_over(&bench, &customer, "5000", "usd").await;
    assert_eq!((paid["status"].as_str(), paid["total"].as_i64()), (Some("paid"), Some(5000)));
    for (field, amount) in
        [("amount_due", 0), ("amount_paid", 0), ("starting_balance", -8000), ("ending_balance", -3000)]
    {
        assert_eq!(paid[field], amount, "{field}");
    }
    assert_eq!(bench.invoice(&id(&paid)).await["payments"]["data"], serde_json::json!([]));
    assert_eq!(balance_of(&bench, &customer).await, -3000);
    assert!(bench.events().await.contains(&"invoice.paid".to_owned()));
}

// R1
#[tokio::test]
async fn credit_that_is_too_little_leaves_the_rest_to_the_card() {
    let bench = Bench::new();
    let customer = with_balance(&bench, "-2000").await;
    let open = invoice_over(&bench, &customer, "5000", "usd").await;
    assert_eq!((open["status"].as_str(), open["amount_due"].as_i64()), (Some("open"), Some(3000)));
    assert_eq!((open["starting_balance"].as_i64(), open["ending_balance"].as_i64()), (Some(-2000), Some(0)));
    assert_eq!(bench.intent_of(&id(&open)).await["amount"], 3000);
    assert_eq!(balance_of(&bench, &customer).await, 0);
    bench.post(&format!("/v1/invoices/{}/void", id(&open)), &[]).await.ok();
    assert_eq!(balance_of(&bench, &customer).await, -2000);
}

// R1
#[tokio::test]
async fn a_debt_is_asked_for_with_the_next_invoice() {
    let bench = Bench::new();
    let customer = with_balance(&bench, "700").await;
    let open = invoice_over(&bench, &customer, "5000", "usd").await;
    assert_eq!((open["amount_due"].as_i64(), open["total"].as_i64()), (Some(5700), Some(5000)));
    assert_eq!(balance_of(&bench, &customer).await, 0);
}

// R37
#[tokio::test]
async fn an_invoice_below_the_minimum_charge_is_paid_by_making_a_debt() {
    for (amount, currency, is_charged) in [
        ("49", "usd", false),
        ("50", "usd", true),
        ("29", "gbp", false),
        ("30", "gbp", true),
        ("49", "jpy", false),
        ("17400", "huf", false),
        ("17500", "huf", true),
        ("10", "kwd", true),
    ] {
        let bench = Bench::new();
        let customer = bench.customer().await;
        let invoice = invoice_over(&bench, &customer, amount, currency).await;
        let due: i64 = amount.parse().unwrap();
        let (status, demanded, debt) = if is_charged { ("open", due, 0) } else { ("paid", 0, due) };
        assert_eq!(invoice["status"], status, "{amount} {currency}");
        assert_eq!(invoice["amount_due"], demanded, "{amount} {currency}");
        assert_eq!(invoice["amount_paid"], 0, "{amount} {currency}");
        assert_eq!(invoice["starting_balance"], 0, "{amount} {currency}");
        assert_eq!(invoice["ending_balance"], debt, "{amount} {currency}");
        assert_eq!(balance_of(&bench, &customer).await, debt, "{amount} {currency}");
    }
}

// R37
#[tokio::test]
async fn a_debt_may_begin_in_another_currency_than_what_was_billed_before() {
    let bench = Bench::new();
    let customer = bench.customer().await;
    assert_eq!(invoice_over(&bench, &customer, "5000", "usd").await["status"], "open");
    let small = invoice_over(&bench, &customer, "100", "huf").await;
    assert_eq!((small["status"].as_str(), small["ending_balance"].as_i64()), (Some("paid"), Some(100)));
    assert_eq!(invoice_over(&bench, &customer, "5000", "usd").await["amount_due"], 5000);
}

// R41
#[tokio::test]
async fn a_payment_below_the_minimum_or_between_two_steps_is_refused() {
    let bench = Bench::new();
    for (amount, currency, code) in [
        ("49", "usd", "amount_too_small"),
        ("29", "gbp", "amount_too_small"),
        ("5124", "kwd", "parameter_invalid_integer"),
        ("550", "isk", "parameter_invalid_integer"),
        ("501", "ugx", "parameter_invalid_integer"),
    ] {
        let form = [("amount", amount), ("currency", currency)];
        let error = bench.post("/v1/payment_intents", &form).await.refused(400);
        assert_eq!(error["code"], code, "{amount} {currency}");
        let session = [
            ("mode", "payment"),
            ("success_url", "https://shop.test/done"),
            ("line_items[0][price_data][currency]", currency),
            ("line_items[0][price_data][unit_amount]", amount),
            ("line_items[0][price_data][product_data][name]", "Bundle"),
            ("line_items[0][quantity]", "1"),
        ];
        assert_eq!(bench.post("/v1/checkout/sessions", &session).await.refused(400)["code"], code);
    }
}

// R41
#[tokio::test]
async fn pages_show_the_decimals_that_people_know() {
    for (amount, currency, shown) in [
        ("50000", "ugx", "500 UGX"),
        ("50000", "isk", "500 ISK"),
        ("5120", "kwd", "5.120 KWD"),
        ("500", "jpy", "500 JPY"),
        ("50050", "huf", "500.50 HUF"),
    ] {
        let bench = Bench::new();
        let customer = bench.customer().await;
        let open = invoice_over(&bench, &customer, amount, currency).await;
        let page = bench.open(open["hosted_invoice_url"].as_str().unwrap()).await;
        assert!(page.text.contains(&format!("<div class=\"amount\">{shown}</div>")), "{shown}: {}", page.text);
    }
}

// R41
#[tokio::test]
async fn the_tax_of_a_negative_bill_is_rounded_away_from_zero_too() {
    let bench = Bench::with_tax(1900);
    let customer = bench.customer().await;
    bench.post(&format!("/v1/customers/{customer}"), &[("address[country]", "DE")]).await.ok();
    let form = [("customer", customer.as_str()), ("automatic_tax[enabled]", "true")];
    let invoice = id(&bench.post("/v1/invoices", &form).await.ok());
    let item = [("customer", customer.as_str()), ("invoice", &invoice), ("amount", "-50"), ("currency", "usd")];
    bench.post("/v1/invoiceitems", &item).await.ok();
    let invoice = bench.post(&format!("/v1/invoices/{invoice}/finalize"), &[]).await.ok();
    assert_eq!((invoice["total_taxes"][0]["amount"].as_i64(), invoice["total"].as_i64()), (Some(-10), Some(-60)));
    assert_eq!((invoice["status"].as_str(), invoice["ending_balance"].as_i64()), (Some("paid"), Some(-60)));
}

#[tokio::test]
async fn the_balance_is_set_with_the_customer_and_told_change_by_change() {
    let bench = Bench::new();
    let customer = id(&bench.post("/v1/customers", &[("balance", "-500")]).await.ok());
    let updated = bench.post(&format!("/v1/customers/{customer}"), &[("balance", "200")]).await.ok();
    assert_eq!((updated["balance"].as_i64(), updated["currency"].as_str()), (Some(200), Some("usd")));
    let path = format!("/v1/customers/{customer}/balance_transactions");
    let list = bench.get(&path, &[]).await.ok();
    let amounts: Vec<i64> =
        list["data"].as_array().unwrap().iter().map(|change| change["amount"].as_i64().unwrap()).collect();
    assert_eq!(amounts, [700, -500]);
    bench.post(&path, &[("amount", "1"), ("currency", "eur")]).await.refused(400);
}
