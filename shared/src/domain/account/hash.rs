//! The hashes of entries and the digests of texts, and the bytes that they are made of.

use sha2::{Digest, Sha256};
use std::fmt::{self, Write};

macro_rules! bytes {
    ($(#[$doc:meta])* $name:ident, $length:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash)]
        pub struct $name([u8; $length]);

        impl $name {
            pub const fn new(bytes: [u8; $length]) -> Self {
                Self(bytes)
            }

            pub fn as_bytes(&self) -> &[u8] {
                &self.0
            }
        }

        impl TryFrom<&[u8]> for $name {
            type Error = std::array::TryFromSliceError;

            fn try_from(bytes: &[u8]) -> Result<Self, Self::Error> {
                bytes.try_into().map(Self)
            }
        }
    };
}

bytes!(
    /// The hash of an entry.
    EntryHash, 32
);
bytes!(
    /// The salted digest of a text that may be personal.
    TextDigest, 32
);
bytes!(
    /// What is random about the digests of an account. Without it, nobody can find a short text by trying all.
    Salt, 16
);

impl EntryHash {
    /// The hash of its 64 hexadecimal digits.
    pub fn parse(text: &str) -> Option<Self> {
        let mut bytes = [0; 32];
        hex::decode_to_slice(text, &mut bytes).ok()?;
        // One form only: no capital letters.
        Some(Self(bytes)).filter(|hash| hash.to_string() == text)
    }
}

impl Salt {
    /// The salt made of 128 unpredictable bits.
    pub fn of(unpredictable: u128) -> Self {
        Self(unpredictable.to_be_bytes())
    }

    /// The digest of a text in an entry. Equal texts in two entries have different digests, so that after an erasure
    /// nobody sees that they were equal.
    pub fn digest(&self, entry: &str, name: &str, text: &str) -> TextDigest {
        let mut hashed = Hashed::of("prepaid text 1");
        hashed.part(&self.0);
        hashed.part(entry.as_bytes());
        hashed.part(name.as_bytes());
        hashed.part(text.as_bytes());
        TextDigest(hashed.finish())
    }
}

impl fmt::Debug for EntryHash {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "EntryHash({self})")
    }
}

impl fmt::Display for EntryHash {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for TextDigest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "TextDigest({self})")
    }
}

impl fmt::Display for TextDigest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for Salt {
    /// Whoever knows it can find erased texts by trying, so it does not get into a log.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Salt(…)")
    }
}

/// An entry's part of the chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Link {
    pub hash: EntryHash,
    pub erased: ErasedTexts,
}

/// The digests of the entry's texts that were erased. What is not erased has no digest here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ErasedTexts {
    pub reference: Option<TextDigest>,
    pub spender: Option<TextDigest>,
    pub reason: Option<TextDigest>,
    pub operator: Option<TextDigest>,
}

/// The bytes that are hashed. Each part is preceded by its length, so two different entries never have the same bytes.
pub(super) struct Hashed(Vec<u8>);

impl Write for Hashed {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.extend_from_slice(text.as_bytes());
        Ok(())
    }
}

impl Hashed {
    /// The purpose and the version of these rules come first, so that the same bytes never mean two things.
    pub(super) fn of(purpose: &str) -> Self {
        // Room for most entries: to grow step by step costs more than the rest.
        let mut hashed = Self(Vec::with_capacity(512));
        hashed.part(purpose.as_bytes());
        hashed
    }

    /// Two bytes of length, the higher one first, and the bytes. No part is longer than 200 characters.
    pub(super) fn part(&mut self, bytes: &[u8]) {
        self.0.extend(u16::try_from(bytes.len()).unwrap_or(u16::MAX).to_be_bytes());
        self.0.extend_from_slice(bytes);
    }

    /// The text as a part, written in its place at once.
    pub(super) fn text(&mut self, text: &dyn fmt::Display) {
        let start = self.0.len();
        self.0.extend([0; 2]);
        // Writing into memory does not fail.
        let _ = write!(self, "{text}");
        let length = self.0.len().saturating_sub(start).saturating_sub(2);
        let length = u16::try_from(length).unwrap_or(u16::MAX).to_be_bytes();
        if let Some(place) = self.0.get_mut(start..).and_then(<[u8]>::first_chunk_mut) {
            *place = length;
        }
    }

    pub(super) fn finish(self) -> [u8; 32] {
        Sha256::digest(self.0).into()
    }
}
