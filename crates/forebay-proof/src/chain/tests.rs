//! The proof in short: each fault is survived, and each control is refuted.

use super::*;
use crate::claim::{Control, Verdict};
use crate::on_own_server;
use forebay_watch::profile::Profile;

#[test]
fn every_fault_of_a_chain_is_survived_and_every_control_is_refuted() {
    let claims = on_own_server(&Profile::load("bluesky-8h").unwrap(), |on| {
        let on = Subject { scale: Scale::Smallest, ..on };
        ChainRun { on, rounds: Some(1), only: &[] }.run().unwrap()
    });
    assert_eq!(claims.len(), scenario::ALL.len());
    for claim in claims {
        assert!(claim.control().is_some_and(Control::is_refuted), "{claim:?}");
        assert_eq!(claim.verdict(), Verdict::Proven, "{claim:?}");
    }
}
