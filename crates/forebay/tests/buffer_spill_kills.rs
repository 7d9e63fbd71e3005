//! What is claimed of `spill` when its writer is killed: at 200 moments of spilling and replaying, chosen by a seed,
//! nothing that was accepted is lost, nothing is stored twice, and every lane keeps its order.
//!
//! One buffer and one folder see many short lives of a writer, each a process of its own: this binary, called for the
//! ignored test below. It writes what its listener hears to a file, line by line; the parent makes the server full and
//! gives it room, and kills each life once so much was heard or stored. What counts is looked at after the kill.

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use forebay::buffer::connect::Address;
use forebay::buffer::overflow::{Fate, FateReport, Listener, Overflow, Spill};
use forebay::buffer::writer::{Options, Writer};
use forebay::event::jetstream;
use forebay::event::lane::Lane;
use forebay::event::parse::parse;
use forebay_rig::server::Server;

use crate::support::*;

/// Kills.
const LIVES: u64 = 200;

/// Kills that must fall into each phase.
const EACH_MIN: u64 = 30;

/// Lanes that are written to.
const LANES: [Lane; 2] = [jetstream::POSTS, jetstream::LIKES];

/// Events of a lane that a life may push; the number of an event is its life's times this, and its own.
const EVENTS: u64 = 250;

/// Events of a life that may be open: so that a kill meets all of reading, spilling and sending.
const OPEN_MAX: u64 = 60;

/// Bytes of an event beyond its fields.
const PADDING: usize = 200;

/// Small enough that a life fills more than one file.
const SPILL_MAX: u64 = 2 << 20;

/// Names what a life is to do: URL, spill folder, file for what it hears, its number.
const ORDERS: &str = "FOREBAY_TEST_SPILL_LIFE";

fn spilling(folder: &Path) -> Options {
    let spill = Spill { folder: folder.into(), bytes_max: SPILL_MAX };
    Options { overflow: Overflow::Spill(spill), ..taking_over(3, 3) }
}

#[test]
#[ignore = "a process of the test below"]
fn a_life_of_a_writer() {
    let Ok(orders) = std::env::var(ORDERS) else { return };
    let [url, folder, heard, life]: [&str; 4] = orders.split('\n').collect::<Vec<_>>().try_into().unwrap();
    let life: u64 = life.parse().unwrap();
    // Ends with its parent, however that ends.
    std::thread::spawn(|| {
        let _ = std::io::stdin().read(&mut [0]);
        std::process::exit(0);
    });
    let heard = Mutex::new(OpenOptions::new().append(true).open(heard).unwrap());
    let hear = move |told: FateReport| {
        let line = format!("{:?} {} {} {}\n", told.fate, told.lane, told.from, told.events);
        heard.lock().unwrap().write_all(line.as_bytes()).unwrap();
    };
    let options = Options { listener: Some(Listener(Arc::new(hear))), ..spilling(Path::new(folder)) };
    let mut writer = open(&Address::parse(url).unwrap(), &options);
    let monitor = writer.monitor();
    for number in 0..EVENTS {
        for lane in LANES {
            let event = event(lane, life * EVENTS + number, PADDING);
            writer.push_at(&parse(&event).unwrap(), Duration::ZERO).unwrap();
        }
        until("not too much is open", || monitor.counts().open() < OPEN_MAX);
    }
    // Half of the lives may be killed while they close.
    if life.is_multiple_of(2) {
        writer.close().unwrap();
    } else {
        writer.flush().unwrap();
        until("the parent has seen enough", || false);
    }
}

/// A life under way.
struct Life {
    process: Child,
    heard: File,
    rest: String,
    /// Events of each lane that were heard to be accepted: the first so many.
    accepted: [u64; LANES.len()],
    spilled: u64,
}

impl Life {
    fn begin(server: &Server, dir: &Path, life: u64) -> Self {
        let heard = dir.join(format!("heard-{life}"));
        File::create(&heard).unwrap();
        let orders = format!("{}\n{}\n{}\n{life}", server.url(), spill(dir).display(), heard.display());
        let process = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "buffer_spill_kills::a_life_of_a_writer", "--ignored", "--nocapture"])
            .env(ORDERS, orders)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::inherit())
            .spawn()
            .unwrap();
        let heard = File::open(heard).unwrap();
        Self { process, heard, rest: String::new(), accepted: [0; LANES.len()], spilled: 0 }
    }

    /// Takes in what was heard since.
    fn hear(&mut self) {
        self.heard.read_to_string(&mut self.rest).unwrap();
        while let Some(end) = self.rest.find('\n') {
            let line: String = self.rest.drain(..=end).collect();
            let [fate, lane, from, events]: [&str; 4] =
                line.split_whitespace().collect::<Vec<_>>().try_into().unwrap();
            let (from, events): (u64, u64) = (from.parse().unwrap(), events.parse().unwrap());
            let at = LANES.iter().position(|known| known.name() == lane).unwrap();
            if fate == format!("{:?}", Fate::Spilled) {
                self.spilled += events;
            }
            // Blocks are told in order, and nothing before one that is accepted may be lost.
            assert!(from <= self.accepted[at] || fate == "Acknowledged", "{line}");
            self.accepted[at] = self.accepted[at].max(from + events);
        }
    }

    /// Waits until `is_so`, or until the life has ended by itself.
    fn until(&mut self, what: &str, mut is_so: impl FnMut(&Self) -> bool) {
        let started = Instant::now();
        loop {
            self.hear();
            if is_so(self) || self.process.try_wait().unwrap().is_some() {
                return;
            }
            assert!(started.elapsed() < LIMIT, "not within {LIMIT:?}: {what}");
            std::thread::sleep(Duration::from_micros(200));
        }
    }

    /// Whether it was killed, and had not ended before.
    fn kill(&mut self) -> bool {
        self.process.kill().unwrap();
        let ended = self.process.wait().unwrap();
        self.hear();
        assert!(self.rest.is_empty(), "half a line: {:?}", self.rest);
        assert!(ended.success() || ended.code().is_none(), "a life failed: {ended}");
        ended.code().is_none()
    }
}

fn spill(dir: &Path) -> PathBuf {
    dir.join("spill")
}

/// Events that the server has.
fn stored(connection: &mut redis::Connection) -> u64 {
    let ever = |lane| redis::cmd("HGET").arg(name().writer(lane)).arg("e").query(connection).unwrap();
    LANES.map(ever).into_iter().map(|ever: Option<u64>| ever.unwrap_or(0)).sum()
}

fn limit_memory(connection: &mut redis::Connection, bytes: u64) {
    let mut command = redis::cmd("CONFIG");
    command.arg("SET").arg("maxmemory").arg(bytes).exec(connection).unwrap();
}

/// How many events of each life a lane holds, once the order is right and nothing is there twice.
fn of_each_life(lane: Lane, events: &[Vec<u8>], seed: u64) -> Vec<u64> {
    let mut counts = vec![0; LIVES as usize];
    let mut before = None;
    for found in events {
        let text = std::str::from_utf8(found).unwrap();
        let number: u64 = text["{\"did\":\"did:plc:".len()..].split('"').next().unwrap().parse().unwrap();
        assert!(before < Some(number), "seed {seed}: lane {lane} has {number} after {before:?}");
        assert!(
            *found == event(lane, number, PADDING),
            "seed {seed}: lane {lane}, event {number} is another one"
        );
        before = Some(number);
        let count = &mut counts[(number / EVENTS) as usize];
        assert!(
            number % EVENTS == *count,
            "seed {seed}: lane {lane} has no event {} before {number}",
            *count
        );
        *count += 1;
    }
    counts
}

#[test]
fn a_kill_at_any_moment_of_spilling_or_replaying_loses_nothing_accepted_and_repeats_nothing() {
    const SEED: u64 = 5;
    let (server, dir) = (server(&[]), tempfile::tempdir().unwrap());
    let mut control = connection(&server);
    let mut random = Random::new(SEED);
    let mut accepted = Vec::new();
    let (mut spilling_hit, mut replaying_hit, mut both, mut owed_max) = (0, 0, 0, 0);
    let mut owed = 0;
    for number in 0..LIVES {
        // Too much in the folder would hold the source back, which is another test's.
        let kind = if owed > 1_000 { 1 + random.below(2) } else { random.below(3) };
        let is_full_at_first = kind < 2;
        limit_memory(&mut control, u64::from(is_full_at_first));
        let before = stored(&mut control);
        let mut life = Life::begin(&server, dir.path(), number);
        let spilled = 1 + random.below(200);
        let more = random.below(100 + owed);
        if is_full_at_first {
            life.until("enough is spilled", |life| life.spilled >= spilled);
        }
        if kind > 0 {
            limit_memory(&mut control, 0);
            life.until("enough is stored", |_| stored(&mut control) >= before + more);
        }
        let was_killed = life.kill();
        let now = stored(&mut control);
        accepted.push(life.accepted);
        let all: u64 = accepted.iter().flatten().sum();
        // What is stored and was not heard of makes it less than it is, never more.
        owed = all.saturating_sub(now);
        owed_max = owed_max.max(owed);
        spilling_hit += u64::from(was_killed && kind == 0 && life.spilled > 0);
        replaying_hit += u64::from(was_killed && kind > 0 && now > before && owed > 0);
        both += u64::from(was_killed && now > before && owed > 0 && life.spilled > 0);
    }
    println!(
        "seed {SEED}: {spilling_hit} kills while spilling, {replaying_hit} while replaying, {both} of a life that did both, \
         at most {owed_max} events waited on disk"
    );
    assert!(spilling_hit >= EACH_MIN && replaying_hit >= EACH_MIN, "{spilling_hit} {replaying_hit}");

    // The last life pushes nothing: it stores what the others have left.
    limit_memory(&mut control, 0);
    let counts =
        Writer::open(&address(&server), &name(), &spilling(&spill(dir.path()))).unwrap().close().unwrap();
    assert_eq!((counts.pushed, counts.unreadable), (0, 0), "seed {SEED}");
    let left: Vec<_> =
        std::fs::read_dir(spill(dir.path())).unwrap().map(|file| file.unwrap().path()).collect();
    let is_spill = |path: &&PathBuf| path.extension().is_some_and(|end| end == "spill" || end == "damaged");
    assert_eq!(left.iter().find(is_spill), None, "seed {SEED}");
    let found = contents(&address(&server));
    assert!(faults(&found).is_empty(), "seed {SEED}: {:?}", faults(&found));
    for (at, lane) in LANES.into_iter().enumerate() {
        let counts = of_each_life(lane, &events_of(lane, &found), SEED);
        for (life, (found, accepted)) in counts.iter().zip(&accepted).enumerate() {
            let accepted = accepted[at];
            assert!(
                *found >= accepted,
                "seed {SEED}: lane {lane} has {found} of {accepted} accepted events of life {life}"
            );
        }
    }
}
