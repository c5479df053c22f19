//! The metadata of our objects at Stripe: their account, and the top-up or purchase that they pay for.

use crate::domain::payments::OfferedCard;
use crate::domain::{AccountId, PaymentMethodId, Purchase, PurchaseId, TopUp, TopUpId};
use std::collections::{BTreeMap, HashMap};

pub(super) type Metadata = BTreeMap<String, String>;

const ACCOUNT: &str = "account";
const PURCHASE: &str = "purchase";
const TOP_UP: &str = "top_up";
/// Which purchase made which card the customer's default.
const DEFAULT_CARD: &str = "default_card";
const DEFAULT_CARD_PURCHASE: &str = "default_card_purchase";

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

pub(super) fn of_offered_card(offered: &OfferedCard) -> Given {
    given([(DEFAULT_CARD, offered.card.as_str()), (DEFAULT_CARD_PURCHASE, offered.purchase.as_str())])
}

/// The card that a purchase made a customer's default.
pub(super) fn card_of_purchase(metadata: &Metadata) -> Option<(PaymentMethodId, PurchaseId)> {
    let card = PaymentMethodId::parse(metadata.get(DEFAULT_CARD)?.as_str()).ok()?;
    Some((card, PurchaseId::parse(metadata.get(DEFAULT_CARD_PURCHASE)?).ok()?))
}

/// The purchase that the metadata names, if it is one of ours.
pub(super) fn purchase(metadata: &Metadata) -> Option<(AccountId, PurchaseId)> {
    Some((account(metadata)?, PurchaseId::parse(metadata.get(PURCHASE)?).ok()?))
}

/// The top-up that the metadata names, if it is one of ours.
pub(super) fn top_up(metadata: &Metadata) -> Option<(AccountId, TopUpId)> {
    Some((account(metadata)?, TopUpId::parse(metadata.get(TOP_UP)?).ok()?))
}

/// The account it names.
pub(super) fn account(metadata: &Metadata) -> Option<AccountId> {
    AccountId::parse(metadata.get(ACCOUNT)?).ok()
}

fn given<const COUNT: usize>(pairs: [(&str, &str); COUNT]) -> Given {
    pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).into()
}
