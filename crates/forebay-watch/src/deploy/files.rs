//! Every file of a deployment, as text: from a profile, and written nowhere.

use std::fmt::Write as _;

use askama::Template;

use super::rules::{self, Rule};
use super::{dashboards, one_line, redis_conf};
use crate::profile::Profile;

/// Where a container finds the file with the password of Redis.
const SECRET: &str = "/run/secrets/redis_auth";
/// Where the watch's container finds a profile that is not built in.
const PROFILE_FILE: &str = "/etc/forebay/profile.toml";
/// The runbooks of the watch that compose.yaml starts, as this machine reaches it.
pub const RUNBOOKS: &str = "http://127.0.0.1:9464/runbooks";

/// A file of a deployment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// Where it goes, from the folder of the deployment.
    pub path: String,
    /// What is in it.
    pub text: String,
}

/// What a deployment is made from.
#[derive(Debug)]
pub struct Plan<'a> {
    /// What must hold.
    pub profile: &'a Profile,
    /// The profile's text where it is not a built-in one: the watch in its container needs it too.
    pub profile_text: Option<&'a str>,
    /// Address of the runbooks: each alert links to its paragraph there.
    pub runbooks: &'a str,
}

#[derive(Template)]
#[template(path = "deploy/compose.yaml", escape = "none")]
struct Compose<'a> {
    profile: &'a str,
    watch_profile: &'a str,
    custom: bool,
    secret: &'a str,
    version: &'a str,
}

#[derive(Template)]
#[template(path = "deploy/alertmanager.yml", escape = "none")]
struct Alertmanager {
    inhibit_rules: String,
}

/// Every file, in the order of their paths.
pub fn all(plan: &Plan) -> askama::Result<Vec<File>> {
    let rules = rules::rules(plan.profile, 1.0);
    let mut files = vec![
        file("Dockerfile", include_str!("../../templates/deploy/Dockerfile")),
        file("Dockerfile.dockerignore", include_str!("../../templates/deploy/Dockerfile.dockerignore")),
        file("alertmanager.yml", Alertmanager { inhibit_rules: inhibit_rules(&rules) }.render()?),
        file("compose.yaml", compose(plan)?),
        file("forebay.rules.yml", rules_file(plan, &rules)),
        file(
            "grafana/provisioning/dashboards/forebay.yml",
            include_str!("../../templates/deploy/dashboards.yml"),
        ),
        file(
            "grafana/provisioning/datasources/forebay.yml",
            include_str!("../../templates/deploy/datasource.yml"),
        ),
        file("prometheus.yml", include_str!("../../templates/deploy/prometheus.yml")),
        file("redis.conf", redis_conf::render(plan.profile, SECRET)?),
        // Git keeps the folder, and nothing that is put into it.
        file("secrets/.gitignore", "*\n!.gitignore\n"),
    ];
    files.extend(plan.profile_text.map(|text| file("profile.toml", text)));
    for (name, text) in dashboards::files() {
        files.push(file(&format!("grafana/dashboards/{name}"), text));
    }
    files.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(files)
}

fn file(path: &str, text: impl AsRef<str>) -> File {
    File { path: path.into(), text: format!("{}\n", text.as_ref().trim_end()) }
}

fn rules_file(plan: &Plan, rules: &[Rule]) -> String {
    format!(
        "# Alert rules of Forebay, made by `forebay deploy` for the profile {}. Another profile: make them again.\n{}",
        one_line(&plan.profile.name),
        rules::to_yaml(rules, plan.runbooks)
    )
}

fn compose(plan: &Plan) -> askama::Result<String> {
    let custom = plan.profile_text.is_some();
    Compose {
        profile: &one_line(&plan.profile.name),
        watch_profile: if custom { PROFILE_FILE } else { &plan.profile.name },
        custom,
        secret: SECRET,
        version: env!("CARGO_PKG_VERSION"),
    }
    .render()
}

/// The part of Alertmanager's configuration by which an alert silences those that it implies.
pub fn inhibit_rules(rules: &[Rule]) -> String {
    let mut text = String::from("inhibit_rules:\n");
    for rule in rules.iter().filter(|rule| !rule.implies.is_empty()) {
        let _ = write!(
            text,
            "  - source_matchers: [alertname=\"{}\"]\n    target_matchers: [alertname=~\"{}\"]\n    equal: [{}]\n",
            rule.name,
            rule.implies.join("|"),
            rule.in_common(rules).join(", ")
        );
    }
    text
}
