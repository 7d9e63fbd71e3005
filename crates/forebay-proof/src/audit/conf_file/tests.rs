//! What is claimed of the reading of a redis.conf: any bytes come to an end, and what was written for a server is read back.

use proptest::prelude::*;

use super::*;

proptest! {
    #[test]
    fn any_bytes_come_to_an_end(bytes in prop::collection::vec(any::<u8>(), 0..300), line in "[a-z]{0,9}|save|bind|user|include") {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), [line.as_bytes(), b" ", &bytes].concat()).unwrap();
        prop_assert!(read(file.path()).is_ok());
    }

    #[test]
    fn what_is_written_for_a_server_is_read_back(value in "[ -~]{0,40}") {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), super::super::conf_line::conf_line("requirepass", &value)).unwrap();
        let read = read(file.path()).unwrap();
        prop_assert_eq!(read.settings.get("requirepass"), Some(value.as_str()));
    }
}
