//! Telling the company's other systems what happened.

use crate::domain::OutboundEvent;
use crate::domain::charging::{RefusalRow, Refused};
use crate::ports::{LedgerError, OutboundEvents};
use crate::use_cases::{Capabilities, Context};

/// Owes the event of a limit that refused a charge, unless the event of this limit and period is owed already. Nothing is
/// done for other refusals.
///
/// A refused charge changes nothing, so no change can carry the event: what is kept of the refusal causes it.
///
/// # Errors
/// [`LedgerError`]; the caller repeats it.
pub async fn tell_limit_reached<C: Capabilities<Ledger: OutboundEvents>>(
    context: &Context<C>,
    row: RefusalRow,
) -> Result<(), LedgerError> {
    let Refused::One(refused) = row.refused else { return Ok(()) };
    let Some(reached) = refused.limit else { return Ok(()) };
    let event = OutboundEvent::of_limit(&row.account, reached, refused.at);
    context.ledger.outbound_event_put_new(&event).await
}
