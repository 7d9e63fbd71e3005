//! What is claimed of a drain whose server comes back with less than it had acknowledged, when the source is asked again for what
//! was lost: nothing is lost, and nothing is in the files twice.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use fastrand::Rng;
use forebay_pipe::drain::config::Config;
use forebay_pipe::drain::destination::DestinationError;
use forebay_pipe::drain::roll::Rolling;
use forebay_pipe::drain::run::DrainError;
use forebay_pipe::drain::running::Running;
use forebay_pipe::drain::step::{Step, Steps};
use forebay_rig::server::Server;

use crate::drain_support::{append, assert_same, by_lane, config, drained, events, run};
use crate::support::{LIMIT, server};

/// A server, a network whose events it was given, and its backups, each with how many it had.
pub struct World {
    pub server: Server,
    pub all: Vec<String>,
    pub next: usize,
    /// How many of them it has.
    has: usize,
    backups: Vec<(usize, Vec<u8>)>,
}

impl World {
    pub fn new(events_max: u64) -> Self {
        Self { server: server(&[]), all: events(0..events_max), next: 0, has: 0, backups: Vec::new() }
    }

    pub fn append(&mut self, count: usize) {
        append(&self.server, &self.all[self.next..self.next + count]);
        self.next += count;
        self.has = self.next;
    }

    pub fn save(&mut self) {
        let mut connection = redis::Client::open(self.server.url()).unwrap().get_connection().unwrap();
        redis::cmd("SAVE").exec(&mut connection).unwrap();
        let backup = std::fs::read(self.server.dir().join("dump.rdb")).unwrap();
        self.backups.push((self.has, backup));
    }

    /// The server is killed and comes back with one of its backups: the last one, or one from before, or nothing.
    pub fn lose(&mut self, backup: Option<usize>) {
        self.server.kill().unwrap();
        let path = self.server.dir().join("dump.rdb");
        match backup.and_then(|backup| self.backups.get(backup)) {
            Some((has, bytes)) => {
                std::fs::write(path, bytes).unwrap();
                self.has = *has;
            }
            None => self.has = 0,
        }
        self.server.restart().unwrap();
    }

    pub fn lose_since_the_last(&mut self) {
        self.lose(self.backups.len().checked_sub(1));
    }

    /// The source gives again what was lost.
    pub fn resend(&mut self) {
        append(&self.server, &self.all[self.has..self.next]);
        self.has = self.next;
    }
}

#[test]
fn what_was_in_files_and_comes_again_is_dropped_and_what_was_lost_before_is_taken() {
    for drains_between in [false, true] {
        let (mut world, to) = (World::new(1_000), tempfile::tempdir().unwrap());
        let config = config(&world.server, to.path());
        world.append(200);
        world.save();
        world.append(300);
        run(&config).unwrap();
        world.append(100);
        world.lose_since_the_last();
        if drains_between {
            // It finds less than it has, and nothing new.
            run(&config).unwrap();
        }
        world.resend();
        world.append(200);
        let counted = run(&config).unwrap().look();
        assert_eq!((counted.repeats, counted.rows), (300, 300), "a drain between: {drains_between}");
        assert_same(&drained(to.path()), &by_lane(&world.all[..world.next]), "in all");
    }
}

#[test]
fn a_server_that_lost_all_and_a_buffer_made_anew_are_drained_on() {
    let (mut world, to) = (World::new(700), tempfile::tempdir().unwrap());
    let config = config(&world.server, to.path());
    world.append(400);
    run(&config).unwrap();
    world.lose(None);
    // What comes is new: nobody asks for what the buffer had.
    world.append(300);
    let counted = run(&config).unwrap().look();
    assert_eq!((counted.repeats, counted.rows), (0, 300));
    assert_same(&drained(to.path()), &by_lane(&world.all[..world.next]), "in all");
}

/// The newest block of `likes`: its id and its fields.
fn newest(connection: &mut redis::Connection) -> (String, Vec<Vec<u8>>) {
    let range: Vec<(String, Vec<Vec<u8>>)> = redis::cmd("XREVRANGE")
        .arg("forebay:{test.likes.0}")
        .arg(&["+", "-", "COUNT", "1"][..])
        .query(connection)
        .unwrap();
    range.into_iter().next().unwrap()
}

/// Adds a block of `likes` once more, behind all others.
fn add(connection: &mut redis::Connection, fields: &[Vec<u8>]) {
    redis::cmd("XADD").arg("forebay:{test.likes.0}").arg("*").arg(fields).exec(connection).unwrap();
}

/// Redis, killed while the end of a transaction was written, starts without what is in it, and has it again after the next
/// start: its log goes on behind. By then a writer has given the number of the block to another.
#[test]
fn a_block_that_a_server_had_lost_and_brings_back_beside_another_of_its_number_is_told() {
    for is_drained_before in [false, true] {
        let (server, to) = (server(&[]), tempfile::tempdir().unwrap());
        let all = events(0..600);
        append(&server, &all[..400]);
        let mut connection = redis::Client::open(server.url()).unwrap().get_connection().unwrap();
        let (id, lost) = newest(&mut connection);
        let field = |name: &[u8]| -> usize {
            let at = lost.iter().step_by(2).position(|field| field == name).unwrap();
            String::from_utf8_lossy(&lost[2 * at + 1]).parse().unwrap()
        };
        let (count, total, number) = (field(b"n"), field(b"e"), field(b"s"));
        redis::cmd("HSET")
            .arg("forebay:{test.likes.0}:writer")
            .arg("s")
            .arg(number - 1)
            .arg("e")
            .arg(total - count)
            .exec(&mut connection)
            .unwrap();
        let again = by_lane(&all[..400])["likes"][total - count..].to_vec();
        let remove = |connection: &mut redis::Connection, id: String| {
            redis::cmd("XDEL").arg("forebay:{test.likes.0}").arg(id).exec(connection).unwrap();
        };
        remove(&mut connection, id);
        append(&server, &again);
        let (id, other) = newest(&mut connection);
        if is_drained_before {
            run(&config(&server, to.path())).unwrap();
        } else {
            remove(&mut connection, id);
        }
        add(&mut connection, &lost);
        add(&mut connection, &other);
        append(&server, &all[400..]);
        let counted = run(&config(&server, to.path())).unwrap().look();
        assert!(counted.repeats > 0, "{counted:?}");
        assert_same(&drained(to.path()), &by_lane(&all), &format!("drained before: {is_drained_before}"));
    }
}

#[test]
fn a_server_that_lets_nobody_in_for_a_while_does_not_end_a_drain_that_runs() {
    let (server, to) = (server(&[]), tempfile::tempdir().unwrap());
    let all = events(0..600);
    append(&server, &all);
    let mut connection = redis::Client::open(server.url()).unwrap().get_connection().unwrap();
    // Once a lane is done the reader of the next one is not let in, until that was seen.
    let by_another = server.url();
    let came = Arc::new(AtomicU64::new(0));
    let count = Arc::clone(&came);
    let steps = Steps::asked(move |step| {
        if step == Step::Done && count.fetch_add(1, Relaxed) == 0 {
            let mut connection = redis::Client::open(&*by_another).unwrap().get_connection().unwrap();
            redis::cmd("CONFIG").arg("SET").arg("maxclients").arg(1).exec(&mut connection).unwrap();
        }
        true
    });
    let running = Running::start(Config { steps, ..config(&server, to.path()) });
    let deadline = Instant::now() + LIMIT;
    while number(&mut connection, "rejected_connections") == 0 {
        assert!(Instant::now() < deadline && !running.is_over(), "nobody was kept out");
        std::thread::sleep(Duration::from_millis(5));
    }
    redis::cmd("CONFIG").arg("SET").arg("maxclients").arg(1_000).exec(&mut connection).unwrap();
    running.join().unwrap();
    assert_same(&drained(to.path()), &by_lane(&all), "in all");
}

/// A number of the server's own.
fn number(connection: &mut redis::Connection, name: &str) -> u64 {
    let info: String = redis::cmd("INFO").arg("stats").query(connection).unwrap();
    let line = info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).unwrap();
    line.trim().parse().unwrap()
}

/// One drain, which may end before any step. Whether it did.
fn drain_or_end(world: &World, to: &Path, random: &mut Rng) -> bool {
    let (step, nth) = (Step::ALL[random.usize(..Step::ALL.len())], random.u64(1..6));
    let steps = if random.bool() { Steps::until(step, nth) } else { Steps::default() };
    let rolling = Rolling { file_bytes: random.u64(10_000..60_000), ..Rolling::default() };
    let mut config = config(&world.server, to);
    (config.steps, config.rolling) = (steps, rolling);
    match run(&config) {
        Ok(_) => false,
        Err(DrainError::Destination(DestinationError::Stopped(_))) => true,
        Err(error) => panic!("{error}"),
    }
}

/// Appends, losses, drains and ends in any order; how many losses there were, and how many ends.
fn play(seed: u64) -> (u64, u64) {
    let (mut world, to, mut random) = (World::new(3_000), tempfile::tempdir().unwrap(), Rng::with_seed(seed));
    let (mut losses, mut ends) = (0, 0);
    // A server without any buffer is no place for a drain.
    world.append(50);
    world.save();
    for _ in 0..14 {
        match random.u32(..10) {
            0..4 => world.append(random.usize(20..200)),
            4 => world.save(),
            5 => {
                // Mostly what was not yet on the disk, sometimes an old backup.
                let last = world.backups.len() - 1;
                world.lose(Some(if random.u32(..3) == 0 { random.usize(..=last) } else { last }));
                losses += 1;
                if random.bool() {
                    ends += u64::from(drain_or_end(&world, to.path(), &mut random));
                }
                world.resend();
            }
            _ => ends += u64::from(drain_or_end(&world, to.path(), &mut random)),
        }
    }
    run(&config(&world.server, to.path())).unwrap();
    assert_same(&drained(to.path()), &by_lane(&world.all[..world.next]), &format!("seed {seed}"));
    (losses, ends)
}

#[test]
fn whatever_comes_in_whatever_order_each_event_is_in_one_file() {
    let played: Vec<(u64, u64)> = (0..8).map(play).collect();
    let of = |count: fn(&(u64, u64)) -> u64| played.iter().map(count).sum::<u64>();
    assert!(of(|played| played.0) > 2 && of(|played| played.1) > 2, "{played:?}");
}

#[test]
#[ignore = "nightly"]
fn nightly_drains_of_servers_that_lose_in_a_thousand_orders() {
    let threads: Vec<_> = (0..4)
        .map(|thread| {
            std::thread::spawn(move || (0..250).map(|seed| play(1_000 * (thread + 1) + seed)).collect())
        })
        .collect();
    let played: Vec<(u64, u64)> =
        threads.into_iter().flat_map(|thread| -> Vec<(u64, u64)> { thread.join().unwrap() }).collect();
    let of = |count: fn(&(u64, u64)) -> u64| played.iter().map(count).sum::<u64>();
    println!("{} plays, {} losses, {} ends", played.len(), of(|played| played.0), of(|played| played.1));
}
