//! What is claimed of `spill` when the writer is killed: at 200 moments of spilling and replaying, drawn from seeds,
//! nothing that was accepted is lost, nothing is there twice, and a lane's order is kept.
//!
//! The writer is a process: this test binary, run again with the test [`a_writer_to_be_killed`]. It writes what it is told
//! of its events' fates to a file, which outlives it; the parent reads that file and kills it by what it finds there.

use std::collections::HashMap;
use std::fs::OpenOptions;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use forebay::buffer::batch::Limits;
use forebay::buffer::overflow::{Fate, Listener, Overflow, Spill, Told};
use forebay::buffer::writer::{Options, Writer};
use forebay::event::lane::Lane;
use forebay::event::parse::parse;
use forebay::server::Server;

use super::support::{
    LIMIT, Random, address, assert_same, contents, event, events_of, faults, name, server, tell, until,
};

/// Lives of a writer on one folder; four folders make 200 kills.
const LIVES: u64 = 50;

/// Events of one life: more than it lives to push.
const EVENTS: u64 = 4_000;

/// Bytes of a line that tells of a fate, its end included.
const LINE: usize = 32;

/// What the killed process is told by its environment.
const CHILD: &str = "FOREBAY_TEST_SPILLING_WRITER";

/// Two lanes, so that one may be replayed while the other is spilled.
const LANES: [Lane; 2] = [Lane::Likes, Lane::Posts];

/// Not a test of its own: the process that is killed.
#[test]
#[ignore = "run by the other tests of this file, as the process that they kill"]
fn a_writer_to_be_killed() {
    let Ok(told) = std::env::var(CHILD) else { return };
    let [url, folder, file, life]: [&str; 4] =
        told.split(' ').collect::<Vec<_>>().try_into().expect("four words");
    let file = Arc::new(Mutex::new(OpenOptions::new().create(true).append(true).open(file).unwrap()));
    let hear = move |told: Told| {
        let Told { lane, fate, from, events } = told;
        let word = if fate == Fate::Spilled { 's' } else { 'a' };
        let line = format!("{word} {} {from:>12} {events:>12}", lane.index());
        // One write a line: whole, or not there.
        file.lock().unwrap().write_all(format!("{line:<31}\n").as_bytes()).unwrap();
    };
    let options = Options {
        limits: Limits { events_max: 3, bytes_max: 64 << 10, linger: LIMIT },
        in_flight: 4,
        patience: LIMIT,
        overflow: Overflow::Spill(Spill { folder: folder.into(), bytes_max: 1 << 30 }),
        listener: Some(Listener(Arc::new(hear))),
        ..Options::default()
    };
    let mut writer =
        Writer::open(&forebay::buffer::connect::Address::parse(url).unwrap(), &name(), &options).unwrap();
    let life: u64 = life.parse().unwrap();
    for number in 0..EVENTS {
        for lane in LANES {
            writer.push(&parse(&event(lane, life * EVENTS + number, 40)).unwrap(), Duration::ZERO).unwrap();
        }
        if number % 32 == 0 {
            // So that a life lasts longer than a look at it.
            std::thread::sleep(Duration::from_millis(1));
        }
    }
    // Killed before it ends, unless the moment drawn lies beyond.
    writer.close().unwrap();
}

/// A folder, a server, and what was told of every life.
struct Lives {
    server: Server,
    dir: tempfile::TempDir,
    /// By lane: life, first event, events.
    accepted: HashMap<Lane, Vec<(u64, u64, u64)>>,
    killed: Killed,
}

/// In which phase writers were killed.
#[derive(Debug, Default)]
struct Killed {
    spilling: u64,
    replaying: u64,
    otherwise: u64,
}

impl Lives {
    fn told(&self, life: u64) -> PathBuf {
        self.dir.path().join(format!("told-{life}"))
    }

    fn spill(&self) -> PathBuf {
        self.dir.path().join("spill")
    }

    fn begin(&self, life: u64) -> Child {
        let words =
            format!("{} {} {} {life}", self.server.url(), self.spill().display(), self.told(life).display());
        Command::new(std::env::current_exe().unwrap())
            .args(["buffer_spill_kills::a_writer_to_be_killed", "--exact", "--ignored", "--test-threads=1"])
            .env(CHILD, words)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap()
    }

    /// Whether the server takes writes from now on.
    fn set_full(&self, is_full: bool) {
        tell(&self.server, &format!("CONFIG SET maxmemory {}", u8::from(is_full)));
    }

    /// Bytes of files that wait to be replayed.
    fn waiting(&self) -> u64 {
        files(&self.spill()).iter().map(|path| path.metadata().map_or(0, |metadata| metadata.len())).sum()
    }

    /// A life: begun with the server full or not, turned over once in the middle perhaps, and killed.
    fn live(&mut self, life: u64, random: &mut Random) {
        let mut is_full = random.below(2) == 0;
        self.set_full(is_full);
        let (turns, ends) = (random.below(200), 1 + random.below(400));
        let is_turned = random.below(2) == 0;
        let mut child = self.begin(life);
        let mut turned = false;
        until(&format!("life {life}: {ends} fates are told, or it ends"), || {
            let lines = size(&self.told(life)) / LINE as u64;
            if is_turned && !turned && lines >= turns {
                (turned, is_full) = (true, !is_full);
                self.set_full(is_full);
            }
            lines >= ends || child.try_wait().unwrap().is_some()
        });
        // A little later, so that it is not always right after a fate was told.
        std::thread::sleep(Duration::from_micros(random.below(3_000)));
        let backlog = self.waiting() > 0;
        child.kill().unwrap();
        child.wait().unwrap();
        match (is_full, backlog) {
            (true, _) => self.killed.spilling += 1,
            (false, true) => self.killed.replaying += 1,
            (false, false) => self.killed.otherwise += 1,
        }
        self.note(life);
    }

    /// Keeps what a life was told.
    fn note(&mut self, life: u64) {
        let text = std::fs::read_to_string(self.told(life)).unwrap_or_default();
        for line in text.lines() {
            let words: Vec<&str> = line.split_whitespace().collect();
            let number = |at: usize| words[at].parse::<u64>().unwrap();
            let lane = LANES.into_iter().find(|lane| lane.index() as u64 == number(1)).unwrap();
            self.accepted.entry(lane).or_default().push((life, number(2), number(3)));
        }
    }

    /// A last writer with the folder, which pushes nothing and waits until all is on the server.
    fn finish(&self) {
        self.set_full(false);
        let overflow = Overflow::Spill(Spill { folder: self.spill(), bytes_max: 1 << 30 });
        let options = Options { overflow, patience: LIMIT, ..Options::default() };
        let writer = Writer::open(&address(&self.server), &name(), &options).unwrap();
        let monitor = writer.monitor();
        writer.close().unwrap();
        assert_eq!(monitor.counts().unreadable, 0, "nothing was damaged");
        assert!(files(&self.spill()).is_empty(), "every file was replayed: {:?}", files(&self.spill()));
    }

    /// Holds what the server has against what was accepted.
    fn judge(&self) {
        let found = contents(&address(&self.server));
        assert!(faults(&found).is_empty(), "{:?}", faults(&found));
        for lane in LANES {
            let events = events_of(lane, &found);
            let place: HashMap<&[u8], usize> =
                events.iter().enumerate().map(|(at, event)| (event.as_slice(), at)).collect();
            assert_eq!(place.len(), events.len(), "lane {lane}: events are there twice");
            for (life, from, count) in self.accepted.get(&lane).into_iter().flatten() {
                for number in (*from..from + count).map(|number| life * EVENTS + number) {
                    let at = place.get(event(lane, number, 40).as_slice());
                    assert!(
                        at.is_some(),
                        "lane {lane}: event {number} of life {life} was accepted and is lost"
                    );
                }
            }
            let mut sorted = events.clone();
            sorted.sort_by_key(|event| parse(event).unwrap().time_us);
            assert_same(lane, &events, &sorted);
        }
    }
}

fn size(path: &Path) -> u64 {
    path.metadata().map_or(0, |metadata| metadata.len())
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = folder.read_dir() else { return Vec::new() };
    let paths = entries.map(|entry| entry.unwrap().path());
    paths.filter(|path| path.extension().is_some_and(|extension| extension == "spill")).collect()
}

fn lives(seed: u64) {
    let mut random = Random::new(seed);
    let mut lives = Lives {
        server: server(&[]),
        dir: tempfile::tempdir().unwrap(),
        accepted: HashMap::new(),
        killed: Killed::default(),
    };
    for life in 0..LIVES {
        lives.live(life, &mut random);
    }
    lives.finish();
    println!("seed {seed}: {:?}", lives.killed);
    lives.judge();
    // What the claim is about must have been met, and often.
    assert!(lives.killed.spilling >= 10 && lives.killed.replaying >= 10, "seed {seed}: {:?}", lives.killed);
}

#[test]
fn kills_of_the_first_seed_lose_nothing_and_repeat_nothing() {
    lives(1);
}

#[test]
fn kills_of_the_second_seed_lose_nothing_and_repeat_nothing() {
    lives(2);
}

#[test]
fn kills_of_the_third_seed_lose_nothing_and_repeat_nothing() {
    lives(3);
}

#[test]
fn kills_of_the_fourth_seed_lose_nothing_and_repeat_nothing() {
    lives(4);
}
