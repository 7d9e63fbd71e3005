//! A Jetstream of our own: what ingest reads from in tests and proofs, in both of the protocols that the network has,
//! with every fault that is known of the real ones, each of which is counted where it acts.
//!
//! What it has is a function of seed and index ([`Network`]); when an event exists is a function of its index too
//! (`clock`). So the simulator keeps no events: any connection can begin anywhere, and whoever checks can make each event
//! again ([`Simulator::line`]).
//!
//! | file | is responsible for |
//! |---|---|
//! | `network` | the lines themselves, made in chunks and kept within a bound |
//! | `clock` | when an event exists, and which time it shows |
//! | `log` | the order of what a host has, events that stand in it twice or are evil included |
//! | `request`, `answer`, `filter`, `cursor` | what a client asks for, and what it is answered before the first event |
//! | `encode`, `dictionary`, `wire` | bytes of an event, compressed or not, and of a frame |
//! | `outbox` | a connection's socket: deadlines, pings, what the client sends |
//! | `stream`, `order` | what a connection delivers, and in which order |
//! | `fault`, `due`, `evil`, `slow` | what goes wrong |
//! | `ledger` | every event by what it is, against every event that a buffer hands out |
//! | `settings`, `shared`, `listen`, `simulator` | what it is asked to be, connections and their threads |

mod answer;
mod clock;
mod cursor;
mod dictionary;
mod due;
mod encode;
mod evil;
mod fault;
mod filter;
mod ledger;
mod listen;
mod log;
mod network;
mod order;
mod outbox;
mod request;
mod settings;
mod shared;
mod simulator;
mod slow;
mod stream;
mod wire;

pub use encode::Form;
pub use evil::{Evil, Sent, Standing};
pub use fault::{Fault, FaultName};
pub use ledger::{IngestLedger, SameEvent, identity};
pub use network::Network;
pub use settings::{Protocol, Settings};
pub use simulator::Simulator;
