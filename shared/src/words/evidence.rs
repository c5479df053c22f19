//! The texts of a dispute's evidence, under the names that Stripe gives them.
//! <https://docs.stripe.com/api/disputes/evidence_object>
//!
//! Only what is known is said. What Stripe takes as a file (a receipt, a signature) and what the company alone knows (its
//! refund policy, the customer's name and address) is left to the operator.

use super::{card_face, credits, date, date_and_time, explanation};
use crate::domain::payments::{Bought, ConsentRecord};
use crate::domain::support::{Evidence, LeftOut, Uses};
use crate::domain::{Cause, Credits, Entry, Notice};
use std::fmt::Write;

/// Stripe takes so many characters of all texts together.
pub const EVIDENCE_CHARACTERS_MAX: usize = 150_000;

/// The texts, each under Stripe's name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EvidenceTexts {
    pub product_description: String,
    pub customer_email_address: Option<String>,
    pub service_date: Option<String>,
    pub access_activity_log: Option<String>,
    pub uncategorized_text: String,
    /// What is missing in them, and why. This is for the operator.
    pub left_out: Vec<String>,
}

impl EvidenceTexts {
    /// The characters of all texts together.
    pub fn characters(&self) -> usize {
        let optional = [&self.customer_email_address, &self.service_date, &self.access_activity_log];
        let optional = optional.into_iter().flatten().map(|text| text.chars().count());
        optional.sum::<usize>() + self.product_description.chars().count() + self.uncategorized_text.chars().count()
    }
}

/// Writes the texts.
pub fn evidence_texts(evidence: &Evidence) -> EvidenceTexts {
    let mut texts = EvidenceTexts {
        product_description: product(evidence),
        customer_email_address: evidence.account.email.as_ref().map(|email| email.to_string()),
        service_date: evidence.uses.as_ref().map(|uses| date(uses.grant.created_at)),
        access_activity_log: None,
        uncategorized_text: rest(evidence),
        left_out: left_out(evidence),
    };
    if let Some(uses) = &evidence.uses {
        let room = EVIDENCE_CHARACTERS_MAX.saturating_sub(texts.characters());
        let (log, is_cut) = fitting(activity(uses), room);
        texts.access_activity_log = Some(log);
        if is_cut {
            texts.left_out.push(format!(
                "The last lines of the activity log, because Stripe takes {EVIDENCE_CHARACTERS_MAX} characters in all."
            ));
        }
    }
    texts
}

/// As many lines as there is room for, and whether some are missing.
fn fitting(lines: Vec<String>, room: usize) -> (String, bool) {
    let (mut text, mut length) = (String::new(), 0_usize);
    for line in lines {
        length = length.saturating_add(line.chars().count() + 1);
        if length > room {
            return (text, true);
        }
        text.push_str(&line);
        text.push('\n');
    }
    (text, false)
}

fn product(evidence: &Evidence) -> String {
    let bought = &evidence.bought;
    let (what, price) = (bought.paid_for(), bought.price());
    let kind = match bought {
        Bought::Purchase(_) => "a purchase by the customer",
        Bought::TopUp(..) => "an automatic top-up that the customer had turned on",
    };
    let granted = match &evidence.uses {
        Some(uses) => {
            format!("They were added to the customer's balance at once, on {}.", date_and_time(uses.grant.created_at))
        }
        None => "No credits were added for this payment.".to_owned(),
    };
    format!(
        "{} for {price} before tax: prepaid credits for the operations of our API, which the customer's account spends \
         as it uses them. It was {kind} ({what}). {granted}",
        credits(bought.credits())
    )
}

/// One line for each charge, and one for each restore.
fn activity(uses: &Uses) -> Vec<String> {
    let mut lines =
        vec![format!("Uses of the {} that this payment bought. Times are in UTC.", credits(uses.grant.credits))];
    let charges = uses.charges.iter().map(|used| {
        let of_payment = Credits::new(used.credits).unwrap_or(Credits::ZERO);
        (&used.charge, format!(" {} of it from this payment.", credits(of_payment)))
    });
    let restores = uses.restores.iter().map(|entry| (entry, String::new()));
    let mut entries: Vec<_> = charges.chain(restores).collect();
    entries.sort_by_key(|(entry, _)| entry.seq);
    lines.extend(entries.into_iter().map(|(entry, note)| line(entry, &note)));
    if uses.charges.is_empty() {
        lines.push("None of them was used yet.".to_owned());
    }
    lines
}

fn line(entry: &Entry, note: &str) -> String {
    let mut line = format!("{:.3} {}{note}", entry.created_at, explanation(entry));
    if let Cause::Charge { key, operation, reference, spender, request_id, .. } = &entry.cause {
        let _ = write!(line, " Operation {}, key {key}", operation.name);
        let others = [
            ("reference", reference.as_ref().map(|reference| reference.as_str())),
            ("user", spender.as_ref().map(|spender| spender.as_str())),
            ("request", request_id.as_ref().map(|request| request.as_str())),
        ];
        for (name, value) in others.into_iter().filter_map(|(name, value)| Some((name, value?))) {
            let _ = write!(line, ", {name} {value}");
        }
        line.push('.');
    }
    line
}

fn rest(evidence: &Evidence) -> String {
    let mut parts = vec![];
    if let Some(consent) = &evidence.consent {
        parts.push(agreed(consent));
    }
    parts.push(match evidence.card.last4 {
        Some(_) => format!("It was paid with {}.", card_face(&evidence.card)),
        None => "The card that paid is not known.".to_owned(),
    });
    if !evidence.notices.is_empty() {
        let mails = evidence.notices.iter().map(mail).collect::<Vec<_>>().join("\n");
        parts.push(format!("E-mails that we sent about it:\n{mails}"));
    }
    let currency = evidence.shown.currency.to_uppercase();
    if let Some(refunded) = Some(evidence.returns.refunded()).filter(|refunded| *refunded > 0) {
        parts.push(format!(
            "Of {} {currency} that were paid, {refunded} were refunded before (in the currency's smallest unit).",
            evidence.returns.paid
        ));
    }
    if let Some(uses) = &evidence.uses
        && !uses.restores.is_empty()
    {
        let restores = uses.restores.len();
        parts.push(format!(
            "We gave back the credits of charges whose operation failed ({restores} in all); the activity log shows when."
        ));
    }
    parts.join("\n\n")
}

fn agreed(ConsentRecord { consent, text, .. }: &ConsentRecord) -> String {
    let by = consent.accepted_by.as_ref().map_or("the customer", |by| by.as_str());
    let (at, version) = (date_and_time(consent.accepted_at), consent.text_version);
    format!(
        "On {at}, {by} agreed to this text (version {version}) before automatic top-ups were turned on:\n\"{text}\""
    )
}

fn mail(notice: &Notice) -> String {
    let to = notice.sent_to.as_ref().unwrap_or(&notice.to);
    let kind = notice.kind.name().replace('_', " ");
    match (notice.sent_at, notice.returned_at) {
        (Some(sent_at), None) => format!("{}: {kind}, to {to}", date_and_time(sent_at)),
        (Some(sent_at), Some(_)) => format!("{}: {kind}, to {to}, which came back", date_and_time(sent_at)),
        (None, _) => format!("{kind}, to {to}, which was not sent yet"),
    }
}

fn left_out(evidence: &Evidence) -> Vec<String> {
    let mut left_out = vec![format!(
        "E-mails are kept for {} days, so older ones about this payment are not listed.",
        Notice::KEPT_FOR.as_hours() / 24
    )];
    match evidence.uses.as_ref().and_then(|uses| uses.left_out) {
        Some(LeftOut::Charges) => {
            left_out.push(format!("Charges after the first {} that used these credits.", Uses::CHARGES_MAX));
        }
        Some(LeftOut::Entries) => {
            left_out.push(format!("Charges after the first {} entries that followed the payment.", Uses::ENTRIES_MAX));
        }
        None => {}
    }
    left_out.push(
        "Your refund policy, the customer's name and address, and files such as the receipt: add what you have."
            .to_owned(),
    );
    left_out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_left_out_rather_than_cut() {
        let lines = || vec!["é23".to_owned(), "567".to_owned()];
        assert_eq!(fitting(lines(), 8), ("é23\n567\n".to_owned(), false));
        assert_eq!(fitting(lines(), 7), ("é23\n".to_owned(), true));
        assert_eq!(fitting(lines(), 0), (String::new(), true));
    }
}
