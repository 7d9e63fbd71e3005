//! What the simulated network has: lines by index, made in chunks, of which the last used are kept.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use crate::synth::Synth;

/// Events that are made together.
pub(super) const CHUNK_LEN: u64 = 512;
/// Chunks that are kept: about 30 MB. Connections that stand near each other make every event once.
const CHUNKS_MAX: usize = 128;

/// Consecutive lines as the generator makes them, with its own times.
#[derive(Debug)]
pub(super) struct Chunk {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl Chunk {
    fn of(synth: &Synth, number: u64) -> Self {
        let mut chunk = Self { bytes: Vec::new(), ends: Vec::new() };
        for index in number * CHUNK_LEN..(number + 1) * CHUNK_LEN {
            synth.write_event(index, &mut chunk.bytes);
            chunk.ends.push(chunk.bytes.len());
        }
        chunk
    }

    /// The line of this index, which must be one of this chunk's.
    pub(super) fn line(&self, index: u64) -> &[u8] {
        let at = (index % CHUNK_LEN) as usize;
        let start = if at == 0 { 0 } else { self.ends[at - 1] };
        &self.bytes[start..self.ends[at]]
    }
}

/// What the simulated network has: event `index` (from 0) is a function of the seed, the rate and the index.
///
/// The times in these lines are the generator's. A [`Simulator`](super::Simulator) replaces `time_us` by the moment at
/// which the event came to exist there.
#[derive(Debug)]
pub struct Network {
    synth: Synth,
    /// The chunks that were used last, the newest at the back.
    chunks: Mutex<VecDeque<(u64, Arc<Chunk>)>>,
}

impl Network {
    /// The network of this seed. The rate, in events a second, decides how far references reach back.
    pub fn new(seed: u64, rate: f64) -> Self {
        Self { synth: Synth::network(seed).with_rate(rate), chunks: Mutex::default() }
    }

    /// Event `index` as a line of the first protocol, without a line end.
    pub fn line(&self, index: u64) -> Vec<u8> {
        self.chunk(index).line(index).to_vec()
    }

    /// The chunk that this event is in.
    pub(super) fn chunk(&self, index: u64) -> Arc<Chunk> {
        let number = index / CHUNK_LEN;
        if let Some(kept) = self.kept(number) {
            return kept;
        }
        // Made without the lock: two connections may make the same chunk, and no connection waits for another's.
        let made = Arc::new(Chunk::of(&self.synth, number));
        let mut chunks = self.chunks.lock().unwrap_or_else(PoisonError::into_inner);
        if chunks.len() >= CHUNKS_MAX {
            chunks.pop_front();
        }
        chunks.push_back((number, Arc::clone(&made)));
        made
    }

    fn kept(&self, number: u64) -> Option<Arc<Chunk>> {
        let mut chunks = self.chunks.lock().unwrap_or_else(PoisonError::into_inner);
        let at = chunks.iter().rposition(|(kept, _)| *kept == number)?;
        let found = chunks.remove(at)?;
        let chunk = Arc::clone(&found.1);
        chunks.push_back(found);
        Some(chunk)
    }
}
