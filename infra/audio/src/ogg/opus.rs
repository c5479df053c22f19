//! Opus in Ogg (RFC 7845). The decoder's warm-up at the start is not played, and the last page states the end.

use super::{Codec, OGG, Timeline};
use crate::{Length, Unmeasurable, pcm};

/// Opus always counts at this rate, whatever the sample rate of the recording.
const RATE: u64 = 48_000;

pub struct Opus {
    pre_skip: u64,
    headers: u8,
}

impl Opus {
    pub fn parse(packet: &[u8]) -> Option<Self> {
        let version = *packet.get(8)?;
        let pre_skip = u16::from_le_bytes(<[u8; 2]>::try_from(packet.get(10..12)?).ok()?);
        (version < 16 && packet.len() >= 19).then_some(Self { pre_skip: u64::from(pre_skip), headers: 0 })
    }
}

impl Codec for Opus {
    fn name(&self) -> &'static str {
        "Opus"
    }

    fn frames_of(&mut self, packet: &[u8]) -> Option<u64> {
        // The first two packets are the head and the tags.
        if self.headers < 2 {
            self.headers = self.headers.saturating_add(1);
            return Some(0);
        }
        frames_of(packet)
    }

    fn length(&self, timeline: &Timeline) -> Result<Length, Unmeasurable> {
        let length = |frames| pcm::length(OGG, frames, RATE);
        let Some(counted) = timeline.frames_by_pages() else {
            let declared = timeline.last.0.saturating_sub(self.pre_skip);
            return Err(Unmeasurable::contradictory(length(declared)?, length(timeline.frames)?));
        };
        length(counted.saturating_sub(self.pre_skip))
    }
}

/// RFC 6716, 3.1 and 3.2: the length of a frame, and the number of frames.
pub fn frames_of(packet: &[u8]) -> Option<u64> {
    let kind = packet.first()?;
    let frame = match kind >> 3 {
        silk @ 0..12 => [480, 960, 1_920, 2_880].get(usize::from(silk & 3)).copied()?,
        hybrid @ 12..16 => 480_u64 << (hybrid & 1),
        celt => 120_u64 << (celt & 3),
    };
    let count = match kind & 3 {
        0 => 1,
        1 | 2 => 2,
        _ => u64::from(packet.get(1)? & 0x3f),
    };
    frame.checked_mul(count).filter(|frames| (1..=5_760).contains(frames))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_packet_says_how_long_it_is() {
        for (packet, frames) in [
            (&[0b0000_0000][..], Some(480)),
            (&[0b0001_1000], Some(2_880)),
            (&[0b0110_1000], Some(960)),
            (&[0b1110_0000], Some(120)),
            (&[0b1111_1001], Some(1_920)),
            (&[0b1111_1011, 0b0000_0110], Some(5_760)),
            (&[0b1111_1011, 0b0000_0111], None),
            (&[0b1111_1011, 0], None),
            (&[0b1111_1011], None),
            (&[], None),
        ] {
            assert_eq!(frames_of(packet), frames, "{packet:?}");
        }
    }
}
