//! Closing an attempt: it can have no effect afterwards, and a payment that was faster is not lost.

use super::bench::{Bench, PRICE, paid};
use jiff::SignedDuration;
use local_stripe::{Fault, FaultAction};
use shared::domain::payments::TopUpOutcome;
use shared::domain::payments::{DeclineReason, Payment};
use shared::domain::{InvoiceId, TopUp, TopUpId};
use shared::ports::Payments;

const FINALIZE: &str = "/v1/invoices/*/finalize";
const INVOICES: &str = "/v1/invoices";
const PAY: &str = "/v1/invoices/*/pay";
const VOID: &str = "/v1/invoices/*/void";

#[tokio::test]
async fn an_attempt_that_never_reached_stripe_is_abandoned() {
    let bench = Bench::start().await;
    let top_up = bench.top_up_on("pm_card_visa").await;
    assert_eq!(bench.payments().top_up_close(&top_up).await, TopUpOutcome::Abandoned);
    assert!(bench.invoices(&top_up.customer).await.is_empty());
}

#[tokio::test]
async fn whoever_comes_late_pays_nothing_of_an_attempt_that_was_closed_before_it_had_an_invoice() {
    for remembered in [None, Some(FaultAction::InternalError), Some(FaultAction::InternalErrorAfterEffect)] {
        let bench = Bench::start().await;
        let top_up = bench.top_up_on("pm_card_visa").await;
        if let Some(action) = remembered {
            bench.stripe.add_fault(Fault::once("POST", INVOICES, action));
            bench.payments().top_up_close(&top_up).await;
        }
        assert_eq!(bench.payments().top_up_close(&top_up).await, TopUpOutcome::Abandoned, "{remembered:?}");
        assert_eq!(bench.payments().top_up_pay(&top_up).await, TopUpOutcome::Unknown, "{remembered:?}");
        assert!(bench.invoices(&top_up.customer).await.is_empty(), "{remembered:?}");
        bench.assert_nothing_paid(&top_up.customer).await;
    }
}

/// Stripe creates an invoice twice although it answers 500 each time, and both are deleted.
#[tokio::test]
async fn whoever_comes_late_pays_nothing_although_stripe_answered_500_to_every_invoice_it_created() {
    let bench = Bench::start().await;
    let top_up = bench.top_up_on("pm_card_visa").await;
    let action = FaultAction::InternalErrorAfterEffect;
    bench.stripe.add_fault(Fault { method: Some("POST".into()), path: INVOICES.into(), action, count: 2 });
    assert_eq!(bench.payments().top_up_close(&top_up).await, TopUpOutcome::Unknown, "Stripe has stored no invoice yet");
    assert_eq!(bench.payments().top_up_close(&top_up).await, TopUpOutcome::Abandoned);
    assert_eq!(bench.payments().top_up_pay(&top_up).await, TopUpOutcome::Unknown);
    assert!(bench.invoices(&top_up.customer).await.is_empty());
    bench.assert_nothing_paid(&top_up.customer).await;
}

#[tokio::test]
async fn an_attempt_of_a_deleted_customer_is_abandoned() {
    let bench = Bench::start().await;
    let top_up = bench.top_up_on("pm_card_visa").await;
    bench.delete(&format!("/v1/customers/{}", top_up.customer)).await;
    assert_eq!(bench.payments().top_up_close(&top_up).await, TopUpOutcome::Abandoned);
}

#[tokio::test]
async fn an_attempt_whose_invoice_stripe_refuses_to_make_is_abandoned() {
    let bench = Bench::start().await;
    let top_up = stuck_at(&bench, FINALIZE).await;
    assert_eq!(bench.payments().top_up_close(&top_up).await, TopUpOutcome::Abandoned);
    // A deployment in between, which sends other parameters under the same key.
    let taxed = bench.payments_with(|settings| settings.automatic_tax = true);
    assert_eq!(taxed.top_up_close(&top_up).await, TopUpOutcome::Abandoned);
    assert_eq!(taxed.top_up_pay(&top_up).await, TopUpOutcome::Unknown);
    bench.assert_nothing_paid(&top_up.customer).await;
}

#[tokio::test]
async fn a_draft_is_deleted() {
    let bench = Bench::start().await;
    let top_up = stuck_at(&bench, FINALIZE).await;
    assert_eq!(bench.payments().top_up_close(&top_up).await, TopUpOutcome::Abandoned);
    assert!(bench.invoices(&top_up.customer).await.is_empty());
    assert_eq!(bench.payments().top_up_close(&top_up).await, TopUpOutcome::Abandoned, "again");
}

#[tokio::test]
async fn an_open_invoice_is_voided_and_a_late_payment_finds_it_so() {
    let bench = Bench::start().await;
    let top_up = stuck_at(&bench, PAY).await;
    assert_eq!(bench.payments().top_up_close(&top_up).await, TopUpOutcome::Abandoned);
    assert_eq!(bench.invoices(&top_up.customer).await[0]["status"], "void");
    assert_eq!(bench.payments().top_up_close(&top_up).await, TopUpOutcome::Abandoned, "again");

    assert_eq!(bench.payments().top_up_pay(&top_up).await, TopUpOutcome::Unknown, "a late sweep");
    bench.assert_nothing_paid(&top_up.customer).await;
}

#[tokio::test]
async fn an_attempts_invoice_is_found_by_its_id() {
    let bench = Bench::start().await;
    let mut top_up = stuck_at(&bench, PAY).await;
    top_up.invoice = InvoiceId::parse(bench.invoices(&top_up.customer).await[0]["id"].as_str().unwrap()).ok();
    bench.stripe.clear_requests();
    assert_eq!(bench.payments().top_up_close(&top_up).await, TopUpOutcome::Abandoned);
    assert_eq!(bench.invoices(&top_up.customer).await[0]["status"], "void");
    assert_eq!(bench.keys(VOID), [(format!("top_up:{}:void", top_up.id), false)]);
}

/// R2: the bank refused, and the answer got lost. Closing the attempt reads that answer first, and voids nothing.
#[tokio::test]
async fn what_the_bank_has_refused_is_concluded_and_not_voided() {
    for (alias, is_declined) in [("pm_card_chargeCustomerFail", true), ("pm_card_authenticationRequired", false)] {
        let bench = Bench::start().await;
        let top_up = bench.top_up_on(alias).await;
        bench.stripe.add_fault(Fault::once("POST", PAY, FaultAction::LoseAnswer));
        assert_eq!(bench.payments().top_up_pay(&top_up).await, TopUpOutcome::Unknown, "{alias}");
        let closed = bench.payments().top_up_close(&top_up).await;
        let said = match &closed {
            TopUpOutcome::Declined { invoice: Some(_), .. } => Some(true),
            TopUpOutcome::ActionRequired { invoice: Some(_) } => Some(false),
            _ => None,
        };
        assert_eq!(said, Some(is_declined), "{alias}: {closed:?}");
        assert_eq!(bench.keys(VOID), [], "{alias}");
        assert_eq!(bench.invoices(&top_up.customer).await[0]["status"], "open", "{alias}");
    }
}

/// R3: a bank debit takes days. Until it is paid or declined, nothing is voided.
#[tokio::test]
async fn a_debit_that_is_processing_is_waited_for_and_never_voided() {
    for (alias, is_paid) in [("pm_usBankAccount", true), ("pm_usBankAccount_insufficientFunds", false)] {
        let bench = Bench::start().await;
        let top_up = bench.top_up_on(alias).await;
        let processing = bench.payments().top_up_pay(&top_up).await;
        assert!(matches!(processing, TopUpOutcome::Processing { invoice: Some(_) }), "{alias}: {processing:?}");
        assert_eq!(bench.payments().top_up_close(&top_up).await, processing, "{alias}");
        bench.pass(SignedDuration::from_hours(4 * 24)).await;
        match bench.payments().top_up_close(&top_up).await {
            TopUpOutcome::Paid(payment) if is_paid => assert_eq!(payment.amount, PRICE),
            TopUpOutcome::Declined { reason: DeclineReason::InsufficientFunds, .. } if !is_paid => {}
            other => panic!("{alias}: {other:?}"),
        }
        assert_eq!(bench.keys(VOID), [], "{alias}");
    }
}

#[tokio::test]
async fn what_was_paid_is_paid() {
    let bench = Bench::start().await;
    let top_up = bench.top_up_on("pm_card_visa").await;
    let first = paid(bench.payments().top_up_pay(&top_up).await);
    let looked_up = paid(bench.payments().top_up_close(&top_up).await);
    assert_eq!(looked_up.payment_method, top_up.payment_method, "a look at the payment returns its card");
    assert_eq!(Payment { payment_method: None, ..looked_up }, first);
    bench.assert_paid_once(&top_up, "closed after").await;
}

#[tokio::test]
async fn a_written_off_invoice_is_voided_because_it_could_still_be_paid() {
    let bench = Bench::start().await;
    let top_up = stuck_at(&bench, PAY).await;
    let invoice = bench.invoices(&top_up.customer).await[0]["id"].as_str().unwrap().to_owned();
    bench.post(&format!("/v1/invoices/{invoice}/mark_uncollectible"), "").await;
    let report = bench.payments().invoice_get(&InvoiceId::parse(&*invoice).unwrap()).await.unwrap();
    assert_eq!((report.outcome, report.hosted_url.is_some()), (TopUpOutcome::Unknown, true));
    assert_eq!(bench.payments().top_up_close(&top_up).await, TopUpOutcome::Abandoned);
    assert_eq!(bench.invoices(&top_up.customer).await[0]["status"], "void");
}

#[tokio::test]
async fn a_void_that_loses_the_race_against_a_payment_is_a_payment() {
    let bench = Bench::start().await;
    let top_up = stuck_at(&bench, PAY).await;
    let page = bench.invoices(&top_up.customer).await[0]["hosted_invoice_url"].as_str().unwrap().to_owned();
    bench.stripe.clear_requests();
    // The void takes so long that the customer pays first, after the invoice was seen open.
    bench.stripe.add_fault(Fault::once("POST", VOID, FaultAction::Latency { milliseconds: 1_500 }));
    let payments = bench.payments();
    let customer_pays = async {
        while bench.stripe.request_count("GET", "/v1/invoices/*") == 0 {
            tokio::task::yield_now().await;
        }
        bench.submit(&page, "card_number=4242424242424242").await;
    };
    let (outcome, ()) = tokio::join!(payments.top_up_close(&top_up), customer_pays);
    assert_eq!(paid(outcome).amount, PRICE);
    bench.assert_paid_once(&top_up, "the race").await;
}

#[tokio::test]
async fn any_doubt_is_unknown_and_gone_when_asked_again() {
    for (method, path, action) in [
        ("GET", INVOICES, FaultAction::Unavailable),
        ("GET", INVOICES, FaultAction::LoseAnswer),
        ("GET", "/v1/invoices/*", FaultAction::RateLimit),
        ("POST", VOID, FaultAction::Unavailable),
        ("POST", VOID, FaultAction::LoseRequest),
        ("POST", VOID, FaultAction::LoseAnswer),
        ("POST", VOID, FaultAction::InternalError),
        ("POST", VOID, FaultAction::InternalErrorAfterEffect),
    ] {
        let bench = Bench::start().await;
        let top_up = stuck_at(&bench, PAY).await;
        bench.stripe.add_fault(Fault::once(method, path, action));
        let why = format!("{action:?} at {method} {path}");
        assert_eq!(bench.payments().top_up_close(&top_up).await, TopUpOutcome::Unknown, "{why}");
        assert_eq!(bench.payments().top_up_close(&top_up).await, TopUpOutcome::Abandoned, "{why}");
        assert_eq!(bench.invoices(&top_up.customer).await[0]["status"], "void", "{why}");
    }
}

#[tokio::test]
async fn any_doubt_about_the_invoice_left_behind_is_unknown_and_gone_when_asked_again() {
    for action in [FaultAction::Unavailable, FaultAction::LoseRequest, FaultAction::LoseAnswer] {
        let bench = Bench::start().await;
        let top_up = bench.top_up_on("pm_card_visa").await;
        bench.stripe.add_fault(Fault::once("POST", INVOICES, action));
        assert_eq!(bench.payments().top_up_close(&top_up).await, TopUpOutcome::Unknown, "{action:?}");
        assert_eq!(bench.payments().top_up_close(&top_up).await, TopUpOutcome::Abandoned, "{action:?}");
        assert!(bench.invoices(&top_up.customer).await.is_empty(), "{action:?}");
    }
}

#[tokio::test]
async fn a_deletion_whose_answer_was_lost_is_a_deletion() {
    let bench = Bench::start().await;
    let top_up = stuck_at(&bench, FINALIZE).await;
    bench.stripe.add_fault(Fault::once("DELETE", "/v1/invoices/*", FaultAction::LoseAnswer));
    assert_eq!(bench.payments().top_up_close(&top_up).await, TopUpOutcome::Unknown);
    assert_eq!(bench.payments().top_up_close(&top_up).await, TopUpOutcome::Abandoned);
}

#[tokio::test]
async fn only_the_attempts_own_invoice_is_touched() {
    let bench = Bench::start().await;
    let top_up = stuck_at(&bench, PAY).await;
    let other = TopUp { id: TopUpId::mint(2), ..top_up.clone() };
    bench.stripe.add_fault(Fault::once("POST", PAY, FaultAction::LoseRequest));
    assert_eq!(bench.payments().top_up_pay(&other).await, TopUpOutcome::Unknown);

    assert_eq!(bench.payments().top_up_close(&top_up).await, TopUpOutcome::Abandoned);
    let left = |id: &TopUpId| {
        let id = id.to_string();
        move |invoice: &&serde_json::Value| invoice["metadata"]["top_up"] == id
    };
    let invoices = bench.invoices(&top_up.customer).await;
    assert_eq!(invoices.iter().find(left(&top_up.id)).unwrap()["status"], "void");
    assert_eq!(invoices.iter().find(left(&other.id)).unwrap()["status"], "open");
}

#[tokio::test]
async fn an_invoice_is_found_however_many_came_after_it() {
    let bench = Bench::start().await;
    let top_up = stuck_at(&bench, PAY).await;
    for _ in 0..120 {
        bench.post("/v1/invoices", &format!("customer={}", top_up.customer)).await;
    }
    bench.stripe.clear_requests();
    assert_eq!(bench.payments().top_up_close(&top_up).await, TopUpOutcome::Abandoned);
    assert_eq!(bench.stripe.request_count("GET", "/v1/invoices"), 2, "pages");
    assert_eq!(bench.keys(VOID).len(), 1);
}

/// An attempt whose request to `step` never arrived.
async fn stuck_at(bench: &Bench, step: &str) -> TopUp {
    let top_up = bench.top_up_on("pm_card_visa").await;
    bench.stripe.add_fault(Fault::once("POST", step, FaultAction::LoseRequest));
    assert_eq!(bench.payments().top_up_pay(&top_up).await, TopUpOutcome::Unknown);
    top_up
}
