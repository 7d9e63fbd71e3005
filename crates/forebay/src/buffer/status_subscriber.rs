//! Hears what writers of a buffer publish of themselves: a thread that subscribes, and subscribes again whenever the
//! server was away, until [`StatusSubscriber`] is dropped.

use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::thread::Builder;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, TryRecvError, bounded};
use redis::{Msg, RedisError};

use super::connect::Address;
use super::connection::Connection;
use super::keys::{ALL_KEYS, Name};
use super::mutex::lock;
use super::writer_registry::WriterRegistry;
pub use super::writer_registry::{Ends, WRITERS_MAX, WriterSnapshot, WritersSnapshot};

/// How long until the next try to subscribe.
const PAUSE: Duration = Duration::from_secs(1);

/// How often a thread that hears nothing looks whether it was told to end.
const LOOK: Duration = Duration::from_millis(250);

/// How long nothing may come before the server is asked whether it is still there: a network that is cut says nothing.
const SILENCE_MAX: Duration = Duration::from_secs(5);

/// How long the server may take for an answer.
const ANSWER_MAX: Duration = Duration::from_secs(2);

/// Listens until it is dropped. The thread then ends by itself, in a quarter of a second where it is subscribed.
pub struct StatusSubscriber {
    book: Arc<Mutex<WriterRegistry>>,
    _stop: Sender<Infallible>,
}

impl StatusSubscriber {
    /// Begins to listen; whether that comes about is said by [`Self::look`].
    pub fn start(address: &Address, name: &Name) -> Self {
        let book = Arc::new(Mutex::new(WriterRegistry::new(Instant::now())));
        let (stop, stopped) = bounded(0);
        let ear = SubscriberThread {
            address: address.clone(),
            channel: name.status_channel(),
            book: Arc::clone(&book),
            stop: stopped,
        };
        if let Err(error) = Builder::new().name("forebay-hear".into()).spawn(move || ear.run()) {
            lock(&book).subscribed = Err(format!("no thread could be started: {error}"));
        }
        Self { book, _stop: stop }
    }

    /// What was heard by now.
    pub fn look(&self) -> WritersSnapshot {
        lock(&self.book).look(Instant::now())
    }
}

/// The thread.
struct SubscriberThread {
    address: Address,
    channel: String,
    book: Arc<Mutex<WriterRegistry>>,
    stop: Receiver<Infallible>,
}

impl SubscriberThread {
    fn run(&self) {
        loop {
            let why = match self.address.dial_within(ANSWER_MAX) {
                Ok(mut connection) => match self.listen(&mut connection) {
                    Ok(()) => return,
                    Err(error) => self.why(&error),
                },
                Err(error) => error.to_string(),
            };
            lock(&self.book).subscribed = Err(why);
            if self.stop.recv_timeout(PAUSE) == Err(RecvTimeoutError::Disconnected) {
                return;
            }
        }
    }

    fn why(&self, error: &RedisError) -> String {
        if error.code() != Some("NOPERM") {
            return self.address.refused(error).to_string();
        }
        let address = &self.address;
        format!(
            "{address} does not let this user listen to writers (NOPERM): {error}; permit it by ACL SETUSER with \
             +subscribe &{ALL_KEYS}"
        )
    }

    /// Hears until it is told to end, or the connection is gone.
    fn listen(&self, connection: &mut Connection) -> Result<(), RedisError> {
        connection.send_packed_command(&redis::cmd("SUBSCRIBE").arg(&self.channel).get_packed_command())?;
        connection.recv_response()?.extract_error()?;
        lock(&self.book).subscribed = Ok(());
        // When something was last heard, and the server last asked whether it is there.
        let (mut last, mut asked) = (Instant::now(), None::<Instant>);
        while self.stop.try_recv() != Err(TryRecvError::Disconnected) {
            if let Some(answer) = connection.receive_within(LOOK)? {
                (last, asked) = (Instant::now(), None);
                // Else it is the answer to a PING.
                if let Some(message) = Msg::from_owned_value(answer.extract_error()?) {
                    lock(&self.book).take(message.get_payload_bytes(), last);
                }
            } else if let Some(asked) = asked {
                if asked.elapsed() >= ANSWER_MAX {
                    return Err(std::io::Error::from(std::io::ErrorKind::TimedOut).into());
                }
            } else if last.elapsed() >= SILENCE_MAX {
                connection.send_packed_command(&redis::cmd("PING").get_packed_command())?;
                asked = Some(Instant::now());
            }
        }
        Ok(())
    }
}
