//! What a drain is told: from which buffer, to where, and when files are made.

use std::path::PathBuf;
use std::time::Duration;

use forebay::buffer::connect::Address;
use forebay::buffer::keys::Name;

use super::layout::Layout;
use super::place::Target;
use super::roll::Rolling;
use super::schema::TextColumn;
use super::step::Steps;

/// What a drain is told.
#[derive(Debug, Clone)]
pub struct Config {
    /// The server.
    pub address: Address,
    /// The buffer.
    pub name: Name,
    /// The group whose position the commits move.
    pub group: String,
    /// The destination.
    pub to: Target,
    /// Where files for a bucket are staged, unless among this user's state.
    pub staging: Option<PathBuf>,
    /// How the tree is laid out.
    pub layout: Layout,
    /// Text columns of a stream that is not Jetstream's.
    pub columns: Vec<TextColumn>,
    /// Whether files leave out what follows from the rest of a row; of Jetstream's alone.
    pub is_lean: bool,
    /// When files are made.
    pub rolling: Rolling,
    /// Ends once what is there when it begins is in files.
    pub once: bool,
    /// How long server or destination may be away.
    pub patience: Duration,
    /// Who is asked before each step, for tests and proofs alone.
    #[doc(hidden)]
    pub steps: Steps,
}
