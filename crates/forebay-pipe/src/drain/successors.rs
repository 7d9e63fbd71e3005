//! Where the rows of a commit's file are by now: in the file itself, or in the one that it became when its folder was compacted.

use std::collections::HashMap;

use super::compaction::Compaction;

/// What files became.
#[derive(Debug, Default)]
pub(super) struct Successors {
    /// By a file's path: its successor, and the row there that is its first.
    next: HashMap<String, (String, u64)>,
}

/// Rows of a file of the tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Whereabouts {
    /// The file, from the tree's root.
    pub path: String,
    /// The first of its rows that is meant, where it is not all of them.
    pub first_row: Option<u64>,
}

impl Successors {
    /// Those of compactions, in their order.
    pub fn of<'a>(compactions: impl IntoIterator<Item = &'a Compaction>) -> Self {
        let mut next = HashMap::new();
        for output in compactions.into_iter().flat_map(|compaction| &compaction.outputs) {
            let mut first_row = 0;
            for input in &output.inputs {
                next.insert(input.path.clone(), (output.file.path.clone(), first_row));
                first_row = u64::saturating_add(first_row, input.rows);
            }
        }
        Self { next }
    }

    /// Where the rows are that a file had when it was made.
    pub fn of_file(&self, path: &str) -> Whereabouts {
        let mut found = Whereabouts { path: path.to_owned(), first_row: None };
        // No longer than there are files: a record that somebody changed may lead in a circle.
        for _ in 0..=self.next.len() {
            let Some((path, row)) = self.next.get(&found.path) else { break };
            let first_row = found.first_row.unwrap_or(0).saturating_add(*row);
            found = Whereabouts { path: path.clone(), first_row: Some(first_row) };
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::super::compaction::Output;
    use super::super::record::FileRecord;
    use super::*;

    fn compaction(output: &str, inputs: &[(&str, u64)]) -> Compaction {
        let file = |(path, rows): &(&str, u64)| FileRecord {
            path: (*path).into(),
            bytes: 0,
            sha256: String::new(),
            rows: *rows,
            times: (0, 0),
        };
        let inputs: Vec<FileRecord> = inputs.iter().map(file).collect();
        Compaction::after(None, "", 0, vec![Output { file: file(&(output, 0)), inputs }])
    }

    #[test]
    fn rows_are_found_through_several_compactions_and_a_circle_ends() {
        let all =
            [compaction("ab", &[("a", 3), ("b", 4)]), compaction("0abc", &[("0", 2), ("ab", 7), ("c", 1)])];
        let successors = Successors::of(&all);
        let at = |path: &str| {
            let found = successors.of_file(path);
            (found.path, found.first_row)
        };
        assert_eq!(at("a"), ("0abc".into(), Some(2)));
        assert_eq!(at("b"), ("0abc".into(), Some(5)));
        assert_eq!(at("c"), ("0abc".into(), Some(9)));
        assert_eq!(at("d"), ("d".into(), None));
        Successors::of(&[compaction("a", &[("b", 1)]), compaction("b", &[("a", 1)])]).of_file("a");
    }
}
