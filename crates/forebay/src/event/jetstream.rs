//! The preset for the Bluesky network's Jetstream: its lanes. Nothing else in the library knows of Bluesky.

use super::lane::{Lane, Lanes, Named};

static NAMED: [Named; 6] = [
    Named::whole(0, "posts"),
    Named::whole(1, "likes"),
    Named::whole(2, "reposts"),
    Named::whole(3, "follows"),
    Named::whole(4, "blocks"),
    Named::whole(5, "other"),
];

/// `app.bsky.feed.post`
pub const POSTS: Lane = Lane::known(&NAMED[0]);
/// `app.bsky.feed.like`
pub const LIKES: Lane = Lane::known(&NAMED[1]);
/// `app.bsky.feed.repost`
pub const REPOSTS: Lane = Lane::known(&NAMED[2]);
/// `app.bsky.graph.follow`
pub const FOLLOWS: Lane = Lane::known(&NAMED[3]);
/// `app.bsky.graph.block`
pub const BLOCKS: Lane = Lane::known(&NAMED[4]);
/// Every other collection, and events that are not commits.
pub const OTHER: Lane = Lane::known(&NAMED[5]);

/// All of them, in order.
pub const ALL: [Lane; 6] = [POSTS, LIKES, REPOSTS, FOLLOWS, BLOCKS, OTHER];

/// The same, as the lanes of a buffer.
pub const LANES: Lanes = Lanes::known(&ALL);

/// The lane of a commit to `collection`; `None` is an event that is no commit.
pub fn lane_of(collection: Option<&str>) -> Lane {
    match collection {
        Some("app.bsky.feed.post") => POSTS,
        Some("app.bsky.feed.like") => LIKES,
        Some("app.bsky.feed.repost") => REPOSTS,
        Some("app.bsky.graph.follow") => FOLLOWS,
        Some("app.bsky.graph.block") => BLOCKS,
        _ => OTHER,
    }
}
