//! Events in, and out again.

use forebay::{Ack, Reader, Writer};

/// Appends an event, and reads what the group has not had yet.
pub fn run(url: &str) -> Result<(), Box<dyn std::error::Error>> {
    let mut writer = Writer::builder(url, "demo").ack(Ack::Reply).open()?;
    let line = br#"{"time_us":1700000000000000,"text":"hello"}"#;
    let number = writer.push(&writer.events().parse(line)?)?;
    println!("event {number} of this run was taken");
    let summary = writer.close()?;
    println!("{} events are acknowledged", summary.acknowledged);

    let mut reader = Reader::builder(url, "demo").group("example").open()?;
    for batch in reader.batches() {
        let batch = batch?;
        for (lane, event) in batch.events() {
            println!("{lane}: {}", String::from_utf8_lossy(event));
        }
        batch.ack()?;
    }
    reader.close();
    Ok(())
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    run("redis://127.0.0.1:6379")
}
