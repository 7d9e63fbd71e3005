//! Every file of a deployment, as text: from a profile, and written nowhere. Those that are the same for every profile are
//! taken from `deploy/` at the root as they are; the others have a template in `templates/deploy/`.

use askama::Template;

use super::rules::{self, ALERTMANAGER};
use super::{cluster, dashboards, one_line, redis_conf};
use crate::profile::Profile;

pub use super::rules::RUNBOOKS;

/// Where a container finds the file with the password of Redis.
const SECRET: &str = "/run/secrets/redis_auth";
/// Where the watch's container finds a profile that is not built in.
const PROFILE_FILE: &str = "/etc/forebay/profile.toml";

/// Files that are the same for every profile, beside [`dashboards::ALL`].
const AS_THEY_ARE: [(&str, &str); 6] = [
    ("Dockerfile", include_str!("../../../../deploy/Dockerfile")),
    ("Dockerfile.dockerignore", include_str!("../../../../deploy/Dockerfile.dockerignore")),
    ("alertmanager.yml", ALERTMANAGER),
    (
        "grafana/provisioning/dashboards/forebay.yml",
        include_str!("../../../../deploy/grafana/provisioning/dashboards/forebay.yml"),
    ),
    (
        "grafana/provisioning/datasources/forebay.yml",
        include_str!("../../../../deploy/grafana/provisioning/datasources/forebay.yml"),
    ),
    ("prometheus.yml", include_str!("../../../../deploy/prometheus.yml")),
];

/// A file of a deployment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// Where it goes, from the folder of the deployment.
    pub path: String,
    /// What is in it.
    pub text: String,
}

impl File {
    /// With one end of line behind its last line.
    pub(super) fn new(path: &str, text: impl AsRef<str>) -> Self {
        Self { path: path.into(), text: format!("{}\n", text.as_ref().trim_end()) }
    }
}

/// What a deployment is made from.
#[derive(Debug)]
pub struct DeployPlan<'a> {
    /// What must hold.
    pub profile: &'a Profile,
    /// The profile's text where it is not a built-in one: the watch in its container needs it too.
    pub profile_text: Option<&'a str>,
    /// Address of the runbooks: each alert links to its paragraph there.
    pub runbooks: &'a str,
    /// Hosts of the source that is brought in; nothing of it is made where there is none.
    pub sources: &'a [String],
}

#[derive(Template)]
#[template(path = "deploy/compose.yaml", escape = "none")]
struct Compose<'a> {
    profile: &'a str,
    watch_profile: &'a str,
    custom: bool,
    ingests: bool,
    secret: &'a str,
    version: &'a str,
    /// Where the server is, or the nodes, with the password as a shell puts it in.
    url: &'a str,
    cluster: Option<&'a cluster::ComposeNodes>,
}

#[derive(Template)]
#[template(path = "deploy/pipeline.toml", escape = "none")]
struct Pipeline<'a> {
    urls: &'a [String],
}

#[derive(Template)]
#[template(path = "deploy/forebay-ingest.service", escape = "none")]
struct IngestUnit<'a> {
    profile: Option<&'a str>,
}

/// Every file, in the order of their paths.
pub fn all(plan: &DeployPlan) -> askama::Result<Vec<File>> {
    let mut files: Vec<File> = AS_THEY_ARE.into_iter().map(|(path, text)| File::new(path, text)).collect();
    files.extend([
        File::new("compose.yaml", compose(plan)?),
        File::new("forebay.rules.yml", rules::file(plan.profile, plan.runbooks)?),
        File::new("redis.conf", redis_conf::render(plan.profile, SECRET)?),
        // Git keeps the folder, and nothing that is put into it.
        File::new("secrets/.gitignore", "*\n!.gitignore\n"),
    ]);
    files.extend(plan.profile_text.map(|text| File::new("profile.toml", text)));
    if let Some(cluster) = plan.profile.cluster {
        files.extend(cluster::files(plan.profile, cluster, SECRET)?);
    }
    files.extend(ingest(plan)?);
    files.extend(dashboards::ALL.map(|(path, text)| File::new(path, text)));
    files.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(files)
}

/// What brings a source in, where one is given.
fn ingest(plan: &DeployPlan) -> askama::Result<Vec<File>> {
    if plan.sources.is_empty() {
        return Ok(Vec::new());
    }
    let urls: Vec<String> =
        plan.sources.iter().map(|url| toml::Value::from(url.as_str()).to_string()).collect();
    let profile = plan.profile_text.map(|_| PROFILE_FILE);
    Ok(vec![
        File::new("pipeline.toml", Pipeline { urls: &urls }.render()?),
        File::new("forebay-ingest.service", IngestUnit { profile }.render()?),
    ])
}

fn compose(plan: &DeployPlan) -> askama::Result<String> {
    let custom = plan.profile_text.is_some();
    let nodes = plan.profile.cluster.map(|cluster| cluster::compose(cluster, SECRET)).transpose()?;
    let one = format!("redis://:$$(sed -n 's/^requirepass //p' {SECRET})@redis:6379");
    Compose {
        profile: &one_line(&plan.profile.name),
        watch_profile: if custom { PROFILE_FILE } else { &plan.profile.name },
        custom,
        ingests: !plan.sources.is_empty(),
        secret: SECRET,
        version: env!("CARGO_PKG_VERSION"),
        url: nodes.as_ref().map_or(&one, |nodes| &nodes.url),
        cluster: nodes.as_ref(),
    }
    .render()
}
