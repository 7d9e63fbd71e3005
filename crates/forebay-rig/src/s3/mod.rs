//! A bucket of our own: what drain writes to in tests and proofs, in the part of the protocol of S3 that object stores share
//! (path-style, over plain HTTP on 127.0.0.1), with faults that are counted where they act.
//!
//! Constraints: objects lie in memory, and their bytes, those being received included, stay within
//! [`Settings::bytes_max`]. Every wait has a deadline. What it does not know it answers with 501, so that a client that
//! needs more is noticed. Signatures are not checked, only the access key. There are no versions, no parts of uploads, and
//! no access control besides [`Settings`].
//!
//! A request is read whole, body included, before anything is decided. Then, in this order: a fault that answers in its
//! place ([`Fault`]), access key, bucket, permission, preconditions, a fault of storing, the store, a fault of the answer.
//!
//! | file | is responsible for |
//! |---|---|
//! | `settings` | what a server is asked to be |
//! | `server` | the server as tests and proofs see it |
//! | `shared` | what its threads share |
//! | `connection` | a connection: one request after the other, each decided, logged and answered |
//! | `wire` | the socket: heads and bytes in, answers out, each within its deadline |
//! | `request` | what is asked for: operation, bucket, key, query |
//! | `body`, `aws_chunked` | a body in each of its encodings |
//! | `object`, `range`, `list`, `delete_many` | the operations |
//! | `answer`, `error_code`, `xml` | what goes out |
//! | `store`, `room` | objects, and the bound on their bytes |
//! | `fault`, `when`, `armed` | what goes wrong, for which requests, and how often it did |
//! | `request_log` | the last requests |

mod answer;
mod armed;
mod aws_chunked;
mod body;
mod connection;
mod delete_many;
mod error_code;
mod fault;
mod list;
mod object;
mod range;
mod request;
mod request_log;
mod room;
mod server;
mod settings;
mod shared;
mod store;
mod when;
mod wire;
mod xml;

pub use armed::FaultId;
pub use fault::Fault;
pub use request::Operation;
pub use request_log::LoggedRequest;
pub use server::S3Server;
pub use settings::Settings;
pub use when::When;
