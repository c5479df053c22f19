//! Why a length cannot be determined.

use crate::Length;
use std::io;

/// Why a file's length cannot be determined, in words that follow its name.
#[derive(Debug, thiserror::Error)]
pub enum Unmeasurable {
    #[error("there is no such file")]
    NotThere,
    #[error("this is a folder or a device, not a file")]
    NotAFile,
    #[error("the file cannot be read: {0}")]
    Unreadable(#[source] io::Error),
    #[error("this is not audio in WAV, AIFF, AU, CAF, FLAC, Ogg, MP4, MP3, AAC or AMR, or its start is damaged")]
    NotAudio,
    /// A format that is recognized but not measured.
    #[error("{} cannot be measured; decode it first: ffmpeg -i FILE -f wav - > FILE.wav", named(container, codec))]
    Unsupported { container: &'static str, codec: String },
    #[error("there is no audio track in it")]
    NoAudioTrack,
    #[error("it is empty: 0 ms of audio")]
    Empty,
    /// Fewer bytes, packets or samples than the file declares.
    #[error("it ends in the middle: the {container} file declares more audio than it has")]
    CutShort { container: &'static str },
    /// A stream without an end mark. The recording may still be running or may have broken off; the file does not show
    /// which.
    #[error(
        "its recording was not finished: the last page is missing, and {} ms of audio are there so far; \
         finish it first: ffmpeg -i FILE -c copy FINISHED.ogg",
        found.milliseconds()
    )]
    Unfinished { found: Length },
    #[error("it declares {declared_ms} ms of audio, but {found_ms} ms are there")]
    Contradictory { declared_ms: u64, found_ms: u64 },
    #[error("several recordings follow one another in it; split them into files")]
    Chained,
    #[error("the {container} file is damaged: {what}")]
    Damaged { container: &'static str, what: String },
}

impl Unmeasurable {
    pub(crate) fn damaged(container: &'static str, what: impl Into<String>) -> Self {
        Self::Damaged { container, what: what.into() }
    }

    pub(crate) fn contradictory(declared: Length, found: Length) -> Self {
        Self::Contradictory { declared_ms: declared.milliseconds(), found_ms: found.milliseconds() }
    }

    /// A file that ends before this container's declared end.
    pub(crate) fn within(self, container: &'static str) -> Self {
        match self {
            Self::CutShort { .. } => Self::CutShort { container },
            other => other,
        }
    }
}

fn named(container: &str, codec: &str) -> String {
    if container == codec { container.to_owned() } else { format!("{container} with {codec}") }
}
