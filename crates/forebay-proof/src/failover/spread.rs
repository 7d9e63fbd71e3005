//! How evenly the streams of a buffer fill the masters of a cluster, by the slots that the cluster says their keys have.

use forebay::buffer::keys::Name;
use forebay::buffer::look::look;
use forebay::buffer::writer::{Ack, Writer};
use forebay::event::jetstream;
use forebay::event::lane::Lane;
use forebay::event::stream::Stream;
use forebay_rig::server::{ClusterSet, ServerBinary};
use forebay_rig::synth::Synth;

use super::source::options;
use super::stage::{cluster, found};

/// Partitions of each lane: as many as there are masters at the most.
const PARTITIONS: u32 = 9;
/// Numbers of masters that are asked about. More than the cluster has are reckoned with: slots are divided evenly.
pub(super) const MASTERS: [u64; 2] = [3, 9];
const SLOTS: u64 = 16_384;

/// Events of each stream, with the slot of its key, and the slot that it would have by its plain name.
#[derive(Debug, Clone, Default)]
pub(super) struct Streams {
    pub spread: Vec<(u16, u64)>,
    pub plain: Vec<(u16, u64)>,
}

/// What the fullest of so many masters has, over the mean.
pub(super) fn fullest(streams: &[(u16, u64)], masters: u64) -> f64 {
    let mut held = vec![0; masters as usize];
    for (slot, events) in streams {
        held[(u64::from(*slot) * masters / SLOTS) as usize] += events;
    }
    let (most, all) = (held.iter().copied().max().unwrap_or(0), held.iter().sum::<u64>());
    most as f64 * masters as f64 / all as f64
}

/// A buffer of so many events on a cluster of three masters.
pub(super) fn streams(binary: &ServerBinary, seed: u64, events: u64) -> anyhow::Result<Streams> {
    let (set, address) = cluster(binary, 0)?;
    let lanes = jetstream::ALL.map(|lane| (lane.name(), PARTITIONS));
    let stream = Stream::jetstream().partitioned("/did", lanes)?;
    let plain: Name = "spread".parse::<Name>()?.of(stream);
    let mut writer = Writer::open(&address, &plain, &options(Ack::Reply, 0))?;
    let (synth, mut bytes) = (Synth::network(seed), Vec::new());
    for index in 0..events {
        bytes.clear();
        synth.write_event(index, &mut bytes);
        writer
            .push(&stream.parse(&bytes).map_err(|why| anyhow::anyhow!("synthetic event {index}: {why}"))?)?;
    }
    writer.close()?;
    let spread = found(&address, &plain)?;
    let mut streams = Streams::default();
    for lane in look(&address, &spread)?.lanes {
        let events = lane.total.unwrap_or(0);
        streams.spread.push((slot(&set, &spread, lane.lane)?, events));
        streams.plain.push((slot(&set, &plain, lane.lane)?, events));
    }
    Ok(streams)
}

fn slot(set: &ClusterSet, name: &Name, lane: Lane) -> anyhow::Result<u16> {
    Ok(set.slot_of(&name.stream(lane))?)
}
