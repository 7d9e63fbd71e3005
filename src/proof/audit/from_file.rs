//! Looking at a redis.conf without a server: what a server would have after starting with it.

use std::path::Path;

use super::conf_file::{self, ConfError, Kind};
use super::rule::Unread;
use super::seen::{FileFaults, Read, Seen};
use super::users::{DANGEROUS, NEEDED, Users};
use crate::profile::Profile;

/// Reads a file.
pub fn look(path: &Path, profile: &Profile) -> Result<Seen, ConfError> {
    let mut file = conf_file::read(path)?;
    let mut faults = FileFaults::default();
    for trouble in &file.troubles {
        let list = match trouble.kind {
            Kind::UnknownDirective(_) => &mut faults.unknown,
            _ => &mut faults.fatal,
        };
        list.push(trouble.to_string());
    }
    let users = users(&file);
    file.settings.hide_secrets();
    let without = |what: &str| Unread(format!("{what} needs a running server: give --url instead of --conf"));
    Ok(Seen {
        profile: profile.clone(),
        settings: Ok(file.settings),
        info: Err(without("this")),
        users,
        usage: Err(without("this")),
        host: Err(without("this")),
        fsync: Err(without("this")),
        on_disk: Err(without("this")),
        file: Some(faults),
        is_own: false,
    })
}

/// The users that the file makes. Those of an ACL file are not in it.
fn users(file: &conf_file::ConfFile) -> Read<Users> {
    if let Some(acl) = file.settings.get("aclfile").filter(|acl| !acl.is_empty()) {
        return Err(Unread(format!("users are in {acl}, which a running server tells of: give --url")));
    }
    let has_password = file.settings.get("requirepass").is_some_and(|password| !password.is_empty());
    // What every server begins with; a line for the default user takes its place.
    let default =
        if has_password { "user default on #*** ~* &* +@all" } else { "user default on nopass ~* &* +@all" };
    let mut users = Users::parse([default].into_iter().chain(file.users.iter().map(String::as_str)))?;
    let asked = DANGEROUS.iter().map(|(name, _)| *name).chain(NEEDED);
    let renamed = |name: &&str| file.renamed.iter().any(|(old, _)| old.eq_ignore_ascii_case(name));
    users.unknown = asked.filter(renamed).map(str::to_owned).collect();
    Ok(users)
}
