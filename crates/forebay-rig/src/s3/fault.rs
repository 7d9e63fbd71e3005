//! What can go wrong with a bucket.

use std::time::Duration;

use super::error_code::ErrorCode;
use crate::http::FaultName;

/// What goes wrong with a request. Several may act on one, if they act at different times: while its body is read, in its
/// place, as its object is stored, on its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The body is read slowly. It acts on requests that have one.
    SlowBody {
        /// Bytes a second.
        rate: u64,
    },
    /// In place of the request: 500 `InternalError`.
    InternalError,
    /// In place of the request: 503 `SlowDown`.
    SlowDown,
    /// In place of the request: 409 `ConditionalRequestConflict`, as where two clients write a key at the same time.
    ConditionalRequestConflict,
    /// In place of the request: 412 `PreconditionFailed`, whatever is stored.
    PreconditionFailed,
    /// In place of the request: 403 `AccessDenied`, as where a permission is taken away or a session has ended.
    AccessDenied,
    /// In place of the request: 403 `RequestTimeTooSkewed`, as where the client's clock is wrong.
    RequestTimeTooSkewed,
    /// In place of the request: the connection is reset after the body was read. Nothing is stored or deleted.
    ResetAfterBody,
    /// Half of the object is stored, with the `ETag` and the SHA-256 of that half, and answered with 200: what a broken proxy
    /// does. It acts on a PUT of at least a byte that would have been stored.
    TornStore,
    /// The object is answered with 200 and not kept. What the key had before stays. It acts on a PUT that would have been
    /// stored.
    Forgotten,
    /// The answer comes late, what was asked for being done already.
    SlowAnswer {
        /// How late.
        wait: Duration,
    },
    /// The connection is reset in place of the answer, what was asked for being done.
    AnswerLost,
}

/// When in the life of a request a fault acts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    Body,
    InPlace,
    Tear,
    Forget,
    Delay,
    Answer,
}

impl Fault {
    /// One of each.
    pub fn all() -> [Self; 12] {
        [
            Self::SlowBody { rate: 1 << 20 },
            Self::InternalError,
            Self::SlowDown,
            Self::ConditionalRequestConflict,
            Self::PreconditionFailed,
            Self::AccessDenied,
            Self::RequestTimeTooSkewed,
            Self::ResetAfterBody,
            Self::TornStore,
            Self::Forgotten,
            Self::SlowAnswer { wait: Duration::from_millis(200) },
            Self::AnswerLost,
        ]
    }

    /// By which it is counted.
    pub fn name(self) -> FaultName {
        match self {
            Self::SlowBody { .. } => "slow-body",
            Self::InternalError => "internal-error",
            Self::SlowDown => "slow-down",
            Self::ConditionalRequestConflict => "conditional-request-conflict",
            Self::PreconditionFailed => "precondition-failed",
            Self::AccessDenied => "access-denied",
            Self::RequestTimeTooSkewed => "request-time-too-skewed",
            Self::ResetAfterBody => "reset-after-body",
            Self::TornStore => "torn-store",
            Self::Forgotten => "forgotten",
            Self::SlowAnswer { .. } => "slow-answer",
            Self::AnswerLost => "answer-lost",
        }
    }

    pub(super) fn stage(self) -> Stage {
        match self {
            Self::SlowBody { .. } => Stage::Body,
            Self::TornStore => Stage::Tear,
            Self::Forgotten => Stage::Forget,
            Self::SlowAnswer { .. } => Stage::Delay,
            Self::AnswerLost => Stage::Answer,
            _ => Stage::InPlace,
        }
    }

    /// The error that is answered in place of the request.
    pub(super) fn error_code(self) -> Option<ErrorCode> {
        match self {
            Self::InternalError => Some(ErrorCode::InternalError),
            Self::SlowDown => Some(ErrorCode::SlowDown),
            Self::ConditionalRequestConflict => Some(ErrorCode::ConditionalRequestConflict),
            Self::PreconditionFailed => Some(ErrorCode::PreconditionFailed),
            Self::AccessDenied => Some(ErrorCode::AccessDenied),
            Self::RequestTimeTooSkewed => Some(ErrorCode::RequestTimeTooSkewed),
            _ => None,
        }
    }
}
