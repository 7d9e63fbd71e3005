//! What the tests of ingest share: a network of our own, a server of our own, an ingest on a thread, and the ledger: every event
//! of the network by what it is, against every event that the buffer hands out.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use forebay::block::decode::Decoder;
use forebay::block::frame::lines;
use forebay::buffer::connect::Address;
use forebay::buffer::keys::Name;
use forebay::buffer::reader::{self, ReadItem, Reader};
use forebay::buffer::writer::Options;
use forebay_pipe::ingest::{Config, Counted, Counts, Filter, Host, IngestError, Listener, Until, ingest};
use forebay_rig::jetstream::{Form, Protocol, Simulator};
use forebay_rig::server::{Server, ServerBinary};
use serde_json::Value;

/// How long a condition may take to come true. Only failures take this long.
pub const LIMIT: Duration = Duration::from_secs(60);

/// For how long nothing comes where nothing is left.
const SILENCE: Duration = Duration::from_millis(500);

pub fn server(settings: &[(&str, &str)]) -> Server {
    let plain = [("appendonly", "no"), ("save", ""), ("requirepass", "")];
    let conf = plain.iter().chain(settings).copied().collect();
    Server::start(&ServerBinary::find(None).unwrap(), &conf).unwrap()
}

pub fn set(server: &Server, setting: &str, value: &str) {
    let mut connection = redis::Client::open(server.url()).unwrap().get_connection().unwrap();
    redis::cmd("CONFIG").arg("SET").arg(setting).arg(value).exec(&mut connection).unwrap();
}

pub fn config(server: &Server, urls: &[String]) -> Config {
    Config {
        hosts: urls.iter().map(|url| Host::parse(url).unwrap()).collect(),
        file: None,
        is_lines: false,
        filter: Filter::default(),
        compress: false,
        dictionary: None,
        since_us: Some(1),
        event_bytes_max: 1 << 20,
        until: Until::default(),
        address: Address::parse(&server.url()).unwrap(),
        name: "test".parse().unwrap(),
        options: Options::default(),
        patience: LIMIT,
        silence: Duration::from_secs(1),
        sabotage: None,
    }
}

/// What an ingest said.
#[derive(Debug, Default)]
pub struct Heard {
    pub refused: Vec<String>,
    pub remarks: Vec<String>,
}

impl Listener for Heard {
    fn refused(&mut self, _: &[u8], why: &str) {
        self.refused.push(why.into());
    }

    fn remark(&mut self, text: &str) {
        self.remarks.push(text.into());
    }
}

/// An ingest on a thread.
pub struct Running {
    pub counts: Arc<Counts>,
    stop: Arc<AtomicBool>,
    thread: JoinHandle<(Result<Counted, IngestError>, Heard)>,
}

impl Running {
    pub fn start(config: Config) -> Self {
        let (counts, stop) = (Arc::new(Counts::default()), Arc::new(AtomicBool::new(false)));
        let (heard, halt) = (Arc::clone(&counts), Arc::clone(&stop));
        let thread = std::thread::spawn(move || {
            let mut hear = Heard::default();
            let outcome = ingest(&config, &heard, &halt, &mut hear);
            (outcome, hear)
        });
        Self { counts, stop, thread }
    }

    /// Waits until it has taken so many events, or has ended.
    pub fn wait_for(&self, events: u64) {
        let since = Instant::now();
        while self.counts.look().pushed < events && !self.thread.is_finished() {
            assert!(since.elapsed() < LIMIT, "{:?}", self.counts.look());
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Waits until it has ended by itself.
    pub fn wait(&self) {
        let since = Instant::now();
        while !self.thread.is_finished() {
            assert!(since.elapsed() < LIMIT, "{:?}", self.counts.look());
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Waits until nothing has come for a while.
    pub fn wait_for_silence(&self) {
        let (mut received, mut since) = (self.counts.look().received, Instant::now());
        while since.elapsed() < SILENCE {
            std::thread::sleep(Duration::from_millis(20));
            let now = self.counts.look().received;
            if now != received {
                (received, since) = (now, Instant::now());
            }
        }
    }

    /// Whether it has ended by itself.
    pub fn is_finished(&self) -> bool {
        self.thread.is_finished()
    }

    /// Tells it to stop, and what it came to.
    pub fn end(self) -> (Result<Counted, IngestError>, Heard) {
        self.stop.store(true, Relaxed);
        self.thread.join().unwrap()
    }
}

/// Does something for each of several cases side by side: they wait most of the time.
pub fn for_each<T: Send>(cases: impl IntoIterator<Item = T>, work: impl Fn(T) + Sync) {
    std::thread::scope(|scope| {
        let running: Vec<_> = cases.into_iter().map(|case| scope.spawn(|| work(case))).collect();
        let failed: Vec<_> = running.into_iter().filter_map(|thread| thread.join().err()).collect();
        if let Some(why) = failed.into_iter().next() {
            std::panic::resume_unwind(why);
        }
    });
}

/// Waits until something is so.
pub fn until(what: &str, running: &Running, mut is_so: impl FnMut(&Counted) -> bool) {
    let since = Instant::now();
    while !is_so(&running.counts.look()) {
        assert!(since.elapsed() < LIMIT, "waited for {what}: {:?}", running.counts.look());
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// What is the same of an event whichever host sends it.
pub fn identity(line: &[u8]) -> String {
    let Ok(value) = serde_json::from_slice::<Value>(line) else {
        return String::from_utf8_lossy(line).into();
    };
    let text = |pointer: &str| value.pointer(pointer).map(Value::to_string).unwrap_or_default();
    match value["kind"].as_str() {
        Some("commit") => ["/did", "/commit/rev", "/commit/collection", "/commit/rkey", "/commit/operation"]
            .map(text)
            .join(" "),
        Some(kind) => format!("{} {kind} {}", text("/did"), text(&format!("/{kind}/seq"))),
        None => String::from_utf8_lossy(line).into(),
    }
}

/// Every event that a buffer hands out, by lane and in its order.
pub fn read_all(server: &Server) -> Vec<Vec<Vec<u8>>> {
    let address = Address::parse(&server.url()).unwrap();
    let name: Name = "test".parse().unwrap();
    let options =
        reader::Options { lanes: Vec::new(), group: None, ahead: false, claim_idle: LIMIT, patience: LIMIT };
    let mut reader = Reader::open(&address, &name, options).unwrap();
    let mut lanes: Vec<Vec<Vec<u8>>> = name.lanes().defaults();
    let mut decoder = Decoder::of(name.events()).unwrap();
    loop {
        let items = reader.next(Duration::ZERO).unwrap();
        if items.is_empty() {
            return lanes;
        }
        for item in items {
            match item {
                ReadItem::Block(lane, entry) => {
                    let content = decoder.open(entry.sealed()).unwrap();
                    lanes[lane.index()].extend(lines(content).map(<[u8]>::to_vec));
                }
                other => panic!("{other:?}"),
            }
        }
    }
}

/// What became of the events of a network from one index up to another.
#[derive(Default, PartialEq, Eq)]
pub struct Ledger {
    pub lost: Vec<u64>,
    pub twice: Vec<u64>,
    /// Events that came after a later one of their lane.
    pub out_of_order: Vec<u64>,
    /// Events that the network never had.
    pub strange: Vec<String>,
}

/// The first and the last of each, and how many.
impl std::fmt::Debug for Ledger {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let of = |of: &[u64]| format!("{} {:?}", of.len(), of.first().zip(of.last()));
        let Self { lost, twice, out_of_order, strange } = self;
        write!(
            f,
            "lost {}, twice {}, out of order {}, strange {strange:?}",
            of(lost),
            of(twice),
            of(out_of_order)
        )
    }
}

impl Ledger {
    pub fn of(simulator: &Simulator, server: &Server, from: u64, to: u64) -> Self {
        let owed: HashMap<String, u64> =
            (from..to).map(|index| (identity(&simulator.line(index, Form::V1)), index)).collect();
        assert_eq!(owed.len() as u64, to - from, "events of the network are told apart");
        let mut seen: HashMap<u64, u64> = HashMap::new();
        let mut ledger = Self::default();
        for lane in read_all(server) {
            let mut latest = None;
            for line in lane {
                let Some(index) = owed.get(&identity(&line)).copied() else {
                    ledger.strange.push(String::from_utf8_lossy(&line).chars().take(200).collect());
                    continue;
                };
                if *seen.entry(index).and_modify(|times| *times += 1).or_insert(1) > 1 {
                    ledger.twice.push(index);
                } else if latest.is_some_and(|latest| index < latest) {
                    ledger.out_of_order.push(index);
                }
                latest = latest.max(Some(index));
            }
        }
        ledger.lost = (from..to).filter(|index| !seen.contains_key(index)).collect();
        ledger
    }

    pub fn is_clean(&self) -> bool {
        *self == Self::default()
    }
}

/// Where a host sends its events.
pub fn urls(simulator: &Simulator, protocol: Protocol, has_own_stream: bool) -> Vec<String> {
    let path = match protocol {
        Protocol::V2 if has_own_stream => "/xrpc/network.bsky.jetstream.subscribeEvents",
        _ => "/subscribe",
    };
    vec![format!("{}{path}", simulator.url())]
}
