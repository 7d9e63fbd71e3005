//! What goes from each of a connection's sockets to the other.

use std::io::{ErrorKind, Read};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::MutexGuard;
use std::sync::atomic::Ordering::Relaxed;
use std::thread;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::{SendFlags, send};

use super::connection::Connection;
use super::direction::Direction;
use super::pipe::{Content, Next, Queue};
use super::state::{Shared, State};

/// How long a server may take to accept a connection, all its addresses together.
const CONNECT_LIMIT: Duration = Duration::from_secs(5);
/// How long whoever got the last bytes before a cut may take to read them.
const LINGER: Duration = Duration::from_secs(10);
/// How long to wait at most before looking again whether a socket takes bytes. It is told at once.
const SEND_WAIT: Timespec = Timespec { tv_sec: 1, tv_nsec: 0 };
/// The largest piece.
const PIECE_BYTES_MAX: usize = 64 << 10;
/// Stack of a thread. The largest thing on it is a small buffer.
const STACK_BYTES: usize = 256 << 10;

/// A thread of this proxy, named by its port.
pub(super) fn builder(shared: &Shared) -> thread::Builder {
    thread::Builder::new().name(format!("net-{}", shared.port)).stack_size(STACK_BYTES)
}

/// What became of a try to pass something on.
enum Passed {
    Some,
    /// There is no room in the socket.
    Stuck,
    /// All has passed, or nothing more can.
    Ended,
    /// The connection is to be cut.
    Cut,
}

/// Reads until the other side has ended too. A socket that is closed with bytes unread takes back what it has sent, and
/// then fewer bytes would pass than were allowed.
fn linger(mut to: &TcpStream) {
    let started = Instant::now();
    let mut bytes = [0; 4096];
    loop {
        let left = LINGER.saturating_sub(started.elapsed());
        if left.is_zero() || to.set_read_timeout(Some(left)).is_err() {
            return;
        }
        match to.read(&mut bytes) {
            Ok(1..) => {}
            Err(why) if why.kind() == ErrorKind::Interrupted => {}
            Ok(0) | Err(_) => return,
        }
    }
}

/// Carries a connection to its end.
pub(super) fn forward(shared: &Shared, connection: &Connection, targets: &[SocketAddr]) {
    if !shared.wait_until_open(connection) {
        return;
    }
    let Some(server) = connect(targets) else { return };
    // A small answer must not wait for a larger one.
    let _ = (server.set_nodelay(true), connection.client.set_nodelay(true));
    let state = shared.lock();
    if connection.is_over() {
        return;
    }
    let (client, server) = (&connection.client, connection.server.get_or_init(|| server));
    drop(state);
    thread::scope(|scope| {
        let spawn = |run: Box<dyn FnOnce() + Send>| builder(shared).spawn_scoped(scope, run).is_ok();
        let are_there = spawn(Box::new(|| take_in(connection, Direction::ToServer, client)))
            && spawn(Box::new(|| take_in(connection, Direction::ToClient, server)))
            && spawn(Box::new(|| pass_on(connection, shared, Direction::ToServer, client, server)));
        if are_there {
            pass_on(connection, shared, Direction::ToClient, server, client);
        } else {
            // No threads for it: the client is told as if there were no server.
            let state = shared.lock();
            connection.begin_end();
            drop(state);
            connection.shut();
        }
    });
}

/// Connects to the first address that answers.
fn connect(targets: &[SocketAddr]) -> Option<TcpStream> {
    let started = Instant::now();
    targets.iter().find_map(|target| {
        let left = CONNECT_LIMIT.saturating_sub(started.elapsed());
        // A limit of zero would be an error.
        TcpStream::connect_timeout(target, left.max(Duration::from_millis(1))).ok()
    })
}

/// Reads what comes from one side until it ends.
fn take_in(connection: &Connection, way: Direction, mut from: &TcpStream) {
    let pipe = &connection.pipes[way as usize];
    let mut bytes = vec![0; PIECE_BYTES_MAX];
    loop {
        let content = match from.read(&mut bytes) {
            Ok(0) => Content::End,
            Ok(read) => Content::Bytes(bytes[..read].to_vec()),
            Err(why) if why.kind() == ErrorKind::Interrupted => continue,
            Err(_) => Content::Broken,
        };
        let goes_on = matches!(content, Content::Bytes(_));
        if !pipe.push(content) || !goes_on {
            return;
        }
    }
}

/// Hands on to the other side what has come, when it may pass.
fn pass_on(connection: &Connection, shared: &Shared, way: Direction, from: &TcpStream, to: &TcpStream) {
    let pipe = &connection.pipes[way as usize];
    let mut queue = pipe.lock();
    loop {
        let state = shared.lock();
        if connection.is_over() {
            return;
        }
        let wait = match (state.is_black_hole, queue.next(state.delays[way as usize])) {
            (true, _) => Some(None),
            (false, Next::Wait(time)) => Some(time),
            (false, Next::Pass(..)) => None,
        };
        if let Some(time) = wait {
            drop(state);
            queue = pipe.wait(queue, time);
            continue;
        }
        match pass(connection, way, to, &mut queue, state) {
            // The sender may wait for room.
            Passed::Some => pipe.notify(),
            Passed::Stuck => {
                drop(queue);
                let _ = poll(&mut [PollFd::new(to, PollFlags::OUT)], Some(&SEND_WAIT));
                queue = pipe.lock();
            }
            Passed::Ended => return pipe.notify(),
            Passed::Cut => {
                drop(queue);
                return cut(connection, from, to);
            }
        }
    }
}

/// Hands on as much of the oldest piece as may pass now. It never blocks, so the locks are held for a moment.
fn pass(
    connection: &Connection,
    way: Direction,
    to: &TcpStream,
    queue: &mut Queue,
    mut state: MutexGuard<'_, State>,
) -> Passed {
    let Next::Pass(content, passed) = queue.next(Duration::ZERO) else { return Passed::Some };
    let Content::Bytes(bytes) = content else {
        // A socket that is gone needs no end.
        let how = if matches!(content, Content::End) { Shutdown::Write } else { Shutdown::Both };
        let _ = to.shutdown(how);
        return Passed::Ended;
    };
    let is_unanswered = way == Direction::ToClient && connection.is_unanswered.load(Relaxed);
    let allowed = state.allowed(way, bytes.len() - passed);
    if is_unanswered || allowed == 0 {
        if !is_unanswered {
            state.cuts_due[way as usize].pop_front();
        }
        // Counted before anybody can know of it.
        state.cuts += u64::from(connection.begin_end());
        return Passed::Cut;
    }
    match send(to, &bytes[passed..passed + allowed], SendFlags::DONTWAIT) {
        Ok(sent) => {
            state.passed(way, sent);
            // No answer can have passed yet: that takes the state's lock.
            look_for_question(connection, way, queue, sent, &mut state);
            queue.pass(sent);
            Passed::Some
        }
        Err(Errno::INTR) => Passed::Some,
        Err(Errno::AGAIN) => Passed::Stuck,
        Err(_) => {
            // Whoever receives is gone. What it had sent before still passes the other way, and its end after that.
            queue.close();
            let _ = to.shutdown(Shutdown::Both);
            Passed::Ended
        }
    }
}

fn look_for_question(
    connection: &Connection,
    way: Direction,
    queue: &mut Queue,
    bytes: usize,
    state: &mut State,
) {
    let unanswered = &mut state.unanswered;
    let is_looked_for =
        way == Direction::ToServer && unanswered.times > 0 && !connection.is_unanswered.load(Relaxed);
    if !is_looked_for {
        queue.forget();
    } else if queue.has(&unanswered.question, bytes) {
        unanswered.times -= 1;
        connection.is_unanswered.store(true, Relaxed);
    }
}

/// Ends a connection in the middle of what passes.
fn cut(connection: &Connection, from: &TcpStream, to: &TcpStream) {
    connection.close_pipes();
    let _ = from.shutdown(Shutdown::Both);
    let _ = to.shutdown(Shutdown::Write);
    linger(to);
    let _ = to.shutdown(Shutdown::Both);
}
