//! The proof of a payment, end to end: the chain from what was bought to its receipt, compared link by link.

use crate::support::TestCloud;
use aws_sdk_dynamodb::types::AttributeValue;
use jiff::{SignedDuration, ToSpan};
use prepaid_local::prove;
use serde_json::{Value, json};
use shared::aws::AwsEnvironment;
use shared::config::Environment;
use shared::domain::payments::{CheckoutOutcome, PayBy, Payment, decide_open_purchase, decide_purchase_outcome};
use shared::domain::{AccountId, IdempotencyKey, NoticeId, PaymentIntentId, PriceBook, PurchaseId, date_of};
use shared::ports::Accounts;
use shared::surroundings::Surroundings;

const VISA: &str = "4242424242424242";

/// An account that bought 5,000 credits, and the payment of that.
async fn bought() -> (TestCloud, String) {
    let cloud = TestCloud::start().await;
    cloud.open_account("acme").await;
    cloud.open_account("globex").await;
    cloud.buy("acme", "credits_5000", VISA).await;
    cloud.settle().await;
    let payment = payment(&cloud, "acme").await;
    (cloud, payment)
}

/// The account's newest payment.
async fn payment(cloud: &TestCloud, account: &str) -> String {
    let customer = cloud.customer(account).await;
    let listed = cloud.stripe_get(&format!("/v1/payment_intents?customer={customer}")).await;
    listed["data"][0]["id"].as_str().unwrap().to_owned()
}

async fn proof(cloud: &TestCloud, payment: &str) -> Value {
    let path = format!("/v1/accounts/acme/payments/{payment}/proof");
    let shown = cloud.get(&path, &cloud.cloud.customer_token("acme")).await.expect(200).body;
    let path = format!("/v1/support/payments/{payment}/proof");
    let supports = cloud.get(&path, &cloud.support_token()).await.expect(200).body;
    assert_eq!(shown, supports, "both see the same");
    shown
}

fn link<'a>(proof: &'a Value, name: &str) -> &'a Value {
    let links = proof["links"].as_array().unwrap();
    links.iter().find(|link| link["link"] == name).unwrap_or_else(|| panic!("{name} is missing in {proof}"))
}

/// The links that do not hold, and what differs in them.
fn gaps(proof: &Value) -> Vec<(String, String, Value)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let links = proof["links"].as_array().unwrap().iter().filter(|link| link["status"] != "holds");
    links.map(|link| (text(&link["link"]), text(&link["status"]), link["differs"].clone())).collect()
}

/// Changes a number of an item, as nothing of the product ever does.
async fn tamper(cloud: &TestCloud, sort: &str, attribute: &str, value: &str) {
    let client = cloud.cloud.aws.dynamodb.client();
    let update = client.update_item().table_name(cloud.table());
    let update = update.key("PK", AttributeValue::S("ACCOUNT#acme".to_owned()));
    let update = update.key("SK", AttributeValue::S(sort.to_owned())).update_expression("SET #name = :value");
    let update = update.expression_attribute_names("#name", attribute);
    update.expression_attribute_values(":value", AttributeValue::N(value.to_owned())).send().await.unwrap();
}

async fn delete(cloud: &TestCloud, sort: &str) {
    let client = cloud.cloud.aws.dynamodb.client();
    let delete = client.delete_item().table_name(cloud.table());
    let delete = delete.key("PK", AttributeValue::S("ACCOUNT#acme".to_owned()));
    delete.key("SK", AttributeValue::S(sort.to_owned())).send().await.unwrap();
}

#[tokio::test]
async fn the_chain_of_a_purchase_holds_from_its_row_to_its_receipt() {
    let (cloud, payment) = bought().await;
    let proven = proof(&cloud, &payment).await;
    assert_eq!((&proven["holds"], gaps(&proven)), (&json!(true), vec![]), "{proven:#}");
    assert_eq!((&proven["account"], &proven["payment"]), (&json!("acme"), &json!(payment)));
    let purchase = proven["purchase"].as_str().unwrap();
    assert_eq!(link(&proven, "bought")["facts"]["id"], purchase);
    assert!(link(&proven, "asked")["facts"]["id"].as_str().unwrap().starts_with("cs_"));
    assert_eq!(link(&proven, "payment")["facts"]["amount_received"], 5_000);
    let entry = &link(&proven, "entry")["facts"];
    assert_eq!(
        (&entry["seq"], &entry["credits"], &entry["id"]),
        (&json!(1), &json!(5_000), &json!(format!("purchase:{purchase}")))
    );
    assert!(link(&proven, "receipt")["at"].is_string(), "{proven:#}");
    // By its invoice it is the same.
    let customer = cloud.customer("acme").await;
    let invoices = cloud.stripe_get(&format!("/v1/invoices?customer={customer}")).await;
    let by_invoice = proof(&cloud, invoices["data"][0]["id"].as_str().unwrap()).await;
    assert_eq!((&by_invoice["holds"], &by_invoice["payment"]), (&json!(true), &json!(payment)));
}

#[tokio::test]
async fn the_chain_of_a_top_up_holds_too() {
    let cloud = TestCloud::start().await;
    cloud.open_due_account("acme", "pm_card_visa").await;
    cloud.sweep().await;
    cloud.settle().await;
    let proven = proof(&cloud, &payment(&cloud, "acme").await).await;
    assert_eq!((&proven["holds"], gaps(&proven)), (&json!(true), vec![]), "{proven:#}");
    assert!(proven["top_up"].is_string() && link(&proven, "asked")["facts"]["id"] == proven["invoice"], "{proven}");
}

#[tokio::test]
async fn what_went_back_is_compared_with_what_was_taken_back() {
    let (cloud, payment) = bought().await;
    cloud.stripe_post("/v1/refunds", &[("payment_intent", payment.as_str()), ("amount", "1000")]).await;
    let unheard = proof(&cloud, &payment).await;
    assert_eq!(gaps(&unheard), [("returns".into(), "differs".into(), json!(["credits_taken_back"]))]);
    assert_eq!(unheard["holds"], false);
    cloud.settle().await;
    let heard = proof(&cloud, &payment).await;
    let returns = &link(&heard, "returns")["facts"];
    assert_eq!(
        (&heard["holds"], &returns["refunded"], &returns["credits_taken_back"]),
        (&json!(true), &json!(1_000), &json!(1_000))
    );
    assert_eq!((&returns["entries"], link(&heard, "returns")["at"].is_string()), (&json!(1), true));
}

#[tokio::test]
async fn a_payment_that_was_not_applied_has_gaps() {
    let cloud = TestCloud::start().await;
    cloud.open_account("acme").await;
    let token = cloud.cloud.customer_token("acme");
    let path = "/v1/accounts/acme/purchases";
    let opened = cloud.post(path, &token, Some("buy-1"), &json!({"package": "credits_5000"})).await.expect(201);
    cloud.pay_page(opened.body["checkout_url"].as_str().unwrap(), VISA).await;
    let payment = payment(&cloud, "acme").await;
    let proven = proof(&cloud, &payment).await;
    let named: Vec<_> = gaps(&proven).into_iter().map(|(link, status, _)| format!("{link} {status}")).collect();
    assert_eq!(named, ["bought differs", "entry missing", "receipt missing"], "{proven:#}");
    cloud.settle().await;
    assert_eq!(proof(&cloud, &payment).await["holds"], true);
}

#[tokio::test]
async fn whatever_is_changed_by_hand_breaks_its_link() {
    let (cloud, payment) = bought().await;
    let proven = proof(&cloud, &payment).await;
    let purchase = proven["purchase"].as_str().unwrap().to_owned();
    let notice = link(&proven, "receipt")["facts"]["id"].as_str().unwrap().to_owned();
    for (sort, attribute, wrong, right, broken) in [
        (format!("ENTRY#purchase:{purchase}"), "credits", "5001", "5000", "entry"),
        (format!("PURCHASE#{purchase}"), "credits", "4999", "5000", "entry"),
        (format!("PURCHASE#{purchase}"), "price", "4999", "5000", "payment"),
        (format!("NOTICE#{notice}"), "credits", "4999", "5000", "receipt"),
    ] {
        tamper(&cloud, &sort, attribute, wrong).await;
        let gaps = gaps(&proof(&cloud, &payment).await);
        assert!(
            gaps.iter().any(|(link, status, _)| link == broken && status == "differs"),
            "{sort} {attribute}: {gaps:?}"
        );
        tamper(&cloud, &sort, attribute, right).await;
        assert_eq!(proof(&cloud, &payment).await["holds"], true);
    }
    delete(&cloud, &format!("NOTICE#{notice}")).await;
    let missing = proof(&cloud, &payment).await;
    assert_eq!(gaps(&missing), [("receipt".into(), "missing".into(), json!([]))]);
    cloud.cloud.clock.advance(SignedDuration::from_hours(31 * 24)).unwrap();
    let old = proof(&cloud, &payment).await;
    assert_eq!((&old["holds"], gaps(&old)), (&json!(true), vec![("receipt".into(), "not_kept".into(), json!([]))]));
    delete(&cloud, &format!("ENTRY#purchase:{purchase}")).await;
    assert_eq!(link(&proof(&cloud, &payment).await, "entry")["status"], "missing");
    delete(&cloud, &format!("PURCHASE#{purchase}")).await;
    assert_eq!(link(&proof(&cloud, &payment).await, "bought")["status"], "missing");
}

#[tokio::test]
async fn another_accounts_payment_is_answered_as_one_that_does_not_exist() {
    let (cloud, payment) = bought().await;
    let globex = cloud.cloud.customer_token("globex");
    let others = cloud.get(&format!("/v1/accounts/globex/payments/{payment}/proof"), &globex).await;
    let none = cloud.get("/v1/accounts/globex/payments/pi_none/proof", &globex).await;
    assert_eq!(others.without_request_id(), none.without_request_id());
    none.expect_problem(404, "not_found");
    for path in ["pi_none", "in_none", "ch_none", "acme"] {
        let path = format!("/v1/support/payments/{path}/proof");
        cloud.get(&path, &cloud.support_token()).await.expect_problem(404, "not_found");
    }
    // A payment that was not made for credits proves nothing.
    let form = [("amount", "700"), ("currency", "usd"), ("customer", &cloud.customer("acme").await)];
    let strange = cloud.stripe_post("/v1/payment_intents", &form).await;
    let path = format!("/v1/support/payments/{}/proof", strange["id"].as_str().unwrap());
    cloud.get(&path, &cloud.support_token()).await.expect_problem(404, "not_found");
}

// ── All payments of a period ─────────────────────────────────────────────────────────────────────────────────────────

/// What `cargo run -- prove` prints for the last 30 days, and whether every link holds.
async fn prove_period(cloud: &TestCloud) -> (bool, String) {
    let variables = [
        ("AWS_REGION", "us-east-1"),
        ("AWS_ACCESS_KEY_ID", "local"),
        ("AWS_SECRET_ACCESS_KEY", "local"),
        ("AWS_ENDPOINT_URL", &cloud.cloud.urls.aws),
        ("TABLE_NAME", &cloud.table()),
        ("STRIPE_API_BASE", &cloud.cloud.urls.stripe),
        ("STRIPE_SECRET_ID", "stripe"),
        ("DEPLOYMENT", "000000000000/us-east-1/prepaid"),
    ];
    let environment = Environment::of(variables.map(|(name, value)| (name.to_owned(), value.to_owned())).into());
    let aws = AwsEnvironment::of(&environment).unwrap();
    let surroundings = Surroundings { environment, aws, clock: cloud.cloud.clock.clone() };
    let today = date_of(cloud.now());
    let mut out = vec![];
    let holds = prove::prove(surroundings, (today - 30.days(), today), &mut out).await.unwrap();
    (holds, String::from_utf8(out).unwrap())
}

#[tokio::test]
async fn all_payments_of_a_period_are_proven_in_both_directions() {
    let cloud = TestCloud::start().await;
    cloud.open_due_account("acme", "pm_card_visa").await;
    cloud.open_account("globex").await;
    cloud.sweep().await;
    cloud.buy("globex", "credits_5000", VISA).await;
    cloud.settle().await;
    let returned = payment(&cloud, "globex").await;
    cloud.stripe_post("/v1/refunds", &[("payment_intent", returned.as_str()), ("amount", "1000")]).await;
    cloud.settle().await;
    let (holds, told) = prove_period(&cloud).await;
    assert!(holds && told.ends_with("Every link holds.\n"), "{told}");
    let (payments, grants) = (told.matches(" holds\n").count(), cloud.entries("acme", "purchase").await.len() + 2);
    assert_eq!(payments, grants, "each payment is told once: {told}");
    assert!(told.contains(&format!("{grants} payments, 0 of them owe nothing, and {grants} grants.")), "{told}");
    // After more than a month there is nothing to prove.
    cloud.cloud.clock.advance(SignedDuration::from_hours(32 * 24)).unwrap();
    let (holds, told) = prove_period(&cloud).await;
    assert!(holds && told.contains("0 payments, 0 of them owe nothing, and 0 grants."), "{told}");
}

#[tokio::test]
async fn a_payment_without_its_entry_is_the_first_gap() {
    let (cloud, _) = bought().await;
    let token = cloud.cloud.customer_token("acme");
    let path = "/v1/accounts/acme/purchases";
    let opened = cloud.post(path, &token, Some("buy-2"), &json!({"package": "credits_500"})).await.expect(201);
    assert!(prove_period(&cloud).await.0, "what is open is no gap");
    cloud.pay_page(opened.body["checkout_url"].as_str().unwrap(), VISA).await;
    let (holds, told) = prove_period(&cloud).await;
    let purchase = opened.body["purchase"].as_str().unwrap();
    assert!(
        !holds && told.contains("First gap: in_") && told.contains(&format!("for {purchase}: bought differs status")),
        "{told}"
    );
    // If all of it went back, nothing is owed.
    let payment = payment(&cloud, "acme").await;
    cloud.stripe_post("/v1/refunds", &[("payment_intent", payment.as_str())]).await;
    let (holds, told) = prove_period(&cloud).await;
    assert!(holds && told.contains("2 payments, 1 of them owe nothing, and 1 grants."), "{told}");
}

#[tokio::test]
async fn credits_without_a_payment_are_a_gap_too() {
    let (cloud, _) = bought().await;
    let ledger = cloud.ledger();
    let account = ledger.account_get(&AccountId::parse("acme").unwrap()).await.unwrap().unwrap();
    let book = PriceBook::reference();
    let (id, key) = (PurchaseId::mint(7), IdempotencyKey::parse("forged").unwrap());
    let by = (&book.packages[0], &PayBy::Page);
    let (opened, purchase) = decide_open_purchase(&account, by, key, id, cloud.now()).unwrap();
    ledger.commit(&opened).await.unwrap();
    let forged = Payment {
        customer: account.customer.clone(),
        amount: purchase.price.minor(),
        currency: "usd".into(),
        invoice: None,
        payment_intent: PaymentIntentId::parse("pi_forged").ok(),
        payment_method: None,
        receipt: None,
        by_invoice: None,
    };
    let outcome = CheckoutOutcome::Paid(forged);
    let notice = NoticeId::mint(7);
    let granted =
        decide_purchase_outcome(&opened.account, &purchase, &outcome, None, notice, cloud.now()).unwrap().unwrap();
    ledger.commit(&granted).await.unwrap();
    let (holds, told) = prove_period(&cloud).await;
    let gap = format!("First gap: pi_forged of acme for {}: payment missing.", purchase.id);
    assert!(!holds && told.contains(&gap), "{told}");
}
