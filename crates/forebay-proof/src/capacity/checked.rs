//! Whether a frame that does not hold its events is ever sent: an encoder that loses a byte of every frame, with the writer's
//! check and, as the control, without.

use super::fill::{FillPlan, Filled, fill};
use super::readback::{ReadBack, read_back};
use crate::Subject;
use crate::claim::{Bound, Claim, Control, Judged, Judgement, Unit};
use crate::ledger::Ledger;
use crate::report::units::thousands;
use crate::target::scratch;
use forebay::block::encode::{Encoding, Sabotage, Wanted};
use forebay::buffer::batch::Limits;
use forebay::buffer::keys::Name;
use forebay_rig::synth::Synth;

/// The step of the brief that capacity answers.
const STEP: u8 = 3;

/// Events of each run.
const EVENTS: u64 = 20_000;

/// What came of frames that were spoiled.
struct Spoiled {
    filled: Filled,
    back: ReadBack,
}

/// Runs both, and judges.
pub(super) fn claim(on: &Subject<'_>, events: &Synth, limits: Limits) -> anyhow::Result<Claim> {
    on.progress.begin("an encoder that loses a byte", 2 * EVENTS);
    let noticed = run(on, events, limits, Sabotage::LosesByte)?;
    let unseen = run(on, events, limits, Sabotage::LosesByteUnseen)?;
    let control = Control::when(
        "the same encoder, whose frames are sent without being checked",
        judged(&unseen).judgement() == Judgement::Refuted,
        unseen.back.findings.sentence(),
    );
    Ok(judged(&noticed).with(control))
}

fn run(on: &Subject<'_>, events: &Synth, limits: Limits, sabotage: Sabotage) -> anyhow::Result<Spoiled> {
    let (_server, address) = scratch(on.binary, 0)?;
    let name: Name = "spoiled".parse()?;
    let plan = FillPlan {
        address: &address,
        name: &name,
        events,
        count: EVENTS,
        rate: on.profile.rate(),
        limits,
        encoding: Encoding { wanted: Wanted::Dense, sabotage },
        used_bytes_max: None,
    };
    let make = |index: u64, out: &mut Vec<u8>| events.write_event(index, out);
    let mut ledger = Ledger::new(&make);
    let filled = fill(&plan, &mut ledger, on.progress)?;
    let back = read_back(&address, &name, &mut ledger, on.progress)?;
    Ok(Spoiled { filled, back })
}

fn judged(spoiled: &Spoiled) -> Judged {
    let of = |name: &str| {
        spoiled.filled.counts.encoded().find(|(why, _)| *why == name).map_or(0, |(_, blocks)| blocks)
    };
    let (differing, dense) = (of("differs"), of("dense"));
    let claim = Judged::of(
        "capacity.checked",
        STEP,
        "a frame of encoding 2 that lost a byte is never sent: each is decoded and compared first",
        (Bound::Exactly, 0.0, Unit::Events),
        (spoiled.back.findings.faults() + spoiled.back.faults.len() as u64 + dense) as f64,
        format!(
            "of {} blocks whose frames an encoder had made a byte short, {} were noticed and sent in encoding 1; {}",
            thousands((differing + dense) as f64, 0),
            thousands(differing as f64, 0),
            spoiled.back.findings.sentence(),
        ),
    );
    if differing + dense == 0 { claim.untested("no frame was spoiled") } else { claim }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::Findings;
    use forebay::buffer::writer::Counts;

    fn spoiled(blocks: [u64; 5], lost: u64) -> Spoiled {
        let counts = Counts { chosen: blocks, ..Counts::default() };
        let read = 100 - lost;
        let findings =
            Findings { offered: 100, acknowledged: 100, read, lost_middle: lost, ..Findings::default() };
        Spoiled {
            filled: Filled { counts, seconds: 1.0, curve: Vec::new(), ended: None },
            back: ReadBack { findings, faults: Vec::new(), seconds: 0.1 },
        }
    }

    #[test]
    fn what_was_noticed_holds_what_got_through_is_refuted_and_nothing_spoiled_is_nothing_shown() {
        assert!(judged(&spoiled([0, 0, 0, 0, 9], 0)).holds());
        assert_eq!(judged(&spoiled([9, 0, 0, 0, 0], 10)).judgement(), Judgement::Refuted);
        assert_eq!(judged(&spoiled([0, 9, 0, 0, 0], 0)).judgement(), Judgement::Untested);
    }
}
