//! What a drain tells of itself beside its buffer, for `stat` and the watch: at each commit and trouble, and every few seconds.
//!
//! A thread and a connection of its own: no commit waits for it, and it goes on while one takes long. Where the server is away
//! or does not take it, what stands there gets old; the drain does not end by that.

use std::thread::{Builder, Scope};
use std::time::Duration;

use forebay::buffer::sink::{FiguresWriter, LastCommit, Sink, SinkFigures};

use super::config::Config;
use super::counts::Counts;
use super::place::Target;
use super::run::DrainError;

/// How often it is told that the drain runs, and how far apart two tellings are at the least, however many commits there are.
const EVERY: Duration = Duration::from_secs(5);
const APART: Duration = Duration::from_secs(1);

/// Files of a lane are made once an hour at the latest, whatever the drain is told.
const AGE_MAX: Duration = Duration::from_secs(3_600);

/// What is told, and how.
pub(super) struct Figures<'a> {
    writer: FiguresWriter,
    counts: &'a Counts,
    to: Target,
    age_max: Duration,
    /// What runs before this one had written; none until that is known.
    before: Option<SinkFigures>,
}

/// It is being told, until this is dropped.
pub(super) struct Telling<'a>(&'a Counts);

impl Telling<'_> {
    /// Tells how it ended.
    pub fn end(self, ended: &Result<(), DrainError>) {
        self.0.ends(ended.as_ref().err().map(ToString::to_string));
    }
}

impl Drop for Telling<'_> {
    fn drop(&mut self) {
        self.0.is_told_no_more();
    }
}

impl<'a> Figures<'a> {
    pub fn of(sink: &Sink, config: &Config, counts: &'a Counts) -> Self {
        Self {
            writer: sink.figures_writer(),
            counts,
            to: config.to.clone(),
            age_max: config.rolling.age.min(AGE_MAX),
            before: None,
        }
    }

    /// Begins to tell.
    pub fn begin<'scope>(self, scope: &'scope Scope<'scope, '_>) -> Telling<'a>
    where
        'a: 'scope,
    {
        let telling = Telling(self.counts);
        if let Err(why) =
            Builder::new().name("drain-figures".into()).spawn_scoped(scope, move || self.tell_on())
        {
            tracing::warn!("no thread could be started: {why}; neither `stat` nor a watch sees this drain");
        }
        telling
    }

    fn tell_on(mut self) {
        loop {
            let (news, is_over) = self.counts.news();
            let is_told = self.tell();
            if is_over {
                if !is_told {
                    // Over another connection: nothing comes after it that would make up for it.
                    self.tell();
                }
                return;
            }
            self.counts.wait_for_end(APART);
            self.counts.wait_for_news(news, EVERY);
        }
    }

    /// Whether the server has answered.
    fn tell(&mut self) -> bool {
        let told = match &self.before {
            Some(before) => Ok(before.clone()),
            None => self.writer.before().map(|found| {
                // Another place's files are not in this one.
                let to = self.to.to_string();
                found.map(|sink| sink.figures).filter(|figures| figures.to == to).unwrap_or_default()
            }),
        };
        let told = told.and_then(|before| {
            self.before = Some(before.clone());
            self.writer.write(&self.now(&before))
        });
        if let Err(why) = &told {
            tracing::debug!("{why}; it is told again");
        }
        told.is_ok()
    }

    fn now(&self, before: &SinkFigures) -> SinkFigures {
        let (counted, going) = (self.counts.look(), self.counts.going());
        let last = going.last.map(|last| LastCommit {
            ago_ms: last.at.elapsed().as_millis() as u64,
            took_ms: last.took.as_millis() as u64,
            rows: last.rows,
        });
        let (trouble, trouble_for) = going.trouble.unzip();
        let space = match &self.to {
            Target::Folder(root) => rustix::fs::statvfs(root).ok(),
            Target::Bucket(_) => None,
        };
        SinkFigures {
            to: self.to.to_string(),
            is_over: going.is_over_well,
            commits: before.commits + counted.commits,
            files: before.files + counted.files,
            rows: before.rows + counted.rows,
            bytes: before.bytes + counted.bytes,
            lines_bytes: before.lines_bytes + counted.lines_bytes,
            lines_file_bytes: before.lines_file_bytes + counted.lines_file_bytes,
            failures: before.failures + counted.failures,
            staged: counted.staged,
            age_max_ms: self.age_max.as_millis() as u64,
            last,
            trouble,
            trouble_ms: trouble_for.map_or(0, |of| of.as_millis() as u64),
            free_bytes: space.map(|space| space.f_bavail.saturating_mul(space.f_frsize)),
            bytes_per_hour: going.bytes_per_hour,
        }
    }
}
