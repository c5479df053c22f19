//! A link into the Billing Dashboard, and a session.

use crate::domain::Actor;
use crate::domain::portal::{PortalFlow, PortalLink, PortalSession, Visit};
use crate::ledger::attributes::{Attributes, Reader, Unreadable, Writer, expiry, flag, instant, text};
use crate::ledger::keys::{self, Key};

pub(in crate::ledger) fn portal_link_to_item(link: &PortalLink) -> Attributes {
    with_visit(Writer::item(keys::portal_link(&link.account, &link.hash)), &link.visit)
        .with("ends_at", instant(link.expires_at))
        .with("expires_at", expiry(link.expires_at))
        .into_attributes()
}

pub(in crate::ledger) fn portal_link_from_item(item: &Attributes) -> Result<PortalLink, Unreadable> {
    let item = Reader::item(item)?;
    Ok(PortalLink {
        account: item.id_in_key("PK", Key::account_id)?,
        hash: item.id_in_key("SK", Key::portal_link)?,
        visit: visit(&item)?,
        expires_at: item.instant("ends_at")?,
    })
}

pub(in crate::ledger) fn portal_session_to_item(session: &PortalSession) -> Attributes {
    with_visit(Writer::item(keys::portal_session(&session.account, &session.hash)), &session.visit)
        .with("started_at", instant(session.started_at))
        .with("seen_at", instant(session.seen_at))
        .with("expires_at", expiry(session.ends_at()))
        .into_attributes()
}

pub(in crate::ledger) fn portal_session_from_item(item: &Attributes) -> Result<PortalSession, Unreadable> {
    let item = Reader::item(item)?;
    Ok(PortalSession {
        account: item.id_in_key("PK", Key::account_id)?,
        hash: item.id_in_key("SK", Key::portal_session)?,
        visit: visit(&item)?,
        started_at: item.instant("started_at")?,
        seen_at: item.instant("seen_at")?,
    })
}

/// Of a link or a session.
pub(in crate::ledger) fn portal_pass_key(item: &Attributes) -> Result<Key, Unreadable> {
    Reader::item(item)?.id_in_key("SK", |key| Some(key.clone()))
}

fn with_visit(item: Writer, visit: &Visit) -> Writer {
    item.with("flow", text(visit.flow.name()))
        .with_optional("return_url", visit.return_url.as_ref().map(text))
        .with_optional("read_only", visit.is_read_only.then(|| flag(true)))
        .with_optional("visitor", visit.visitor.as_ref().map(text))
}

fn visit(item: &Reader<'_>) -> Result<Visit, Unreadable> {
    Ok(Visit {
        flow: item.word("flow", PortalFlow::of_name)?,
        return_url: item.optional("return_url", Reader::text)?.map(str::to_owned),
        is_read_only: item.optional("read_only", Reader::flag)?.unwrap_or(false),
        visitor: item.optional("visitor", |item, name| item.id(name, Actor::parse))?,
    })
}
