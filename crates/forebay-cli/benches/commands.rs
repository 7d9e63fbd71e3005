//! Forebay's own commands, run as a user runs them.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use forebay::buffer::batch::Limits;
use forebay::buffer::connect::Address;
use forebay::buffer::writer::{Options, Writer};
use forebay::event::parse;
use forebay_rig::server::{Conf, Server, ServerBinary};
use forebay_rig::synth::Synth;

/// The program under test.
pub const FOREBAY: &str = env!("CARGO_BIN_EXE_forebay");

/// Ready-made lines.
pub struct Input {
    file: tempfile::NamedTempFile,
    pub events: u64,
    bytes: u64,
}

impl Input {
    pub fn make(events: u64) -> anyhow::Result<Self> {
        let file = tempfile::NamedTempFile::new()?;
        let (mut out, synth, mut line) = (BufWriter::new(file.as_file()), Synth::network(1), Vec::new());
        let mut bytes = 0;
        for index in 0..events {
            line.clear();
            synth.write_event(index, &mut line);
            line.push(b'\n');
            bytes += line.len() as u64;
            out.write_all(&line)?;
        }
        out.flush()?;
        drop(out);
        Ok(Self { file, events, bytes })
    }

    /// Mean bytes of an event, its line end not counted.
    pub fn mean_bytes(&self) -> f64 {
        self.bytes as f64 / self.events as f64 - 1.0
    }

    pub fn path(&self) -> &Path {
        self.file.path()
    }
}

/// A server of our own: without persistence, or with every write synced.
pub fn server(binary: &ServerBinary, always: bool) -> anyhow::Result<Server> {
    let mut conf = Conf::new();
    conf.set("save", "").set("appendonly", if always { "yes" } else { "no" });
    conf.set("appendfsync", "always");
    // redis-benchmark is given none.
    conf.set("requirepass", "");
    Ok(Server::start(binary, &conf)?)
}

/// Events a second from lines in a file to acknowledged blocks, by `append`'s own account.
pub fn append_rate(binary: &ServerBinary, input: &Input, always: bool) -> anyhow::Result<f64> {
    let server = server(binary, always)?;
    append(&server, input)
}

fn append(server: &Server, input: &Input) -> anyhow::Result<f64> {
    let out = Command::new(FOREBAY)
        .args(["append", "--json", "--quiet", "--url", &server.url()])
        .arg(input.path())
        .output()
        .context("running forebay append")?;
    ensure!(out.status.success(), "append: {}", String::from_utf8_lossy(&out.stderr));
    let summary: serde_json::Value = serde_json::from_slice(&out.stdout)?;
    let (events, seconds) = (summary["acknowledged"].as_u64(), summary["seconds"].as_f64());
    ensure!(events == Some(input.events), "append acknowledged {events:?} of {}", input.events);
    Ok(input.events as f64 / seconds.context("append gives no seconds")?)
}

/// Events a second from a buffer to checked lines in a file, process start and end included.
pub fn read_rate(binary: &ServerBinary, input: &Input) -> anyhow::Result<f64> {
    let server = server(binary, false)?;
    append(&server, input)?;
    let out = tempfile::NamedTempFile::new()?;
    let started = Instant::now();
    let status = Command::new(FOREBAY)
        .args(["read", "--quiet", "--url", &server.url()])
        .stdout(Stdio::from(File::create(out.path())?))
        .status()?;
    let seconds = started.elapsed().as_secs_f64();
    ensure!(status.success(), "read: {status}");
    ensure!(out.as_file().metadata()?.len() == input.bytes, "read gave other bytes than went in");
    Ok(input.events as f64 / seconds)
}

/// `used_memory` for each event, blocks cut by a simulated clock at a rate.
pub fn bytes_per_event(binary: &ServerBinary, rate: f64, linger: Duration) -> anyhow::Result<f64> {
    const SAMPLE: u64 = 500_000;
    let server = server(binary, false)?;
    let address = Address::parse(&server.url())?;
    let used = || -> anyhow::Result<f64> {
        let deadline = Instant::now() + Duration::from_secs(10);
        loop {
            let (_connection, facts) = address.connect()?;
            // The writer's connections hold buffers of their own until the server has seen them go.
            if facts.number("connected_clients") == Some(1) || Instant::now() > deadline {
                return Ok(facts.number("used_memory").context("no used_memory")? as f64);
            }
            std::thread::yield_now();
        }
    };
    let before = used()?;
    let limits = Limits { linger, ..Limits::default() };
    let mut writer = Writer::open(&address, &"bench".parse()?, &Options { limits, ..Options::default() })?;
    let (synth, mut line) = (Synth::network(1).with_rate(rate), Vec::new());
    for index in 0..SAMPLE {
        line.clear();
        synth.write_event(index, &mut line);
        writer.push_at(&parse::parse(&line)?, Duration::from_secs_f64(index as f64 / rate))?;
    }
    writer.close()?;
    Ok((used()? - before) / SAMPLE as f64)
}
