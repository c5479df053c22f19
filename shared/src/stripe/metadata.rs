//! The metadata of our objects at Stripe: the account, and the top-up or purchase that they pay for.

use crate::domain::payments::{BoughtWith, Invoiced, PaidFor};
use crate::domain::{AccountId, CheckoutSessionId, PaymentMethodId, Purchase, PurchaseId, TopUp, TopUpId};
use crate::ports::{CardPage, RefundOrder};
use jiff::Timestamp;
use std::collections::{BTreeMap, HashMap};

pub(super) type Metadata = BTreeMap<String, String>;

const ACCOUNT: &str = "account";
const PURCHASE: &str = "purchase";
const TOP_UP: &str = "top_up";
/// The deployment that created the object. Objects of earlier releases name none.
const DEPLOYMENT: &str = "deployment";
/// The purchase, or the attempt, whose card became the customer's default.
const DEFAULT_CARD: &str = "default_card";
const DEFAULT_CARD_PURCHASE: &str = "default_card_purchase";
/// When that purchase's page, or that attempt, was opened, in milliseconds since 1970.
const DEFAULT_CARD_OPENED_AT: &str = "default_card_opened_at";

/// Of a page on which a card is saved: the default when it was opened.
const DEFAULT_AT_OPENING: &str = "default_at_opening";
/// Stands for no card, because Stripe stores no empty value.
const NO_CARD: &str = "none";
/// The last page that made its card the customer's default.
const CARD_SESSION: &str = "card_session";

/// Metadata in the type that async-stripe's builders expect.
pub(super) type Given = HashMap<String, String>;

pub(super) fn of_account(account: &AccountId) -> Given {
    given([(ACCOUNT, account.as_str())])
}

pub(super) fn of_purchase(purchase: &Purchase, deployment: Option<&str>) -> Given {
    of_deployment(given([(ACCOUNT, purchase.account.as_str()), (PURCHASE, purchase.id.as_str())]), deployment)
}

pub(super) fn of_top_up(top_up: &TopUp, deployment: Option<&str>) -> Given {
    of_deployment(given([(ACCOUNT, top_up.account.as_str()), (TOP_UP, top_up.id.as_str())]), deployment)
}

fn of_deployment(mut given: Given, deployment: Option<&str>) -> Given {
    given.extend(deployment.map(|deployment| (DEPLOYMENT.to_owned(), deployment.to_owned())));
    given
}

/// Whether the metadata names another deployment than this one. An object that names none may be ours.
pub(super) fn is_of_other(metadata: Option<&Metadata>, deployment: Option<&str>) -> bool {
    let named = metadata.and_then(|metadata| metadata.get(DEPLOYMENT));
    named.zip(deployment).is_some_and(|(named, own)| named != own)
}

/// The request that a refund was made for.
const REFUND: &str = "refund";

pub(super) fn of_refund(order: &RefundOrder) -> Given {
    let of = match &order.paid_for {
        PaidFor::Purchase(purchase) => (PURCHASE, purchase.as_str()),
        PaidFor::TopUp(top_up) => (TOP_UP, top_up.as_str()),
    };
    given([(ACCOUNT, order.account.as_str()), of, (REFUND, order.key.as_str())])
}

/// Whether a refund was made for this request. It is looked for among the refunds of one payment.
pub(super) fn is_of_refund(metadata: &Metadata, order: &RefundOrder) -> bool {
    metadata.get(REFUND).map(String::as_str) == Some(order.key.as_str())
}

pub(super) fn of_bought_with(bought_with: &BoughtWith) -> Given {
    let opened_at = bought_with.opened_at.as_millisecond().to_string();
    given([
        (DEFAULT_CARD, bought_with.card.as_str()),
        (DEFAULT_CARD_PURCHASE, bought_with.paid_for.id()),
        (DEFAULT_CARD_OPENED_AT, &opened_at),
    ])
}

pub(super) fn of_card_page(page: &CardPage) -> Given {
    let default = page.default_at_opening.as_ref().map_or(NO_CARD, PaymentMethodId::as_str);
    given([(ACCOUNT, page.account.as_str()), (DEFAULT_AT_OPENING, default)])
}

/// The account that a page was opened for to save a card, and the default at that time.
pub(super) fn card_page(metadata: &Metadata) -> Option<(AccountId, Option<PaymentMethodId>)> {
    let default = metadata.get(DEFAULT_AT_OPENING)?;
    let default = if default == NO_CARD { None } else { Some(PaymentMethodId::parse(default.as_str()).ok()?) };
    Some((account(metadata)?, default))
}

pub(super) fn of_card_session(session: &CheckoutSessionId) -> Given {
    given([(CARD_SESSION, session.as_str())])
}

/// The last page that made its card the customer's default.
pub(super) fn card_session(metadata: &Metadata) -> Option<CheckoutSessionId> {
    CheckoutSessionId::parse(metadata.get(CARD_SESSION)?.as_str()).ok()
}

/// The payment whose card became a customer's default.
pub(super) fn bought_with(metadata: &Metadata) -> Option<BoughtWith> {
    let opened_at = metadata.get(DEFAULT_CARD_OPENED_AT)?.parse().ok()?;
    Some(BoughtWith {
        card: PaymentMethodId::parse(metadata.get(DEFAULT_CARD)?.as_str()).ok()?,
        paid_for: Invoiced::parse(metadata.get(DEFAULT_CARD_PURCHASE)?.clone()).ok()?,
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
