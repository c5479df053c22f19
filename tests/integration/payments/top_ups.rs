//! One attempt without faults: the outcome of each card, and the requests to Stripe.

use super::bench::{Bench, PRICE, account, paid};
use local_stripe::{CustomerDiscount, DefiniteRefusal, Fault, FaultAction};
use shared::domain::payments::{DeclineReason, RefusalReason, TopUpOutcome};
use shared::domain::{CustomerId, InvoiceId, PaymentMethodId};
use shared::ports::Payments;
use std::num::NonZeroU32;

const PAY: &str = "/v1/invoices/*/pay";

#[tokio::test]
async fn a_good_card_pays_one_invoice_over_the_frozen_price() {
    let bench = Bench::start().await;
    let top_up = bench.top_up_on("pm_card_visa").await;
    let payment = paid(bench.payments().top_up_pay(&top_up).await);

    assert_eq!((payment.amount, payment.currency.as_str()), (PRICE, "usd"));
    assert_eq!(payment.customer, top_up.customer);
    assert_eq!(payment.payment_method, None, "the saved card was charged, so there is no other to report");
    bench.assert_paid_once(&top_up, "a good card").await;
    let invoice = &bench.invoices(&top_up.customer).await[0];
    assert_eq!(invoice["id"], payment.invoice.unwrap().as_str());
    assert_eq!(invoice["metadata"]["account"], account().as_str());
    assert_eq!(invoice["metadata"]["top_up"], top_up.id.as_str());
    assert_eq!(invoice["auto_advance"], false);
    assert_eq!(invoice["lines"]["data"][0]["description"], "4,501 credits");
    let intent = bench.get(&format!("/v1/payment_intents/{}", payment.payment_intent.unwrap())).await;
    assert_eq!((&intent["amount"], &intent["status"]), (&PRICE.into(), &"succeeded".into()));
}

#[tokio::test]
async fn every_call_that_moves_something_carries_a_key_made_of_the_attempts_id() {
    let bench = Bench::start().await;
    let top_up = bench.top_up_on("pm_card_visa").await;
    bench.stripe.clear_requests();
    paid(bench.payments().top_up_pay(&top_up).await);

    let posts: Vec<_> = bench.stripe.requests().into_iter().filter(|record| record.method == "POST").collect();
    let keys: Vec<_> = posts.into_iter().map(|record| record.idempotency_key.unwrap()).collect();
    let expected = ["invoice", "item", "finalize", "pay:0"].map(|step| format!("top_up:{}:{step}", top_up.id));
    assert_eq!(keys, expected);
}

#[tokio::test]
async fn asked_again_a_paid_attempt_is_the_same_payment() {
    let bench = Bench::start().await;
    let top_up = bench.top_up_on("pm_card_visa").await;
    let first = paid(bench.payments().top_up_pay(&top_up).await);
    let again = paid(bench.payments().top_up_pay(&top_up).await);
    assert_eq!(first, again);
    bench.assert_paid_once(&top_up, "asked again").await;
}

#[tokio::test]
async fn two_sweeps_at_once_make_one_payment() {
    let bench = Bench::start().await;
    let top_up = bench.top_up_on("pm_card_visa").await;
    let payments = bench.payments_with(|settings| settings.tries_max = NonZeroU32::new(5).unwrap());
    let (left, right) = tokio::join!(payments.top_up_pay(&top_up), payments.top_up_pay(&top_up));
    assert_eq!(paid(left), paid(right));
    bench.assert_paid_once(&top_up, "two concurrent ones").await;
}

#[tokio::test]
async fn a_declined_card_is_not_asked_twice() {
    let bench = Bench::start().await;
    let top_up = bench.top_up_on("pm_card_chargeCustomerFail").await;
    for _ in 0..3 {
        let outcome = bench.payments().top_up_pay(&top_up).await;
        let TopUpOutcome::Declined { reason: DeclineReason::Generic, invoice: Some(invoice) } = outcome else {
            panic!("it should be declined, not {outcome:?}")
        };
        assert_eq!(bench.invoices(&top_up.customer).await[0]["id"], invoice.as_str());
    }
    let key = format!("top_up:{}:pay:0", top_up.id);
    let expected = [(key.clone(), false), (key.clone(), true), (key, true)];
    assert_eq!(bench.keys(PAY), expected, "the bank is asked once");
    bench.assert_nothing_paid(&top_up.customer).await;
}

#[tokio::test]
async fn a_card_that_wants_3d_secure_needs_its_holder() {
    for alias in ["pm_card_authenticationRequired", "pm_card_threeDSecure2Required"] {
        let bench = Bench::start().await;
        let top_up = bench.top_up_on(alias).await;
        let outcome = bench.payments().top_up_pay(&top_up).await;
        let invoice = bench.invoices(&top_up.customer).await[0]["id"].as_str().map(str::to_owned);
        let invoice = invoice.and_then(|invoice| InvoiceId::parse(invoice).ok());
        assert_eq!(outcome, TopUpOutcome::ActionRequired { invoice }, "{alias}");
        bench.assert_nothing_paid(&top_up.customer).await;
    }
}

/// R18: an event that may come late tells the table of a new card.
#[tokio::test]
async fn an_attempt_charges_the_default_card_at_stripe_when_its_invoice_is_created() {
    let bench = Bench::start().await;
    let top_up = bench.top_up_on("pm_card_chargeCustomerFail").await;
    let newer = bench.card(&top_up.customer, "pm_card_mastercard").await;
    bench.choose(&top_up.customer, &newer).await;
    bench.stripe.add_fault(Fault::once("POST", PAY, FaultAction::LoseRequest));
    assert_eq!(bench.payments().top_up_pay(&top_up).await, TopUpOutcome::Unknown);
    let newest = bench.card(&top_up.customer, "pm_card_visa").await;
    bench.choose(&top_up.customer, &newest).await;
    paid(bench.payments().top_up_pay(&top_up).await);
    let charges = bench.charges_paid(&top_up.customer).await;
    assert_eq!(charges[0]["payment_method"], newer.as_str(), "a repeated request charges the same card");
}

/// R4: a refusal of this customer is as definite at the payment as before it.
#[tokio::test]
async fn a_refusal_of_the_payment_that_concerns_only_this_customer_ends_the_attempt() {
    for (refusal, expected) in [
        (DefiniteRefusal::CurrenciesCombined, RefusalReason::OtherCurrency),
        (DefiniteRefusal::CustomerTaxLocationInvalid, RefusalReason::NoTaxLocation),
    ] {
        let bench = Bench::start().await;
        let top_up = bench.top_up_on("pm_card_visa").await;
        bench.stripe.add_fault(Fault::once("POST", PAY, FaultAction::Refuse { refusal }));
        let outcome = bench.payments().top_up_pay(&top_up).await;
        assert_eq!(outcome, TopUpOutcome::Refused { reason: expected }, "{refusal:?}");
        assert_eq!(bench.invoices(&top_up.customer).await[0]["status"], "void", "{refusal:?}");
    }
}

/// R4: a SEPA debit pays nothing in dollars, however often it is asked.
#[tokio::test]
async fn a_default_that_does_not_pay_in_dollars_is_declined() {
    let bench = Bench::start().await;
    let top_up = bench.top_up_on("pm_success_at").await;
    let outcome = bench.payments().top_up_pay(&top_up).await;
    let reason = DeclineReason::CardNotSupported;
    assert!(matches!(&outcome, TopUpOutcome::Declined { reason: said, .. } if *said == reason), "{outcome:?}");
    bench.assert_nothing_paid(&top_up.customer).await;
}

#[tokio::test]
async fn without_a_card_the_invoice_waits_to_be_paid_and_no_card_is_asked() {
    let bench = Bench::start().await;
    let top_up = bench.top_up(&bench.customer().await, None);
    let outcome = bench.payments().top_up_pay(&top_up).await;
    let invoices = bench.invoices(&top_up.customer).await;
    let invoice = InvoiceId::parse(invoices[0]["id"].as_str().unwrap()).ok();
    assert_eq!(outcome, TopUpOutcome::Declined { reason: DeclineReason::NoCard, invoice });
    assert_eq!((invoices.len(), &invoices[0]["status"]), (1, &"open".into()));
    assert_eq!(bench.stripe.request_count("POST", PAY), 0);
}

#[tokio::test]
async fn a_card_that_was_removed_or_never_was_is_no_card() {
    for is_known in [true, false] {
        let bench = Bench::start().await;
        let mut top_up = bench.top_up_on("pm_card_visa").await;
        let card = top_up.payment_method.clone().unwrap();
        bench.post(&format!("/v1/payment_methods/{card}/detach"), "").await;
        if !is_known {
            top_up.payment_method = PaymentMethodId::parse("pm_of_nobody").ok();
        }
        let outcome = bench.payments().top_up_pay(&top_up).await;
        let is_no_card = matches!(outcome, TopUpOutcome::Declined { reason: DeclineReason::NoCard, invoice: Some(_) });
        assert!(is_no_card, "{outcome:?}");
        bench.assert_nothing_paid(&top_up.customer).await;
    }
}

/// R4: the card turns out to be another customer's, or is removed while its invoice is made.
#[tokio::test]
async fn a_card_that_this_customer_may_not_pay_with_is_no_card() {
    let bench = Bench::start().await;
    let top_up = bench.top_up_on("pm_card_visa").await;
    let refusal = DefiniteRefusal::PaymentMethodMissing;
    bench.stripe.add_fault(Fault::once("POST", PAY, FaultAction::Refuse { refusal }));
    let outcome = bench.payments().top_up_pay(&top_up).await;
    let is_no_card = matches!(outcome, TopUpOutcome::Declined { reason: DeclineReason::NoCard, invoice: Some(_) });
    assert!(is_no_card, "{outcome:?}");
    bench.assert_nothing_paid(&top_up.customer).await;
}

#[tokio::test]
async fn a_customer_without_a_trace_at_stripe_pauses_nobody() {
    let bench = Bench::start().await;
    let top_up = bench.top_up(&CustomerId::parse("cus_of_nobody").unwrap(), None);
    assert_eq!(bench.payments().top_up_pay(&top_up).await, TopUpOutcome::Unknown);
}

#[tokio::test]
async fn tax_is_added_to_the_frozen_price_and_never_counted_as_credits() {
    let bench = Bench::with_tax(800).await;
    let top_up = bench.top_up_on("pm_card_visa").await;
    let payments = bench.payments_with(|settings| settings.automatic_tax = true);
    let address = "address[country]=US&address[postal_code]=94111";
    bench.post(&format!("/v1/customers/{}", top_up.customer), address).await;
    let payment = paid(payments.top_up_pay(&top_up).await);
    assert_eq!(payment.amount, PRICE, "before tax");
    assert_eq!(bench.charges_paid(&top_up.customer).await[0]["amount"], PRICE + 360);
}

/// R5: even with tax, the charge does not exceed the amount in the consent text.
#[tokio::test]
async fn a_tax_beyond_what_was_agreed_to_is_refused_and_nothing_is_charged() {
    let bench = Bench::with_tax(3_100).await;
    let top_up = bench.top_up_on("pm_card_visa").await;
    let payments = bench.payments_with(|settings| settings.automatic_tax = true);
    let address = "address[country]=US&address[postal_code]=94111";
    bench.post(&format!("/v1/customers/{}", top_up.customer), address).await;
    let refused = TopUpOutcome::Refused { reason: RefusalReason::AboveConsent };
    assert_eq!(payments.top_up_pay(&top_up).await, refused);
    assert_eq!(bench.invoices(&top_up.customer).await[0]["status"], "void");
    bench.assert_nothing_paid(&top_up.customer).await;
}

/// R5: the customer's debt would be collected together with the top-up.
#[tokio::test]
async fn a_debt_beyond_what_was_agreed_to_is_not_collected_with_a_top_up() {
    let bench = Bench::start().await;
    let top_up = bench.top_up_on("pm_card_visa").await;
    let path = format!("/v1/customers/{}/balance_transactions", top_up.customer);
    bench.post(&path, "amount=9000&currency=usd").await;
    let refused = TopUpOutcome::Refused { reason: RefusalReason::AboveConsent };
    assert_eq!(bench.payments().top_up_pay(&top_up).await, refused);
    bench.assert_nothing_paid(&top_up.customer).await;
}

#[tokio::test]
async fn pending_items_of_the_customer_stay_out_of_the_invoice() {
    let bench = Bench::start().await;
    let top_up = bench.top_up_on("pm_card_visa").await;
    bench.post("/v1/invoiceitems", &format!("customer={}&amount=999&currency=usd", top_up.customer)).await;
    assert_eq!(paid(bench.payments().top_up_pay(&top_up).await).amount, PRICE);
    bench.assert_paid_once(&top_up, "with a pending item").await;
}

/// R4: without an address Stripe cannot calculate the tax and never finalizes the invoice:
/// <https://docs.stripe.com/tax/customer-locations>.
#[tokio::test]
async fn a_tax_that_cannot_be_told_is_refused_and_leaves_nothing_to_be_paid() {
    let bench = Bench::with_tax(800).await;
    let top_up = bench.top_up_on("pm_card_visa").await;
    let payments = bench.payments_with(|settings| settings.automatic_tax = true);
    let reason = RefusalReason::NoTaxLocation;
    assert_eq!(payments.top_up_pay(&top_up).await, TopUpOutcome::Refused { reason });
    assert!(bench.invoices(&top_up.customer).await.is_empty(), "the draft was deleted");
    bench.assert_nothing_paid(&top_up.customer).await;
    assert_eq!(payments.top_up_close(&top_up).await, TopUpOutcome::Abandoned);
}

/// R4: a refusal that concerns only this customer, and that a retry does not change.
#[tokio::test]
async fn a_deleted_customer_another_currency_and_a_discount_are_refused_for_good() {
    let bench = Bench::start().await;
    let deleted = bench.top_up_on("pm_card_visa").await;
    bench.delete(&format!("/v1/customers/{}", deleted.customer)).await;
    let reason = RefusalReason::CustomerDeleted;
    assert_eq!(bench.payments().top_up_pay(&deleted).await, TopUpOutcome::Refused { reason });

    let bench = Bench::start().await;
    let combined = bench.top_up_on("pm_card_visa").await;
    let waiting = format!("customer={}&amount=700&currency=eur", combined.customer);
    bench.post("/v1/invoiceitems", &waiting).await;
    let reason = RefusalReason::OtherCurrency;
    assert_eq!(bench.payments().top_up_pay(&combined).await, TopUpOutcome::Refused { reason });

    let bench = Bench::start().await;
    let discounted = bench.top_up_on("pm_card_visa").await;
    let percent = CustomerDiscount::Percent { percent_off: 15 };
    bench.stripe.give_discount(discounted.customer.as_str(), percent).unwrap();
    let reason = RefusalReason::OtherPrice;
    assert_eq!(bench.payments().top_up_pay(&discounted).await, TopUpOutcome::Refused { reason });
    assert_eq!(bench.invoices(&discounted.customer).await[0]["status"], "void");
    bench.assert_nothing_paid(&discounted.customer).await;
}
