//! Data with a constant number of frames per block of bytes: PCM and ADPCM.

use crate::{Length, Unmeasurable};

/// Each block of `bytes` bytes holds `frames` frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Blocks {
    pub bytes: u64,
    pub frames: u64,
}

impl Blocks {
    /// One frame of PCM per block; `None` if a sample of each channel does not fit.
    pub fn pcm(block_bytes: u64, channels: u64, bits: u64) -> Option<Self> {
        let bytes_per_sample = block_bytes.checked_div(channels)?;
        let is_whole = block_bytes.checked_rem(channels)? == 0;
        let holds_the_bits = bits >= 1 && bits <= bytes_per_sample.saturating_mul(8);
        (is_whole && holds_the_bits && (1..=8).contains(&bytes_per_sample))
            .then_some(Self { bytes: block_bytes, frames: 1 })
    }

    /// PCM whose blocks have no unused bits.
    pub fn packed(channels: u64, bits: u64) -> Option<Self> {
        Self::pcm(bits.div_ceil(8).saturating_mul(channels), channels, bits)
    }

    /// The frames in the whole blocks of this many bytes.
    pub fn frames_in(self, bytes: u64) -> Option<u64> {
        bytes.checked_div(self.bytes)?.checked_mul(self.frames)
    }
}

/// The length of this many frames, at the sample rate in the container's header.
pub fn length(container: &'static str, frames: u64, rate: u64) -> Result<Length, Unmeasurable> {
    Length::new(frames, rate).ok_or_else(|| Unmeasurable::damaged(container, "its sample rate is 0"))
}
