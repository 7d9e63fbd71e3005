//! Words of a command line as a shell takes them.

/// One word for a shell.
pub fn word(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "._-+/=:,@%".contains(c);
    let needs_none = !word.is_empty() && word.chars().all(is_plain);
    if needs_none { word.into() } else { format!("'{}'", word.replace('\'', r"'\''")) }
}
