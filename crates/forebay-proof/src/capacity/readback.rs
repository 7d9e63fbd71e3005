//! Reads a whole buffer back and holds every event against the ledger.

use std::time::{Duration, Instant};

use crate::ledger::{Findings, Ledger};
use crate::progress::Progress;
use forebay::block::frame::{Decoder, lines};
use forebay::buffer::connect::Address;
use forebay::buffer::keys::Name;
use forebay::buffer::reader::{Found, Options, Reader};
use forebay::event::lane::Lane;
use forebay_rig::server;

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
    let options = Options {
        lanes: Lane::ALL.to_vec(),
        group: None,
        ahead: true,
        claim_idle: Duration::ZERO,
        patience: Duration::from_secs(10),
    };
    let started = Instant::now();
    let mut reader = Reader::open(address, name, options)?;
    let (mut decoder, mut faults, mut read) = (Decoder::new()?, Vec::new(), 0);
    loop {
        let found = reader.next(Duration::ZERO)?;
        if found.is_empty() {
            break;
        }
        anyhow::ensure!(!server::ending(), "interrupted");
        for item in found {
            match item {
                Found::Block(lane, entry) => {
                    match decoder.open(&entry.frame, entry.events, entry.times) {
                        Ok(content) => lines(content).for_each(|event| ledger.read(lane, event)),
                        Err(why) => faults.push(Found::Damaged { lane, id: entry.id, why }.to_string()),
                    }
                    read += entry.events;
                }
                fault => faults.push(fault.to_string()),
            }
        }
        progress.at(read);
    }
    Ok(ReadBack { findings: ledger.findings(), faults, seconds: started.elapsed().as_secs_f64() })
}
