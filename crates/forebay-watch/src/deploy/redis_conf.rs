//! `redis.conf` of a profile, with a comment for each line.

use askama::Template;

use crate::profile::Profile;
use forebay::buffer::secret;
use forebay_rig::server::Conf;

use super::one_line;

/// What a setting is for, in the words of the buffer.
const WHY: [(&str, &str); 16] = [
    ("maxmemory", "All that the server may use for data. Forks and buffers of connections come on top."),
    (
        "maxmemory-policy",
        "What a full server does. noeviction refuses writes; any other drops keys, and a lane is one key.",
    ),
    ("appendonly", "Each write goes to a log on disk. Without it a restart loses everything."),
    ("appendfsync", "How often the log is forced to the disk: a power cut loses what came since then."),
    ("auto-aof-rewrite-percentage", "The log is rewritten when it has grown by so many percent."),
    ("auto-aof-rewrite-min-size", "It is not rewritten while it is smaller than that."),
    (
        "rdbcompression",
        "A rewrite does not run LZF over blocks that zstd has compressed: half the processor time.",
    ),
    (
        "stream-node-max-bytes",
        "Several small blocks in a node of a stream: about 5 % less memory than with 4kb.",
    ),
    ("save", "Snapshots; none where it is empty. The log makes them needless, and each costs a fork."),
    ("databases", "A buffer needs one."),
    ("timeout", "Seconds until an idle connection is closed; 0 for never. Readers wait in theirs."),
    ("tcp-keepalive", "Seconds after which a dead peer is noticed."),
    ("tcp-backlog", "Connections that may wait to be taken up. net.core.somaxconn must allow it."),
    ("protected-mode", "Without a password it hears this machine alone."),
    ("repl-backlog-size", "A replica that was away for less than this much catches up without a full copy."),
    (
        "bind",
        "Where it listens. In its container compose.yaml adds the address that the other containers know it by.",
    ),
];

#[derive(Template)]
#[template(path = "deploy/redis.conf", escape = "none")]
struct RedisConf<'a> {
    profile: &'a str,
    about: &'a str,
    settings: Vec<Setting>,
    secret: &'a str,
    /// Of a cluster.
    is_node: bool,
}

struct Setting {
    why: &'static str,
    line: String,
}

/// The file; it includes `secret`, which holds the password.
pub(super) fn render(profile: &Profile, secret: &str) -> askama::Result<String> {
    let settings = profile
        .conf_settings()
        .into_iter()
        // They belong into the file that is included.
        .filter(|(name, _)| !secret::is_name(name))
        .map(|(name, value)| Setting { why: why(&name), line: line(&name, value) })
        .collect();
    let (name, about) = (one_line(&profile.name), one_line(&profile.about));
    let is_node = profile.cluster.is_some();
    RedisConf { profile: &name, about: &about, settings, secret, is_node }.render()
}

fn why(setting: &str) -> &'static str {
    WHY.iter().find(|(name, _)| *name == setting).map_or("A setting of the profile.", |(_, why)| why)
}

fn line(name: &str, value: String) -> String {
    Conf::from_iter([(name, value)]).render().trim_end().to_owned()
}
