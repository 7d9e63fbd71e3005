//! `make bench`: the figures that Forebay claims, each beside its peer, measured in one run.
//!
//! Whole commands against servers of our own: what is timed is what a user runs. Runs of a figure and of its
//! peer alternate, so that a machine whose speed drifts drifts for both; the median is quoted, and every raw
//! row is printed below the table. `make bench ARGS='-- watch'` measures the watch alone, `latency` the way of an event,
//! `drain` files.

mod codec;
mod commands;
mod drain;
mod held_back;
mod latency;
mod load;
mod peer;
mod spill;
mod table;
mod watch;

use forebay::buffer::batch::Limits;
use forebay_proof::report::Machine;
use forebay_rig::server::ServerBinary;

use commands::{Input, append_rate, bytes_per_event, read_rate};
use table::{Row, Table};

/// Events of the input file: half a gigabyte.
const EVENTS: u64 = 1_000_000;

/// What can be measured without the rest, by its name.
type Rows = fn(&ServerBinary, &mut Table) -> anyhow::Result<()>;
const ALONE: [(&str, Rows); 3] = [("drain", drain::rows), ("latency", latency::rows), ("watch", watch::rows)];

/// Counted runs of each figure.
const RUNS: usize = 5;

fn main() -> anyhow::Result<()> {
    // `cargo test --benches` only wants to know that it builds.
    if std::env::args().any(|arg| arg == "--test") {
        return Ok(());
    }
    let binary = ServerBinary::find(None)?;
    let machine = Machine::here();
    println!("{} {}, {}, {} cores, {}", binary.kind, binary.version, machine.cpu, machine.cores, machine.os);
    for (name, rows) in ALONE {
        if std::env::args().any(|arg| arg == name) {
            let mut table = Table::default();
            rows(&binary, &mut table)?;
            table.print();
            return Ok(());
        }
    }
    let input = Input::make(EVENTS)?;
    println!("{EVENTS} synthetic events, {:.0} bytes each, {RUNS} runs, medians\n", input.mean_bytes());
    let mut table = Table::default();
    codec::rows(&input, &mut table)?;
    append(&binary, &input, &mut table)?;
    let read = (0..RUNS).map(|_| read_rate(&binary, &input)).collect::<Result<Vec<_>, _>>()?;
    table.add(Row::new("read back, checked, NDJSON out", "events/s", read).at_least(1_000_000.0));
    for (rate, most) in [(938.0, 100.0), (94.0, 120.0)] {
        let bytes = bytes_per_event(&binary, rate, Limits::default().linger)?;
        let what = format!("used memory at {rate:.0}/s, linger 200 ms");
        table.add(Row::new(&what, "bytes/event", vec![bytes]).at_most(most));
    }
    let peak = held_back::peak_mib(&binary, &input)?;
    let what = "`append` held back by a slow server, 10 M events: peak memory";
    table.add(Row::new(what, "MiB", vec![peak]).at_most(200.0));
    spilled(&binary, &input, &mut table)?;
    load::rows(&binary, &mut table)?;
    for (_, rows) in ALONE {
        rows(&binary, &mut table)?;
    }
    table.print();
    Ok(())
}

/// Append before a full server, to a folder, and from there.
fn spilled(binary: &ServerBinary, input: &Input, table: &mut Table) -> anyhow::Result<()> {
    let runs = (0..RUNS).map(|_| spill::run(binary, input)).collect::<Result<Vec<_>, _>>()?;
    let pick = |pick: fn(&spill::Spilled) -> f64| runs.iter().map(pick).collect::<Vec<_>>();
    let to_disk = pick(|run| run.to_disk);
    table.add(Row::new("append, server full, --spill: to disk", "events/s", to_disk).at_least(300_000.0));
    let to_server = pick(|run| run.to_server);
    table.add(
        Row::new("from there to the server, once it has room", "events/s", to_server).at_least(500_000.0),
    );
    let peak = pick(|run| run.peak_mib);
    table.add(Row::new("append, server full, --spill: peak memory", "MiB", peak).at_most(200.0));
    Ok(())
}

/// Append without and with persistence, in turn with redis-benchmark.
fn append(binary: &ServerBinary, input: &Input, table: &mut Table) -> anyhow::Result<()> {
    let (mut plain, mut always, mut peer) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..RUNS {
        plain.push(append_rate(binary, input, false)?);
        peer.push(peer::xadd_rate(binary, EVENTS, input.mean_bytes().round() as usize)?);
        always.push(append_rate(binary, input, true)?);
    }
    let xadd = "redis-benchmark XADD -P 64 -c 50";
    table.add(Row::new("append, no persistence", "events/s", plain).at_least(1_000_000.0).beside(
        xadd,
        peer,
        Some(1.5),
    ));
    table.add(Row::new("append, appendfsync always", "events/s", always).at_least(400_000.0));
    Ok(())
}
