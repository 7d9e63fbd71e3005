//! What is a secret, and how a text is shown without it. The one place that decides: addresses, settings, lines of a
//! redis.conf, commands of a shell and lines of a log are all shown through here.
//!
//! It errs on hiding. A setting that was hidden for nothing costs a look into the file; a password that was shown
//! is in a log for good.

/// What stands in the place of a secret.
pub const HIDDEN: &str = "***";

/// What is in the name of a secret, in lower case and with `-`, `_` and `.` left out.
const PARTS: [&str; 13] = [
    "pass",
    "pwd",
    "passwd",
    "secret",
    "auth",
    "token",
    "credential",
    "bearer",
    "apikey",
    "accesskey",
    "privatekey",
    "masteruser",
    "primaryuser",
];

/// Names that are one as a whole.
const NAMES: [&str; 5] = ["pw", "key", "pin", "user", "setuser"];

/// Settings whose names sound like one, and whose values are none.
const HARMLESS: [&str; 2] = ["tls-auth-clients", "tls-auth-clients-user"];

/// Fields of a URL's query that may be shown.
const QUERY_SHOWN: [&str; 2] = ["db", "protocol"];

/// Programs that end and start servers and take no password.
const PROGRAMS: [&str; 11] = [
    "docker",
    "podman",
    "nerdctl",
    "kubectl",
    "systemctl",
    "service",
    "supervisorctl",
    "kill",
    "pkill",
    "killall",
    "true",
];

/// Least length of a word of a command that is looked for in what the command said.
const WORD_MIN: usize = 3;

/// Whether the value of a setting, a field or a variable of this name is a secret. `user` is one, since its rules hold
/// passwords.
pub fn is_name(name: &str) -> bool {
    let name = name.trim_start_matches('-').to_ascii_lowercase();
    let plain: String = name.chars().filter(char::is_ascii_alphanumeric).collect();
    !HARMLESS.contains(&name.as_str())
        && (NAMES.contains(&plain.as_str()) || PARTS.iter().any(|part| plain.contains(part)))
}

/// The value of a setting as it may be shown: of a secret only whether it is set.
pub fn value<'a>(name: &str, value: &'a str) -> &'a str {
    if is_name(name) && !value.is_empty() { HIDDEN } else { value }
}

/// A URL without whatever may be a password: what stands before the `@` but for a user with a colon behind it, a port
/// and a database that are no numbers, and a query with more in it than is known to be harmless. The last `@` counts: a
/// password may hold others that somebody forgot to escape.
pub fn url(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else {
        return match url.rsplit_once('@') {
            // No scheme: where a password would stand is anybody's guess.
            Some((_, host)) => format!("{HIDDEN}@{}", place(host, true)),
            None => place(url, true),
        };
    };
    let is_socket = scheme.to_ascii_lowercase().contains("unix");
    let place = |text: &str, is_host: bool| match text.split_once('?') {
        _ if !scheme.to_ascii_lowercase().contains("+sentinel") => place(text, is_host),
        Some((watched, _)) => format!("{}?{HIDDEN}", sentinels(watched)),
        None => sentinels(text),
    };
    match rest.rsplit_once('@') {
        Some((login, host)) => {
            // Alone it may be a password whose colon was forgotten.
            let user = login.split_once(':').map_or(String::new(), |(user, _)| format!("{user}:"));
            format!("{scheme}://{user}{HIDDEN}@{}", place(host, !is_socket))
        }
        None => format!("{scheme}://{}", place(rest, !is_socket)),
    }
}

/// Sentinels, the name of what they watch, and a database.
fn sentinels(text: &str) -> String {
    let (hosts, path) = text.split_once('/').map_or((text, None), |(hosts, path)| (hosts, Some(path)));
    let mut shown = hosts.split(',').map(host).collect::<Vec<_>>().join(",");
    let is_name = |part: &str| part.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c));
    for part in path.into_iter().flat_map(|path| path.split('/')) {
        shown.push('/');
        shown.push_str(if is_name(part) { part } else { HIDDEN });
    }
    shown
}

/// Host, port, path and query. The port and the path of a host must be numbers, those of a socket are its file.
fn place(text: &str, is_host: bool) -> String {
    let (text, fragment) = text.split_once('#').map_or((text, None), |(text, after)| (text, Some(after)));
    let (path, query) = text.split_once('?').map_or((text, None), |(path, query)| (path, Some(query)));
    let mut shown = if is_host { host(path) } else { path.to_owned() };
    if let Some(query) = query {
        let is_shown = |pair: &str| pair.split_once('=').is_some_and(|(name, _)| QUERY_SHOWN.contains(&name));
        let is_harmless = query.split('&').all(is_shown);
        shown = format!("{shown}?{}", if is_harmless { query } else { HIDDEN });
    }
    match fragment {
        Some("insecure") => shown + "#insecure",
        Some(_) => format!("{shown}#{HIDDEN}"),
        None => shown,
    }
}

fn host(text: &str) -> String {
    let (host, database) = text.split_once('/').map_or((text, None), |(host, path)| (host, Some(path)));
    // The colons of an IPv6 address are within brackets.
    let from = host.rfind(']').map_or(0, |at| at + 1);
    let (host, port) = match host[from..].find(':') {
        Some(at) => (&host[..from + at], Some(&host[from + at + 1..])),
        None => (host, None),
    };
    let number = |text: &str| text.is_empty() || text.parse::<u16>().is_ok();
    let mut shown = host.to_owned();
    for (sign, part) in [(':', port), ('/', database)] {
        if let Some(part) = part {
            shown.push(sign);
            shown.push_str(if number(part) { part } else { HIDDEN });
        }
    }
    shown
}

/// Any text that others wrote (a line of a log, of a file, of what a command said), a line at a time, with what looks like a
/// secret hidden: URLs, whatever follows the name of one up to the end of its line, and passwords of users' rules.
pub fn text(text: &str) -> String {
    text.lines().map(line).collect::<Vec<_>>().join("\n")
}

fn line(line: &str) -> String {
    let mut shown = String::with_capacity(line.len());
    let mut rest = line;
    while let Some(at) = rest.find(|c: char| !c.is_whitespace()) {
        let (space, word) = rest.split_at(at);
        let end = word.find(char::is_whitespace).unwrap_or(word.len());
        let (word, after) = word.split_at(end);
        shown.push_str(space);
        rest = after;
        if let Some(named) = up_to_value(word) {
            shown.push_str(named);
            let is_last = rest.trim().is_empty();
            // A name alone, at the end, has nothing behind it to hide.
            if !(is_last && named.len() == word.len()) {
                shown.push_str(if named.len() == word.len() { " ***" } else { HIDDEN });
            }
            return shown;
        }
        shown.push_str(&if word.contains("://") || word.contains('@') { url(word) } else { rule(word) });
    }
    shown
}

/// The part of a word that ends with the name of a secret and the sign that its value follows: `--requirepass=`,
/// `"password":`.
fn up_to_value(word: &str) -> Option<&str> {
    let is_name_part = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    let mut from = 0;
    while let Some(start) = word[from..].find(is_name_part).map(|at| from + at) {
        let end = word[start..].find(|c| !is_name_part(c)).map_or(word.len(), |length| start + length);
        let (name, rest) = (&word[start..end], &word[end..]);
        // Behind a dot the value may stand.
        let first = name.split('.').next().unwrap_or(name);
        if is_name(first) && first.len() < name.len() {
            return Some(&word[..start + first.len()]);
        }
        let signs = rest.find(|c: char| !"\"':=>".contains(c)).unwrap_or(rest.len());
        // A scheme, or a folder of that name, is followed by what is no value.
        if is_name(name) && !rest.starts_with("://") && (signs > 0 || rest.is_empty()) {
            return Some(&word[..end + signs]);
        }
        from = end;
    }
    None
}

/// A rule of a user: what follows the sign of a password is hidden.
fn rule(word: &str) -> String {
    let quoted = word.trim_start_matches(['"', '\'', '(']);
    match quoted.chars().next() {
        Some(sign @ ('>' | '<' | '#' | '!')) if quoted.trim_matches(['>', '<', '#', '!']).len() > 1 => {
            format!("{}{sign}{HIDDEN}", &word[..word.len() - quoted.len()])
        }
        _ => word.to_owned(),
    }
}

/// Rules of a user that are one word, and are shown as they are.
pub const WHOLE_RULES: [&str; 14] = [
    "on",
    "off",
    "nopass",
    "resetpass",
    "reset",
    "allkeys",
    "resetkeys",
    "allchannels",
    "resetchannels",
    "allcommands",
    "nocommands",
    "sanitize-payload",
    "skip-sanitize-payload",
    "alldbs",
];

/// Rules of a user as they may be shown: those that are known to hold no password.
pub fn rules(words: impl IntoIterator<Item = impl AsRef<str>>) -> String {
    let is_command = |word: &str| word.chars().all(|c| c.is_ascii_alphabetic() || "@|-_.".contains(c));
    let shown = words.into_iter().map(|word| {
        let word = word.as_ref();
        let bare = word.trim_matches(['(', ')']);
        if bare.contains(char::is_whitespace) {
            // A selector within quotes, or a password with a space.
            return if word.starts_with('(') { rules(word.split_whitespace()) } else { HIDDEN.to_owned() };
        }
        let is_known = WHOLE_RULES.contains(&bare.to_ascii_lowercase().as_str())
            || bare.starts_with(['~', '&', '%'])
            || bare.strip_prefix(['+', '-']).is_some_and(is_command);
        match (is_known, bare.chars().next()) {
            (true, _) => word.to_owned(),
            (false, Some(sign @ ('>' | '<' | '#' | '!'))) => format!("{sign}{HIDDEN}"),
            (false, _) => HIDDEN.to_owned(),
        }
    });
    shown.collect::<Vec<_>>().join(" ")
}

/// A command for a shell as it may be shown: whole where it is nothing but plain words of a program that takes no
/// password, else its program alone. Whatever else stands in it may be one, by whatever name.
pub fn command(line: &str) -> String {
    if is_plain(line) {
        return line.to_owned();
    }
    let program = line.split_whitespace().next().unwrap_or_default();
    let is_program = program.chars().all(|c| c.is_ascii_alphanumeric() || "._-/".contains(c));
    if is_program { format!("{program} …") } else { "…".to_owned() }
}

/// What such a command said, with every word of it that is not shown hidden.
pub fn said(line: &str, said: &str) -> String {
    let shown = command(line);
    let ends = |c: char| c.is_whitespace() || "\"'`=;|&()<>$,".contains(c);
    let mut words: Vec<&str> = line.split(ends).chain(line.split_whitespace()).collect();
    words.retain(|word| word.len() >= WORD_MIN && !shown.contains(word));
    // The longest first: a shorter one may be a part of it.
    words.sort_by_key(|word| std::cmp::Reverse(word.len()));
    words.into_iter().fold(text(said), |said, word| said.replace(word, HIDDEN))
}

fn is_plain(line: &str) -> bool {
    let is_signal = |word: &str| {
        word.chars().all(|c| c.is_ascii_digit())
            || word.len() > 2 && word.chars().all(|c| c.is_ascii_uppercase())
    };
    let is_plain = |word: &str| {
        let chars = word.chars().all(|c| c.is_ascii_alphanumeric() || "._-/".contains(c));
        chars && word.strip_prefix('-').is_none_or(is_signal) && !is_name(word)
    };
    let program = line.split_whitespace().next().and_then(|program| program.rsplit('/').next());
    let is_known = program.is_some_and(|program| PROGRAMS.contains(&program));
    let names_another = line.split_whitespace().any(|word| word.ends_with("-cli"));
    is_known && !names_another && line.split_whitespace().all(is_plain)
}

#[cfg(test)]
mod tests;
