//! A certificate authority made at every start, so that the functions speak TLS as they do in AWS.

use crate::Error;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, KeyUsagePurpose};
use std::sync::Arc;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio_rustls::rustls::version::TLS13;
use tokio_rustls::rustls::{ServerConfig, crypto::ring};

/// The name that the server is asked under. Not an address, so that every client looks a name up, as it must in AWS.
pub const HOST: &str = "localhost";

/// What a server needs to be believed, and a client to believe it.
pub struct Certificates {
    pub acceptor: TlsAcceptor,
    /// The authority, as PEM.
    pub authority: String,
}

impl Certificates {
    /// # Errors
    /// When no keys can be made.
    pub fn generate() -> Result<Self, Error> {
        let mut authority = CertificateParams::new(vec![])?;
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        // OpenSSL takes a certificate whose issuer is called like itself for one that signed itself.
        authority.distinguished_name.push(DnType::CommonName, "benchmark authority");
        authority.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate()?)?;
        let key = KeyPair::generate()?;
        let certificate = CertificateParams::new(vec![HOST.to_owned()])?.signed_by(&key, &authority)?;
        Ok(Self { acceptor: acceptor(certificate.der().clone(), &key)?, authority: authority.pem() })
    }
}

fn acceptor(certificate: CertificateDer<'static>, key: &KeyPair) -> Result<TlsAcceptor, Error> {
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(&[&TLS13])?
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}
