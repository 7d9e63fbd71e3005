//! Whether a buffer is there at all, and which others are: a name with a typo is not an empty buffer.

use std::collections::BTreeSet;

use super::connect::Address;
use super::connection::Connection;
use super::error::Error;
use super::keys::{ALL_KEYS, Name};
use crate::event::lane::Lane;

/// How far to look for other buffers: steps of SCAN, and keys a step. A server may hold millions of others.
const STEPS: usize = 50;
const KEYS_A_STEP: usize = 1_000;

/// Names that an error has.
const NAMES_MAX: usize = 8;

/// An error where the server says that no key of the buffer is there, or answers something else than how many are. Where it does
/// not say (it is loading, or refuses the question), whatever is asked next tells.
pub(super) fn must_be_there(
    connection: &mut Connection,
    address: &Address,
    name: &Name,
) -> Result<(), Error> {
    match redis::cmd("EXISTS").arg(name.keys()).query::<u64>(connection) {
        Ok(0) => {
            let others = others(connection);
            if others.contains(&name.to_string()) {
                let why = format!(
                    "key {:?} is gone, which says what the lanes of buffer {name} are; a writer of it makes it again",
                    name.meta()
                );
                return Err(Error::Damaged { why });
            }
            Err(Error::NoBuffer { name: name.to_string(), url: address.to_string(), others })
        }
        Err(error) if error.code().is_none() && !error.is_io_error() => Err(Error::server("EXISTS", &error)),
        _ => Ok(()),
    }
}

/// The lane of that name, or the partition; an error that names those the buffer has, where there is none.
pub fn lane(of: &Name, name: &str) -> Result<Lane, Error> {
    of.lanes().find(name).ok_or_else(|| no_lane(of, name))
}

/// The lane of that name with all of its partitions, or the one that is called so.
pub(super) fn all_of_lane(of: &Name, name: &str) -> Result<Vec<Lane>, Error> {
    let all: Vec<Lane> = of.lanes().all_of(name).collect();
    if all.is_empty() { Err(no_lane(of, name)) } else { Ok(all) }
}

fn no_lane(of: &Name, name: &str) -> Error {
    Error::NoLane { buffer: of.to_string(), lane: name.into(), lanes: of.lanes() }
}

/// Buffers on the server, as far as a short look finds them.
fn others(connection: &mut Connection) -> Vec<String> {
    let (mut found, mut cursor) = (BTreeSet::new(), 0_u64);
    for _ in 0..STEPS {
        let mut scan = redis::cmd("SCAN");
        scan.arg(cursor).arg("MATCH").arg(ALL_KEYS).arg("COUNT").arg(KEYS_A_STEP);
        let Ok((next, keys)) = scan.query::<(u64, Vec<Vec<u8>>)>(connection) else { break };
        let names = keys.iter().filter_map(|key| Name::of_key(std::str::from_utf8(key).ok()?));
        found.extend(names.map(|name| name.to_string()));
        cursor = next;
        if cursor == 0 || found.len() >= NAMES_MAX {
            break;
        }
    }
    found.into_iter().take(NAMES_MAX).collect()
}
