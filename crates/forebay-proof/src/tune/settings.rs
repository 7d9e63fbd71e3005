//! A server's settings: read whole, compared, and held where they are somebody's.

use anyhow::Context as _;
use forebay::buffer::connection::Connection;

pub use crate::settings_guard::{Settings, SettingsGuard};
pub use crate::target::set;
use forebay::buffer::connect::Address;
use forebay::buffer::secret;

/// All of them, but for secrets: nobody needs them here, and no file of ours shall hold them.
pub fn all(connection: &mut Connection) -> anyhow::Result<Settings> {
    let pairs: Vec<(String, String)> =
        redis::cmd("CONFIG").arg("GET").arg("*").query(connection).context("CONFIG GET *")?;
    Ok(pairs.into_iter().filter(|(name, _)| !secret::is_name(name)).collect())
}

/// Holds on to what these of somebody's settings are.
pub fn hold<'a>(
    address: &Address,
    all: &Settings,
    names: impl IntoIterator<Item = &'a str>,
) -> anyhow::Result<SettingsGuard> {
    let of = |name: &str| Some((name.to_owned(), all.get(name)?.clone()));
    SettingsGuard::of(address, names.into_iter().filter_map(of).collect())
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
