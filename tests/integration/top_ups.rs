//! Automatic top-ups from the sweep to the hosted page: when they start, how they fail, and that no outage, lost answer
//! or retry ever takes money twice or pauses an account.

use crate::support::TestCloud;
use futures::future::join_all;
use jiff::SignedDuration;
use local_aws::dynamodb::{Fault as TableFault, Refusal};
use local_aws::wire::Loss;
use local_stripe::{CustomerDiscount, Fault, FaultAction, WebhookConduct};
use prepaid_local::clock::MovableClock;
use reqwest::Method;
use serde_json::{Value, json};
use shared::domain::payments::{DeclineReason, RefusalReason, TopUpOutcome};
use shared::domain::{AccountId, InvoiceId, TopUpId};
use shared::ledger::DynamoLedger;
use shared::ports::{Accounts, NoPauses, RandomIds};
use shared::stripe::{SecretString, Settings, StripePayments};
use shared::use_cases::payments::record_top_up_outcome;
use shared::use_cases::{Absent, Capabilities, Context, Memory};
use shared::words::{decline, refusal};

const HALF_AN_HOUR: SignedDuration = SignedDuration::from_mins(30);
const PAY: &str = "/v1/invoices/*/pay";
const VOID: &str = "/v1/invoices/*/void";
const STEPS: [&str; 4] = ["/v1/invoices", "/v1/invoiceitems", "/v1/invoices/*/finalize", PAY];

/// Takes this many credits in one charge for dubbing, at ten credits per minute.
async fn spend(cloud: &TestCloud, account: &str, key: &str, credits: i64) {
    let body = json!({"operation": "dubbing", "duration_ms": credits * 6_000});
    let path = format!("/v1/accounts/{account}/charges");
    cloud.post(&path, &cloud.cloud.service_token(), Some(key), &body).await.expect(201);
}

/// Checks that, by the summaries of the sweeps, nothing was due.
#[track_caller]
fn assert_nothing_due(sweeps: &[Value]) {
    assert!(!sweeps.is_empty() && sweeps.iter().all(|sweep| sweep["due"] == 0), "{sweeps:?}");
}

/// Checks for one invoice, one payment and one entry of `credits` (a credit is a cent), and that nothing is under way.
async fn assert_topped_up_once(cloud: &TestCloud, account: &str, credits: i64, why: &str) {
    let invoices = cloud.top_up_invoices(account).await;
    assert_eq!((invoices.len(), &invoices[0]["status"]), (1, &json!("paid")), "one invoice: {why}");
    assert_eq!(cloud.cents_taken(account).await, [credits], "one payment: {why}");
    assert_eq!(cloud.entries(account, "top_up").await, [credits], "one grant: {why}");
    let account_id = AccountId::parse(account).unwrap();
    let stored = cloud.ledger().account_get(&account_id).await.unwrap().unwrap();
    assert_eq!((stored.open_top_up, stored.payment_issue), (None, None), "{why}");
}

/// The kind of the payment issue, or null.
async fn payment_issue(cloud: &TestCloud, account: &str) -> Value {
    cloud.auto_top_up(account).await["payment_issue"]["kind"].clone()
}

async fn assert_unpaused_without_mail(cloud: &TestCloud, account: &str, why: &str) {
    assert_eq!(payment_issue(cloud, account).await, Value::Null, "{why}");
    assert_eq!(cloud.subjects(account), Vec::<String>::new(), "{why}");
}

fn outage(path: &str, action: FaultAction) -> Fault {
    Fault { method: None, path: path.to_owned(), action, count: u32::MAX }
}

#[tokio::test]
async fn a_balance_at_the_threshold_is_left_alone_and_one_credit_less_is_topped_up() {
    let cloud = TestCloud::start().await;
    for (account, spent) in [("at", 4_000), ("below", 4_001)] {
        cloud.open_account(account).await;
        cloud.buy(account, "credits_5000", "4242424242424242").await;
        cloud.turn_on_auto_top_up(account, 1_000, 5_000).await;
        spend(&cloud, account, "job", spent).await;
    }
    let sweeps = cloud.advance(HALF_AN_HOUR).await;
    assert_eq!((&sweeps[0]["due"], &sweeps[0]["paid"]), (&json!(1), &json!(1)));
    assert_eq!((cloud.balance("at").await, cloud.balance("below").await), (1_000, 5_000));
    assert_eq!(cloud.cents_taken("at").await, [5_000], "only its purchase");
    assert_eq!(cloud.cents_taken("below").await, [4_001, 5_000]);
}

#[tokio::test]
async fn the_amount_is_frozen_when_the_attempt_opens_whatever_happens_to_the_balance_after() {
    let cloud = TestCloud::start().await;
    cloud.open_due_account("acme", "pm_card_visa").await;
    cloud.cloud.stripe.add_fault(outage(PAY, FaultAction::Unavailable));
    assert_eq!(cloud.advance(HALF_AN_HOUR).await[0]["unknown"], json!(1));
    cloud.buy("acme", "credits_5000", "4242424242424242").await;
    spend(&cloud, "acme", "job", 700).await;
    cloud.cloud.stripe.clear_faults();

    assert_eq!(cloud.advance(HALF_AN_HOUR).await[0]["paid"], json!(1));

    assert_eq!(cloud.entries("acme", "top_up").await, [5_000]);
    assert_eq!(cloud.balance("acme").await, 9_300);
    assert_eq!(cloud.cents_taken("acme").await, [5_000, 5_000]);
}

#[tokio::test]
async fn six_hours_pass_between_two_top_ups_counted_from_the_opening_of_the_first() {
    let cloud = TestCloud::start().await;
    cloud.open_due_account("acme", "pm_card_visa").await;
    cloud.advance(HALF_AN_HOUR).await;
    assert_eq!(cloud.balance("acme").await, 5_000);

    cloud.advance(SignedDuration::from_hours(1)).await;
    spend(&cloud, "acme", "job-1", 4_500).await;
    assert_nothing_due(&cloud.advance(HALF_AN_HOUR).await);
    assert_nothing_due(&cloud.advance(SignedDuration::from_mins(4 * 60 + 29)).await);
    assert_eq!(cloud.sweep().await["due"], json!(0), "5 hours and 59 minutes after the opening");
    assert_eq!((cloud.balance("acme").await, cloud.cents_taken("acme").await.len()), (500, 1));

    let sweeps = cloud.advance(SignedDuration::from_mins(1)).await;
    assert_eq!(sweeps[0]["paid"], json!(1), "6 hours after the opening");
    assert_eq!(cloud.cents_taken("acme").await, [4_500, 5_000]);
    assert_eq!(cloud.balance("acme").await, 5_000);
}

/// How many attempts were paid in all.
fn paid(sweeps: &[Value]) -> i64 {
    sweeps.iter().filter_map(|sweep| sweep["paid"].as_i64()).sum()
}

async fn cap(cloud: &TestCloud, account: &str, max_per_month: i64) {
    let body = json!({
        "enabled": true, "threshold": 1_000, "target": 5_000, "max_per_month": max_per_month,
        "consent": {"text_version": 3, "accepted_by": "owner"},
    });
    let path = format!("/v1/accounts/{account}/auto-top-up");
    cloud.put(&path, &cloud.cloud.customer_token(account), &body).await.expect(200);
}

/// The reason and the next time in a 402 and in the settings, which is the same.
async fn outlook(cloud: &TestCloud, account: &str) -> (Value, Value, Value) {
    let refused = cloud.charge(account, "too-much", 1_440).await.expect(402).body["top_up"].clone();
    let next = cloud.auto_top_up(account).await["next_top_up"].clone();
    assert_eq!((&refused["state"], &refused["next_eligible_at"]), (&next["state"], &next["next_eligible_at"]));
    (refused["state"].clone(), refused["reason"].clone(), refused["next_eligible_at"].clone())
}

/// The cap is $70.00. The first top-up takes $50.00, before there is a cap, and the second one is lowered to $20.00.
#[tokio::test]
async fn a_monthly_cap_lowers_the_last_top_up_of_a_month_and_opens_again_with_the_next() {
    let cloud = TestCloud::start().await;
    cloud.open_due_account("acme", "pm_card_visa").await;
    cloud.advance(HALF_AN_HOUR).await;
    spend(&cloud, "acme", "job-1", 4_900).await;
    cap(&cloud, "acme", 7_000).await;
    let used = cloud.auto_top_up("acme").await["monthly_cap"].clone();
    assert_eq!((&used["used"], &used["left"]), (&json!(5_000), &json!(2_000)), "the month counts as a whole");

    assert_eq!(paid(&cloud.advance(SignedDuration::from_hours(6)).await), 1);
    assert_eq!(cloud.entries("acme", "top_up").await, [2_000, 5_000], "3,000 less than to the target");
    spend(&cloud, "acme", "job-2", 2_000).await;
    let (state, reason, next) = outlook(&cloud, "acme").await;
    assert_eq!((state, reason), (json!("waiting"), json!("monthly_cap_reached")));
    assert_eq!(next, "2026-02-01T00:00:00.000Z");
    let path = "/v1/accounts/acme/auto-top-up/diagnosis";
    let diagnosis = cloud.get(path, &cloud.cloud.customer_token("acme")).await.expect(200).body;
    let verdict = diagnosis["verdict"].as_str().unwrap();
    assert!(verdict.contains("the monthly cap of $70.00\u{a0}USD") && verdict.contains("1 February 2026"), "{verdict}");
    let gate = diagnosis["gates"].as_array().unwrap().iter().find(|gate| gate["gate"] == "within_monthly_cap").unwrap();
    assert_eq!(gate["state"], "closed");
    assert!(gate["detail"].as_str().unwrap().starts_with("$0.00 of $70.00 is left this month"), "{gate}");
    assert_nothing_due(&cloud.advance(SignedDuration::from_hours(7)).await);

    let until = SignedDuration::from_hours(27 * 24) - SignedDuration::from_mins(13 * 60 + 30);
    assert_nothing_due(&cloud.advance(until - HALF_AN_HOUR).await);
    assert_eq!(paid(&cloud.advance(HALF_AN_HOUR).await), 1, "midnight of 1 February");
    assert_eq!(cloud.entries("acme", "top_up").await, [4_900, 2_000, 5_000]);
    let used = cloud.auto_top_up("acme").await["monthly_cap"].clone();
    assert_eq!((&used["used"], &used["left"]), (&json!(4_900), &json!(2_100)));
}

/// A decline holds its amount while its invoice can be paid, and gives it back once.
#[tokio::test]
async fn a_top_up_that_is_not_paid_does_not_count_against_the_monthly_cap() {
    let cloud = TestCloud::start().await;
    cloud.open_due_account("acme", "pm_card_chargeCustomerFail").await;
    cap(&cloud, "acme", 6_000).await;
    let used = async || cloud.auto_top_up("acme").await["monthly_cap"]["used"].clone();
    cloud.advance(HALF_AN_HOUR).await;
    assert_eq!((payment_issue(&cloud, "acme").await, used().await), (json!("declined"), json!(5_000)));
    let invoice = cloud.top_up_invoices("acme").await[0]["id"].as_str().unwrap().to_owned();
    cloud.stripe_post(&format!("/v1/invoices/{invoice}/void"), &[]).await;
    cloud.settle().await;
    assert_eq!((payment_issue(&cloud, "acme").await, used().await), (Value::Null, json!(0)));
    cloud.save_card("acme", "pm_card_visa").await;
    assert_eq!(paid(&cloud.advance(SignedDuration::from_hours(6)).await), 1);
    assert_eq!((cloud.entries("acme", "top_up").await, used().await), (vec![5_000], json!(5_000)));
    let attempts = cloud.top_up_invoices("acme").await;
    assert_eq!(attempts.len(), 2);
}

/// Sixteen sweeps at once, each of which would fit alone.
#[tokio::test]
async fn concurrent_checks_open_one_attempt_within_the_monthly_cap() {
    let cloud = TestCloud::start().await;
    cloud.open_due_account("acme", "pm_card_visa").await;
    cap(&cloud, "acme", 5_000).await;
    join_all((0..16).map(|_| cloud.sweep())).await;
    assert_topped_up_once(&cloud, "acme", 5_000, "sixteen sweeps at once").await;
    assert_eq!(cloud.auto_top_up("acme").await["monthly_cap"]["left"], json!(0));
}

#[tokio::test]
async fn a_late_answer_does_not_put_off_the_next_top_up() {
    let cloud = TestCloud::start().await;
    cloud.open_due_account("acme", "pm_card_visa").await;
    cloud.cloud.stripe.add_fault(outage(PAY, FaultAction::RateLimit));
    cloud.advance(HALF_AN_HOUR).await;
    cloud.cloud.clock.advance(SignedDuration::from_hours(5)).unwrap();
    cloud.cloud.stripe.clear_faults();
    assert_eq!(cloud.sweep().await["paid"], json!(1));
    spend(&cloud, "acme", "job", 4_500).await;
    cloud.cloud.clock.advance(SignedDuration::from_mins(59)).unwrap();
    assert_eq!(cloud.sweep().await["due"], json!(0));
    cloud.cloud.clock.advance(SignedDuration::from_mins(1)).unwrap();
    assert_eq!(cloud.sweep().await["paid"], json!(1), "six hours after the opening, one hour after the payment");
}

#[tokio::test]
async fn nothing_is_topped_up_while_the_setting_is_off() {
    let cloud = TestCloud::start().await;
    cloud.open_account("never").await;
    cloud.save_card("never", "pm_card_visa").await;
    cloud.open_due_account("off", "pm_card_visa").await;
    turn_off(&cloud, "off").await;
    assert_nothing_due(&cloud.advance(SignedDuration::from_hours(24)).await);
    assert_eq!(cloud.cloud.stripe.request_count("POST", "/v1/invoices"), 0);
}

async fn turn_off(cloud: &TestCloud, account: &str) {
    let path = format!("/v1/accounts/{account}/auto-top-up");
    cloud.put(&path, &cloud.cloud.customer_token(account), &json!({"enabled": false})).await.expect(200);
}

#[tokio::test]
async fn a_declined_card_pauses_until_the_customer_pays_with_another_one() {
    let cloud = TestCloud::start().await;
    cloud.open_due_account("acme", "pm_card_chargeCustomerFail").await;
    let sweeps = cloud.advance(HALF_AN_HOUR).await;
    assert_eq!(sweeps[0]["declined"], json!(1));

    let issue = cloud.auto_top_up("acme").await["payment_issue"].clone();
    let words = decline(DeclineReason::Generic);
    assert_eq!(
        (&issue["kind"], &issue["reason"], &issue["remedy"]),
        (&json!("declined"), &json!(words.reason), &json!(words.remedy))
    );
    let mails = cloud.mails("acme");
    assert_eq!(mails.len(), 1);
    assert!(mails[0].subject.contains("declined") && mails[0].subject.contains("$50"), "{}", mails[0].subject);
    let text = mails[0].text.clone().unwrap();
    assert!(text.contains(words.reason) && text.contains(words.remedy), "{text}");

    assert_nothing_due(&cloud.advance(SignedDuration::from_hours(72)).await);
    let mails = cloud.mails("acme").len();
    assert_eq!((cloud.pay_calls(), mails), (1, 2), "no timer causes a charge, and one reminds of it");

    let page = cloud.hosted_page("acme").await;
    for refused in ["4000000000000069", "4000000000009995", "4000000000000002"] {
        assert_eq!(cloud.submit_card(&page, refused).await.status, 402);
        cloud.settle().await;
        assert_eq!(payment_issue(&cloud, "acme").await, json!("declined"), "{refused}");
        assert_eq!(cloud.mails("acme").len(), 2, "the customer gets no e-mail about each tried card");
    }
    cloud.pay_page(&page, "5555555555554444").await;
    cloud.settle().await;
    assert_topped_up_once(&cloud, "acme", 5_000, "paid on the hosted page").await;
    let subjects = cloud.subjects("acme");
    assert!(subjects.len() == 3 && subjects[2].starts_with("Receipt"), "{subjects:?}");
    assert_nothing_due(&cloud.advance(SignedDuration::from_hours(24)).await);
    assert_topped_up_once(&cloud, "acme", 5_000, "and never again").await;
}

/// Stripe saves none of the test cards that fail for a particular reason, so the stand-in is told the bank's answer.
#[tokio::test]
async fn every_reason_of_a_decline_is_told_in_its_own_plain_words_with_a_working_link() {
    let cloud = TestCloud::start().await;
    let reasons = [
        DeclineReason::InsufficientFunds,
        DeclineReason::ExpiredCard,
        DeclineReason::IncorrectCardData,
        DeclineReason::CardNotSupported,
        DeclineReason::LimitExceeded,
        DeclineReason::ProcessingError,
        DeclineReason::NoCard,
        DeclineReason::Generic,
    ];
    let account_of = |reason| format!("{reason:?}");
    for reason in reasons {
        cloud.open_due_account(&account_of(reason), "pm_card_visa").await;
    }
    cloud.cloud.stripe.add_fault(outage(PAY, FaultAction::Unavailable));
    assert_eq!(cloud.advance(HALF_AN_HOUR).await[0]["unknown"], json!(reasons.len()));
    cloud.cloud.stripe.clear_faults();
    for reason in reasons {
        let account = account_of(reason);
        let invoice = cloud.top_up_invoices(&account).await.remove(0);
        let top_up = TopUpId::parse(invoice["metadata"]["top_up"].as_str().unwrap()).unwrap();
        let outcome =
            TopUpOutcome::Declined { reason, invoice: InvoiceId::parse(invoice["id"].as_str().unwrap()).ok() };
        let id = AccountId::parse(account.as_str()).unwrap();
        record_top_up_outcome(&ledger_alone(&cloud), &id, &top_up, &outcome).await.unwrap();
        cloud.settle().await;

        let words = decline(reason);
        assert_eq!(cloud.auto_top_up(&account).await["payment_issue"]["reason"], json!(words.reason));
        let mails = cloud.mails(&account);
        assert_eq!(mails.len(), 1, "{reason:?}");
        let text = mails[0].text.clone().unwrap();
        assert!(text.contains(words.reason) && text.contains(words.remedy), "{text}");
        cloud.pay_page(&cloud.hosted_page(&account).await, "4242424242424242").await;
        cloud.settle().await;
        assert_topped_up_once(&cloud, &account, 5_000, "paid in the end").await;
    }
}

#[tokio::test]
async fn a_bank_that_wants_a_confirmation_pauses_until_it_is_given() {
    let cloud = TestCloud::start().await;
    cloud.open_due_account("acme", "pm_card_authenticationRequired").await;
    let sweeps = cloud.advance(HALF_AN_HOUR).await;
    assert_eq!(sweeps[0]["action_required"], json!(1));
    assert_eq!(payment_issue(&cloud, "acme").await, json!("action_required"));
    let subjects = cloud.subjects("acme");
    assert!(subjects.len() == 1 && subjects[0].contains("confirm"), "{subjects:?}");
    assert_nothing_due(&cloud.advance(SignedDuration::from_hours(24)).await);
    assert_eq!(cloud.pay_calls(), 1);

    cloud.answer_bank(&cloud.hosted_page("acme").await, "complete").await;
    cloud.settle().await;
    assert_topped_up_once(&cloud, "acme", 5_000, "confirmed").await;
    assert_eq!(cloud.mails("acme").len(), 3, "the request to confirm, a reminder of it, and the receipt");
}

#[tokio::test]
async fn a_confirmation_that_fails_leaves_the_pause_and_sends_no_second_mail() {
    let cloud = TestCloud::start().await;
    // The second card is declined even after its confirmation.
    for (account, card, outcome) in [
        ("fails", "pm_card_authenticationRequired", "fail"),
        ("declined", "pm_card_authenticationRequiredChargeDeclinedInsufficientFunds", "complete"),
    ] {
        cloud.open_due_account(account, card).await;
        cloud.advance(HALF_AN_HOUR).await;
        cloud.answer_bank(&cloud.hosted_page(account).await, outcome).await;
        cloud.settle().await;
        assert_eq!(payment_issue(&cloud, account).await, json!("action_required"), "{account}");
        assert_eq!(cloud.mails(account).len(), 1, "{account}");
        assert_nothing_due(&cloud.advance(SignedDuration::from_hours(24)).await);
        assert_eq!(cloud.balance(account).await, 0);

        cloud.pay_page(&cloud.hosted_page(account).await, "4242424242424242").await;
        cloud.settle().await;
        assert_topped_up_once(&cloud, account, 5_000, "another card").await;
    }
}

#[tokio::test]
async fn without_any_card_the_customer_is_asked_to_pay_with_one() {
    let cloud = TestCloud::start().await;
    cloud.open_account("never").await;
    cloud.turn_on_auto_top_up("never", 1_000, 5_000).await;
    cloud.open_due_account("removed", "pm_card_visa").await;
    let saved = cloud.save_card("removed", "pm_card_visa").await;
    cloud.stripe_post(&format!("/v1/payment_methods/{saved}/detach"), &[]).await;
    // The webhook of the removal is not delivered before the sweep, so only Stripe knows that the card is gone.
    assert_eq!(cloud.cloud.clock.advance(HALF_AN_HOUR).map(|_| ()), Ok(()));
    assert_eq!(cloud.sweep().await["declined"], json!(2));
    cloud.settle().await;
    for account in ["never", "removed"] {
        assert_eq!(
            cloud.auto_top_up(account).await["payment_issue"]["reason"],
            json!(decline(DeclineReason::NoCard).reason)
        );
        let subjects = cloud.subjects(account);
        assert!(subjects.len() == 1 && subjects[0].contains("no card for"), "{subjects:?}");
        cloud.pay_page(&cloud.hosted_page(account).await, "4242424242424242").await;
        cloud.settle().await;
        assert_topped_up_once(&cloud, account, 5_000, "a card of the customer's choice").await;
    }
}

#[tokio::test]
async fn an_invoice_voided_at_stripe_ends_attempt_and_pause_without_a_payment() {
    let cloud = TestCloud::start().await;
    cloud.open_due_account("acme", "pm_card_chargeCustomerFail").await;
    cloud.advance(HALF_AN_HOUR).await;
    let invoice = cloud.top_up_invoices("acme").await.remove(0);
    let id = invoice["id"].as_str().unwrap();
    cloud.stripe_post(&format!("/v1/invoices/{id}/void"), &[]).await;
    cloud.settle().await;
    assert_eq!(payment_issue(&cloud, "acme").await, Value::Null);
    assert_eq!(cloud.mails("acme").len(), 1, "no e-mail about it");

    cloud.save_card("acme", "pm_card_visa").await;
    assert_nothing_due(&cloud.advance(SignedDuration::from_mins(5 * 60 + 59)).await);
    assert_eq!(cloud.advance(SignedDuration::from_mins(1)).await[0]["paid"], json!(1));
    assert_eq!((cloud.balance("acme").await, cloud.top_up_invoices("acme").await.len()), (5_000, 2));
}

/// R1: Stripe calls an invoice paid that support has credited in full. Link, sweep and event all grant nothing.
#[tokio::test]
async fn an_invoice_credited_in_full_ends_attempt_and_pause_and_grants_nothing() {
    for by_link in [false, true] {
        let cloud = TestCloud::start().await;
        cloud.open_due_account("acme", "pm_card_chargeCustomerFail").await;
        cloud.advance(HALF_AN_HOUR).await;
        let link = cloud.pay_link("acme");
        let invoice = cloud.top_up_invoices("acme").await.remove(0);
        credit(&cloud, &invoice, 5_000).await;
        if by_link {
            assert!(cloud.visit(&link).await.expect(200).text.contains("nothing to pay"));
        }
        cloud.settle().await;
        let credited = cloud.top_up_invoices("acme").await.remove(0);
        assert_eq!(
            (&credited["status"], &credited["amount_paid"]),
            (&json!("paid"), &json!(0)),
            "the invoice is in the tested state"
        );
        assert_eq!(payment_issue(&cloud, "acme").await, Value::Null, "{by_link}");
        assert_eq!((cloud.balance("acme").await, cloud.entries("acme", "top_up").await), (0, vec![]), "{by_link}");
        assert_eq!(cloud.mails("acme").len(), 1, "no receipt without a payment: {by_link}");
    }
}

/// R1: nine tenths of an invoice were credited. The tenth that was paid is granted, and the rest is closed.
#[tokio::test]
async fn of_an_invoice_credited_in_part_what_was_paid_is_granted_and_no_more() {
    let cloud = TestCloud::start().await;
    cloud.open_due_account("acme", "pm_card_chargeCustomerFail").await;
    cloud.advance(HALF_AN_HOUR).await;
    let invoice = cloud.top_up_invoices("acme").await.remove(0);
    credit(&cloud, &invoice, 4_500).await;
    let page = cloud.hosted_page("acme").await;
    cloud.submit_card(&page, "4242424242424242").await;
    cloud.settle().await;
    assert_eq!(cloud.cents_taken("acme").await, [500]);
    assert_eq!((cloud.balance("acme").await, cloud.entries("acme", "top_up").await), (500, vec![500]));
    assert_eq!(payment_issue(&cloud, "acme").await, Value::Null);
    let receipt = cloud.subjects("acme").pop().unwrap();
    assert!(receipt.contains("500 credits for $5"), "{receipt}");
}

/// The customer's own credit at Stripe pays the invoice when it is finalized: no card is charged, and all is granted.
#[tokio::test]
async fn a_top_up_paid_by_the_customers_own_credit_is_granted() {
    let cloud = TestCloud::start().await;
    cloud.open_due_account("acme", "pm_card_visa").await;
    let customer = cloud.customer("acme").await;
    let form = [("amount", "-6000"), ("currency", "usd")];
    cloud.stripe_post(&format!("/v1/customers/{customer}/balance_transactions"), &form).await;
    cloud.advance(HALF_AN_HOUR).await;
    let invoice = cloud.top_up_invoices("acme").await.remove(0);
    assert_eq!((&invoice["status"], &invoice["amount_paid"]), (&json!("paid"), &json!(0)));
    assert_eq!((cloud.balance("acme").await, cloud.cents_taken("acme").await), (5_000, vec![]));
}

/// Support credits this many cents of an invoice, as in Stripe's dashboard.
async fn credit(cloud: &TestCloud, invoice: &Value, cents: i64) {
    let (invoice, cents) = (invoice["id"].as_str().unwrap(), cents.to_string());
    cloud.stripe_post("/v1/credit_notes", &[("invoice", invoice), ("amount", &cents)]).await;
}

/// R2: the bank declined, and the answer, the look after it and the event were all lost for longer than an attempt is
/// repeated. The customer is notified once, and the card is not charged again.
#[tokio::test]
async fn a_decline_nobody_heard_of_for_twenty_hours_pauses_with_one_mail_and_no_second_try() {
    for (card, kind) in
        [("pm_card_chargeCustomerFail", "declined"), ("pm_card_authenticationRequired", "action_required")]
    {
        let cloud = TestCloud::start().await;
        cloud.open_due_account("acme", card).await;
        cloud.cloud.stripe.set_webhook_conduct(WebhookConduct { drop_next: 1_000, ..WebhookConduct::default() });
        // The adapter's own tries under the same key lose their answers as well.
        cloud.cloud.stripe.add_fault(outage(PAY, FaultAction::LoseAnswer));
        cloud.advance(HALF_AN_HOUR).await;
        for path in ["/v1/invoices", "/v1/invoices/*"] {
            cloud.cloud.stripe.add_fault(outage(path, FaultAction::Unavailable));
        }
        cloud.advance(SignedDuration::from_hours(20)).await;
        assert_eq!(payment_issue(&cloud, "acme").await, Value::Null, "{kind}: nothing is known yet");
        cloud.cloud.stripe.clear_faults();
        cloud.advance(SignedDuration::from_hours(8)).await;
        assert_eq!(payment_issue(&cloud, "acme").await, json!(kind));
        assert_eq!((cloud.mails("acme").len(), cloud.top_up_invoices("acme").await.len()), (1, 1), "{kind}");
        assert_eq!(cloud.top_up_invoices("acme").await[0]["attempt_count"], json!(1), "{kind}");
        cloud.submit_card(&cloud.hosted_page("acme").await, "4242424242424242").await;
        cloud.visit(&cloud.pay_link("acme")).await.expect(200);
        assert_eq!(cloud.balance("acme").await, 5_000, "{kind}");
    }
}

/// R3: a bank debit is under way for days. Nothing is voided and no other attempt opens. Then it is paid, or declined
/// with one e-mail, whether the sweep or the event comes first.
#[tokio::test]
async fn a_debit_is_waited_for_as_long_as_it_takes_and_then_paid_or_declined() {
    // Without events, the sweep is first.
    for (account, is_paid, drop_next) in
        [("pm_usBankAccount", true, 0), ("pm_usBankAccount_insufficientFunds", false, 1_000)]
    {
        let cloud = TestCloud::start().await;
        cloud.open_due_account("acme", account).await;
        cloud.cloud.stripe.set_webhook_conduct(WebhookConduct { drop_next, ..WebhookConduct::default() });
        let sweeps = cloud.advance(HALF_AN_HOUR).await;
        assert_eq!(sweeps[0]["processing"], json!(1), "{account}");
        cloud.advance(SignedDuration::from_hours(4 * 24 - 1)).await;
        assert_eq!(cloud.top_up_invoices("acme").await[0]["status"], json!("open"), "{account}");
        assert_unpaused_without_mail(&cloud, "acme", account).await;
        cloud.advance(SignedDuration::from_hours(8)).await;
        assert_eq!(cloud.top_up_invoices("acme").await.len(), 1, "{account}");
        assert_eq!((cloud.pay_calls(), cloud.cloud.stripe.request_count("POST", VOID)), (1, 0), "{account}");
        let (balance, issue) = if is_paid { (5_000, Value::Null) } else { (0, json!("declined")) };
        assert_eq!((cloud.balance("acme").await, payment_issue(&cloud, "acme").await), (balance, issue), "{account}");
        assert_eq!(cloud.mails("acme").len(), 1, "{account}");
    }
}

/// R4: a permanent refusal by Stripe ends the attempt: one e-mail, an issue with a remedy, and no further calls until
/// the customer saves new settings.
#[tokio::test]
async fn a_refusal_for_good_pauses_with_one_mail_and_no_further_calls() {
    let cloud = TestCloud::start().await;
    cloud.open_due_account("acme", "pm_card_visa").await;
    let customer = cloud.customer("acme").await;
    cloud.cloud.stripe.give_discount(&customer, CustomerDiscount::Percent { percent_off: 15 }).unwrap();
    assert_eq!(cloud.advance(HALF_AN_HOUR).await[0]["refused"], json!(1));
    let issue = cloud.auto_top_up("acme").await["payment_issue"].clone();
    let words = refusal(RefusalReason::OtherPrice);
    assert_eq!((&issue["kind"], &issue["remedy"]), (&json!("refused"), &json!(words.remedy)));
    assert_eq!(cloud.subjects("acme"), ["Automatic top-ups are paused: $50.00 could not be charged"]);

    cloud.cloud.stripe.clear_requests();
    cloud.advance(SignedDuration::from_hours(5 * 24)).await;
    assert_eq!(cloud.cloud.stripe.requests().len(), 0, "Stripe gets no more requests");
    assert_eq!((cloud.mails("acme").len(), cloud.balance("acme").await), (1, 0));
    let invoice = cloud.top_up_invoices("acme").await.remove(0);
    let top_up = invoice["metadata"]["top_up"].as_str().unwrap();
    let is_told = |line: &&String| {
        line.contains("ERROR")
            && line.contains(top_up)
            && line.contains("does not accept automatic payments from this customer")
    };
    assert_eq!(cloud.log().iter().filter(is_told).count(), 1, "one error, worth an alarm");

    let (status, _) =
        (cloud.stripe(Method::DELETE, &format!("/v1/customers/{customer}/discount"), &[]).await.status, ());
    assert_eq!(status, 200);
    cloud.turn_on_auto_top_up("acme", 1_000, 5_000).await;
    assert_eq!(cloud.advance(HALF_AN_HOUR).await[0]["paid"], json!(1));
    assert_eq!((cloud.balance("acme").await, payment_issue(&cloud, "acme").await), (5_000, Value::Null));
}

/// All faults of an outage at all steps: no account is paused and no e-mail sent, and afterwards the same attempt ends
/// in one invoice, one payment and one grant.
#[tokio::test]
async fn an_outage_concludes_nothing_and_the_next_sweep_carries_the_same_attempt_on() {
    let actions = [
        FaultAction::Unavailable,
        FaultAction::RateLimit,
        FaultAction::LoseRequest,
        FaultAction::LoseAnswer,
        FaultAction::InternalError,
        FaultAction::InternalErrorAfterEffect,
    ];
    let cases = STEPS.into_iter().flat_map(|step| actions.map(|action| (step, action)));
    join_all(cases.map(|(step, action)| live_through_outage(step, action))).await;
}

async fn live_through_outage(step: &'static str, action: FaultAction) {
    let why = format!("{action:?} at {step}");
    let cloud = TestCloud::start().await;
    cloud.open_due_account("acme", "pm_card_visa").await;
    cloud.cloud.stripe.add_fault(outage(step, action));
    // What took effect anyway cannot be looked up either, and Stripe sends no events.
    cloud.cloud.stripe.add_fault(outage("/v1/invoices/*", FaultAction::Unavailable));
    cloud.cloud.stripe.set_webhook_conduct(WebhookConduct { drop_next: 100, ..WebhookConduct::default() });

    let sweeps = cloud.advance(HALF_AN_HOUR).await;
    assert_eq!((&sweeps[0]["due"], &sweeps[0]["unknown"]), (&json!(1), &json!(1)), "{why}");
    assert_unpaused_without_mail(&cloud, "acme", &why).await;
    let opened_at = cloud.auto_top_up("acme").await["last_top_up_at"].clone();
    assert_eq!(cloud.balance("acme").await, 0, "{why}");
    cloud.cloud.stripe.clear_faults();

    let sweeps = cloud.advance(HALF_AN_HOUR).await;
    assert_eq!((&sweeps[0]["due"], &sweeps[0]["paid"]), (&json!(1), &json!(1)), "{why}");
    assert_eq!(cloud.auto_top_up("acme").await["last_top_up_at"], opened_at, "the same attempt: {why}");
    assert_topped_up_once(&cloud, "acme", 5_000, &why).await;
    assert_eq!(cloud.mails("acme").len(), 1, "{why}");
    assert_nothing_due(&cloud.advance(HALF_AN_HOUR).await);
}

#[tokio::test]
async fn a_long_outage_pauses_nobody_and_costs_nobody_a_second_payment() {
    let cloud = TestCloud::start().await;
    cloud.open_due_account("acme", "pm_card_visa").await;
    cloud.cloud.stripe.add_fault(outage(PAY, FaultAction::InternalError));
    for hours in 0..3 {
        cloud.cloud.clock.advance(SignedDuration::from_mins(30)).unwrap();
        assert_eq!(cloud.sweep().await["unknown"], json!(1), "{hours}");
    }
    assert_unpaused_without_mail(&cloud, "acme", "an hour and a half").await;
    cloud.cloud.stripe.clear_faults();
    assert_eq!(cloud.advance(HALF_AN_HOUR).await[0]["paid"], json!(1));
    assert_topped_up_once(&cloud, "acme", 5_000, "after the outage").await;
}

/// Stripe forgets its keys after a day, so after 20 hours an unknown outcome is looked up and nothing is sent again.
#[tokio::test]
async fn an_attempt_unknown_for_twenty_hours_is_looked_up_and_not_sent_again() {
    for (is_paid, lost) in [(false, FaultAction::Unavailable), (true, FaultAction::LoseAnswer)] {
        let cloud = TestCloud::start().await;
        cloud.open_due_account("acme", "pm_card_visa").await;
        cloud.cloud.stripe.add_fault(outage(PAY, lost));
        cloud.cloud.stripe.add_fault(outage("/v1/invoices/*", FaultAction::Unavailable));
        cloud.cloud.stripe.set_webhook_conduct(WebhookConduct { drop_next: 100, ..WebhookConduct::default() });
        assert_eq!(cloud.advance(HALF_AN_HOUR).await[0]["unknown"], json!(1));
        cloud.cloud.stripe.clear_faults();
        cloud.cloud.clock.advance(SignedDuration::from_hours(20)).unwrap();
        let pay_calls = cloud.pay_calls();

        let sweep = cloud.sweep().await;

        assert_eq!(cloud.pay_calls(), pay_calls, "nothing is sent again");
        cloud.settle().await;
        if is_paid {
            assert_eq!(sweep["paid"], json!(1));
            assert_topped_up_once(&cloud, "acme", 5_000, "found paid").await;
        } else {
            assert_eq!(sweep["abandoned"], json!(1));
            assert_unpaused_without_mail(&cloud, "acme", "closed").await;
            assert_eq!(cloud.cents_taken("acme").await, Vec::<i64>::new());
            assert_eq!(cloud.top_up_invoices("acme").await[0]["status"], json!("void"));
            assert_eq!(cloud.sweep().await["paid"], json!(1), "the next attempt is a new one");
            assert_eq!(cloud.balance("acme").await, 5_000);
        }
    }
}

#[tokio::test]
async fn an_attempt_unknown_for_a_millisecond_less_than_twenty_hours_is_sent_again() {
    let cloud = TestCloud::start().await;
    cloud.open_due_account("acme", "pm_card_visa").await;
    cloud.cloud.stripe.add_fault(outage(PAY, FaultAction::Unavailable));
    cloud.advance(HALF_AN_HOUR).await;
    cloud.cloud.stripe.clear_faults();
    cloud.cloud.clock.advance(SignedDuration::from_hours(20) - SignedDuration::from_millis(1)).unwrap();
    assert_eq!(cloud.sweep().await["paid"], json!(1));
    assert_topped_up_once(&cloud, "acme", 5_000, "sent again").await;
}

#[tokio::test]
async fn switching_off_while_an_attempt_is_open_closes_it_without_a_payment() {
    let cloud = TestCloud::start().await;
    cloud.open_due_account("acme", "pm_card_visa").await;
    cloud.cloud.stripe.add_fault(outage(PAY, FaultAction::Unavailable));
    assert_eq!(cloud.advance(HALF_AN_HOUR).await[0]["unknown"], json!(1));
    turn_off(&cloud, "acme").await;
    cloud.cloud.stripe.clear_faults();
    let pay_calls = cloud.pay_calls();

    assert_eq!(cloud.advance(HALF_AN_HOUR).await[0]["abandoned"], json!(1));

    assert_eq!(cloud.pay_calls(), pay_calls);
    assert_eq!(cloud.top_up_invoices("acme").await[0]["status"], json!("void"));
    assert_eq!((cloud.balance("acme").await, cloud.cents_taken("acme").await.len()), (0, 0));
    assert_unpaused_without_mail(&cloud, "acme", "off").await;
    assert_nothing_due(&cloud.advance(SignedDuration::from_hours(12)).await);
}

/// The worst moment for the table to fail: the money was taken, and nothing is recorded yet.
#[tokio::test]
async fn money_taken_while_the_ledger_fails_is_granted_once_by_whoever_comes_next() {
    let faults = [
        TableFault::LoseAnswer(Loss::ConnectionReset),
        TableFault::LoseRequest(Loss::Timeout),
        TableFault::Refuse(Refusal::Throttling),
        TableFault::Refuse(Refusal::InternalServerError),
    ];
    let cases = faults.into_iter().flat_map(|fault| [true, false].map(|by_webhook| (fault.clone(), by_webhook)));
    join_all(cases.map(|(fault, by_webhook)| lose_the_grant(fault, by_webhook))).await;
}

async fn lose_the_grant(fault: TableFault, by_webhook: bool) {
    let why = format!("{fault:?}, repaired by {}", if by_webhook { "the webhook" } else { "the next sweep" });
    let cloud = TestCloud::start().await;
    cloud.open_due_account("acme", "pm_card_visa").await;
    let drop_next = if by_webhook { 0 } else { 100 };
    cloud.cloud.stripe.set_webhook_conduct(WebhookConduct { drop_next, ..WebhookConduct::default() });
    let (stripe, injected) = (cloud.cloud.stripe.clone(), fault.clone());
    cloud.cloud.aws.dynamodb.faults().decide_with(move |operation| {
        let is_grant = operation.name == "TransactWriteItems" && stripe.request_count("POST", PAY) > 0;
        is_grant.then(|| injected.clone())
    });
    cloud.cloud.clock.advance(HALF_AN_HOUR).unwrap();

    let sweep = cloud.sweep().await;

    assert_eq!(cloud.cents_taken("acme").await, [5_000], "{why}");
    assert_eq!((&sweep["due"], &sweep["failed"]), (&json!(1), &json!(1)), "{why}");
    cloud.cloud.aws.dynamodb.faults().clear();
    if by_webhook {
        cloud.settle().await;
        assert_eq!(cloud.balance("acme").await, 5_000, "{why}");
    }
    cloud.advance(HALF_AN_HOUR).await;
    assert_topped_up_once(&cloud, "acme", 5_000, &why).await;
    assert_eq!(cloud.mails("acme").len(), 1, "{why}");
}

#[tokio::test]
async fn an_invoice_paid_by_hand_at_stripe_while_its_attempt_is_open_is_granted_once() {
    let cloud = TestCloud::start().await;
    cloud.open_due_account("acme", "pm_card_visa").await;
    cloud.cloud.stripe.add_fault(outage(PAY, FaultAction::Unavailable));
    cloud.advance(HALF_AN_HOUR).await;
    cloud.cloud.stripe.clear_faults();
    let invoice = cloud.top_up_invoices("acme").await.remove(0);
    let path = format!("/v1/invoices/{}/pay", invoice["id"].as_str().unwrap());
    cloud.stripe(Method::POST, &path, &[]).await.expect(200);
    cloud.advance(HALF_AN_HOUR).await;
    assert_topped_up_once(&cloud, "acme", 5_000, "by hand").await;
    assert_eq!(cloud.mails("acme").len(), 1);
}

/// The table, and a Stripe that is not asked: everything recorded here is already its answer.
fn ledger_alone(cloud: &TestCloud) -> Context<LedgerAlone> {
    let mut settings = Settings::new(SecretString::from(cloud.cloud.stripe_api_key.clone()));
    settings.api_base = cloud.cloud.urls.stripe.clone();
    Context {
        ledger: cloud.ledger(),
        payments: StripePayments::new(settings).unwrap(),
        mailer: Absent,
        timers: Absent,
        clock: cloud.cloud.clock.clone(),
        pauses: NoPauses,
        memory: Memory::none(),
        ids: RandomIds,
        price_book: Absent,
    }
}

enum LedgerAlone {}

impl Capabilities for LedgerAlone {
    type Ledger = DynamoLedger;
    type Payments = StripePayments;
    type Mailer = Absent;
    type Timers = Absent;
    type Clock = MovableClock;
    type Pauses = NoPauses;
    type Ids = RandomIds;
    type PriceBook = Absent;
}
