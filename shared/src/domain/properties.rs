//! Random sequences of commands, with the invariants checked after every step.

use super::charging::{
    ChargeRefusal, ChargeStatus, EndRefusal, ExpiresIn, PendingCharge, RestoreRefusal, decide_capture, decide_charge,
    decide_expiry, decide_restore, decide_void,
};
use super::payments::{
    AutoTopUpCommand, CheckoutOutcome, DeclineReason, PayBy, Payment, RefusalReason, TopUpOutcome, decide_auto_top_up,
    decide_open_purchase, decide_open_top_up, decide_purchase_outcome, decide_top_up_outcome,
};
use super::samples::*;
use super::*;
use crate::words::CONSENT_TEXT_VERSION;
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use std::collections::HashMap;

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    #[test]
    fn what_must_always_hold_holds_after_every_command(commands in prop::collection::vec(command(), 1..120)) {
        let mut world = World::new();
        for command in commands {
            world.run(&command);
            world.check();
        }
    }
}

#[derive(Clone, Debug)]
enum Command {
    Wait { minutes: i64 },
    Charge { key: u8, minutes: i64, is_pending: bool },
    Capture { key: u8, minutes: i64 },
    Void { key: u8 },
    Expire,
    Restore { key: u8 },
    Purchase { package: usize },
    SettlePurchase { position: usize, outcome: CheckoutReport },
    Settings { is_enabled: bool, threshold: i64, gap: i64, max_per_month: Option<i64> },
    OpenTopUp,
    SettleTopUp { position: usize, outcome: TopUpReport },
}

#[derive(Clone, Copy, Debug)]
enum CheckoutReport {
    Paid,
    Open,
    Processing,
    Failed,
    Expired,
}

#[derive(Clone, Copy, Debug)]
enum TopUpReport {
    Paid,
    PartlyPaid,
    Processing,
    Refused,
    Declined,
    ActionRequired,
    Abandoned,
    Unknown,
}

fn command() -> impl Strategy<Value = Command> {
    let checkout = prop_oneof![
        Just(CheckoutReport::Paid),
        Just(CheckoutReport::Open),
        Just(CheckoutReport::Processing),
        Just(CheckoutReport::Failed),
        Just(CheckoutReport::Expired),
    ];
    let top_up = prop_oneof![
        3 => Just(TopUpReport::Paid),
        1 => Just(TopUpReport::PartlyPaid),
        1 => Just(TopUpReport::Processing),
        1 => Just(TopUpReport::Refused),
        1 => Just(TopUpReport::Declined),
        1 => Just(TopUpReport::ActionRequired),
        1 => Just(TopUpReport::Abandoned),
        1 => Just(TopUpReport::Unknown),
    ];
    prop_oneof![
        1 => (1..500_i64).prop_map(|minutes| Command::Wait { minutes }),
        6 => (0..40_u8, 1..200_i64, any::<bool>())
            .prop_map(|(key, minutes, is_pending)| Command::Charge { key, minutes, is_pending }),
        2 => (0..40_u8, 1..200_i64).prop_map(|(key, minutes)| Command::Capture { key, minutes }),
        1 => (0..40_u8).prop_map(|key| Command::Void { key }),
        1 => Just(Command::Expire),
        1 => (0..40_u8).prop_map(|key| Command::Restore { key }),
        1 => (0..4_usize).prop_map(|package| Command::Purchase { package }),
        3 => (0..8_usize, checkout).prop_map(|(position, outcome)| Command::SettlePurchase { position, outcome }),
        1 => (any::<bool>(), 100..2_000_i64, 1_000..5_000_i64, prop::option::of(1_000..6_000_i64)).prop_map(
            |(is_enabled, threshold, gap, max_per_month)| Command::Settings { is_enabled, threshold, gap, max_per_month }
        ),
        3 => Just(Command::OpenTopUp),
        3 => (0..8_usize, top_up).prop_map(|(position, outcome)| Command::SettleTopUp { position, outcome }),
    ]
}

/// The ledger's contract in a few lines: a change is applied whole, unless its entry's origin exists.
struct World {
    account: Account,
    entries: Vec<Entry>,
    pending: HashMap<IdempotencyKey, PendingCharge>,
    purchases: HashMap<PurchaseId, Purchase>,
    purchase_order: Vec<PurchaseId>,
    top_ups: HashMap<TopUpId, TopUp>,
    top_up_order: Vec<TopUpId>,
    now: Timestamp,
    minted: u128,
}

impl World {
    fn new() -> Self {
        Self {
            account: account(),
            entries: vec![],
            pending: HashMap::new(),
            purchases: HashMap::new(),
            purchase_order: vec![],
            top_ups: HashMap::new(),
            top_up_order: vec![],
            now: at(0),
            minted: 0,
        }
    }

    fn unique(&mut self) -> u128 {
        self.minted += 1;
        self.minted
    }

    fn commit(&mut self, change: Change) {
        assert_eq!(change.account.version, self.account.version + 1, "every change is the next version");
        for entry in &change.entries {
            if self.entries.iter().any(|earlier| earlier.origin() == entry.origin()) {
                return;
            }
            self.entries.push(entry.clone());
        }
        for record in change.records {
            match record {
                Record::PendingCharge(pending) => drop(self.pending.insert(pending.charge.clone(), pending)),
                Record::Purchase(purchase) => {
                    if self.purchases.insert(purchase.id.clone(), purchase.clone()).is_none() {
                        self.purchase_order.push(purchase.id);
                    }
                }
                Record::TopUp(top_up) => {
                    if self.top_ups.insert(top_up.id.clone(), top_up.clone()).is_none() {
                        self.top_up_order.push(top_up.id);
                    }
                }
                Record::PurchaseKey { .. }
                | Record::TopUpRetry(_)
                | Record::Consent(_)
                | Record::SpendingChange(_)
                | Record::SpenderLimits(_)
                | Record::SpenderUnlimited(_)
                | Record::Act(_)
                | Record::Erasure(_)
                | Record::ErasedEntry(_)
                | Record::SpendingForgotten(_)
                | Record::RefusalForgotten(_)
                | Record::NoticeForgotten(_)
                | Record::EventForgotten(_)
                | Record::Imported(_)
                | Record::Listed { .. }
                | Record::Contacts(_)
                | Record::ContactsForgotten
                | Record::Alerts(_)
                | Record::AlertsDue { .. }
                | Record::AlertsEvaluated
                | Record::AskedCard(_)
                | Record::AskedCardForgotten
                | Record::Customer { .. } => {}
            }
        }
        self.account = change.account;
    }

    fn run(&mut self, command: &Command) {
        let book = PriceBook::reference();
        match command {
            Command::Wait { minutes } => self.now += SignedDuration::from_mins(*minutes),
            Command::Charge { key: number, minutes, is_pending } => {
                let mut command = charge_command(&format!("k{number}"), "training", *minutes);
                command.request.expires_in = is_pending.then(|| ExpiresIn::new(3_600).unwrap());
                match decide_charge(&self.account, &PriceBook::reference(), &command, self.now) {
                    Ok(change) => self.commit(change),
                    Err(ChargeRefusal::InsufficientCredits { balance, required, .. }) => assert!(balance < required),
                    Err(refusal) => panic!("{refusal}"),
                }
            }
            Command::Capture { key: number, minutes } => {
                if let Some(pending) = self.pending.get(&key(&format!("k{number}"))).cloned() {
                    let measured = Some((Measure::MaxMinutes, *minutes));
                    self.end(decide_capture(&self.account, &pending, measured, self.now), &pending);
                }
            }
            Command::Void { key: number } => {
                if let Some(pending) = self.pending.get(&key(&format!("k{number}"))).cloned() {
                    self.end(decide_void(&self.account, &pending, self.now), &pending);
                }
            }
            Command::Expire => {
                let charges: Vec<_> = self.pending.values().cloned().collect();
                if let Some(change) = decide_expiry(&self.account, &charges, self.now).unwrap() {
                    self.commit(change);
                }
            }
            Command::Restore { key: number } => {
                let charge = key(&format!("k{number}"));
                let origin = Origin::Charge(charge.clone());
                if let Some(entry) = self.entries.iter().find(|entry| entry.origin() == origin).cloned() {
                    let pending = self.pending.get(&charge);
                    match decide_restore(&self.account, &entry, pending, self.now) {
                        Ok(change) => self.commit(change),
                        Err(RestoreRefusal::NotPosted(status)) => assert_ne!(status, ChargeStatus::Posted),
                        Err(refusal) => panic!("{refusal}"),
                    }
                }
            }
            Command::Purchase { package } => {
                let unique = self.unique();
                let opened = decide_open_purchase(
                    &self.account,
                    (&book.packages[*package], &PayBy::Page),
                    key(&format!("p{unique}")),
                    PurchaseId::mint(unique),
                    self.now,
                );
                self.commit(opened.unwrap().0);
            }
            Command::SettlePurchase { position, outcome } => self.settle_purchase(*position, *outcome),
            Command::Settings { is_enabled, threshold, gap, max_per_month } => {
                let on = AutoTopUpCommand::On {
                    threshold: *threshold,
                    target: threshold + gap,
                    max_per_month: *max_per_month,
                    consent: Some((CONSENT_TEXT_VERSION.into(), Consenter::parse("owner").unwrap())),
                };
                let command = if *is_enabled { on } else { AutoTopUpCommand::Off { changed_by: None } };
                let consent = ConsentId::mint(self.unique());
                let attempts: Vec<_> = self.top_ups.values().cloned().collect();
                let command = (&command, &attempts[..], None);
                let change = decide_auto_top_up(&self.account, &book, command, consent, self.now).unwrap();
                if let Some(change) = change {
                    self.commit(change);
                }
            }
            Command::OpenTopUp => {
                let id = TopUpId::mint(self.unique());
                if let Ok((change, _)) = decide_open_top_up(&self.account, &book, id, self.now) {
                    self.commit(change);
                }
            }
            Command::SettleTopUp { position, outcome } => self.settle_top_up(*position, *outcome),
        }
    }

    fn end(&mut self, decided: Result<Option<Change>, EndRefusal>, pending: &PendingCharge) {
        match decided {
            Ok(Some(change)) => self.commit(change),
            Ok(None) | Err(EndRefusal::NotPending(_)) => assert!(pending.end.is_some()),
            Err(EndRefusal::AboveCharge(range)) => assert!(range.value > pending.operation.amount),
            Err(refusal) => panic!("{refusal}"),
        }
    }

    fn settle_purchase(&mut self, position: usize, report: CheckoutReport) {
        let Some(purchase) = self.purchase_order.get(position).and_then(|id| self.purchases.get(id)).cloned() else {
            return;
        };
        let outcome = match report {
            CheckoutReport::Paid => CheckoutOutcome::Paid(Payment { amount: purchase.price.minor(), ..payment() }),
            CheckoutReport::Open => CheckoutOutcome::Open,
            CheckoutReport::Processing => CheckoutOutcome::Processing,
            CheckoutReport::Failed => CheckoutOutcome::Failed,
            CheckoutReport::Expired => CheckoutOutcome::Expired,
        };
        let (card, notice) = (payment().payment_method, NoticeId::mint(self.unique()));
        let change = decide_purchase_outcome(&self.account, &purchase, &outcome, card, notice, self.now).unwrap();
        if let Some(change) = change {
            self.commit(change);
        }
    }

    fn settle_top_up(&mut self, position: usize, report: TopUpReport) {
        let Some(top_up) = self.top_up_order.get(position).and_then(|id| self.top_ups.get(id)).cloned() else {
            return;
        };
        let outcome = match report {
            TopUpReport::Paid => TopUpOutcome::Paid(Payment { amount: top_up.price.minor(), ..payment() }),
            TopUpReport::PartlyPaid => {
                let received = top_up.price.minor() / 2;
                TopUpOutcome::PartlyPaid { payment: Payment { amount: top_up.price.minor(), ..payment() }, received }
            }
            TopUpReport::Processing => TopUpOutcome::Processing { invoice: None },
            TopUpReport::Refused => TopUpOutcome::Refused { reason: RefusalReason::CustomerDeleted },
            TopUpReport::Declined => TopUpOutcome::Declined { reason: DeclineReason::Generic, invoice: None },
            TopUpReport::ActionRequired => TopUpOutcome::ActionRequired { invoice: None },
            TopUpReport::Abandoned => TopUpOutcome::Abandoned,
            TopUpReport::Unknown => TopUpOutcome::Unknown,
        };
        let notice = NoticeId::mint(self.unique());
        let change = decide_top_up_outcome(&self.account, &top_up, &outcome, notice, self.now).unwrap();
        if let Some(change) = change {
            self.commit(change);
        }
    }

    fn check(&self) {
        let sum: i64 = self.entries.iter().map(|entry| entry.credits.get()).sum();
        assert_eq!(self.account.balance.get(), sum, "the balance is the sum of the entries");
        assert!(!self.account.balance.is_negative(), "no charge takes the balance below zero");

        let held = self.pending.values().filter(|pending| pending.end.is_none());
        let held: i64 = held.map(|pending| pending.credits.get()).sum();
        assert_eq!(self.account.pending.get(), held, "the account knows what its pending charges hold");
        for pending in self.pending.values() {
            let of_charge = |origin: &Origin| {
                let key = &pending.charge;
                [Origin::Charge, Origin::Capture, Origin::Void, Origin::Expiry]
                    .iter()
                    .any(|kind| *origin == kind(key.clone()))
            };
            let taken: i64 =
                self.entries.iter().filter(|entry| of_charge(&entry.origin())).map(|entry| -entry.credits.get()).sum();
            let kept = pending.end.map_or(pending.credits, |end| end.credits_kept);
            assert_eq!(taken, kept.get(), "what a charge did not keep came back exactly once");
            let is_captured = pending.status() == ChargeStatus::Posted;
            let is_late = pending.end.is_some_and(|end| end.at >= pending.expires_at());
            assert!(!(is_captured && is_late), "nothing is captured after its expiry");
        }

        let settings = self.account.auto_top_up.as_ref();
        if let Some((cap, last)) = settings.and_then(|settings| settings.cap).zip(self.account.last_top_up_at) {
            let of_month = self.top_ups.values().filter(|top_up| month_of(top_up.opened_at) == month_of(last));
            let can_be_paid = |status| !matches!(status, TopUpStatus::Refused(_) | TopUpStatus::Abandoned);
            let counted = of_month.filter(|top_up| can_be_paid(top_up.status)).map(|top_up| top_up.price.minor());
            assert_eq!(cap.used, counted.sum::<i64>(), "the cap counts the month's attempts");
        }

        let seqs: Vec<u64> = self.entries.iter().map(|entry| entry.seq).collect();
        assert_eq!(seqs, (1..=self.account.seq).collect::<Vec<_>>(), "seq has no gaps");

        let mut origins: Vec<Origin> = self.entries.iter().map(Entry::origin).collect();
        origins.sort();
        origins.dedup();
        assert_eq!(origins.len(), self.entries.len(), "no cause acts twice");

        let opened: Vec<Timestamp> = self.top_up_order.iter().map(|id| self.top_ups[id].opened_at).collect();
        let is_apart = |pair: &[Timestamp]| pair[1].duration_since(pair[0]) >= SignedDuration::from_hours(6);
        assert!(opened.windows(2).all(is_apart), "two attempts are at least six hours apart");

        for top_up in self.top_ups.values() {
            let origin = Origin::TopUp(top_up.id.clone());
            let granted = self.entries.iter().find(|entry| entry.origin() == origin).map(|entry| entry.credits);
            let expected = match top_up.status {
                TopUpStatus::Paid => Some(top_up.credits),
                TopUpStatus::PartlyPaid => Credits::new(top_up.price.minor() / 2),
                _ => None,
            };
            assert_eq!(granted, expected, "a paid attempt grants exactly what it froze, any other nothing");
        }
        for purchase in self.purchases.values() {
            let origin = Origin::Purchase(purchase.id.clone());
            let granted = self.entries.iter().find(|entry| entry.origin() == origin).map(|entry| entry.credits);
            let expected = (purchase.status == PurchaseStatus::Paid).then_some(purchase.credits);
            assert_eq!(granted, expected, "a paid purchase grants exactly its package, any other nothing");
        }
    }
}
