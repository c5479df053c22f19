//! A top-up check of one account now, through the same gates as the sweep.

use super::Asked;
use crate::domain::support::{ActKind, decide_record};
use crate::domain::{AccountId, PriceBook};
use crate::ports::{Accounts, AskedCards, Consents, IdGenerator, Payments, SweepLogs, TopUps};
use crate::use_cases::payments::{RecordOutcomeError, ToppedUp, top_up};
use crate::use_cases::{Capabilities, Context, Updated};

/// What a check did. A gate that is closed is no error.
pub type CheckedTopUp = ToppedUp;

/// Records the act, and then does what a sweep does for the account: it opens an attempt or continues the open one.
///
/// The act comes first, so that no payment is asked for without it.
///
/// # Errors
/// [`RecordOutcomeError`].
pub async fn check_top_up<C>(
    context: &Context<C>,
    account: &AccountId,
    asked: &Asked,
) -> Result<CheckedTopUp, RecordOutcomeError>
where
    C: Capabilities<
            Ledger: Accounts + AskedCards + Consents + TopUps + SweepLogs,
            Payments: Payments,
            Ids: IdGenerator,
            PriceBook = PriceBook,
        >,
{
    record(context, account, asked).await?;
    top_up(context, account).await
}

async fn record<C: Capabilities<Ledger: Accounts, Ids: IdGenerator>>(
    context: &Context<C>,
    account: &AccountId,
    asked: &Asked,
) -> Result<(), RecordOutcomeError> {
    let recorded: Result<Updated, RecordOutcomeError> = context
        .update(account, |account, now| {
            Ok(Some(decide_record(account, ActKind::TopUpChecked, asked.acting(context, now), now)))
        })
        .await;
    recorded.map(drop)
}
