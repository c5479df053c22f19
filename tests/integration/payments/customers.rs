//! Customers and their default cards.

use super::bench::{Bench, account, email};
use jiff::{SignedDuration, Timestamp};
use local_stripe::{Fault, FaultAction};
use shared::domain::payments::{BoughtWith, Invoiced, OfferedCard};
use shared::domain::{AccountId, CustomerId, PaymentMethodId, PurchaseId};
use shared::ports::{Payments, PaymentsError};
use shared::stripe::SecretString;
use std::num::NonZeroU32;

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

/// R25: Stripe created it although it answered 500.
#[tokio::test]
async fn a_customer_that_was_made_although_stripe_answered_500_is_the_only_one() {
    let bench = Bench::start().await;
    let action = FaultAction::InternalErrorAfterEffect;
    bench.stripe.add_fault(Fault { method: Some("POST".into()), path: CUSTOMERS.into(), action, count: 5 });
    for (number, tries_max) in [(1, 1), (2, 3)] {
        let payments = bench.payments_with(|settings| settings.tries_max = NonZeroU32::new(tries_max).unwrap());
        let address = email(&format!("ada{number}@example.com"));
        let mut made = payments.customer_create(&account(), &address).await;
        if tries_max == 1 {
            made = payments.customer_create(&account(), &address).await;
        }
        let customers = bench.get(&format!("{CUSTOMERS}?email={}", address.as_str())).await;
        let ids: Vec<_> = customers["data"].as_array().unwrap().iter().map(|customer| &customer["id"]).collect();
        assert_eq!(ids, [made.unwrap().as_str()]);
    }
}

/// R25: the request is repeated after Stripe deleted the first one's key.
#[tokio::test]
async fn a_customer_is_found_days_after_its_creation() {
    let bench = Bench::start().await;
    let payments = bench.payments();
    let first = payments.customer_create(&account(), &email("ada@example.com")).await.unwrap();
    bench.pass(SignedDuration::from_hours(48)).await;
    assert_eq!(payments.customer_create(&account(), &email("ada@example.com")).await.unwrap(), first);
}

#[tokio::test]
async fn the_default_card_follows_every_purchase_even_a_return_to_an_earlier_card() {
    let bench = Bench::start().await;
    let payments = bench.payments();
    let customer = bench.customer().await;
    assert_eq!(payments.default_payment_method_get(&customer).await.unwrap(), None);
    let visa = bench.card(&customer, "pm_card_visa").await;
    let mastercard = bench.card(&customer, "pm_card_mastercard").await;
    for (number, card) in (1..).zip([&visa, &mastercard, &visa]) {
        let offered = offered(number, card);
        assert_eq!(payments.default_payment_method_offer(&customer, &offered).await.unwrap().as_ref(), Some(card));
        assert_eq!(payments.default_payment_method_get(&customer).await.unwrap().as_ref(), Some(card));
    }
}

/// The card of the purchase with this number, opened when there was no default.
fn offered(number: u128, card: &PaymentMethodId) -> OfferedCard {
    let opened_at = Timestamp::from_second(number.try_into().unwrap()).unwrap();
    let bought_with =
        BoughtWith { card: card.clone(), paid_for: Invoiced::Purchase(PurchaseId::mint(number)), opened_at };
    OfferedCard { bought_with, default_at_opening: None }
}

/// R18: neither the customer's own choice nor a later purchase's card is overwritten.
#[tokio::test]
async fn a_card_that_is_not_the_newest_choice_is_left_alone() {
    let bench = Bench::start().await;
    let payments = bench.payments();
    let customer = bench.customer().await;
    let visa = bench.card(&customer, "pm_card_visa").await;
    let mastercard = bench.card(&customer, "pm_card_mastercard").await;
    payments.default_payment_method_offer(&customer, &offered(2, &visa)).await.unwrap();
    let older = payments.default_payment_method_offer(&customer, &offered(1, &mastercard)).await.unwrap();
    assert_eq!(older.as_ref(), Some(&visa));
    bench.choose(&customer, &mastercard).await;
    let bought = payments.default_payment_method_offer(&customer, &offered(3, &visa)).await.unwrap();
    assert_eq!(bought.as_ref(), Some(&mastercard));
    assert_eq!(payments.default_payment_method_get(&customer).await.unwrap(), Some(mastercard));
}

/// R4: a customer counts as deleted only if Stripe says so; with another account's key Stripe knows no customer.
#[tokio::test]
async fn what_is_not_there_is_not_found_and_a_deleted_customer_is_called_deleted() {
    let bench = Bench::start().await;
    let payments = bench.payments();
    let customer = bench.customer().await;
    let card = PaymentMethodId::parse("pm_of_nobody").unwrap();
    let no_card = payments.default_payment_method_offer(&customer, &offered(1, &card)).await;
    assert!(matches!(no_card, Err(PaymentsError::NotFound { .. })), "{no_card:?}");
    let nobody = payments.default_payment_method_get(&CustomerId::parse("cus_of_nobody").unwrap()).await;
    assert!(matches!(nobody, Err(PaymentsError::NotFound { .. })), "{nobody:?}");
    bench.delete(&format!("/v1/customers/{customer}")).await;
    let deleted = payments.default_payment_method_get(&customer).await;
    assert!(matches!(deleted, Err(PaymentsError::CustomerDeleted { .. })), "{deleted:?}");
    let offered = payments.default_payment_method_offer(&customer, &offered(2, &card)).await;
    assert!(matches!(offered, Err(PaymentsError::CustomerDeleted { .. })), "{offered:?}");
    let stranger = bench.payments_with(|settings| settings.api_key = SecretString::from("sk_test_stranger"));
    let rejected = stranger.customer_create(&account(), &email("ada@example.com")).await;
    assert!(matches!(rejected, Err(PaymentsError::Rejected { .. })), "{rejected:?}");
    let rejected = stranger.default_payment_method_get(&customer).await;
    assert!(matches!(rejected, Err(PaymentsError::Rejected { .. })), "{rejected:?}");
}
