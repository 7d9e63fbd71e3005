//! The control on a real server: one is started with planted faults, looked at, and ended.

use anyhow::Context;

use super::compare::{applies, compare};
use super::machine;
use super::seeded_faults::{FaultSource, MODEL, PLANTS, SeededFault};
use crate::audit::judge;
use crate::audit::look::Look;
use crate::claim::Control;
use forebay::buffer::connect::Address;
use forebay::buffer::keys::Name;
use forebay::event::jetstream;
use forebay_rig::server::{Conf, Server, ServerBinary, ServerKind};
use forebay_watch::profile::Profile;

/// The default user is closed to what is dangerous, so that a rule that says otherwise has been given a reason.
/// The audit logs in as another.
const CLOSE: [&str; 2] =
    ["ACL SETUSER auditor on >forebay ~* &* +@all", "ACL SETUSER default resetpass >forebay -@all +ping"];

/// Settings that came with Redis 7.0.
const NEWER: [&str; 5] = [
    "maxmemory-clients",
    "aof-timestamp-enabled",
    "latency-tracking",
    "enable-debug-command",
    "enable-protected-configs",
];

/// Plants what can stand together on a server, and looks.
pub fn on_a_server(binary: &ServerBinary, profile: &Profile) -> anyhow::Result<Control> {
    let name: Name = "audit-control".parse()?;
    let is_real = |plant: &&SeededFault| plant.together;
    let faults: Vec<FaultSource> =
        PLANTS.iter().filter(is_real).flat_map(|plant| plant.how.iter().copied()).collect();
    let (server, address) = start(binary, &faults, &name)?;
    let root = tempfile::tempdir().context("a folder for the planted machine")?;
    let mut seen = Look { profile, buffer: &name, probe_disk: false, is_own: false }.at(&address)?;
    seen.host = machine::host(root.path(), &faults);
    seen.fsync = seen.host.as_ref().map_err(Clone::clone).map(|_| machine::fsync(&faults));
    let facts =
        seen.info.as_ref().map_err(|why| anyhow::anyhow!("INFO of the control's server: {}", why.0))?;
    let planted: Vec<&SeededFault> =
        PLANTS.iter().filter(is_real).filter(|plant| applies(plant, facts)).collect();
    let what = format!(
        "{} started with faults planted in its settings, users, keys, and the machine it is shown",
        facts.running()
    );
    let control = compare(&what, &planted, &judge::audit(&seen, "the control", false));
    drop(server);
    Ok(control)
}

/// Starts the model server with these faults.
pub fn start(
    binary: &ServerBinary,
    faults: &[FaultSource],
    name: &Name,
) -> anyhow::Result<(Server, Address)> {
    let mut conf = Conf::new();
    let planted = faults
        .iter()
        .filter_map(|how| if let FaultSource::Settings(pairs) = how { Some(*pairs) } else { None });
    for (setting, value) in MODEL.iter().chain(planted.flatten()) {
        if knows(binary.kind, (binary.version.major, binary.version.minor), setting) {
            conf.set(setting, *value);
        }
    }
    // Not on a port: some faults open it to everybody.
    let server = Server::start_on_socket(binary, &conf)?;
    let url = server.url_as("auditor", "forebay");
    let mut first = Address::parse(&server.url())?.dial()?;
    for line in CLOSE {
        tell(&mut first, line, name)?;
    }
    let address = Address::parse(&url)?;
    let mut connection = address.dial()?;
    for how in faults {
        match how {
            FaultSource::Commands(lines) => {
                lines.iter().try_for_each(|line| tell(&mut connection, line, name))?;
            }
            FaultSource::Running(setting, value) => {
                tell(&mut connection, &format!("CONFIG SET {setting} {value}"), name)?;
            }
            FaultSource::DefaultUser(rules) => {
                tell(&mut connection, &format!("ACL SETUSER default reset {rules}"), name)?;
            }
            _ => {}
        }
    }
    Ok((server, address))
}

/// Whether this server knows a setting: one before 7.0 does not start with those that came later.
fn knows(kind: ServerKind, version: (u32, u32), name: &str) -> bool {
    let is_old = kind == ServerKind::Redis && version < (7, 0);
    !(is_old && NEWER.contains(&name))
}

fn tell(
    connection: &mut forebay::buffer::connection::Connection,
    line: &str,
    name: &Name,
) -> anyhow::Result<()> {
    let mut words = line.split(' ').map(|word| match word {
        "{likes}" => name.stream(jetstream::LIKES),
        "{posts}" => name.stream(jetstream::POSTS),
        "{reposts}" => name.stream(jetstream::REPOSTS),
        word => word.into(),
    });
    let mut command = redis::cmd(&words.next().unwrap_or_default());
    words.for_each(|word| {
        command.arg(word);
    });
    command.query::<redis::Value>(connection).with_context(|| format!("planting {line:?}")).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// By what the server says of itself afterwards.
    #[test]
    fn every_kind_of_fault_is_on_the_server_that_is_started() {
        let binary = ServerBinary::find(None).unwrap();
        let name: Name = "planted".parse().unwrap();
        let ask = |faults: &[FaultSource], question: [&str; 3]| {
            let (_server, address) = start(&binary, faults, &name).unwrap();
            let command = redis::cmd(question[0]).arg(&question[1..]).to_owned();
            let answer: redis::Value = command.query(&mut address.dial().unwrap()).unwrap();
            format!("{answer:?}")
        };
        let config = ["CONFIG", "GET", "maxmemory"];
        assert!(!ask(&[], config).contains("12345678"));
        assert!(ask(&[FaultSource::Settings(&[("maxmemory", "12345678")])], config).contains("12345678"));
        assert!(ask(&[FaultSource::Running("maxmemory", "12345678")], config).contains("12345678"));
        assert!(
            ask(&[FaultSource::Commands(&["CONFIG SET maxmemory 12345678"])], config).contains("12345678")
        );
        let user = ["ACL", "GETUSER", "default"];
        assert!(!ask(&[], user).contains("nopass"));
        assert!(ask(&[FaultSource::DefaultUser("on nopass ~* +@all")], user).contains("nopass"));
    }

    #[test]
    fn an_old_redis_is_not_given_settings_that_came_later() {
        for (kind, version, knows_newer) in [
            (ServerKind::Redis, (6, 2), false),
            (ServerKind::Redis, (7, 0), true),
            (ServerKind::Redis, (8, 2), true),
            (ServerKind::Valkey, (6, 9), true),
        ] {
            assert_eq!(knows(kind, version, NEWER[0]), knows_newer, "{version:?}");
            assert!(knows(kind, version, "maxmemory"));
        }
    }
}
