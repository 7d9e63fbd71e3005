//! Remedies as text: lines of redis.conf, and commands for a shell. Printed, never applied.

mod plan;

use std::fmt::Write as _;

use self::plan::{Step, Weight, plan};
pub use super::conf_line::conf_line;
use super::outcome::{Audit, Outcome};
use super::rule::Fix;
use forebay_rig::server::quoted;

/// A setting for a running server, as redis-cli takes it at its prompt.
pub fn config_set(directive: &str, value: &str) -> String {
    format!("CONFIG SET {directive} {}", quoted(value))
}

/// What mends the findings in redis.conf, each line under a comment that says why. Lines that mend a note are
/// commented out; what redis.conf cannot do stands at the end, as comments.
pub fn conf(audit: &Audit) -> String {
    let mut text = String::new();
    comment(&mut text, &format!("For redis.conf, from an audit of {}. Printed, never applied.", audit.of));
    comment(&mut text, "Put these lines in the place of those that name the same settings.");
    let (settings, others): (Vec<Step>, Vec<Step>) =
        plan(audit).into_iter().partition(|step| step.directive().is_some());
    if settings.is_empty() && others.is_empty() {
        comment(&mut text, nothing(audit));
    }
    for step in &settings {
        text.push('\n');
        let is_at_start = matches!(step.fix, Fix::SetAtStart { .. });
        let restart = if is_at_start { " A restart is needed." } else { "" };
        comment(&mut text, &format!("{}{restart}", step.reason()));
        if step.directive() == Some("appendonly") && !lacks_config(audit) {
            comment(
                &mut text,
                "Not by this line and a restart: a server with events and no AOF yet starts empty.",
            );
            comment(
                &mut text,
                "First, while it runs: CONFIG SET appendonly yes, until INFO persistence says",
            );
            comment(
                &mut text,
                "aof_rewrite_in_progress:0. Then this line, or CONFIG REWRITE, which writes it:",
            );
        }
        // A running server has its AOF first; only a file without one may begin with the line.
        let is_later = step.directive() == Some("appendonly") && !audit.is_file;
        lines(&mut text, &step.fix.line(), step.weight == Weight::Note || is_later);
    }
    if !others.is_empty() {
        text.push('\n');
        comment(&mut text, "What redis.conf cannot do:");
    }
    let mut last = String::new();
    for step in &others {
        reason(&mut text, step, &mut last);
        let place = match step.fix {
            Fix::Command { .. } => "in redis-cli",
            Fix::Shell { .. } => "in a shell on the server's machine",
            _ => "by hand",
        };
        lines(&mut text, &format!("{place}: {}", step.fix.line()), true);
    }
    text
}

/// Whether the audit has said that CONFIG cannot be given.
fn lacks_config(audit: &Audit) -> bool {
    let is_said = |fix: &Fix| matches!(fix, Fix::Do { text } if text.starts_with("CONFIG is ") || text.starts_with("CONFIG cannot"));
    audit.rules.iter().flat_map(|finding| &finding.fixes).any(is_said)
}

/// What mends the findings, as a script for sh that calls `redis_cli` (`redis-cli -h 127.0.0.1 -p 6379`). It ends at
/// the first answer that is no success. What mends a note, needs a restart or needs a person is a comment.
pub fn commands(audit: &Audit, redis_cli: &str) -> String {
    let mut text = String::new();
    comment(&mut text, &format!("Printed, never applied: what mends the findings about {}.", audit.of));
    comment(&mut text, "Read it first; then run it with sh, on the server's machine. A password goes into");
    comment(&mut text, "REDISCLI_AUTH, by a user who may use CONFIG and ACL.");
    let mut steps = plan(audit);
    steps.sort_by_key(|step| turn(step.fix));
    if steps.is_empty() {
        comment(&mut text, nothing(audit));
        return text;
    }
    let is_live = |step: &Step| {
        step.weight != Weight::Note && !matches!(step.fix, Fix::SetAtStart { .. } | Fix::Do { .. })
    };
    if steps.iter().any(is_live) {
        let ask = include_str!("remedy/ask.sh").trim_end();
        let _ = writeln!(text, "\nset -eu\ncli() {{ {redis_cli} \"$@\"; }}\n{ask}");
    }
    let is_set = |step: &&Step| step.weight != Weight::Note && matches!(step.fix, Fix::Set { .. });
    let mut last = String::new();
    let (mut is_owed, mut was_lock) = (false, false);
    for step in &steps {
        // Before what may lock the caller out, and once more behind it.
        if is_owed && (is_lock(step.fix) && !was_lock || !is_set(&step)) {
            rewrite(&mut text, audit);
            is_owed = false;
        }
        reason(&mut text, step, &mut last);
        call(&mut text, step);
        is_owed |= is_set(&step);
        was_lock = is_lock(step.fix);
        if is_set(&step) && step.directive() == Some("appendonly") {
            text.push_str("until_rewritten\n");
        }
    }
    if is_owed {
        rewrite(&mut text, audit);
    }
    text
}

/// One step of the script.
fn call(text: &mut String, step: &Step) {
    let is_note = step.weight == Weight::Note;
    match step.fix {
        Fix::Set { directive, value } => {
            lines(text, &format!("ask CONFIG SET {} {}", sh_word(directive), sh_word(value)), is_note);
        }
        Fix::Command { line } => lines(text, &asked(line), is_note),
        Fix::Shell { line } => lines(text, line, is_note),
        Fix::SetAtStart { directive, value } => {
            let line = conf_line(directive, value).replace('\n', "`, `");
            comment(text, &format!("needs a restart: put `{line}` into redis.conf"));
        }
        Fix::Do { text: act } => comment(text, &format!("by hand: {act}")),
    }
}

/// What was set, into the file that the next start reads.
fn rewrite(text: &mut String, audit: &Audit) {
    text.push('\n');
    if audit.config_file.as_deref() == Some("") {
        comment(
            text,
            "The server has no redis.conf, and what was set is gone at its next start: write one with",
        );
        comment(text, "forebay audit --fix-conf, and start it with that, once the AOF is there.");
    } else {
        comment(text, "Else what was set is gone at the next start, and the AOF would not be read.");
        text.push_str("ask CONFIG REWRITE\n");
    }
}

/// Where no remedy is: whether that is good news.
fn nothing(audit: &Audit) -> &'static str {
    if audit.count(Outcome::NotShown) > 0 {
        "Nothing to mend in what could be read. Rules that could not be read may be broken: see forebay audit."
    } else {
        "There is nothing to mend."
    }
}

/// When a fix has its turn in a script. The policy comes before a limit, or keys might be evicted between the two;
/// the AOF before what it replaces; what may lock the caller out, last of the settings.
fn turn(fix: &Fix) -> u8 {
    match fix {
        Fix::Set { directive, .. } => match directive.to_ascii_lowercase().as_str() {
            "maxmemory-policy" => 0,
            "appendonly" => 1,
            _ if is_lock(fix) => 3,
            _ => 2,
        },
        Fix::Command { .. } => 4,
        Fix::Shell { .. } => 5,
        Fix::SetAtStart { .. } | Fix::Do { .. } => 6,
    }
}

/// Whether it may lock out whoever sets it.
fn is_lock(fix: &Fix) -> bool {
    const LOCKS: [&str; 6] = ["bind", "maxclients", "port", "protected-mode", "requirepass", "tls-port"];
    matches!(fix, Fix::Set { directive, .. } if LOCKS.contains(&directive.to_ascii_lowercase().as_str()))
}

/// A comment that says why, unless the last one said the same.
fn reason(text: &mut String, step: &Step, last: &mut String) {
    let reason = step.reason();
    if *last != reason {
        text.push('\n');
        comment(text, &reason);
    }
    *last = reason;
}

/// A command for redis-cli: as its arguments where sh and redis-cli read it alike, else as a line at its prompt.
fn asked(line: &str) -> String {
    let is_plain = line.split_ascii_whitespace().all(|word| sh_word(word) == word) && !line.contains('\n');
    if is_plain { format!("ask {line}") } else { format!("at_prompt {}", sh_word(line)) }
}

/// One word for sh, whatever is in it.
pub fn sh_word(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./:@%+,=".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

/// A comment of one line, whatever is in the text: what is left of a comment would be a setting, or a command.
fn comment(text: &mut String, words: &str) {
    let words = words.replace(|c: char| c.is_control() || is_bidi(c), " ");
    let _ = writeln!(text, "# {}", words.trim());
}

/// Whether it turns the direction of what follows, so that a comment might look like something else.
fn is_bidi(c: char) -> bool {
    matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Lines as they are, or each commented out.
fn lines(text: &mut String, lines: &str, is_comment: bool) {
    for line in lines.lines() {
        if is_comment {
            comment(text, line);
        } else {
            let _ = writeln!(text, "{line}");
        }
    }
}
