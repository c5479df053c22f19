//! Pages of an account's history, filtered.

use crate::domain::account::HistoryFilter;
use crate::domain::{Account, Entry};
use crate::ports::{History, LedgerError};
use crate::use_cases::{Capabilities, Context};
use jiff::Timestamp;

/// The entries that a page may read beyond its limit, where the index serves the filter.
const SPARE: usize = 10;
/// The entries that one page reads at most, whatever the filter.
const READ_MAX: usize = 1_000;
/// The entries that the search for the newest one in time reads at most.
const PROBES_MAX: usize = 20;
/// The search ends once it is as near as this. Reading the rest costs no more than searching on.
const NEAR: u64 = 4;

/// A page of a history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HistoryPage {
    /// Those that match, newest first. There may be fewer than the limit, or none, although more follow.
    pub entries: Vec<Entry>,
    /// The page that follows begins below this `seq`. `None` if none follows.
    pub next_before: Option<u64>,
}

/// The entries below `before_seq` that match, newest first, at most `limit` of them.
///
/// The index is ordered by `seq`. A filter by `seq` or time costs at most [`SPARE`] entries beside those of the page,
/// and the search a few more at worst. Any other filter is applied to what is read, at most [`READ_MAX`] entries; the
/// next page continues below them.
///
/// # Errors
/// [`LedgerError`].
pub async fn list_history<C: Capabilities<Ledger: History>>(
    context: &Context<C>,
    account: &Account,
    filter: &HistoryFilter,
    (before_seq, limit): (Option<u64>, usize),
) -> Result<HistoryPage, LedgerError> {
    let mut reading = Reading { context, account, read: 0 };
    let newest = account.seq.saturating_add(1);
    let before = match (before_seq, filter.seq, filter.too_new_from()) {
        (_, Some(seq), _) => before_seq.unwrap_or(u64::MAX).min(seq.saturating_add(1)),
        // A page that follows another one begins in time.
        (Some(before), ..) => before,
        (None, None, Some(too_new_from)) => reading.end_of(newest, too_new_from).await?,
        (None, None, None) => u64::MAX,
    };
    reading.page(filter, before, limit).await
}

/// What one page has read.
struct Reading<'a, C: Capabilities> {
    context: &'a Context<C>,
    account: &'a Account,
    read: usize,
}

impl<C: Capabilities<Ledger: History>> Reading<'_, C> {
    async fn below(&mut self, before: u64, count: usize) -> Result<Vec<Entry>, LedgerError> {
        let before = (before < u64::MAX).then_some(before);
        let count = u32::try_from(count).unwrap_or(u32::MAX);
        let entries = self.context.ledger.history_page(&self.account.id, before, count).await?;
        self.read += entries.len();
        Ok(entries)
    }

    async fn page(&mut self, filter: &HistoryFilter, before: u64, limit: usize) -> Result<HistoryPage, LedgerError> {
        let mut page = HistoryPage { entries: vec![], next_before: Some(before) };
        let (mut before, probed) = (before, self.read);
        while let Some(count) = self.next_count(filter, probed, (page.entries.len(), limit)) {
            let read = self.below(before, count).await?;
            if read.is_empty() {
                page.next_before = None;
            }
            for entry in read {
                before = entry.seq;
                let is_last = before <= 1 || filter.ends_at(&entry);
                page.next_before = (!is_last).then_some(before);
                if filter.matches(&entry) {
                    page.entries.push(entry);
                }
                if is_last || page.entries.len() == limit {
                    return Ok(page);
                }
            }
            if page.next_before.is_none() {
                break;
            }
        }
        Ok(page)
    }

    /// How many entries to read next; `None` if the page must do with what it has.
    ///
    /// As many as are missing, or, where many are read in vain, as many as will have those among them if the rest is
    /// like what was read.
    fn next_count(&self, filter: &HistoryFilter, probed: usize, (found, limit): (usize, usize)) -> Option<usize> {
        let (missing, read) = (limit.saturating_sub(found), self.read - probed);
        let is_served = !filter.is_beside_the_index();
        let is_within = found > 0 || self.read < limit + SPARE;
        let room = if is_served && is_within { (limit + SPARE).min(READ_MAX) } else { READ_MAX };
        let wanted = match found {
            _ if read == 0 => missing,
            1.. if is_served => missing,
            _ => (missing * read).div_ceil(found.max(1)) + SPARE,
        };
        Some(wanted.min(room.saturating_sub(self.read))).filter(|count| *count > 0)
    }

    /// A `seq` that no entry in time reaches: the end of the search for the newest entry older than this instant.
    ///
    /// `seq` grows with the time, nearly. So the search guesses from both, and halves what is left wherever a guess was
    /// poor. Whatever the clocks said in between, every entry from the result on is too new: one of them was made then
    /// or later, or there is none.
    async fn end_of(&mut self, newest: u64, too_new_from: Timestamp) -> Result<u64, LedgerError> {
        let now = self.context.now();
        if now < too_new_from {
            return Ok(u64::MAX);
        }
        let mut low = Place { seq: 0, at: self.account.created_at };
        let mut high = Place { seq: newest, at: now };
        let mut is_halving = false;
        for probe in 0..PROBES_MAX {
            let width = high.seq.saturating_sub(low.seq);
            if width <= NEAR {
                break;
            }
            let guess = if is_halving { low.seq + width / 2 } else { guess(low, high, too_new_from, probe > 0) };
            let guess = guess.clamp(low.seq + 1, high.seq - 1);
            let Some(entry) = self.below(guess + 1, 1).await?.pop().filter(|entry| entry.seq > low.seq) else { break };
            let place = Place { seq: entry.seq, at: entry.created_at };
            if place.at >= too_new_from {
                high = place;
            } else {
                low = place;
            }
            is_halving = !is_halving && high.seq - low.seq > width / 2;
        }
        Ok(high.seq)
    }
}

/// An entry's place in the history.
#[derive(Clone, Copy, Debug)]
struct Place {
    seq: u64,
    at: Timestamp,
}

/// Where the instant would be if entries came evenly between both places, counted from the nearer one. Every guess but
/// the first goes a little beyond, by what chance alone would explain, so that the next one closes in from the other
/// side.
fn guess(low: Place, high: Place, instant: Timestamp, is_beyond: bool) -> u64 {
    let milliseconds = |from: Timestamp, to: Timestamp| to.duration_since(from).as_millis().max(0);
    let width = i128::from(high.seq) - i128::from(low.seq);
    let whole = milliseconds(low.at, high.at).max(1);
    let of = |part: i128| u64::try_from((part.min(whole) * width / whole).max(0)).unwrap_or(u64::MAX);
    let (above_low, below_high) = (of(milliseconds(low.at, instant)), of(milliseconds(instant, high.at)));
    let beyond = |distance: u64| if is_beyond { 1 + distance.isqrt() / 2 } else { 0 };
    if above_low <= below_high {
        low.seq.saturating_add(above_low).saturating_add(beyond(above_low))
    } else {
        high.seq.saturating_sub(below_high).saturating_sub(beyond(below_high))
    }
}
