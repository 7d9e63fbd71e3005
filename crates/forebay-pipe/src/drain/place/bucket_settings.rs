//! How a bucket is reached: what the environment says, then the profile in the files that other programs read too.

use std::path::PathBuf;

use object_store::ClientOptions;
use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey as Key};

/// Bytes of such a file, at the most.
const BYTES_MAX: u64 = 1 << 20;

/// What a profile may say, and what that is here.
const NAMES: [(&str, Key); 5] = [
    ("aws_access_key_id", Key::AccessKeyId),
    ("aws_secret_access_key", Key::SecretAccessKey),
    ("aws_session_token", Key::Token),
    ("region", Key::Region),
    ("endpoint_url", Key::Endpoint),
];

/// How a bucket is reached.
#[derive(Clone, PartialEq, Eq, Default)]
pub enum Access {
    /// As the environment says, and the profile that it names.
    #[default]
    Environment,
    /// With this key at this endpoint.
    Key {
        /// A URL.
        endpoint: String,
        /// Of the key.
        id: String,
        /// What is never shown.
        secret: String,
    },
}

impl std::fmt::Debug for Access {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(if *self == Self::Environment { "Environment" } else { "Key" })
    }
}

/// A builder for this access; the error has no secret in it.
pub(super) fn builder(access: &Access, options: ClientOptions) -> Result<AmazonS3Builder, String> {
    let builder = match access {
        Access::Environment => of_environment()?,
        Access::Key { endpoint, id, secret } => AmazonS3Builder::new()
            .with_endpoint(endpoint)
            .with_access_key_id(id)
            .with_secret_access_key(secret),
    };
    for (key, name) in CHECKED {
        // The library ends the program at a value that no header can have.
        if builder
            .get_config_value(&key)
            .is_some_and(|value| !value.bytes().all(|byte| byte.is_ascii_graphic()))
        {
            return Err(format!(
                "{name}, or what the profile says for it, has a character that such a value never has"
            ));
        }
    }
    let endpoint = builder.get_config_value(&Key::Endpoint);
    if endpoint.as_deref().is_some_and(|endpoint| !is_endpoint(endpoint)) {
        return Err("AWS_ENDPOINT_URL, or the profile's endpoint_url, is no URL of http or https with a host, or has a name and a \
                    password in it"
            .into());
    }
    let is_plain = endpoint.is_some_and(|endpoint| endpoint.starts_with("http://"));
    Ok(builder.with_client_options(options.with_allow_http(is_plain)))
}

/// Values that go into headers.
const CHECKED: [(Key, &str); 4] = [
    (Key::AccessKeyId, "AWS_ACCESS_KEY_ID"),
    (Key::SecretAccessKey, "AWS_SECRET_ACCESS_KEY"),
    (Key::Token, "AWS_SESSION_TOKEN"),
    (Key::Region, "AWS_REGION"),
];

fn is_endpoint(text: &str) -> bool {
    let Some(rest) = text.strip_prefix("https://").or(text.strip_prefix("http://")) else { return false };
    let host = rest.split('/').next().unwrap_or_default();
    // Of an address of the sixth version the port stands behind its bracket.
    let (name, port) = match host.rsplit_once(':').filter(|(_, port)| !port.contains(']')) {
        Some((name, port)) => (name, Some(port)),
        None => (host, None),
    };
    !name.is_empty()
        && rest.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'@')
        && port.is_none_or(|port| port.parse::<u16>().is_ok())
}

fn of_environment() -> Result<AmazonS3Builder, String> {
    // What is set to nothing, as files of containers do, is not set.
    let named = std::env::vars().filter(|(name, value)| name.starts_with("AWS_") && !value.is_empty());
    let mut builder = named.fold(AmazonS3Builder::new(), |builder, (name, value)| {
        match name.to_ascii_lowercase().parse() {
            Ok(key) => builder.with_config(key, value),
            Err(_) => builder,
        }
    });
    let of = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let profile = of("AWS_PROFILE").unwrap_or_else(|| "default".into());
    let home = |file: &str| of("HOME").map(|home| PathBuf::from(home).join(".aws").join(file));
    let files = [
        (
            of("AWS_SHARED_CREDENTIALS_FILE").map(PathBuf::from).or_else(|| home("credentials")),
            profile.clone(),
        ),
        (
            of("AWS_CONFIG_FILE").map(PathBuf::from).or_else(|| home("config")),
            if profile == "default" { profile.clone() } else { format!("profile {profile}") },
        ),
    ];
    let mut is_found = profile == "default";
    for (path, section) in files {
        let Some(text) = path.as_ref().and_then(|path| read(path)) else { continue };
        let Some(pairs) = section_of(&text, &section) else { continue };
        is_found = true;
        // A key of the environment goes with the secret of the environment, and with no token of a file.
        let has_key = builder.get_config_value(&Key::AccessKeyId).is_some();
        for (name, value) in pairs {
            let Some((_, key)) = NAMES.iter().find(|(known, _)| *known == name) else { continue };
            let is_taken =
                if name.starts_with("aws_") { has_key } else { builder.get_config_value(key).is_some() };
            if !is_taken {
                builder = builder.with_config(*key, value);
            }
        }
    }
    if !is_found {
        return Err(format!(
            "there is no profile {profile:?} in ~/.aws/credentials or ~/.aws/config, and AWS_PROFILE names it"
        ));
    }
    Ok(builder)
}

fn read(path: &std::path::Path) -> Option<String> {
    let is_small = std::fs::metadata(path).is_ok_and(|meta| meta.len() <= BYTES_MAX);
    is_small.then(|| std::fs::read_to_string(path).ok()).flatten()
}

/// The pairs of a section, where it is there.
fn section_of<'a>(text: &'a str, wanted: &str) -> Option<Vec<(&'a str, &'a str)>> {
    let mut found = None;
    let mut is_in = false;
    for line in text.lines().map(str::trim) {
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            is_in = name.trim() == wanted;
            if is_in {
                found.get_or_insert_with(Vec::new);
            }
        } else if is_in
            && !line.starts_with(['#', ';'])
            && let Some((name, value)) = line.split_once('=')
            && let Some(pairs) = &mut found
        {
            pairs.push((name.trim(), value.trim()));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_is_a_url_without_a_secret() {
        for at in ["127.0.0.1:9000", "localhost", "[::1]:9000/", "localhost/path"] {
            assert!(is_endpoint(&format!("http://{at}")) && is_endpoint(&format!("https://{at}")), "{at}");
        }
        for at in ["", "a b", "127.0.0.1:99999", "u:p@127.0.0.1"] {
            assert!(!is_endpoint(&format!("http://{at}")), "{at}");
        }
        assert!(!is_endpoint("127.0.0.1:9000") && !is_endpoint("ftp://x") && !is_endpoint(""));
    }

    #[test]
    fn a_value_that_no_header_can_have_is_an_error_that_does_not_show_it() {
        let of = |id: &str, endpoint: &str| {
            let (id, endpoint, secret) = (id.into(), endpoint.into(), "s".into());
            builder(&Access::Key { endpoint, id, secret }, ClientOptions::new()).err()
        };
        assert_eq!(of("key", "http://127.0.0.1:1"), None);
        let why = of("hidden\n", "http://127.0.0.1:1").unwrap();
        assert!(why.contains("AWS_ACCESS_KEY_ID") && !why.contains("hidden"), "{why}");
        let why = of("key", &["http", "://u:hidden@127.0.0.1:1"].concat()).unwrap();
        assert!(why.contains("AWS_ENDPOINT_URL") && !why.contains("hidden"), "{why}");
    }

    #[test]
    fn a_section_has_its_own_pairs() {
        let text = "[default]\naws_access_key_id = A\n# x = y\n[profile lake]\nregion=eu\n endpoint_url = http://127.0.0.1:1/?a=b\n\n[other]\nregion=us";
        assert_eq!(section_of(text, "default"), Some(vec![("aws_access_key_id", "A")]));
        let lake = vec![("region", "eu"), ("endpoint_url", "http://127.0.0.1:1/?a=b")];
        assert_eq!(section_of(text, "profile lake"), Some(lake));
        assert_eq!(section_of(text, "lake"), None);
    }
}
