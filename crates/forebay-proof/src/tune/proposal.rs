//! What is proposed: settings of the server and of the clients, each with the figure that speaks for it, and as files.

use std::fmt::Write as _;

use super::bench::Bench;
use super::catalogue::Change;
use super::client::Client;
use super::effects::gains;
use super::experiment::Turn;
use super::interval::Interval;
use super::row::{Row, Standing};
use super::variant::SettingsOverlay;
use forebay::buffer::secret;
use forebay_rig::server::Conf;
use forebay_watch::profile::Profile;

/// By what part a larger change must gain more than a smaller one.
const MORE: f64 = 0.02;

/// Settings that measured better and lost no proof.
pub struct Proposal {
    /// Of the server.
    pub(super) over: SettingsOverlay,
    /// The clients with all that is proposed for them.
    pub(super) client: Client,
    is_client_changed: bool,
    /// Each with its figures.
    because: Vec<(String, String)>,
    /// What is left to people: whether it is the server's, what it would be, what it gains, and what it costs.
    choices: Vec<(bool, String, String)>,
}

/// A setting that something else than an experiment speaks for: a start is needed for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Worth {
    /// The setting.
    pub name: String,
    /// What to set it to.
    pub value: String,
    /// What was measured.
    pub because: String,
}

impl Worth {
    /// Of a name, a value, and what was measured.
    pub(super) fn of((name, value, because): (&str, &str, &str)) -> Self {
        Self { name: name.into(), value: value.into(), because: because.into() }
    }
}

impl Proposal {
    pub(super) fn of(bench: &Bench<'_>, rows: &[Row]) -> Self {
        let mut proposal = Self {
            over: SettingsOverlay::default(),
            client: bench.client.clone(),
            is_client_changed: false,
            because: Vec::new(),
            choices: rows.iter().filter_map(choice).collect(),
        };
        for row in best(rows) {
            let figures = row.outcome.as_ref().map(gains).unwrap_or_default();
            match row.candidate.change {
                Change::Server { settings, is_live } => {
                    let SettingsOverlay { live, .. } = SettingsOverlay::live(settings);
                    proposal.because.extend(live.iter().map(|(name, _)| (name.clone(), figures.clone())));
                    let to = if is_live { &mut proposal.over.live } else { &mut proposal.over.at_start };
                    to.extend(live);
                }
                Change::Client { change, what, .. } => {
                    change(&mut proposal.client);
                    proposal.is_client_changed = true;
                    proposal.because.push((what.into(), figures));
                }
            }
        }
        proposal
    }

    /// Adds what is worth setting by other evidence, where nothing speaks for another value of it.
    pub(super) fn add(&mut self, rows: &[Row], worth: impl IntoIterator<Item = Worth>) {
        let is_tried = |name: &str| {
            rows.iter().any(|row| match row.candidate.change {
                Change::Server { settings, .. } => {
                    row.outcome.is_some() && settings.iter().any(|(known, _)| *known == name)
                }
                Change::Client { .. } => false,
            })
        };
        for Worth { name, value, because } in worth {
            // What an experiment has decided on stands.
            if !is_tried(&name) && self.over.all().all(|(known, _)| *known != name) {
                self.over.at_start.push((name.clone(), value));
                self.because.push((name, because));
            }
        }
    }

    /// Whether there is anything in it that takes no start of a server.
    pub(super) fn has_live(&self) -> bool {
        !self.over.live.is_empty() || self.is_client_changed
    }

    /// What a running server can be told.
    pub fn live(&self) -> &[(String, String)] {
        &self.over.live
    }

    /// `[blocks]` of a profile, with what is proposed in it, and what is left to choose.
    pub fn blocks(&self) -> String {
        self.client.blocks() + &self.choices(false)
    }

    /// What is left to people, of the server or of the clients, as comments.
    fn choices(&self, of_server: bool) -> String {
        let lines: Vec<String> = self
            .choices
            .iter()
            .filter(|(is_server, ..)| *is_server == of_server)
            .map(|(_, to, why)| format!("# {to}: {why}\n"))
            .collect();
        if lines.is_empty() { String::new() } else { format!("\n# Yours to choose:\n{}", lines.concat()) }
    }

    /// Everything that is proposed, a line each, with its figures.
    pub(super) fn lines(&self) -> Vec<String> {
        let why = |name: &str| {
            self.because.iter().find(|(known, _)| known == name).map_or("", |(_, figures)| figures.as_str())
        };
        let server = self.over.all().map(|(name, value)| format!("{name} {value}: {}", why(name)));
        let is_server = |name: &str| self.over.all().any(|(known, _)| known == name);
        let client = self.because.iter().filter(|(name, _)| !is_server(name));
        server.chain(client.map(|(name, figures)| format!("{name}: {figures}"))).collect()
    }

    /// Whether today's settings stand as they are.
    pub fn is_empty(&self) -> bool {
        self.over.is_empty() && !self.is_client_changed
    }

    /// `redis.conf` with all of the profile's settings and those proposed, each with its reason.
    pub fn redis_conf(&self, profile: &Profile) -> String {
        let mut text = format!("# Settings for {}, by `forebay tune`.\n", profile.name.escape_debug());
        let settings = profile.conf_settings().into_iter();
        let mut conf: Conf = settings.filter(|(name, _)| !secret::is_name(name)).collect();
        for (name, value) in self.over.all() {
            conf.set(name, value.as_str());
        }
        for (name, value) in conf.settings() {
            let why = self.because.iter().find(|(known, _)| known == name);
            let why = why.map_or("as the profile has it", |(_, figures)| figures.as_str());
            // Proof: a String takes all that is written to it.
            writeln!(text, "\n# {why}\n{}", Conf::from_iter([(name, value.as_str())]).render().trim_end())
                .expect("a String takes all");
        }
        text + &self.choices(true)
    }
}

fn choice(row: &Row) -> Option<(bool, String, String)> {
    let what = match row.standing {
        Standing::Choice => row.outcome.as_ref().map(gains).unwrap_or_default(),
        Standing::Safer => format!("{}; no cost seen", row.candidate.hope),
        _ => return None,
    };
    let is_server = matches!(row.candidate.change, Change::Server { .. });
    Some((is_server, row.to.clone(), format!("{what}. It costs: {}", row.candidate.cost)))
}

/// Of candidates that change the same, the first; a later one where it surely gains more.
fn best(rows: &[Row]) -> Vec<&Row> {
    let proposed = rows.iter().filter(|row| row.standing == Standing::Proposed);
    let mut best: Vec<&Row> = Vec::new();
    for row in proposed {
        match best.iter_mut().find(|other| changes_same(row, other)) {
            None => best.push(row),
            Some(other) if surely_gains_more(row, other) => *other = row,
            Some(_) => {}
        }
    }
    best
}

fn surely_gains_more(row: &Row, than: &Row) -> bool {
    let gains = |row: &Row, pick: fn(&Interval) -> f64| {
        let effects = row.outcome.iter().flat_map(|outcome| &outcome.effects);
        effects
            .filter(|effect| effect.turn == Turn::Better)
            .map(|effect| (effect.metric, pick(&effect.gain)))
            .collect::<Vec<_>>()
    };
    let before = gains(than, |gain| gain.mid);
    // Of the same figure.
    gains(row, |gain| gain.low).into_iter().any(|(metric, low)| {
        let mid = before.iter().find(|(other, _)| *other == metric).map_or(1.0, |(_, mid)| *mid);
        low > mid * (1.0 + MORE)
    })
}

fn changes_same(one: &Row, other: &Row) -> bool {
    match (one.candidate.change, other.candidate.change) {
        (Change::Server { settings: a, .. }, Change::Server { settings: b, .. }) => {
            a.iter().any(|(name, _)| b.iter().any(|(other, _)| name == other))
        }
        (Change::Client { what: a, .. }, Change::Client { what: b, .. }) => a == b,
        _ => false,
    }
}
