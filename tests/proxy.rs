//! A proxy that cuts connections in the middle of what passes.

#![allow(clippy::unwrap_used, reason = "helpers of tests may unwrap as tests do")]

use std::collections::VecDeque;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::sync::{Arc, Mutex};

use forebay::buffer::connect::Address;
use forebay::server::Server;

/// Which way bytes go.
#[derive(Debug, Clone, Copy)]
pub enum Way {
    ToServer,
    ToClient,
}

#[derive(Default)]
struct Wires {
    /// Bytes that may still pass each way before each cut; without one, all may.
    left: Mutex<[VecDeque<usize>; 2]>,
    cuts: AtomicU64,
    ended: AtomicBool,
    /// Questions that hold this have no answer, so many times.
    unanswered: Mutex<(Vec<u8>, u64)>,
    open: Mutex<Vec<TcpStream>>,
}

impl Wires {
    /// Sees whether a question passes that is to have no answer. Small ones come in one piece.
    fn mark(&self, bytes: &[u8], is_dropped: &AtomicBool) {
        let mut unanswered = self.unanswered.lock().unwrap();
        let (question, times) = &mut *unanswered;
        if *times > 0 && bytes.windows(question.len()).any(|part| part == question) {
            *times -= 1;
            is_dropped.store(true, Relaxed);
        }
    }
}

/// Stands between client and server, and cuts a connection in the middle of whatever passes.
pub struct Proxy {
    port: u16,
    wires: Arc<Wires>,
}

impl Proxy {
    pub fn start(server: &Server) -> Self {
        let target = server.port();
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let wires = Arc::new(Wires::default());
        let shared = Arc::clone(&wires);
        std::thread::spawn(move || {
            for client in listener.incoming() {
                if shared.ended.load(Relaxed) {
                    return;
                }
                let Ok(client) = client else { continue };
                // A server that is away refuses; the client is told by a closed connection.
                let Ok(server) = TcpStream::connect((Ipv4Addr::LOCALHOST, target)) else { continue };
                let mut open = shared.open.lock().unwrap();
                open.extend([client.try_clone().unwrap(), server.try_clone().unwrap()]);
                drop(open);
                let (to, from) = (server.try_clone().unwrap(), client.try_clone().unwrap());
                let is_dropped = Arc::new(AtomicBool::new(false));
                let (wires, dropped) = (Arc::clone(&shared), Arc::clone(&is_dropped));
                std::thread::spawn(move || pass(&wires, Way::ToServer, from, to, &dropped));
                let wires = Arc::clone(&shared);
                std::thread::spawn(move || pass(&wires, Way::ToClient, server, client, &is_dropped));
            }
        });
        Self { port, wires }
    }

    pub fn address(&self) -> Address {
        Address::parse(&format!("redis://127.0.0.1:{}", self.port)).unwrap()
    }

    /// Lets so many bytes more pass this way, all connections together, then cuts the one that has the next.
    pub fn cut_after(&self, way: Way, bytes: usize) {
        self.cut_again_and_again(way, [bytes]);
    }

    /// The same several times, each count of bytes from the last cut on.
    pub fn cut_again_and_again(&self, way: Way, bytes: impl Into<VecDeque<usize>>) {
        self.wires.left.lock().unwrap()[way as usize] = bytes.into();
    }

    /// Cuts the connection on which such a question passes when its answer comes, so many times.
    pub fn leave_unanswered(&self, question: &str, times: u64) {
        *self.wires.unanswered.lock().unwrap() = (question.as_bytes().to_vec(), times);
    }

    pub fn cuts(&self) -> u64 {
        self.wires.cuts.load(Relaxed)
    }

    /// Cuts every connection there is.
    pub fn cut_all(&self) {
        for wire in self.wires.open.lock().unwrap().drain(..) {
            let _ = wire.shutdown(Shutdown::Both);
        }
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.wires.ended.store(true, Relaxed);
        self.cut_all();
        // Wakes the thread that waits for the next connection.
        let _ = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port));
    }
}

fn pass(wires: &Wires, way: Way, mut from: TcpStream, mut to: TcpStream, is_dropped: &AtomicBool) {
    let mut bytes = vec![0; 16 << 10];
    while let Ok(read @ 1..) = from.read(&mut bytes) {
        match way {
            Way::ToClient if is_dropped.load(Relaxed) => {
                wires.cuts.fetch_add(1, Relaxed);
                break;
            }
            Way::ToClient => {}
            Way::ToServer => wires.mark(&bytes[..read], is_dropped),
        }
        let mut all_left = wires.left.lock().unwrap();
        let left = &mut all_left[way as usize];
        let allowed = left.front().map_or(read, |left| read.min(*left));
        let is_cut = left.front().is_some_and(|left| *left < read);
        if is_cut {
            left.pop_front();
        } else if let Some(left) = left.front_mut() {
            *left -= read;
        }
        drop(all_left);
        if to.write_all(&bytes[..allowed]).is_err() || is_cut {
            if is_cut {
                wires.cuts.fetch_add(1, Relaxed);
            }
            break;
        }
    }
    let _ = from.shutdown(Shutdown::Both);
    let _ = to.shutdown(Shutdown::Both);
}
