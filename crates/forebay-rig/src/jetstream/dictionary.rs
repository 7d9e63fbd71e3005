//! The dictionaries of the simulator, and compression with them.
//!
//! They are trained on events of the simulator, so none of the real ones is needed here. All of them are the same but for
//! their id, which is what a client and a host agree on.

use std::io;
use std::sync::OnceLock;

use zstd::bulk::Compressor as Bulk;
use zstd::dict::EncoderDictionary;

use super::encode::{Encoder, Form, Parts};
use crate::synth::Synth;

/// What `compress=true` uses: fixed for ever, and known to clients without being asked for.
const ID_V1: u32 = 1_160_000_001;
/// What a V2 host hands out.
const ID_V2: u32 = 1_160_000_002;
/// What it hands out once that was rotated.
const ID_ROTATED: u32 = 1_160_000_003;
/// What nobody has.
const ID_WRONG: u32 = 1_160_000_009;

const DICTIONARY_BYTES: usize = 16 << 10;
const SAMPLES: u64 = 2_000;
/// The real host's is its library's fastest.
const LEVEL: i32 = 1;
/// Where a dictionary has its id.
const ID_AT: usize = 4;

/// Which dictionary.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Which {
    V1,
    V2,
    Rotated,
    Wrong,
}

/// A dictionary, and what compresses with it.
struct Ready {
    id: u32,
    bytes: Vec<u8>,
    encoder: EncoderDictionary<'static>,
}

impl Which {
    /// By which frames name it.
    pub(super) fn id(self) -> u32 {
        match self {
            Self::V1 => ID_V1,
            Self::V2 => ID_V2,
            Self::Rotated => ID_ROTATED,
            Self::Wrong => ID_WRONG,
        }
    }

    /// The structured dictionary itself.
    pub(super) fn bytes(self) -> io::Result<&'static [u8]> {
        Ok(&self.ready()?.bytes)
    }

    fn ready(self) -> io::Result<&'static Ready> {
        static READY: [OnceLock<Ready>; 4] = [const { OnceLock::new() }; 4];
        let slot = &READY[self as usize];
        if let Some(ready) = slot.get() {
            return Ok(ready);
        }
        let mut bytes = trained()?.to_vec();
        bytes[ID_AT..ID_AT + 4].copy_from_slice(&self.id().to_le_bytes());
        let encoder = EncoderDictionary::copy(&bytes, LEVEL);
        Ok(slot.get_or_init(|| Ready { id: self.id(), bytes, encoder }))
    }
}

impl std::fmt::Debug for Ready {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ready").field("id", &self.id).finish_non_exhaustive()
    }
}

/// Trained once a process, on events in both shapes.
fn trained() -> io::Result<&'static [u8]> {
    static TRAINED: OnceLock<Vec<u8>> = OnceLock::new();
    if let Some(trained) = TRAINED.get() {
        return Ok(trained);
    }
    let synth = Synth::network(0x0D1C_7104);
    let mut encoder = Encoder::default();
    let (mut line, mut samples) = (Vec::new(), Vec::new());
    for index in 0..SAMPLES {
        line.clear();
        synth.write_event(index, &mut line);
        let form = if index % 2 == 0 { Form::V1WithCursor } else { Form::V2 };
        let mut sample = Vec::new();
        encoder.write(&Parts::of(&line), form, index, synth.time_us(index), &mut sample);
        samples.push(sample);
    }
    let made = zstd::dict::from_samples(&samples, DICTIONARY_BYTES)?;
    Ok(TRAINED.get_or_init(|| made))
}

/// Compresses frames, one at a time.
pub(super) struct Compressor {
    bulk: Bulk<'static>,
    frame: Vec<u8>,
}

impl Compressor {
    /// One with this dictionary.
    pub(super) fn new(which: Which) -> io::Result<Self> {
        let bulk = Bulk::with_prepared_dictionary(&which.ready()?.encoder)?;
        Ok(Self { bulk, frame: Vec::new() })
    }

    /// The zstd frame of these bytes.
    pub(super) fn compress(&mut self, bytes: &[u8]) -> io::Result<&[u8]> {
        self.frame.clear();
        self.frame.reserve(zstd::zstd_safe::compress_bound(bytes.len()));
        self.bulk.compress_to_buffer(bytes, &mut self.frame)?;
        Ok(&self.frame)
    }
}

/// A zstd frame of about `bytes` / 32,768 bytes that decompresses to `bytes` spaces. Its head does not say how many.
pub(super) fn bomb(bytes: u64, dictionary: u32) -> Vec<u8> {
    /// Window and block: 128 KiB, the largest block there is.
    const WINDOW_LOG_BYTE: u8 = 7 << 3;
    const BLOCK: u64 = 128 << 10;
    const ONE_BYTE_REPEATED: u64 = 1;
    let mut frame = vec![0x28, 0xB5, 0x2F, 0xFD];
    // A dictionary's id of four bytes follows the window.
    frame.push(3);
    frame.push(WINDOW_LOG_BYTE);
    frame.extend_from_slice(&dictionary.to_le_bytes());
    let blocks = bytes.div_ceil(BLOCK).max(1);
    for block in 0..blocks {
        let is_last = u64::from(block + 1 == blocks);
        let head = is_last | ONE_BYTE_REPEATED << 1 | BLOCK << 3;
        frame.extend_from_slice(&head.to_le_bytes()[..3]);
        frame.push(b' ');
    }
    frame
}
