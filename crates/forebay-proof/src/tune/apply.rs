//! Settings applied to a running server: saved first, checked after, put back where they turn out worse; and set back later.

use crate::printable::error_chain;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use anyhow::Context as _;
use forebay::buffer::connection::Connection;
use serde::{Deserialize, Serialize};

use super::settings::{self, Settings};
use forebay::buffer::connect::Address;
use forebay_watch::small_file;

/// What a file holds of a server before its settings were changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Saved {
    /// Of this shape: 1.
    pub schema: u32,
    /// The server, without its password.
    pub server: String,
    /// Every setting as it was.
    pub before: Settings,
    /// What was changed, in order.
    pub changed: Vec<Changed>,
}

/// One setting.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Changed {
    /// Its name.
    pub name: String,
    /// What it was.
    pub from: String,
    /// What it was set to.
    pub to: String,
}

/// Shape of the file.
const SCHEMA: u32 = 1;
/// More than any such file has.
const BYTES_MAX: u64 = 16 << 20;

impl Saved {
    /// What a server has now, and what is to be changed of it: only what differs.
    pub fn of(address: &Address, wanted: &[(String, String)]) -> anyhow::Result<Self> {
        let before = settings::all(&mut address.dial()?)?;
        let mut changed = Vec::new();
        for (name, to) in wanted {
            let from = before.get(name).with_context(|| format!("{address} has no setting {name}"))?;
            if from != to {
                changed.push(Changed { name: name.clone(), from: from.clone(), to: to.clone() });
            }
        }
        Ok(Self { schema: SCHEMA, server: address.to_string(), before, changed })
    }

    /// Writes it to a new file, and to the disk. A file that is there is somebody's way back, and is not overwritten.
    pub fn write(&self, path: &Path) -> anyhow::Result<()> {
        let doing = || format!("writing {}, without which nothing is changed", path.display());
        let mut file =
            OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).with_context(doing)?;
        let text = serde_json::to_string_pretty(self).with_context(doing)?;
        file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).with_context(doing)
    }

    /// Reads one.
    pub fn read(path: &Path) -> anyhow::Result<Self> {
        let text =
            small_file::read(path, BYTES_MAX).with_context(|| format!("reading {}", path.display()))?;
        let saved: Self = serde_json::from_str(&text)
            .with_context(|| format!("{} was not written by `forebay tune --apply`", path.display()))?;
        anyhow::ensure!(
            saved.schema == SCHEMA,
            "{} is of shape {}, and this Forebay knows {SCHEMA}",
            path.display(),
            saved.schema
        );
        Ok(saved)
    }

    /// Sets what is to be changed, and checks that the server has it. Where one is refused, those before are set back.
    pub fn apply(&self, address: &Address) -> anyhow::Result<()> {
        let mut connection = address.dial()?;
        for (done, change) in self.changed.iter().enumerate() {
            let set = settings::set(&mut connection, &change.name, &change.to)
                .and_then(|()| check(&mut connection, &change.name, &change.to));
            if let Err(error) = set {
                let back: Vec<String> = self.changed[..=done]
                    .iter()
                    .rev()
                    .filter_map(|change| settings::set(&mut connection, &change.name, &change.from).err())
                    .map(|error| error_chain(&error))
                    .collect();
                return Err(if back.is_empty() {
                    error.context("nothing is changed: what had been set is set back")
                } else {
                    error.context(format!("and not all could be set back: {}", back.join("; ")))
                });
            }
        }
        Ok(())
    }

    /// Sets back what was changed, and says which other settings differ from what they were. What somebody has changed since
    /// is theirs: then nothing is set back.
    pub fn roll_back(&self, address: &Address) -> anyhow::Result<Vec<String>> {
        anyhow::ensure!(
            self.server == address.to_string(),
            "nothing is set back: this file is of {}, and --url names {address}",
            self.server
        );
        let mut connection = address.dial()?;
        let now = settings::all(&mut connection)?;
        let foreign: Vec<String> = self
            .changed
            .iter()
            .filter_map(|change| {
                let value = now.get(&change.name).map_or("gone", String::as_str);
                let is_ours = value == change.to || value == change.from;
                (!is_ours).then(|| format!("{} is {value}, and was set to {}", change.name, change.to))
            })
            .collect();
        anyhow::ensure!(
            foreign.is_empty(),
            "nothing is set back, because somebody has changed it since, or this is not the server {}: {}",
            self.server,
            foreign.join("; ")
        );
        for change in self.changed.iter().rev() {
            settings::set(&mut connection, &change.name, &change.from)?;
        }
        let after = settings::all(&mut connection)?;
        let show = |value: Option<String>| value.unwrap_or_else(|| "absent".into());
        Ok(settings::differences(&self.before, &after)
            .into_iter()
            .map(|(name, before, after)| format!("{name} was {} and is {}", show(before), show(after)))
            .collect())
    }
}

fn check(connection: &mut Connection, name: &str, wanted: &str) -> anyhow::Result<()> {
    let now = crate::target::setting(connection, name).unwrap_or_default();
    anyhow::ensure!(now == wanted, "CONFIG SET {name} {wanted} was taken, and CONFIG GET says {now}");
    Ok(())
}
