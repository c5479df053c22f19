//! An in-memory Stripe with the parts that the port needs: customers, cards, payment pages, invoices and events.
//!
//! Each function is one request that Stripe executes atomically; [`crate::outside`] decides which requests get lost.

use crate::bugs::has_bug;
use crate::invoices::{Bill, BillStatus};
use crate::reconciliation::ListConduct;
use crate::refunds::OrderedRefund;
use crate::remembered::{Expected, is_saved_on_page};
use crate::returns::MoneyBack;
use crate::told::{Conclusion, Told};
use jiff::{SignedDuration, Timestamp};
use shared::domain::payments::{
    BoughtWith, Checkout, CheckoutOutcome, DeclineReason, DefaultCard, Demand, Expiry, NewInvoice, OfferedCard,
    PaidInvoice, Payment, Received, RefusalReason, SavedCard, SavedCards, SetUpCard, TopUpOutcome,
};
use shared::domain::{
    AccountId, Amount, CheckoutSessionId, Currency, CustomerId, EventId, IdempotencyKey, InvoiceId, PaymentIntentId,
    PaymentMethodId, Purchase, PurchaseId, TopUp, TopUpId,
};
use shared::ports::{CheckoutReport, InvoiceReport};
use shared::use_cases::payments::Subject;
use std::collections::{BTreeMap, BTreeSet};

/// After this time Stripe may delete a key, and this one does: <https://docs.stripe.com/api/idempotent_requests>.
const KEY_KEPT: SignedDuration = SignedDuration::from_hours(24);
/// A payment page expires after this time: <https://docs.stripe.com/api/checkout/sessions/object>.
const SESSION_OPEN: SignedDuration = SignedDuration::from_hours(24);

/// How long a bank takes for a debit.
pub const DEBIT_TAKES: SignedDuration = SignedDuration::from_hours(30);
/// In cents: Stripe does not charge less than this.
const CHARGE_MIN: i64 = 50;

/// How a card currently responds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mood {
    #[default]
    Pays,
    Declines,
    AsksForConfirmation,
    /// A bank account, whose debit takes days.
    TakesDays,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InvoiceStatus {
    Draft,
    Open,
    Paid,
    Void,
}

/// The bank's last answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BankAnswer {
    Declined,
    ActionRequired,
    /// The answer takes several days.
    Processing,
}

#[derive(Clone, Debug)]
pub struct Invoice {
    pub id: InvoiceId,
    pub account: AccountId,
    pub top_up: TopUpId,
    pub customer: CustomerId,
    pub amount: Amount,
    pub status: InvoiceStatus,
    pub last_answer: Option<BankAnswer>,
    /// In cents, paid by cards.
    pub amount_paid: i64,
    /// In cents, from credit notes before the payment.
    pub credited: i64,
    /// The customer's balance before and after finalizing, in cents; a negative balance is a credit.
    pub starting_balance: i64,
    pub ending_balance: i64,
    /// The customer's default card when the invoice was created, as in the answer to its creation.
    pub default_card: Option<PaymentMethodId>,
    paid_with: Option<PaymentMethodId>,
    /// When the bank refused, or started a debit, without the customer being present.
    pub refused_at: Option<Timestamp>,
    /// The number of off-session payments that the bank was asked for.
    pub off_session_asks: u32,
    /// In cents.
    pub discount: i64,
    pub tax: i64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SessionStatus {
    Open,
    /// A bank debit is under way.
    Processing,
    Failed,
    Paid,
    Expired,
}

#[derive(Clone, Debug)]
pub struct Session {
    pub id: CheckoutSessionId,
    pub account: AccountId,
    pub purchase: PurchaseId,
    pub customer: CustomerId,
    pub amount: Amount,
    pub status: SessionStatus,
    opened_at: Timestamp,
    paid_with: Option<PaymentMethodId>,
    /// The currency of the payment.
    pub currency: &'static str,
    /// Whether no row knows its purchase, because the table was restored to an earlier time, say.
    pub is_stranger: bool,
    pub is_of_other_deployment: bool,
}

/// A page on which a card is saved.
#[derive(Clone, Debug)]
struct SavingPage {
    id: CheckoutSessionId,
    account: AccountId,
    customer: CustomerId,
    default_at_opening: Option<PaymentMethodId>,
    saved: Option<PaymentMethodId>,
}

/// A default card that the customer chose.
#[derive(Clone, Debug)]
pub struct Choice {
    pub card: PaymentMethodId,
    pub at: Timestamp,
    /// Whether it had been the default before.
    pub is_return: bool,
}

/// An event that Stripe sends to a webhook.
#[derive(Clone, Debug)]
pub struct Event {
    pub id: EventId,
    pub created_at: Timestamp,
    pub subject: Subject,
    /// Whether a delivery was answered with success.
    pub is_delivered: bool,
}

/// An answer stored under its idempotency key.
struct Kept<T> {
    at: Timestamp,
    answer: T,
}

/// A 500 from Stripe, which it also stores under the key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Failed;

/// The customer was deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CustomerDeleted;

/// How Stripe fails at the next creation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    BeforeEffect,
    AfterEffect,
}

/// The requests that create something, with their answers by key: one of our ids, and the number of unusable keys
/// derived from it before.
struct Keys<I, T>(BTreeMap<(I, u32), Kept<Result<T, Failed>>>);

impl<I, T> Default for Keys<I, T> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<I: Clone + Ord, T: Clone> Keys<I, T> {
    fn kept(&self, id: &I, used: u32, now: Timestamp) -> Option<Result<T, Failed>> {
        let kept = self.0.get(&(id.clone(), used)).filter(|kept| is_kept(kept.at, now))?;
        Some(kept.answer.clone())
    }

    fn keep(&mut self, id: &I, used: u32, now: Timestamp, answer: Result<T, Failed>) -> Result<T, Failed> {
        self.0.insert((id.clone(), used), Kept { at: now, answer: answer.clone() });
        answer
    }
}

/// The state of Stripe.
#[derive(Default)]
pub struct Stripe {
    counter: u64,
    /// The time, for the events.
    pub now: Timestamp,
    /// Whether no event is sent anywhere.
    pub are_webhooks_off: bool,
    pub list: ListConduct,
    /// The pages that Stripe cannot show at the moment.
    pub broken_pages: BTreeSet<CheckoutSessionId>,
    /// What happens to the next creation.
    pub next_failure: Option<Failure>,
    /// How many times a deployment changed a parameter of the requests for pages.
    pub deployments: u32,
    /// Each with the account that it was created for.
    customers: Vec<(CustomerId, AccountId)>,
    customer_keys: Keys<AccountId, CustomerId>,
    pub default_cards: BTreeMap<CustomerId, PaymentMethodId>,
    /// What the customer's metadata says about the purchase whose card became the default.
    bought_with: BTreeMap<CustomerId, BoughtWith>,
    /// Every card that has ever been a default.
    defaults_ever: BTreeSet<(CustomerId, PaymentMethodId)>,
    /// The last choice of each customer.
    choices: BTreeMap<CustomerId, Choice>,
    /// What each customer has saved, newest first.
    saved: BTreeMap<CustomerId, Vec<PaymentMethodId>>,
    /// How often each customer entered each number.
    entered: BTreeMap<(CustomerId, u32), u32>,
    /// The numbers that a customer removed and was told so.
    forbidden: BTreeSet<(CustomerId, u32)>,
    /// How often its number had been entered when the removal of a card was asked for first.
    entered_before_removal: BTreeMap<PaymentMethodId, u32>,
    /// The customers who removed a card.
    removers: BTreeSet<CustomerId>,
    /// Those who removed the last one on a page of Stripe's.
    pub without_cards: BTreeSet<CustomerId>,
    saving_pages: Vec<SavingPage>,
    /// What the customer's metadata says about the page whose card became the default.
    card_sessions: BTreeMap<CustomerId, CheckoutSessionId>,
    choices_made: BTreeMap<CustomerId, u32>,
    pub expected: Expected,
    moods: BTreeMap<PaymentMethodId, Mood>,
    /// The customers whose payments are refused, and why.
    refused: BTreeMap<CustomerId, RefusalReason>,
    /// In cents, negative if Stripe owes the customer.
    balances: BTreeMap<CustomerId, i64>,
    /// The invoices of purchases.
    pub bills: Vec<Bill>,
    bill_keys: Keys<PurchaseId, InvoiceId>,
    pub invoices: Vec<Invoice>,
    invoice_keys: Keys<TopUpId, InvoiceId>,
    pay_keys: BTreeMap<TopUpId, Kept<Option<BankAnswer>>>,
    retry_keys: BTreeMap<(TopUpId, IdempotencyKey), Kept<Option<BankAnswer>>>,
    /// How often the bank was asked for each of the customers' own requests.
    pub retry_asks: BTreeMap<(TopUpId, IdempotencyKey), u32>,
    expired_cards: BTreeSet<PaymentMethodId>,
    /// The customers with whose cards an event was about the card.
    reissued: BTreeMap<PaymentMethodId, CustomerId>,
    /// The last month of each customer's card, as far as it matters.
    expiries: BTreeMap<(CustomerId, PaymentMethodId), Expiry>,
    pub sessions: Vec<Session>,
    /// Each with the deployment whose parameters the page was requested with.
    session_keys: Keys<PurchaseId, (Checkout, u32)>,
    pub money_back: MoneyBack,
    /// The refunds that support asked for.
    pub ordered_refunds: Vec<OrderedRefund>,
    /// Which customers asked for their payments, and when.
    pub questions: Vec<(CustomerId, Timestamp)>,
    pub events: Vec<Event>,
    pub told: Told,
}

/// The result of charging a card, and whether the bank was asked just now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AskedNow {
    pub answer: Asked,
    pub is_fresh: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    Paid,
    Refused(BankAnswer),
    /// The card is not saved any more, so nobody is asked.
    Removed,
    /// The invoice cannot be paid: it is already paid, void or deleted.
    NotTaken,
}

impl Stripe {
    pub fn number(&mut self) -> u64 {
        self.counter += 1;
        self.counter
    }

    pub fn tell(&mut self, subject: Subject) {
        let id = EventId::parse(format!("evt_{}", self.number())).expect("evt_ and digits are a valid id");
        self.events.push(Event { id, created_at: self.now, subject, is_delivered: false });
    }

    pub fn mood(&self, card: &PaymentMethodId) -> Mood {
        self.moods.get(card).copied().unwrap_or_default()
    }

    pub fn set_mood(&mut self, card: &PaymentMethodId, mood: Mood) {
        self.moods.insert(card.clone(), mood);
    }

    /// An account has only one address here, so its id alone is the key.
    pub fn customer_create(&mut self, account: &AccountId, used: u32, now: Timestamp) -> Result<CustomerId, Failed> {
        if let Some(kept) = self.customer_keys.kept(account, used, now) {
            return kept;
        }
        let failure = self.next_failure.take();
        if failure == Some(Failure::BeforeEffect) {
            return self.customer_keys.keep(account, used, now, Err(Failed));
        }
        let id = CustomerId::parse(format!("cus_{}", self.number())).expect("cus_ and digits are a valid id");
        self.customers.push((id.clone(), account.clone()));
        self.customer_keys.keep(account, used, now, failure.map_or(Ok(id), |_| Err(Failed)))
    }

    /// The customers created for an account, oldest first.
    pub fn customers_of(&self, account: &AccountId) -> impl Iterator<Item = &CustomerId> {
        let of_account = self.customers.iter().filter(move |(_, of)| of == account);
        of_account.map(|(customer, _)| customer)
    }

    /// From now on, refuses all payments of the customer, or accepts them again. A deleted customer stays deleted.
    pub fn refuse(&mut self, customer: CustomerId, reason: Option<RefusalReason>) {
        match reason {
            _ if self.is_deleted(&customer) => {}
            Some(reason) => drop(self.refused.insert(customer, reason)),
            None => drop(self.refused.remove(&customer)),
        }
    }

    pub fn refusal_of(&self, customer: &CustomerId) -> Option<RefusalReason> {
        self.refused.get(customer).copied()
    }

    pub fn is_refused(&self, customer: &CustomerId) -> bool {
        self.refused.contains_key(customer)
    }

    pub fn is_deleted(&self, customer: &CustomerId) -> bool {
        self.refused.get(customer) == Some(&RefusalReason::CustomerDeleted)
    }

    /// # Errors
    /// Stripe's answer about a deleted customer.
    pub fn default_card(&self, customer: &CustomerId) -> Result<Option<PaymentMethodId>, CustomerDeleted> {
        if self.is_deleted(customer) {
            return Err(CustomerDeleted);
        }
        Ok(self.default_cards.get(customer).cloned())
    }

    /// Whether the customer pays by default with a card that has not expired.
    pub fn has_valid_card(&self, customer: &CustomerId) -> bool {
        self.default_cards.get(customer).is_some_and(|card| !self.expired_cards.contains(card))
    }

    /// The card expires, or its bank prolongs it.
    pub fn set_expired(&mut self, card: &PaymentMethodId, is_expired: bool) {
        if is_expired {
            self.expired_cards.insert(card.clone());
        } else {
            self.expired_cards.remove(card);
        }
        let owners: Vec<_> = self.default_cards.iter().filter(|(_, default)| *default == card).collect();
        let owners: Vec<_> = owners.into_iter().map(|(owner, _)| owner.clone()).collect();
        for owner in owners {
            self.tell(Subject::Customer(owner));
        }
    }

    fn set_default_card(&mut self, customer: &CustomerId, card: &PaymentMethodId) {
        if !self.saved.get(customer).is_some_and(|saved| saved.contains(card)) {
            self.enter(customer, card);
        }
        *self.choices_made.entry(customer.clone()).or_default() += 1;
        if self.expected.get(customer).is_some_and(|(expected, _)| expected != card) {
            self.expected.remove(customer);
        }
        if self.default_cards.insert(customer.clone(), card.clone()).as_ref() != Some(card) {
            self.tell(Subject::Customer(customer.clone()));
        }
        self.defaults_ever.insert((customer.clone(), card.clone()));
    }

    // ── Saved cards ──────────────────────────────────────────────────────────────────────────────────────────────

    /// A customer enters a card on a page, which saves it.
    fn enter(&mut self, customer: &CustomerId, card: &PaymentMethodId) {
        let saved = self.saved.entry(customer.clone()).or_default();
        saved.retain(|known| known != card);
        saved.insert(0, card.clone());
        let number = (customer.clone(), number_of(card));
        self.forbidden.remove(&number);
        self.without_cards.remove(customer);
        *self.entered.entry(number).or_default() += 1;
    }

    pub fn saved_of(&self, customer: &CustomerId) -> Vec<PaymentMethodId> {
        self.saved.get(customer).cloned().unwrap_or_default()
    }

    pub fn times_entered(&self, customer: &CustomerId, number: u32) -> u32 {
        self.entered.get(&(customer.clone(), number)).copied().unwrap_or_default()
    }

    /// How often the number was entered before somebody asked for the removal of this card, which may have ended halfway.
    pub fn times_entered_before_removal(
        &mut self,
        customer: &CustomerId,
        (card, number): (&PaymentMethodId, u32),
    ) -> u32 {
        let now = self.times_entered(customer, number);
        *self.entered_before_removal.entry(card.clone()).or_insert(now)
    }

    /// How often a default was set.
    pub fn choices_made(&self, customer: &CustomerId) -> u32 {
        self.choices_made.get(customer).copied().unwrap_or_default()
    }

    /// The customer was told that this number is removed, so it must not be asked again.
    pub fn forbid(&mut self, customer: &CustomerId, number: u32) {
        self.forbidden.insert((customer.clone(), number));
    }

    pub fn is_forbidden(&self, customer: &CustomerId, card: &PaymentMethodId) -> bool {
        self.forbidden.contains(&(customer.clone(), number_of(card)))
    }

    /// Whether the customer changed the cards in a way that tells nothing about purchases.
    pub fn has_removed(&self, customer: &CustomerId) -> bool {
        self.removers.contains(customer)
    }

    pub fn saved_cards(&self, customer: &CustomerId) -> Result<SavedCards, CustomerDeleted> {
        let default = self.default_card(customer)?;
        let saved = self.saved_of(customer).into_iter().map(|card| self.shown(customer, card)).collect();
        Ok(SavedCards { default, saved })
    }

    /// The default card with its details.
    pub fn shown_default(&self, customer: &CustomerId) -> Result<Option<SavedCard>, CustomerDeleted> {
        Ok(self.default_card(customer)?.map(|card| self.shown(customer, card)))
    }

    fn shown(&self, customer: &CustomerId, card: PaymentMethodId) -> SavedCard {
        SavedCard { expiry: self.expiry_of(customer, &card), ..crate::wallet::saved_card(card) }
    }

    pub fn expiry_of(&self, customer: &CustomerId, card: &PaymentMethodId) -> Option<Expiry> {
        if self.expired_cards.contains(card) {
            return Expiry::new(2020, 12);
        }
        self.expiries.get(&(customer.clone(), card.clone())).copied()
    }

    /// The network or the customer replaces the expiry of a card. Here, unlike at Stripe, two customers may have saved a
    /// card of one id; the event is then about the customer.
    pub fn set_expiry(&mut self, customer: &CustomerId, card: &PaymentMethodId, expiry: Expiry) {
        self.expiries.insert((customer.clone(), card.clone()), expiry);
        if self.saved.values().filter(|saved| saved.contains(card)).count() > 1 {
            self.tell(Subject::Customer(customer.clone()));
        } else {
            self.reissued.insert(card.clone(), customer.clone());
            self.tell(Subject::Card(card.clone()));
        }
    }

    /// Whose card it was when an event was about it.
    pub fn owner_of(&self, card: &PaymentMethodId) -> Option<CustomerId> {
        self.reissued.get(card).cloned()
    }

    /// False if the card is not saved with this customer.
    pub fn make_default(&mut self, customer: &CustomerId, card: &PaymentMethodId, now: Timestamp) -> bool {
        let is_saved = self.saved_of(customer).contains(card) && !self.is_deleted(customer);
        if is_saved {
            self.removers.insert(customer.clone());
            self.choose_default_card(customer, card, now);
        }
        is_saved
    }

    /// Takes a card from the customer, also as the default. False if it was never saved with this customer.
    pub fn detach(&mut self, customer: &CustomerId, card: &PaymentMethodId) -> bool {
        self.saved.entry(customer.clone()).or_default().retain(|known| known != card);
        self.removers.insert(customer.clone());
        self.expected.remove(customer);
        if self.default_cards.get(customer) == Some(card) {
            self.default_cards.remove(customer);
            *self.choices_made.entry(customer.clone()).or_default() += 1;
            self.tell(Subject::Customer(customer.clone()));
        }
        self.entered.contains_key(&(customer.clone(), number_of(card)))
    }

    pub fn remove_on_page(&mut self, customer: &CustomerId, card: &PaymentMethodId) {
        let was_default = self.default_cards.get(customer) == Some(card);
        self.detach(customer, card);
        if was_default && self.saved_of(customer).is_empty() {
            self.without_cards.insert(customer.clone());
        }
    }

    pub fn saving_page_open(
        &mut self,
        account: &AccountId,
        customer: &CustomerId,
        default: Option<PaymentMethodId>,
    ) -> String {
        let number = self.number();
        let id = CheckoutSessionId::parse(format!("cs_{number}")).expect("cs_ and digits are a valid id");
        self.saving_pages.push(SavingPage {
            id,
            account: account.clone(),
            customer: customer.clone(),
            default_at_opening: default,
            saved: None,
        });
        format!("https://checkout.example.com/{number}")
    }

    /// A customer saves a card on the page that was opened last.
    pub fn save_on_page(&mut self, card: &PaymentMethodId) -> bool {
        let Some(page) = self.saving_pages.last_mut().filter(|page| page.saved.is_none()) else { return false };
        page.saved = Some(card.clone());
        let (customer, subject) = (page.customer.clone(), Subject::Checkout(page.id.clone()));
        if self.is_deleted(&customer) {
            return false;
        }
        self.expected.remove(&customer);
        self.enter(&customer, card);
        self.tell(subject);
        true
    }

    fn saving_page_get(&self, id: &CheckoutSessionId) -> Option<CheckoutReport> {
        let page = self.saving_pages.iter().find(|page| page.id == *id)?;
        let set_up = page.saved.clone().map(|card| {
            let (account, session) = (page.account.clone(), page.id.clone());
            let default_at_opening = page.default_at_opening.clone();
            (page.customer.clone(), SetUpCard { account, card, session, default_at_opening })
        });
        let outcome = CheckoutOutcome::Open;
        let is_of_other_deployment = false;
        Some(CheckoutReport { purchase: None, outcome, is_of_other_deployment, set_up, hosted_url: None })
    }

    /// Returns the customer's choice that this overwrites, or `None` if the card is not saved any more.
    pub fn offer_set_up(&mut self, customer: &CustomerId, offered: &SetUpCard) -> Option<Option<Choice>> {
        let default = self.default_cards.get(customer).cloned();
        if !offered.is_newest(default.as_ref(), self.card_sessions.get(customer)) {
            return Some(None);
        }
        if !self.saved_of(customer).contains(&offered.card) {
            return None;
        }
        self.removers.insert(customer.clone());
        self.card_sessions.insert(customer.clone(), offered.session.clone());
        self.set_default_card(customer, &offered.card);
        let choice = self.choices.get(customer).filter(|choice| default.as_ref() == Some(&choice.card));
        Some(choice.filter(|choice| choice.card != offered.card).cloned())
    }

    /// A customer makes a card the default on one of Stripe's pages.
    pub fn choose_default_card(&mut self, customer: &CustomerId, card: &PaymentMethodId, now: Timestamp) {
        // A return to an earlier card causes no event of its own at Stripe, so it looks the same as no choice at all.
        let is_return = self.defaults_ever.contains(&(customer.clone(), card.clone()));
        self.choices.insert(customer.clone(), Choice { card: card.clone(), at: now, is_return });
        self.set_default_card(customer, card);
    }

    /// Whether Stripe accepts the offer: it refuses a card that is not saved any more.
    pub fn can_offer(&self, customer: &CustomerId, offered: &OfferedCard) -> bool {
        let card = self.default_cards.get(customer).cloned();
        let bought_with = self.bought_with.get(customer).cloned();
        let is_newest = offered.is_newest(&DefaultCard { card, bought_with });
        !is_newest || self.saved_of(customer).contains(&offered.bought_with.card)
    }

    /// Makes the card of a purchase the default if the purchase is the newest. Returns the customer's choice that this
    /// overwrites.
    pub fn offer_default_card(&mut self, customer: &CustomerId, offered: &OfferedCard) -> Option<Choice> {
        let card = self.default_cards.get(customer).cloned();
        let bought_with = self.bought_with.get(customer).cloned();
        if !offered.is_newest(&DefaultCard { card: card.clone(), bought_with }) {
            return None;
        }
        self.bought_with.insert(customer.clone(), offered.bought_with.clone());
        self.set_default_card(customer, &offered.bought_with.card);
        let choice = self.choices.get(customer).filter(|choice| card.as_ref() == Some(&choice.card))?;
        (!choice.is_return && choice.card != offered.bought_with.card).then(|| choice.clone())
    }

    /// The customer's last choice.
    pub fn choice_of(&self, customer: &CustomerId) -> Option<&Choice> {
        self.choices.get(customer)
    }

    /// The card that a purchase was paid with.
    pub fn card_of(&self, purchase: &PurchaseId) -> Option<&PaymentMethodId> {
        self.sessions.iter().filter(|session| session.purchase == *purchase).find_map(|page| page.paid_with.as_ref())
    }

    /// Whether this card was ever the customer's default.
    pub fn was_default(&self, customer: &CustomerId, card: &PaymentMethodId) -> bool {
        self.defaults_ever.contains(&(customer.clone(), card.clone()))
    }

    /// Whether the customer paid an attempt's invoice with this card.
    pub fn has_paid_invoice(&self, customer: &CustomerId, card: &PaymentMethodId) -> bool {
        let is_such = |invoice: &Invoice| invoice.customer == *customer && invoice.paid_with.as_ref() == Some(card);
        self.invoices.iter().any(is_such)
    }

    // ── Payment pages ────────────────────────────────────────────────────────────────────────────────────────────

    /// Also fails if the key was sent before with the parameters of an earlier deployment.
    pub fn checkout_open(
        &mut self,
        customer: &CustomerId,
        purchase: &Purchase,
        used: u32,
        now: Timestamp,
    ) -> Result<Checkout, Failed> {
        let deployment = self.deployments;
        let kept = self.session_keys.kept(&purchase.id, used, now).filter(|_| !has_bug("checkout_key_from_time"));
        if let Some(kept) = kept {
            let (checkout, asked_by) = kept?;
            return if asked_by == deployment { Ok(checkout) } else { Err(Failed) };
        }
        let failure = self.next_failure.take();
        if failure == Some(Failure::BeforeEffect) {
            return self.session_keys.keep(&purchase.id, used, now, Err(Failed)).map(|(checkout, _)| checkout);
        }
        let number = self.number();
        let id = CheckoutSessionId::parse(format!("cs_{number}")).expect("cs_ and digits are a valid id");
        let checkout = Checkout { session: id.clone(), url: format!("https://checkout.example.com/{number}") };
        self.sessions.push(Session {
            id,
            account: purchase.account.clone(),
            purchase: purchase.id.clone(),
            customer: customer.clone(),
            amount: purchase.price,
            status: SessionStatus::Open,
            opened_at: now,
            paid_with: None,
            currency: "usd",
            is_stranger: false,
            is_of_other_deployment: false,
        });
        let answer = failure.map_or(Ok((checkout, deployment)), |_| Err(Failed));
        self.session_keys.keep(&purchase.id, used, now, answer).map(|(checkout, _)| checkout)
    }

    /// The first of a purchase's pages that is still usable; all other open ones are closed.
    pub fn the_one_page(&mut self, purchase: &PurchaseId) -> Option<Checkout> {
        let is_good = |page: &Session| page.purchase == *purchase && page.status != SessionStatus::Expired;
        let kept = self.sessions.iter().find(|page| is_good(page))?.id.clone();
        let mut superseded = vec![];
        for page in self.sessions.iter_mut().filter(|page| page.purchase == *purchase && page.id != kept) {
            if page.status == SessionStatus::Open {
                page.status = SessionStatus::Expired;
                superseded.push(Subject::Checkout(page.id.clone()));
            }
        }
        superseded.into_iter().for_each(|subject| self.tell(subject));
        let number = kept.as_str().trim_start_matches("cs_");
        let url = format!("https://checkout.example.com/{number}");
        Some(Checkout { session: kept, url })
    }

    pub fn open_sessions_of(&self, purchase: &PurchaseId) -> usize {
        let open = self.sessions.iter().filter(|session| session.status == SessionStatus::Open);
        open.filter(|session| session.purchase == *purchase).count()
    }

    pub fn checkout_get(&self, id: &CheckoutSessionId) -> Option<CheckoutReport> {
        let Some(session) = self.sessions.iter().find(|session| session.id == *id) else {
            return self.saving_page_get(id);
        };
        let outcome = match session.status {
            SessionStatus::Open => CheckoutOutcome::Open,
            SessionStatus::Expired => CheckoutOutcome::Expired,
            SessionStatus::Processing => CheckoutOutcome::Processing,
            SessionStatus::Failed => CheckoutOutcome::Failed,
            SessionStatus::Paid => CheckoutOutcome::Paid(Payment {
                customer: session.customer.clone(),
                amount: session.amount.minor(),
                currency: session.currency.into(),
                invoice: None,
                payment_intent: PaymentIntentId::parse(format!("pi_{id}")).ok(),
                payment_method: session.paid_with.clone(),
                receipt: None,
                by_invoice: None,
            }),
        };
        let purchase = Some((session.account.clone(), session.purchase.clone()));
        let is_open = session.status == SessionStatus::Open;
        let hosted_url = is_open.then(|| format!("https://checkout.example.com/{id}"));
        let is_of_other_deployment = session.is_of_other_deployment;
        Some(CheckoutReport { purchase, outcome, is_of_other_deployment, set_up: None, hosted_url })
    }

    /// The customer pays on the page in another currency than requested.
    pub fn session_pay_in_euros(&mut self, position: usize, card: &PaymentMethodId) -> bool {
        let is_paid = self.session_pay(position, card);
        if is_paid && let Some(session) = self.sessions.get_mut(position) {
            session.currency = "eur";
        }
        is_paid
    }

    /// Somebody has paid a page of which no row knows, and two events tell of it.
    pub fn session_of_stranger(&mut self, bits: u128, is_of_other_deployment: bool, now: Timestamp) {
        let number = self.number();
        let id = CheckoutSessionId::parse(format!("cs_{number}")).expect("cs_ and digits are a valid id");
        self.sessions.push(Session {
            id: id.clone(),
            account: AccountId::parse("acme").expect("a good id"),
            purchase: PurchaseId::mint(bits),
            customer: CustomerId::parse("cus_stranger").expect("a good id"),
            amount: Amount::new(Currency::USD, 500).expect("a good amount"),
            status: SessionStatus::Paid,
            opened_at: now,
            paid_with: None,
            currency: "usd",
            is_stranger: true,
            is_of_other_deployment,
        });
        self.tell(Subject::Checkout(id.clone()));
        self.tell(Subject::Checkout(id));
    }

    /// The customer pays on the page if it is still open.
    pub fn session_pay(&mut self, position: usize, card: &PaymentMethodId) -> bool {
        let is_good = self.mood(card) != Mood::Declines;
        let Some(session) = self.sessions.get_mut(position).filter(|session| session.status == SessionStatus::Open)
        else {
            return false;
        };
        if is_good {
            session.status = SessionStatus::Paid;
            session.paid_with = Some(card.clone());
            let (customer, subject) = (session.customer.clone(), Subject::Checkout(session.id.clone()));
            self.enter(&customer, card);
            self.tell(subject);
        }
        is_good
    }

    /// The customer completes the page by a bank debit, if it is still open.
    pub fn session_debit(&mut self, position: usize, account: &PaymentMethodId, now: Timestamp) -> bool {
        let open = self.sessions.get_mut(position).filter(|session| session.status == SessionStatus::Open);
        let Some(session) = open else { return false };
        session.status = SessionStatus::Processing;
        session.opened_at = now;
        session.paid_with = Some(account.clone());
        let (customer, subject) = (session.customer.clone(), Subject::Checkout(session.id.clone()));
        self.enter(&customer, account);
        self.tell(subject);
        true
    }

    /// The banks answer the debits of completed pages that have been under way for days.
    fn settle_page_debits(&mut self, now: Timestamp) {
        let mut settled = vec![];
        for session in &mut self.sessions {
            let is_due = now.duration_since(session.opened_at) >= DEBIT_TAKES;
            if session.status == SessionStatus::Processing && is_due {
                let card = session.paid_with.as_ref();
                let mood = card.and_then(|card| self.moods.get(card)).copied().unwrap_or_default();
                let is_paid = mood != Mood::Declines;
                session.status = if is_paid { SessionStatus::Paid } else { SessionStatus::Failed };
                if !is_paid {
                    session.paid_with = None;
                }
                settled.push(Subject::Checkout(session.id.clone()));
            }
        }
        for subject in settled {
            self.tell(subject);
        }
    }

    /// Closes expired pages, and settles the debits that their banks have answered.
    pub fn expire_sessions(&mut self, now: Timestamp) {
        self.settle_page_debits(now);
        let mut expired = vec![];
        for session in &mut self.sessions {
            if session.status == SessionStatus::Open && now.duration_since(session.opened_at) >= SESSION_OPEN {
                session.status = SessionStatus::Expired;
                expired.push(Subject::Checkout(session.id.clone()));
            }
        }
        for subject in expired {
            self.tell(subject);
        }
    }

    /// Creates and finalizes the invoice of a purchase, or returns the same one again under the purchase's key.
    ///
    /// # Errors
    /// A 500 from Stripe. The inner result says why this customer is permanently refused.
    pub fn bill_create(
        &mut self,
        (customer, purchase): (&CustomerId, &Purchase),
        used: u32,
        now: Timestamp,
    ) -> Result<Result<NewInvoice, RefusalReason>, Failed> {
        if let Some(kept) = self.bill_keys.kept(&purchase.id, used, now) {
            let id = kept?;
            return self.bill(&id).map(|bill| Ok(bill.made())).ok_or(Failed);
        }
        if let Some(reason) = self.why_no_bill(customer) {
            return Ok(Err(reason));
        }
        let failure = self.next_failure.take();
        if failure == Some(Failure::BeforeEffect) {
            drop(self.bill_keys.keep(&purchase.id, used, now, Err(Failed)));
            return Err(Failed);
        }
        let id = InvoiceId::parse(format!("in_{}", self.number())).expect("in_ and digits are a valid id");
        let days = purchase.by_invoice.as_ref().map_or(0, |by_invoice| by_invoice.terms.days_until_due);
        let bill = Bill {
            id: id.clone(),
            account: purchase.account.clone(),
            purchase: purchase.id.clone(),
            customer: customer.clone(),
            amount: purchase.price,
            due_at: now + SignedDuration::from_hours(24 * i64::from(days)),
            status: BillStatus::Open,
            amount_paid: 0,
            credited: 0,
            overpaid: 0,
            is_out_of_band: false,
        };
        let made = bill.made();
        self.bills.push(bill);
        let answer = failure.map_or(Ok(id), |_| Err(Failed));
        self.bill_keys.keep(&purchase.id, used, now, answer).map(|_| Ok(made))
    }

    // ── Invoices of top-ups ──────────────────────────────────────────────────────────────────────────────────────

    /// Creates a draft, or returns the same one again under the attempt's key.
    ///
    /// # Errors
    /// A 500 from Stripe. The inner result says why this customer is permanently refused.
    pub fn invoice_create(
        &mut self,
        top_up: &TopUp,
        used: u32,
        now: Timestamp,
    ) -> Result<Result<InvoiceId, RefusalReason>, Failed> {
        if let Some(reason @ (RefusalReason::CustomerDeleted | RefusalReason::OtherCurrency)) =
            self.refused.get(&top_up.customer)
        {
            return Ok(Err(*reason));
        }
        let kept = self.invoice_keys.kept(&top_up.id, used, now).filter(|_| !has_bug("invoice_key_from_time"));
        if let Some(kept) = kept {
            return kept.map(Ok);
        }
        let failure = self.next_failure.take();
        if failure == Some(Failure::BeforeEffect) {
            return self.invoice_keys.keep(&top_up.id, used, now, Err(Failed)).map(Ok);
        }
        let id = InvoiceId::parse(format!("in_{}", self.number())).expect("in_ and digits are a valid id");
        self.invoices.push(Invoice {
            id: id.clone(),
            account: top_up.account.clone(),
            top_up: top_up.id.clone(),
            customer: top_up.customer.clone(),
            amount: top_up.price,
            status: InvoiceStatus::Draft,
            last_answer: None,
            amount_paid: 0,
            credited: 0,
            starting_balance: 0,
            ending_balance: 0,
            default_card: self.default_cards.get(&top_up.customer).cloned(),
            paid_with: None,
            refused_at: None,
            off_session_asks: 0,
            discount: 0,
            tax: 0,
        });
        self.invoice_keys.keep(&top_up.id, used, now, failure.map_or(Ok(id), |_| Err(Failed))).map(Ok)
    }

    /// The invoice's new total; `None` for a deleted invoice.
    pub fn invoice_finalize(&mut self, id: &InvoiceId) -> Option<Result<Demand, RefusalReason>> {
        let invoice = self.invoices.iter_mut().find(|invoice| invoice.id == *id)?;
        let reason = self.refused.get(&invoice.customer).filter(|_| invoice.status == InvoiceStatus::Draft);
        match reason {
            Some(RefusalReason::OtherPrice) => invoice.discount = 100,
            // Two fifths, which is more than the consent text allows.
            Some(RefusalReason::AboveConsent) => invoice.tax = invoice.amount.minor() * 2 / 5,
            Some(reason) => return Some(Err(*reason)),
            None => {}
        }
        let before_tax = invoice.amount.minor() - invoice.discount;
        let demand = Demand { subtotal: invoice.amount.minor(), before_tax, in_all: before_tax + invoice.tax };
        if invoice.status == InvoiceStatus::Draft {
            invoice.status = InvoiceStatus::Open;
            let balance = self.balances.entry(invoice.customer.clone()).or_default();
            invoice.starting_balance = *balance;
            // A rest below the minimum charge becomes a debt.
            let due = demand.in_all + *balance;
            invoice.ending_balance = if due < CHARGE_MIN { due } else { 0 };
            *balance = invoice.ending_balance;
            self.pay_if_nothing_is_due(id);
        }
        Some(Ok(demand))
    }

    /// Support gives a customer a credit on Stripe's books.
    pub fn give_balance(&mut self, customer: &CustomerId, cents: i64) {
        *self.balances.entry(customer.clone()).or_default() -= cents;
    }

    /// Support credits this much of an open invoice.
    pub fn invoice_credit(&mut self, position: usize, cents: i64) {
        let is_free = |invoice: &&mut Invoice| invoice.status == InvoiceStatus::Open && !invoice.is_processing();
        let Some(invoice) = self.invoices.get_mut(position).filter(is_free) else { return };
        invoice.credited += cents.min(invoice.due()).min(invoice.amount.minor() - invoice.credited);
        let id = invoice.id.clone();
        self.pay_if_nothing_is_due(&id);
    }

    fn pay_if_nothing_is_due(&mut self, id: &InvoiceId) {
        let is_due = |invoice: &&mut Invoice| invoice.id == *id && invoice.due() == 0;
        if let Some(invoice) = self.invoices.iter_mut().find(is_due) {
            invoice.status = InvoiceStatus::Paid;
            let subject = invoice.subject();
            self.tell(subject);
        }
    }

    /// Asks the bank once per key; a refusal is stored as well.
    pub fn invoice_pay(&mut self, id: &InvoiceId, card: &PaymentMethodId, now: Timestamp) -> AskedNow {
        let known = |answer| AskedNow { answer, is_fresh: false };
        let Some(position) = self.invoices.iter().position(|invoice| invoice.id == *id) else {
            return known(Asked::NotTaken);
        };
        let top_up = self.invoices[position].top_up.clone();
        if let Some(kept) =
            self.pay_keys.get(&top_up).filter(|kept| is_kept(kept.at, now) && !has_bug("payment_key_from_time"))
        {
            let answer = match kept.answer {
                // Stripe's stored answer has only the payment's id, and the payment is read in its current state.
                Some(BankAnswer::Processing) => self.invoices[position].last_answer,
                kept => kept,
            };
            return known(answer.map_or(Asked::Paid, Asked::Refused));
        }
        if self.invoices[position].status != InvoiceStatus::Open {
            return known(Asked::NotTaken);
        }
        if !self.saved_of(&self.invoices[position].customer).contains(card) {
            return known(Asked::Removed);
        }
        self.invoices[position].off_session_asks += 1;
        let answer = match self.mood(card) {
            Mood::Pays => None,
            Mood::Declines => Some(BankAnswer::Declined),
            Mood::AsksForConfirmation => Some(BankAnswer::ActionRequired),
            Mood::TakesDays => Some(BankAnswer::Processing),
        };
        self.invoices[position].refused_at = answer.map(|_| now);
        self.pay_keys.insert(top_up, Kept { at: now, answer });
        self.answered(position, card, answer);
        AskedNow { answer: answer.map_or(Asked::Paid, Asked::Refused), is_fresh: true }
    }

    /// The customer asks to pay a refused invoice now. Asks the bank once per key; a refusal is stored as well.
    pub fn invoice_retry(
        &mut self,
        id: &InvoiceId,
        card: &PaymentMethodId,
        key: &IdempotencyKey,
        now: Timestamp,
    ) -> AskedNow {
        let known = |answer| AskedNow { answer, is_fresh: false };
        let Some(position) = self.invoices.iter().position(|invoice| invoice.id == *id) else {
            return known(Asked::NotTaken);
        };
        let asked = (self.invoices[position].top_up.clone(), key.clone());
        let kept = self.retry_keys.get(&asked).filter(|kept| is_kept(kept.at, now));
        if let Some(kept) = kept.filter(|_| !has_bug("retry_key_from_time")) {
            let answer = match kept.answer {
                Some(BankAnswer::Processing) => self.invoices[position].last_answer,
                kept => kept,
            };
            return known(answer.map_or(Asked::Paid, Asked::Refused));
        }
        if self.invoices[position].status != InvoiceStatus::Open || self.invoices[position].is_processing() {
            return known(Asked::NotTaken);
        }
        // Stripe refuses a card that was removed, without asking the bank.
        if !self.saved_of(&self.invoices[position].customer).contains(card) {
            return known(Asked::Refused(BankAnswer::Declined));
        }
        *self.retry_asks.entry(asked.clone()).or_default() += 1;
        let answer = match self.mood(card) {
            Mood::Pays => None,
            Mood::Declines => Some(BankAnswer::Declined),
            Mood::AsksForConfirmation => Some(BankAnswer::ActionRequired),
            Mood::TakesDays => Some(BankAnswer::Processing),
        };
        if answer.is_some() {
            self.invoices[position].refused_at = Some(now);
        }
        self.retry_keys.insert(asked, Kept { at: now, answer });
        self.answered(position, card, answer);
        AskedNow { answer: answer.map_or(Asked::Paid, Asked::Refused), is_fresh: true }
    }

    fn answered(&mut self, position: usize, card: &PaymentMethodId, answer: Option<BankAnswer>) {
        let invoice = &mut self.invoices[position];
        invoice.last_answer = answer;
        if answer.is_none() {
            invoice.amount_paid += invoice.due();
            invoice.status = InvoiceStatus::Paid;
            invoice.paid_with = Some(card.clone());
        }
        // An invoice has no event for a debit that is under way.
        if answer != Some(BankAnswer::Processing) {
            let subject = invoice.subject();
            self.tell(subject);
        }
    }

    /// The banks answer the debits that have been under way for days: some succeed and some fail.
    pub fn settle_debits(&mut self, now: Timestamp) {
        self.settle_bills(now);
        for position in 0..self.invoices.len() {
            let invoice = &self.invoices[position];
            let since = invoice.refused_at.map_or(SignedDuration::ZERO, |since| now.duration_since(since));
            if invoice.is_processing() && since >= DEBIT_TAKES {
                // Every other one.
                let answer = (position % 2 == 0).then_some(BankAnswer::Declined);
                let account = PaymentMethodId::parse("pm_debit").expect("pm_ and letters are a valid id");
                self.answered(position, &account, answer);
                self.invoices[position].refused_at = answer.map(|_| now);
            }
        }
    }

    /// The customer pays on the hosted page, with the saved card or another, and confirms if the bank asks.
    pub fn invoice_pay_by_customer(&mut self, position: usize, card: &PaymentMethodId) -> Option<bool> {
        let is_free = |invoice: &&Invoice| invoice.status == InvoiceStatus::Open && !invoice.is_processing();
        self.invoices.get(position).filter(is_free)?;
        let answer = (self.mood(card) == Mood::Declines).then_some(BankAnswer::Declined);
        let customer = self.invoices[position].customer.clone();
        // The page saves a card only if its owner lets it, and only one that pays.
        if is_saved_on_page(card) && answer.is_none() {
            self.expect_remembered(position, card);
            self.enter(&customer, card);
        }
        self.answered(position, card, answer);
        Some(answer.is_none())
    }

    /// Voids an open invoice and deletes a draft; an invoice that is paid, void or about to be paid stays unchanged.
    pub fn invoice_void(&mut self, id: &InvoiceId) {
        let Some(position) = self.invoices.iter().position(|invoice| invoice.id == *id) else { return };
        match self.invoices[position].status {
            InvoiceStatus::Draft => drop(self.invoices.remove(position)),
            InvoiceStatus::Open if self.invoices[position].is_processing() => {}
            InvoiceStatus::Open => {
                let invoice = &mut self.invoices[position];
                invoice.status = InvoiceStatus::Void;
                let used = invoice.ending_balance - invoice.starting_balance;
                *self.balances.entry(invoice.customer.clone()).or_default() -= used;
                let subject = invoice.subject();
                self.tell(subject);
            }
            InvoiceStatus::Paid | InvoiceStatus::Void => {}
        }
    }

    pub fn invoice(&self, id: &InvoiceId) -> Option<&Invoice> {
        self.invoices.iter().find(|invoice| invoice.id == *id)
    }

    pub fn invoices_of(&self, top_up: &TopUpId) -> Vec<InvoiceId> {
        self.invoices.iter().filter(|invoice| invoice.top_up == *top_up).map(|invoice| invoice.id.clone()).collect()
    }

    /// Whether an attempt's invoice was paid, at least in part.
    pub fn has_received_for(&self, top_up: &TopUpId) -> bool {
        let is_paid = |invoice: &Invoice| {
            invoice.top_up == *top_up && invoice.status == InvoiceStatus::Paid && invoice.received() > 0
        };
        self.invoices.iter().any(is_paid)
    }

    /// `None` unless Stripe says that it is paid.
    pub fn invoice_get_if_paid(&self, id: &InvoiceId) -> Option<InvoiceReport> {
        let is_paid = |invoice: &Invoice| invoice.id == *id && invoice.status == InvoiceStatus::Paid;
        self.invoices.iter().any(is_paid).then(|| self.invoice_get(id)).flatten()
    }

    /// `None` for a deleted invoice.
    pub fn invoice_get(&self, id: &InvoiceId) -> Option<InvoiceReport> {
        let Some(invoice) = self.invoice(id) else { return self.bill_report(id) };
        let outcome = match (invoice.status, invoice.last_answer) {
            (InvoiceStatus::Paid, _) => {
                let saved = self.saved_of(&invoice.customer);
                invoice.paid(invoice.paid_with.clone().filter(|card| saved.contains(card)))
            }
            (InvoiceStatus::Void, _) => TopUpOutcome::Abandoned,
            (InvoiceStatus::Open, Some(answer)) => refusal(answer, id.clone()),
            (InvoiceStatus::Draft | InvoiceStatus::Open, _) => TopUpOutcome::Unknown,
        };
        let is_open = invoice.status == InvoiceStatus::Open;
        let is_waiting = is_open && !invoice.is_processing();
        let hosted_url = is_open.then(|| format!("https://invoice.example.com/{id}"));
        let top_up = Some((invoice.account.clone(), invoice.top_up.clone()));
        let is_of_other_deployment = false;
        Some(InvoiceReport { top_up, outcome, purchase: None, is_of_other_deployment, is_waiting, hosted_url })
    }
}

impl Invoice {
    /// What an event about it says.
    fn subject(&self) -> Subject {
        Subject::Invoice { id: self.id.clone(), top_up: Some((self.account.clone(), self.top_up.clone())) }
    }

    /// Whether a customer can know its page and pay there.
    pub fn is_payable(&self) -> bool {
        self.status == InvoiceStatus::Open && self.discount == 0 && self.tax == 0
    }

    /// Whether a debit is under way.
    pub fn is_processing(&self) -> bool {
        self.status == InvoiceStatus::Open && self.last_answer == Some(BankAnswer::Processing)
    }

    /// In cents: the part that cards and the customer's own credit paid.
    pub fn received(&self) -> i64 {
        let from_credit =
            if self.starting_balance < 0 { self.ending_balance.min(0) - self.starting_balance } else { 0 };
        let for_old_debt = if self.starting_balance > 0 { self.starting_balance } else { 0 };
        (self.amount_paid + from_credit - for_old_debt).clamp(0, self.amount.minor())
    }

    /// In cents: the part that is still unpaid.
    fn due(&self) -> i64 {
        let whole = self.amount.minor() - self.discount + self.tax + self.starting_balance;
        let asked = if self.ending_balance == 0 { whole } else { 0 };
        asked - self.credited - self.amount_paid
    }

    /// Stripe's answer about a paid invoice, read as the adapter reads it. The card is named only while it is saved.
    fn paid(&self, payment_method: Option<PaymentMethodId>) -> TopUpOutcome {
        let payment = Payment {
            customer: self.customer.clone(),
            amount: self.amount.minor(),
            currency: "usd".into(),
            invoice: Some(self.id.clone()),
            payment_intent: PaymentIntentId::parse(format!("pi_{}", self.id)).ok(),
            payment_method,
            receipt: None,
            by_invoice: None,
        };
        let amounts = PaidInvoice {
            total: self.amount.minor(),
            amount_paid: self.amount_paid,
            starting_balance: self.starting_balance,
            ending_balance: self.ending_balance,
        };
        match amounts.received(self.amount.minor()) {
            Received::All => TopUpOutcome::Paid(payment),
            Received::Part(received) => TopUpOutcome::PartlyPaid { payment, received },
            Received::Nothing => TopUpOutcome::Abandoned,
        }
    }
}

/// The number that a card was entered with: the same card may be saved under two ids.
pub fn number_of(card: &PaymentMethodId) -> u32 {
    let digits = card.as_str().trim_start_matches("pm_").parse::<u32>().unwrap_or_default();
    digits % 10
}

fn is_kept(at: Timestamp, now: Timestamp) -> bool {
    now.duration_since(at) < KEY_KEPT
}

/// The bank's answer as an outcome of the port.
pub fn refusal(answer: BankAnswer, invoice: InvoiceId) -> TopUpOutcome {
    match answer {
        BankAnswer::Declined => {
            TopUpOutcome::Declined { reason: DeclineReason::InsufficientFunds, invoice: Some(invoice) }
        }
        BankAnswer::ActionRequired => TopUpOutcome::ActionRequired { invoice: Some(invoice) },
        BankAnswer::Processing => TopUpOutcome::Processing { invoice: Some(invoice) },
    }
}

/// The conclusion that an outcome of a top-up allows, if any.
pub fn conclusion(outcome: &TopUpOutcome) -> Option<Conclusion> {
    match outcome {
        TopUpOutcome::Paid(_) => Some(Conclusion::Paid),
        TopUpOutcome::PartlyPaid { .. } => Some(Conclusion::PartlyPaid),
        TopUpOutcome::Processing { .. } => Some(Conclusion::Processing),
        TopUpOutcome::Declined { .. } => Some(Conclusion::Declined),
        TopUpOutcome::ActionRequired { .. } => Some(Conclusion::ActionRequired),
        TopUpOutcome::Refused { .. } => Some(Conclusion::Refused),
        TopUpOutcome::Abandoned => Some(Conclusion::Abandoned),
        TopUpOutcome::Unknown => None,
    }
}
