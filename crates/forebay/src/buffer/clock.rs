//! The server's clock at a look, and ages by it. Ids of blocks are milliseconds of that clock, and never go back: after a
//! clock that was ahead is mended, new blocks still get ids in the future. How old they are is then unknown, and not 0.

use redis::RedisError;

use super::connect::Facts;
use super::entry::Id;
use super::permitted_query::{Asker, Sought};

/// The server's clock, as it was when the look began, and as it was last asked.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Clock {
    /// Milliseconds since 1970 when the look began; none where the server does not say.
    pub at_ms: Option<u64>,
    /// The same when it was asked last.
    latest_ms: Option<u64>,
}

impl Clock {
    /// Asks for it: by TIME, else as INFO has just said.
    pub fn read(asker: &mut Asker<'_>, facts: &Facts) -> Result<Self, RedisError> {
        let at_ms = time(asker)?.or_else(|| of_info(facts));
        Ok(Self { at_ms, latest_ms: at_ms })
    }

    /// How far a block's id lies in the future. A block may well be newer than the look: the clock is asked again before
    /// its id counts as one of the future. None where the clock is not known.
    pub fn ahead_ms(&mut self, asker: &mut Asker<'_>, id: Id) -> Result<Option<u64>, RedisError> {
        if self.latest_ms.is_some_and(|latest_ms| id.ms > latest_ms) {
            self.latest_ms = self.latest_ms.max(again(asker)?);
        }
        Ok(self.latest_ms.map(|latest_ms| id.ms.saturating_sub(latest_ms)))
    }

    /// How far the newest block of a lane lies in the future: 0 where there is none.
    pub fn newest_ahead_ms(
        &mut self,
        asker: &mut Asker<'_>,
        newest: &Sought,
    ) -> Result<Option<u64>, RedisError> {
        match newest {
            Ok(Some((id, _))) => self.ahead_ms(asker, *id),
            _ => Ok(self.at_ms.map(|_| 0)),
        }
    }

    /// Milliseconds since a block was stored; none where its id lies in the future.
    pub fn age_ms(&mut self, asker: &mut Asker<'_>, id: Id) -> Result<Option<u64>, RedisError> {
        let is_past = self.ahead_ms(asker, id)? == Some(0);
        Ok(self.at_ms.filter(|_| is_past).map(|at_ms| at_ms.saturating_sub(id.ms)))
    }
}

fn again(asker: &mut Asker<'_>) -> Result<Option<u64>, RedisError> {
    if let Some(at_ms) = time(asker)? {
        return Ok(Some(at_ms));
    }
    let info: Option<String> = asker.permitted("INFO", redis::cmd("INFO").arg("server"))?;
    Ok(info.and_then(|info| of_info(&Facts::of(&info))))
}

fn time(asker: &mut Asker<'_>) -> Result<Option<u64>, RedisError> {
    let time: Option<(u64, u64)> = asker.permitted("TIME", &redis::cmd("TIME"))?;
    Ok(time.map(|(seconds, micros)| seconds * 1_000 + micros / 1_000))
}

fn of_info(facts: &Facts) -> Option<u64> {
    Some(facts.number("server_time_usec")? / 1_000)
}
