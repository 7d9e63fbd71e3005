//! What the tests of ingest share: a network of our own, a server of our own, waits for an ingest on a thread, and the ledger of
//! what its buffer hands out.

use std::time::{Duration, Instant};

use forebay::block::decode::Decoder;
use forebay::block::frame::lines;
use forebay::buffer::connect::Address;
use forebay::buffer::keys::Name;
use forebay::buffer::reader::{self, ReadItem, Reader};
use forebay::buffer::writer::Options;
use forebay_pipe::ingest::running::Running;
use forebay_pipe::ingest::{Config, Counted, Filter, Host, Until};
use forebay_rig::jetstream::{Form, IngestLedger, Protocol, Simulator};
use forebay_rig::server::{Server, ServerBinary};

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
        silence: Duration::from_secs(5),
        sabotage: None,
    }
}

/// What tests wait for.
pub trait Waits {
    /// Waits until it has taken so many events, or has ended.
    fn wait_for(&self, events: u64);

    /// Waits until it has ended by itself.
    fn wait(&self);

    /// Waits until nothing has come for a while.
    fn wait_for_silence(&self);
}

impl Waits for Running {
    fn wait_for(&self, events: u64) {
        let since = Instant::now();
        while self.counts.look().pushed < events && !self.is_over() {
            assert!(since.elapsed() < LIMIT, "{:?}", self.counts.look());
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    fn wait(&self) {
        let since = Instant::now();
        while !self.is_over() {
            assert!(since.elapsed() < LIMIT, "{:?}", self.counts.look());
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    fn wait_for_silence(&self) {
        let (mut received, mut since) = (self.counts.look().received, Instant::now());
        while since.elapsed() < SILENCE {
            std::thread::sleep(Duration::from_millis(20));
            let now = self.counts.look().received;
            if now != received {
                (received, since) = (now, Instant::now());
            }
        }
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
pub fn ledger_of(simulator: &Simulator, server: &Server, from: u64, to: u64) -> IngestLedger {
    let mut ledger = IngestLedger::new(from..to, |index| simulator.line(index, Form::V1)).unwrap();
    for (lane, events) in read_all(server).into_iter().enumerate() {
        for line in &events {
            ledger.read(lane, line);
        }
    }
    ledger
}

/// Where a host sends its events.
pub fn urls(simulator: &Simulator, protocol: Protocol, has_own_stream: bool) -> Vec<String> {
    let path = match protocol {
        Protocol::V2 if has_own_stream => "/xrpc/network.bsky.jetstream.subscribeEvents",
        _ => "/subscribe",
    };
    vec![format!("{}{path}", simulator.url())]
}
