//! HTTP/1.1 connections that are kept between requests, and their TLS.

use super::endpoint::Endpoint;
use aws_smithy_runtime_api::client::http::{HttpConnector, SharedHttpConnector};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_types::body::SdkBody;
use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::{HeaderMap, Method, Request, Response, Uri};
use hyper_util::rt::TokioIo;
use std::error::Error;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::{CryptoProvider, ring};
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{CipherSuite, ClientConfig, RootCertStore};

type BoxError = Box<dyn Error + Send + Sync>;

/// The authorities whose certificates are believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trust {
    /// The system's, or those that `SSL_CERT_FILE` and `SSL_CERT_DIR` name.
    System,
    /// These certificates, in DER. Text would have to be decoded at every start.
    Alone(&'static [&'static [u8]]),
}

/// How requests reach DynamoDB.
pub enum Connection {
    Kept(Box<Kept>),
    Given { connector: SharedHttpConnector, uri: Uri },
}

/// Connections of our own, which are opened when they are needed. Single charges use one of them.
pub struct Kept {
    endpoint: Endpoint,
    tls: Option<TlsConnector>,
    connect_timeout: Duration,
    idle: Mutex<Vec<Sender>>,
}

type Sender = SendRequest<Full<Bytes>>;

/// The most connections that are kept: a batch charges as many accounts at once.
const IDLE_MAX: usize = 8;

impl Connection {
    pub fn kept(endpoint: &Endpoint, trust: Trust, connect_timeout: Duration) -> Self {
        let tls = endpoint.is_encrypted().then(|| TlsConnector::from(Arc::new(tls(trust))));
        Self::Kept(Box::new(Kept { endpoint: endpoint.clone(), tls, connect_timeout, idle: Mutex::default() }))
    }

    pub fn given(endpoint: &Endpoint, connector: SharedHttpConnector) -> Self {
        Self::Given { connector, uri: endpoint.uri().clone() }
    }

    /// # Errors
    /// If there is no complete response.
    pub async fn send(&self, headers: HeaderMap, body: &Bytes) -> Result<HttpResponse, ConnectorError> {
        match self {
            Self::Kept(kept) => kept.send(headers, body).await,
            Self::Given { connector, uri } => {
                let request = post(uri.clone(), headers, SdkBody::from(body.clone()));
                connector
                    .call(HttpRequest::try_from(request).map_err(|error| ConnectorError::user(error.into()))?)
                    .await
            }
        }
    }
}

impl Kept {
    async fn send(&self, headers: HeaderMap, body: &Bytes) -> Result<HttpResponse, ConnectorError> {
        let idle = self.take_idle();
        if let Some(sender) = idle {
            // Any failure here may only mean that the server closed a connection that it had not heard of for a while,
            // perhaps while this process was frozen. Every request of the ledger may be repeated.
            match self.exchange(sender, headers.clone(), body).await {
                Ok(response) => return read(response),
                Err(error) => tracing::debug!(error = crate::error::chain(&error), "the kept connection was lost"),
            }
        }
        let sender = self.open().await.map_err(ConnectorError::io)?;
        read(self.exchange(sender, headers, body).await.map_err(|error| ConnectorError::io(error.into()))?)
    }

    /// A connection that fails, or whose caller stops waiting, is closed and not kept.
    async fn exchange(
        &self,
        mut sender: Sender,
        headers: HeaderMap,
        body: &Bytes,
    ) -> Result<Response<Bytes>, hyper::Error> {
        sender.ready().await?;
        let request = post(Uri::from_static("/"), headers, Full::new(body.clone()));
        let (parts, body) = sender.send_request(request).await?.into_parts();
        let body = body.collect().await?.to_bytes();
        self.keep(sender);
        Ok(Response::from_parts(parts, body))
    }

    /// # Errors
    /// If the name cannot be resolved, the server cannot be reached or is not trusted, or it takes too long.
    async fn open(&self) -> Result<Sender, BoxError> {
        let connect = async {
            let tcp = TcpStream::connect((self.endpoint.host(), self.endpoint.port())).await?;
            tcp.set_nodelay(true)?;
            match &self.tls {
                None => over(tcp).await,
                Some(tls) => {
                    let name = ServerName::try_from(self.endpoint.host())?.to_owned();
                    over(tls.connect(name, tcp).await?).await
                }
            }
        };
        tokio::time::timeout(self.connect_timeout, connect).await?
    }

    /// The connection that was used last, because the server is least likely to have closed it.
    fn take_idle(&self) -> Option<Sender> {
        let mut idle = self.idle();
        idle.retain(|sender| !sender.is_closed());
        idle.pop()
    }

    fn keep(&self, sender: Sender) {
        let mut idle = self.idle();
        if !sender.is_closed() && idle.len() < IDLE_MAX {
            idle.push(sender);
        }
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<Sender>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn over(stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static) -> Result<Sender, BoxError> {
    let (sender, connection) = handshake(TokioIo::new(stream)).await?;
    // It ends with the connection. Whoever waits for a response is told why.
    drop(tokio::spawn(connection));
    Ok(sender)
}

fn post<B>(uri: Uri, headers: HeaderMap, body: B) -> Request<B> {
    let mut request = Request::new(body);
    *request.method_mut() = Method::POST;
    *request.uri_mut() = uri;
    *request.headers_mut() = headers;
    request
}

fn read(response: Response<Bytes>) -> Result<HttpResponse, ConnectorError> {
    HttpResponse::try_from(response.map(SdkBody::from)).map_err(|error| ConnectorError::other(error.into(), None))
}

fn tls(trust: Trust) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    match trust {
        Trust::System => {
            let found = rustls_native_certs::load_native_certs();
            if !found.errors.is_empty() {
                tracing::warn!(trust.errors = found.errors.len(), "not all of the system's certificates can be read");
            }
            roots.add_parsable_certificates(found.certs);
        }
        Trust::Alone(certificates) => {
            for certificate in certificates {
                roots.add(CertificateDer::from(*certificate)).expect("a test reads them all");
            }
        }
    }
    let mut config = ClientConfig::builder_with_provider(Arc::new(provider()))
        .with_safe_default_protocol_versions()
        .expect("ring has all of them")
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    config
}

/// ring, not aws-lc-rs: AWS-LC gathers entropy for 25 ms of CPU at its first use.
///
/// The cipher suite with SHA-256 comes first, as at AWS's servers: processors have instructions for it, and none for
/// the SHA-384 of the suite that rustls prefers.
fn provider() -> CryptoProvider {
    let mut provider = ring::default_provider();
    provider.cipher_suites.sort_by_key(|suite| suite.suite() != CipherSuite::TLS13_AES_128_GCM_SHA256);
    provider
}
