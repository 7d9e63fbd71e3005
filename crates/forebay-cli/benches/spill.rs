//! `forebay append --spill` before a full server: how fast events go to disk, and from there to the server once it has
//! room; and how much memory that takes.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context, ensure};
use forebay_rig::server::{Server, ServerBinary};

use crate::commands::{FOREBAY, Input, server};

/// How often the input goes in.
const TIMES: u64 = 3;

/// What a run came to.
pub struct Spilled {
    /// Events a second to disk, and from there to the server, process start and end included.
    pub to_disk: f64,
    pub to_server: f64,
    /// Peak resident memory while the server was full.
    pub peak_mib: f64,
}

pub fn run(binary: &ServerBinary, input: &Input) -> anyhow::Result<Spilled> {
    let server = server(binary, false)?;
    let folder = tempfile::tempdir()?;
    let lines = std::fs::read(input.path())?;
    let all = input.events * TIMES;
    limit(&server, 1)?;
    let started = Instant::now();
    let (spilled, peak_mib) = append(&server, folder.path(), &lines, TIMES)?;
    let to_disk = all as f64 / started.elapsed().as_secs_f64();
    ensure!(spilled["spilled"].as_u64() == Some(all), "append: {spilled}");
    limit(&server, 0)?;
    let started = Instant::now();
    let (brought, _) = append(&server, folder.path(), &[], 0)?;
    let to_server = all as f64 / started.elapsed().as_secs_f64();
    ensure!(brought["recovered"].as_u64() == Some(all), "append: {brought}");
    Ok(Spilled { to_disk, to_server, peak_mib })
}

fn limit(server: &Server, maxmemory: u64) -> anyhow::Result<()> {
    let mut connection = redis::Client::open(server.url())?.get_connection()?;
    Ok(redis::cmd("CONFIG").arg("SET").arg("maxmemory").arg(maxmemory).exec(&mut connection)?)
}

/// What a run of `append` says, and its peak memory before its source ended.
fn append(
    server: &Server,
    folder: &Path,
    lines: &[u8],
    times: u64,
) -> anyhow::Result<(serde_json::Value, f64)> {
    let mut child = Command::new(FOREBAY)
        .args(["append", "--json", "--quiet", "--url", &server.url(), "--spill"])
        .arg(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    let mut stdin = child.stdin.take().context("no pipe")?;
    for _ in 0..times {
        stdin.write_all(lines)?;
    }
    let status = std::fs::read_to_string(format!("/proc/{}/status", child.id()))?;
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib: f64 =
        peak.and_then(|kib| kib.split_whitespace().next()).context("no VmHWM in /proc")?.parse()?;
    drop(stdin);
    let out = child.wait_with_output()?;
    Ok((serde_json::from_slice(&out.stdout)?, kib / 1_024.0))
}
