//! Faults of Stripe and the network: no conclusion is drawn from them, and repeating the attempt leads to one invoice
//! and one charge.

use super::bench::{Bench, PRICE, paid};
use local_stripe::{Fault, FaultAction};
use shared::domain::payments::{DeclineReason, RefusalReason, TopUpOutcome};
use shared::ports::Payments;
use shared::stripe::SecretString;
use std::num::NonZeroU32;
use std::time::Duration;

const STEPS: [&str; 4] = ["/v1/invoices", "/v1/invoiceitems", "/v1/invoices/*/finalize", "/v1/invoices/*/pay"];
const PAY: &str = STEPS[3];

const ACTIONS: [FaultAction; 6] = [
    FaultAction::LoseAnswer,
    FaultAction::LoseRequest,
    FaultAction::RateLimit,
    FaultAction::InternalError,
    FaultAction::InternalErrorAfterEffect,
    FaultAction::Unavailable,
];

#[tokio::test]
async fn no_fault_at_any_step_concludes_anything_and_the_same_attempt_is_paid_once_later() {
    for step in STEPS {
        for action in ACTIONS {
            let bench = Bench::start().await;
            let top_up = bench.top_up_on("pm_card_visa").await;
            bench.stripe.add_fault(Fault::once("POST", step, action));
            let why = format!("{action:?} at {step}");

            let first = bench.payments().top_up_pay(&top_up).await;
            let has_effect = matches!(action, FaultAction::LoseAnswer | FaultAction::InternalErrorAfterEffect);
            if step == PAY && has_effect {
                assert!(matches!(first, TopUpOutcome::Paid(_)), "the invoice says that it is paid: {why}: {first:?}");
            } else {
                assert_eq!(first, TopUpOutcome::Unknown, "{why}");
            }
            let payment = paid(bench.payments().top_up_pay(&top_up).await);
            assert_eq!(payment.amount, PRICE, "{why}");
            bench.assert_paid_once(&top_up, &why).await;
        }
    }
}

#[tokio::test]
async fn the_same_faults_are_mended_on_the_spot_by_retries_under_the_same_keys() {
    for step in STEPS {
        for action in ACTIONS {
            let bench = Bench::start().await;
            let top_up = bench.top_up_on("pm_card_visa").await;
            bench.stripe.add_fault(Fault::once("POST", step, action));
            let why = format!("{action:?} at {step}");
            let payments = bench.payments_with(|settings| settings.tries_max = NonZeroU32::new(3).unwrap());
            paid(payments.top_up_pay(&top_up).await);
            bench.assert_paid_once(&top_up, &why).await;
        }
    }
}

#[tokio::test]
async fn a_lost_answer_to_pay_is_asked_for_again_under_the_same_key() {
    let bench = Bench::start().await;
    let top_up = bench.top_up_on("pm_card_visa").await;
    bench.stripe.add_fault(Fault::once("POST", PAY, FaultAction::LoseAnswer));
    let payments = bench.payments_with(|settings| settings.tries_max = NonZeroU32::new(2).unwrap());
    paid(payments.top_up_pay(&top_up).await);
    let key = format!("top_up:{}:pay:0", top_up.id);
    assert_eq!(bench.keys(PAY), [(key.clone(), false), (key, true)]);
    bench.assert_paid_once(&top_up, "lost answer").await;
}

#[tokio::test]
async fn with_everything_lost_a_payment_stays_unknown_until_it_is_found() {
    let bench = Bench::start().await;
    let top_up = bench.top_up_on("pm_card_visa").await;
    bench.stripe.add_fault(Fault::once("POST", PAY, FaultAction::LoseAnswer));
    bench.stripe.add_fault(Fault::once("GET", "/v1/invoices/*", FaultAction::LoseRequest));
    assert_eq!(bench.payments().top_up_pay(&top_up).await, TopUpOutcome::Unknown);
    assert_eq!(bench.charges_paid(&top_up.customer).await.len(), 1, "the money has already been taken");
    paid(bench.payments().top_up_pay(&top_up).await);
    bench.assert_paid_once(&top_up, "found").await;
}

#[tokio::test]
async fn a_step_that_takes_too_long_concludes_nothing_and_is_never_made_twice() {
    for step in STEPS {
        let bench = Bench::start().await;
        let top_up = bench.top_up_on("pm_card_visa").await;
        bench.stripe.add_fault(Fault::once("POST", step, FaultAction::Latency { milliseconds: 400 }));
        let hasty = bench.payments_with(|settings| {
            settings.timeout = Duration::from_millis(100);
            settings.pay_timeout = Duration::from_millis(100);
        });
        assert_eq!(hasty.top_up_pay(&top_up).await, TopUpOutcome::Unknown, "{step}");
        // The key is in use until the slow request ends; until then the answer is 409.
        let payments = bench.payments();
        let payment = loop {
            match payments.top_up_pay(&top_up).await {
                TopUpOutcome::Unknown => tokio::time::sleep(Duration::from_millis(20)).await,
                outcome => break paid(outcome),
            }
        };
        assert_eq!(payment.amount, PRICE, "{step}");
        bench.assert_paid_once(&top_up, step).await;
    }
}

#[tokio::test]
async fn a_decline_behind_a_failure_of_stripes_is_found_and_the_card_left_alone() {
    let bench = Bench::start().await;
    let top_up = bench.top_up_on("pm_card_chargeCustomerFail").await;
    bench.stripe.add_fault(Fault::once("POST", PAY, FaultAction::InternalErrorAfterEffect));
    assert_eq!(bench.payments().top_up_pay(&top_up).await, TopUpOutcome::Unknown, "a 500 is not a decline");
    let outcome = bench.payments().top_up_pay(&top_up).await;
    let is_declined = matches!(outcome, TopUpOutcome::Declined { reason: DeclineReason::Generic, invoice: Some(_) });
    assert!(is_declined, "{outcome:?}");
    assert_eq!(bench.keys(PAY).iter().filter(|(_, is_replayed)| !is_replayed).count(), 1, "the bank is asked once");
}

#[tokio::test]
async fn an_outage_of_any_length_pauses_nobody() {
    let bench = Bench::start().await;
    let top_up = bench.top_up_on("pm_card_chargeCustomerFail").await;
    for action in [FaultAction::Unavailable, FaultAction::RateLimit, FaultAction::LoseRequest] {
        bench.stripe.add_fault(Fault { method: None, path: PAY.to_owned(), action, count: 5 });
        for _ in 0..5 {
            assert_eq!(bench.payments().top_up_pay(&top_up).await, TopUpOutcome::Unknown, "{action:?}");
        }
    }
}

#[tokio::test]
async fn a_key_that_stripe_does_not_take_pauses_nobody() {
    let bench = Bench::start().await;
    let top_up = bench.top_up_on("pm_card_visa").await;
    let stranger = bench.payments_with(|settings| settings.api_key = SecretString::from("sk_test_stranger"));
    assert_eq!(stranger.top_up_pay(&top_up).await, TopUpOutcome::Unknown);
    assert_eq!(stranger.top_up_close(&top_up).await, TopUpOutcome::Unknown);
    assert!(bench.invoices(&top_up.customer).await.is_empty());
    paid(bench.payments().top_up_pay(&top_up).await);
}

#[tokio::test]
async fn an_invoice_over_another_total_is_voided_and_never_paid() {
    let bench = Bench::start().await;
    let top_up = bench.top_up_on("pm_card_visa").await;
    bench.stripe.add_fault(Fault::once("POST", "/v1/invoices/*/finalize", FaultAction::LoseRequest));
    assert_eq!(bench.payments().top_up_pay(&top_up).await, TopUpOutcome::Unknown);
    let draft = bench.invoices(&top_up.customer).await[0]["id"].as_str().unwrap().to_owned();
    let item = format!("customer={}&invoice={draft}&amount=100&currency=usd", top_up.customer);
    bench.post("/v1/invoiceitems", &item).await;

    for _ in 0..2 {
        let refused = TopUpOutcome::Refused { reason: RefusalReason::OtherPrice };
        assert_eq!(bench.payments().top_up_pay(&top_up).await, refused);
        let invoices = bench.invoices(&top_up.customer).await;
        assert_eq!((invoices.len(), &invoices[0]["status"]), (1, &"void".into()));
    }
    assert_eq!(bench.stripe.request_count("POST", PAY), 0);
    bench.assert_nothing_paid(&top_up.customer).await;
    assert_eq!(bench.payments().top_up_close(&top_up).await, TopUpOutcome::Abandoned);
}

#[tokio::test]
async fn a_key_used_for_another_request_pauses_nobody_and_finds_what_was_paid() {
    let bench = Bench::start().await;
    let top_up = bench.top_up_on("pm_card_visa").await;
    paid(bench.payments().top_up_pay(&top_up).await);
    let mut other = top_up.clone();
    other.payment_method = Some(bench.card(&top_up.customer, "pm_card_mastercard").await);
    paid(bench.payments().top_up_pay(&other).await);
    other.price = shared::domain::Amount::new(shared::domain::Currency::USD, PRICE + 1).unwrap();
    paid(bench.payments().top_up_pay(&other).await);
    bench.assert_paid_once(&top_up, "keys misused").await;
}

#[tokio::test]
async fn an_invoice_paid_by_another_way_answers_with_its_payment() {
    let bench = Bench::start().await;
    let top_up = bench.top_up_on("pm_card_visa").await;
    bench.stripe.add_fault(Fault::once("POST", PAY, FaultAction::LoseRequest));
    assert_eq!(bench.payments().top_up_pay(&top_up).await, TopUpOutcome::Unknown);
    let invoices = bench.invoices(&top_up.customer).await;
    let page = invoices[0]["hosted_invoice_url"].as_str().unwrap();
    bench.submit(page, "card_number=5555555555554444").await;

    let payment = paid(bench.payments().top_up_pay(&top_up).await);
    assert_eq!(payment.payment_method, None, "the card entered on the page was not saved");
    bench.assert_paid_once(&top_up, "already paid").await;
}
