//! The decisions about an account that move no credits.

use super::{Account, Chain, Salt};
use crate::domain::spending::Limits;
use crate::domain::{AccountId, Change, Credits, CustomerId, EmailAddress, PaymentMethodId, Record};
use jiff::Timestamp;

/// Opens an account with no entries and no settings.
pub fn decide_open_account(
    id: AccountId,
    email: EmailAddress,
    customer: CustomerId,
    salt: Salt,
    now: Timestamp,
) -> Change {
    let account = Account {
        id,
        email: Some(email),
        customer,
        created_at: now,
        version: 1,
        seq: 0,
        balance: Credits::ZERO,
        pending: Credits::ZERO,
        auto_top_up: None,
        payment_method: None,
        last_top_up_at: None,
        open_top_up: None,
        payment_issue: None,
        reversal_pause: None,
        closed_at: None,
        restriction: None,
        spending: None,
        limits: Limits::default(),
        limits_date: None,
        limited_spenders: 0,
        unpaid_invoices: 0,
        watch: None,
        chain: Some(Chain::starting(salt)),
    };
    let link = Record::Customer { customer: account.customer.clone(), account: account.id.clone() };
    Change {
        account,
        entries: vec![],
        records: vec![link, Record::Listed { at: now }],
        notices: vec![],
        events: vec![],
    }
}

/// Stores the saved card for top-ups, or that there is none any more. This is a change even if the card is the same, so
/// that a decision made on the older account fails and is made again. `None` if the account is closed: it pays for nothing
/// any more.
pub fn decide_payment_method(
    account: &Account,
    payment_method: Option<PaymentMethodId>,
    now: Timestamp,
) -> Option<Change> {
    account.check_not_closed().ok()?;
    let mut change = Change::on(account, now);
    change.account.payment_method = payment_method;
    Some(change)
}
