//! Connections in a pool, and requests in flight on one, against throughput and latency: a chart.

use super::bench::Bench;
use crate::claim::{Axes, Evidence, Series};
use crate::report::units::{millis, thousands};
use crate::wait::go_on;
use forebay_rig::load::driver;
use forebay_rig::load::outcome::Outcome;
use forebay_rig::load::stage;
use forebay_rig::load::work::Work;

/// Connections, each with one request in flight; and requests in flight on one connection.
const SIZES: [usize; 7] = [1, 2, 4, 8, 16, 32, 64];

/// As fast as answers come, for each size: connections and requests in flight.
pub(super) fn evidence(bench: &Bench<'_>) -> anyhow::Result<Vec<Evidence>> {
    bench.on.progress.begin("sizes of a pool", 2 * SIZES.len() as u64);
    let (mut pools, mut pipelines) = (Vec::new(), Vec::new());
    for (number, size) in SIZES.into_iter().enumerate() {
        pools.push((size, run(bench, size, 1)?));
        pipelines.push((size, run(bench, 1, size)?));
        bench.on.progress.at(2 * (number as u64 + 1));
    }
    Ok(vec![chart(&pools, &pipelines), table(&pools, &pipelines)])
}

fn run(bench: &Bench<'_>, connections: usize, pipeline: usize) -> anyhow::Result<Outcome> {
    go_on()?;
    let (address, name, work) = (bench.on.target.address(), bench.on.name, Work::mix());
    let plan = driver::LoadPlan {
        address,
        name,
        work: &work,
        payloads: bench.course.payloads,
        arrivals: None,
        duration: bench.course.stretch,
        connections,
        pipeline,
        grace: bench.course.stretch,
        seed: bench.on.seed,
    };
    Ok(stage::run_whole(&plan)?)
}

fn chart(pools: &[(usize, Outcome)], pipelines: &[(usize, Outcome)]) -> Evidence {
    let line = |name: &str, of: &[(usize, Outcome)]| Series {
        name: name.into(),
        dashed: false,
        points: of.iter().map(|(size, outcome)| (*size as f64, outcome.rate())).collect(),
    };
    Evidence::Chart {
        title: "The mix of operations as fast as answers come, by connections and by requests in flight"
            .into(),
        x: "connections, or requests in flight on one, count".into(),
        y: "right answers a second, count".into(),
        axes: Axes::Log,
        series: vec![line("connections", pools), line("in flight on one", pipelines)],
    }
}

fn table(pools: &[(usize, Outcome)], pipelines: &[(usize, Outcome)]) -> Evidence {
    let cells = |outcome: &Outcome| {
        let response = outcome.response();
        [thousands(outcome.rate(), 0), millis(response.percentile(50.0)), millis(response.percentile(99.0))]
    };
    let rows = pools.iter().zip(pipelines).map(|((size, pool), (_, pipeline))| {
        let mut row = vec![size.to_string()];
        row.extend(cells(pool));
        row.extend(cells(pipeline));
        row
    });
    Evidence::Table {
        title: "The same in figures; p50 and p99 in milliseconds".into(),
        columns: ["size", "connections/s", "p50", "p99", "in flight/s", "p50", "p99"]
            .map(str::to_owned)
            .into(),
        rows: rows.collect(),
    }
}
