//! What is done to source or server while events come, and when.

use forebay_pipe::ingest::Counted;
use forebay_rig::jetstream::{Fault, Protocol};

use super::scenario::Action;
use super::size::Size;
use super::stage::Stage;

/// Something that is done once a condition holds.
pub struct Step {
    /// When.
    pub when: When,
    /// What.
    pub then: Then,
}

/// When a step is due.
#[derive(Debug, Clone, Copy)]
pub enum When {
    /// Once so many events are taken.
    Pushed(u64),
    /// Once so many more are taken than at the step before.
    More(u64),
    /// Once the source was let go.
    HeldBack,
    /// Once so many kills were noticed.
    Reopened(u64),
}

/// What a step does.
pub type Then = fn(&mut Stage) -> anyhow::Result<()>;

impl When {
    /// Whether it is due; `before` events were taken at the step before.
    pub fn is_now(self, counted: &Counted, before: u64) -> bool {
        match self {
            Self::Pushed(events) => counted.pushed >= events,
            Self::More(events) => counted.pushed >= before + events,
            Self::HeldBack => counted.held_back > 0,
            Self::Reopened(times) => counted.reopened >= times,
        }
    }
}

/// The steps of an action, the last of them first. Which live event it happens at is by the seed.
pub fn of(action: Action, size: &Size, seed: u64) -> Vec<Step> {
    let at = |when: When, then: Then| Step { when, then };
    let moment = size.history + fastrand::Rng::with_seed(seed).u64(size.live / 8..=size.live / 2);
    let mut steps = match action {
        Action::None => Vec::new(),
        Action::Cut => vec![at(When::Pushed(moment), cut)],
        Action::OtherVersion => vec![at(When::Pushed(moment), other_version)],
        Action::Anew => vec![at(When::Pushed(moment), anew)],
        Action::Rotate => vec![at(When::Pushed(moment), rotate)],
        Action::OtherHost => vec![at(When::Pushed(moment), go)],
        Action::Full => {
            vec![at(When::Pushed(1), fill), at(When::HeldBack, make_room)]
        }
        Action::Kill => kills(size, seed),
    };
    steps.reverse();
    steps
}

/// Three kills: in the replay, so that more is lost than an ingest asks for again by itself, and two later.
fn kills(size: &Size, seed: u64) -> Vec<Step> {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut steps = vec![
        Step { when: When::Pushed(random.u64(500..2_500)), then: Stage::mark_log },
        Step { when: When::More(size.history / 2), then: Stage::kill },
    ];
    for kill in 1..=2 {
        steps.push(Step { when: When::Reopened(kill), then: Stage::mark_log });
        steps.push(Step { when: When::More(random.u64(300..size.live / 3)), then: Stage::kill });
    }
    steps.push(Step { when: When::Reopened(3), then: |_| Ok(()) });
    steps
}

fn cut(stage: &mut Stage) -> anyhow::Result<()> {
    change(stage, |_| {})
}

fn other_version(stage: &mut Stage) -> anyhow::Result<()> {
    change(stage, |settings| {
        settings.protocol = match settings.protocol {
            Protocol::V1 => Protocol::V2,
            Protocol::V2 => Protocol::V1,
        }
    })
}

/// Numbers of before are given again to other events where the seed is even, and lie far ahead where it is odd. A host of the first
/// version has none: it becomes one that has.
fn anew(stage: &mut Stage) -> anyhow::Result<()> {
    change(stage, |settings| {
        if settings.protocol == Protocol::V1 {
            settings.protocol = Protocol::V2;
        }
        settings.first_seq = if settings.seed.is_multiple_of(2) { 1_500 } else { 1_000_000 };
    })
}

fn rotate(stage: &mut Stage) -> anyhow::Result<()> {
    change(stage, |settings| settings.faults.push(Fault::RotatedDictionary))
}

fn change(stage: &Stage, change: impl FnOnce(&mut forebay_rig::jetstream::Settings)) -> anyhow::Result<()> {
    let host = stage.host.as_ref().ok_or_else(|| anyhow::anyhow!("the host is gone"))?;
    host.change(change);
    host.cut();
    Ok(())
}

fn go(stage: &mut Stage) -> anyhow::Result<()> {
    let host = stage.host.take().ok_or_else(|| anyhow::anyhow!("the host is gone"))?;
    drop(host);
    Ok(())
}

fn fill(stage: &mut Stage) -> anyhow::Result<()> {
    stage.set("maxmemory", "1mb")
}

fn make_room(stage: &mut Stage) -> anyhow::Result<()> {
    stage.set("maxmemory", "0")
}
