//! A host whose every connection does what a test says: what no simulated network does.

use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;
use std::thread;

use tungstenite::handshake::server::{Request, Response};
use tungstenite::{Message, WebSocket};

/// A host on a port of this machine, as long as the test runs.
pub struct Scripted {
    port: u16,
    connections: Arc<AtomicU64>,
}

/// A subscription: which it is, from 0, the cursor that it asks for, and what it is answered with.
pub struct Asked {
    pub number: u64,
    pub cursor: Option<u64>,
    pub socket: WebSocket<TcpStream>,
}

impl Asked {
    pub fn send(&mut self, line: &str) {
        let _ = self.socket.send(Message::text(line));
    }

    /// Answers pings until the other side goes.
    pub fn stay(&mut self) {
        while self.socket.read().is_ok() {}
    }
}

impl Scripted {
    /// Every connection is agreed to, and then on its own.
    pub fn start(serve: impl Fn(Asked) + Send + Sync + 'static) -> Self {
        Self::raw(move |number, stream| {
            let mut cursor = None;
            #[allow(clippy::result_large_err, reason = "as the library takes it")]
            let hear = |request: &Request, response: Response| {
                let query = request.uri().query().unwrap_or_default().to_owned();
                cursor = query.split('&').find_map(|part| part.strip_prefix("cursor=")?.parse().ok());
                Ok(response)
            };
            if let Ok(socket) = tungstenite::accept_hdr(stream, hear) {
                serve(Asked { number, cursor, socket });
            }
        })
    }

    /// The same for what comes before a subscription.
    pub fn raw(serve: impl Fn(u64, TcpStream) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let (connections, serve) = (Arc::new(AtomicU64::new(0)), Arc::new(serve));
        let count = Arc::clone(&connections);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (serve, number) = (Arc::clone(&serve), count.fetch_add(1, Relaxed));
                thread::spawn(move || serve(number, stream));
            }
        });
        Self { port, connections }
    }

    pub fn url(&self, path: &str) -> Vec<String> {
        vec![format!("ws://127.0.0.1:{}{path}", self.port)]
    }

    /// Connections that were ever made.
    pub fn connections(&self) -> u64 {
        self.connections.load(Relaxed)
    }
}

/// An event of a time, and of a host's number where it gives numbers.
pub fn event(number: u64, time_us: u64, cursor: Option<u64>) -> String {
    let cursor = cursor.map(|cursor| format!(r#""cursor":{cursor},"#)).unwrap_or_default();
    format!(
        r#"{{"did":"did:plc:a","time_us":{time_us},{cursor}"kind":"commit","commit":{{"rev":"{number}","operation":"create","collection":"app.bsky.feed.post","rkey":"{number}","record":{{}}}}}}"#
    )
}
