//! What tests of experiments on settings share: a subject on a server of its own, and that every setting has its rows.

use forebay_proof::claim::Evidence;
use forebay_proof::progress::Silent;
use forebay_proof::server_setting::{Advice, Outcome};
use forebay_proof::target::{Target, own_name};
use forebay_proof::{Scale, Subject};
use forebay_rig::server::ServerBinary;
use forebay_watch::profile::{DEFAULT, Profile};

/// Runs experiments on a subject of the default profile.
pub(super) fn on_a_server(run: impl FnOnce(&Subject<'_>) -> Outcome) -> Outcome {
    let (profile, binary) = (Profile::load(DEFAULT).unwrap(), ServerBinary::find(None).unwrap());
    let (target, name) = (Target::own(&binary, &profile).unwrap(), own_name("settings").unwrap());
    run(&Subject {
        profile: &profile,
        target: &target,
        binary: &binary,
        name: &name,
        seed: 1,
        scale: Scale::Quick,
        progress: &Silent,
    })
}

/// `tried` names every setting, with how many values beside the default; each experiment has a table.
pub(super) fn assert_every_setting_has_its_rows(
    outcome: &Outcome,
    tried: &[(&str, usize)],
    evidence: &[Evidence],
    experiments: usize,
) {
    for &(setting, others) in tried {
        let rows: Vec<_> = outcome.rows.iter().filter(|row| row.setting == setting).collect();
        if let [row] = rows[..]
            && others > 0
        {
            assert!(row.advice.words().contains("this server does not know it"), "{row:?}");
            continue;
        }
        assert_eq!(rows.len(), others + 1, "{setting}: {rows:?}");
        assert_eq!(rows.iter().filter(|row| row.value.ends_with(" (default)")).count(), 1, "{rows:?}");
        for row in rows {
            match &row.advice {
                Advice::Untested(why) => assert!(why.len() > 10 && row.measured == "-", "{row:?}"),
                _ => assert!(row.measured.chars().any(|c| c.is_ascii_digit()), "{row:?}"),
            }
        }
    }
    let known: usize =
        outcome.rows.iter().filter(|row| tried.iter().any(|(name, _)| row.setting == *name)).count();
    assert_eq!(known, outcome.rows.len(), "a row of no setting: {:?}", outcome.rows);
    let Evidence::Table { columns, rows, .. } = &evidence[0] else { panic!("{evidence:?}") };
    assert_eq!((columns.len(), rows.len()), (4, outcome.rows.len()));
    assert!(matches!(&evidence[1], Evidence::Note { text } if text.contains("change where")), "{evidence:?}");
    assert_eq!(evidence.len(), 2 + experiments, "a table for each experiment");
    for table in evidence {
        if let Evidence::Table { title, columns, rows } = table {
            assert!(!rows.is_empty() && rows.iter().all(|row| row.len() == columns.len()), "{title}");
        }
    }
}
