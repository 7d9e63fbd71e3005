//! What may be asked of a server: commands, and their shares in a mix.

use std::fmt;
use std::str::FromStr;

use fastrand::Rng;

/// A command.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs, reason = "each is the command of its name")]
pub enum OperationKind {
    Set,
    Get,
    Del,
    Lpush,
    Rpop,
    Xadd,
    Xreadgroup,
    Xack,
    Xtrim,
    /// An event through the buffer's own writer.
    Append,
}

impl OperationKind {
    /// Every kind, in the order of tables.
    pub const ALL: [Self; 10] = [
        Self::Set,
        Self::Get,
        Self::Del,
        Self::Lpush,
        Self::Rpop,
        Self::Xadd,
        Self::Xreadgroup,
        Self::Xack,
        Self::Xtrim,
        Self::Append,
    ];

    /// Its name on the wire, but for an event's.
    pub fn name(self) -> &'static str {
        match self {
            Self::Set => "SET",
            Self::Get => "GET",
            Self::Del => "DEL",
            Self::Lpush => "LPUSH",
            Self::Rpop => "RPOP",
            Self::Xadd => "XADD",
            Self::Xreadgroup => "XREADGROUP",
            Self::Xack => "XACK",
            Self::Xtrim => "XTRIM",
            Self::Append => "append",
        }
    }
}

/// Commands and their shares.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Work {
    shares: Vec<(OperationKind, u64)>,
    total: u64,
}

impl Work {
    /// One command, with what it needs.
    pub fn only(kind: OperationKind) -> Self {
        Self { shares: vec![(kind, 1)], total: 1 }
    }

    /// Every command: reads of a key most of all.
    pub fn mix() -> Self {
        let shares = [
            (OperationKind::Set, 2),
            (OperationKind::Get, 4),
            (OperationKind::Del, 1),
            (OperationKind::Lpush, 1),
            (OperationKind::Rpop, 1),
            (OperationKind::Xadd, 1),
            (OperationKind::Xreadgroup, 1),
        ];
        Self { shares: shares.into(), total: shares.iter().map(|share| share.1).sum() }
    }

    /// Whether the stream and its group are needed.
    pub fn reads_stream(&self) -> bool {
        self.shares.iter().any(|share| share.0 == OperationKind::Xreadgroup)
    }

    pub(super) fn draw(&self, random: &mut Rng) -> OperationKind {
        if let [(kind, _)] = self.shares[..] {
            return kind;
        }
        let mut at = random.u64(..self.total);
        for (kind, share) in &self.shares {
            if at < *share {
                return *kind;
            }
            at -= share;
        }
        self.shares[0].0
    }
}

impl fmt::Display for Work {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if *self == Self::mix() {
            return f.write_str("mix");
        }
        for (at, (kind, share)) in self.shares.iter().enumerate() {
            let comma = if at > 0 { "," } else { "" };
            write!(f, "{comma}{}", kind.name().to_lowercase())?;
            if self.shares.len() > 1 {
                write!(f, "={share}")?;
            }
        }
        Ok(())
    }
}

impl FromStr for Work {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let refuse = |part: &str| {
            Err(format!(
                "{part:?}: set, get, del, lpush, rpop, xadd, xreadgroup, or several with shares, such as \
                 set=1,get=9; or mix, or append alone"
            ))
        };
        if text == "mix" {
            return Ok(Self::mix());
        }
        let mut shares: Vec<(OperationKind, u64)> = Vec::new();
        for part in text.split(',') {
            let (name, share) = part.split_once('=').unwrap_or((part, "1"));
            let usable = |kind: &OperationKind| {
                !matches!(kind, OperationKind::Append | OperationKind::Xack | OperationKind::Xtrim)
            };
            let kind = OperationKind::ALL
                .into_iter()
                .filter(usable)
                .find(|kind| kind.name().eq_ignore_ascii_case(name));
            let share = share.parse::<u64>().ok().filter(|share| (1..=1_000_000).contains(share));
            let (Some(kind), Some(share)) = (kind, share) else { return refuse(part) };
            if shares.iter().any(|other| other.0 == kind) {
                return Err(format!("{name} is named twice"));
            }
            shares.push((kind, share));
        }
        Ok(Self { total: shares.iter().map(|share| share.1).sum(), shares })
    }
}
