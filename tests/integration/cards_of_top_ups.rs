//! The card of an automatic top-up: which one is asked, where customers see it, and what becomes of one that pays an unpaid
//! invoice on its page.

use crate::support::TestCloud;
use jiff::SignedDuration;
use local_stripe::{Fault, FaultAction, WebhookConduct};
use serde_json::{Value, json};

const HALF_AN_HOUR: SignedDuration = SignedDuration::from_mins(30);
const MASTERCARD: &str = "5555555555554444";
const SAVED: [(&str, &str); 1] = [("save_card", "true")];

/// An account whose card was declined, so that it is paused.
async fn paused() -> TestCloud {
    let cloud = TestCloud::start().await;
    cloud.open_due_account("acme", "pm_card_chargeCustomerFail").await;
    cloud.advance(HALF_AN_HOUR).await;
    cloud
}

/// The last digits of the card that Stripe asks, and those that the customer is shown.
async fn asked(cloud: &TestCloud) -> (String, Value) {
    let customer = cloud.stripe_get(&format!("/v1/customers/{}", cloud.customer("acme").await)).await;
    let default = customer["invoice_settings"]["default_payment_method"].as_str().unwrap_or_default().to_owned();
    let card = cloud.stripe_get(&format!("/v1/payment_methods/{default}")).await;
    let shown = cloud.auto_top_up("acme").await["next_top_up"]["card"]["last4"].clone();
    (card["card"]["last4"].as_str().unwrap_or_default().to_owned(), shown)
}

fn both(last4: &str) -> (String, Value) {
    (last4.to_owned(), json!(last4))
}

/// The balance falls below the threshold again, and six hours pass.
async fn top_up_again(cloud: &TestCloud) -> Value {
    cloud.charge("acme", "job-1", 450).await.expect(201);
    cloud.advance(SignedDuration::from_hours(7)).await;
    let charges = cloud.stripe_list("/v1/charges?limit=100").await;
    charges[0]["payment_method_details"]["card"]["last4"].clone()
}

#[tokio::test]
async fn a_card_that_the_customer_saves_on_the_page_of_an_unpaid_invoice_is_asked_from_then_on() {
    let cloud = paused().await;
    assert_eq!(asked(&cloud).await, both("0341"));
    cloud.pay_page_with(&cloud.hosted_page("acme").await, MASTERCARD, &SAVED).await;
    cloud.settle().await;
    assert_eq!((asked(&cloud).await, cloud.balance("acme").await), (both("4444"), 5_000));
    assert_eq!(top_up_again(&cloud).await, "4444");
    assert_eq!(cloud.entries("acme", "top_up").await, [4_500, 5_000]);
}

#[tokio::test]
async fn a_card_that_the_customer_does_not_save_pays_once_and_is_not_asked_again() {
    let cloud = paused().await;
    cloud.pay_page(&cloud.hosted_page("acme").await, MASTERCARD).await;
    cloud.settle().await;
    assert_eq!((asked(&cloud).await, cloud.balance("acme").await), (both("0341"), 5_000));
    assert_eq!(top_up_again(&cloud).await, "0341");
}

/// The customer's own choice is newer than the attempt, whatever pays it.
#[tokio::test]
async fn a_card_that_the_customer_chose_meanwhile_is_kept() {
    for is_heard in [true, false] {
        let cloud = paused().await;
        let page = cloud.hosted_page("acme").await;
        if !is_heard {
            cloud.cloud.stripe.set_webhook_conduct(WebhookConduct { drop_next: 100, ..WebhookConduct::default() });
        }
        cloud.save_card("acme", "pm_card_visa").await;
        cloud.cloud.stripe.set_webhook_conduct(WebhookConduct::default());
        cloud.pay_page_with(&page, MASTERCARD, &SAVED).await;
        cloud.settle().await;
        assert_eq!(asked(&cloud).await.0, "4242", "heard: {is_heard}");
        assert_eq!((cloud.balance("acme").await, top_up_again(&cloud).await), (5_000, json!("4242")));
    }
}

/// Without top-ups there is nothing that a card would be asked for.
#[tokio::test]
async fn a_card_is_not_remembered_for_top_ups_that_are_off() {
    let cloud = paused().await;
    let off = json!({"enabled": false});
    cloud.put("/v1/accounts/acme/auto-top-up", &cloud.cloud.customer_token("acme"), &off).await.expect(200);
    cloud.pay_page_with(&cloud.hosted_page("acme").await, MASTERCARD, &SAVED).await;
    cloud.settle().await;
    assert_eq!((asked(&cloud).await, cloud.balance("acme").await), (both("0341"), 5_000));
}

/// Whoever hears of the payment first remembers its card, and whatever fails, the credits come once.
#[tokio::test]
async fn a_card_is_remembered_by_whichever_report_comes_first_and_after_an_outage() {
    let cloud = paused().await;
    let link = cloud.pay_link("acme");
    let page = cloud.hosted_page("acme").await;
    cloud.cloud.stripe.set_webhook_conduct(WebhookConduct { drop_next: 100, ..WebhookConduct::default() });
    cloud.pay_page_with(&page, MASTERCARD, &SAVED).await;
    let path = "/v1/customers/*".to_owned();
    let method = Some("POST".to_owned());
    cloud.cloud.stripe.add_fault(Fault { method, path, action: FaultAction::Unavailable, count: u32::MAX });
    assert_eq!(cloud.visit(&link).await.status, 503);
    assert_eq!(cloud.balance("acme").await, 0, "the card comes first, so that a repetition does both");
    cloud.cloud.stripe.clear_faults();
    for _ in 0..2 {
        cloud.visit(&link).await.expect(200);
    }
    assert_eq!((asked(&cloud).await.0, cloud.entries("acme", "top_up").await), ("4444".to_owned(), vec![5_000]));
    let support = cloud.get("/v1/support/accounts/acme", &cloud.support_token()).await.expect(200).body;
    let customer = cloud.stripe_get(&format!("/v1/customers/{}", cloud.customer("acme").await)).await;
    assert_eq!(
        support["auto_top_up"]["payment_method"], customer["invoice_settings"]["default_payment_method"],
        "the account follows at once, without an event"
    );
}

/// Wherever an amount is that the saved card is asked for, the card stands beside it.
#[tokio::test]
async fn the_card_is_beside_every_amount_that_it_is_asked_for() {
    let cloud = TestCloud::start().await;
    cloud.open_due_account("acme", "pm_card_chargeCustomerFail").await;
    let card = json!({"brand": "visa", "last4": "0341"});
    let (token, path) = (cloud.cloud.customer_token("acme"), "/v1/accounts/acme/auto-top-up");
    let diagnosis = async || cloud.get(&format!("{path}/diagnosis"), &token).await.expect(200).body;
    let settings = cloud.auto_top_up("acme").await;
    assert_eq!((&settings["next_top_up"]["price"], &settings["next_top_up"]["card"]), (&json!(5_000), &card));
    let due = diagnosis().await;
    assert_eq!(due["card"], card);
    assert!(due["verdict"].as_str().unwrap().contains("your Visa •••• 0341 is charged $50.00"), "{due}");
    cloud.advance(HALF_AN_HOUR).await;
    assert_eq!(diagnosis().await["attempts"][0]["card"], card);
    assert_eq!(cloud.auto_top_up("acme").await["last_top_up"]["card"], card);
    let support = cloud.get("/v1/support/accounts/acme", &cloud.support_token()).await.expect(200).body;
    assert_eq!(support["top_ups"][0]["card"], card);
    for days in [0, 1] {
        cloud.advance(SignedDuration::from_hours(24 * days)).await;
        let mail = cloud.mails("acme").pop().unwrap();
        assert!(mail.text.unwrap().contains("Card: Visa •••• 0341"), "{}", mail.subject);
    }
    let visa = cloud.save_card("acme", "pm_card_visa").await;
    cloud.save_card("acme", "pm_card_chargeCustomerFail").await;
    let retry = async |key: &str, body: Value| {
        cloud.post(&format!("{path}/retry"), &token, Some(key), &body).await.expect(201).body
    };
    let refused = retry("again-1", json!({})).await;
    assert_eq!((&refused["outcome"], &refused["card"]), (&json!("declined"), &card));
    let paid = retry("again-2", json!({ "payment_method": visa })).await;
    assert_eq!((&paid["outcome"], &paid["card"]), (&json!("paid"), &json!({"brand": "visa", "last4": "4242"})));
}

/// R11: whatever turns top-ups off, the settings, the diagnosis and the e-mail say the same.
#[tokio::test]
async fn the_settings_the_diagnosis_and_the_e_mail_say_why_top_ups_are_off() {
    let cloud = paused().await;
    let path = "/v1/accounts/acme/auto-top-up";
    let token = || cloud.cloud.customer_token("acme");
    let why = async || {
        let settings = cloud.auto_top_up("acme").await;
        let diagnosis = cloud.get(&format!("{path}/diagnosis"), &token()).await.expect(200).body;
        assert_eq!(settings["off_reason"], diagnosis["off_reason"]);
        (settings["off_reason"].clone(), diagnosis["verdict"].as_str().unwrap().to_owned())
    };
    let stop = async |stopped: bool| {
        let body = json!({ "stopped": stopped });
        cloud.put("/v1/accounts/acme/spending", &token(), &body).await.expect(200);
    };
    assert_eq!(why().await.0, Value::Null);
    stop(true).await;
    assert_eq!(
        why().await,
        (json!("spending_stopped"), "Spending is stopped, and automatic top-ups with it.".to_owned())
    );
    stop(false).await;
    cloud.advance(SignedDuration::from_hours(31 * 24)).await;
    cloud.settle().await;
    let because = "An automatic top-up was still unpaid after 30 days.";
    assert_eq!(why().await, (json!("unpaid_for_30_days"), format!("Automatic top-ups are off. {because}")));
    let mail = cloud.mails("acme").pop().unwrap();
    assert!(mail.subject.starts_with("We closed") && mail.text.unwrap().contains(because), "{}", mail.subject);
    let consents = cloud.get("/v1/accounts/acme/consents", &token()).await.expect(200).body;
    assert_eq!(consents["data"][0]["turned_off"]["reason"], "unpaid_for_30_days");
    assert_eq!(consents["data"][0]["turned_off"]["changed_by"], Value::Null, "nobody asked for it");
    cloud.turn_on_auto_top_up("acme", 1_000, 5_000).await;
    assert_eq!(why().await.0, Value::Null);
    cloud.put(path, &token(), &json!({"enabled": false})).await.expect(200);
    assert_eq!(
        why().await,
        (json!("requested"), "Automatic top-ups are off. They were turned off on request.".to_owned())
    );
}
