//! Names that the watch answers for. A page of somebody else's can make a name of its own resolve to this machine, and a
//! browser then lets it read what is answered there (DNS rebinding): so a request for a name that is not ours is refused.

use std::net::IpAddr;

use axum::http::header::{CONTENT_TYPE, HOST};
use axum::http::uri::Authority;
use axum::http::{Request, StatusCode};
use axum::response::{IntoResponse, Response};

/// Names beside `localhost` and addresses. An address is nobody's name: no page can make it resolve elsewhere.
#[derive(Debug, Clone, Default)]
pub struct Names(Vec<String>);

impl Names {
    /// Those of this machine that it is asked by.
    pub fn new(names: Vec<String>) -> Self {
        Self(names)
    }

    /// Why a request is not answered; none where it is. One that names no host is not a browser's.
    pub(super) fn refuse<T>(&self, request: &Request<T>) -> Option<Response> {
        let of_headers = request.headers().get_all(HOST).iter().map(|host| host.to_str().unwrap_or(""));
        let mut hosts = of_headers.chain(request.uri().authority().map(Authority::as_str));
        let stranger = hosts.find(|host| !self.is_ours(host))?;
        let text = format!(
            "this watch does not answer for {:?}: ask for its address, or start it with that name allowed\n",
            stranger.chars().take(80).collect::<String>()
        );
        let media = [(CONTENT_TYPE, "text/plain; charset=utf-8")];
        Some((StatusCode::MISDIRECTED_REQUEST, media, text).into_response())
    }

    fn is_ours(&self, host: &str) -> bool {
        let Ok(authority) = host.parse::<Authority>() else { return false };
        let host = authority.host().trim_end_matches('.');
        let address = host.trim_start_matches('[').trim_end_matches(']');
        let is_named = |name: &str| host.eq_ignore_ascii_case(name.trim_end_matches('.'));
        address.parse::<IpAddr>().is_ok() || is_named("localhost") || self.0.iter().any(|name| is_named(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_localhost_and_names_that_were_given_are_ours_and_no_others() {
        let names = Names::new(vec!["watch".into(), "forebay.example.".into()]);
        for ours in [
            "127.0.0.1",
            "127.0.0.1:9464",
            "10.0.0.5:80",
            "[::1]:9464",
            "localhost",
            "LocalHost:9464",
            "localhost.",
            "watch:9464",
            "FOREBAY.example",
        ] {
            assert!(names.is_ours(ours), "{ours}");
        }
        for other in [
            "attacker.example:9464",
            "localhost.attacker.example",
            "127.0.0.1.nip.example",
            "watch2",
            "",
            "a b",
        ] {
            assert!(!names.is_ours(other), "{other}");
        }
    }
}
