//! Where the account's e-mails go.

use super::layout::{Done, Layout, Section, show};
use crate::visitor::Visitor;
use crate::{App, Outside};
use askama::Template;
use lambda_http::Request;
use shared::domain::EmailAddress;
use shared::domain::contacts::{CONTACTS_MAX, ChosenContact, Contact, ContactList, InvalidContacts, Role};
use shared::http::{Parameters, Problem, Reply, parse_query};
use shared::use_cases::accounts::{read_contacts, set_contacts};
use shared::words;
use std::collections::BTreeSet;

#[derive(Template)]
#[template(path = "contacts.html")]
struct ContactsPage<'a> {
    layout: Layout<'a>,
    rows: Vec<ContactRow>,
    kept: Option<String>,
    problem: Option<String>,
}

/// One line of the form; an empty one adds a contact.
#[derive(Clone, Debug, Default)]
struct ContactRow {
    place: usize,
    email: String,
    is_for_billing: bool,
    is_for_alerts: bool,
    state: Option<String>,
}

impl ContactRow {
    fn of((place, contact): (usize, &Contact)) -> Self {
        let state = match (contact.problem, contact.confirmed_at) {
            (Some(problem), _) => format!("E-mails came back on {}", words::date(problem.at)),
            (None, Some(at)) => format!("Confirmed on {}", words::date(at)),
            (None, None) => "Waits for confirmation: we sent a link".to_owned(),
        };
        Self {
            place,
            email: contact.address.as_str().to_owned(),
            is_for_billing: contact.has(Role::Billing),
            is_for_alerts: contact.has(Role::Alerts),
            state: Some(state),
        }
    }
}

pub async fn get<O: Outside>(app: &App<O>, request: &Request, visitor: &Visitor) -> Result<Reply, Problem> {
    let done = parse_query(request, Done::read)?;
    page(app, visitor, (None, None, done)).await
}

async fn page<O: Outside>(
    app: &App<O>,
    visitor: &Visitor,
    (typed, problem, done): (Option<Vec<ContactRow>>, Option<String>, Option<Done>),
) -> Result<Reply, Problem> {
    let contacts = read_contacts(&app.context, &visitor.account.id).await?;
    let listed = contacts.iter().flat_map(|contacts| &contacts.listed).enumerate().map(ContactRow::of).collect();
    let mut rows: Vec<ContactRow> = typed.unwrap_or(listed);
    let (used, may_add) = (rows.len(), rows.len() < CONTACTS_MAX && !visitor.is_read_only());
    rows.extend(may_add.then(|| ContactRow { place: used, ..ContactRow::default() }));
    let kept = contacts.as_ref().and_then(|contacts| contacts.kept.as_ref());
    let page = ContactsPage {
        layout: Layout::of(app, visitor, (Section::Contacts, "Contacts")).with_done(done),
        rows,
        kept: kept.map(|contact| contact.address.as_str().to_owned()),
        problem,
    };
    show(if page.problem.is_some() { 422 } else { 200 }, &page)
}

/// Replaces the contacts. Those that are new get a confirmation.
pub async fn post<O: Outside>(app: &App<O>, request: &Request, visitor: &Visitor) -> Result<Reply, Problem> {
    let typed = visitor.form(request, read)?;
    match list(app, visitor, &typed).await? {
        Ok(list) => {
            set_contacts(&app.context, &visitor.account.id, &list).await?;
            Done::ContactsSaved.then("/portal/contacts")
        }
        Err(problem) => page(app, visitor, (Some(typed), Some(problem), None)).await,
    }
}

/// Lines without an address are left out.
fn read(fields: &mut Parameters) -> Vec<ContactRow> {
    let mut rows = vec![];
    for place in 0..CONTACTS_MAX {
        let email = fields.optional(&format!("email-{place}"), "an e-mail address", Some).unwrap_or_default();
        let mut is_ticked = |role: &str| fields.optional(&format!("{role}-{place}"), "on", Some).is_some();
        let (is_for_billing, is_for_alerts) = (is_ticked("billing"), is_ticked("alerts"));
        let email: String = email.trim().chars().take(254).collect();
        if !email.is_empty() {
            rows.push(ContactRow { place: rows.len(), email, is_for_billing, is_for_alerts, state: None });
        }
    }
    rows
}

/// What a contact has turned off stays turned off.
async fn list<O: Outside>(
    app: &App<O>,
    visitor: &Visitor,
    typed: &[ContactRow],
) -> Result<Result<ContactList, String>, Problem> {
    let before = read_contacts(&app.context, &visitor.account.id).await?;
    let mut chosen = vec![];
    for row in typed {
        let Ok(address) = EmailAddress::parse(row.email.as_str()) else {
            return Ok(Err(format!("{} is not an e-mail address.", row.email)));
        };
        let mut known = before.iter().flat_map(|contacts| &contacts.listed);
        let opted_out = known.find(|contact| contact.address == address).map(|contact| contact.opted_out.clone());
        let roles = [(Role::Billing, row.is_for_billing), (Role::Alerts, row.is_for_alerts)];
        let roles: BTreeSet<Role> =
            roles.into_iter().filter(|(_, is_chosen)| *is_chosen).map(|(role, _)| role).collect();
        chosen.push(ChosenContact { address, roles, opted_out: opted_out.unwrap_or_default() });
    }
    Ok(ContactList::new(chosen).map_err(|invalid| match invalid {
        InvalidContacts::Count => format!("There must be one to {CONTACTS_MAX} contacts."),
        InvalidContacts::Repeated { place } => format!("{} is listed twice.", named(typed, place)),
        InvalidContacts::WithoutRole { place } => format!("Choose what {} gets.", named(typed, place)),
        InvalidContacts::WithoutBilling => "At least one contact must get the e-mails about payments.".to_owned(),
    }))
}

fn named(typed: &[ContactRow], place: usize) -> &str {
    typed.get(place).map_or("This contact", |row| row.email.as_str())
}
