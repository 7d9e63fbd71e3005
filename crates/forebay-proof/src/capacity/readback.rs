//! Reads a whole buffer back and holds every event against the ledger.

use std::time::{Duration, Instant};

use crate::ledger::{Findings, Ledger};
use crate::progress::Progress;
use crate::proof_reader::{self, ProofReader};
use crate::wait::go_on;
use forebay::buffer::connect::Address;
use forebay::buffer::keys::Name;

/// How long the server may give no answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// What came back.
pub struct ReadBack {
    pub findings: Findings,
    /// Damaged or missing blocks, by place.
    pub faults: Vec<String>,
    pub seconds: f64,
}

/// Reads everything there is, leaving no trace.
pub fn read_back(
    address: &Address,
    name: &Name,
    ledger: &mut Ledger<'_>,
    progress: &dyn Progress,
) -> anyhow::Result<ReadBack> {
    let started = Instant::now();
    let mut reader = proof_reader::open(address, name, None, PATIENCE)?;
    let (mut reading, mut faults) = (ProofReader::new()?, Vec::new());
    loop {
        let found = reader.next(Duration::ZERO)?;
        if found.is_empty() {
            break;
        }
        go_on()?;
        let taken = reading.take(found, ledger);
        faults.extend(taken.others.iter().map(ToString::to_string));
        progress.at(reading.events);
    }
    Ok(ReadBack { findings: ledger.findings(), faults, seconds: started.elapsed().as_secs_f64() })
}
