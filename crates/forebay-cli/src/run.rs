//! `forebay run`: source, buffer, files and watch of a pipeline in one process.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use anyhow::Context as _;
use clap::{Args, Parser, ValueHint};
use forebay::buffer::error::Error;
use forebay_pipe::drain::config::Config;
use forebay_pipe::drain::counts::Counts;
use forebay_pipe::drain::run::{DrainError, drain};
use forebay_pipe::pipeline::Pipeline;
use forebay_watch::profile::{self, Profile};
use forebay_watch::serve::Served;
use forebay_watch::{Subject, Watch};

use crate::arguments::Global;
use crate::drain::{Drain, Drained};
use crate::ingest::Ingest;
use crate::output;
use crate::signal::stop_on_signal;

/// How often it is looked whether the source's first event has made the buffer, or whether a part has ended.
const LOOK: Duration = Duration::from_millis(200);

/// How often the page looks at the server.
const EVERY: Duration = Duration::from_secs(2);

/// Run a pipeline: from its source into the buffer, from there into files, with its page
#[derive(Args)]
#[command(after_help = "Examples:
  forebay run pipeline.toml
  forebay run pipeline.toml --listen 127.0.0.1:9500

The file has [source], [buffer], [sink] and [stream], as `forebay ingest` and
`forebay drain` read them; each can be run by itself instead, on a machine of
its own.

The first Ctrl-C or SIGTERM ends the source, and puts what is in the buffer
into files; a second one ends at once. Nothing is lost by either: the next run
goes on where this one stood. If one part ends with an error, so does the
other, in an orderly way.

Exit codes are those of the part that ended first: `forebay ingest --help` and
`forebay drain --help`.")]
pub(crate) struct Run {
    /// The pipeline
    #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
    config: PathBuf,
    /// Address and port of the page and the metrics; port 0 takes a free one
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:9464")]
    listen: SocketAddr,
}

/// The flags of both parts, as they are where none is given: what the environment says counts.
#[derive(Parser)]
struct NoFlags<T: Args> {
    #[command(flatten)]
    of: T,
}

fn no_flags<T: Args>() -> anyhow::Result<T> {
    Ok(NoFlags::<T>::try_parse_from(["forebay"])?.of)
}

impl Run {
    pub(crate) fn run(&self, global: &Global) -> anyhow::Result<u8> {
        let (source, sink): (Ingest, Drain) = (no_flags()?, no_flags()?);
        let plan = source.plan_of(Pipeline::load(&self.config)?, &self.config)?;
        let config = sink.plan(Pipeline::load(&self.config)?)?;
        anyhow::ensure!(
            (config.address.to_string(), config.name.to_string())
                == (plan.config.address.to_string(), plan.config.name.to_string()),
            "source and sink are of different buffers"
        );
        let served = Served::bind(self.listen).with_context(|| {
            format!("cannot answer at {}: is something else there? --listen names another", self.listen)
        })?;
        let stop = stop_on_signal(
            global.quiet,
            "stopping: sending what was read, then putting it into files. Press Ctrl-C again to quit without waiting",
        )?;
        let watch = Self::watch(&config, &served, global)?;
        let (is_over, drains) = (AtomicBool::new(false), Arc::new(AtomicBool::new(false)));
        let (ingested, drained) = std::thread::scope(|threads| {
            threads.spawn(|| served.run(watch.shared(), || is_over.load(Relaxed)));
            let sink = threads.spawn(|| {
                let drained = drain_once_there(&config, &drains);
                // Without it the source goes on until the buffer is full: whoever started both is told.
                stop.store(true, Relaxed);
                drained
            });
            let ingested = Ingest::run_plan(&plan, global, &stop);
            drains.store(true, Relaxed);
            let drained = sink.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            is_over.store(true, Relaxed);
            (ingested, drained)
        });
        let code = drained.report(&config, global)?;
        let ingested = ingested?;
        Ok(if ingested == crate::exit::OK { code } else { ingested })
    }

    fn watch(config: &Config, served: &Served, global: &Global) -> anyhow::Result<Watch> {
        let at = served.address().context("asking for the port")?;
        let (address, name) = (config.address.clone(), config.name.clone());
        if !global.quiet {
            output::tell(&format!("forebay: buffer {name} at {address} into {}", config.to));
            output::tell(&format!(
                "forebay: page at http://{at}/, metrics at http://{at}/metrics; Ctrl-C ends it"
            ));
        }
        let profile = Profile::load(profile::DEFAULT)?;
        Watch::start(Subject { address, name, profile, is_profile_chosen: false, every: EVERY })
            .context("starting to watch")
    }
}

/// Drains once the buffer is there, until it is told to stop.
fn drain_once_there(config: &Config, stop: &Arc<AtomicBool>) -> Drained {
    let drained = Drained::new(Arc::new(Counts::default()));
    loop {
        match drain(config, drained.counts(), stop) {
            Err(DrainError::Buffer(Error::NoBuffer { .. })) if !stop.load(Relaxed) => {
                std::thread::sleep(LOOK);
            }
            // Where the source never gave anything there is nothing to drain.
            Err(DrainError::Buffer(Error::NoBuffer { .. })) => return drained.ended(Ok(())),
            ended => return drained.ended(ended),
        }
    }
}
