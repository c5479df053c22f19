//! Taking credits for several operations of one account together.

use super::{ChargeCommand, ChargeRefusal, ChargeRequest, decide_charge};
use crate::domain::spending::Payer;
use crate::domain::{Change, PriceBook};
use jiff::Timestamp;
use std::collections::BTreeSet;

/// The most charges in one transaction. DynamoDB writes up to 100 items in one, and a charge may need two.
/// <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html#limits-dynamodb-transactions>
pub const CHARGES_TOGETHER_MAX: usize = 49;

/// The most items of those charges: one transaction has 100, one of them is the account, and one may say that its alerts
/// are due.
const ITEMS_MAX: usize = 98;

/// How many of the charges, counted from the first one, fit into one transaction. A pending charge has two items, and
/// each of their spenders may have limits.
pub fn count_together<'a>(commands: impl IntoIterator<Item = &'a ChargeCommand>) -> usize {
    let mut spenders = BTreeSet::new();
    let items = commands.into_iter().scan(0_usize, |items, command| {
        let ChargeRequest { spender, expires_in, .. } = &command.request;
        let is_new = spender.as_ref().is_some_and(|spender| spenders.insert(spender));
        let own = [true, expires_in.is_some(), is_new].into_iter().filter(|is_needed| *is_needed).count();
        *items = items.saturating_add(own);
        Some(*items)
    });
    items.take(CHARGES_TOGETHER_MAX).take_while(|items| *items <= ITEMS_MAX).count()
}

/// Charges that were decided together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DecidedCharges {
    /// One entry for each charge that is taken, in the order of the commands. `None` if none is taken.
    pub change: Option<Change>,
    /// For each command in order, why it is refused, or `None` if it is taken.
    pub refusals: Vec<Option<ChargeRefusal>>,
}

/// Decides each charge in order, on the account that the charges before it leave. So the first one that does not fit
/// is refused, and a smaller one after it may fit.
///
/// The payer has the limits of all their spenders.
pub fn decide_charges<'a>(
    payer: Payer<'_>,
    price_book: &PriceBook,
    commands: impl IntoIterator<Item = &'a ChargeCommand>,
    now: Timestamp,
) -> DecidedCharges {
    let mut decided = DecidedCharges { change: None, refusals: vec![] };
    let mut limits = payer.limits.to_vec();
    for command in commands {
        let account = decided.change.as_ref().map_or(payer.account, |change| &change.account);
        let refusal = match decide_charge(Payer { account, limits: &limits }, price_book, command, now) {
            Ok(next) => {
                for counted in next.all_spender_limits() {
                    limits.iter_mut().filter(|known| known.spender == counted.spender).for_each(|known| {
                        known.clone_from(counted);
                    });
                }
                decided.change = Some(match decided.change {
                    Some(change) => change.followed_by(next),
                    None => next,
                });
                None
            }
            Err(refusal) => Some(refusal),
        };
        decided.refusals.push(refusal);
    }
    decided
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::charging::ExpiresIn;
    use crate::domain::samples::*;
    use crate::domain::spending::{Bounds, LimitName, decide_spender_limits};
    use crate::domain::{Account, Credits, Restriction, RestrictionReason, Spender};

    /// Trainings of so many minutes, at ten credits each.
    fn commands(minutes: &[i64]) -> Vec<ChargeCommand> {
        let command = |(number, minutes): (usize, &i64)| charge_command(&format!("job-{number}"), "training", *minutes);
        minutes.iter().enumerate().map(command).collect()
    }

    /// The balance that a charge's turn found, and what it costs.
    fn refused(balance: i64, required: i64) -> Option<(i64, i64)> {
        Some((balance, required))
    }

    fn figures(refusal: Option<ChargeRefusal>) -> Option<(i64, i64)> {
        match refusal? {
            ChargeRefusal::InsufficientCredits { balance, required, .. } => Some((balance.get(), required.get())),
            other => panic!("{other}"),
        }
    }

    fn decide(account: &Account, commands: &[ChargeCommand], seconds: i64) -> DecidedCharges {
        decide_charges(account.into(), &PriceBook::reference(), commands, at(seconds))
    }

    #[test]
    fn charges_are_decided_in_order_each_on_what_those_before_it_left() {
        for (name, balance, minutes, expected) in [
            ("no charge", 100, vec![], vec![]),
            ("all fit", 60, vec![1, 2, 3], vec![None, None, None]),
            ("the last does not fit", 59, vec![1, 2, 3], vec![None, None, refused(29, 30)]),
            (
                "the first that does not fit, and smaller ones",
                30,
                vec![4, 1, 3, 2],
                vec![refused(30, 40), None, refused(20, 30), None],
            ),
            ("nothing is left for the same again", 10, vec![1, 1], vec![None, refused(0, 10)]),
            ("none fits", 9, vec![1, 2], vec![refused(9, 10), refused(9, 20)]),
            ("clawed back", -5, vec![1], vec![refused(-5, 10)]),
        ] {
            let before = Account { balance: Credits::constant(balance), seq: 7, version: 11, ..account() };
            let decided = decide(&before, &commands(&minutes), 5);
            assert_eq!(decided.refusals.into_iter().map(figures).collect::<Vec<_>>(), expected, "{name}");
            let taken: Vec<i64> = minutes
                .iter()
                .zip(&expected)
                .filter(|(_, refusal)| refusal.is_none())
                .map(|(taken, _)| *taken)
                .collect();
            let Some(change) = decided.change else {
                assert!(taken.is_empty(), "{name}");
                continue;
            };
            let entries: Vec<(u64, i64)> =
                change.entries.iter().map(|entry| (entry.seq, entry.credits.get())).collect();
            assert_eq!(entries, (8..).zip(taken.iter().map(|minutes| -10 * minutes)).collect::<Vec<_>>(), "{name}");
            let mut balance = balance;
            for entry in &change.entries {
                balance += entry.credits.get();
                assert_eq!(entry.balance_after.get(), balance, "{name}");
            }
            let account = &change.account;
            assert_eq!((account.version, account.seq, account.balance.get()), (12, 7 + taken.len() as u64, balance));
        }
    }

    #[test]
    fn a_restriction_refuses_all() {
        let reason = RestrictionReason::parse("review").unwrap();
        let restriction = Some(Restriction { reason: reason.clone(), until: at(100) });
        let before = Account { balance: Credits::constant(100), restriction, ..account() };
        let decided = decide(&before, &commands(&[1, 20]), 5);
        let refusal = Some(ChargeRefusal::Restricted { reason, until: at(100) });
        assert_eq!(decided, DecidedCharges { change: None, refusals: vec![refusal.clone(), refusal] });
    }

    #[test]
    fn one_charge_is_decided_as_it_is_alone() {
        for balance in [9, 10, 1_000] {
            let before = Account { balance: Credits::constant(balance), ..account() };
            let commands = commands(&[1]);
            let decided = decide(&before, &commands, 5);
            match decide_charge(&before, &PriceBook::reference(), &commands[0], at(5)) {
                Ok(change) => assert_eq!(decided, DecidedCharges { change: Some(change), refusals: vec![None] }),
                Err(refusal) => {
                    assert_eq!(decided, DecidedCharges { change: None, refusals: vec![Some(refusal)] });
                }
            }
        }
    }

    /// Each charge counts against its spender's limits before the next one is decided, and they are written once.
    #[test]
    fn limits_are_counted_in_order_and_written_once_for_each_spender() {
        let [limited, other] = ["key-1", "key-2"].map(|name| Spender::parse(name).unwrap());
        let opened = Account { balance: Credits::constant(1_000), ..account() };
        let bounds = Bounds { total: Some(Credits::constant(50)), ..Bounds::default() };
        let set = decide_spender_limits(&opened, (&limited, None), bounds, at(1)).unwrap();
        let known = set.spender_limits().unwrap().clone();
        let mut commands = commands(&[3, 3, 3, 2]);
        for (command, spender) in commands.iter_mut().zip([&limited, &limited, &other, &limited]) {
            command.request.spender = Some(spender.clone());
        }
        let payer = Payer { account: &set.account, limits: std::slice::from_ref(&known) };
        let decided = decide_charges(payer, &PriceBook::reference(), &commands, at(5));
        let refused = decided.refusals.iter().map(|refusal| match refusal {
            Some(ChargeRefusal::LimitReached(reached)) => Some((reached.limit, reached.left.get())),
            None => None,
            other => panic!("{other:?}"),
        });
        assert_eq!(refused.collect::<Vec<_>>(), [None, Some((LimitName::SpenderTotal, 20)), None, None]);
        let change = decided.change.unwrap();
        let written: Vec<_> = change.all_spender_limits().collect();
        let [written] = &written[..] else { panic!("one record for each spender: {written:?}") };
        assert_eq!(written.limits.total.unwrap().used.get(), 50);
        assert_eq!(change.account.balance.get(), 1_000 - 80);
    }

    #[test]
    fn as_many_charges_are_together_as_one_transaction_has_room_for() {
        let count = |change: fn(usize, &mut ChargeRequest)| {
            let mut commands = commands(&[1; 100]);
            for (number, command) in commands.iter_mut().enumerate() {
                change(number, &mut command.request);
            }
            count_together(&commands)
        };
        assert_eq!(count(|_, _| {}), 49);
        assert_eq!(count(|_, request| request.expires_in = ExpiresIn::new(60).ok()), 49);
        assert_eq!(count(|number, request| request.spender = Spender::parse(format!("key-{number}")).ok()), 49);
        assert_eq!(
            count(|_, request| {
                request.expires_in = ExpiresIn::new(60).ok();
                request.spender = Spender::parse("key-1").ok();
            }),
            48
        );
        assert_eq!(
            count(|number, request| {
                request.expires_in = ExpiresIn::new(60).ok();
                request.spender = Spender::parse(format!("key-{number}")).ok();
            }),
            32
        );
        assert_eq!(count_together(&commands(&[1; 3])), 3);
    }
}
