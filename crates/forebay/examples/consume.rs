//! Writes what a group has not had yet to a file, and acknowledges it once it is on the disk.
//!
//! `cargo run --example consume -- redis://127.0.0.1:6379 demo archive events.ndjson`

use std::error::Error;
use std::fs::{File, OpenOptions};
use std::io::{BufWriter, Write};
use std::path::Path;
use std::time::Duration;

use forebay::Reader;

/// Writes until nothing more comes for so long; how many events were written, and how many places were found where the buffer is
/// not as its writer left it.
pub fn run(
    url: &str,
    buffer: &str,
    group: &str,
    to: &Path,
    wait: Duration,
) -> Result<(u64, u64), Box<dyn Error>> {
    let file: File = OpenOptions::new().create(true).append(true).open(to)?;
    let mut reader = Reader::builder(url, buffer).group(group).consumer("consume-1").wait(wait).open()?;
    let (mut events, mut faults) = (0, 0);
    for batch in reader.batches() {
        let batch = batch?;
        let mut out = BufWriter::new(&file);
        for (_, event) in batch.events() {
            out.write_all(event)?;
            out.write_all(b"\n")?;
            events += 1;
        }
        out.flush()?;
        for fault in batch.faults() {
            eprintln!("{fault}");
            faults += 1;
        }
        // First the disk, then the acknowledgement: after a kill in between, the batch comes again.
        file.sync_data()?;
        batch.ack()?;
    }
    reader.close();
    Ok((events, faults))
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let mut next = |default: &str| arguments.next().unwrap_or(default.into());
    let (url, buffer) = (next("redis://127.0.0.1:6379"), next("demo"));
    let (group, file) = (next("archive"), next("events.ndjson"));
    let (events, faults) = run(&url, &buffer, &group, Path::new(&file), Duration::from_secs(5))?;
    println!("{events} events, {faults} faults");
    Ok(())
}
