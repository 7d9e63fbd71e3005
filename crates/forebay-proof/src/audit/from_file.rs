//! Looking at a redis.conf without a server: what a server would have after starting with it.

use std::path::Path;
use std::time::Duration;

use super::conf_file::{self, ConfError, ConfFaultKind};
use super::rule::Unread;
use super::snapshot::{AuditSnapshot, FileFaults, Read};
use super::trial::{self, Tried};
use super::users::{DANGEROUS, MENDING, NEEDED, Users};
use forebay_rig::server::ServerBinary;
use forebay_watch::profile::Profile;

/// Reads a file.
pub fn look(path: &Path, profile: &Profile) -> Result<AuditSnapshot, ConfError> {
    Ok(seen(conf_file::read(path)?, None, profile))
}

/// Reads a file, and tries it on a server.
pub fn look_and_try(
    path: &Path,
    profile: &Profile,
    binary: &ServerBinary,
    limit: Duration,
) -> anyhow::Result<AuditSnapshot> {
    let file = conf_file::read(path)?;
    let tried = trial::run(&file, binary, limit)?;
    Ok(seen(file, Some(tried), profile))
}

/// What is wrong with the file. Where a server has taken a line as it stands, that is its answer to the line: a rule that says
/// otherwise is one of newer servers, or too narrow.
fn faults(file: &conf_file::ConfFile, tried: Option<Tried>) -> FileFaults {
    let mut faults = FileFaults { lines: file.lines.len(), tried, ..FileFaults::default() };
    for trouble in &file.troubles {
        let place = trial::Place { file: trouble.file.clone(), line: trouble.line };
        let is_taken = faults.tried.as_ref().is_some_and(|tried| tried.took(&place));
        let list = match trouble.kind {
            // Nothing listened on the addresses of the copy.
            ConfFaultKind::BadValue(ref name, _) if is_taken && name != "bind" => &mut faults.taken,
            ConfFaultKind::UnknownDirective(_) | ConfFaultKind::Removed(_) | ConfFaultKind::Sentinel => {
                &mut faults.unknown
            }
            _ => &mut faults.fatal,
        };
        list.push(trouble.to_string());
    }
    faults
}

fn seen(mut file: conf_file::ConfFile, tried: Option<Tried>, profile: &Profile) -> AuditSnapshot {
    let faults = faults(&file, tried);
    let users = users(&file);
    file.settings.hide_secrets();
    let without = |what: &str| Unread(format!("{what} needs a running server: give --url instead of --conf"));
    AuditSnapshot {
        profile: profile.clone(),
        settings: Ok(file.settings),
        info: Err(without("this")),
        users,
        usage: Err(without("this")),
        cluster: Err(without("this")),
        host: Err(without("this")),
        fsync: Err(without("this")),
        on_disk: Err(without("this")),
        file: Some(faults),
        is_own: false,
    }
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
    let asked = DANGEROUS.iter().map(|(name, _)| *name).chain(NEEDED).chain(MENDING);
    let renamed = |name: &&str| file.renamed.iter().any(|(old, _)| old.eq_ignore_ascii_case(name));
    users.unknown = asked.filter(renamed).map(str::to_owned).collect();
    Ok(users)
}
