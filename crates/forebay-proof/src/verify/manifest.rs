//! The manifest of an AOF in parts: which files it names, and as what.

use crate::audit::conf_line::{Line, split};

/// What a file is to its manifest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    Base,
    Increment,
    /// A rewrite has replaced it.
    History,
}

/// What a manifest says.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Manifest {
    /// The files, in its order.
    pub parts: Vec<(String, Part)>,
    /// Lines that a server refuses, and why.
    pub troubles: Vec<String>,
}

impl Manifest {
    /// Reads one as servers do: lines of pairs, names with blanks in quotes. What they make of it is for them to say; a line
    /// that cannot be read here is said too.
    pub(super) fn parse(text: &str) -> Self {
        let mut manifest = Self::default();
        for (at, line) in text.lines().enumerate() {
            if line.starts_with('#') {
                continue;
            }
            match part(line) {
                Ok(part) if manifest.parts.iter().any(|known| known.0 == part.0) => {
                    manifest.troubles.push(format!("line {} names {} again", at + 1, part.0));
                }
                Ok(part) => manifest.parts.push(part),
                Err(why) => manifest.troubles.push(format!("line {}: {why}", at + 1)),
            }
        }
        let bases = manifest.parts.iter().filter(|(_, part)| *part == Part::Base).count();
        if bases > 1 {
            manifest.troubles.push(format!("it names {bases} bases, and there is one"));
        }
        if manifest.parts.is_empty() && manifest.troubles.is_empty() {
            manifest.troubles.push("it names no file".into());
        }
        manifest
    }
}

/// The file of a line.
fn part(line: &str) -> Result<(String, Part), String> {
    let Line::Words(words) = split(line) else {
        return Err("it is empty, or a quote is not closed".into());
    };
    let value = |key: &str| {
        let mut pairs = words.chunks(2).filter(|pair| pair.len() == 2 && pair[0].eq_ignore_ascii_case(key));
        pairs.next_back().map(|pair| pair[1].clone())
    };
    let (Some(name), Some(_), Some(kind)) = (value("file"), value("seq"), value("type")) else {
        return Err("it is not `file <name> seq <number> type <letter>`".into());
    };
    let part = match kind.as_str() {
        "b" => Part::Base,
        "i" => Part::Increment,
        "h" => Part::History,
        _ => return Err(format!("{} is no type: b, i or h", kind.escape_debug())),
    };
    if name.is_empty() || name == "." || name == ".." || name.contains('/') {
        return Err(format!(
            "{} is no name of a file in this folder: it is not looked for",
            name.escape_debug()
        ));
    }
    Ok((name, part))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_servers_read_them() {
        let text = "# a comment\nfile a.1.base.rdb seq 1 type b\r\nFILE \"my events.1.incr.aof\" SEQ 1 TYPE i\n\
                    file 'it\\'s.2.incr.aof' seq 2 type i startoffset 12\nfile \"a\\\"b\\x41.0.incr.aof\" seq 0 type h\n";
        let manifest = Manifest::parse(text);
        let expected = [
            ("a.1.base.rdb", Part::Base),
            ("my events.1.incr.aof", Part::Increment),
            ("it's.2.incr.aof", Part::Increment),
            ("a\"bA.0.incr.aof", Part::History),
        ];
        assert_eq!(manifest.parts, expected.map(|(name, part)| (name.to_owned(), part)));
        assert_eq!(manifest.troubles, Vec::<String>::new());
    }

    #[test]
    fn a_line_that_names_no_file_of_the_folder_is_said() {
        for (text, why) in [
            ("", "it names no file"),
            ("garbage\n", "line 1: it is not `file"),
            ("\nfile a seq 1 type i\n", "line 1: it is empty"),
            ("file \"a seq 1 type i\n", "line 1: it is empty, or a quote is not closed"),
            ("file ../../etc/shadow seq 1 type i\n", "../../etc/shadow is no name of a file in this folder"),
            ("file /etc/shadow seq 1 type b\n", "/etc/shadow is no name"),
            ("file a seq 1 type x\n", "x is no type"),
            ("file a seq 1 type i\nfile a seq 2 type i\n", "line 2 names a again"),
            ("file a seq 1 type b\nfile b seq 2 type b\n", "it names 2 bases"),
        ] {
            let troubles = Manifest::parse(text).troubles;
            assert!(troubles.len() == 1 && troubles[0].contains(why), "{text:?}: {troubles:?}");
        }
    }
}
