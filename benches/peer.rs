//! redis-benchmark: what people measure Redis with.

use std::process::Command;

use anyhow::{Context, ensure};
use forebay::server::ServerBinary;

use crate::commands::server;

/// XADD requests a second with 50 connections and 64 requests in flight on each.
pub fn xadd_rate(binary: &ServerBinary, requests: u64, bytes: usize) -> anyhow::Result<f64> {
    let server = server(binary, false)?;
    let payload = "x".repeat(bytes);
    let out = Command::new("redis-benchmark")
        .args(["-p", &server.port().to_string(), "-P", "64", "-c", "50", "--csv"])
        .args(["-n", &requests.to_string(), "XADD", "events", "*", "d", &payload])
        .output()
        .context("running redis-benchmark (Debian: package redis-tools)")?;
    ensure!(out.status.success(), "redis-benchmark: {}", String::from_utf8_lossy(&out.stderr));
    let text = String::from_utf8_lossy(&out.stdout);
    // `"XADD …","701234.56","…latencies"`.
    let line = text.lines().last().context("redis-benchmark printed nothing")?;
    let rate = line.split("\",\"").nth(1).context("redis-benchmark's line has no rate")?;
    rate.trim_matches('"').parse().with_context(|| format!("redis-benchmark's rate: {rate:?}"))
}
