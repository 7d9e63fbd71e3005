//! What an ingest would do, found out without doing it: each host is subscribed to and left again, and the buffer's server is
//! only read from.

use std::thread::{ScopedJoinHandle, scope};
use std::time::{Duration, Instant};

use forebay::buffer::error::Error;
use forebay::buffer::look;
use forebay::buffer::stat::{SourceStat, Stat};
use forebay::buffer::status_subscriber::StatusSubscriber;

use super::config::Config;
use super::host::Host;
pub use super::probe::Probe;
use super::probe::probe;

/// How long it is listened whether a writer is heard: each says something once a second.
const WRITER_SPEAKS: Duration = Duration::from_millis(1_300);

/// What an ingest would do.
#[derive(Debug)]
pub struct Checked {
    /// Each host, in its order.
    pub hosts: Vec<HostChecked>,
    /// The buffer, or why it cannot be looked at.
    pub buffer: Result<BufferChecked, Error>,
}

/// A host.
#[derive(Debug)]
pub struct HostChecked {
    /// Its address.
    pub host: String,
    /// How long the look took.
    pub took: Duration,
    /// What it gives, or what was tried and why that failed.
    pub outcome: Result<Probe, String>,
}

/// A buffer.
#[derive(Debug)]
pub struct BufferChecked {
    /// Whether it is there; else the ingest makes it.
    pub is_there: bool,
    /// Events that it holds.
    pub events: Option<u64>,
    /// Who counts its cursors.
    pub source: Option<SourceStat>,
    /// Up to which cursor everything is settled.
    pub low_watermark: Option<u64>,
    /// Who writes it.
    pub writer: Held,
}

/// Who has a buffer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Held {
    /// Nobody.
    Free,
    /// A writer that was heard: this one would be refused.
    Writing,
    /// A writer that was not heard, and did not say that it ended: it is replaced after some seconds of silence.
    Silent,
}

/// Looks at the buffer and at each host, all of them at once after the buffer.
pub fn check(config: &Config) -> Result<Checked, super::IngestError> {
    let ear = StatusSubscriber::start(&config.address, &config.name);
    let began = Instant::now();
    let stat = look::look(&config.address, &config.name);
    let of_subscribe = config.read_dictionary()?;
    let hosts = scope(|scope| {
        let probes: Vec<ScopedJoinHandle<'_, HostChecked>> = config
            .hosts
            .iter()
            .map(|host| {
                scope.spawn(|| host_checked(config, host, stat.as_ref().ok(), of_subscribe.as_deref()))
            })
            .collect();
        // Proof: a probe has no way to panic but a fault of ours, which is to be seen.
        probes.into_iter().map(|probe| probe.join().expect("a probe ends")).collect()
    });
    let buffer = stat.map(|stat| BufferChecked {
        is_there: !stat.lanes.is_empty(),
        events: stat.events(),
        low_watermark: stat.low_watermark().map(|at| at.cursor),
        writer: held(&stat, &ear, began),
        source: stat.source,
    });
    Ok(Checked { hosts, buffer })
}

/// Whether the run that has the lanes is heard.
fn held(stat: &Stat, ear: &StatusSubscriber, began: Instant) -> Held {
    let Some(run) = stat.lanes.iter().find_map(|lane| lane.run.as_ref()) else { return Held::Free };
    loop {
        let heard = ear.look();
        if heard.writers.iter().any(|writer| writer.id == *run && !writer.state.is_end()) {
            return Held::Writing;
        }
        if began.elapsed() >= WRITER_SPEAKS {
            return Held::Silent;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn host_checked(
    config: &Config,
    host: &Host,
    stat: Option<&Stat>,
    of_subscribe: Option<&[u8]>,
) -> HostChecked {
    let began = Instant::now();
    let outcome = probe(config, host, stat, of_subscribe);
    HostChecked { host: host.to_string(), took: began.elapsed(), outcome }
}
