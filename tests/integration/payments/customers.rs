//! Customers, and the card they pay with by default.

use super::bench::{Bench, account, email};
use local_stripe::{Fault, FaultAction};
use shared::domain::{AccountId, CustomerId, PaymentMethodId};
use shared::ports::{Payments, PaymentsError};
use shared::stripe::SecretString;

const CUSTOMERS: &str = "/v1/customers";

#[tokio::test]
async fn an_account_gets_one_customer_however_often_it_is_asked_for() {
    let bench = Bench::start().await;
    let payments = bench.payments();
    bench.stripe.add_fault(Fault::once("POST", CUSTOMERS, FaultAction::LoseAnswer));
    let lost = payments.customer_create(&account(), &email("ada@example.com")).await;
    assert!(matches!(lost, Err(PaymentsError::Unavailable { .. })), "{lost:?}");
    let first = payments.customer_create(&account(), &email("ada@example.com")).await.unwrap();
    let again = payments.customer_create(&account(), &email("ada@example.com")).await.unwrap();
    assert_eq!(first, again);
    let customers = bench.get(CUSTOMERS).await;
    assert_eq!(customers["data"].as_array().unwrap().len(), 1);
    assert_eq!(customers["data"][0]["metadata"]["account"], account().as_str());
    assert_eq!(customers["data"][0]["email"], "ada@example.com");
}

#[tokio::test]
async fn another_address_or_account_is_another_customer_and_no_misuse_of_a_key() {
    let bench = Bench::start().await;
    let payments = bench.payments();
    let first = payments.customer_create(&account(), &email("ada@example.com")).await.unwrap();
    let moved = payments.customer_create(&account(), &email("ada@example.org")).await.unwrap();
    let longest = AccountId::parse("x".repeat(64)).unwrap();
    let other = payments.customer_create(&longest, &email("ada@example.com")).await.unwrap();
    assert!(first != moved && first != other && moved != other);
    for (key, _) in bench.keys(CUSTOMERS) {
        assert!(key.len() <= 255 && !key.contains('@'), "{key}");
    }
}

#[tokio::test]
async fn a_failure_that_stripe_remembers_does_not_lock_an_account_out() {
    let bench = Bench::start().await;
    let payments = bench.payments();
    bench.stripe.add_fault(Fault::once("POST", CUSTOMERS, FaultAction::InternalError));
    assert!(payments.customer_create(&account(), &email("ada@example.com")).await.is_err());
    payments.customer_create(&account(), &email("ada@example.com")).await.unwrap();
}

#[tokio::test]
async fn the_default_card_follows_every_choice_even_a_return_to_an_earlier_one() {
    let bench = Bench::start().await;
    let payments = bench.payments();
    let customer = bench.customer().await;
    assert_eq!(payments.default_payment_method_get(&customer).await.unwrap(), None);
    let visa = bench.card(&customer, "pm_card_visa").await;
    let mastercard = bench.card(&customer, "pm_card_mastercard").await;
    for card in [&visa, &mastercard, &visa] {
        payments.default_payment_method_set(&customer, card).await.unwrap();
        assert_eq!(payments.default_payment_method_get(&customer).await.unwrap().as_ref(), Some(card));
    }
}

#[tokio::test]
async fn what_is_not_there_is_not_found_and_a_wrong_key_is_rejected() {
    let bench = Bench::start().await;
    let payments = bench.payments();
    let customer = bench.customer().await;
    let card = PaymentMethodId::parse("pm_of_nobody").unwrap();
    let no_card = payments.default_payment_method_set(&customer, &card).await;
    assert!(matches!(no_card, Err(PaymentsError::NotFound { .. })), "{no_card:?}");
    let nobody = payments.default_payment_method_get(&CustomerId::parse("cus_of_nobody").unwrap()).await;
    assert!(matches!(nobody, Err(PaymentsError::NotFound { .. })), "{nobody:?}");
    bench.delete(&format!("/v1/customers/{customer}")).await;
    let deleted = payments.default_payment_method_get(&customer).await;
    assert!(matches!(deleted, Err(PaymentsError::NotFound { .. })), "{deleted:?}");
    let stranger = bench.payments_with(|settings| settings.api_key = SecretString::from("sk_test_stranger"));
    let rejected = stranger.customer_create(&account(), &email("ada@example.com")).await;
    assert!(matches!(rejected, Err(PaymentsError::Rejected { .. })), "{rejected:?}");
}
