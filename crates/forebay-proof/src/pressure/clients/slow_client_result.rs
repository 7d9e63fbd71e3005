//! What was seen of a client that does not read, and what follows from it.

use std::time::Duration;

use crate::claim::{Bound, Claim, Control, Evidence, Judged, Unit};
use crate::own_server::LIMIT;
use crate::report::units::{bytes, figure, thousands};

/// The step of the brief that pressure answers.
const STEP: u8 = 6;

/// More than an event weighs in the buffer, on the mean.
const EVENT_BYTES_MAX: u64 = 512;

/// Bytes of clients' memory below which nobody holds anything.
const IDLE_BYTES: u64 = 1 << 20;

/// What was seen with one value.
#[derive(Debug, Clone, Default)]
pub struct SlowClientResult {
    pub setting: &'static str,
    pub value: String,
    /// Bytes that the value lets a client hold; none where it sets no limit.
    pub limit: Option<u64>,
    /// About as many bytes one answer has.
    pub answer_bytes: u64,
    /// Most that the client was seen to hold in answers it does not read, and by how much `used_memory` grew.
    pub client_bytes: u64,
    pub grown_bytes: u64,
    /// Events pushed meanwhile, and those of them that were read back.
    pub pushed: u64,
    pub read: u64,
    pub refused: Option<String>,
    /// Whether the server dropped the client.
    pub is_dropped: bool,
    /// How many clients the server says it dropped for this setting meanwhile; none where it does not count them.
    pub counted: Option<u64>,
    /// `used_memory` beyond what it was while the client was still there, or right after it was dropped.
    pub left_bytes: u64,
    /// How long after the client went its room was back.
    pub back: Option<Duration>,
}

impl SlowClientResult {
    pub fn goes_on(&self) -> bool {
        self.read == self.pushed
    }

    /// Why nothing follows from what was seen: a client that is gone may be gone for any reason, and room that was never
    /// taken need not come back.
    fn unseen(&self) -> Option<String> {
        if self.pushed == 0 {
            return Some("no event was pushed".into());
        }
        let held = bytes(self.client_bytes as f64);
        if self.is_dropped && self.counted == Some(0) {
            return Some(format!(
                "the client is gone, but the server counts none dropped for {}",
                self.setting
            ));
        }
        // A look before the last answer that it was given, at the most.
        let near = self.client_bytes.saturating_add(self.answer_bytes.saturating_mul(2));
        let is_near = self.client_bytes > 0 && self.limit.is_none_or(|limit| near >= limit);
        if self.is_dropped && self.counted.is_none() && !is_near {
            return Some(format!("the client is gone, but was seen to hold no more than {held}"));
        }
        (self.grown_bytes <= room_max(self.pushed)).then(|| {
            format!(
                "used_memory grew only by {} while the client did not read: no room was seen taken",
                bytes(self.grown_bytes as f64)
            )
        })
    }
}

pub fn judged_with_control(setting: &str, seen: &SlowClientResult, without: &SlowClientResult) -> Vec<Claim> {
    let broken = judge(setting, without);
    let with = |claim: Judged| {
        let what = format!("no limit: {} {}", without.setting, without.value);
        let control = Control::of(what, &broken, &claim.id);
        claim.with(control)
    };
    judge(setting, seen).into_iter().map(with).collect()
}

pub fn judge(setting: &str, seen: &SlowClientResult) -> Vec<Judged> {
    let id = |what: &str| format!("pressure.{setting}.{what}");
    let counts = seen.counted.map_or(String::new(), |count| format!(", {count} counted by the server"));
    let saw = format!(
        "the client held up to {} of answers, used_memory grew by {}{counts}",
        bytes(seen.client_bytes as f64),
        bytes(seen.grown_bytes as f64)
    );
    let claims = vec![
        Judged::of(
            &id("dropped"),
            STEP,
            format!("{setting} drops a client that asks for much and does not read"),
            (Bound::Exactly, 1.0, Unit::Count),
            f64::from(u8::from(seen.is_dropped)),
            saw,
        ),
        Judged::of(
            &id("appends"),
            STEP,
            format!("with {setting} such a client costs no event: every one goes in, and is read back"),
            (Bound::Exactly, seen.pushed as f64, Unit::Events),
            seen.read as f64,
            seen.refused.clone().unwrap_or_else(|| "every event was acknowledged".into()),
        ),
        Judged::of(
            &id("room"),
            STEP,
            format!("with {setting} the room that such a client took is back while it still does not read"),
            (Bound::AtMost, room_max(seen.pushed) as f64, Unit::Bytes),
            seen.left_bytes as f64,
            format!(
                "beyond what was used before the client asked; the {} events themselves are part of it",
                seen.pushed
            ),
        ),
    ];
    let unseen = seen.unseen();
    let shown = |claim: Judged| match &unseen {
        Some(why) if claim.holds() => claim.untested(why.clone()),
        _ => claim,
    };
    claims.into_iter().map(shown).collect()
}

/// What may be left while the client is still there: what the events may weigh, and what other clients hold.
pub fn room_max(pushed: u64) -> u64 {
    pushed * EVENT_BYTES_MAX + IDLE_BYTES
}

pub fn measured(seen: &SlowClientResult) -> String {
    let went = if seen.is_dropped { "dropped" } else { "not dropped" };
    let back = seen.back.map_or(format!("not back within {LIMIT:?}"), |back| {
        format!("room back {} after it left", figure(back.as_secs_f64() * 1_000.0, Unit::Milliseconds))
    });
    format!(
        "a client that does not read took {}, was {went}; {} of {} events went in meanwhile{}; {back}",
        bytes(seen.client_bytes as f64),
        thousands(seen.read as f64, 0),
        thousands(seen.pushed as f64, 0),
        seen.refused.as_ref().map_or("", |why| if why.contains("OOM") {
            ", then OOM"
        } else {
            ", then none"
        }),
    )
}

pub fn table(all: &[SlowClientResult], (asks, answer_bytes): (u64, u64), room: u64) -> Evidence {
    let cells = |seen: &SlowClientResult| {
        vec![
            format!("{} {}", seen.setting, seen.value),
            bytes(seen.client_bytes as f64),
            bytes(seen.grown_bytes as f64),
            if seen.is_dropped { "yes" } else { "no" }.to_owned(),
            thousands(seen.pushed as f64, 0),
            thousands(seen.read as f64, 0),
            bytes(seen.left_bytes as f64),
        ]
    };
    Evidence::Table {
        title: format!(
            "A client asks for up to {} answers of about {}, one after the other, and does not read; maxmemory lies {} above what is used, noeviction",
            asks,
            bytes(answer_bytes as f64),
            bytes(room as f64)
        ),
        columns: [
            "setting",
            "the client held",
            "used_memory grew by",
            "dropped",
            "events pushed meanwhile",
            "read back",
            "left while it is there",
        ]
        .map(String::from)
        .to_vec(),
        rows: all.iter().map(cells).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::claim::Judgement;

    const MIB: u64 = 1 << 20;
    const OUTPUT: &str = "client-output-buffer-limit";

    /// A client that was dropped at its limit, as it should be.
    fn dropped() -> SlowClientResult {
        SlowClientResult {
            setting: OUTPUT,
            limit: Some(16 * MIB),
            answer_bytes: 2 * MIB,
            client_bytes: 15 * MIB,
            grown_bytes: 15 * MIB,
            pushed: 1_000,
            read: 1_000,
            is_dropped: true,
            ..SlowClientResult::default()
        }
    }

    fn judgements(seen: &SlowClientResult) -> Vec<Judgement> {
        judge(seen.setting, seen).into_iter().map(|claim| claim.judgement()).collect()
    }

    #[test]
    fn a_client_that_is_gone_for_no_known_reason_shows_nothing() {
        assert_eq!(judgements(&dropped()), [Judgement::Holds; 3]);
        assert_eq!(judgements(&SlowClientResult { counted: Some(1), ..dropped() }), [Judgement::Holds; 3]);
        for unknown in [
            SlowClientResult { client_bytes: 0, ..dropped() },
            SlowClientResult { client_bytes: 5 * MIB, ..dropped() },
            SlowClientResult { counted: Some(0), ..dropped() },
        ] {
            let claims = judge(unknown.setting, &unknown);
            assert!(claims.iter().all(|claim| claim.judgement() == Judgement::Untested), "{claims:?}");
            assert!(claims[0].why.starts_with("the client is gone, but "), "{claims:?}");
        }
    }

    #[test]
    fn room_that_was_never_taken_is_not_back() {
        let none = judge(OUTPUT, &SlowClientResult { grown_bytes: 0, counted: Some(1), ..dropped() });
        assert!(none.iter().all(|claim| claim.judgement() == Judgement::Untested), "{none:?}");
        assert!(none[2].why.contains("no room was seen taken"), "{none:?}");
        // What is refuted stays so.
        let kept =
            SlowClientResult { is_dropped: false, limit: None, read: 10, left_bytes: 32 * MIB, ..dropped() };
        assert_eq!(judgements(&kept), [Judgement::Refuted; 3]);
    }
}
