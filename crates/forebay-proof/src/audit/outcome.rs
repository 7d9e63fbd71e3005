//! What an audit found, for reports: every setting of the profile and every rule, with what was read.

use serde::{Deserialize, Serialize};

use super::rule::{Fix, Section, Severity};

/// One audit. Every renderer in `report` draws from this and from nothing else.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Audit {
    /// What was looked at: a server's address, or the path of a redis.conf.
    pub of: String,
    /// Whether that was a file, without a server.
    pub is_file: bool,
    /// The redis.conf that the server was started with: empty where it was none, none where that is not known.
    pub config_file: Option<String>,
    /// For how long the server's counters have been counting; none where that is not known.
    pub uptime_seconds: Option<u64>,
    /// The settings that the profile names, in its order.
    pub settings: Vec<Setting>,
    /// Every rule, by section.
    pub rules: Vec<Finding>,
}

/// A setting of the profile against what the server has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Setting {
    /// Its name.
    pub name: String,
    /// What the profile asks for.
    pub required: String,
    /// What the server has; none where that could not be read.
    pub found: Option<String>,
    /// Whether both mean the same.
    pub outcome: Outcome,
    /// Where it is not shown: why.
    pub why: String,
    /// Where it differs: what mends it.
    pub fixes: Vec<Fix>,
}

/// A rule held against a server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// The rule's stable name.
    pub id: String,
    /// Its section.
    pub section: Section,
    /// What breaking it does.
    pub severity: Severity,
    /// What must be.
    pub must: String,
    /// What came of it.
    pub outcome: Outcome,
    /// What was read; or why it was not, or why the rule is not about this server.
    pub read: String,
    /// Why it matters to a buffer.
    pub why: String,
    /// What mends it on this server; empty unless it is broken.
    pub fixes: Vec<Fix>,
    /// Where the rule comes from.
    pub source: String,
}

/// What came of a look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// As it must be.
    Ok,
    /// Not as it must be.
    Broken,
    /// It could not be read.
    NotShown,
    /// The rule is not about this server.
    DoesNotApply,
}

impl Audit {
    /// Rules broken, of this severity.
    pub fn broken(&self, severity: Severity) -> impl Iterator<Item = &Finding> {
        self.rules.iter().filter(move |finding| finding.is_broken() && finding.severity == severity)
    }

    /// Rules with this outcome.
    pub fn count(&self, outcome: Outcome) -> usize {
        self.rules.iter().filter(|finding| finding.outcome == outcome).count()
    }

    /// Settings that are not the profile's.
    pub fn differing(&self) -> impl Iterator<Item = &Setting> {
        self.settings.iter().filter(|setting| setting.outcome == Outcome::Broken)
    }

    /// What to do first: the gravest broken rules, in the order of the sections, notes left out.
    pub fn first(&self, at_most: usize) -> Vec<&Finding> {
        let mut grave: Vec<&Finding> = self.rules.iter().filter(|finding| finding.is_broken()).collect();
        grave.retain(|finding| finding.severity != Severity::Note);
        grave.sort_by_key(|finding| finding.severity);
        grave.truncate(at_most);
        grave
    }
}

impl Finding {
    /// Whether the server is not as the rule asks.
    pub fn is_broken(&self) -> bool {
        self.outcome == Outcome::Broken
    }

    /// The word in brackets: `ok`, the severity where it is broken, `?` where it is not shown.
    pub fn tag(&self) -> &'static str {
        match self.outcome {
            Outcome::Ok => "ok",
            Outcome::Broken => self.severity.word(),
            Outcome::NotShown => "not shown",
            Outcome::DoesNotApply => "-",
        }
    }
}
