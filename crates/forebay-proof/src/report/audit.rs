//! What an audit amounts to, in words that the terminal, the page and `JUnit` share.

use super::units;
use crate::audit::outcome::{Audit, Finding, Outcome, Setting};
use crate::audit::remedy;
use crate::audit::rule::{Fix, Section, Severity};

/// Counters younger than this have not seen a whole day.
const YOUNG_SECONDS: u64 = 24 * 3600;
/// What becomes of settings that are only set on a running server.
pub(super) const LASTING: &str = "What CONFIG SET changes is gone after a restart. CONFIG REWRITE, in redis-cli, \
                                  writes it into redis.conf.";

/// What came of a rule, its severity weighed in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tag {
    /// Broken.
    Broken(Severity),
    /// As it must be.
    Ok,
    /// Could not be read.
    NotShown,
    /// Not about this server.
    Idle,
}

impl Tag {
    /// The tags that are counted, in the order of reports.
    const COUNTED: [Self; 5] = [
        Self::Broken(Severity::Danger),
        Self::Broken(Severity::Warn),
        Self::Broken(Severity::Note),
        Self::Ok,
        Self::NotShown,
    ];

    /// What came of a rule.
    pub(super) fn of(finding: &Finding) -> Self {
        match finding.outcome {
            Outcome::Ok => Self::Ok,
            Outcome::Broken => Self::Broken(finding.severity),
            Outcome::NotShown => Self::NotShown,
            Outcome::DoesNotApply => Self::Idle,
        }
    }

    /// The word for people.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Broken(severity) => severity.word(),
            Self::Ok => "ok",
            Self::NotShown => "not shown",
            Self::Idle => "-",
        }
    }

    /// The word as a class of the page's style sheet.
    pub(super) fn class(self) -> &'static str {
        match self {
            // `note` is a paragraph of the page.
            Self::Broken(Severity::Note) => "noted",
            Self::NotShown => "not-shown",
            Self::Idle => "idle",
            other => other.word(),
        }
    }

    /// A sign that tells the tags apart without colour.
    pub(super) fn sign(self) -> &'static str {
        match self {
            Self::Broken(Severity::Danger) => "✗",
            Self::Broken(Severity::Warn) => "!",
            Self::Broken(Severity::Note) => "i",
            Self::Ok => "✓",
            Self::NotShown => "?",
            Self::Idle => "–",
        }
    }

    /// What the word means, for someone who meets it for the first time.
    pub(super) fn meaning(self) -> &'static str {
        match self {
            Self::Broken(Severity::Danger) => "loses events or stops the buffer",
            Self::Broken(Severity::Warn) => {
                "loses events or stops the buffer once something else goes wrong too"
            }
            Self::Broken(Severity::Note) => "worth knowing: a cost, or something that is missed on a bad day",
            Self::Ok => "is as a buffer needs it",
            Self::NotShown => "could not be read: neither good news nor bad",
            Self::Idle => "does not apply here",
        }
    }
}

/// The word for what came of a setting of the profile, and the tag it looks like.
pub(super) fn of_setting(setting: &Setting) -> (&'static str, Tag) {
    match setting.outcome {
        Outcome::Ok => ("ok", Tag::Ok),
        Outcome::Broken => ("differs", Tag::Broken(Severity::Danger)),
        Outcome::NotShown => ("not shown", Tag::NotShown),
        Outcome::DoesNotApply => ("-", Tag::Idle),
    }
}

/// The heading of a section.
pub(super) fn title(section: Section) -> String {
    let word = section.word();
    format!("{}{}", word[..1].to_uppercase(), &word[1..])
}

/// The rules by tag, those that do not apply left out; tags that no rule has are left out too.
pub(super) fn tally(audit: &Audit) -> Vec<(Tag, usize)> {
    let count = |tag| audit.rules.iter().filter(|finding| Tag::of(finding) == tag).count();
    Tag::COUNTED.into_iter().map(|tag| (tag, count(tag))).filter(|(_, count)| *count > 0).collect()
}

/// The rules of a section that are broken, the gravest first, and those that are kept.
pub(super) fn of_section(audit: &Audit, section: Section) -> (Vec<&Finding>, Vec<&Finding>) {
    let with = |outcome| {
        let is_it = move |finding: &&Finding| finding.section == section && finding.outcome == outcome;
        audit.rules.iter().filter(is_it).collect::<Vec<_>>()
    };
    let mut broken = with(Outcome::Broken);
    broken.sort_by_key(|finding| finding.severity);
    (broken, with(Outcome::Ok))
}

/// What could not be read: each reason once, with the settings and rules it kept from being judged.
pub(super) fn unread(audit: &Audit) -> Vec<(&str, Vec<&str>)> {
    let settings = audit.settings.iter().filter(|setting| setting.outcome == Outcome::NotShown);
    let rules = audit.rules.iter().filter(|finding| finding.outcome == Outcome::NotShown);
    let mut reasons: Vec<(&str, Vec<&str>)> = Vec::new();
    let each = settings.map(|setting| (&*setting.why, &*setting.name));
    for (reason, name) in each.chain(rules.map(|finding| (&*finding.read, &*finding.id))) {
        match reasons.iter_mut().find(|(known, _)| *known == reason) {
            Some((_, names)) => names.push(name),
            None => reasons.push((reason, vec![name])),
        }
    }
    reasons
}

/// The rules that are not about this server, counted: `9 rules do not apply here`.
pub(super) fn idle(audit: &Audit) -> Option<String> {
    let count = audit.count(Outcome::DoesNotApply);
    let verb = if count == 1 { "rule does" } else { "rules do" };
    (count > 0).then(|| format!("{count} {verb} not apply here"))
}

/// The settings counted: `12 of 14 settings are as the profile asks`.
pub(super) fn settings(audit: &Audit) -> Option<String> {
    let all = audit.settings.len();
    let kept = audit.settings.iter().filter(|setting| setting.outcome == Outcome::Ok).count();
    let verb = if all == 1 { "setting is" } else { "settings are" };
    (all > 0).then(|| format!("{kept} of {all} {verb} as the profile asks"))
}

/// A warning, where the server's counters have not seen much yet.
pub(super) fn young(audit: &Audit) -> Option<String> {
    let up = audit.uptime_seconds.filter(|seconds| *seconds < YOUNG_SECONDS)?;
    let up = match up {
        3600.. if up % 3600 < 60 => format!("{} h", up / 3600),
        _ => units::span(up as f64),
    };
    Some(format!("Counters are young: the server has been up for {up}; what has not happened yet may still."))
}

/// Whether anything that is wrong is mended by a setting of the running server.
pub(super) fn sets_live(audit: &Audit) -> bool {
    let rules = audit.rules.iter().flat_map(|finding| &finding.fixes);
    let mut fixes = rules.chain(audit.settings.iter().flat_map(|setting| &setting.fixes));
    !audit.is_file && fixes.any(|fix| matches!(fix, Fix::Set { .. }))
}

/// Where a remedy goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Server,
    File,
    FileAndRestart,
    Shell,
    Person,
}

impl Place {
    fn of(fix: &Fix, is_file: bool) -> Self {
        match fix {
            Fix::Set { .. } | Fix::SetAtStart { .. } if is_file => Self::File,
            Fix::Set { .. } | Fix::Command { .. } => Self::Server,
            Fix::SetAtStart { .. } => Self::FileAndRestart,
            Fix::Shell { .. } => Self::Shell,
            Fix::Do { .. } => Self::Person,
        }
    }

    /// The place for people.
    pub(super) fn words(self) -> &'static str {
        match self {
            Self::Server => "in redis-cli",
            Self::File => "in redis.conf",
            Self::FileAndRestart => "in redis.conf, then restart the server",
            Self::Shell => "in a shell on the server's machine",
            Self::Person => "by hand",
        }
    }

    /// Whether its lines are for a machine, to be copied to the letter.
    pub(super) fn is_exact(self) -> bool {
        self != Self::Person
    }
}

/// Remedies in their order, neighbours that go to the same place together, as lines to copy.
pub(super) fn mends<'a>(
    fixes: impl IntoIterator<Item = &'a Fix>,
    is_file: bool,
) -> Vec<(Place, Vec<String>)> {
    let mut mends: Vec<(Place, Vec<String>)> = Vec::new();
    for fix in fixes {
        let place = Place::of(fix, is_file);
        let text = match fix {
            Fix::Set { directive, value } if !is_file => remedy::config_set(directive, value),
            fix => fix.line(),
        };
        let lines = text.lines().map(str::to_owned);
        match mends.last_mut() {
            Some((last, known)) if *last == place => known.extend(lines),
            _ => mends.push((place, lines.collect())),
        }
    }
    mends
}

/// A sentence without its full stop, to be followed by something.
pub(super) fn bare(sentence: &str) -> &str {
    sentence.trim().trim_end_matches('.')
}
