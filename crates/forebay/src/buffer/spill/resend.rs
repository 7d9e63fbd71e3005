//! Reads spilled blocks again that were acknowledged and that the server has lost.

use std::fs::File;
use std::path::PathBuf;
use std::sync::Arc;

use super::record::At;
use super::{OnDisk, folder, scan};
use crate::block::frame::Block;

/// Goes through files from their front: blocks are asked for in the order in which they were written.
#[derive(Default)]
pub(in crate::buffer) struct Again {
    file: Option<(PathBuf, File, u64, u64)>,
}

impl Again {
    /// A block, where it can still be read.
    pub fn read(&mut self, wanted: &OnDisk) -> Option<Arc<Block>> {
        if self.file.as_ref().is_none_or(|(path, ..)| *path != wanted.path) {
            let file = folder::open(&wanted.path).ok()?;
            let end = file.metadata().ok()?.len();
            let start = scan::next_record(&file, 0, end).ok()??;
            self.file = Some((wanted.path.clone(), file, start, end));
        }
        let (_, file, at, end) = self.file.as_mut()?;
        while *at < *end {
            match scan::record_at(file, *at, *end).ok()? {
                At::Record(record, bytes) => {
                    *at += bytes as u64;
                    if record.place == wanted.place {
                        return Some(record.block);
                    }
                }
                At::Damaged(_, bytes) => *at += bytes as u64,
                At::Cut | At::Nothing => *at = scan::next_record(file, *at + 1, *end).ok()??,
            }
        }
        None
    }
}
