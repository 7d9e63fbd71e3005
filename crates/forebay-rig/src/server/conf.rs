//! A server's settings, and their text as a `redis.conf`.

use std::fmt::Write as _;

/// Directives whose value is several arguments, and how many make one line. Some servers (Redis 6.2) read neither such
/// a value in one pair of quotes nor two groups on one line, so each group gets a line and each word stands alone.
const SEVERAL_ARGUMENTS: [(&str, usize); 8] = [
    ("save", 2),
    ("client-output-buffer-limit", 4),
    ("bind", usize::MAX),
    ("latency-tracking-info-percentiles", usize::MAX),
    ("loadmodule", usize::MAX),
    ("oom-score-adj-values", usize::MAX),
    ("rename-command", 2),
    ("user", usize::MAX),
];

/// Settings in order, each directive once. A value is what CONFIG GET shows: `save` is `""` or `"3600 1 300 100"`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Conf {
    settings: Vec<(String, String)>,
}

impl Conf {
    /// No settings: the server's own defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets a directive. A second value for it replaces the first, in its place. Names are kept in lower case.
    pub fn set(&mut self, name: impl AsRef<str>, value: impl Into<String>) -> &mut Self {
        let name = name.as_ref().to_ascii_lowercase();
        let value = value.into();
        match self.settings.iter_mut().find(|(known, _)| *known == name) {
            Some(setting) => setting.1 = value,
            None => self.settings.push((name, value)),
        }
        self
    }

    /// The value set for a directive, if any.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.settings
            .iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    /// Every setting, in the order first set.
    pub fn settings(&self) -> &[(String, String)] {
        &self.settings
    }

    /// The settings as the text of a `redis.conf`.
    pub fn render(&self) -> String {
        let mut text = String::new();
        for (name, value) in &self.settings {
            let words_a_line =
                SEVERAL_ARGUMENTS.iter().find(|(known, _)| known == name).map(|(_, words)| *words);
            match words_a_line {
                Some(words_a_line) if !value.trim().is_empty() => {
                    let words: Vec<String> = value.split_ascii_whitespace().map(word).collect();
                    for line in words.chunks(words_a_line) {
                        let _ = writeln!(text, "{name} {}", line.join(" "));
                    }
                }
                _ => {
                    let _ = writeln!(text, "{name} {}", quoted(value));
                }
            }
        }
        text
    }
}

impl<N: AsRef<str>, V: Into<String>> FromIterator<(N, V)> for Conf {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(settings: I) -> Self {
        let mut conf = Self::new();
        for (name, value) in settings {
            conf.set(name, value);
        }
        conf
    }
}

/// A word of several. `""` stands for an empty one.
fn word(word: &str) -> String {
    if word == "\"\"" { word.to_owned() } else { quoted(word) }
}

/// One argument as the server's own splitter (`sdssplitargs`) reads it back: plain where that is safe, else in double
/// quotes with escapes.
pub fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_graphic() && !matches!(c, '"' | '\'' | '\\' | '#');
    if !word.is_empty() && word.chars().all(is_plain) {
        return word.to_owned();
    }
    let mut text = String::from('"');
    for c in word.chars() {
        match c {
            '"' | '\\' => text.extend(['\\', c]),
            '\n' => text.push_str("\\n"),
            '\r' => text.push_str("\\r"),
            '\t' => text.push_str("\\t"),
            c if c.is_ascii_control() => {
                let _ = write!(text, "\\x{:02x}", u32::from(c));
            }
            c => text.push(c),
        }
    }
    text.push('"');
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_later_value_replaces_the_earlier_in_its_place() {
        let mut conf = Conf::new();
        conf.set("maxmemory", "1gb").set("appendonly", "no").set("MaxMemory", "2gb");
        let settings: Vec<_> =
            conf.settings().iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        assert_eq!(settings, [("maxmemory", "2gb"), ("appendonly", "no")]);
        assert_eq!(conf.get("APPENDONLY"), Some("no"));
    }

    #[test]
    fn a_value_is_one_argument_unless_its_directive_takes_several() {
        let conf = Conf::from_iter([
            ("dir", "/tmp/with space"),
            ("save", "3600 1 300 100"),
            ("client-output-buffer-limit", "normal 0 0 0 pubsub 32mb 8mb 60"),
            ("bind", "127.0.0.1 -::1"),
            ("notify-keyspace-events", ""),
            ("rename-command", "config hidden module \"\""),
            ("masterauth", "a\"b\\c\n\u{1}é"),
        ]);
        let text = r#"dir "/tmp/with space"
save 3600 1
save 300 100
client-output-buffer-limit normal 0 0 0
client-output-buffer-limit pubsub 32mb 8mb 60
bind 127.0.0.1 -::1
notify-keyspace-events ""
rename-command config hidden
rename-command module ""
masterauth "a\"b\\c\n\x01é"
"#;
        assert_eq!(conf.render(), text);
        assert_eq!(Conf::from_iter([("save", "")]).render(), "save \"\"\n");
    }
}
