//! SES v2: accepts e-mails as AWS would, and keeps them for tests and people to read. Nothing is ever sent.
//!
//! See <https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_SendEmail.html>. Only simple content is supported.
//! The sandbox's rule that recipients must also be verified does not apply.
//!
//! What happens to an e-mail is available as events: all of them ([`LocalSes::events`]), and for whoever owns an event bus,
//! each of them once ([`LocalSes::take_events`]).

mod events;
mod inbox;
mod send_email;
pub(crate) mod suppression;

use std::collections::{BTreeSet, VecDeque};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use aws_smithy_runtime_api::client::http::SharedHttpClient;
use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;

pub use suppression::SuppressionReason;

use crate::wire::{self, Door, Loss, WireAnswer, WireRequest};
use crate::{ACCOUNT, Clock, REGION};
use send_email::Known;
use suppression::Suppressed;

pub(crate) const SEND_EMAIL_PATH: &str = "/v2/email/outbound-emails";

/// How many messages are kept; older ones are dropped.
pub const MESSAGES_MAX: usize = 5_000;

/// An account's mail service. Clones share identities, faults and messages.
#[derive(Clone)]
pub struct LocalSes {
    clock: Clock,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    verified_identities: BTreeSet<String>,
    configuration_sets: BTreeSet<String>,
    /// Those of them that ignore the account's suppression list.
    without_suppression: BTreeSet<String>,
    suppressed: Suppressed,
    events: VecDeque<Value>,
    untaken_events: Vec<Value>,
    messages: VecDeque<Message>,
    faults: VecDeque<SesFault>,
}

/// One accepted e-mail.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Message {
    /// The `MessageId` in the answer of `SendEmail`.
    pub id: String,
    /// When it was accepted.
    pub received_at: Timestamp,
    /// `FromEmailAddress`, including the display name.
    pub from: String,
    /// `ToAddresses`.
    pub to: Vec<String>,
    /// `CcAddresses`.
    pub cc: Vec<String>,
    /// `BccAddresses`.
    pub bcc: Vec<String>,
    /// `ReplyToAddresses`.
    pub reply_to: Vec<String>,
    /// The subject line.
    pub subject: String,
    /// The plain text part.
    pub text: Option<String>,
    /// The HTML part.
    pub html: Option<String>,
    /// `EmailTags` as name and value.
    pub tags: Vec<(String, String)>,
    /// `Headers` as name and value, without those that SES adds itself.
    pub headers: Vec<(String, String)>,
    /// `ConfigurationSetName`.
    pub configuration_set: Option<String>,
}

impl Message {
    fn recipients(&self) -> impl Iterator<Item = &str> {
        self.to.iter().chain(&self.cc).chain(&self.bcc).map(String::as_str)
    }
}

/// What happens to one `SendEmail` instead of a normal answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SesFault {
    /// `TooManyRequestsException`, status 429; nothing is accepted.
    Throttle,
    /// `InternalServiceErrorException`, status 500; nothing is accepted.
    InternalServiceError,
    /// The account may not send at the moment: `SendingPausedException`, status 400.
    SendingPaused,
    /// Nothing is accepted, and no answer arrives.
    LoseRequest(Loss),
    /// The e-mail is accepted, and no answer arrives.
    LoseAnswer(Loss),
}

impl LocalSes {
    /// `verified_identities` are addresses or whole domains that e-mail may be sent from.
    pub fn new(verified_identities: impl IntoIterator<Item = impl Into<String>>, clock: Clock) -> Self {
        let verified_identities =
            verified_identities.into_iter().map(|identity| identity.into().to_ascii_lowercase()).collect();
        Self { clock, state: Arc::new(Mutex::new(State { verified_identities, ..State::default() })) }
    }

    /// The existing configuration sets; any other is refused.
    #[must_use]
    pub fn with_configuration_sets(self, names: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.state().configuration_sets = names.into_iter().map(Into::into).collect();
        self
    }

    /// The configuration sets whose e-mails are also sent to addresses on the account's suppression list.
    /// <https://docs.aws.amazon.com/ses/latest/dg/sending-email-suppression-list-config-level.html>
    #[must_use]
    pub fn without_suppression(self, names: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.state().without_suppression = names.into_iter().map(Into::into).collect();
        self
    }

    /// Puts an address on the account's suppression list.
    pub fn suppress(&self, address: &str, reason: SuppressionReason) {
        let now = (self.clock)();
        self.state().suppressed.add(address, reason, now);
    }

    /// The events of the e-mails that name a configuration set, oldest first and in EventBridge's format.
    pub fn events(&self) -> Vec<Value> {
        self.state().events.iter().cloned().collect()
    }

    /// The events that were not taken before, oldest first.
    pub fn take_events(&self) -> Vec<Value> {
        std::mem::take(&mut self.state().untaken_events)
    }

    /// Everything accepted so far, oldest first.
    pub fn messages(&self) -> Vec<Message> {
        self.state().messages.iter().cloned().collect()
    }

    /// Applies `fault` to the next `times` calls that carry out `SendEmail`.
    pub fn fail_next(&self, times: usize, fault: SesFault) {
        self.state().faults.extend(std::iter::repeat_n(fault, times));
    }

    /// An HTTP client for an SDK configuration that sends SES calls here, in process.
    pub fn sdk_config_http_client(&self) -> SharedHttpClient {
        wire::http_client(self.clone())
    }

    /// The inbox as pages for a browser: `/inbox`, `/inbox/{id}`, `/inbox/{id}/html` and `/inbox.json`.
    pub fn pages(&self) -> axum::Router {
        inbox::pages(self.clone())
    }

    /// The identity of a request to send: the sender's address or its domain.
    /// <https://docs.aws.amazon.com/ses/latest/dg/control-user-access.html>
    pub(crate) fn identity_arn(&self, body: &[u8]) -> String {
        let identity = send_email::identity(body, &self.state().verified_identities);
        format!("arn:aws:ses:{REGION}:{ACCOUNT}:identity/{identity}")
    }

    /// The configuration set of a request to send, which needs a permission of its own.
    /// <https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonses.html>
    pub(crate) fn configuration_set_arn(body: &[u8]) -> Option<String> {
        let name = send_email::configuration_set(body)?;
        Some(format!("arn:aws:ses:{REGION}:{ACCOUNT}:configuration-set/{name}"))
    }

    fn message(&self, id: &str) -> Option<Message> {
        self.state().messages.iter().find(|message| message.id == id).cloned()
    }

    fn send_email(&self, body: &[u8]) -> Result<WireAnswer, Loss> {
        let fault = self.state().faults.pop_front();
        match fault {
            None => Ok(self.accept(body)),
            Some(SesFault::Throttle) => {
                Ok(WireAnswer::error(429, "TooManyRequestsException", "Maximum sending rate exceeded."))
            }
            Some(SesFault::InternalServiceError) => {
                Ok(WireAnswer::error(500, "InternalServiceErrorException", "Internal service error"))
            }
            Some(SesFault::SendingPaused) => {
                Ok(WireAnswer::error(400, "SendingPausedException", "Sending is paused for this account."))
            }
            Some(SesFault::LoseRequest(loss)) => Err(loss),
            Some(SesFault::LoseAnswer(loss)) => {
                self.accept(body);
                Err(loss)
            }
        }
    }

    fn accept(&self, body: &[u8]) -> WireAnswer {
        let id = uuid::Uuid::now_v7().to_string();
        let mut state = self.state();
        let known = Known { identities: &state.verified_identities, configuration_sets: &state.configuration_sets };
        let message = match send_email::read(body, &id, (self.clock)(), known) {
            Ok(message) => message,
            Err(refused) => return refused.into(),
        };
        let ignores_list =
            message.configuration_set.as_ref().is_some_and(|set| state.without_suppression.contains(set));
        let none = Suppressed::default();
        let events = events::of(&message, if ignores_list { &none } else { &state.suppressed });
        state.untaken_events.extend(events.iter().cloned());
        state.events.extend(events);
        let surplus = state.events.len().saturating_sub(MESSAGES_MAX);
        state.events.drain(..surplus);
        if state.messages.len() == MESSAGES_MAX {
            state.messages.pop_front();
        }
        state.messages.push_back(message);
        WireAnswer::ok(&serde_json::json!({ "MessageId": id }))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for LocalSes {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("LocalSes").finish_non_exhaustive()
    }
}

impl Door for LocalSes {
    async fn exchange(&self, request: WireRequest) -> Result<WireAnswer, Loss> {
        match (request.method.as_str(), request.path.as_str()) {
            ("POST", SEND_EMAIL_PATH) => self.send_email(&request.body),
            (_, path) if path.starts_with(suppression::PATH) => {
                let now = (self.clock)();
                Ok(self.state().suppressed.answer(&request, now))
            }
            _ => Ok(WireAnswer::unknown_operation()),
        }
    }
}
