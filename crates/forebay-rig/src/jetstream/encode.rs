//! An event in each of the forms in which hosts send it.
//!
//! The generator's lines have all that stands before the record at fixed places, so an event is put together from slices.

/// Which form an event is wanted in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// `/subscribe` of a V1 host.
    V1,
    /// `/subscribe` of a V2 host: with a top-level `cursor` behind `time_us`.
    V1WithCursor,
    /// `network.bsky.jetstream.subscribeEvents`: a frame of `xrpc.v1.json`.
    V2,
}

const DID_START: usize = br#"{"did":""#.len();
const DID_END: usize = DID_START + 32;
const TIME_START: usize = DID_END + br#"","time_us":"#.len();
const TIME_END: usize = TIME_START + 16;
const KIND_START: usize = TIME_END + br#","kind":""#.len();
const COMMIT_START: usize = KIND_START + br#"commit","commit":{"#.len();
const COLLECTION_START: usize =
    COMMIT_START + br#""rev":"3l3qo2vutsw2b","operation":"create","collection":""#.len();

/// What a filter looks at, and where the object that the envelope carries begins.
#[derive(Debug, Clone, Copy)]
pub(super) struct Parts<'a> {
    line: &'a [u8],
    pub(super) did: &'a [u8],
    pub(super) is_commit: bool,
    pub(super) is_identity: bool,
    /// Empty where the event is no commit.
    pub(super) collection: &'a [u8],
}

impl<'a> Parts<'a> {
    /// The parts of a line that the generator made.
    pub(super) fn of(line: &'a [u8]) -> Self {
        let kind = line[KIND_START];
        let is_commit = kind == b'c';
        let collection = if is_commit {
            let rest = &line[COLLECTION_START..];
            &rest[..memchr::memchr(b'"', rest).unwrap_or(rest.len())]
        } else {
            b""
        };
        Self { line, did: &line[DID_START..DID_END], is_commit, is_identity: kind == b'i', collection }
    }
}

/// Puts events together. It remembers how the current second is written.
#[derive(Debug, Default)]
pub(super) struct Encoder {
    second: u64,
    /// `2026-11-30T10:00:00`.
    second_text: String,
}

impl Encoder {
    /// Appends an event in this form.
    pub(super) fn write(&mut self, parts: &Parts<'_>, form: Form, seq: u64, time_us: u64, out: &mut Vec<u8>) {
        let line = parts.line;
        if form == Form::V2 {
            self.write_v2(parts, seq, time_us, out);
            return;
        }
        out.extend_from_slice(&line[..TIME_START]);
        push_number(out, time_us);
        if form == Form::V1WithCursor {
            out.extend_from_slice(br#","cursor":"#);
            push_number(out, seq);
        }
        out.extend_from_slice(&line[TIME_END..]);
    }

    fn write_v2(&mut self, parts: &Parts<'_>, seq: u64, time_us: u64, out: &mut Vec<u8>) {
        let kind: &[u8] = match (parts.is_commit, parts.is_identity) {
            (true, _) => b"commit",
            (_, true) => b"identity",
            _ => b"account",
        };
        out.extend_from_slice(
            br#"{"$type":"message","payload":{"$type":"network.bsky.jetstream.subscribeEvents#"#,
        );
        out.extend_from_slice(kind);
        out.extend_from_slice(br#"","seq":"#);
        push_number(out, seq);
        out.extend_from_slice(br#","did":""#);
        out.extend_from_slice(parts.did);
        out.extend_from_slice(br#"","time":""#);
        self.push_time(out, time_us);
        out.extend_from_slice(br#"","#);
        if parts.is_commit {
            // What the commit says stands in the payload itself: as many ends as in the line.
            out.extend_from_slice(&parts.line[COMMIT_START..]);
        } else {
            // `"identity":{…}}`: the object stays, and the frame ends once more.
            out.extend_from_slice(&parts.line[KIND_START + kind.len() + br#"","#.len()..]);
            out.push(b'}');
        }
    }

    /// RFC 3339 with six digits of a second.
    fn push_time(&mut self, out: &mut Vec<u8>, time_us: u64) {
        let second = time_us / 1_000_000;
        if second != self.second || self.second_text.is_empty() {
            self.second = second;
            let stamp = jiff::Timestamp::from_second(second.cast_signed()).unwrap_or_default();
            self.second_text = stamp.strftime("%Y-%m-%dT%H:%M:%S").to_string();
        }
        out.extend_from_slice(self.second_text.as_bytes());
        out.push(b'.');
        let mut rest = time_us % 1_000_000;
        let mut digits = [b'0'; 6];
        for digit in digits.iter_mut().rev() {
            *digit = b'0' + (rest % 10) as u8;
            rest /= 10;
        }
        out.extend_from_slice(&digits);
        out.push(b'Z');
    }
}

/// The first frame of a stream whose cursor, a time, is older than what is kept.
pub(super) fn outdated_frame(seq: u64) -> String {
    let said = format!("the cursor is older than what is kept; beginning at seq {seq}");
    let payload = serde_json::json!({
        "$type": "network.bsky.jetstream.subscribeEvents#info", "name": "OutdatedCursor", "message": said
    });
    serde_json::json!({ "$type": "message", "payload": payload }).to_string()
}

/// The last frame of a stream that the host ends.
pub(super) fn too_slow_frame(behind: u64, cursor: u64) -> String {
    let said = format!("{behind} events behind the tip; come back with cursor={cursor}");
    serde_json::json!({ "$type": "error", "error": "ConsumerTooSlow", "message": said }).to_string()
}

/// A time as the second protocol writes it.
pub(super) fn time_text(time_us: u64) -> String {
    let mut text = Vec::new();
    Encoder::default().push_time(&mut text, time_us);
    String::from_utf8_lossy(&text).into_owned()
}

/// Appends a number in digits.
pub(super) fn push_number(out: &mut Vec<u8>, mut number: u64) {
    let mut digits = [0; 20];
    let mut at = digits.len();
    loop {
        at -= 1;
        digits[at] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[at..]);
}
