//! redis-benchmark: what people measure Redis with.

use std::process::Command;

use anyhow::{Context, ensure};
use forebay_rig::server::{Server, ServerBinary};

use crate::commands::server;

/// XADD requests a second with 50 connections and 64 requests in flight on each, on a server of its own.
pub fn xadd_rate(binary: &ServerBinary, requests: u64, bytes: usize) -> anyhow::Result<f64> {
    xadd_requests(&server(binary, false)?, requests, &bytes.to_string(), "64")
}

/// XADD requests a second with 50 connections, on a server that is there. The key is as long as the load generator's,
/// and is removed afterwards.
pub fn xadd_requests(server: &Server, requests: u64, bytes: &str, pipeline: &str) -> anyhow::Result<f64> {
    let (payload, port) = ("x".repeat(bytes.parse()?), server.port().to_string());
    let key = "peer:redis-benchmark-0123456789abcdef012:stream";
    let out = Command::new("redis-benchmark")
        .args(["-p", &port, "-P", pipeline, "-c", "50", "--csv"])
        .args(["-n", &requests.to_string(), "XADD", key, "*", "d", &payload])
        .output()
        .context("running redis-benchmark (Debian: package redis-tools)")?;
    ensure!(out.status.success(), "redis-benchmark: {}", String::from_utf8_lossy(&out.stderr));
    let mut connection = redis::Client::open(server.url())?.get_connection()?;
    redis::cmd("DEL").arg(key).exec(&mut connection)?;
    let text = String::from_utf8_lossy(&out.stdout);
    // `"XADD …","701234.56","…latencies"`.
    let line = text.lines().last().context("redis-benchmark printed nothing")?;
    let rate = line.split("\",\"").nth(1).context("redis-benchmark's line has no rate")?;
    rate.trim_matches('"').parse().with_context(|| format!("redis-benchmark's rate: {rate:?}"))
}
