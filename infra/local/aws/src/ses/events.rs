//! What happens to an e-mail after sending, as SES publishes it through EventBridge.
//!
//! As in SES, only e-mails with a configuration set have events. The mailbox simulator's addresses cause what their
//! names say; every other e-mail is delivered.
//!
//! <https://docs.aws.amazon.com/ses/latest/dg/monitoring-eventbridge.html>,
//! <https://docs.aws.amazon.com/ses/latest/dg/send-an-email-from-console.html>

use serde_json::{Value, json};
use uuid::Uuid;

use super::Message;
use super::suppression::Suppressed;
use crate::{ACCOUNT, REGION};

const SIMULATOR: &str = "simulator.amazonses.com";

/// What happens to an e-mail at one recipient.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Delivered,
    /// Delivered, and then reported as spam.
    Complained,
    /// Its mailbox does not exist.
    Bounced,
    /// Delivered, and answered by an out-of-office reply: a transient bounce.
    OutOfOffice,
    /// Not sent, because the address is on the account's list.
    Suppressed,
    /// Not sent, because the address is on the service's own list.
    SuppressedByService,
}

impl Fate {
    fn of(address: &str, suppressed: &Suppressed) -> Self {
        if suppressed.contains(address) {
            return Self::Suppressed;
        }
        let address = address.to_ascii_lowercase();
        let Some((local, SIMULATOR)) = address.rsplit_once('@') else { return Self::Delivered };
        // A label may follow: bounce+order-7@simulator.amazonses.com.
        match local.split('+').next() {
            Some("bounce") => Self::Bounced,
            Some("complaint") => Self::Complained,
            Some("ooto") => Self::OutOfOffice,
            Some("suppressionlist") => Self::SuppressedByService,
            _ => Self::Delivered,
        }
    }
}

/// Every event of an e-mail that was just accepted, in order.
pub(super) fn of(message: &Message, suppressed: &Suppressed) -> Vec<Value> {
    let Some(configuration_set) = &message.configuration_set else { return Vec::new() };
    let event = |detail_type: &str, kind: &str, name: &str, content: Value| {
        json!({
            "version": "0",
            "id": Uuid::now_v7().to_string(),
            "detail-type": detail_type,
            "source": "aws.ses",
            "account": ACCOUNT,
            "time": message.received_at.to_string(),
            "region": REGION,
            "resources": [format!("arn:aws:ses:{REGION}:{ACCOUNT}:configuration-set/{configuration_set}")],
            "detail": { "eventType": kind, name: content, "mail": mail(message, configuration_set) },
        })
    };
    let mut events = vec![event("Email Sent", "Send", "send", json!({}))];
    for recipient in message.recipients() {
        let address = super::send_email::address_of(recipient);
        let fate = Fate::of(address, suppressed);
        if matches!(fate, Fate::Delivered | Fate::Complained | Fate::OutOfOffice) {
            events.push(event("Email Delivered", "Delivery", "delivery", delivery(message, address)));
        }
        match fate {
            Fate::Delivered => {}
            Fate::Complained => {
                events.push(event("Email Complaint Received", "Complaint", "complaint", complaint(message, address)));
            }
            _ => events.push(event("Email Bounced", "Bounce", "bounce", bounce(message, address, fate))),
        }
    }
    events
}

fn mail(message: &Message, configuration_set: &str) -> Value {
    let destination: Vec<_> = message.recipients().collect();
    let header = |name: &str, value: &str| json!({ "name": name, "value": value });
    let mut headers = vec![header("From", &message.from), header("Subject", &message.subject)];
    headers.extend(message.headers.iter().map(|(name, value)| header(name, value)));
    let mut tags = json!({ "ses:configuration-set": [configuration_set] });
    for (name, value) in &message.tags {
        tags[name] = json!([value]);
    }
    json!({
        "timestamp": message.received_at.to_string(),
        "source": message.from,
        "sourceArn": format!("arn:aws:ses:{REGION}:{ACCOUNT}:identity/{}", super::send_email::address_of(&message.from)),
        "sendingAccountId": ACCOUNT,
        "messageId": message.id,
        "destination": destination,
        "headersTruncated": false,
        "headers": headers,
        "commonHeaders": {
            "from": [message.from],
            "to": message.to,
            "messageId": message.id,
            "subject": message.subject,
        },
        "tags": tags,
    })
}

fn delivery(message: &Message, address: &str) -> Value {
    json!({
        "timestamp": message.received_at.to_string(),
        "processingTimeMillis": 1,
        "recipients": [address],
        "smtpResponse": "250 2.6.0 Message received",
        "reportingMTA": "local.smtp-out.amazonses.com",
    })
}

fn complaint(message: &Message, address: &str) -> Value {
    json!({
        "feedbackId": Uuid::now_v7().to_string(),
        "complaintSubType": null,
        "complainedRecipients": [{ "emailAddress": address }],
        "timestamp": message.received_at.to_string(),
        "userAgent": "Amazon SES Mailbox Simulator",
        "complaintFeedbackType": "abuse",
        "arrivalDate": message.received_at.to_string(),
    })
}

/// <https://docs.aws.amazon.com/ses/latest/dg/event-publishing-retrieving-sns-contents.html#event-publishing-retrieving-sns-contents-bounce-object>
fn bounce(message: &Message, address: &str, fate: Fate) -> Value {
    let (kind, sub_kind, recipient) = match fate {
        Fate::OutOfOffice => ("Transient", "General", json!({ "emailAddress": address })),
        Fate::Suppressed => (
            "Permanent",
            "OnAccountSuppressionList",
            json!({
                "emailAddress": address,
                "action": "failed",
                "status": "5.1.1",
                "diagnosticCode": "Amazon SES did not send the message to this address because it is on the \
                                   suppression list for your account.",
            }),
        ),
        Fate::SuppressedByService => (
            "Permanent",
            "Suppressed",
            json!({
                "emailAddress": address,
                "action": "failed",
                "status": "5.1.1",
                "diagnosticCode": "Amazon SES has suppressed sending to this address because it has a recent history \
                                   of bouncing as an invalid address.",
            }),
        ),
        _ => (
            "Permanent",
            "General",
            json!({
                "emailAddress": address,
                "action": "failed",
                "status": "5.1.1",
                "diagnosticCode": "smtp; 550 5.1.1 user unknown",
            }),
        ),
    };
    json!({
        "feedbackId": Uuid::now_v7().to_string(),
        "bounceType": kind,
        "bounceSubType": sub_kind,
        "bouncedRecipients": [recipient],
        "timestamp": message.received_at.to_string(),
        "reportingMTA": "dns; local.smtp-out.amazonses.com",
    })
}
