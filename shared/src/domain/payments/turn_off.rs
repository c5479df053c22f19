//! How automatic top-ups end, for whatever reason.

use super::records::{ConsentRecord, TurnedOff};
use crate::domain::{Change, Record};

/// Turns automatic top-ups off, and keeps with the consent to them why. Nothing if they are off.
pub(super) fn turn_off(change: &mut Change, current: Option<&ConsentRecord>, turned_off: TurnedOff) {
    let Some(settings) = change.account.auto_top_up.as_mut().filter(|settings| settings.is_enabled) else { return };
    settings.is_enabled = false;
    keep_why(change, current, turned_off);
}

/// Keeps with the consent to automatic top-ups why this change turns them off.
pub(super) fn keep_why(change: &mut Change, current: Option<&ConsentRecord>, turned_off: TurnedOff) {
    let Some(settings) = change.account.auto_top_up.as_ref() else { return };
    if let Some(consent) = current.filter(|record| record.consent.id == settings.consent.id) {
        let ended = ConsentRecord { turned_off: Some(turned_off), ..consent.clone() };
        change.records.push(Record::Consent(ended));
    }
}
