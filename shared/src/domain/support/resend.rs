//! Sending a stored e-mail again.

use super::{Act, ActKind, Acting};
use crate::domain::{Account, AccountClosed, Change, Notice, NoticeId};
use jiff::{SignedDuration, Timestamp};

/// How many e-mails support may send again to one account within a day.
pub const RESENDS_PER_DAY_MAX: usize = 5;
const A_DAY: SignedDuration = SignedDuration::from_hours(24);
/// The same e-mail is sent again at most once in this time, so a request that is repeated does not send it twice.
const RESEND_INTERVAL: SignedDuration = SignedDuration::from_hours(1);
/// The stream gives an e-mail up after this time; until then it may still be sent by itself. As in `template.yaml`.
const SENDING_MAX: SignedDuration = SignedDuration::from_hours(6);

/// What is known about an e-mail that is to be sent again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoticeState {
    pub notice: Notice,
    /// The account's newest acts, newest first.
    pub acts: Vec<Act>,
    /// Whether the account has older acts than these.
    pub has_older_acts: bool,
}

/// Why an e-mail is not sent again, in order of precedence.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ResendRefusal {
    #[error(transparent)]
    Closed(#[from] AccountClosed),
    #[error("the e-mail is being sent since {since}")]
    BeingSent { since: Timestamp },
    #[error("the e-mail was already sent again at {at}")]
    ResentRecently { at: Timestamp, possible_at: Timestamp },
    #[error("{RESENDS_PER_DAY_MAX} e-mails were sent again to this account within a day")]
    TooMany { possible_at: Timestamp },
}

/// Stores the e-mail once more, as a notice of its own: it takes the same road as the first one, to the contact that is
/// deliverable when it is sent or to the address of its own, and each of both says when it was sent.
///
/// # Errors
/// [`ResendRefusal`].
pub fn decide_resend(
    account: &Account,
    state: &NoticeState,
    (resent_as, acting): (NoticeId, Acting),
    now: Timestamp,
) -> Result<Change, ResendRefusal> {
    account.check_not_closed()?;
    let NoticeState { notice, .. } = state;
    let sending_until = after(notice.created_at, SENDING_MAX);
    if notice.sent_at.is_none() && now < sending_until {
        return Err(ResendRefusal::BeingSent { since: notice.created_at });
    }
    check_recent(state, now)?;
    let mut change = Change::on(account, now);
    let (id, kind) = (resent_as.clone(), notice.kind.clone());
    change.notices.extend(match notice.is_addressed {
        true => Notice::addressed(id, account, (notice.to.clone(), kind), now),
        false => account.owed(id, kind, now),
    });
    let kind = ActKind::NoticeResent { notice: notice.id.clone(), resent_as };
    change.records.push(acting.record(kind, now));
    Ok(change)
}

fn check_recent(state: &NoticeState, now: Timestamp) -> Result<(), ResendRefusal> {
    let NoticeState { notice, acts, has_older_acts } = state;
    let is_recent = |act: &&Act, within| now < after(act.at, within);
    let is_of_this = |act: &&Act| match &act.kind {
        ActKind::NoticeResent { notice: of, resent_as } => *of == notice.id || *resent_as == notice.id,
        _ => false,
    };
    if let Some(last) = acts.iter().filter(is_of_this).find(|act| is_recent(act, RESEND_INTERVAL)) {
        return Err(ResendRefusal::ResentRecently { at: last.at, possible_at: after(last.at, RESEND_INTERVAL) });
    }
    let resent: Vec<_> =
        acts.iter().filter(|act| matches!(act.kind, ActKind::NoticeResent { .. }) && is_recent(act, A_DAY)).collect();
    // If all the acts that were read are of this day, there may be more of it.
    let oldest = acts.last().filter(|oldest| *has_older_acts && is_recent(oldest, A_DAY));
    match resent.get(RESENDS_PER_DAY_MAX.saturating_sub(1)).copied().or(oldest) {
        Some(first) => Err(ResendRefusal::TooMany { possible_at: after(first.at, A_DAY) }),
        None => Ok(()),
    }
}

fn after(instant: Timestamp, duration: SignedDuration) -> Timestamp {
    instant.saturating_add(duration).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::samples::*;
    use crate::domain::{ActId, Credits, EmailAddress, NoticeKind, Record, TopUpId};

    const HOUR: i64 = 3_600;
    const NOW: i64 = 100 * HOUR;

    fn notice(created_at: i64, sent_at: Option<i64>) -> Notice {
        let kind = NoticeKind::TopUpActionRequired {
            top_up: TopUpId::mint(1),
            credits: Credits::constant(500),
            price: settings(500, 1_500).consent.price_max,
            card: Default::default(),
        };
        let old = Account { email: EmailAddress::parse("old@example.com").ok(), ..account() };
        Notice { sent_at: sent_at.map(at), ..old.owed(NoticeId::mint(1), kind, at(created_at)).unwrap() }
    }

    fn resent(seconds: i64, of: u128) -> Act {
        let kind = ActKind::NoticeResent { notice: NoticeId::mint(of), resent_as: NoticeId::mint(of + 100) };
        Act { id: ActId::mint(1), kind, operator: acting().operator, reason: acting().reason, at: at(seconds) }
    }

    fn decide(notice: Notice, acts: Vec<Act>, has_older_acts: bool) -> Result<Change, ResendRefusal> {
        let state = NoticeState { notice, acts, has_older_acts };
        decide_resend(&account(), &state, (NoticeId::mint(9), acting()), at(NOW))
    }

    #[test]
    fn the_same_e_mail_goes_to_the_current_address_as_a_notice_of_its_own() {
        let sent = notice(1, Some(2));
        let change = decide(sent.clone(), vec![], false).unwrap();
        let expected =
            Notice { id: NoticeId::mint(9), to: account().email.unwrap(), created_at: at(NOW), sent_at: None, ..sent };
        assert_eq!(change.notices, [expected]);
        let Some(Record::Act(act)) = change.records.last() else { panic!("{:?}", change.records) };
        assert_eq!(act.kind, ActKind::NoticeResent { notice: NoticeId::mint(1), resent_as: NoticeId::mint(9) });
    }

    #[test]
    fn an_e_mail_that_the_stream_still_sends_is_not_sent_twice() {
        let young = notice(NOW - 6 * HOUR + 1, None);
        let refused = Err(ResendRefusal::BeingSent { since: at(NOW - 6 * HOUR + 1) });
        assert_eq!(decide(young, vec![], false), refused);
        assert!(decide(notice(NOW - 6 * HOUR, None), vec![], false).is_ok(), "the stream has given it up");
    }

    #[test]
    fn the_same_e_mail_is_sent_again_once_an_hour() {
        let sent = || notice(1, Some(2));
        for (act, is_refused) in
            [(resent(NOW - HOUR + 1, 1), true), (resent(NOW - HOUR, 1), false), (resent(NOW - HOUR + 1, 2), false)]
        {
            assert_eq!(decide(sent(), vec![act.clone()], false).is_err(), is_refused, "{act:?}");
        }
        let copy = Notice { id: NoticeId::mint(101), ..sent() };
        assert!(decide(copy, vec![resent(NOW - 1, 1)], false).is_err(), "the copy is the same e-mail");
    }

    #[test]
    fn an_account_gets_at_most_five_e_mails_again_within_a_day() {
        let acts = |count: u128| (0..count).map(|number| resent(NOW - 2 * HOUR, 10 + number)).collect::<Vec<_>>();
        assert!(decide(notice(1, Some(2)), acts(4), false).is_ok());
        let possible_at = at(NOW + 22 * HOUR);
        assert_eq!(decide(notice(1, Some(2)), acts(5), false), Err(ResendRefusal::TooMany { possible_at }));
        let yesterday = resent(NOW - 24 * HOUR, 20);
        assert!(decide(notice(1, Some(2)), [acts(4), vec![yesterday]].concat(), false).is_ok());
    }

    #[test]
    fn more_acts_of_a_day_than_were_read_count_as_too_many() {
        let checked = |seconds| Act { kind: ActKind::TopUpChecked, ..resent(seconds, 1) };
        assert!(decide(notice(1, Some(2)), vec![checked(NOW - HOUR)], true).is_err());
        assert!(decide(notice(1, Some(2)), vec![checked(NOW - HOUR)], false).is_ok());
        assert!(decide(notice(1, Some(2)), vec![checked(NOW - 24 * HOUR)], true).is_ok());
    }
}
