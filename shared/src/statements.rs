//! Signed statements: what a ledger was at some time, in a form that others can check without us.
//!
//! A statement is a JSON Web Signature (<https://www.rfc-editor.org/rfc/rfc7515>) with an Ed25519 key
//! (<https://www.rfc-editor.org/rfc/rfc8037>), which the libraries of every language can check.
//! An HMAC, as for links, could be checked only by those who can also sign.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use ring::signature::{Ed25519KeyPair, KeyPair};
use serde::Serialize;
use sha2::{Digest, Sha256};

/// Signs statements.
pub struct StatementKey {
    pair: Ed25519KeyPair,
    public: PublicKey,
}

/// A secret too short to sign with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the statement secret must have at least {} bytes", StatementKey::SECRET_BYTES_MIN)]
pub struct WeakStatementSecret;

/// The public key as a JSON Web Key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PublicKey {
    pub kty: &'static str,
    pub crv: &'static str,
    pub alg: &'static str,
    #[serde(rename = "use")]
    pub usage: &'static str,
    /// The key's thumbprint (<https://www.rfc-editor.org/rfc/rfc7638>), which every signature names.
    pub kid: String,
    /// The 32 bytes of the key.
    pub x: String,
}

#[derive(Serialize)]
struct Header<'a> {
    alg: &'a str,
    kid: &'a str,
}

/// Separates this key from any others made of the same secret.
const PURPOSE: &[u8] = b"prepaid/statement";

impl StatementKey {
    /// As many as the key has.
    pub const SECRET_BYTES_MIN: usize = 32;

    /// The secret may also be used for other purposes: this key is derived from it for statements alone.
    ///
    /// # Errors
    /// [`WeakStatementSecret`] below [`StatementKey::SECRET_BYTES_MIN`].
    pub fn new(secret: impl AsRef<[u8]>) -> Result<Self, WeakStatementSecret> {
        let secret = secret.as_ref();
        if secret.len() < Self::SECRET_BYTES_MIN {
            return Err(WeakStatementSecret);
        }
        let keyed: Hmac<Sha256> = Hmac::new_from_slice(secret).expect("HMAC takes a key of any length");
        let seed = keyed.chain_update(PURPOSE).finalize().into_bytes();
        let pair = Ed25519KeyPair::from_seed_unchecked(&seed).expect("32 bytes are a seed");
        let x = URL_SAFE_NO_PAD.encode(pair.public_key());
        let thumbprint = Sha256::digest(format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{x}"}}"#));
        let kid = URL_SAFE_NO_PAD.encode(thumbprint);
        Ok(Self { pair, public: PublicKey { kty: "OKP", crv: "Ed25519", alg: "EdDSA", usage: "sig", kid, x } })
    }

    pub fn public(&self) -> &PublicKey {
        &self.public
    }

    /// The statement and its signature in the compact form: header, content and signature, separated by dots.
    ///
    /// # Errors
    /// If the content cannot be written as JSON.
    pub fn sign(&self, content: &impl Serialize) -> Result<String, serde_json::Error> {
        let header = Header { alg: self.public.alg, kid: &self.public.kid };
        let encode = |json: Vec<u8>| URL_SAFE_NO_PAD.encode(json);
        let signed = format!("{}.{}", encode(serde_json::to_vec(&header)?), encode(serde_json::to_vec(content)?));
        let signature = URL_SAFE_NO_PAD.encode(self.pair.sign(signed.as_bytes()));
        Ok(format!("{signed}.{signature}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ring::signature::{ED25519, UnparsedPublicKey};
    use serde_json::{Value, json};

    fn key() -> StatementKey {
        StatementKey::new([7; 32]).unwrap()
    }

    fn is_genuine(public: &PublicKey, statement: &str) -> bool {
        let Some((signed, signature)) = statement.rsplit_once('.') else { return false };
        let key = UnparsedPublicKey::new(&ED25519, URL_SAFE_NO_PAD.decode(&public.x).unwrap());
        URL_SAFE_NO_PAD.decode(signature).is_ok_and(|signature| key.verify(signed.as_bytes(), &signature).is_ok())
    }

    #[test]
    fn a_statement_is_checked_with_the_public_key_alone() {
        let content = json!({"account": "acme", "seq": 3});
        let statement = key().sign(&content).unwrap();
        assert!(is_genuine(key().public(), &statement));
        let parts: Vec<Value> = statement
            .split('.')
            .take(2)
            .map(|part| serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap())
            .collect();
        assert_eq!(parts, [json!({"alg": "EdDSA", "kid": key().public().kid}), content]);
        let other = StatementKey::new([8; 32]).unwrap();
        assert!(!is_genuine(other.public(), &statement));
        assert_ne!(other.public().kid, key().public().kid);
    }

    #[test]
    fn a_statement_with_any_changed_character_is_not_genuine() {
        let statement = key().sign(&json!({"seq": 3})).unwrap();
        for place in 0..statement.len() {
            let mut changed = statement.clone().into_bytes();
            changed[place] = if changed[place] == b'A' { b'B' } else { b'A' };
            assert!(!is_genuine(key().public(), std::str::from_utf8(&changed).unwrap()), "{place}");
        }
    }

    /// The example of RFC 8037, appendix A.3.
    #[test]
    fn the_name_of_a_key_is_its_thumbprint() {
        let x = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";
        let thumbprint = Sha256::digest(format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{x}"}}"#));
        assert_eq!(URL_SAFE_NO_PAD.encode(thumbprint), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
    }

    #[test]
    fn a_short_secret_signs_nothing() {
        assert_eq!(StatementKey::new([7; 31]).err(), Some(WeakStatementSecret));
    }
}
