//! Lanes that a buffer gets after it was made. What is there stays as it is; groups that are on every lane get the new ones.

use redis::Script;

use super::buffer_exists::must_be_there;
use super::consumer_group::create_group;
use super::error::Error;
use super::group_admin::Groups;
use super::keys::Name;
use super::meta;
use super::scripts::LANES;
use crate::event::lane::Lane;
use crate::event::stream::Stream;

impl Groups {
    /// Adds lanes, or words that lead to one: the stream must be what the buffer has, and more. The lanes that were added; none
    /// where the buffer has them.
    ///
    /// A writer that is running goes on with the lanes that it knows, until it is opened with the new stream. A reader that is
    /// running ends with [`Error::OtherStream`], and is to be opened again.
    pub fn add_lanes(&mut self, stream: Stream) -> Result<Vec<Lane>, Error> {
        must_be_there(&mut self.connection, &self.address, &self.name)?;
        let had = self.name.clone();
        let old = had.events();
        if !stream.extends(old) {
            return Err(Error::NotMore { buffer: had.to_string(), theirs: old, mine: stream });
        }
        let has = had.clone().of(stream);
        // On a cluster those that come first decide where the next ones lie.
        let stays =
            |lane: Lane| has.lanes().find(lane.name()).is_some_and(|to| has.stream(to) == had.stream(lane));
        if !had.lanes().iter().all(stays) {
            return Err(Error::NotMore { buffer: had.to_string(), theirs: old, mine: stream });
        }
        let added: Vec<Lane> =
            has.lanes().iter().filter(|lane| had.lanes().find(lane.name()).is_none()).collect();
        self.change(&had, &has)?;
        // Not before: of two who add at once, one makes nothing.
        if let Err(error) = self.groups_to(&has, &added) {
            // A full server, say: lanes that no group has would not be held for any.
            self.change(&has, &had)?;
            return Err(error);
        }
        self.name = has;
        Ok(added)
    }

    /// Says what lanes the buffer has, where it is one of those lanes now.
    fn change(&mut self, had: &Name, has: &Name) -> Result<(), Error> {
        let failed = |error| Error::server(format!("changing the lanes of buffer {had}"), &error);
        let script = Script::new(LANES);
        let mut call = script.key(had.meta());
        call.arg(had.events().text()).arg(has.events().text()).arg(has.streams());
        meta::must_be(has, call.invoke(&mut self.connection).map_err(failed)?).map(drop)
    }

    /// Makes each group that is on every lane the buffer had on these lanes too.
    fn groups_to(&mut self, has: &Name, added: &[Lane]) -> Result<(), Error> {
        let mut on_all: Option<Vec<Vec<u8>>> = None;
        for lane in self.name.lanes() {
            let names = self.names(lane)?;
            on_all = Some(match on_all {
                None => names,
                Some(all) => all.into_iter().filter(|name| names.contains(name)).collect(),
            });
        }
        for (lane, group) in
            added.iter().flat_map(|lane| on_all.iter().flatten().map(move |name| (lane, name)))
        {
            create_group(&mut self.connection, has, *lane, group, None)
                .map_err(|error| Error::server(format!("making a group on {}", has.stream(*lane)), &error))?;
        }
        Ok(())
    }
}

/// What to do about a buffer of other events than are expected.
pub(super) fn way_out(theirs: Stream, mine: Stream) -> &'static str {
    if theirs.extends(mine) {
        "lanes were added to it: open it again with those"
    } else if mine.extends(theirs) {
        "add the lanes that it does not have to it first"
    } else {
        "name another buffer, or expect those"
    }
}
