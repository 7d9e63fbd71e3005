//! What is tried: each fault under each way to fsync and to acknowledge, and which of these make no sense.

use forebay::buffer::writer::Ack;

/// What befalls the server, its disk, or its clients.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    Restart,
    Kill,
    KillInRewrite,
    KillInSlowFsync,
    PowerCut,
    PowerCutInRewrite,
    /// For settings that put fsyncs off: in a rewrite that lasts longer than `everysec` may lose.
    PowerCutInLongRewrite,
    DiskFull,
    FsyncFails,
    Pause,
    ConnectionCut,
    WriterKilled,
    ReaderKilled,
}

impl Fault {
    /// Those of the proof.
    pub const ALL: [Self; 12] = [
        Self::Restart,
        Self::Kill,
        Self::KillInRewrite,
        Self::KillInSlowFsync,
        Self::PowerCut,
        Self::PowerCutInRewrite,
        Self::DiskFull,
        Self::FsyncFails,
        Self::Pause,
        Self::ConnectionCut,
        Self::WriterKilled,
        Self::ReaderKilled,
    ];

    /// Its part of a claim's name.
    pub fn id(self) -> &'static str {
        match self {
            Self::Restart => "restart",
            Self::Kill => "kill",
            Self::KillInRewrite => "kill-rewrite",
            Self::KillInSlowFsync => "kill-slow-fsync",
            Self::PowerCut => "power",
            Self::PowerCutInRewrite => "power-rewrite",
            Self::PowerCutInLongRewrite => "power-long-rewrite",
            Self::DiskFull => "disk-full",
            Self::FsyncFails => "fsync-fails",
            Self::Pause => "pause",
            Self::ConnectionCut => "connection-cut",
            Self::WriterKilled => "writer-killed",
            Self::ReaderKilled => "reader-killed",
        }
    }

    /// What is done, in words.
    pub fn words(self) -> &'static str {
        match self {
            Self::Restart => "a graceful restart",
            Self::Kill => "a kill under load",
            Self::KillInRewrite => "a kill during a rewrite of the AOF",
            Self::KillInSlowFsync => "a kill during a slow fsync",
            Self::PowerCut => "a power cut",
            Self::PowerCutInRewrite => "a power cut during, or just after, a rewrite of the AOF",
            Self::PowerCutInLongRewrite => "a power cut in a rewrite of the AOF that lasts",
            Self::DiskFull => "a full disk, and space again",
            Self::FsyncFails => "an fsync that fails",
            Self::Pause => "a pause of 5 s",
            Self::ConnectionCut => "connections cut in the middle of a block",
            Self::WriterKilled => "a writer that ends in the middle, and another one",
            Self::ReaderKilled => "a reader that ends between reading and acknowledging",
        }
    }

    /// Whether the server, or its disk, has a part in it.
    pub fn ends_server(self) -> bool {
        !matches!(self, Self::Pause | Self::ConnectionCut | Self::WriterKilled | Self::ReaderKilled)
    }

    /// Whether what is not on the disk is gone.
    pub fn cuts_power(self) -> bool {
        matches!(self, Self::PowerCut | Self::PowerCutInRewrite | Self::PowerCutInLongRewrite)
    }

    /// Whether it can only be done on a disk of our own.
    pub fn needs_disk(self) -> bool {
        matches!(
            self,
            Self::KillInSlowFsync
                | Self::PowerCut
                | Self::PowerCutInRewrite
                | Self::PowerCutInLongRewrite
                | Self::DiskFull
                | Self::FsyncFails
        )
    }
}

/// When the server fsyncs its AOF.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Appendfsync {
    Always,
    Everysec,
    No,
}

impl Appendfsync {
    pub const ALL: [Self; 3] = [Self::Always, Self::Everysec, Self::No];

    /// As the setting has it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Always => "always",
            Self::Everysec => "everysec",
            Self::No => "no",
        }
    }
}

/// One of what is tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Cell {
    pub fault: Fault,
    pub appendfsync: Appendfsync,
    pub ack: Ack,
}

impl Cell {
    /// Every cell, those that make no sense among them.
    pub fn all() -> impl Iterator<Item = Self> {
        Fault::ALL.into_iter().flat_map(|fault| {
            Appendfsync::ALL.into_iter().flat_map(move |appendfsync| {
                [Ack::Reply, Ack::Fsync].map(move |ack| Self { fault, appendfsync, ack })
            })
        })
    }

    /// The name of its claim.
    pub fn id(self) -> String {
        let ack = if self.ack == Ack::Fsync { ".fsync" } else { "" };
        format!("durability.{}.{}{ack}", self.fault.id(), self.appendfsync.word())
    }

    /// How it is set, in words.
    pub fn setting(self) -> String {
        let ack = if self.ack == Ack::Fsync { ", acknowledged after fsync" } else { "" };
        format!("appendfsync {}{ack}", self.appendfsync.word())
    }
}
