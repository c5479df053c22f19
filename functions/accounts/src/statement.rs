//! Signed statements about a ledger, and everything that others need to check it themselves.

use crate::{App, Outside, existing};
use lambda_http::Request;
use serde::Serialize;
use shared::domain::account::HashedValue;
use shared::domain::{Cause, Entry, Salt};
use shared::http::{FieldError, Page, Problem, ReachedAccount, Reply, parse_query, time};
use shared::ports::StoredEntries;
use shared::statements::PublicKey;

/// Eighteen digits, as in the cursors of the history.
const SEQ_MAX: i64 = 999_999_999_999_999_999;

#[derive(Serialize)]
struct KeysBody<'a> {
    keys: [&'a PublicKey; 1],
}

/// The keys that statements are signed with, as a JSON Web Key Set.
pub fn get_keys<O: Outside>(app: &App<O>) -> Result<Reply, Problem> {
    Reply::ok(&KeysBody { keys: [app.statements.public()] })
}

#[derive(Serialize)]
struct StatementBody<'a> {
    account: &'a str,
    seq: u64,
    balance: i64,
    head: Option<String>,
    as_of: String,
}

#[derive(Serialize)]
struct SignedBody<'a> {
    statement: StatementBody<'a>,
    signed: String,
}

/// What the ledger is now, or was through an earlier entry.
pub async fn get<O: Outside>(app: &App<O>, request: &Request, account: &ReachedAccount) -> Result<Reply, Problem> {
    let through = parse_query(request, |query| query.integer("through_seq", 1..=SEQ_MAX))?;
    let account = existing(&app.context, account).await?;
    let newest = (account.seq, account.balance, account.chain.and_then(|chain| chain.head));
    let (seq, balance, head) = match through.and_then(|seq| u64::try_from(seq).ok()) {
        Some(seq) if seq > account.seq => {
            let message = format!("must be at most {}, the number of the newest entry", account.seq);
            return Err(Problem::invalid(vec![FieldError::new("through_seq", message)]));
        }
        Some(seq) if seq < account.seq => {
            let page = app.context.ledger.stored_entries(&account.id, seq, 1).await?;
            match page.entries.into_iter().next() {
                Some(Ok(entry)) if entry.seq == seq => (seq, entry.balance_after, entry.link.map(|link| link.hash)),
                Some(Err(unreadable)) => return Err(Problem::internal(unreadable.to_string())),
                Some(Ok(_)) | None => return Err(Problem::unavailable("the index does not show the entry yet")),
            }
        }
        _ => newest,
    };
    let statement = StatementBody {
        account: account.id.as_str(),
        seq,
        balance: balance.get(),
        head: head.map(|hash| hash.to_string()),
        as_of: time(app.context.now()),
    };
    let signed = app.statements.sign(&statement).map_err(Problem::internal)?;
    Reply::ok(&SignedBody { statement, signed })
}

#[derive(Serialize)]
struct ChainBody<'a> {
    account: &'a str,
    salt: Option<String>,
    #[serde(flatten)]
    page: Page<LinkBody>,
}

#[derive(Serialize)]
struct LinkBody {
    seq: u64,
    hash: Option<String>,
    /// Names and values in the order in which they are hashed.
    fields: Vec<[String; 2]>,
    texts: TextsBody,
}

/// The texts of which only digests are hashed.
#[derive(Serialize)]
struct TextsBody {
    #[serde(skip_serializing_if = "Option::is_none")]
    reference: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    spender: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

/// The entries with everything that their hashes cover, oldest first.
pub async fn get_chain<O: Outside>(
    app: &App<O>,
    request: &Request,
    account: &ReachedAccount,
) -> Result<Reply, Problem> {
    let (limit, cursor) = parse_query(request, |query| (query.limit(), query.integer("cursor", 1..=SEQ_MAX)))?;
    let account = existing(&app.context, account).await?;
    let from = cursor.and_then(|cursor| u64::try_from(cursor).ok()).map_or(1, |last| last.saturating_add(1));
    let page = app.context.ledger.stored_entries(&account.id, from, limit.into()).await?;
    let entries: Result<Vec<Entry>, _> = page.entries.into_iter().collect();
    let entries = entries.map_err(|unreadable| Problem::internal(unreadable.to_string()))?;
    let next_cursor = entries.last().filter(|_| page.has_more).map(|last| last.seq.to_string());
    let salt = account.chain.map(|chain| chain.salt);
    let links = entries.iter().map(|entry| LinkBody::of(entry, salt)).collect();
    let page = Page::new(links, next_cursor);
    Reply::ok(&ChainBody { account: account.id.as_str(), salt: salt.map(|salt| hex::encode(salt.as_bytes())), page })
}

impl LinkBody {
    fn of(entry: &Entry, salt: Option<Salt>) -> Self {
        let mut fields = vec![];
        if let Some(salt) = salt {
            entry.visit(&salt, |name, value| {
                let value = match value {
                    HashedValue::Text(text) => text.to_string(),
                    HashedValue::Digest(digest) => digest.to_string(),
                };
                fields.push([name.to_owned(), value]);
            });
        }
        let (reference, spender) = match &entry.cause {
            Cause::Charge { reference, spender, .. } => (reference.as_ref(), spender.as_ref()),
            Cause::Import { reference, .. } => (reference.as_ref(), None),
            _ => (None, None),
        };
        // Who adjusted is for support alone.
        let reason = match &entry.cause {
            Cause::Adjustment { reason, .. } => reason.as_ref().map(ToString::to_string),
            _ => None,
        };
        Self {
            seq: entry.seq,
            hash: entry.link.map(|link| link.hash.to_string()),
            fields,
            texts: TextsBody {
                reference: reference.map(ToString::to_string),
                spender: spender.map(ToString::to_string),
                reason,
            },
        }
    }
}
