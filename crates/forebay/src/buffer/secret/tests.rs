//! What is claimed of secrets: none is shown, however it is written, and what is none is.

use super::*;

#[test]
fn names_of_secrets_are_known_however_they_are_written() {
    for name in [
        "requirepass",
        "MASTERAUTH",
        "--requirepass",
        "tls-key-file-pass",
        "REDIS_PASSWORD",
        "redis.auth_token",
        "PW",
        "primaryuser",
        "sentinel-pass",
        "db_passwd",
        "AUTH",
        "user",
        "API-KEY",
        "ACCESS_KEY",
    ] {
        assert!(is_name(name), "{name}");
    }
    for name in
        ["maxmemory", "tls-auth-clients", "tcp-keepalive", "notify-keyspace-events", "tls-key-file", "bind"]
    {
        assert!(!is_name(name), "{name}");
    }
    assert_eq!((value("requirepass", "x"), value("requirepass", ""), value("hz", "10")), ("***", "", "10"));
}

#[test]
fn a_url_is_shown_without_whatever_may_be_a_password() {
    for (whole, shown) in [
        ("redis://u:s3@h:1/0", "redis://u:***@h:1/0"),
        ("redis://s3@h", "redis://***@h"),
        ("redis://:a@s3@h:1", "redis://:***@h:1"),
        ("redis://h:s3", "redis://h:***"),
        (
            "redis+sentinel://:s3@h:1,[::1]:2,k/main/0?sentinel_password=s3",
            "redis+sentinel://:***@h:1,[::1]:2,k/main/0?***",
        ),
        ("redis+sentinel://h:s3,k/s3@3", "redis+sentinel://h:***@3"),
        ("rediss+sentinel://h:s3/ma in", "rediss+sentinel://h:***/***"),
        ("redis://h:123456", "redis://h:***"),
        ("redis://h:6379/s3", "redis://h:6379/***"),
        ("redis://h/0?PASS=s3", "redis://h/0?***"),
        ("redis://h?%70ass=s3", "redis://h?***"),
        ("redis://h/0?db=1&protocol=resp3", "redis://h/0?db=1&protocol=resp3"),
        ("rediss://h:1/#insecure", "rediss://h:1/#insecure"),
        ("rediss://h:1/#s3", "rediss://h:1/#***"),
        ("redis+unix:///run/r.sock?pass=s3", "redis+unix:///run/r.sock?***"),
        ("unix:///run/r.sock", "unix:///run/r.sock"),
        ("redis://[::1]:6379", "redis://[::1]:6379"),
        ("redis://[::1]:s3", "redis://[::1]:***"),
        (":s3@h:1", "***@h:1"),
        ("h:s3", "h:***"),
        ("localhost:6379", "localhost:6379"),
        ("redis://u:s/3?x@h", "redis://u:***@h"),
    ] {
        assert_eq!(url(whole), shown, "{whole}");
    }
}

#[test]
fn a_line_of_others_is_shown_up_to_its_secret() {
    for (whole, shown) in [
        (">>> 'requirepass \"s3 x\"'", ">>> 'requirepass ***"),
        ("requirepass=s3", "requirepass=***"),
        ("requirepass.s3", "requirepass***"),
        ("/nowhere/password=/s3/", "/nowhere/password=***"),
        ("/var/auth/redis.log is full", "/var/auth/redis.log is full"),
        ("<password>s3</password>", "<password>***"),
        ("REDIS_PASSWORD=\"s3", "REDIS_PASSWORD=\"***"),
        ("{\"password\": \"s3\"}", "{\"password\": ***"),
        ("export REDISCLI_AUTH=s3 # s3", "export REDISCLI_AUTH=***"),
        ("user default on >s3", "user ***"),
        ("ACL SETUSER x on >s3 <s3 #s3", "ACL SETUSER ***"),
        ("on '>s3' nopass", "on '>*** nopass"),
        ("at redis://:s3@h:1 it ends", "at redis://:***@h:1 it ends"),
        ("redis://h:1 requirepass", "redis://h:1 requirepass"),
        ("12:M 1 Nov 2026 # Bad file format", "12:M 1 Nov 2026 # Bad file format"),
        (">>> 'maxmemory 2 gigs'", ">>> 'maxmemory 2 gigs'"),
    ] {
        assert_eq!(text(whole), shown, "{whole}");
    }
    assert_eq!(text("a\nauth s3\nb"), "a\nauth ***\nb");
}

#[test]
fn of_a_users_rules_only_those_without_a_password_are_shown() {
    let shown = |text: &str| rules(text.split(' '));
    assert_eq!(shown("on >s3 ~a:* &* +@all -flushall"), "on >*** ~a:* &* +@all -flushall");
    assert_eq!(shown("on s3 #s3 <s3 !s3 (+get ~x) +s3"), "on *** #*** <*** !*** (+get ~x) ***");
    assert_eq!(rules(["on", ">s3 on", "(+get ~x >s3)"]), "on *** (+get ~x >***");
}

#[test]
fn a_command_is_shown_whole_only_where_it_is_plain_words() {
    for (whole, shown) in [
        ("docker kill redis", "docker kill redis"),
        ("/bin/kill -KILL 4711", "/bin/kill -KILL 4711"),
        ("docker exec r mysql -ps3 x", "docker …"),
        ("./stop.sh s3", "./stop.sh …"),
        ("kill -9 4711", "kill -9 4711"),
        ("redis-cli -a s3 shutdown", "redis-cli …"),
        ("redis-cli --pass s3 shutdown", "redis-cli …"),
        ("sshpass -ps3 ssh h", "sshpass …"),
        ("PW=s3 ./kill.sh", "…"),
        ("echo s3 | sudo -S kill 1", "echo …"),
        ("kill $(cat /run/redis.pid)", "kill …"),
        ("mysql auth s3", "mysql …"),
    ] {
        assert_eq!(command(whole), shown, "{whole}");
    }
    assert_eq!(said("redis-cli -a s3cret x", "AUTH s3cret: no; redis-cli: s3cret?"), "AUTH ***");
    assert_eq!(said("redis-cli -a s3cret x", "sh: s3cret: not found"), "sh: ***: not found");
}
