//! A webhook: what Alertmanager sends, and when it came.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Instant;

use axum::extract::{Json, State};
use axum::routing::post;
use serde::Deserialize;

use forebay::buffer::lock;
use forebay_watch::serve::Served;

/// An alert that came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Notice {
    /// When.
    pub at: Instant,
    /// The rule.
    pub alert: String,
    /// The watch that it is about; empty where it is about none.
    pub instance: String,
    /// Whether it begins to fire, or is resolved.
    pub is_firing: bool,
}

#[derive(Deserialize)]
struct Message {
    alerts: Vec<Alert>,
}

#[derive(Deserialize)]
struct Alert {
    status: String,
    labels: std::collections::HashMap<String, String>,
}

type Notices = Arc<Mutex<Vec<Notice>>>;

/// Something that listens.
pub(super) struct Receiver {
    notices: Notices,
    at: SocketAddr,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Receiver {
    /// Begins to listen on loopback.
    pub fn start() -> anyhow::Result<Self> {
        let served = Served::bind((Ipv4Addr::LOCALHOST, 0).into())?;
        let (at, notices) = (served.address()?, Notices::default());
        let router = axum::Router::new().route("/", post(take)).with_state(Arc::clone(&notices));
        let stop = Arc::new(AtomicBool::new(false));
        let flag = Arc::clone(&stop);
        let run = move || served.answer(&router, || flag.load(Relaxed));
        let thread = std::thread::Builder::new().name("webhook".into()).spawn(run)?;
        Ok(Self { notices, at, stop, thread: Some(thread) })
    }

    /// Where alerts are to be sent.
    pub fn url(&self) -> String {
        format!("http://{}/", self.at)
    }

    /// What came about a watch, in order.
    pub fn of(&self, instance: &str) -> Vec<Notice> {
        lock(&self.notices).iter().filter(|notice| notice.instance == instance).cloned().collect()
    }

    /// What came about no watch at all.
    pub fn of_none(&self) -> Vec<Notice> {
        self.of("")
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.stop.store(true, Relaxed);
        // How it ended matters to nobody any more.
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

async fn take(State(notices): State<Notices>, Json(message): Json<Message>) {
    let at = Instant::now();
    let mut notices = lock(&notices);
    for Alert { status, mut labels } in message.alerts {
        let mut label = |name: &str| labels.remove(name).unwrap_or_default();
        let (alert, instance) = (label("alertname"), label("instance"));
        notices.push(Notice { at, alert, instance, is_firing: status == "firing" });
    }
}
