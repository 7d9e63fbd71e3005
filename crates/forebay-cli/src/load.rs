//! `forebay load`: the load generator by hand.

use std::fmt;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use anyhow::Context;
use clap::{Args, ValueHint};
use indicatif::ProgressBar;

use super::conclude::width;
use super::profile_target::ProfileTarget;
use super::{output, progress};
use crate::arguments::Global;
use crate::exit;
use forebay::buffer::writer::{Options, Writer};
use forebay_proof::report::load::LoadRun;
use forebay_proof::report::{self, Machine, terminal};
use forebay_proof::target::{self, Target};
use forebay_rig::load::arrivals::Arrivals;
use forebay_rig::load::keyspace;
use forebay_rig::load::outcome::{Outcome, Second};
use forebay_rig::load::pattern::{self, Pattern, RATE_MAX};
use forebay_rig::load::payload::{Payloads, Source};
use forebay_rig::load::stage::{self, allow_connections};
use forebay_rig::load::work::Work;
use forebay_rig::load::{append, driver, replay};

/// Most connections and requests under way on each.
const CONNECTIONS_MAX: usize = 20_000;
const PIPELINE_MAX: usize = 10_000;

/// Requests a second where nothing is said: what the brief asks for.
const RATE: f64 = 1_000.0;

/// How long the answers to what was sent are waited for.
const GRACE: Duration = Duration::from_secs(5);

/// Send requests at given times, and measure from those times
#[derive(Args)]
#[command(after_help = "Examples:
  forebay load                                1,000 mixed requests a second
  forebay load --op xadd --pattern saturate --pipeline 64 --payload 500
  forebay load --op set=1,get=9 --rate 20000 --pattern poisson
  forebay load --op append --rate 2000 --pattern burst --duration 2m
  forebay load --pattern replay:events.ndjson --csv seconds.csv
  forebay load --url redis://10.0.0.5 --allow-load --hgrm latency

Patterns: constant, poisson, ramp:FROM..TO, steps:A,B,..., spike:FACTOR,
sine:RATIO, burst, replay:FILE, saturate. FROM, TO, A, B and FACTOR are
multiples of --rate; sine is a day in the time of the run, RATIO its peak over
its trough; burst is a source that was away for a fifth of the time; saturate
sends as fast as answers come, which is a closed loop: a server that stands
still then also stops the clock, and latencies say so.

What an operation needs is sent in the run, and has a row of its own: each key's
SET before its GET, an LPUSH for each RPOP, an XADD for each XREADGROUP.

Latencies count from when a request was due, not from when it was sent. What
was never sent or never answered is in them with the time it had waited.
Answers are checked; a wrong one, an error, a request not answered or a rate
not reached gives exit code 1. The keys of the run are removed afterwards.")]
pub(crate) struct Load {
    /// What to ask: set, get, del, lpush, rpop, xadd, xreadgroup; several with shares; mix; or append
    #[arg(long, value_name = "OP", default_value = "mix")]
    op: Op,
    /// Requests a second (for append: events); 1000 where nothing is said
    #[arg(long, value_name = "N", value_parser = rate)]
    rate: Option<f64>,
    /// How they come
    #[arg(long, value_name = "PATTERN", default_value = "constant")]
    pattern: ArrivalSource,
    /// For how long
    #[arg(long, short, value_name = "TIME", default_value = "10s", value_parser = duration)]
    duration: Duration,
    /// Connections
    #[arg(long, short, value_name = "N", default_value_t = 50, value_parser = at_most::<CONNECTIONS_MAX>)]
    connections: usize,
    /// Requests under way on each connection, at the most
    #[arg(long, short = 'P', value_name = "N", default_value_t = 1, value_parser = at_most::<PIPELINE_MAX>)]
    pipeline: usize,
    /// What is sent: events (synthetic), a size such as 500, or a file of events
    #[arg(long, value_name = "WHAT", default_value = "events")]
    payload: Source,
    #[command(flatten)]
    place: ProfileTarget,
    /// Seed of payloads, of the mix, of poisson
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Write every second as a line of CSV, as it ends
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    csv: Option<PathBuf>,
    /// Write PREFIX-response.hgrm and PREFIX-service.hgrm, for plotters of HDR histograms
    #[arg(long, value_name = "PREFIX", value_hint = ValueHint::FilePath)]
    hgrm: Option<PathBuf>,
}

/// A pattern, or the times of a file.
#[derive(Clone)]
enum ArrivalSource {
    Pattern(Pattern),
    Replay(PathBuf),
}

impl FromStr for ArrivalSource {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.strip_prefix("replay:") {
            Some("") => Err("replay:FILE takes a file of events".into()),
            Some(file) => Ok(Self::Replay(file.into())),
            None => text.parse().map(Self::Pattern),
        }
    }
}

impl fmt::Display for ArrivalSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pattern(pattern) => pattern.fmt(f),
            Self::Replay(file) => write!(f, "replay:{}", file.display()),
        }
    }
}

/// What is asked for: raw commands, or events through the writer.
#[derive(Clone)]
enum Op {
    Raw(Work),
    Append,
}

impl FromStr for Op {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "append" { Ok(Self::Append) } else { text.parse().map(Self::Raw) }
    }
}

impl fmt::Display for Op {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Raw(work) => work.fmt(f),
            Self::Append => f.write_str("append"),
        }
    }
}

fn rate(text: &str) -> Result<f64, String> {
    pattern::rate(text.parse().map_err(|_| "not a number".to_owned())?)
}

fn duration(text: &str) -> Result<Duration, String> {
    let duration = humantime::parse_duration(text).map_err(|why| why.to_string())?;
    let range = Duration::from_millis(100)..=Duration::from_secs(30 * 24 * 3_600);
    if range.contains(&duration) { Ok(duration) } else { Err("from 100ms to 30days".into()) }
}

fn at_most<const MAX: usize>(text: &str) -> Result<usize, String> {
    let number = text.parse().ok().filter(|number| (1..=MAX).contains(number));
    number.ok_or_else(|| format!("a whole number from 1 to {MAX}"))
}

impl Load {
    pub(crate) fn run(&self, global: &Global) -> anyhow::Result<u8> {
        anyhow::ensure!(
            matches!(self.op, Op::Raw(_)) || !matches!(self.payload, Source::Bytes(_)),
            "--op append takes events: --payload events, or a file of them"
        );
        let (arrivals, takes) = self.arrivals()?;
        let payloads = Payloads::of(&self.payload, self.seed).map_err(|why| usage("--payload", &why))?;
        keyspace::under_way(&payloads, self.connections, self.pipeline).map_err(anyhow::Error::msg)?;
        allow_connections(self.connections).map_err(anyhow::Error::msg)?;
        let name = target::own_name("load")?;
        let what = format!(
            "requests under keys of its own (forebay:{name}:…), {} for {}",
            self.op,
            humantime::format_duration(takes)
        );
        let profile = self.place.profile()?;
        let given = self.place.given(Some(&what), false, "--allow-load")?;
        if let (Some(address), Op::Raw(_)) = (&given, &self.op)
            && address.plain().is_none()
        {
            driver::reaches(address).map_err(|why| usage("--url", &why))?;
        }
        // Before there is a server: it and its folder must go however this ends.
        let stop = super::signal::stop_on_signal(
            global.quiet,
            "ending with what there is; once more to end at once",
        )?;
        let target = match given {
            Some(address) => {
                ProfileTarget::announce(&address, &what, global);
                Target::Given(address)
            }
            None => Target::own(&self.place.binary()?, &profile)?,
        };
        // Now: afterwards it may be gone, and what was seen of it must be told all the same.
        let described = target.describe(&profile)?;
        let mut live = LoadProgress::begin(self, global, takes)?;
        let mut each_second = |second: &Second| live.second(second);
        let outcome = match &self.op {
            Op::Raw(work) => {
                let plan = driver::LoadPlan {
                    address: target.address(),
                    name: &name,
                    work,
                    payloads: &payloads,
                    arrivals,
                    duration: takes,
                    connections: self.connections,
                    pipeline: self.pipeline,
                    grace: GRACE,
                    seed: self.seed,
                };
                stage::run(&plan, &stop, &mut each_second)?
            }
            Op::Append => {
                let _keys = target.keys(&name);
                let writer = Writer::open(
                    target.address(),
                    &name,
                    &Options { patience: GRACE, ..Options::default() },
                )?;
                let plan = append::AppendPlan {
                    arrivals,
                    duration: takes,
                    grace: GRACE,
                    event: &|id, out| out.extend_from_slice(&payloads.payload(id)),
                    offered: &mut |_, _| {},
                };
                let (outcome, error) = append::run(plan, writer, &stop, &mut each_second);
                if let Some(error) = error {
                    output::tell(&format!("forebay: the writer ended: {error}"));
                }
                outcome
            }
        };
        let live = live.end();
        let code = self.tell(&outcome, described, global)?;
        live.map(|()| code)
    }

    /// When requests are due, and how long that takes.
    fn arrivals(&self) -> anyhow::Result<(Option<Arrivals>, Duration)> {
        match &self.pattern {
            ArrivalSource::Pattern(Pattern::Saturate) => {
                anyhow::ensure!(
                    self.rate.is_none(),
                    "--pattern saturate has no --rate: it goes as fast as answers come"
                );
                Ok((None, self.duration))
            }
            ArrivalSource::Pattern(pattern) => {
                let rate = self.rate.unwrap_or(RATE);
                anyhow::ensure!(
                    rate * pattern.peak() <= RATE_MAX,
                    "--pattern {pattern} comes to {} requests/s at --rate {rate}; at most {RATE_MAX} are possible",
                    rate * pattern.peak()
                );
                Ok((Some(Arrivals::of(pattern, rate, self.duration, self.seed)), self.duration))
            }
            ArrivalSource::Replay(file) => {
                let (arrivals, takes) = replay::read(file, self.rate, self.duration)
                    .map_err(|why| usage("--pattern replay", &why))?;
                Ok((Some(arrivals), takes))
            }
        }
    }

    /// Prints what came of it, and says the exit code.
    fn tell(&self, outcome: &Outcome, target: report::Target, global: &Global) -> anyhow::Result<u8> {
        let run = LoadRun {
            op: self.op.to_string(),
            pattern: self.pattern.to_string(),
            payload: self.payload.to_string(),
            connections: self.connections,
            pipeline: self.pipeline,
            target,
            machine: Machine::here(),
            outcome,
        };
        if global.json {
            output::document(&run.json())
        } else {
            output::result(&terminal::load::render(&run, width(), global.colour()))
        }
        .context(output::STDOUT)?;
        if let Some(prefix) = &self.hgrm {
            for (name, latency) in [("response", outcome.response()), ("service", outcome.service())] {
                let mut path = prefix.clone().into_os_string();
                path.push(format!("-{name}.hgrm"));
                std::fs::write(&path, latency.hgrm())
                    .with_context(|| format!("writing {}", Path::new(&path).display()))?;
            }
        }
        Ok(if outcome.interrupted {
            exit::INTERRUPTED
        } else if outcome.is_right() && outcome.shortfall().is_none() {
            exit::OK
        } else {
            exit::REFUTED
        })
    }
}

fn usage(option: &str, why: &str) -> anyhow::Error {
    anyhow::anyhow!("{option}: {why}")
}

/// What is seen while it runs: a line on the terminal, and the file of seconds.
struct LoadProgress {
    bar: ProgressBar,
    csv: Option<(PathBuf, BufWriter<File>)>,
    failed: Option<std::io::Error>,
}

impl LoadProgress {
    fn begin(load: &Load, global: &Global, takes: Duration) -> anyhow::Result<Self> {
        let csv = load.csv.as_ref().map(|path| {
            let file = File::create(path).with_context(|| format!("writing {}", path.display()))?;
            let mut out = BufWriter::new(file);
            writeln!(out, "{}", Second::COLUMNS).with_context(|| format!("writing {}", path.display()))?;
            anyhow::Ok((path.clone(), out))
        });
        let bar = progress::seconds(global, takes);
        Ok(Self { bar, csv: csv.transpose()?, failed: None })
    }

    fn second(&mut self, second: &Second) {
        self.bar.set_position(second.at.round() as u64);
        self.bar.set_message(report::load::line(second));
        if let Some((_, out)) = &mut self.csv
            && let Err(error) = writeln!(out, "{}", second.csv()).and_then(|()| out.flush())
        {
            self.failed.get_or_insert(error);
        }
    }

    fn end(self) -> anyhow::Result<()> {
        self.bar.finish_and_clear();
        match (self.failed, self.csv) {
            (Some(error), Some((path, _))) => {
                Err(error).with_context(|| format!("writing {}", path.display()))
            }
            _ => Ok(()),
        }
    }
}
