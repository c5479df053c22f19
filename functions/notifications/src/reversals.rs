//! The content of e-mails about credits that were taken back, or given back again.

use crate::parts::{Content, Fact, account, date, fact};
use shared::domain::payments::{PaidFor, ReturnReason};
use shared::domain::{Notice, ToldReversal};
use shared::words::{Explanation, credits as count, reversal_pause};

pub fn taken_back(notice: &Notice, told: &ToldReversal) -> Content {
    let (amount, credits) = (told.amount, count(told.credits));
    let (subject, why, closing) = match told.because {
        ReturnReason::Refund => (
            format!("You were refunded {amount}, and {credits} were taken back"),
            format!("We refunded {amount} of your payment, so we took back the {credits} that it had bought."),
            "If you did not expect a refund, write to us.",
        ),
        ReturnReason::Dispute => (
            format!("Your payment is disputed: {credits} were taken back"),
            format!(
                "Your bank took {amount} of your payment back because it was disputed, so we took back the {credits} that \
                 it had bought."
            ),
            "If you did not mean to dispute this payment, ask your bank to withdraw the dispute. \
             As soon as the money is with us again, you have the credits again.",
        ),
    };
    Content {
        subject,
        heading: "We took credits back".into(),
        paragraphs: [why].into_iter().chain(remedies(told)).collect(),
        action: None,
        facts: facts(notice, told, "Credits taken back"),
        closing: closing.into(),
    }
}

pub fn given_back(notice: &Notice, told: &ToldReversal) -> Content {
    let (amount, credits) = (told.amount, count(told.credits));
    let (subject, why, closing) = match told.because {
        ReturnReason::Refund => (
            format!("A refund of {amount} failed, and you have {credits} again"),
            format!(
                "The refund of {amount} did not reach you, and the money came back to us. \
                 So we gave you back the {credits} that we had taken for it."
            ),
            "If you still want the money instead of the credits, write to us.",
        ),
        ReturnReason::Dispute => (
            format!("The dispute of your payment is over, and you have {credits} again"),
            format!(
                "The dispute of your payment was decided, and your bank paid us {amount} again. \
                 So we gave you back the {credits} that we had taken for it."
            ),
            "If you have questions about the decision, ask your bank.",
        ),
    };
    Content {
        subject,
        heading: "We gave credits back".into(),
        paragraphs: [why].into_iter().chain(remedies(told)).collect(),
        action: None,
        facts: facts(notice, told, "Credits given back"),
        closing: closing.into(),
    }
}

/// What the customer can do about a balance below zero, and about paused top-ups.
fn remedies(told: &ToldReversal) -> Vec<String> {
    let balance = count(told.balance);
    let mut remedies = vec![];
    if told.balance.is_negative() {
        remedies.push(format!(
            "Your balance is {balance} now, which is below zero, because the credits had been used already. \
             Requests are refused until you buy credits on your billing page; {} bring the balance to zero.",
            count(told.balance.negated())
        ));
    }
    if told.is_paused {
        let Explanation { remedy, .. } = reversal_pause(told.because, told.balance);
        remedies.push(format!("Automatic top-ups are paused because of it. {remedy}"));
    }
    remedies
}

fn facts(notice: &Notice, told: &ToldReversal, moved: &'static str) -> Vec<Fact> {
    let paid_for = match &told.paid_for {
        PaidFor::Purchase(purchase) => fact("Purchase", purchase.to_string()),
        PaidFor::TopUp(top_up) => fact("Top-up", top_up.to_string()),
    };
    vec![
        account(notice),
        fact(moved, told.credits.grouped()),
        fact("Amount, with tax", told.amount.with_code()),
        fact("New balance", count(told.balance)),
        date(notice),
        paid_for,
    ]
}
