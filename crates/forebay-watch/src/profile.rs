//! What must hold: a profile, from a TOML file or one of those built in.

use std::borrow::Cow;
use std::path::Path;
use std::time::Duration;

use serde::Deserialize;

use crate::small_file;
use forebay::buffer::batch::Limits;
use forebay::event::stream::Stream;

pub mod cluster;
pub mod settings;
mod stream;

pub use settings::redis_bytes;
pub use stream::stream_of;

use settings::as_conf;

/// The profiles built in, the default first.
const BUILT_IN: [(&str, &str); 4] = [
    ("bluesky-8h", include_str!("../../../profiles/bluesky-8h.toml")),
    ("met-001", include_str!("../../../profiles/met-001.toml")),
    ("full-network", include_str!("../../../profiles/full-network.toml")),
    ("bluesky-cluster", include_str!("../../../profiles/bluesky-cluster.toml")),
];

/// Name of the profile used where none is given.
pub const DEFAULT: &str = BUILT_IN[0].0;

/// More than any profile has.
const BYTES_MAX: u64 = 1 << 20;

/// Highest `load.rate`: ten times as much, which a burst comes to, is what the load generator goes up to.
const LOAD_RATE_MAX: f64 = 200_000.0;

/// What must hold.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    /// Its name in reports.
    pub name: String,
    /// One sentence for people.
    pub about: String,
    /// What must fit, and for how long.
    pub hold: Hold,
    /// Rates that figures are also given for.
    pub rates: Rates,
    /// What the server must bear, and how fast; MET-001's figures where nothing is said.
    #[serde(default)]
    pub load: Load,
    /// How many nodes there are, where it is for a cluster: all else is about one of them.
    pub cluster: Option<cluster::Cluster>,
    /// When the writer cuts a block.
    pub blocks: Blocks,
    /// What the events are; Jetstream's where nothing is said.
    #[serde(default = "Stream::jetstream", deserialize_with = "stream::read")]
    pub stream: Stream,
    /// The server's settings, in order.
    pub settings: toml::Table,
}

/// What must fit, and for how long.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hold {
    /// Events held at once.
    pub events: u64,
    /// Hours in which they come.
    pub hours: f64,
    /// Share of `maxmemory` that they may take.
    pub memory_percent_max: f64,
}

/// Events a second.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rates {
    /// Mean of the source.
    pub network: f64,
    /// Its peaks.
    pub peak: f64,
}

/// What the server must bear, and how fast.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Load {
    /// Operations a second, and events a second beside them.
    pub rate: f64,
    /// For how long.
    #[serde(deserialize_with = "span")]
    pub duration: Duration,
    /// Half of the operations take at most this.
    #[serde(deserialize_with = "span")]
    pub p50_max: Duration,
    /// 95 of 100 take at most this.
    #[serde(deserialize_with = "span")]
    pub p95_max: Duration,
    /// 99 of 100 take at most this at the highest rate that counts as borne.
    #[serde(deserialize_with = "span")]
    pub p99_max: Duration,
}

impl Default for Load {
    fn default() -> Self {
        Self {
            rate: 1_000.0,
            duration: Duration::from_secs(3_600),
            p50_max: Duration::from_millis(10),
            p95_max: Duration::from_millis(50),
            p99_max: Duration::from_millis(100),
        }
    }
}

/// A span of time as people write it: `1h`, `50ms`.
fn span<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
    humantime::parse_duration(&String::deserialize(from)?).map_err(serde::de::Error::custom)
}

/// When a block is cut.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Blocks {
    /// Events, at the most.
    pub events_max: u64,
    /// Bytes of events, at the most: `256 KiB`.
    pub bytes_max: String,
    /// How long its first event may wait: `200ms`.
    pub linger: String,
}

/// A profile that cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("profile {name}: {why}")]
pub struct ProfileError {
    name: String,
    why: String,
}

impl Profile {
    /// A built-in profile by its name, or else a file.
    pub fn load(name_or_file: &str) -> Result<Self, ProfileError> {
        let error = |why: String| ProfileError { name: name_or_file.into(), why };
        let text = Self::text(name_or_file)?;
        let profile: Self = toml::from_str(&text).map_err(|why| {
            let line = why.span().map_or(1, |span| 1 + text[..span.start].matches('\n').count());
            error(format!("line {line}: {}", why.message()))
        })?;
        settings::check(&text).and_then(|()| profile.check()).map_err(error)?;
        Ok(profile)
    }

    /// The text of a built-in profile or of a file.
    pub fn text(name_or_file: &str) -> Result<Cow<'static, str>, ProfileError> {
        match BUILT_IN.iter().find(|(name, _)| *name == name_or_file) {
            Some((_, text)) => Ok(Cow::Borrowed(text)),
            None => small_file::read(Path::new(name_or_file), BYTES_MAX).map(Cow::Owned).map_err(|why| {
                let names = BUILT_IN.map(|(name, _)| name).join(", ");
                let why = format!("neither built in ({names}) nor a file that can be read ({why})");
                ProfileError { name: name_or_file.into(), why }
            }),
        }
    }

    /// Names and one-sentence descriptions of the profiles built in.
    pub fn built_in() -> Vec<Self> {
        BUILT_IN.iter().filter_map(|(name, _)| Self::load(name).ok()).collect()
    }

    fn check(&self) -> Result<(), String> {
        let positive = |name: &str, value: f64| {
            if value.is_finite() && value > 0.0 { Ok(()) } else { Err(format!("{name} must be above 0")) }
        };
        positive("hold.events", self.hold.events as f64)?;
        positive("hold.hours", self.hold.hours)?;
        positive("rates.network", self.rates.network)?;
        positive("rates.peak", self.rates.peak)?;
        positive("load.rate", self.load.rate)?;
        if self.load.rate > LOAD_RATE_MAX {
            return Err(format!("load.rate must be at most {LOAD_RATE_MAX}"));
        }
        positive("load.duration", self.load.duration.as_secs_f64())?;
        positive("load.p50_max", self.load.p50_max.as_secs_f64())?;
        positive("load.p95_max", self.load.p95_max.as_secs_f64())?;
        positive("load.p99_max", self.load.p99_max.as_secs_f64())?;
        positive("blocks.events_max", self.blocks.events_max as f64)?;
        if !(1.0..=100.0).contains(&self.hold.memory_percent_max) {
            return Err("hold.memory_percent_max must be from 1 to 100".into());
        }
        self.cluster.map_or(Ok(()), cluster::Cluster::check)?;
        self.limits().map(drop)?;
        self.maxmemory().map(drop)
    }

    /// Events a second at which what must be held comes in.
    pub fn rate(&self) -> f64 {
        self.hold.events as f64 / (self.hold.hours * 3_600.0)
    }

    /// When the writer cuts.
    pub fn limits(&self) -> Result<Limits, String> {
        let bytes: bytesize::ByteSize =
            self.blocks.bytes_max.parse().map_err(|why| format!("blocks.bytes_max: {why}"))?;
        let linger: Duration =
            humantime::parse_duration(&self.blocks.linger).map_err(|why| format!("blocks.linger: {why}"))?;
        let bytes_max = usize::try_from(bytes.as_u64()).ok().filter(|bytes| (1..=64 << 20).contains(bytes));
        let bytes_max = bytes_max.ok_or("blocks.bytes_max must be from 1 byte to 64 MiB")?;
        Ok(Limits { events_max: self.blocks.events_max, bytes_max, linger })
    }

    /// `maxmemory` of the settings, in bytes.
    pub fn maxmemory(&self) -> Result<u64, String> {
        let text = self.setting("maxmemory").ok_or("settings.maxmemory is missing")?;
        redis_bytes(&text).filter(|bytes| *bytes > 0).ok_or_else(|| {
            format!("settings.maxmemory: {text:?} is not a size above 0 as redis.conf writes it")
        })
    }

    /// One setting as redis.conf would have it.
    pub fn setting(&self, name: &str) -> Option<String> {
        self.settings.get(name).map(as_conf)
    }

    /// The same profile with these settings over its own.
    #[must_use]
    pub fn with_settings<'a>(&self, settings: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let mut changed = self.clone();
        for (name, value) in settings {
            changed.settings.insert(name.into(), value.into());
        }
        changed
    }

    /// Every setting as redis.conf would have it, in order.
    pub fn conf_settings(&self) -> Vec<(String, String)> {
        self.settings.iter().map(|(name, value)| (name.clone(), as_conf(value))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_built_in_profile_parses_and_has_its_own_name() {
        for (name, _) in BUILT_IN {
            assert_eq!(Profile::load(name).unwrap().name, name);
        }
    }

    #[test]
    fn the_default_profile_has_the_numbers_of_met_001_and_keeps_its_events() {
        let profile = Profile::load(DEFAULT).unwrap();
        assert_eq!(profile.hold.events, 2_700_000);
        assert_eq!(profile.maxmemory().unwrap(), 2 << 30);
        assert!((profile.rate() - 93.75).abs() < 1e-9);
        assert_eq!(profile.setting("maxmemory-policy").as_deref(), Some("noeviction"));
        let letter = Profile::load("met-001").unwrap();
        assert_eq!(letter.setting("maxmemory-policy").as_deref(), Some("allkeys-lru"));
    }

    #[test]
    fn a_profile_that_cannot_be_used_says_what_is_wrong() {
        let good = BUILT_IN[0].1;
        for (from, to, says) in [
            ("events = 2_700_000", "events = 0", "hold.events"),
            ("hours = 8", "hours = nan", "hold.hours"),
            ("200ms", "soon", "blocks.linger"),
            ("256 KiB", "much", "blocks.bytes_max"),
            ("\"2gb\"", "\"0\"", "maxmemory"),
            ("[rates]", "[rats]", "rats"),
            ("[rates]", "[cluster]\nmasters = 2\nreplicas = 1\n[rates]", "cluster.masters must be from 3"),
            ("[rates]", "[cluster]\nmasters = 3\nreplicas = 0\n[rates]", "cluster.replicas must be from 1"),
        ] {
            let file = tempfile::NamedTempFile::new().unwrap();
            std::fs::write(file.path(), good.replace(from, to)).unwrap();
            let error = Profile::load(file.path().to_str().unwrap()).unwrap_err().to_string();
            assert!(error.contains(says), "{says}: {error}");
        }
        assert!(Profile::load("no-such").unwrap_err().to_string().contains("bluesky-8h"));
    }

    #[test]
    fn sizes_are_read_as_redis_reads_them() {
        for (text, bytes) in [("2gb", 2 << 30), ("1k", 1_000), ("64MB", 64 << 20), ("100", 100)] {
            assert_eq!(redis_bytes(text), Some(bytes), "{text}");
        }
        assert_eq!(redis_bytes("2 gigs"), None);
        assert_eq!(redis_bytes("99999999999gb"), None);
    }
}
