//! What is claimed of the audit, on as many files as take a while.

use std::time::Instant;

#[test]
#[ignore = "nightly"]
fn no_secret_of_10_000_files_is_in_any_output() {
    let began = Instant::now();
    super::audit_secrets::no_secret_in(10_000, 21);
    println!(
        "nightly audit_secrets: 10000 files, 7 outputs each, 0 secrets, {:.0} s",
        began.elapsed().as_secs_f64()
    );
}

#[test]
#[ignore = "nightly"]
fn of_200_files_the_audit_says_what_five_servers_say() {
    use super::audit_variants::{compare, servers};
    let servers = servers();
    assert!(servers.len() >= 5, "make servers fetches them: {servers:?}");
    for (name, binary) in servers {
        let (began, (same, other)) = (Instant::now(), compare(&binary, 200, 22));
        println!(
            "nightly audit_variants: {name} {same} of 200 the same, {:.0} s",
            began.elapsed().as_secs_f64()
        );
        assert!(same >= 198, "{name}: {}", other.join("\n"));
        let false_starts =
            other.iter().filter(|case| case.contains("the server false, the audit true")).count();
        assert_eq!(false_starts, 0, "{name}: {}", other.join("\n"));
    }
}
