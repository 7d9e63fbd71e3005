//! What is claimed of rows: whatever line goes into a file comes out of it byte for byte, and one and the same input gives one and
//! the same file.

use std::path::Path;

use forebay::{Event, Stream};
use forebay_pipe::drain::columns::Row;
use forebay_pipe::drain::footer::Footer;
use forebay_pipe::drain::pointer::Pointer;
use forebay_pipe::drain::schema::{Rows, TextColumn};
use forebay_pipe::drain::stored::StoredFile;
use forebay_pipe::drain::table::{FileWriter, WriteError, Written};
use forebay_rig::synth::Synth;

use crate::drain_mutations::mutate;

pub const RECORDED: &str = include_str!("../../forebay/tests/vectors/recorded.ndjson");
pub const ONE_OF_EACH: &str = include_str!("../../forebay/tests/vectors/one-of-each.ndjson");

/// Events of a block.
const BLOCK: usize = 300;

pub fn footer(lines: usize) -> Footer {
    Footer {
        buffer: "demo".into(),
        incarnation: "f00d".into(),
        lane: "likes".into(),
        partition: 0,
        first: 5,
        last: 5 + (lines / BLOCK) as u64,
    }
}

/// Where the line of this number stands: the first block is 5, and every third event of a block is one of another file.
pub fn place(number: usize) -> (u64, u32) {
    (5 + (number / BLOCK) as u64, (number % BLOCK * 3 / 2) as u32)
}

pub fn full() -> Rows {
    Rows::of(Stream::jetstream(), vec![], false).unwrap()
}

pub fn lean() -> Rows {
    Rows::of(Stream::jetstream(), vec![], true).unwrap()
}

/// Writes lines into a file, in groups of as many rows as is said.
pub fn write(path: &Path, rows: &Rows, lines: &[(u64, Vec<u8>)], group: usize) -> Written {
    let file = std::fs::File::create(path).unwrap();
    let mut writer = FileWriter::create(file, rows).unwrap();
    for (number, (time_us, line)) in lines.iter().enumerate() {
        let (block, index) = place(number);
        let lane = Stream::jetstream().lanes().first();
        writer.push(block, index, 0, &Event { bytes: line, time_us: *time_us, lane, cursor: 0 }).unwrap();
        if (number + 1) % group == 0 {
            writer.flush_group().unwrap();
        }
    }
    let (file, written) = writer.finish(&footer(lines.len())).unwrap();
    assert_eq!(file.metadata().unwrap().len(), written.bytes);
    written
}

/// Whether a file has exactly these lines at their places.
pub fn check(path: &Path, lines: &[(u64, Vec<u8>)]) {
    let mut file = StoredFile::open(path).unwrap();
    assert_eq!(*file.footer(), footer(lines.len()));
    for (number, (time_us, line)) in lines.iter().enumerate() {
        let row = file.next_row().unwrap().unwrap();
        assert_eq!((row.block, row.index, row.partition), (place(number).0, place(number).1, 0));
        assert_eq!(row.time_us, *time_us);
        assert!(
            row.line == line,
            "{:?}\n{:?}",
            String::from_utf8_lossy(row.line),
            String::from_utf8_lossy(line)
        );
    }
    assert_eq!(file.next_row().unwrap(), None);
}

/// Lines that are events of Jetstream, with their times.
fn events(lines: impl IntoIterator<Item = Vec<u8>>) -> Vec<(u64, Vec<u8>)> {
    let timed = |line: Vec<u8>| Some((Stream::jetstream().parse(&line).ok()?.time_us, line));
    lines.into_iter().filter_map(timed).collect()
}

fn recorded() -> impl Iterator<Item = Vec<u8>> {
    RECORDED.lines().chain(ONE_OF_EACH.lines()).map(|line| line.as_bytes().to_vec())
}

pub fn synthetic(count: u64) -> Vec<(u64, Vec<u8>)> {
    let synth = Synth::network(7);
    let line = |index| {
        let mut line = Vec::new();
        synth.write_event(index, &mut line);
        line
    };
    events((0..count).map(line))
}

/// How many rows of a file have something in a column.
fn with(path: &Path, name: &str) -> u64 {
    use parquet::file::reader::{FileReader, SerializedFileReader};
    let file = SerializedFileReader::new(std::fs::File::open(path).unwrap()).unwrap();
    let groups = file.metadata().row_groups().iter();
    let nulls = |group: &parquet::file::metadata::RowGroupMetaData| {
        let column = group.columns().iter().find(|column| column.column_path().string() == name).unwrap();
        column.statistics().unwrap().null_count_opt().unwrap()
    };
    groups.map(|group| group.num_rows() as u64 - nulls(group)).sum()
}

#[test]
fn recorded_and_made_up_events_come_out_as_they_went_in_and_no_line_is_stored_whole() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.parquet");
    let mut lines = events(recorded());
    assert_eq!(lines.len(), 162);
    lines.extend(synthetic(10_000));
    for rows in [full(), lean()] {
        let written = write(&path, &rows, &lines, 4_000);
        check(&path, &lines);
        assert_eq!(with(&path, "raw"), 0);
        let times = lines.iter().map(|(time_us, _)| *time_us);
        assert_eq!(written.times, Some((times.clone().min().unwrap(), times.max().unwrap())));
        assert_eq!(written.rows, lines.len() as u64);
    }
    // Identities, accounts and what else is no commit have no other columns than this one.
    let is_commit =
        |line: &[u8]| Row::of(std::str::from_utf8(line).unwrap()).kind.as_deref() == Some("commit");
    let others = lines.iter().filter(|(_, line)| !is_commit(line)).count();
    assert_eq!([with(&path, "record"), with(&path, "cid")], [others as u64, 0]);
}

#[test]
fn any_line_at_all_that_is_an_event_comes_out_as_it_went_in() {
    let folder = tempfile::tempdir().unwrap();
    let mut stored_whole = [0; 2];
    for seed in 0..8 {
        let mut rng = fastrand::Rng::with_seed(seed);
        let mut lines = Vec::new();
        for line in recorded().chain(synthetic(300).into_iter().map(|(_, line)| line)) {
            for _ in 0..6 {
                lines.push(mutate(&line, &mut rng));
            }
        }
        let lines = events(lines);
        assert!(lines.len() > 1_000, "{} of the mutations are events", lines.len());
        let path = folder.path().join(format!("{seed}.parquet"));
        for (rows, whole) in [full(), lean()].iter().zip(&mut stored_whole) {
            write(&path, rows, &lines, 1_000);
            check(&path, &lines);
            *whole += with(&path, "raw");
        }
    }
    let [of_full, of_lean] = stored_whole;
    assert!(
        of_full > 1_000 && of_lean >= of_full,
        "{of_full}, {of_lean} lines had another form than Jetstream's"
    );
}

#[test]
fn the_same_rows_give_the_same_bytes_and_the_hash_is_theirs() {
    use sha2::{Digest, Sha256};
    let folder = tempfile::tempdir().unwrap();
    let (one, two) = (folder.path().join("1.parquet"), folder.path().join("2.parquet"));
    let lines = synthetic(9_000);
    let written = write(&one, &full(), &lines, usize::MAX);
    assert_eq!(write(&two, &full(), &lines, usize::MAX), written);
    let (one, two) = (std::fs::read(one).unwrap(), std::fs::read(two).unwrap());
    assert!(one == two);
    assert_eq!(<[u8; 32]>::from(Sha256::digest(&one)), written.sha256);
}

#[test]
fn any_bytes_are_a_line_of_another_stream_and_its_columns_are_what_stands_there() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.parquet");
    let column = |name: &str, at| TextColumn { name: name.into(), at: Pointer::new(at).unwrap() };
    let columns = vec![column("user", "/user/id"), column("level", "/level")];
    let rows = Rows::of(Stream::lines("log").unwrap(), columns, false).unwrap();
    let lines: Vec<(u64, Vec<u8>)> =
        [&b""[..], b"\xff\x00", b"plain", br#"{"user":{"id":"\u00e9"},"level":3}"#, "ü".as_bytes()]
            .iter()
            .zip(0..)
            .map(|(line, time)| (time, line.to_vec()))
            .collect();
    write(&path, &rows, &lines, 2);
    check(&path, &lines);
}

#[test]
fn what_no_file_may_have_is_refused_by_its_place() {
    let lane = Stream::jetstream().lanes().first();
    let event = |bytes| Event { bytes, time_us: 1, lane, cursor: 0 };
    let mut writer = FileWriter::create(Vec::new(), &full()).unwrap();
    writer.push(3, 4, 0, &event(b"{}")).unwrap();
    for (block, index) in [(3, 4), (3, 3), (2, 9)] {
        let refused = writer.push(block, index, 0, &event(b"{}")).unwrap_err();
        assert!(matches!(refused, WriteError::Order { .. }), "{refused}");
    }
    let refused = writer.push(3, 5, 0, &event(b"\xff")).unwrap_err();
    assert_eq!(refused.to_string(), "event 5 of block 3 is not UTF-8");
    let refused = writer.push(u64::MAX, 0, 0, &event(b"{}")).unwrap_err();
    assert!(matches!(refused, WriteError::TooLarge { .. }), "{refused}");
    let (_, written) = writer.finish(&footer(1)).unwrap();
    assert_eq!((written.rows, written.times), (1, Some((1, 1))));
}
