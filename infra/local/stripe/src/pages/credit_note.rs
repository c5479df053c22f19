//! A credit note's PDF: <https://docs.stripe.com/invoicing/dashboard/credit-notes>.

use super::{Page, download as download_pdf, format_amount};
use crate::state::State;

pub(crate) fn download(state: &State, id: &str) -> Page {
    let note = state.credit_notes.get(id)?;
    let of = state.invoices.find(&note.invoice).and_then(|invoice| invoice.number.as_deref()).unwrap_or_default();
    let text = [
        format!("Credit note {}", note.number),
        format!("For invoice {of}"),
        String::new(),
        format!("Total   {}", format_amount(note.total(), &note.currency)),
    ];
    Ok(download_pdf(&format!("Credit-note-{}", note.number), &text))
}
