//! What stands beside a buffer of its source: who it is, how long it keeps events, and what it no longer had. Whoever brings a
//! source's events in writes it (`source:<numbering>`, `missed:<µs>`); what the library reads of it is the same for every source.

use redis::RedisError;
use serde_json::Value;

use super::keys::Name;
use super::permitted_query::Asker;

/// Gaps that are looked at, the newest: a source that has so many is the trouble, not their number.
const MISSED_MAX: usize = 100;

/// Fields that are asked for at once.
const PAGE: usize = 1_000;

/// The source that counts now.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SourceStat {
    /// Its address.
    pub host: String,
    /// What its cursors are: `us` for microseconds since 1970, else its own numbers.
    pub unit: String,
    /// How long it keeps events; 0 where that is not known.
    pub keeps_hours: u64,
    /// Up to when everything of it is settled, in microseconds since 1970, at least; none where that is not known.
    pub settled_us: Option<u64>,
}

impl SourceStat {
    /// Reads what was written; none where somebody else has written there.
    pub(super) fn read(text: &str) -> Option<Self> {
        let value: Value = serde_json::from_str(text).ok()?;
        Some(Self {
            host: value["host"].as_str()?.into(),
            unit: value["unit"].as_str().unwrap_or_default().into(),
            keeps_hours: value["keeps_hours"].as_u64().unwrap_or(0),
            settled_us: None,
        })
    }

    /// Milliseconds until the source forgets the first event that is not settled; negative where it has.
    pub fn forgets_in_ms(&self, at_ms: u64) -> Option<i64> {
        let keeps_ms = i64::try_from(self.keeps_hours.checked_mul(3_600_000).filter(|ms| *ms > 0)?).ok()?;
        Some(i64::try_from(self.settled_us? / 1_000).ok()? + keeps_ms - i64::try_from(at_ms).ok()?)
    }

    /// How far what is settled lies behind, in milliseconds.
    pub fn behind_ms(&self, at_ms: u64) -> Option<u64> {
        Some(at_ms.saturating_sub(self.settled_us? / 1_000))
    }
}

/// All that a source no longer had, ever.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Missed {
    /// How many gaps there are.
    pub gaps: u64,
    /// Events in those of which that is known.
    pub events: u64,
    /// The newest hundred, oldest first.
    pub newest: Vec<MissedStat>,
}

impl Missed {
    /// Milliseconds since the newest gap was found; none where there is none.
    pub fn age_ms(&self, at_ms: u64) -> Option<u64> {
        Some(at_ms.saturating_sub(self.newest.last()?.found_us / 1_000))
    }

    fn of(mut found: Vec<MissedStat>) -> Self {
        // A scan may give a field twice.
        found.sort_by_key(|missed| missed.found_us);
        found.dedup();
        let events = found.iter().filter_map(|missed| missed.events).fold(0, u64::saturating_add);
        let gaps = found.len() as u64;
        Self { gaps, events, newest: found.split_off(found.len().saturating_sub(MISSED_MAX)) }
    }
}

/// What a source no longer had.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MissedStat {
    /// When that was found, in microseconds since 1970.
    pub found_us: u64,
    /// The host that no longer had it.
    pub host: String,
    /// The last cursor that is settled, and the first that came after it.
    pub from: u64,
    /// The first cursor that came after it.
    pub to: u64,
    /// What these numbers are, as in [`SourceStat::unit`].
    pub unit: String,
    /// How many events lie between, where that is known.
    pub events: Option<u64>,
}

/// Who counts in a numbering; none where nobody has said so, or the user may not see it.
pub(super) fn source(asker: &mut Asker, numbering: u32) -> Result<Option<SourceStat>, RedisError> {
    let mut command = redis::cmd("HMGET");
    command.arg(asker.name.meta()).arg(Name::source(numbering));
    let answer: Option<(Option<String>,)> = asker.permitted("HMGET", &command)?;
    Ok(answer.and_then(|(text,)| SourceStat::read(&text?)))
}

/// What the source no longer had; none where the user may not see it.
pub(super) fn missed(asker: &mut Asker) -> Result<Option<Missed>, RedisError> {
    let (mut found, mut cursor) = (Vec::new(), 0_u64);
    loop {
        let mut scan = redis::cmd("HSCAN");
        scan.arg(asker.name.meta())
            .arg(cursor)
            .arg("MATCH")
            .arg(format!("{}*", Name::MISSED))
            .arg("COUNT")
            .arg(PAGE);
        let answer: Option<(u64, Vec<(String, String)>)> = asker.permitted("HSCAN", &scan)?;
        let Some((next, fields)) = answer else { return Ok(None) };
        found.extend(fields.iter().filter_map(|(field, text)| read_missed(field, text)));
        cursor = next;
        if cursor == 0 {
            break;
        }
    }
    Ok(Some(Missed::of(found)))
}

fn read_missed(field: &str, text: &str) -> Option<MissedStat> {
    let value: Value = serde_json::from_str(text).ok()?;
    Some(MissedStat {
        found_us: field.strip_prefix(Name::MISSED)?.parse().ok()?,
        host: value["host"].as_str()?.into(),
        from: value["from"].as_u64()?,
        to: value["to"].as_u64()?,
        unit: value["unit"].as_str()?.into(),
        events: value["events"].as_u64(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_says_how_long_what_is_not_settled_is_still_there() {
        let text = r#"{"host":"wss://a.example/subscribe","kind":"v1","unit":"us","keeps_hours":24}"#;
        let source = SourceStat { settled_us: Some(7_200_000_000), ..SourceStat::read(text).unwrap() };
        assert_eq!(source.forgets_in_ms(7_200_000 + 3_600_000), Some(23 * 3_600_000));
        assert_eq!(source.forgets_in_ms(7_200_000 + 25 * 3_600_000), Some(-3_600_000));
        assert_eq!(source.behind_ms(7_200_500), Some(500));
        let unknown = SourceStat::read(r#"{"host":"x"}"#).unwrap();
        assert_eq!((unknown.forgets_in_ms(1), unknown.behind_ms(1)), (None, None));
        assert_eq!(SourceStat::read("what somebody else wrote"), None);
    }

    #[test]
    fn what_was_missed_is_read_as_it_was_written() {
        let text = r#"{"host":"h","from":5,"to":9,"unit":"seq","events":3}"#;
        let missed = read_missed(&Name::missed(42), text).unwrap();
        assert_eq!((missed.found_us, missed.from, missed.to, missed.events), (42, 5, 9, Some(3)));
        assert_eq!(read_missed("missed:x", text), None);
        assert_eq!(read_missed(&Name::missed(42), "{}"), None);
    }

    #[test]
    fn all_gaps_count_and_the_newest_are_told_one_by_one() {
        let gap = |at: u64| {
            let text = format!(r#"{{"host":"h","from":{at},"to":{at},"unit":"seq","events":2}}"#);
            read_missed(&Name::missed(at * 1_000), &text).unwrap()
        };
        let missed = Missed::of((0..150).rev().chain([7]).map(gap).collect());
        assert_eq!((missed.gaps, missed.events, missed.newest.len()), (150, 300, MISSED_MAX));
        assert_eq!((missed.newest[0].from, missed.age_ms(200)), (50, Some(51)));
        assert_eq!(Missed::of(Vec::new()).age_ms(200), None);
    }
}
