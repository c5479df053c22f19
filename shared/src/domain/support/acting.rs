//! Writing the record of an act with what it does.

use super::act::{Act, ActKind};
use crate::domain::{Account, ActId, ActReason, Change, Operator, Record};
use jiff::Timestamp;

/// Who acts, why, and under which id it is recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Acting {
    pub act: ActId,
    pub operator: Operator,
    pub reason: ActReason,
}

impl Acting {
    pub(super) fn record(self, kind: ActKind, now: Timestamp) -> Record {
        Record::Act(Act { id: self.act, kind, operator: self.operator, reason: self.reason, at: now })
    }
}

/// Records an act that changes nothing in the account itself.
pub fn decide_record(account: &Account, kind: ActKind, acting: Acting, now: Timestamp) -> Change {
    let mut change = Change::on(account, now);
    change.records.push(acting.record(kind, now));
    change
}
