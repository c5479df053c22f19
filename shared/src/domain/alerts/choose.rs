//! What a customer chooses.

use super::{Alerts, LevelAlert, LevelChoice, Watch};
use crate::domain::{Account, AccountClosed, Change, Record};
use jiff::Timestamp;

/// Levels that a customer may choose: at most [`Alerts::LEVELS_MAX`], no two the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChosenLevels(Vec<LevelChoice>);

/// Why levels cannot be chosen, in order of precedence.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidLevels {
    #[error("there may be at most {max} levels", max = Alerts::LEVELS_MAX)]
    TooMany,
    #[error("the levels at {places:?} are there twice")]
    Repeated { places: Vec<usize> },
}

impl ChosenLevels {
    /// # Errors
    /// [`InvalidLevels`].
    pub fn new(choices: Vec<LevelChoice>) -> Result<Self, InvalidLevels> {
        if choices.len() > Alerts::LEVELS_MAX {
            return Err(InvalidLevels::TooMany);
        }
        let is_repeated = |(place, choice): &(usize, &LevelChoice)| {
            choices.iter().take(*place).any(|earlier| earlier.level == choice.level)
        };
        let places: Vec<_> = choices.iter().enumerate().filter(is_repeated).map(|(place, _)| place).collect();
        if places.is_empty() { Ok(Self(choices)) } else { Err(InvalidLevels::Repeated { places }) }
    }

    pub fn choices(&self) -> &[LevelChoice] {
        &self.0
    }
}

/// Sets the levels, which are evaluated within a minute. `None` if they are as they were.
///
/// # Errors
/// [`AccountClosed`].
pub fn decide_set_alerts(
    account: &Account,
    alerts: &Alerts,
    chosen: &ChosenLevels,
    now: Timestamp,
) -> Result<Option<Change>, AccountClosed> {
    account.check_not_closed()?;
    let choices = chosen.choices();
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
