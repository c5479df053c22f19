//! The body of `SendEmail`, validated as in SES.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::Deserialize;

use super::Message;
use crate::REGION;
use crate::wire::WireAnswer;

/// To, Cc and Bcc together. See <https://docs.aws.amazon.com/ses/latest/dg/quotas.html>.
const RECIPIENTS_MAX: usize = 50;

/// For a tag's name and for its value.
/// See <https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_MessageTag.html>.
const TAG_CHARACTERS_MAX: usize = 256;

/// For all headers, and for the name and the value of one.
/// See <https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_MessageHeader.html>.
const HEADERS_MAX: usize = 15;
const HEADER_NAME_MAX: usize = 126;
const HEADER_VALUE_MAX: usize = 870;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct SendEmailRequest {
    from_email_address: Option<String>,
    #[serde(default)]
    destination: Destination,
    #[serde(default)]
    reply_to_addresses: Vec<String>,
    #[serde(default)]
    content: Content,
    #[serde(default)]
    email_tags: Vec<Tag>,
    configuration_set_name: Option<String>,
}

/// The account's configuration.
#[derive(Clone, Copy)]
pub(super) struct Known<'a> {
    pub(super) identities: &'a BTreeSet<String>,
    pub(super) configuration_sets: &'a BTreeSet<String>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
struct Destination {
    to_addresses: Vec<String>,
    cc_addresses: Vec<String>,
    bcc_addresses: Vec<String>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
struct Content {
    simple: Option<Simple>,
    raw: Option<serde_json::Value>,
    template: Option<serde_json::Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Simple {
    subject: Part,
    body: Body,
    #[serde(default)]
    headers: Vec<Tag>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Body {
    text: Option<Part>,
    html: Option<Part>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Part {
    data: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Tag {
    name: String,
    value: String,
}

/// Why SES does not accept the e-mail.
#[derive(Debug)]
pub(super) enum Refused {
    BadRequest(String),
    MessageRejected(String),
    NotFound(String),
}

impl From<Refused> for WireAnswer {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::BadRequest(message) => Self::error(400, "BadRequestException", &message),
            Refused::NotFound(message) => Self::error(404, "NotFoundException", &message),
            Refused::MessageRejected(message) => Self::error(400, "MessageRejected", &message),
        }
    }
}

pub(super) fn read(body: &[u8], id: &str, received_at: Timestamp, known: Known<'_>) -> Result<Message, Refused> {
    let request: SendEmailRequest =
        serde_json::from_slice(body).map_err(|error| bad_request(&format!("The request cannot be parsed: {error}")))?;
    let from = request.from_email_address.ok_or_else(|| bad_request("FromEmailAddress is missing."))?;
    let Destination { to_addresses: to, cc_addresses: cc, bcc_addresses: bcc } = request.destination;
    let simple = simple_content(request.content)?;
    check_recipients([&to, &cc, &bcc])?;
    check_tags(&request.email_tags)?;
    check_subject(&simple.subject.data)?;
    check_headers(&simple.headers)?;
    check_configuration_set(request.configuration_set_name.as_deref(), known.configuration_sets)?;
    check_sender(&from, known.identities)?;
    let named = |pairs: Vec<Tag>| pairs.into_iter().map(|pair| (pair.name, pair.value)).collect();
    Ok(Message {
        id: id.to_owned(),
        received_at,
        from,
        to,
        cc,
        bcc,
        reply_to: request.reply_to_addresses,
        subject: simple.subject.data,
        text: simple.body.text.map(|part| part.data),
        html: simple.body.html.map(|part| part.data),
        tags: named(request.email_tags),
        headers: named(simple.headers),
        configuration_set: request.configuration_set_name,
    })
}

fn simple_content(content: Content) -> Result<Simple, Refused> {
    if content.raw.is_some() || content.template.is_some() {
        return Err(bad_request("This stand-in supports only simple content, neither raw messages nor templates."));
    }
    let simple = content.simple.ok_or_else(|| bad_request("Content must hold a message."))?;
    if simple.body.text.is_none() && simple.body.html.is_none() {
        return Err(bad_request("The body must have a text or an HTML part."));
    }
    Ok(simple)
}

fn check_recipients(lists: [&Vec<String>; 3]) -> Result<(), Refused> {
    let count: usize = lists.iter().map(|list| list.len()).sum();
    if count == 0 {
        return Err(bad_request("At least one recipient is required."));
    }
    if count > RECIPIENTS_MAX {
        return Err(bad_request(&format!("Recipient count exceeds {RECIPIENTS_MAX}.")));
    }
    lists.into_iter().flatten().try_for_each(|recipient| check_recipient(recipient))
}

/// The part before the `@` must be ASCII, because SES does not support SMTPUTF8.
/// <https://docs.aws.amazon.com/ses/latest/dg/send-email-raw.html#send-email-mime-encoding-special-characters>
fn check_recipient(recipient: &str) -> Result<(), Refused> {
    let address = address_of(recipient);
    if recipient.contains(['\r', '\n']) || !is_address(address) {
        return Err(bad_request(&format!("{recipient:?} is not an e-mail address.")));
    }
    if address.split('@').next().is_some_and(|local| !local.is_ascii()) {
        return Err(bad_request("Local address contains non-ASCII characters."));
    }
    Ok(())
}

/// A line break would start a new header.
fn check_subject(subject: &str) -> Result<(), Refused> {
    if subject.contains(['\r', '\n']) {
        return Err(bad_request("The subject must not contain a line break."));
    }
    Ok(())
}

fn check_headers(headers: &[Tag]) -> Result<(), Refused> {
    if headers.len() > HEADERS_MAX {
        return Err(bad_request(&format!("There may be at most {HEADERS_MAX} headers.")));
    }
    let is_name = |name: &str| {
        (1..=HEADER_NAME_MAX).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_graphic() && byte != b':')
    };
    let is_value = |value: &str| {
        (1..=HEADER_VALUE_MAX).contains(&value.len())
            && value.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ')
    };
    match headers.iter().find(|header| !is_name(&header.name) || !is_value(&header.value)) {
        Some(header) => Err(bad_request(&format!("Invalid header {:?}.", header.name))),
        None => Ok(()),
    }
}

fn check_configuration_set(name: Option<&str>, known: &BTreeSet<String>) -> Result<(), Refused> {
    match name {
        Some(name) if !known.contains(name) => {
            Err(Refused::NotFound(format!("Configuration set <{name}> does not exist.")))
        }
        _ => Ok(()),
    }
}

fn check_tags(tags: &[Tag]) -> Result<(), Refused> {
    let is_allowed = |text: &str| {
        (1..=TAG_CHARACTERS_MAX).contains(&text.len())
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-')
    };
    match tags.iter().find(|tag| !is_allowed(&tag.name) || !is_allowed(&tag.value)) {
        Some(tag) => Err(bad_request(&format!(
            "Invalid tag {}={}: letters, digits, _ and - only, at most {TAG_CHARACTERS_MAX}.",
            tag.name, tag.value
        ))),
        None => Ok(()),
    }
}

/// The verified identity of the sender; the sender's address if there is none.
pub(super) fn identity(body: &[u8], verified_identities: &BTreeSet<String>) -> String {
    let request: Option<SendEmailRequest> = serde_json::from_slice(body).ok();
    let from = request.and_then(|request| request.from_email_address).unwrap_or_default();
    let address = address_of(&from).to_ascii_lowercase();
    covering(&address, verified_identities).map_or_else(|| address.clone(), str::to_owned)
}

/// The configuration set that a request names.
pub(super) fn configuration_set(body: &[u8]) -> Option<String> {
    serde_json::from_slice::<SendEmailRequest>(body).ok()?.configuration_set_name
}

/// The identity of the address itself comes before that of its domain.
fn covering<'a>(address: &'a str, verified_identities: &BTreeSet<String>) -> Option<&'a str> {
    let domain = address.rsplit_once('@').map_or("", |(_, domain)| domain);
    [address, domain].into_iter().find(|name| verified_identities.contains(*name))
}

fn check_sender(from: &str, verified_identities: &BTreeSet<String>) -> Result<(), Refused> {
    let address = address_of(from).to_ascii_lowercase();
    if is_address(&address) && covering(&address, verified_identities).is_some() {
        return Ok(());
    }
    Err(Refused::MessageRejected(format!(
        "Email address is not verified. The following identities failed the check in region {}: {address}",
        REGION.to_uppercase()
    )))
}

/// The address in `Name <address>`, or the text itself.
pub(super) fn address_of(mailbox: &str) -> &str {
    let inside = mailbox.trim().strip_suffix('>').and_then(|start| start.rsplit_once('<'));
    inside.map_or(mailbox.trim(), |(_, address)| address)
}

fn is_address(text: &str) -> bool {
    text.split_once('@').is_some_and(|(local, domain)| {
        !local.is_empty() && !domain.is_empty() && !domain.contains('@') && !text.contains(char::is_whitespace)
    })
}

fn bad_request(message: &str) -> Refused {
    Refused::BadRequest(message.to_owned())
}
