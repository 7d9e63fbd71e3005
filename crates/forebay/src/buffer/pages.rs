//! A list on the server that is asked for page by page gets further with each, and has an end: what answers otherwise is asked
//! no more.

use redis::RedisError;

use super::entry::Id;
use super::read_answer::strange;

/// Pages that one list may have: at twenty thousand answers a second, a minute of them.
const MAX: u32 = 1 << 20;

/// The pages that were asked for.
pub(super) struct Pages {
    command: &'static str,
    last: Option<Id>,
    asked: u32,
}

impl Pages {
    /// Of what this command lists, from its beginning.
    pub fn of(command: &'static str) -> Self {
        Self { command, last: None, asked: 0 }
    }

    /// The next page is to begin at, or after, this id.
    pub fn on_to(&mut self, next: &str) -> Result<(), RedisError> {
        let id = Id::parse(next).filter(|id| self.last.is_none_or(|last| *id > last));
        self.asked += 1;
        if id.is_none() || self.asked > MAX {
            let command = self.command;
            return Err(strange(format!("{command} goes on at {next:.64} after {} pages", self.asked)));
        }
        self.last = id;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_that_does_not_get_further_is_the_last() {
        let mut pages = Pages::of("XPENDING");
        for id in ["1-0", "1-1", "2-0"] {
            pages.on_to(id).unwrap();
        }
        for id in ["2-0", "1-9", "0-0", "x", ""] {
            let mut pages = Pages { last: pages.last, ..Pages::of("XPENDING") };
            assert!(pages.on_to(id).unwrap_err().to_string().contains("XPENDING"), "{id:?}");
        }
    }

    #[test]
    fn pages_have_an_end_though_each_gets_further() {
        let mut pages = Pages::of("XAUTOCLAIM");
        let ended = (1..=2 * MAX).find(|ms| pages.on_to(&format!("{ms}-0")).is_err());
        assert_eq!(ended, Some(MAX + 1));
    }
}
