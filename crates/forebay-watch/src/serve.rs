//! The watch over HTTP: the page, `/runbooks`, `/metrics`, `/api/stat`, `/api/live`, `/api/history`, `/healthz`. Every answer comes from
//! memory, so that none hangs because the server does.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use axum::Extension;
use axum::Router;
use axum::extract::State;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tokio::net::TcpListener;
use tokio_stream::StreamExt as _;
use tokio_stream::wrappers::WatchStream;

use super::connection_limit::Guest;
use super::hostnames::Names;
use super::{Shared, Watch, connection_limit, json, metrics, runbooks};
use crate::subject::Subject;
use forebay::buffer::lock;

/// Pages that may follow at once. The one that has followed for longest makes room for the next: somebody who follows and
/// never listens would keep the others out. A page that is closed so asks again by itself.
const FOLLOWERS_MAX: usize = 64;

/// A follower hears that much at least, so that both ends notice when the other is gone.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// Nothing but what this program itself serves; a page of somebody else's may not frame it.
const POLICY: &str = "default-src 'self'; img-src 'self' data:; style-src 'self' 'unsafe-inline'; \
                      frame-ancestors 'none'; base-uri 'none'; form-action 'none'";

/// Files of the page: path, media type, content.
const FILES: [(&str, &str, &str); 10] = [
    ("/", "text/html; charset=utf-8", include_str!("page/index.html")),
    ("/page/app.js", "text/javascript; charset=utf-8", include_str!("page/app.js")),
    ("/page/format.js", "text/javascript; charset=utf-8", include_str!("page/format.js")),
    ("/page/nodes.js", "text/javascript; charset=utf-8", include_str!("page/nodes.js")),
    ("/page/source.js", "text/javascript; charset=utf-8", include_str!("page/source.js")),
    ("/page/show.js", "text/javascript; charset=utf-8", include_str!("page/show.js")),
    ("/page/charts.js", "text/javascript; charset=utf-8", include_str!("page/charts.js")),
    ("/page/style.css", "text/css; charset=utf-8", include_str!("page/style.css")),
    ("/page/uplot.js", "text/javascript; charset=utf-8", include_str!("page/vendor/uPlot.iife.min.js")),
    ("/page/uplot.css", "text/css; charset=utf-8", include_str!("page/vendor/uPlot.min.css")),
];

#[derive(Clone)]
struct App {
    shared: Arc<Shared>,
    followers: Arc<Mutex<Vec<Arc<Guest>>>>,
}

/// A place to be asked at.
pub struct Served {
    runtime: tokio::runtime::Runtime,
    listener: TcpListener,
    names: Names,
}

impl Served {
    /// Takes the address.
    pub fn bind(at: SocketAddr) -> std::io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let listener = runtime.block_on(TcpListener::bind(at))?;
        Ok(Self { runtime, listener, names: Names::default() })
    }

    /// The same, asked by these names too, beside its address and `localhost`.
    #[must_use]
    pub fn named(self, names: Names) -> Self {
        Self { names, ..self }
    }

    /// Where it is asked: with the port that was free, where any was asked for.
    pub fn address(&self) -> std::io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Answers until `is_over`, which is asked often.
    pub fn run(self, shared: Arc<Shared>, is_over: impl Fn() -> bool) {
        let app = App { shared, followers: Arc::default() };
        self.answer(&router(app), is_over);
    }

    /// The same with answers of somebody else's.
    pub fn answer(self, router: &Router, is_over: impl Fn() -> bool) {
        const ASK: Duration = Duration::from_millis(100);
        let Self { runtime, listener, names } = self;
        runtime.block_on(async {
            let over = async {
                while !is_over() {
                    tokio::time::sleep(ASK).await;
                }
            };
            // Whoever follows would be waited for: the runtime's end is theirs too.
            tokio::select! {
                never = connection_limit::serve(&listener, router, &names) => match never {},
                () = over => {}
            }
        });
    }
}

/// A watch, and the thread that answers for it, until it is dropped.
pub struct Answering {
    watch: Watch,
    at: SocketAddr,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Answering {
    /// Begins to watch, and to answer at a place.
    pub fn start(served: Served, subject: Subject) -> std::io::Result<Self> {
        let at = served.address()?;
        let watch = Watch::start(subject)?;
        let stop = Arc::new(AtomicBool::new(false));
        let (shared, flag) = (watch.shared(), Arc::clone(&stop));
        let run = move || served.run(shared, || flag.load(Relaxed));
        let thread = std::thread::Builder::new().name("watch-answer".into()).spawn(run)?;
        Ok(Self { watch, at, stop, thread: Some(thread) })
    }

    /// Where it is asked.
    pub fn address(&self) -> SocketAddr {
        self.at
    }

    /// What it answers from.
    pub fn shared(&self) -> Arc<Shared> {
        self.watch.shared()
    }
}

impl Drop for Answering {
    fn drop(&mut self) {
        self.stop.store(true, Relaxed);
        // A thread that panicked has said so.
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

fn router(app: App) -> Router {
    let mut router = Router::new();
    for (path, media, content) in FILES {
        router = router.route(path, get(move || async move { file(media, content) }));
    }
    router
        .route("/runbooks", get(async || file("text/html; charset=utf-8", runbooks::page())))
        .route("/metrics", get(metrics_text))
        .route("/api/stat", get(stat))
        .route("/api/history", get(history))
        .route("/api/live", get(live))
        .route("/healthz", get(health))
        .with_state(app)
}

fn file(media: &'static str, content: &'static str) -> Response {
    let headers = [
        (header::CONTENT_TYPE, media),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        // A page of another version would read what this one does not say.
        (header::CACHE_CONTROL, "no-cache"),
        (header::REFERRER_POLICY, "no-referrer"),
    ];
    (headers, content).into_response()
}

fn of_type(media: &'static str, text: String) -> Response {
    let headers: [(HeaderName, HeaderValue); 2] = [
        (header::CONTENT_TYPE, HeaderValue::from_static(media)),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
    ];
    (headers, text).into_response()
}

async fn metrics_text(State(app): State<App>) -> Response {
    let shared = &app.shared;
    let probed = shared.probe().counted();
    match shared.with_view(|view| metrics::text(view, shared.subject(), &probed)) {
        Ok(text) => of_type(metrics::CONTENT_TYPE, text),
        Err(_) => (StatusCode::INTERNAL_SERVER_ERROR, "the metrics cannot be written\n").into_response(),
    }
}

async fn health(State(app): State<App>) -> Response {
    if app.shared.with_view(super::view::View::is_old) {
        let text = "nobody looks any more: start forebay watch again\n";
        return (StatusCode::SERVICE_UNAVAILABLE, text).into_response();
    }
    "ok\n".into_response()
}

async fn stat(State(app): State<App>) -> Response {
    let json = app.shared.with_view(|view| json::stat(view, app.shared.subject()));
    of_type("application/json", json.to_string())
}

async fn history(State(app): State<App>) -> Response {
    of_type("application/json", app.shared.with_view(json::history).to_string())
}

async fn live(State(app): State<App>, Extension(guest): Extension<Arc<Guest>>) -> Response {
    let place = Place::take(Arc::clone(&app.followers), guest);
    let looks = WatchStream::new(app.shared.follow()).filter(|json| !json.is_empty()).map(move |json| {
        // Held for as long as somebody follows.
        let _ = &place;
        Ok::<_, Infallible>(Event::default().event("stat").data(&*json))
    });
    Sse::new(looks).keep_alive(KeepAlive::new().interval(KEEP_ALIVE)).into_response()
}

/// One place among those who follow, until it is dropped.
struct Place {
    followers: Arc<Mutex<Vec<Arc<Guest>>>>,
    guest: Arc<Guest>,
}

impl Place {
    fn take(followers: Arc<Mutex<Vec<Arc<Guest>>>>, guest: Arc<Guest>) -> Self {
        let mut all = lock(&followers);
        if all.len() >= FOLLOWERS_MAX {
            all.remove(0).close();
        }
        all.push(Arc::clone(&guest));
        drop(all);
        Self { followers, guest }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        lock(&self.followers).retain(|other| !Arc::ptr_eq(other, &self.guest));
    }
}
