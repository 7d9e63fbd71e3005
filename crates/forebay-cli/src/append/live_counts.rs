//! What `append` shows while it runs: a bar on a terminal, and elsewhere a line where the server takes nothing for long.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use crate::arguments::Global;
use crate::troubled::{Troubled, standing};
use crate::{output, progress};
use forebay::buffer::writer::Monitor;

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
