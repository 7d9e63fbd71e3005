//! Remedies as text: lines of redis.conf, and commands for a shell. Printed, never applied.

mod plan;

use std::fmt::Write as _;

use self::plan::{Step, Weight, plan};
use super::outcome::Audit;
use super::rule::Fix;
use crate::server::{Conf, quoted};

/// A setting as a line of redis.conf; several lines where the server wants them apart, as it does for `save`.
pub fn conf_line(directive: &str, value: &str) -> String {
    let text = Conf::from_iter([(directive, value)]).render();
    text.trim_end().to_owned()
}

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
        comment(&mut text, "There is nothing to mend.");
    }
    for step in &settings {
        text.push('\n');
        let is_at_start = matches!(step.fix, Fix::SetAtStart { .. });
        let restart = if is_at_start { " A restart is needed." } else { "" };
        comment(&mut text, &format!("{}{restart}", step.reason()));
        lines(&mut text, &step.fix.line(), step.weight == Weight::Note);
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

/// What mends the findings, as a script for sh that calls `redis_cli` (`redis-cli -h 127.0.0.1 -p 6379`). What
/// mends a note, needs a restart or needs a person is a comment.
pub fn commands(audit: &Audit, redis_cli: &str) -> String {
    let mut text = String::new();
    comment(&mut text, &format!("Printed, never applied: what mends the findings about {}.", audit.of));
    comment(&mut text, "Read it first; then run it with sh, on the server's machine.");
    let mut steps = plan(audit);
    steps.sort_by_key(|step| turn(step.fix));
    if steps.is_empty() {
        comment(&mut text, "There is nothing to mend.");
    }
    let mut last = String::new();
    for step in &steps {
        reason(&mut text, step, &mut last);
        let is_note = step.weight == Weight::Note;
        match step.fix {
            Fix::Set { directive, value } => {
                let line = format!("{redis_cli} CONFIG SET {} {}", sh_word(directive), sh_word(value));
                lines(&mut text, &line, is_note);
            }
            Fix::Command { line } => lines(&mut text, &call(redis_cli, line), is_note),
            Fix::Shell { line } => lines(&mut text, line, is_note),
            Fix::SetAtStart { directive, value } => {
                let line = conf_line(directive, value).replace('\n', "`, `");
                comment(&mut text, &format!("needs a restart: put `{line}` into redis.conf"));
            }
            Fix::Do { text: act } => comment(&mut text, &format!("by hand: {act}")),
        }
    }
    if steps.iter().any(|step| matches!(step.fix, Fix::Set { .. })) {
        text.push('\n');
        comment(
            &mut text,
            "What CONFIG SET changed is gone after a restart. This writes it into redis.conf:",
        );
        comment(&mut text, &format!("{redis_cli} CONFIG REWRITE"));
    }
    text
}

/// When a fix has its turn in a script. The policy comes before a limit, or keys might be evicted between the two;
/// what may lock the caller out comes last.
fn turn(fix: &Fix) -> u8 {
    const LOCKS: [&str; 6] = ["bind", "maxclients", "port", "protected-mode", "requirepass", "tls-port"];
    match fix {
        Fix::Set { directive, .. } if directive.eq_ignore_ascii_case("maxmemory-policy") => 0,
        Fix::Set { directive, .. } if LOCKS.contains(&directive.to_ascii_lowercase().as_str()) => 3,
        Fix::Set { .. } => 1,
        Fix::Command { .. } | Fix::Shell { .. } => 2,
        Fix::SetAtStart { .. } | Fix::Do { .. } => 4,
    }
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
fn call(redis_cli: &str, line: &str) -> String {
    let is_plain = line.split_ascii_whitespace().all(|word| sh_word(word) == word) && !line.contains('\n');
    if is_plain {
        format!("{redis_cli} {line}")
    } else {
        format!("printf '%s\\n' {} | {redis_cli}", sh_word(line))
    }
}

/// One word for sh, whatever is in it.
fn sh_word(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./:@%+,=".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

/// A comment of one line, whatever is in the text: what is left of a comment would be a setting, or a command.
fn comment(text: &mut String, words: &str) {
    let words = words.replace(|c: char| c.is_control(), " ");
    let _ = writeln!(text, "# {}", words.trim());
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
