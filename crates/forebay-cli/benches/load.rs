//! The load generator beside redis-benchmark, on one server, and what it costs and how exactly it sends.

use std::process::{Command, Stdio};

use anyhow::{Context, ensure};
use forebay_rig::server::ServerBinary;
use serde_json::Value;

use crate::RUNS;
use crate::commands::{FOREBAY, server};
use crate::peer;
use crate::table::{Row, Table};

/// What each request carries.
const BYTES: &str = "500";

/// Requests of the peer: about as long as our own runs take.
const REQUESTS: [(u64, &str, f64); 2] = [(2_000_000, "64", 1.0), (300_000, "1", 1.5)];

pub fn rows(binary: &ServerBinary, table: &mut Table) -> anyhow::Result<()> {
    let server = server(binary, false)?;
    for (requests, pipeline, ratio) in REQUESTS {
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        for _ in 0..RUNS {
            theirs.push(peer::xadd_requests(&server, requests, BYTES, pipeline)?);
            let run = load(
                &server,
                &[
                    "--op",
                    "xadd",
                    "--payload",
                    BYTES,
                    "--pattern",
                    "saturate",
                    "-c",
                    "50",
                    "-d",
                    "3s",
                    "-P",
                    pipeline,
                ],
            )?;
            ours.push(figure(&run, "/rate")?);
        }
        let what = format!("load: XADD, 500 bytes, 50 connections, pipeline {pipeline}, all latencies kept");
        let peer = format!("redis-benchmark -P {pipeline} -c 50");
        table.add(Row::new(&what, "requests/s", ours).beside(&peer, theirs, Some(ratio)));
    }
    paced(&server, table)?;
    let run = load(&server, &["--op", "get", "--pattern", "saturate", "-c", "1000", "-d", "3s"])?;
    ensure!(run["reconnects"] == 0, "1,000 connections did not hold: {}", run["errors"]);
    table.add(Row::new("load: GET, 1,000 connections", "requests/s", vec![figure(&run, "/rate")?]));
    Ok(())
}

/// Rate, jitter and cost where there is a pace.
fn paced(server: &forebay_rig::server::Server, table: &mut Table) -> anyhow::Result<()> {
    let (mut off, mut jitter, mut cpu) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..RUNS {
        let run = load(server, &["--op", "mix", "--rate", "1000", "-d", "10s"])?;
        off.push((figure(&run, "/rate")? - 1_000.0).abs() / 10.0);
        jitter.push(figure(&run, "/send_jitter/p99_ms")?);
        let run = load(server, &["--op", "get", "--rate", "10000", "-P", "16", "-d", "5s"])?;
        cpu.push(figure(&run, "/client_cpu_percent")?);
    }
    table.add(Row::new("load at 1,000/s: error of the rate", "%", off).at_most(0.1));
    table.add(Row::new("load at 1,000/s: p99 of what is sent late", "ms", jitter).at_most(1.0));
    table.add(
        Row::new("load at 10,000/s (GET, pipeline 16): processor time", "% of a core", cpu).at_most(15.0),
    );
    Ok(())
}

fn load(server: &forebay_rig::server::Server, args: &[&str]) -> anyhow::Result<Value> {
    let out = Command::new(FOREBAY)
        .args(["load", "--json", "--quiet", "--allow-load", "--url", &server.url()])
        .args(args)
        .stderr(Stdio::piped())
        .output()
        .context("running forebay load")?;
    ensure!(
        out.status.success(),
        "load: {}{}",
        String::from_utf8_lossy(&out.stdout),
        String::from_utf8_lossy(&out.stderr)
    );
    Ok(serde_json::from_slice(&out.stdout)?)
}

fn figure(run: &Value, pointer: &str) -> anyhow::Result<f64> {
    run.pointer(pointer).and_then(Value::as_f64).with_context(|| format!("load gives no {pointer}"))
}
