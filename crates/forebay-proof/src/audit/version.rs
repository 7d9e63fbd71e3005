//! Which servers a rule is about: Redis and Valkey count differently since their ways parted at 7.2.4.

use forebay::buffer::connect::Facts;

/// Major, minor, patch.
pub type Number = (u64, u64, u64);

/// Servers that a rule is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Versions {
    /// Every one that a buffer can be on.
    All,
    /// Redis from this version on, and every Valkey: it began as Redis 7.2.4.
    From(Number),
    /// Those between the two, both included.
    Within {
        /// Redis.
        redis: &'static [(Number, Number)],
        /// Valkey.
        valkey: &'static [(Number, Number)],
    },
}

impl Versions {
    /// Whether this server is among them.
    pub fn have(self, facts: &Facts) -> bool {
        let (is_valkey, version) = (facts.server() == "valkey", facts.version_parts());
        match self {
            Self::All => true,
            Self::From(first) => is_valkey || version >= first,
            Self::Within { redis, valkey } => {
                let ranges = if is_valkey { valkey } else { redis };
                ranges.iter().any(|(first, last)| (*first..=*last).contains(&version))
            }
        }
    }

    /// For people: `Redis 7.0.0 and newer, Valkey`.
    pub fn text(self) -> String {
        let number = |(a, b, c): Number| {
            if c == u64::MAX { format!("{a}.{b}.x") } else { format!("{a}.{b}.{c}") }
        };
        let ranges = |name: &str, ranges: &[(Number, Number)]| {
            let each = ranges.iter().map(|(first, last)| {
                if *first == (0, 0, 0) {
                    format!("up to {}", number(*last))
                } else if first == last {
                    number(*first)
                } else {
                    format!("{} to {}", number(*first), number(*last))
                }
            });
            (!ranges.is_empty()).then(|| format!("{name} {}", each.collect::<Vec<_>>().join(", ")))
        };
        match self {
            Self::All => "Redis 6.2 and newer, Valkey".into(),
            Self::From(first) => format!("Redis {} and newer, Valkey", number(first)),
            Self::Within { redis, valkey } => [ranges("Redis", redis), ranges("Valkey", valkey)]
                .into_iter()
                .flatten()
                .collect::<Vec<_>>()
                .join("; "),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn valkey_is_told_apart_from_the_redis_it_says_it_is() {
        let redis = Facts::of("redis_version:7.0.15");
        let valkey = Facts::of("redis_version:7.2.4\nvalkey_version:8.1.8");
        let faulty =
            Versions::Within { redis: &[((7, 0, 0), (7, 0, 15))], valkey: &[((8, 2, 0), (8, 2, 9))] };
        assert!(Versions::All.have(&redis) && Versions::From((7, 0, 15)).have(&redis));
        assert!(!Versions::From((7, 2, 0)).have(&redis) && Versions::From((7, 2, 0)).have(&valkey));
        assert!(faulty.have(&redis) && !faulty.have(&valkey));
        assert!(!faulty.have(&Facts::of("redis_version:7.0.16")));
        assert_eq!(faulty.text(), "Redis 7.0.0 to 7.0.15; Valkey 8.2.0 to 8.2.9");
    }
}
