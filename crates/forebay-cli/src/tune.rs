//! `forebay tune`: which settings are worth changing; applied, and set back.

use std::cell::{Cell, RefCell};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::{Args, ValueHint};

use super::output;
use super::proof::On;
use super::proof_request::{Proof, ProofRequest};
use crate::arguments::Global;
use crate::exit;
use forebay_proof::Subject;
use forebay_proof::claim::{Claim, Verdict};
use forebay_proof::tune::{Saved, TuneRun, Tuned, apply_guarded, candidates};

/// Which settings are worth changing, by experiments; none that loses a proof
#[derive(Args)]
#[command(after_help = "Examples:
  forebay tune                           every candidate on servers of its own,
                                         and memory settings, by fill and drain
  forebay tune --out tuned               with a report, redis.conf and blocks.toml
  forebay tune --only stream-node-64k,read-ahead
  forebay tune --url redis://127.0.0.1:6380 --allow-load
                                         on yours: settings that a running server
                                         takes, one at a time, set back each
  forebay tune --url redis://127.0.0.1:6380 --allow-load --apply --saved back.json
                                         and what is proposed stays set
  forebay tune --url redis://127.0.0.1:6380 --rollback back.json

What --apply sets is gone with a restart, unless CONFIG REWRITE keeps it or it
stands in redis.conf.")]
pub(crate) struct Tune {
    #[command(flatten)]
    on: On,
    /// Only these candidates
    #[arg(long, value_name = "ID", value_delimiter = ',')]
    only: Vec<String>,
    /// Print the candidates: what each changes, why it might help, what it could cost
    #[arg(long, conflicts_with_all = ["apply", "rollback"])]
    list: bool,
    /// With --url and --allow-load: leave what is proposed set, unless it turns out worse
    #[arg(long, requires = "saved")]
    apply: bool,
    /// Where --apply writes what the server had: a new file
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, requires = "apply")]
    saved: Option<PathBuf>,
    /// Set back what --apply has set, from the file that it wrote
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, conflicts_with = "apply")]
    rollback: Option<PathBuf>,
    /// Write report.json, report.html, redis.conf and blocks.toml here
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    out: Option<PathBuf>,
}

impl Tune {
    pub(crate) fn run(&self, global: &Global) -> anyhow::Result<u8> {
        if self.list {
            return list();
        }
        if let Some(file) = &self.rollback {
            return self.roll_back(file, global);
        }
        anyhow::ensure!(
            !self.apply || self.on.is_given(),
            "--apply needs a server: --url names it. Servers of Forebay's own end with the run; --out writes a redis.conf"
        );
        if let Some(file) = &self.saved {
            let folder =
                file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
            anyhow::ensure!(
                !file.exists() && folder.is_dir(),
                "--saved {}: it must be a new file in a folder that is there",
                file.display()
            );
        }
        let (tuned, applied) = (RefCell::new(None), Cell::new(true));
        let tuning = |on: &Subject<'_>| {
            let mut found = TuneRun { on: *on, only: &self.only }.run()?;
            let claims = std::mem::take(&mut found.claims);
            if let Some(saved) = &self.saved {
                applied.set(apply(on, &found, &claims, saved)?);
            }
            *tuned.borrow_mut() = Some((found, on.profile.clone()));
            Ok(claims)
        };
        let wanted = ProofRequest {
            tuning: Some(&tuning),
            ..ProofRequest::of(&[Proof::Tuning], &[], self.out.as_deref())
        };
        let code = self.on.conclude(&wanted, global)?;
        if let (Some(out), Some((found, profile))) = (&self.out, tuned.borrow().as_ref()) {
            write(&out.join("redis.conf"), &found.proposal.redis_conf(profile))?;
            write(&out.join("blocks.toml"), &found.proposal.blocks())?;
        }
        Ok(if code == exit::OK && !applied.get() { exit::REFUTED } else { code })
    }

    fn roll_back(&self, file: &Path, global: &Global) -> anyhow::Result<u8> {
        let saved = Saved::read(file)?;
        let address = self.on.address()?.context("--rollback needs the server: --url names it")?;
        let left = saved.roll_back(&address)?;
        for change in &saved.changed {
            output::result(&format!("{} {} (was {})\n", change.name, change.from, change.to))?;
        }
        for other in &left {
            output::tell(&format!("forebay: not of our making: {other}"));
        }
        if left.is_empty() && !global.quiet {
            output::tell(&format!("forebay: every setting of {address} is what it was"));
        }
        Ok(if left.is_empty() { exit::OK } else { exit::REFUTED })
    }
}

/// Leaves what is proposed set, where the run speaks for it; false where it does not.
fn apply(on: &Subject<'_>, found: &Tuned, claims: &[Claim], file: &Path) -> anyhow::Result<bool> {
    let address = on.target.address();
    let against =
        claims.iter().find(|claim| claim.verdict() == Verdict::Refuted || claim.missed_its_control());
    if let Some(claim) = against {
        output::tell(&format!(
            "forebay: nothing is applied: {} was refuted, or its control was not",
            claim.id
        ));
        return Ok(false);
    }
    let saved = Saved::of(address, found.proposal.live())?;
    if saved.changed.is_empty() {
        output::tell(&format!("forebay: nothing to apply: {address} stays as it is"));
        return Ok(true);
    }
    for change in &saved.changed {
        output::tell(&format!("forebay: {address}: {} from {} to {}", change.name, change.from, change.to));
    }
    saved.write(file)?;
    let worse = apply_guarded(on, &saved)?;
    if worse.is_empty() {
        let back = format!("forebay tune --url {address} --rollback {}", file.display());
        output::tell(&format!("forebay: set; `{back}` sets it back"));
        return Ok(true);
    }
    std::fs::remove_file(file).with_context(|| format!("removing {}", file.display()))?;
    output::tell(&format!("forebay: found worse, and set back: {}", worse.join(", ")));
    Ok(false)
}

fn list() -> anyhow::Result<u8> {
    for candidate in candidates() {
        output::result(&format!(
            "{}\n  {}\n  hope: {}\n  cost: {}\n",
            candidate.id,
            candidate.words(),
            candidate.hope,
            candidate.cost
        ))?;
    }
    Ok(exit::OK)
}

fn write(path: &Path, text: &str) -> anyhow::Result<()> {
    std::fs::write(path, text).with_context(|| format!("writing {}", path.display()))
}
