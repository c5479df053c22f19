//! Counting the reversals that events tell of, for the operator's dashboard.
//!
//! Every reversal is an event, whoever caused it: a webhook, the reconciliation, or a refund that support makes. So they are
//! counted here, where all events come through. An event that is delivered again is counted again.

use serde::Deserialize;
use shared::ports::StoredEvent;

/// What a batch tells of reversals.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reversals {
    pub taken_back: u64,
    pub given_back: u64,
    /// Those that left a balance below zero: credits of a payment that went back are spent.
    pub below_zero: u64,
}

/// The part of an event that is counted.
#[derive(Deserialize)]
struct Detail {
    data: Reversed,
}

#[derive(Deserialize)]
struct Reversed {
    credits: i64,
    balance: i64,
}

impl Reversals {
    /// Counts an event that was published.
    pub fn add(&mut self, event: &StoredEvent) {
        if event.name != "credits.reversed" {
            return;
        }
        let Ok(Detail { data: Reversed { credits, balance } }) = serde_json::from_str(&event.detail) else { return };
        let is_taken = credits < 0;
        self.taken_back += u64::from(is_taken);
        self.given_back += u64::from(!is_taken);
        self.below_zero += u64::from(is_taken && balance < 0);
    }

    pub fn counts(self) -> [(&'static str, u64); 3] {
        [("taken_back", self.taken_back), ("given_back", self.given_back), ("below_zero", self.below_zero)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::Timestamp;
    use shared::domain::{AccountId, OutboundEventId};

    fn event(name: &str, detail: &str) -> StoredEvent {
        StoredEvent {
            id: OutboundEventId::mint(1),
            account: AccountId::parse("acme").unwrap(),
            name: name.to_owned(),
            detail: detail.to_owned(),
            created_at: Timestamp::UNIX_EPOCH,
        }
    }

    #[test]
    fn reversals_are_counted_by_their_direction_and_by_what_they_leave() {
        let mut counted = Reversals::default();
        for (name, credits, balance) in [
            ("credits.reversed", -500, 100),
            ("credits.reversed", -500, -1),
            ("credits.reversed", 500, -1),
            ("credits.low", -500, -1),
        ] {
            counted.add(&event(name, &format!(r#"{{"data":{{"credits":{credits},"balance":{balance}}}}}"#)));
        }
        counted.add(&event("credits.reversed", "{}"));
        assert_eq!(counted, Reversals { taken_back: 2, given_back: 1, below_zero: 1 });
    }
}
