//! What is claimed of servers that Forebay starts, of every verb: too long for each run of the tests.

#[test]
#[ignore = "nightly"]
fn another_user_can_neither_read_nor_ask_the_servers_of_any_verb() {
    if !super::other_user::is_root() {
        return;
    }
    for verb in
        ["prove", "baseline", "capacity", "pressure", "durability", "throughput", "monitoring", "tune"]
    {
        super::other_user::closed_to_others(&[verb, "--quiet"], tempfile::tempdir().unwrap().path());
        println!("nightly other_user: {verb}: closed");
    }
}
