//! What is claimed of the experiments on memory settings: every setting has its rows, the claims are right, what is broken
//! is refuted, and what a server does not know is not shown.

use std::time::Duration;

use forebay::profile::{DEFAULT, Profile};
use forebay::proof::claim::{Evidence, Verdict};
use forebay::proof::pressure::settings::row::Advice;
use forebay::proof::pressure::settings::{Outcome, Sizes, run_sized};
use forebay::proof::progress::Silent;
use forebay::proof::target::{Target, own_name};
use forebay::proof::{Scale, Subject};
use forebay::server::ServerBinary;

const SMALL: Sizes = Sizes {
    events: 12_000,
    plain_events: 2_000,
    cycles: 2,
    settle: Duration::from_secs(1),
    tries: 1,
    appended: 500,
    room_bytes: 12 << 20,
};

fn run(sizes: Sizes) -> Outcome {
    let (profile, binary) = (Profile::load(DEFAULT).unwrap(), ServerBinary::find(None).unwrap());
    let (target, name) = (Target::own(&binary, &profile).unwrap(), own_name("settings").unwrap());
    let on = Subject {
        profile: &profile,
        target: &target,
        binary: &binary,
        name: &name,
        seed: 1,
        scale: Scale::Quick,
        progress: &Silent,
    };
    run_sized(&on, sizes).unwrap()
}

/// To look at by hand, at the size of a quick run or of `SETTINGS_SIZES=small`.
#[test]
#[ignore = "prints figures"]
fn figures() {
    let small = std::env::var("SETTINGS_SIZES").is_ok_and(|sizes| sizes == "small");
    let started = std::time::Instant::now();
    let outcome = run(if small { SMALL } else { Sizes::of(Scale::Quick) });
    for row in &outcome.rows {
        println!("{} | {} | {} | {}", row.setting, row.value, row.measured, row.advice.words());
    }
    for evidence in &outcome.details {
        if let Evidence::Table { title, columns, rows } = evidence {
            println!("\n{title}\n{}", columns.join(" | "));
            rows.iter().for_each(|row| println!("{}", row.join(" | ")));
        }
    }
    for claim in &outcome.claims {
        let control = claim.control.as_ref().map(|control| (control.caught, &control.measured));
        println!("{} {:?} {:?} {} | {control:?}", claim.id, claim.verdict, claim.measured, claim.why);
    }
    println!("{:?}", started.elapsed());
}
