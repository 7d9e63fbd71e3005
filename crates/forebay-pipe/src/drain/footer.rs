//! What a file says of itself, in the key-values of its footer: enough to know, without its folder, which events it has.

use parquet::file::metadata::KeyValue;

/// Which build wrote it.
const WRITER: &str = concat!("forebay ", env!("CARGO_PKG_VERSION"));

/// What a file says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Footer {
    /// The buffer's name.
    pub buffer: String,
    /// Which of all buffers that had this name.
    pub incarnation: String,
    /// The lane that its events are of, or the partition of one.
    pub lane: String,
    /// Which partition of the lane it is, from 0.
    pub partition: u32,
    /// The first block that was read for it.
    pub first: u64,
    /// The last one. Blocks between may have no row here: their events are in the file of another date.
    pub last: u64,
}

impl Footer {
    /// As it is written; `schema` names the columns' version.
    pub fn key_values(&self, schema: &str) -> Vec<KeyValue> {
        let pairs = [
            ("forebay.buffer", self.buffer.clone()),
            ("forebay.incarnation", self.incarnation.clone()),
            ("forebay.lane", self.lane.clone()),
            ("forebay.partition", self.partition.to_string()),
            ("forebay.first", self.first.to_string()),
            ("forebay.last", self.last.to_string()),
            ("forebay.schema", schema.to_owned()),
            ("forebay.writer", WRITER.to_owned()),
        ];
        pairs.into_iter().map(|(key, value)| KeyValue::new(key.to_owned(), value)).collect()
    }

    /// What a file says, and the version of its columns; else the name of what is missing there, or is there twice.
    pub fn read(key_values: &[KeyValue]) -> Result<(Self, &str), &'static str> {
        let text = |key: &'static str| {
            let mut found = key_values.iter().filter(|pair| pair.key == key);
            let value = found.next().and_then(|pair| pair.value.as_deref());
            value.filter(|_| found.next().is_none()).ok_or(key)
        };
        let number = |key: &'static str| text(key)?.parse::<u64>().map_err(|_| key);
        let footer = Self {
            buffer: text("forebay.buffer")?.into(),
            incarnation: text("forebay.incarnation")?.into(),
            lane: text("forebay.lane")?.into(),
            partition: u32::try_from(number("forebay.partition")?).map_err(|_| "forebay.partition")?,
            first: number("forebay.first")?,
            last: number("forebay.last")?,
        };
        text("forebay.writer")?;
        Ok((footer, text("forebay.schema")?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_footer_is_read_as_it_was_written_and_a_part_of_one_is_none() {
        let footer = Footer {
            buffer: "demo".into(),
            incarnation: "0a".into(),
            lane: "likes.1".into(),
            partition: 1,
            first: 7,
            last: u64::MAX,
        };
        let written = footer.key_values("jetstream-1");
        assert_eq!(Footer::read(&written), Ok((footer, "jetstream-1")));
        for left_out in 0..written.len() {
            let mut some = written.clone();
            let key = some.remove(left_out).key;
            assert_eq!(Footer::read(&some).unwrap_err(), key);
            let mut twice = written.clone();
            twice.push(KeyValue::new(key.clone(), "1".to_owned()));
            assert_eq!(Footer::read(&twice).unwrap_err(), key);
        }
    }
}
