//! `forebay append` with ten million events before a server that takes them slowly.

use std::io::Write;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use anyhow::{Context, ensure};
use forebay_rig::server::ServerBinary;

use crate::commands::{FOREBAY, Input, server};

/// How often the input goes in.
const TIMES: u64 = 10;

/// The server is paused for so long after every so long: it takes about a third of what it could.
const PAUSED: Duration = Duration::from_millis(200);
const RUNNING: Duration = Duration::from_millis(100);

/// Peak resident memory of the process, in MiB.
pub fn peak_mib(binary: &ServerBinary, input: &Input) -> anyhow::Result<f64> {
    let server = server(binary, false)?;
    let lines = std::fs::read(input.path())?;
    let mut child = Command::new(FOREBAY)
        .args(["append", "--json", "--quiet", "--url", &server.url()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    let mut stdin = child.stdin.take().context("no pipe")?;
    let status = format!("/proc/{}/status", child.id());
    let done = AtomicBool::new(false);
    let peak = std::thread::scope(|scope| -> anyhow::Result<f64> {
        scope.spawn(|| {
            while !done.load(Relaxed) {
                // A pause that fails would only make the server faster, and the measurement below still true.
                let _ = server.pause();
                std::thread::sleep(PAUSED);
                let _ = server.resume();
                std::thread::sleep(RUNNING);
            }
        });
        let fed = (0..TIMES).try_for_each(|_| stdin.write_all(&lines));
        let peak = std::fs::read_to_string(&status).ok().and_then(|text| {
            let line = text.lines().find(|line| line.starts_with("VmHWM:"))?;
            line.split_whitespace().nth(1)?.parse::<f64>().ok()
        });
        done.store(true, Relaxed);
        fed?;
        Ok(peak.context("no VmHWM in /proc")? / 1_024.0)
    })?;
    drop(stdin);
    let out = child.wait_with_output()?;
    let summary: serde_json::Value = serde_json::from_slice(&out.stdout)?;
    ensure!(summary["acknowledged"].as_u64() == Some(input.events * TIMES), "append: {summary}");
    Ok(peak)
}
