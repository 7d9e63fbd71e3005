//! The page of a terminal: lines of its width, labels and texts in columns, and text that is harmless in them.

use textwrap::{Options, WordSplitter};

use crate::printable::{paint, printable};
use crate::report::standing::Standing;

/// Narrowest and widest that text is set; lines longer than the latter are hard to follow.
pub(super) const WIDTHS: (usize, usize) = (32, 100);
/// Columns that the labels of a claim take (`required`), the indentation counted.
pub(super) const LABEL: usize = 12;

/// Lines being written.
pub(super) struct Page {
    pub(super) out: String,
    pub(super) width: usize,
    pub(super) colour: bool,
}

impl Page {
    pub(super) fn blank(&mut self) {
        self.out.push('\n');
    }

    pub(super) fn line(&mut self, text: &str) {
        self.out.push_str(text.trim_end());
        self.out.push('\n');
    }

    pub(super) fn section(&mut self, title: &str) {
        self.blank();
        self.wrapped(title, "", "  ");
    }

    /// A label and its text, the text in a column of its own.
    pub(super) fn field(&mut self, label: &str, text: &str) {
        self.wrapped(text, &format!("  {label:<width$}", width = LABEL - 2), &" ".repeat(LABEL));
    }

    pub(super) fn wrapped(&mut self, text: &str, first: &str, rest: &str) {
        let options = Options::new(self.width)
            .initial_indent(first)
            .subsequent_indent(rest)
            .word_splitter(WordSplitter::NoHyphenation);
        for line in textwrap::wrap(&clean(text), options) {
            self.line(&line);
        }
    }

    /// The word of a standing and a text after it, in a column that begins at `column` or behind
    /// the word. Gives the indentation of that column.
    pub(super) fn headed(&mut self, standing: Standing, column: usize, text: &str) -> String {
        let word = standing.word().to_uppercase();
        let column = column.max(word.len() + 2);
        let indent = " ".repeat(column);
        let from = self.out.len();
        self.wrapped(text, &format!("{word:<column$}"), &indent);
        if self.colour {
            let code = match standing {
                Standing::Proven => "1;32",
                Standing::Refuted => "1;31",
                Standing::Untested => "1;33",
                Standing::ControlNotRefuted => "1;7;31",
            };
            // After wrapping, since a code takes no columns.
            self.out.replace_range(from..from + word.len(), &paint(&word, code));
        }
        indent
    }
}

/// A setting as `redis.conf` would have it, an empty value made visible.
pub(super) fn setting(name: &str, value: &str) -> String {
    if value.is_empty() { format!("{name} \"\"") } else { format!("{name} {value}") }
}

/// Text from a server or a profile, as it may stand in a line.
pub(super) fn clean(text: &str) -> String {
    printable(text).replace('\t', " ")
}
