//! What is known of a dispute, and until when the company has to answer it.
//!
//! Credits are not decided here: [`super::reversal`] takes them back for the money that a dispute withdraws.

use super::returned::PaidFor;
use crate::domain::{AccountId, DisputeId, PaymentIntentId};
use jiff::{SignedDuration, Timestamp};

/// So long before an answer is due, the operator is warned.
const WARNED_BEFORE: SignedDuration = SignedDuration::from_hours(3 * 24);
/// Where the index lists an open dispute of which nothing is due: behind all others, in the year 9999.
const NOTHING_DUE: Timestamp = Timestamp::constant(253_370_764_800, 0);

/// How far a dispute has come. <https://docs.stripe.com/api/disputes/object#dispute_object-status>
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DisputeStatus {
    /// The bank only asks, and withdrew nothing.
    WarningNeedsResponse,
    WarningUnderReview,
    WarningClosed,
    NeedsResponse,
    UnderReview,
    Won,
    Lost,
    /// It was settled before it became a dispute.
    Prevented,
    /// A word that this release does not know.
    Other,
}

impl DisputeStatus {
    pub const ALL: [Self; 9] = [
        Self::WarningNeedsResponse,
        Self::WarningUnderReview,
        Self::WarningClosed,
        Self::NeedsResponse,
        Self::UnderReview,
        Self::Won,
        Self::Lost,
        Self::Prevented,
        Self::Other,
    ];

    /// Its name in table and API, which is Stripe's.
    pub fn name(self) -> &'static str {
        match self {
            Self::WarningNeedsResponse => "warning_needs_response",
            Self::WarningUnderReview => "warning_under_review",
            Self::WarningClosed => "warning_closed",
            Self::NeedsResponse => "needs_response",
            Self::UnderReview => "under_review",
            Self::Won => "won",
            Self::Lost => "lost",
            Self::Prevented => "prevented",
            Self::Other => "other",
        }
    }

    pub fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.name() == name)
    }

    /// Whether the bank has not decided yet.
    pub fn is_open(self) -> bool {
        match self {
            Self::WarningNeedsResponse
            | Self::WarningUnderReview
            | Self::NeedsResponse
            | Self::UnderReview
            | Self::Other => true,
            Self::WarningClosed | Self::Won | Self::Lost | Self::Prevented => false,
        }
    }

    /// Whether the company has to answer. What is not known is rather answered once too often.
    pub fn needs_response(self) -> bool {
        matches!(self, Self::WarningNeedsResponse | Self::NeedsResponse | Self::Other)
    }
}

/// A dispute as the payment provider shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShownDispute {
    /// In the minor unit, with tax.
    pub amount: i64,
    /// ISO 4217 as Stripe spells it.
    pub currency: String,
    /// Why, in Stripe's word: <https://docs.stripe.com/disputes/categories>.
    pub reason: String,
    pub status: DisputeStatus,
    pub opened_at: Timestamp,
    /// `None` if the bank takes no answer.
    pub due_by: Option<Timestamp>,
    /// How often the company has answered.
    pub submissions: u32,
    /// Whether the last evidence was sent too late.
    pub is_past_due: bool,
}

/// A dispute of a payment of ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dispute {
    pub id: DisputeId,
    pub account: AccountId,
    pub paid_for: PaidFor,
    pub payment: PaymentIntentId,
    pub shown: ShownDispute,
    /// The due date that the operator was warned of.
    pub warned_of: Option<Timestamp>,
    /// Counts every write, from 1. So of two handlers that asked the payment provider, the one that asked first cannot
    /// write last.
    pub revision: u64,
}

impl Dispute {
    /// Until when it has to be answered, if it has to be.
    pub fn due_by(&self) -> Option<Timestamp> {
        self.shown.due_by.filter(|_| self.shown.status.needs_response())
    }

    /// Its place in the index of open disputes: when the operator is warned. `None` once it is closed.
    pub fn due_at(&self) -> Option<Timestamp> {
        let warned_at = self.due_by().map(|due_by| due_by.saturating_sub(WARNED_BEFORE).unwrap_or(due_by));
        self.shown.status.is_open().then_some(warned_at.unwrap_or(NOTHING_DUE))
    }

    /// Whether the operator is to be warned now: once for each due date.
    pub fn is_warning_due(&self, now: Timestamp) -> bool {
        let due_by = self.due_by();
        due_by.is_some() && self.warned_of != due_by && self.due_at().is_some_and(|due_at| due_at <= now)
    }

    /// What is stored once the operator was warned.
    #[must_use]
    pub fn warned(&self) -> Self {
        Self { warned_of: self.due_by(), revision: self.revision.saturating_add(1), ..self.clone() }
    }

    /// What is stored once the payment provider shows it anew.
    #[must_use]
    pub fn shown_anew(self, known: Option<&Self>) -> Self {
        let revision = known.map_or(0, |known| known.revision).saturating_add(1);
        Self { warned_of: known.and_then(|known| known.warned_of), revision, ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::PurchaseId;

    const DAY: i64 = 24 * 3_600;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(seconds).unwrap()
    }

    fn dispute(status: DisputeStatus, due_by: Option<i64>) -> Dispute {
        Dispute {
            id: DisputeId::parse("du_1").unwrap(),
            account: AccountId::parse("acme").unwrap(),
            paid_for: PaidFor::Purchase(PurchaseId::mint(1)),
            payment: PaymentIntentId::parse("pi_1").unwrap(),
            shown: ShownDispute {
                amount: 5_000,
                currency: "usd".into(),
                reason: "fraudulent".into(),
                status,
                opened_at: at(0),
                due_by: due_by.map(at),
                submissions: 0,
                is_past_due: false,
            },
            warned_of: None,
            revision: 1,
        }
    }

    #[test]
    fn a_dispute_is_listed_while_it_is_open_and_first_what_is_due_first() {
        for (status, due_by, expected) in [
            (DisputeStatus::NeedsResponse, Some(7 * DAY), Some(at(4 * DAY))),
            (DisputeStatus::WarningNeedsResponse, Some(7 * DAY), Some(at(4 * DAY))),
            (DisputeStatus::Other, Some(7 * DAY), Some(at(4 * DAY))),
            (DisputeStatus::NeedsResponse, None, Some(NOTHING_DUE)),
            (DisputeStatus::UnderReview, Some(7 * DAY), Some(NOTHING_DUE)),
            (DisputeStatus::WarningUnderReview, Some(7 * DAY), Some(NOTHING_DUE)),
            (DisputeStatus::Won, Some(7 * DAY), None),
            (DisputeStatus::Lost, Some(7 * DAY), None),
            (DisputeStatus::WarningClosed, Some(7 * DAY), None),
            (DisputeStatus::Prevented, Some(7 * DAY), None),
        ] {
            assert_eq!(dispute(status, due_by).due_at(), expected, "{status:?}");
        }
        assert_eq!(Timestamp::from_millisecond(NOTHING_DUE.as_millisecond()).unwrap(), NOTHING_DUE);
    }

    #[test]
    fn the_operator_is_warned_three_days_before_and_once_for_each_due_date() {
        let open = dispute(DisputeStatus::NeedsResponse, Some(7 * DAY));
        assert!(!open.is_warning_due(at(4 * DAY - 1)));
        assert!(open.is_warning_due(at(4 * DAY)) && open.is_warning_due(at(8 * DAY)));
        let warned = open.warned();
        assert_eq!((warned.warned_of, warned.revision), (Some(at(7 * DAY)), 2));
        assert!(!warned.is_warning_due(at(8 * DAY)));
        let anew = |status, due_by| dispute(status, Some(due_by)).shown_anew(Some(&warned));
        assert!(!anew(DisputeStatus::NeedsResponse, 7 * DAY).is_warning_due(at(8 * DAY)), "the same due date");
        assert!(anew(DisputeStatus::NeedsResponse, 20 * DAY).is_warning_due(at(17 * DAY)), "another due date");
        for status in [DisputeStatus::UnderReview, DisputeStatus::Won, DisputeStatus::Lost] {
            assert!(!anew(status, 20 * DAY).is_warning_due(at(30 * DAY)), "{status:?}");
        }
        assert_eq!(anew(DisputeStatus::Won, 7 * DAY).revision, 3);
    }

    #[test]
    fn every_status_has_a_name_of_its_own() {
        for status in DisputeStatus::ALL {
            assert_eq!(DisputeStatus::of_name(status.name()), Some(status));
        }
        assert_eq!(DisputeStatus::of_name("nothing"), None);
    }
}
