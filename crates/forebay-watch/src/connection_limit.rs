//! Connections to the watch, so many at most. One that has asked nothing for longest makes room for the next, and one that
//! is slow to ask is closed: nobody who only holds connections keeps the others from their answers. Those who ask for a name
//! that is not ours are refused.

use std::convert::Infallible;
use std::io::ErrorKind;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};

use axum::Router;
use axum::http::header::CONTENT_TYPE;
use axum::response::Response;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::AbortHandle;

use super::hostnames::Names;
use forebay::buffer::lock;

/// Connections that are held at once: twice as many as may follow, so that there is always one that can make room.
const HELD_MAX: usize = 128;

/// How long the head of a request may take, and how long a connection may stand without one. Between the usual intervals of
/// scrapes, so that none comes just as its connection is closed.
const HEAD_MAX: Duration = Duration::from_secs(12);

/// Until the next try where no connection can be taken: this process may have too many files open.
const PAUSE: Duration = Duration::from_millis(100);

/// A connection, and what answers on it.
struct OpenConnection {
    guest: Arc<Guest>,
    task: AbortHandle,
}

/// What a connection is used for.
pub(super) struct Guest {
    has_asked: AtomicBool,
    /// Whether its answer goes on for as long as it is there.
    follows: AtomicBool,
    /// When it last asked, or came.
    last: Mutex<Instant>,
    /// What answers on it.
    task: OnceLock<AbortHandle>,
}

/// Answers until it is dropped, which ends nothing that is under way.
pub(super) async fn serve(listener: &TcpListener, router: &Router, names: &Names) -> Infallible {
    let mut held: Vec<OpenConnection> = Vec::new();
    loop {
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                // A client that went before it was taken is no trouble of ours.
                if !matches!(error.kind(), ErrorKind::ConnectionAborted | ErrorKind::ConnectionReset) {
                    tokio::time::sleep(PAUSE).await;
                }
                continue;
            }
        };
        held.retain(|one| !one.task.is_finished());
        if held.len() >= HELD_MAX && !make_room(&mut held) {
            continue;
        }
        let guest = Arc::new(Guest::new());
        let answering = answer(stream, router.clone(), names.clone(), Arc::clone(&guest));
        let task = tokio::spawn(answering).abort_handle();
        // Nobody else sets it.
        let _ = guest.task.set(task.clone());
        held.push(OpenConnection { guest, task });
    }
}

/// Closes the connection that has asked nothing for longest, of those that follow none; whether there is one.
fn make_room(held: &mut Vec<OpenConnection>) -> bool {
    let idle = held.iter().enumerate().filter(|(_, one)| !one.guest.follows.load(Relaxed));
    let Some((at, _)) = idle.min_by_key(|(_, one)| one.guest.rank()) else { return false };
    held.swap_remove(at).task.abort();
    true
}

async fn answer(stream: TcpStream, router: Router, names: Names, guest: Arc<Guest>) {
    let router = TowerToHyperService::new(router);
    let service = service_fn(|mut request: hyper::Request<Incoming>| {
        guest.asks();
        let refused = names.refuse(&request);
        request.extensions_mut().insert(Arc::clone(&guest));
        let answered = router.call(request);
        let guest = &guest;
        async move {
            if let Some(refused) = refused {
                return Ok(refused);
            }
            let response = answered.await?;
            guest.is_answered(&response);
            Ok::<_, Infallible>(response)
        }
    });
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(HEAD_MAX);
    // A connection that breaks, or is too slow, is its client's affair.
    let _ = http.serve_connection(TokioIo::new(stream), service).await;
}

impl Guest {
    fn new() -> Self {
        let (has_asked, follows) = (AtomicBool::new(false), AtomicBool::new(false));
        Self { has_asked, follows, last: Mutex::new(Instant::now()), task: OnceLock::new() }
    }

    /// Closes the connection, whatever is under way on it.
    pub(super) fn close(&self) {
        if let Some(task) = self.task.get() {
            task.abort();
        }
    }

    fn asks(&self) {
        self.has_asked.store(true, Relaxed);
        self.follows.store(false, Relaxed);
        *lock(&self.last) = Instant::now();
    }

    fn is_answered(&self, response: &Response) {
        let media = response.headers().get(CONTENT_TYPE);
        let follows = media.is_some_and(|media| media.as_bytes().starts_with(b"text/event-stream"));
        self.follows.store(follows, Relaxed);
    }

    /// The lower, the sooner it makes room: first those that never asked, each by when it did last.
    fn rank(&self) -> (bool, Instant) {
        (self.has_asked.load(Relaxed), *lock(&self.last))
    }
}
