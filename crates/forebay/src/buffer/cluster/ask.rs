//! Questions that are waited for: asked of another node where that one has the slot by now.

use redis::{RedisResult, Value};

use super::connection::ClusterConnection;
use super::request::commands;
use super::view::Place;

/// How often a question is led to another node.
const REDIRECTS_MAX: usize = 5;

/// Where a node says that a slot is to be asked for.
pub(super) enum Redirect {
    Moved(u16, Place),
    Ask(Place),
}

impl ClusterConnection {
    /// Asks a command and waits for its answer, wherever that is by now.
    pub fn ask(&mut self, request: &[u8]) -> RedisResult<Value> {
        self.send_to_wait(request)?;
        let answer = self.recv_response()?;
        self.led(request, answer)
    }

    /// Asks a pipeline of commands; see [`redis::ConnectionLike::req_packed_commands`].
    pub fn ask_all(&mut self, requests: &[u8], offset: usize, count: usize) -> RedisResult<Vec<Value>> {
        self.send_to_wait(requests)?;
        let answers = (0..offset + count).map(|_| self.recv_response()).collect::<RedisResult<Vec<_>>>();
        self.broken |= answers.is_err();
        let answers = answers?;
        if offset > 0 {
            // A transaction is carried out whole, or not at all.
            let refused = answers.iter().take(offset).find(|answer| matches!(answer, Value::ServerError(_)));
            return match refused {
                Some(Value::ServerError(error)) => Err(error.clone().into()),
                _ => Ok(answers.into_iter().skip(offset).collect()),
            };
        }
        let commands = commands(requests)?;
        commands.iter().zip(answers).map(|(command, answer)| self.led(command.bytes, answer)).collect()
    }

    /// The answer of the node to which a command is led, where it was.
    fn led(&mut self, request: &[u8], mut answer: Value) -> RedisResult<Value> {
        for _ in 0..REDIRECTS_MAX {
            let Some(from) = self.last.clone() else { break };
            answer = match redirect(&answer, &from) {
                None => return Ok(answer),
                Some(Redirect::Moved(..)) => {
                    self.send_to_wait(request)?;
                    self.recv_response()?
                }
                Some(Redirect::Ask(place)) => self.ask_at(&place, request)?,
            };
        }
        Ok(answer)
    }

    /// The answer of the node that a slot is being moved to. What comes next without a key, as a script that it has not loaded, is
    /// for it too.
    pub(super) fn ask_at(&mut self, place: &Place, request: &[u8]) -> RedisResult<Value> {
        let place = self.topology.reached_at(&self.topology.named(place.clone()));
        let asking = redis::cmd("ASKING").get_packed_command();
        self.node(&place)?.send_packed_command(&[&asking, request].concat())?;
        self.last = Some(place.clone());
        let answers = self.receive(&place, None).and_then(|_| self.receive(&place, None));
        self.broken |= answers.is_err();
        answers
    }
}

/// Where an answer of this node leads.
pub(super) fn redirect(answer: &Value, from: &Place) -> Option<Redirect> {
    let Value::ServerError(error) = answer else { return None };
    let is_moved = error.code() == "MOVED";
    if !is_moved && error.code() != "ASK" {
        return None;
    }
    let (slot, place) = error.details()?.split_once(' ')?;
    // Without a host it is the one that was asked.
    let place = match place.strip_prefix(':') {
        Some(port) => Place::new(from.host.clone(), port.parse().ok()?),
        None => Place::parse(place)?,
    };
    let slot = slot.parse().ok()?;
    Some(if is_moved { Redirect::Moved(slot, place) } else { Redirect::Ask(place) })
}
