//! Closing an account and erasing what is personal in it.
//!
//! The account is closed first, so nothing personal is added any more. Its items are then looked at one after the other,
//! a page in each change, and the last change replaces the salt: without the old one, nobody can find an erased text by
//! trying all that are likely. Credits, prices, hashes and the numbers of invoices stay as they are.

use super::{ActKind, Acting, Erasure, ItemKey};
use crate::domain::charging::{PendingCharge, RefusalPlace};
use crate::domain::payments::{Consent, ConsentRecord, PaymentIssueKind, TurnedOff};
use crate::domain::spending::Limits;
use crate::domain::usage::UsageRow;
use crate::domain::{
    Account, Chain, Change, Credits, Entry, NoticeId, OutboundEventId, Purchase, PurchaseId, PurchaseStatus, Record,
    Salt, Spender, TopUpId,
};
use jiff::{SignedDuration, Timestamp};

/// A purchase that was opened longer ago is not being paid any more: a payment page is open for a day, and a bank debit
/// takes at most two weeks.
pub const PAYMENT_OPEN_MAX: SignedDuration = SignedDuration::from_hours(90 * 24);

/// Why an account is not closed yet, in order of precedence.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EraseRefusal {
    #[error("charges that hold {credits} credits are pending")]
    ChargesPending { credits: Credits },
    /// It is being paid.
    #[error("the top-up {0} is under way")]
    TopUpOpen(TopUpId),
    /// Paying or voiding its invoice ends the pause.
    #[error("the invoice of the top-up {0} can still be paid")]
    Paused(TopUpId),
    #[error("the purchase {0} can still be paid")]
    PurchaseOpen(PurchaseId),
}

/// An item that may hold something personal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PersonalItem {
    Entry(Entry),
    PendingCharge(PendingCharge),
    Purchase(Purchase),
    Consent(ConsentRecord),
    /// When spending was stopped or allowed again.
    SpendingChange(Timestamp),
    SpenderLimits(Spender),
    Refusal(RefusalPlace),
    Notice(NoticeId),
    OutboundEvent(OutboundEventId),
    Contacts,
    AskedCard,
    /// Erased by a fold, which is how usage is written.
    UsageRow(Box<UsageRow>),
}

/// Items of an account that follow one another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ErasurePage {
    pub items: Vec<PersonalItem>,
    /// The last item of the page, even if it holds nothing personal. `None` if no page follows.
    pub next: Option<ItemKey>,
}

impl PersonalItem {
    /// What is written in its place. `None` if there is nothing to erase.
    fn erased(&self, salt: &Salt) -> Option<Record> {
        match self {
            Self::Entry(entry) => {
                let erased = entry.erased(salt);
                (erased != *entry).then_some(Record::ErasedEntry(erased))
            }
            Self::PendingCharge(pending) => pending
                .spender
                .is_some()
                .then(|| Record::PendingCharge(PendingCharge { spender: None, ..pending.clone() })),
            Self::Purchase(purchase) => {
                let mut erased = Purchase { checkout: None, default_card: None, ..purchase.clone() };
                if let Some(by_invoice) = &mut erased.by_invoice {
                    by_invoice.terms.po_number = None;
                }
                (erased != *purchase).then_some(Record::Purchase(erased))
            }
            Self::Consent(record) => {
                let consent = Consent { accepted_by: None, ..record.consent.clone() };
                let turned_off = record.turned_off.clone().map(|turned_off| TurnedOff { by: None, ..turned_off });
                let erased = ConsentRecord { consent, turned_off, ..record.clone() };
                (erased != *record).then_some(Record::Consent(erased))
            }
            Self::SpendingChange(changed_at) => Some(Record::SpendingForgotten(*changed_at)),
            Self::SpenderLimits(spender) => Some(Record::SpenderUnlimited(spender.clone())),
            Self::Refusal(place) => Some(Record::RefusalForgotten(*place)),
            Self::Notice(notice) => Some(Record::NoticeForgotten(notice.clone())),
            Self::OutboundEvent(event) => Some(Record::EventForgotten(event.clone())),
            Self::Contacts => Some(Record::ContactsForgotten),
            Self::AskedCard => Some(Record::AskedCardForgotten),
            Self::UsageRow(_) => None,
        }
    }
}

/// Whether a purchase can still be paid. One without a page cannot: the page of a closed account is not shown any more.
pub fn is_open_purchase(purchase: &Purchase) -> bool {
    match purchase.status {
        PurchaseStatus::Open => purchase.checkout.is_some() || purchase.by_invoice.is_some(),
        PurchaseStatus::Processing => true,
        PurchaseStatus::Paid
        | PurchaseStatus::Failed
        | PurchaseStatus::Expired
        | PurchaseStatus::Voided
        | PurchaseStatus::InReview => false,
    }
}

/// Closes the account and erases what is personal in it itself. `None` if it is closed: the first act stays.
///
/// # Errors
/// [`EraseRefusal`] while a charge or a payment is under way.
pub fn decide_close(
    account: &Account,
    open_purchase: Option<&PurchaseId>,
    acting: Acting,
    now: Timestamp,
) -> Result<Option<Change>, EraseRefusal> {
    if account.closed_at.is_some() {
        return Ok(None);
    }
    if account.pending != Credits::ZERO {
        return Err(EraseRefusal::ChargesPending { credits: account.pending });
    }
    if let Some(top_up) = &account.open_top_up {
        return Err(EraseRefusal::TopUpOpen(top_up.clone()));
    }
    let payable = account.payment_issue.as_ref().filter(|issue| !matches!(issue.kind, PaymentIssueKind::Refused(_)));
    if let Some(issue) = payable {
        return Err(EraseRefusal::Paused(issue.top_up.clone()));
    }
    if let Some(purchase) = open_purchase {
        return Err(EraseRefusal::PurchaseOpen(purchase.clone()));
    }
    let mut change = Change::on(account, now);
    let closed = &mut change.account;
    closed.closed_at = Some(now);
    closed.email = None;
    closed.auto_top_up = None;
    closed.payment_method = None;
    closed.payment_issue = None;
    closed.reversal_pause = None;
    closed.restriction = None;
    closed.spending = None;
    closed.set_limits(Limits::default(), now);
    closed.limited_spenders = 0;
    change.records.push(acting.record(ActKind::Erased, now));
    change.records.push(Record::Erasure(Erasure::starting(now)));
    // With it goes an e-mail that is due.
    change.records.push(Record::AskedCardForgotten);
    Ok(Some(change))
}

/// Erases a page of items of a closed account, and stores how far it is. The last page also replaces the salt. `None` if
/// there is nothing to write: the page that follows is looked at first, unless `is_stored` asks for the progress.
///
/// Every text that enters a hash is looked at before the salt is replaced, because a closed account gets no more of them.
pub fn decide_erase(
    account: &Account,
    erasure: &Erasure,
    (page, is_stored): (&ErasurePage, bool),
    salt: Salt,
    now: Timestamp,
) -> Option<Change> {
    if account.closed_at.is_none() || erasure.completed_at.is_some() {
        return None;
    }
    let old = account.chain.map_or(salt, |chain| chain.salt);
    let mut change = Change::on(account, now);
    change.records.extend(page.items.iter().filter_map(|item| item.erased(&old)));
    let is_complete = page.next.is_none();
    if change.records.is_empty() && !is_complete && !is_stored {
        return None;
    }
    if is_complete {
        change.account.chain = Some(Chain { salt, head: account.chain.and_then(|chain| chain.head) });
    }
    let items = u64::try_from(change.records.len()).unwrap_or(u64::MAX);
    change.records.push(Record::Erasure(Erasure {
        after: page.next.clone().or(erasure.after.clone()),
        items: erasure.items.saturating_add(items),
        completed_at: is_complete.then_some(now),
        ..erasure.clone()
    }));
    Some(change)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Actor;
    use crate::domain::charging::{decide_capture, decide_charge};
    use crate::domain::payments::OffReason;
    use crate::domain::payments::PaymentIssue;
    use crate::domain::payments::{DeclineReason, RefusalReason};
    use crate::domain::samples::*;
    use crate::domain::support::Act;
    use crate::domain::{Cause, PriceBook, Reference, Restriction, RestrictionReason};

    fn close(account: &Account, open_purchase: Option<&PurchaseId>) -> Result<Option<Change>, EraseRefusal> {
        decide_close(account, open_purchase, acting(), at(9))
    }

    fn closed() -> Account {
        close(&account(), None).unwrap().unwrap().account
    }

    fn started() -> Erasure {
        close(&account(), None).unwrap().unwrap().erasure().unwrap().clone()
    }

    fn issue(kind: PaymentIssueKind) -> PaymentIssue {
        PaymentIssue { kind, top_up: TopUpId::mint(7), since: at(3) }
    }

    /// In order of precedence: pending charges, a top-up, a purchase.
    #[test]
    fn an_account_is_closed_only_while_nothing_is_under_way() {
        let purchase = PurchaseId::mint(5);
        let pending = |account: Account| Account { pending: Credits::constant(30), ..account };
        let open = |account: Account| Account { open_top_up: Some(TopUpId::mint(6)), ..account };
        let paused = |kind| Account { payment_issue: Some(issue(kind)), ..account() };
        let declined = PaymentIssueKind::Declined(DeclineReason::Generic);
        let is_pending = Err(EraseRefusal::ChargesPending { credits: Credits::constant(30) });
        let (is_open, is_paused) =
            (Err(EraseRefusal::TopUpOpen(TopUpId::mint(6))), Err(EraseRefusal::Paused(TopUpId::mint(7))));
        for (name, account, payable, expected) in [
            ("everything", pending(open(paused(declined))), Some(&purchase), is_pending.clone()),
            ("pending", pending(account()), None, is_pending),
            ("an open top-up", open(paused(declined)), Some(&purchase), is_open),
            ("declined", paused(declined), Some(&purchase), is_paused.clone()),
            ("3D Secure", paused(PaymentIssueKind::ActionRequired), None, is_paused),
            ("a purchase", account(), Some(&purchase), Err(EraseRefusal::PurchaseOpen(purchase.clone()))),
            ("refused for good", paused(PaymentIssueKind::Refused(RefusalReason::CustomerDeleted)), None, Ok(())),
            ("nothing", account(), None, Ok(())),
        ] {
            assert_eq!(close(&account, payable).map(drop), expected, "{name}");
        }
    }

    #[test]
    fn a_purchase_can_be_paid_while_its_page_or_its_debit_is_open() {
        let package = &PriceBook::reference().packages[0];
        let opened = crate::domain::payments::decide_open_purchase;
        let pay_by = crate::domain::payments::PayBy::Page;
        let opened = opened(&account(), (package, &pay_by), key("buy-1"), PurchaseId::mint(1), at(0));
        let without_page = opened.unwrap().1;
        assert!(!is_open_purchase(&without_page), "nobody is shown a page");
        let with = |status| Purchase { status, ..without_page.clone() };
        assert!(is_open_purchase(&with(PurchaseStatus::Processing)));
        for status in [PurchaseStatus::Paid, PurchaseStatus::Failed, PurchaseStatus::Expired, PurchaseStatus::InReview]
        {
            assert!(!is_open_purchase(&with(status)), "{status:?}");
        }
    }

    #[test]
    fn a_closed_account_keeps_its_numbers_and_nothing_of_the_person() {
        let reason = RestrictionReason::parse("review").unwrap();
        let full = Account {
            balance: Credits::constant(70),
            auto_top_up: Some(settings(500, 5_000)),
            payment_method: payment().payment_method,
            restriction: Some(Restriction { reason, until: at(100) }),
            spending: Some(stopped_at(1)),
            limits: limits([Some((9, 0)), None, None]),
            limits_date: Some("2026-01-01".parse().unwrap()),
            limited_spenders: 2,
            last_top_up_at: Some(at(2)),
            ..account()
        };
        let change = close(&full, None).unwrap().unwrap();
        let expected = Account {
            balance: Credits::constant(70),
            closed_at: Some(at(9)),
            email: None,
            last_top_up_at: Some(at(2)),
            version: full.version + 1,
            ..account()
        };
        assert_eq!(change.account, expected);
        let Record::Act(Act { kind, operator, .. }) = &change.records[0] else { panic!("{:?}", change.records) };
        assert_eq!((kind, operator), (&ActKind::Erased, &acting().operator));
        assert_eq!(change.account.check_not_closed().unwrap_err().closed_at, at(9));
        assert_eq!(close(&change.account, Some(&PurchaseId::mint(1))), Ok(None), "the first act stays");
    }

    /// An entry with a reference, and its account.
    fn charged() -> (Entry, Account) {
        let mut command = charge_command("job-1", "training", 1);
        command.request.reference = Reference::parse("episode-12").ok();
        let rich = Account { balance: Credits::constant(100), ..account() };
        let change = decide_charge(&rich, &PriceBook::reference(), &command, at(5)).unwrap();
        (only_entry(&change), Account { closed_at: Some(at(9)), email: None, ..change.account })
    }

    fn page(items: Vec<PersonalItem>, next: Option<&str>) -> ErasurePage {
        ErasurePage { items, next: next.map(ItemKey::new) }
    }

    #[test]
    fn the_last_page_replaces_the_salt_and_no_page_before_it_does() {
        let (entry, account) = charged();
        let old = account.chain.unwrap();
        let items = vec![PersonalItem::Entry(entry.clone()), PersonalItem::Notice(NoticeId::mint(1))];
        let first = page(items, Some("ENTRY#charge:job-1"));
        let change = decide_erase(&account, &started(), (&first, false), Salt::of(99), at(10)).unwrap();
        assert_eq!(change.account.chain, Some(old));
        let erasure = Erasure { after: first.next, items: 2, ..started() };
        let erased = entry.erased(&old.salt);
        let expected = [
            Record::ErasedEntry(erased.clone()),
            Record::NoticeForgotten(NoticeId::mint(1)),
            Record::Erasure(erasure.clone()),
        ];
        assert_eq!(change.records, expected);
        assert_eq!(erased.hash_after(None, &account.id, &Salt::of(1)), entry.link.unwrap().hash, "for any salt");

        let last = page(vec![PersonalItem::Entry(erased)], None);
        let change = decide_erase(&change.account, &erasure, (&last, false), Salt::of(99), at(11)).unwrap();
        assert_eq!(change.account.chain, Some(Chain { salt: Salt::of(99), head: old.head }));
        let done = Erasure { completed_at: Some(at(11)), ..erasure };
        assert_eq!(change.records, [Record::Erasure(done.clone())]);
        assert_eq!(decide_erase(&change.account, &done, (&last, true), Salt::of(98), at(12)), None);
    }

    #[test]
    fn a_page_with_nothing_personal_is_written_only_to_store_the_progress() {
        let (entry, account) = charged();
        let bare = page(vec![PersonalItem::Entry(entry.erased(&account.chain.unwrap().salt))], Some("x"));
        let decide = |is_stored| decide_erase(&account, &started(), (&bare, is_stored), Salt::of(99), at(10));
        assert_eq!(decide(false), None);
        assert_eq!(decide(true).unwrap().erasure().unwrap().after, Some(ItemKey::new("x")));
        let open = Account { closed_at: None, ..account.clone() };
        assert_eq!(decide_erase(&open, &started(), (&bare, true), Salt::of(99), at(10)), None);
    }

    #[test]
    fn what_is_personal_is_erased_from_each_kind_of_item_and_once() {
        let mut command = charge_command("job-1", "training", 1);
        command.request.spender = Spender::parse("key-1").ok();
        command.request.expires_in = crate::domain::charging::ExpiresIn::new(60).ok();
        let rich = Account { balance: Credits::constant(100), ..account() };
        let charged = decide_charge(&rich, &PriceBook::reference(), &command, at(5)).unwrap();
        let pending = charged.pending_charge().unwrap();
        let ended = decide_capture(&charged.account, pending, None, at(6)).unwrap().unwrap();
        let ended = ended.pending_charge().unwrap().clone();
        let text = ConsentRecord {
            consent: settings(500, 1_500).consent,
            threshold: Credits::constant(500),
            target: Credits::constant(1_500),
            max_per_month: None,
            text: "I agree.".to_owned(),
            turned_off: Some(TurnedOff { at: at(9), because: OffReason::Requested, by: Actor::parse("ada").ok() }),
        };
        let salt = Salt::of(7);
        let nameless = PendingCharge { spender: None, ..ended.clone() };
        assert_eq!(PersonalItem::PendingCharge(ended).erased(&salt), Some(Record::PendingCharge(nameless.clone())));
        assert_eq!(PersonalItem::PendingCharge(nameless).erased(&salt), None);
        let Some(Record::Consent(erased)) = PersonalItem::Consent(text).erased(&salt) else { panic!() };
        assert_eq!((erased.consent.accepted_by.clone(), erased.text.as_str()), (None, "I agree."));
        let turned_off = Some(TurnedOff { at: at(9), because: OffReason::Requested, by: None });
        assert_eq!(erased.turned_off, turned_off, "that they are off stays");
        assert_eq!(PersonalItem::Consent(erased).erased(&salt), None);
        let spender = Spender::parse("key-1").unwrap();
        assert_eq!(PersonalItem::SpenderLimits(spender.clone()).erased(&salt), Some(Record::SpenderUnlimited(spender)));
        let entry = only_entry(&charged);
        let Some(Record::ErasedEntry(erased)) = PersonalItem::Entry(entry).erased(&salt) else { panic!() };
        let Cause::Charge { spender: None, .. } = &erased.cause else { panic!("{erased:?}") };
        assert_eq!(PersonalItem::Entry(erased).erased(&salt), None);
    }

    #[test]
    fn a_closed_account_is_given_no_card() {
        let card = payment().payment_method;
        assert!(crate::domain::account::decide_payment_method(&account(), card.clone(), at(10)).is_some());
        assert_eq!(crate::domain::account::decide_payment_method(&closed(), card, at(10)), None);
    }
}
