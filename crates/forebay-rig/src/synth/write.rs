//! An event's line: what it is, who made it, its record, and the envelope around it.

use super::Synth;
use super::draft::Draft;
use super::mix::Class;
use super::person::Person;
use super::universe::Stamps;
use crate::synth::ids::Did;
use crate::synth::record::feed::Reaction;
use crate::synth::record::graph::{ListItem, Relation};
use crate::synth::record::wire::{json_uint, raw};
use crate::synth::record::{Record, StrongRef, Timestamp};

/// The relay's number of event 0. It counts every event once.
const START_SEQ: i64 = 31_527_015_000;
/// Longer than nearly all events, records' second form included: one growth of the buffer is enough.
const EVENT_LEN: usize = 2_048;

/// What the envelope of a commit says.
pub(super) struct Commit<'a> {
    pub(super) person: Person,
    pub(super) stamps: Stamps,
    pub(super) operation: &'static str,
    pub(super) collection: &'static str,
    pub(super) rkey: &'a [u8],
}

impl Synth {
    pub(super) fn write(&self, index: i64, out: &mut Vec<u8>) {
        out.reserve(EVENT_LEN);
        let class = self.class(index);
        match class {
            Class::Like | Class::LikeVia | Class::Repost | Class::RepostVia => {
                let person = self.maker(index, class);
                let reaction = self.reaction(index, person, class, out);
                self.write_create(index, person, class, &reaction, out);
            }
            Class::Follow | Class::Block => {
                let person = self.maker(index, class);
                let subject = self.did(Person::known(&mut self.rng("subject", index)));
                let created_at = self.stamps(index, person, class).created_at();
                let relation = Relation { collection: class.collection(), created_at, subject };
                self.write_create(index, person, class, &relation, out);
            }
            Class::Post | Class::PostQuote | Class::Reply | Class::ReplyDeep => {
                let mut draft = Draft::new();
                let person = self.poster(index, class);
                let post = self.post(index, person, class, &mut draft, out);
                self.write_create(index, person, class, &post, out);
            }
            Class::ListItem => {
                let person = self.maker(index, class);
                let list_item = self.list_item(index, person);
                self.write_create(index, person, class, &list_item, out);
            }
            Class::ProfileCreate | Class::ProfileUpdate => self.write_profile(index, class, out),
            Class::OtherCreate | Class::OtherUpdate => self.write_other(index, class, out),
            Class::Identity | Class::Account => self.write_account(index, class, out),
            _ => {
                let (person, rkey) = self.deleted(index, class);
                let commit = Commit {
                    person,
                    stamps: self.stamps(index, person, class),
                    operation: "delete",
                    collection: class.collection(),
                    rkey: rkey.as_bytes(),
                };
                self.write_commit::<Reaction>(index, &commit, None, out);
            }
        }
    }

    /// The like or repost of an event.
    pub(super) fn reaction(&self, index: i64, person: Person, class: Class, out: &mut Vec<u8>) -> Reaction {
        let mut rng = self.rng("subject", index);
        let created_at = self.stamps(index, person, class).created_at();
        let collection = class.collection();
        if matches!(class, Class::LikeVia | Class::RepostVia) {
            let via = self.subject(index, Class::Repost, &mut rng);
            let reposter = self.maker(via, Class::Repost);
            let repost = self.reaction(via, reposter, Class::Repost, out);
            let cid = repost.cid(out).text();
            let via = StrongRef { cid, uri: self.uri(via, reposter, Class::Repost) };
            return Reaction { collection, created_at, subject: repost.subject, via: Some(via) };
        }
        let subject = self.subject(index, Class::Post, &mut rng);
        Reaction { collection, created_at, subject: self.post_ref(subject, Class::Post, out), via: None }
    }

    fn list_item(&self, index: i64, person: Person) -> ListItem {
        let created_at = self.stamps(index, person, Class::ListItem).created_at();
        let mut list = self.uri(index - 40_000, person, Class::ListItem);
        list.collection = "app.bsky.graph.list";
        ListItem { created_at, list, subject: self.did(Person::known(&mut self.rng("subject", index))) }
    }

    fn write_create<R: Record>(
        &self,
        index: i64,
        person: Person,
        class: Class,
        record: &R,
        out: &mut Vec<u8>,
    ) {
        let stamps = self.stamps(index, person, class);
        let rkey = *stamps.rkey.as_bytes();
        let commit =
            Commit { person, stamps, operation: "create", collection: class.collection(), rkey: &rkey };
        self.write_commit(index, &commit, Some(record), out);
    }

    pub(super) fn write_commit<R: Record>(
        &self,
        index: i64,
        commit: &Commit<'_>,
        record: Option<&R>,
        out: &mut Vec<u8>,
    ) {
        self.write_head(index, &self.did(commit.person), out);
        raw(out, br#"commit","commit":{"rev":""#);
        raw(out, commit.stamps.rev.as_bytes());
        raw(out, br#"","operation":""#);
        raw(out, commit.operation.as_bytes());
        raw(out, br#"","collection":""#);
        raw(out, commit.collection.as_bytes());
        raw(out, br#"","rkey":""#);
        raw(out, commit.rkey);
        if let Some(record) = record {
            raw(out, br#"","record":"#);
            record.json(out);
            raw(out, br#","cid":""#);
            let cid = record.cid(out);
            raw(out, &cid.text());
        }
        raw(out, br#""}}"#);
    }

    fn write_head(&self, index: i64, did: &Did, out: &mut Vec<u8>) {
        raw(out, br#"{"did":""#);
        raw(out, did.as_bytes());
        raw(out, br#"","time_us":"#);
        json_uint(out, self.received_us(index));
        raw(out, br#","kind":""#);
    }

    fn write_account(&self, index: i64, class: Class, out: &mut Vec<u8>) {
        let did = self.did(self.maker(index, class));
        self.write_head(index, &did, out);
        let mut rng = self.rng("account", index);
        let active = class == Class::Identity || rng.percent(85);
        raw(
            out,
            match (class, active) {
                (Class::Identity, _) => br#"identity","identity":{"did":""#,
                (_, true) => br#"account","account":{"active":true,"did":""#,
                (_, false) => br#"account","account":{"active":false,"did":""#,
            },
        );
        raw(out, did.as_bytes());
        raw(out, br#"","seq":"#);
        json_uint(out, START_SEQ.saturating_add(index) as u64);
        if !active {
            raw(out, br#","status":""#);
            raw(out, rng.pick(&["deactivated", "deleted", "takendown"]).as_bytes());
            raw(out, br#"""#);
        }
        raw(out, br#","time":""#);
        let at_ms = self.nominal_us(index) / 1_000 - rng.between(280, 520);
        raw(out, Timestamp::from_ms(at_ms).as_bytes());
        raw(out, br#""}}"#);
    }
}
