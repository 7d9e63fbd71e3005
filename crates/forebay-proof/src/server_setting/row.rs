//! A setting's value, what was measured with it, and what to do about it.

use crate::claim::Evidence;

/// Stands behind a value that a server has by default.
const DEFAULT: &str = " (default)";

/// What to do with a setting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Advice {
    /// What is there by default is right, or this value is worse.
    Keep,
    /// This value is better than the default.
    Change,
    /// It makes none that counts.
    NoDifference,
    /// It could not be tried, and why.
    Untested(String),
}

impl Advice {
    /// For people.
    pub fn words(&self) -> String {
        match self {
            Self::Keep => "keep".into(),
            Self::Change => "change".into(),
            Self::NoDifference => "no difference seen".into(),
            Self::Untested(why) => format!("untested: {why}"),
        }
    }

    /// Of the default itself: it stays unless a value that was tried is better.
    pub fn of_default<'a>(tried: impl IntoIterator<Item = &'a Self>) -> Self {
        if tried.into_iter().any(|advice| *advice == Self::Change) { Self::Change } else { Self::Keep }
    }
}

/// One value of one setting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// The server's own name for it.
    pub setting: String,
    /// The value, `default` behind it where it is.
    pub value: String,
    /// What was measured, with units.
    pub measured: String,
    /// What follows.
    pub advice: Advice,
}

impl Row {
    /// A row.
    pub fn new(setting: &str, value: &str, measured: impl Into<String>, advice: Advice) -> Self {
        Self { setting: setting.into(), value: value.into(), measured: measured.into(), advice }
    }

    /// Whether it is what a server has by default.
    pub fn is_default(&self) -> bool {
        self.value.ends_with(DEFAULT)
    }

    /// A value that could not be tried.
    pub fn untested(setting: &str, value: &str, why: &str) -> Self {
        Self::new(setting, value, "-", Advice::Untested(why.into()))
    }
}

/// The same rows, of one setting, with its default marked and judged by the others.
pub fn mark_default(mut rows: Vec<Row>, default: Option<&str>) -> Vec<Row> {
    let is_default = |row: &Row| Some(row.value.as_str()) == default;
    let advice = Advice::of_default(rows.iter().filter(|row| !is_default(row)).map(|row| &row.advice));
    for row in rows.iter_mut().filter(|row| is_default(row)) {
        row.value += DEFAULT;
        if !matches!(row.advice, Advice::Untested(_)) {
            row.advice = advice.clone();
        }
    }
    rows
}

/// Rows as a table.
pub fn table(title: &str, rows: &[Row]) -> Evidence {
    let cells =
        |row: &Row| vec![row.setting.clone(), row.value.clone(), row.measured.clone(), row.advice.words()];
    Evidence::Table {
        title: title.into(),
        columns: ["setting", "value", "measured", "verdict"].map(String::from).to_vec(),
        rows: rows.iter().map(cells).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_default_stays_unless_something_better_was_found() {
        assert_eq!(Advice::of_default(&[Advice::Keep, Advice::NoDifference]), Advice::Keep);
        assert_eq!(Advice::of_default(&[Advice::Keep, Advice::Change]), Advice::Change);
        assert_eq!(Advice::of_default(&[]), Advice::Keep);
    }
}
