//! What is claimed of the figures that a drain writes beside its buffer: they are of all its runs to the same place, are told again
//! and again while it runs, and have what is in its way.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use forebay::buffer::connect::Address;
use forebay::buffer::look::look;
use forebay::buffer::stat::SinkStat;
use forebay_pipe::drain::config::Config;
use forebay_pipe::drain::counts::Counts;
use forebay_pipe::drain::run::{DrainError, drain};
use forebay_rig::server::Server;
use forebay_rig::server::fault::disk::Disk;

use crate::drain_support::{append, config, events, run};
use crate::support::{LIMIT, server};

/// What the drain says of itself beside the buffer.
fn said(server: &Server) -> Option<SinkStat> {
    look(&Address::parse(&server.url()).unwrap(), &"test".parse().unwrap()).unwrap().sinks.pop()
}

fn until(server: &Server, what: &str, is_so: impl Fn(&SinkStat) -> bool) -> SinkStat {
    let deadline = Instant::now() + LIMIT;
    loop {
        let sink = said(server);
        if let Some(sink) = sink.as_ref().filter(|sink| is_so(sink)) {
            return sink.clone();
        }
        assert!(Instant::now() < deadline, "{what}: {sink:?}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn figures_are_of_all_runs_to_the_same_place_and_are_told_while_a_drain_runs() {
    let (server, to) = (server(&[]), tempfile::tempdir().unwrap());
    let all = events(0..1_000);
    append(&server, &all[..600]);
    let first = run(&config(&server, to.path())).unwrap().look();
    let figures = said(&server).unwrap().figures;
    assert_eq!((figures.rows, figures.files, figures.bytes), (600, first.files, first.bytes));
    assert_eq!((figures.commits, figures.is_over, &figures.trouble), (first.commits, true, &None));
    let lines: usize = all[..600].iter().map(String::len).sum();
    assert_eq!((figures.lines_bytes, figures.lines_file_bytes), (lines as u64, first.bytes));
    assert!(figures.free_bytes > Some(0) && figures.last.is_some(), "{figures:?}");
    assert_eq!(figures.bytes_per_hour, None, "of less than a minute nobody can tell");

    // One that runs, with nothing to do yet.
    let running = Config { once: false, ..config(&server, to.path()) };
    let (counts, stop) = (Counts::default(), Arc::new(AtomicBool::new(false)));
    let flag = Arc::clone(&stop);
    let thread = std::thread::spawn(move || drain(&running, &counts, &flag));
    let sink = until(&server, "it says that it runs", |sink| !sink.figures.is_over);
    assert_eq!((sink.figures.rows, sink.figures.last), (600, None));
    // It says so again and again.
    let again = until(&server, "it says so again", |again| again.at_ms > sink.at_ms);
    assert_eq!((again.epoch, again.figures.is_over), (sink.epoch, false));
    append(&server, &all[600..]);
    stop.store(true, Relaxed);
    thread.join().unwrap().unwrap();
    let ended = said(&server).unwrap().figures;
    assert_eq!((ended.rows, ended.is_over), (1_000, true));

    // Another place has nothing yet.
    let other = tempfile::tempdir().unwrap();
    let other = Config { group: "other".into(), ..config(&server, other.path()) };
    append(&server, &events(1_000..1_010));
    let counted = run(&other).unwrap().look();
    let stat = look(&Address::parse(&server.url()).unwrap(), &"test".parse().unwrap()).unwrap();
    let rows: Vec<(&str, u64)> = stat.sinks.iter().map(|sink| (&*sink.group, sink.figures.rows)).collect();
    assert_eq!(rows, [("files", 1_000), ("other", counted.rows)]);
}

#[test]
fn what_a_full_disk_says_is_told_beside_the_buffer_until_there_is_room() {
    let server = server(&[]);
    append(&server, &events(0..2_000));
    let disk = Disk::mount(64 << 10).unwrap();
    let config = config(&server, &disk.path().join("to"));
    let thread = std::thread::spawn(move || run(&config).unwrap());
    let sink = until(&server, "it says so", |sink| sink.figures.trouble.is_some());
    assert!(sink.figures.trouble.unwrap().contains("No space left"));
    assert!(sink.figures.failures > 0 && sink.figures.free_bytes < Some(64 << 10) && !sink.figures.is_over);
    disk.set_room(64 << 20);
    let counted = thread.join().unwrap().look();
    let figures = said(&server).unwrap().figures;
    assert_eq!((figures.trouble, figures.is_over), (None, true));
    assert_eq!((figures.rows, figures.bytes, figures.failures), (2_000, counted.bytes, counted.failures));
}

#[test]
fn one_that_gave_up_has_not_ended_in_an_orderly_way_and_says_why() {
    let server = server(&[]);
    append(&server, &events(0..2_000));
    let disk = Disk::mount(64 << 10).unwrap();
    let config = Config { patience: Duration::from_secs(3), ..config(&server, &disk.path().join("to")) };
    let ended = run(&config);
    assert!(matches!(ended, Err(DrainError::GaveUp { .. })), "{:?}", ended.err());
    let figures = said(&server).unwrap().figures;
    assert!(!figures.is_over && figures.trouble.unwrap().contains("No space left"));
}
