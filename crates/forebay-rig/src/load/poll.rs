//! Waiting for sockets: epoll, level-triggered, with waits shorter than a millisecond.

use std::io;
use std::os::fd::BorrowedFd;
use std::time::Duration;

/// What a socket is ready for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ready {
    /// The number it was added under.
    pub index: usize,
    /// There is something to read, or the connection ended.
    pub readable: bool,
    /// There is room to write, or a connection came about or failed.
    pub writable: bool,
}

pub(super) use system::Poller;

#[cfg(any(target_os = "linux", target_os = "android"))]
mod system {
    use rustix::event::Timespec;
    use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};
    use rustix::fd::OwnedFd;

    use super::{BorrowedFd, Duration, Ready, io};

    /// Sockets looked at in one wait.
    const AT_ONCE: usize = 1_024;

    pub struct Poller {
        epoll: OwnedFd,
        events: Vec<Event>,
    }

    impl Poller {
        pub fn new() -> io::Result<Self> {
            Ok(Self { epoll: epoll::create(CreateFlags::CLOEXEC)?, events: Vec::with_capacity(AT_ONCE) })
        }

        pub fn add(&mut self, fd: BorrowedFd<'_>, index: usize, for_writing: bool) -> io::Result<()> {
            Ok(epoll::add(&self.epoll, fd, EventData::new_u64(index as u64), flags(for_writing))?)
        }

        /// Whether the wait also ends when the socket takes writes.
        pub fn watch_writes(&mut self, fd: BorrowedFd<'_>, index: usize, wanted: bool) -> io::Result<()> {
            Ok(epoll::modify(&self.epoll, fd, EventData::new_u64(index as u64), flags(wanted))?)
        }

        /// A socket that is about to be closed. The kernel lets go of it by itself.
        pub fn remove(&mut self, fd: BorrowedFd<'_>) {
            let _ = epoll::delete(&self.epoll, fd);
        }

        pub fn wait(&mut self, limit: Duration, ready: &mut Vec<Ready>) -> io::Result<()> {
            ready.clear();
            self.events.clear();
            let limit =
                Timespec { tv_sec: limit.as_secs().cast_signed(), tv_nsec: limit.subsec_nanos().into() };
            let buffer = rustix::buffer::spare_capacity(&mut self.events);
            match epoll::wait(&self.epoll, buffer, Some(&limit)) {
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
            let failed = EventFlags::ERR | EventFlags::HUP;
            ready.extend(self.events.iter().map(|event| {
                // Copied out: the kernel's structure is packed.
                let (flags, data) = (event.flags, event.data);
                Ready {
                    index: data.u64() as usize,
                    readable: flags.intersects(EventFlags::IN | failed),
                    writable: flags.intersects(EventFlags::OUT | failed),
                }
            }));
            Ok(())
        }
    }

    fn flags(for_writing: bool) -> EventFlags {
        if for_writing { EventFlags::IN | EventFlags::OUT } else { EventFlags::IN }
    }
}

/// Elsewhere poll(2) does: slower with very many connections, and waits are whole milliseconds.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
mod system {
    use std::os::fd::{AsRawFd, RawFd};

    use rustix::event::{PollFd, PollFlags, Timespec, poll};

    use super::{BorrowedFd, Duration, Ready, io};

    #[derive(Default)]
    pub struct Poller {
        watched: Vec<(RawFd, usize, bool)>,
    }

    impl Poller {
        pub fn new() -> io::Result<Self> {
            Ok(Self::default())
        }

        pub fn add(&mut self, fd: BorrowedFd<'_>, index: usize, for_writing: bool) -> io::Result<()> {
            self.watched.push((fd.as_raw_fd(), index, for_writing));
            Ok(())
        }

        pub fn watch_writes(&mut self, fd: BorrowedFd<'_>, _: usize, wanted: bool) -> io::Result<()> {
            for one in self.watched.iter_mut().filter(|one| one.0 == fd.as_raw_fd()) {
                one.2 = wanted;
            }
            Ok(())
        }

        pub fn remove(&mut self, fd: BorrowedFd<'_>) {
            self.watched.retain(|one| one.0 != fd.as_raw_fd());
        }

        pub fn wait(&mut self, limit: Duration, ready: &mut Vec<Ready>) -> io::Result<()> {
            ready.clear();
            let limit = Timespec { tv_sec: limit.as_secs() as _, tv_nsec: limit.subsec_nanos() as _ };
            let flags = |writes| if writes { PollFlags::IN | PollFlags::OUT } else { PollFlags::IN };
            // SAFETY: whoever closes a socket calls `remove` first, so each of these is open.
            let borrowed = |fd| unsafe { BorrowedFd::borrow_raw(fd) };
            let mut fds: Vec<_> = self
                .watched
                .iter()
                .map(|one| PollFd::from_borrowed_fd(borrowed(one.0), flags(one.2)))
                .collect();
            match poll(&mut fds, Some(&limit)) {
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
            let failed = PollFlags::ERR | PollFlags::HUP;
            let some = fds.iter().zip(&self.watched).filter(|(fd, _)| !fd.revents().is_empty());
            ready.extend(some.map(|(fd, one)| Ready {
                index: one.1,
                readable: fd.revents().intersects(PollFlags::IN | failed),
                writable: fd.revents().intersects(PollFlags::OUT | failed),
            }));
            Ok(())
        }
    }
}
