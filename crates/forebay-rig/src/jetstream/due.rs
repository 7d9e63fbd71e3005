//! The faults that act on a connection once it has delivered so many events.

use super::fault::Fault;
use super::settings::Settings;

/// The faults that act once so many events are delivered on the connection of this number, the last of them first.
pub(super) fn due(settings: &Settings, number: u64) -> Vec<(u64, Fault)> {
    let mut random = fastrand::Rng::with_seed(settings.seed ^ number.wrapping_mul(0x9E37_79B9_7F4A_7C15));
    let mut due = Vec::new();
    for fault in &settings.faults {
        let after = match *fault {
            Fault::Drop { every } | Fault::Reset { every } => random.u64(1..=(2 * every).max(1)),
            Fault::Stall { after, .. }
            | Fault::Idle { after, .. }
            | Fault::Bomb { after, .. }
            | Fault::WrongDictionary { after }
            | Fault::LargeFrame { after, .. } => after,
            Fault::HalfOpen { after, connections } if number < connections => after,
            _ => continue,
        };
        due.push((after, fault.clone()));
    }
    due.sort_by_key(|(after, _)| std::cmp::Reverse(*after));
    due
}
