//! A client that asks for much and does not read: what it takes from the events, and what the server's limits on
//! clients do about it.

use std::time::Instant;

use super::advice::by_appends;
use super::sizes::Bench;
use super::slow_client::{ask_until_full_or_dropped, output_of, slow_client};
use super::slow_client_result::{SlowClientResult, judge, judged_with_control, measured, room_max, table};
use crate::own_server::{LIMIT, OwnServer, Tried};
use crate::server_setting::{Advice, Outcome, Row, mark_default};
use crate::wait::look_for;
use forebay::event::jetstream;
use forebay_rig::load::resp;

/// Of clients that are neither replicas nor subscribers; as CONFIG SET takes it, CONFIG GET gives other classes too.
const OUTPUT: &str = "client-output-buffer-limit";
/// Of all clients together, from Redis 7.0 on.
const ALL: &str = "maxmemory-clients";

/// The field of INFO that counts clients dropped for a setting. Not every version has them.
fn counter(setting: &str) -> &'static str {
    if setting == ALL { "evicted_clients" } else { "client_output_buffer_limit_disconnections" }
}

/// What part of the room a client may have before a limit drops it.
const PART: u64 = 2;

/// More than the room, so that what the system's own sockets take does not decide.
const ASKED_BEYOND: u64 = 24 << 20;

/// A filled server with little room.
struct Stage {
    own: OwnServer,
    /// XRANGE of one lane, and how often it is put at the most: then the answers do not fit.
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
    let without = run(bench, &mut stage, (OUTPUT, &default), None)?;
    details.push(without.clone());
    for (setting, value, default) in [
        (OUTPUT, format!("normal {limit} 0 0"), default.clone()),
        (ALL, limit.to_string(), stage.own.setting(ALL).unwrap_or_default()),
    ] {
        let base = Row::new(setting, &default, measured(&without), Advice::NoDifference);
        match stage.own.try_setting(setting, &value) {
            Tried::Set => {
                let seen = run(bench, &mut stage, (setting, &value), Some(limit))?;
                stage.own.set(setting, &default)?;
                let advice = by_appends(without.goes_on(), seen.goes_on());
                let tried = Row::new(setting, &value, measured(&seen), advice);
                rows.extend(mark_default(vec![base, tried], Some(&default)));
                claims.extend(judged_with_control(setting, &seen, &without));
                details.push(seen);
            }
            Tried::Not(why) => {
                rows.push(Row::untested(setting, &value, &why));
                claims.extend(
                    judge(setting, &without)
                        .into_iter()
                        .map(|claim| claim.untested(why.clone()).without_control()),
                );
            }
        }
    }
    Ok(Outcome {
        rows,
        claims,
        details: vec![table(&details, (stage.asks, stage.lane_bytes), bench.sizes.room_bytes)],
    })
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
    let key = own.name.stream(jetstream::LIKES);
    let mut usage = redis::cmd("MEMORY");
    let lane_bytes: u64 = usage.arg("USAGE").arg(&key).arg("SAMPLES").arg(0).query(&mut own.admin)?;
    anyhow::ensure!(lane_bytes > 0, "the lane that is asked for is empty");
    let used = own.used()?;
    own.set("maxmemory", &(used + bench.sizes.room_bytes).to_string())?;
    let mut request = Vec::new();
    let asks = (bench.sizes.room_bytes + ASKED_BEYOND).div_ceil(lane_bytes);
    resp::command(&mut request, &[b"XRANGE", key.as_bytes(), b"-", b"+"]);
    Ok(Stage { own, request, asks, lane_bytes, events })
}

/// Lets a client ask and not read, appends meanwhile, and sees what is left afterwards.
fn run(
    bench: &Bench<'_>,
    stage: &mut Stage,
    (setting, value): (&'static str, &str),
    limit: Option<u64>,
) -> anyhow::Result<SlowClientResult> {
    let own = &mut stage.own;
    let used = own.used()?;
    let (mut socket, id) = slow_client(own)?;
    socket.set_write_timeout(Some(LIMIT))?;
    let counted = own.facts("stats")?.number(counter(setting));
    let took = ask_until_full_or_dropped(own, &mut socket, id, (&stage.request, stage.asks))?;
    let pushed = bench.sizes.appended;
    let refused = bench.fill(own, stage.events..stage.events + pushed).err().map(|error| error.to_string());
    let held = own.held()?;
    let read = held.saturating_sub(stage.events);
    stage.events = held;
    let is_dropped = output_of(own, id)?.is_none();
    let left_bytes = own.used()?.saturating_sub(used);
    let counted_since = own.facts("stats")?.number(counter(setting));
    drop(socket);
    let gone = Instant::now();
    let back = look_for(LIMIT, || {
        let is_back = output_of(own, id)?.is_none() && own.used()? <= used + room_max(pushed);
        Ok(is_back.then(|| gone.elapsed()))
    })?;
    Ok(SlowClientResult {
        setting,
        value: value.to_owned(),
        limit,
        answer_bytes: stage.lane_bytes,
        client_bytes: took.client_bytes,
        grown_bytes: took.used_max.saturating_sub(used),
        pushed,
        read,
        refused,
        is_dropped,
        counted: counted_since.zip(counted).map(|(since, before)| since.saturating_sub(before)),
        left_bytes,
        back,
    })
}
