//! A pipeline as a file says it: `pipeline.toml`. It is read as it is written, and judged by whoever uses it: values here are the
//! texts that the command line takes too.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use serde::Deserialize;

use crate::drain::place::Target;

/// More than any pipeline has.
const BYTES_MAX: u64 = 1 << 20;

/// A pipeline.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pipeline {
    /// Where events come from.
    #[serde(default)]
    pub source: SourceTable,
    /// Where they go.
    #[serde(default)]
    pub buffer: BufferTable,
    /// Which files they are drained to.
    #[serde(default)]
    pub sink: SinkTable,
    /// What they are, as a profile says it; Jetstream's where nothing is said.
    pub stream: Option<toml::Table>,
}

/// `[source]`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SourceTable {
    /// Hosts of one network, in the order in which they are tried.
    #[serde(default)]
    pub urls: Vec<String>,
    /// Of a file, whether what is added to it is waited for.
    #[serde(default)]
    pub follow: bool,
    /// Whether the hosts send any lines, without a cursor.
    #[serde(default)]
    pub lines: bool,
    /// Collections that are wanted; all where none is.
    #[serde(default)]
    pub collections: Vec<String>,
    /// Accounts that are wanted; all where none is.
    #[serde(default)]
    pub dids: Vec<String>,
    /// Whether frames may come compressed.
    #[serde(default)]
    pub compress: bool,
    /// The dictionary of `/subscribe`.
    pub dictionary: Option<PathBuf>,
    /// Where a buffer begins that has nothing of the source yet.
    pub since: Option<String>,
    /// The largest event that is taken.
    pub max_event: Option<String>,
    /// Where messages go that are no events.
    pub rejects: Option<PathBuf>,
    /// How long a source or a server may be away.
    pub patience: Option<String>,
}

/// `[buffer]`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BufferTable {
    /// The server.
    pub url: Option<String>,
    /// The buffer's name on it.
    pub name: Option<String>,
    /// When a block counts.
    pub ack: Option<String>,
    /// How long a block may wait for more events.
    pub linger: Option<String>,
    /// What becomes of events while the server takes none.
    pub overflow: Option<String>,
    /// Folder for blocks that the server does not take.
    pub spill: Option<PathBuf>,
    /// What that folder may hold.
    pub spill_max: Option<String>,
}

/// `[sink]`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SinkTable {
    /// A folder, or `s3://bucket/prefix`.
    pub to: Option<PathBuf>,
    /// How the tree is laid out.
    pub layout: Option<String>,
    /// Where files for a bucket are staged.
    pub staging: Option<PathBuf>,
    /// The group that the commits move.
    pub group: Option<String>,
    /// How long an event may wait for its file.
    pub max_age: Option<String>,
    /// Size at which a file ends.
    pub max_file: Option<String>,
    /// Whether files leave out what follows from the rest of a row.
    #[serde(default)]
    pub lean: bool,
    /// How long server or disk may refuse.
    pub patience: Option<String>,
    /// Text columns of events that are not Jetstream's, each with its JSON pointer.
    #[serde(default)]
    pub columns: BTreeMap<String, String>,
}

/// A file that is no pipeline.
#[derive(Debug, thiserror::Error)]
#[error("{path}: {why}")]
pub struct PipelineError {
    path: String,
    why: String,
}

impl Pipeline {
    /// Reads a file. Paths in it are from the folder that it lies in.
    pub fn load(path: &Path) -> Result<Self, PipelineError> {
        let error = |why: String| PipelineError { path: path.display().to_string(), why };
        let text = read(path).map_err(error)?;
        let mut pipeline = Self::parse(&text).map_err(error)?;
        let folder = path.parent().unwrap_or(Path::new(""));
        let (source, buffer, sink) = (&mut pipeline.source, &mut pipeline.buffer, &mut pipeline.sink);
        let to = sink.to.as_mut().filter(|to| Target::is_folder(to));
        let others = [&mut source.dictionary, &mut source.rejects, &mut buffer.spill, &mut sink.staging];
        to.into_iter().chain(others.into_iter().flatten()).for_each(|path| *path = folder.join(&*path));
        Ok(pipeline)
    }

    /// Reads a text.
    pub fn parse(text: &str) -> Result<Self, String> {
        toml::from_str(text).map_err(|why| {
            let line = why.span().map_or(1, |span| 1 + text[..span.start].matches('\n').count());
            // A password may stand anywhere in such a file, and the parser quotes what it cannot use.
            let message =
                if why.message().contains("://") { "a value of another kind" } else { why.message() };
            format!("line {line}: {}", with_nearest(message))
        })
    }
}

/// A value that cannot be read, with its key.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct BadValue(String);

/// A value of the file, with its key where it cannot be read.
pub fn parsed<T>(text: Option<&str>, key: &str) -> Result<Option<T>, BadValue>
where
    T: FromStr,
    T::Err: std::fmt::Display,
{
    let bad = |text: &str, why: T::Err| BadValue(format!("{key} = {text:?}: {why}"));
    text.map(|text| text.parse().map_err(|why| bad(text, why))).transpose()
}

fn read(path: &Path) -> Result<String, String> {
    let mut text = String::new();
    let file = std::fs::File::open(path).map_err(|why| format!("cannot read it: {why}"))?;
    let read =
        file.take(BYTES_MAX + 1).read_to_string(&mut text).map_err(|why| format!("cannot read it: {why}"))?;
    if read as u64 > BYTES_MAX {
        return Err(format!("it has more than {BYTES_MAX} bytes: is it a pipeline?"));
    }
    Ok(text)
}

/// What a parser says of a key that is not known, with the known one that is most like it.
pub fn with_nearest(message: &str) -> String {
    if !message.starts_with("unknown field") {
        return message.into();
    }
    let mut words = message.split('`').skip(1).step_by(2);
    let Some(key) = words.next() else { return message.into() };
    let known: Vec<&str> = words.collect();
    let distance = |known: &&&str| strsim::osa_distance(known, key);
    match known.iter().min_by_key(distance).filter(|known| distance(known) <= key.len() / 2) {
        Some(nearest) => format!("there is no key {key:?}; did you mean {nearest:?}?"),
        None => format!("there is no key {key:?}; there are {}", known.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pipeline_is_read_whole() {
        let text = r#"
            [source]
            urls = ["wss://a.example/subscribe", "wss://b.example/subscribe"]
            collections = ["app.bsky.feed.*"]
            since = "2h"
            [buffer]
            url = "redis://127.0.0.1:6379"
            name = "bluesky"
            ack = "fsync"
            spill = "spill"
            [stream]
            preset = "jetstream"
        "#;
        let pipeline = Pipeline::parse(text).unwrap();
        assert_eq!(pipeline.source.urls.len(), 2);
        assert_eq!(pipeline.source.since.as_deref(), Some("2h"));
        assert_eq!(pipeline.buffer.name.as_deref(), Some("bluesky"));
        assert_eq!(pipeline.stream.unwrap()["preset"].as_str(), Some("jetstream"));
        assert!(Pipeline::parse("").unwrap().source.urls.is_empty());
    }

    #[test]
    fn paths_are_from_the_folder_of_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pipeline.toml");
        std::fs::write(
            &path,
            "[source]\nrejects = 'r'\n[buffer]\nspill = '/var/spill'\n[sink]\nto='s3://lake/x'",
        )
        .unwrap();
        let pipeline = Pipeline::load(&path).unwrap();
        assert_eq!(pipeline.source.rejects, Some(folder.path().join("r")));
        assert_eq!(pipeline.buffer.spill, Some("/var/spill".into()));
        assert_eq!(pipeline.sink.to, Some("s3://lake/x".into()));
    }

    #[test]
    fn a_key_that_is_not_known_is_named_with_the_nearest_one() {
        for (text, says) in [
            (
                "[source]\ncolections = []",
                "line 2: there is no key \"colections\"; did you mean \"collections\"?",
            ),
            ("[sauce]", "did you mean \"source\"?"),
            (
                "[buffer]\nurl = 'x'\nbuffer_name_of_mine = 'x'",
                "line 3: there is no key \"buffer_name_of_mine\"; there are url, name",
            ),
            ("[source]\nurls = 'x'", "expected a sequence"),
            ("[source", "line 1"),
        ] {
            let error = Pipeline::parse(text).unwrap_err();
            assert!(error.contains(says), "{text}: {error}");
        }
        let error = Pipeline::parse("[source]\ncompress = 'redis://u:secret@h'").unwrap_err();
        assert!(!error.contains("secret"), "{error}");
    }
}
