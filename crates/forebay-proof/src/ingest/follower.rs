//! A reader that follows a buffer and writes down what it is handed.

use std::time::Duration;

use forebay::block::decode::Decoder;
use forebay::block::frame::lines;
use forebay::buffer::connect::Address;
use forebay::buffer::keys::Name;
use forebay::buffer::reader::Reader;
use forebay_rig::jetstream::IngestLedger;

use crate::proof_reader;

/// How long a server may refuse before the reader gives up.
const PATIENCE: Duration = Duration::from_secs(20);

/// A reader of all lanes, without a group: it leaves no trace.
pub struct Follower {
    reader: Reader,
    decoder: Decoder,
}

impl Follower {
    /// From the buffer's beginning on.
    pub fn open(address: &Address, name: &Name) -> anyhow::Result<Self> {
        let reader = proof_reader::open_lanes(address, name, &[], None, PATIENCE)?;
        Ok(Self { reader, decoder: Decoder::of(name.events())? })
    }

    /// Takes what there is by now into the ledger. An error where there is anything but sound blocks without a gap.
    pub fn take(&mut self, ledger: &mut IngestLedger) -> anyhow::Result<()> {
        loop {
            let blocks = proof_reader::blocks(self.reader.next(Duration::ZERO)?)?;
            if blocks.is_empty() {
                return Ok(());
            }
            for (lane, entry) in blocks {
                let content = self.decoder.open(entry.sealed()).map_err(anyhow::Error::msg)?;
                lines(content).for_each(|line| ledger.read(lane.index(), line));
            }
        }
    }
}
