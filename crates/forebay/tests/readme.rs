//! README's example of the library is this code, and runs.

#![allow(clippy::unwrap_used, reason = "helpers of tests may unwrap as tests do")]

use forebay::event::jetstream;
use forebay::{Lane, Reader, Writer};

use crate::support::server;

/// Where the events of the example go.
#[derive(Default)]
struct Sink(Vec<(Lane, Vec<u8>)>);

impl Sink {
    fn write(&mut self, lane: Lane, event: &[u8]) {
        self.0.push((lane, event.to_vec()));
    }
}

fn example(url: &str, sink: &mut Sink) -> Result<(), Box<dyn std::error::Error>> {
    // README from here
    let mut writer = Writer::builder(url, "demo").open()?;
    let event = writer.events().parse(br#"{"time_us":1764324000000000,"hello":"world"}"#)?;
    writer.push(&event)?;
    writer.close()?; // returns once the server has every event

    let mut reader = Reader::builder(url, "demo").group("g").open()?;
    for batch in reader.batches() {
        let batch = batch?;
        batch.events().for_each(|(lane, event)| sink.write(lane, event)); // make them durable first
        batch.ack()?; // blocks that every group has acknowledged are trimmed
    }
    // to here
    Ok(())
}

#[test]
fn the_example_of_readme_runs_and_is_this_one() {
    let server = server(&[]);
    let mut sink = Sink::default();
    example(&server.url(), &mut sink).unwrap();
    let event = br#"{"time_us":1764324000000000,"hello":"world"}"#.to_vec();
    assert_eq!(sink.0, [(jetstream::OTHER, event)]);

    let code = |text: &str, from: &str, to: &str| -> Vec<String> {
        let (_, rest) = text.split_once(from).unwrap();
        let (code, _) = rest.split_once(to).unwrap();
        code.lines().map(|line| line.trim().to_owned()).filter(|line| !line.is_empty()).collect()
    };
    let here = code(include_str!("readme.rs"), "// README from here", "// to here");
    let there = code(include_str!("../../../README.md"), "```rust", "```");
    assert_eq!(here, there);
}
