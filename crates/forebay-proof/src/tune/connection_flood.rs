//! A thousand clients: at work, idle, half-open; and all of them at once again after the server stood still.

use std::time::Duration;

use super::bench::{Bench, TUNING};
use super::connections::{OpenConnections, Says};
use super::proposal::Worth;
use crate::claim::{Bound, Claim, Control, Evidence, Judged, Unit};
use crate::printable::error_chain;
use crate::report::units::{bytes, millis, thousands};
use crate::sabotage;
use crate::target::{self, Target, facts_of};
use forebay::buffer::connect::Address;
use forebay_rig::load::arrivals::Arrivals;
use forebay_rig::load::driver;
use forebay_rig::load::outcome::Outcome;
use forebay_rig::load::pattern::Pattern;
use forebay_rig::load::stage::{self, allow_connections};
use forebay_rig::load::work::Work;
use forebay_rig::server::Server;

const ID: &str = "tune.clients";
/// How many.
pub const CLIENTS: usize = 1_000;
/// Connections of ours besides those.
const OTHERS: u64 = 16;
/// How long a server stands still before all connect again.
const STANDSTILL: Duration = Duration::from_millis(300);
/// How long connections may take to come about, or to be closed.
const SOON: Duration = Duration::from_secs(15);
/// After so long a server that is told to closes who is idle: `timeout`, in seconds.
const TIMEOUT: &str = "1";
/// Who waits in the queue of connections not yet taken up: Linux tries again after a second.
pub const BACKLOG: &str = "tcp-backlog";
const BACKLOGS: [&str; 2] = ["511", "4096"];

/// A crowd, and operations beside it.
struct Case {
    what: &'static str,
    outcome: Outcome,
    /// Memory of the server for each client of the crowd.
    per_client: Option<f64>,
}

/// What came of it.
pub struct ConnectionFlood {
    /// With its control, and the tables.
    pub claim: Claim,
    /// What the queue of connections is worth.
    pub worth: Option<Worth>,
}

/// Lets them come; on somebody's server only as many as it has room for.
pub(super) fn run(bench: &Bench<'_>) -> anyhow::Result<ConnectionFlood> {
    allow_connections(2 * CLIENTS).map_err(anyhow::Error::msg)?;
    bench.on.progress.begin("a thousand clients", 5);
    let address = bench.on.target.address();
    let mut claim = match room(bench, address)? {
        Some(why) => judge(bench, &[]).untested(why).without_control(),
        None => match among(bench, address) {
            Err(error) if !forebay_rig::server::ending() => {
                judge(bench, &[]).untested(error_chain(&error)).without_control()
            }
            claim => claim?,
        },
    };
    let worth = match own(bench) {
        Err(error) if !forebay_rig::server::ending() => {
            claim.evidence.push(Evidence::Note {
                text: format!("time-outs and the queue were not tried: {}", error_chain(&error)),
            });
            None
        }
        tried => {
            let (evidence, worth) = tried?;
            claim.evidence.push(evidence);
            // What was seen on this machine says nothing of somebody's.
            worth.filter(|_| matches!(bench.on.target, Target::Own(..)))
        }
    };
    bench.on.progress.at(5);
    Ok(ConnectionFlood { claim, worth })
}

/// Why there is no room for so many.
fn room(bench: &Bench<'_>, address: &Address) -> anyhow::Result<Option<String>> {
    let most: u64 = bench.settings.get("maxclients").and_then(|most| most.parse().ok()).unwrap_or(u64::MAX);
    let there = facts_of(&mut address.dial()?, &["clients"])?.number("connected_clients").unwrap_or(0);
    let wanted = there + CLIENTS as u64 + bench.client.connections as u64 + OTHERS;
    Ok((wanted > most).then(|| format!("maxclients is {most}, and {there} clients are connected")))
}

fn among(bench: &Bench<'_>, address: &Address) -> anyhow::Result<Claim> {
    let outcome = operate(bench, address, CLIENTS)?;
    let mut cases = vec![Case { what: "at work", outcome, per_client: None }];
    bench.on.progress.at(1);
    for (what, says) in [("idle", Says::Nothing), ("half-open", Says::Half)] {
        let before = used(address)?;
        let crowd = OpenConnections::gather(address, CLIENTS, says, SOON)?;
        let per_client = Some(used(address)?.saturating_sub(before) as f64 / CLIENTS as f64);
        cases.push(Case { what, outcome: operate(bench, address, bench.client.connections)?, per_client });
        drop(crowd);
        bench.on.progress.at(cases.len() as u64);
    }
    let mut claim = judge(bench, &cases);
    let control = control(bench)?;
    bench.on.progress.at(4);
    claim.evidence.push(table(&cases));
    Ok(claim.with(control))
}

fn used(address: &Address) -> anyhow::Result<u64> {
    let facts = facts_of(&mut address.dial()?, &["memory"])?;
    Ok(facts.number("used_memory").unwrap_or(0))
}

/// Operations at the profile's rate over so many connections.
fn operate(bench: &Bench<'_>, address: &Address, connections: usize) -> anyhow::Result<Outcome> {
    let (name, work, course) = (bench.on.name, Work::mix(), &bench.course);
    let duration = course.stretch.max(Duration::from_secs(1));
    let plan = driver::LoadPlan {
        address,
        name,
        work: &work,
        payloads: course.payloads,
        arrivals: Some(Arrivals::of(&Pattern::Constant, course.load, duration, course.seed)),
        duration,
        connections,
        pipeline: 1,
        grace: SOON,
        seed: course.seed,
    };
    Ok(stage::run_whole(&plan)?)
}

fn judge(bench: &Bench<'_>, cases: &[Case]) -> Judged {
    let line = bench.on.profile.load.p99_max.as_secs_f64() * 1e3;
    judge_by(line, cases)
}

fn judge_by(line: f64, cases: &[Case]) -> Judged {
    let p99 = |case: &Case| case.outcome.response().percentile(99.0);
    let worst = cases.iter().map(p99).fold(0.0, f64::max);
    let wrong: u64 = cases.iter().map(|case| case.outcome.due.saturating_sub(case.outcome.right)).sum();
    let each: Vec<String> =
        cases.iter().map(|case| format!("{} {} ms", case.what, millis(p99(case)))).collect();
    let why = format!("p99 beside a thousand clients: {}; {} not answered rightly", each.join(", "), wrong);
    let mut claim = Judged::of(
        ID,
        TUNING,
        "a thousand clients, at work, idle or half-open, leave operations under the profile's line for p99",
        (Bound::AtMost, line, Unit::Milliseconds),
        worst,
        why,
    );
    if wrong > 0 {
        let why = claim.why.clone();
        claim = claim.refuted(why);
    }
    if claim.holds() && cases.iter().all(|case| case.outcome.right == 0) {
        return claim.untested("nothing was asked");
    }
    claim
}

/// The same on a server of our own that is kept busy.
fn control(bench: &Bench<'_>) -> anyhow::Result<Control> {
    let (_server, address) = target::start(bench.on.binary, bench.on.profile, &[])?;
    let outcome = sabotage::while_busy(&address, || operate(bench, &address, bench.client.connections))?;
    let line = sabotage::crossable(&bench.on.profile.load).p99_max.as_secs_f64() * 1e3;
    let cases = [Case { what: "at work", outcome, per_client: None }];
    Ok(Control::of(sabotage::busy(bench.client.connections), &[judge_by(line, &cases)], ID))
}

fn table(cases: &[Case]) -> Evidence {
    let rows = cases.iter().map(|case| {
        let response = case.outcome.response();
        vec![
            case.what.to_owned(),
            thousands(case.outcome.right as f64, 0),
            millis(response.percentile(50.0)),
            millis(response.percentile(99.0)),
            case.per_client.map_or("–".into(), bytes),
        ]
    });
    Evidence::Table {
        title: format!(
            "Operations beside {} clients; p50 and p99 in milliseconds; memory of the server for each of them",
            thousands(CLIENTS as f64, 0)
        ),
        columns: ["clients", "right answers", "p50", "p99", "memory"].map(str::to_owned).into(),
        rows: rows.collect(),
    }
}

/// What only a server of our own can show: who is closed by `timeout`, and who waits for `tcp-backlog`.
fn own(bench: &Bench<'_>) -> anyhow::Result<(Evidence, Option<Worth>)> {
    let (mut rows, mut last) = (Vec::new(), Vec::new());
    for value in ["0", TIMEOUT] {
        let (_server, address) = start(bench, "timeout", value)?;
        for (what, says) in [("idle", Says::Nothing), ("half-open", Says::Half)] {
            let mut crowd = OpenConnections::gather(&address, CLIENTS, says, SOON)?;
            // Where nobody is closed there is nothing to wait for but the time in which they would have been.
            let closed = crowd.wait_closed(Duration::from_secs(3))?;
            rows.push(vec![
                format!("timeout {value}"),
                format!("{CLIENTS} {what}"),
                format!("{} closed by the server within 3 s", thousands(closed as f64, 0)),
            ]);
        }
    }
    for value in BACKLOGS {
        let (server, address) = start(bench, BACKLOG, value)?;
        server.pause()?;
        let crowd = std::thread::scope(|scope| {
            let resume = scope.spawn(|| {
                std::thread::sleep(STANDSTILL);
                server.resume()
            });
            let crowd = OpenConnections::gather(&address, CLIENTS, Says::Ping, SOON);
            // Proof: as above.
            resume.join().expect("a thread that waits and resumes")?;
            crowd
        })?;
        last.push(crowd.answered(100));
        rows.push(vec![
            format!("{BACKLOG} {value}"),
            format!("{CLIENTS} connect while the server stands still for {} ms", STANDSTILL.as_millis()),
            format!(
                "answered: half within {} ms, the last after {} ms",
                millis(crowd.answered(50)),
                millis(crowd.answered(100))
            ),
        ]);
    }
    let evidence = Evidence::Table {
        title: "Time-outs and the queue of connections, on servers of our own".into(),
        columns: ["setting", "clients", "what happened"].map(str::to_owned).into(),
        rows,
    };
    Ok((evidence, worth(bench, &last)))
}

/// A longer queue where nobody then waits for the kernel to try again.
fn worth(bench: &Bench<'_>, last: &[f64]) -> Option<Worth> {
    let [short, long] = last else { return None };
    let now: u64 = bench.settings.get(BACKLOG)?.parse().ok()?;
    let is_short = now < BACKLOGS[1].parse().ok()?;
    (is_short && *long <= short / 2.0).then(|| Worth {
        name: BACKLOG.into(),
        value: BACKLOGS[1].into(),
        because: format!(
            "{CLIENTS} clients that connect while the server stands still for {} ms: the last is answered after {} ms, with \
             {} after {} ms",
            STANDSTILL.as_millis(),
            millis(*long),
            BACKLOGS[0],
            millis(*short)
        ),
    })
}

fn start(bench: &Bench<'_>, name: &str, value: &str) -> anyhow::Result<(Server, Address)> {
    target::start(bench.on.binary, bench.on.profile, &[(name, value.to_owned())])
}
