//! How often each kind of event comes: the mix, and the classes of events it is made into.

/// Weights of the kinds of event, and the share of deletes and updates. Only the weights' relations count; the two
/// shares are percent of all events.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Mix {
    /// Weight of `app.bsky.feed.like`.
    pub like: f64,
    /// Weight of `app.bsky.graph.follow`.
    pub follow: f64,
    /// Weight of `app.bsky.feed.post`.
    pub post: f64,
    /// Weight of `app.bsky.feed.repost`.
    pub repost: f64,
    /// Weight of `app.bsky.graph.block`.
    pub block: f64,
    /// Weight of `app.bsky.actor.profile`.
    pub profile: f64,
    /// Weight of `app.bsky.graph.listitem`.
    pub listitem: f64,
    /// Weight of events of kind `identity`.
    pub identity: f64,
    /// Weight of events of kind `account`.
    pub account: f64,
    /// Weight of all other collections.
    pub other: f64,
    /// Percent of events that are deletes (of anything but profiles).
    pub deletes: f64,
    /// Percent of events that are updates; they fall on profiles and other collections, as far as these reach.
    pub updates: f64,
}

impl Mix {
    /// The network's, as counted in November and December 2024.
    pub fn network() -> Self {
        Self {
            like: 47.3,
            follow: 33.3,
            post: 9.5,
            repost: 5.9,
            block: 1.6,
            profile: 0.8,
            listitem: 0.8,
            identity: 0.3,
            account: 0.3,
            other: 0.2,
            deletes: 3.6,
            updates: 0.5,
        }
    }
}

/// What an event is, in as much detail as decides how it is made and what may refer to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Class {
    /// A like of a post.
    Like,
    /// A like of a post seen through a repost.
    LikeVia,
    Follow,
    /// A post that names no other: the only ones that are liked, reposted, quoted and answered first.
    Post,
    PostQuote,
    /// An answer to a post.
    Reply,
    /// An answer to an answer.
    ReplyDeep,
    /// A repost of a post.
    Repost,
    /// A repost of a post seen through a repost.
    RepostVia,
    Block,
    ListItem,
    ProfileCreate,
    ProfileUpdate,
    OtherCreate,
    OtherUpdate,
    LikeDelete,
    FollowDelete,
    PostDelete,
    RepostDelete,
    BlockDelete,
    ListItemDelete,
    OtherDelete,
    Identity,
    Account,
}

const ALL: [Class; 24] = [
    Class::Like,
    Class::LikeVia,
    Class::Follow,
    Class::Post,
    Class::PostQuote,
    Class::Reply,
    Class::ReplyDeep,
    Class::Repost,
    Class::RepostVia,
    Class::Block,
    Class::ListItem,
    Class::ProfileCreate,
    Class::ProfileUpdate,
    Class::OtherCreate,
    Class::OtherUpdate,
    Class::LikeDelete,
    Class::FollowDelete,
    Class::PostDelete,
    Class::RepostDelete,
    Class::BlockDelete,
    Class::ListItemDelete,
    Class::OtherDelete,
    Class::Identity,
    Class::Account,
];

/// The likes that came by a repost. None in 2024, 17 % in the recorded moment of 2026.
const LIKES_VIA: f64 = 0.10;
/// The reposts that came by a repost. None in 2024, 40 % in the recorded moment of 2026.
const REPOSTS_VIA: f64 = 0.28;
/// What posts are: quotes, answers, answers to answers; the rest names no other post.
const POSTS_QUOTE: f64 = 0.07;
const POSTS_REPLY: f64 = 0.29;
const POSTS_REPLY_DEEP: f64 = 0.12;

/// A mix as a table: which of 2^32 numbers stand for which class.
#[derive(Debug, Clone)]
pub(super) struct Classes {
    /// Where each class ends; each begins where the one before it ends.
    ends: [u32; ALL.len()],
}

impl Classes {
    /// The table of a mix. A mix of nothing counts as the network's.
    pub(super) fn of(mix: Mix) -> Self {
        let weights = weights(mix);
        let total: f64 = weights.iter().sum();
        if !(total.is_finite() && total > 0.0) {
            return Self::of(Mix::network());
        }
        let mut sum = 0.0;
        let ends = weights.map(|weight| {
            sum += weight;
            (sum / total * f64::from(u32::MAX)) as u32
        });
        Self { ends }
    }

    /// The class that a number stands for.
    pub(super) fn class(&self, bits: u32) -> Class {
        let ended = self.ends.iter().map(|&end| usize::from(end <= bits)).sum::<usize>();
        // The very last number stands for no class: it is given to the last that has any.
        ALL.get(ended).copied().unwrap_or_else(|| self.class(self.ends[ALL.len() - 1] - 1))
    }

    /// Whether a number stands for this class: quicker than asking which it is.
    #[inline]
    pub(super) fn is(&self, bits: u32, class: Class) -> bool {
        let place = class as usize;
        let start = if place == 0 { 0 } else { self.ends[place - 1] };
        start <= bits && bits < self.ends[place]
    }
}

fn weights(mix: Mix) -> [f64; ALL.len()] {
    let weight = |weight: f64| if weight.is_finite() { weight.max(0.0) } else { 0.0 };
    let [like, follow, post, repost, block, listitem, other, profile] =
        [mix.like, mix.follow, mix.post, mix.repost, mix.block, mix.listitem, mix.other, mix.profile]
            .map(weight);
    let [identity, account] = [mix.identity, mix.account].map(weight);
    let deletable = like + follow + post + repost + block + listitem + other;
    let total = deletable + profile + identity + account;
    let share =
        |percent: f64, of: f64| (weight(percent) / 100.0 * total / of.max(f64::MIN_POSITIVE)).min(1.0);
    let gone = share(mix.deletes, deletable);
    let kept = 1.0 - gone;
    let updated = share(mix.updates, profile + other * kept);
    let posts_plain = 1.0 - POSTS_QUOTE - POSTS_REPLY - POSTS_REPLY_DEEP;
    [
        like * kept * (1.0 - LIKES_VIA),
        like * kept * LIKES_VIA,
        follow * kept,
        post * kept * posts_plain,
        post * kept * POSTS_QUOTE,
        post * kept * POSTS_REPLY,
        post * kept * POSTS_REPLY_DEEP,
        repost * kept * (1.0 - REPOSTS_VIA),
        repost * kept * REPOSTS_VIA,
        block * kept,
        listitem * kept,
        profile * (1.0 - updated),
        profile * updated,
        other * kept * (1.0 - updated),
        other * kept * updated,
        like * gone,
        follow * gone,
        post * gone,
        repost * gone,
        block * gone,
        listitem * gone,
        other * gone,
        identity,
        account,
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_stands_for_the_class_that_claims_it() {
        let classes = Classes::of(Mix::network());
        for step in 0..100_000_u32 {
            let bits = step.wrapping_mul(42_949);
            let class = classes.class(bits);
            assert_eq!(ALL.iter().filter(|&&other| classes.is(bits, other)).count(), 1);
            assert!(classes.is(bits, class));
        }
        assert_eq!(classes.class(u32::MAX), Class::Account);
    }

    #[test]
    fn mix_of_one_kind_has_no_other() {
        let none = Mix {
            like: 0.0,
            follow: 0.0,
            post: 0.0,
            repost: 0.0,
            block: 0.0,
            profile: 0.0,
            listitem: 0.0,
            identity: 0.0,
            account: 0.0,
            other: 0.0,
            deletes: 0.0,
            updates: 0.0,
        };
        let only_blocks = Classes::of(Mix { block: 3.0, ..none });
        let only_deletes = Classes::of(Mix { block: 3.0, deletes: 100.0, ..none });
        for bits in [0, 1, 1 << 31, u32::MAX - 1, u32::MAX] {
            assert_eq!(only_blocks.class(bits), Class::Block);
            assert_eq!(only_deletes.class(bits), Class::BlockDelete);
        }
        assert_eq!(Classes::of(none).ends, Classes::of(Mix::network()).ends);
    }
}
