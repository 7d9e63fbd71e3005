//! What a value weighs as it grows.

use crate::memory_probe::MemoryProbe;
use crate::target::scratch;
use forebay_rig::server::ServerBinary;

/// Sizes of a value, in bytes.
const SIZES: [usize; 5] = [64, 512, 4_096, 16_384, 65_536];

/// Values of each size.
const COUNT: usize = 200;

/// A size and what it came to.
#[derive(Debug, Clone, Copy)]
pub struct Weight {
    pub value_bytes: usize,
    /// `used_memory` for each.
    pub used_bytes: f64,
}

/// Weighs values of each size on a server of its own.
pub fn weigh(binary: &ServerBinary) -> anyhow::Result<Vec<Weight>> {
    let mut weights = Vec::new();
    for value_bytes in SIZES {
        let (_server, address) = scratch(binary, 0)?;
        let mut gauge = MemoryProbe::open(&address)?;
        let before = gauge.look(0)?.used_bytes;
        let mut all = redis::pipe();
        for n in 0..COUNT {
            all.cmd("SET").arg(format!("value:{n}")).arg(vec![b'x'; value_bytes]).ignore();
        }
        all.query::<()>(&mut address.dial()?)?;
        let used = gauge.settled(0)?.used_bytes.saturating_sub(before);
        weights.push(Weight { value_bytes, used_bytes: used as f64 / COUNT as f64 });
    }
    Ok(weights)
}
