//! Credits taken for operations, and given back.

mod batch;
mod capture;
mod charge;
mod ending;
mod expire_charges;
mod find_charge;
mod foresee;
mod refusals;
mod restore;
mod void;

pub use batch::{BatchCharge, BatchLimits, BatchPart, Unanswered, charge_batch};
pub use capture::capture;
pub use charge::{ChargeError, Charged, charge, charge_again};
pub use ending::{ChargeState, EndError, Ended};
pub use expire_charges::{ExpiryError, ExpirySummary, expire_charges};
pub use find_charge::{FindChargeError, find_charge};
pub use foresee::{ForeseeError, foresee_charge};
pub use refusals::{RefusalLog, write_refusals};
pub use restore::{RestoreError, restore};
pub use void::void;

use crate::domain::{Account, Spender, SpenderLimits};
use crate::ports::Spenders;
use crate::use_cases::{Capabilities, Context, StoreError};
use futures::future::try_join_all;
use std::sync::Arc;

/// The limits of charges' spenders, as far as they have any. They are read only if the account says that some spender
/// has limits, so that others pay nothing for them.
async fn limits_of<'a, C: Capabilities<Ledger: Spenders>>(
    context: &Context<C>,
    account: Arc<Account>,
    spenders: impl IntoIterator<Item = &'a Spender>,
) -> Result<Vec<SpenderLimits>, StoreError> {
    if account.limited_spenders == 0 {
        return Ok(vec![]);
    }
    let account = &account.id;
    let reads = spenders.into_iter().map(|spender| context.ledger.spender_limits_get(account, spender));
    Ok(try_join_all(reads).await?.into_iter().flatten().collect())
}
