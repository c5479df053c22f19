//! Which entries of a history are asked for.

use super::{Cause, Entry};
use crate::domain::{OperationName, Reference, Spender};
use jiff::{SignedDuration, Timestamp};

/// An entry matches if it has every value that the filter names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HistoryFilter {
    /// One of [`super::Origin::KINDS`].
    pub kind: Option<&'static str>,
    /// Only charges and captures have an operation.
    pub operation: Option<OperationName>,
    /// Only charges have a spender.
    pub spender: Option<Spender>,
    /// Only charges and imports have a reference.
    pub reference: Option<Reference>,
    /// Entries made at this instant or later.
    pub from: Option<Timestamp>,
    /// Entries made before this instant.
    pub to: Option<Timestamp>,
    pub seq: Option<u64>,
}

impl HistoryFilter {
    /// How far the clocks of two running functions may be apart. An entry is decided after the one before it was
    /// committed, so its time is at most this much earlier.
    pub const CLOCKS_APART_MAX: SignedDuration = SignedDuration::from_secs(5);

    pub fn matches(&self, entry: &Entry) -> bool {
        let details = Details::of(&entry.cause);
        self.kind.is_none_or(|kind| kind == entry.origin().kind())
            && is_same(self.operation.as_ref(), details.operation)
            && is_same(self.spender.as_ref(), details.spender)
            && is_same(self.reference.as_ref(), details.reference)
            && self.from.is_none_or(|from| entry.created_at >= from)
            && self.to.is_none_or(|to| entry.created_at < to)
            && self.seq.is_none_or(|seq| entry.seq == seq)
    }

    /// Whether the filter asks for more than a range of `seq` and time, which is all that the index is ordered by.
    pub fn is_beside_the_index(&self) -> bool {
        self.kind.is_some() || self.operation.is_some() || self.spender.is_some() || self.reference.is_some()
    }

    /// Whether no entry below this one can match, because all of them are too old.
    pub fn ends_at(&self, entry: &Entry) -> bool {
        self.seq.is_some_and(|seq| entry.seq <= seq) || self.from.is_some_and(|from| later(entry.created_at) < from)
    }

    /// An instant with this property: no entry above one that was made then or later matches. `None` if there is no
    /// such instant.
    pub fn too_new_from(&self) -> Option<Timestamp> {
        self.to.map(later)
    }
}

fn later(instant: Timestamp) -> Timestamp {
    instant.saturating_add(HistoryFilter::CLOCKS_APART_MAX).unwrap_or(Timestamp::MAX)
}

fn is_same<T: PartialEq>(asked: Option<&T>, found: Option<&T>) -> bool {
    asked.is_none() || asked == found
}

#[derive(Default)]
struct Details<'a> {
    operation: Option<&'a OperationName>,
    spender: Option<&'a Spender>,
    reference: Option<&'a Reference>,
}

impl<'a> Details<'a> {
    fn of(cause: &'a Cause) -> Self {
        match cause {
            Cause::Charge { operation, spender, reference, .. } => {
                Self { operation: Some(&operation.name), spender: spender.as_ref(), reference: reference.as_ref() }
            }
            Cause::Capture { operation, .. } => Self { operation: Some(&operation.name), ..Self::default() },
            Cause::Import { reference, .. } => Self { reference: reference.as_ref(), ..Self::default() },
            _ => Self::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::charging::decide_charge;
    use crate::domain::samples::*;
    use crate::domain::{Account, Credits, PriceBook};

    fn charge() -> Entry {
        let mut command = charge_command("job-1", "dubbing", 90_000);
        command.request.spender = Spender::parse("key-1").ok();
        command.request.reference = Reference::parse("episode-12").ok();
        let before = Account { balance: Credits::constant(100), seq: 6, ..account() };
        only_entry(&decide_charge(&before, &PriceBook::reference(), &command, at(100)).unwrap())
    }

    #[test]
    fn an_entry_matches_if_it_has_every_value_that_is_asked_for() {
        let none = HistoryFilter::default;
        let operation = |name| OperationName::parse(name).ok();
        for (name, filter, expected) in [
            ("nothing", none(), true),
            ("its kind", HistoryFilter { kind: Some("charge"), ..none() }, true),
            ("another kind", HistoryFilter { kind: Some("restore"), ..none() }, false),
            ("its operation", HistoryFilter { operation: operation("dubbing"), ..none() }, true),
            ("another operation", HistoryFilter { operation: operation("training"), ..none() }, false),
            ("its spender", HistoryFilter { spender: Spender::parse("key-1").ok(), ..none() }, true),
            ("another spender", HistoryFilter { spender: Spender::parse("key-2").ok(), ..none() }, false),
            ("its reference", HistoryFilter { reference: Reference::parse("episode-12").ok(), ..none() }, true),
            ("a part of it", HistoryFilter { reference: Reference::parse("episode-1").ok(), ..none() }, false),
            ("from its time", HistoryFilter { from: Some(at(100)), ..none() }, true),
            ("from later", HistoryFilter { from: Some(at(101)), ..none() }, false),
            ("to its time", HistoryFilter { to: Some(at(100)), ..none() }, false),
            ("to later", HistoryFilter { to: Some(at(101)), ..none() }, true),
            ("its number", HistoryFilter { seq: Some(7), ..none() }, true),
            ("another number", HistoryFilter { seq: Some(8), ..none() }, false),
            ("one of two", HistoryFilter { kind: Some("charge"), seq: Some(8), ..none() }, false),
        ] {
            assert_eq!(filter.matches(&charge()), expected, "{name}");
        }
    }

    /// A clock that is five seconds behind may have made a newer entry that looks older.
    #[test]
    fn an_end_leaves_room_for_clocks_that_differ() {
        for (from, ends) in [(100, false), (105, false), (106, true)] {
            let filter = HistoryFilter { from: Some(at(from)), ..HistoryFilter::default() };
            assert_eq!(filter.ends_at(&charge()), ends, "{from}");
        }
        let filter = HistoryFilter { to: Some(at(100)), ..HistoryFilter::default() };
        assert_eq!(filter.too_new_from(), Some(at(105)));
    }
}
