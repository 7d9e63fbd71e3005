//! Whether one stream is another with lanes added to it.

use super::lane::Lane;
use super::stream::{LineFormat, Stream};

impl Stream {
    /// Whether these are the same events in more lanes, or with more words that lead to a lane: all that the other has is the
    /// same here, so what it wrote stays where readers of these look for it.
    pub(crate) fn extends(self, older: Self) -> bool {
        let (new, old) = (self.spec(), older.spec());
        let (
            LineFormat::Json { time, lane, default },
            LineFormat::Json { time: old_time, lane: old_lane, default: old_default },
        ) = (&new.how, &old.how)
        else {
            return self == older;
        };
        let keeps_routes = match (lane, old_lane) {
            (_, None) => true,
            (None, Some(_)) => false,
            (Some((at, routes)), Some((old_at, old_routes))) => {
                let goes = |word: &str, to: Lane| {
                    routes.iter().any(|(value, lane)| value == word && lane.name() == to.name())
                };
                at == old_at && old_routes.iter().all(|(word, to)| goes(word, *to))
            }
        };
        let keeps_partitions = match (&new.partitions, &old.partitions) {
            (Some(new), Some(old)) => new.are_by_the_same(old),
            (None, Some(_)) => false,
            (_, None) => true,
        };
        let of_old = |lane: &Lane| old.lanes.iter().any(|other| other.lane_name() == lane.lane_name());
        time == old_time
            && default.name() == old_default.name()
            && keeps_routes
            && keeps_partitions
            && old.lanes.iter().all(|lane| new.lanes.find(lane.name()).is_some())
            && new.lanes.iter().filter(of_old).count() == old.lanes.len()
    }
}

#[cfg(test)]
mod tests {
    use super::super::unit::Unit;
    use super::*;

    fn logs(routes: &[(&str, &str)]) -> Stream {
        let start = Stream::json().time("/ts", Unit::Ms).lane("/type").default_lane("rest");
        routes.iter().fold(start, |stream, (word, lane)| stream.route(*word, *lane)).build().unwrap()
    }

    #[test]
    fn lanes_and_words_may_come_and_nothing_else_may_change() {
        let old = logs(&[("b", "beta")]);
        let divided = |stream: Stream, at: &str, of: &[(&str, u32)]| {
            stream.partitioned(at, of.iter().copied()).unwrap()
        };
        for more in [
            old,
            logs(&[("a", "alpha"), ("b", "beta")]),
            logs(&[("b", "beta"), ("c", "beta")]),
            divided(logs(&[("b", "beta"), ("c", "gamma")]), "/user", &[("gamma", 3)]),
        ] {
            assert!(more.extends(old), "{more}");
            assert!(more == old || !old.extends(more), "{more}");
        }
        let plain = Stream::json().time("/ts", Unit::Ms).default_lane("rest").build().unwrap();
        assert!(old.extends(plain) && !plain.extends(old));
        for other in [
            logs(&[("b", "alpha"), ("c", "beta")]),
            logs(&[("c", "beta")]),
            divided(old, "/user", &[("beta", 2)]),
            Stream::json().lane("/type").route("b", "beta").default_lane("rest").build().unwrap(),
            Stream::json()
                .time("/ts", Unit::Ms)
                .lane("/kind")
                .route("b", "beta")
                .default_lane("rest")
                .build()
                .unwrap(),
            Stream::json().time("/ts", Unit::Ms).lane("/type").route("b", "beta").build().unwrap(),
            Stream::jetstream(),
            Stream::lines("rest").unwrap(),
        ] {
            assert!(!other.extends(old), "{other}");
        }
        let (two, other) = (divided(old, "/user", &[("beta", 2)]), divided(old, "/host", &[("beta", 2)]));
        assert!(two.extends(two) && !other.extends(two) && !old.extends(two));
        assert!(divided(logs(&[("b", "beta"), ("c", "gamma")]), "/user", &[("beta", 2)]).extends(two));
        assert!(!divided(old, "/user", &[("beta", 3)]).extends(two));
        assert!(!divided(Stream::jetstream(), "/did", &[("likes", 2)]).extends(Stream::jetstream()));
    }
}
