//! An entry as usage counts it.

use super::UsageCounts;
use crate::domain::{Cause, Entry, Operation, OperationName, Origin, Spender};

/// An entry, and the charge that it gives credits back for. It counts on its own day, not on that of the charge, so that
/// a row never changes once its period has passed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UsageEntry {
    pub entry: Entry,
    /// `None` if the entry is about no other entry.
    pub charge: Option<Entry>,
}

impl UsageEntry {
    /// The origin of the charge that an entry gives credits back for.
    pub fn charge_of(entry: &Entry) -> Option<Origin> {
        match &entry.cause {
            Cause::Capture { charge, .. }
            | Cause::Void { charge }
            | Cause::Expiry { charge }
            | Cause::Restore { charge } => Some(Origin::Charge(charge.clone())),
            Cause::Charge { .. }
            | Cause::Purchase { .. }
            | Cause::TopUp { .. }
            | Cause::Reversal { .. }
            | Cause::Adjustment { .. }
            | Cause::Import { .. } => None,
        }
    }

    /// What the entry adds to its rows.
    pub(super) fn counts(&self) -> UsageCounts {
        let (zero, credits) = (UsageCounts::default(), self.entry.credits.get());
        match &self.entry.cause {
            Cause::Charge { operation, .. } => UsageCounts {
                charges: 1,
                credits_charged: credits.saturating_neg(),
                ..UsageCounts::of_amount(operation.measure, operation.amount)
            },
            Cause::Capture { operation, .. } => {
                UsageCounts { credits_captured_back: credits, ..self.amount_captured_back(operation) }
            }
            Cause::Void { .. } => UsageCounts { credits_voided: credits, ..zero },
            Cause::Expiry { .. } => UsageCounts { credits_expired: credits, ..zero },
            Cause::Restore { .. } => UsageCounts { credits_restored: credits, ..zero },
            Cause::Purchase { .. } => UsageCounts { credits_purchased: credits, ..zero },
            Cause::TopUp { .. } => UsageCounts { credits_topped_up: credits, ..zero },
            Cause::Reversal { .. } => UsageCounts { credits_reversed: credits.saturating_neg(), ..zero },
            Cause::Adjustment { .. } => UsageCounts { credits_adjusted: credits, ..zero },
            Cause::Import { .. } => UsageCounts { credits_imported: credits, ..zero },
        }
    }

    /// Negative: the charge counted the amount that was asked for, and it was less.
    fn amount_captured_back(&self, captured: &Operation) -> UsageCounts {
        let Some(charged) = self.charged() else { return UsageCounts::default() };
        UsageCounts::of_amount(charged.measure, captured.amount.saturating_sub(charged.amount))
    }

    /// The operation and the spender of the charge that the entry is, or is about. `None` for an entry that is about no
    /// charge.
    pub(super) fn dimensions(&self) -> Option<(Option<&OperationName>, Option<&Spender>)> {
        let is_about_no_charge = matches!(
            self.entry.cause,
            Cause::Purchase { .. }
                | Cause::TopUp { .. }
                | Cause::Reversal { .. }
                | Cause::Adjustment { .. }
                | Cause::Import { .. }
        );
        (!is_about_no_charge).then(|| match &self.the_charge().cause {
            Cause::Charge { operation, spender, .. } => (Some(&operation.name), spender.as_ref()),
            Cause::Capture { operation, .. } => (Some(&operation.name), None),
            _ => (None, None),
        })
    }

    fn charged(&self) -> Option<&Operation> {
        match &self.the_charge().cause {
            Cause::Charge { operation, .. } => Some(operation),
            _ => None,
        }
    }

    fn the_charge(&self) -> &Entry {
        self.charge.as_ref().unwrap_or(&self.entry)
    }
}
