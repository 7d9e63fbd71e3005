//! A server's settings by name, as CONFIG GET writes them.

use std::collections::BTreeMap;

use forebay::buffer::secret;

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
        for (name, value) in &mut self.values {
            *value = secret::value(name, value).to_owned();
        }
    }

    /// Every setting, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.values.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }
}
