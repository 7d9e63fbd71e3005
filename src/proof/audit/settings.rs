//! A server's settings by name, as CONFIG GET writes them.

use std::collections::BTreeMap;

/// Settings whose values are nobody's business: only whether they are set is kept.
pub(super) const SECRETS: [&str; 6] = [
    "requirepass",
    "masterauth",
    "primaryauth",
    "tls-key-file-pass",
    "tls-client-key-file-pass",
    "masteruser",
];

/// Settings, from a server or from a file with the defaults filled in.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Settings {
    values: BTreeMap<String, String>,
}

impl Settings {
    /// The value of a setting.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(String::as_str)
    }

    /// Sets one.
    pub fn set(&mut self, name: &str, value: impl Into<String>) {
        self.values.insert(name.to_ascii_lowercase(), value.into());
    }

    /// Keeps of passwords and the like only that they are set.
    pub fn hide_secrets(&mut self) {
        for name in SECRETS {
            if let Some(value) = self.values.get_mut(name).filter(|value| !value.is_empty()) {
                *value = "***".into();
            }
        }
    }

    /// Every setting, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.values.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }
}
