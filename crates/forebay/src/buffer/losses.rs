//! What a server lost of a lane, as writers wrote it down: events that the lane's numbers count and that nobody holds.

use redis::RedisError;

use super::entry::Entry;
use super::keys::Name;
use super::permitted_query::Asker;
use crate::event::lane::Lane;

/// Steps of HSCAN: a hash has a field for each loss, and a few more.
const STEPS: usize = 64;

/// Fields that are asked for at once.
const FIELDS: usize = 512;

/// The losses of a lane.
pub(super) struct Losses(Vec<Loss>);

struct Loss {
    /// Number of the last block kept.
    kept: u64,
    /// Events of the lane up to the last block kept, and up to the last one lost.
    events: (u64, u64),
}

impl Losses {
    /// Reads them; none where the server refuses, or has more than one can look at.
    pub(super) fn read(asker: &mut Asker<'_>, lane: Lane) -> Result<Option<Self>, RedisError> {
        let key = asker.name.writer(lane);
        let (mut losses, mut cursor) = (Vec::new(), 0_u64);
        for _ in 0..STEPS {
            let mut scan = redis::cmd("HSCAN");
            scan.arg(&key).arg(cursor).arg("MATCH").arg(format!("{}*", Name::LOST)).arg("COUNT").arg(FIELDS);
            // Where to go on, and fields with their values by turns.
            let answer: Option<(u64, Vec<String>)> = asker.permitted("HSCAN", &scan)?;
            let Some((next, fields)) = answer else { return Ok(None) };
            losses.extend(fields.chunks(2).filter_map(|pair| loss(pair.get(1)?)));
            cursor = next;
            if cursor == 0 {
                return Ok(Some(Self(losses)));
            }
        }
        Ok(None)
    }

    /// Events that are held from a block on, in a lane that had so many ever.
    pub(super) fn held_from(&self, block: &Entry, total: u64) -> u64 {
        let after = |loss: &&Loss| loss.kept >= block.number && loss.events.1 <= total;
        let lost: u64 =
            self.0.iter().filter(after).map(|loss| loss.events.1.saturating_sub(loss.events.0)).sum();
        total.saturating_sub(block.before()).saturating_sub(lost)
    }
}

fn loss(value: &str) -> Option<Loss> {
    let mut numbers = value.split(' ').map(|number| number.parse::<u64>().ok());
    Some(Loss { kept: numbers.next()??, events: (numbers.next()??, numbers.next()??) })
}
