//! Proofs one after the other: what one finds is in the report before the next begins.

use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;

use super::progress::Bars;
use super::proof_request::{Proof, ProofRequest};
use forebay_proof::audit::look::Look;
use forebay_proof::audit::{claims, judge, negative_controls};
use forebay_proof::claim::Claim;
use forebay_proof::progress::Silent;
use forebay_proof::report::{Report, Warning, write_all};
use forebay_proof::target::Target;
use forebay_proof::{
    Subject, baseline, capacity, chain, drain, durability, failover, ingest, monitoring, pressure, throughput,
};

/// What to run, on what.
pub(super) struct Sequence<'a> {
    pub(super) on: Subject<'a>,
    pub(super) wanted: &'a ProofRequest<'a>,
    /// Set by a signal.
    pub(super) stop: &'a AtomicBool,
    /// Set while a proof runs that ends with what it has seen.
    pub(super) is_heard: &'a AtomicBool,
    pub(super) bars: &'a Bars<'a>,
}

/// What a proof came to.
type Claims = anyhow::Result<Vec<Claim>>;

impl Sequence<'_> {
    /// Runs every proof that is wanted, or those until a signal.
    pub(super) fn run(&self, report: &mut Report) -> anyhow::Result<()> {
        let (on, wanted) = (self.on, self.wanted);
        let durable =
            durability::DurabilityRun { on, rounds: wanted.rounds, commands: wanted.commands.clone() };
        let is_own = matches!(on.target, Target::Own(..));
        let mut faults = None;
        for proof in wanted.proofs {
            if self.stop.load(Relaxed) {
                break;
            }
            self.is_heard.store(*proof == Proof::Throughput, Relaxed);
            let claims = match proof {
                Proof::Audit => audit(&on, report).map(|()| Vec::new()),
                Proof::Baseline => baseline::BaselineRun { on }.run(),
                Proof::Capacity if is_own && wanted.proofs.contains(&Proof::Durability) => {
                    let (claims, beside) = capacity_and_faults(on, &durable);
                    faults = Some(beside);
                    claims
                }
                Proof::Capacity => capacity::CapacityRun { on }.run(),
                Proof::Pressure => {
                    pressure::PressureRun { on, allow_faults: wanted.allow_faults, beyond: wanted.beyond }
                        .run()
                }
                Proof::Durability => match faults.take() {
                    None => durable.run(),
                    Some(faults) => faults.and_then(|mut claims| {
                        claims.extend(durable.costs()?);
                        Ok(claims)
                    }),
                },
                Proof::Throughput => self.throughput(report),
                Proof::Ingest | Proof::Drain | Proof::Chain | Proof::Failover => self.faults(*proof),
                Proof::Tuning => wanted.tuning.map_or_else(|| Ok(Vec::new()), |tuning| tuning(&on)),
                Proof::Monitoring => {
                    let is_whole = wanted.proofs == [Proof::Monitoring];
                    monitoring::MonitoringRun { on, is_whole, healthy_for: wanted.healthy_for }.run()
                }
            };
            self.is_heard.store(false, Relaxed);
            self.bars.clear();
            report.claims.extend(claims?);
        }
        Ok(())
    }

    /// A proof of which some faults alone may be asked for.
    fn faults(&self, proof: Proof) -> Claims {
        let (on, rounds) = (self.on, self.wanted.rounds);
        let Some(only) = self.wanted.faults_of(proof) else { return Ok(Vec::new()) };
        match proof {
            Proof::Drain => drain::DrainRun { on, rounds, only: &only }.run(),
            Proof::Chain => chain::ChainRun { on, rounds, only: &only }.run(),
            Proof::Failover => failover::FailoverRun { on, rounds, only: &only }.run(),
            _ => ingest::IngestRun { on, rounds, only: &only, size: None }.run(),
        }
    }

    fn throughput(&self, before: &Report) -> Claims {
        let ProofRequest { patterns, out, .. } = *self.wanted;
        let run = throughput::ThroughputRun { on: self.on, patterns, log: out, stop: self.stop };
        run.run(&mut |claims| {
            // What a run of hours has so far; the last report is written when all is done.
            let Some(out) = out else { return };
            let mut report = before.clone();
            report.claims.extend_from_slice(claims);
            report.warnings.push(Warning {
                id: "unfinished".into(),
                text: "the run was still going on when this was written: controls, and perhaps patterns, are to come"
                    .into(),
            });
            if let Err(error) = write_all(&report, out) {
                tracing::warn!("{error}");
            }
        })
    }
}

/// Two proofs at once, on servers of their own: neither is held against how fast anything is, but for the two seconds within
/// which a server fsyncs.
fn capacity_and_faults(on: Subject<'_>, durable: &durability::DurabilityRun<'_>) -> (Claims, Claims) {
    let silent = durability::DurabilityRun { on: Subject { progress: &Silent, ..on }, ..durable.clone() };
    std::thread::scope(|scope| {
        let beside = scope.spawn(move || silent.faults());
        let claims = capacity::CapacityRun { on }.run();
        // Proof: it has nothing that panics; if it does, so may we.
        (claims, beside.join().expect("a thread that lets faults happen"))
    })
}

fn audit(on: &Subject<'_>, report: &mut Report) -> anyhow::Result<()> {
    let is_own = matches!(on.target, Target::Own(..));
    let look = Look { profile: on.profile, buffer: on.name, probe_disk: is_own, is_own };
    let address = on.target.address();
    let audit = judge::audit(&look.at(address)?, &address.to_string(), false);
    let rules = negative_controls::on_a_server(on.binary, on.profile)?;
    report.claims.extend(claims::of(&audit, negative_controls::of_settings(on.profile), rules));
    report.audit = Some(audit);
    Ok(())
}
