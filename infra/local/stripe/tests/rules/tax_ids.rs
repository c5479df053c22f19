//! Tax ids, and what else of a customer an invoice shows.

use crate::support::Bench;
use serde_json::{Value, json};

fn tax_ids(customer: &str) -> String {
    format!("/v1/customers/{customer}/tax_ids")
}

#[tokio::test]
async fn a_tax_id_is_created_listed_and_deleted_but_never_changed() {
    let bench = Bench::new();
    let customer = bench.customer().await;
    let path = tax_ids(&customer);
    let german = [("type", "eu_vat"), ("value", "DE123456789")];
    let first = bench.post(&path, &german).await.ok();
    assert_eq!((&first["object"], &first["verification"]["status"]), (&json!("tax_id"), &json!("pending")));
    let second = bench.post(&path, &german).await.ok();
    let listed = async || {
        let list = bench.get(&path, &[]).await.ok()["data"].clone();
        list.as_array().unwrap().iter().map(|tax_id| tax_id["id"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(listed().await, [second["id"].clone(), first["id"].clone()], "newest first, and the same one twice");
    let one = format!("{path}/{}", first["id"].as_str().unwrap());
    assert_eq!(bench.get(&one, &[]).await.ok(), first);
    bench.post(&one, &german).await.refused(404);
    assert_eq!(bench.delete(&one).await.ok()["deleted"], true);
    bench.delete(&one).await.refused(404);
    assert_eq!(listed().await, [second["id"].clone()]);

    let stranger = bench.customer().await;
    bench.delete(&format!("{}/{}", tax_ids(&stranger), second["id"].as_str().unwrap())).await.refused(404);
    bench.delete(&format!("/v1/customers/{customer}")).await.ok();
    bench.get(&path, &[]).await.refused(404);
    let kinds = bench.events().await;
    let count = |kind: &str| kinds.iter().filter(|known| *known == kind).count();
    assert_eq!((count("customer.tax_id.created"), count("customer.tax_id.deleted")), (2, 1));
}

#[tokio::test]
async fn a_type_that_does_not_exist_and_a_value_of_another_form_are_refused() {
    let bench = Bench::new();
    let customer = bench.customer().await;
    for (kind, value, param, code) in [
        ("", "DE123456789", "type", "parameter_invalid"),
        ("unknown", "DE123456789", "type", "parameter_invalid"),
        ("EU_VAT", "DE123456789", "type", "parameter_invalid"),
        ("eu_vat", "DE12345678", "value", "tax_id_invalid"),
        ("eu_vat", "GB123456789", "value", "tax_id_invalid"),
        ("eu_vat", "Ü", "value", "tax_id_invalid"),
        ("eu_vat", "", "value", "tax_id_invalid"),
        ("us_ein", "12-345678", "value", "tax_id_invalid"),
        ("gb_vat", "123456789", "value", "tax_id_invalid"),
        ("za_vat", " ", "value", "tax_id_invalid"),
    ] {
        let refusal = bench.post(&tax_ids(&customer), &[("type", kind), ("value", value)]).await.refused(400);
        assert_eq!((&refusal["param"], &refusal["code"]), (&json!(param), &json!(code)), "{kind} {value}");
    }
    for (kind, value) in
        [("eu_vat", "ATU12345678"), ("eu_vat", "EL123456789"), ("us_ein", "12-3456789"), ("gb_vat", "GB123456789")]
    {
        bench.post(&tax_ids(&customer), &[("type", kind), ("value", value)]).await.ok();
    }
}

#[tokio::test]
async fn a_finalized_invoice_shows_the_customer_as_it_was() {
    let bench = Bench::new();
    let customer = bench.customer().await;
    let path = format!("/v1/customers/{customer}");
    let order = [
        ("invoice_settings[custom_fields][0][name]", "PO number"),
        ("invoice_settings[custom_fields][0][value]", "4711"),
    ];
    bench.post(&path, &order).await.ok();
    bench.post(&path, &[("name", "Acme GmbH"), ("address[country]", "DE"), ("address[line2]", "")]).await.ok();
    bench.post(&tax_ids(&customer), &[("type", "eu_vat"), ("value", "DE123456789")]).await.ok();
    let created = bench.post("/v1/invoices", &[("customer", &customer)]).await.ok();
    let invoice = format!("/v1/invoices/{}", created["id"].as_str().unwrap());
    let item = [
        ("customer", customer.as_str()),
        ("invoice", created["id"].as_str().unwrap()),
        ("amount", "500"),
        ("currency", "usd"),
    ];
    bench.post("/v1/invoiceitems", &item).await.ok();
    bench.post(&format!("{invoice}/finalize"), &[]).await.ok();
    bench.post(&path, &[("name", "Globex"), ("address[country]", ""), ("tax_exempt", "reverse")]).await.ok();
    bench.post(&path, &[("invoice_settings[custom_fields]", "")]).await.ok();
    let shown = bench.get(&invoice, &[]).await.ok();
    assert_eq!(shown["customer_tax_ids"], json!([{ "type": "eu_vat", "value": "DE123456789" }]));
    assert_eq!(shown["custom_fields"], json!([{ "name": "PO number", "value": "4711" }]));
    assert_eq!((&shown["customer_name"], &shown["customer_tax_exempt"]), (&json!("Acme GmbH"), &json!("none")));
    assert_eq!(shown["customer_address"]["country"], "DE");
    assert_eq!(shown["customer_address"]["line2"], Value::Null);
    let page = bench.open(shown["hosted_invoice_url"].as_str().unwrap()).await.text;
    assert!(page.contains("PO number: 4711") && page.contains("eu_vat: DE123456789"), "{page}");
    let owner = bench.get(&path, &[]).await.ok();
    assert_eq!((&owner["address"], &owner["invoice_settings"]["custom_fields"]), (&Value::Null, &Value::Null));
    let next = bench.post("/v1/invoices", &[("customer", &customer)]).await.ok();
    assert_eq!((&next["custom_fields"], &next["customer_name"]), (&Value::Null, &json!("Globex")));
}

#[tokio::test]
async fn custom_fields_names_and_locations_have_bounds() {
    let bench = Bench::new();
    let path = format!("/v1/customers/{}", bench.customer().await);
    let field = |position: usize, part: &str| format!("invoice_settings[custom_fields][{position}][{part}]");
    let order =
        |name: &str, value: &str| vec![(field(0, "name"), name.to_owned()), (field(0, "value"), value.to_owned())];
    let five = (0..5)
        .flat_map(|position| [(field(position, "name"), "n".to_owned()), (field(position, "value"), "v".to_owned())]);
    let tax = ("tax[validate_location]".to_owned(), "immediately".to_owned());
    let located = |fields: &[(&str, &str)]| {
        let fields = fields.iter().map(|(name, text)| (format!("address[{name}]"), (*text).to_owned()));
        fields.chain([tax.clone()]).collect::<Vec<_>>()
    };
    for (form, param) in [
        (order(&"n".repeat(41), "1"), Some(field(0, "name"))),
        (order("PO number", &"1".repeat(141)), Some(field(0, "value"))),
        (order("PO number", ""), Some(field(0, "value"))),
        (five.collect(), Some("invoice_settings[custom_fields]".to_owned())),
        (vec![("name".to_owned(), "n".repeat(257))], Some("name".to_owned())),
        (located(&[("country", "US")]), None),
        (located(&[("country", "CA")]), None),
        (located(&[("line1", "1 Main Street")]), None),
        (vec![tax.clone()], None),
    ] {
        let form: Vec<(&str, &str)> = form.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let refusal = bench.post(&path, &form).await.refused(400);
        match param {
            Some(param) => assert_eq!(refusal["param"], param),
            None => assert_eq!(refusal["code"], "customer_tax_location_invalid"),
        }
    }
    for form in [
        order(&"n".repeat(40), &"1".repeat(140)),
        located(&[("country", "US"), ("postal_code", "94107")]),
        located(&[("country", "CA"), ("state", "BC")]),
        located(&[("country", "DE")]),
    ] {
        let form: Vec<(&str, &str)> = form.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        bench.post(&path, &form).await.ok();
    }
}
