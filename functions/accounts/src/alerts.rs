//! The levels at which the customer is told that the balance runs low.

use crate::{Outside, existing};
use lambda_http::Request;
use shared::domain::alerts::{AlertLevel, Alerts, ChosenLevels, InvalidLevels, LevelChoice};
use shared::http::bodies::AlertsBody;
use shared::http::{Fields, Problem, ReachedAccount, Reply, an_integer, boolean, integer, parse_body};
use shared::ports::AlertRows;
use shared::use_cases::Context;
use shared::use_cases::alerts::set_alerts;

pub async fn get<O: Outside>(context: &Context<O>, account: &ReachedAccount) -> Result<Reply, Problem> {
    let account = existing(context, account).await?;
    let alerts = context.ledger.alerts_get(&account.id).await?.unwrap_or_default();
    Reply::ok(&AlertsBody::of(&alerts))
}

/// Replaces all levels, so that none stays that the customer does not see.
pub async fn put<O: Outside>(
    context: &Context<O>,
    request: &Request,
    account: &ReachedAccount,
) -> Result<Reply, Problem> {
    let levels = parse_body(request, levels)?;
    let alerts = set_alerts(context, account.id(), &levels).await?;
    Reply::ok(&AlertsBody::of(&alerts))
}

fn levels(fields: &mut Fields<'_>) -> Option<ChosenLevels> {
    let levels = fields.objects("levels", 0..=Alerts::LEVELS_MAX, level)?;
    match ChosenLevels::new(levels) {
        Ok(chosen) => return Some(chosen),
        Err(invalid @ InvalidLevels::TooMany) => fields.refuse("levels", invalid.to_string()),
        Err(InvalidLevels::Repeated { places }) => {
            for place in places {
                fields.refuse(&format!("levels[{place}]"), "must be another level than those before it");
            }
        }
    }
    None
}

/// One of `credits` and `days_left`, and whether it is turned on, which it is if that is not said.
fn level(fields: &mut Fields<'_>) -> Option<LevelChoice> {
    let (credits, days) = (1..=Alerts::CREDITS_MAX, 1..=Alerts::DAYS_MAX);
    let is_on = fields.optional_or("enabled", "true or false", (boolean, true));
    let level = if fields.is_given("days_left") {
        fields.must_not_have("credits", || "must not be sent with days_left".to_owned());
        fields.required("days_left", an_integer(&days), |json| AlertLevel::days_left(integer(&days)(json)?).ok())
    } else {
        let expected = format!("{}, or days_left", an_integer(&credits));
        fields.required("credits", expected, |json| AlertLevel::credits(integer(&credits)(json)?).ok())
    };
    Some(LevelChoice { level: level?, is_on: is_on? })
}
