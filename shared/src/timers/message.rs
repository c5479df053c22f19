//! The JSON event that a timer sends to the function it wakes: `{"wake": {"continue_sweep": {…}}}`.
//!
//! An event without `wake` is not from a timer: it comes from the recurring schedule, or was sent manually.

use crate::domain::AccountId;
use crate::ports::{DueCursor, Shard, Wake};
use crate::ports::{Remainder, SweepPart, Turn};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Message {
    wake: WakeMessage,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum WakeMessage {
    ContinueSweep { started_at: Timestamp, due_by: Timestamp, number: u32, remainder: Vec<TurnMessage> },
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct TurnMessage {
    shard: u8,
    after: Option<CursorMessage>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct CursorMessage {
    account: String,
    due_at: Timestamp,
}

/// An event from a timer that cannot be parsed.
#[derive(Debug, thiserror::Error)]
#[error("the timer's event cannot be parsed: {0}")]
pub struct UnreadableWake(String);

/// The reason for waking that a timer's event holds; `None` for an event from another source.
///
/// # Errors
/// [`UnreadableWake`].
pub fn wake_of_event(event: &Value) -> Result<Option<Wake>, UnreadableWake> {
    if event.get("wake").is_none() {
        return Ok(None);
    }
    let Message { wake } = Message::deserialize(event).map_err(|error| UnreadableWake(error.to_string()))?;
    let WakeMessage::ContinueSweep { started_at, due_by, number, remainder } = wake;
    let turns = remainder.into_iter().map(turn).collect::<Result<_, _>>()?;
    Ok(Some(Wake::ContinueSweep(SweepPart { started_at, due_by, number, remainder: Remainder(turns) })))
}

fn turn(message: TurnMessage) -> Result<Turn, UnreadableWake> {
    let shard = Shard::all().find(|shard| shard.get() == message.shard);
    let shard = shard.ok_or_else(|| UnreadableWake(format!("there is no shard {}", message.shard)))?;
    let cursor = |cursor: CursorMessage| {
        let account = AccountId::parse(cursor.account).map_err(|error| UnreadableWake(error.to_string()))?;
        Ok(DueCursor { account, due_at: cursor.due_at })
    };
    Ok(Turn { shard, after: message.after.map(cursor).transpose()? })
}

pub(super) fn of_wake(wake: &Wake) -> String {
    let Wake::ContinueSweep(SweepPart { started_at, due_by, number, remainder }) = wake;
    let turn = |turn: &Turn| TurnMessage {
        shard: turn.shard.get(),
        after: turn
            .after
            .as_ref()
            .map(|cursor| CursorMessage { account: cursor.account.to_string(), due_at: cursor.due_at }),
    };
    let remainder = remainder.0.iter().map(turn).collect();
    let wake = WakeMessage::ContinueSweep { started_at: *started_at, due_by: *due_by, number: *number, remainder };
    serde_json::to_string(&Message { wake }).expect("every field has a JSON representation")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn part() -> SweepPart {
        let after = DueCursor {
            account: AccountId::parse("customer_1").unwrap(),
            due_at: Timestamp::from_millisecond(1_700_000_000_123).unwrap(),
        };
        let turns = [Turn { shard: Shard::of(15), after: Some(after) }, Turn { shard: Shard::of(3), after: None }];
        let first = SweepPart::first(Timestamp::UNIX_EPOCH, Timestamp::UNIX_EPOCH);
        SweepPart { number: 2, remainder: Remainder(turns.into()), ..first }
    }

    #[test]
    fn a_message_reads_back_as_written() {
        let wake = Wake::ContinueSweep(part());
        let event: Value = serde_json::from_str(&of_wake(&wake)).unwrap();
        assert_eq!(event["wake"]["continue_sweep"]["started_at"], "1970-01-01T00:00:00Z");
        assert_eq!(wake_of_event(&event).unwrap(), Some(wake));
    }

    #[test]
    fn the_longest_message_is_far_below_the_limit_of_a_target() {
        let after = DueCursor { account: AccountId::parse("a".repeat(64)).unwrap(), due_at: Timestamp::MAX };
        let turns = Shard::all().map(|shard| Turn { shard, after: Some(after.clone()) }).collect();
        let first = SweepPart::first(Timestamp::MAX, Timestamp::MAX);
        let part = SweepPart { number: u32::MAX, remainder: Remainder(turns), ..first };
        // Lambda accepts 256 KB for asynchronous invocations.
        assert!(of_wake(&Wake::ContinueSweep(part)).len() < 4_096);
    }

    #[test]
    fn an_event_from_another_source_is_ignored_and_a_damaged_one_is_an_error() {
        assert_eq!(wake_of_event(&json!({"source": "aws.scheduler", "time": "2026-01-05T00:00:00Z"})).unwrap(), None);
        assert_eq!(wake_of_event(&json!({})).unwrap(), None);
        let sound: Value = serde_json::from_str(&of_wake(&Wake::ContinueSweep(part()))).unwrap();
        for (path, value) in [
            ("/wake/continue_sweep/started_at", json!("today")),
            ("/wake/continue_sweep/number", json!(-1)),
            ("/wake/continue_sweep/remainder/0/shard", json!(16)),
            ("/wake/continue_sweep/remainder/0/after/account", json!("no account")),
            ("/wake/continue_sweep", json!(null)),
            ("/wake", json!("continue_sweep")),
        ] {
            let mut damaged = sound.clone();
            *damaged.pointer_mut(path).unwrap() = value;
            assert!(wake_of_event(&damaged).is_err(), "{path}");
        }
    }
}
