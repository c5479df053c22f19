//! The source of new ids.

use jiff::Timestamp;

/// Generates unique 128-bit numbers for ids. Later numbers are greater.
pub trait IdGenerator: Send + Sync {
    fn generate(&self, now: Timestamp) -> u128;

    /// Bits that nobody can predict, for what has to stay a secret.
    fn unpredictable(&self) -> u128;
}

/// Version 7 UUIDs: the time in milliseconds, then random bits. RFC 9562, section 5.7.
#[derive(Clone, Copy, Debug, Default)]
pub struct RandomIds;

impl IdGenerator for RandomIds {
    fn generate(&self, now: Timestamp) -> u128 {
        let millis = u64::try_from(now.as_millisecond()).unwrap_or_default();
        let timestamp =
            uuid::Timestamp::from_unix(uuid::NoContext, millis / 1_000, (millis % 1_000) as u32 * 1_000_000);
        uuid::Uuid::new_v7(timestamp).as_u128()
    }

    /// A version 4 UUID: 122 bits of the operating system's generator.
    fn unpredictable(&self) -> u128 {
        uuid::Uuid::new_v4().as_u128()
    }
}
