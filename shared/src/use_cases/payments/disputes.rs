//! Disputes: what is known of each is kept, so that the operator is warned before an answer is due.

use crate::domain::payments::{Dispute, PaidFor};
use crate::domain::{AccountId, DisputeId};
use crate::ports::{Disputes, LedgerError, OpenDisputes, PaymentReturns, PaymentsError};
use crate::use_cases::{Capabilities, Context, OutsideError, StoreError};

/// How often it is asked again because somebody else was faster.
const TRIES_MAX: u32 = 4;

/// Stores what the payment provider shows of a dispute now.
///
/// It is written even if nothing changed. Of two handlers that asked one after the other, the earlier one may write
/// later. It then has to find the row changed, and ask again.
///
/// # Errors
/// [`OutsideError`]. The same call stores it later.
pub(super) async fn follow_dispute<C: Capabilities<Ledger: Disputes, Payments: PaymentReturns>>(
    context: &Context<C>,
    id: &DisputeId,
    (account, paid_for): (&AccountId, &PaidFor),
) -> Result<(), OutsideError> {
    for _ in 0..TRIES_MAX {
        let known = context.ledger.dispute_get(id).await?;
        let report = match context.payments.dispute_show(id).await {
            Ok(report) => report,
            Err(PaymentsError::NotFound { .. }) => return Ok(()),
            Err(error) => return Err(error.into()),
        };
        let Some(payment) = report.payment else { return Ok(()) };
        let dispute = Dispute {
            id: id.clone(),
            account: account.clone(),
            paid_for: paid_for.clone(),
            payment,
            shown: report.shown,
            warned_of: None,
            revision: 0,
        };
        if context.ledger.dispute_put(&dispute.shown_anew(known.as_ref())).await? {
            return Ok(());
        }
    }
    Err(StoreError::Contended.into())
}

/// Warns of each dispute that has to be answered within three days, once for each due date. Returns how many.
///
/// The warning is logged first and remembered then: a run that dies in between warns once more, and none is lost.
///
/// # Errors
/// [`LedgerError`]. The next run warns of the rest.
pub async fn warn_of_due_disputes<C: Capabilities<Ledger: Disputes + OpenDisputes>>(
    context: &Context<C>,
) -> Result<u64, LedgerError> {
    let (now, mut after, mut warned) = (context.now(), None, 0);
    loop {
        let page = context.ledger.open_disputes(now, after.as_ref()).await?;
        for place in &page.places {
            warned += u64::from(warn_of(context, &place.dispute).await?);
        }
        match page.next {
            Some(next) => after = Some(next),
            None => return Ok(warned),
        }
    }
}

async fn warn_of<C: Capabilities<Ledger: Disputes>>(context: &Context<C>, id: &DisputeId) -> Result<bool, LedgerError> {
    let mut is_told = false;
    for _ in 0..TRIES_MAX {
        // The index may lag behind: the row says whether it is due.
        let dispute = context.ledger.dispute_get(id).await?;
        let Some(dispute) = dispute.filter(|dispute| dispute.is_warning_due(context.now())) else { break };
        if !is_told {
            let due_by = dispute.due_by().map(|due_by| due_by.to_string());
            let (account, paid_for) = (&dispute.account, &dispute.paid_for);
            tracing::warn!(dispute.id = %id, account.id = %account, %paid_for, due_by, "a dispute has to be answered soon");
            is_told = true;
        }
        if context.ledger.dispute_put(&dispute.warned()).await? {
            break;
        }
    }
    Ok(is_told)
}
