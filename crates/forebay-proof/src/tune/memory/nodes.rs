//! The size of stream nodes: what an event weighs, and what an append costs, by `stream-node-max-bytes` and
//! `stream-node-max-entries`. Once with blocks, once with an event an entry as people write by hand.

use super::advice::{Cost, by_memory};
use super::sizes::Bench;
use crate::claim::Evidence;
use crate::memory_probe::MemoryProbe;
use crate::own_server::{OwnServer, Tried};
use crate::report::units::thousands;
use crate::server_setting::{Advice, Outcome, Row, mark_default};
use crate::wait::go_on;
use forebay::event::jetstream;

/// What is tried, the server's defaults among them.
const VALUES: [(&str, &[&str]); 2] = [
    ("stream-node-max-bytes", &["1024", "4096", "16384", "65536", "262144", "0"]),
    ("stream-node-max-entries", &["10", "100", "1000"]),
];

/// Commands sent before their answers are read.
const PIPELINE: u64 = 500;

/// What one value costs.
struct Weighed {
    setting: &'static str,
    value: String,
    layout: &'static str,
    cost: Cost,
}

/// The experiment.
pub fn measure(bench: &Bench<'_>) -> anyhow::Result<Outcome> {
    let (mut rows, mut all) = (Vec::new(), Vec::new());
    for (setting, values) in VALUES {
        let Some(default) = bench.start()?.setting(setting) else {
            rows.push(Row::untested(setting, "-", "this server does not know it"));
            continue;
        };
        let others = values.iter().copied().filter(|value| *value != default);
        let values: Vec<&str> = std::iter::once(default.as_str()).chain(others).collect();
        let (weighed, refused) = weigh(bench, setting, &values)?;
        let Some(base) = weighed.iter().find(|weighed| weighed.value == default).map(|base| base.cost) else {
            anyhow::bail!("{setting} cannot be set to its default, {default}");
        };
        let mut of_setting: Vec<Row> =
            weighed.iter().map(|weighed| row(weighed, by_memory(base, weighed.cost))).collect();
        of_setting.extend(refused);
        rows.extend(mark_default(of_setting, Some(&default)));
        all.extend(weighed);
        for value in values {
            all.extend(entries(bench, setting, value)?);
        }
    }
    Ok(Outcome { rows, claims: Vec::new(), details: vec![table(&all)] })
}

/// Weighs the buffer's blocks with each value, as often as the sizes say and by turns. Bytes hardly differ; of the times
/// the shortest counts, since whatever else this machine does makes them longer. Also the values that are refused.
fn weigh(
    bench: &Bench<'_>,
    setting: &'static str,
    values: &[&str],
) -> anyhow::Result<(Vec<Weighed>, Vec<Row>)> {
    let (mut best, mut refused): (Vec<Weighed>, Vec<Row>) = (Vec::new(), Vec::new());
    for round in 0..bench.sizes.tries.max(1) {
        for value in values {
            match blocks(bench, setting, value)? {
                Ok(weighed) => match best.iter_mut().find(|best| best.value == weighed.value) {
                    Some(best) => best.cost.micros = best.cost.micros.min(weighed.cost.micros),
                    None => best.push(weighed),
                },
                Err(why) if round == 0 => refused.push(Row::untested(setting, value, &why)),
                Err(_) => {}
            }
        }
    }
    Ok((best, refused))
}

/// Weighs them once, and once more with half of them drained; why not, where the server does not take the value.
fn blocks(bench: &Bench<'_>, setting: &'static str, value: &str) -> anyhow::Result<Result<Weighed, String>> {
    let mut own = bench.start()?;
    if let Tried::Not(why) = own.try_setting(setting, value) {
        return Ok(Err(why));
    }
    own.reset_counts()?;
    let mut gauge = MemoryProbe::open(&own.address)?;
    let empty = gauge.look(0)?.used_bytes;
    let events = bench.fill(&own, 0..bench.sizes.events)?.acknowledged;
    let full = gauge.settled(events)?.used_bytes;
    let micros = own.append_micros()?;
    let gone = own.drain(&jetstream::ALL, |blocks| blocks / 2)?;
    let drained = gauge.settled(events)?.used_bytes;
    let each = |bytes: u64, events: u64| bytes.saturating_sub(empty) as f64 / events as f64;
    let cost = Cost {
        full: each(full, events),
        drained: each(drained, events - gone),
        micros: micros as f64 / events as f64,
    };
    Ok(Ok(Weighed { setting, value: value.into(), layout: "blocks", cost }))
}

/// Weighs events kept one an entry.
fn entries(bench: &Bench<'_>, setting: &'static str, value: &str) -> anyhow::Result<Result<Weighed, String>> {
    let mut own = bench.start()?;
    if let Tried::Not(why) = own.try_setting(setting, value) {
        return Ok(Err(why));
    }
    own.reset_counts()?;
    let (count, key) = (bench.sizes.plain_events, own.name.load_stream());
    let empty = own.used()?;
    add(bench, &mut own, &key, count)?;
    let full = own.used()?;
    let micros = own.micros("xadd")? as f64 / count as f64;
    let half = count / 2;
    redis::cmd("XTRIM").arg(&key).arg("MAXLEN").arg(count - half).query::<u64>(&mut own.admin)?;
    let drained = own.used()?;
    let each = |bytes: u64, events: u64| bytes.saturating_sub(empty) as f64 / events as f64;
    let cost = Cost { full: each(full, count), drained: each(drained, count - half), micros };
    Ok(Ok(Weighed { setting, value: value.into(), layout: "XADD an event", cost }))
}

fn add(bench: &Bench<'_>, own: &mut OwnServer, key: &str, count: u64) -> anyhow::Result<()> {
    let mut bytes = Vec::new();
    for from in (0..count).step_by(PIPELINE as usize) {
        go_on()?;
        let mut pipe = redis::pipe();
        for index in from..(from + PIPELINE).min(count) {
            bytes.clear();
            bench.events.write_event(index, &mut bytes);
            pipe.cmd("XADD").arg(key).arg("*").arg("d").arg(&bytes).ignore();
        }
        pipe.query::<()>(&mut own.admin)?;
    }
    Ok(())
}

fn row(weighed: &Weighed, advice: Advice) -> Row {
    let Cost { full, drained, micros } = weighed.cost;
    let measured = format!(
        "{full:.1} bytes/event, {drained:.1} once half is drained, {micros:.2} µs of the server an event"
    );
    Row::new(weighed.setting, &weighed.value, measured, advice)
}

fn table(all: &[Weighed]) -> Evidence {
    let cells = |weighed: &Weighed| {
        let Cost { full, drained, micros } = weighed.cost;
        vec![
            weighed.setting.to_owned(),
            weighed.value.clone(),
            weighed.layout.to_owned(),
            thousands(full, 1),
            thousands(drained, 1),
            thousands(micros, 2),
        ]
    };
    Evidence::Table {
        title:
            "What an event weighs, by the size of a stream's nodes (`used_memory`, a server of its own each)"
                .into(),
        columns: ["setting", "value", "layout", "bytes/event", "bytes/event, half drained", "µs/event"]
            .map(String::from)
            .to_vec(),
        rows: all.iter().map(cells).collect(),
    }
}
