//! What is claimed of the settings of a profile: they are in order, and each value has its shape.

use super::*;

#[test]
fn what_is_allowed_is_in_order() {
    assert!(ALLOWED.is_sorted_by(|one, other| one.0 < other.0));
}

#[test]
fn a_value_has_the_shape_of_its_setting() {
    for (name, right, wrong) in [
        ("appendonly", vec!["\"yes\"", "true"], vec!["\"maybe\"", "1", "[true]", "\"yes\\nloadmodule /x\""]),
        ("maxmemory", vec!["\"2gb\"", "1000"], vec!["\"lots\"", "-1", "\"1 2\"", "1.5"]),
        ("maxmemory-clients", vec!["\"5%\"", "\"1gb\""], vec!["\"101%\"", "\"%\""]),
        ("hz", vec!["10", "\"500\""], vec!["0", "501", "\"+5\"", "\"\"", "\"1 0\""]),
        ("appendfsync", vec!["\"always\""], vec!["\"Always\"", "\"sometimes\""]),
        ("save", vec!["\"\"", "\"60 1\"", "\"60 1 300 10\""], vec!["\"60\"", "\"a b\"", "\"60 1\\r\""]),
        (
            "bind",
            vec!["\"127.0.0.1\"", "\"127.0.0.1 -::1\"", "\"* -::*\""],
            vec!["\"\"", "\"host\"", "\"1.2.3\""],
        ),
        (
            "client-output-buffer-limit",
            vec!["\"normal 0 0 0 pubsub 32mb 8mb 60\""],
            vec!["\"normal 0 0\"", "\"all 0 0 0\"", "\"\""],
        ),
        ("notify-keyspace-events", vec!["\"\"", "\"KEA\"", "\"Kg$\""], vec!["\"K E\"", "\"K\\u0000\""]),
        ("requirepass", vec!["\"a#b\\\"c\""], vec!["\"a b\"", "\"a\\nb\"", "\"é\""]),
    ] {
        let text = |value: &str| format!("[settings]\n# a comment\n{name} = {value}\n");
        for value in right {
            assert_eq!(check(&text(value)), Ok(()), "{name} {value}");
        }
        for value in wrong {
            let why = check(&text(value)).unwrap_err();
            assert!(why.starts_with(&format!("line 3: settings.{name}: its value must be ")), "{why}");
        }
    }
}
