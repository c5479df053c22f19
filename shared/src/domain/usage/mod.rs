//! What an account used: a fold over its entries into rows per day and per month (UTC), by operation and by spender.
//!
//! A row counts each entry once, because it knows through which `seq` it has counted. So the same function folds blocks
//! of entries into stored rows, and adds the entries that are in no stored row yet when somebody reads.

mod counts;
mod entry;
mod flag;
mod fold;
mod forecast;
mod period;
mod print;
mod row;
mod unusual;
mod verification;

pub use counts::UsageCounts;
pub use entry::UsageEntry;
pub use flag::{Flag, FlagKind, FlagPlace, FlaggedPayment};
pub use fold::{UsageCursor, UsageFold, decide_fold, with_tail};
pub use forecast::{Accuracy, Average, DAYS_NEEDED, Forecast, HORIZON_DAYS, Month, RunsOut, forecast};
pub use period::{Granularity, Period, Periods};
pub use print::RowPrint;
pub use row::{Groups, UsageRow};
pub use unusual::{FairUse, past_needed, raise_flags};
pub use verification::{OpenRow, RowMisfit, RowsVerified, StoredRows};
