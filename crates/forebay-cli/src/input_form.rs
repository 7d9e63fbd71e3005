//! What the input of `append` looks like where it is no lines of events, or events of another time: said once, with the way
//! out, instead of line by line.

use serde_json::Value;

use forebay::buffer::line_source::Refused;

/// What a line, or the whole of the input, is instead of events. A command makes lines of them.
struct FormProblem {
    what: &'static str,
    remedy: &'static str,
}

/// The first bytes of files that are packed.
const PACKED: [(&[u8], FormProblem); 5] = [
    (b"\x1f\x8b", FormProblem { what: "a gzip file", remedy: "unpack it first: zcat FILE | forebay append" }),
    (
        b"\x28\xb5\x2f\xfd",
        FormProblem { what: "a zstd file", remedy: "unpack it first: zstdcat FILE | forebay append" },
    ),
    (b"\xfd7zXZ", FormProblem { what: "an xz file", remedy: "unpack it first: xzcat FILE | forebay append" }),
    (b"BZh", FormProblem { what: "a bzip2 file", remedy: "unpack it first: bzcat FILE | forebay append" }),
    (
        b"PK\x03\x04",
        FormProblem { what: "a zip file", remedy: "unpack it first: unzip -p FILE | forebay append" },
    ),
];

const ARRAY: FormProblem = FormProblem {
    what: "one JSON array over several lines",
    remedy: "make a line of each element: jq -c '.[]' FILE | forebay append",
};

/// Lines that hold events in another form: what stands in them, and what it is.
const FORMS: [(&[u8], FormProblem); 3] = [
    (
        b"}\r{",
        FormProblem {
            what: "several objects, with carriage returns alone between them",
            remedy: "tr '\\r' '\\n' makes lines of them",
        },
    ),
    (b"\x1e", FormProblem { what: "record separators (RFC 7464)", remedy: "tr -d '\\036' leaves the lines" }),
    (b"}{", FormProblem { what: "several objects in one line", remedy: "jq -c . makes a line of each" }),
];

/// Longest part of an event that is shown, in characters.
const SHOWN: usize = 160;

/// What was seen of an input.
#[derive(Default)]
pub(super) struct InputForm {
    whole: Option<&'static FormProblem>,
    /// The first line of another form.
    form: Option<(u64, &'static FormProblem)>,
    /// Events of the old layout, and the first of them.
    old: u64,
    old_first: Option<(u64, String)>,
}

impl InputForm {
    /// Looks at a refused line. True where nothing in the whole input can be an event.
    pub fn refused(&mut self, refused: &Refused<'_>) -> bool {
        let Some(bytes) = refused.bytes else { return self.whole.is_some() };
        if refused.line == 1 {
            let packed = PACKED.iter().find(|(magic, _)| bytes.starts_with(magic)).map(|(_, kind)| kind);
            self.whole = packed.or_else(|| begins_an_array(bytes).then_some(&ARRAY));
        }
        if self.whole.is_none() && self.form.is_none() {
            let found = FORMS.iter().find(|(mark, _)| memchr::memmem::find(bytes, mark).is_some());
            self.form = found.map(|(_, kind)| (refused.line, kind));
        }
        self.whole.is_some()
    }

    /// Looks at an event without a lane of its own: whether it is laid out as Jetstream's were before October 2024, with
    /// `type` where `kind` stands now.
    pub fn other(&mut self, line: u64, event: &[u8]) {
        if memchr::memmem::find(event, b"\"type\"").is_none() {
            return;
        }
        let Ok(Value::Object(object)) = serde_json::from_slice(event) else { return };
        let is_old = !object.contains_key("kind")
            && object.get("type").is_some_and(|kind| ["com", "id", "acc"].iter().any(|old| kind == old));
        if is_old {
            self.old += 1;
            let shown = || String::from_utf8_lossy(event).chars().take(SHOWN).collect();
            self.old_first.get_or_insert_with(|| (line, shown()));
        }
    }

    /// Whether nothing in the whole input can be an event.
    pub fn is_foreign(&self) -> bool {
        self.whole.is_some()
    }

    /// The error of an input that holds no line of events at all.
    pub fn finish(&self) -> anyhow::Result<()> {
        self.whole.map_or(Ok(()), |FormProblem { what, remedy }| {
            Err(anyhow::anyhow!("the input is {what}, not lines of events, and none was appended; {remedy}"))
        })
    }

    /// What is worth saying at the end, a line each.
    pub fn remarks(&self) -> Vec<String> {
        let form = self.form.map(|(line, FormProblem { what, remedy })| {
            format!("forebay: line {line} holds {what}: {remedy}, before forebay append")
        });
        let old = self.old_first.as_ref().map(|(line, event)| {
            format!(
                "forebay: {} events have the layout that Jetstream had before October 2024 (\"type\" where \"kind\" stands \
                 now): they are kept as they are, all of them in lane other; the first is line {line}: {event}",
                self.old
            )
        });
        form.into_iter().chain(old).collect()
    }
}

/// Whether a line is the beginning of an array that goes on after it.
fn begins_an_array(line: &[u8]) -> bool {
    line.trim_ascii_start().starts_with(b"[")
        && serde_json::from_slice::<serde::de::IgnoredAny>(line).is_err_and(|error| error.is_eof())
}
