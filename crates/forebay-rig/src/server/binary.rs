//! Which server: finding the binary, and telling Redis from Valkey and one version from another.

use std::env;
use std::ffi::OsStr;
use std::fmt;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use rustix::fs::{Access, access};

use super::ServerError;

/// The environment variable that names the server binary.
const VARIABLE: &str = "FOREBAY_SERVER";
/// What is looked for on the PATH, in this order.
const NAMES: [&str; 2] = ["redis-server", "valkey-server"];
/// A server prints its version at once; this is for what is not a server.
const VERSION_LIMIT: Duration = Duration::from_secs(10);
/// More than any server prints for `--version`.
const VERSION_BYTES_MAX: u64 = 4096;

/// The two families of servers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ServerKind {
    /// Redis.
    Redis,
    /// Valkey.
    Valkey,
}

impl fmt::Display for ServerKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Redis => "Redis",
            Self::Valkey => "Valkey",
        })
    }
}

/// A server's version. What follows the three numbers (`-rc1`) is left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version {
    /// The first number.
    pub major: u32,
    /// The second number.
    pub minor: u32,
    /// The third number.
    pub patch: u32,
}

impl Version {
    /// The version with these three numbers.
    pub const fn new(major: u32, minor: u32, patch: u32) -> Self {
        Self { major, minor, patch }
    }

    /// Reads `7.0.15`, and `9.1.0-rc1` as `9.1.0`.
    fn parse(text: &str) -> Option<Self> {
        let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
        let mut numbers = text[..end].split('.').map(str::parse);
        match (numbers.next(), numbers.next(), numbers.next(), numbers.next()) {
            (Some(Ok(major)), Some(Ok(minor)), Some(Ok(patch)), None) => Some(Self { major, minor, patch }),
            _ => None,
        }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)
    }
}

/// What a running server is, from the text of its INFO. `valkey_version` goes before `redis_version`: Valkey reports
/// both, and the second is only what it is compatible with.
pub fn identify(info: &str) -> Option<(ServerKind, Version)> {
    let field =
        |name| info.lines().find_map(|line| line.trim_end().strip_prefix(name)).and_then(Version::parse);
    let valkey = field("valkey_version:").map(|version| (ServerKind::Valkey, version));
    valkey.or_else(|| field("redis_version:").map(|version| (ServerKind::Redis, version)))
}

/// A server binary that has told its version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerBinary {
    /// Where it is. Links are kept as they are: on Debian `redis-server` is a link to `redis-check-rdb`, and the name
    /// it is called by decides what it does.
    pub path: PathBuf,
    /// What it calls itself.
    pub kind: ServerKind,
    /// The version it prints. A running server's INFO is the better witness: see [`identify`].
    pub version: Version,
}

impl ServerBinary {
    /// Finds a server: `explicit` (`--server-bin`), else what `FOREBAY_SERVER` names, else `redis-server` and then
    /// `valkey-server` on the PATH. What was named is never replaced by something else.
    pub fn find(explicit: Option<&Path>) -> Result<Self, ServerError> {
        let variable = env::var_os(VARIABLE).filter(|value| !value.is_empty());
        let path = env::var_os("PATH").unwrap_or_default();
        Self::at(find_in(explicit, variable.as_deref(), &path)?)
    }

    /// The server at `path`, asked for its version.
    fn at(path: PathBuf) -> Result<Self, ServerError> {
        let (succeeded, printed) = match ask_version(&path) {
            Ok(answer) => answer,
            Err(source) if source.kind() == io::ErrorKind::TimedOut => {
                return Err(ServerError::NotAServer {
                    path,
                    said: format!("kept silent for {VERSION_LIMIT:?}"),
                });
            }
            Err(source) => return Err(ServerError::NotExecutable { path, source }),
        };
        if let Some((kind, version)) = parse_version(&printed) {
            return Ok(Self { path, kind, version });
        }
        let said = match printed.lines().next() {
            Some(line) => format!("printed {:?}", line.chars().take(100).collect::<String>()),
            None if succeeded => "printed nothing".to_owned(),
            None => "failed and printed nothing".to_owned(),
        };
        Err(ServerError::NotAServer { path, said })
    }
}

/// The path to use, without looking at what is there.
fn find_in(explicit: Option<&Path>, variable: Option<&OsStr>, path: &OsStr) -> Result<PathBuf, ServerError> {
    let (named, by) = match (explicit, variable) {
        (Some(named), _) => (named, "--server-bin"),
        (None, Some(named)) => (Path::new(named), VARIABLE),
        (None, None) => {
            return NAMES.iter().find_map(|name| on_path(Path::new(name), path)).ok_or_else(|| {
                ServerError::NotFound { looked_for: format!("{} on the PATH", NAMES.join(" and ")) }
            });
        }
    };
    let is_bare_name = named.components().count() == 1 && !named.is_absolute();
    let found = if is_bare_name && !named.exists() { on_path(named, path) } else { Some(named.to_owned()) };
    // Absolute, because a server changes into its own folder.
    found.filter(|file| file.exists()).and_then(|file| std::path::absolute(file).ok()).ok_or_else(|| {
        let place = if is_bare_name { " here and on the PATH" } else { "" };
        ServerError::NotFound { looked_for: format!("{} (named by {by}){place}", named.display()) }
    })
}

/// The first executable file of this name on the PATH.
fn on_path(name: &Path, path: &OsStr) -> Option<PathBuf> {
    let candidates = env::split_paths(path).map(|folder| folder.join(name));
    candidates.into_iter().find(|file| file.is_file() && access(file, Access::EXEC_OK).is_ok())
}

/// Runs `<path> --version`; whether it succeeded, and the start of what it printed.
fn ask_version(path: &Path) -> io::Result<(bool, String)> {
    let mut command = Command::new(path);
    command.arg("--version").stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn()?;
    let stdout = child.stdout.take();
    // Read on a thread of its own, so that a program that neither prints nor ends cannot hold us up.
    let (send, receive) = mpsc::sync_channel(1);
    std::thread::spawn(move || {
        let mut printed = Vec::new();
        let read = stdout.map(|pipe| pipe.take(VERSION_BYTES_MAX).read_to_end(&mut printed));
        let _ = send.send(read.unwrap_or(Ok(0)).map(|_| String::from_utf8_lossy(&printed).into_owned()));
    });
    let printed = receive.recv_timeout(VERSION_LIMIT);
    let status = super::wait::poll(Duration::from_secs(1), || child.try_wait().transpose());
    if status.is_none() {
        child.kill()?;
        child.wait()?;
    }
    let succeeded = matches!(status, Some(Ok(status)) if status.success());
    let printed = printed.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??;
    Ok((succeeded, printed))
}

/// Reads `Redis server v=7.0.15 sha=…` and `Valkey server v=8.1.8 sha=…`.
fn parse_version(printed: &str) -> Option<(ServerKind, Version)> {
    printed.lines().find_map(|line| {
        let (kind, rest) = [(ServerKind::Redis, "Redis server v="), (ServerKind::Valkey, "Valkey server v=")]
            .into_iter()
            .find_map(|(kind, prefix)| line.strip_prefix(prefix).map(|rest| (kind, rest)))?;
        Some((kind, Version::parse(rest)?))
    })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn valkey_is_not_taken_for_the_redis_it_is_compatible_with() {
        let info = "# Server\r\nredis_version:7.2.4\r\nserver_name:valkey\r\nvalkey_version:8.1.8\r\n";
        assert_eq!(identify(info), Some((ServerKind::Valkey, Version::new(8, 1, 8))));
        let info = "# Server\r\nredis_version:7.0.15\r\n";
        assert_eq!(identify(info), Some((ServerKind::Redis, Version::new(7, 0, 15))));
        assert_eq!(identify("# Server\r\nprocess_id:1\r\n"), None);
    }

    #[test]
    fn versions_are_read_and_ordered_by_their_numbers() {
        let read = |text| parse_version(text).map(|(kind, version)| format!("{kind} {version}"));
        assert_eq!(
            read("Redis server v=7.0.15 sha=00000000:0 malloc=jemalloc-5.3.0"),
            Some("Redis 7.0.15".into())
        );
        assert_eq!(read("a warning\nValkey server v=9.1.0-rc1 sha=0"), Some("Valkey 9.1.0".into()));
        assert_eq!(read("redis-cli 7.0.15"), None);
        assert_eq!(read("Redis server v=7 sha=0"), None);
        assert!(Version::new(7, 0, 15) > Version::new(7, 0, 9));
        assert!(Version::new(7, 0, 15) < Version::new(7, 2, 0));
    }

    #[test]
    fn what_is_named_goes_first_and_redis_goes_before_valkey() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str, mode| {
            let file = folder.path().join(name);
            std::fs::write(&file, "").unwrap();
            std::fs::set_permissions(&file, std::fs::Permissions::from_mode(mode)).unwrap();
            file
        };
        let path = folder.path().as_os_str();
        let missing = find_in(None, None, path).unwrap_err().to_string();
        assert!(missing.contains("redis-server and valkey-server on the PATH"), "{missing}");

        let valkey = file("valkey-server", 0o755);
        file("redis-server", 0o644);
        assert_eq!(find_in(None, None, path).unwrap(), valkey, "a file that cannot be executed was taken");
        let redis = file("redis-server", 0o755);
        assert_eq!(find_in(None, None, path).unwrap(), redis);
        assert_eq!(find_in(None, Some(OsStr::new("valkey-server")), path).unwrap(), valkey);
        assert_eq!(find_in(Some(&redis), Some(valkey.as_os_str()), path).unwrap(), redis);
        let missing = find_in(Some(Path::new("/nowhere/x")), None, path).unwrap_err().to_string();
        assert!(missing.contains("/nowhere/x (named by --server-bin)"), "{missing}");
    }
}
