//! What a customer chooses.

use super::{Alerts, LevelAlert, LevelChoice, Watch};
use crate::domain::{Account, AccountClosed, Change, Record};
use jiff::Timestamp;

/// Why the levels stay as they are, in order of precedence.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidLevels {
    #[error(transparent)]
    Closed(#[from] AccountClosed),
    #[error("there may be at most {max} levels", max = Alerts::LEVELS_MAX)]
    TooMany,
    #[error("level {place} is there twice")]
    Repeated { place: usize },
}

/// Sets the levels, which are evaluated within a minute. `None` if they are as they were.
///
/// # Errors
/// [`InvalidLevels`].
pub fn decide_set_alerts(
    account: &Account,
    alerts: &Alerts,
    choices: &[LevelChoice],
    now: Timestamp,
) -> Result<Option<Change>, InvalidLevels> {
    account.check_not_closed()?;
    if choices.len() > Alerts::LEVELS_MAX {
        return Err(InvalidLevels::TooMany);
    }
    for (place, choice) in choices.iter().enumerate() {
        if choices.iter().take(place).any(|earlier| earlier.level == choice.level) {
            return Err(InvalidLevels::Repeated { place });
        }
    }
    if alerts.chosen() == choices {
        return Ok(None);
    }
    let level =
        |choice: &LevelChoice| LevelAlert { level: choice.level, is_on: choice.is_on, state: alerts.state_of(*choice) };
    let levels = choices.iter().map(level).collect();
    let mut change = Change::on(account, now);
    change.account.watch = Some(Watch::NONE);
    change.records.push(Record::Alerts(Alerts { levels, ..alerts.clone() }));
    change.records.push(Record::AlertsDue { at: now });
    Ok(Some(change))
}
