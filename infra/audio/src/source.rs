//! Reading at any position of a file, within its bounds, through one small buffer.

use crate::Unmeasurable;
use std::io::{Read, Seek, SeekFrom};

/// A reader that can also seek.
pub trait Input: Read + Seek {}

impl<T: Read + Seek> Input for T {}

/// How much is read at once. Many requests are served from it.
const WINDOW_BYTES: usize = 1 << 16;

/// The most bytes that one request may read. No header of a supported format is larger.
const REQUEST_BYTES_MAX: usize = 1 << 20;

pub struct Source<'a> {
    input: &'a mut dyn Input,
    len: u64,
    window: Vec<u8>,
    window_at: u64,
}

impl<'a> Source<'a> {
    pub fn new(input: &'a mut dyn Input) -> Result<Self, Unmeasurable> {
        let len = input.seek(SeekFrom::End(0)).map_err(Unmeasurable::Unreadable)?;
        Ok(Self { input, len, window: vec![], window_at: 0 })
    }

    pub fn len(&self) -> u64 {
        self.len
    }

    /// Ignores everything after this position, as if the file ended there.
    pub fn end_at(&mut self, end: u64) {
        self.len = self.len.min(end);
    }

    /// Exactly this many bytes. If the file ends before that, it was cut short.
    pub fn bytes(&mut self, at: u64, count: usize) -> Result<&[u8], Unmeasurable> {
        let found = self.up_to(at, count)?;
        if found.len() == count { Ok(found) } else { Err(Unmeasurable::CutShort { container: "audio" }) }
    }

    /// Up to this many bytes, fewer at the end of the file.
    pub fn up_to(&mut self, at: u64, count: usize) -> Result<&[u8], Unmeasurable> {
        let count = count.min(REQUEST_BYTES_MAX);
        let left = usize::try_from(self.len.saturating_sub(at)).unwrap_or(usize::MAX);
        let count = count.min(left);
        if self.within_window(at, count).is_none() {
            self.fill(at, count.max(WINDOW_BYTES).min(left))?;
        }
        Ok(self.within_window(at, count).unwrap_or_default())
    }

    fn within_window(&self, at: u64, count: usize) -> Option<&[u8]> {
        let start = usize::try_from(at.checked_sub(self.window_at)?).ok()?;
        self.window.get(start..start.checked_add(count)?)
    }

    fn fill(&mut self, at: u64, count: usize) -> Result<(), Unmeasurable> {
        self.window.clear();
        self.window_at = at;
        self.input.seek(SeekFrom::Start(at)).map_err(Unmeasurable::Unreadable)?;
        let count = u64::try_from(count).unwrap_or(u64::MAX);
        self.input.take(count).read_to_end(&mut self.window).map_err(Unmeasurable::Unreadable)?;
        Ok(())
    }

    pub fn array<const N: usize>(&mut self, at: u64) -> Result<[u8; N], Unmeasurable> {
        let bytes = self.bytes(at, N)?;
        <[u8; N]>::try_from(bytes).map_err(|_| Unmeasurable::CutShort { container: "audio" })
    }

    pub fn byte(&mut self, at: u64) -> Result<u8, Unmeasurable> {
        self.array(at).map(u8::from_be_bytes)
    }

    pub fn be16(&mut self, at: u64) -> Result<u16, Unmeasurable> {
        self.array(at).map(u16::from_be_bytes)
    }

    pub fn be32(&mut self, at: u64) -> Result<u32, Unmeasurable> {
        self.array(at).map(u32::from_be_bytes)
    }

    pub fn be64(&mut self, at: u64) -> Result<u64, Unmeasurable> {
        self.array(at).map(u64::from_be_bytes)
    }

    pub fn le16(&mut self, at: u64) -> Result<u16, Unmeasurable> {
        self.array(at).map(u16::from_le_bytes)
    }

    pub fn le32(&mut self, at: u64) -> Result<u32, Unmeasurable> {
        self.array(at).map(u32::from_le_bytes)
    }

    pub fn le64(&mut self, at: u64) -> Result<u64, Unmeasurable> {
        self.array(at).map(u64::from_le_bytes)
    }

    pub fn starts_with(&mut self, at: u64, magic: &[u8]) -> Result<bool, Unmeasurable> {
        Ok(self.up_to(at, magic.len())? == magic)
    }

    /// Whether there is a byte at this position and it is zero.
    pub fn byte_is_zero(&mut self, at: u64) -> bool {
        matches!(self.byte(at), Ok(0))
    }

    /// Whether there are only zeros between the two positions.
    pub fn is_zero(&mut self, mut at: u64, end: u64) -> Result<bool, Unmeasurable> {
        while at < end {
            let count = usize::try_from(end.saturating_sub(at)).unwrap_or(usize::MAX).min(WINDOW_BYTES);
            let bytes = self.up_to(at, count)?;
            if bytes.is_empty() || bytes.iter().any(|byte| *byte != 0) {
                return Ok(false);
            }
            at = at.saturating_add(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
        }
        Ok(true)
    }
}
