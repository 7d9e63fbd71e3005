//! A client that asks for much and does not read: what it takes from the events, and what the server's limits on
//! clients do about it.

use std::io::Write;
use std::time::{Duration, Instant};

use super::Outcome;
use super::bench::{Bench, LIMIT, Own, Tried, look_for};
use super::row::{Advice, Row, by_appends, mark_default};
use super::slow_client::{output_of, slow_client, until_full_or_dropped};
use crate::event::lane::Lane;
use crate::load::resp;
use crate::proof::claim::{Bound, Claim, Control, Evidence, Unit};
use crate::report::units::{bytes, figure, thousands};

/// Of clients that are neither replicas nor subscribers; as CONFIG SET takes it, CONFIG GET gives other classes too.
const OUTPUT: &str = "client-output-buffer-limit";
/// Of all clients together, from Redis 7.0 on.
const ALL: &str = "maxmemory-clients";

/// The step of the brief that pressure answers.
const STEP: u8 = 6;

/// What part of the room a client may have before a limit drops it.
const PART: u64 = 2;

/// More than the room, so that what the system's own sockets take does not decide.
const ASKED_BEYOND: u64 = 24 << 20;

/// More than an event weighs in the buffer, on the mean.
const EVENT_BYTES_MAX: u64 = 512;

/// Bytes of clients' memory below which nobody holds anything.
const IDLE_BYTES: u64 = 1 << 20;

/// What was seen with one value.
#[derive(Debug, Clone)]
struct Seen {
    setting: &'static str,
    value: String,
    /// Most that the client was seen to hold in answers it does not read, and by how much `used_memory` grew.
    client_bytes: u64,
    grown_bytes: u64,
    /// Events pushed meanwhile, and those of them that were read back.
    pushed: u64,
    read: u64,
    refused: Option<String>,
    /// Whether the server dropped the client.
    is_dropped: bool,
    /// `used_memory` beyond what it was while the client was still there, or right after it was dropped.
    left_bytes: u64,
    /// How long after the client went its room was back.
    back: Option<Duration>,
}

impl Seen {
    fn goes_on(&self) -> bool {
        self.read == self.pushed
    }
}

/// A filled server with little room.
struct Stage {
    own: Own,
    /// XRANGE of one lane, so often that the answers do not fit.
    request: Vec<u8>,
    asks: u64,
    lane_bytes: u64,
    /// Events pushed so far.
    events: u64,
}

/// The experiment.
pub fn measure(bench: &Bench<'_>) -> anyhow::Result<Outcome> {
    let mut stage = set(bench)?;
    let limit = bench.sizes.room_bytes / PART;
    let mut details = Vec::new();
    let (mut rows, mut claims) = (Vec::new(), Vec::new());
    let default = normal(&stage.own.setting(OUTPUT).unwrap_or_default());
    let without = run(bench, &mut stage, OUTPUT, &default)?;
    details.push(without.clone());
    for (setting, value, default) in [
        (OUTPUT, format!("normal {limit} 0 0"), default.clone()),
        (ALL, limit.to_string(), stage.own.setting(ALL).unwrap_or_default()),
    ] {
        let base = Row::new(setting, &default, measured(&without), Advice::NoDifference);
        match stage.own.try_setting(setting, &value) {
            Tried::Set => {
                let seen = run(bench, &mut stage, setting, &value)?;
                stage.own.set(setting, &default)?;
                let advice = by_appends(without.goes_on(), seen.goes_on());
                let tried = Row::new(setting, &value, measured(&seen), advice);
                rows.extend(mark_default(vec![base, tried], Some(&default)));
                claims.extend(judged_with_control(setting, &seen, &without));
                details.push(seen);
            }
            Tried::Not(why) => {
                rows.push(Row::not_shown(setting, &value, &why));
                claims.extend(judge(setting, &without).into_iter().map(|claim| claim.not_shown(why.clone())));
            }
        }
    }
    Ok(Outcome { rows, claims, details: vec![table(&details, &stage, bench.sizes.room_bytes)] })
}

/// `normal 0 0 0` out of the classes that CONFIG GET gives.
fn normal(classes: &str) -> String {
    let words: Vec<&str> = classes.split_whitespace().collect();
    let class = words.chunks(4).find(|class| class.first() == Some(&"normal"));
    class.map_or_else(|| classes.to_owned(), |class| class.join(" "))
}

fn set(bench: &Bench<'_>) -> anyhow::Result<Stage> {
    let mut own = bench.start()?;
    let events = bench.fill(&own, 0..bench.sizes.events)?.acknowledged;
    let key = own.name.stream(Lane::Likes);
    let mut usage = redis::cmd("MEMORY");
    let lane_bytes: u64 = usage.arg("USAGE").arg(&key).arg("SAMPLES").arg(0).query(&mut own.admin)?;
    anyhow::ensure!(lane_bytes > 0, "the lane that is asked for is empty");
    let used = own.used()?;
    own.set("maxmemory", &(used + bench.sizes.room_bytes).to_string())?;
    let mut request = Vec::new();
    let asks = (bench.sizes.room_bytes + ASKED_BEYOND).div_ceil(lane_bytes);
    for _ in 0..asks {
        resp::command(&mut request, &[b"XRANGE", key.as_bytes(), b"-", b"+"]);
    }
    Ok(Stage { own, request, asks, lane_bytes, events })
}

/// Lets a client ask and not read, appends meanwhile, and sees what is left afterwards.
fn run(bench: &Bench<'_>, stage: &mut Stage, setting: &'static str, value: &str) -> anyhow::Result<Seen> {
    let own = &mut stage.own;
    let used = own.used()?;
    let (mut socket, id) = slow_client(own)?;
    socket.set_write_timeout(Some(LIMIT))?;
    // Where the server drops the client at once, the rest of what it asks cannot be sent.
    let _ = socket.write_all(&stage.request);
    let client_bytes = until_full_or_dropped(own, id)?;
    let grown_bytes = own.used()?.saturating_sub(used);
    let pushed = bench.sizes.appended;
    let refused = bench.fill(own, stage.events..stage.events + pushed).err().map(|error| error.to_string());
    let held = own.held()?;
    let read = held.saturating_sub(stage.events);
    stage.events = held;
    let is_dropped = output_of(own, id)?.is_none();
    let left_bytes = own.used()?.saturating_sub(used);
    drop(socket);
    let gone = Instant::now();
    let back = look_for(LIMIT, || {
        let is_back = output_of(own, id)?.is_none() && own.used()? <= used + room_max(pushed);
        Ok(is_back.then(|| gone.elapsed()))
    })?;
    let value = value.to_owned();
    Ok(Seen {
        setting,
        value,
        client_bytes,
        grown_bytes,
        pushed,
        read,
        refused,
        is_dropped,
        left_bytes,
        back,
    })
}

fn judged_with_control(setting: &str, seen: &Seen, without: &Seen) -> Vec<Claim> {
    let broken = judge(setting, without);
    let mut claims = judge(setting, seen);
    for claim in &mut claims {
        claim.control =
            Some(Control::of(format!("no limit: {} {}", without.setting, without.value), &broken, &claim.id));
    }
    claims
}

fn judge(setting: &str, seen: &Seen) -> Vec<Claim> {
    let id = |what: &str| format!("pressure.{setting}.{what}");
    let saw = format!(
        "the client held up to {} of answers, used_memory grew by {}",
        bytes(seen.client_bytes as f64),
        bytes(seen.grown_bytes as f64)
    );
    vec![
        Claim::judged(
            &id("dropped"),
            STEP,
            format!("{setting} drops a client that asks for much and does not read"),
            (Bound::Exactly, 1.0, Unit::Count),
            f64::from(u8::from(seen.is_dropped)),
            saw,
        ),
        Claim::judged(
            &id("appends"),
            STEP,
            format!("with {setting} such a client costs no event: every one goes in, and is read back"),
            (Bound::Exactly, seen.pushed as f64, Unit::Events),
            seen.read as f64,
            seen.refused.clone().unwrap_or_else(|| "every event was acknowledged".into()),
        ),
        Claim::judged(
            &id("room"),
            STEP,
            format!("with {setting} the room that such a client took is back while it still does not read"),
            (Bound::AtMost, room_max(seen.pushed) as f64, Unit::Bytes),
            seen.left_bytes as f64,
            format!(
                "beyond what was used before the client asked; the {} events themselves are part of it",
                seen.pushed
            ),
        ),
    ]
}

/// What may be left while the client is still there: what the events may weigh, and what other clients hold.
fn room_max(pushed: u64) -> u64 {
    pushed * EVENT_BYTES_MAX + IDLE_BYTES
}

fn measured(seen: &Seen) -> String {
    let went = if seen.is_dropped { "dropped" } else { "not dropped" };
    let back = seen.back.map_or(format!("not back within {LIMIT:?}"), |back| {
        format!("room back {} after it left", figure(back.as_secs_f64() * 1_000.0, Unit::Milliseconds))
    });
    format!(
        "a client that does not read took {}, was {went}; {} of {} events went in meanwhile{}; {back}",
        bytes(seen.client_bytes as f64),
        thousands(seen.read as f64, 0),
        thousands(seen.pushed as f64, 0),
        seen.refused.as_ref().map_or("", |why| if why.contains("OOM") {
            ", then OOM"
        } else {
            ", then none"
        }),
    )
}

fn table(all: &[Seen], stage: &Stage, room: u64) -> Evidence {
    let cells = |seen: &Seen| {
        vec![
            format!("{} {}", seen.setting, seen.value),
            bytes(seen.client_bytes as f64),
            bytes(seen.grown_bytes as f64),
            if seen.is_dropped { "yes" } else { "no" }.to_owned(),
            thousands(seen.pushed as f64, 0),
            thousands(seen.read as f64, 0),
            bytes(seen.left_bytes as f64),
        ]
    };
    Evidence::Table {
        title: format!(
            "A client asks for {} answers of about {} and does not read; maxmemory lies {} above what is used, noeviction",
            stage.asks,
            bytes(stage.lane_bytes as f64),
            bytes(room as f64)
        ),
        columns: [
            "setting",
            "the client held",
            "used_memory grew by",
            "dropped",
            "events pushed meanwhile",
            "read back",
            "left while it is there",
        ]
        .map(String::from)
        .to_vec(),
        rows: all.iter().map(cells).collect(),
    }
}
