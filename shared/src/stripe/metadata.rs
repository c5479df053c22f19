//! The metadata of our objects at Stripe: the account, and the top-up or purchase that they pay for.

use crate::domain::payments::BoughtWith;
use crate::domain::{AccountId, PaymentMethodId, Purchase, PurchaseId, TopUp, TopUpId};
use jiff::Timestamp;
use std::collections::{BTreeMap, HashMap};

pub(super) type Metadata = BTreeMap<String, String>;

const ACCOUNT: &str = "account";
const PURCHASE: &str = "purchase";
const TOP_UP: &str = "top_up";
/// The purchase whose card became the customer's default.
const DEFAULT_CARD: &str = "default_card";
const DEFAULT_CARD_PURCHASE: &str = "default_card_purchase";
/// When that purchase's page was opened, in milliseconds since 1970.
const DEFAULT_CARD_OPENED_AT: &str = "default_card_opened_at";

/// Metadata in the type that async-stripe's builders expect.
pub(super) type Given = HashMap<String, String>;

pub(super) fn of_account(account: &AccountId) -> Given {
    given([(ACCOUNT, account.as_str())])
}

pub(super) fn of_purchase(purchase: &Purchase) -> Given {
    given([(ACCOUNT, purchase.account.as_str()), (PURCHASE, purchase.id.as_str())])
}

pub(super) fn of_top_up(top_up: &TopUp) -> Given {
    given([(ACCOUNT, top_up.account.as_str()), (TOP_UP, top_up.id.as_str())])
}

pub(super) fn of_bought_with(bought_with: &BoughtWith) -> Given {
    let opened_at = bought_with.opened_at.as_millisecond().to_string();
    given([
        (DEFAULT_CARD, bought_with.card.as_str()),
        (DEFAULT_CARD_PURCHASE, bought_with.purchase.as_str()),
        (DEFAULT_CARD_OPENED_AT, &opened_at),
    ])
}

/// The purchase whose card became a customer's default.
pub(super) fn bought_with(metadata: &Metadata) -> Option<BoughtWith> {
    let opened_at = metadata.get(DEFAULT_CARD_OPENED_AT)?.parse().ok()?;
    Some(BoughtWith {
        card: PaymentMethodId::parse(metadata.get(DEFAULT_CARD)?.as_str()).ok()?,
        purchase: PurchaseId::parse(metadata.get(DEFAULT_CARD_PURCHASE)?).ok()?,
        opened_at: Timestamp::from_millisecond(opened_at).ok()?,
    })
}

/// The purchase that the metadata names, if this system created it.
pub(super) fn purchase(metadata: &Metadata) -> Option<(AccountId, PurchaseId)> {
    Some((account(metadata)?, PurchaseId::parse(metadata.get(PURCHASE)?).ok()?))
}

/// The top-up that the metadata names, if this system created it.
pub(super) fn top_up(metadata: &Metadata) -> Option<(AccountId, TopUpId)> {
    Some((account(metadata)?, TopUpId::parse(metadata.get(TOP_UP)?).ok()?))
}

/// The account that the metadata names.
pub(super) fn account(metadata: &Metadata) -> Option<AccountId> {
    AccountId::parse(metadata.get(ACCOUNT)?).ok()
}

fn given<const COUNT: usize>(pairs: [(&str, &str); COUNT]) -> Given {
    pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).into()
}
