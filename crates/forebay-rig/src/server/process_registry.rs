//! Ending with the owner: who is alive, on which port and in which folder, and how all of them are ended at once.
//!
//! A server is put down here before it is started and struck off once it is gone. Everything that starts one holds the
//! registry's lock, so that no server can come up behind the back of [`end_all`].

use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::ops::Range;
use std::os::fd::OwnedFd;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Sender, SyncSender, channel, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process, kill_process_group};

use super::ServerError;
use super::folder::{Folder, Purpose};
use super::wait::poll;

/// Ports lie below those that systems give to outgoing connections (Linux from 32768, macOS from 49152). From there, a
/// client that tries again while its server is down may be given the server's own port, and even connect to itself.
const PORTS: Range<u16> = 20_000..32_768;
/// A node of a cluster also listens so far above its port, for other nodes. Before Redis 7.0 nothing else can be set, so a
/// node's port is one whose second lies among [`PORTS`] too.
const BUS_ABOVE: u16 = 10_000;
/// How many ports are tried before giving up.
const PORT_TRIES: u32 = 200;
/// How long a killed process may take to be gone: only one stuck in the kernel, on a broken disk, takes long.
pub(super) const KILL_LIMIT: Duration = Duration::from_secs(10);
/// The longest that [`end_all`] waits for one server, so that a stuck one does not keep the others alive.
const END_LIMIT: Duration = Duration::from_secs(2);

static ENDING: AtomicBool = AtomicBool::new(false);
static REGISTRY: Mutex<Registry> = Mutex::new(Registry { held: Vec::new(), spawner: None });

struct Registry {
    held: Vec<Arc<OwnedProcess>>,
    /// The thread that starts processes; see [`spawner`].
    spawner: Option<Sender<SpawnJob>>,
}

struct SpawnJob {
    command: Command,
    reply: SyncSender<io::Result<Child>>,
}

/// What must not be left behind: a process and its folder. The port stays taken while the server is down.
#[derive(Debug)]
pub(super) struct OwnedProcess {
    pub(super) port: u16,
    /// A second port, where it is a node of a cluster.
    bus: Option<u16>,
    /// Keep the ports from other programs of ours while the server is down.
    _claims: Vec<OwnedFd>,
    child: Mutex<Option<Child>>,
    folder: Mutex<Option<Folder>>,
}

/// The values behind these locks are valid between any two statements, so a panic elsewhere does not spoil them.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The registry, unless this program is ending.
fn registry() -> Result<MutexGuard<'static, Registry>, ServerError> {
    let registry = lock(&REGISTRY);
    if ending() { Err(ServerError::Ending) } else { Ok(registry) }
}

/// Takes a free port and makes a temporary folder, both known to [`end_all`] from the start.
pub(super) fn reserve() -> Result<Arc<OwnedProcess>, ServerError> {
    reserve_among(PORTS, None)
}

/// The same for a node of a cluster, which takes a second port.
pub(super) fn reserve_for_node() -> Result<Arc<OwnedProcess>, ServerError> {
    reserve_among(PORTS.start..PORTS.end - BUS_ABOVE, Some(BUS_ABOVE))
}

fn reserve_among(ports: Range<u16>, above: Option<u16>) -> Result<Arc<OwnedProcess>, ServerError> {
    let mut registry = registry()?;
    let is_free = |port: u16| {
        registry.held.iter().all(|held| held.port != port && held.bus != Some(port))
            && TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok()
    };
    let take = |port: u16| claim(port).ok().filter(|_| is_free(port));
    let take_all = |port: u16| {
        let bus = above.map(|above| port + above);
        let claims = [Some(port), bus].into_iter().flatten().map(take).collect::<Option<Vec<_>>>()?;
        Some((port, bus, claims.into_iter().flatten().collect()))
    };
    let (port, bus, claims) = (0..PORT_TRIES)
        .map(|_| random_port(&ports))
        .find_map(take_all)
        .ok_or(ServerError::NoFreePort { from: ports.start, to: ports.end - 1, tries: PORT_TRIES })?;
    let folder = Folder::new(Purpose::Server).map_err(|source| ServerError::Folder {
        doing: "make a folder in",
        path: std::env::temp_dir(),
        source,
    })?;
    let held = Arc::new(OwnedProcess {
        port,
        bus,
        _claims: claims,
        child: Mutex::new(None),
        folder: Mutex::new(Some(folder)),
    });
    registry.held.push(Arc::clone(&held));
    Ok(held)
}

/// A port is claimed by another program of ours.
struct Claimed;

/// Claims a port among the programs of ours on this machine, where that can be done. The claim is a name that the
/// kernel gives back with the last of its holders, however that ends.
#[cfg(target_os = "linux")]
fn claim(port: u16) -> Result<Option<OwnedFd>, Claimed> {
    use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, bind, socket_with};
    let made =
        socket_with(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None).and_then(|socket| {
            let name = format!("forebay-port-{port}");
            bind(&socket, &SocketAddrUnix::new_abstract_name(name.as_bytes())?)?;
            Ok(socket)
        });
    match made {
        Ok(socket) => Ok(Some(socket)),
        Err(rustix::io::Errno::ADDRINUSE) => Err(Claimed),
        // Where there are no such names, ports are only told apart while servers are up.
        Err(_) => Ok(None),
    }
}

/// Elsewhere there are no such names: ports are only told apart while servers are up.
#[cfg(not(target_os = "linux"))]
fn claim(_: u16) -> Result<Option<OwnedFd>, Claimed> {
    Ok(None)
}

/// At random, so that several programs that look for a port at the same time seldom meet.
fn random_port(ports: &Range<u16>) -> u16 {
    use std::hash::{BuildHasher, RandomState};
    let width = u64::from(ports.end - ports.start);
    ports.start + (RandomState::new().hash_one(()) % width) as u16
}

/// Starts the process of a reserved server; its id.
pub(super) fn spawn(held: &OwnedProcess, mut command: Command) -> Result<u32, ServerError> {
    let path = command.get_program().into();
    let mut registry = registry()?;
    // A group of its own: a terminal's Ctrl-C goes to us alone, and what the server forks can be ended with it.
    std::os::unix::process::CommandExt::process_group(&mut command, 0);
    keep_private(&mut command);
    die_with_owner(&mut command);
    let spawned = spawner(&mut registry).and_then(|spawner| {
        let (reply, answer) = sync_channel(1);
        let gone = || io::Error::other("the thread that starts servers is gone");
        spawner.send(SpawnJob { command, reply }).map_err(|_| gone())?;
        answer.recv().map_err(|_| gone())?
    });
    let child = spawned.map_err(|source| ServerError::Spawn { path, source })?;
    let pid = child.id();
    *lock(&held.child) = Some(child);
    Ok(pid)
}

/// The one thread that starts processes, and lives until the program ends. It is needed because the kernel ends a
/// process by `PR_SET_PDEATHSIG` when the *thread* that started it ends: a server started by a worker thread that
/// finishes would be killed then.
fn spawner(registry: &mut Registry) -> io::Result<&Sender<SpawnJob>> {
    if registry.spawner.is_none() {
        let (send, jobs) = channel::<SpawnJob>();
        thread::Builder::new().name("forebay-spawn".into()).spawn(move || {
            for mut job in jobs {
                let _ = job.reply.send(job.command.spawn());
            }
        })?;
        registry.spawner = Some(send);
    }
    registry.spawner.as_ref().ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))
}

/// What the process writes is for this user alone, wherever it writes it.
fn keep_private(command: &mut Command) {
    use std::os::unix::process::CommandExt as _;
    let in_child = || {
        rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o077));
        Ok(())
    };
    // SAFETY: between fork and exec, with other threads alive in the owner, only async-signal-safe calls are sound.
    // `in_child` makes one system call (umask), allocates nothing and takes no lock.
    unsafe { command.pre_exec(in_child) };
}

/// Asks the kernel to kill the process when its owner is gone, however that came about.
#[cfg(target_os = "linux")]
fn die_with_owner(command: &mut Command) {
    use rustix::process::{getppid, set_parent_process_death_signal};
    use std::os::unix::process::CommandExt as _;
    let owner = std::process::id();
    let in_child = move || {
        set_parent_process_death_signal(Some(Signal::KILL))?;
        // The owner may have died between the fork and the line above: then nobody would send the signal.
        let parent = getppid().map_or(0, |pid| pid.as_raw_nonzero().get().unsigned_abs());
        if parent == owner { Ok(()) } else { Err(io::Error::from(io::ErrorKind::NotFound)) }
    };
    // SAFETY: between fork and exec, with other threads alive in the owner, only async-signal-safe calls are sound.
    // `in_child` makes two system calls (prctl, getppid) and builds an error without allocating; it takes no lock and
    // touches no memory but its own copy of `owner`.
    unsafe { command.pre_exec(in_child) };
}

/// Elsewhere the kernel has no such service: an owner killed with SIGKILL leaves its servers behind.
#[cfg(not(target_os = "linux"))]
fn die_with_owner(_: &mut Command) {}

impl OwnedProcess {
    /// The temporary folder.
    pub(super) fn folder_path(&self) -> Result<PathBuf, ServerError> {
        lock(&self.folder).as_ref().map(|folder| folder.path().to_owned()).ok_or(ServerError::Ending)
    }

    /// How the process ended, or `None` while it runs.
    pub(super) fn ended(&self) -> io::Result<Option<ExitStatus>> {
        lock(&self.child).as_mut().map_or(Err(io::ErrorKind::NotFound.into()), Child::try_wait)
    }

    /// Sends a signal; `false` when the process has ended. The lock is held from the look to the signal, so that a
    /// process id that was given to somebody else meanwhile is never signalled.
    pub(super) fn signal(&self, signal: Signal) -> io::Result<bool> {
        let mut child = lock(&self.child);
        let Some(child) = child.as_mut() else { return Ok(false) };
        if child.try_wait()?.is_some() {
            return Ok(false);
        }
        let pid = Pid::from_child(child);
        // SIGKILL goes to the group: a forked child that rewrites the AOF would write on in the folder for a while.
        if signal == Signal::KILL { kill_process_group(pid, signal) } else { kill_process(pid, signal) }?;
        Ok(true)
    }

    /// Kills the process if it runs and removes the folder. What fails is logged: this is the last chance.
    fn end(&self, limit: Duration) {
        let gone = self.signal(Signal::KILL).is_ok_and(|was_running| {
            !was_running || poll(limit, || self.ended().transpose()).is_some_and(|status| status.is_ok())
        });
        let Some(folder) = lock(&self.folder).take() else { return };
        // What the server forked may write one more file between the kill and its end.
        let removed = poll(Duration::from_secs(1), || match std::fs::remove_dir_all(folder.path()) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => None,
            _ => Some(()),
        });
        if !gone || removed.is_none() {
            tracing::warn!(port = self.port, folder = %folder.path().display(), gone, "a server was left behind");
        }
    }
}

/// Ends one server, removes its folder, and strikes it off.
pub(super) fn release(held: &Arc<OwnedProcess>) {
    held.end(KILL_LIMIT);
    lock(&REGISTRY).held.retain(|other| !Arc::ptr_eq(other, held));
}

/// Kills every server of this program and removes its folder. No server can be started from here on.
pub fn end_all() {
    ENDING.store(true, Ordering::SeqCst);
    let held = std::mem::take(&mut lock(&REGISTRY).held);
    for server in held {
        server.end(END_LIMIT);
    }
    super::fault::disk::unmount_all();
}

/// Whether [`end_all`] was called. An error met afterwards is a consequence, and not worth telling.
pub fn ending() -> bool {
    ENDING.load(Ordering::SeqCst)
}

/// From now on SIGINT, SIGTERM and SIGHUP end every server, run `on_exit`, and end the program with
/// `code`, unless `ends_itself` says that what runs has heard and will end by itself. To be called
/// once, by the binary.
pub fn install_signal_handler(
    code: u8,
    ends_itself: impl Fn() -> bool + Send + 'static,
    on_exit: impl Fn() + Send + 'static,
) -> Result<(), ServerError> {
    ctrlc::set_handler(move || {
        if catch_unwind(AssertUnwindSafe(&ends_itself)).unwrap_or(false) {
            return;
        }
        end_all();
        // Whatever it does, the program ends: to print into a closed pipe is enough to panic.
        let _ = catch_unwind(AssertUnwindSafe(&on_exit));
        std::process::exit(code.into());
    })?;
    Ok(())
}
