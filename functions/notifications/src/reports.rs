//! What SES reports about an e-mail after it was accepted, through EventBridge.
//! <https://docs.aws.amazon.com/ses/latest/dg/event-publishing-retrieving-sns-contents.html>

use crate::Outside;
use jiff::Timestamp;
use lambda_runtime::Error;
use serde::Deserialize;
use shared::domain::contacts::{DeliveryProblem, DeliveryProblemKind, ReturnedMail};
use shared::domain::{AccountId, EmailAddress, NoticeId};
use shared::email::{ACCOUNT_TAG, NOTICE_TAG};
use shared::error::chain;
use shared::use_cases::accounts::{SettingError, record_returned_mail};
use shared::use_cases::{Context, NotFound};
use std::collections::BTreeMap;

/// An event of EventBridge.
#[derive(Debug, Deserialize)]
pub struct Report {
    detail: Detail,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Detail {
    event_type: String,
    mail: Mail,
    bounce: Option<Bounce>,
    complaint: Option<Complaint>,
}

#[derive(Debug, Deserialize)]
struct Mail {
    /// Each of our e-mails has one recipient. The report's own list names the mailbox that refused the e-mail, which is
    /// another one if the recipient forwards it.
    destination: Vec<String>,
    #[serde(default)]
    tags: BTreeMap<String, Vec<String>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Bounce {
    bounce_type: String,
    #[serde(default)]
    bounce_sub_type: String,
    timestamp: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Complaint {
    complaint_feedback_type: Option<String>,
    timestamp: String,
}

/// A report that SES does not make as documented.
#[derive(Debug, thiserror::Error)]
#[error("the report of an e-mail has no valid {0}")]
struct Malformed(&'static str);

/// Records a permanent bounce or a complaint. Lambda delivers an event that failed again, and EventBridge may deliver any
/// event more than once.
///
/// # Errors
/// If the report is malformed or could not be recorded.
pub async fn handle<O: Outside>(context: &Context<O>, report: Report) -> Result<(), Error> {
    let Detail { event_type, mail, bounce, complaint } = report.detail;
    let Some((account, notice)) = mail.about() else {
        tracing::warn!(report.kind = event_type, "a report is about an e-mail of somebody else");
        return Ok(());
    };
    let (kind, timestamp) = match (event_type.as_str(), bounce, complaint) {
        ("Bounce", Some(bounce), _) if bounce.is_permanent() => (DeliveryProblemKind::Bounced, bounce.timestamp),
        ("Bounce", Some(bounce), _) => {
            let reason = bounce.bounce_sub_type;
            tracing::info!(account.id = %account, notice.id = %notice, reason, "an e-mail bounced for the moment");
            return Ok(());
        }
        ("Complaint", _, Some(complaint)) if complaint.is_of_reader() => {
            (DeliveryProblemKind::Complained, complaint.timestamp)
        }
        ("Complaint", _, Some(_)) => {
            tracing::info!(account.id = %account, notice.id = %notice, "a complaint that is none of a reader");
            return Ok(());
        }
        ("Reject", ..) => {
            tracing::error!(account.id = %account, notice.id = %notice, "SES took an e-mail for harmful and did not send it");
            return Ok(());
        }
        _ => return Err(Malformed("content").into()),
    };
    let at: Timestamp = timestamp.parse().map_err(|_| Malformed("timestamp"))?;
    let address = mail.destination.into_iter().next().and_then(|address| EmailAddress::parse(address).ok());
    let address = address.ok_or(Malformed("destination"))?;
    let returned = ReturnedMail { address, problem: DeliveryProblem { kind, at } };
    match record_returned_mail(context, &account, &notice, &returned).await {
        Ok(recorded) => {
            tracing::info!(account.id = %account, notice.id = %notice, problem = kind.name(), ?recorded, "report handled");
            Ok(())
        }
        Err(SettingError::NotFound(NotFound::Account(_))) => {
            tracing::warn!(account.id = %account, notice.id = %notice, "a report is about an account that does not exist");
            Ok(())
        }
        Err(error) => {
            let causes = chain(&error);
            tracing::error!(account.id = %account, notice.id = %notice, error = causes, "report failed");
            Err(error.into())
        }
    }
}

impl Mail {
    /// Whose e-mail it is, and which one: the tags that we gave it.
    fn about(&self) -> Option<(AccountId, NoticeId)> {
        let tag = |name: &str| self.tags.get(name)?.first().cloned();
        Some((AccountId::parse(tag(ACCOUNT_TAG)?).ok()?, NoticeId::parse(tag(NOTICE_TAG)?).ok()?))
    }
}

impl Bounce {
    /// A transient bounce, such as a full mailbox or an out-of-office reply, says nothing about the next e-mail.
    fn is_permanent(&self) -> bool {
        self.bounce_type == "Permanent"
    }
}

impl Complaint {
    /// A provider also reports that an e-mail was no spam after all, and that a check of its sender failed.
    /// <https://www.iana.org/assignments/marf-parameters/marf-parameters.xhtml>
    fn is_of_reader(&self) -> bool {
        !matches!(self.complaint_feedback_type.as_deref(), Some("not-spam" | "auth-failure"))
    }
}
