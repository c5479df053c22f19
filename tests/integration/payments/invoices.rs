//! An invoice's report about its attempt while its customer tries cards on Stripe's page.

use super::bench::{Bench, PRICE, account, paid};
use local_stripe::{Fault, FaultAction};
use shared::domain::payments::{DeclineReason, TopUpOutcome};
use shared::domain::{InvoiceId, TopUp};
use shared::ports::{InvoiceReport, Payments, PaymentsError};

#[tokio::test]
async fn every_decline_on_the_page_is_told_in_its_own_words() {
    let bench = Bench::start().await;
    let (top_up, invoice) = unpaid(&bench).await;
    for (number, reason) in [
        ("4000000000000002", DeclineReason::Generic),
        ("4000000000009995", DeclineReason::InsufficientFunds),
        ("4000000000009987", DeclineReason::Generic),
        ("4000000000009979", DeclineReason::Generic),
        ("4000000000006975", DeclineReason::LimitExceeded),
        ("4000000000000069", DeclineReason::ExpiredCard),
        ("4000000000000127", DeclineReason::IncorrectCardData),
        ("4000000000000119", DeclineReason::ProcessingError),
    ] {
        let page = report(&bench, &invoice).await.hosted_url.expect("the invoice can be paid");
        bench.submit(&page, &format!("card_number={number}")).await;
        let expected = TopUpOutcome::Declined { reason, invoice: Some(invoice.clone()) };
        assert_eq!(report(&bench, &invoice).await.outcome, expected, "{number}");
    }
    bench.assert_nothing_paid(&top_up.customer).await;
    let page = report(&bench, &invoice).await.hosted_url.unwrap();
    bench.submit(&page, "card_number=4242424242424242").await;
    let report = report(&bench, &invoice).await;
    assert_eq!(paid(report.outcome).amount, PRICE);
    assert_eq!(report.hosted_url, None, "nothing is left to pay");
    bench.assert_paid_once(&top_up, "with another card").await;
}

#[tokio::test]
async fn an_invoice_names_its_account_and_attempt_and_a_strangers_names_none() {
    let bench = Bench::start().await;
    let (top_up, invoice) = unpaid(&bench).await;
    let report_of_ours = report(&bench, &invoice).await;
    assert_eq!(report_of_ours.top_up, Some((account(), top_up.id)));
    assert_eq!(report_of_ours.outcome, TopUpOutcome::Unknown, "no card was tried");
    assert!(report_of_ours.is_waiting, "but the customer is asked to pay it");

    let strange = bench.post("/v1/invoices", &format!("customer={}", top_up.customer)).await;
    let strange = InvoiceId::parse(strange["id"].as_str().unwrap()).unwrap();
    let report = report(&bench, &strange).await;
    let outcome = TopUpOutcome::Unknown;
    assert_eq!(
        report,
        InvoiceReport {
            top_up: None,
            outcome,
            purchase: None,
            is_of_other_deployment: false,
            is_waiting: false,
            hosted_url: None,
        }
    );
}

#[tokio::test]
async fn after_3d_secure_the_invoice_is_paid_or_declined() {
    for (answer, is_paid) in [("outcome=complete", true), ("outcome=fail", false)] {
        let bench = Bench::start().await;
        let top_up = bench.top_up_on("pm_card_authenticationRequired").await;
        let TopUpOutcome::ActionRequired { invoice: Some(invoice) } = bench.payments().top_up_pay(&top_up).await else {
            panic!("it should require the customer")
        };
        let before = report(&bench, &invoice).await;
        assert_eq!(before.outcome, TopUpOutcome::ActionRequired { invoice: Some(invoice.clone()) });
        assert!(before.hosted_url.is_some() && before.is_waiting);

        let intents = bench.get(&format!("/v1/payment_intents?customer={}", top_up.customer)).await;
        let url = intents["data"][0]["next_action"]["redirect_to_url"]["url"].as_str().unwrap().to_owned();
        bench.submit(&url, answer).await;
        let after = report(&bench, &invoice).await.outcome;
        if is_paid {
            assert_eq!(paid(after).payment_method, top_up.payment_method);
        } else {
            let reason = DeclineReason::Generic;
            assert_eq!(after, TopUpOutcome::Declined { reason, invoice: Some(invoice) });
        }
    }
}

#[tokio::test]
async fn a_voided_invoice_is_abandoned() {
    let bench = Bench::start().await;
    let (_, invoice) = unpaid(&bench).await;
    bench.post(&format!("/v1/invoices/{invoice}/void"), "").await;
    let report = report(&bench, &invoice).await;
    assert_eq!((report.outcome, report.is_waiting, report.hosted_url), (TopUpOutcome::Abandoned, false, None));
}

#[tokio::test]
async fn a_paid_invoice_is_paid_even_when_its_card_cannot_be_asked_for() {
    let bench = Bench::start().await;
    let top_up = bench.top_up_on("pm_card_visa").await;
    let invoice = paid(bench.payments().top_up_pay(&top_up).await).invoice.unwrap();
    bench.stripe.add_fault(Fault::once("GET", "/v1/payment_intents/*", FaultAction::Unavailable));
    assert_eq!(paid(report(&bench, &invoice).await.outcome).payment_method, None);
}

#[tokio::test]
async fn an_invoice_that_cannot_be_had_has_its_own_error() {
    let bench = Bench::start().await;
    let (_, invoice) = unpaid(&bench).await;
    let nobody = bench.payments().invoice_get(&InvoiceId::parse("in_of_nobody").unwrap()).await;
    assert!(matches!(nobody, Err(PaymentsError::NotFound { .. })), "{nobody:?}");
    for path in ["/v1/invoices/*", "/v1/payment_intents/*"] {
        for action in [FaultAction::Unavailable, FaultAction::RateLimit, FaultAction::LoseAnswer] {
            bench.stripe.add_fault(Fault::once("GET", path, action));
            let outage = bench.payments().invoice_get(&invoice).await;
            assert!(outage.as_ref().is_err_and(PaymentsError::is_retryable), "{action:?} {path}: {outage:?}");
        }
    }
}

/// An attempt without a card, and its open invoice.
async fn unpaid(bench: &Bench) -> (TopUp, InvoiceId) {
    let top_up = bench.top_up(&bench.customer().await, None);
    match bench.payments().top_up_pay(&top_up).await {
        TopUpOutcome::Declined { reason: DeclineReason::NoCard, invoice: Some(invoice) } => (top_up, invoice),
        other => panic!("it should be declined for lack of a card, not {other:?}"),
    }
}

async fn report(bench: &Bench, invoice: &InvoiceId) -> InvoiceReport {
    bench.payments().invoice_get(invoice).await.unwrap()
}
