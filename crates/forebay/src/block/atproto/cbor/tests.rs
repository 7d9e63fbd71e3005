//! Records in DAG-CBOR, and what is refused.

use super::RecordHasher;

fn hex(json: &str) -> Option<String> {
    let mut hasher = RecordHasher::default();
    let cbor = hasher.convert(json.as_bytes())?;
    Some(cbor.iter().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}")))
}

#[test]
fn records_become_canonical_dag_cbor() {
    for (json, expected) in [
        ("0", "00"),
        ("23", "17"),
        ("24", "1818"),
        ("256", "190100"),
        ("65536", "1a00010000"),
        ("4294967296", "1b0000000100000000"),
        ("18446744073709551615", "1bffffffffffffffff"),
        ("-1", "20"),
        ("-9223372036854775808", "3b7fffffffffffffff"),
        ("[true,false,null,[]]", "84f5f4f680"),
        (r#"{"bb":1,"a":2,"c":{}}"#, "a36161026163a062626201"),
        (r#"{"a":{"$bytes":"AAE"}}"#, "a16161420001"),
        (r#""\u00e9\ud83d\ude00\n\/""#, "68c3a9f09f98800a2f"),
        (
            r#"{"$link":"bafyreiguce4jh7kcbmof3pmcvasifqtw24b6isakj5ve5ga2b4z4alpc4i"}"#,
            "d82a58250001711220d4113893fd420b1c5dbd82a82482c276d703e4480a4f6a4e981a0f33c02de2e2",
        ),
    ] {
        assert_eq!(hex(json).as_deref(), Some(expected), "{json}");
    }
    let keys = "k".repeat(300);
    let many: Vec<String> = (10..60).map(|number| format!("\"{number}\":0")).collect();
    assert!(hex(&format!("{{{}}}", many.join(","))).is_some_and(|hex| hex.starts_with("b832623130")));
    assert_eq!(hex(&format!("[\"{keys}\"]")).map(|hex| hex.len()), Some(2 * 304));
}

#[test]
fn what_readers_of_json_disagree_on_is_refused() {
    for json in [
        "",
        " 1",
        "1 ",
        "1.0",
        "1e3",
        "-0",
        "01",
        "18446744073709551616",
        "-9223372036854775809",
        "tru",
        "[1,]",
        r#"{"a":1,"a":2}"#,
        r#"{"a":1,}"#,
        r#"{"a" :1}"#,
        r#""\ud83d""#,
        r#""\ude00""#,
        r#""\x""#,
        "\"\t\"",
        "\"",
        r#"{"$link":"bafy"}"#,
        r#"{"$bytes":"A"}"#,
        r#"{"$bytes":"AAF"}"#,
        r#"{"$bytes":"AAE="}"#,
        "{1:2}",
    ] {
        assert_eq!(hex(json), None, "{json}");
    }
    assert_eq!(hex(&"[".repeat(33)), None);
    assert!(hex(&format!("{}{}", "[".repeat(32), "]".repeat(32))).is_some());
    assert_eq!(hex(&format!("{}{}", "[".repeat(33), "]".repeat(33))), None);
}
