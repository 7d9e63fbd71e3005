//! A server's settings: read whole, set one by one, each with what the server says.

use std::collections::BTreeMap;
use std::sync::Mutex;

use crate::buffer::link::Connection;
use anyhow::Context as _;

use crate::buffer::connect::Address;
use crate::buffer::lock;
use crate::server::quoted;

/// Settings by name, as CONFIG GET shows them.
pub type Settings = BTreeMap<String, String>;

/// They are secrets: nobody needs them here, and no file of ours shall hold them.
const SECRETS: [&str; 5] =
    ["requirepass", "masterauth", "masteruser", "tls-key-file-pass", "tls-client-key-file-pass"];

/// All of them, but for secrets.
pub fn all(connection: &mut Connection) -> anyhow::Result<Settings> {
    let pairs: Vec<(String, String)> =
        redis::cmd("CONFIG").arg("GET").arg("*").query(connection).context("CONFIG GET *")?;
    Ok(pairs.into_iter().filter(|(name, _)| !SECRETS.contains(&name.as_str())).collect())
}

/// Sets one.
pub fn set(connection: &mut Connection, name: &str, value: &str) -> anyhow::Result<()> {
    let set: redis::RedisResult<()> = redis::cmd("CONFIG").arg("SET").arg(name).arg(value).query(connection);
    set.map_err(|error| {
        let said = error.detail().map_or_else(|| error.to_string(), str::to_owned);
        anyhow::anyhow!("CONFIG SET {name} {value}: {said}")
    })
}

/// How often more a connection is tried to set something back, and the time between.
const TRIES: u32 = 20;
const PAUSE: std::time::Duration = std::time::Duration::from_millis(250);

/// How to set back what is changed on somebody's server at this moment.
static CHANGED_NOW: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// What somebody has to set back by hand, should this program end now.
pub fn changed_now() -> Vec<String> {
    lock(&CHANGED_NOW).clone()
}

/// Settings of somebody's server that are tried: dropped, it has those again that it had.
pub struct Held {
    address: Address,
    before: Settings,
    told: String,
}

impl Held {
    /// Holds on to what these are now.
    pub fn of<'a>(address: &Address, all: &Settings, names: impl IntoIterator<Item = &'a str>) -> Self {
        let before: Settings =
            names.into_iter().filter_map(|name| Some((name.to_owned(), all.get(name)?.clone()))).collect();
        let lines: Vec<String> =
            before.iter().map(|(name, value)| format!("CONFIG SET {name} {}", quoted(value))).collect();
        let told = format!("{address} may still have settings that were tried; it had: {}", lines.join(", "));
        lock(&CHANGED_NOW).push(told.clone());
        Self { address: address.clone(), before, told }
    }

    /// Leaves what is set now.
    pub fn leave(mut self) {
        self.before.clear();
    }

    /// Sets back what differs, whatever becomes of one of them, and says what could not be.
    pub fn put_back(&self) -> anyhow::Result<()> {
        if self.before.is_empty() {
            return Ok(());
        }
        let mut connection = self.dial()?;
        let now = all(&mut connection)?;
        let changed = self.before.iter().filter(|(name, value)| now.get(*name) != Some(*value));
        let failed: Vec<String> = changed
            .filter_map(|(name, value)| set(&mut connection, name, value).err())
            .map(|error| format!("{error:#}"))
            .collect();
        anyhow::ensure!(
            failed.is_empty(),
            "settings could not be set back ({}): {}",
            failed.join("; "),
            self.told
        );
        Ok(())
    }

    /// A connection; more than one try, for one that is taken at this very moment.
    fn dial(&self) -> anyhow::Result<Connection> {
        let mut left = TRIES;
        loop {
            match self.address.dial() {
                Ok(connection) => return Ok(connection),
                Err(error) if left == 0 => {
                    return Err(anyhow::Error::from(error).context(self.told.clone()));
                }
                Err(_) => left -= 1,
            }
            std::thread::sleep(PAUSE);
        }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if let Err(error) = self.put_back() {
            tracing::error!("{error:#}");
        }
        lock(&CHANGED_NOW).retain(|other| *other != self.told);
    }
}

/// What differs: name, before, after; none where one side has no such setting.
pub fn differences(before: &Settings, after: &Settings) -> Vec<(String, Option<String>, Option<String>)> {
    let names = before.keys().chain(after.keys().filter(|name| !before.contains_key(*name)));
    names
        .filter(|name| before.get(*name) != after.get(*name))
        .map(|name| (name.clone(), before.get(name).cloned(), after.get(name).cloned()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_is_named_whichever_side_has_it() {
        let of = |pairs: &[(&str, &str)]| -> Settings {
            pairs.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect()
        };
        let (before, after) =
            (of(&[("a", "1"), ("b", "2"), ("c", "3")]), of(&[("a", "1"), ("b", "3"), ("d", "4")]));
        let differ = differences(&before, &after);
        let names: Vec<&str> = differ.iter().map(|(name, ..)| name.as_str()).collect();
        assert_eq!(names, ["b", "c", "d"]);
        assert_eq!(differ[1], ("c".into(), Some("3".into()), None));
        assert!(differences(&before, &before).is_empty());
    }
}
