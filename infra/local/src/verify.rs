//! `prepaid verify`: verifies the ledger of one account through the API, part by part, and says what does not fit.

use lambda_http::Error;
use reqwest::Client;
use serde_json::Value;
use std::io::Write;
use std::time::Duration;

/// Between two looks at an index that does not show an entry yet.
const PAUSE: Duration = Duration::from_secs(2);

/// Where the API is, and who asks.
pub struct Access<'a> {
    pub url: &'a str,
    pub token: &'a str,
}

/// Verifies all entries that the account has. Returns whether everything fits.
///
/// # Errors
/// If the API does not answer as described.
pub async fn verify(access: Access<'_>, account: &str, out: &mut impl Write) -> Result<bool, Error> {
    let client = Client::new();
    let path = format!("{}/v1/accounts/{account}/history/verify", access.url.trim_end_matches('/'));
    let mut cursor = None::<String>;
    loop {
        // A cursor consists of characters that need no escapes.
        let page = cursor.map_or_else(|| path.clone(), |cursor| format!("{path}?cursor={cursor}"));
        let answer = client.get(page).bearer_auth(access.token).send().await?;
        let status = answer.status();
        let text = answer.text().await?;
        if status != 200 {
            return Err(format!("{path} answered {status}: {text}").into());
        }
        let part: Value = serde_json::from_str(&text)?;
        let through = &part["verified_through_seq"];
        match part["status"].as_str() {
            Some("verified") => {
                writeln!(out, "{account}: {through} entries fit.")?;
                writeln!(out, "Balance: {}", part["balance"])?;
                writeln!(out, "Head: {}", part["head"].as_str().unwrap_or("none"))?;
                return Ok(true);
            }
            Some("failed") => {
                let failure = &part["failure"];
                let entry = failure["entry"].as_str().or(failure["item"].as_str()).unwrap_or("no entry");
                let detail = failure["detail"].as_str().unwrap_or_default();
                writeln!(out, "{account}: {through} entries fit, and then something does not.")?;
                writeln!(out, "Entry {} ({entry}): {detail}", failure["seq"])?;
                return Ok(false);
            }
            Some("behind") => tokio::time::sleep(PAUSE).await,
            Some("unfinished") => {}
            _ => return Err(format!("{path} answered {text}").into()),
        }
        cursor = part["next_cursor"].as_str().map(str::to_owned);
    }
}
