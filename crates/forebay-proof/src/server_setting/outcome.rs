//! What came of the experiments: rows of the table, claims, and the figures behind them.

use super::row::{self, Advice, Row};
use crate::claim::{Claim, Evidence};

/// What came of it.
#[derive(Debug, Default, Clone)]
pub struct Outcome {
    /// A row for each value of each setting.
    pub rows: Vec<Row>,
    /// What can be true or false, each with its control.
    pub claims: Vec<Claim>,
    /// The figures behind the rows.
    pub details: Vec<Evidence>,
}

impl Outcome {
    /// The table of all settings, the rules that its last column follows, and the figures behind it.
    pub fn evidence(&self, title: &str, rules: &str) -> Vec<Evidence> {
        let mut all = vec![row::table(title, &self.rows), Evidence::Note { text: rules.into() }];
        all.extend(self.details.iter().cloned());
        all
    }

    /// Settings that are worth changing: name, value, and what was measured.
    pub fn worth(&self) -> impl Iterator<Item = (&str, &str, &str)> {
        let change = self.rows.iter().filter(|row| row.advice == Advice::Change && !row.is_default());
        change.map(|row| (row.setting.as_str(), row.value.as_str(), row.measured.as_str()))
    }

    /// Adds what came of another experiment.
    pub fn add(&mut self, other: Self) {
        self.rows.extend(other.rows);
        self.claims.extend(other.claims);
        self.details.extend(other.details);
    }
}
