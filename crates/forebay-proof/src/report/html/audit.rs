//! The audit as the page shows it: what to do first, what is wrong with its remedy, the rest a click away.

use crate::audit::outcome::{Audit, Finding, Outcome, Setting};
use crate::audit::rule::Section;
use crate::report::audit::{self, Place, Tag, bare};

/// An audit, ready for `templates/audit.html`.
pub(super) struct AuditView<'a> {
    pub(super) audit: &'a Audit,
    pub(super) young: Option<String>,
    pub(super) tally: Vec<(Tag, usize)>,
    pub(super) first: Vec<RuleView<'a>>,
    pub(super) settings: Vec<SettingView<'a>>,
    /// The settings counted, in words.
    pub(super) kept: Option<String>,
    /// What mends the settings that differ.
    pub(super) mends: Vec<Mend>,
    pub(super) sections: Vec<SectionView<'a>>,
    pub(super) unread: Vec<(&'a str, Vec<&'a str>)>,
    pub(super) idle: Vec<RuleView<'a>>,
    /// What becomes of settings of a running server, where there are such remedies.
    pub(super) lasting: Option<&'static str>,
}

/// A section that has something to show.
pub(super) struct SectionView<'a> {
    pub(super) title: String,
    pub(super) broken: Vec<RuleView<'a>>,
    pub(super) kept: Vec<RuleView<'a>>,
}

/// A rule, and what mends it where it is broken.
pub(super) struct RuleView<'a> {
    pub(super) rule: &'a Finding,
    pub(super) tag: Tag,
    pub(super) must: &'a str,
    pub(super) mends: Vec<Mend>,
}

/// A setting of the profile against the server's.
pub(super) struct SettingView<'a> {
    pub(super) setting: &'a Setting,
    pub(super) word: &'static str,
    pub(super) sign: &'static str,
    pub(super) class: &'static str,
}

/// A remedy: where it goes, and its lines.
pub(super) struct Mend {
    pub(super) place: &'static str,
    pub(super) lines: Vec<String>,
    /// Whether it is to be copied to the letter.
    pub(super) is_exact: bool,
}

impl<'a> AuditView<'a> {
    pub(super) fn of(audit: &'a Audit) -> Self {
        let idle = audit.rules.iter().filter(|rule| rule.outcome == Outcome::DoesNotApply);
        let fixes = audit.differing().flat_map(|setting| &setting.fixes);
        Self {
            audit,
            young: audit::young(audit),
            tally: audit::tally(audit),
            first: RuleView::all(audit.first(3), audit.is_file),
            settings: audit.settings.iter().map(SettingView::of).collect(),
            kept: audit::settings(audit),
            mends: mends(audit::mends(fixes, audit.is_file)),
            sections: Section::ALL.into_iter().filter_map(|of| SectionView::of(audit, of)).collect(),
            unread: audit::unread(audit),
            idle: RuleView::all(idle.collect(), audit.is_file),
            lasting: audit::sets_live(audit).then_some(audit::LASTING),
        }
    }

    /// Whether a setting is not the profile's.
    pub(super) fn settings_matter(&self) -> bool {
        self.settings.iter().any(|view| view.setting.outcome == Outcome::Broken)
    }
}

impl<'a> SectionView<'a> {
    fn of(audit: &'a Audit, section: Section) -> Option<Self> {
        let (broken, kept) = audit::of_section(audit, section);
        let is_empty = broken.is_empty() && kept.is_empty();
        let views = |rules| RuleView::all(rules, audit.is_file);
        (!is_empty).then(|| Self { title: audit::title(section), broken: views(broken), kept: views(kept) })
    }
}

impl<'a> RuleView<'a> {
    fn all(rules: Vec<&'a Finding>, is_file: bool) -> Vec<Self> {
        rules.into_iter().map(|rule| Self::of(rule, is_file)).collect()
    }

    fn of(rule: &'a Finding, is_file: bool) -> Self {
        let mends = mends(audit::mends(&rule.fixes, is_file));
        Self { rule, tag: Tag::of(rule), must: bare(&rule.must), mends }
    }
}

impl<'a> SettingView<'a> {
    fn of(setting: &'a Setting) -> Self {
        let (word, tag) = audit::of_setting(setting);
        Self { setting, word, sign: tag.sign(), class: tag.class() }
    }
}

fn mends(mends: Vec<(Place, Vec<String>)>) -> Vec<Mend> {
    let mend = |(place, lines): (Place, Vec<String>)| Mend {
        place: place.words(),
        lines,
        is_exact: place.is_exact(),
    };
    mends.into_iter().map(mend).collect()
}
