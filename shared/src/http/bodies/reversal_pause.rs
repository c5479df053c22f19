//! A pause because a payment went back, as JSON: what the customer is told.

use crate::domain::Account;
use crate::http::time;
use crate::words::reversal_pause;
use serde::Serialize;

#[derive(Serialize)]
pub struct ReversalPauseBody {
    because: &'static str,
    reason: &'static str,
    remedy: &'static str,
    since: String,
}

impl ReversalPauseBody {
    pub fn of(account: &Account) -> Option<Self> {
        let pause = account.reversal_pause?;
        let words = reversal_pause(pause.because, account.balance);
        let (reason, remedy, since) = (words.reason, words.remedy, time(pause.since));
        Some(Self { because: pause.because.name(), reason, remedy, since })
    }
}
