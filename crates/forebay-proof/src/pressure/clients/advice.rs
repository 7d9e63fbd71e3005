//! What to do with a limit on clients, by what was seen: the rules, in words and as functions.

use crate::server_setting::Advice;

/// Readers that must find a connection beside the writer.
const READERS_MIN: u64 = 100;

/// The rules in words, for whoever reads the table.
pub const RULES: &str = "How the last column follows from the figures. maxclients: change where a writer and 100 readers do not fit; else keep. \
     Clients that do not read: change where the default lets them stop appends and the value does not; no difference seen \
     where both end the same; else keep.";

/// Whether so many connections do for a writer of `writer` and `READERS_MIN` readers of `reader` each.
pub fn by_connections(limit: u64, writer: u64, reader: u64) -> Advice {
    if limit < writer + READERS_MIN * reader { Advice::Change } else { Advice::Keep }
}

/// Whether a limit on clients is worth a change: did appends go on without it, and with it?
pub fn by_appends(default_goes_on: bool, tried_goes_on: bool) -> Advice {
    match (default_goes_on, tried_goes_on) {
        (false, true) => Advice::Change,
        (true, false) => Advice::Keep,
        (true, true) | (false, false) => Advice::NoDifference,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_and_appends_are_counted() {
        assert_eq!(by_connections(206, 6, 2), Advice::Keep);
        assert_eq!(by_connections(205, 6, 2), Advice::Change);
        assert_eq!(by_appends(false, true), Advice::Change);
        assert_eq!(by_appends(true, true), Advice::NoDifference);
        assert_eq!(by_appends(false, false), Advice::NoDifference);
        assert_eq!(by_appends(true, false), Advice::Keep);
    }
}
