//! Where DynamoDB is.
//! <https://docs.aws.amazon.com/general/latest/gr/ddb.html>

use hyper::Uri;

/// Which regions lie in which of AWS's domains. All others are in `amazonaws.com`. A test compares this with the SDK.
const DOMAINS: [(&str, &str); 6] = [
    ("cn-", "amazonaws.com.cn"),
    ("us-iso-", "c2s.ic.gov"),
    ("us-isob-", "sc2s.sgov.gov"),
    ("eu-isoe-", "cloud.adc-e.uk"),
    ("us-isof-", "csp.hci.ic.gov"),
    ("eusc-", "amazonaws.eu"),
];

/// A scheme, a host and a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    uri: Uri,
}

/// It is not the address of a server.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("the endpoint must be a URL without a path, such as https://127.0.0.1:8000")]
pub struct InvalidEndpoint;

impl Endpoint {
    /// The endpoint of a region.
    ///
    /// # Errors
    /// If the region's name cannot be part of a host's name.
    pub fn of_region(region: &str) -> Result<Self, InvalidEndpoint> {
        let in_region = |(prefix, _): &&(&str, &str)| region.starts_with(prefix);
        let domain = DOMAINS.iter().find(in_region).map_or("amazonaws.com", |(_, domain)| domain);
        Self::parse(&format!("https://dynamodb.{region}.{domain}"))
    }

    /// # Errors
    /// [`InvalidEndpoint`].
    pub fn parse(url: &str) -> Result<Self, InvalidEndpoint> {
        let uri: Uri = url.parse().map_err(|_| InvalidEndpoint)?;
        let is_address = matches!(uri.scheme_str(), Some("http" | "https"))
            && uri.path_and_query().is_none_or(|path| path.as_str() == "/")
            && uri.authority().is_some_and(|authority| !authority.as_str().contains('@'));
        if is_address { Ok(Self { uri }) } else { Err(InvalidEndpoint) }
    }

    pub fn uri(&self) -> &Uri {
        &self.uri
    }

    pub fn is_encrypted(&self) -> bool {
        self.uri.scheme_str() == Some("https")
    }

    /// The host and, if it is not the scheme's own, the port, as in the header `Host`.
    pub fn authority(&self) -> &str {
        let authority = self.uri.authority().map_or("", |authority| authority.as_str());
        let own = if self.is_encrypted() { ":443" } else { ":80" };
        authority.strip_suffix(own).unwrap_or(authority)
    }

    /// The host without the brackets of an IPv6 address.
    pub fn host(&self) -> &str {
        self.uri.host().unwrap_or_default().trim_matches(['[', ']'])
    }

    pub fn port(&self) -> u16 {
        self.uri.port_u16().unwrap_or(if self.is_encrypted() { 443 } else { 80 })
    }
}
