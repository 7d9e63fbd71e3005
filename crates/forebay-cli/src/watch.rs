//! `forebay watch`: exporter and live page.

use std::net::SocketAddr;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use anyhow::Context;
use clap::Args;

use super::output;
use super::signal::stop_on_signal;
use crate::arguments::{At, Global};
use crate::exit;
use forebay_watch::hostnames::Names;
use forebay_watch::profile::{self, Profile};
use forebay_watch::serve::Served;
use forebay_watch::{Subject, Watch};

/// Watch a buffer: a live page, and metrics for Prometheus
#[derive(Args)]
#[command(after_help = "Examples:
  forebay watch                            page at http://127.0.0.1:9464/
  forebay watch --url redis://10.0.0.5 --buffer events --listen 127.0.0.1:9500
  curl -s http://127.0.0.1:9464/metrics

  /             the page: will it hold tonight?
  /metrics      OpenMetrics for Prometheus
  /runbooks     what each alert means, and what to do
  /api/stat     what the page shows, as JSON; /api/history, the last hour
  /healthz      200 as long as the watcher looks

Reads only. Answers come from the last look, so none hangs because the server
does. Who may reach the address may read: it is loopback unless --listen says
otherwise. It answers for addresses and localhost; if it is asked by a name, such
as that of its container, allow that name: --allow-host. Put the URL into FOREBAY_URL to keep a password off the command line.")]
pub(crate) struct WatchVerb {
    #[command(flatten)]
    at: At,
    /// Profile whose hours and peak rate the buffer is held against
    ///
    /// Without one, figures at the peak are those of bluesky-8h, and nothing is asked of its hours.
    #[arg(long)]
    profile: Option<String>,
    /// Address and port to answer at; port 0 takes a free one
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:9464")]
    listen: SocketAddr,
    /// Name that it may be asked by, beside its address and localhost; may be repeated
    #[arg(long, value_name = "NAME")]
    allow_host: Vec<String>,
    /// How often to look at the server
    #[arg(long, value_name = "TIME", default_value = "2s")]
    every: humantime::Duration,
}

/// Looks further apart would show a page that is old, and nearer ones cost the server for nothing.
const EVERY: std::ops::RangeInclusive<Duration> = Duration::from_millis(100)..=Duration::from_secs(60);

impl WatchVerb {
    pub(crate) fn run(&self, global: &Global) -> anyhow::Result<u8> {
        let (address, name) = self.at.parse()?;
        let profile = Profile::load(self.profile.as_deref().unwrap_or(profile::DEFAULT))?;
        let is_profile_chosen = self.profile.is_some();
        let every: Duration = *self.every;
        anyhow::ensure!(EVERY.contains(&every), "--every {}: from 100ms to 60s", self.every);
        let served = Served::bind(self.listen).with_context(|| {
            format!("cannot answer at {}: is something else there? --listen names another", self.listen)
        })?;
        let served = served.named(Names::new(self.allow_host.clone()));
        let stop = stop_on_signal(global.quiet, "ending; once more ends it at once")?;
        let at = served.address().context("asking for the port")?;
        let watch = Watch::start(Subject {
            address: address.clone(),
            name: name.clone(),
            profile,
            is_profile_chosen,
            every,
        })
        .context("starting to watch")?;
        if !global.quiet {
            output::tell(&format!("forebay: watching buffer {name} at {address}"));
            output::tell(&format!(
                "forebay: page at http://{at}/, metrics at http://{at}/metrics; Ctrl-C ends it"
            ));
        }
        if !at.ip().is_loopback() && !global.quiet {
            output::tell("forebay: whoever can reach this address can read it: there is no password");
        }
        served.run(watch.shared(), || stop.load(Relaxed));
        Ok(exit::OK)
    }
}
