//! A sixteenth of all accounts on one day, and which days are closed.

use super::usage_row;
use crate::domain::AccountId;
use crate::domain::liability::{ClosedDays, Flow, LiabilityRow};
use crate::ledger::attributes::{Attributes, Reader, Unreadable, Writer, flag, number, text};
use crate::ledger::keys::{self, Key};
use crate::ports::Shard;
use jiff::civil::Date;

pub(in crate::ledger) fn liability_row_to_item(shard: Shard, row: &LiabilityRow) -> Attributes {
    let LiabilityRow { day, accounts, flow, total_moved, total_brought_forward, after, is_complete } = row;
    Writer::item(keys::liability_row(*day, shard))
        .with("accounts", number(accounts))
        .with("opening", number(flow.opening))
        .with("brought_forward", number(flow.brought_forward))
        .with("moved", usage_row::write(&flow.moved))
        .with("outstanding", number(flow.outstanding))
        .with("total_brought_forward", number(total_brought_forward))
        .with("total_moved", usage_row::write(total_moved))
        .with_optional("after", after.as_ref().map(text))
        .with("is_complete", flag(*is_complete))
        .into_attributes()
}

pub(in crate::ledger) fn liability_row_from_item(item: &Attributes) -> Result<LiabilityRow, Unreadable> {
    let item = Reader::item(item)?;
    Ok(LiabilityRow {
        day: item.id_in_key("SK", Key::liability_day)?,
        accounts: item.number("accounts")?,
        flow: Flow {
            opening: item.number("opening")?,
            brought_forward: item.number("brought_forward")?,
            moved: usage_row::read(&item.map("moved")?)?,
            outstanding: item.number("outstanding")?,
        },
        total_moved: usage_row::read(&item.map("total_moved")?)?,
        total_brought_forward: item.number("total_brought_forward")?,
        after: item.optional("after", |item, name| item.id(name, AccountId::parse))?,
        is_complete: item.flag("is_complete")?,
    })
}

pub(in crate::ledger) fn closed_days_to_item(closed: &ClosedDays) -> Attributes {
    Writer::item(keys::closed_days())
        .with("first_day", text(closed.first))
        .with("closed_through", text(closed.through))
        .into_attributes()
}

pub(in crate::ledger) fn closed_days_from_item(item: &Attributes) -> Result<ClosedDays, Unreadable> {
    let item = Reader::item(item)?;
    let day = |name: &str| item.word(name, |text| text.parse::<Date>().ok());
    Ok(ClosedDays { first: day("first_day")?, through: day("closed_through")? })
}
