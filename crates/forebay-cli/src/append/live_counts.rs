//! What `append` shows while it runs: a bar on a terminal, and elsewhere a line where the server takes nothing for long.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use crate::arguments::Global;
use crate::{output, progress, remedy};
use forebay::buffer::writer::{Counts, Monitor};

/// Shows counts until the returned flag is set: as a bar on a terminal, and elsewhere a line where the server takes nothing
/// for long.
pub(super) fn show(monitor: &Monitor, global: &Global) -> Arc<AtomicBool> {
    let done = Arc::new(AtomicBool::new(false));
    if global.quiet {
        return done;
    }
    let bar = global.progress().then(|| progress::events(global, None));
    let (monitor, flag) = (monitor.clone(), Arc::clone(&done));
    std::thread::spawn(move || {
        let mut troubled = Troubled::default();
        while !flag.load(Relaxed) {
            let (counts, trouble) = (monitor.counts(), monitor.trouble());
            if let Some(bar) = &bar {
                bar.set_position(counts.acknowledged);
                bar.set_message(trouble.map_or(String::new(), |why| standing(&counts, &why)));
            } else if let Some(line) = troubled.line(&counts, trouble.as_deref()) {
                output::tell(&format!("forebay: {line}"));
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        if let Some(bar) = bar {
            bar.finish_and_clear();
        }
    });
    done
}

/// What becomes of events while the server takes none, and why it takes none.
fn standing(counts: &Counts, why: &str) -> String {
    let why = remedy::of_trouble(why);
    match counts {
        Counts { shed: 1.., .. } => format!("{} shed: {why}", counts.shed),
        _ if counts.left > 0 => format!("{} on disk: {why}", counts.left),
        _ => format!("held back: {why}"),
    }
}

/// A server that takes nothing: since when, and when that was last told.
#[derive(Default)]
struct Troubled {
    since: Option<Instant>,
    told: Option<Instant>,
}

impl Troubled {
    /// How long a server takes nothing before that is told, and how long until it is told again.
    const FIRST: Duration = Duration::from_secs(3);
    const AGAIN: Duration = Duration::from_secs(60);

    /// What to say now, if anything.
    fn line(&mut self, counts: &Counts, trouble: Option<&str>) -> Option<String> {
        let Some(why) = trouble else {
            self.since = None;
            let acknowledged = counts.acknowledged;
            return self
                .told
                .take()
                .map(|_| format!("the server takes events again: {acknowledged} acknowledged"));
        };
        let since = *self.since.get_or_insert_with(Instant::now);
        let is_due = match self.told {
            None => since.elapsed() >= Self::FIRST,
            Some(told) => told.elapsed() >= Self::AGAIN,
        };
        is_due.then(|| {
            self.told = Some(Instant::now());
            format!(
                "the server takes no events; {}; {} acknowledged",
                standing(counts, why),
                counts.acknowledged
            )
        })
    }
}
