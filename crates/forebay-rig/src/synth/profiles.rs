//! Profiles, and what is filed under "other": a thread's gate, what one listens to, what one streams.

use super::Synth;
use super::draft::{Draft, blob};
use super::mix::Class;
use super::words;
use super::write::Commit;
use crate::synth::record::Timestamp;
use crate::synth::record::actor::{Live, Profile};
use crate::synth::record::feed::External;
use crate::synth::record::other::{Broadcast, Listening, Threadgate};

impl Synth {
    pub(super) fn write_profile(&self, index: i64, class: Class, out: &mut Vec<u8>) {
        let mut rng = self.rng("profile", index);
        let mut person = self.maker(index, class);
        let mut pinned_post = None;
        if class == Class::ProfileUpdate && rng.percent(45) {
            // One pins a post of one's own, so the post decides who this is.
            let pinned = self.subject(index, Class::Post, &mut rng);
            person = self.maker(pinned, Class::Post);
            pinned_post = Some(self.post_ref(pinned, Class::Post, out));
        }
        let language = self.language(person);
        let mut draft = Draft::new();
        draft.title.push_made_up(rng.between(2, 5), true, &mut rng);
        draft.title.push(rng.pick_early(words::EMOJI));
        draft.description.push_words(language, rng.between(3, 26), &mut rng);
        let stamps = self.stamps(index, person, class);
        let profile = Profile {
            avatar: blob("image/jpeg", 900_000, &mut rng),
            banner: rng.percent(60).then(|| blob("image/jpeg", 900_000, &mut rng)),
            created_at: Timestamp::from_ms(stamps.rkey_ms - rng.below(1 << 35)),
            description: draft.description.as_bytes(),
            display_name: draft.title.as_bytes(),
            pinned_post,
        };
        let operation = if class == Class::ProfileUpdate { "update" } else { "create" };
        let commit = Commit { person, stamps, operation, collection: class.collection(), rkey: b"self" };
        self.write_commit(index, &commit, Some(&profile), out);
    }

    pub(super) fn write_other(&self, index: i64, class: Class, out: &mut Vec<u8>) {
        let mut rng = self.rng("other", index);
        if class == Class::OtherCreate {
            let post = self.subject(index, Class::Post, &mut rng);
            let person = self.maker(post, Class::Post);
            let post = self.uri(post, person, Class::Post);
            let stamps = self.stamps(index, person, class);
            // A gate has the key of the post it is for.
            let rkey = post.rkey.as_bytes();
            let commit = Commit { person, stamps, operation: "create", collection: class.collection(), rkey };
            let gate = Threadgate { created_at: stamps.created_at(), post };
            return self.write_commit(index, &commit, Some(&gate), out);
        }
        let person = self.maker(index, class);
        let stamps = self.stamps(index, person, class);
        let mut draft = Draft::new();
        draft.title.push_made_up(3, true, &mut rng);
        let commit = |collection, rkey| Commit { person, stamps, operation: "update", collection, rkey };
        match rng.below(3) {
            0 => {
                draft.description.push_words(self.language(person), rng.between(2, 6), &mut rng);
                let listening = Listening {
                    expiry: Timestamp::from_ms(stamps.rkey_ms + 600_000),
                    artist: draft.title.as_bytes(),
                    played: Timestamp::from_ms(stamps.rkey_ms - rng.below(1 << 25)),
                    release: draft.description.as_bytes(),
                    track: draft.description.as_bytes(),
                    time: stamps.created_at(),
                };
                self.write_commit(
                    index,
                    &commit("fm.teal.alpha.actor.status", b"self"),
                    Some(&listening),
                    out,
                );
            }
            1 => {
                draft.description.push_words(self.language(person), rng.between(6, 24), &mut rng);
                draft.link.push("https://www.twitch.tv/");
                draft.link.push_made_up(4, true, &mut rng);
                let embed = External {
                    typed: true,
                    description: draft.description.as_bytes(),
                    thumb: Some(blob("image/jpeg", 200_000, &mut rng)),
                    title: draft.title.as_bytes(),
                    uri: draft.link.as_bytes(),
                };
                let live = Live {
                    created_at: stamps.created_at(),
                    duration_minutes: rng.pick(&[60, 120, 240]),
                    embed,
                };
                self.write_commit(index, &commit("app.bsky.actor.status", b"self"), Some(&live), out);
            }
            _ => {
                let broadcast = Broadcast { streamer: self.did(person), updated_at: stamps.created_at() };
                let mut rkey = Vec::new();
                broadcast.rkey(&mut rkey);
                self.write_commit(
                    index,
                    &commit("place.stream.broadcast.origin", &rkey),
                    Some(&broadcast),
                    out,
                );
            }
        }
    }
}
