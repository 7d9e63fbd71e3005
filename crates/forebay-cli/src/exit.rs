//! Every exit code of the command line, and nothing else: scripts rely on these.

/// No claim was refuted, and no input was refused.
pub const OK: u8 = 0;
/// A claim was refuted, or some input was refused.
pub const REFUTED: u8 = 1;
/// The command line, a profile, or a file it names is wrong.
pub const USAGE: u8 = 2;
/// There is no server to talk to, it cannot serve, or it was lost for good.
pub const NO_SERVER: u8 = 3;
/// A control was not refuted: a check let something pass that was broken on purpose, so it is no evidence.
pub const CONTROL_NOT_REFUTED: u8 = 4;
/// Ended by SIGINT or SIGTERM, as shells report it.
pub const INTERRUPTED: u8 = 130;
