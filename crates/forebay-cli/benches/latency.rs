//! How long an event takes from the line that `append` is given to the line that `read --follow` gives, and what it weighs.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use forebay::buffer::batch::{LOW_LATENCY, Limits};
use forebay_rig::server::ServerBinary;
use forebay_rig::synth::Synth;

use crate::commands::{FOREBAY, bytes_per_event, server};
use crate::table::{Row, Table};

/// The whole network's rate, in events a second.
const RATE: f64 = 938.0;

/// Events of a run, and how many of them are let by before the first that counts.
const EVENTS: usize = 15_000;
const WARM_UP: usize = 1_000;

/// How long the last event may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// Runs of each.
const RUNS: usize = 3;

pub fn rows(binary: &ServerBinary, table: &mut Table) -> anyhow::Result<()> {
    for (what, options, linger) in [
        ("--latency low", &["--latency", "low"][..], LOW_LATENCY),
        ("linger 200 ms", &[], Limits::default().linger),
    ] {
        let (mut p50, mut p99) = (Vec::new(), Vec::new());
        for _ in 0..RUNS {
            let mut took = run(binary, options)?;
            took.sort_unstable();
            let at = |share: f64| took[(took.len() as f64 * share) as usize].as_secs_f64() * 1_000.0;
            p50.push(at(0.5));
            p99.push(at(0.99));
        }
        let bytes = vec![bytes_per_event(binary, RATE, linger)?];
        for (figure, unit, values, most) in
            [("p50", "ms", p50, 8.0), ("p99", "ms", p99, 20.0), ("used memory", "bytes/event", bytes, 150.0)]
        {
            let row =
                Row::new(&format!("line in to line out at {RATE:.0}/s, {what}: {figure}"), unit, values);
            table.add(if options.is_empty() { row } else { row.at_most(most) });
        }
    }
    Ok(())
}

/// How long each event took.
fn run(binary: &ServerBinary, options: &[&str]) -> anyhow::Result<Vec<Duration>> {
    let server = server(binary, false)?;
    let url = server.url();
    let start = |args: &[&str]| {
        Command::new(FOREBAY)
            .args(args)
            .args(["--quiet", "--url", &url])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
    };
    let made = Command::new(FOREBAY).args(["group", "add", "waits", "--url", &url]).output()?;
    ensure!(made.status.success(), "group add: {}", String::from_utf8_lossy(&made.stderr));
    let mut writer = start(&[&["append"], options].concat())?;
    let mut reader = start(&["read", "--group", "waits", "--follow"])?;
    let took = carry(&mut writer, &mut reader);
    let _ = reader.kill();
    ensure!(writer.wait()?.success() && reader.wait().is_ok(), "append failed");
    took
}

fn carry(writer: &mut Child, reader: &mut Child) -> anyhow::Result<Vec<Duration>> {
    let (mut to, from) = (writer.stdin.take().context("no pipe")?, reader.stdout.take().context("no pipe")?);
    let sent: Mutex<HashMap<Vec<u8>, Instant>> = Mutex::default();
    std::thread::scope(|scope| {
        scope.spawn(|| -> std::io::Result<()> {
            let (synth, started) = (Synth::network(1).with_rate(RATE), Instant::now());
            for index in 0..EVENTS {
                let due = Duration::from_secs_f64(index as f64 / RATE);
                std::thread::sleep(due.saturating_sub(started.elapsed()));
                let mut line = Vec::new();
                synth.write_event(index as u64, &mut line);
                // From when it was due: a pipe that is full must not hide what it costs.
                if let Ok(mut sent) = sent.lock() {
                    sent.insert(line.clone(), started + due);
                }
                line.push(b'\n');
                to.write_all(&line)?;
            }
            drop(to);
            Ok(())
        });
        let deadline = Instant::now() + Duration::from_secs_f64(EVENTS as f64 / RATE) + PATIENCE;
        let mut took = Vec::with_capacity(EVENTS);
        for line in BufReader::new(from).split(b'\n') {
            let line = line?;
            let sent = sent
                .lock()
                .ok()
                .and_then(|mut sent| sent.remove(&line))
                .context("a line that was not sent")?;
            took.push(sent.elapsed());
            ensure!(Instant::now() < deadline, "{} of {EVENTS} events came back in time", took.len());
            if took.len() == EVENTS {
                break;
            }
        }
        ensure!(took.len() == EVENTS, "read ended after {} of {EVENTS} events", took.len());
        Ok(took.split_off(WARM_UP))
    })
}
