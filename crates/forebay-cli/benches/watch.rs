//! `forebay watch` over a buffer with the profile's events: what a scrape takes, and what the watch itself does.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use forebay::buffer::connect::Address;
use forebay::buffer::writer::{Options, Writer};
use forebay::event::parse;
use forebay_rig::server::{Server, ServerBinary};
use forebay_rig::synth::Synth;

use crate::commands::{FOREBAY, server};
use crate::table::{Row, Table};

/// Events held: the profile's.
const EVENTS: u64 = 2_700_000;
/// Events a second that they are cut at: the profile's.
const RATE: f64 = 93.75;
/// Groups that have read a part of them.
const GROUPS: [&str; 3] = ["parquet", "search", "audit"];
/// Scrapes, and the time between two.
const SCRAPES: u32 = 12;
const APART: Duration = Duration::from_secs(5);

/// Ends with its owner.
struct Watching(Child);

impl Drop for Watching {
    fn drop(&mut self) {
        // One that has ended already needs no more.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Adds every row.
pub fn rows(binary: &ServerBinary, table: &mut Table) -> anyhow::Result<()> {
    let server = filled(binary)?;
    let mut child = Command::new(FOREBAY)
        .args(["watch", "--buffer", "bench", "--listen", "127.0.0.1:0", "--url", &server.url()])
        .stderr(Stdio::piped())
        .spawn()?;
    let said = BufReader::new(child.stderr.take().context("no pipe")?);
    let watching = Watching(child);
    let lines = said.lines().map_while(Result::ok);
    let at = lines.filter_map(|line| Some(line.split_once("metrics at ")?.1.split(';').next()?.to_owned()));
    let at = at.take(1).next().context("the watch names no address")?;
    let (mut scrapes, mut looks) = (Vec::new(), Vec::new());
    let (cpu, started) = (cpu_seconds(&watching)?, Instant::now());
    for number in 1..=SCRAPES {
        // The time between two scrapes is what is asked for, not a wait for something.
        std::thread::sleep((started + APART * number).saturating_duration_since(Instant::now()));
        let asked = Instant::now();
        let text = ureq::get(&at).call()?.body_mut().read_to_string()?;
        scrapes.push(asked.elapsed().as_secs_f64() * 1_000.0);
        let held = sample(&text, "forebay_buffer_events{buffer=\"bench\"} ");
        ensure!(held == Some(EVENTS as f64), "it shows {held:?} events");
        looks.push(sample(&text, "forebay_watch_look_seconds ").context("no look")? * 1_000.0);
    }
    let share = (cpu_seconds(&watching)? - cpu) / started.elapsed().as_secs_f64() * 100.0;
    let what = format!("watch, {EVENTS} events, 6 lanes, {} groups", GROUPS.len());
    table.add(Row::new(&format!("{what}: a scrape"), "ms", scrapes).at_most(30.0));
    table.add(Row::new(&format!("{what}: a look at the server"), "ms", looks).at_most(30.0));
    table.add(Row::new(&format!("{what}: processor time"), "% of a core", vec![share]).at_most(1.0));
    table.add(Row::new(&format!("{what}: peak memory"), "MiB", vec![peak_mib(&watching)?]).at_most(40.0));
    Ok(())
}

fn filled(binary: &ServerBinary) -> anyhow::Result<Server> {
    let server = server(binary, false)?;
    let mut writer = Writer::open(&Address::parse(&server.url())?, &"bench".parse()?, &Options::default())?;
    let (synth, mut line) = (Synth::network(1).with_rate(RATE), Vec::new());
    for index in 0..EVENTS {
        line.clear();
        synth.write_event(index, &mut line);
        writer.push_at(&parse::parse(&line)?, Duration::from_secs_f64(index as f64 / RATE))?;
    }
    writer.close()?;
    for group in GROUPS {
        let read = Command::new(FOREBAY)
            .args(["read", "--quiet", "--buffer", "bench", "--group", group, "--count", "1000"])
            .args(["--url", &server.url()])
            .stdout(Stdio::null())
            .status()?;
        ensure!(read.success(), "read --group {group}: {read}");
    }
    Ok(server)
}

fn sample(text: &str, series: &str) -> Option<f64> {
    text.lines().find_map(|line| line.strip_prefix(series)?.parse().ok())
}

/// What the process has had of a processor.
fn cpu_seconds(watching: &Watching) -> anyhow::Result<f64> {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", watching.0.id()))?;
    let fields: Vec<&str> = stat.rsplit_once(')').context("no stat")?.1.split_whitespace().collect();
    let ticks = fields[11].parse::<f64>()? + fields[12].parse::<f64>()?;
    Ok(ticks / rustix::param::clock_ticks_per_second() as f64)
}

fn peak_mib(watching: &Watching) -> anyhow::Result<f64> {
    let status = std::fs::read_to_string(format!("/proc/{}/status", watching.0.id()))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).context("no VmHWM")?;
    Ok(line.split_whitespace().next().context("no figure")?.parse::<f64>()? / 1_024.0)
}
