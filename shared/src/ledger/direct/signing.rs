//! AWS Signature Version 4 for requests to DynamoDB.
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html>
//!
//! The SDK derives the signing key for every request. It is the same all day, so here it is kept. The hashes are ring's,
//! which TLS uses as well: another implementation would ask the processor once more what it can do.

use super::operation::Unsigned;
use aws_credential_types::Credentials;
use hyper::header::{
    AUTHORIZATION, CONTENT_TYPE, HOST, HeaderMap, HeaderName, HeaderValue, InvalidHeaderValue, ToStrError,
};
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::Offset;
use ring::{digest, hmac};
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
    host: HeaderValue,
    day: Mutex<Option<Arc<Day>>>,
}

/// What stays the same for all requests of one day (UTC) with the same credentials.
struct Day {
    date: Date,
    credentials: Credentials,
    key: hmac::Key,
    scope: String,
    token: Option<HeaderValue>,
}

impl Signer {
    pub fn new(region: &str, host: &str) -> Self {
        let host = HeaderValue::from_str(host).expect("the authority of a URL is visible ASCII");
        Self { region: region.to_owned(), host, day: Mutex::default() }
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
        let day = self.day(credentials, now)?;
        let date = written(now);
        let mut headers = request.headers.clone();
        headers.insert(HOST, self.host.clone());
        headers.insert(DATE, HeaderValue::from_str(&date)?);
        if let Some(token) = &day.token {
            headers.insert(TOKEN, token.clone());
        }
        let (canonical, names) = canonical(&headers, credentials.session_token(), &request.body)?;
        let hash = sha256(&canonical);
        let to_sign = [b"AWS4-HMAC-SHA256\n", date.as_bytes(), b"\n", day.scope.as_bytes(), b"\n", &hash].concat();
        let authorization = [
            "AWS4-HMAC-SHA256 Credential=",
            credentials.access_key_id(),
            "/",
            &day.scope,
            ", SignedHeaders=",
            names,
            ", Signature=",
            &hex::encode(hmac::sign(&day.key, &to_sign)),
        ];
        headers.insert(AUTHORIZATION, HeaderValue::try_from(authorization.concat())?);
        Ok(headers)
    }

    fn day(&self, credentials: &Credentials, now: Timestamp) -> Result<Arc<Day>, SigningError> {
        let date = Offset::UTC.to_datetime(now).date();
        let mut kept = self.day.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(day) = kept.as_ref().filter(|day| day.date == date && day.is_of(credentials)) {
            return Ok(Arc::clone(day));
        }
        let made = Arc::new(Day::new(credentials, &self.region, now)?);
        *kept = Some(Arc::clone(&made));
        Ok(made)
    }
}

impl Day {
    fn new(credentials: &Credentials, region: &str, now: Timestamp) -> Result<Self, SigningError> {
        let mut token = credentials.session_token().map(HeaderValue::from_str).transpose()?;
        token.iter_mut().for_each(|token| token.set_sensitive(true));
        let day = &written(now)[..8];
        let key = signing_key(credentials.secret_access_key(), [day, region, SERVICE]);
        Ok(Self {
            date: Offset::UTC.to_datetime(now).date(),
            credentials: credentials.clone(),
            key: keyed(key.as_ref()),
            scope: [day, "/", region, "/", SERVICE, "/aws4_request"].concat(),
            token,
        })
    }

    fn is_of(&self, credentials: &Credentials) -> bool {
        self.credentials.access_key_id() == credentials.access_key_id()
            && self.credentials.secret_access_key() == credentials.secret_access_key()
            && self.credentials.session_token() == credentials.session_token()
    }
}

/// The key for a day (UTC), a region and a service.
pub fn signing_key(secret: &str, [day, region, service]: [&str; 3]) -> hmac::Tag {
    let of_day = hmac::sign(&keyed(["AWS4", secret].concat().as_bytes()), day.as_bytes());
    let rest = [region, service, "aws4_request"];
    rest.iter().fold(of_day, |key, text| hmac::sign(&keyed(key.as_ref()), text.as_bytes()))
}

fn keyed(key: &[u8]) -> hmac::Key {
    hmac::Key::new(hmac::HMAC_SHA256, key)
}

/// An instant as in `20261122T093000Z`.
fn written(now: Timestamp) -> String {
    let now = Offset::UTC.to_datetime(now);
    let (date, time) = (now.date(), now.time());
    let (year, month, day) = (date.year(), date.month(), date.day());
    let (hour, minute, second) = (time.hour(), time.minute(), time.second());
    format!("{year:04}{month:02}{day:02}T{hour:02}{minute:02}{second:02}Z")
}

/// The request in the form that is signed, and the names of the signed headers, which are in alphabetical order.
fn canonical(headers: &HeaderMap, token: Option<&str>, body: &[u8]) -> Result<(Vec<u8>, &'static str), SigningError> {
    let text = |name: HeaderName| -> Result<&str, SigningError> {
        Ok(headers.get(&name).ok_or(SigningError::Incomplete(name))?.to_str()?)
    };
    let (names, token) = match token {
        Some(token) => {
            ("content-type;host;x-amz-date;x-amz-security-token;x-amz-target", ["\nx-amz-security-token:", token])
        }
        None => ("content-type;host;x-amz-date;x-amz-target", ["", ""]),
    };
    let parts = [
        ["POST\n/\n\ncontent-type:", text(CONTENT_TYPE)?],
        ["\nhost:", text(HOST)?],
        ["\nx-amz-date:", text(DATE)?],
        token,
        ["\nx-amz-target:", text(TARGET)?],
        ["\n\n", names],
    ];
    let mut canonical = parts.as_flattened().concat().into_bytes();
    canonical.push(b'\n');
    canonical.extend_from_slice(&sha256(body));
    Ok((canonical, names))
}

/// In hexadecimal.
fn sha256(bytes: &[u8]) -> [u8; 64] {
    let mut text = [0; 64];
    hex::encode_to_slice(digest::digest(&digest::SHA256, bytes), &mut text).expect("two digits for each of 32 bytes");
    text
}
