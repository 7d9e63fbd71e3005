//! The dictionary that frames of the host that is asked come with: of `/subscribe` from a file, of the second version's own
//! stream from the host.

use std::path::PathBuf;

use super::aside::aside;
use super::config::Config;
use super::ending::Ending;
use super::error::IngestError;
use super::host::Endpoint;
use super::intake::Listener;
use super::socket::fetch_dictionary;

impl Config {
    /// The dictionary of `/subscribe`, where frames may come with it.
    pub(super) fn read_dictionary(&self) -> Result<Option<Vec<u8>>, IngestError> {
        let read = |path: &PathBuf| {
            std::fs::read(path).map_err(|why| IngestError::Dictionary {
                path: path.display().to_string(),
                why: why.to_string(),
            })
        };
        self.dictionary.as_ref().filter(|_| self.compress).map(read).transpose()
    }
}

/// The dictionary of the host that is asked.
pub(super) struct Dictionary<'a> {
    config: &'a Config,
    of_subscribe: Option<Vec<u8>>,
    of_events: Option<(usize, Vec<u8>)>,
    /// Hosts whose frames did not open.
    plain: Vec<bool>,
}

impl<'a> Dictionary<'a> {
    pub fn new(config: &'a Config) -> Result<Self, IngestError> {
        Ok(Self {
            config,
            of_subscribe: config.read_dictionary()?,
            of_events: None,
            plain: config.hosts.iter().map(|_| false).collect(),
        })
    }

    /// From now on this host is asked without compression.
    pub fn leave_out(&mut self, at: usize) {
        self.plain[at] = true;
    }

    /// What a host had is no longer what its frames come with.
    pub fn forget(&mut self) {
        self.of_events = None;
    }

    /// The dictionary for the host that is asked next.
    pub fn of(&mut self, at: usize, ending: Ending<'_>, hear: &mut dyn Listener) -> Option<Vec<u8>> {
        let host = &self.config.hosts[at];
        if !self.config.compress || self.plain[at] {
            return None;
        }
        if host.endpoint == Endpoint::Subscribe {
            return self.of_subscribe.clone();
        }
        if self.of_events.as_ref().is_none_or(|(of, _)| *of != at) {
            let asked = host.clone();
            match aside(|| ending.is_over(), move || fetch_dictionary(&asked))? {
                Ok(bytes) => self.of_events = Some((at, bytes)),
                Err(why) => {
                    hear.remark(&format!("{host}: no dictionary ({why}): without compression for now"));
                    return None;
                }
            }
        }
        self.of_events.as_ref().map(|(_, bytes)| bytes.clone())
    }
}
