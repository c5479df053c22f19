//! Saved cards: listed as Stripe has them, saved on a page, chosen and removed, whatever happens in between.

use crate::support::{Answer, TestCloud};
use jiff::SignedDuration;
use local_aws::dynamodb::Fault as DynamoFault;
use local_aws::wire::Loss;
use local_stripe::{Fault, FaultAction, WebhookConduct};
use reqwest::Method;
use serde_json::{Value, json};

const CARDS: &str = "/v1/accounts/acme/payment-methods";
const VISA: &str = "4242424242424242";
const MASTERCARD: &str = "5555555555554444";

async fn opened() -> TestCloud {
    let cloud = TestCloud::start().await;
    cloud.open_account("acme").await;
    cloud
}

async fn list(cloud: &TestCloud) -> Vec<Value> {
    let answer = cloud.get(CARDS, &cloud.cloud.customer_token("acme")).await.expect(200);
    answer.body["data"].as_array().cloned().unwrap()
}

async fn remove(cloud: &TestCloud, card: &str) -> Answer {
    let request = cloud.request(Method::DELETE, &format!("{CARDS}/{card}"));
    cloud.send(request.bearer_auth(cloud.cloud.customer_token("acme"))).await
}

async fn choose(cloud: &TestCloud, card: &str) -> Answer {
    let body = json!({ "payment_method": card });
    cloud.put(&format!("{CARDS}/default"), &cloud.cloud.customer_token("acme"), &body).await
}

async fn page(cloud: &TestCloud, path: &str) -> String {
    let path = format!("/v1/accounts/acme/{path}");
    let opened = cloud.post(&path, &cloud.cloud.customer_token("acme"), None, &json!({})).await.expect(200);
    opened.body["url"].as_str().unwrap().to_owned()
}

/// The card that Stripe asks, the card that the account names, and whether top-ups are on.
async fn asked(cloud: &TestCloud) -> (Value, Value, Value) {
    let customer = cloud.stripe_get(&format!("/v1/customers/{}", cloud.customer("acme").await)).await;
    let support = cloud.get("/v1/support/accounts/acme", &cloud.support_token()).await.expect(200);
    let default = customer["invoice_settings"]["default_payment_method"].clone();
    (default, support.body["auto_top_up"]["payment_method"].clone(), support.body["auto_top_up"]["enabled"].clone())
}

/// Who turned automatic top-ups off, and why.
async fn why_off(cloud: &TestCloud) -> (Value, Value) {
    let settings = cloud.auto_top_up("acme").await;
    assert!(settings["changed_at"].is_string(), "{settings}");
    (settings["changed_by"].clone(), settings["off_reason"].clone())
}

fn lose_webhooks(cloud: &TestCloud) {
    cloud.cloud.stripe.set_webhook_conduct(WebhookConduct { drop_next: u32::MAX, ..WebhookConduct::default() });
}

#[tokio::test]
async fn cards_are_listed_as_stripe_has_them_now() {
    let cloud = opened().await;
    assert_eq!(list(&cloud).await, Vec::<Value>::new());
    let visa = cloud.save_card("acme", "pm_card_visa").await;
    let other = cloud.save_card("acme", "pm_card_mastercard").await;
    let expected = |id: &str, brand: &str, last4: &str, is_default: bool| {
        json!({
            "payment_method": id, "type": "card", "brand": brand, "last4": last4, "exp_month": 12, "exp_year": 2028,
            "wallet": null, "default": is_default, "expiring": false, "expired": false,
            "saved_at": "2026-01-05T00:00:00.000Z",
        })
    };
    let both = [expected(&other, "mastercard", "4444", true), expected(&visa, "visa", "4242", false)];
    assert_eq!(list(&cloud).await, both);

    // The network has replaced the card: it is the same one, with another expiry.
    let replaced = [("card[exp_month]", "1"), ("card[exp_year]", "2026")];
    cloud.stripe_post(&format!("/v1/payment_methods/{visa}"), &replaced).await;
    let seen = list(&cloud).await[1].clone();
    assert_eq!((&seen["payment_method"], &seen["exp_month"]), (&json!(visa), &json!(1)));
    assert_eq!((&seen["expiring"], &seen["expired"]), (&json!(true), &json!(false)));
    cloud.cloud.clock.advance(SignedDuration::from_hours(27 * 24)).unwrap();
    let seen = list(&cloud).await[1].clone();
    assert_eq!((&seen["expiring"], &seen["expired"]), (&json!(false), &json!(true)), "the first of February");
}

/// Stripe lists at most a hundred at a time.
#[tokio::test]
async fn a_card_saved_with_every_purchase_is_one_card_on_every_page_of_stripes_list() {
    let cloud = opened().await;
    let customer = cloud.customer("acme").await;
    let mastercard = cloud.save_card("acme", "pm_card_mastercard").await;
    for _ in 0..101 {
        cloud.stripe_post("/v1/payment_methods/pm_card_visa/attach", &[("customer", &customer)]).await;
    }
    cloud.settle().await;
    let cards = list(&cloud).await;
    assert_eq!(cards.len(), 2);
    assert_eq!((&cards[1]["payment_method"], &cards[1]["default"]), (&json!(mastercard), &json!(true)));
    let visa = cards[0]["payment_method"].as_str().unwrap().to_owned();
    assert_eq!(remove(&cloud, &visa).await.expect(200).body["data"].as_array().unwrap().len(), 1);
    let left = cloud.stripe_list(&format!("/v1/payment_methods?customer={customer}&limit=100")).await;
    assert_eq!(left.len(), 1, "all 101 are detached");
}

#[tokio::test]
async fn a_bank_account_is_listed_without_an_expiry() {
    let cloud = opened().await;
    cloud.save_card("acme", "pm_usBankAccount_success").await;
    let account = list(&cloud).await[0].clone();
    assert_eq!((&account["type"], &account["exp_year"]), (&json!("us_bank_account"), &Value::Null));
    assert!(account["brand"].is_string() && account["last4"].is_string(), "{account}");
}

#[tokio::test]
async fn a_card_saved_on_the_page_becomes_the_default_and_takes_no_money() {
    let cloud = opened().await;
    cloud.save_card("acme", "pm_card_visa").await;
    let url = page(&cloud, "payment-methods/setup").await;
    cloud.pay_page(&url, MASTERCARD).await;
    cloud.settle().await;
    let cards = list(&cloud).await;
    assert_eq!((&cards[0]["last4"], &cards[0]["default"], cards.len()), (&json!("4444"), &json!(true), 2));
    let (default, account, _) = asked(&cloud).await;
    assert_eq!((&default, &account), (&cards[0]["payment_method"], &cards[0]["payment_method"]));
    assert_eq!((cloud.cents_taken("acme").await, cloud.balance("acme").await), (vec![], 0));
}

/// The event about the page comes late, or again after the customer has gone back to the card of before.
#[tokio::test]
async fn a_card_from_a_page_never_undoes_a_choice_that_was_made_since() {
    let cloud = opened().await;
    let visa = cloud.save_card("acme", "pm_card_visa").await;
    let amex = cloud.save_card("acme", "pm_card_amex").await;
    let url = page(&cloud, "payment-methods/setup").await;
    choose(&cloud, &visa).await.expect(200);
    cloud.pay_page(&url, MASTERCARD).await;
    cloud.settle().await;
    assert_eq!(asked(&cloud).await.0, json!(visa), "chosen since the page was opened");

    choose(&cloud, &amex).await.expect(200);
    let url = page(&cloud, "payment-methods/setup").await;
    // The account cannot be changed, so the event fails after Stripe has taken the card, and is sent again later.
    cloud.cloud.aws.dynamodb.faults().decide_with(|operation| {
        (operation.name == "TransactWriteItems").then_some(DynamoFault::LoseRequest(Loss::ConnectionReset))
    });
    cloud.pay_page(&url, MASTERCARD).await;
    cloud.settle().await;
    cloud.cloud.aws.dynamodb.faults().clear();
    let mastercard = asked(&cloud).await.0;
    assert!(mastercard != json!(amex), "the card of the page");
    choose(&cloud, &amex).await.expect(200);
    cloud.cloud.clock.advance(SignedDuration::from_hours(24)).unwrap();
    cloud.settle().await;
    let (default, account, _) = asked(&cloud).await;
    assert_eq!((default, account), (json!(amex), json!(amex)), "told again, after the customer went back");
}

#[tokio::test]
async fn the_chosen_card_is_the_one_that_is_charged() {
    let cloud = opened().await;
    let visa = cloud.save_card("acme", "pm_card_visa").await;
    cloud.save_card("acme", "pm_card_chargeCustomerFail").await;
    cloud.turn_on_auto_top_up("acme", 1_000, 5_000).await;
    let chosen = choose(&cloud, &visa).await.expect(200).body;
    assert_eq!(chosen["note"], "Automatic top-ups are charged to Visa •••• 4242.");
    assert_eq!((&chosen["data"][1]["payment_method"], &chosen["data"][1]["default"]), (&json!(visa), &json!(true)));
    assert_eq!(choose(&cloud, &visa).await.expect(200).body, chosen, "again");
    assert_eq!(cloud.sweep().await["paid"], 1);
    assert_eq!(cloud.balance("acme").await, 5_000);
}

#[tokio::test]
async fn removing_the_last_card_turns_top_ups_off_and_says_so() {
    let cloud = opened().await;
    let visa = cloud.save_card("acme", "pm_card_visa").await;
    cloud.turn_on_auto_top_up("acme", 1_000, 5_000).await;
    let left = remove(&cloud, &visa).await.expect(200).body;
    let note = "There is no saved card left, so automatic top-ups are off. \
                To use them again, save a card and turn them on.";
    assert_eq!(left, json!({"data": [], "auto_top_up_enabled": false, "note": note}));
    assert_eq!(asked(&cloud).await, (Value::Null, Value::Null, json!(false)));
    assert_eq!((cloud.sweep().await["due"].clone(), cloud.pay_calls()), (json!(0), 0));
    remove(&cloud, &visa).await.expect_problem(404, "not_found");
    cloud.settle().await;
    assert_eq!(asked(&cloud).await, (Value::Null, Value::Null, json!(false)));
    assert_eq!(why_off(&cloud).await, (Value::Null, json!("last_card_removed")));
    let detached = cloud.stripe(Method::POST, &format!("/v1/payment_methods/{visa}/attach"), &[]).await;
    assert_eq!(detached.status, 400, "it can never be attached again");
}

#[tokio::test]
async fn removing_the_default_leaves_the_next_card_to_be_asked_and_names_it() {
    let cloud = opened().await;
    let mastercard = cloud.save_card("acme", "pm_card_mastercard").await;
    let visa = cloud.save_card("acme", "pm_card_visa").await;
    cloud.turn_on_auto_top_up("acme", 1_000, 5_000).await;
    let left = remove(&cloud, &visa).await.expect(200).body;
    assert_eq!(left["note"], "Automatic top-ups are charged to Mastercard •••• 4444.");
    assert_eq!((left["data"].as_array().unwrap().len(), &left["data"][0]["default"]), (1, &json!(true)));
    cloud.settle().await;
    assert_eq!(asked(&cloud).await, (json!(mastercard), json!(mastercard), json!(true)));
    assert_eq!(cloud.sweep().await["paid"], 1);
}

/// The same card saved with a purchase and again: removing it must not leave its copy to be asked.
#[tokio::test]
async fn a_removed_card_is_not_asked_under_another_id() {
    let cloud = opened().await;
    cloud.buy("acme", "credits_500", VISA).await;
    let again = cloud.save_card("acme", "pm_card_visa").await;
    cloud.turn_on_auto_top_up("acme", 1_000, 5_000).await;
    assert_eq!(list(&cloud).await.len(), 1);
    let left = remove(&cloud, &again).await.expect(200).body;
    assert_eq!((left["data"].clone(), left["auto_top_up_enabled"].clone()), (json!([]), json!(false)));
    cloud.settle().await;
    assert_eq!(asked(&cloud).await, (Value::Null, Value::Null, json!(false)));
}

#[tokio::test]
async fn the_card_of_another_customer_is_unknown_and_stays() {
    let cloud = opened().await;
    cloud.open_account("globex").await;
    let theirs = cloud.save_card("globex", "pm_card_visa").await;
    cloud.save_card("acme", "pm_card_mastercard").await;
    let before = cloud.books();
    let refused = remove(&cloud, &theirs).await.expect_problem(404, "not_found").without_request_id();
    assert_eq!(remove(&cloud, "pm_none").await.without_request_id(), refused, "as one that does not exist");
    let not_ours = choose(&cloud, &theirs).await.expect_problem(422, "invalid_request");
    assert_eq!(not_ours.field_error("payment_method"), "must be a saved card of this customer");
    let card = cloud.stripe_get(&format!("/v1/payment_methods/{theirs}")).await;
    assert_eq!(card["customer"], cloud.customer("globex").await);
    assert_eq!(cloud.books(), before);
}

/// Whatever happens between us and Stripe or the table, the same request removes the card, or the event completes it.
#[tokio::test]
async fn a_removal_that_failed_halfway_is_completed_by_the_same_request_or_by_the_event() {
    for (action, is_by_event) in [
        (FaultAction::LoseAnswer, false),
        (FaultAction::LoseRequest, false),
        (FaultAction::RateLimit, false),
        (FaultAction::InternalErrorAfterEffect, false),
        (FaultAction::Unavailable, false),
        (FaultAction::LoseAnswer, true),
    ] {
        let cloud = opened().await;
        let visa = cloud.save_card("acme", "pm_card_visa").await;
        cloud.turn_on_auto_top_up("acme", 1_000, 5_000).await;
        if !is_by_event {
            lose_webhooks(&cloud);
        }
        let path = "/v1/payment_methods/*/detach".to_owned();
        cloud.cloud.stripe.add_fault(Fault { method: Some("POST".into()), path, action, count: u32::MAX });
        remove(&cloud, &visa).await.expect_problem(503, "unavailable");
        cloud.cloud.stripe.clear_faults();
        if is_by_event {
            cloud.settle().await;
        } else {
            let left = remove(&cloud, &visa).await.expect(200).body;
            assert_eq!((&left["data"], &left["auto_top_up_enabled"]), (&json!([]), &json!(false)), "{action:?}");
        }
        assert_eq!(asked(&cloud).await, (Value::Null, Value::Null, json!(false)), "{action:?}, {is_by_event}");
    }
}

#[tokio::test]
async fn a_removal_whose_account_could_not_be_written_is_completed_by_the_same_request() {
    let cloud = opened().await;
    let visa = cloud.save_card("acme", "pm_card_visa").await;
    cloud.turn_on_auto_top_up("acme", 1_000, 5_000).await;
    lose_webhooks(&cloud);
    cloud.cloud.aws.dynamodb.faults().decide_with(|operation| {
        (operation.name == "TransactWriteItems").then_some(DynamoFault::LoseRequest(Loss::ConnectionReset))
    });
    remove(&cloud, &visa).await.expect_problem(503, "unavailable");
    cloud.cloud.aws.dynamodb.faults().clear();
    assert_eq!(asked(&cloud).await, (Value::Null, json!(visa), json!(true)), "the card is gone, and nobody knows");
    assert_eq!(remove(&cloud, &visa).await.expect(200).body["auto_top_up_enabled"], false);
    assert_eq!(asked(&cloud).await, (Value::Null, Value::Null, json!(false)));
}

/// What the customer removes on Stripe's own page is followed.
#[tokio::test]
async fn removing_the_last_card_on_stripes_page_turns_top_ups_off() {
    let cloud = opened().await;
    let visa = cloud.save_card("acme", "pm_card_visa").await;
    cloud.turn_on_auto_top_up("acme", 1_000, 5_000).await;
    let url = page(&cloud, "billing-portal").await;
    let shown = cloud.visit(&url).await.expect(200).text;
    assert!(shown.contains("4242"), "{shown}");
    let detached = reqwest::Client::new().post(&url).form(&[("detach", visa.as_str())]).send().await.unwrap();
    assert!(detached.status().as_u16() < 400);
    cloud.settle().await;
    assert_eq!(asked(&cloud).await, (Value::Null, Value::Null, json!(false)));
    assert_eq!(why_off(&cloud).await, (Value::Null, json!("last_card_removed")));
    assert_eq!(list(&cloud).await, Vec::<Value>::new());
}

/// Top-ups may be turned on before the first card is saved, and an event about the customer does not turn them off.
#[tokio::test]
async fn top_ups_that_wait_for_a_first_card_stay_on() {
    let cloud = opened().await;
    cloud.turn_on_auto_top_up("acme", 1_000, 5_000).await;
    let customer = cloud.customer("acme").await;
    cloud.stripe_post(&format!("/v1/customers/{customer}"), &[("phone", "5550100")]).await;
    cloud.settle().await;
    assert_eq!(asked(&cloud).await, (Value::Null, Value::Null, json!(true)));
}

#[tokio::test]
async fn a_removal_during_an_open_attempt_ends_it_without_a_payment() {
    let cloud = opened().await;
    let visa = cloud.save_card("acme", "pm_card_visa").await;
    cloud.turn_on_auto_top_up("acme", 1_000, 5_000).await;
    let path = "/v1/invoices/*/pay".to_owned();
    let action = FaultAction::Unavailable;
    cloud.cloud.stripe.add_fault(Fault { method: Some("POST".into()), path, action, count: u32::MAX });
    assert_eq!(cloud.sweep().await["unknown"], 1);
    remove(&cloud, &visa).await.expect(200);
    cloud.cloud.stripe.clear_faults();
    cloud.advance(SignedDuration::from_hours(1)).await;
    cloud.settle().await;
    assert_eq!((cloud.cents_taken("acme").await, cloud.balance("acme").await), (vec![], 0));
}

#[tokio::test]
async fn cards_of_a_deleted_customer_are_refused_plainly_and_removing_one_still_turns_top_ups_off() {
    let cloud = opened().await;
    let visa = cloud.save_card("acme", "pm_card_visa").await;
    cloud.turn_on_auto_top_up("acme", 1_000, 5_000).await;
    lose_webhooks(&cloud);
    cloud.stripe(Method::DELETE, &format!("/v1/customers/{}", cloud.customer("acme").await), &[]).await.expect(200);
    let token = cloud.cloud.customer_token("acme");
    cloud.get(CARDS, &token).await.expect_problem(409, "customer_deleted");
    choose(&cloud, &visa).await.expect_problem(409, "customer_deleted");
    for path in ["payment-methods/setup", "billing-portal"] {
        let refused = cloud.post(&format!("/v1/accounts/acme/{path}"), &token, None, &json!({})).await;
        refused.expect_problem(409, "customer_deleted");
    }
    let left = remove(&cloud, &visa).await.expect(200).body;
    assert_eq!((&left["data"], &left["auto_top_up_enabled"]), (&json!([]), &json!(false)));
}

#[tokio::test]
async fn a_closed_account_saves_and_chooses_no_card_and_its_cards_can_still_be_removed() {
    let cloud = opened().await;
    let visa = cloud.save_card("acme", "pm_card_visa").await;
    let reason = json!({"reason": "The customer asks."});
    cloud.post("/v1/support/accounts/acme/erase", &cloud.support_token(), None, &reason).await.expect(200);
    let token = cloud.cloud.customer_token("acme");
    choose(&cloud, &visa).await.expect_problem(403, "account_closed");
    for path in ["payment-methods/setup", "billing-portal"] {
        let refused = cloud.post(&format!("/v1/accounts/acme/{path}"), &token, None, &json!({})).await;
        refused.expect_problem(403, "account_closed");
    }
    assert_eq!(list(&cloud).await.len(), 1);
    let left = remove(&cloud, &visa).await.expect(200).body;
    assert_eq!(left, json!({"data": [], "auto_top_up_enabled": false, "note": null}));
}

#[tokio::test]
async fn a_request_about_cards_that_is_not_as_it_must_be_changes_nothing() {
    let cloud = opened().await;
    let visa = cloud.save_card("acme", "pm_card_visa").await;
    let footprint = cloud.footprint();
    let token = cloud.cloud.customer_token("acme");
    for (body, message) in [
        (json!({}), "is required: the id of a saved card"),
        (json!({"payment_method": 1}), "must be the id of a saved card"),
        (json!({"payment_method": "pm 1"}), "must be the id of a saved card"),
    ] {
        let refused = cloud.put(&format!("{CARDS}/default"), &token, &body).await;
        assert_eq!(refused.expect_problem(422, "invalid_request").field_error("payment_method"), message);
    }
    remove(&cloud, "pm%201").await.expect_problem(404, "not_found");
    assert_eq!(cloud.footprint(), footprint);
    assert_eq!(list(&cloud).await[0]["payment_method"], json!(visa));
}
