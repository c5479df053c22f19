//! Runs over what is due in all shards of an index.

use super::StoreError;
use crate::error::chain;
use crate::ports::{LedgerError, Shard};
use futures::future::join_all;
use std::ops::AddAssign;

/// Works on the shards side by side, and adds up what was done. `what` is listed, for the log.
///
/// # Errors
/// If a shard cannot be listed. The others have been worked on by then.
pub(super) async fn on_all_shards<S: Default + AddAssign, F: Future<Output = Result<S, LedgerError>>>(
    what: &str,
    work: impl FnMut(Shard) -> F,
) -> Result<S, StoreError> {
    let mut sum = S::default();
    let mut listed = Ok(());
    for shard in join_all(Shard::all().map(work)).await {
        match shard {
            Ok(done) => sum += done,
            Err(error) => {
                tracing::error!(error = %chain(&error), "{what} could not be listed");
                listed = Err(error);
            }
        }
    }
    listed?;
    Ok(sum)
}
