//! `forebay audit`: is this server's configuration fit for a buffer? Reads only.

use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::{Args, ValueHint};

use super::conclude::{Begun, conclude, width};
use super::output;
use crate::arguments::Global;
use crate::exit;
use forebay::buffer::connect::{Address, Facts};
use forebay::buffer::keys::Name;
use forebay::buffer::secret;
use forebay_proof::audit::look::Look;
use forebay_proof::audit::rule::Rule;
use forebay_proof::audit::snapshot::AuditSnapshot;
use forebay_proof::audit::{claims, from_file, judge, negative_controls, remedy, rules, trial};
use forebay_proof::report::{Target, junit, terminal};
use forebay_proof::{conflict, undo};
use forebay_rig::server::ServerBinary;
use forebay_watch::profile::{self, Profile};

/// Is this server's configuration fit for a buffer? Reads only
#[allow(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
#[derive(Args)]
#[command(after_help = "Examples:
  forebay audit                                  the server at 127.0.0.1:6379
  forebay audit --url redis://10.0.0.5 --profile met-001
  forebay audit --conf /etc/redis/redis.conf     a file, without a server
  forebay audit --conf redis.conf --try          and what a server says of it
  forebay audit --explain memory.eviction
  forebay audit --fix-commands                   a shell script; read it, run it

Nothing is written, no keys are walked. Exit codes: 0 nothing is refuted (what
could not be read is `not shown`, and no good news), 1 a danger or another
setting, 2 usage, 3 no server or no login, 4 the audit missed a fault planted
for it.")]
pub(crate) struct Audit {
    /// Server: redis://[user:password@]host[:port][/db], rediss:// for TLS, `redis+sentinel://host,host/name`; of
    /// `redis+cluster://host,host` each node
    #[arg(long, env = "FOREBAY_URL", hide_env_values = true, default_value = "redis://127.0.0.1:6379")]
    url: String,
    /// A redis.conf instead of a server
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    conf: Option<PathBuf>,
    /// Start a server on a copy of --conf too, in a folder of its own, without ports, modules or files of others, and say what
    /// it refuses
    #[arg(long = "try", requires = "conf")]
    tries: bool,
    /// Server program for --try; else `FOREBAY_SERVER`, else redis-server or valkey-server on the PATH
    #[arg(long, value_name = "PATH", value_hint = ValueHint::ExecutablePath, requires = "tries")]
    server_bin: Option<PathBuf>,
    /// What must hold: a built-in profile (bluesky-8h, met-001, full-network, bluesky-cluster) or a TOML file
    #[arg(long, default_value = profile::DEFAULT)]
    profile: String,
    /// Buffer whose keys are looked at
    #[arg(long, default_value = "events")]
    buffer: String,
    /// Measure fsync too: writes a file of 400 KB beside the AOF and removes it; this machine only
    #[arg(long, conflicts_with = "conf")]
    probe_disk: bool,
    /// Print one rule whole, and nothing else
    #[arg(long, value_name = "RULE", conflicts_with_all = ["list", "fix_conf", "fix_commands"])]
    explain: Option<String>,
    /// Print every rule in a line, and nothing else
    #[arg(long, conflicts_with_all = ["fix_conf", "fix_commands"])]
    list: bool,
    /// Print the remedies as lines for redis.conf, instead of the audit
    #[arg(long, conflicts_with = "fix_commands")]
    fix_conf: bool,
    /// Print the remedies as a shell script of redis-cli calls, instead of the audit
    #[arg(long)]
    fix_commands: bool,
    /// Write JUnit XML here too, for pipelines
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    junit: Option<PathBuf>,
    /// Write report.json and report.html here
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    out: Option<PathBuf>,
}

impl Audit {
    pub(crate) fn run(&self, global: &Global) -> anyhow::Result<u8> {
        if self.list {
            return listed(global);
        }
        if let Some(id) = &self.explain {
            return explained(id, global);
        }
        let profile = Profile::load(&self.profile)?;
        if self.conf.is_some() {
            return self.one(&profile, None, global);
        }
        let address = Address::parse(&self.url)?;
        let nodes = address.nodes()?;
        if !address.is_cluster() {
            return self.one(&profile, nodes.first(), global);
        }
        anyhow::ensure!(
            self.junit.is_none() && self.out.is_none(),
            "--junit and --out are for one server: give the URL of one node, redis://host:port"
        );
        let mut worst = exit::OK;
        for (index, node) in nodes.iter().enumerate() {
            if !global.json && !self.fix_conf && !self.fix_commands {
                let line = if index == 0 { "" } else { "\n" };
                output::result(&format!("{line}{node}, node {} of {}\n", index + 1, nodes.len()))?;
            } else if !global.json {
                output::result(&format!("# {node}\n"))?;
            }
            worst = worst.max(self.one(&profile, Some(node), global)?);
        }
        Ok(worst)
    }

    /// The audit of one server, or of a file where there is none.
    fn one(&self, profile: &Profile, address: Option<&Address>, global: &Global) -> anyhow::Result<u8> {
        let begun = Begun::now();
        let (target, seen) = match (&self.conf, address) {
            (Some(path), _) => self.of_file(path, profile)?,
            (None, Some(address)) => self.of_server(profile, address)?,
            (None, None) => anyhow::bail!("there is no server to audit"),
        };
        let audit = judge::audit(&seen, &target.origin, self.conf.is_some());
        if let Some(path) = &self.junit {
            let xml = junit::to_string(&audit);
            std::fs::write(path, xml).with_context(|| format!("cannot write {}", path.display()))?;
        }
        if self.fix_conf || self.fix_commands {
            let text = if self.fix_conf {
                remedy::conf(&audit)
            } else {
                remedy::commands(&audit, &redis_cli(&seen, address))
            };
            output::result(&text).context("writing the remedies")?;
            return Ok(exit::OK);
        }
        let mut report = begun.report(profile, target);
        report.claims =
            claims::of(&audit, negative_controls::of_settings(profile), negative_controls::of_rules(&seen));
        report.conflicts = conflict::of(profile, seen.info.as_ref().ok(), &[]);
        report.audit = Some(audit);
        report.seconds = begun.seconds();
        conclude(&report, global, self.out.as_deref())
    }

    fn of_server(&self, profile: &Profile, address: &Address) -> anyhow::Result<(Target, AuditSnapshot)> {
        let buffer = self.buffer.parse::<Name>()?;
        let look = Look { profile, buffer: &buffer, probe_disk: self.probe_disk, is_own: false };
        let seen = look.at(address)?;
        tell_left(address);
        let facts = seen.info.as_ref().ok();
        let fact = |name: &str| facts.and_then(|facts| facts.get(name)).unwrap_or("unknown").to_owned();
        let target = Target {
            server: facts.map_or("server", Facts::server).into(),
            version: facts.map_or("of unknown version", Facts::version).into(),
            allocator: fact("mem_allocator"),
            origin: address.to_string(),
            settings: settings(profile, &seen),
        };
        Ok((target, seen))
    }

    fn of_file(&self, path: &Path, profile: &Profile) -> anyhow::Result<(Target, AuditSnapshot)> {
        let seen = if self.tries {
            let binary = ServerBinary::find(self.server_bin.as_deref())?;
            from_file::look_and_try(path, profile, &binary, trial::LIMIT)?
        } else {
            from_file::look(path, profile)?
        };
        let origin = path.display().to_string();
        let target = Target {
            server: "the file".into(),
            version: origin.clone(),
            allocator: "unknown".into(),
            origin,
            settings: settings(profile, &seen),
        };
        Ok((target, seen))
    }
}

/// How redis-cli is called for the server that was asked, or that a file would make.
fn redis_cli(seen: &AuditSnapshot, address: Option<&Address>) -> String {
    match address {
        None => format!("redis-cli -p {}", seen.number("port").unwrap_or(6379)),
        Some(address) => {
            let words = address.redis_cli();
            words.iter().map(|word| remedy::sh_word(word)).collect::<Vec<_>>().join(" ")
        }
    }
}

/// Names what runs that were killed have left on a server.
fn tell_left(address: &Address) {
    for left in undo::left(address).unwrap_or_default() {
        let words = left.words();
        output::tell(&format!(
            "forebay: {address}: {words}; `forebay pressure --url {address} --restore` sets it back"
        ));
    }
    let keys = undo::proof_keys(address).unwrap_or_default();
    if !keys.is_empty() {
        let keys = keys.join(" ");
        output::tell(&format!(
            "forebay: {address}: keys of a proof are there; where none is under way, one was killed: UNLINK {keys}"
        ));
    }
}

/// The profile's settings as they were seen.
fn settings(profile: &Profile, seen: &AuditSnapshot) -> Vec<(String, String)> {
    let value = |name: &str| secret::text(seen.text(name).unwrap_or("not readable"));
    profile.conf_settings().into_iter().map(|(name, _)| (name.clone(), value(&name))).collect()
}

fn listed(global: &Global) -> anyhow::Result<u8> {
    let text = if global.json {
        serde_json::to_string_pretty(&rules::all().map(as_json).collect::<Vec<_>>())? + "\n"
    } else {
        terminal::audit::list(rules::all(), width())
    };
    output::result(&text).context("writing the rules")?;
    Ok(exit::OK)
}

fn explained(id: &str, global: &Global) -> anyhow::Result<u8> {
    let rule = rules::find(id).with_context(|| {
        let like =
            rules::all().map(|rule| rule.id).filter(|known| known.contains(id.trim())).collect::<Vec<_>>();
        let like = if like.is_empty() { String::new() } else { format!(" Like it: {}.", like.join(", ")) };
        format!("there is no rule {id:?}.{like} `forebay audit --list` has them all")
    })?;
    let text = if global.json {
        serde_json::to_string_pretty(&as_json(rule))? + "\n"
    } else {
        terminal::audit::explain(rule, width(), global.colour())
    };
    output::result(&text).context("writing the rule")?;
    Ok(exit::OK)
}

fn as_json(rule: &Rule) -> serde_json::Value {
    serde_json::json!({
        "id": rule.id,
        "section": rule.section(),
        "severity": rule.severity,
        "must": rule.must,
        "why": rule.why,
        "remedy": rule.remedy,
        "source": rule.source,
        "versions": rule.versions.text(),
    })
}
