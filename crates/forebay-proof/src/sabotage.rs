//! What controls do to a server of their own, so that a proof has something to refute.

use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, bounded};
use redis::Script;

use super::progress::Progress;
use forebay::buffer::connect::Address;
use forebay::buffer::keys::Name;
use forebay_watch::profile::Load;

/// Each of somebody else's scripts takes at least this: so the server turns to each connection once in this time.
pub const SCRIPT: Duration = Duration::from_millis(120);

/// A script that does nothing for a while.
const IDLE: &str = "local n = 0 for i = 1, tonumber(ARGV[1]) do n = n + i % 7 end return n";

/// Rounds of the first script, which grow until one takes [`SCRIPT`].
const ROUNDS: u64 = 100_000;

/// How long the first script that takes its time may be waited for.
const BUSY_WITHIN: Duration = Duration::from_secs(30);

/// The profile's load with lines that the harm done here is sure to cross, however wide the profile's own are: where a
/// server answers at most 417 of 1,000 requests a second for two seconds, half of them wait for over a second, and a few of
/// a shorter run too.
pub fn crossable(load: &Load) -> Load {
    Load {
        p50_max: load.p50_max.min(Duration::from_millis(100)),
        p95_max: load.p95_max.min(Duration::from_millis(100)),
        p99_max: load.p99_max.min(Duration::from_millis(250)),
        ..load.clone()
    }
}

/// Keeps the server busy with scripts until `is_over`; `begun` hears when the first has taken as long as it should.
pub fn keep_busy(address: &Address, is_over: &AtomicBool, begun: &Sender<()>) -> anyhow::Result<()> {
    let mut connection = address.dial()?;
    let script = Script::new(IDLE);
    let mut rounds = ROUNDS;
    while !is_over.load(Relaxed) && !forebay_rig::server::ending() {
        let started = Instant::now();
        script.arg(rounds).invoke::<i64>(&mut connection)?;
        if started.elapsed() < SCRIPT {
            rounds = rounds.saturating_mul(2);
        } else {
            // Nobody may be listening, or may have heard it before.
            let _ = begun.try_send(());
        }
    }
    Ok(())
}

/// What comes of work on a server that is kept busy: from before it begins until it is over.
pub fn while_busy<T>(address: &Address, work: impl FnOnce() -> anyhow::Result<T>) -> anyhow::Result<T> {
    let (is_over, (begun, is_busy)) = (AtomicBool::new(false), bounded(1));
    std::thread::scope(|scope| {
        let busy = scope.spawn(|| {
            // Dropped with the thread, so that nobody waits for one that has failed.
            let begun = begun;
            keep_busy(address, &is_over, &begun)
        });
        let done = is_busy
            .recv_timeout(BUSY_WITHIN)
            .map_err(|why| {
                anyhow::anyhow!("no script has kept the server busy within {BUSY_WITHIN:?}: {why}")
            })
            .and_then(|()| work());
        is_over.store(true, Relaxed);
        // Proof: it has nothing that panics; if it does, so may we.
        busy.join().expect("a thread that keeps a server busy")?;
        done
    })
}

/// Answers a second that so many connections get from a server that is kept busy, at the most.
pub fn busy_rate(connections: usize) -> f64 {
    connections as f64 / SCRIPT.as_secs_f64()
}

/// What a server that is kept busy is called.
pub fn busy(connections: usize) -> String {
    format!(
        "a server busy with somebody else's scripts of {} ms: at most {:.0} answers/s",
        SCRIPT.as_millis(),
        busy_rate(connections)
    )
}

/// Overwrites the first two values of each of the load's connections, where they are set.
pub fn overwrite(address: &Address, name: &Name, connections: usize) -> anyhow::Result<()> {
    let mut all = redis::pipe();
    for index in 0..connections {
        for slot in 0..2 {
            all.cmd("SET").arg(name.load_value(index, slot)).arg("changed").arg("XX").ignore();
        }
    }
    all.query::<()>(&mut address.dial()?)?;
    Ok(())
}

impl Ticks<'_> {
    /// A second has ended.
    pub fn tick(&self, second: u64) {
        // Nobody listens any more: then there is nothing left to do.
        let _ = self.to.send(second);
    }
}

/// Tells another thread of every second of a run.
pub struct Ticks<'a> {
    /// Where to.
    pub to: Sender<u64>,
    /// Who else listens.
    pub listener: &'a dyn Progress,
}

impl Progress for Ticks<'_> {
    fn begin(&self, what: &str, total: u64) {
        self.listener.begin(&format!("control: {what}"), total);
    }

    fn at(&self, done: u64) {
        self.listener.at(done);
        self.tick(done);
    }
}

/// The next second that ends; none once the run is over.
pub fn next_second(ticks: &Receiver<u64>, is_over: &AtomicBool) -> Option<u64> {
    while !is_over.load(Relaxed) {
        if let Ok(second) = ticks.recv_timeout(Duration::from_millis(100)) {
            return Some(second);
        }
    }
    None
}
