//! The audit in the terminal: what is as it must be in a line each, what is not with its remedy.

use textwrap::core::display_width;

use super::page::{Page, WIDTHS, clean, setting as conf_setting};
use crate::audit::outcome::{Audit, Finding, Setting};
use crate::audit::rule::{Fix, Rule, Section, Severity};
use crate::printable::{DIM, paint};
use crate::report::audit::{self, Place, Tag};

/// Where the text behind a tag begins.
const COLUMN: usize = 12;
/// Indentation of a fix under the place where it goes.
const FIX: usize = COLUMN + 2;

/// Where the rest of a note is.
const WHOLE: &str = "Why a note matters and what mends it: forebay audit --explain NAME. Every remedy at once: \
    --fix-conf, --fix-commands.";

/// One rule whole.
pub fn explain(rule: &Rule, width: usize, colour: bool) -> String {
    let mut page = page(width, colour);
    page.tagged(Tag::Broken(rule.severity), 0, 10, rule.id);
    page.wrapped(rule.must, "  ", "  ");
    page.field("means", Tag::Broken(rule.severity).meaning());
    page.field("why", rule.why);
    page.field("remedy", rule.remedy);
    page.field("servers", &rule.versions.text());
    page.field("source", rule.source);
    page.out
}

/// Rules in a line each: name, severity, and what must be.
pub fn list(rules: impl Iterator<Item = &'static Rule>, width: usize) -> String {
    let rules: Vec<&Rule> = rules.collect();
    let mut page = page(width, false);
    let longest = rules.iter().map(|rule| rule.id.len()).max().unwrap_or(0);
    for rule in rules {
        let first = format!("{:<longest$}  {:<6}  ", rule.id, rule.severity.word());
        page.cut(rule.must, &first, longest + 10);
    }
    page.out
}

/// The audit's own part of a report.
pub(super) fn render(page: &mut Page, audit: &Audit) {
    let without = if audit.is_file { ", without a server" } else { "" };
    page.section(&format!("Audit of {}{without}", audit.of));
    if let Some(young) = audit::young(audit) {
        page.wrapped(&young, "  ", "  ");
    }
    settings(page, audit);
    for section in Section::ALL {
        rules(page, audit, section);
    }
    unread(page, audit);
    summary(page, audit);
}

fn settings(page: &mut Page, audit: &Audit) {
    if audit.settings.is_empty() {
        return;
    }
    page.section("Settings of the profile");
    for setting in &audit.settings {
        let (word, tag) = audit::of_setting(setting);
        page.one_line(tag, word, COLUMN + 2, &setting_text(setting));
    }
    let fixes: Vec<&Fix> = audit.differing().flat_map(|setting| &setting.fixes).collect();
    if !fixes.is_empty() {
        page.blank();
        page.mend(fixes, audit.is_file);
    }
}

fn setting_text(setting: &Setting) -> String {
    let asked = conf_setting(&setting.name, &setting.required);
    match &setting.found {
        Some(found) if *found != setting.required => {
            let found = if found.is_empty() { "\"\"" } else { found };
            format!("{asked}: found {found}")
        }
        _ => asked,
    }
}

/// A section: first what is broken, each with its remedy, then what is kept.
fn rules(page: &mut Page, audit: &Audit, section: Section) {
    let (broken, kept) = audit::of_section(audit, section);
    if broken.is_empty() && kept.is_empty() {
        return;
    }
    page.section(&audit::title(section));
    let (notes, grave): (Vec<&Finding>, Vec<&Finding>) =
        broken.iter().partition(|finding| finding.severity == Severity::Note);
    for (at, finding) in grave.iter().enumerate() {
        if at > 0 {
            page.blank();
        }
        page.tagged(Tag::of(finding), 2, COLUMN, &finding.id);
        page.field("must", &finding.must);
        page.field("found", &finding.read);
        page.field("why", &finding.why);
        page.mend(&finding.fixes, audit.is_file);
    }
    if !grave.is_empty() && !notes.is_empty() {
        page.blank();
    }
    // A note whole would bury what is grave: `--explain` has it.
    for finding in notes {
        page.tagged(Tag::of(finding), 2, COLUMN, &format!("{}: {}", finding.id, finding.read));
        page.field("must", &finding.must);
    }
    if !broken.is_empty() && !kept.is_empty() {
        page.blank();
    }
    for finding in &kept {
        let text = format!("{}: {}", audit::bare(&finding.must), finding.read);
        page.tagged(Tag::Ok, 2, COLUMN, &text);
    }
}

fn unread(page: &mut Page, audit: &Audit) {
    let reasons = audit::unread(audit);
    if reasons.is_empty() {
        return;
    }
    page.section("Not shown");
    for (reason, names) in reasons {
        page.wrapped(&format!("{}:", audit::bare(reason)), "  ", "  ");
        page.wrapped(&names.join(", "), "    ", "    ");
    }
}

fn summary(page: &mut Page, audit: &Audit) {
    page.section("Summary");
    for (tag, count) in audit::tally(audit) {
        let first = format!("  {count:>3} {:<9}  ", tag.word());
        page.wrapped(tag.meaning(), &first, &" ".repeat(first.len()));
    }
    for text in [audit::idle(audit), audit::settings(audit)].into_iter().flatten() {
        page.wrapped(&format!("{text}."), "  ", "  ");
    }
    if audit.broken(Severity::Note).next().is_some() {
        page.wrapped(WHOLE, "  ", "  ");
    }
    let first = audit.first(3);
    if !first.is_empty() {
        page.section("Do first:");
    }
    for (at, finding) in first.into_iter().enumerate() {
        page.first(at + 1, finding, audit.is_file);
    }
    if audit::sets_live(audit) {
        page.blank();
        page.wrapped(audit::LASTING, "", "");
    }
}

fn page(width: usize, colour: bool) -> Page {
    Page { out: String::new(), width: width.clamp(WIDTHS.0, WIDTHS.1), colour }
}

impl Page {
    /// A tag at `indent` and a text behind it, in a column that begins at `column`.
    fn tagged(&mut self, tag: Tag, indent: usize, column: usize, text: &str) {
        let word = format!("[{}]", tag.word());
        let first = format!("{:indent$}{word:<width$}", "", width = column - indent);
        let from = self.out.len() + indent;
        self.wrapped(text, &first, &" ".repeat(column));
        self.coloured(from, word.len(), tag);
    }

    /// A tag and what of the text fits on its line.
    fn one_line(&mut self, tag: Tag, word: &str, column: usize, text: &str) {
        let word = format!("[{word}]");
        let from = self.out.len() + 2;
        self.cut(text, &format!("  {word:<width$}", width = column - 2), column);
        self.coloured(from, word.len(), tag);
    }

    /// What of the text fits on one line behind `first`, which takes so many columns.
    fn cut(&mut self, text: &str, first: &str, columns: usize) {
        let text = clean(text).split_whitespace().collect::<Vec<_>>().join(" ");
        let room = self.width - columns;
        if display_width(&text) <= room {
            return self.line(&format!("{first}{text}"));
        }
        let parts = textwrap::wrap(&text, room - 2);
        let part = parts.first().map_or("", |part| part.trim_end_matches([':', ',', ';', ' ']));
        self.line(&format!("{first}{part} …"));
    }

    /// Colours a tag that is written. After wrapping, since a code takes no columns.
    fn coloured(&mut self, from: usize, length: usize, tag: Tag) {
        if !self.colour {
            return;
        }
        let code = match tag {
            Tag::Broken(Severity::Danger) => "1;31",
            Tag::Broken(Severity::Warn) | Tag::NotShown => "1;33",
            Tag::Broken(Severity::Note) => "1;36",
            Tag::Ok => "32",
            Tag::Idle => DIM,
        };
        let word = self.out[from..from + length].to_owned();
        self.out.replace_range(from..from + length, &paint(&word, code));
    }

    /// What mends it: the place, and under it each line as it is to be copied.
    fn mend<'a>(&mut self, fixes: impl IntoIterator<Item = &'a Fix>, is_file: bool) {
        for (at, (place, lines)) in audit::mends(fixes, is_file).iter().enumerate() {
            let label = if at == 0 { "mend" } else { "" };
            self.field(label, &format!("{}:", place.words()));
            self.fixes(*place, lines, FIX);
        }
    }

    /// One of the things to do first.
    fn first(&mut self, number: usize, finding: &Finding, is_file: bool) {
        let text = format!("must: {} ({})", audit::bare(&finding.must), finding.id);
        self.wrapped(&text, &format!("  {number}. "), "     ");
        for (place, lines) in audit::mends(&finding.fixes, is_file) {
            self.wrapped(&format!("{}:", place.words()), "     ", "     ");
            self.fixes(place, &lines, 7);
        }
    }

    /// Lines to copy: whole, if need be further to the left; broken only where no line is wide enough.
    fn fixes(&mut self, place: Place, lines: &[String], indent: usize) {
        for text in lines {
            let text = clean(text);
            let fits = |indent: &usize| indent + display_width(&text) <= self.width;
            match [indent, 4, 0].into_iter().find(fits) {
                Some(indent) if place.is_exact() => self.line(&format!("{:indent$}{text}", "")),
                _ => {
                    let indent = " ".repeat(if place.is_exact() { 4 } else { indent });
                    self.wrapped(&text, &indent, &indent);
                }
            }
        }
    }
}
