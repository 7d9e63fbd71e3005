//! How a writer is opened: its lanes are taken, and its threads are started.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use crossbeam_channel::bounded;

use super::claim::LaneStarts;
use super::compress::CompressorThread;
use super::connect::Address;
use super::cutter::Cutter;
use super::error::Error;
use super::gate::Gate;
use super::kept_back::source_of;
use super::keys::Name;
use super::meta;
use super::options::Options;
use super::overflow::Overflow;
use super::owner::Owner;
use super::position::Position;
use super::round_failure::BACKOFF_MAX;
use super::shared::Shared;
use super::status_publisher::Publisher;
use super::threads::Threads;
use super::writer::Writer;
use crate::block::encode::Encoder;

/// Drafts that may wait for the compressor, and bytes of theirs: 4 MiB at the default block size.
const DRAFTS_MAX: usize = 16;
const DRAFT_BYTES_MAX: usize = 8 << 20;

impl Writer {
    /// Takes every lane of the buffer, or none; older writers are fenced from here on. One that is still heard is not taken
    /// from, unless [`Options::takes_over`]. With [`Overflow::Spill`] a server that is away or takes no writes is no
    /// reason to fail: its lanes are taken once it does. Nothing is dropped before the lanes are taken.
    #[doc(hidden)]
    pub fn open(address: &Address, name: &Name, options: &Options) -> Result<Self, Error> {
        let name = &meta::settled(address, name, options.patience);
        let owner = Owner::new(options.takes_over, options.keep_back.is_some());
        let shared = Arc::new(Shared::new(name.lanes(), owner, options.listener.clone()));
        let mut lanes = LaneStarts::of(address, name, options, &shared)?;
        let (gate, exit) = Gate::new(DRAFT_BYTES_MAX);
        let (send, receive) = bounded(DRAFTS_MAX);
        let mut writer = Self {
            cutter: Arc::new(Cutter::new(options.limits, name.lanes(), gate, send)),
            shared,
            threads: Threads::default(),
            publisher: None,
            keeps_time: false,
            resumed: lanes.position(),
            pushed: 0,
            position: Position::of(name.lanes()),
            events: name.events(),
            address: address.clone(),
            name: name.clone(),
            patience: options.patience,
            source: None,
        };
        let numbering = writer.resumed.numbering;
        if numbering > 0 {
            let (mut connection, _) = address.connect()?;
            writer.source = source_of(&mut connection, name, numbering)?;
        }
        writer.shared.source.begin_at(writer.resumed.low_watermark, numbering);
        writer.shared.source.keep_back(options.keep_back.unwrap_or(0));
        // First of all, so that whoever looks at the lanes hears whose they are.
        writer.publisher = Some(Publisher::start(address, name, &writer.shared)?);
        let senders = name.lanes().map(|lane| lanes.start(lane, &writer.shared, &mut writer.threads));
        let senders = senders.into_iter().collect::<Result<Vec<_>, _>>()?;
        let encoder = Encoder::of(writer.events, options.encoding)
            .map_err(|error| Error::system("no zstd context", error))?;
        let sheds = options.overflow == Overflow::Shed;
        let packer = CompressorThread::new(encoder, senders, Arc::clone(&writer.shared), sheds);
        writer.threads.start("forebay-zstd".into(), move || {
            let _exit = exit;
            packer.run(&receive);
        })?;
        Ok(writer)
    }

    /// Opens as [`Self::open`] does, and waits for a server that is there and takes no writes yet (full, loading), as
    /// long as [`Options::patience`] allows. None where `stop` was set meanwhile.
    #[doc(hidden)]
    pub fn open_patiently(
        address: &Address,
        name: &Name,
        options: &Options,
        stop: &AtomicBool,
    ) -> Result<Option<Self>, Error> {
        let started = Instant::now();
        let mut is_told = false;
        while !stop.load(Relaxed) {
            let why = match Self::open(address, name, options) {
                Err(Error::NotNow { why, .. }) => why,
                // A signal breaks off whatever the system was doing.
                Err(error) if error.is_by_signal(stop) => break,
                opened => return opened.map(Some),
            };
            let waited = Duration::from_millis(started.elapsed().as_millis() as u64);
            if waited >= options.patience {
                return Err(Error::Lost { url: address.to_string(), waited, why, unacknowledged: 0 });
            }
            if !is_told {
                tracing::warn!("held back, {address} takes no writes now: {why}");
            }
            is_told = true;
            std::thread::sleep(BACKOFF_MAX.min(options.patience.saturating_sub(waited)));
        }
        Ok(None)
    }
}
