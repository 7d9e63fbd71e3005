//! What a sink says of itself beside its buffer: what it has written, when, and what is in its way. Whoever looks at the buffer
//! sees it, from another process too.
//!
//! It is written over a connection of its own, so that no commit waits for it. A server that is away, or does not take it,
//! changes nothing for the sink: what stands there gets old, and says how old it is.

use std::time::Duration;

use redis::{RedisError, Script};
use serde_json::{Value, json};

use super::connect::Address;
use super::connection::Connection;
use super::display_name::display_name;
use super::error::Error;
use super::keys::Name;
use super::permitted_query::Asker;
use super::scripts::SINK_FIGURES;
use super::sink::Sink;

/// How long the server may take for each answer.
const ANSWER_MAX: Duration = Duration::from_secs(1);

/// Fields that are asked for at once.
const PAGE: usize = 1_000;

/// Sinks that are read, in no order: each is a group of its own.
const SINKS_MAX: usize = 100;

/// Bytes of a text that is kept.
const TEXT_MAX: usize = 300;

/// A sink that has said nothing for so long does not run: a running one says something every few seconds.
pub const SILENT: Duration = Duration::from_secs(30);

/// What a sink says of itself. Times are as of the moment when it was said.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SinkFigures {
    /// Where it writes to.
    pub to: String,
    /// Whether it has ended in an orderly way.
    pub is_over: bool,
    /// Commits, of all runs that wrote to the same place.
    pub commits: u64,
    /// Files that these wrote.
    pub files: u64,
    /// Rows in these.
    pub rows: u64,
    /// Bytes of these.
    pub bytes: u64,
    /// Bytes of the lines in those files of which that was counted, and of these files: how well they are compressed.
    pub lines_bytes: u64,
    /// Bytes of these files.
    pub lines_file_bytes: u64,
    /// Times that the place or the server refused.
    pub failures: u64,
    /// Rows that were read for files which are not yet committed.
    pub staged: u64,
    /// How long an event may wait for its file.
    pub age_max_ms: u64,
    /// The last commit; none where there was none yet.
    pub last: Option<LastCommit>,
    /// What is in its way right now.
    pub trouble: Option<String>,
    /// For how long.
    pub trouble_ms: u64,
    /// Bytes that are free there; none where that is not known.
    pub free_bytes: Option<u64>,
    /// Bytes of files that an hour of events comes to; none where that is not known yet.
    pub bytes_per_hour: Option<u64>,
}

/// A commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LastCommit {
    /// How long ago it was.
    pub ago_ms: u64,
    /// How long it took, from the first block that was read for it.
    pub took_ms: u64,
    /// Rows in it.
    pub rows: u64,
}

/// A sink of a buffer, as it was last heard of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SinkStat {
    /// Its group, as [`GroupStat`](super::stat::GroupStat) has it.
    pub group: String,
    /// Which run it is.
    pub epoch: u64,
    /// When it said that, in the server's milliseconds since 1970.
    pub at_ms: u64,
    /// What it said.
    pub figures: SinkFigures,
}

impl SinkFigures {
    /// Bytes of files for a byte of lines; none where nothing was counted.
    pub fn compression(&self) -> Option<f64> {
        (self.lines_bytes > 0).then(|| self.lines_file_bytes as f64 / self.lines_bytes as f64)
    }

    fn text(&self, at_ms: u64) -> String {
        let last = self
            .last
            .map(|last| json!({ "ago_ms": last.ago_ms, "took_ms": last.took_ms, "rows": last.rows }));
        json!({
            "at_ms": at_ms, "to": cut(&self.to), "over": self.is_over, "commits": self.commits,
            "files": self.files, "rows": self.rows, "bytes": self.bytes, "lines_bytes": self.lines_bytes,
            "lines_file_bytes": self.lines_file_bytes, "failures": self.failures, "staged": self.staged,
            "age_max_ms": self.age_max_ms, "last": last, "trouble": self.trouble.as_deref().map(cut),
            "trouble_ms": self.trouble_ms, "free_bytes": self.free_bytes,
            "bytes_per_hour": self.bytes_per_hour,
        })
        .to_string()
    }
}

impl LastCommit {
    /// Rows a second, from reading to commit; none where it was too short to tell.
    pub fn rows_per_second(&self) -> Option<f64> {
        (self.took_ms > 0).then(|| self.rows as f64 * 1_000.0 / self.took_ms as f64)
    }
}

impl SinkStat {
    /// Milliseconds since that was said.
    pub fn age_ms(&self, now_ms: u64) -> u64 {
        now_ms.saturating_sub(self.at_ms)
    }

    /// Milliseconds since the last commit; none where there was none.
    pub fn last_ms(&self, now_ms: u64) -> Option<u64> {
        Some(self.figures.last?.ago_ms.saturating_add(self.age_ms(now_ms)))
    }

    /// Whether it says that it runs, and has said so not long ago.
    pub fn is_running(&self, now_ms: u64) -> bool {
        !self.figures.is_over && self.age_ms(now_ms) < SILENT.as_millis() as u64
    }

    /// Reads a field; none where somebody else has written there.
    fn read(group: &str, text: &str) -> Option<Self> {
        let (epoch, text) = text.split_once(' ')?;
        let value: Value = serde_json::from_str(text).ok()?;
        let number = |name: &str| value[name].as_u64().unwrap_or(0);
        let last = value["last"].as_object().map(|last| {
            let number = |name: &str| last.get(name).and_then(Value::as_u64).unwrap_or(0);
            LastCommit { ago_ms: number("ago_ms"), took_ms: number("took_ms"), rows: number("rows") }
        });
        Some(Self {
            group: display_name(group.as_bytes()),
            epoch: epoch.parse().ok()?,
            at_ms: value["at_ms"].as_u64()?,
            figures: SinkFigures {
                to: cut(value["to"].as_str()?).into(),
                is_over: value["over"].as_bool().unwrap_or(false),
                commits: number("commits"),
                files: number("files"),
                rows: number("rows"),
                bytes: number("bytes"),
                lines_bytes: number("lines_bytes"),
                lines_file_bytes: number("lines_file_bytes"),
                failures: number("failures"),
                staged: number("staged"),
                age_max_ms: number("age_max_ms"),
                last,
                trouble: value["trouble"].as_str().map(|trouble| cut(trouble).into()),
                trouble_ms: number("trouble_ms"),
                free_bytes: value["free_bytes"].as_u64(),
                bytes_per_hour: value["bytes_per_hour"].as_u64(),
            },
        })
    }
}

/// No more of a text than is kept.
fn cut(text: &str) -> &str {
    let whole = |at: &usize| text.is_char_boundary(*at);
    &text[..(0..=TEXT_MAX.min(text.len())).rev().find(whole).unwrap_or(0)]
}

/// Writes what a run of a sink says of itself.
pub struct FiguresWriter {
    address: Address,
    name: Name,
    group: String,
    epoch: u64,
    connection: Option<Connection>,
}

impl Sink {
    /// Who writes down what this run says of itself, over a connection of its own.
    pub fn figures_writer(&self) -> FiguresWriter {
        FiguresWriter {
            address: self.server.address().clone(),
            name: self.name.clone(),
            group: self.group.clone(),
            epoch: self.epoch,
            connection: None,
        }
    }
}

impl FiguresWriter {
    /// Writes that. An error where the server is away, or takes it not: it is tried once, and the next try is the caller's.
    /// False where a newer run has said something, which stays, or there is no such buffer.
    pub fn write(&mut self, figures: &SinkFigures) -> Result<bool, Error> {
        let group = display_name(self.group.as_bytes());
        let doing = format!("writing figures of group {group} of buffer {}", self.name);
        self.asked(&doing, |connection, of| {
            let at_ms = time_ms(connection)?;
            let script = Script::new(SINK_FIGURES);
            let mut call = script.key(of.name.meta());
            call.arg(Name::sink_figures(&of.group)).arg(of.epoch).arg(figures.text(at_ms));
            call.invoke::<i64>(connection).map(|newer| newer == 0)
        })
    }

    /// What the last run said, with its age; none where there was none.
    pub fn before(&mut self) -> Result<Option<SinkStat>, Error> {
        let group = display_name(self.group.as_bytes());
        let doing = format!("looking at figures of group {group} of buffer {}", self.name);
        self.asked(&doing, |connection, of| read(connection, &of.name, &of.group))
    }

    /// The run that says it is draining now, as far as is known; none where the last one has ended, or is silent.
    pub fn running(&mut self) -> Result<Option<SinkStat>, Error> {
        let group = display_name(self.group.as_bytes());
        let doing = format!("looking at figures of group {group} of buffer {}", self.name);
        self.asked(&doing, |connection, of| {
            let Some(sink) = read(connection, &of.name, &of.group)? else { return Ok(None) };
            let now_ms = time_ms(connection)?;
            Ok(sink.is_running(now_ms).then_some(sink))
        })
    }

    fn asked<T>(
        &mut self,
        doing: &str,
        ask: impl FnOnce(&mut Connection, &Self) -> Result<T, RedisError>,
    ) -> Result<T, Error> {
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => self.address.dial_within(ANSWER_MAX)?,
        };
        let answer = ask(&mut connection, self).map_err(|error| Error::server(doing, &error))?;
        // After an error whatever came on it might be an answer to a question before.
        self.connection = Some(connection);
        Ok(answer)
    }
}

fn time_ms(connection: &mut Connection) -> Result<u64, RedisError> {
    let (seconds, micros): (u64, u64) = redis::cmd("TIME").query(connection)?;
    Ok(seconds * 1_000 + micros / 1_000)
}

/// What the sink of a group said; none where there is none.
pub(super) fn read(
    connection: &mut Connection,
    name: &Name,
    group: &str,
) -> Result<Option<SinkStat>, RedisError> {
    let mut command = redis::cmd("HGET");
    let text: Option<String> = command.arg(name.meta()).arg(Name::sink_figures(group)).query(connection)?;
    Ok(text.and_then(|text| SinkStat::read(group, &text)))
}

/// Whether the sink of a group runs, by what it said; where it does, how long ago it said something.
pub(super) fn is_running(
    connection: &mut Connection,
    name: &Name,
    group: &str,
) -> Result<Option<Duration>, RedisError> {
    let Some(sink) = read(connection, name, group)? else { return Ok(None) };
    let now_ms = time_ms(connection)?;
    Ok(sink.is_running(now_ms).then(|| Duration::from_millis(sink.age_ms(now_ms))))
}

/// What all sinks of a buffer said, by group; none where the user may not see it.
pub(super) fn all(asker: &mut Asker) -> Result<Vec<SinkStat>, RedisError> {
    let (mut found, mut cursor) = (Vec::new(), 0_u64);
    while found.len() < SINKS_MAX {
        let mut scan = redis::cmd("HSCAN");
        scan.arg(asker.name.meta()).arg(cursor);
        scan.arg("MATCH").arg(format!("{}*", Name::SINK_FIGURES)).arg("COUNT").arg(PAGE);
        let answer: Option<(u64, Vec<(String, String)>)> = asker.permitted("HSCAN", &scan)?;
        let Some((next, fields)) = answer else { break };
        let of =
            |(field, text): &(String, String)| SinkStat::read(field.strip_prefix(Name::SINK_FIGURES)?, text);
        found.extend(fields.iter().filter_map(of));
        cursor = next;
        if cursor == 0 {
            break;
        }
    }
    found.sort_by(|a, b| a.group.cmp(&b.group));
    // A scan may give a field twice.
    found.dedup_by(|a, b| a.group == b.group);
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn some() -> SinkFigures {
        SinkFigures {
            to: "/srv/events".into(),
            commits: 3,
            files: 7,
            rows: 900,
            bytes: 80_000,
            lines_bytes: 300_000,
            lines_file_bytes: 75_000,
            failures: 2,
            staged: 5,
            age_max_ms: 3_600_000,
            last: Some(LastCommit { ago_ms: 400, took_ms: 250, rows: 500 }),
            trouble: Some("No space left on device".into()),
            trouble_ms: 1_200,
            free_bytes: Some(1 << 30),
            bytes_per_hour: Some(12_000_000),
            ..SinkFigures::default()
        }
    }

    #[test]
    fn figures_are_read_as_they_were_written_and_get_older() {
        let text = format!("7 {}", some().text(10_000));
        let sink = SinkStat::read("lake", &text).unwrap();
        assert_eq!((sink.group.as_str(), sink.epoch, sink.at_ms), ("lake", 7, 10_000));
        assert_eq!(sink.figures, some());
        assert_eq!((sink.age_ms(15_000), sink.last_ms(15_000)), (5_000, Some(5_400)));
        assert_eq!((sink.age_ms(1), sink.last_ms(1)), (0, Some(400)), "a clock that was set back");
        assert!(sink.is_running(39_999) && !sink.is_running(40_000));
        assert_eq!(some().compression(), Some(0.25));
        assert_eq!(some().last.unwrap().rows_per_second(), Some(2_000.0));
        let over = SinkFigures { is_over: true, last: None, free_bytes: None, ..some() };
        let sink = SinkStat::read("lake", &format!("7 {}", over.text(10_000))).unwrap();
        assert!(!sink.is_running(10_000) && sink.figures == over);
    }

    #[test]
    fn texts_are_cut_and_what_somebody_else_wrote_is_nothing() {
        let long = SinkFigures { trouble: Some("ö".repeat(5_000)), to: "x".repeat(5_000), ..some() };
        let text = format!("7 {}", long.text(1));
        assert!(text.len() < 1_500, "{}", text.len());
        let sink = SinkStat::read("lake", &text).unwrap();
        assert_eq!(sink.figures.trouble, Some("ö".repeat(TEXT_MAX / 2)));
        for text in ["", "7", "x {}", "7 {}", "7 []", "7 nonsense", r#"7 {"at_ms":1}"#] {
            assert_eq!(SinkStat::read("lake", text), None, "{text:?}");
        }
    }
}
