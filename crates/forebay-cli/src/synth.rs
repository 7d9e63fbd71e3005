//! `forebay synth`: realistic events to stdout.

use std::io::{BufWriter, Write};
use std::time::{Duration, Instant};

use anyhow::Context;
use clap::Args;

use super::output;
use crate::exit;
use forebay_rig::synth::Synth as Events;

/// Print events like the Bluesky network's, a function of seed and number
#[derive(Args)]
#[command(after_help = "Examples:
  forebay synth --count 1000000 > events.ndjson
  forebay synth --rate 938 | forebay append --buffer demo   until Ctrl-C")]
pub(crate) struct Synth {
    /// How many; without it, for ever
    #[arg(long, value_name = "N")]
    count: Option<u64>,
    /// Other seeds give other events
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// The first event's number
    #[arg(long, value_name = "N", default_value_t = 0)]
    first: u64,
    /// Events a second; without it, as fast as they are taken
    #[arg(long, value_name = "N", value_parser = positive)]
    rate: Option<f64>,
}

/// One event in 11 days: slower than that is a slip, and further on times no longer fit.
const RATE_MIN: f64 = 1e-6;

fn positive(text: &str) -> Result<f64, String> {
    let rate: f64 = text.parse().map_err(|_| "not a number".to_owned())?;
    if rate.is_finite() && rate >= RATE_MIN { Ok(rate) } else { Err(format!("must be at least {RATE_MIN}")) }
}

impl Synth {
    pub(crate) fn run(&self) -> anyhow::Result<u8> {
        let mut events = Events::network(self.seed);
        if let Some(rate) = self.rate {
            events = events.with_rate(rate);
        }
        let mut out = BufWriter::with_capacity(256 << 10, std::io::stdout().lock());
        let (started, mut line) = (Instant::now(), Vec::new());
        for index in 0..self.count.unwrap_or(u64::MAX) {
            if let Some(rate) = self.rate {
                let due = Duration::try_from_secs_f64(index as f64 / rate).unwrap_or(Duration::MAX);
                if let Some(early) = due.checked_sub(started.elapsed()) {
                    out.flush().context(output::STDOUT)?;
                    std::thread::sleep(early);
                }
            }
            line.clear();
            events.write_event(self.first.saturating_add(index), &mut line);
            line.push(b'\n');
            out.write_all(&line).context(output::STDOUT)?;
        }
        out.flush().context(output::STDOUT)?;
        Ok(exit::OK)
    }
}
