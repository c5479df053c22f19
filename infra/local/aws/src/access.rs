//! The permissions of each function's role, enforced for every request.
//!
//! The access key id in every signed request identifies the role. A request with a known key is allowed what that key's
//! statements allow and nothing else. A request that is unsigned or has any other key comes from the operator, a test
//! or a person with the AWS CLI, and everything is allowed. Signatures are not verified.
//!
//! The rules of evaluation:
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic_policy-eval-basics.html>.

mod calls;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

pub use self::calls::Call;

use crate::ses::LocalSes;
use crate::wire::{WireAnswer, WireRequest};
use crate::{ACCOUNT, dynamodb, event_bus, scheduler, secrets};

/// Whether a statement allows or denies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// The statement allows its actions.
    Allow,
    /// The statement denies its actions, whatever else allows them.
    Deny,
}

/// One statement of a policy. In actions and resources, `*` matches any characters and `?` any single one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement {
    /// Whether it allows or denies.
    pub effect: Effect,
    /// Such as `dynamodb:GetItem`.
    pub actions: Vec<String>,
    /// ARNs.
    pub resources: Vec<String>,
    /// `StringEquals`: the required context of a call, each key with its accepted values.
    pub conditions: Vec<(String, Vec<String>)>,
}

impl Statement {
    fn covers(&self, call: &Call) -> bool {
        // Action names ignore case:
        // https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_action.html
        let action = call.action.to_ascii_lowercase();
        let is_met = |(key, values): &(String, Vec<String>)| {
            call.context.iter().any(|(said, value)| said == key && values.contains(value))
        };
        self.actions.iter().any(|pattern| matches(&pattern.to_ascii_lowercase(), &action))
            && self.resources.iter().any(|pattern| matches(pattern, &call.resource))
            && self.conditions.iter().all(is_met)
    }
}

/// The roles of one account and the calls made under them. Clones share this record.
#[derive(Debug, Clone, Default)]
pub struct Access {
    roles: Arc<BTreeMap<String, Vec<Statement>>>,
    record: Arc<Mutex<Record>>,
}

#[derive(Debug, Default)]
struct Record {
    used: BTreeSet<(String, Call)>,
    refused: BTreeSet<(String, Call)>,
}

impl Access {
    /// `roles` maps an access key id to the statements of its role.
    pub fn new(roles: BTreeMap<String, Vec<Statement>>) -> Self {
        Self { roles: Arc::new(roles), record: Arc::default() }
    }

    /// Every call that was allowed under a known key, with that key.
    pub fn used(&self) -> BTreeSet<(String, Call)> {
        self.record().used.clone()
    }

    /// Every call that was refused, with its key.
    pub fn refused(&self) -> BTreeSet<(String, Call)> {
        self.record().refused.clone()
    }

    /// The refusal of a request that its key's statements do not allow; `None` if it is allowed.
    pub(crate) fn refusal(&self, request: &WireRequest, ses: &LocalSes) -> Option<WireAnswer> {
        let key = request.access_key.as_deref()?;
        let statements = self.roles.get(key)?;
        let mut record = self.record();
        for call in calls::of(request, ses) {
            if is_allowed(statements, &call) {
                record.used.insert((key.to_owned(), call));
            } else {
                let answer = refused(key, &call, request);
                record.refused.insert((key.to_owned(), call));
                return Some(answer);
            }
        }
        None
    }

    fn record(&self) -> MutexGuard<'_, Record> {
        self.record.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Without an allowing statement nothing is allowed, and a denial takes precedence.
fn is_allowed(statements: &[Statement], call: &Call) -> bool {
    let covered = |effect| statements.iter().any(|statement| statement.effect == effect && statement.covers(call));
    covered(Effect::Allow) && !covered(Effect::Deny)
}

/// In the wording and format of each service.
/// <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Programming.Errors.html>
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html>
fn refused(key: &str, call: &Call, request: &WireRequest) -> WireAnswer {
    let Call { action, resource, .. } = call;
    let user = format!("arn:aws:sts::{ACCOUNT}:assumed-role/{key}/{key}");
    let reason = format!("because no identity-based policy allows the {action} action");
    let words = format!("User: {user} is not authorized to perform: {action} on resource: {resource} {reason}");
    match request.target.as_deref() {
        Some(target) if target.starts_with(dynamodb::TARGET_PREFIXES) => {
            WireAnswer::error(400, "com.amazon.coral.service#AccessDeniedException", &words)
        }
        Some(target) if target.starts_with(secrets::TARGET_PREFIX) || target.starts_with(event_bus::TARGET_PREFIX) => {
            WireAnswer::error(400, "AccessDeniedException", &words)
        }
        _ if request.path.starts_with(scheduler::PATH_PREFIX) => {
            WireAnswer::error(403, "AccessDeniedException", &words)
        }
        // SES uses other quotation marks.
        _ => {
            let words = format!("User `{user}' is not authorized to perform `{action}' on resource `{resource}'");
            WireAnswer::error(403, "AccessDeniedException", &words)
        }
    }
}

/// Whether `text` matches `pattern`, in which `*` matches any characters and `?` any single one.
pub fn matches(pattern: &str, text: &str) -> bool {
    let Some(wildcard) = pattern.find(['*', '?']) else { return pattern == text };
    let (literal, rest) = pattern.split_at(wildcard);
    let Some(text) = text.strip_prefix(literal) else { return false };
    let (is_any, rest) = (rest.starts_with('*'), &rest[1..]);
    if is_any {
        let ends = text.char_indices().map(|(start, _)| start).chain([text.len()]);
        ends.into_iter().any(|start| matches(rest, &text[start..]))
    } else {
        let mut characters = text.chars();
        characters.next().is_some() && matches(rest, characters.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str = "arn:aws:dynamodb:us-east-1:000000000000:table/credits";

    fn statement(effect: Effect, actions: &[&str], resources: &[&str]) -> Statement {
        let owned = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
        Statement { effect, actions: owned(actions), resources: owned(resources), conditions: vec![] }
    }

    fn call(action: &str, resource: &str) -> Call {
        Call::new(action, resource)
    }

    #[test]
    fn a_condition_holds_by_what_is_said_of_the_call() {
        let mut pass = statement(Effect::Allow, &["iam:PassRole"], &["arn:aws:iam::000000000000:role/timer"]);
        pass.conditions = vec![("iam:PassedToService".to_owned(), vec!["scheduler.amazonaws.com".to_owned()])];
        let silent = call("iam:PassRole", "arn:aws:iam::000000000000:role/timer");
        for (service, is_expected) in [(None, false), (Some("scheduler"), true), (Some("lambda"), false)] {
            let said = service.map(|service| ("iam:PassedToService".to_owned(), format!("{service}.amazonaws.com")));
            let call = Call { context: said.into_iter().collect(), ..silent.clone() };
            assert_eq!(is_allowed(std::slice::from_ref(&pass), &call), is_expected, "{service:?}");
        }
    }

    #[test]
    fn what_nothing_allows_is_refused_and_a_denial_wins() {
        let read = statement(Effect::Allow, &["dynamodb:GetItem", "dynamodb:Query"], &[TABLE]);
        let all = statement(Effect::Allow, &["dynamodb:*"], &["*"]);
        let never = statement(Effect::Deny, &["dynamodb:Delete*"], &["*"]);
        for (statements, action, resource, is_expected) in [
            (vec![], "dynamodb:GetItem", TABLE, false),
            (vec![read.clone()], "dynamodb:GetItem", TABLE, true),
            (vec![read.clone()], "dynamodb:PutItem", TABLE, false),
            (vec![read.clone()], "DynamoDB:getitem", TABLE, true),
            (vec![read.clone()], "dynamodb:Query", "arn:aws:dynamodb:us-east-1:000000000000:table/other", false),
            // A permission on a table, or on a prefix of its name, does not include its indexes.
            (vec![read], "dynamodb:Query", &format!("{TABLE}/index/due"), false),
            (vec![all.clone()], "dynamodb:Query", &format!("{TABLE}/index/due"), true),
            (vec![all.clone()], "ses:SendEmail", TABLE, false),
            (vec![all.clone(), never.clone()], "dynamodb:DeleteItem", TABLE, false),
            (vec![never, all], "dynamodb:PutItem", TABLE, true),
        ] {
            assert_eq!(is_allowed(&statements, &call(action, resource)), is_expected, "{action} on {resource}");
        }
    }

    #[test]
    fn wildcards_stand_for_any_characters_or_for_any_one() {
        for (pattern, text, is_match) in [
            ("*", "", true),
            ("a*c", "abbc", true),
            ("a*c", "ab", false),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("*b*", "abc", true),
            ("abc", "abcd", false),
            ("ab*b", "ab", false),
        ] {
            assert_eq!(matches(pattern, text), is_match, "{pattern} and {text}");
        }
    }
}
