//! A real Prometheus and a real Alertmanager over all rigs, with short intervals, and the webhook that they tell.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;
use serde::Deserialize;

use super::webhook::Receiver;
use crate::wait::look_every;
use forebay_rig::server::Helper;
use forebay_watch::deploy::rules::{Rule, to_yaml};

/// How long each program may take until it is ready.
const READY: Duration = Duration::from_secs(60);
/// How long an answer may take.
const ANSWER: Duration = Duration::from_secs(10);
/// Between two times that a query is asked whose answer is waited for.
const LOOK: Duration = Duration::from_millis(200);

/// The programs.
#[derive(Debug, Clone)]
pub struct Programs {
    prometheus: PathBuf,
    alertmanager: PathBuf,
}

impl Programs {
    /// Those of the folder that `FOREBAY_PROMETHEUS` names, else those on the PATH; or how to get them.
    pub fn find() -> Result<Self, String> {
        let folder =
            std::env::var_os("FOREBAY_PROMETHEUS").filter(|folder| !folder.is_empty()).map(PathBuf::from);
        let path = std::env::var_os("PATH").unwrap_or_default();
        let folders: Vec<PathBuf> =
            folder.map_or_else(|| std::env::split_paths(&path).collect(), |one| vec![one]);
        let find = |names: &[&str]| {
            let mut paths = folders.iter().flat_map(|folder| names.iter().map(move |name| folder.join(name)));
            paths.find(|path| path.is_file())
        };
        // Debian calls it by the second name.
        let found = find(&["prometheus"]).zip(find(&["alertmanager", "prometheus-alertmanager"]));
        let (prometheus, alertmanager) = found.ok_or(
            "no prometheus and alertmanager on the PATH, nor in the folder that FOREBAY_PROMETHEUS names; `make \
             setup` puts them into servers/prometheus, and the packages prometheus and prometheus-alertmanager have them",
        )?;
        Ok(Self { prometheus, alertmanager })
    }
}

/// How often Prometheus scrapes and judges.
#[derive(Debug, Clone, Copy)]
pub(super) enum Every {
    /// For rules on a faster clock.
    Second,
    /// As in the prometheus.yml of `forebay deploy`.
    AsDeployed,
}

/// What Alertmanager sends to the webhook.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sends {
    /// What fires, and what is resolved: as it is deployed.
    All,
    /// What fires, and nothing more.
    Firing,
}

/// Both, and the webhook.
pub(super) struct AlertStack {
    pub receiver: Receiver,
    prometheus: Helper,
    _alertmanager: Helper,
    agent: ureq::Agent,
}

#[derive(Deserialize)]
struct Answer {
    data: Data,
}

#[derive(Deserialize)]
struct Data {
    result: Vec<serde_json::Value>,
}

impl AlertStack {
    /// Starts them over watches at these addresses.
    pub fn start(
        programs: &Programs,
        rules: &[Rule],
        targets: &[String],
        every: Every,
        sends: Sends,
    ) -> anyhow::Result<Self> {
        let agent: ureq::Agent = ureq::Agent::config_builder().timeout_global(Some(ANSWER)).build().into();
        let receiver = Receiver::start()?;
        let alertmanager = Helper::reserve(&programs.alertmanager)?;
        alertmanager.write("alertmanager.yml", &alertmanager_yml(&receiver.url(), sends))?;
        let arguments = [
            "--config.file=alertmanager.yml".to_owned(),
            format!("--web.listen-address=127.0.0.1:{}", alertmanager.port()),
            // Alone: no other of its kind is looked for.
            "--cluster.listen-address=".into(),
            "--storage.path=data".into(),
            "--log.level=warn".into(),
        ];
        alertmanager.start(arguments, READY, || is_ready(&agent, alertmanager.port()))?;
        let prometheus = Helper::reserve(&programs.prometheus)?;
        prometheus.write("rules.yml", &to_yaml(rules))?;
        prometheus.write("prometheus.yml", &prometheus_yml(targets, alertmanager.port(), every))?;
        let arguments = [
            "--config.file=prometheus.yml".to_owned(),
            format!("--web.listen-address=127.0.0.1:{}", prometheus.port()),
            "--storage.tsdb.path=data".into(),
            "--log.level=warn".into(),
        ];
        prometheus.start(arguments, READY, || is_ready(&agent, prometheus.port()))?;
        Ok(Self { receiver, prometheus, _alertmanager: alertmanager, agent })
    }

    /// How many series a query has now.
    pub fn series(&self, expr: &str) -> anyhow::Result<usize> {
        Ok(self.ask(expr)?.len())
    }

    /// What a query of one series has now.
    pub fn value(&self, expr: &str) -> anyhow::Result<f64> {
        let series = self.ask(expr)?;
        let value = series.first().and_then(|series| series.pointer("/value/1")?.as_str()?.parse().ok());
        value.with_context(|| format!("Prometheus has no figure for {expr}"))
    }

    fn ask(&self, expr: &str) -> anyhow::Result<Vec<serde_json::Value>> {
        let url = format!("http://127.0.0.1:{}/api/v1/query", self.prometheus.port());
        let answer = self.agent.get(&url).query("query", expr).call();
        let mut answer = answer.with_context(|| format!("asking Prometheus for {expr}"))?;
        Ok(answer.body_mut().read_json::<Answer>()?.data.result)
    }

    /// Waits until a query has an answer.
    pub fn wait_for(&self, expr: &str, limit: Duration) -> anyhow::Result<()> {
        let seen = look_every(LOOK, limit, || Ok((self.series(expr)? > 0).then_some(())))?;
        seen.with_context(|| {
            format!(
                "waited {limit:?} in vain until Prometheus has an answer to {expr}; its log ends: {}",
                self.prometheus.log()
            )
        })
    }
}

fn is_ready(agent: &ureq::Agent, port: u16) -> bool {
    agent.get(format!("http://127.0.0.1:{port}/-/ready")).call().is_ok()
}

fn alertmanager_yml(webhook: &str, sends: Sends) -> String {
    let resolved = sends == Sends::All;
    format!(
        "route:\n  receiver: webhook\n  group_by: ['...']\n  group_wait: 0s\n  group_interval: 1s\n  \
         repeat_interval: 4h\nreceivers:\n  - name: webhook\n    webhook_configs:\n      - url: {webhook}\n        \
         send_resolved: {resolved}\n"
    )
}

fn prometheus_yml(targets: &[String], alertmanager: u16, every: Every) -> String {
    let every = match every {
        Every::Second => "1s",
        Every::AsDeployed => "5s",
    };
    let targets = targets.iter().map(|target| format!("'{target}'")).collect::<Vec<_>>().join(", ");
    format!(
        "global:\n  scrape_interval: {every}\n  scrape_timeout: 1s\n  evaluation_interval: {every}\nrule_files: [rules.yml]\n\
         alerting:\n  alertmanagers:\n    - static_configs:\n        - targets: ['127.0.0.1:{alertmanager}']\n\
         scrape_configs:\n  - job_name: forebay\n    static_configs:\n      - targets: [{targets}]\n"
    )
}
