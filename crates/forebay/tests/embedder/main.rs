//! A program outside of the workspace, with the library as its one dependency: `embed_program.rs` builds and runs it.

use std::io::Write;

use forebay::{Reader, Writer};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().collect();
    let (verb, url) = (arguments[1].as_str(), &arguments[2]);
    if verb == "append" {
        let mut writer = Writer::builder(url, "embedded").open()?;
        let first = writer.resume_position().events().ok_or("the position is not known")?;
        println!("resumes at {first}");
        for number in first..first + arguments[3].parse::<u64>()? {
            let event = format!(r#"{{"time_us":{},"number":{number}}}"#, 1_700_000_000_000_000 + number);
            if writer.push(&writer.events().parse(event.as_bytes())?)?.get().is_multiple_of(1_000) {
                println!("acknowledged {}", writer.acked_through());
            }
        }
        println!("closed with {}", writer.close()?.acknowledged);
        return Ok(());
    }
    let mut reader = Reader::builder(url, "embedded").group("g").open()?;
    for batch in reader.batches() {
        let batch = batch?;
        for (_, event) in batch.events() {
            println!("{}", String::from_utf8_lossy(event));
        }
        std::io::stdout().flush()?;
        batch.ack()?;
    }
    reader.close();
    Ok(())
}
