//! A tree of files in memory, and what a power cut would leave of it. It knows nothing of FUSE.
//!
//! What survives is what POSIX promises and no more: the bytes of a file as of its last fsync, the names in a folder as of
//! the last fsync of the folder. File systems keep more on most days; a program that needs more loses data on others.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};
use std::time::SystemTime;

use rustix::io::Errno;

use super::exchange::Exchanges;
use super::file::File;
use super::undo::Undo;
use fastrand::Rng;

/// The number of the folder at the top.
pub(super) const ROOT: u64 = 1;

/// Names that one step changed, and what each stood for before it.
type Step = Vec<(OsString, Option<u64>)>;

#[derive(Debug, Default)]
pub(super) struct Folder {
    names: BTreeMap<OsString, u64>,
    undo: Undo<Step>,
}

impl Folder {
    /// Sets names, all in one step; none stands for nothing.
    fn set(&mut self, names: Step) {
        let mut before = Step::new();
        for (name, number) in names {
            before.push((name.clone(), self.names.get(&name).copied()));
            self.put(name, number);
        }
        self.undo.push(before);
    }

    fn put(&mut self, name: OsString, number: Option<u64>) {
        match number {
            Some(number) => self.names.insert(name, number),
            None => self.names.remove(&name),
        };
    }

    /// So many changes survive a power cut; how many are gone.
    fn cut_power(&mut self, surviving: u64) -> u64 {
        let gone = self.undo.changes() - surviving;
        while self.undo.changes() > surviving {
            for (name, number) in self.undo.newest().unwrap_or_default() {
                self.put(name, number);
            }
        }
        self.undo.settle(surviving);
        gone
    }
}

#[derive(Debug)]
pub(super) enum Body {
    File(File),
    Folder(Folder),
}

/// A file or a folder.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) body: Body,
    pub(super) mode: u16,
    pub(super) changed: SystemTime,
    /// How often it is open: an open file outlives its name.
    open: u64,
}

impl Node {
    pub(super) fn length(&self) -> u64 {
        match &self.body {
            Body::File(file) => file.bytes().len() as u64,
            Body::Folder(_) => 0,
        }
    }
}

/// The tree.
#[derive(Debug)]
pub(super) struct Model {
    nodes: BTreeMap<u64, Node>,
    next: u64,
    /// Bytes that fit.
    pub(super) room: u64,
    exchanges: Exchanges,
}

impl Model {
    pub(super) fn new(room: u64) -> Self {
        let root =
            Node { body: Body::Folder(Folder::default()), mode: 0o755, changed: SystemTime::now(), open: 1 };
        Self { nodes: BTreeMap::from([(ROOT, root)]), next: ROOT + 1, room, exchanges: Exchanges::default() }
    }

    /// Bytes of all files that have a name or are open.
    pub(super) fn used(&self) -> u64 {
        self.reachable(false).iter().filter_map(|number| self.nodes.get(number)).map(Node::length).sum()
    }

    pub(super) fn node(&self, number: u64) -> Result<&Node, Errno> {
        self.nodes.get(&number).ok_or(Errno::NOENT)
    }

    fn node_mut(&mut self, number: u64) -> Result<&mut Node, Errno> {
        self.nodes.get_mut(&number).ok_or(Errno::NOENT)
    }

    fn folder(&mut self, number: u64) -> Result<&mut Folder, Errno> {
        let node = self.node_mut(number)?;
        node.changed = SystemTime::now();
        match &mut node.body {
            Body::Folder(folder) => Ok(folder),
            Body::File(_) => Err(Errno::NOTDIR),
        }
    }

    fn file(&mut self, number: u64) -> Result<&mut File, Errno> {
        let node = self.node_mut(number)?;
        node.changed = SystemTime::now();
        match &mut node.body {
            Body::File(file) => Ok(file),
            Body::Folder(_) => Err(Errno::ISDIR),
        }
    }

    /// What a name in a folder stands for.
    pub(super) fn look_up(&self, folder: u64, name: &OsStr) -> Result<u64, Errno> {
        self.names(folder)?.get(name).copied().ok_or(Errno::NOENT)
    }

    pub(super) fn names(&self, folder: u64) -> Result<&BTreeMap<OsString, u64>, Errno> {
        match &self.node(folder)?.body {
            Body::Folder(folder) => Ok(&folder.names),
            Body::File(_) => Err(Errno::NOTDIR),
        }
    }

    /// Makes a file or a folder.
    pub(super) fn make(
        &mut self,
        folder: u64,
        name: &OsStr,
        mode: u16,
        is_folder: bool,
    ) -> Result<u64, Errno> {
        if self.look_up(folder, name).is_ok() {
            return Err(Errno::EXIST);
        }
        let number = self.next;
        self.folder(folder)?.set(vec![(name.to_owned(), Some(number))]);
        self.next += 1;
        let body = if is_folder { Body::Folder(Folder::default()) } else { Body::File(File::default()) };
        self.nodes.insert(number, Node { body, mode, changed: SystemTime::now(), open: 0 });
        Ok(number)
    }

    /// Takes a name away.
    pub(super) fn remove(&mut self, folder: u64, name: &OsStr, is_folder: bool) -> Result<(), Errno> {
        match &self.node(self.look_up(folder, name)?)?.body {
            Body::Folder(_) if !is_folder => return Err(Errno::ISDIR),
            Body::Folder(inner) if !inner.names.is_empty() => return Err(Errno::NOTEMPTY),
            Body::File(_) if is_folder => return Err(Errno::NOTDIR),
            _ => {}
        }
        self.folder(folder)?.set(vec![(name.to_owned(), None)]);
        self.collect();
        Ok(())
    }

    /// Gives a file or a folder another name. Within one folder that is one step, and either survives or does not.
    pub(super) fn rename(&mut self, from: (u64, &OsStr), to: (u64, &OsStr)) -> Result<(), Errno> {
        let number = self.look_up(from.0, from.1)?;
        if let Ok(there) = self.look_up(to.0, to.1) {
            if there == number {
                return Ok(());
            }
            match (&self.node(number)?.body, &self.node(there)?.body) {
                (Body::File(_), Body::Folder(_)) => return Err(Errno::ISDIR),
                (Body::Folder(_), Body::File(_)) => return Err(Errno::NOTDIR),
                (_, Body::Folder(inner)) if !inner.names.is_empty() => return Err(Errno::NOTEMPTY),
                _ => {}
            }
        }
        let (gone, come) = ((from.1.to_owned(), None), (to.1.to_owned(), Some(number)));
        if from.0 == to.0 {
            self.folder(from.0)?.set(vec![gone, come]);
        } else {
            self.folder(to.0)?.set(vec![come]);
            self.folder(from.0)?.set(vec![gone]);
        }
        self.collect();
        Ok(())
    }

    /// Gives each of two files or folders the name of the other. A journal has that as one change.
    pub(super) fn exchange(&mut self, one: (u64, &OsStr), other: (u64, &OsStr)) -> Result<(), Errno> {
        let (first, second) = (self.look_up(one.0, one.1)?, self.look_up(other.0, other.1)?);
        let (gets, gives) = ((one.1.to_owned(), Some(second)), (other.1.to_owned(), Some(first)));
        if one.0 == other.0 {
            self.folder(one.0)?.set(vec![gets, gives]);
            return Ok(());
        }
        self.folder(one.0)?.set(vec![gets]);
        self.folder(other.0)?.set(vec![gives]);
        let changes = [(one.0, self.changes(one.0)?), (other.0, self.changes(other.0)?)];
        self.exchanges.push(changes);
        Ok(())
    }

    /// Gives a file one more name.
    pub(super) fn link(&mut self, number: u64, folder: u64, name: &OsStr) -> Result<(), Errno> {
        if self.look_up(folder, name).is_ok() {
            return Err(Errno::EXIST);
        }
        if matches!(self.node(number)?.body, Body::Folder(_)) {
            return Err(Errno::PERM);
        }
        self.folder(folder)?.set(vec![(name.to_owned(), Some(number))]);
        Ok(())
    }

    pub(super) fn opened(&mut self, number: u64) -> Result<(), Errno> {
        self.node_mut(number)?.open += 1;
        Ok(())
    }

    pub(super) fn closed(&mut self, number: u64) {
        if let Ok(node) = self.node_mut(number) {
            node.open = node.open.saturating_sub(1);
            self.collect();
        }
    }

    pub(super) fn read(&self, number: u64, at: u64, length: u32) -> Result<&[u8], Errno> {
        let Body::File(file) = &self.node(number)?.body else { return Err(Errno::ISDIR) };
        let bytes = file.bytes();
        let from = usize::try_from(at).unwrap_or(usize::MAX).min(bytes.len());
        Ok(&bytes[from..bytes.len().min(from + length as usize)])
    }

    /// Writes as much as there is room for; how much that was.
    pub(super) fn write(&mut self, number: u64, at: u64, data: &[u8]) -> Result<usize, Errno> {
        let free = self.room.saturating_sub(self.used());
        let length = self.node(number)?.length();
        let fits = length.saturating_add(free).saturating_sub(at).min(data.len() as u64) as usize;
        if fits == 0 && !data.is_empty() {
            return Err(Errno::NOSPC);
        }
        self.file(number)?.write(usize::try_from(at).map_err(|_| Errno::FBIG)?, &data[..fits]);
        Ok(fits)
    }

    pub(super) fn resize(&mut self, number: u64, length: u64) -> Result<(), Errno> {
        let more = length.saturating_sub(self.node(number)?.length());
        if more > self.room.saturating_sub(self.used()) {
            return Err(Errno::NOSPC);
        }
        self.file(number)?.resize(usize::try_from(length).map_err(|_| Errno::FBIG)?);
        Ok(())
    }

    pub(super) fn set_mode(&mut self, number: u64, mode: u16) -> Result<(), Errno> {
        self.node_mut(number)?.mode = mode;
        Ok(())
    }

    /// Changes of a file or a folder until now: what an fsync that begins now will cover.
    pub(super) fn changes(&self, number: u64) -> Result<u64, Errno> {
        Ok(match &self.node(number)?.body {
            Body::File(file) => file.changes(),
            Body::Folder(folder) => folder.undo.changes(),
        })
    }

    /// An fsync is done: so many changes stay, whatever comes.
    pub(super) fn settle(&mut self, number: u64, changes: u64) {
        match self.nodes.get_mut(&number).map(|node| &mut node.body) {
            Some(Body::File(file)) => file.settle(changes),
            Some(Body::Folder(folder)) => folder.undo.settle(changes),
            None => {}
        }
        // A journal that has this has the other halves too, and what came before them.
        for (other, changes) in self.exchanges.settled_with(number, changes) {
            self.settle(other, changes);
        }
        self.collect();
    }

    /// Everything stays, as after a while without changes, when the kernel has written all of it.
    pub(super) fn settle_all(&mut self) {
        for number in self.nodes.keys().copied().collect::<Vec<_>>() {
            self.settle(number, u64::MAX);
        }
    }

    /// The power fails. Without `some`, everything that has not settled is gone; with it, of each file and folder as
    /// many of the newest changes as it draws. How many changes are gone.
    pub(super) fn cut_power(&mut self, mut some: Option<&mut Rng>) -> u64 {
        let (mut gone, mut surviving) = (0, BTreeMap::new());
        for (number, node) in &mut self.nodes {
            match &mut node.body {
                Body::File(file) => gone += file.cut_power(some.as_deref_mut()),
                Body::Folder(folder) => {
                    surviving.insert(*number, folder.undo.surviving(some.as_deref_mut()));
                }
            }
        }
        self.exchanges.undo_both(&mut surviving);
        for (number, surviving) in surviving {
            if let Some(Body::Folder(folder)) = self.nodes.get_mut(&number).map(|node| &mut node.body) {
                gone += folder.cut_power(surviving);
            }
        }
        self.collect();
        gone
    }

    /// Changes what is on the disk itself; what the change says of it.
    pub(super) fn damage<T>(
        &mut self,
        number: u64,
        change: impl FnOnce(&mut Vec<u8>) -> T,
    ) -> Result<T, Errno> {
        Ok(self.file(number)?.damage(change))
    }

    /// Forgets what has no name, is not open, and can get no name back.
    fn collect(&mut self) {
        let kept = self.reachable(true);
        self.nodes.retain(|number, _| kept.contains(number));
    }

    /// What has a name or is open, and with `undone` what a power cut may give a name to.
    fn reachable(&self, undone: bool) -> BTreeSet<u64> {
        let mut waiting: Vec<u64> =
            self.nodes.iter().filter(|(_, node)| node.open > 0).map(|(number, _)| *number).collect();
        let mut found = BTreeSet::new();
        while let Some(number) = waiting.pop() {
            let Some(node) = self.nodes.get(&number) else { continue };
            if !found.insert(number) {
                continue;
            }
            if let Body::Folder(folder) = &node.body {
                waiting.extend(folder.names.values());
                if undone {
                    waiting.extend(folder.undo.steps().flatten().filter_map(|(_, before)| *before));
                }
            }
        }
        found
    }
}
