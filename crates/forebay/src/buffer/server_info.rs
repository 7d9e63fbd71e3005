//! How a server is reached and logged in to, where its place is another one from time to time.

use redis::io::tcp::TcpSettings;
use redis::{ConnectionAddr, ConnectionInfo, IntoConnectionInfo, ProtocolVersion};

/// Of a URL of one server.
pub(super) fn server_info(url: &str) -> Result<ConnectionInfo, String> {
    // Without the client library's words, which have the URL's in them.
    let info = url
        .into_connection_info()
        .map_err(|_| "a host, a port, a login or a database in it is none".to_owned())?;
    // Streams answer otherwise in RESP3, and there is nothing to gain from it, whatever the URL asks for.
    let settings = info.redis_settings().clone().set_protocol(ProtocolVersion::RESP2);
    Ok(info.set_tcp_settings(TcpSettings::default().set_nodelay(true)).set_redis_settings(settings))
}

/// The same server at another place.
pub(super) fn reached(server: &ConnectionInfo, host: String, port: u16) -> ConnectionInfo {
    let place = match server.addr() {
        ConnectionAddr::TcpTls { insecure, tls_params, .. } => {
            ConnectionAddr::TcpTls { host, port, insecure: *insecure, tls_params: tls_params.clone() }
        }
        _ => ConnectionAddr::Tcp(host, port),
    };
    server.clone().set_addr(place)
}
