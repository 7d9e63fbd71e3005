//! What becomes of events while the server takes none, as options, and as the words about what came of it.

use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::{Args, ValueEnum, ValueHint};

use super::output;
use forebay::buffer::overflow::{Overflow, Spill};
use forebay::buffer::writer::Counts;
use forebay_watch::figures;

/// The options.
#[derive(Args, Clone)]
pub(super) struct OverflowArgs {
    /// What becomes of events while the server takes none; spill where --spill is given
    #[arg(long, value_name = "POLICY", value_enum)]
    overflow: Option<Policy>,
    /// Folder for blocks that the server does not take; of one buffer, for one writer at a time
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    spill: Option<PathBuf>,
    /// What that folder may hold; then the source is held back
    #[arg(long, value_name = "SIZE", default_value = "4GiB", requires = "spill")]
    spill_max: bytesize::ByteSize,
}

/// What becomes of events while the server takes none.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Policy {
    Wait,
    Spill,
    Shed,
    TrimOldest,
}

/// What a folder may hold where nothing is said.
const SPILL_MAX: bytesize::ByteSize = bytesize::ByteSize::gib(4);

/// Less than that holds the source back at once: each lane has a file of its own.
const SPILL_MAX_MIN: bytesize::ByteSize = bytesize::ByteSize::mib(1);

impl OverflowArgs {
    /// What a file says of it, where the command line says nothing.
    pub(super) fn or(
        &self,
        overflow: Option<&str>,
        spill: Option<&Path>,
        spill_max: Option<bytesize::ByteSize>,
    ) -> anyhow::Result<Self> {
        if self.overflow.is_some() || self.spill.is_some() {
            return Ok(self.clone());
        }
        let policy = |text: &str| {
            Policy::from_str(text, false)
                .map_err(|_| anyhow::anyhow!("buffer.overflow = {text:?}: wait, spill, shed or trim-oldest"))
        };
        Ok(Self {
            overflow: overflow.map(policy).transpose()?,
            spill: spill.map(Path::to_owned),
            spill_max: spill_max.unwrap_or(SPILL_MAX),
        })
    }

    /// The policy they ask for.
    pub(super) fn policy(&self) -> anyhow::Result<Overflow> {
        let policy = self.overflow.unwrap_or(if self.spill.is_some() { Policy::Spill } else { Policy::Wait });
        let folder = self.spill.clone();
        if let Some(other) =
            policy.to_possible_value().filter(|_| folder.is_some() && policy != Policy::Spill)
        {
            anyhow::bail!(
                "--spill goes with --overflow spill, not with {}; leave one of them out",
                other.get_name()
            );
        }
        Ok(match policy {
            Policy::Wait => Overflow::Wait,
            Policy::Shed => Overflow::Shed,
            Policy::TrimOldest => Overflow::TrimOldest,
            Policy::Spill => {
                let folder = folder.context("--overflow spill needs a folder: --spill DIR")?;
                anyhow::ensure!(
                    self.spill_max >= SPILL_MAX_MIN,
                    "--spill-max {} holds the source back at once; give at least {}",
                    self.spill_max,
                    SPILL_MAX_MIN
                );
                Overflow::Spill(Spill { folder, bytes_max: self.spill_max.as_u64() })
            }
        })
    }

    /// What became of events that the server did not take when they came. Losses are told however quiet it shall be.
    pub(super) fn tell(&self, counts: &Counts, quiet: bool) {
        if counts.left > 0 {
            let folder = self.spill.as_deref().unwrap_or(Path::new(""));
            output::tell(&format!(
                "forebay: {} events wait in {}: the server does not take them. They go first when you run it \
                 again with --spill {}.",
                figures::count(counts.left),
                folder.display(),
                folder.display()
            ));
        }
        if counts.earlier_bytes > 0 {
            let size = bytesize::ByteSize::b(counts.earlier_bytes).display().iec();
            output::tell(&format!(
                "forebay: {size} of earlier runs' events still wait in {}: the server does not take them",
                self.spill.as_deref().unwrap_or(Path::new("")).display()
            ));
        }
        for (count, what) in [
            (counts.shed, "new events were dropped while the server took none (shed)"),
            (counts.trimmed, "of the oldest events were dropped to make room (trim-oldest)"),
            (counts.unreadable, "events of the spill folder could not be read; the damaged file is kept"),
        ] {
            if count > 0 {
                output::tell(&format!("forebay: {} {what}", figures::count(count)));
            }
        }
        if quiet {
            return;
        }
        for (count, what) in [
            (counts.recovered, "events that an earlier run had left in the spill folder were appended"),
            (counts.spilled, "events went through the spill folder"),
        ] {
            if count > 0 {
                output::tell(&format!("{} {what}", figures::count(count)));
            }
        }
    }
}

/// Events that were there and are dropped, by decision or for damage.
pub(super) fn dropped(counts: &Counts) -> u64 {
    counts.shed + counts.trimmed + counts.unreadable
}
