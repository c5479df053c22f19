//! DynamoDB over TLS: the embedded database of the local cloud, which enforces conditions, with a count of capacity
//! units.

use crate::Error;
use crate::certificates::{Certificates, HOST};
use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::serve::Listener;
use bytes::Bytes;
use local_aws::dynamodb::LocalDynamoDb;
use local_gateway::Template;
use serde_json::{Value, json};
use std::net::{Ipv4Addr, SocketAddr};
use std::ops::{Add, Sub};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

/// The account that a reset leaves.
pub const ACCOUNT: &str = "acme";

/// One endpoint whose table can be replaced by a fresh one.
#[derive(Clone)]
pub struct DynamoDb {
    pub endpoint: String,
    pub table: String,
    properties: Value,
    served: Arc<Mutex<Served>>,
}

struct Served {
    database: LocalDynamoDb,
    units: Units,
}

/// The consumed capacity units.
/// <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/read-write-operations.html>
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Units {
    pub read: f64,
    pub written: f64,
}

impl Add for Units {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self { read: self.read + other.read, written: self.written + other.written }
    }
}

impl Sub for Units {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        Self { read: self.read - other.read, written: self.written - other.written }
    }
}

impl DynamoDb {
    /// Serves the table of the template until the program ends.
    ///
    /// # Errors
    /// If there is no free port, or the template does not have exactly one table.
    pub async fn start(template: &Template, certificates: &Certificates) -> Result<Self, Error> {
        let [table] = template.tables.values().collect::<Vec<_>>()[..] else {
            return Err("the template does not have exactly one table".into());
        };
        let mut properties = table.properties.clone();
        // The stream is not read here, and in memory every record would slow down the next write.
        properties.as_object_mut().and_then(|properties| properties.remove("StreamSpecification"));
        let tcp = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let endpoint = format!("https://{HOST}:{}", tcp.local_addr()?.port());
        let served = Arc::new(Mutex::new(Served { database: LocalDynamoDb::in_memory(), units: Units::default() }));
        let router = Router::new().route("/", post(answer)).with_state(Arc::clone(&served));
        let listener = TlsListener { tcp, acceptor: certificates.acceptor.clone() };
        tokio::spawn(async move { axum::serve(listener, router).await });
        Ok(Self { endpoint, table: table.name.clone(), properties, served })
    }

    /// Replaces the table by a fresh one that has one account with this balance, and resets the count.
    ///
    /// # Errors
    /// If the table or the account is rejected.
    pub async fn reset(&self, balance: i64) -> Result<LocalDynamoDb, Error> {
        let database = LocalDynamoDb::in_memory();
        database.create_table(&self.table, &self.properties).await?;
        *lock(&self.served) = Served { database: database.clone(), units: Units::default() };
        self.put_account(ACCOUNT, balance).await?;
        Ok(database)
    }

    /// Adds an account with this balance; it is not counted.
    ///
    /// # Errors
    /// If it is rejected.
    pub async fn put_account(&self, account: &str, balance: i64) -> Result<(), Error> {
        let database = lock(&self.served).database.clone();
        let put = json!({ "TableName": self.table, "Item": account_item(account, balance) }).to_string();
        let answer = database.exchange("DynamoDB_20120810.PutItem", put.as_bytes()).await?;
        if answer.status == 200 { Ok(()) } else { Err(String::from_utf8_lossy(&answer.body).into()) }
    }

    /// The count since the last [`reset`](Self::reset).
    pub fn units(&self) -> Units {
        lock(&self.served).units
    }
}

/// An account in good standing with a card, automatic top-ups and the consent to them.
fn account_item(account: &str, balance: i64) -> Value {
    json!({
        "PK": { "S": format!("ACCOUNT#{account}") },
        "SK": { "S": "STATE" },
        "email": { "S": "owner@acme.example" },
        "customer": { "S": "cus_0123456789abcd" },
        "created_at": { "N": "1790000000000" },
        "version": { "N": "7" },
        "seq": { "N": "1" },
        "balance": { "N": balance.to_string() },
        "usage": { "M": {
            // A date in the future: charges before it count into this day, so no run crosses midnight.
            "date": { "S": "2100-01-01" },
            "charges": { "N": "0" },
            "credits_charged": { "N": "0" },
            "credits_restored": { "N": "0" },
        }},
        "auto_top_up": { "M": {
            "is_enabled": { "BOOL": true },
            "threshold": { "N": "500" },
            "target": { "N": "5000" },
            "consent": { "M": {
                "id": { "S": "cns_019aab6e0c007a3b8c4d5e6f70819203" },
                "text_version": { "N": "1" },
                "accepted_by": { "S": "owner" },
                "accepted_at": { "N": "1790000000000" },
                "price_max_cents": { "N": "5000" },
            }},
        }},
        "payment_method": { "S": "pm_0123456789abcdef01234567" },
    })
}

/// Executes a request and records its consumed capacity, which is removed from the response to the client.
async fn answer(State(served): State<Arc<Mutex<Served>>>, headers: HeaderMap, body: Bytes) -> Response {
    let target = headers.get("x-amz-target").and_then(|target| target.to_str().ok()).unwrap_or_default();
    let Ok(mut request) = serde_json::from_slice::<Value>(&body) else {
        return StatusCode::BAD_REQUEST.into_response();
    };
    request["ReturnConsumedCapacity"] = json!("INDEXES");
    let database = lock(&served).database.clone();
    let Ok(answered) = database.exchange(target, request.to_string().as_bytes()).await else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    let mut answer: Value = serde_json::from_slice(&answered.body).unwrap_or_default();
    if let Some(consumed) = answer.as_object_mut().and_then(|answer| answer.remove("ConsumedCapacity")) {
        lock(&served).units.count(target, &consumed);
    }
    let body = answer.to_string();
    let headers = [
        ("content-type", "application/x-amz-json-1.0".to_owned()),
        ("x-amz-crc32", crc32fast::hash(body.as_bytes()).to_string()),
        ("x-amzn-requestid", uuid::Uuid::new_v4().simple().to_string()),
    ];
    (StatusCode::from_u16(answered.status).unwrap_or_default(), headers, body).into_response()
}

impl Units {
    /// `ConsumedCapacity` is one object, or for a transaction a list with one object per table.
    fn count(&mut self, target: &str, consumed: &Value) {
        let tables = consumed.as_array().map_or(std::slice::from_ref(consumed), Vec::as_slice);
        let units: f64 = tables.iter().filter_map(|table| table["CapacityUnits"].as_f64()).sum();
        if target.ends_with(".GetItem") { self.read += units } else { self.written += units }
    }
}

fn lock(served: &Mutex<Served>) -> MutexGuard<'_, Served> {
    served.lock().unwrap_or_else(PoisonError::into_inner)
}

struct TlsListener {
    tcp: TcpListener,
    acceptor: TlsAcceptor,
}

impl Listener for TlsListener {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    /// One handshake at a time is enough, because one function runs at a time.
    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        loop {
            let (connection, address) = Listener::accept(&mut self.tcp).await;
            drop(connection.set_nodelay(true));
            // A client that does not trust the certificate reports that itself.
            if let Ok(stream) = self.acceptor.accept(connection).await {
                return (stream, address);
            }
        }
    }

    fn local_addr(&self) -> std::io::Result<Self::Addr> {
        self.tcp.local_addr()
    }
}
