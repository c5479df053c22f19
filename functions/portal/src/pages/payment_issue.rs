//! A pause of automatic top-ups: paying the open invoice, or going on without it.

use super::buy::leave_for;
use super::layout::{Done, Layout, Section, show};
use super::overview::CONFIRM;
use crate::keys::{form_key, key_for, new_key};
use crate::visitor::Visitor;
use crate::{App, Outside};
use askama::Template;
use jiff::SignedDuration;
use lambda_http::Request;
use shared::domain::payments::{PaymentIssue, PaymentIssueKind, RetryCommand, TopUpStatus};
use shared::domain::{IdempotencyKey, PaymentMethodId};
use shared::http::{Problem, Reply};
use shared::ports::TopUps;
use shared::use_cases::payments::{PauseEnding, RetryError, read_saved_cards, resume_top_ups, retry_top_up};
use shared::words::{self, Explanation};

/// How long the link to the invoice's page works.
const LINK_VALID: SignedDuration = SignedDuration::from_hours(1);

#[derive(Template)]
#[template(path = "pay.html")]
struct PayPage<'a> {
    layout: Layout<'a>,
    heading: &'static str,
    reason: String,
    remedy: &'static str,
    since: Option<String>,
    amount: Option<String>,
    /// The invoice's page, on which any card pays and a bank's question is answered.
    invoice_url: Option<String>,
    /// Those that can be charged here.
    cards: Vec<CardChoice>,
    can_retry: bool,
    can_resume: bool,
    key: String,
}

struct CardChoice {
    id: String,
    name: String,
    is_default: bool,
}

pub async fn get<O: Outside>(app: &App<O>, visitor: &Visitor) -> Result<Reply, Problem> {
    let account = &visitor.account;
    let layout = Layout::of(app, visitor, (Section::Elsewhere, "Automatic top-ups are paused"));
    let page = match (&account.payment_issue, &account.reversal_pause) {
        (Some(issue), _) => of_issue(app, visitor, (layout, issue)).await?,
        (None, Some(pause)) => {
            let Explanation { reason, remedy } = words::reversal_pause(pause.because, account.balance);
            PayPage {
                layout,
                heading: "Automatic top-ups are paused",
                reason: reason.to_owned(),
                remedy,
                since: None,
                amount: None,
                invoice_url: None,
                cards: vec![],
                can_retry: false,
                can_resume: true,
                key: new_key(app),
            }
        }
        (None, None) => return Reply::see_other("/portal/auto_top_up"),
    };
    show(200, &page)
}

async fn of_issue<'a, O: Outside>(
    app: &'a App<O>,
    visitor: &'a Visitor,
    (layout, issue): (Layout<'a>, &PaymentIssue),
) -> Result<PayPage<'a>, Problem> {
    let (account, context) = (&visitor.account, &app.context);
    let attempt = context.ledger.top_up_get(&account.id, &issue.top_up).await?;
    let Explanation { reason, remedy } = words::payment_issue(issue.kind);
    let is_payable = !matches!(issue.kind, PaymentIssueKind::Refused(_));
    // Without the list, the invoice's page still takes any card.
    let cards = match read_saved_cards(context, &account.id).await {
        Ok(cards) if is_payable => cards
            .distinct()
            .into_iter()
            .map(|card| CardChoice {
                id: card.id.to_string(),
                name: words::card_name(card),
                is_default: cards.is_default(card),
            })
            .collect(),
        Ok(_) | Err(_) => vec![],
    };
    let until = context.now().saturating_add(LINK_VALID).unwrap_or(jiff::Timestamp::MAX);
    Ok(PayPage {
        layout,
        heading: if issue.kind == PaymentIssueKind::ActionRequired {
            "Your bank asks you to confirm a payment"
        } else {
            "A payment did not go through"
        },
        reason: reason.to_owned(),
        remedy: if issue.kind == PaymentIssueKind::ActionRequired { CONFIRM } else { remedy },
        since: Some(words::date_and_time(issue.since)),
        amount: attempt.map(|attempt| format!("{} plus tax", attempt.price)),
        invoice_url: is_payable.then(|| format!("/pay/{}", app.links.sign(&account.id, &issue.top_up, until))),
        can_retry: is_payable && !cards.is_empty(),
        cards,
        can_resume: true,
        key: new_key(app),
    })
}

#[derive(Template)]
#[template(path = "asking.html")]
struct AskingPage<'a> {
    layout: Layout<'a>,
    key: &'a IdempotencyKey,
    card: Option<&'a PaymentMethodId>,
}

/// Charges the open invoice now. The same form charges once, however often it is sent. While the outcome is not known, the
/// page that follows has the same form once more.
pub async fn retry<O: Outside>(app: &App<O>, request: &Request, visitor: &Visitor) -> Result<Reply, Problem> {
    let (sent, card) = visitor.form(request, |fields| {
        let card = fields.optional("card", "a saved card", |id| PaymentMethodId::parse(id).ok());
        (form_key(fields), card)
    })?;
    let sent = sent.ok_or_else(Problem::foreign_form)?;
    // Two cards of one page are two payments.
    let key = key_for(&sent, &[card.as_ref().map_or("default", PaymentMethodId::as_str)])?;
    let command = RetryCommand { key, card };
    let retried = match retry_top_up(&app.context, &visitor.account.id, &command).await {
        Err(RetryError::Unknown) => {
            let layout = Layout::of(app, visitor, (Section::Elsewhere, "Your bank is being asked"));
            return show(200, &AskingPage { layout, key: &sent, card: command.card.as_ref() });
        }
        retried => retried?,
    };
    match (retried.retry.status, retried.hosted_url) {
        (TopUpStatus::Paid | TopUpStatus::PartlyPaid, _) => Done::Paid.then("/portal/overview"),
        // The bank's question is answered on the invoice's page.
        (TopUpStatus::ActionRequired, Some(url)) => leave_for(app, visitor, &url),
        _ => Reply::see_other("/portal/pay"),
    }
}

/// Voids the open invoice and arms automatic top-ups again.
pub async fn resume<O: Outside>(app: &App<O>, request: &Request, visitor: &Visitor) -> Result<Reply, Problem> {
    visitor.form(request, |_| ())?;
    match resume_top_ups(&app.context, &visitor.account.id).await?.ending {
        PauseEnding::Paid => Done::Paid.then("/portal/overview"),
        PauseEnding::Resumed => Done::Resumed.then("/portal/overview"),
        PauseEnding::NotPaused => Reply::see_other("/portal/overview"),
    }
}
