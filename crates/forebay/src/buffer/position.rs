//! Up to which line of its source everything that a writer took is settled: acknowledged, on the writer's disk, given up
//! and counted, or refused. Whoever starts again with the line after it loses nothing.
//!
//! Lanes are acknowledged each at its own pace, so events of later lines may be acknowledged too: those come twice then.
//! After a writer that was closed well there are none.

use std::collections::VecDeque;

use super::shared::Monitor;
use crate::event::lane::Lanes;
use crate::event::parse::Event;

/// The number of an event in one run of a writer: the first that is pushed has 1.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Seq(u64);

impl Seq {
    pub(super) fn new(number: u64) -> Self {
        Self(number)
    }

    /// The number; 0 stands before the first event.
    pub fn get(self) -> u64 {
        self.0
    }
}

impl std::fmt::Display for Seq {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

/// What is open of the lines that were pushed. It holds a number for each event that is not settled, and those are
/// as many as the writer's queues hold.
#[derive(Debug)]
pub struct Position {
    /// Lines that were looked at: all up to this one.
    read: u64,
    of: Lanes,
    lanes: Vec<Open>,
    /// The cursors of lines that may be open, where the source has any; and of those, each that is lower than all after it: the
    /// first is the lowest. A source's cursors may go back a little.
    cursors: VecDeque<(u64, u64)>,
    lowest: VecDeque<(u64, u64)>,
    /// The highest cursor of a line that is settled.
    highest: u64,
}

/// A lane's events that may be open.
#[derive(Debug, Default)]
struct Open {
    /// Events pushed before the first of them.
    settled: u64,
    /// The line of each.
    lines: VecDeque<u64>,
}

impl Position {
    /// Nothing was pushed to these lanes yet.
    pub fn of(lanes: Lanes) -> Self {
        Self {
            read: 0,
            of: lanes,
            lanes: lanes.defaults(),
            cursors: VecDeque::new(),
            lowest: VecDeque::new(),
            highest: 0,
        }
    }

    /// After every line up to this one, all of which are settled.
    pub(super) fn after(line: u64, monitor: &Monitor) -> Self {
        let mut position = Self { read: line, ..Self::of(monitor.lanes()) };
        for lane in position.of {
            // Not what is known to be settled: of what was dropped, that is known once a later block is acknowledged.
            position.lanes[lane.index()].settled = monitor.lane(lane).pushed;
        }
        position
    }

    /// Every line up to this one was pushed, or refused.
    pub(super) fn read(&mut self, line: u64) {
        self.read = self.read.max(line);
    }

    /// The event of a line is pushed.
    pub(super) fn push(&mut self, event: &Event<'_>, line: u64) {
        self.lanes[event.lane.index()].lines.push_back(line);
        if event.cursor > 0 {
            self.cursors.push_back((line, event.cursor));
            while self.lowest.back().is_some_and(|(_, cursor)| *cursor >= event.cursor) {
                self.lowest.pop_back();
            }
            self.lowest.push_back((line, event.cursor));
        }
    }

    /// The last line up to which everything is settled by now. The writer's low watermark goes with it.
    pub fn settled(&mut self, monitor: &Monitor) -> u64 {
        let is_all = monitor.counts().open() == 0;
        let mut settled = self.read;
        for lane in self.of {
            let open = &mut self.lanes[lane.index()];
            let upto = if is_all { u64::MAX } else { monitor.settled(lane) };
            while open.settled < upto && open.lines.pop_front().is_some() {
                open.settled += 1;
            }
            settled = open.lines.front().map_or(settled, |line| settled.min(line - 1));
        }
        monitor.raise_low_watermark(self.low_watermark(settled));
        settled
    }

    /// The highest cursor of the lines up to one, and no higher than that of any line after it; 0 where there is none.
    fn low_watermark(&mut self, settled: u64) -> u64 {
        let upto = self.cursors.partition_point(|(line, _)| *line <= settled);
        let highest = self.cursors.drain(..upto).map(|(_, cursor)| cursor).max();
        self.highest = self.highest.max(highest.unwrap_or(0));
        let before = self.lowest.partition_point(|(line, _)| *line <= settled);
        self.lowest.drain(..before);
        let open = self.lowest.front().map_or(u64::MAX, |(_, cursor)| *cursor);
        self.highest.min(open)
    }
}
