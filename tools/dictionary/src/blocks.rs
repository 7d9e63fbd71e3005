//! Cuts events into blocks by lane, as a writer does.

use std::collections::BTreeMap;

/// Events of one lane, joined by `\n`.
pub fn lane_of(line: &str) -> u8 {
    let Some((_, rest)) = line.split_once(r#""collection":""#) else { return 5 };
    match rest.split('"').next().unwrap_or_default() {
        "app.bsky.feed.post" => 0,
        "app.bsky.feed.like" => 1,
        "app.bsky.feed.repost" => 2,
        "app.bsky.graph.follow" => 3,
        "app.bsky.graph.block" => 4,
        _ => 5,
    }
}

/// Blocks of events that come at a steady rate: each is cut 200 ms after its first event, or at 256 events.
pub fn blocks(lines: &[&str], rate: f64) -> Vec<Vec<u8>> {
    let mut open: BTreeMap<u8, (f64, usize, Vec<u8>)> = BTreeMap::new();
    let mut done = Vec::new();
    for (index, line) in lines.iter().enumerate() {
        let now = index as f64 / rate;
        let due: Vec<u8> =
            open.iter().filter(|(_, (since, ..))| now - since >= 0.2).map(|(lane, _)| *lane).collect();
        done.extend(due.iter().filter_map(|lane| open.remove(lane)).map(|(.., block)| block));
        let lane = lane_of(line);
        let (_, count, block) = open.entry(lane).or_insert((now, 0, Vec::new()));
        if *count > 0 {
            block.push(b'\n');
        }
        *count += 1;
        block.extend_from_slice(line.as_bytes());
        if *count == 256 {
            done.extend(open.remove(&lane).map(|(.., block)| block));
        }
    }
    done.extend(open.into_values().map(|(.., block)| block));
    done
}
