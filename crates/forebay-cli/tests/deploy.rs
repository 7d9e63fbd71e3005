//! What `forebay deploy` makes: kept identical in `deploy/`, read by the programs that it is for, each rule fired by its
//! cause, and nothing in it that is not there.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use forebay_proof::audit::{from_file, judge};
use forebay_rig::server::ServerBinary;
use forebay_watch::deploy::files::{self, DeployPlan, RUNBOOKS};
use forebay_watch::deploy::{dashboards, rules};
use forebay_watch::profile::{self, Profile};

use super::audit_cases::assert_cuts_nobody_off;
use super::cli_support::{holds, run, said};
use super::support;

fn root() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}

fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|why| panic!("{path}: {why}"))
}

fn default() -> Profile {
    Profile::load(profile::DEFAULT).unwrap()
}

/// Every file of the default profile.
fn made() -> Vec<files::File> {
    let profile = &default();
    files::all(&DeployPlan { profile, profile_text: None, runbooks: RUNBOOKS, sources: &[] }).unwrap()
}

/// A program of Prometheus: from the folder that `FOREBAY_PROMETHEUS` names, else where `make setup` has put it,
/// else from the PATH.
fn program(name: &str) -> Command {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let usual =
        || [root().join("servers/prometheus")].into_iter().chain(std::env::split_paths(&path)).collect();
    let given = std::env::var_os("FOREBAY_PROMETHEUS").filter(|given| !given.is_empty());
    let given = given.map(|given| vec![PathBuf::from(given)]);
    let folders: Vec<PathBuf> = given.unwrap_or_else(usual);
    let found = folders.iter().map(|folder| folder.join(name)).find(|program| program.is_file());
    let Some(found) = found else {
        panic!("no {name} in {folders:?}: run `make setup`, or set FOREBAY_PROMETHEUS to its folder")
    };
    Command::new(found)
}

/// Runs a program, which must be content.
fn content(command: &mut Command) -> String {
    let ran = command.output().unwrap();
    let said = format!("{}{}", String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr));
    assert!(ran.status.success(), "{said}");
    said
}

#[test]
fn what_is_kept_in_the_repository_is_what_the_default_profile_makes() {
    let folder = root().join("deploy");
    for file in made() {
        let kept = std::fs::read_to_string(folder.join(&file.path)).unwrap_or_default();
        assert!(kept == file.text, "deploy/{}: run `cargo run -- deploy --out deploy --force`", file.path);
    }
    let mut there = Vec::new();
    walk(&folder, &mut there);
    let made: BTreeSet<PathBuf> = made().iter().map(|file| folder.join(&file.path)).collect();
    there.retain(|path| !path.starts_with(folder.join("secrets")) && !made.contains(path));
    assert!(there.is_empty(), "nothing makes {there:?}");
}

fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { walk(&path, found) } else { found.push(path) }
    }
}

#[test]
fn what_somebody_has_changed_is_overwritten_only_if_asked() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().to_str().unwrap();
    let first = run(&["deploy", "--out", out]);
    assert_eq!((first.code, first.err.as_str()), (0, ""));
    let again = run(&["deploy", "--out", out, "--json"]);
    let again: serde_json::Value = serde_json::from_slice(&again.out).unwrap();
    let states = again["files"].as_array().unwrap();
    assert!(states.len() == made().len() && states.iter().all(|file| file["state"] == "same"), "{again}");

    let rules = folder.path().join("forebay.rules.yml");
    std::fs::write(&rules, "mine").unwrap();
    std::fs::remove_file(folder.path().join("redis.conf")).unwrap();
    holds(&said(&["deploy", "--out", out], 2), &["forebay.rules.yml", "--force", "nothing was written"]);
    assert_eq!(std::fs::read_to_string(&rules).unwrap(), "mine");
    assert!(!folder.path().join("redis.conf").exists());
    let forced = String::from_utf8(run(&["deploy", "--out", out, "--force"]).out).unwrap();
    holds(&forced, &["overwritten", "new "]);
    assert_ne!(std::fs::read_to_string(&rules).unwrap(), "mine");
}

#[test]
fn a_folder_that_cannot_be_written_is_told_with_a_remedy() {
    let file = tempfile::NamedTempFile::new().unwrap();
    holds(&said(&["deploy", "--out", file.path().to_str().unwrap()], 2), &["--out"]);
    holds(&said(&["deploy", "--out", "/nowhere", "--profile", "no-such"], 2), &["no-such", "bluesky-8h"]);
}

#[test]
fn a_profile_of_ones_own_goes_with_the_files_and_gives_the_thresholds() {
    let folder = tempfile::tempdir().unwrap();
    let mine = folder.path().join("mine.toml");
    let text =
        read("profiles/bluesky-8h.toml").replace("hours = 8", "hours = 2").replace("\"50ms\"", "\"10ms\"");
    std::fs::write(&mine, &text).unwrap();
    let out = folder.path().join("out");
    let runbooks = "https://wiki.example/it's";
    let args =
        ["--out", out.to_str().unwrap(), "--profile", mine.to_str().unwrap(), "--runbook-url", runbooks];
    assert_eq!(run(&[&["deploy"], &args[..]].concat()).code, 0);
    assert_eq!(std::fs::read_to_string(out.join("profile.toml")).unwrap(), text);
    let compose = std::fs::read_to_string(out.join("compose.yaml")).unwrap();
    holds(&compose, &["--profile /etc/forebay/profile.toml", "./profile.toml:/etc/forebay/profile.toml:ro"]);
    let rules = std::fs::read_to_string(out.join("forebay.rules.yml")).unwrap();
    holds(
        &rules,
        &[
            "(forebay_lane_oldest_age_seconds) > 7200",
            "[5m])) > 0.01",
            "'https://wiki.example/it''s#forebayslowwarning'",
        ],
    );
    content(program("promtool").args(["check", "rules"]).arg(out.join("forebay.rules.yml")));
}

#[test]
fn prometheus_and_alertmanager_read_their_files() {
    let folder = root().join("deploy");
    let checked = content(program("promtool").args(["check", "config"]).arg(folder.join("prometheus.yml")));
    holds(&checked, &[&format!("{} rules found", rules::rules(&default(), 1.0).len())]);
    let checked = content(program("amtool").arg("check-config").arg(folder.join("alertmanager.yml")));
    holds(&checked, &["1 receivers", "inhibit rules"]);
    for pace in [7.0, 60.0, 1_000.0] {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), rules::to_yaml(&rules::rules(&default(), pace))).unwrap();
        content(program("promtool").args(["check", "rules"]).arg(file.path()));
    }
}

/// The files with recorded series.
fn recorded() -> Vec<PathBuf> {
    let mut found = Vec::new();
    walk(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/promtool"), &mut found);
    assert!(found.len() >= 5, "{found:?}");
    found
}

#[test]
fn every_rule_fires_on_its_cause_and_is_silent_otherwise() {
    content(program("promtool").args(["test", "rules"]).args(recorded()));
    let texts: String = recorded().iter().map(|path| std::fs::read_to_string(path).unwrap()).collect();
    for rule in rules::rules(&default(), 1.0) {
        let fires = format!("alertname=\"{}\"", rule.name);
        assert!(texts.contains(&fires), "no test lets {} fire", rule.name);
    }
}

/// Each rule made deaf in turn must be noticed; else a test that cannot fail stands for it.
#[test]
fn a_rule_that_never_fires_is_noticed() {
    let folder = tempfile::tempdir().unwrap();
    let deaf: Vec<rules::Rule> = rules::rules(&default(), 1.0)
        .into_iter()
        .map(|rule| rules::Rule { expr: format!("({}) and vector(1) < 0", rule.expr), ..rule })
        .collect();
    let path = folder.path().join("forebay.rules.yml");
    std::fs::write(&path, rules::to_yaml(&deaf)).unwrap();
    let mut missed: BTreeSet<&str> = deaf.iter().map(|rule| &*rule.name).collect();
    for test in recorded().into_iter().filter(|test| !test.ends_with("healthy.yml")) {
        let text = std::fs::read_to_string(&test).unwrap();
        let text = text.replace("../../../../deploy/forebay.rules.yml", path.to_str().unwrap());
        let moved = folder.path().join("test.yml");
        std::fs::write(&moved, text).unwrap();
        let ran = program("promtool").args(["test", "rules"]).arg(&moved).output().unwrap();
        let said = String::from_utf8_lossy(&ran.stdout).into_owned() + &String::from_utf8_lossy(&ran.stderr);
        missed.retain(|name| !said.contains(&format!("alertname=\"{name}\"")));
    }
    assert!(missed.is_empty(), "{missed:?}");
}

#[test]
fn every_rule_has_a_runbook_and_a_line_in_the_docs() {
    let (runbooks, monitoring) = (read("docs/runbooks.md"), read("docs/monitoring.md"));
    let headings: Vec<&str> = runbooks.lines().filter_map(|line| line.strip_prefix("## ")).collect();
    let rules = rules::rules(&default(), 1.0);
    let names: BTreeSet<&str> = rules.iter().map(|rule| &*rule.name).collect();
    assert_eq!(headings.iter().copied().collect::<BTreeSet<_>>(), names);
    assert_eq!(headings.len(), rules.len(), "one each");
    for paragraphs in runbooks.split("\n## ").skip(1) {
        holds(paragraphs, &["\n**Means.** ", "\n**See.** ", "\n**Do.** ", "\n**Lost if ignored.** "]);
    }
    for link in runbooks.split("](#").skip(1).map(|rest| rest.split(')').next().unwrap()) {
        assert!(rules.iter().any(|rule| rule.anchor() == link), "{link}");
    }
    for rule in &rules {
        let line = monitoring.lines().find(|line| line.starts_with(&format!("| [{}](", rule.name))).unwrap();
        holds(line, &[&format!("runbooks.md#{})", rule.anchor()), &format!("| {} |", rule.severity())]);
    }
}

/// Metrics that the docs have a line for, each with its type.
fn documented() -> BTreeMap<String, String> {
    let text = read("docs/monitoring.md");
    let rows = text.lines().filter_map(|line| line.strip_prefix("| `forebay_"));
    rows.map(|row| {
        let (name, rest) = row.split_once("` | ").unwrap();
        (format!("forebay_{name}"), rest.split(' ').next().unwrap().to_owned())
    })
    .collect()
}

/// Metrics that an expression names.
fn named(expr: &str) -> BTreeSet<String> {
    let ends = |c: char| !c.is_ascii_alphanumeric() && c != '_';
    expr.split(ends).filter(|word| word.starts_with("forebay_")).map(str::to_owned).collect()
}

#[test]
fn rules_and_dashboards_ask_for_metrics_that_are_there_and_leave_none_unasked() {
    let documented = documented();
    assert!(documented.len() > 60, "{}", documented.len());
    let plain = |name: &str| match name.strip_suffix("_bucket") {
        Some(histogram) => {
            assert_eq!(documented.get(histogram).map(String::as_str), Some("histogram"), "{name}");
            histogram.to_owned()
        }
        None => name.to_owned(),
    };
    let queries = dashboards::queries("1m");
    let rules = rules::rules(&default(), 1.0);
    let exprs = queries.iter().map(|query| &query.expr).chain(rules.iter().map(|rule| &rule.expr));
    let asked: BTreeSet<String> = exprs.flat_map(|expr| named(expr)).map(|name| plain(&name)).collect();
    let known: BTreeSet<String> = documented.keys().cloned().collect();
    assert_eq!(asked, known);
    for query in &queries {
        assert!(!query.expr.contains(['$', '@']), "{query:?}");
        for name in named(&query.expr).iter().filter(|name| name.ends_with("_total")) {
            assert!(query.expr.contains("rate(") || query.expr.contains("increase("), "{name}: {query:?}");
        }
    }
}

#[test]
fn prometheus_understands_every_query_of_every_panel() {
    let queries = dashboards::queries("1m");
    let mut text = String::from("groups:\n  - name: panels\n    rules:\n");
    for (query, number) in queries.iter().zip(1..) {
        let _ = write!(text, "      - record: panel_{number}\n        expr: |\n          {}\n", query.expr);
    }
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), text).unwrap();
    let checked = content(program("promtool").args(["check", "rules"]).arg(file.path()));
    holds(&checked, &[&format!("{} rules found", queries.len())]);
}

#[test]
fn dashboards_are_whole_and_their_own() {
    let mut uids = BTreeSet::new();
    for file in made().into_iter().filter(|file| file.path.starts_with("grafana/dashboards/")) {
        let board: serde_json::Value = serde_json::from_str(&file.text).unwrap();
        assert!(uids.insert(board["uid"].as_str().unwrap().to_owned()), "{}", file.path);
        assert_eq!(file.path, format!("grafana/dashboards/{}.json", board["uid"].as_str().unwrap()));
        for panel in board["panels"].as_array().unwrap() {
            assert_eq!(panel["datasource"]["uid"], "${datasource}");
            assert!(!panel["description"].as_str().unwrap().is_empty());
            assert!(!panel["fieldConfig"]["defaults"]["unit"].as_str().unwrap().is_empty());
        }
    }
}

/// A process that ends with the test, however that ends.
struct Ended(std::process::Child);

impl Drop for Ended {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_server_starts_from_the_conf_with_the_password_of_its_own_file() {
    let made = made();
    let conf = &made.iter().find(|file| file.path == "redis.conf").unwrap().text;
    let comments = conf.lines().filter(|line| line.starts_with('#')).count();
    assert!(comments > default().conf_settings().len(), "a comment a line");
    assert!(!conf.lines().any(|line| line.starts_with("requirepass")));
    let folder = tempfile::tempdir().unwrap();
    let (path, secret) = (folder.path().join("redis.conf"), folder.path().join("auth"));
    let included = secret.to_str().unwrap();
    std::fs::write(&path, conf.replace("/run/secrets/redis_auth", included)).unwrap();
    let binary = ServerBinary::find(None).unwrap();
    let start = || {
        let mut command = Command::new(&binary.path);
        // It listens on a socket alone, in a folder of the test's.
        command.current_dir(&folder).arg(&path).args(["--port", "0", "--unixsocket", "socket"]);
        command
    };
    let refused = start().output().unwrap();
    let refused = String::from_utf8_lossy(&[refused.stdout, refused.stderr].concat()).into_owned();
    holds(&refused, &["can't open config file", included]);

    std::fs::write(&secret, "requirepass s3cret\n").unwrap();
    let _server = Ended(start().stdout(std::process::Stdio::null()).spawn().unwrap());
    let socket = folder.path().join("socket");
    support::until("the server listens", || std::os::unix::net::UnixStream::connect(&socket).is_ok());
    let answer = |password: &str| {
        let url = format!("redis+unix://{}?pass={password}", socket.display());
        let mut connection = redis::Client::open(url)?.get_connection()?;
        redis::cmd("CONFIG").arg("GET").arg("maxmemory").query::<Vec<String>>(&mut connection)
    };
    let (wrong, right) = (answer("guess"), answer("s3cret"));
    assert!(wrong.is_err(), "{wrong:?}");
    assert_eq!(right.unwrap(), ["maxmemory", "2147483648"]);
}

#[test]
fn containers_listen_on_loopback_keep_secrets_in_files_and_have_their_versions() {
    let compose = made().into_iter().find(|file| file.path == "compose.yaml").unwrap().text;
    let ports = compose.lines().filter(|line| line.trim_start().starts_with("ports:")).collect::<Vec<_>>();
    assert!(ports.len() == 5 && ports.iter().all(|line| line.contains("[\"127.0.0.1:")), "{ports:?}");
    for image in compose.lines().filter_map(|line| line.trim_start().strip_prefix("image: ")) {
        let version = image.split_once(':').unwrap().1;
        assert!(version.matches('.').count() == 2, "{image}");
    }
    for part in ["healthcheck:", "restart: unless-stopped"] {
        assert_eq!(compose.matches(part).count(), 5, "{part}");
    }
    for secret in ["redis_auth.conf", "slack_url", "grafana_admin_password"] {
        holds(&compose, &[&format!("file: ./secrets/{secret}")]);
    }
}

#[test]
fn a_source_has_a_unit_a_service_and_a_pipeline_that_can_be_used() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().to_str().unwrap();
    let sources = ["--source", "wss://a.example", "--source", "ws://b.example:6008/subscribe"];
    assert_eq!(run(&[&["deploy", "--out", out], &sources[..]].concat()).code, 0);
    let text = |path: &str| std::fs::read_to_string(folder.path().join(path)).unwrap();
    let pipeline = text("pipeline.toml");
    holds(&pipeline, &["\"wss://a.example/subscribe\",", "\"ws://b.example:6008/subscribe\","]);
    assert_eq!(forebay_pipe::pipeline::Pipeline::parse(&pipeline).unwrap().source.urls.len(), 2);
    holds(
        &text("forebay-ingest.service"),
        &[
            "Type=notify",
            "Restart=on-failure",
            "ProtectSystem=strict",
            "ingest --config /etc/forebay/pipeline.toml\n",
        ],
    );
    let compose = text("compose.yaml");
    holds(
        &compose,
        &[
            "\n\n  ingest:\n    image: forebay:",
            "exec forebay ingest --config",
            "unless-stopped\n\n  prometheus:",
        ],
    );
    // All else is as without it.
    let (before, rest) = compose.split_once("\n  ingest:\n").unwrap();
    let (_, after) = rest.split_once("\n\n  prometheus:\n").unwrap();
    let without = made().into_iter().find(|file| file.path == "compose.yaml").unwrap().text;
    assert_eq!(format!("{before}\n  prometheus:\n{after}"), without);
    holds(
        &said(&["deploy", "--out", out, "--source", "https://a.example"], 2),
        &["neither ws:// nor wss://"],
    );
    assert!(made().iter().all(|file| !file.path.contains("ingest") && !file.path.contains("pipeline")));
}

/// What `bind` is in the container, where it is not as in redis.conf.
fn bind_of(compose: &str) -> String {
    let command =
        compose.lines().find(|line| line.trim_start().starts_with("command: [redis-server")).unwrap();
    let words = command.split_once("--bind, ").unwrap().1.trim_end_matches(']');
    words.replace(", ", " ")
}

#[test]
fn the_deployment_passes_its_own_audit_and_no_remedy_cuts_its_clients_off() {
    let made = made();
    let text = |path: &str| &made.iter().find(|file| file.path == path).unwrap().text;
    let bind = bind_of(text("compose.yaml"));
    assert!(bind.split(' ').any(|address| address == "redis"), "other containers reach it: {bind}");
    let folder = tempfile::tempdir().unwrap();
    let (path, secret) = (folder.path().join("redis.conf"), folder.path().join("auth"));
    std::fs::write(&secret, format!("requirepass {}\n", "4f".repeat(32))).unwrap();
    let conf = text("redis.conf").replace("/run/secrets/redis_auth", secret.to_str().unwrap());
    let audited = |bind: &str| {
        std::fs::write(&path, format!("{conf}bind {bind}\n")).unwrap();
        judge::audit(&from_file::look(&path, &default()).unwrap(), "the deployment", true)
    };
    let wrong = |bind: &str| -> Vec<String> {
        let audit = audited(bind);
        let settings = audit.differing().map(|setting| setting.name.clone());
        let rules = audit.rules.iter().filter(|rule| rule.is_broken() && rule.severity.word() != "note");
        settings.chain(rules.map(|rule| rule.id.clone())).collect()
    };
    // What goes between containers of one machine is not encrypted, and the audit says so.
    assert_eq!(wrong(&bind), ["network.tls"]);
    assert_cuts_nobody_off(&audited(&bind));
    assert_cuts_nobody_off(&audited("0.0.0.0"));
    assert_eq!(
        wrong("0.0.0.0"),
        ["bind", "network.bind", "network.tls"],
        "the audit sees what would be wrong"
    );
}
