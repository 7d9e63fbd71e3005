//! Walks over one line of JSON and checks it, building nothing.
//!
//! The grammar is RFC 8259's, whole: what passes here passes in `serde_json` too, apart from numbers too
//! large for a double (`1e999`), which are JSON all the same. Three rules go beyond the grammar: `\u`
//! surrogates must come in pairs, nesting ends at `DEPTH_MAX` (both as in `serde_json`), and a line feed
//! between values is refused, because an event is one line and blocks are cut at line feeds.
//!
//! UTF-8 is not checked here; `Scanner::beyond_ascii` says whether there is anything to check.
//!
//! One pass, no recursion. Strings are most of an event. Going from one special byte to the next by loading from
//! where the last one was would wait for each load in turn; so quotes, backslashes and control characters are
//! marked in 64 bytes at once, in one word, and a string's end is found by counting zeros in it. Results fit in
//! registers: with slices in them they went through memory, which took a quarter more time.

#![expect(clippy::inline_always, reason = "left as calls, the small steps keep the scanner in memory")]

use std::borrow::Cow;

use super::json_fault::Fault;
use super::tokens::{BLOCK, escape, literal, look, number, skip_space};

/// How many objects and arrays may be open at once: `serde_json`'s limit.
pub(super) const DEPTH_MAX: u32 = 127;

/// A place in a line, and what the block around it holds. After a fault it stands at the byte at fault.
#[derive(Clone, Copy)]
pub struct Scanner<'a> {
    line: &'a [u8],
    at: usize,
    /// Where the block of 64 bytes starts that was looked at last.
    block: usize,
    /// A bit for each of its bytes that a string's body cannot simply pass over.
    specials: u64,
    /// Whether any block looked at had a byte beyond ASCII.
    beyond_ascii: bool,
}

/// A string as it stands in the line, without its quotes.
#[derive(Clone, Copy)]
pub struct Text<'a> {
    raw: &'a [u8],
    escaped: bool,
}

impl<'a> Text<'a> {
    /// What the string says: the bytes between its quotes, unless there are escapes among them.
    #[inline(always)]
    pub fn bytes(self) -> Cow<'a, [u8]> {
        if self.escaped { Cow::Owned(unescape(self.raw).into_bytes()) } else { Cow::Borrowed(self.raw) }
    }

    /// Calls `f` with what the string says. Nothing is copied unless there are escapes.
    pub fn with<T>(self, f: impl FnOnce(&[u8]) -> T) -> T {
        if self.escaped { f(unescape(self.raw).as_bytes()) } else { f(self.raw) }
    }
}

#[cold]
fn unescape(raw: &[u8]) -> String {
    let quoted = [b"\"", raw, b"\""].concat();
    // A scanned string is one for serde_json too; if it ever were not, it would be a name nobody looks for.
    serde_json::from_slice(&quoted).unwrap_or_default()
}

impl<'a> Scanner<'a> {
    /// At the start of a line.
    pub fn new(line: &'a [u8]) -> Self {
        let mut scanner = Self { line, at: 0, block: 0, specials: 0, beyond_ascii: false };
        scanner.load(0);
        scanner
    }

    /// How many bytes are behind it.
    pub fn offset(&self) -> usize {
        self.at
    }

    /// Whether there may be bytes beyond ASCII in what was passed. Outside strings they are faults.
    pub(super) fn beyond_ascii(&self) -> bool {
        self.beyond_ascii
    }

    /// The bytes from `start` to here.
    pub fn since(&self, start: usize) -> &'a [u8] {
        self.line.get(start..self.at).unwrap_or_default()
    }

    /// The next byte that is not white space, left where it is.
    #[inline(always)]
    pub fn peek(&mut self) -> Result<u8, Fault> {
        match self.line.get(self.at) {
            Some(&byte) if byte > b' ' => Ok(byte),
            _ => {
                self.at = skip_space(self.line, self.at);
                match self.line.get(self.at) {
                    Some(b'\n') => Err(Fault::LineFeed),
                    // A control character too: no token starts with it, and whoever asked says what is missing.
                    Some(&byte) => Ok(byte),
                    None => Err(Fault::Ended),
                }
            }
        }
    }

    /// Nothing but white space is left.
    pub fn end(&mut self) -> Result<(), Fault> {
        match self.peek() {
            Err(Fault::Ended) => Ok(()),
            Err(fault) => Err(fault),
            Ok(_) => Err(Fault::Trailing),
        }
    }

    /// Enters the object whose brace is next; whether it has members.
    #[inline(always)]
    pub fn open_object(&mut self) -> Result<bool, Fault> {
        self.at += 1;
        let empty = self.peek()? == b'}';
        self.at += usize::from(empty);
        Ok(!empty)
    }

    /// Behind a member: whether another follows. If not, the object is left.
    #[inline(always)]
    pub fn more_members(&mut self) -> Result<bool, Fault> {
        let next = self.peek()?;
        if next != b',' && next != b'}' {
            return Err(Fault::NoComma);
        }
        self.at += 1;
        Ok(next == b',')
    }

    /// Goes to the value at this path, by names through objects alone; how deep it stands, where there is one. Of a name that comes
    /// twice the first counts.
    pub fn go_to(&mut self, path: &[String]) -> Result<Option<u32>, Fault> {
        let mut depth = 0;
        for name in path {
            if !self.enter(name, depth)? {
                return Ok(None);
            }
            depth += 1;
        }
        Ok(Some(depth))
    }

    /// Goes to the value of that name in the object that is next; whether there is one.
    fn enter(&mut self, name: &str, depth: u32) -> Result<bool, Fault> {
        if self.peek()? != b'{' {
            return Ok(false);
        }
        let mut more = self.open_object()?;
        while more {
            if self.key()?.with(|key| key == name.as_bytes()) {
                return Ok(true);
            }
            self.skip_value(depth + 1)?;
            more = self.more_members()?;
        }
        Ok(false)
    }

    /// A key and its colon.
    #[inline(always)]
    pub fn key(&mut self) -> Result<Text<'a>, Fault> {
        if self.peek()? != b'"' {
            return Err(Fault::NoKey);
        }
        let key = self.text()?;
        if self.peek()? != b':' {
            return Err(Fault::NoColon);
        }
        self.at += 1;
        Ok(key)
    }

    /// Any value, with `open` objects and arrays around it.
    #[inline(always)]
    pub fn skip_value(&mut self, open: u32) -> Result<(), Fault> {
        if self.peek()? == b'"' {
            return self.string().map(|_| ());
        }
        self.skip_nested(open)
    }

    /// Without recursion: what is open is in the bits of one number.
    #[inline(never)]
    fn skip_nested(&mut self, open: u32) -> Result<(), Fault> {
        let mut depth = open;
        // One bit for each level inside this value, the innermost lowest: 1 an object, 0 an array.
        let mut objects = 0_u128;
        loop {
            match self.peek()? {
                b'"' => {
                    self.string()?;
                }
                bracket @ (b'{' | b'[') => {
                    if depth >= DEPTH_MAX {
                        return Err(Fault::TooDeep);
                    }
                    self.at += 1;
                    let is_object = bracket == b'{';
                    depth += 1;
                    objects = objects << 1 | u128::from(is_object);
                    match (self.peek()?, is_object) {
                        // Empty: closed below, as any other.
                        (b'}', true) | (b']', false) => {}
                        (_, true) => {
                            self.key()?;
                            continue;
                        }
                        (_, false) => continue,
                    }
                }
                b'-' | b'0'..=b'9' => self.at = number(self.line, self.at)?,
                _ => self.at = literal(self.line, self.at)?,
            }
            // Behind a value: close what ends here, or go on to the next value.
            loop {
                if depth == open {
                    return Ok(());
                }
                let is_object = objects & 1 == 1;
                match self.peek()? {
                    b',' => {
                        self.at += 1;
                        if is_object {
                            self.key()?;
                        }
                        break;
                    }
                    b'}' if is_object => {}
                    b']' if !is_object => {}
                    _ => return Err(Fault::NoComma),
                }
                self.at += 1;
                depth -= 1;
                objects >>= 1;
            }
        }
    }

    /// A string, from its opening quote to behind its closing one; whether it has escapes.
    #[inline(always)]
    pub(super) fn string(&mut self) -> Result<bool, Fault> {
        self.at += 1;
        let mut escaped = false;
        loop {
            let inside = self.at.wrapping_sub(self.block);
            let ahead = if inside < BLOCK { self.specials >> inside } else { 0 };
            if ahead == 0 {
                // On to the next block, or, after a number or such, to the one that `at` is in.
                let next = if inside < BLOCK { self.block + BLOCK } else { self.at - self.at % BLOCK };
                if next >= self.line.len() {
                    self.at = self.line.len();
                    return Err(Fault::Ended);
                }
                self.at = self.at.max(next);
                self.load(next);
                continue;
            }
            self.at += ahead.trailing_zeros() as usize;
            match self.line.get(self.at) {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(escaped);
                }
                Some(b'\\') => {
                    escaped = true;
                    self.at = escape(self.line, self.at)?;
                }
                Some(_) => return Err(Fault::Control),
                None => return Err(Fault::Ended),
            }
        }
    }

    /// Looks at the block that starts at `start`.
    #[inline(always)]
    fn load(&mut self, start: usize) {
        let (specials, beyond_ascii) = look(self.line, start);
        self.block = start;
        self.specials = specials;
        self.beyond_ascii |= beyond_ascii;
    }

    /// A string, as it stands there.
    #[inline(always)]
    pub fn text(&mut self) -> Result<Text<'a>, Fault> {
        let start = self.at + 1;
        let escaped = self.string()?;
        Ok(Text { raw: &self.line[start..self.at - 1], escaped })
    }
}
