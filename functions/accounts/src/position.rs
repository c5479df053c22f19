//! The position of a verification as a cursor: everything that its next part has to know.
//!
//! Whoever changes a cursor deceives only themselves: a cursor is read strictly, and decides nothing but the answer.

use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use shared::domain::spending::Limit;
use shared::domain::usage::{OpenRow, RowPrint, RowsVerified};
use shared::domain::{Credits, EntryHash, Granularity, IdempotencyKey, Limits, Period, Spender, Verified};
use shared::use_cases::accounts::{Counting, LedgerPosition, LimitsPosition, PendingPosition, Position};

/// Numbers with dots between them for the entries, and JSON in hexadecimal digits for everything else.
pub fn cursor_of(position: &LedgerPosition) -> String {
    match position {
        LedgerPosition::Entries(position) => entries_cursor(*position),
        other => hex::encode(serde_json::to_vec(&Saved::of(other)).unwrap_or_default()),
    }
}

/// The position of a cursor in its one form.
pub fn position_of(text: &str) -> Option<LedgerPosition> {
    let position = if text.contains('.') {
        LedgerPosition::Entries(entries_position(text)?)
    } else {
        serde_json::from_slice::<Saved>(&hex::decode(text).ok()?).ok()?.position()?
    };
    (cursor_of(&position) == text).then_some(position)
}

fn entries_cursor(position: Position) -> String {
    let Position { verified: Verified { seq, balance, hash }, waiting_since } = position;
    let hash = hash.map_or_else(String::new, |hash| hash.to_string());
    let since = waiting_since.map_or_else(String::new, |since| since.as_millisecond().to_string());
    format!("{seq}.{balance}.{hash}.{since}")
}

fn entries_position(text: &str) -> Option<Position> {
    let mut parts = text.split('.');
    let seq = parts.next()?.parse().ok()?;
    let balance = Credits::new(parts.next()?.parse().ok()?)?;
    let hash = match parts.next()? {
        "" => None,
        hash => Some(EntryHash::parse(hash)?),
    };
    let waiting_since = match parts.next()? {
        "" => None,
        since => Some(Timestamp::from_millisecond(since.parse().ok()?).ok()?),
    };
    Some(Position { verified: Verified { seq, balance, hash }, waiting_since })
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Saved {
    seq: u64,
    balance: i64,
    hash: Option<String>,
    phase: SavedPhase,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum SavedPhase {
    Entries,
    Rows { after_seq: u64, open: Vec<SavedRow>, compared: [Option<Date>; 2] },
    PendingCharges(Option<SavedPending>),
    Limits { is_account_done: bool, spender: Option<String>, counting: Option<Box<SavedCounting>> },
}

/// The granularity, the first day, the four sums and the last entry.
#[derive(Serialize, Deserialize)]
struct SavedRow(String, Date, [String; 4], u64);

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SavedPending {
    seq: u64,
    pending: i64,
    at: i64,
    sure: i64,
    unsure: i64,
    after: Option<String>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SavedCounting {
    spender: Option<String>,
    /// Of each limit: the credits that may be spent, those that were, and after which entry it counts.
    limits: [Option<(i64, i64, u64)>; 3],
    date: Date,
    between: [u64; 2],
    after_seq: u64,
    spent: [i64; 3],
    matched: [bool; 3],
}

impl Saved {
    fn of(position: &LedgerPosition) -> Self {
        let Verified { seq, balance, hash } = *position.verified();
        let phase = match position {
            LedgerPosition::Entries(_) => SavedPhase::Entries,
            LedgerPosition::Rows(_, rows) => SavedPhase::Rows {
                after_seq: rows.after_seq,
                open: rows.open.iter().map(|(period, open)| SavedRow::of(*period, open)).collect(),
                compared: Granularity::ALL.map(|granularity| rows.compared.get(&granularity).copied()),
            },
            LedgerPosition::Pending(_, pending) => SavedPhase::PendingCharges(pending.as_ref().map(SavedPending::of)),
            LedgerPosition::Limits(_, LimitsPosition { is_account_done, spender, counting }) => SavedPhase::Limits {
                is_account_done: *is_account_done,
                spender: spender.as_ref().map(ToString::to_string),
                counting: counting.as_deref().map(|counting| Box::new(SavedCounting::of(counting))),
            },
        };
        Self { seq, balance: balance.get(), hash: hash.map(|hash| hash.to_string()), phase }
    }

    fn position(self) -> Option<LedgerPosition> {
        let hash = match self.hash {
            Some(hash) => Some(EntryHash::parse(&hash)?),
            None => None,
        };
        let verified = Verified { seq: self.seq, balance: Credits::new(self.balance)?, hash };
        Some(match self.phase {
            // These have cursors of their own.
            SavedPhase::Entries => return None,
            SavedPhase::Rows { after_seq, open, compared } => {
                let open = open.into_iter().map(SavedRow::row).collect::<Option<_>>()?;
                let compared = Granularity::ALL.into_iter().zip(compared);
                let compared = compared.filter_map(|(granularity, date)| Some((granularity, date?))).collect();
                LedgerPosition::Rows(verified, RowsVerified { after_seq, open, compared })
            }
            SavedPhase::PendingCharges(None) => LedgerPosition::Pending(verified, None),
            SavedPhase::PendingCharges(Some(saved)) => LedgerPosition::Pending(verified, Some(saved.pending()?)),
            SavedPhase::Limits { is_account_done, spender, counting } => {
                let counting = match counting {
                    Some(counting) => Some(Box::new(counting.counting()?)),
                    None => None,
                };
                LedgerPosition::Limits(
                    verified,
                    LimitsPosition { is_account_done, spender: spender_of(spender)?, counting },
                )
            }
        })
    }
}

fn spender_of(saved: Option<String>) -> Option<Option<Spender>> {
    match saved {
        Some(spender) => Spender::parse(spender).ok().map(Some),
        None => Some(None),
    }
}

impl SavedRow {
    fn of(period: Period, open: &OpenRow) -> Self {
        let RowPrint { total, operations, spenders, hours } = open.print;
        let parts = [total, operations, spenders, hours].map(|part| format!("{part:x}"));
        Self(period.granularity().name().to_owned(), period.first(), parts, open.last)
    }

    fn row(self) -> Option<(Period, OpenRow)> {
        let Self(granularity, first, parts, last) = self;
        let period = Period::of_date(Granularity::of_name(&granularity)?, first);
        let [total, operations, spenders, hours] = parts.map(|part| u128::from_str_radix(&part, 16).ok());
        let print = RowPrint { total: total?, operations: operations?, spenders: spenders?, hours: hours? };
        Some((period, OpenRow { print, last }))
    }
}

impl SavedPending {
    fn of(pending: &PendingPosition) -> Self {
        let PendingPosition { seq, pending, at, sure, unsure, after } = pending.clone();
        Self { seq, pending, at: at.as_millisecond(), sure, unsure, after: after.map(|charge| charge.to_string()) }
    }

    fn pending(self) -> Option<PendingPosition> {
        let Self { seq, pending, at, sure, unsure, after } = self;
        let after = match after {
            Some(charge) => Some(IdempotencyKey::parse(charge).ok()?),
            None => None,
        };
        Some(PendingPosition { seq, pending, at: Timestamp::from_millisecond(at).ok()?, sure, unsure, after })
    }
}

impl SavedCounting {
    fn of(counting: &Counting) -> Self {
        let Counting { spender, limits, date, between, after_seq, spent, matched } = counting.clone();
        let limit = |limit: Limit| (limit.max.get(), limit.used.get(), limit.after_seq);
        let limits = [limits.day, limits.month, limits.total].map(|one| one.map(limit));
        Self { spender: spender.map(|spender| spender.to_string()), limits, date, between, after_seq, spent, matched }
    }

    fn counting(self) -> Option<Counting> {
        let Self { spender, limits, date, between, after_seq, spent, matched } = self;
        let limit =
            |(max, used, after_seq)| Some(Limit { max: Credits::new(max)?, used: Credits::new(used)?, after_seq });
        let mut read = [None; 3];
        for (place, saved) in read.iter_mut().zip(limits) {
            *place = match saved {
                Some(saved) => Some(limit(saved)?),
                None => None,
            };
        }
        let [day, month, total] = read;
        let limits = Limits { day, month, total };
        Some(Counting { spender: spender_of(spender)?, limits, date, between, after_seq, spent, matched })
    }
}
