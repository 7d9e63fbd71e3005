//! Lanes: the streams that events are kept apart in.

use std::fmt;

/// The stream an event belongs to. The order is the order of every table and of `Lane::ALL`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Lane {
    /// `app.bsky.feed.post`
    Posts,
    /// `app.bsky.feed.like`
    Likes,
    /// `app.bsky.feed.repost`
    Reposts,
    /// `app.bsky.graph.follow`
    Follows,
    /// `app.bsky.graph.block`
    Blocks,
    /// Every other collection, and events that are not commits.
    Other,
}

impl Lane {
    /// Every lane, in order.
    pub const ALL: [Self; 6] =
        [Self::Posts, Self::Likes, Self::Reposts, Self::Follows, Self::Blocks, Self::Other];

    /// The lane of a commit to `collection`; `None` is an event that is no commit.
    pub fn of_collection(collection: Option<&str>) -> Self {
        match collection {
            Some("app.bsky.feed.post") => Self::Posts,
            Some("app.bsky.feed.like") => Self::Likes,
            Some("app.bsky.feed.repost") => Self::Reposts,
            Some("app.bsky.graph.follow") => Self::Follows,
            Some("app.bsky.graph.block") => Self::Blocks,
            _ => Self::Other,
        }
    }

    /// Its name in keys, options and output.
    pub fn name(self) -> &'static str {
        match self {
            Self::Posts => "posts",
            Self::Likes => "likes",
            Self::Reposts => "reposts",
            Self::Follows => "follows",
            Self::Blocks => "blocks",
            Self::Other => "other",
        }
    }

    /// Its place in `ALL`.
    pub fn index(self) -> usize {
        self as usize
    }
}

impl fmt::Display for Lane {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl std::str::FromStr for Lane {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL.into_iter().find(|lane| lane.name() == text).ok_or_else(|| {
            let names = Self::ALL.map(Self::name).join(", ");
            format!("no lane is called {text:?}; the lanes are {names}")
        })
    }
}
