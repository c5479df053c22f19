//! The kept connection, over real sockets and real TLS.

use super::super::{DirectClient, Trust};
use super::*;
use crate::error::chain;
use crate::ledger::DynamoDb;
use aws_sdk_dynamodb::error::SdkError;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

const ANSWER: &str = r#"{"Item":{"balance":{"N":"450"}}}"#;

/// What a server does with one connection.
#[derive(Clone, Copy)]
struct Habits {
    /// It closes the connection after this many answers, without saying so.
    answers_max: usize,
    /// It reads the request that comes after them first.
    reads_one_more: bool,
}

const PATIENT: Habits = Habits { answers_max: usize::MAX, reads_one_more: false };

/// Answers on one connection; returns whether it has answered all it wants to.
async fn serve(mut stream: impl AsyncRead + AsyncWrite + Unpin, habits: Habits, requests: &AtomicUsize) {
    let mut answers = 0;
    while answers < habits.answers_max || habits.reads_one_more {
        if !request_is_read(&mut stream).await {
            return;
        }
        requests.fetch_add(1, Ordering::SeqCst);
        if answers >= habits.answers_max {
            return;
        }
        let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{ANSWER}", ANSWER.len());
        stream.write_all(head.as_bytes()).await.unwrap();
        stream.flush().await.unwrap();
        answers += 1;
    }
}

/// A request has been read to its end; false at the end of the connection.
async fn request_is_read(stream: &mut (impl AsyncRead + Unpin)) -> bool {
    let mut text = vec![];
    loop {
        let mut part = [0; 4096];
        match stream.read(&mut part).await {
            Ok(0) | Err(_) => return false,
            Ok(read) => text.extend_from_slice(&part[..read]),
        }
        let whole = String::from_utf8_lossy(&text).into_owned();
        let Some((head, body)) = whole.split_once("\r\n\r\n") else { continue };
        let length = head.to_lowercase().lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
        if length.is_some_and(|length: usize| body.len() >= length) {
            return true;
        }
    }
}

struct Server {
    port: u16,
    connections: Arc<AtomicUsize>,
    requests: Arc<AtomicUsize>,
}

impl Server {
    async fn start(habits: Habits, tls: Option<TlsAcceptor>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let server = Self { port, connections: Arc::default(), requests: Arc::default() };
        let (connections, requests) = (Arc::clone(&server.connections), Arc::clone(&server.requests));
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                connections.fetch_add(1, Ordering::SeqCst);
                let (requests, tls) = (Arc::clone(&requests), tls.clone());
                tokio::spawn(async move {
                    match tls {
                        None => serve(stream, habits, &requests).await,
                        Some(tls) => {
                            if let Ok(stream) = tls.accept(stream).await {
                                serve(stream, habits, &requests).await;
                            }
                        }
                    }
                });
            }
        });
        server
    }

    fn counts(&self) -> (usize, usize) {
        (self.connections.load(Ordering::SeqCst), self.requests.load(Ordering::SeqCst))
    }

    fn client(&self) -> DirectClient {
        let mut settings = settings(&format!("http://127.0.0.1:{}", self.port));
        settings.limits.tries_max = 1;
        DirectClient::new(settings, Trust::System)
    }
}

async fn read(client: &DirectClient) {
    let item = client.get_item(get()).await.unwrap().item.unwrap();
    assert_eq!(item["balance"], AttributeValue::N("450".to_owned()));
}

#[tokio::test]
async fn one_connection_is_kept_for_all_requests() {
    let server = Server::start(PATIENT, None).await;
    let client = server.client();
    for _ in 0..5 {
        read(&client).await;
    }
    client.clone().transact_write_items(transaction()).await.unwrap();
    assert_eq!(server.counts(), (1, 6));
}

/// With a single try allowed, so what is repeated is not one of the retries that wait.
#[tokio::test]
async fn a_kept_connection_that_the_server_closed_is_replaced_at_once() {
    let server = Server::start(Habits { answers_max: 2, reads_one_more: false }, None).await;
    let client = server.client();
    for _ in 0..6 {
        read(&client).await;
    }
    assert_eq!(server.counts(), (3, 6));
}

/// The server had carried out the request or not; the next one has the same token, so it may be sent again.
#[tokio::test]
async fn a_request_whose_kept_connection_closes_without_an_answer_is_sent_again_once() {
    let server = Server::start(Habits { answers_max: 1, reads_one_more: true }, None).await;
    let client = server.client();
    for _ in 0..3 {
        read(&client).await;
    }
    assert_eq!(server.counts(), (3, 5), "three answered, two cut off");
}

#[tokio::test]
async fn a_new_connection_that_closes_without_an_answer_is_a_failure() {
    let server = Server::start(Habits { answers_max: 0, reads_one_more: true }, None).await;
    let error = server.client().get_item(get()).await.unwrap_err();
    assert!(matches!(error, SdkError::DispatchFailure(_)), "{error:?}");
    assert_eq!(server.counts(), (1, 1));
}

#[tokio::test]
async fn requests_at_once_do_not_wait_for_each_other() {
    let server = Server::start(PATIENT, None).await;
    let client = server.client();
    tokio::join!(read(&client), read(&client), read(&client));
    let (connections, requests) = server.counts();
    assert!((1..=3).contains(&connections) && requests == 3, "{connections} connections");
    read(&client).await;
    assert_eq!(server.counts(), (connections, 4), "one of them is used again");
}

/// A batch charges several accounts at once, for many requests.
#[tokio::test]
async fn the_connections_of_requests_at_once_are_all_kept() {
    let server = Server::start(PATIENT, None).await;
    let client = server.client();
    for _ in 0..5 {
        tokio::join!(read(&client), read(&client), read(&client));
    }
    let (connections, requests) = server.counts();
    assert!((1..=3).contains(&connections) && requests == 15, "{connections} connections");
}

#[tokio::test]
async fn a_server_that_is_not_there_is_a_failure() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let mut settings = settings(&format!("http://127.0.0.1:{port}"));
    settings.limits.tries_max = 1;
    let error = DirectClient::new(settings, Trust::System).get_item(get()).await.unwrap_err();
    assert!(matches!(error, SdkError::DispatchFailure(_)), "{error:?}");
    assert!(chain(&error).contains("refused"), "{}", chain(&error));
}

/// A handshake that never ends is cut off by the time to connect, long before the time of a try.
#[tokio::test(start_paused = true)]
async fn connecting_takes_a_second_at_most() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let mut settings = settings(&format!("https://127.0.0.1:{port}"));
    settings.limits.tries_max = 1;
    let client = DirectClient::new(settings, Trust::Alone(&[]));
    let begun = tokio::time::Instant::now();
    let error = client.get_item(get()).await.unwrap_err();
    assert!(matches!(error, SdkError::DispatchFailure(_)), "{error:?}");
    assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
}

/// A connection whose answer is overdue may still carry it, so it is not used again.
#[tokio::test(start_paused = true)]
async fn a_connection_on_which_an_answer_is_overdue_is_not_used_again() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let connections = Arc::new(Mutex::new(Vec::<TcpStream>::new()));
    let kept = Arc::clone(&connections);
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            kept.lock().unwrap().push(stream);
        }
    });
    let client = DirectClient::new(settings(&format!("http://127.0.0.1:{port}")), Trust::System);
    let error = client.get_item(get()).await.unwrap_err();
    assert!(matches!(error, SdkError::TimeoutError(_)), "{error:?}");
    assert_eq!(connections.lock().unwrap().len(), 3, "one for each try");
}

/// A server with a certificate for `localhost`, and the authority that issued it.
fn acceptor() -> (TlsAcceptor, &'static [&'static [u8]]) {
    let mut authority = CertificateParams::new(vec![]).unwrap();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let certificate =
        CertificateParams::new(vec!["localhost".to_owned()]).unwrap().signed_by(&key, &authority).unwrap();
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key)
        .unwrap();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let authority: &[u8] = authority.der().to_vec().leak();
    (TlsAcceptor::from(Arc::new(config)), vec![authority].leak())
}

#[tokio::test]
async fn a_server_is_reached_over_tls_if_its_authority_is_trusted_and_the_certificate_names_it() {
    let (tls, authority) = acceptor();
    let (_, stranger) = acceptor();
    let server = Server::start(PATIENT, Some(tls)).await;
    let client = |host: &str, trust| {
        let mut settings = settings(&format!("https://{host}:{}", server.port));
        settings.limits.tries_max = 1;
        DirectClient::new(settings, Trust::Alone(trust))
    };
    let trusted = client("localhost", authority);
    read(&trusted).await;
    read(&trusted).await;
    assert_eq!(server.counts(), (1, 2));
    for (host, trust, cause) in [("localhost", stranger, "UnknownIssuer"), ("127.0.0.1", authority, "NotValidForName")]
    {
        let error = chain(&client(host, trust).get_item(get()).await.unwrap_err());
        assert!(error.contains("certificate"), "{cause}: {error}");
    }
    assert_eq!(server.counts().1, 2, "nothing was sent to a server that is not trusted");
}
