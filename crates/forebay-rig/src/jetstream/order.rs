//! In which order a connection delivers the places of the log, with the faults that change it.

use std::collections::VecDeque;

use crate::http::Acts;

use super::cursor::Start;
use super::fault::Fault;
use super::log::Log;
use super::settings::{Protocol, Settings};

/// What is delivered next.
#[derive(Debug)]
pub(super) struct Order {
    first: u64,
    next: u64,
    /// What was decided already.
    decided: VecDeque<u64>,
    /// The place behind the last there will ever be.
    limit: u64,
    /// What happens where the replay meets the live tail: swallow, reorder, close after; none once it has happened.
    cut_over: Option<[u64; 3]>,
    has_met_live: bool,
    /// Deliveries until the end, once the cut-over has happened.
    closes_in: Option<u64>,
    reorder: Option<(u64, u64)>,
    duplicate: Option<(u64, u64)>,
}

impl Order {
    pub(super) fn new(settings: &Settings, log: &Log, start: Start) -> Self {
        let limit = settings.last.map_or(u64::MAX, |last| log.len(last.saturating_add(1)));
        let mut order = Self {
            first: start.place,
            next: start.place,
            decided: VecDeque::new(),
            limit,
            cut_over: None,
            has_met_live: false,
            closes_in: None,
            reorder: None,
            duplicate: None,
        };
        for fault in &settings.faults {
            match *fault {
                Fault::CutOver { swallow, reorder, close_after }
                    if start.is_replay && settings.protocol == Protocol::V1 =>
                {
                    order.cut_over = Some([swallow, reorder, close_after]);
                }
                Fault::Reorder { every, by } if by > 0 => order.reorder = Some((every.max(by + 1), by)),
                Fault::DuplicateLast { n, at } => order.duplicate = Some((n, log.place(at))),
                _ => {}
            }
        }
        order
    }

    /// The next place of those before `end`; none where it must exist first.
    pub(super) fn next(&mut self, end: u64, acts: &Acts) -> Option<u64> {
        if self.is_over() {
            return None;
        }
        if self.decided.is_empty() {
            self.decide(end, acts);
        }
        let place = self.decided.pop_front()?;
        if let Some(left) = &mut self.closes_in {
            *left = left.saturating_sub(1);
        }
        Some(place)
    }

    /// Is the connection to end now?
    pub(super) fn is_over(&self) -> bool {
        self.closes_in == Some(0)
    }

    /// The place that must exist before there is a next one.
    pub(super) fn waits_for(&self) -> u64 {
        match (self.cut_over, self.reorder) {
            (Some([swallow, reorder, _]), _) if self.has_met_live => self.next + swallow + reorder,
            (_, Some((every, by))) if self.jumps(every, by) => self.next + by,
            _ => self.next,
        }
    }

    fn jumps(&self, every: u64, by: u64) -> bool {
        self.next > 0 && self.next.is_multiple_of(every) && self.next + by < self.limit
    }

    fn decide(&mut self, end: u64, acts: &Acts) {
        if self.next >= end {
            self.has_met_live = true;
        }
        if let Some((n, at)) = self.duplicate
            && self.next >= at
            && self.next < end
        {
            self.duplicate = None;
            // A connection that began behind that place sees nothing of it.
            let from = if self.first < at { self.next.saturating_sub(n).max(self.first) } else { self.next };
            acts.add("duplicate-last", u64::from(from < self.next));
            self.decided.extend(from..self.next);
            if !self.decided.is_empty() {
                return;
            }
        }
        if self.waits_for() >= end {
            return;
        }
        if self.has_met_live
            && let Some([swallow, reorder, close_after]) = self.cut_over.take()
        {
            acts.count("cut-over");
            self.next += swallow;
            self.jump(reorder);
            self.closes_in = Some(close_after);
            return;
        }
        match self.reorder {
            Some((every, by)) if self.jumps(every, by) => {
                acts.count("reorder");
                self.jump(by);
            }
            _ => {
                self.decided.push_back(self.next);
                self.next += 1;
            }
        }
    }

    /// The place so many further on, then those between.
    fn jump(&mut self, by: u64) {
        let ahead = self.next + by;
        self.decided.push_back(ahead);
        self.decided.extend(self.next..ahead);
        self.next = ahead + 1;
    }
}
