//! `parse` takes exactly the lines that `serde_json` takes, and gives their bytes, time and lane.

#![no_main]

use forebay::event::jetstream;
use forebay::event::parse::{Reject, TIME_US_MAX, parse};
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

fuzz_target!(|line: &[u8]| {
    let found = parse(line);
    if line.contains(&b'\n') || std::str::from_utf8(line).is_err() {
        assert!(found.is_err());
        return;
    }
    let value = match serde_json::from_slice::<Value>(line) {
        Ok(value) => value,
        // JSON all the same: only a double is too small for it.
        Err(error) if error.to_string().contains("number out of range") => return,
        Err(error) => {
            let refused =
                matches!(found, Err(Reject::Empty | Reject::TooDeep { .. } | Reject::NotJson { .. }));
            assert!(refused, "{found:?} where serde_json has {error}");
            return;
        }
    };
    match found {
        Ok(event) => {
            assert_eq!(event.bytes, line);
            assert_eq!(value["time_us"].as_u64(), Some(event.time_us));
            let collection = value["commit"]["collection"].as_str().filter(|_| value["kind"] == "commit");
            assert_eq!(event.lane, jetstream::lane_of(collection));
        }
        Err(Reject::NotAnObject) => assert!(!value.is_object()),
        Err(Reject::NoTime) => assert!(value.get("time_us").is_none()),
        Err(Reject::TimeText) => assert!(value["time_us"].is_string()),
        Err(Reject::TimeNotNumber) => assert!(!value["time_us"].is_string() && !value["time_us"].is_number()),
        Err(Reject::TimeNegative | Reject::TimeNotWhole) => {
            assert!(value["time_us"].is_number() && value["time_us"].as_u64().is_none());
        }
        Err(Reject::TimeTooLarge) => {
            assert!(value["time_us"].as_f64().is_some_and(|time| time >= TIME_US_MAX as f64))
        }
        // serde_json keeps the last.
        Err(Reject::TimeTwice) => assert!(value.get("time_us").is_some()),
        Err(reject) => panic!("{reject:?} where serde_json has {value}"),
    }
});
