//! Where a server of our own answers, so that no other user of this machine can use it: a socket in its folder, which is
//! closed to others, or loopback with a password that only we have.

use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::Conf;

/// What of a path may stand in the address of a socket: 108 bytes on Linux, 104 elsewhere, with a zero at the end.
const SOCKET_PATH_MAX: usize = 103;
/// Bytes of chance in a password.
const PASSWORD_BYTES: usize = 24;

/// Where a server answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum PrivateAddress {
    /// A port of 127.0.0.1, and its password; none where the settings say so.
    Loopback(u16, Password),
    /// A socket in a folder of ours.
    Socket(PathBuf),
}

/// A password, which is never printed.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Password(Option<String>);

impl std::fmt::Debug for Password {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(if self.0.is_some() { "***" } else { "none" })
    }
}

impl PrivateAddress {
    /// A port with the password of the settings, where they have one (an empty one is none), else one of our own.
    pub(super) fn loopback(port: u16, conf: &Conf) -> io::Result<Self> {
        let password = match conf.get("requirepass") {
            Some("") => None,
            Some(theirs) => Some(theirs.to_owned()),
            None => Some(password()?),
        };
        Ok(Self::Loopback(port, Password(password)))
    }

    /// A socket in this folder; none where its path is too long for one.
    pub(super) fn socket(folder: &Path) -> Option<Self> {
        let path = folder.join("socket");
        (path.as_os_str().len() <= SOCKET_PATH_MAX).then_some(Self::Socket(path))
    }

    /// Settings with which a server listens here and nowhere else.
    pub(super) fn set(&self, conf: &mut Conf) {
        match self {
            Self::Loopback(port, password) => {
                conf.set("bind", "127.0.0.1").set("port", port.to_string());
                if let Password(Some(password)) = password {
                    conf.set("requirepass", password);
                }
            }
            Self::Socket(path) => {
                conf.set("port", "0").set("unixsocket", path.to_string_lossy()).set("unixsocketperm", "700");
            }
        }
    }

    /// What to connect to. On loopback through this port instead of the server's own, where one is given.
    pub(super) fn url(&self, through: Option<u16>, database: u64) -> String {
        match self {
            Self::Loopback(port, Password(password)) => {
                let login =
                    password.as_ref().map(|password| format!(":{}@", escaped(password.as_bytes(), "")));
                let database = if database == 0 { String::new() } else { format!("/{database}") };
                format!(
                    "redis://{}127.0.0.1:{}{database}",
                    login.unwrap_or_default(),
                    through.unwrap_or(*port)
                )
            }
            Self::Socket(path) => {
                let database = if database == 0 { String::new() } else { format!("?db={database}") };
                format!("unix://{}{database}", escaped(path.as_os_str().as_bytes(), "/"))
            }
        }
    }

    /// The same for another user than the default one.
    pub(super) fn url_as(&self, user: &str, password: &str) -> String {
        let [user, password] = [user, password].map(|text| escaped(text.as_bytes(), ""));
        match self {
            Self::Loopback(port, _) => format!("redis://{user}:{password}@127.0.0.1:{port}"),
            Self::Socket(_) => format!("{}?user={user}&pass={password}", self.url(None, 0)),
        }
    }

    /// The reply to INFO: its text, or the server's error with the `-` before it. Each wait ends within `limit`.
    pub(super) fn info(&self, limit: Duration) -> io::Result<String> {
        match self {
            Self::Loopback(port, Password(password)) => {
                let address = SocketAddr::from((Ipv4Addr::LOCALHOST, *port));
                let stream = TcpStream::connect_timeout(&address, limit)?;
                stream.set_read_timeout(Some(limit))?;
                stream.set_write_timeout(Some(limit))?;
                ask(stream, password.as_deref())
            }
            Self::Socket(path) => {
                let stream = UnixStream::connect(path)?;
                stream.set_read_timeout(Some(limit))?;
                stream.set_write_timeout(Some(limit))?;
                ask(stream, None)
            }
        }
    }
}

impl std::fmt::Display for PrivateAddress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Loopback(port, _) => write!(f, "port {port}"),
            Self::Socket(path) => write!(f, "{}", path.display()),
        }
    }
}

/// More than any INFO.
const INFO_BYTES_MAX: usize = 1 << 20;

/// Logs in where there is a password, and asks.
fn ask(mut stream: impl Read + Write, password: Option<&str>) -> io::Result<String> {
    let mut replies = Vec::new();
    if let Some(password) = password {
        write!(stream, "*2\r\n$4\r\nAUTH\r\n${}\r\n{password}\r\n", password.len())?;
        let login = reply(&mut stream, &mut replies)?;
        if login.starts_with('-') {
            return Ok(login);
        }
    }
    stream.write_all(b"*1\r\n$4\r\nINFO\r\n")?;
    reply(&mut stream, &mut replies)
}

/// The next reply; what was read of those behind it stays in `read`.
fn reply(stream: &mut impl Read, read: &mut Vec<u8>) -> io::Result<String> {
    let mut piece = [0; 8192];
    loop {
        if let Some(length) = whole(read) {
            let rest = read.split_off(length);
            return Ok(String::from_utf8_lossy(&std::mem::replace(read, rest)).into_owned());
        }
        match stream.read(&mut piece)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            _ if read.len() > INFO_BYTES_MAX => return Err(io::ErrorKind::InvalidData.into()),
            n => read.extend_from_slice(&piece[..n]),
        }
    }
}

/// How long the first reply is, if it has come to its end: `$<bytes>\r\n<text>\r\n`, or one line of anything else.
fn whole(read: &[u8]) -> Option<usize> {
    let head = read.windows(2).position(|pair| pair == b"\r\n")?;
    let bytes =
        read.strip_prefix(b"$").and_then(|_| std::str::from_utf8(&read[1..head]).ok()?.parse::<usize>().ok());
    let length = bytes.map_or(head + 2, |bytes| (head + 4).saturating_add(bytes));
    (read.len() >= length).then_some(length)
}

/// Nobody can guess it.
pub(super) fn password() -> io::Result<String> {
    let mut chance = [0; PASSWORD_BYTES];
    File::open("/dev/urandom")?.read_exact(&mut chance)?;
    Ok(chance.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    }))
}

/// As it stands in a URL: letters, digits and what is in `plain` as they are, everything else as `%20`.
fn escaped(bytes: &[u8], plain: &str) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        if byte.is_ascii_alphanumeric() || plain.as_bytes().contains(byte) || b"-._~".contains(byte) {
            text.push(char::from(*byte));
        } else {
            let _ = write!(text, "%{byte:02X}");
        }
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reply_is_read_to_its_end_and_no_further() {
        for (read, length) in [
            (&b"$5\r\nhello"[..], None),
            (b"$5", None),
            (b"$5\r\nhello\r\n", Some(11)),
            (b"-ERR no\r\n", Some(9)),
            (b"+OK\r\n$5\r\nhello\r\n", Some(5)),
            (b"$99999999999999999999\r\nx", Some(23)),
        ] {
            assert_eq!(whole(read), length, "{}", String::from_utf8_lossy(read));
        }
    }

    #[test]
    fn a_door_on_loopback_has_a_password_that_is_not_printed() {
        let door = |conf: &Conf| PrivateAddress::loopback(7, conf).unwrap();
        let (one, other) = (door(&Conf::new()), door(&Conf::new()));
        assert_ne!(one, other);
        let mut conf = Conf::new();
        one.set(&mut conf);
        let password = conf.get("requirepass").unwrap();
        assert!(password.len() >= 32 && one.url(None, 0).contains(password));
        assert!(!format!("{one:?} {one}").contains(password));
        assert_eq!(
            door(&[("requirepass", "a b/%")].into_iter().collect()).url(Some(9), 3),
            "redis://:a%20b%2F%25@127.0.0.1:9/3"
        );
        assert_eq!(door(&[("requirepass", "")].into_iter().collect()).url(None, 0), "redis://127.0.0.1:7");
    }

    #[test]
    fn a_socket_lies_in_the_folder_unless_its_path_is_too_long() {
        let door = PrivateAddress::socket(Path::new("/tmp/a b")).unwrap();
        assert_eq!(door.url(None, 2), "unix:///tmp/a%20b/socket?db=2");
        assert_eq!(PrivateAddress::socket(Path::new(&"/x".repeat(60))), None);
    }
}
