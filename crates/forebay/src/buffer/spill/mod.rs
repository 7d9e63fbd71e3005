//! `spill`: a stage between compressor and lane that puts blocks on the writer's own disk while the server takes none,
//! and hands them on in order once it does.
//!
//! Constraints: a block counts as accepted when the server has acknowledged it, or its file is fsynced; no block is
//! stored twice, whenever the writer is killed; a lane's blocks are stored in the order of their events; a file stays until
//! what is in it is proven to be on the server's own disk (`prover.rs`), and a server that comes back without it gets it
//! again under the numbers that it had (`resend.rs`).
//!
//! Layout: `record.rs` a block as bytes, `scan.rs` blocks in a file, `log.rs` one lane's files, `save.rs` what
//! goes into them, `folder.rs` what all lanes share.
//!
//! Operation: while the server takes blocks and the log is empty, blocks go straight through. As soon as it does not, all
//! that is not acknowledged is written to the log, and every block that comes after it, until the log was read to its
//! end. Each block of a session has a place, which the append script keeps beside the lane in the same step as the block:
//! whoever finds the file of a killed writer asks for it, and leaves out what is stored.

mod folder;
mod log;
mod log_read;
mod prover;
mod record;
mod resend;
mod save;
mod scan;
mod segment;
pub(super) mod unproven;

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Select, Sender};

use super::compress::PendingBlock;
use super::keys::Name;
use super::overflow::STALL;
use super::shared::Shared;
use crate::event::lane::Lane;
pub(super) use folder::Folder;
use log::Log;
pub(super) use log::Stored;
pub(super) use prover::Prover;
pub(super) use resend::Again;
use segment::Item;
pub(super) use unproven::OnDisk;

/// Blocks that go to disk with one fsync, at the most.
const BATCH: usize = 32;

/// How often acknowledgements and the server's standing are looked at.
const LOOK: Duration = Duration::from_millis(10);

/// How long the last proof is waited for once everything is acknowledged; after that files stay for the next writer.
const PROOF_WAIT: Duration = Duration::from_secs(30);

/// What was handed to the lane and is not acknowledged, and the events that were handed to it before.
struct Passed {
    pending: Where,
    before: u64,
}

/// Where such a block is.
enum Where {
    /// In memory only.
    Memory(PendingBlock),
    /// In this file.
    Disk(u64),
}

/// One lane's stage.
pub(super) struct Spiller {
    lane: Lane,
    shared: Arc<Shared>,
    log: Log,
    session: Arc<str>,
    /// The session's field beside the lane.
    field: Arc<str>,
    input: Receiver<PendingBlock>,
    output: Sender<PendingBlock>,
    /// Tells how far earlier sessions are stored, once the lane is taken.
    stored: Receiver<Stored>,
    /// The place of the last block taken.
    place: u64,
    /// The last block read from the log: session and place.
    last: Option<(Arc<str>, u64)>,
    /// Taken, and not on disk although it should be.
    waiting: Vec<PendingBlock>,
    /// To be handed on next, and the file it is in.
    ready: Option<(PendingBlock, Option<u64>)>,
    passed: VecDeque<Passed>,
    /// Acknowledged, and not proven to be on the server's disk: when that was seen, how many blocks were handed to the lane up
    /// to it, and the file.
    unproven: VecDeque<(Instant, u64, u64)>,
    /// Events handed to the lane.
    handed: u64,
    /// Since when nothing but a proof is waited for.
    done_since: Option<Instant>,
    /// Blocks that the lane had acknowledged at the last look.
    answered: u64,
    is_open: bool,
    stuck_since: Option<Instant>,
}

impl Spiller {
    pub(super) fn new(
        lane: Lane,
        folder: Arc<Folder>,
        shared: Arc<Shared>,
        (input, output): (Receiver<PendingBlock>, Sender<PendingBlock>),
        stored: Receiver<Stored>,
    ) -> Self {
        let session = folder.session().clone();
        Self {
            lane,
            shared,
            log: Log::open(folder, lane),
            field: Name::spilled(&session).into(),
            session,
            input,
            output,
            stored,
            place: 0,
            last: None,
            waiting: Vec::new(),
            ready: None,
            passed: VecDeque::new(),
            unproven: VecDeque::new(),
            handed: 0,
            done_since: None,
            answered: 0,
            is_open: true,
            stuck_since: None,
        }
    }

    /// The thread: until no more blocks come and all are acknowledged, or all are on disk and the server takes nothing.
    pub(super) fn run(mut self) {
        let mut is_finished = false;
        while !is_finished && !self.shared.is_over(self.lane) {
            self.settle();
            self.save();
            self.load();
            is_finished = self.is_done() || self.is_left();
            if !is_finished {
                self.exchange();
            }
        }
        // What was read last may have been the end of a file, of which nothing is owed.
        self.settle();
        // However it ended: what is still there is told.
        let left = self.log.earlier_bytes();
        self.shared.lanes[self.lane.index()].earlier_bytes.store(left, Relaxed);
        if is_finished {
            self.shared.leave(self.lane);
        }
    }

    /// Lets go of what is acknowledged.
    fn settle(&mut self) {
        let answered = self.shared.lanes[self.lane.index()].answered.load(Relaxed);
        for index in std::mem::replace(&mut self.answered, answered) + 1..=answered {
            if let Some(Passed { pending: Where::Disk(file), .. }) = self.passed.pop_front() {
                self.unproven.push_back((Instant::now(), index, file));
            }
        }
        while let Some((seen, index, file)) = self.unproven.front().copied()
            && self.shared.unproven.is_proven(seen)
        {
            self.unproven.pop_front();
            self.shared.unproven.forget(self.lane, index);
            self.log.settle(file);
        }
        self.shared.unproven.wait(self.lane, self.unproven.len());
        self.log.tidy();
        let is_stuck = self.shared.is_stuck(self.lane);
        self.stuck_since = is_stuck.then(|| self.stuck_since.unwrap_or_else(Instant::now));
    }

    /// Whether new blocks go to disk.
    fn spills(&self) -> bool {
        self.stuck_since.is_some() || !self.log.is_read()
    }

    /// Makes ready what is to be handed on next.
    fn load(&mut self) {
        if let Ok(known) = self.stored.try_recv() {
            self.log.known = Some(known);
        }
        while self.ready.is_none() {
            let Some(session) = self.log.next_session() else { break };
            let is_own = session == self.session;
            // Which blocks of another session are stored is not known before the lane is ours.
            if !is_own && self.log.known.is_none() {
                return;
            }
            let next = self.log.next();
            self.count_unreadable(is_own);
            match next {
                Ok(Some(Item::Block(record, session, file))) => {
                    let gone_before = self.log.stored(&session).max(self.last_place(&session));
                    if !is_own && record.place <= gone_before {
                        // Stored by a writer before us, and no more proven than what we store.
                        self.unproven.push_back((Instant::now(), 0, file));
                        continue;
                    }
                    self.last = Some((session.clone(), record.place));
                    let field = if is_own { self.field.clone() } else { Name::spilled(&session).into() };
                    let mark = Some((field, record.place));
                    let first = is_own.then_some(record.first);
                    self.ready = Some((PendingBlock { block: record.block, first, mark }, Some(file)));
                }
                Ok(Some(Item::Damage(what))) => tracing::warn!("{what}; what follows is used"),
                Ok(None) => break,
                Err(why) => {
                    return self
                        .shared
                        .disk(self.lane, Some(format!("the spill folder cannot be read: {why}")));
                }
            }
        }
        if self.ready.is_none() && !self.spills() && !self.waiting.is_empty() {
            // The disk took them not, and the server does again.
            self.ready = Some((self.waiting.remove(0), None));
        }
    }

    fn count_unreadable(&mut self, is_own: bool) {
        let events = std::mem::take(&mut self.log.unreadable);
        let counts = &self.shared.lanes[self.lane.index()];
        counts.unreadable.fetch_add(events, Relaxed);
        if is_own {
            counts.own_unreadable.fetch_add(events, Relaxed);
        }
    }

    /// Where the last block read of a session stands. A file whose fsync failed may hold blocks that were written again.
    fn last_place(&self, session: &Arc<str>) -> u64 {
        self.last.as_ref().filter(|(of, _)| of == session).map_or(0, |(_, place)| *place)
    }

    /// Waits until a block came, or was handed on, or it is time to look again.
    fn exchange(&mut self) {
        // What is ready and in memory alone would be overtaken by nothing: the next one waits for it.
        let takes = self.is_open && self.waiting.is_empty() && (self.ready.is_none() || self.spills());
        let (input, output) = (self.input.clone(), self.output.clone());
        let mut select = Select::new();
        let give = self.ready.is_some().then(|| select.send(&output));
        let take = takes.then(|| select.recv(&input));
        let Ok(operation) = select.select_timeout(LOOK) else { return };
        let at = Some(operation.index());
        if at == take {
            match operation.recv(&input) {
                Ok(pending) => self.take(pending),
                Err(_) => self.is_open = false,
            }
        } else if at == give
            && let Some((pending, file)) = self.ready.take()
        {
            let before = self.handed;
            self.handed += pending.block.events;
            let index = self.answered + 1 + self.passed.len() as u64;
            if let Some(file) = file {
                self.keep(index, before, &pending, file);
            }
            let at = file.map_or_else(|| Where::Memory(pending.clone()), Where::Disk);
            self.passed.push_back(Passed { pending: at, before });
            // Fails only where the lane's thread has ended, and then so do we.
            let _ = operation.send(&output, pending);
        }
    }

    fn take(&mut self, pending: PendingBlock) {
        self.mark(pending);
        if !self.spills() && self.ready.is_none() {
            self.ready = self.waiting.pop().map(|pending| (pending, None));
            return;
        }
        while self.waiting.len() < BATCH
            && let Ok(pending) = self.input.try_recv()
        {
            self.mark(pending);
        }
    }

    /// A block that the lane has, or gets, is on disk: where the lane finds it again.
    fn keep(&self, index: u64, before: u64, pending: &PendingBlock, file: u64) {
        if let (Some((field, place)), Some(path)) = (pending.mark.clone(), self.log.path(file)) {
            self.shared.unproven.keep(self.lane, index, OnDisk { path, place, field, before });
        }
    }

    /// Gives a block its place.
    fn mark(&mut self, mut pending: PendingBlock) {
        self.place += 1;
        pending.mark = Some((self.field.clone(), self.place));
        self.waiting.push(pending);
    }

    /// Whether no more blocks come, every one is acknowledged, and nothing waits for a proof; or that has waited for long.
    fn is_done(&mut self) -> bool {
        let is_done = !self.is_open
            && self.is_saved()
            && self.log.is_read()
            && self.passed.is_empty()
            && self.ready.is_none();
        if !is_done || self.unproven.is_empty() {
            return is_done;
        }
        let waited = self.done_since.get_or_insert_with(Instant::now).elapsed();
        if waited >= PROOF_WAIT {
            tracing::warn!(
                "lane {}: the server has not shown within {PROOF_WAIT:?} that what it acknowledged is on its disk; the spill \
                 files stay for the next writer, which stores nothing twice",
                self.lane
            );
        }
        waited >= PROOF_WAIT
    }

    /// Whether no more blocks come, every one is on disk, and the server takes nothing.
    fn is_left(&self) -> bool {
        !self.is_open && self.is_saved() && self.stuck_since.is_some_and(|since| since.elapsed() >= STALL)
    }

    /// Whether nothing is in memory alone.
    fn is_saved(&self) -> bool {
        let in_memory = self.passed.iter().any(|passed| matches!(passed.pending, Where::Memory(_)));
        self.waiting.is_empty() && !matches!(self.ready, Some((_, None))) && !in_memory
    }
}
