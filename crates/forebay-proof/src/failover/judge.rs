//! What rounds say. The same functions judge the controls.

use std::time::Duration;

use super::epoch::TwoWriters;
use super::fault::Fault;
use super::guarantee::{self, Guarantee};
use super::seen::{Recovery, Seen};
use super::sentinel::OldMaster;
use super::spread::{self, fullest};
use super::stage::NODE_TIMEOUT;
use crate::claim::{Bound, Evidence, Judged, Unit};
use crate::report::units::{counted, thousands};

/// The step of the brief.
const STEP: u8 = 9;
/// What tests more of it.
const FULL: &str = "forebay failover --scale full";

/// The ids of claims that are not of an acknowledgement.
pub(super) const ONCE: &str = "failover.once";
pub(super) const EPOCH: &str = "failover.epoch";
pub(super) const RECOVERY: &str = "failover.recovery";
pub(super) const SPREAD: &str = "failover.spread";
pub(super) const SENTINEL: &str = "failover.sentinel";

/// How long everything may take to be acknowledged, from when another node takes writes.
const BEYOND_MAX: Duration = Duration::from_secs(1);
/// Where a thread that only sleeps is so late, what took long was the machine.
const BUSY: Duration = Duration::from_millis(100);
/// The fullest master over the mean.
const SPREAD_MAX: f64 = 1.15;

/// The id of an acknowledgement's claim.
pub(super) fn id(guarantee: &Guarantee) -> String {
    format!("failover.{}", guarantee.id)
}

/// Nothing that was acknowledged so is lost.
pub(super) fn kept(guarantee: &Guarantee, faults: &[Fault], seen: &[Seen]) -> Judged {
    let (id, what) = (id(guarantee), Fault::words_of(faults));
    let of = if guarantee.id == guarantee::TAIL.id { "While the writer lives, no event" } else { "No event" };
    let statement = format!("{of} is lost that {} acknowledged, where {what}", guarantee.what);
    let lost = seen.iter().map(Seen::lost).sum();
    let mut judged = of_rounds(&id, statement, faults, seen, lost, "lost");
    if guarantee.id == guarantee::REPLICA.id {
        judged.evidence.push(guarantee::table());
    }
    judged
}

/// A group is handed nothing twice, and everything in order.
pub(super) fn once(faults: &[Fault], seen: &[Seen]) -> Judged {
    let what = Fault::words_of(faults);
    let statement =
        format!("A group that acknowledges is handed each event once, in its lane's order, where {what}");
    let twice = seen.iter().map(Seen::twice).sum();
    of_rounds(ONCE, statement, faults, seen, twice, "twice or out of order")
}

fn of_rounds(
    id: &str,
    statement: String,
    faults: &[Fault],
    seen: &[Seen],
    wrong: u64,
    named: &str,
) -> Judged {
    let bound = (Bound::Exactly, 0.0, Unit::Events);
    let blank = Judged::blank(id, STEP, statement.clone(), bound).test_with(FULL);
    let acted =
        |fault: Fault| seen.iter().flat_map(|seen| &seen.acted).filter(|one| **one == fault).count() as u64;
    if let Some(idle) = faults.iter().find(|fault| acted(**fault) == 0).filter(|_| wrong == 0) {
        return blank.untested(format!("{idle} did not act in any round"));
    }
    if faults.is_empty() {
        return blank;
    }
    let sum = |of: fn(&Seen) -> u64| thousands(seen.iter().map(of).sum::<u64>() as f64, 0);
    let mut why = format!(
        "{} ({}): {} events acknowledged, {} handed to a group, {} {named}",
        counted(faults.iter().map(|fault| acted(*fault)).sum(), "round", "rounds"),
        faults.iter().map(|fault| format!("{fault} {}", acted(*fault))).collect::<Vec<_>>().join(", "),
        sum(|seen| seen.stored.findings.acknowledged),
        sum(|seen| seen.handed.findings.read),
        thousands(wrong as f64, 0),
    );
    if let Some(seen) = seen.iter().find(|seen| seen.lost() + seen.twice() > 0) {
        why = format!("{why}. Seed {}: {}", seen.seed, seen.sentence());
    }
    Judged::of(id, STEP, statement, bound, wrong as f64, why).test_with(FULL)
}

/// The newer of two writers has the buffer, over a failover too, and no number is given twice.
pub(super) fn newer_wins(seen: &[TwoWriters]) -> Judged {
    let statement = "Once a newer writer is acknowledged anything, an older one is acknowledged nothing more, and no number \
                     is given twice, though the master dies that has its claim";
    let bound = (Bound::Exactly, 0.0, Unit::Count);
    let sum = |of: fn(&TwoWriters) -> u64| seen.iter().map(of).sum::<u64>();
    if sum(TwoWriters::wrong) == 0 && !seen.iter().any(|seen| seen.was_lost) {
        let blank = Judged::blank(EPOCH, STEP, statement, bound).test_with(FULL);
        return blank.untested("no claim was on the master that died");
    }
    let show = |count: u64| thousands(count as f64, 0);
    let mut why = format!(
        "{}: {} acknowledged to the older one after that, {} given twice; of {} acknowledged to either {} lost",
        counted(seen.len() as u64, "pair of writers", "pairs of writers"),
        show(sum(|seen| seen.forked)),
        counted(sum(|seen| seen.renumbered), "number", "numbers"),
        counted(sum(|seen| seen.findings.acknowledged), "event", "events"),
        show(sum(|seen| seen.findings.lost())),
    );
    if let Some(failed) = seen.iter().find_map(|seen| seen.failed.as_ref()) {
        why = format!("{why}; {failed}");
    }
    Judged::of(EPOCH, STEP, statement, bound, sum(TwoWriters::wrong) as f64, why).test_with(FULL)
}

/// How soon everything is acknowledged again, by the middle one of all failovers on a machine that was not too busy to tell.
pub(super) fn recovery(seen: &[Recovery]) -> Judged {
    let bound = (Bound::AtMost, BEYOND_MAX.as_secs_f64(), Unit::Seconds);
    let statement = format!(
        "Within {} s of when another node takes writes, everything that was on its way is acknowledged (the median)",
        BEYOND_MAX.as_secs()
    );
    let blank = Judged::blank(RECOVERY, STEP, statement.clone(), bound).test_with(FULL);
    let told: Vec<Recovery> = seen.iter().filter(|one| one.late <= BUSY).copied().collect();
    if seen.is_empty() {
        return blank.untested("no failover was timed");
    }
    if told.len() * 2 < seen.len() {
        let busy = seen.len() - told.len();
        let why = format!(
            "the machine was too busy to tell: in {busy} of {} failovers a thread that only sleeps woke over {} ms late",
            seen.len(),
            BUSY.as_millis()
        );
        return blank.untested(why);
    }
    let (beyond, all) = (spans(&told, |one| one.beyond), spans(&told, |one| one.elected + one.beyond));
    let why = format!(
        "{}: {} (at most {}); from the fault on {} (at most {})",
        counted(told.len() as u64, "failover", "failovers"),
        seconds(middle(&beyond)),
        seconds(last(&beyond)),
        seconds(middle(&all)),
        seconds(last(&all))
    );
    let mut judged = Judged::of(RECOVERY, STEP, statement, bound, middle(&beyond), why).test_with(FULL);
    judged.evidence.push(table(&told));
    judged
}

/// Each fault's times beside what a cluster needs for an election: nodes notice silence by a ping, at least one each half of it, and
/// vote after 0.5 to 1 s.
fn table(seen: &[Recovery]) -> Evidence {
    let timeout = NODE_TIMEOUT.as_secs_f64();
    let title = format!(
        "How long a failover takes, where an election takes {} to {}",
        seconds(timeout + 0.5),
        seconds(timeout * 1.5 + 1.0)
    );
    let of = |fault: Fault| {
        let of_it: Vec<Recovery> = seen.iter().filter(|one| one.fault == fault).copied().collect();
        let both = |of: fn(&Recovery) -> Duration| {
            let spans = spans(&of_it, of);
            [seconds(middle(&spans)), seconds(last(&spans))]
        };
        let times = [both(|one| one.elected), both(|one| one.beyond)].concat();
        let row = || [vec![fault.to_string(), of_it.len().to_string()], times].concat();
        (!of_it.is_empty()).then(row)
    };
    let columns =
        ["fault", "failovers", "another node takes writes", "worst", "all acknowledged after that", "worst"];
    Evidence::Table {
        title,
        columns: columns.map(String::from).into(),
        rows: Fault::ALL.into_iter().filter_map(of).collect(),
    }
}

fn spans(seen: &[Recovery], of: fn(&Recovery) -> Duration) -> Vec<f64> {
    let mut spans: Vec<f64> = seen.iter().map(|one| of(one).as_secs_f64()).collect();
    spans.sort_by(f64::total_cmp);
    spans
}

fn middle(spans: &[f64]) -> f64 {
    spans.get(spans.len() / 2).copied().unwrap_or(f64::NAN)
}

fn last(spans: &[f64]) -> f64 {
    spans.last().copied().unwrap_or(f64::NAN)
}

fn seconds(seconds: f64) -> String {
    format!("{} s", thousands(seconds, 2))
}

/// How evenly streams fill masters, by the number of masters that is worst.
pub(super) fn evenly(streams: &[(u16, u64)]) -> Judged {
    let statement = format!(
        "The streams of a buffer fill the masters of a cluster evenly: the fullest has at most {SPREAD_MAX} times the mean"
    );
    let bound = (Bound::AtMost, SPREAD_MAX, Unit::Count);
    let events: u64 = streams.iter().map(|(_, events)| events).sum();
    let blank = Judged::blank(SPREAD, STEP, statement.clone(), bound).test_with(FULL);
    if events == 0 {
        return blank.untested("no event was stored");
    }
    let of = spread::MASTERS.map(|masters| (masters, fullest(streams, masters)));
    let said: Vec<String> = of.iter().map(|(masters, most)| format!("{most:.3} with {masters}")).collect();
    let why = format!(
        "{} in {}: {} masters; slots of their keys are those that a cluster says",
        counted(events, "event", "events"),
        counted(streams.len() as u64, "stream", "streams"),
        said.join(", ")
    );
    let worst = of.iter().map(|(_, most)| *most).fold(0.0, f64::max);
    Judged::of(SPREAD, STEP, statement, bound, worst, why).test_with(FULL)
}

/// A master that Sentinel has replaced takes nothing that is lost then.
pub(super) fn old_master(seen: &[OldMaster]) -> Judged {
    let statement = "A master under Sentinel that stops, is replaced and continues takes no write of a client that stayed \
                     connected: with min-replicas-to-write 1";
    let bound = (Bound::Exactly, 0.0, Unit::Count);
    let sum = |of: fn(&OldMaster) -> u64| seen.iter().map(of).sum::<u64>();
    if sum(|seen| seen.sent) == 0 {
        let blank = Judged::blank(SENTINEL, STEP, statement, bound).test_with(FULL);
        return blank.untested("it was told that it is replaced before it was sent anything");
    }
    let refusal = seen.iter().map(|seen| seen.refusal.as_str()).find(|refusal| !refusal.is_empty());
    let why = format!(
        "of {} writes it took {}, and {} of them the new master has not{}",
        thousands(sum(|seen| seen.sent) as f64, 0),
        thousands(sum(|seen| seen.taken) as f64, 0),
        thousands(sum(|seen| seen.lost) as f64, 0),
        refusal.map(|refusal| format!("; it said: {refusal}")).unwrap_or_default()
    );
    Judged::of(SENTINEL, STEP, statement, bound, sum(|seen| seen.lost) as f64, why).test_with(FULL)
}
