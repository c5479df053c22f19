//! AWS Signature Version 4 for requests to DynamoDB.
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html>
//!
//! The SDK derives the signing key for every request. It is the same all day, so here it is kept.

use super::operation::Unsigned;
use aws_credential_types::Credentials;
use aws_sigv4::sign::v4::{calculate_signature, generate_signing_key};
use hyper::header::{
    AUTHORIZATION, CONTENT_TYPE, HOST, HeaderMap, HeaderName, HeaderValue, InvalidHeaderValue, ToStrError,
};
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::Offset;
use sha2::{Digest, Sha256};
use std::sync::{Arc, Mutex, PoisonError};

const SERVICE: &str = "dynamodb";
const DATE: HeaderName = HeaderName::from_static("x-amz-date");
const TOKEN: HeaderName = HeaderName::from_static("x-amz-security-token");
const TARGET: HeaderName = HeaderName::from_static("x-amz-target");

/// A request cannot be signed.
#[derive(Debug, thiserror::Error)]
pub enum SigningError {
    #[error("the request has no header {0}")]
    Incomplete(HeaderName),
    #[error("a header is not text")]
    NoText(#[from] ToStrError),
    #[error("a header cannot be written")]
    Unwritable(#[from] InvalidHeaderValue),
}

/// Signs requests, and keeps the key of the day.
pub struct Signer {
    region: String,
    host: String,
    key: Mutex<Option<Arc<DayKey>>>,
}

/// What stays the same for all requests of one day (UTC) with the same credentials.
struct DayKey {
    date: Date,
    credentials: Credentials,
    key: [u8; 32],
    scope: String,
}

impl Signer {
    pub fn new(region: &str, host: &str) -> Self {
        Self { region: region.to_owned(), host: host.to_owned(), key: Mutex::default() }
    }

    /// All headers of the request: its own, the host and the signature.
    ///
    /// # Errors
    /// If a header is missing, or cannot be written.
    pub fn sign(
        &self,
        credentials: &Credentials,
        request: &Unsigned,
        now: Timestamp,
    ) -> Result<HeaderMap, SigningError> {
        let day = self.day_key(credentials, now);
        let date = written(now);
        let mut headers = request.headers.clone();
        headers.insert(HOST, HeaderValue::from_str(&self.host)?);
        headers.insert(DATE, HeaderValue::from_str(&date)?);
        if let Some(token) = credentials.session_token() {
            let mut token = HeaderValue::from_str(token)?;
            token.set_sensitive(true);
            headers.insert(TOKEN, token);
        }
        let (canonical, names) = canonical(&headers, &request.body)?;
        let scope = &day.scope;
        let to_sign = ["AWS4-HMAC-SHA256\n", &date, "\n", scope, "\n", &sha256(canonical.as_bytes())].concat();
        let signature = calculate_signature(day.key, to_sign.as_bytes());
        let credential = ["AWS4-HMAC-SHA256 Credential=", credentials.access_key_id(), "/", scope];
        let signed = [&credential.concat(), ", SignedHeaders=", &names, ", Signature=", &signature].concat();
        headers.insert(AUTHORIZATION, HeaderValue::from_str(&signed)?);
        Ok(headers)
    }

    fn day_key(&self, credentials: &Credentials, now: Timestamp) -> Arc<DayKey> {
        let date = Offset::UTC.to_datetime(now).date();
        let mut kept = self.key.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(day) = kept.as_ref().filter(|day| day.date == date && day.is_of(credentials)) {
            return Arc::clone(day);
        }
        let made = Arc::new(DayKey::new(credentials, &self.region, now));
        *kept = Some(Arc::clone(&made));
        made
    }
}

impl DayKey {
    fn new(credentials: &Credentials, region: &str, now: Timestamp) -> Self {
        let generated = generate_signing_key(credentials.secret_access_key(), now.into(), region, SERVICE);
        let mut key = [0; 32];
        key.copy_from_slice(generated.as_ref());
        let date = Offset::UTC.to_datetime(now).date();
        let day = &written(now)[..8];
        Self {
            date,
            credentials: credentials.clone(),
            key,
            scope: [day, "/", region, "/", SERVICE, "/aws4_request"].concat(),
        }
    }

    fn is_of(&self, credentials: &Credentials) -> bool {
        self.credentials.access_key_id() == credentials.access_key_id()
            && self.credentials.secret_access_key() == credentials.secret_access_key()
    }
}

/// An instant as in `20261122T093000Z`.
fn written(now: Timestamp) -> String {
    let now = Offset::UTC.to_datetime(now);
    let (date, time) = (now.date(), now.time());
    let (year, month, day) = (date.year(), date.month(), date.day());
    let (hour, minute, second) = (time.hour(), time.minute(), time.second());
    format!("{year:04}{month:02}{day:02}T{hour:02}{minute:02}{second:02}Z")
}

/// The request in the form that is signed, and the names of the signed headers.
fn canonical(headers: &HeaderMap, body: &[u8]) -> Result<(String, String), SigningError> {
    let (mut canonical, mut names) = (String::with_capacity(2_048), String::with_capacity(80));
    canonical.push_str("POST\n/\n\n");
    // In alphabetical order, as it must be.
    for name in [CONTENT_TYPE, HOST, DATE, TOKEN, TARGET] {
        let Some(value) = headers.get(&name) else {
            if name == TOKEN {
                continue;
            }
            return Err(SigningError::Incomplete(name));
        };
        if !names.is_empty() {
            names.push(';');
        }
        names.push_str(name.as_str());
        for part in [name.as_str(), ":", value.to_str()?.trim(), "\n"] {
            canonical.push_str(part);
        }
    }
    for part in ["\n", &names, "\n", &sha256(body)] {
        canonical.push_str(part);
    }
    Ok((canonical, names))
}

fn sha256(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}
