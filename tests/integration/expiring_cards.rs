//! The card that automatic top-ups ask expires: what its owner is told, and when.

use crate::support::{Answer, TestCloud};
use jiff::Timestamp;
use reqwest::Method;
use serde_json::{Value, json};

const SUBJECT: &str = "Your card expires soon: Visa •••• 4242";

/// An account whose card expires in this month of 2026, with top-ups on.
async fn asking(month: &str) -> (TestCloud, String) {
    let cloud = TestCloud::start().await;
    cloud.open_account("acme").await;
    let card = save(&cloud, "4242424242424242", (month, "2026")).await;
    cloud.turn_on_auto_top_up("acme", 1_000, 5_000).await;
    (cloud, card)
}

/// Saves a card as the default, as Stripe's billing portal does.
async fn save(cloud: &TestCloud, number: &str, (month, year): (&str, &str)) -> String {
    let card = [("type", "card"), ("card[number]", number), ("card[exp_month]", month), ("card[exp_year]", year)];
    let made = cloud.stripe_post("/v1/payment_methods", &card).await;
    cloud.save_card("acme", made["id"].as_str().unwrap()).await
}

/// The run of the schedule at this time.
async fn run_at(cloud: &TestCloud, now: &str) -> Value {
    let now: Timestamp = now.parse().unwrap();
    let wait = now.duration_since(cloud.now());
    if wait.is_positive() {
        cloud.cloud.clock.advance(wait).unwrap();
    }
    let summary = cloud.cloud.evaluate_alerts().await.expect("the run ends");
    cloud.settle().await;
    summary
}

fn told(cloud: &TestCloud) -> usize {
    cloud.subjects("acme").into_iter().filter(|subject| subject == SUBJECT).count()
}

async fn turn_off(cloud: &TestCloud) -> Answer {
    let (path, token) = ("/v1/accounts/acme/auto-top-up", cloud.cloud.customer_token("acme"));
    cloud.put(path, &token, &json!({"enabled": false})).await.expect(200)
}

#[tokio::test]
async fn a_customer_is_told_thirty_and_seven_days_before_the_card_expires() {
    let (cloud, _) = asking("3").await;
    for (now, count) in [
        ("2026-03-01T23:59:00Z", 0),
        ("2026-03-02T00:00:00Z", 1),
        ("2026-03-02T00:01:00Z", 1),
        ("2026-03-24T23:59:00Z", 1),
        ("2026-03-25T00:00:00Z", 2),
        ("2026-03-25T00:01:00Z", 2),
        ("2026-04-01T00:00:00Z", 2),
    ] {
        let summary = run_at(&cloud, now).await;
        assert_eq!((told(&cloud), &summary["failed"]), (count, &json!(0)), "{now}");
    }
    let mail = cloud.mails("acme").into_iter().find(|mail| mail.subject == SUBJECT).unwrap();
    let text = mail.text.unwrap();
    assert!(text.contains("Visa •••• 4242, which expires at the end of March 2026"), "{text}");
    let notices = cloud.get("/v1/support/accounts/acme/notices", &cloud.support_token()).await.expect(200).body;
    let kinds: Vec<_> =
        notices["data"].as_array().unwrap().iter().filter(|notice| notice["kind"] == "card_expiring").collect();
    assert_eq!((kinds.len(), &kinds[0]["about"]), (2, &json!("card")));
}

#[tokio::test]
async fn nothing_is_told_of_a_card_that_was_replaced_or_removed_or_is_not_charged() {
    let (cloud, card) = asking("1").await;
    turn_off(&cloud).await;
    assert_eq!(run_at(&cloud, "2026-01-10T00:00:00Z").await["due"], 0, "off");
    cloud.turn_on_auto_top_up("acme", 1_000, 5_000).await;
    save(&cloud, "5555555555554444", ("12", "2030")).await;
    assert_eq!(run_at(&cloud, "2026-01-11T00:00:00Z").await["due"], 0, "replaced");
    let token = cloud.cloud.customer_token("acme");
    let chosen = json!({ "payment_method": card });
    cloud.put("/v1/accounts/acme/payment-methods/default", &token, &chosen).await.expect(200);
    let path = format!("/v1/accounts/acme/payment-methods/{card}");
    cloud.send(cloud.request(Method::DELETE, &path).bearer_auth(&token)).await.expect(200);
    assert_eq!(run_at(&cloud, "2026-01-12T00:00:00Z").await["due"], 0, "removed");
    assert_eq!(told(&cloud), 0);
    let again = save(&cloud, "4242424242424242", ("1", "2026")).await;
    assert_ne!(again, card);
    assert_eq!((run_at(&cloud, "2026-01-13T00:00:00Z").await["told"].clone(), told(&cloud)), (json!(1), 1));
}

/// Every purchase saves the card once more, under another id.
#[tokio::test]
async fn the_same_card_is_told_about_once_however_often_it_is_saved() {
    let (cloud, card) = asking("1").await;
    run_at(&cloud, "2026-01-06T00:00:00Z").await;
    assert_eq!(told(&cloud), 1);
    let again = save(&cloud, "4242424242424242", ("1", "2026")).await;
    assert_ne!(again, card);
    assert_eq!((run_at(&cloud, "2026-01-07T00:00:00Z").await["due"].clone(), told(&cloud)), (json!(0), 1));
    cloud.buy("acme", "credits_5000", "5555555555554444").await;
    assert_eq!(run_at(&cloud, "2026-01-08T00:00:00Z").await["failed"], 0);
    let token = cloud.cloud.customer_token("acme");
    let chosen = json!({ "payment_method": again });
    cloud.put("/v1/accounts/acme/payment-methods/default", &token, &chosen).await.expect(200);
    assert_eq!((run_at(&cloud, "2026-01-09T00:00:00Z").await["failed"].clone(), told(&cloud)), (json!(0), 1));
    run_at(&cloud, "2026-01-26T00:00:00Z").await;
    assert_eq!(told(&cloud), 2, "a week before");
}

/// <https://docs.stripe.com/payments/cards/overview#automatic-card-updates>
#[tokio::test]
async fn a_card_that_its_network_prolongs_is_told_about_later_and_is_no_new_card() {
    let cloud = TestCloud::start().await;
    cloud.open_due_account("acme", "pm_card_chargeCustomerFail").await;
    cloud.sweep().await;
    cloud.settle().await;
    let paused = cloud.auto_top_up("acme").await;
    assert_eq!(paused["payment_issue"]["kind"], "declined");
    let card = paused["next_top_up"]["payment_method"].as_str().unwrap().to_owned();
    let mails = cloud.subjects("acme").len();
    for (month, year, told) in [(2, 2026, 1), (3, 2031, 1), (3, 2031, 1)] {
        cloud.cloud.stripe.reissue_card(&card, month, year).unwrap();
        cloud.settle().await;
        assert_eq!(run_at(&cloud, "2026-02-10T00:00:00Z").await["failed"], 0);
        assert_eq!(cloud.subjects("acme").len(), mails + told, "{month}/{year}");
        let after = cloud.auto_top_up("acme").await;
        assert_eq!((&after["payment_issue"], &after["enabled"]), (&paused["payment_issue"], &json!(true)));
        assert_eq!(after["next_top_up"]["payment_method"], json!(card), "the same card");
    }
    assert_eq!(run_at(&cloud, "2026-02-25T00:00:00Z").await["due"], 0, "the earlier expiry is not told about any more");
    assert_eq!(cloud.pay_calls(), 1, "and it is not asked again");
}

/// The event of a card that was removed, or of a customer that is not ours, changes nothing.
#[tokio::test]
async fn the_event_of_a_card_that_nobody_is_asked_for_changes_nothing() {
    let (cloud, card) = asking("1").await;
    cloud.stripe_post(&format!("/v1/payment_methods/{card}"), &[("card[exp_year]", "2030")]).await;
    let token = cloud.cloud.customer_token("acme");
    let path = format!("/v1/accounts/acme/payment-methods/{card}");
    cloud.send(cloud.request(Method::DELETE, &path).bearer_auth(&token)).await.expect(200);
    cloud.settle().await;
    let stranger = cloud.stripe_post("/v1/customers", &[("email", "else@example.com")]).await;
    let made = [("type", "card"), ("card[number]", "4242424242424242")];
    let made = cloud.stripe_post("/v1/payment_methods", &made).await["id"].as_str().unwrap().to_owned();
    let owner = [("customer", stranger["id"].as_str().unwrap())];
    cloud.stripe_post(&format!("/v1/payment_methods/{made}/attach"), &owner).await;
    let books = cloud.books();
    cloud.cloud.stripe.reissue_card(&made, 1, 2026).unwrap();
    cloud.settle().await;
    let events = |book: &String| !book.starts_with("EVENT");
    assert_eq!(
        cloud.books().iter().filter(|book| events(book)).count(),
        books.iter().filter(|book| events(book)).count()
    );
    assert_eq!((run_at(&cloud, "2026-01-12T00:00:00Z").await["due"].clone(), told(&cloud)), (json!(0), 0));
}

/// What is told late is told once, and what is over not at all.
#[tokio::test]
async fn an_account_that_is_due_late_is_told_once() {
    for (now, count) in [("2026-01-27T00:00:00Z", 1), ("2026-02-01T00:00:00Z", 0)] {
        let (cloud, _) = asking("1").await;
        for _ in 0..2 {
            run_at(&cloud, now).await;
        }
        assert_eq!(told(&cloud), count, "{now}");
        assert_eq!(run_at(&cloud, now).await["due"], 0);
    }
}

#[tokio::test]
async fn a_closed_account_keeps_nothing_of_its_card_and_is_told_nothing() {
    let (cloud, _) = asking("1").await;
    let reason = json!({"reason": "The customer asks."});
    cloud.post("/v1/support/accounts/acme/erase", &cloud.support_token(), None, &reason).await.expect(200);
    assert_eq!((run_at(&cloud, "2026-01-12T00:00:00Z").await["due"].clone(), told(&cloud)), (json!(0), 0));
    let export = cloud.get("/v1/support/accounts/acme/export", &cloud.support_token()).await.expect(200);
    assert!(!export.text.contains("asked_card") && !export.text.contains("4242"), "{}", export.text);
}
