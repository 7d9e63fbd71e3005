//! The preset for the Bluesky network's Jetstream: its lanes. Nothing else in the library knows of Bluesky.

use super::lane::{Lane, Lanes, named};

/// `app.bsky.feed.post`
pub const POSTS: Lane = named(0, "posts");
/// `app.bsky.feed.like`
pub const LIKES: Lane = named(1, "likes");
/// `app.bsky.feed.repost`
pub const REPOSTS: Lane = named(2, "reposts");
/// `app.bsky.graph.follow`
pub const FOLLOWS: Lane = named(3, "follows");
/// `app.bsky.graph.block`
pub const BLOCKS: Lane = named(4, "blocks");
/// Every other collection, and events that are not commits.
pub const OTHER: Lane = named(5, "other");

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
