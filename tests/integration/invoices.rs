//! The customer's invoices: of purchases and of top-ups, and of nobody else.

use crate::support::{Answer, TestCloud};
use local_stripe::{Fault, FaultAction};
use serde_json::{Value, json};

const INVOICES: &str = "/v1/accounts/acme/invoices";

/// An account with a purchase and, later, a top-up.
async fn bought_and_topped_up() -> TestCloud {
    let cloud = TestCloud::start().await;
    cloud.open_account("acme").await;
    cloud.buy("acme", "credits_500", "4242424242424242").await;
    cloud.cloud.clock.advance(jiff::SignedDuration::from_hours(1)).unwrap();
    cloud.turn_on_auto_top_up("acme", 1_000, 5_000).await;
    assert_eq!(cloud.sweep().await["paid"], 1);
    cloud.settle().await;
    cloud
}

async fn list(cloud: &TestCloud, query: &str) -> Answer {
    cloud.get(&format!("{INVOICES}{query}"), &cloud.cloud.customer_token("acme")).await
}

#[tokio::test]
async fn purchases_and_top_ups_have_invoices_with_number_tax_and_documents() {
    let cloud = bought_and_topped_up().await;
    let listed = list(&cloud, "").await.expect(200).body;
    let [top_up, purchase] = listed["data"].as_array().unwrap().as_slice() else { panic!("{listed}") };
    let facts = |invoice: &Value| {
        ["credits", "amount", "tax", "total", "amount_paid", "currency", "status"].map(|name| invoice[name].clone())
    };
    let expected = |credits: i64, cents: i64| {
        [json!(credits), json!(cents), json!(0), json!(cents), json!(cents), json!("USD"), json!("paid")]
    };
    assert_eq!(facts(top_up), expected(4_500, 4_500));
    assert_eq!(facts(purchase), expected(500, 500));
    let bought = cloud.get("/v1/accounts/acme/purchases", &cloud.cloud.customer_token("acme")).await.body;
    assert_eq!((&purchase["purchase"], &purchase["top_up"]), (&bought["data"][0]["purchase"], &Value::Null));
    assert!(top_up["top_up"].as_str().unwrap().starts_with("top_") && top_up["purchase"].is_null());
    for (invoice, at) in [(purchase, "2026-01-05T00:00:00.000Z"), (top_up, "2026-01-05T01:00:00.000Z")] {
        assert_eq!((&invoice["created_at"], &invoice["paid_at"]), (&json!(at), &json!(at)));
        let id = invoice["invoice"].as_str().unwrap();
        let one = list(&cloud, &format!("/{id}")).await.expect(200).body;
        assert_eq!((&one["number"], facts(&one)), (&invoice["number"], facts(invoice)));
        let page = cloud.visit(one["hosted_url"].as_str().unwrap()).await.expect(200);
        assert!(page.text.contains(one["number"].as_str().unwrap()), "{}", page.text);
        cloud.visit(one["pdf_url"].as_str().unwrap()).await.expect(200);
    }
    assert!(purchase["number"] != top_up["number"]);

    let first = list(&cloud, "?limit=1").await.expect(200).body;
    assert_eq!(first["data"].as_array().unwrap().len(), 1);
    let second = list(&cloud, &format!("?limit=1&cursor={}", first["next_cursor"].as_str().unwrap())).await;
    assert_eq!(second.body["data"][0]["invoice"], purchase["invoice"]);
    assert_eq!((&second.body["has_more"], &second.body["next_cursor"]), (&json!(false), &Value::Null));
}

#[tokio::test]
async fn the_invoice_of_another_account_or_of_nothing_we_sold_is_not_shown() {
    let cloud = bought_and_topped_up().await;
    cloud.open_account("globex").await;
    cloud.buy("globex", "credits_500", "4242424242424242").await;
    let theirs = cloud.get("/v1/accounts/globex/invoices", &cloud.cloud.customer_token("globex")).await.body;
    let theirs = theirs["data"][0]["invoice"].as_str().unwrap().to_owned();
    let refused = list(&cloud, &format!("/{theirs}")).await.expect_problem(404, "not_found").without_request_id();
    assert_eq!(list(&cloud, "/in_none").await.without_request_id(), refused);

    // The company bills something else by hand, and even names the account.
    let customer = cloud.customer("acme").await;
    let by_hand = [("customer", customer.as_str()), ("metadata[account]", "acme")];
    let other = cloud.stripe_post("/v1/invoices", &by_hand).await["id"].as_str().unwrap().to_owned();
    let item = [("customer", customer.as_str()), ("invoice", &other), ("amount", "900"), ("currency", "usd")];
    cloud.stripe_post("/v1/invoiceitems", &item).await;
    cloud.stripe_post(&format!("/v1/invoices/{other}/finalize"), &[]).await;
    list(&cloud, &format!("/{other}")).await.expect_problem(404, "not_found");
    assert_eq!(list(&cloud, "").await.expect(200).body["data"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn a_cursor_that_is_no_invoice_is_refused() {
    let cloud = bought_and_topped_up().await;
    for (query, field) in [("?cursor=in_none", "cursor"), ("?cursor=in+1", "cursor"), ("?limit=0", "limit")] {
        list(&cloud, query).await.expect_problem(422, "invalid_request").field_error(field);
    }
}

#[tokio::test]
async fn invoices_need_stripe_and_nothing_else_does() {
    let cloud = bought_and_topped_up().await;
    for action in [FaultAction::Unavailable, FaultAction::RateLimit, FaultAction::LoseAnswer] {
        let path = "/v1/*".to_owned();
        cloud.cloud.stripe.add_fault(Fault { method: None, path, action, count: u32::MAX });
        for path in ["/v1/invoices", "/v1/invoices/*"] {
            cloud.cloud.stripe.add_fault(Fault { method: None, path: path.to_owned(), action, count: u32::MAX });
        }
        list(&cloud, "").await.expect_problem(503, "unavailable");
        list(&cloud, "/in_1").await.expect_problem(503, "unavailable");
        assert_eq!(cloud.balance("acme").await, 5_000);
        cloud.cloud.stripe.clear_faults();
    }
    list(&cloud, "").await.expect(200);
}
