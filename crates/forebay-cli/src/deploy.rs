//! `forebay deploy`: the files that a buffer is run and watched with.

use std::fmt::Write as _;
use std::path::PathBuf;

use anyhow::Context;
use clap::{Args, ValueHint};

use super::output;
use crate::arguments::Global;
use crate::exit;
use forebay_pipe::ingest::Host;
use forebay_watch::deploy::files::{self, DeployPlan};
use forebay_watch::deploy::write;
use forebay_watch::profile::{self, Profile};

/// Write redis.conf, alert rules, dashboards and a compose file for a profile
#[derive(Args)]
#[command(after_help = "Examples:
  forebay deploy --out deploy
  forebay deploy --profile mine.toml --out /srv/forebay
  forebay deploy --out deploy --force            overwrite what was changed there
  forebay deploy --out cluster --profile bluesky-cluster
  forebay deploy --out deploy --source wss://jetstream.example/subscribe
  forebay deploy --out deploy --runbook-url http://watch.example:9464/runbooks

The files:
  redis.conf                 the profile's settings
  forebay.rules.yml          alert rules for Prometheus, thresholds from the profile
  prometheus.yml             a job for `forebay watch`, and these rules
  alertmanager.yml           messages to Slack
  grafana/                   two dashboards, and their provisioning
  compose.yaml, Dockerfile   all of it on one machine
  pipeline.toml, forebay-ingest.service
                             with --source: what `forebay ingest` is told, and
                             its unit for systemd; compose.yaml then has it too
  cluster-init.sh, kustomization.yaml, kubernetes/
                             with a profile that has a [cluster], as
                             bluesky-cluster: what makes a cluster of the nodes,
                             and all of them for Kubernetes; compose.yaml has the
                             nodes then
  secrets/                   for the files that compose.yaml asks for; none is made

With a Prometheus and a Grafana of your own, take forebay.rules.yml, the job in
prometheus.yml, and grafana/dashboards/*.json: see docs/monitoring.md.

Exit codes: 0 all files are there, 2 a file there has other contents, or cannot
be written.")]
pub(crate) struct Deploy {
    /// What must hold: a built-in profile (bluesky-8h, met-001, full-network, bluesky-cluster) or a TOML file
    #[arg(long, default_value = profile::DEFAULT)]
    profile: String,
    /// Folder that the files are put into
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    out: PathBuf,
    /// Overwrite files that have other contents
    #[arg(long)]
    force: bool,
    /// Page that alerts link to: the watch's /runbooks as people reach it, or one of yours with a heading for each
    #[arg(long, value_name = "URL", value_hint = ValueHint::Url, default_value = files::RUNBOOKS)]
    runbook_url: String,
    /// Host of the source that is brought in, as `wss://host/subscribe`; again for further ones. Without it, nothing of that
    #[arg(long, value_name = "URL", value_hint = ValueHint::Url)]
    source: Vec<String>,
}

impl Deploy {
    pub(crate) fn run(&self, global: &Global) -> anyhow::Result<u8> {
        let profile = Profile::load(&self.profile)?;
        let built_in = Profile::built_in().iter().any(|known| known.name == self.profile);
        let text = if built_in { None } else { Some(Profile::text(&self.profile)?) };
        let hosts = self.source.iter().map(|url| Ok(Host::parse(url)?.to_string()));
        let plan = DeployPlan {
            profile: &profile,
            profile_text: text.as_deref(),
            runbooks: &self.runbook_url,
            sources: &hosts.collect::<anyhow::Result<Vec<_>>>()?,
        };
        let made = files::all(&plan)?;
        let states = write::all(&made, &self.out, self.force)?;
        let files = made.iter().zip(states);
        let text = if global.json {
            let files: Vec<_> = files
                .map(|(file, state)| serde_json::json!({"path": file.path, "state": state.word()}))
                .collect();
            format!("{:#}\n", serde_json::json!({"out": self.out, "profile": profile.name, "files": files}))
        } else {
            files.fold(String::new(), |mut text, (file, state)| {
                let _ = writeln!(text, "{:<12} {}", state.word(), self.out.join(&file.path).display());
                text
            })
        };
        output::result(&text).context(output::STDOUT)?;
        Ok(exit::OK)
    }
}
