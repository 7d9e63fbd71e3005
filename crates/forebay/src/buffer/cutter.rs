//! Where blocks are cut: on the caller's thread, and on the timer's where the writer keeps time itself. What is cut goes to the
//! compressor in the order in which it was cut, and no further than its queue has room.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crossbeam_channel::{Sender, TrySendError};

use super::batch::{Batcher, Limits};
use super::gate::{Gate, Passed};
use super::mutex::lock;
use crate::block::frame::Draft;
use crate::event::lane::{Lane, Lanes};
use crate::event::parse::Event;

/// How often the timer looks whether there is room again.
const LOOK: Duration = Duration::from_millis(5);

/// A block on its way to the compressor.
pub(super) type Cut = (Lane, Draft, Passed);

/// Nobody takes blocks any more.
#[derive(Debug)]
pub(super) struct Ended;

/// What the writer's owner and its timer share.
pub(super) struct Cutter {
    state: Mutex<State>,
    /// There is something to keep time for, or the end.
    changed: Condvar,
    gate: Arc<Gate>,
    /// When its own clock began.
    since: Instant,
}

struct State {
    batcher: Batcher,
    /// Cut and not yet handed on: what one push cut and one look of the timer, at the most.
    waiting: VecDeque<(Lane, Draft)>,
    /// None once no more events come.
    to: Option<Sender<Cut>>,
}

impl Cutter {
    pub fn new(limits: Limits, lanes: Lanes, gate: Arc<Gate>, to: Sender<Cut>) -> Self {
        let state = State { batcher: Batcher::new(limits, lanes), waiting: VecDeque::new(), to: Some(to) };
        Self { state: Mutex::new(state), changed: Condvar::new(), gate, since: Instant::now() }
    }

    /// What its own clock says.
    pub fn now(&self) -> Duration {
        self.since.elapsed()
    }

    /// Takes an event that came at `now`; where it `waits`, until what it cut is handed on.
    pub fn push(&self, event: &Event<'_>, now: Duration, waits: bool) -> Result<(), Ended> {
        let mut state = lock(&self.state);
        let was_idle = state.batcher.next_due().is_none();
        state.cut(|batcher, cut| batcher.push(event, now, cut));
        if was_idle && state.batcher.next_due().is_some() {
            self.changed.notify_one();
        }
        self.hand_on(&mut state, waits).map(drop)
    }

    /// Cuts the blocks that have waited long enough at `now`.
    pub fn expire(&self, now: Duration) -> Result<(), Ended> {
        let mut state = lock(&self.state);
        state.cut(|batcher, cut| batcher.expire(now, cut));
        self.hand_on(&mut state, true).map(drop)
    }

    /// Cuts what is there, whatever its age.
    pub fn flush(&self) -> Result<(), Ended> {
        self.expire(Duration::MAX)
    }

    /// The same as far as that needs no waiting: [`Self::has_room`] and the timer hand on the rest.
    pub fn try_flush(&self) -> Result<bool, Ended> {
        let mut state = lock(&self.state);
        state.cut(|batcher, cut| batcher.expire(Duration::MAX, cut));
        self.hand_on(&mut state, false)
    }

    /// When [`Self::expire`] should be called next.
    pub fn next_due(&self) -> Option<Duration> {
        lock(&self.state).batcher.next_due()
    }

    /// Whether all that was cut is handed on, as far as that needs no waiting.
    pub fn has_room(&self) -> Result<bool, Ended> {
        self.hand_on(&mut lock(&self.state), false)
    }

    /// No more events come: what was not handed on is given up.
    pub fn end(&self) {
        lock(&self.state).to = None;
        self.changed.notify_all();
    }

    /// The timer's thread: cuts each block when it is due, until the end. It holds nobody up: while there is no room it
    /// looks again from time to time.
    pub fn keep_time(&self) {
        let mut state = lock(&self.state);
        while state.to.is_some() {
            let now = self.now();
            state.cut(|batcher, cut| batcher.expire(now, cut));
            let wait = match (self.hand_on(&mut state, false), state.batcher.next_due()) {
                (Err(Ended), _) => return,
                (Ok(false), _) => Some(LOOK),
                (Ok(true), due) => due.map(|due| due.saturating_sub(now)),
            };
            state = self.wait(state, wait);
        }
    }

    fn wait<'a>(&self, state: MutexGuard<'a, State>, wait: Option<Duration>) -> MutexGuard<'a, State> {
        match wait {
            None => self.changed.wait(state).unwrap_or_else(PoisonError::into_inner),
            Some(wait) => self.changed.wait_timeout(state, wait).unwrap_or_else(PoisonError::into_inner).0,
        }
    }

    /// Hands on what was cut, in order; false where some of it has no room and is not waited for.
    fn hand_on(&self, state: &mut State, waits: bool) -> Result<bool, Ended> {
        let Some(to) = &state.to else { return Err(Ended) };
        while let Some((lane, draft)) = state.waiting.pop_front() {
            if waits {
                let passed = self.gate.pass(draft.len());
                to.send((lane, draft, passed)).map_err(|_| Ended)?;
                continue;
            }
            let Some(passed) = self.gate.try_pass(draft.len()) else {
                state.waiting.push_front((lane, draft));
                return Ok(false);
            };
            match to.try_send((lane, draft, passed)) {
                Ok(()) => {}
                Err(TrySendError::Disconnected(_)) => return Err(Ended),
                Err(TrySendError::Full((lane, draft, _))) => {
                    state.waiting.push_front((lane, draft));
                    return Ok(false);
                }
            }
        }
        Ok(true)
    }
}

impl State {
    fn cut(&mut self, work: impl FnOnce(&mut Batcher, &mut dyn FnMut(Lane, Draft))) {
        work(&mut self.batcher, &mut |lane, draft| self.waiting.push_back((lane, draft)));
    }
}
