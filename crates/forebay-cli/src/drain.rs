//! `forebay drain`: a buffer into Parquet files, each event in one file.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant, SystemTime};

use anyhow::Context as _;
use clap::{Args, ValueHint};
use forebay::buffer::connect::Address;
use forebay::buffer::keys::Name;
use forebay_pipe::drain::config::Config;
use forebay_pipe::drain::counts::{Counted, Counts};
use forebay_pipe::drain::layout::Layout;
use forebay_pipe::drain::place::Target;
use forebay_pipe::drain::pointer::Pointer;
use forebay_pipe::drain::roll::{FILE_BYTES_MAX, Rolling};
use forebay_pipe::drain::run::{DrainError, drain};
use forebay_pipe::drain::schema::TextColumn;
use forebay_pipe::drain::step::Steps;
use forebay_pipe::pipeline::{Pipeline, SinkTable, parsed};
use forebay_proof::report::units::bytes;
use forebay_watch::figures::{count, rate, span};

use crate::arguments::Global;
use crate::signal::stop_on_signal;
use crate::{exit, output, progress};

/// How often the line is drawn.
const LOOK: Duration = Duration::from_millis(200);

/// The smallest file that is not a mistake.
const FILE_BYTES_MIN: u64 = 1 << 20;

/// Drain a buffer into Parquet files, each event in one file
#[derive(Args)]
#[command(after_help = "Examples:
  forebay drain --buffer demo --to /srv/events
  forebay drain --buffer demo --to /srv/events --max-age 5m
  forebay drain --buffer demo --to /srv/events --once
  forebay drain --buffer demo --to s3://lake/bluesky
  forebay drain --buffer demo --to /srv/raw_sync --layout met
  forebay drain --config pipeline.toml
  duckdb -c \"SELECT lane, count(*) FROM '/srv/events/events/**/*.parquet' GROUP BY 1\"

Files are made per lane: once an hour, earlier when one is full (--max-file) or
its oldest event has waited for --max-age. Under DIR, events/ has whole files
and nothing else; forebay/ has a record of every commit, by which the next run
goes on: after a kill, a full disk, or a server that came back with less, no
event is in two files and none is left out. Keep both folders together.

A bucket has the same under its prefix. Credentials, endpoint and region are
those of AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN,
AWS_ENDPOINT_URL and AWS_REGION, or of the profile AWS_PROFILE in ~/.aws.

The group (--group) has no consumers: a commit moves it, and the buffer lets go
of what every group is done with.

The first Ctrl-C or SIGTERM puts what is there into files, a second one ends at
once; nothing is lost by either.

Exit codes: 0 ended in an orderly way, 1 blocks were damaged or missing, or
another drain took over, 2 usage, 3 server or disk refused for as long as
--patience, 130 ended by a second signal.")]
pub(crate) struct Drain {
    /// Folder to drain to, made if it is not there; or `s3://BUCKET/PREFIX`
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    to: Option<PathBuf>,
    /// How the tree is laid out: hive (by lane and date), or met (by record type and date, with the columns of bluesky-research) [default: hive]
    #[arg(long, value_name = "LAYOUT")]
    layout: Option<Layout>,
    /// Where files for a bucket are written before they are sent [default: ~/.local/state/forebay]
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    staging: Option<PathBuf>,
    /// Server: redis://[user:password@]host[:port][/db], rediss:// for TLS, `redis+sentinel://host,host/name`, `redis+cluster://host,host`; without it, port 6379 of this machine
    #[arg(long, env = "FOREBAY_URL", hide_env_values = true)]
    url: Option<String>,
    /// Buffer on that server [default: events]
    #[arg(long)]
    buffer: Option<String>,
    /// Group that the commits move [default: files]
    #[arg(long)]
    group: Option<String>,
    /// What is not said here: [buffer] and [sink] of this file
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    config: Option<PathBuf>,
    /// End once what is there is in files
    #[arg(long)]
    once: bool,
    /// How long an event may wait for its file [default: 1h]
    #[arg(long, value_name = "TIME")]
    max_age: Option<humantime::Duration>,
    /// Size at which a file ends, from 1 MiB to 112 MiB [default: 112MiB]
    #[arg(long, value_name = "SIZE")]
    max_file: Option<bytesize::ByteSize>,
    /// Text column of events that are not Jetstream's, as level=/log/level; again for more
    #[arg(long = "column", value_name = "NAME=POINTER")]
    columns: Vec<String>,
    /// Leave out of rows what follows from the rest of them: about 0.6 of the bytes, with fewer columns for queries
    #[arg(long)]
    lean: bool,
    /// Give up when server or disk refuse for so long [default: 10m]
    #[arg(long, value_name = "TIME")]
    patience: Option<humantime::Duration>,
}

impl Drain {
    pub(crate) fn run(&self, global: &Global) -> anyhow::Result<u8> {
        let file = self.config.as_deref().map(Pipeline::load).transpose()?.unwrap_or_default();
        let config = self.plan(file)?;
        let stop = stop_on_signal(
            global.quiet,
            "stopping: putting what is there into files. Press Ctrl-C again to quit without waiting",
        )?;
        let drained = Drained::new(Arc::new(Counts::default()));
        let line = Line::start(&drained.counts, global);
        let ended = drain(&config, &drained.counts, &stop);
        line.end();
        drained.ended(ended).report(&config, global)
    }

    /// Flags first, then the file, then what is usual.
    pub(crate) fn plan(&self, file: Pipeline) -> anyhow::Result<Config> {
        let Pipeline { buffer, sink, .. } = file;
        let to = self.to.clone().or_else(|| sink.to.clone());
        let to = to.context(
            "no destination is given: --to DIR or s3://BUCKET/PREFIX, or `to` of [sink] in --config FILE",
        )?;
        let to = Target::parse(&to)?;
        let staging = self.staging.clone().or(sink.staging.clone());
        anyhow::ensure!(
            staging.is_none() || matches!(to, Target::Bucket(_)),
            "--staging is for a bucket: files for a folder are staged in it, under forebay/staging, so that a rename puts them \
             into the tree; leave it out"
        );
        let url = self.url.as_deref().or(buffer.url.as_deref()).unwrap_or("redis://127.0.0.1:6379");
        let name: Name = self.buffer.as_deref().or(buffer.name.as_deref()).unwrap_or("events").parse()?;
        let time = |flag: Option<humantime::Duration>, text: Option<&str>, key, usual: Duration| {
            let said = match flag {
                Some(flag) => Some(flag),
                None => parsed::<humantime::Duration>(text, key)?,
            };
            anyhow::Ok(said.map_or(usual, Into::into))
        };
        let layout = match self.layout {
            Some(layout) => layout,
            None => parsed(sink.layout.as_deref(), "sink.layout")?.unwrap_or_default(),
        };
        let usual = Rolling::default();
        let rolling = Rolling {
            age: time(self.max_age, sink.max_age.as_deref(), "sink.max_age", usual.age)?,
            file_bytes: self.file_bytes(&sink)?,
        };
        Ok(Config {
            address: Address::parse(url)?,
            name,
            group: self.group.clone().or(sink.group.clone()).unwrap_or_else(|| "files".into()),
            to,
            staging,
            layout,
            columns: self.columns(&sink)?,
            is_lean: self.lean || sink.lean,
            rolling,
            once: self.once,
            patience: time(
                self.patience,
                sink.patience.as_deref(),
                "sink.patience",
                Duration::from_secs(600),
            )?,
            steps: Steps::default(),
        })
    }

    fn file_bytes(&self, sink: &SinkTable) -> anyhow::Result<u64> {
        let said = match self.max_file {
            Some(size) => Some(size),
            None => parsed::<bytesize::ByteSize>(sink.max_file.as_deref(), "sink.max_file")?,
        };
        let bytes = said.map_or(FILE_BYTES_MAX, |size| size.as_u64());
        anyhow::ensure!(
            (FILE_BYTES_MIN..=FILE_BYTES_MAX).contains(&bytes),
            "--max-file must be from 1 MiB to 112 MiB: smaller files cost readers more than they save, and larger ones are more \
             than one upload takes"
        );
        Ok(bytes)
    }

    fn columns(&self, sink: &SinkTable) -> anyhow::Result<Vec<TextColumn>> {
        let of_flags = self.columns.iter().map(|column| {
            let (name, at) =
                column.split_once('=').with_context(|| format!("--column {column:?} is not NAME=POINTER"))?;
            anyhow::Ok((name.to_owned(), at.to_owned()))
        });
        let said: Vec<(String, String)> = of_flags.collect::<Result<_, _>>()?;
        let said = if said.is_empty() { sink.columns.clone().into_iter().collect() } else { said };
        let column = |(name, at): (String, String)| {
            let at = Pointer::new(&at).with_context(|| {
                format!("column {name}: {at:?} is no JSON pointer: it begins with a slash, as /log/level")
            })?;
            Ok(TextColumn { name, at })
        };
        said.into_iter().map(column).collect()
    }
}

/// What a drain came to.
pub(crate) struct Drained {
    counts: Arc<Counts>,
    started: Instant,
    error: Option<DrainError>,
}

impl Drained {
    pub(crate) fn new(counts: Arc<Counts>) -> Self {
        Self { counts, started: Instant::now(), error: None }
    }

    pub(crate) fn counts(&self) -> &Counts {
        &self.counts
    }

    pub(crate) fn ended(self, ended: Result<(), DrainError>) -> Self {
        Self { error: ended.err(), ..self }
    }

    /// Says it; the exit code.
    pub(crate) fn report(self, config: &Config, global: &Global) -> anyhow::Result<u8> {
        let (counted, took) = (self.counts.look(), self.started.elapsed());
        report(config, &counted, took, self.error.as_ref().map(ToString::to_string), global)?;
        if let Some(error) = self.error {
            return Err(error.into());
        }
        let is_whole = counted.damaged_blocks + counted.missing_events == 0;
        Ok(if is_whole { exit::OK } else { exit::REFUTED })
    }
}

fn report(
    config: &Config,
    counted: &Counted,
    took: Duration,
    error: Option<String>,
    global: &Global,
) -> anyhow::Result<()> {
    if global.json {
        // Proof: numbers alone.
        let mut json = serde_json::to_value(counted).expect("counts are JSON");
        json["buffer"] = config.name.to_string().into();
        json["to"] = config.to.to_string().into();
        json["seconds"] = took.as_secs_f64().into();
        json["error"] = error.into();
        return output::document(&format!("{json}\n")).context(output::STDOUT);
    }
    if counted.damaged_blocks > 0 {
        output::tell(&format!(
            "forebay: {} damaged blocks, kept as they are under {}/forebay/damaged",
            count(counted.damaged_blocks),
            config.to
        ));
    }
    if counted.missing_events > 0 {
        output::tell(&format!(
            "forebay: {} events of blocks that were not there; `forebay files verify` sums up, and the commit records have \
             the places",
            count(counted.missing_events)
        ));
    }
    // Of one that could not even begin there is nothing to report but the error.
    if !global.quiet && (error.is_none() || counted.commits > 0) {
        let seconds = took.as_secs_f64();
        output::tell(&format!(
            "{} events in {} files, {}, in {seconds:.1} s ({} events/s){}",
            count(counted.rows),
            count(counted.files),
            bytes(counted.bytes as f64),
            rate(counted.rows as f64 / seconds.max(1e-9)),
            if counted.repeats > 0 {
                format!("; {} that files had already were left out", count(counted.repeats))
            } else {
                String::new()
            },
        ));
    }
    Ok(())
}

/// The line that is drawn while a drain runs.
struct Line {
    done: Arc<AtomicBool>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Line {
    fn start(counts: &Arc<Counts>, global: &Global) -> Self {
        let done = Arc::new(AtomicBool::new(false));
        if !global.progress() {
            return Self { done, thread: None };
        }
        let (bar, counts, flag) = (progress::line(global), Arc::clone(counts), Arc::clone(&done));
        let draw = move || {
            while !flag.load(Relaxed) {
                bar.set_message(counts.trouble().unwrap_or_else(|| live(&counts.look(), now_ms())));
                std::thread::sleep(LOOK);
            }
            bar.finish_and_clear();
        };
        Self { done, thread: std::thread::Builder::new().name("forebay-tick".into()).spawn(draw).ok() }
    }

    fn end(self) {
        self.done.store(true, Relaxed);
        if let Some(thread) = self.thread {
            // It holds nothing that is needed after it.
            let _ = thread.join();
        }
    }
}

/// A drain in one line.
fn live(counted: &Counted, now_ms: u64) -> String {
    let waiting = match counted.oldest_ms {
        0 => "nothing waits".into(),
        oldest => format!(
            "{} wait, the oldest for {}",
            count(counted.waiting),
            span(now_ms.saturating_sub(oldest) as f64 / 1e3)
        ),
    };
    format!("{} events in {} files; {waiting}", count(counted.rows), count(counted.files))
}

fn now_ms() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_drain_is_said_in_one_line() {
        let mut counted = Counted::default();
        assert_eq!(live(&counted, 5), "0 events in 0 files; nothing waits");
        (counted.rows, counted.files, counted.waiting) = (2_700_000, 48, 338_000);
        counted.oldest_ms = 1_796_032_800_000;
        let line = live(&counted, 1_796_032_800_000 + 3_540_000);
        assert!(
            line.starts_with("2,700,000 events in 48 files; 338,000 wait, the oldest for 59 min"),
            "{line}"
        );
        assert!(line.len() <= 76, "{line}");
    }
}
