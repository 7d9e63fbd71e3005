//! How much of a core the dearer encoding may take while events come faster than blocks go out.

use std::time::{Duration, Instant};

use super::atproto::Effort;

/// The share of a core: one part in so many. At two microseconds an event, that is 10,000 events a second.
const SHARE: u32 = 50;

/// What may be saved up: less than a tenth of a second's worth of full blocks.
const SAVED_MAX: Duration = Duration::from_millis(5);

/// Time that may be spent.
#[derive(Debug, Default)]
pub(super) struct Budget {
    saved: Duration,
    /// What was spent beyond what was saved.
    owed: Duration,
    looked: Option<Instant>,
}

impl Budget {
    /// What may be spent now: on all steps, or where little is saved on the cheaper ones.
    pub fn allows(&mut self, now: Instant) -> Option<Effort> {
        let since = self
            .looked
            .replace(now)
            .map_or(SAVED_MAX * SHARE, |looked| now.saturating_duration_since(looked));
        let earned = since / SHARE;
        let paid = earned.min(self.owed);
        self.owed = self.owed.saturating_sub(paid);
        self.saved = (self.saved + earned.saturating_sub(paid)).min(SAVED_MAX);
        let effort = if self.saved >= SAVED_MAX / 2 { Effort::Dense } else { Effort::Quick };
        self.owed.is_zero().then_some(effort)
    }

    /// So much was spent.
    pub fn spend(&mut self, time: Duration) {
        let from_saved = time.min(self.saved);
        self.saved = self.saved.saturating_sub(from_saved);
        self.owed += time.saturating_sub(from_saved);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of 1,000 blocks that come at this interval, and would take so long each with all steps, and half of it with the cheaper
    /// ones: how many are allowed all steps, and the cheaper ones.
    fn allowed(every: Duration, takes: Duration) -> (usize, usize) {
        let (mut budget, began) = (Budget::default(), Instant::now());
        let allowed = (0..1_000).filter_map(|number| {
            let effort = budget.allows(began + every * number)?;
            budget.spend(if effort == Effort::Dense { takes } else { takes / 2 });
            Some(effort)
        });
        let allowed: Vec<Effort> = allowed.collect();
        let dense = allowed.iter().filter(|effort| **effort == Effort::Dense).count();
        (dense, allowed.len() - dense)
    }

    #[test]
    fn what_takes_less_than_its_share_is_always_allowed() {
        assert_eq!(allowed(Duration::from_millis(100), Duration::from_millis(1)), (1_000, 0));
        assert_eq!(allowed(Duration::from_millis(50), Duration::from_millis(1)), (1_000, 0));
    }

    #[test]
    fn what_would_take_more_is_held_to_its_share() {
        // A block every half a millisecond, a millisecond each: 10 ms of the half second, and what was saved before. The
        // dearest step goes first.
        let (dense, quick) = allowed(Duration::from_micros(500), Duration::from_millis(1));
        assert!(dense <= 8 && (18..=32).contains(&quick), "{dense} {quick}");
    }
}
