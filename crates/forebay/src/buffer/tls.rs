//! TLS beneath a connection, where the crate is built with the feature `tls`. The provider of cryptography is named here: none is
//! set for the whole process, which belongs to the program that embeds this.

use std::io::{Read, Write};

use redis::RedisResult;

use super::socket::Socket;

/// A stream of bytes over TLS.
pub(super) trait Secure: Read + Write + Send {
    /// What it goes over.
    fn socket(&mut self) -> &mut Socket;
}

#[cfg(feature = "tls")]
pub(super) use with_tls::Secured;
#[cfg(not(feature = "tls"))]
pub(super) use without_tls::Secured;

/// Why a `rediss://` address is not accepted; none where it is.
pub(super) fn unsupported(url: &str) -> Option<String> {
    let is_tls = url.get(..9).is_some_and(|scheme| scheme.eq_ignore_ascii_case("rediss://"));
    (is_tls && cfg!(not(feature = "tls"))).then(|| {
        "this program was built without TLS: the crate forebay needs its feature `tls`, which is on by default".into()
    })
}

#[cfg(feature = "tls")]
mod with_tls {
    use std::io::Error as IoError;
    use std::sync::Arc;

    use rustls::pki_types::ServerName;
    use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

    use super::{RedisResult, Secure, Socket};

    /// A session that has no socket yet.
    pub struct Secured(ClientConnection);

    impl Secured {
        /// With the authorities that this machine trusts, or those in `SSL_CERT_FILE`.
        pub fn prepare(host: &str) -> RedisResult<Self> {
            let name = ServerName::try_from(host.to_owned()).map_err(IoError::other)?;
            Ok(Self(ClientConnection::new(config()?, name).map_err(IoError::other)?))
        }

        pub fn over(self, socket: Socket) -> Box<dyn Secure> {
            Box::new(StreamOwned::new(self.0, socket))
        }
    }

    impl Secure for StreamOwned<ClientConnection, Socket> {
        fn socket(&mut self) -> &mut Socket {
            self.get_mut()
        }
    }

    fn config() -> RedisResult<Arc<ClientConfig>> {
        let mut found = rustls_native_certs::load_native_certs();
        if let Some(error) = found.errors.pop() {
            return Err(IoError::other(error).into());
        }
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(found.certs);
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(IoError::other)?;
        Ok(Arc::new(config.with_root_certificates(roots).with_no_client_auth()))
    }
}

#[cfg(not(feature = "tls"))]
mod without_tls {
    use super::{RedisResult, Secure, Socket};

    /// A session that cannot be: [`unsupported`](super::unsupported) refuses its address before.
    pub enum Secured {}

    impl Secured {
        pub fn prepare(_host: &str) -> RedisResult<Self> {
            let why = "this program was built without TLS";
            Err((redis::ErrorKind::InvalidClientConfig, why).into())
        }

        pub fn over(self, _socket: Socket) -> Box<dyn Secure> {
            match self {}
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::buffer::connect::Address;

    #[test]
    fn tls_is_accepted_where_it_was_built_in_and_else_refused_by_name() {
        let parsed = Address::parse("rediss://user:secret@h:1");
        assert_eq!(parsed.is_ok(), cfg!(feature = "tls"));
        if let Err(error) = parsed {
            let text = error.to_string();
            assert!(text.contains("feature `tls`") && !text.contains("secret"), "{text}");
        }
    }

    #[cfg(feature = "tls")]
    #[test]
    fn no_provider_is_set_for_the_whole_process() {
        let prepared = super::Secured::prepare("localhost");
        assert!(prepared.is_ok() && rustls::crypto::CryptoProvider::get_default().is_none());
    }
}
