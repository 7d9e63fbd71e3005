//! A buffer into Parquet files on one core, beside a consumer by hand of the same buffer.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, ensure};
use forebay::block::encode::{Encoding, Wanted};
use forebay::buffer::connect::Address;
use forebay::buffer::writer::{Options, Writer};
use forebay::event::parse;
use forebay_rig::server::{Server, ServerBinary};
use forebay_rig::synth::Synth;

use crate::RUNS;
use crate::commands::{FOREBAY, server};
use crate::table::{Row, Table};

/// Events in the buffer: more than a row group in the largest lanes.
const EVENTS: u64 = 1_000_000;

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");

pub fn rows(binary: &ServerBinary, table: &mut Table) -> anyhow::Result<()> {
    let [mut ours, mut lean, mut theirs] = [(); 3].map(|()| Vec::new());
    let plain = filled(binary, Wanted::Plain)?;
    for run in 0..RUNS {
        ours.push(drain(&plain, &format!("full-{run}"), &[])?);
        theirs.push(consumer(&plain)?);
        lean.push(drain(&plain, &format!("lean-{run}"), &["--lean"])?);
    }
    let dense = filled(binary, Wanted::Dense)?;
    let from_dense = (0..RUNS).map(|run| drain(&dense, &format!("dense-{run}"), &[]));
    let from_dense = from_dense.collect::<anyhow::Result<Vec<_>>>()?;
    let what = "drain to a folder on one core, checked, from encoding 1";
    table.add(Row::new(what, "events/s", ours).at_least(200_000.0).beside(
        "pyarrow consumer",
        theirs,
        Some(1.0),
    ));
    table.add(Row::new("the same, lean files", "events/s", lean));
    table.add(Row::new("the same, full files from encoding 2", "events/s", from_dense));
    Ok(())
}

/// A server with a buffer.
fn filled(binary: &ServerBinary, wanted: Wanted) -> anyhow::Result<Server> {
    let server = server(binary, false)?;
    let options = Options { encoding: Encoding { wanted, ..Encoding::default() }, ..Options::default() };
    let mut writer = Writer::open(&Address::parse(&server.url())?, &"bench".parse()?, &options)?;
    let (synth, mut line) = (Synth::network(1), Vec::new());
    for index in 0..EVENTS {
        line.clear();
        synth.write_event(index, &mut line);
        writer.push(&parse::parse(&line)?)?;
    }
    writer.close()?;
    // Every drain is a group of its own, and one that never ends keeps the blocks.
    let made = Command::new(FOREBAY)
        .args(["group", "add", "keeps", "--buffer", "bench", "--url", &server.url()])
        .output()?;
    ensure!(made.status.success(), "group add: {}", String::from_utf8_lossy(&made.stderr));
    Ok(server)
}

/// Events a second by the drain's own account.
fn drain(server: &Server, group: &str, more: &[&str]) -> anyhow::Result<f64> {
    let to = tempfile::tempdir_in(Path::new(ROOT).join("target"))?;
    let args = [
        "drain",
        "--once",
        "--json",
        "--quiet",
        "--buffer",
        "bench",
        "--group",
        group,
        "--url",
        &server.url(),
    ];
    rate(on_one_core(FOREBAY).args(args).args(more).arg("--to").arg(to.path()), "forebay drain")
}

fn consumer(server: &Server) -> anyhow::Result<f64> {
    let to = tempfile::tempdir_in(Path::new(ROOT).join("target"))?;
    let python =
        std::env::var("FOREBAY_PYTHON").unwrap_or_else(|_| format!("{ROOT}/target/python/bin/python3"));
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/consumer.py");
    rate(
        on_one_core(&python).arg(script).args([&server.url(), "bench"]).arg(to.path()),
        "the consumer by hand",
    )
}

/// The last one: the server has the others.
fn on_one_core(program: &str) -> Command {
    let last = std::thread::available_parallelism().map_or(1, std::num::NonZero::get) - 1;
    let mut command = Command::new("taskset");
    command.args(["-c", &last.to_string(), program]);
    command
}

fn rate(command: &mut Command, what: &str) -> anyhow::Result<f64> {
    let out = command.output().context("running taskset (Debian: package util-linux)")?;
    ensure!(out.status.success(), "{what}: {}", String::from_utf8_lossy(&out.stderr));
    let summary: serde_json::Value = serde_json::from_slice(&out.stdout)?;
    ensure!(summary["rows"].as_u64() == Some(EVENTS), "{what}: {} of {EVENTS} rows", summary["rows"]);
    Ok(EVENTS as f64 / summary["seconds"].as_f64().context("it says no seconds")?)
}
