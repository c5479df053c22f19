//! What settings of automatic top-ups would be, before anybody agrees to them.

use super::set_auto_top_up::{SetAutoTopUpError, attempts_of_month};
use crate::domain::payments::{AutoTopUpCommand, decide_auto_top_up};
use crate::domain::{Account, ConsentId, Consenter, PriceBook};
use crate::ports::TopUpList;
use crate::use_cases::{Capabilities, Context};
use crate::words::CONSENT_TEXT_VERSION;

/// The account with these settings turned on: threshold, target and the most that a month may cost in the minor unit.
/// Settings that could not be saved have no text to agree to. Nothing is stored.
///
/// # Errors
/// [`SetAutoTopUpError`].
pub async fn preview_auto_top_up<C: Capabilities<Ledger: TopUpList, PriceBook = PriceBook>>(
    context: &Context<C>,
    account: &Account,
    (threshold, target, max_per_month): (i64, i64, Option<i64>),
) -> Result<Account, SetAutoTopUpError> {
    // Who agrees is not known yet, and any name has the same text.
    let consent = Consenter::parse(account.id.as_str()).ok().map(|name| (CONSENT_TEXT_VERSION.into(), name));
    let command = AutoTopUpCommand::On { threshold, target, max_per_month, consent };
    let attempts = if max_per_month.is_some() { attempts_of_month(context, account).await? } else { vec![] };
    let decided = (&command, &attempts[..], None);
    let change = decide_auto_top_up(account, &context.price_book, decided, ConsentId::mint(0), account.created_at)?;
    Ok(change.map_or_else(|| account.clone(), |change| change.account))
}
