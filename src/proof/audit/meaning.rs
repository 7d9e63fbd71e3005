//! stub
/// stub
pub fn same(_name: &str, one: &str, other: &str) -> bool {
    one == other
        || crate::profile::redis_bytes(one).is_some_and(|a| crate::profile::redis_bytes(other) == Some(a))
}
