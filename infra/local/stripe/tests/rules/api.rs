//! Rules for every request: keys, parameters, errors, lists, expansion, metadata.

use http::Request;
use jiff::SignedDuration;

use crate::support::{Bench, KEY, id, ids_of};

#[tokio::test]
async fn a_missing_or_unknown_key_is_401() {
    let bench = Bench::new();
    for headers in [vec![], vec![("authorization", "Bearer sk_test_other")], vec![("authorization", "Basic %%%")]] {
        let error = bench.try_send("GET", "/v1/customers", &[], &headers).await.unwrap().refused(401);
        assert_eq!(error["type"], "invalid_request_error");
    }
}

#[tokio::test]
async fn the_key_is_taken_as_bearer_and_as_basic_user() {
    let bench = Bench::new();
    // base64 of "sk_test_local:"
    for authorization in ["Bearer sk_test_local", "Basic c2tfdGVzdF9sb2NhbDo="] {
        bench.try_send("GET", "/v1/customers", &[], &[("authorization", authorization)]).await.unwrap().ok();
    }
}

#[tokio::test]
async fn the_version_is_echoed_and_every_request_has_its_own_id() {
    let bench = Bench::new();
    let bearer = format!("Bearer {KEY}");
    let headers = [("authorization", bearer.as_str()), ("stripe-version", "2026-09-30.endive")];
    let first = bench.try_send("GET", "/v1/customers", &[], &headers).await.unwrap();
    let second = bench.try_send("GET", "/v1/customers", &[], &headers).await.unwrap();
    assert_eq!(first.header("stripe-version"), Some("2026-09-30.endive"));
    assert!(first.header("request-id").unwrap().starts_with("req_"));
    assert_ne!(first.header("request-id"), second.header("request-id"));
}

#[tokio::test]
async fn unknown_parameters_are_refused_wherever_they_stand() {
    let bench = Bench::new();
    for (name, spelled) in [
        ("colour", "colour"),
        ("invoice_settings[colour]", "invoice_settings[colour]"),
        ("address[planet]", "address[planet]"),
    ] {
        let error = bench.post("/v1/customers", &[(name, "x")]).await.refused(400);
        assert_eq!(error["code"], "parameter_unknown");
        assert_eq!(error["param"], spelled);
    }
    assert_eq!(bench.get("/v1/customers", &[("colour", "x")]).await.refused(400)["code"], "parameter_unknown");
}

#[tokio::test]
async fn missing_and_ill_typed_parameters_name_themselves() {
    let bench = Bench::new();
    let missing = bench.post("/v1/invoices", &[]).await.refused(400);
    assert_eq!((missing["code"].as_str(), missing["param"].as_str()), (Some("parameter_missing"), Some("customer")));
    let customer = bench.customer().await;
    let item = [("customer", customer.as_str()), ("currency", "usd"), ("amount", "ten")];
    let ill_typed = bench.post("/v1/invoiceitems", &item).await.refused(400);
    assert_eq!(ill_typed["param"], "amount");
}

#[tokio::test]
async fn a_body_of_json_is_refused() {
    let bench = Bench::new();
    let request = Request::post("/v1/customers")
        .header("authorization", format!("Bearer {KEY}"))
        .header("content-type", "application/json")
        .body("{\"email\":\"jo@example.com\"}".into())
        .unwrap();
    assert_eq!(bench.stripe.handle(request).await.unwrap().status(), 400);
}

#[tokio::test]
async fn a_missing_object_is_404_in_the_path_and_400_in_a_parameter() {
    let bench = Bench::new();
    let in_path = bench.get("/v1/customers/cus_none", &[]).await.refused(404);
    let in_parameter = bench.post("/v1/invoices", &[("customer", "cus_none")]).await.refused(400);
    assert_eq!(in_path["code"], "resource_missing");
    assert_eq!(in_parameter["code"], "resource_missing");
    assert_eq!(in_parameter["param"], "customer");
    assert_eq!(bench.get("/v1/subscriptions", &[]).await.status, 404);
}

#[tokio::test]
async fn metadata_is_merged_and_emptied_key_by_key() {
    let bench = Bench::new();
    let created = bench.post("/v1/customers", &[("metadata[a]", "1"), ("metadata[b]", "2")]).await.ok();
    let path = format!("/v1/customers/{}", id(&created));
    let merged = bench.post(&path, &[("metadata[b]", ""), ("metadata[c]", "3")]).await.ok();
    assert_eq!(merged["metadata"], serde_json::json!({ "a": "1", "c": "3" }));
    let emptied = bench.post(&path, &[("metadata", "")]).await.ok();
    assert_eq!(emptied["metadata"], serde_json::json!({}));
    let long = "x".repeat(501);
    assert_eq!(bench.post(&path, &[("metadata[a]", &long)]).await.status, 400);
}

#[tokio::test]
async fn an_empty_text_unsets_a_field_and_an_absent_one_keeps_it() {
    let bench = Bench::new();
    let created = bench.post("/v1/customers", &[("name", "Jo"), ("email", "jo@example.com")]).await.ok();
    let updated = bench.post(&format!("/v1/customers/{}", id(&created)), &[("name", "")]).await.ok();
    assert_eq!(updated["name"], serde_json::Value::Null);
    assert_eq!(updated["email"], "jo@example.com");
}

#[tokio::test]
async fn lists_are_newest_first_and_page_both_ways() {
    let bench = Bench::new();
    let mut ids = Vec::new();
    for _ in 0..5 {
        ids.push(bench.customer().await);
    }
    let ids_of =
        |list: &serde_json::Value| -> Vec<String> { list["data"].as_array().unwrap().iter().map(id).collect() };
    let first = bench.get("/v1/customers", &[("limit", "2")]).await.ok();
    assert_eq!(ids_of(&first), [ids[4].clone(), ids[3].clone()]);
    assert_eq!(first["has_more"], true);
    let rest = bench.get("/v1/customers", &[("limit", "3"), ("starting_after", &ids[3])]).await.ok();
    assert_eq!(ids_of(&rest), [ids[2].clone(), ids[1].clone(), ids[0].clone()]);
    assert_eq!(rest["has_more"], false);
    let back = bench.get("/v1/customers", &[("limit", "2"), ("ending_before", &ids[1])]).await.ok();
    assert_eq!(ids_of(&back), [ids[3].clone(), ids[2].clone()]);
    assert_eq!(back["has_more"], true);
    assert_eq!(bench.get("/v1/customers", &[("limit", "101")]).await.status, 400);
    assert_eq!(bench.get("/v1/customers", &[("starting_after", "cus_none")]).await.status, 400);
}

#[tokio::test]
async fn lists_filter_by_customer_status_and_time() {
    let bench = Bench::new();
    let (customer, card) = bench.customer_with_card("pm_card_visa").await;
    let paid = bench.open_invoice(&customer).await;
    bench.pay(&paid, &card).await.ok();
    bench.pass(SignedDuration::from_hours(1));
    let later = bench.now().as_second().to_string();
    let open = bench.open_invoice(&customer).await;
    let of_other = bench.customer().await;
    bench.open_invoice(&of_other).await;
    let query = [("customer", customer.as_str()), ("status", "open")];
    let found = bench.get("/v1/invoices", &query).await.ok();
    assert_eq!(ids_of(&found), [open.as_str()]);
    let query = [("customer", customer.as_str()), ("created[gte]", &later)];
    let found = bench.get("/v1/invoices", &query).await.ok();
    assert_eq!(ids_of(&found), [open.as_str()]);
    let query = [("customer", customer.as_str()), ("created[lt]", &later)];
    let found = bench.get("/v1/invoices", &query).await.ok();
    assert_eq!(ids_of(&found), [paid.as_str()]);
    assert_eq!(bench.get("/v1/invoices", &[("status", "lost")]).await.status, 400);
}

#[tokio::test]
async fn ids_become_objects_on_request_and_only_then() {
    let bench = Bench::new();
    let (customer, card) = bench.customer_with_card("pm_card_visa").await;
    let invoice = bench.open_invoice(&customer).await;
    bench.pay(&invoice, &card).await.ok();
    let path = format!("/v1/invoices/{invoice}");
    let plain = bench.get(&path, &[]).await.ok();
    assert_eq!(plain["customer"], customer.as_str());
    assert!(plain.get("payments").is_none() && plain.get("payment_intent").is_none());
    let query = [("expand[]", "customer"), ("expand[]", "payments.data.payment.payment_intent.payment_method")];
    let expanded = bench.get(&path, &query).await.ok();
    assert_eq!(expanded["customer"]["id"], customer.as_str());
    let payment = &expanded["payments"]["data"][0]["payment"];
    assert_eq!(payment["payment_intent"]["payment_method"]["id"], card.as_str());
}

#[tokio::test]
async fn expansion_goes_four_levels_deep_and_through_lists() {
    let bench = Bench::new();
    let (customer, card) = bench.customer_with_card("pm_card_visa").await;
    let invoice = bench.open_invoice(&customer).await;
    bench.pay(&invoice, &card).await.ok();
    let query = [("invoice", invoice.as_str()), ("expand[0]", "data.payment.payment_intent.payment_method")];
    let list = bench.get("/v1/invoice_payments", &query).await.ok();
    let intent = &list["data"][0]["payment"]["payment_intent"];
    assert_eq!(intent["status"], "succeeded");
    assert_eq!(intent["payment_method"]["id"], card.as_str());
    let query = [("expand[]", "customer.invoice_settings.default_payment_method")];
    bench.post(&format!("/v1/customers/{customer}"), &[("invoice_settings[default_payment_method]", &card)]).await.ok();
    let expanded = bench.get(&format!("/v1/invoices/{invoice}"), &query).await.ok();
    assert_eq!(expanded["customer"]["invoice_settings"]["default_payment_method"]["card"]["last4"], "4242");
    let error = bench.get(&format!("/v1/invoices/{invoice}"), &[("expand[]", "payment_intent")]).await.refused(400);
    assert!(error["message"].as_str().unwrap().contains("cannot be expanded"));
}

#[tokio::test]
async fn the_same_seed_gives_the_same_ids() {
    assert_eq!(Bench::new().customer().await, Bench::new().customer().await);
}

#[tokio::test]
async fn a_deleted_customer_leaves_a_tombstone_and_takes_its_cards_along() {
    let bench = Bench::new();
    let (customer, card) = bench.customer_with_card("pm_card_visa").await;
    assert_eq!(bench.delete(&format!("/v1/customers/{customer}")).await.ok()["deleted"], true);
    assert_eq!(bench.get(&format!("/v1/customers/{customer}"), &[]).await.ok()["deleted"], true);
    bench.post("/v1/invoices", &[("customer", &customer)]).await.refused(400);
    let method = bench.get(&format!("/v1/payment_methods/{card}"), &[]).await.ok();
    assert_eq!(method["customer"], serde_json::Value::Null);
}
