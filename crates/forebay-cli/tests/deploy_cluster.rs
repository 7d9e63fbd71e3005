//! What `forebay deploy` makes for a cluster: whole files, a conf that servers take and the audit finds nothing in, and a script that
//! makes a cluster of real nodes.

use std::path::Path;
use std::process::{Command, Output};

use forebay::buffer::connect::Address;
use forebay_proof::audit::outcome::Outcome;
use forebay_proof::audit::rules;
use forebay_rig::server::{Conf, Server, ServerBinary};
use forebay_watch::deploy::files::{self, DeployPlan, RUNBOOKS};
use forebay_watch::profile::Profile;

use super::audit_cluster::started;
use super::audit_rules::{binary, finding, seen};
use super::cli_support::{holds, run};
use super::support::{ask, until};

const PASSWORD: &str = "4f4f4f4f";

fn made(source: &[String]) -> Vec<files::File> {
    let profile = &Profile::load("bluesky-cluster").unwrap();
    files::all(&DeployPlan { profile, profile_text: None, runbooks: RUNBOOKS, sources: source }).unwrap()
}

fn text(path: &str) -> String {
    made(&[]).into_iter().find(|file| file.path == path).unwrap_or_else(|| panic!("no {path}")).text
}

/// A node with the settings that are made, on a port and in a folder of its own.
fn node(binary: &ServerBinary) -> Server {
    let mut conf = Conf::new();
    let lines = text("redis.conf");
    let lines = lines.lines().filter(|line| !line.is_empty() && !line.starts_with(['#', ' ']));
    for (name, value) in lines.filter_map(|line| line.split_once(' ')).filter(|(name, _)| *name != "include")
    {
        conf.set(name, value.trim_matches('"'));
    }
    conf.set("requirepass", PASSWORD).set("masterauth", PASSWORD).set("repl-diskless-sync-delay", "0");
    started(binary, &conf)
}

/// What the script says to these nodes.
fn init(script: &Path, nodes: &[Server]) -> Output {
    let places = nodes.iter().map(|node| format!("127.0.0.1:{}", node.port()));
    let mut command = Command::new("sh");
    command.arg(script).arg("1").args(places).env("REDISCLI_AUTH", PASSWORD);
    command.output().unwrap()
}

fn nodes_of(server: &Server) -> String {
    ask(server, "CLUSTER NODES").unwrap()
}

#[test]
fn a_deployment_of_a_cluster_is_written_whole() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().to_str().unwrap();
    let ran = run(&["deploy", "--out", out, "--profile", "bluesky-cluster"]);
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
    for file in made(&[]) {
        assert_eq!(std::fs::read_to_string(folder.path().join(&file.path)).unwrap(), file.text);
    }
    // A profile without a cluster has none of it.
    let profile = &Profile::load("bluesky-8h").unwrap();
    let plan = DeployPlan { profile, profile_text: None, runbooks: RUNBOOKS, sources: &[] };
    let alone = files::all(&plan).unwrap();
    let new: Vec<String> = made(&[]).into_iter().map(|file| file.path).collect();
    let of_one: Vec<&String> = alone.iter().map(|file| &file.path).collect();
    let added: Vec<&String> = new.iter().filter(|path| !of_one.contains(path)).collect();
    assert_eq!(added, ["cluster-init.sh", "kubernetes/redis.yaml", "kustomization.yaml"]);
}

#[test]
fn no_placeholder_is_left_and_every_file_names_every_node() {
    for file in made(&["wss://a.example/subscribe".into()]) {
        // Prometheus and Grafana have marks of their own.
        if !file.path.starts_with("grafana/") && file.path != "forebay.rules.yml" {
            for mark in ["<@", "@>", "{%", "%}"] {
                assert!(!file.text.contains(mark), "{}: {mark}", file.path);
            }
        }
        assert!(!file.path.ends_with("yaml") || !file.text.contains('\t'), "{}", file.path);
    }
    let (compose, kubernetes) = (text("compose.yaml"), text("kubernetes/redis.yaml"));
    for node in 1..=6 {
        holds(
            &compose,
            &[
                &format!("\n  redis-{node}:\n    image: redis:8.2.3\n"),
                &format!("ipv4_address: 172.29.64.{}\n", node + 10),
                &format!("      redis-{node}:\n        condition: service_healthy\n"),
                &format!("- redis-{node}-data:/data\n"),
                &format!("\n  redis-{node}-data:\n"),
            ],
        );
        holds(&kubernetes, &[&format!(" forebay-redis-{}.forebay-redis:6379", node - 1)]);
    }
    assert!(!compose.contains("redis-7") && !kubernetes.contains("forebay-redis-6"));
    for kind in ["Service", "PodDisruptionBudget", "StatefulSet", "Job"] {
        assert_eq!(kubernetes.matches(&format!("\nkind: {kind}\n")).count(), 1, "{kind}");
    }
    holds(&kubernetes, &["\n  replicas: 6\n", "memory: 6400Mi", "storage: 9600Mi", "maxUnavailable: 1"]);
    holds(
        &text("kustomization.yaml"),
        &["configMapGenerator:", "files: [redis.conf]", "files: [cluster-init.sh]"],
    );
    // Nothing but the pages listens on the machine, and those on loopback.
    let ports = compose.lines().filter(|line| line.trim_start().starts_with("ports:"));
    let ports: Vec<&str> = ports.collect();
    assert!(ports.len() == 4 && ports.iter().all(|line| line.contains("[\"127.0.0.1:")), "{ports:?}");
    holds(&compose, &["FOREBAY_URL=\"redis+cluster://:$$(", ")@redis-1:6379,redis-2:6379,"]);
}

/// What a reader of YAML and kubectl itself say, where they are installed.
#[test]
fn yaml_is_read_and_kubectl_builds_what_it_applies() {
    let folder = tempfile::tempdir().unwrap();
    let mut yaml = Vec::new();
    for file in made(&["wss://a.example/subscribe".into()]) {
        let path = folder.path().join(&file.path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, file.text).unwrap();
        yaml.extend([file.path].into_iter().filter(|path| path.ends_with("yaml") || path.ends_with("yml")));
    }
    assert!(yaml.len() >= 8, "{yaml:?}");
    let read = "import sys, yaml\nfor path in sys.argv[1:]: assert all(yaml.safe_load_all(open(path))), path";
    let read: Vec<&str> = ["-c", read].into_iter().chain(yaml.iter().map(String::as_str)).collect();
    for (program, args) in [("python3", read), ("kubectl", vec!["kustomize", "."])] {
        let Ok(ran) = Command::new(program).args(args).current_dir(folder.path()).output() else { continue };
        let said = String::from_utf8_lossy(&ran.stderr).into_owned();
        let is_there = !said.contains("No module named 'yaml'");
        assert!(ran.status.success() || !is_there, "{program}: {said}");
    }
}

#[test]
fn a_node_takes_the_conf_and_no_rule_on_settings_is_broken() {
    let server = node(&binary());
    let seen = seen(&Address::parse(&server.url()).unwrap());
    let is_of_settings = |id: &str| {
        let about_others = [
            "replication.cluster-state",
            "replication.cluster-slots",
            "replication.cluster-quorum",
            "replication.cluster-replicas",
            "replication.too-few",
        ];
        !about_others.contains(&id) && !id.starts_with("version.")
    };
    for rule in rules::all().filter(|rule| is_of_settings(rule.id)) {
        let found = finding(&seen, rule.id);
        assert!(!found.is_broken() || found.severity.word() == "note", "{found:#?}");
    }
    for id in ["cluster-coverage", "cluster-migration", "cluster-timeout", "cluster-validity", "min-replicas"]
    {
        assert_eq!(finding(&seen, &format!("replication.{id}")).outcome, Outcome::Ok, "{id}");
    }
}

#[test]
fn the_script_makes_a_cluster_once_and_makes_known_again_who_was_forgotten() {
    if Command::new("redis-cli").arg("--version").output().is_err() {
        // It comes with the image; on a machine of ours it need not be there.
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let script = folder.path().join("cluster-init.sh");
    std::fs::write(&script, text("cluster-init.sh")).unwrap();
    let binary = binary();
    let nodes: Vec<Server> = (0..6).map(|_| node(&binary)).collect();
    let ran = init(&script, &nodes);
    assert!(ran.status.success(), "{ran:?}");
    assert!(!String::from_utf8_lossy(&[ran.stdout, ran.stderr].concat()).contains(PASSWORD));
    until("every master has its replica", || {
        let known = nodes_of(&nodes[0]);
        known.matches(" connected ").count() == 3 && known.matches("slave ").count() == 3
    });
    let url = |server: &Server| Address::parse(&server.url()).unwrap();
    until("every rule on the cluster is kept", || {
        let seen = seen(&url(&nodes[0]));
        let mut of_cluster = rules::all().filter(|rule| rule.id.starts_with("replication."));
        of_cluster.all(|rule| !finding(&seen, rule.id).is_broken())
    });

    // Somebody who was forgotten is made known again, and nothing is made anew.
    let id: String = ask(&nodes[5], "CLUSTER MYID").unwrap();
    // What one of them has not heard of it cannot forget.
    until("all of them know it", || nodes[..5].iter().all(|node| nodes_of(node).contains(&id)));
    for node in &nodes[..5] {
        ask::<String>(node, &format!("CLUSTER FORGET {id}")).unwrap();
    }
    assert_eq!(nodes_of(&nodes[0]).lines().count(), 5);
    ask::<String>(&nodes[5], "CLUSTER RESET SOFT").unwrap();
    let slots = |node: &Server| nodes_of(node).matches('-').count();
    let before = slots(&nodes[0]);
    let ran = init(&script, &nodes);
    assert!(ran.status.success() && slots(&nodes[0]) >= before, "{ran:?}");
    until("it is known again", || {
        let known = nodes_of(&nodes[0]);
        known.lines().count() == 6 && !known.contains("handshake")
    });
}
