//! Looking at a server: the commands of an audit, none of which writes, or walks keys.

use std::collections::HashMap;
use std::path::Path;

use forebay::buffer::connection::Connection;
use redis::Value;

use super::cluster::Cluster;
use super::conf_file;
use super::fsync::Fsync;
use super::rule::Unread;
use super::settings::Settings;
use super::snapshot::{AuditSnapshot, Read};
use super::usage::{Usage, refused};
use super::users::{DANGEROUS, MENDING, NEEDED, Users};
use forebay::buffer::connect::{Address, Facts};
use forebay::buffer::error::Error;
use forebay::buffer::keys::Name;
use forebay_watch::machine::Host;
use forebay_watch::profile::Profile;

/// Looks at a server.
pub struct Look<'a> {
    /// What must hold.
    pub profile: &'a Profile,
    /// The buffer whose keys are looked at.
    pub buffer: &'a Name,
    /// Whether a file may be written beside the AOF to see how long an fsync takes.
    pub probe_disk: bool,
    /// Whether the server is Forebay's own, in a temporary folder.
    pub is_own: bool,
}

impl Look<'_> {
    /// Connects and reads; whatever may not be read is noted with its reason.
    pub fn at(&self, address: &Address) -> Result<AuditSnapshot, Error> {
        let mut connection = address.dial()?;
        // What a server refuses is not readable; one that stops answering is not there.
        let there =
            |connection: &Connection| connection.is_in_step().then_some(()).ok_or_else(|| address.gone());
        let settings = settings(&mut connection);
        there(&connection)?;
        let users = users(&mut connection);
        there(&connection)?;
        let usage = Usage::look(&mut connection, self.buffer);
        there(&connection)?;
        // Last, so that its statistics have at least one command to count.
        let info = info(&mut connection, address)?;
        there(&connection)?;
        let is_redis = |info: &Facts| info.has("redis_version") || info.has("valkey_version");
        let nothing_read = settings.is_err() && users.is_err() && info.is_err();
        if nothing_read || info.as_ref().is_ok_and(|info| !is_redis(info)) {
            return Err(address.gone());
        }
        if let Some(why) = info.as_ref().ok().and_then(Facts::sentinel) {
            return Err(Error::Unfit { url: address.to_string(), why });
        }
        let cluster = match info.as_ref() {
            Ok(info) if info.number("cluster_enabled") == Some(1) => Cluster::look(&mut connection, address),
            Ok(_) => Err(Unread("the server stands outside a cluster".into())),
            Err(why) => Err(why.clone()),
        };
        there(&connection)?;
        let dir = settings.as_ref().ok().and_then(|settings| settings.get("dir"));
        let host = info.as_ref().map_err(Clone::clone).and_then(|info| Host::beneath(address, info, dir));
        let fsync = host.as_ref().map_err(Clone::clone).and_then(|_| match dir {
            Some(dir) if self.probe_disk => Fsync::measure(Path::new(dir)),
            _ => Err(Unread(
                "fsync is measured with --probe-disk only: it writes a file beside the AOF".into(),
            )),
        });
        let on_disk = host.as_ref().map_err(Clone::clone).and_then(|_| on_disk(&info));
        let profile = self.profile.clone();
        Ok(AuditSnapshot {
            on_disk,
            profile,
            settings,
            info,
            users,
            usage,
            cluster,
            host,
            fsync,
            file: None,
            is_own: self.is_own,
        })
    }
}

/// What the server says of itself. That nobody has logged in is no reason to go on.
fn info(connection: &mut Connection, address: &Address) -> Result<Read<Facts>, Error> {
    let info: Result<String, _> = redis::cmd("INFO").arg("everything").query(connection);
    match info {
        Ok(info) => Ok(Ok(Facts::of(&info))),
        Err(error) if error.code() == Some("NOAUTH") => Err(address.refused(&error)),
        Err(error) => Ok(Err(refused("INFO", &error))),
    }
}

/// The redis.conf that the server was started with, on this machine.
fn on_disk(info: &Read<Facts>) -> Read<Option<Settings>> {
    let info = info.as_ref().map_err(Clone::clone)?;
    let path =
        info.get("config_file").ok_or_else(|| Unread("INFO of this server has no config_file".into()))?;
    if path.is_empty() {
        return Ok(None);
    }
    let file = conf_file::read(Path::new(path))
        .map_err(|why| Unread(format!("the server's own file: {}", why.why())))?;
    if let Some(missing) =
        file.troubles.iter().find(|trouble| matches!(trouble.kind, conf_file::ConfFaultKind::Include(..)))
    {
        return Err(Unread(format!("the server's own file: {missing}")));
    }
    Ok(Some(file.settings))
}

fn settings(connection: &mut Connection) -> Read<Settings> {
    let answer: Result<HashMap<Vec<u8>, Vec<u8>>, _> =
        redis::cmd("CONFIG").arg("GET").arg("*").query(connection);
    let answer = answer.map_err(|error| refused("CONFIG GET", &error))?;
    if answer.is_empty() {
        return Err(Unread("CONFIG GET gives nothing: a managed service hides its settings".into()));
    }
    let mut settings = Settings::default();
    for (name, value) in answer {
        let (name, value) = (String::from_utf8_lossy(&name), String::from_utf8_lossy(&value));
        settings.set(&name, value);
    }
    settings.hide_secrets();
    Ok(settings)
}

fn users(connection: &mut Connection) -> Read<Users> {
    let lines: Result<Vec<String>, _> = redis::cmd("ACL").arg("LIST").query(connection);
    let lines = lines.map_err(|error| refused("ACL LIST", &error))?;
    let mut users = Users::parse(lines.iter().map(String::as_str))?;
    users.unknown = unknown(connection)?;
    Ok(users)
}

/// Commands that an audit asks after and the server does not know.
fn unknown(connection: &mut Connection) -> Read<Vec<String>> {
    let names: Vec<&str> = DANGEROUS.iter().map(|(name, _)| *name).chain(NEEDED).chain(MENDING).collect();
    let known: Result<Vec<Value>, _> = redis::cmd("COMMAND").arg("INFO").arg(&names).query(connection);
    let known = known.map_err(|error| refused("COMMAND INFO", &error))?;
    if known.len() != names.len() {
        return Err(Unread("COMMAND INFO answers for fewer commands than were asked after".into()));
    }
    let is_unknown = |value: &Value| match value {
        Value::Nil => true,
        Value::Array(parts) => parts.is_empty(),
        _ => false,
    };
    Ok(names
        .iter()
        .zip(&known)
        .filter(|(_, value)| is_unknown(value))
        .map(|(name, _)| (*name).into())
        .collect())
}
