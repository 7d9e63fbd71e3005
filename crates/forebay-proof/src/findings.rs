//! What a ledger found of a buffer, and how that is said.

use crate::report::units::thousands;

/// What the ledger found, all lanes together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Findings {
    /// Events pushed.
    pub offered: u64,
    /// Events acknowledged.
    pub acknowledged: u64,
    /// Events counted as given up.
    pub given_up: u64,
    /// Events neither acknowledged nor given up.
    pub unknown: u64,
    /// Different offered events read.
    pub read: u64,
    /// Acknowledged and not read, in lanes of which nothing was.
    pub lost_whole: u64,
    /// Acknowledged and not read, before the first one of their lane that was.
    pub lost_prefix: u64,
    /// Acknowledged and not read, between others of their lane.
    pub lost_middle: u64,
    /// Acknowledged and not read, after the last one of their lane that was.
    pub lost_tail: u64,
    /// Read and never offered, or with other bytes, or in another lane.
    pub unexpected: u64,
    /// Read once more.
    pub repeats: u64,
    /// Read after a later one of their lane.
    pub out_of_order: u64,
    /// Read although they were counted as given up.
    pub kept: u64,
}

impl Findings {
    /// Those of another buffer as well.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            offered: self.offered + other.offered,
            acknowledged: self.acknowledged + other.acknowledged,
            given_up: self.given_up + other.given_up,
            unknown: self.unknown + other.unknown,
            read: self.read + other.read,
            lost_whole: self.lost_whole + other.lost_whole,
            lost_prefix: self.lost_prefix + other.lost_prefix,
            lost_middle: self.lost_middle + other.lost_middle,
            lost_tail: self.lost_tail + other.lost_tail,
            unexpected: self.unexpected + other.unexpected,
            repeats: self.repeats + other.repeats,
            out_of_order: self.out_of_order + other.out_of_order,
            kept: self.kept + other.kept,
        }
    }

    /// Acknowledged and not read.
    pub fn lost(&self) -> u64 {
        self.lost_whole + self.lost_prefix + self.lost_middle + self.lost_tail
    }

    /// Everything that a sound buffer has none of.
    pub fn faults(&self) -> u64 {
        self.lost() + self.unexpected + self.repeats + self.out_of_order + self.kept
    }

    /// For people: what is wrong, or that nothing is.
    pub fn sentence(&self) -> String {
        let show = |count: u64| thousands(count as f64, 0);
        let gone = match self.given_up {
            0 => String::new(),
            _ => format!("; {} counted as given up", show(self.given_up)),
        };
        if self.faults() == 0 {
            let none = if gone.is_empty() { "" } else { ", and none of them came back" };
            return format!(
                "{} acknowledged, {} read back, each the same bytes, once, in its lane's order{gone}{none}",
                show(self.acknowledged),
                show(self.read)
            );
        }
        let gone = match self.kept {
            0 => gone,
            kept => format!("{gone}, of which {} came back all the same", show(kept)),
        };
        format!(
            "of {} acknowledged {} are lost (whole lanes {}, prefix {}, middle {}, tail {}); {} read that were never \
             offered, {} repeated, {} out of order{gone}",
            show(self.acknowledged),
            show(self.lost()),
            show(self.lost_whole),
            show(self.lost_prefix),
            show(self.lost_middle),
            show(self.lost_tail),
            show(self.unexpected),
            show(self.repeats),
            show(self.out_of_order)
        )
    }
}
