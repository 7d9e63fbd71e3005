//! The faults that are armed: which of them acts on a request, and how often each did.

use std::sync::{Mutex, PoisonError};

use fastrand::Rng;

use super::fault::{Fault, Stage};
use super::request::Target;
use super::when::{Chance, When};
use crate::http::Acts;

/// A fault that was armed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FaultId(usize);

/// The faults that are armed.
#[derive(Debug, Default)]
pub(super) struct ArmedFaults {
    /// In the order in which they were armed. Those that are over stay, for their counts.
    list: Mutex<Vec<Armed>>,
    pub(super) acts: Acts,
}

#[derive(Debug)]
struct Armed {
    fault: Fault,
    when: When,
    is_over: bool,
    /// Requests that it fitted.
    fitted: u64,
    times: u64,
    rng: Rng,
}

impl ArmedFaults {
    pub(super) fn arm(&self, fault: Fault, when: When) -> FaultId {
        let seed = match when.chance {
            Chance::Share { seed, .. } => seed,
            _ => 0,
        };
        let rng = Rng::with_seed(seed);
        let mut list = self.lock();
        list.push(Armed { fault, when, is_over: false, fitted: 0, times: 0, rng });
        FaultId(list.len() - 1)
    }

    pub(super) fn disarm(&self, id: FaultId) {
        if let Some(armed) = self.lock().get_mut(id.0) {
            armed.is_over = true;
        }
    }

    pub(super) fn disarm_all(&self) {
        self.lock().iter_mut().for_each(|armed| armed.is_over = true);
    }

    /// How often this one acted.
    pub(super) fn times(&self, id: FaultId) -> u64 {
        self.lock().get(id.0).map_or(0, |armed| armed.times)
    }

    /// The fault that acts now on this request: the first that fits and whose turn it is. It is counted, so it must act.
    pub(super) fn take(&self, target: &Target, stage: Stage) -> Option<Fault> {
        let mut list = self.lock();
        let armed = list.iter_mut().find_map(|armed| armed.is_due(target, stage).then_some(armed))?;
        armed.times += 1;
        self.acts.count(armed.fault.name());
        Some(armed.fault)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Armed>> {
        self.list.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Armed {
    fn is_due(&mut self, target: &Target, stage: Stage) -> bool {
        if self.is_over || self.fault.stage() != stage || !self.when.fits(target.operation, &target.key) {
            return false;
        }
        self.fitted += 1;
        if self.fitted <= self.when.pass {
            return false;
        }
        match self.when.chance {
            Chance::Always => true,
            Chance::Next(times) => self.times < times,
            Chance::Share { share, .. } => self.rng.f64() < share,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::s3::request::Operation;

    fn target(operation: Operation, key: &str) -> Target {
        Target { operation, key: key.into() }
    }

    #[test]
    fn a_fault_acts_on_what_it_fits_from_then_on_and_so_often() {
        let faults = ArmedFaults::default();
        let id = faults.arm(Fault::SlowDown, When::next(2).on(Operation::Put).key("a/").after(1));
        let acted: Vec<bool> = [
            target(Operation::Get, "a/1"),
            target(Operation::Put, "b/1"),
            target(Operation::Put, "a/1"),
            target(Operation::Put, "a/2"),
            target(Operation::Put, "a/3"),
            target(Operation::Put, "a/4"),
        ]
        .iter()
        .map(|target| faults.take(target, Stage::InPlace).is_some())
        .collect();
        assert_eq!(acted, [false, false, false, true, true, false]);
        assert_eq!((faults.times(id), faults.acts.times("slow-down")), (2, 2));
    }

    #[test]
    fn a_share_is_drawn_from_its_seed_and_ends_with_disarming() {
        let drawn = |seed| {
            let faults = ArmedFaults::default();
            let id = faults.arm(Fault::AnswerLost, When::share(0.25, seed));
            let put = target(Operation::Put, "a");
            let acted: Vec<bool> = (0..1_000).map(|_| faults.take(&put, Stage::Answer).is_some()).collect();
            faults.disarm(id);
            assert_eq!(faults.take(&put, Stage::Answer), None);
            acted
        };
        let acted = drawn(7).iter().filter(|acted| **acted).count();
        assert!((150..350).contains(&acted), "{acted}");
        assert_eq!(drawn(7), drawn(7));
        assert_ne!(drawn(7), drawn(8));
    }

    #[test]
    fn faults_of_other_times_do_not_stand_in_each_others_way() {
        let faults = ArmedFaults::default();
        for fault in Fault::all() {
            faults.arm(fault, When::next(1));
        }
        let put = target(Operation::Put, "a");
        for stage in [Stage::Body, Stage::InPlace, Stage::Tear, Stage::Forget, Stage::Delay, Stage::Answer] {
            assert_eq!(faults.take(&put, stage).map(Fault::stage), Some(stage));
        }
    }
}
