//! Lines of another form than Jetstream's: an event's line, changed as a program in between might, or as nobody would.

use fastrand::Rng;
use serde_json::Value;

/// A line with one to three changes.
pub fn mutate(line: &[u8], rng: &mut Rng) -> Vec<u8> {
    let mut line = String::from_utf8_lossy(line).into_owned();
    for _ in 0..rng.usize(1..=3) {
        line = change(&line, rng);
    }
    let mut line = line.into_bytes();
    // Any byte: nearly always no event any more.
    if rng.u32(0..20) == 0 {
        let at = rng.usize(0..line.len());
        line[at] = rng.u8(..);
    }
    line
}

fn change(line: &str, rng: &mut Rng) -> String {
    match rng.u32(0..12) {
        // The frame in another order, and members of it once more.
        0 => sorted(line),
        1 => line.replacen("\"commit\":{", "\"commit\":{\"rev\":\"x\",", 1),
        2 => format!(
            "{},\"kind\":\"{}\"}}",
            &line[..line.len() - 1],
            ["commit", "identity", "x"][rng.usize(0..3)]
        ),
        3 => format!("{},{}", &line[..line.len() - 1], &line[1..]),
        // Escapes where none were, and the letters of keys by their numbers.
        4 => escape_some(line, rng),
        // Space between values.
        5 => space(line, rng),
        // A value of another type, deep or huge.
        6 => swap_value(line, rng),
        // A member less, or one more.
        7 => without_member(line, rng),
        8 => line.replacen('{', "{\"more\":[[{}],\"\\ud83d\\ude00\"],", rng.usize(1..4)),
        // Numbers that look like others.
        9 => {
            let cursor = ["1", "-1", "0", "-0", "1e3", "1.0", "9223372036854775808", "\"7\"", "null"];
            line.replacen(
                ",\"kind\"",
                &format!(",\"cursor\":{},\"kind\"", cursor[rng.usize(0..cursor.len())]),
                1,
            )
        }
        10 => deep(line, rng),
        _ => line.replace('&', "\\u0026").replace("did:plc:", "did:plc:é"),
    }
}

fn sorted(line: &str) -> String {
    serde_json::from_str::<Value>(line).map_or_else(|_| line.to_owned(), |value| value.to_string())
}

fn escape_some(line: &str, rng: &mut Rng) -> String {
    let is_hit = |rng: &mut Rng| rng.u32(0..40) == 0;
    let written = |letter: char| format!("\\u{:04x}", letter as u32);
    line.chars()
        .map(|letter| {
            let is_written = letter.is_ascii_alphabetic() && is_hit(rng);
            if is_written { written(letter) } else { letter.to_string() }
        })
        .collect()
}

fn space(line: &str, rng: &mut Rng) -> String {
    let mark = [',', ':', '{', '}'][rng.usize(0..4)];
    line.replacen(mark, &format!("{mark} \t"), rng.usize(1..9))
}

/// One of the values of the line in place of another.
fn swap_value(line: &str, rng: &mut Rng) -> String {
    let values =
        ["null", "1e999", "123456789012345678901234567890", "[]", "{\"uri\":5}", "\"did:x\"", "\"\\\"\""];
    let value = values[rng.usize(0..values.len())];
    let names =
        ["did", "kind", "rev", "rkey", "cid", "subject", "createdAt", "langs", "text", "reply", "seq"];
    let name = format!("\"{}\":", names[rng.usize(0..names.len())]);
    let Some(at) = line.find(&name) else { return line.to_owned() };
    let start = at + name.len();
    let mut rest = serde_json::Deserializer::from_str(&line[start..]).into_iter::<Value>();
    match rest.next() {
        Some(Ok(_)) => format!("{}{value}{}", &line[..start], &line[start + rest.byte_offset()..]),
        _ => line.to_owned(),
    }
}

fn without_member(line: &str, rng: &mut Rng) -> String {
    let names = ["did", "rev", "operation", "collection", "rkey", "kind"];
    let name = format!("\"{}\":", names[rng.usize(0..names.len())]);
    line.replacen(&name, "\"other\":", 1)
}

fn deep(line: &str, rng: &mut Rng) -> String {
    let depth = rng.usize(1..140);
    let value = format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    line.replacen("\"record\":{", &format!("\"record\":{{\"deep\":{value},"), 1)
}
