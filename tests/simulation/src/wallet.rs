//! The customers' saved cards: what they do with them, and the rules for the answers.

use crate::names;
use crate::outside::Outside;
use crate::request::{Ended, Request, other};
use crate::run::Run;
use crate::stripe::number_of;
use fastrand::Rng;
use shared::domain::payments::SavedCard;
use shared::domain::{AccountId, CustomerId, PaymentMethodId};
use shared::use_cases::payments::{CardsOfAccount, SavedCardsError, choose_card, open_card_page, remove_card};

fn customer(outside: &Outside, account: &AccountId) -> Option<CustomerId> {
    let tables = outside.0.ledger.tables();
    Some(tables.partitions.get(account)?.account.as_ref()?.customer.clone())
}

fn is_closed(outside: &Outside, account: &AccountId) -> bool {
    let tables = outside.0.ledger.tables();
    let account = tables.partitions.get(account).and_then(|partition| partition.account.as_ref());
    account.is_some_and(|account| account.closed_at.is_some())
}

fn refused(outside: &Outside, account: &AccountId, error: SavedCardsError) -> Ended {
    let customer = customer(outside, account);
    match error {
        SavedCardsError::NotFound(missing) => outside.answered(missing),
        SavedCardsError::NotSaved(card) => outside.answered(card),
        SavedCardsError::Closed(closed) if is_closed(outside, account) => outside.answered(closed),
        SavedCardsError::Closed(_) => Ended::Wrong("an account that is not closed is reported as closed".into()),
        SavedCardsError::CustomerDeleted if !customer.is_some_and(|known| outside.0.stripe().is_deleted(&known)) => {
            Ended::Wrong("a customer is wrongly reported as deleted".into())
        }
        SavedCardsError::CustomerDeleted => outside.answered("deleted"),
        SavedCardsError::Outside(error) => other(outside, &error),
    }
}

/// A customer opens the page on which a card is saved.
pub async fn run_open_page(outside: &Outside, account: &AccountId) -> Ended {
    match open_card_page(&outside.context(), account).await {
        Ok(url) => outside.answered(url),
        Err(error) => refused(outside, account, error),
    }
}

/// The account follows the choice at once, unless another card was chosen since.
pub async fn run_choose(outside: &Outside, account: &AccountId, card: &PaymentMethodId) -> Ended {
    let state = |outside: &Outside| {
        let customer = customer(outside, account)?;
        let stripe = outside.0.stripe();
        Some((stripe.choices_made(&customer), stripe.default_cards.get(&customer) == Some(card)))
    };
    let before = state(outside);
    match choose_card(&outside.context(), account, card).await {
        Ok(CardsOfAccount { account: stored, .. }) => {
            let made =
                before.zip(state(outside)).map(|((before, _), (after, is_default))| (after - before, is_default));
            let is_certain = matches!(made, Some((0, _) | (1, true))) && stored.closed_at.is_none();
            if is_certain && stored.payment_method.as_ref() != Some(card) {
                return Ended::Wrong(format!("{card} is chosen, and {:?} is asked", stored.payment_method));
            }
            outside.answered(format_args!("{:?}", stored.payment_method))
        }
        Err(error) => refused(outside, account, error),
    }
}

/// Whatever was saved of the card is gone, nobody is asked for it any more, and without a card top-ups are off.
pub async fn run_remove(outside: &Outside, account: &AccountId, card: &PaymentMethodId) -> Ended {
    let number = number_of(card);
    let entered =
        |outside: &Outside| customer(outside, account).map(|known| outside.0.stripe().times_entered(&known, number));
    let before =
        customer(outside, account).map(|known| outside.0.stripe().times_entered_before_removal(&known, (card, number)));
    let named_before = named(outside, account, card);
    match remove_card(&outside.context(), account, card).await {
        Ok(left) => {
            let is_entered_again = entered(outside) != before;
            if !is_entered_again && left.cards.saved.iter().any(|saved| number_of(&saved.id) == number) {
                return Ended::Wrong(format!("{card} is removed and still saved"));
            }
            let is_armed = left.account.auto_top_up.as_ref().is_some_and(|settings| settings.is_enabled);
            if left.cards.saved.is_empty() && is_armed {
                return Ended::Wrong("the last card is removed, and top-ups stay on".into());
            }
            let asked = left.account.payment_method.as_ref().map(number_of);
            if !is_entered_again && asked == Some(number) && left.account.closed_at.is_none() {
                return Ended::Wrong(format!("{card} is removed, and the account still names it"));
            }
            if let Some(known) = customer(outside, account).filter(|_| !is_entered_again) {
                outside.0.stripe().forbid(&known, number);
            }
            outside.answered(format_args!("{:?}", left.account.payment_method))
        }
        Err(SavedCardsError::NotFound(_))
            if named_before.is_some() && named(outside, account, card) == named_before =>
        {
            Ended::Wrong(format!("{card} is not found, and the account names it"))
        }
        Err(error) => refused(outside, account, error),
    }
}

/// The version of an account that names the card. In another version, it may have been removed and entered again.
fn named(outside: &Outside, account: &AccountId, card: &PaymentMethodId) -> Option<u64> {
    let tables = outside.0.ledger.tables();
    let stored = tables.partitions.get(account).and_then(|partition| partition.account.as_ref());
    stored.filter(|stored| stored.payment_method.as_ref() == Some(card)).map(|stored| stored.version)
}

/// The cards of a customer as Stripe lists them.
pub fn saved_card(id: PaymentMethodId) -> SavedCard {
    SavedCard {
        kind: "card".to_owned(),
        brand: Some("visa".to_owned()),
        last4: crate::expiring::face(&id).last4,
        expiry: None,
        wallet: None,
        fingerprint: Some(number_of(&id).to_string()),
        saved_at: jiff::Timestamp::UNIX_EPOCH,
        id,
    }
}

/// A customer chooses or removes a card, or saves one on a page.
pub fn use_cards(run: &mut Run, rng: &mut Rng, name: &str) -> bool {
    let account = names::account(name);
    let Some(customer) = customer(&run.outside, &account) else { return false };
    let saved = run.world().stripe().saved_of(&customer);
    let request = match rng.u32(0..10) {
        0..3 => rng.choice(saved).map(|card| Request::ChooseCard(account, card)),
        3..5 => rng.choice(saved).map(|card| Request::RemoveCard(account, card)),
        5 => Some(Request::RemoveCard(account, names::card(rng.u32(1..6)))),
        6 => Some(Request::OpenCardPage(account)),
        _ => return run.world().stripe().save_on_page(&names::card(rng.u32(1..6) + 10 * rng.u32(0..2))),
    };
    let Some(request) = request else { return false };
    if rng.bool() {
        run.run_now(request);
    } else {
        run.start(request);
    }
    true
}

pub fn open_page(_: &Run) -> Request {
    Request::OpenCardPage(names::account("acme"))
}

pub fn save_another(run: &mut Run) {
    run.world().stripe().save_on_page(&names::card(3));
}

/// The first card, entered once more.
pub fn save_the_same(run: &mut Run) {
    run.world().stripe().save_on_page(&names::card(11));
}

pub fn choose_first(_: &Run) -> Request {
    Request::ChooseCard(names::account("acme"), names::card(1))
}

pub fn remove_first(_: &Run) -> Request {
    Request::RemoveCard(names::account("acme"), names::card(1))
}

/// The card of the other customer.
pub fn remove_of_another(_: &Run) -> Request {
    Request::RemoveCard(names::account("acme"), names::card(2))
}

/// The customer removes the only card on Stripe's own page.
pub fn remove_on_page(run: &mut Run) {
    let Some(customer) = customer(&run.outside, &names::account("acme")) else { return };
    run.world().stripe().remove_on_page(&customer, &names::card(1));
}
