//! The proof of a payment: a chain from what was bought to the receipt, of which each link is compared with its neighbors.
//!
//! Everything is read again for a proof, at the payment provider and in the ledger, and nothing is changed.

use super::bought::Bought;
use super::payment::Payment;
use super::records::{PurchaseStatus, TopUpStatus};
use super::returned::{PaidFor, Returns};
use crate::domain::{Account, Credits, Entry, InvoiceId, Notice, NoticeKind, PaymentIntentId};
use jiff::Timestamp;

/// Everything that is known of a payment.
#[derive(Clone, Copy, Debug)]
pub struct Evidence<'a> {
    pub account: &'a Account,
    pub paid_for: &'a PaidFor,
    pub payment: Option<&'a PaymentIntentId>,
    pub invoice: Option<&'a InvoiceId>,
    /// The id of the page or the invoice that tells what became of it.
    pub told_by: Option<&'a str>,
    /// What that says was paid, if it was.
    pub paid: Option<&'a Payment>,
    pub amounts: Amounts,
    /// What the payment provider says went back of it.
    pub returns: Returns,
    /// What is stored of what it was made for.
    pub bought: Option<&'a Bought>,
    pub entry: Option<&'a Entry>,
    pub receipt: Option<&'a Notice>,
    /// All entries that took credits back for it, or gave them back again.
    pub reversals: &'a [Entry],
    pub now: Timestamp,
}

/// What the payment provider asked for and received, in the minor unit and with tax.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Amounts {
    pub asked: i64,
    pub received: i64,
    /// When it asked.
    pub created_at: Timestamp,
}

/// The chain of a payment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proof {
    pub links: Vec<ProofLink>,
    /// Whether it granted no credits, and owes none: nothing was paid, or all of it went back.
    pub owes_nothing: bool,
}

impl Proof {
    /// Whether every link holds. One that is not kept any more breaks nothing.
    pub fn holds(&self) -> bool {
        self.first_gap().is_none()
    }

    /// The first link that does not hold.
    pub fn first_gap(&self) -> Option<&ProofLink> {
        self.links.iter().find(|link| !matches!(link.status, LinkStatus::Holds | LinkStatus::NotKept))
    }
}

/// One link, and what it says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProofLink {
    pub name: LinkName,
    pub status: LinkStatus,
    pub at: Option<Timestamp>,
    pub facts: Vec<(&'static str, Fact)>,
    /// The names of what differs.
    pub differences: Vec<&'static str>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinkName {
    /// The purchase or the attempt, as it is stored.
    Bought,
    /// The page or the invoice of the payment provider.
    Asked,
    Payment,
    Entry,
    Receipt,
    /// What went back, and what was taken back for that.
    Returns,
}

impl LinkName {
    /// Its name in the API. The meaning of a name never changes.
    pub fn name(self) -> &'static str {
        match self {
            Self::Bought => "bought",
            Self::Asked => "asked",
            Self::Payment => "payment",
            Self::Entry => "entry",
            Self::Receipt => "receipt",
            Self::Returns => "returns",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinkStatus {
    Holds,
    Missing,
    Differs,
    /// It is so old that it is deleted.
    NotKept,
}

impl LinkStatus {
    /// Its name in the API. The meaning of a name never changes.
    pub fn name(self) -> &'static str {
        match self {
            Self::Holds => "holds",
            Self::Missing => "missing",
            Self::Differs => "differs",
            Self::NotKept => "not_kept",
        }
    }
}

/// What a link says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fact {
    Text(String),
    Number(i64),
    Time(Timestamp),
}

impl ProofLink {
    fn missing(name: LinkName) -> Self {
        Self { name, status: LinkStatus::Missing, at: None, facts: vec![], differences: vec![] }
    }

    fn found(name: LinkName, at: Option<Timestamp>, facts: Vec<(&'static str, Fact)>) -> Self {
        Self { name, status: LinkStatus::Holds, at, facts, differences: vec![] }
    }

    fn unless(mut self, differs: bool, what: &'static str) -> Self {
        if differs {
            self.status = LinkStatus::Differs;
            self.differences.push(what);
        }
        self
    }
}

/// Compares each link with what it has to follow from.
pub fn prove(evidence: &Evidence<'_>) -> Proof {
    Proof {
        links: vec![
            bought(evidence),
            asked(evidence),
            payment(evidence),
            entry(evidence),
            receipt(evidence),
            returns(evidence),
        ],
        owes_nothing: owes_nothing(evidence),
    }
}

fn owes_nothing(evidence: &Evidence<'_>) -> bool {
    let is_granted = match (evidence.bought, evidence.entry) {
        (Some(bought), Some(_)) => evidence.is_granted_for_this(bought),
        (None, Some(_)) => true,
        (_, None) => false,
    };
    let all_went_back = evidence.returns.paid > 0 && evidence.returns.returned() >= evidence.returns.paid;
    !is_granted && (evidence.paid.is_none() || all_went_back)
}

fn text(value: impl ToString) -> Fact {
    Fact::Text(value.to_string())
}

fn bought(evidence: &Evidence<'_>) -> ProofLink {
    let Some(bought) = evidence.bought else { return ProofLink::missing(LinkName::Bought) };
    let facts = vec![
        ("id", text(evidence.paid_for)),
        ("status", text(bought.status_name())),
        ("credits", Fact::Number(bought.credits().get())),
        ("price", Fact::Number(bought.price().minor())),
        ("currency", text(bought.currency())),
    ];
    ProofLink::found(LinkName::Bought, Some(bought.opened_at()), facts)
        .unless(!is_paid(bought), "status")
        .unless(!evidence.is_granted_for_this(bought), "payment")
}

fn is_paid(bought: &Bought) -> bool {
    match bought {
        Bought::Purchase(purchase) => purchase.status == PurchaseStatus::Paid,
        Bought::TopUp(top_up, _) => matches!(top_up.status, TopUpStatus::Paid | TopUpStatus::PartlyPaid),
    }
}

fn asked(evidence: &Evidence<'_>) -> ProofLink {
    let Some(id) = evidence.told_by else { return ProofLink::missing(LinkName::Asked) };
    let facts = vec![("id", text(id)), ("amount", Fact::Number(evidence.amounts.asked))];
    ProofLink::found(LinkName::Asked, Some(evidence.amounts.created_at), facts)
}

fn payment(evidence: &Evidence<'_>) -> ProofLink {
    let Some(paid) = evidence.paid else { return ProofLink::missing(LinkName::Payment) };
    let mut facts = vec![
        ("amount_before_tax", Fact::Number(paid.amount)),
        ("amount_received", Fact::Number(evidence.amounts.received)),
        ("currency", text(paid.currency.to_ascii_uppercase())),
        ("customer", text(&paid.customer)),
    ];
    facts.extend(evidence.payment.map(|payment| ("id", text(payment))));
    let price = evidence.bought.map(Bought::price);
    ProofLink::found(LinkName::Payment, None, facts)
        .unless(price.is_some_and(|price| price.minor() != paid.amount), "amount_before_tax")
        .unless(price.is_some_and(|price| !price.currency().is_named(&paid.currency)), "currency")
        .unless(paid.customer != evidence.account.customer, "customer")
}

fn entry(evidence: &Evidence<'_>) -> ProofLink {
    let (Some(bought), Some(entry)) = (evidence.bought, evidence.entry) else {
        return ProofLink::missing(LinkName::Entry);
    };
    if !evidence.is_granted_for_this(bought) {
        return ProofLink::missing(LinkName::Entry);
    }
    let mut facts = vec![
        ("id", text(entry.origin())),
        ("seq", Fact::Number(i64::try_from(entry.seq).unwrap_or(i64::MAX))),
        ("credits", Fact::Number(entry.credits.get())),
    ];
    facts.extend(entry.link.map(|link| ("hash", text(link.hash))));
    let expected = bought.granted();
    ProofLink::found(LinkName::Entry, Some(entry.created_at), facts)
        .unless(expected != Some(entry.credits), "credits")
        .unless(evidence.paid.is_none(), "payment")
}

fn receipt(evidence: &Evidence<'_>) -> ProofLink {
    let Some(notice) = evidence.receipt else {
        let granted_at = evidence.entry.map_or(evidence.now, |entry| entry.created_at);
        let is_old = evidence.now.duration_since(granted_at) >= Notice::KEPT_FOR;
        let is_kept = !is_old && evidence.account.closed_at.is_none();
        let status = if is_kept { LinkStatus::Missing } else { LinkStatus::NotKept };
        return ProofLink { status, ..ProofLink::missing(LinkName::Receipt) };
    };
    let mut facts = vec![("id", text(&notice.id)), ("owed_at", Fact::Time(notice.created_at))];
    facts.extend(notice.sent_at.map(|at| ("sent_at", Fact::Time(at))));
    facts.extend(notice.returned_at.map(|at| ("returned_at", Fact::Time(at))));
    let found = ProofLink::found(LinkName::Receipt, notice.sent_at, facts);
    if notice.sent_at.is_none() { ProofLink { status: LinkStatus::Missing, ..found } } else { found }
        .unless(credits_told(notice) != evidence.entry.map(|entry| entry.credits), "credits")
}

/// The credits that a receipt names.
fn credits_told(notice: &Notice) -> Option<Credits> {
    match &notice.kind {
        NoticeKind::PurchasePaid { credits, .. } | NoticeKind::TopUpPaid { credits, .. } => Some(*credits),
        _ => None,
    }
}

/// Whether a notice is the receipt for this purchase or attempt.
pub fn is_receipt_of(notice: &Notice, paid_for: &PaidFor) -> bool {
    credits_told(notice).is_some() && notice.kind.paid_for().as_ref() == Some(paid_for)
}

fn returns(evidence: &Evidence<'_>) -> ProofLink {
    let Returns { refunds, refunds_failed, withdrawn, reinstated, .. } = evidence.returns;
    let taken = evidence.reversals.iter().fold(0_i64, |sum, entry| sum.saturating_sub(entry.credits.get()));
    let facts = vec![
        ("refunded", Fact::Number(refunds)),
        ("refunds_failed", Fact::Number(refunds_failed)),
        ("disputes_withdrew", Fact::Number(withdrawn)),
        ("disputes_reinstated", Fact::Number(reinstated)),
        ("entries", Fact::Number(i64::try_from(evidence.reversals.len()).unwrap_or(i64::MAX))),
        ("credits_taken_back", Fact::Number(taken)),
    ];
    let at = evidence.reversals.last().map(|entry| entry.created_at);
    let link = ProofLink::found(LinkName::Returns, at, facts);
    let Some(bought) = evidence.bought.filter(|bought| evidence.is_granted_for_this(bought)) else { return link };
    let expected = bought.granted().map_or(0, |granted| evidence.returns.credits_of(granted).get());
    let count = usize::try_from(bought.reversed().entries).unwrap_or(usize::MAX);
    if evidence.reversals.len() < count {
        return ProofLink { status: LinkStatus::Missing, ..link };
    }
    link.unless(taken != expected, "credits_taken_back")
}

impl Evidence<'_> {
    /// Whether the credits were granted for this payment.
    fn is_granted_for_this(&self, bought: &Bought) -> bool {
        bought.is_of(self.invoice, self.payment)
    }
}

#[cfg(test)]
mod tests;
