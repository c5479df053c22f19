//! EventBridge Scheduler's part of the template: functions that run at a rate or by a calendar.

mod expression;

pub use expression::{Expression, ExpressionError};
