//! Goes on taking events while the server takes none: they go to files, and from there to the server once it takes them again.
//!
//! `cargo run --example spill -- redis://127.0.0.1:6379 demo ./spill`

use std::error::Error;
use std::path::Path;
use std::time::Duration;

use forebay::{Overflow, Seq, Spill, Summary, Writer};

/// Pushes so many events and waits, at most for so long, until all are safe: on the server, or fsynced in the folder.
pub fn run(
    url: &str,
    buffer: &str,
    folder: &Path,
    events: u64,
    wait: Duration,
) -> Result<(Seq, Summary), Box<dyn Error>> {
    let spill = Spill { folder: folder.into(), bytes_max: 1 << 30 };
    let mut writer = Writer::builder(url, buffer).overflow(Overflow::Spill(spill)).open()?;
    let mut last = Seq::default();
    for number in 0..events {
        let line = format!("{{\"time_us\":{},\"number\":{number}}}", 1_700_000_000_000_000 + number);
        last = writer.push(&writer.events().parse(line.as_bytes())?)?;
    }
    writer.flush()?;
    let began = std::time::Instant::now();
    while writer.acked_through() < last && began.elapsed() < wait {
        std::thread::sleep(Duration::from_millis(10));
    }
    let settled = writer.acked_through();
    // What is left in the folder goes first the next time.
    Ok((settled, writer.close()?))
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let mut next = |default: &str| arguments.next().unwrap_or(default.into());
    let (url, buffer, folder) = (next("redis://127.0.0.1:6379"), next("demo"), next("./spill"));
    let (settled, summary) = run(&url, &buffer, Path::new(&folder), 1_000, Duration::from_secs(60))?;
    println!(
        "settled up to {settled}: {} acknowledged, {} wait in {folder}",
        summary.acknowledged, summary.left
    );
    Ok(())
}
