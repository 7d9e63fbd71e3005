//! A watch over a server, asked over HTTP as anybody would.

use std::time::Duration;

use forebay::buffer::connect::Address;
use forebay_watch::Subject;
use forebay_watch::profile::{self, Profile};
use forebay_watch::serve::{Answering, Served};
use serde_json::Value;

use super::support::{name, until};

/// How often these watches look.
pub const EVERY: Duration = Duration::from_millis(100);

/// A watch, and the thread that answers.
pub struct Watched(Answering);

impl Watched {
    pub fn start(address: &Address) -> Self {
        Self::at(Served::bind("127.0.0.1:0".parse().unwrap()).unwrap(), address, EVERY)
    }

    /// One at this place that looks so often.
    pub fn at(served: Served, address: &Address, every: Duration) -> Self {
        Self::held_to(Profile::load(profile::DEFAULT).unwrap(), served, address, every)
    }

    /// The same, held against a profile.
    pub fn held_to(profile: Profile, served: Served, address: &Address, every: Duration) -> Self {
        let subject =
            Subject { address: address.clone(), name: name(), profile, is_profile_chosen: true, every };
        Self::over(served, subject)
    }

    /// One of what it is to look at.
    pub fn over(served: Served, subject: Subject) -> Self {
        let watched = Self(Answering::start(served, subject).unwrap());
        watched.until("the first look", |stat| !stat["server"]["up"].is_null() && looked(stat));
        watched
    }

    pub fn get(&self, path: &str) -> String {
        let mut answer = ureq::get(self.url(path)).call().unwrap();
        answer.body_mut().read_to_string().unwrap()
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.0.address())
    }

    pub fn stat(&self) -> Value {
        serde_json::from_str(&self.get("/api/stat")).unwrap()
    }

    /// Waits until what it shows is so.
    pub fn until(&self, what: &str, mut is_so: impl FnMut(&Value) -> bool) {
        until(what, || is_so(&self.stat()));
    }

    /// Waits until it hears writers.
    pub fn until_it_listens(&self) {
        self.until("it hears writers", |stat| !stat["unknown"].to_string().contains("writers are not heard"));
    }

    /// The value of a sample, by its name and labels as they are printed; none where there is none.
    pub fn sample(&self, series: &str) -> Option<f64> {
        let text = self.get("/metrics");
        let line = text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '))?;
        Some(line.parse().unwrap())
    }
}

/// Whether a look has come to anything yet.
fn looked(stat: &Value) -> bool {
    stat["server"]["up"] == true || !stat["server"]["why"].is_null()
}
