//! The rules of contacts, and the readers of their addresses.

use crate::ledger::Committed;
use crate::names;
use crate::request::{Request, is_usable};
use crate::run::Run;
use crate::world::World;
use fastrand::Rng;
use jiff::{SignedDuration, Timestamp};
use shared::domain::contacts::{ChosenContact, Contact, ContactList, Contacts, DeliveryProblem, Role};
use shared::domain::{Account, AccountId, ContactId, EmailAddress, Notice, NoticeId, NoticeKind};
use std::collections::{BTreeMap, BTreeSet};

/// The most confirmations within a day, as documented.
const CONFIRMATIONS_MAX: usize = 10;

macro_rules! rule {
    ($holds:expr, $($words:tt)*) => {
        if !$holds {
            return Err(format!($($words)*));
        }
    };
}

/// Whatever the contacts are changed to, the account has a confirmed billing address, which is its own, and every
/// confirmed address was confirmed by its reader.
///
/// # Errors
/// The first broken rule.
pub fn check_change(world: &World, id: &AccountId, account: &Account, contacts: &Contacts) -> Result<(), String> {
    let all = || contacts.listed.iter().chain(&contacts.kept);
    for contact in all().filter(|contact| contact.confirmed_at.is_some()) {
        rule!(world.is_confirmed(id, &contact.address), "{} of {id} was never confirmed", contact.address);
    }
    let first = all().find(|contact| contact.roles.contains(&Role::Billing) && contact.confirmed_at.is_some());
    let first = first.map(|contact| &contact.address);
    let own = account.email.as_ref();
    rule!(first.is_some() && first == own, "{id} has the address {own:?}, its first contact is {first:?}");
    let is_needless = contacts.kept.is_some() && contacts.listed.iter().any(is_usable);
    rule!(!is_needless, "{id} keeps an address although its list has one to use");
    Ok(())
}

/// The contacts of each account as they were last written.
#[derive(Default)]
pub struct KnownContacts {
    contacts: BTreeMap<AccountId, Contacts>,
    /// The e-mails that came back.
    returned: BTreeSet<NoticeId>,
}

impl KnownContacts {
    /// # Errors
    /// The first broken rule.
    pub fn check(&mut self, committed: &Committed) -> Result<(), String> {
        let Committed { before, change, .. } = committed;
        let id = &change.account.id;
        let Some(before) = before else { return Ok(()) };
        if change.account.closed_at.is_some() {
            self.contacts.remove(id);
            return Ok(());
        }
        let Some(known) = self.contacts.get(id).cloned().or_else(|| Contacts::of(before, None)) else {
            return Err(format!("{id} has no address"));
        };
        let after = change.contacts().unwrap_or(&known);
        rule!(change.account.email == before.email || change.contacts().is_some(), "{id} moves without its contacts");
        let is_marked =
            all(after).any(|contact| contact.problem.is_some() && problem_of(&known, contact) != contact.problem);
        let had_one = all(&known).any(is_usable);
        rule!(!had_one || is_marked || all(after).any(is_usable), "no e-mail reaches {id} any more");
        check_told(&change.notices, &known, after)?;
        for notice in &change.notices {
            check_owed_again(notice, &change.notices, after)?;
            let is_first = notice.returned_at.is_none() || self.returned.insert(notice.id.clone());
            rule!(is_first, "{} comes back twice", notice.id);
        }
        for contact in all(after) {
            check_problem(contact, &known)?;
        }
        if let Some(contacts) = change.contacts() {
            self.contacts.insert(id.clone(), contacts.clone());
        }
        Ok(())
    }
}

fn all(contacts: &Contacts) -> impl Iterator<Item = &Contact> {
    contacts.listed.iter().chain(&contacts.kept)
}

fn problem_of(contacts: &Contacts, contact: &Contact) -> Option<DeliveryProblem> {
    all(contacts).find(|known| known.address == contact.address)?.problem
}

/// A problem ends with a confirmation that was asked for, and no report from before one counts.
fn check_problem(contact: &Contact, known: &Contacts) -> Result<(), String> {
    let address = &contact.address;
    let Some(before) = all(known).find(|known| known.address == *address) else { return Ok(()) };
    let is_over = before.problem.is_some() && contact.problem.is_none();
    rule!(!is_over || before.asked_at.is_some(), "{address} is used again although its reader was not asked");
    let is_new = before.problem != contact.problem;
    let is_late = contact.problem.zip(before.confirmed_at).is_some_and(|(problem, at)| problem.at < at);
    rule!(!is_new || !is_late, "{address} is marked by a report from before its confirmation");
    Ok(())
}

/// Who has to confirm is asked, and those who could be reached before are told of every other list.
fn check_told(notices: &[Notice], known: &Contacts, after: &Contacts) -> Result<(), String> {
    let addresses =
        |contacts: &Contacts| contacts.listed.iter().map(|contact| contact.address.clone()).collect::<Vec<_>>();
    let told = |is_such: fn(&NoticeKind) -> bool| -> BTreeSet<&EmailAddress> {
        notices.iter().filter(|notice| is_such(&notice.kind)).map(|notice| &notice.to).collect()
    };
    let asked = told(|kind| matches!(kind, NoticeKind::ContactConfirmation { .. }));
    let is_asked = |contact: &&Contact| {
        let before = all(known).find(|known| known.address == contact.address).and_then(|known| known.asked_at);
        contact.asked_at.is_some() && contact.asked_at != before
    };
    let to_be_asked: BTreeSet<_> = after.listed.iter().filter(is_asked).map(|contact| &contact.address).collect();
    // Support may send a confirmation again.
    rule!(to_be_asked.is_subset(&asked), "{to_be_asked:?} have to confirm, {asked:?} are asked");
    if addresses(known) != addresses(after) {
        let warned = told(|kind| matches!(kind, NoticeKind::ContactsChanged(_)));
        let reached: BTreeSet<_> =
            all(known).filter(|contact| is_usable(contact)).map(|contact| &contact.address).collect();
        rule!(warned == reached, "{warned:?} are told of a change, {reached:?} could be");
    }
    Ok(())
}

/// An e-mail that came back is owed to one other contact, if there is one.
fn check_owed_again(returned: &Notice, notices: &[Notice], after: &Contacts) -> Result<(), String> {
    if returned.returned_at.is_none() {
        return Ok(());
    }
    let id = &returned.id;
    let renewed: Vec<_> = notices.iter().filter(|notice| !notice.tried.is_empty() && notice.id != *id).collect();
    let tried: Vec<_> = returned.tried.iter().chain(&returned.sent_to).collect();
    // One about a low balance goes to those for alerts, and then to those for billing.
    let is_low = matches!(returned.kind, NoticeKind::LowBalance { .. });
    let is_reachable = |contact: &Contact| contact.confirmed_at.is_some() && contact.problem.is_none();
    let may_get = |contact: &Contact| if is_low { is_reachable(contact) } else { is_usable(contact) };
    let has_next = all(after).any(|contact| may_get(contact) && !tried.contains(&&contact.address));
    let expected = usize::from(has_next && !returned.is_addressed);
    rule!(renewed.len() == expected, "{id} came back and is owed {} times more, not {expected}", renewed.len());
    for renewed in renewed {
        let is_of_it = renewed.kind == returned.kind && renewed.tried.iter().collect::<Vec<_>>() == tried;
        rule!(is_of_it && renewed.sent_at.is_none(), "{} is not {id} once more", renewed.id);
    }
    Ok(())
}

/// Confirmations are bounded.
///
/// # Errors
/// The first broken rule.
pub fn check_confirmations(notices: &BTreeMap<NoticeId, Notice>) -> Result<(), String> {
    let day = SignedDuration::from_hours(24);
    // Support may send one again, which is bounded by itself.
    let mut first: BTreeMap<&ContactId, Timestamp> = BTreeMap::new();
    for notice in notices.values() {
        let NoticeKind::ContactConfirmation { contact } = &notice.kind else { continue };
        let known = first.entry(contact).or_insert(notice.created_at);
        *known = (*known).min(notice.created_at);
    }
    let mut times: Vec<_> = first.into_values().collect();
    times.sort_unstable();
    for window in times.windows(CONFIRMATIONS_MAX + 1) {
        let [first, .., last] = window else { continue };
        rule!(last.duration_since(*first) >= day, "{} confirmations within a day", window.len());
    }
    Ok(())
}

/// One of four addresses of an account; the first is the one that it was opened with.
fn address(account: &AccountId, number: usize) -> EmailAddress {
    match number {
        0 => crate::request::email(account),
        _ => EmailAddress::parse(format!("reader{number}@{account}.example")).expect("a good address"),
    }
}

fn choose_list(rng: &mut Rng, account: &AccountId) -> ContactList {
    let mut numbers = [0, 1, 2, 3];
    rng.shuffle(&mut numbers);
    let count = rng.usize(1..4);
    let mut contacts: Vec<_> = numbers[..count]
        .iter()
        .map(|number| {
            let roles: &[Role] = [&[Role::Billing][..], &[Role::Alerts], &Role::ALL][rng.usize(0..3)];
            let (roles, opted_out) = (roles.iter().copied().collect(), BTreeSet::new());
            ChosenContact { address: address(account, *number), roles, opted_out }
        })
        .collect();
    contacts[0].roles.insert(Role::Billing);
    ContactList::new(contacts).expect("different addresses, one for billing")
}

/// The customer chooses contacts, a reader confirms an address, a mailbox breaks or is repaired, or a report arrives.
pub fn use_contacts(run: &mut Run, rng: &mut Rng, name: &str) -> bool {
    let account = names::account(name);
    let request = match rng.u32(0..8) {
        0 => Some(Request::SetContacts(account.clone(), choose_list(rng, &account))),
        1..4 => rng.choice(asked(run, &account, |_| true)),
        4..6 => rng.choice(run.reports()),
        _ => {
            let addresses = [0, 1, 2, 3].map(|number| address(&account, number));
            let is_broken = |address: &&EmailAddress| run.world().readers().broken.contains(*address);
            let broken: Vec<_> = addresses.iter().filter(is_broken).collect();
            let marked = rng.choice(confirmed(run, &account, |contact| contact.problem.is_some()));
            // Mailboxes work most of the time.
            let Some(address) = marked.or_else(|| rng.choice(broken).cloned()).filter(|_| rng.u32(0..3) > 0) else {
                let broken = rng.choice(confirmed(run, &account, |_| true)).or_else(|| rng.choice(addresses));
                run.world().readers().broken.extend(broken);
                return true;
            };
            run.world().readers().broken.remove(&address);
            // Its reader finds the links of before in it.
            let links = asked(run, &account, |to| *to == address);
            if links.is_empty() {
                return true;
            }
            rng.choice(links)
        }
    };
    let Some(request) = request else { return false };
    if rng.u32(0..3) == 0 {
        run.run_now(request);
    } else {
        run.start(request);
    }
    true
}

/// The addresses of an account's list that were confirmed, of such contacts.
fn confirmed(run: &Run, account: &AccountId, is_such: impl Fn(&Contact) -> bool) -> Vec<EmailAddress> {
    let tables = run.world().ledger.tables();
    let contacts = tables.partitions.get(account).and_then(|partition| partition.contacts.as_ref());
    let listed = contacts.iter().flat_map(|contacts| &contacts.listed);
    let confirmed = listed.filter(|contact| contact.confirmed_at.is_some() && is_such(contact));
    confirmed.map(|contact| contact.address.clone()).collect()
}

/// The links that such readers were sent, each to a mailbox that exists.
fn asked(run: &Run, account: &AccountId, is_such: impl Fn(&EmailAddress) -> bool) -> Vec<Request> {
    let tables = run.world().ledger.tables();
    let readers = run.world().readers();
    let notices = tables.partitions.get(account).into_iter().flat_map(|partition| partition.notices.values());
    let link = |notice: &Notice| match &notice.kind {
        NoticeKind::ContactConfirmation { contact }
            if is_such(&notice.to) && !readers.broken.contains(&notice.to) && notice.sent_at.is_some() =>
        {
            Some(Request::ConfirmContact(account.clone(), contact.clone()))
        }
        _ => None,
    };
    notices.filter_map(link).collect()
}

/// The customer leaves the address of the opening out and chooses another one, alone or before it.
pub fn choose(has_owner: bool) -> Request {
    let account = names::account("acme");
    let roles = || BTreeSet::from([Role::Billing]);
    let mut addresses = vec![address(&account, 1)];
    addresses.extend(has_owner.then(|| address(&account, 0)));
    let chosen =
        addresses.into_iter().map(|address| ChosenContact { address, roles: roles(), opted_out: BTreeSet::new() });
    Request::SetContacts(account, ContactList::new(chosen.collect()).expect("different addresses, one for billing"))
}

/// The reader of the new address follows its link. If it was not sent yet, a sweep does no harm.
pub fn confirm(run: &Run) -> Request {
    asked(run, &names::account("acme"), |_| true).pop().unwrap_or(Request::Sweep(None))
}

/// The new address works again, and its reader finds the old link in it.
pub fn repair_mailbox(run: &mut Run) {
    let address = address(&names::account("acme"), 1);
    run.world().readers().broken.remove(&address);
}

/// The new address does not exist any more.
pub fn break_mailbox(run: &mut Run) {
    let address = address(&names::account("acme"), 1);
    run.world().readers().broken.insert(address);
}
