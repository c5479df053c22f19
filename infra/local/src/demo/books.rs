//! The end of the story: every entry of every account, and whether each balance is the sum of its entries.

use super::api::Api;
use super::text;
use crate::cloud::LocalCloud;
use comfy_table::presets::ASCII_MARKDOWN;
use comfy_table::{CellAlignment, Table};
use lambda_http::Error;
use serde_json::Value;
use std::io::Write;
use std::sync::Arc;

const ACCOUNTS: [&str; 3] = ["melodia", "polyglot", "aria"];

/// Writes all entries; returns whether every balance is the sum of its account's entries, without gaps.
pub async fn close(cloud: &Arc<LocalCloud>, out: &mut impl Write) -> Result<bool, Error> {
    let api = Api::new(cloud);
    let mut table = Table::new();
    table.load_style(ASCII_MARKDOWN);
    table.set_header(["account", "seq", "entry", "for", "credits", "balance after", "created at"]);
    let (mut totals, mut is_balanced) = (vec![], true);
    for account in ACCOUNTS {
        let (entries, balance) = (api.history(account).await?, api.balance(account).await?);
        let (mut sum, mut seq) = (0, 0);
        for entry in &entries {
            (sum, seq) = (sum + number(&entry["credits"]), seq + 1);
            is_balanced &= number(&entry["balance_after"]) == sum && number(&entry["seq"]) == seq;
            table.add_row([
                account.to_owned(),
                entry["seq"].to_string(),
                text(&entry["kind"]).to_owned(),
                what_for(entry).to_owned(),
                format!("{:+}", number(&entry["credits"])),
                entry["balance_after"].to_string(),
                text(&entry["created_at"]).to_owned(),
            ]);
        }
        is_balanced &= sum == balance;
        let verdict = if sum == balance { "=" } else { "≠" };
        totals.push(format!("{account}: sum of {} entries {sum} {verdict} balance {balance}", entries.len()));
    }
    for column in [1, 4, 5] {
        if let Some(column) = table.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    writeln!(out, "\n── Every entry ──\n{table}\n")?;
    for total in totals {
        writeln!(out, "{total}")?;
    }
    Ok(is_balanced)
}

fn what_for(entry: &Value) -> &str {
    ["reference", "operation", "package", "top_up", "charge"]
        .iter()
        .find_map(|name| entry[name].as_str())
        .unwrap_or_default()
}

fn number(value: &Value) -> i64 {
    value.as_i64().unwrap_or_default()
}
