//! Leaving a pause of automatic top-ups: the retry, the resumption and the hosted page, in every order.

use crate::support::{Answer, TestCloud};
use aws_sdk_dynamodb::types::AttributeValue;
use jiff::SignedDuration;
use local_stripe::{CustomerDiscount, Fault, FaultAction};
use serde_json::{Value, json};
use shared::domain::PriceBook;
use shared::domain::payments::DeclineReason;
use shared::words::decline;

const HALF_AN_HOUR: SignedDuration = SignedDuration::from_mins(30);
const PAY: &str = "/v1/invoices/*/pay";
const VOID: &str = "/v1/invoices/*/void";

fn once(path: &str, action: FaultAction) -> Fault {
    Fault { method: None, path: path.to_owned(), action, count: 1 }
}

/// An account whose card was declined, so that it is paused.
async fn paused() -> TestCloud {
    let cloud = TestCloud::start().await;
    cloud.open_due_account("acme", "pm_card_chargeCustomerFail").await;
    cloud.advance(HALF_AN_HOUR).await;
    assert_eq!(kind_of_issue(&cloud).await, "declined");
    cloud
}

async fn kind_of_issue(cloud: &TestCloud) -> Value {
    cloud.auto_top_up("acme").await["payment_issue"]["kind"].clone()
}

async fn retry(cloud: &TestCloud, key: &str, body: &Value) -> Answer {
    cloud.post("/v1/accounts/acme/auto-top-up/retry", &cloud.cloud.customer_token("acme"), Some(key), body).await
}

async fn resume(cloud: &TestCloud) -> Answer {
    let path = "/v1/accounts/acme/auto-top-up/resume";
    cloud.post(path, &cloud.cloud.customer_token("acme"), None, &json!({})).await
}

/// One invoice, one payment, one grant, and no pause.
async fn assert_paid_once(cloud: &TestCloud, why: &str) {
    cloud.settle().await;
    let invoices = cloud.top_up_invoices("acme").await;
    assert_eq!((invoices.len(), &invoices[0]["status"]), (1, &json!("paid")), "{why}");
    assert_eq!(cloud.cents_taken("acme").await, [5_000], "{why}");
    assert_eq!(cloud.entries("acme", "top_up").await, [5_000], "{why}");
    assert_eq!(kind_of_issue(cloud).await, Value::Null, "{why}");
}

/// Nothing paid, the invoice void, and no pause.
async fn assert_voided(cloud: &TestCloud, why: &str) {
    cloud.settle().await;
    let invoices = cloud.top_up_invoices("acme").await;
    assert_eq!((invoices.len(), &invoices[0]["status"]), (1, &json!("void")), "{why}");
    assert_eq!(cloud.cents_taken("acme").await, [0_i64; 0], "{why}");
    assert_eq!(cloud.entries("acme", "top_up").await, [0_i64; 0], "{why}");
    assert_eq!(kind_of_issue(cloud).await, Value::Null, "{why}");
}

#[tokio::test]
async fn a_retry_pays_the_open_invoice_with_the_default_card_and_is_one_payment_however_often_it_is_repeated() {
    let cloud = paused().await;
    let declined = retry(&cloud, "again-1", &json!({})).await.expect(201);
    let words = decline(DeclineReason::Generic);
    assert_eq!((&declined.body["outcome"], &declined.body["reason"]), (&json!("declined"), &json!(words.reason)));
    assert!(declined.body["payment_url"].is_string(), "{}", declined.text);
    let asked = cloud.pay_calls();
    let again = retry(&cloud, "again-1", &json!({})).await.expect(200);
    assert!(again.is_replay && again.body["outcome"] == "declined", "{}", again.text);
    assert_eq!(cloud.pay_calls(), asked, "the bank is not asked again");

    cloud.save_card("acme", "pm_card_visa").await;
    let paid = retry(&cloud, "again-2", &json!({})).await.expect(201);
    assert_eq!((&paid.body["outcome"], &paid.body["balance"]), (&json!("paid"), &json!(5_000)));
    assert_eq!((&paid.body["payment_url"], &paid.body["payment_issue"]), (&Value::Null, &Value::Null));
    assert_eq!(retry(&cloud, "again-2", &json!({})).await.expect(200).body["outcome"], "paid");
    retry(&cloud, "again-3", &json!({})).await.expect_problem(409, "not_paused");
    assert_paid_once(&cloud, "the default card").await;
    let subjects = cloud.subjects("acme");
    assert_eq!(subjects.len(), 2, "the decline and the receipt, and nothing about the retries: {subjects:?}");
}

#[tokio::test]
async fn a_retry_with_a_named_card_takes_only_a_card_of_this_customer() {
    let cloud = paused().await;
    let saved = cloud.save_card("acme", "pm_card_visa").await;
    cloud.save_card("acme", "pm_card_chargeCustomerFail").await;
    cloud.open_account("other").await;
    let foreign = cloud.save_card("other", "pm_card_visa").await;
    for card in [foreign.as_str(), "pm_nothing"] {
        let refused = retry(&cloud, "again-1", &json!({ "payment_method": card })).await;
        assert_eq!(
            refused.expect_problem(422, "invalid_request").field_error("payment_method"),
            "must be a saved card of this customer"
        );
    }
    for invalid in [json!({"payment_method": "pm/1"}), json!({"payment_method": 7}), json!({"card": "pm_1"})] {
        retry(&cloud, "again-1", &invalid).await.expect_problem(422, "invalid_request");
    }
    assert_eq!(cloud.pay_calls(), 1, "only the sweep asked the bank");
    let named = json!({ "payment_method": saved });
    assert_eq!(retry(&cloud, "again-1", &named).await.expect(201).body["outcome"], "paid");
    retry(&cloud, "again-1", &json!({})).await.expect_problem(409, "idempotency_key_reused");
    assert_paid_once(&cloud, "a named card").await;
}

#[tokio::test]
async fn a_retry_that_the_bank_wants_confirmed_answers_with_the_page_to_go_to() {
    let cloud = paused().await;
    cloud.save_card("acme", "pm_card_threeDSecure2Required").await;
    let asked = retry(&cloud, "again-1", &json!({})).await.expect(201);
    assert_eq!(asked.body["outcome"], "action_required");
    assert_eq!(asked.body["payment_issue"]["kind"], "action_required");
    let page = asked.body["payment_url"].as_str().unwrap().to_owned();
    assert_eq!(cloud.subjects("acme").len(), 1, "the customer is present");
    cloud.answer_bank(&page, "complete").await;
    assert_paid_once(&cloud, "confirmed on the page").await;
    assert_eq!(retry(&cloud, "again-1", &json!({})).await.expect(200).body["outcome"], "action_required");
}

/// Whatever gets lost, repeating the request is the same payment.
#[tokio::test]
async fn a_retry_survives_every_fault_of_stripe_as_one_payment() {
    for action in [
        FaultAction::LoseAnswer,
        FaultAction::LoseRequest,
        FaultAction::RateLimit,
        FaultAction::InternalError,
        FaultAction::InternalErrorAfterEffect,
        FaultAction::Unavailable,
    ] {
        let cloud = paused().await;
        cloud.save_card("acme", "pm_card_visa").await;
        for _ in 0..5 {
            cloud.cloud.stripe.add_fault(once(PAY, action));
        }
        let mut answer = retry(&cloud, "again-1", &json!({})).await;
        for _ in 0..5 {
            if answer.status == 503 {
                answer = retry(&cloud, "again-1", &json!({})).await;
            }
        }
        assert_eq!(answer.body["outcome"], "paid", "{action:?}: {}", answer.text);
        assert_paid_once(&cloud, &format!("{action:?}")).await;
    }
}

#[tokio::test]
async fn an_invoice_is_retried_a_bounded_number_of_times() {
    let cloud = paused().await;
    for number in 1..=PriceBook::TOP_UP_RETRIES_MAX {
        retry(&cloud, &format!("again-{number}"), &json!({})).await.expect(201);
    }
    retry(&cloud, "once-more", &json!({})).await.expect_problem(409, "too_many_retries");
    assert_eq!(retry(&cloud, "again-3", &json!({})).await.expect(200).body["outcome"], "declined");
}

#[tokio::test]
async fn a_resumption_voids_the_invoice_and_arms_again_only_with_a_valid_card() {
    let cloud = paused().await;
    let declined = cloud.save_card("acme", "pm_card_chargeCustomerFail").await;
    cloud.stripe_post(&format!("/v1/payment_methods/{declined}"), &[("card[exp_year]", "2020")]).await;
    resume(&cloud).await.expect_problem(409, "no_valid_card");
    cloud.stripe_post(&format!("/v1/payment_methods/{declined}/detach"), &[]).await;
    resume(&cloud).await.expect_problem(409, "no_valid_card");
    assert_eq!(cloud.top_up_invoices("acme").await[0]["status"], "open", "nothing is voided before that");

    cloud.save_card("acme", "pm_card_visa").await;
    let resumed = resume(&cloud).await.expect(200);
    assert_eq!((&resumed.body["outcome"], &resumed.body["payment_issue"]), (&json!("resumed"), &Value::Null));
    assert_voided(&cloud, "resumed").await;
    assert_eq!(resume(&cloud).await.expect(200).body["outcome"], "not_paused");
    retry(&cloud, "again-1", &json!({})).await.expect_problem(409, "not_paused");

    cloud.advance(SignedDuration::from_hours(6)).await;
    assert_eq!(cloud.entries("acme", "top_up").await, [5_000], "the next sweep tops up");
}

#[tokio::test]
async fn whoever_comes_first_wins_and_there_is_one_payment_or_none() {
    let cloud = paused().await;
    cloud.save_card("acme", "pm_card_visa").await;
    cloud.pay_page(&cloud.hosted_page("acme").await, "4242424242424242").await;
    assert_eq!(kind_of_issue(&cloud).await, "declined", "the event is under way");
    let resumed = resume(&cloud).await.expect(200);
    assert_eq!((&resumed.body["outcome"], &resumed.body["balance"]), (&json!("paid"), &json!(5_000)));
    assert_paid_once(&cloud, "paid on the page, and resumed before the event").await;

    let cloud = paused().await;
    cloud.save_card("acme", "pm_card_visa").await;
    cloud.pay_page(&cloud.hosted_page("acme").await, "4242424242424242").await;
    assert_eq!(retry(&cloud, "again-1", &json!({})).await.expect(201).body["outcome"], "paid");
    assert_paid_once(&cloud, "paid on the page, and retried before the event").await;

    let cloud = paused().await;
    cloud.save_card("acme", "pm_card_visa").await;
    cloud.cloud.stripe.add_fault(once(VOID, FaultAction::LoseAnswer));
    resume(&cloud).await.expect_problem(503, "unavailable");
    assert_eq!(retry(&cloud, "again-1", &json!({})).await.expect(201).body["outcome"], "abandoned");
    assert_voided(&cloud, "voided, and retried before the event").await;

    let cloud = paused().await;
    cloud.save_card("acme", "pm_card_visa").await;
    cloud.cloud.stripe.add_fault(once(VOID, FaultAction::LoseRequest));
    resume(&cloud).await.expect_problem(503, "unavailable");
    let (retried, resumed) = tokio::join!(async { retry(&cloud, "again-1", &json!({})).await }, resume(&cloud));
    match (retried.body["outcome"].as_str(), resumed.body["outcome"].as_str()) {
        (Some("abandoned"), Some("resumed")) => assert_voided(&cloud, "at once").await,
        (Some("paid"), Some("paid" | "not_paused")) => assert_paid_once(&cloud, "at once").await,
        (None, Some("resumed")) => {
            retried.expect_problem(409, "not_paused");
            assert_voided(&cloud, "at once").await;
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn without_automatic_top_ups_a_resumption_needs_no_card_and_lets_the_account_be_erased() {
    let cloud = paused().await;
    let erase = async || {
        let path = "/v1/support/accounts/acme/erase";
        cloud.post(path, &cloud.support_token(), None, &json!({"reason": "The customer asks."})).await
    };
    let refused = erase().await.expect_problem(409, "payment_open");
    assert!(refused.text.contains("auto-top-up/resume"), "{}", refused.text);
    let customer = cloud.customer("acme").await;
    let cards = cloud.stripe_list(&format!("/v1/customers/{customer}/payment_methods")).await;
    for card in cards {
        cloud.stripe_post(&format!("/v1/payment_methods/{}/detach", card["id"].as_str().unwrap()), &[]).await;
    }
    resume(&cloud).await.expect_problem(409, "no_valid_card");
    let off = json!({"enabled": false});
    cloud.put("/v1/accounts/acme/auto-top-up", &cloud.cloud.service_token(), &off).await.expect(200);
    retry(&cloud, "again-1", &json!({})).await.expect_problem(409, "no_card");
    assert_eq!(resume(&cloud).await.expect(200).body["outcome"], "resumed");
    assert_voided(&cloud, "turned off").await;
    erase().await.expect(200);
    for path in ["retry", "resume"] {
        let path = format!("/v1/accounts/acme/auto-top-up/{path}");
        let token = cloud.cloud.service_token();
        cloud.post(&path, &token, Some("again-2"), &json!({})).await.expect_problem(403, "account_closed");
    }
}

/// There is no invoice, so the pause ends by itself once the customer says that its cause is gone.
#[tokio::test]
async fn a_pause_that_left_no_invoice_cannot_be_paid_and_can_be_ended() {
    let cloud = TestCloud::start().await;
    cloud.open_due_account("acme", "pm_card_visa").await;
    let customer = cloud.customer("acme").await;
    cloud.cloud.stripe.give_discount(&customer, CustomerDiscount::Percent { percent_off: 15 }).unwrap();
    cloud.advance(HALF_AN_HOUR).await;
    assert_eq!(kind_of_issue(&cloud).await, "refused");
    retry(&cloud, "again-1", &json!({})).await.expect_problem(409, "nothing_to_pay");
    assert_eq!(resume(&cloud).await.expect(200).body["outcome"], "resumed");
    assert_eq!(kind_of_issue(&cloud).await, Value::Null);
}

#[tokio::test]
async fn a_bank_debit_under_way_is_neither_paid_twice_nor_voided() {
    let cloud = paused().await;
    cloud.save_card("acme", "pm_usBankAccount_processing").await;
    let answer = retry(&cloud, "again-1", &json!({})).await.expect(201);
    assert_eq!(answer.body["outcome"], "processing");
    resume(&cloud).await.expect_problem(409, "payment_under_way");
    assert_eq!(cloud.top_up_invoices("acme").await[0]["status"], "open");
}

const A_DAY: SignedDuration = SignedDuration::from_hours(24);

/// Lets days pass, with a sweep on each of them.
async fn pass_days(cloud: &TestCloud, days: u32) {
    for _ in 0..days {
        cloud.cloud.clock.advance(A_DAY).unwrap();
        cloud.settle().await;
        cloud.sweep().await;
        cloud.settle().await;
    }
}

/// How many reminders the owner got.
fn reminders(cloud: &TestCloud) -> usize {
    cloud.subjects("acme").iter().filter(|subject| subject.starts_with("Reminder: ")).count()
}

#[tokio::test]
async fn an_unpaid_top_up_is_reminded_of_three_times_and_closed_after_thirty_days() {
    let cloud = paused().await;
    let mut reminded = vec![];
    for day in 1..=29 {
        pass_days(&cloud, 1).await;
        reminded.push((day, reminders(&cloud)));
    }
    reminded.dedup_by_key(|(_, count)| *count);
    assert_eq!(reminded, [(1, 1), (3, 2), (7, 3)]);
    let mails = cloud.mails("acme");
    let text = mails[1].text.clone().unwrap();
    let words = decline(DeclineReason::Generic);
    assert!(text.contains(words.reason) && text.contains(words.remedy) && text.contains("/pay/"), "{text}");
    assert!(mails[1].html.clone().is_some_and(|html| html.contains(words.reason)));
    assert_eq!(cloud.top_up_invoices("acme").await[0]["status"], "open");

    pass_days(&cloud, 1).await;
    assert_voided(&cloud, "after 30 days").await;
    let subjects = cloud.subjects("acme");
    assert_eq!(subjects.last().unwrap(), "We closed your unpaid automatic top-up of $50.00");
    assert_eq!((subjects.len(), &cloud.auto_top_up("acme").await["enabled"]), (5, &json!(false)));

    cloud.save_card("acme", "pm_card_visa").await;
    pass_days(&cloud, 1).await;
    assert_eq!(cloud.pay_calls(), 1, "no timer charges the card of an account whose pause a timer has ended");
    cloud.turn_on_auto_top_up("acme", 1_000, 5_000).await;
    cloud.advance(HALF_AN_HOUR).await;
    assert_eq!(cloud.entries("acme", "top_up").await, [5_000]);
    assert_eq!(cloud.subjects("acme").len(), 6, "and the receipt");
}

/// No card was ever tried for this invoice, so Stripe knows of no decline. The customer is reminded all the same.
#[tokio::test]
async fn a_customer_who_has_no_card_is_reminded_to_pay_with_any() {
    let cloud = TestCloud::start().await;
    cloud.open_due_account("acme", "pm_card_visa").await;
    let customer = cloud.customer("acme").await;
    for card in cloud.stripe_list(&format!("/v1/customers/{customer}/payment_methods")).await {
        cloud.stripe_post(&format!("/v1/payment_methods/{}/detach", card["id"].as_str().unwrap()), &[]).await;
    }
    cloud.sweep().await;
    cloud.settle().await;
    assert_eq!(kind_of_issue(&cloud).await, "declined");
    pass_days(&cloud, 1).await;
    let mails = cloud.mails("acme");
    let text = mails.last().unwrap().text.clone().unwrap();
    assert!(reminders(&cloud) == 1 && text.contains(decline(DeclineReason::NoCard).reason), "{text}");
    cloud.pay_page(&cloud.hosted_page("acme").await, "4242424242424242").await;
    assert_paid_once(&cloud, "paid through the link in the reminder").await;
}

#[tokio::test]
async fn nobody_is_reminded_of_what_was_paid_or_of_what_stripe_does_not_tell() {
    let cloud = paused().await;
    cloud.cloud.stripe.add_fault(Fault {
        method: None,
        path: "/v1/invoices/*".to_owned(),
        action: FaultAction::Unavailable,
        count: u32::MAX,
    });
    pass_days(&cloud, 2).await;
    assert_eq!(reminders(&cloud), 0, "Stripe is down");
    cloud.cloud.stripe.clear_faults();
    cloud.advance(HALF_AN_HOUR).await;
    assert_eq!(reminders(&cloud), 1);

    cloud.pay_page(&cloud.hosted_page("acme").await, "4242424242424242").await;
    cloud.settle().await;
    pass_days(&cloud, 40).await;
    assert_paid_once(&cloud, "paid after the first reminder").await;
    assert_eq!((reminders(&cloud), cloud.subjects("acme").len()), (1, 3));
}

/// Stripe's event is lost for good, and the run finds the payment instead of reminding of it or voiding it.
#[tokio::test]
async fn a_payment_whose_event_was_lost_is_found_by_the_next_reminder_and_by_the_end_of_the_month() {
    for hours in [24, 30 * 24] {
        let cloud = paused().await;
        let page = cloud.hosted_page("acme").await;
        cloud.cloud.clock.advance(SignedDuration::from_hours(hours)).unwrap();
        cloud.pay_page(&page, "4242424242424242").await;
        let unpaid = cloud.sweep().await["unpaid"].clone();
        assert_eq!((&unpaid["due"], &unpaid["ended"]), (&json!(1), &json!(1)), "{unpaid}");
        assert_paid_once(&cloud, "found by the run").await;
        assert_eq!((reminders(&cloud), cloud.subjects("acme").len()), (0, 2));
    }
}

#[tokio::test]
async fn a_void_at_the_end_of_the_month_survives_every_fault_of_stripe_and_is_said_once() {
    for action in [FaultAction::LoseAnswer, FaultAction::LoseRequest, FaultAction::InternalErrorAfterEffect] {
        let cloud = paused().await;
        cloud.cloud.clock.advance(SignedDuration::from_hours(30 * 24)).unwrap();
        cloud.cloud.stripe.add_fault(once(VOID, action));
        cloud.sweep().await;
        cloud.settle().await;
        cloud.sweep().await;
        assert_voided(&cloud, &format!("{action:?}")).await;
        let closed = |subject: &String| subject.starts_with("We closed your unpaid");
        assert_eq!(cloud.subjects("acme").into_iter().filter(|subject| closed(subject)).count(), 1, "{action:?}");
        assert_eq!(cloud.auto_top_up("acme").await["enabled"], json!(false), "{action:?}");
    }
}

/// The attempts that are in the index, with whatever is due of them.
async fn attempts_due(cloud: &TestCloud) -> usize {
    let mut count = 0;
    for shard in 0..16 {
        let query = cloud.cloud.aws.dynamodb.client().query().table_name(cloud.table()).index_name("due");
        let query = query.key_condition_expression("due_shard = :shard");
        let shard = AttributeValue::S(format!("UNPAID#{shard}"));
        count += query.expression_attribute_values(":shard", shard).send().await.unwrap().items().len();
    }
    count
}

#[tokio::test]
async fn whatever_ends_a_pause_takes_its_reminder_out_of_the_index_and_lets_the_account_be_erased() {
    for end in ["page", "retry", "resumption", "month"] {
        let cloud = paused().await;
        let erase = async || {
            let path = "/v1/support/accounts/acme/erase";
            cloud.post(path, &cloud.support_token(), None, &json!({"reason": "The customer asks."})).await
        };
        erase().await.expect_problem(409, "payment_open");
        assert_eq!(attempts_due(&cloud).await, 1, "{end}");
        match end {
            "page" => {
                cloud.pay_page(&cloud.hosted_page("acme").await, "4242424242424242").await;
                cloud.settle().await;
            }
            "month" => pass_days(&cloud, 30).await,
            _ => {
                cloud.save_card("acme", "pm_card_visa").await;
                let ended =
                    if end == "retry" { retry(&cloud, "again", &json!({})).await } else { resume(&cloud).await };
                assert!(matches!(ended.status, 200 | 201), "{end}: {}", ended.text);
            }
        }
        assert_eq!((attempts_due(&cloud).await, kind_of_issue(&cloud).await), (0, Value::Null), "{end}");
        erase().await.expect(200);
        let told = cloud.subjects("acme");
        pass_days(&cloud, 40).await;
        assert_eq!((attempts_due(&cloud).await, cloud.subjects("acme")), (0, told), "{end}");
    }
}

/// At the end of the month, whichever request reaches Stripe first wins.
#[tokio::test]
async fn the_end_of_the_month_beside_a_retry_and_a_resumption_is_one_payment_or_none() {
    for number in 0..6 {
        let cloud = paused().await;
        cloud.save_card("acme", "pm_card_visa").await;
        cloud.cloud.clock.advance(SignedDuration::from_hours(30 * 24)).unwrap();
        let sweep = async || cloud.sweep().await;
        let (retry, resume) = (async || retry(&cloud, "again", &json!({})).await, async || resume(&cloud).await);
        match number {
            0 => drop(tokio::join!(sweep(), retry())),
            1 => drop(tokio::join!(retry(), sweep())),
            2 => drop(tokio::join!(sweep(), resume())),
            3 => drop(tokio::join!(resume(), sweep())),
            4 => drop(tokio::join!(sweep(), retry(), resume(), sweep())),
            _ => drop((retry().await, sweep().await, resume().await)),
        }
        cloud.settle().await;
        cloud.sweep().await;
        let (why, is_paid) = (format!("order {number}"), cloud.balance("acme").await > 0);
        if is_paid {
            assert_paid_once(&cloud, &why).await;
        } else {
            assert_voided(&cloud, &why).await;
        }
        let closed = cloud.subjects("acme").iter().filter(|subject| subject.starts_with("We closed")).count();
        assert_eq!((closed, attempts_due(&cloud).await), (usize::from(!is_paid), 0), "{why}");
        assert_eq!(cloud.auto_top_up("acme").await["enabled"], json!(is_paid), "{why}");
    }
}

/// A debit that was started just before takes days. It is neither voided nor reminded of, and decides what the end is.
#[tokio::test]
async fn a_debit_under_way_at_the_end_of_the_month_is_waited_for() {
    for (account, invoice) in [
        ("pm_usBankAccount_processing", "open"),
        ("pm_usBankAccount_success", "paid"),
        ("pm_usBankAccount_insufficientFunds", "void"),
    ] {
        let cloud = paused().await;
        cloud.save_card("acme", account).await;
        cloud.cloud.clock.advance(SignedDuration::from_hours(30 * 24)).unwrap();
        assert_eq!(retry(&cloud, "again-1", &json!({})).await.expect(201).body["outcome"], "processing");
        let unpaid = cloud.sweep().await["unpaid"].clone();
        assert_eq!((&unpaid["due"], &unpaid["unknown"]), (&json!(1), &json!(1)), "{account}: {unpaid}");
        assert_eq!(kind_of_issue(&cloud).await, json!("declined"), "{account}");
        pass_days(&cloud, 10).await;
        assert_eq!((&cloud.top_up_invoices("acme").await[0]["status"], reminders(&cloud)), (&json!(invoice), 0));
        match invoice {
            "paid" => assert_paid_once(&cloud, account).await,
            "void" => assert_voided(&cloud, account).await,
            _ => assert_eq!(attempts_due(&cloud).await, 1, "{account}"),
        }
    }
}
