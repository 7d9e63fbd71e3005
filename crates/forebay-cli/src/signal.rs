//! Ctrl-C and SIGTERM, for verbs that end in an orderly way.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;

use super::{exit, output};

/// Set by the first Ctrl-C or SIGTERM, with a remark. A second one ends at once.
pub(super) fn stop_on_signal(quiet: bool, remark: &'static str) -> anyhow::Result<Arc<AtomicBool>> {
    let stop = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&stop);
    ctrlc::set_handler(move || {
        if flag.swap(true, Relaxed) {
            forebay_rig::server::end_all();
            std::process::exit(exit::INTERRUPTED.into());
        }
        if !quiet {
            output::tell(&format!("forebay: {remark}"));
        }
    })?;
    forebay::buffer::connection::break_off_on_signals();
    Ok(stop)
}
