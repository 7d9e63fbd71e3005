//! One stream: what it delivers, from its first event to its end.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::answer::Agreed;
use super::dictionary::{Compressor, Which, bomb};
use super::due::due;
use super::encode::{Encoder, Form, Parts, outdated_frame, too_slow_frame};
use super::evil::Evil;
use super::fault::{Fault, NO_PONG, NOT_TAKEN};
use super::filter::Filter;
use super::log::{Item, Log};
use super::network::{CHUNK_LEN, Chunk};
use super::order::Order;
use super::outbox::{Gone, Outbox};
use super::settings::Settings;
use super::shared::Shared;
use super::wire::{Opcode, push_head};

/// Frames go out together up to about this.
const BATCH_BYTES: usize = 64 << 10;
/// A source without a next event is looked at again after this.
const IDLE_MAX: Duration = Duration::from_secs(3_600);

/// One stream.
pub(super) struct Stream<'a> {
    shared: &'a Shared,
    settings: Settings,
    log: Arc<Log>,
    form: Form,
    filter: Filter,
    compressor: Option<Compressor>,
    dictionary: Option<Which>,
    outbox: Outbox,
    order: Order,
    encoder: Encoder,
    chunk: Option<(u64, Arc<Chunk>)>,
    /// The event that is being put together.
    frame: Vec<u8>,
    /// Where the next place is, and how many there were at the last look: how far behind the client is.
    place: u64,
    end: u64,
    delivered: u64,
    /// Faults that act once so many events are delivered, the last of them first.
    due: Vec<(u64, Fault)>,
    omitted: Vec<Vec<u8>>,
}

impl<'a> Stream<'a> {
    pub(super) fn new(
        shared: &'a Shared,
        settings: Settings,
        log: Arc<Log>,
        agreed: Agreed,
        outbox: Outbox,
        number: u64,
    ) -> io::Result<Self> {
        let order = Order::new(&settings, &log, agreed.start);
        let omitted = settings.faults.iter().filter_map(|fault| match fault {
            Fault::OmitCollection { nsid } => Some(nsid.clone().into_bytes()),
            _ => None,
        });
        let mut stream = Self {
            shared,
            form: agreed.form,
            filter: agreed.filter,
            compressor: agreed.dictionary.map(Compressor::new).transpose()?,
            dictionary: agreed.dictionary,
            outbox,
            order,
            encoder: Encoder::default(),
            chunk: None,
            frame: Vec::new(),
            place: agreed.start.place,
            end: agreed.start.place,
            delivered: 0,
            due: due(&settings, number),
            omitted: omitted.collect(),
            settings,
            log,
        };
        if agreed.start.is_outdated && stream.form == Form::V2 {
            let seq = stream.settings.first_seq + agreed.start.place;
            stream.push(outdated_frame(seq).as_bytes());
        }
        Ok(stream)
    }

    /// Delivers until the end.
    pub(super) fn run(mut self) -> (Outbox, Gone) {
        let gone = match self.deliver_all() {
            Ok(never) => match never {},
            Err(gone) => gone,
        };
        match gone {
            Gone::NoPong => self.shared.acts.count(NO_PONG),
            Gone::NotTaken => self.shared.acts.count(NOT_TAKEN),
            Gone::TooSlow => self.say_too_slow(),
            _ => {}
        }
        (self.outbox, gone)
    }

    fn deliver_all(&mut self) -> Result<std::convert::Infallible, Gone> {
        loop {
            self.end = self.log.len(self.shared.tip(self.settings.last));
            let is_all = self.deliver_batch()?;
            self.outbox.attend()?;
            self.outbox.flush(self.end.saturating_sub(self.place))?;
            if self.order.is_over() {
                return Err(Gone::Abruptly);
            }
            if is_all {
                let wait = self.until_next();
                self.outbox.idle(Instant::now() + wait)?;
            }
        }
    }

    /// How long until there is something to deliver.
    fn until_next(&self) -> Duration {
        let index = self.log.comes_with(self.order.waits_for());
        if self.settings.last.is_some_and(|last| index > last) {
            return IDLE_MAX;
        }
        self.shared.clock.until(index)
    }

    /// Puts a batch together; is that all there is?
    fn deliver_batch(&mut self) -> Result<bool, Gone> {
        while self.outbox.len() < BATCH_BYTES {
            let Some(place) = self.order.next(self.end, &self.shared.acts) else { return Ok(true) };
            self.place = place + 1;
            self.deliver(place);
            while self.due.last().is_some_and(|(after, _)| *after <= self.delivered) {
                if let Some((_, fault)) = self.due.pop() {
                    self.befall(&fault)?;
                }
            }
        }
        Ok(false)
    }

    fn deliver(&mut self, place: u64) {
        let item = self.log.item(place);
        let (index, seq) = (item.index(), self.settings.first_seq + place);
        let time_us = self.shared.clock.shown_us(index, &self.settings.faults);
        if let Item::Evil { number, .. } = item {
            let evil = Evil::of(number);
            let frame = evil.frame(number, self.form, seq, time_us);
            self.push(&frame);
            self.shared.acts.count("evil");
            self.shared.evil.add(evil, frame);
            return;
        }
        let chunk = self.chunk(index);
        let parts = Parts::of(chunk.line(index));
        if !self.filter.wants(&parts) {
            return;
        }
        if self.omitted.iter().any(|omitted| omitted == parts.collection) {
            self.shared.acts.count("omit-collection");
            return;
        }
        if matches!(item, Item::Again(_)) {
            self.shared.acts.count("regress");
        }
        self.count_time(index, time_us);
        let mut frame = std::mem::take(&mut self.frame);
        frame.clear();
        self.encoder.write(&parts, self.form, seq, time_us, &mut frame);
        let max = self.filter.frame_bytes_max;
        if max == 0 || frame.len() <= max {
            self.push(&frame);
            self.delivered += 1;
        }
        self.frame = frame;
    }

    fn chunk(&mut self, index: u64) -> Arc<Chunk> {
        let number = index / CHUNK_LEN;
        match &self.chunk {
            Some((kept, chunk)) if *kept == number => Arc::clone(chunk),
            _ => {
                let chunk = self.shared.network.chunk(index);
                self.chunk = Some((number, Arc::clone(&chunk)));
                chunk
            }
        }
    }

    /// Adds a frame, compressed where that was agreed on.
    fn push(&mut self, frame: &[u8]) {
        match &mut self.compressor {
            // Compression into a buffer that is large enough has no way to fail; a frame less is found by whoever counts.
            Some(compressor) => {
                if let Ok(frame) = compressor.compress(frame) {
                    self.outbox.push(Opcode::Binary, frame);
                }
            }
            None => self.outbox.push(Opcode::Text, frame),
        }
    }

    /// A fault that turns times back has acted where an event shows an earlier one.
    fn count_time(&self, index: u64, time_us: u64) {
        if time_us == self.shared.clock.time_us(index) {
            return;
        }
        for fault in &self.settings.faults {
            if fault.set_back_us(index, self.settings.history) > 0 {
                self.shared.acts.count(fault.name());
            }
        }
    }

    fn say_too_slow(&mut self) {
        self.shared.acts.count("slow-consumer");
        // The frame of which a part was sent comes to its end first, where the client still takes it.
        self.outbox.slow = None;
        if self.form == Form::V2 {
            let behind = self.end.saturating_sub(self.place);
            let cursor = self.settings.first_seq + self.place;
            self.push(too_slow_frame(behind, cursor).as_bytes());
            let _ = self.outbox.flush(0);
        }
    }

    /// Lets a fault act whose time has come.
    fn befall(&mut self, fault: &Fault) -> Result<(), Gone> {
        let name = fault.name();
        match fault {
            Fault::Bomb { bytes, .. } => {
                let Some(dictionary) = self.dictionary else { return Ok(()) };
                self.outbox.push(Opcode::Binary, &bomb(*bytes, dictionary.id()));
            }
            Fault::WrongDictionary { .. } => {
                if self.dictionary.is_none() {
                    return Ok(());
                }
                let Ok(mut wrong) = Compressor::new(Which::Wrong) else { return Ok(()) };
                if let Ok(frame) = wrong.compress(&self.frame) {
                    self.outbox.push(Opcode::Binary, frame);
                }
            }
            Fault::LargeFrame { bytes, .. } => {
                let frame = vec![b' '; *bytes as usize];
                self.outbox.push(Opcode::Text, &frame);
            }
            _ => self.outbox.flush(0)?,
        }
        self.shared.acts.count(name);
        match fault {
            Fault::Stall { for_, .. } => self.outbox.sleep(Some(Instant::now() + *for_)),
            Fault::HalfOpen { .. } => self.outbox.sleep(None),
            Fault::Idle { for_, .. } => self.outbox.idle(Instant::now() + *for_),
            Fault::Drop { .. } => Err(Gone::InOrder),
            Fault::Reset { .. } => {
                let mut half = Vec::new();
                push_head(&mut half, Opcode::Text, self.frame.len().max(2));
                half.extend_from_slice(&self.frame[..self.frame.len() / 2]);
                self.outbox.push_raw(&half);
                self.outbox.flush(0)?;
                Err(Gone::Reset)
            }
            _ => Ok(()),
        }
    }
}
