//! What one connection asks, and whether it was answered rightly.
//!
//! Each connection owns some keys and a list that nobody else touches, so what a GET, a DEL or an RPOP must answer
//! follows from the answers before it on the same connection. The stream is shared; its entries tell their own number.
//! What an operation needs is made first, and counted under its own name: a GET of a key that nobody has set yet
//! turns into its SET, a read of a stream with nothing in it into an XADD.

use std::collections::VecDeque;

use super::keyspace::Keyspace;
use super::payload::Payloads;
use super::resp::{self, Reply};
use super::work::{OperationKind, Work};
use fastrand::Rng;
use forebay::buffer::entry::Id;
use forebay::buffer::keys::Name;

/// Group and consumer that read the stream.
pub(super) const GROUP: &str = "load";

/// A request that was sent, as far as its answer must be known again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Asked {
    pub kind: OperationKind,
    slot: u32,
    id: u64,
}

/// Whether an answer was right.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Answer {
    Right,
    /// An error, by its first word.
    Error(String),
    /// Something else than was asked for.
    Wrong(String),
}

/// What all connections share.
pub(super) struct Common<'a> {
    pub payloads: &'a Payloads,
    work: &'a Work,
    random: Rng,
    next_id: u64,
    room: Keyspace,
    added: usize,
    /// Entries added to the stream less those asked for: about what a read may find.
    to_read: i64,
    stream: String,
    /// An XADD up to its payload, and an XREADGROUP up to its end, written once.
    xadd: Vec<u8>,
    xreadgroup: Vec<u8>,
}

impl<'a> Common<'a> {
    pub fn new(name: &Name, payloads: &'a Payloads, work: &'a Work, room: Keyspace, seed: u64) -> Self {
        let stream = name.load_stream();
        let (mut xadd, mut xreadgroup) = (Vec::new(), Vec::new());
        resp::head(&mut xadd, 5);
        for word in [b"XADD".as_slice(), stream.as_bytes(), b"*", b"d"] {
            resp::word(&mut xadd, word);
        }
        let group = GROUP.as_bytes();
        let read: [&[u8]; 9] =
            [b"XREADGROUP", b"GROUP", group, group, b"COUNT", b"1", b"STREAMS", stream.as_bytes(), b">"];
        resp::command(&mut xreadgroup, &read);
        Self {
            payloads,
            work,
            random: Rng::with_seed(seed),
            next_id: 0,
            room,
            added: 0,
            to_read: 0,
            stream,
            xadd,
            xreadgroup,
        }
    }

    fn id(&mut self) -> u64 {
        self.next_id += 1;
        self.next_id - 1
    }
}

/// What a key of our own holds, as far as its answers tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum KeyState {
    Nothing,
    Payload(u64),
    /// A write whose fate is unknown: either is right until the next answer.
    Unknown,
}

/// What one connection owns.
pub(super) struct OwnKeys {
    keys: Vec<String>,
    held: Vec<KeyState>,
    /// Which slots were set by what was sent, answered or not, and how many.
    is_set: Vec<bool>,
    set: usize,
    at: usize,
    list_key: String,
    /// The list, oldest first, by the answers; none where it is unknown.
    list: Option<VecDeque<u64>>,
    /// Its length by what was sent.
    pushed: usize,
    pushed_max: usize,
    /// Entries read and not acknowledged.
    to_ack: Vec<Vec<u8>>,
    last_entry: Id,
}

impl OwnKeys {
    /// What connection `index` has of the room.
    pub fn new(name: &Name, index: usize, room: Keyspace) -> Self {
        let slots = room.keys;
        Self {
            keys: (0..slots).map(|slot| name.load_value(index, slot)).collect(),
            held: vec![KeyState::Nothing; slots],
            is_set: vec![false; slots],
            set: 0,
            at: 0,
            list_key: name.load_list(index),
            list: Some(VecDeque::new()),
            pushed: 0,
            pushed_max: room.list,
            to_ack: Vec::new(),
            last_entry: Id::default(),
        }
    }

    /// Every key that it may have written.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.keys.iter().map(String::as_str).chain([self.list_key.as_str()])
    }

    /// Writes the next request.
    pub fn ask(&mut self, common: &mut Common<'_>, out: &mut Vec<u8>) -> Asked {
        if let Some(entry) = self.to_ack.pop() {
            resp::command(out, &[b"XACK", common.stream.as_bytes(), GROUP.as_bytes(), &entry]);
            return Asked { kind: OperationKind::Xack, slot: 0, id: 0 };
        }
        if common.added >= common.room.trim_every {
            common.added = 0;
            let most = common.room.stream.to_string();
            resp::command(out, &[b"XTRIM", common.stream.as_bytes(), b"MAXLEN", b"~", most.as_bytes()]);
            return Asked { kind: OperationKind::Xtrim, slot: 0, id: 0 };
        }
        let kind = match common.work.draw(&mut common.random) {
            OperationKind::Get if self.set < self.keys.len() => OperationKind::Set,
            OperationKind::Del if self.set == 0 => OperationKind::Set,
            OperationKind::Rpop if self.pushed == 0 => OperationKind::Lpush,
            OperationKind::Lpush if self.pushed >= self.pushed_max => OperationKind::Rpop,
            OperationKind::Xreadgroup if common.to_read <= 0 => OperationKind::Xadd,
            kind => kind,
        };
        match kind {
            OperationKind::Set | OperationKind::Get | OperationKind::Del => self.ask_key(kind, common, out),
            OperationKind::Lpush | OperationKind::Rpop => self.ask_list(kind, common, out),
            OperationKind::Xreadgroup => {
                common.to_read -= 1;
                out.extend_from_slice(&common.xreadgroup);
                Asked { kind, slot: 0, id: 0 }
            }
            _ => {
                common.to_read += 1;
                common.added += 1;
                let id = common.id();
                out.extend_from_slice(&common.xadd);
                common.payloads.write_word(id, out);
                Asked { kind: OperationKind::Xadd, slot: 0, id }
            }
        }
    }

    fn ask_key(&mut self, kind: OperationKind, common: &mut Common<'_>, out: &mut Vec<u8>) -> Asked {
        // A SET goes to a slot that has none while there is one, a DEL to one that has, a GET around.
        let wanted = match kind {
            OperationKind::Set if self.set < self.keys.len() => Some(false),
            OperationKind::Del => Some(true),
            _ => None,
        };
        let slots = self.keys.len();
        let slot = (0..slots)
            .map(|step| (self.at + step) % slots)
            .find(|slot| wanted.is_none_or(|set| self.is_set[*slot] == set));
        let slot = slot.unwrap_or(self.at);
        self.at = (slot + 1) % slots;
        let key = self.keys[slot].as_bytes();
        let mut id = 0;
        match kind {
            OperationKind::Set => {
                id = common.id();
                resp::head(out, 3);
                resp::word(out, b"SET");
                resp::word(out, key);
                common.payloads.write_word(id, out);
            }
            OperationKind::Get => resp::command(out, &[b"GET", key]),
            _ => resp::command(out, &[b"DEL", key]),
        }
        if kind != OperationKind::Get {
            let set = kind == OperationKind::Set;
            self.set =
                self.set + usize::from(set && !self.is_set[slot]) - usize::from(!set && self.is_set[slot]);
            self.is_set[slot] = set;
        }
        Asked { kind, slot: slot as u32, id }
    }

    fn ask_list(&mut self, kind: OperationKind, common: &mut Common<'_>, out: &mut Vec<u8>) -> Asked {
        let key = self.list_key.as_bytes();
        if kind == OperationKind::Rpop {
            self.pushed -= 1;
            resp::command(out, &[b"RPOP", key]);
            return Asked { kind, slot: 0, id: 0 };
        }
        self.pushed += 1;
        let id = common.id();
        resp::head(out, 3);
        resp::word(out, b"LPUSH");
        resp::word(out, key);
        common.payloads.write_word(id, out);
        Asked { kind, slot: 0, id }
    }

    /// Holds an answer against what was asked.
    pub fn check(&mut self, asked: Asked, reply: Reply<'_>, common: &mut Common<'_>) -> Answer {
        if let Reply::Error(line) = reply {
            if asked.kind == OperationKind::Xadd {
                common.to_read -= 1;
            }
            return Answer::Error(resp::error_kind(line));
        }
        let slot = asked.slot as usize;
        let right = match asked.kind {
            OperationKind::Set => {
                self.held[slot] = KeyState::Payload(asked.id);
                reply == Reply::Status(b"OK")
            }
            OperationKind::Get => match (self.held[slot], reply) {
                (KeyState::Payload(id), Reply::Bulk(bytes)) => common.payloads.is(id, bytes),
                (KeyState::Unknown, Reply::Bulk(bytes)) => common.payloads.identify(bytes).is_some(),
                (KeyState::Nothing | KeyState::Unknown, Reply::Nil) => true,
                _ => false,
            },
            OperationKind::Del => match (std::mem::replace(&mut self.held[slot], KeyState::Nothing), reply) {
                (KeyState::Payload(_), Reply::Integer(n)) => n == 1,
                (KeyState::Nothing, Reply::Integer(n)) => n == 0,
                (KeyState::Unknown, Reply::Integer(n)) => (0..=1).contains(&n),
                _ => false,
            },
            OperationKind::Lpush | OperationKind::Rpop => self.check_list(asked, reply, common),
            OperationKind::Xadd => self.check_xadd(reply),
            OperationKind::Xreadgroup => self.check_read(reply, common),
            OperationKind::Xtrim => matches!(reply, Reply::Integer(removed) if removed >= 0),
            OperationKind::Xack | OperationKind::Append => reply == Reply::Integer(1),
        };
        if right { Answer::Right } else { Answer::Wrong(self.describe(asked, reply)) }
    }

    fn check_list(&mut self, asked: Asked, reply: Reply<'_>, common: &Common<'_>) -> bool {
        match (&mut self.list, asked.kind, reply) {
            (Some(list), OperationKind::Lpush, Reply::Integer(length)) => {
                list.push_back(asked.id);
                usize::try_from(length) == Ok(list.len())
            }
            (Some(list), OperationKind::Rpop, Reply::Bulk(bytes)) => {
                list.pop_front().is_some_and(|id| common.payloads.is(id, bytes))
            }
            (Some(list), OperationKind::Rpop, Reply::Nil) => list.is_empty(),
            (None, OperationKind::Lpush, Reply::Integer(length)) => length > 0,
            (None, OperationKind::Rpop, Reply::Bulk(bytes)) => common.payloads.identify(bytes).is_some(),
            (None, OperationKind::Rpop, Reply::Nil) => {
                self.list = Some(VecDeque::new());
                true
            }
            _ => false,
        }
    }

    /// An entry's id, later than the last one this connection was given.
    fn check_xadd(&mut self, reply: Reply<'_>) -> bool {
        let Reply::Bulk(bytes) = reply else { return false };
        let Some(id) = std::str::from_utf8(bytes).ok().and_then(Id::parse) else { return false };
        id > std::mem::replace(&mut self.last_entry, id)
    }

    /// Nothing there, or one entry of the stream with one payload that is whole.
    fn check_read(&mut self, reply: Reply<'_>, common: &mut Common<'_>) -> bool {
        if reply == Reply::Nil {
            // Another connection was first, or what was added is still under way: it will be asked for again.
            common.to_read += 1;
            return true;
        }
        let mut streams = reply.items();
        let Some(stream) = streams.next() else { return false };
        let Some(entries) = stream.items().nth(1) else { return false };
        let mut entries = entries.items();
        let Some(entry) = entries.next() else { return false };
        let mut parts = entry.items();
        let (Some(Reply::Bulk(id)), Some(fields)) = (parts.next(), parts.next()) else { return false };
        // Acknowledged whatever it holds: it was read.
        self.to_ack.push(id.to_vec());
        let mut fields = fields.items();
        let whole = fields.next() == Some(Reply::Bulk(b"d"))
            && matches!(fields.next(), Some(Reply::Bulk(bytes)) if common.payloads.identify(bytes).is_some());
        whole && fields.next().is_none() && entries.next().is_none() && streams.next().is_none()
    }

    fn describe(&self, asked: Asked, reply: Reply<'_>) -> String {
        let key = match asked.kind {
            OperationKind::Set | OperationKind::Get | OperationKind::Del => {
                format!(" {}", self.keys[asked.slot as usize])
            }
            OperationKind::Lpush | OperationKind::Rpop => format!(" {}", self.list_key),
            _ => String::new(),
        };
        let answer = match reply {
            Reply::Status(line) | Reply::Error(line) => format!("{}", line.escape_ascii()),
            Reply::Integer(number) => number.to_string(),
            Reply::Bulk(bytes) => {
                format!("{} bytes, {}", bytes.len(), bytes[..bytes.len().min(48)].escape_ascii())
            }
            Reply::Nil => "nothing".into(),
            Reply::Array(count, _) => format!("{count} items"),
        };
        format!("{}{key} was answered with {answer}", asked.kind.name())
    }

    /// A request's connection was lost before its answer came.
    pub fn lost(&mut self, asked: Asked, common: &mut Common<'_>) {
        match asked.kind {
            OperationKind::Set | OperationKind::Del => self.held[asked.slot as usize] = KeyState::Unknown,
            OperationKind::Lpush | OperationKind::Rpop => self.list = None,
            OperationKind::Xreadgroup => common.to_read += 1,
            OperationKind::Xadd => common.to_read -= 1,
            _ => {}
        }
    }
}
