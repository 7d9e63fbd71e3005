//! Appends the lines of standard input to a buffer, and says up to which of them everything is acknowledged.
//!
//! `cargo run --example append -- redis://127.0.0.1:6379 demo < events.ndjson`

use std::error::Error;
use std::io::BufRead;

use forebay::{Summary, Writer};

/// Appends every line that is an event; what became of them, and how many lines were none.
pub fn run(url: &str, buffer: &str, input: impl BufRead) -> Result<(Summary, u64), Box<dyn Error>> {
    let mut writer = Writer::builder(url, buffer).open()?;
    let mut refused = 0;
    for line in input.split(b'\n') {
        let line = line?;
        match writer.events().parse(&line) {
            Ok(event) => {
                let number = writer.push(&event)?;
                if number.get().is_multiple_of(10_000) {
                    eprintln!("{number} taken, {} acknowledged", writer.acked_through());
                }
            }
            Err(why) => {
                eprintln!("refused: {why}");
                refused += 1;
            }
        }
    }
    // Waits for the last acknowledgement: what is not acknowledged when this fails is the source's to send again.
    Ok((writer.close()?, refused))
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let url = arguments.next().unwrap_or("redis://127.0.0.1:6379".into());
    let buffer = arguments.next().unwrap_or("demo".into());
    let (summary, refused) = run(&url, &buffer, std::io::stdin().lock())?;
    println!(
        "{} events acknowledged in {} blocks, {refused} lines refused",
        summary.acknowledged, summary.blocks
    );
    Ok(())
}
