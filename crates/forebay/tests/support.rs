//! What the tests of the buffer share: servers, events that can be told apart, a ledger of what was pushed, and a
//! source that pushes on a thread of its own.

#![allow(clippy::unwrap_used, reason = "helpers of tests may unwrap as tests do")]

use std::fmt::Debug;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use forebay::block::decode::Decoder;
use forebay::block::encode::{Encoder, Encoding, Wanted};
use forebay::block::frame::{Block, Draft, lines};
use forebay::buffer::batch::Limits;
use forebay::buffer::connect::Address;
use forebay::buffer::entry::{Entry, Id};
use forebay::buffer::error::Error;
use forebay::buffer::keys::Name;
use forebay::buffer::reader::{self, ReadItem, Reader};
use forebay::buffer::writer::{self, Counts, Monitor, Writer};
use forebay::event::jetstream;
use forebay::event::lane::Lane;
use forebay::event::parse::parse;
use forebay::event::stream::Stream;
use forebay_rig::server::fault::network::Proxy;
use forebay_rig::server::{Server, ServerBinary};

/// The block that a writer of Jetstream's events makes of a draft, in the encoding that is asked for.
pub fn encode(draft: &Draft, wanted: Wanted) -> Block {
    let how = Encoding { wanted, ..Encoding::default() };
    Encoder::of(Stream::jetstream(), how).unwrap().encode(draft).unwrap().0
}

/// How long a condition may take to come true. Only failures take this long.
pub const LIMIT: Duration = Duration::from_secs(90);

/// A server that gave an answer within that was not away.
const STALL: Duration = Duration::from_secs(1);

/// What a writer left in its folder, it may have left because the server gave no answer for a while, and for nothing else.
pub fn assert_stalled(opened: Instant, left: &impl Debug) {
    assert!(opened.elapsed() >= STALL, "left at once: {left:?}");
}

/// What a consumer may hold for as long as any test runs.
pub const NEVER: Duration = Duration::from_secs(3_600);

pub fn server(settings: &[(&str, &str)]) -> Server {
    // Without a password: many tests reach it by its port.
    let plain = [("appendonly", "no"), ("save", ""), ("requirepass", "")];
    let conf = plain.iter().chain(settings).copied().collect();
    Server::start(&ServerBinary::find(None).unwrap(), &conf).unwrap()
}

pub fn address(server: &Server) -> Address {
    Address::parse(&server.url()).unwrap()
}

/// A proxy before a server, and where to connect to instead.
pub fn proxy(server: &Server) -> (Proxy, Address) {
    let proxy = Proxy::start("127.0.0.1", server.port()).unwrap();
    let address = Address::parse(&proxy.url()).unwrap();
    (proxy, address)
}

pub fn name() -> Name {
    "test".parse().unwrap()
}

pub fn connection(server: &Server) -> redis::Connection {
    let client = redis::Client::open(server.url()).unwrap();
    let connection = client.get_connection_with_timeout(LIMIT).unwrap();
    connection.set_read_timeout(Some(LIMIT)).unwrap();
    connection
}

/// A command, word by word.
pub fn ask<T: redis::FromRedisValue>(server: &Server, command: &str) -> redis::RedisResult<T> {
    let mut words = command.split_whitespace();
    let mut command = redis::cmd(words.next().unwrap());
    command.arg(words.collect::<Vec<_>>()).query(&mut connection(server))
}

/// A command whose answer does not matter as long as it is no error.
pub fn tell(server: &Server, command: &str) {
    ask::<redis::Value>(server, command).unwrap();
}

/// A field of INFO.
pub fn info(server: &Server, field: &str) -> String {
    let info: String = ask(server, "INFO").unwrap();
    let line = info.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
    line.unwrap_or_else(|| panic!("no {field} in INFO")).trim_end().into()
}

pub fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let started = Instant::now();
    while !condition() {
        assert!(started.elapsed() < LIMIT, "not within {LIMIT:?}: {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// The same numbers for the same seed.
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    pub fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % bound
    }
}

/// The event of a lane with this number: a function of both, hard to compress.
pub fn event(lane: Lane, number: u64, padding: usize) -> Vec<u8> {
    let collection = match lane {
        jetstream::POSTS => "app.bsky.feed.post",
        jetstream::LIKES => "app.bsky.feed.like",
        jetstream::REPOSTS => "app.bsky.feed.repost",
        jetstream::FOLLOWS => "app.bsky.graph.follow",
        jetstream::BLOCKS => "app.bsky.graph.block",
        _ => "app.bsky.actor.profile",
    };
    let mut random = Random::new(number * 8 + lane.index() as u64);
    let padding: String = (0..padding).map(|_| char::from(b'!' + 4 + random.below(50) as u8)).collect();
    let time_us = 1_700_000_000_000_000 + number;
    format!(
        r#"{{"did":"did:plc:{number}","time_us":{time_us},"kind":"commit","commit":{{"operation":"create","collection":"{collection}","rkey":"k","record":{{"text":"{padding}"}}}}}}"#
    )
    .into_bytes()
}

/// Every event pushed, by lane, in order.
#[derive(Default)]
pub struct Ledger {
    pub lanes: [Vec<Vec<u8>>; jetstream::ALL.len()],
    pub padding: usize,
}

impl Ledger {
    /// Makes the lane's next event and pushes it.
    pub fn push(&mut self, writer: &mut Writer, lane: Lane) -> Result<(), Error> {
        let events = &mut self.lanes[lane.index()];
        events.push(event(lane, events.len() as u64, self.padding));
        writer.push_at(&parse(&events[events.len() - 1]).unwrap(), Duration::ZERO).map(drop)
    }

    /// Pushes so many events of one lane and cuts what is left over.
    pub fn push_many(&mut self, writer: &mut Writer, lane: Lane, count: u64) -> Result<(), Error> {
        (0..count).try_for_each(|_| self.push(writer, lane))?;
        writer.flush()
    }

    pub fn lane(&self, lane: Lane) -> &[Vec<u8>] {
        &self.lanes[lane.index()]
    }
}

pub fn options(events_max: u64, in_flight: usize) -> writer::Options {
    let limits = Limits { events_max, bytes_max: 256 << 10, linger: LIMIT };
    writer::Options { limits, in_flight, patience: LIMIT, ..writer::Options::default() }
}

/// The same for a writer that takes the buffer from whoever has it.
pub fn taking_over(events_max: u64, in_flight: usize) -> writer::Options {
    writer::Options { takes_over: true, ..options(events_max, in_flight) }
}

pub fn open(address: &Address, options: &writer::Options) -> Writer {
    Writer::open(address, &name(), options).unwrap()
}

/// A writer and its ledger on a thread of their own: pushes as many events as it was granted, of all lanes.
pub struct Source {
    pub monitor: Monitor,
    granted: Arc<AtomicU64>,
    ended: Arc<AtomicBool>,
    thread: JoinHandle<(Ledger, Writer, Option<Error>)>,
}

impl Source {
    pub fn start(mut writer: Writer, seed: u64, padding: usize) -> Self {
        let (granted, ended) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
        let (until_granted, until_ended) = (Arc::clone(&granted), Arc::clone(&ended));
        let monitor = writer.monitor();
        let thread = std::thread::spawn(move || {
            let (mut random, mut pushed) = (Random::new(seed), 0);
            let mut ledger = Ledger { padding, ..Ledger::default() };
            loop {
                // Looked at before the grant, so that nothing granted before the end is left out.
                let is_end = until_ended.load(Relaxed);
                while pushed < until_granted.load(Relaxed) {
                    let lane = jetstream::ALL[random.below(jetstream::ALL.len() as u64) as usize];
                    if let Err(error) = ledger.push(&mut writer, lane) {
                        return (ledger, writer, Some(error));
                    }
                    pushed += 1;
                }
                match writer.flush() {
                    Err(error) => return (ledger, writer, Some(error)),
                    Ok(()) if is_end => return (ledger, writer, None),
                    Ok(()) => std::thread::sleep(Duration::from_millis(1)),
                }
            }
        });
        Self { monitor, granted, ended, thread }
    }

    pub fn grant(&self, events: u64) {
        self.granted.fetch_add(events, Relaxed);
    }

    pub fn granted(&self) -> u64 {
        self.granted.load(Relaxed)
    }

    /// Whether the writer has ended with an error.
    pub fn is_over(&self) -> bool {
        self.thread.is_finished()
    }

    pub fn until_acknowledged(&self, events: u64) {
        until(&format!("{events} events are acknowledged"), || {
            assert!(!self.is_over(), "the writer has ended");
            self.monitor.counts().acknowledged >= events
        });
    }

    /// Pushes what was granted, as far as the writer goes; the ledger and the writer, not yet closed.
    pub fn stop(self) -> (Ledger, Writer, Option<Error>) {
        self.ended.store(true, Relaxed);
        self.thread.join().unwrap()
    }

    /// Pushes all that was granted and closes the writer.
    pub fn finish(self) -> (Ledger, Counts) {
        let (ledger, writer, error) = self.stop();
        assert!(error.is_none(), "{error:?}");
        (ledger, writer.close().unwrap())
    }
}

pub fn read_options(lanes: &[Lane], group: Option<(&str, &str)>) -> reader::Options {
    let group = group.map(|(group, consumer)| (group.to_owned(), consumer.to_owned()));
    reader::Options {
        lanes: lanes.iter().map(ToString::to_string).collect(),
        group,
        ahead: false,
        claim_idle: NEVER,
        patience: LIMIT,
    }
}

/// A reader of the likes.
pub fn likes(address: &Address, group: Option<(&str, &str)>) -> Reader {
    Reader::open(address, &name(), read_options(&[jetstream::LIKES], group)).unwrap()
}

/// Everything that a reader finds by now.
pub fn drain(reader: &mut Reader) -> Vec<ReadItem> {
    let mut all = Vec::new();
    loop {
        let found = reader.next(Duration::ZERO).unwrap();
        if found.is_empty() {
            return all;
        }
        all.extend(found);
    }
}

pub fn places(found: &[ReadItem]) -> Vec<(Lane, Id)> {
    found
        .iter()
        .filter_map(|found| match found {
            ReadItem::Block(lane, entry) => Some((*lane, entry.id)),
            _ => None,
        })
        .collect()
}

pub fn entries(found: &[ReadItem]) -> Vec<&Entry> {
    found
        .iter()
        .filter_map(|found| match found {
            ReadItem::Block(_, entry) => Some(entry),
            _ => None,
        })
        .collect()
}

pub fn numbers(found: &[ReadItem]) -> Vec<u64> {
    entries(found).iter().map(|entry| entry.number).collect()
}

/// What is no block.
pub fn faults(found: &[ReadItem]) -> Vec<&ReadItem> {
    found.iter().filter(|found| !matches!(found, ReadItem::Block(..))).collect()
}

/// The events of a lane among what was found, every frame opened and checked.
pub fn events_of(lane: Lane, found: &[ReadItem]) -> Vec<Vec<u8>> {
    let mut decoder = Decoder::new().unwrap();
    let mut events = Vec::new();
    for item in found {
        if let ReadItem::Block(of, entry) = item
            && *of == lane
        {
            let content = decoder.open(entry.sealed()).unwrap();
            events.extend(lines(content).map(<[u8]>::to_vec));
        }
    }
    events
}

/// Everything in the buffer, without leaving a trace.
pub fn contents(address: &Address) -> Vec<ReadItem> {
    drain(&mut Reader::open(address, &name(), read_options(&jetstream::ALL, None)).unwrap())
}

/// Holds what is in the buffer against the ledger: exactly what was pushed, in order, once, without a hole.
pub fn assert_holds_exactly(address: &Address, ledger: &Ledger) {
    let found = contents(address);
    assert!(faults(&found).is_empty(), "{:?}", faults(&found));
    for lane in jetstream::ALL {
        assert_same(lane, &events_of(lane, &found), ledger.lane(lane));
    }
}

/// Equality of two lists of events, with the first difference told instead of both lists.
pub fn assert_same(lane: Lane, found: &[Vec<u8>], expected: &[Vec<u8>]) {
    let at = found.iter().zip(expected).take_while(|(found, expected)| found == expected).count();
    assert!(
        at == found.len() && at == expected.len(),
        "lane {lane}: {} events found, {} expected; from event {at} on they differ: {:?} where {:?} is expected",
        found.len(),
        expected.len(),
        found.get(at).map(|event| String::from_utf8_lossy(event)),
        expected.get(at).map(|event| String::from_utf8_lossy(event)),
    );
}

/// A server with so many blocks of two likes each.
pub fn filled(blocks: u64) -> (Server, Ledger) {
    let server = server(&[]);
    let mut ledger = Ledger { padding: 50, ..Ledger::default() };
    let mut writer = open(&address(&server), &options(2, 16));
    ledger.push_many(&mut writer, jetstream::LIKES, 2 * blocks).unwrap();
    writer.close().unwrap();
    (server, ledger)
}

pub fn add(server: &Server, ledger: &mut Ledger, blocks: u64) {
    let mut writer = open(&address(server), &options(2, 16));
    ledger.push_many(&mut writer, jetstream::LIKES, 2 * blocks).unwrap();
    writer.close().unwrap();
}

pub fn held(server: &Server) -> u64 {
    ask(server, &format!("XLEN {}", name().stream(jetstream::LIKES))).unwrap()
}

pub fn delete(server: &Server, id: Id) {
    tell(server, &format!("XDEL {} {id}", name().stream(jetstream::LIKES)));
}

/// The first blocks, as many as one answer has before the reader knows how large they are.
pub fn few(reader: &mut Reader) -> Vec<ReadItem> {
    let found = reader.next(LIMIT).unwrap();
    assert_eq!(found.len(), 4, "{found:?}");
    found
}
