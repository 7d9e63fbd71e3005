//! What an ingest is asked for: by flags, and where these say nothing by a file.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;
use clap::{Args, ValueHint};

use super::since::since_us;
use super::ticker::now_us;
use crate::append::Latency;
use crate::arguments::Events;
use crate::overflow::OverflowArgs;
use forebay::block::encode::{Encoding, Wanted};
use forebay::block::frame::EVENT_BYTES_MAX;
use forebay::buffer::batch::{LOW_LATENCY, Limits};
use forebay::buffer::connect::Address;
use forebay::buffer::keys::Name;
use forebay::buffer::writer::{Ack, Options};
use forebay_pipe::ingest::{Config, Filter, Host, Until};
use forebay_pipe::pipeline::{BufferTable, Pipeline, parsed, with_nearest};
use forebay_watch::profile;

/// The flags.
#[derive(Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag")]
pub(super) struct IngestArgs {
    /// Host, as `wss://host/subscribe`; again for further hosts of the same network, in the order in which they are tried. Or
    /// `file:PATH`, a file of lines
    #[arg(long, value_name = "URL", value_hint = ValueHint::Url)]
    source: Vec<String>,
    /// Of a file: wait for what is added to it, through renames
    #[arg(long)]
    follow: bool,
    /// The hosts send any lines, and have no cursor: what comes while nobody listens is lost, and told
    #[arg(long)]
    lines: bool,
    /// Collection that is wanted, as app.bsky.feed.post or app.bsky.feed.*; again for more. Without one, all
    #[arg(long, value_name = "NSID")]
    collection: Vec<String>,
    /// Account that is wanted; again for more. Without one, all
    #[arg(long)]
    did: Vec<String>,
    /// Let frames come compressed: a third of the traffic. /subscribe needs --dictionary for it
    #[arg(long)]
    compress: bool,
    /// The zstd dictionary that hosts compress with at /subscribe
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    dictionary: Option<PathBuf>,
    /// Where to begin if the buffer has nothing of the source yet: 2h (ago), an RFC 3339 time, or oldest; else now
    #[arg(long, value_name = "WHEN")]
    since: Option<String>,
    /// Server: redis://[user:password@]host[:port][/db], or rediss:// for TLS; without it, port 6379 of this machine
    #[arg(long, env = "FOREBAY_URL", hide_env_values = true)]
    url: Option<String>,
    /// Buffer on that server [default: events]
    #[arg(long)]
    buffer: Option<String>,
    #[command(flatten)]
    events: Events,
    /// When a block counts: reply (the server answered) or fsync (it is on the server's disk: the disk of one machine) [default: reply]
    #[arg(long)]
    ack: Option<Ack>,
    /// How long a block may wait for more events [default: 200ms]
    #[arg(long, value_name = "TIME")]
    linger: Option<humantime::Duration>,
    /// low: for a consumer that waits, a linger of 5 ms; blocks then take more memory
    #[arg(long, value_enum, conflicts_with = "linger")]
    latency: Option<Latency>,
    #[command(flatten)]
    overflow: OverflowArgs,
    /// Largest event [default: 1MiB]
    #[arg(long, value_name = "SIZE")]
    max_event: Option<bytesize::ByteSize>,
    /// Add messages that are no events to this file, as they came
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    rejects: Option<PathBuf>,
    /// Take the buffer from a writer that is still there; that one ends with an error
    #[arg(long)]
    takeover: bool,
    /// Give up when no host gave anything, or the server acknowledged nothing, for so long [default: 10m]
    #[arg(long, value_name = "TIME")]
    patience: Option<humantime::Duration>,
    /// End at the live end: once an event comes that is newer than this run, or nothing comes any more
    #[arg(long)]
    once: bool,
    /// End after so long
    #[arg(long = "for", value_name = "TIME")]
    after: Option<humantime::Duration>,
}

/// What it comes to.
pub(crate) struct IngestPlan {
    pub(crate) config: Config,
    pub(super) rejects: Option<PathBuf>,
    pub(super) overflow: OverflowArgs,
}

const DEFAULT_URL: &str = "redis://127.0.0.1:6379";
const DEFAULT_BUFFER: &str = "events";
const DEFAULT_PATIENCE: Duration = Duration::from_secs(600);

impl IngestArgs {
    /// Flags first, then the file, then what is usual.
    pub(super) fn plan(&self, file: Pipeline, path: Option<&Path>) -> anyhow::Result<IngestPlan> {
        let Pipeline { source, buffer, stream, .. } = file;
        let urls = if self.source.is_empty() { &source.urls } else { &self.source };
        let file = file_of(urls, self.follow || source.follow)?;
        let hosts = if file.is_some() { Vec::new() } else { hosts(urls)? };
        let is_lines = self.lines || source.lines;
        let filter = Filter {
            collections: or(&self.collection, source.collections),
            dids: or(&self.did, source.dids),
        };
        let compress = self.compress || source.compress;
        let dictionary = self.dictionary.clone().or(source.dictionary);
        must_compress(&hosts, compress, dictionary.as_deref())?;
        let since = self.since.as_ref().or(source.since.as_ref());
        let max_event = match self.max_event {
            Some(size) => Some(size),
            None => parsed(source.max_event.as_deref(), "source.max_event")?,
        };
        let patience: Duration = match self.patience {
            Some(patience) => patience.into(),
            None => parsed::<humantime::Duration>(source.patience.as_deref(), "source.patience")?
                .map_or(DEFAULT_PATIENCE, Into::into),
        };
        let url = self.url.as_deref().or(buffer.url.as_deref()).unwrap_or(DEFAULT_URL);
        let mut name: Name =
            self.buffer.as_deref().or(buffer.name.as_deref()).unwrap_or(DEFAULT_BUFFER).parse()?;
        if let Some(stream) = self.events.stream()? {
            name = name.of(stream);
        } else if let Some(table) = stream {
            let file = path.unwrap_or(Path::new("")).display();
            let stream = profile::stream_of(table)
                .map_err(|why| anyhow::anyhow!("{file}: [stream]: {}", with_nearest(&why)))?;
            name = name.of(stream);
        }
        let overflow = self.overflow.or(
            buffer.overflow.as_deref(),
            buffer.spill.as_deref(),
            parsed(buffer.spill_max.as_deref(), "buffer.spill_max")?,
        )?;
        let config = Config {
            hosts,
            file,
            is_lines,
            filter,
            compress,
            dictionary,
            since_us: since.map(|since| since_us(since, now_us())).transpose().map_err(anyhow::Error::msg)?,
            event_bytes_max: event_bytes_max(max_event)?,
            until: Until { after: self.after.map(Into::into), is_live: self.once, events: None },
            address: Address::parse(url)?,
            name,
            options: self.options(&buffer, &overflow, patience)?,
            patience,
            silence: forebay_pipe::ingest::SILENCE,
            sabotage: None,
        };
        must_be_everywhere(&config)?;
        Ok(IngestPlan { config, rejects: self.rejects.clone().or(source.rejects), overflow })
    }

    fn options(
        &self,
        buffer: &BufferTable,
        overflow: &OverflowArgs,
        patience: Duration,
    ) -> anyhow::Result<Options> {
        let usual = Limits::default();
        let linger = match (self.latency, self.linger) {
            (Some(Latency::Low), _) => LOW_LATENCY,
            (None, Some(linger)) => linger.into(),
            (None, None) => parsed::<humantime::Duration>(buffer.linger.as_deref(), "buffer.linger")?
                .map_or(usual.linger, Into::into),
        };
        let ack = match self.ack {
            Some(ack) => ack,
            None => parsed(buffer.ack.as_deref(), "buffer.ack")?.unwrap_or(Ack::Reply),
        };
        Ok(Options {
            limits: Limits { linger, ..usual },
            encoding: Encoding { wanted: Wanted::Measured, ..Encoding::default() },
            ack,
            patience,
            takes_over: self.takeover,
            overflow: overflow.policy()?,
            ..Options::default()
        })
    }
}

/// The file that is the source, where it is one.
fn file_of(urls: &[String], follows: bool) -> anyhow::Result<Option<(PathBuf, bool)>> {
    let files: Vec<&str> = urls.iter().filter_map(|url| url.strip_prefix("file:")).collect();
    match (&files[..], urls.len()) {
        ([], _) => {
            anyhow::ensure!(!follows, "--follow is for a file: --source file:PATH");
            Ok(None)
        }
        ([path], 1) => Ok(Some((path.strip_prefix("//").unwrap_or(path).into(), follows))),
        _ => anyhow::bail!("a file is a source by itself: give one, or hosts"),
    }
}

fn hosts(urls: &[String]) -> anyhow::Result<Vec<Host>> {
    anyhow::ensure!(
        !urls.is_empty(),
        "no source is given: --source wss://HOST/subscribe names a Jetstream host, as does urls of [source] in --config \
         FILE; docs/pipeline.md says where the public ones are listed"
    );
    Ok(urls.iter().map(|url| Host::parse(url)).collect::<Result<_, _>>()?)
}

/// Lanes on several masters are resumed at one cursor: it must not say more than what each has after it failed over.
fn must_be_everywhere(config: &Config) -> anyhow::Result<()> {
    anyhow::ensure!(
        !config.address.is_cluster() || config.options.ack.is_by_replicas(),
        "on a cluster ingest needs --ack replica: where a master comes back with less than it had acknowledged, the cursor that \
         the lanes of other masters have is beyond what is missing"
    );
    Ok(())
}

/// Compression that was asked for, and cannot be had, is an error before it is a surprise.
fn must_compress(hosts: &[Host], compress: bool, dictionary: Option<&Path>) -> anyhow::Result<()> {
    let needs = hosts.iter().any(Host::needs_dictionary);
    anyhow::ensure!(
        !compress || !needs || dictionary.is_some(),
        "--compress at /subscribe needs the dictionary of its hosts: --dictionary FILE; docs/pipeline.md says where it is"
    );
    anyhow::ensure!(
        compress || dictionary.is_none(),
        "a dictionary is only of use with --compress (compress = true in a file)"
    );
    Ok(())
}

fn event_bytes_max(size: Option<bytesize::ByteSize>) -> anyhow::Result<usize> {
    let Some(size) = size else { return Ok(forebay_pipe::ingest::config::EVENT_BYTES_MAX) };
    usize::try_from(size.as_u64())
        .ok()
        .filter(|bytes| (1..=EVENT_BYTES_MAX).contains(bytes))
        .context("--max-event must be from 1 byte to 64 MiB")
}

fn or(flags: &[String], file: Vec<String>) -> Vec<String> {
    if flags.is_empty() { file } else { flags.to_vec() }
}
