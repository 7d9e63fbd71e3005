//! What rows take: bytes a row by column, and rows a second on one core. Figures, no judgement of the machine.

use std::collections::BTreeMap;

use forebay::{Event, Stream};
use forebay_pipe::drain::columns::Row;
use forebay_pipe::drain::layout::Layout;
use forebay_pipe::drain::schema::Rows;
use forebay_pipe::drain::table::FileWriter;
use parquet::file::reader::{FileReader, SerializedFileReader};

use crate::drain_identifiers::Repeated;
use crate::drain_rows::{RECORDED, footer, full, lean, synthetic};

const ROWS: usize = 122_880;

fn repeated() -> Vec<(u64, Vec<u8>)> {
    let rounds = (0..).map(Repeated::new);
    let lines = rounds.flat_map(|mut round| RECORDED.lines().map(move |line| round.line(line)));
    let timed = |line: Vec<u8>| (Stream::jetstream().parse(&line).unwrap().time_us, line);
    lines.map(timed).take(ROWS).collect()
}

/// Seconds that this thread has had a core for: on a busy machine, wall clock says how busy it is.
fn on_core() -> f64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    text.split(' ').next().unwrap().parse::<f64>().unwrap() / 1e9
}

fn measure(name: &str, rows: &Rows, lines: &[(u64, Vec<u8>)]) {
    let (mut raw, mut memory) = (0, 0);
    let lane = Stream::jetstream().lanes().first();
    let started = on_core();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.parquet");
    let file = std::fs::File::create(&path).unwrap();
    let mut writer = FileWriter::create(file, rows).unwrap();
    for (number, (time_us, line)) in lines.iter().enumerate() {
        raw += line.len();
        let event = Event { bytes: line, time_us: *time_us, lane, cursor: 0 };
        writer.push((number / 400) as u64, (number % 400) as u32, 0, &event).unwrap();
        memory = memory.max(writer.memory());
    }
    let (_, written) = writer.finish(&footer(lines.len())).unwrap();
    let took = on_core() - started;
    let started = on_core();
    for (_, line) in lines {
        std::hint::black_box(Row::of(std::str::from_utf8(line).unwrap()));
    }
    let columns = (on_core() - started) * 1e6 / lines.len() as f64;
    let count = lines.len() as f64;
    println!(
        "{name}: {} lines of {:.1} bytes: {:.2} bytes a row, {:.0} rows/s, of it columns {columns:.2} us a row, {:.1} MiB held",
        lines.len(),
        raw as f64 / count,
        written.bytes as f64 / count,
        count / took,
        memory as f64 / 1_048_576.0,
    );
    let reader = SerializedFileReader::new(std::fs::File::open(&path).unwrap()).unwrap();
    let mut sizes: BTreeMap<usize, (String, i64, i64)> = BTreeMap::new();
    let mut bloom = 0;
    for group in reader.metadata().row_groups() {
        for (at, column) in group.columns().iter().enumerate() {
            let size = sizes.entry(at).or_insert_with(|| (column.column_path().string(), 0, 0));
            size.1 += column.compressed_size();
            size.2 += column.uncompressed_size();
            bloom += column.bloom_filter_length().unwrap_or(0);
        }
    }
    for (column, size, plain) in sizes.into_values() {
        println!("  {column:24} {:7.2}  {:7.2} uncompressed", size as f64 / count, plain as f64 / count);
    }
    println!("  bloom filter             {:7.2}", f64::from(bloom) / count);
}

#[test]
#[ignore = "figures, in release: make nightly"]
fn nightly_bytes_and_rows_a_second() {
    let (made_up, recorded) = (synthetic(ROWS as u64), repeated());
    let met = Rows::in_layout(Layout::Met, Stream::jetstream(), vec![], false).unwrap();
    for (form, rows) in [("full", full()), ("lean", lean()), ("layout met", met)] {
        measure(&format!("made-up, {form}"), &rows, &made_up);
        measure(&format!("recorded, with other identifiers, {form}"), &rows, &recorded);
    }
}
