//! The levels at which a customer is told that the balance runs low.

use crate::domain::alerts::{AlertLevel, Alerts, LevelAlert};
use crate::http::time;
use serde::Serialize;

#[derive(Debug, Serialize)]
pub struct AlertsBody {
    levels: Vec<LevelBody>,
}

#[derive(Debug, Serialize)]
struct LevelBody {
    credits: Option<i64>,
    days_left: Option<i64>,
    enabled: bool,
    last_told_at: Option<String>,
}

impl AlertsBody {
    pub fn of(alerts: &Alerts) -> Self {
        Self { levels: alerts.levels.iter().map(LevelBody::of).collect() }
    }
}

impl LevelBody {
    fn of(alert: &LevelAlert) -> Self {
        let (credits, days_left) = match alert.level {
            AlertLevel::Credits(credits) => (Some(credits.get()), None),
            AlertLevel::DaysLeft(days) => (None, Some(days)),
        };
        Self { credits, days_left, enabled: alert.is_on, last_told_at: alert.state.told_at.map(time) }
    }
}
