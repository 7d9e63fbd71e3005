//! Who may log in to a server, and what they may do: ACL rules as the server lists them.

use forebay::buffer::secret;
use forebay_watch::machine::Unread;

/// Commands that a mistake or an intruder empties or stops a buffer with, and the categories that hold them.
pub const DANGEROUS: [(&str, &[&str]); 6] = [
    ("flushall", &["keyspace", "write", "slow", "dangerous"]),
    ("flushdb", &["keyspace", "write", "slow", "dangerous"]),
    ("config", &["admin", "slow", "dangerous"]),
    ("debug", &["admin", "slow", "dangerous"]),
    ("shutdown", &["admin", "slow", "dangerous"]),
    ("keys", &["keyspace", "read", "slow", "dangerous"]),
];

/// Commands that a buffer is written and read with.
pub const NEEDED: [&str; 13] = [
    "evalsha",
    "script",
    "xadd",
    "xread",
    "xreadgroup",
    "xack",
    "xautoclaim",
    "xtrim",
    "xinfo",
    "xgroup",
    "hget",
    "hmget",
    "info",
];

/// Commands that remedies are given with.
pub const MENDING: [&str; 3] = ["acl", "bgrewriteaof", "bgsave"];

/// Users, and the commands that the server does not know.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Users {
    /// The rules of the default user, as ACL LIST has them: `on nopass ~* &* +@all`.
    pub default_rules: String,
    /// Users beside it.
    pub others: usize,
    /// Commands of [`DANGEROUS`], [`NEEDED`] and [`MENDING`] that the server does not know: renamed or disabled.
    pub unknown: Vec<String>,
}

impl Users {
    /// Reads the answer of ACL LIST, or the lines `user …` of a file.
    pub fn parse<'a>(lines: impl IntoIterator<Item = &'a str>) -> Result<Self, Unread> {
        let mut users = Self::default();
        for line in lines {
            let mut words = line.split_whitespace();
            match (words.next().map(str::to_ascii_lowercase).as_deref(), words.next()) {
                (Some("user"), Some("default")) => users.default_rules = secret::rules(words),
                (Some("user"), Some(_)) => users.others += 1,
                // Not quoted: it may hold a password.
                _ => return Err(Unread("a line for a user is not as ACL LIST writes it".into())),
            }
        }
        if users.default_rules.is_empty() {
            return Err(Unread("the server lists no default user".into()));
        }
        Ok(users)
    }

    /// Whether anybody may log in as the default user, without a password.
    pub fn is_open(&self) -> bool {
        self.is_on() && self.last(&["nopass"], &["resetpass", "reset"], |word| word.starts_with(['>', '#']))
    }

    /// Whether the default user may log in and do everything with everything.
    pub fn default_may_all(&self) -> bool {
        let all_keys = self.last(&["~*", "allkeys"], &["resetkeys", "reset"], |_| false);
        // Whatever is taken after everything was given makes it less than all.
        let is_taken = |word: &str| word.starts_with('-') || word == "nocommands";
        self.is_on() && all_keys && self.last(&["+@all", "allcommands"], &["reset"], is_taken)
    }

    fn is_on(&self) -> bool {
        self.last(&["on"], &["off", "reset"], |_| false)
    }

    /// Whether the last of the rules on something is one that gives it.
    fn last(&self, given: &[&str], taken: &[&str], also_taken: impl Fn(&str) -> bool) -> bool {
        let mut is_given = false;
        for word in self.default_rules.split_whitespace().map(str::to_ascii_lowercase) {
            if given.contains(&word.as_str()) {
                is_given = true;
            } else if taken.contains(&word.as_str()) || also_taken(&word) {
                is_given = false;
            }
        }
        is_given
    }

    /// Commands of [`DANGEROUS`] that the default user may give.
    pub fn dangerous(&self) -> Vec<&'static str> {
        let open = DANGEROUS.iter().filter(|(name, categories)| {
            let is_known = !self.unknown.iter().any(|unknown| unknown == name);
            is_known && self.is_on() && self.may(name, categories)
        });
        open.map(|(name, _)| *name).collect()
    }

    /// Commands that a buffer needs and the server does not know.
    pub fn missing(&self) -> Vec<&str> {
        self.unknown.iter().map(String::as_str).filter(|name| NEEDED.contains(name)).collect()
    }

    /// The rules in their order, the last that names the command decides. Those of a selector, in parentheses, only
    /// add: they count as if they stood alone.
    fn may(&self, name: &str, categories: &[&str]) -> bool {
        let mut may = false;
        let rules = self.default_rules.to_ascii_lowercase();
        for word in rules.split_whitespace().map(|word| word.trim_matches(['(', ')'])) {
            let (grants, what) = match word {
                "allcommands" => (true, "@all"),
                "nocommands" | "reset" => (false, "@all"),
                _ => match (word.strip_prefix('+'), word.strip_prefix('-')) {
                    (Some(what), _) => (true, what),
                    (_, Some(what)) => (false, what),
                    _ => continue,
                },
            };
            let named = match what.strip_prefix('@') {
                Some(category) => category == "all" || categories.contains(&category),
                None => what.eq_ignore_ascii_case(name),
            };
            if named {
                may = grants;
            }
        }
        may
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn users(rules: &str) -> Users {
        Users::parse([format!("user default {rules}").as_str(), "user app on #1 ~app:* +get"]).unwrap()
    }

    #[test]
    fn the_last_rule_that_names_a_command_decides() {
        assert_eq!(users("on nopass ~* &* +@all").dangerous().len(), DANGEROUS.len());
        let narrowed = users("on nopass ~* &* +@all -@dangerous +config");
        assert_eq!(narrowed.dangerous(), ["config"]);
        assert_eq!(users("on nopass ~* -@all +get +@admin -shutdown").dangerous(), ["config", "debug"]);
        assert!(users("off nopass ~* +@all").dangerous().is_empty());
        let mut renamed = users("on nopass ~* +@all");
        renamed.unknown = vec!["flushall".into(), "xadd".into()];
        assert!(!renamed.dangerous().contains(&"flushall"));
        assert_eq!(renamed.missing(), ["xadd"]);
    }

    #[test]
    fn a_user_without_password_is_open_only_while_it_is_on() {
        assert!(users("on nopass ~* +@all").is_open() && !users("off nopass ~* +@all").is_open());
        assert!(!users("on #abc ~* +@all").is_open() && users("on #abc ~* +@all").default_may_all());
        assert_eq!(users("on").others, 1);
        assert!(Users::parse(["nonsense"]).is_err() && Users::parse([]).is_err());
        assert!(users("ON NoPass ~* +@ALL").is_open() && !users("on nopass >pw ~*").is_open());
        assert!(users("on >pw resetpass nopass").is_open() && !users("on nopass reset").is_open());
        assert!(
            users("on nopass ~* +@ALL").default_may_all()
                && !users("on ~* +@all -@dangerous").default_may_all()
        );
        assert!(!users("on ~* resetkeys ~a:* +@all").default_may_all());
    }

    #[test]
    fn no_password_of_a_user_is_kept() {
        for rules in ["on >hunter2 ~*", "on #hunter2", "on <hunter2 !hunter2"] {
            assert!(!format!("{:?}", users(rules)).contains("hunter2"), "{rules}");
        }
        let why = Users::parse(["USR default on >hunter2"]).unwrap_err();
        assert!(!why.0.contains("hunter2"), "{why:?}");
    }
}
