//! What the customer's invoices say about its company: kept at Stripe, replaced as a whole, and nowhere else.

use crate::support::{Answer, TestCloud, options};
use local_stripe::{Fault, FaultAction};
use serde_json::{Value, json};

const DETAILS: &str = "/v1/accounts/acme/billing-details";
const VISA: &str = "4242424242424242";

async fn opened() -> TestCloud {
    let cloud = TestCloud::start().await;
    cloud.open_account("acme").await;
    cloud
}

/// An account of a deployment with a parameter that is on.
async fn opened_with(parameter: &str) -> TestCloud {
    let mut options = options();
    options.parameters.insert(parameter.to_owned(), "true".to_owned());
    let cloud = TestCloud::start_with(options).await.expect("the local cloud starts");
    cloud.open_account("acme").await;
    cloud
}

fn german(value: &str) -> Value {
    json!({
        "company": "Acme GmbH",
        "address": {"country": "DE", "line1": "Beispielweg 1", "postal_code": "10115", "city": "Berlin"},
        "tax_id": {"type": "eu_vat", "value": value},
        "po_number": "PO-4711",
    })
}

fn shown(value: &str) -> Value {
    json!({
        "company": "Acme GmbH",
        "address": {
            "country": "DE", "line1": "Beispielweg 1", "line2": null, "postal_code": "10115", "city": "Berlin",
            "state": null,
        },
        "tax_id": {"type": "eu_vat", "value": value, "verification": "pending"},
        "po_number": "PO-4711", "tax_exempt": null,
    })
}

fn nothing() -> Value {
    json!({"company": null, "address": null, "tax_id": null, "po_number": null, "tax_exempt": null})
}

async fn put(cloud: &TestCloud, details: &Value) -> Answer {
    cloud.put(DETAILS, &cloud.cloud.customer_token("acme"), details).await
}

async fn read(cloud: &TestCloud) -> Value {
    cloud.get(DETAILS, &cloud.cloud.customer_token("acme")).await.expect(200).body
}

/// The values of all tax ids at Stripe, newest first.
async fn tax_ids(cloud: &TestCloud) -> Vec<Value> {
    let listed = cloud.stripe_list(&format!("/v1/customers/{}/tax_ids?limit=100", cloud.customer("acme").await)).await;
    listed.into_iter().map(|tax_id| tax_id["value"].clone()).collect()
}

#[tokio::test]
async fn details_are_on_later_invoices_and_in_nothing_of_ours() {
    let cloud = opened().await;
    assert_eq!(read(&cloud).await, nothing());
    cloud.buy("acme", "credits_500", VISA).await;
    let before = cloud.table();
    assert_eq!(put(&cloud, &german("DE123456789")).await.expect(200).body, shown("DE123456789"));
    assert_eq!(read(&cloud).await, shown("DE123456789"));
    cloud.settle().await;
    assert_eq!(cloud.table(), before, "nothing is stored");

    cloud.buy("acme", "credits_500", VISA).await;
    cloud.turn_on_auto_top_up("acme", 2_000, 5_000).await;
    assert_eq!(cloud.sweep().await["paid"], 1);
    let invoices = cloud.stripe_list("/v1/invoices?limit=100").await;
    let said =
        |invoice: &Value| ["customer_name", "customer_tax_ids", "custom_fields"].map(|name| invoice[name].clone());
    let expected = [
        json!("Acme GmbH"),
        json!([{"type": "eu_vat", "value": "DE123456789"}]),
        json!([{"name": "PO number", "value": "PO-4711"}]),
    ];
    let [top_up, later, earlier] = invoices.as_slice() else { panic!("{invoices:?}") };
    assert_eq!((said(top_up), said(later)), (expected.clone(), expected));
    assert_eq!(said(earlier), [Value::Null, json!([]), Value::Null], "an invoice that exists stays as it was");
    for text in ["Acme GmbH", "Beispielweg", "DE123456789", "PO-4711"] {
        assert!(!cloud.table().contains(text), "{text} is in the table");
    }
}

#[tokio::test]
async fn what_is_left_out_is_removed_and_the_companys_own_fields_stay() {
    let cloud = opened().await;
    let customer = format!("/v1/customers/{}", cloud.customer("acme").await);
    let own = |count: usize| {
        let part = |position: usize, part: &str| format!("invoice_settings[custom_fields][{position}][{part}]");
        let field = move |position| {
            [(part(position, "name"), format!("Field {position}")), (part(position, "value"), "1".to_owned())]
        };
        (0..count).flat_map(field).collect::<Vec<_>>()
    };
    let set = async |fields: Vec<(String, String)>| {
        let form: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        cloud.stripe_post(&customer, &form).await;
    };
    let fields = async || cloud.stripe_get(&customer).await["invoice_settings"]["custom_fields"].clone();
    set(own(1)).await;
    put(&cloud, &german("DE123456789")).await.expect(200);
    assert_eq!(fields().await.as_array().unwrap().len(), 2);
    assert_eq!(put(&cloud, &json!({"company": null})).await.expect(200).body, nothing());
    assert_eq!(fields().await, json!([{"name": "Field 0", "value": "1"}]));
    assert_eq!(tax_ids(&cloud).await, Vec::<Value>::new());
    let stored = cloud.stripe_get(&customer).await;
    assert_eq!((&stored["name"], &stored["address"]), (&Value::Null, &Value::Null));

    set(own(4)).await;
    put(&cloud, &german("DE123456789")).await.expect_problem(422, "invalid_request").field_error("po_number");
    assert_eq!((read(&cloud).await, tax_ids(&cloud).await), (nothing(), vec![]), "nothing was changed");
    let mut without = german("DE123456789");
    without["po_number"] = Value::Null;
    put(&cloud, &without).await.expect(200);
    assert_eq!(fields().await.as_array().unwrap().len(), 4);
    set(vec![("invoice_settings[custom_fields]".to_owned(), String::new())]).await;
    put(&cloud, &german("DE123456789")).await.expect(200);
    put(&cloud, &without).await.expect(200);
    assert_eq!(fields().await, Value::Null, "the last field is removed too");
}

#[tokio::test]
async fn a_detail_that_is_not_as_it_must_be_is_named_and_changes_nothing() {
    let cloud = opened().await;
    put(&cloud, &german("DE123456789")).await.expect(200);
    let (long, tax_id) =
        (|count: usize| "ä".repeat(count), |kind: &str, value: &str| json!({"type": kind, "value": value}));
    for (details, field) in [
        (json!({"company": ""}), "company"),
        (json!({"company": long(151)}), "company"),
        (json!({"company": " Acme"}), "company"),
        (json!({"company": "Acme\u{202e}"}), "company"),
        (json!({"company": 1}), "company"),
        (json!({"po_number": long(141)}), "po_number"),
        (json!({"address": []}), "address"),
        (json!({"address": {}}), "address.country"),
        (json!({"address": {"country": "de"}}), "address.country"),
        (json!({"address": {"country": "XX"}}), "address.country"),
        (json!({"address": {"country": "DE", "line1": long(201)}}), "address.line1"),
        (json!({"address": {"country": "DE", "line2": "a\nb"}}), "address.line2"),
        (json!({"address": {"country": "DE", "postal_code": long(21)}}), "address.postal_code"),
        (json!({"address": {"country": "DE", "city": ""}}), "address.city"),
        (json!({"address": {"country": "DE", "state": false}}), "address.state"),
        (json!({"address": {"country": "DE", "street": "1"}}), "address.street"),
        (json!({"tax_id": {"type": "eu_vat"}}), "tax_id.value"),
        (json!({"tax_id": {"value": "DE123456789"}}), "tax_id.type"),
        (json!({"tax_id": tax_id("unknown", "DE123456789")}), "tax_id.type"),
        (json!({"tax_id": tax_id("eu_vat", &long(41))}), "tax_id.value"),
        (json!({"tax_id": tax_id("eu_vat", "DE12345678")}), "tax_id.value"),
        (json!({"tax_id": tax_id("us_ein", "12-345678")}), "tax_id.value"),
        (json!({"name": "Acme"}), "name"),
    ] {
        put(&cloud, &details).await.expect_problem(422, "invalid_request").field_error(field);
    }
    assert_eq!(read(&cloud).await, shown("DE123456789"));
    for company in [long(150), "Ünïcödé & Söhne <GmbH>".to_owned()] {
        let accepted = put(&cloud, &json!({"company": company, "po_number": long(140)})).await.expect(200);
        assert_eq!(accepted.body["company"], company);
    }
}

/// Tax ids cannot be changed, only created and deleted.
#[tokio::test]
async fn a_replacement_that_was_interrupted_anywhere_is_completed_by_the_same_request() {
    let customers = "/v1/customers/*";
    let tax_ids_of = "/v1/customers/*/tax_ids";
    for (method, path) in [
        ("GET", customers),
        ("GET", tax_ids_of),
        ("POST", tax_ids_of),
        ("POST", customers),
        ("DELETE", "/v1/customers/*/tax_ids/*"),
    ] {
        for action in [FaultAction::LoseRequest, FaultAction::LoseAnswer, FaultAction::InternalErrorAfterEffect] {
            let cloud = opened().await;
            put(&cloud, &german("DE123456789")).await.expect(200);
            // As many as the client tries.
            cloud.cloud.stripe.add_fault(Fault { count: 2, ..Fault::once(method, path, action) });
            let is_deletion_repeated = method == "DELETE" && action != FaultAction::LoseRequest;
            let interrupted = put(&cloud, &german("DE987654321")).await;
            if !is_deletion_repeated {
                interrupted.expect_problem(503, "unavailable");
            }
            cloud.cloud.stripe.clear_faults();
            assert!(!tax_ids(&cloud).await.is_empty(), "never without one: {method} {path} {action:?}");
            assert_eq!(put(&cloud, &german("DE987654321")).await.expect(200).body, shown("DE987654321"));
            assert_eq!(tax_ids(&cloud).await, ["DE987654321"], "{method} {path} {action:?}");
        }
    }
}

#[tokio::test]
async fn a_replacement_that_changed_its_mind_halfway_ends_as_asked_last() {
    let cloud = opened().await;
    put(&cloud, &german("DE123456789")).await.expect(200);
    cloud.cloud.stripe.add_fault(Fault::once("POST", "/v1/customers/*", FaultAction::LoseRequest));
    put(&cloud, &german("DE987654321")).await.expect_problem(503, "unavailable");
    assert_eq!(tax_ids(&cloud).await, ["DE987654321", "DE123456789"]);
    put(&cloud, &german("DE123456789")).await.expect(200);
    assert_eq!(tax_ids(&cloud).await, ["DE123456789"]);
    let made = cloud.stripe_list("/v1/events?type=customer.tax_id.created&limit=100").await.len();
    put(&cloud, &german("de 123 456 789")).await.expect(200);
    let again = cloud.stripe_list("/v1/events?type=customer.tax_id.created&limit=100").await.len();
    assert_eq!(again, made, "the same tax id, written otherwise, is not created again");
}

#[tokio::test]
async fn of_two_replacements_at_the_same_time_one_tax_id_is_left() {
    for _ in 0..10 {
        let cloud = opened().await;
        put(&cloud, &german("DE111111111")).await.expect(200);
        let (one, other) = (german("DE123456789"), german("DE987654321"));
        let (first, second) = tokio::join!(put(&cloud, &one), put(&cloud, &other));
        assert_eq!((first.status, second.status), (200, 200));
        let left = tax_ids(&cloud).await;
        assert!(left == ["DE123456789"] || left == ["DE987654321"], "{left:?}");
    }
}

#[tokio::test]
async fn where_tax_is_calculated_the_address_has_to_tell_it() {
    let cloud = opened_with("StripeAutomaticTax").await;
    let american = json!({"country": "US", "line1": "1 Main Street", "postal_code": "94107"});
    put(&cloud, &json!({"company": "Acme", "address": american})).await.expect(200);
    let before = read(&cloud).await;
    let tax_id = json!({"type": "us_ein", "value": "12-3456789"});
    for details in [json!({"tax_id": tax_id}), json!({"address": {"country": "US"}, "tax_id": tax_id})] {
        put(&cloud, &details).await.expect_problem(422, "invalid_request").field_error("address");
        assert_eq!((read(&cloud).await, tax_ids(&cloud).await), (before.clone(), vec![]), "nothing was changed");
    }

    let exempt = [("tax_exempt", "reverse")];
    cloud.stripe_post(&format!("/v1/customers/{}", cloud.customer("acme").await), &exempt).await;
    assert_eq!(read(&cloud).await["tax_exempt"], "reverse");
    cloud.buy("acme", "credits_500", VISA).await;
    let invoices = cloud.get("/v1/accounts/acme/invoices", &cloud.cloud.customer_token("acme")).await.expect(200).body;
    let invoice = &invoices["data"][0];
    assert_eq!(invoice["taxes"][0]["reason"], "reverse_charge");
    assert_eq!(invoice["tax_note"], "Reverse charge: the customer accounts for the tax.");
    assert_eq!((&invoice["credits"], cloud.balance("acme").await), (&json!(500), 500));
}

#[tokio::test]
async fn where_tax_ids_are_collected_the_payment_page_fills_the_details_in() {
    let cloud = opened_with("StripeCollectTaxId").await;
    let token = cloud.cloud.customer_token("acme");
    let purchases = "/v1/accounts/acme/purchases";
    let opened = cloud.post(purchases, &token, Some("buy-1"), &json!({"package": "credits_500"})).await.expect(201);
    let entered = [
        ("country", "DE"),
        ("line1", "Beispielweg 1"),
        ("postal_code", "10115"),
        ("city", "Berlin"),
        ("business_name", "Acme GmbH"),
        ("tax_id_type", "eu_vat"),
        ("tax_id", "DE123456789"),
    ];
    cloud.pay_page_with(opened.body["checkout_url"].as_str().unwrap(), VISA, &entered).await;
    cloud.settle().await;
    let mut expected = shown("DE123456789");
    expected["po_number"] = Value::Null;
    assert_eq!((read(&cloud).await, cloud.balance("acme").await), (expected, 500));
    let invoice = &cloud.stripe_list("/v1/invoices?limit=100").await[0];
    assert_eq!(invoice["customer_tax_ids"][0]["value"], "DE123456789");
}
