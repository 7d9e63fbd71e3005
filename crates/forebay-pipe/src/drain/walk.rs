//! A walk over a line's JSON, value by value, that gives what stands there as text of the line.

use std::borrow::Cow;

use forebay::event::json::Scanner;
use forebay::event::parse::Fault;

/// A line and the place in it.
pub(super) struct Walk<'a> {
    line: &'a str,
    pub(super) scanner: Scanner<'a>,
}

impl<'a> Walk<'a> {
    /// At its start.
    pub(super) fn new(line: &'a str) -> Self {
        Self { line, scanner: Scanner::new(line.as_bytes()) }
    }

    /// Calls `member` at the value of each member of the object that is next; a value that is no object is passed over. `open`
    /// counts what is open around it.
    pub(super) fn members(
        &mut self,
        open: u32,
        mut member: impl FnMut(&mut Self, &[u8]) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        if self.scanner.peek()? != b'{' {
            return self.scanner.skip_value(open);
        }
        let mut more = self.scanner.open_object()?;
        while more {
            let key = self.scanner.key()?.bytes();
            member(self, &key)?;
            more = self.scanner.more_members()?;
        }
        Ok(())
    }

    /// A value that is a text.
    pub(super) fn word(&mut self, open: u32) -> Result<Option<Cow<'a, str>>, Fault> {
        if self.scanner.peek()? != b'"' {
            self.scanner.skip_value(open)?;
            return Ok(None);
        }
        Ok(match self.scanner.text()?.bytes() {
            Cow::Borrowed(bytes) => {
                let end = self.scanner.offset() - 1;
                self.line.get(end - bytes.len()..end).map(Cow::Borrowed)
            }
            Cow::Owned(bytes) => String::from_utf8(bytes).ok().map(Cow::Owned),
        })
    }

    /// A value that is a whole number.
    pub(super) fn number(&mut self, open: u32) -> Result<Option<i64>, Fault> {
        let start = self.start()?;
        self.scanner.skip_value(open)?;
        Ok(self.since(start).parse().ok())
    }

    /// Where the next value starts.
    pub(super) fn start(&mut self) -> Result<usize, Fault> {
        self.scanner.peek()?;
        Ok(self.scanner.offset())
    }

    /// What stands from there to here.
    pub(super) fn since(&self, start: usize) -> &'a str {
        self.line.get(start..self.scanner.offset()).unwrap_or_default()
    }
}
