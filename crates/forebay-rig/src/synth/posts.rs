//! Posts: who answers whom, in which language, and with what below the text.

use super::Synth;
use super::draft::{Draft, Target, aspect_ratio, blob, word_count};
use super::mix::Class;
use super::person::Person;
use super::random::Rng;
use super::words;
use crate::synth::record::feed::{External, Image};
use crate::synth::record::post::{Embed, IMAGES_MAX, Post, Reply};
use crate::synth::record::{Record, StrongRef};

impl Synth {
    /// Who wrote the post of an event.
    pub(super) fn poster(&self, index: i64, class: Class) -> Person {
        match class {
            Class::Reply => self.replier(index, self.parent(index, class)),
            _ => self.maker(index, class),
        }
    }

    /// The post that the post of an event answers or quotes.
    fn parent(&self, index: i64, class: Class) -> i64 {
        let parent = if class == Class::ReplyDeep { Class::Reply } else { Class::Post };
        self.subject(index, parent, &mut self.rng("subject", index))
    }

    /// The reference to the post of an event.
    pub(super) fn post_ref(&self, index: i64, class: Class, out: &mut Vec<u8>) -> StrongRef {
        let mut draft = Draft::new();
        let person = self.poster(index, class);
        let cid = self.post(index, person, class, &mut draft, out).cid(out).text();
        StrongRef { cid, uri: self.uri(index, person, class) }
    }

    fn reply(&self, index: i64, class: Class, out: &mut Vec<u8>) -> Option<Reply> {
        let parent = self.parent(index, class);
        match class {
            Class::Reply => {
                let root = self.post_ref(parent, Class::Post, out);
                Some(Reply { parent: root, root })
            }
            Class::ReplyDeep => {
                let mut draft = Draft::new();
                let person = self.poster(parent, Class::Reply);
                let post = self.post(parent, person, Class::Reply, &mut draft, out);
                let cid = post.cid(out).text();
                let parent = StrongRef { cid, uri: self.uri(parent, person, Class::Reply) };
                post.reply.map(|reply| Reply { parent, root: reply.root })
            }
            _ => None,
        }
    }

    /// The post of an event. The end of `out` is used and given back as it was.
    pub(super) fn post<'d>(
        &self,
        index: i64,
        person: Person,
        class: Class,
        draft: &'d mut Draft,
        out: &mut Vec<u8>,
    ) -> Post<'d> {
        let mut rng = self.rng("post", index);
        let answers = matches!(class, Class::Reply | Class::ReplyDeep);
        let reply = if answers { self.reply(index, class, out) } else { None };
        let language = self.language(person);
        let mut has_card = false;
        let mut is_gif = false;
        let (mut images, mut has_video) = (0, false);
        match (rng.below(100), class) {
            (_, Class::PostQuote) => {}
            (0..=4, Class::Reply | Class::ReplyDeep) => (has_card, is_gif) = (true, true),
            (0..=19, Class::Post) => has_card = true,
            (20..=39, Class::Post) | (5..=8, _) => {
                images = if rng.percent(75) { 1 } else { rng.between(2, 5) }
            }
            (40..=43, Class::Post) => has_video = true,
            _ => {}
        }
        if is_gif {
            draft.write_gif(&mut rng);
        } else if has_card {
            draft.write_link(&mut rng);
            draft.title.push_words(language, rng.between(4, 12), &mut rng);
            draft.description.push_words(language, rng.between(0, 24), &mut rng);
        } else if images > 0 && rng.percent(35) {
            draft.description.push_words(language, rng.between(3, 20), &mut rng);
        }
        self.write_text(language, answers, has_card && !is_gif, draft, &mut rng);

        let draft: &'d Draft = draft;
        let embed = if class == Class::PostQuote {
            Some(Embed::Quote(self.post_ref(self.parent(index, class), Class::Post, out)))
        } else if has_card {
            Some(Embed::External(External {
                typed: false,
                description: draft.description.as_bytes(),
                thumb: rng.percent(85).then(|| blob("image/jpeg", 400_000, &mut rng)),
                title: draft.title.as_bytes(),
                uri: draft.link.as_bytes(),
            }))
        } else if images > 0 {
            let alt = draft.description.as_bytes();
            let image = || Image {
                alt,
                aspect_ratio: aspect_ratio(&mut rng),
                image: blob("image/jpeg", 1_990_000, &mut rng),
            };
            Some(Embed::Images(images_of(images as usize, image), images as usize))
        } else if has_video {
            Some(Embed::Video(aspect_ratio(&mut rng), blob("video/mp4", 40_000_000, &mut rng)))
        } else {
            None
        };
        Post {
            created_at: self.stamps(index, person, class).created_at(),
            embed,
            facets: draft.facets.map(|mark| draft.facet(mark)),
            langs: language.tags,
            reply,
            text: draft.text.as_bytes(),
        }
    }

    fn write_text(
        &self,
        language: &words::Language,
        answers: bool,
        has_card: bool,
        draft: &mut Draft,
        rng: &mut Rng,
    ) {
        if answers && rng.percent(4) {
            draft.text.push("@");
            draft.text.push_made_up(3, false, rng);
            draft.text.push(".bsky.social");
            draft.mark(0, Target::Mention(self.did(Person::known(rng))));
            draft.text.push(" ");
        }
        draft.text.push_words(language, word_count(language, rng), rng);
        // A post holds 300 characters.
        let has_room = draft.text.len() < language.most_bytes * 7 / 10;
        if rng.percent(30) {
            draft.text.push(rng.pick_early(words::EMOJI));
        }
        if has_room && !answers && !has_card && rng.percent(8) {
            draft.write_link(rng);
            draft.text.push("\n");
            draft.write_shown_link();
        }
        if has_room && has_card && rng.percent(55) {
            draft.text.push("\n\n");
            draft.write_shown_link();
        }
        if has_room && rng.percent(if answers { 1 } else { 16 }) {
            draft.write_tags(rng);
        }
    }
}

/// So many images, the rest copies of the last that are not looked at.
fn images_of<'a>(count: usize, mut image: impl FnMut() -> Image<'a>) -> [Image<'a>; IMAGES_MAX] {
    let mut images = [image(); IMAGES_MAX];
    for later in images.iter_mut().take(count).skip(1) {
        *later = image();
    }
    images
}
