//! What a server says of itself in INFO, and whether it can hold a buffer.

/// Most lines of INFO that are read: with every section and every command's statistics it has under a thousand.
const FIELDS_MAX: usize = 10_000;

/// Oldest server whose streams have XAUTOCLAIM and XTRIM MINID.
const OLDEST: (u64, u64) = (6, 2);

/// What a server says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    fields: Vec<(String, String)>,
}

impl Facts {
    /// Reads the answer of INFO: no more of it than a server has to say.
    pub fn of(info: &str) -> Self {
        let pair = |line: &str| line.split_once(':').map(|(name, value)| (name.into(), value.into()));
        Self { fields: info.lines().take(FIELDS_MAX).map(str::trim_end).filter_map(pair).collect() }
    }

    /// A field of INFO.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// Says something else of a field.
    pub fn set(&mut self, name: &str, value: &str) {
        self.fields.insert(0, (name.into(), value.into()));
    }

    /// Whether any field begins so.
    pub fn has(&self, prefix: &str) -> bool {
        self.fields.iter().any(|(key, _)| key.starts_with(prefix))
    }

    /// A field of INFO that is a number.
    pub fn number(&self, name: &str) -> Option<u64> {
        self.get(name)?.parse().ok()
    }

    /// `redis` or `valkey`.
    pub fn server(&self) -> &'static str {
        if self.get("valkey_version").is_some() { "valkey" } else { "redis" }
    }

    /// The real version: Valkey reports 7.2.4 as its `redis_version` for old clients.
    pub fn version(&self) -> &str {
        self.get("valkey_version").or_else(|| self.get("redis_version")).unwrap_or("unknown")
    }

    /// Both: `redis 7.0.15`.
    pub fn running(&self) -> String {
        format!("{} {}", self.server(), self.version())
    }

    /// The databases that hold something, by number, and how many keys each holds.
    pub fn databases(&self) -> impl Iterator<Item = (u64, u64)> {
        self.fields.iter().filter_map(|(name, value)| {
            let keys = value.strip_prefix("keys=")?.split(',').next()?;
            Some((name.strip_prefix("db")?.parse().ok()?, keys.parse().ok()?))
        })
    }

    /// Major, minor and patch of [`Self::version`].
    pub fn version_parts(&self) -> (u64, u64, u64) {
        let mut parts = self.version().split('.').map(|part| part.parse().unwrap_or(0));
        let mut next = || parts.next().unwrap_or(0);
        (next(), next(), next())
    }

    /// That it is no server but a Sentinel, and where it says that the server is.
    pub fn sentinel(&self) -> Option<String> {
        (self.get("redis_mode") == Some("sentinel")).then(|| {
            let part = |name: &str| self.get("master0")?.split(',').find_map(|part| part.strip_prefix(name));
            let master = match (part("name="), part("address=")) {
                (Some(name), Some(address)) => format!("/{name}: {name} is at {address} by what it says"),
                _ => "/NAME (SENTINEL MASTERS says which)".into(),
            };
            format!("it is a Sentinel, which watches servers and holds no data; give redis+sentinel://HOST:PORT{master}")
        })
    }

    /// Whether it is a node of a cluster.
    pub(super) fn is_of_cluster(&self) -> bool {
        self.number("cluster_enabled") == Some(1)
    }

    /// Whether it can hold a buffer; why not.
    pub(super) fn fit(&self) -> Result<(), String> {
        if let Some(why) = self.sentinel() {
            return Err(why);
        }
        let (major, minor, _) = self.version_parts();
        if (major, minor) < OLDEST {
            let version = self.version();
            return Err(format!("its version is {version}; Redis 6.2 or newer, or Valkey, is needed"));
        }
        if self.get("role").is_some_and(|role| role != "master") {
            let master = self.get("master_host").unwrap_or("unknown host");
            let port = self.get("master_port").unwrap_or("?");
            return Err(format!("it is a replica; its master is {master}:{port}, give that one's URL"));
        }
        Ok(())
    }
}
