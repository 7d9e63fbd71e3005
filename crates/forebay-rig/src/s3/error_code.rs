//! Errors of S3: their code, status and message.

/// An error of S3.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ErrorCode {
    AccessDenied,
    BadDigest,
    ConditionalRequestConflict,
    IncompleteBody,
    InternalError,
    InvalidAccessKeyId,
    InvalidArgument,
    InvalidRange,
    InvalidRequest,
    InvalidUri,
    KeyTooLong,
    MalformedXml,
    MissingContentLength,
    NoSuchBucket,
    NoSuchKey,
    NotImplemented,
    PreconditionFailed,
    RequestTimeTooSkewed,
    SlowDown,
    StorageFull,
    ContentSha256Mismatch,
}

impl ErrorCode {
    /// Status, code and message.
    pub(super) fn parts(self) -> (u16, &'static str, &'static str) {
        match self {
            Self::AccessDenied => (403, "AccessDenied", "Access Denied"),
            Self::BadDigest => {
                (400, "BadDigest", "The SHA256 you specified did not match the calculated checksum.")
            }
            Self::ConditionalRequestConflict => (
                409,
                "ConditionalRequestConflict",
                "A conflicting operation occurred during the request. Retry it.",
            ),
            Self::IncompleteBody => {
                (400, "IncompleteBody", "The body does not have the length or the form that its headers say.")
            }
            Self::InternalError => {
                (500, "InternalError", "We encountered an internal error. Please try again.")
            }
            Self::InvalidAccessKeyId => (
                403,
                "InvalidAccessKeyId",
                "The AWS access key ID that you provided does not exist in our records.",
            ),
            Self::InvalidArgument => (400, "InvalidArgument", "A parameter of the query is not valid."),
            Self::InvalidRange => (416, "InvalidRange", "The requested range is not satisfiable"),
            Self::InvalidRequest => (400, "InvalidRequest", "The request is not valid HTTP/1.1."),
            Self::InvalidUri => (400, "InvalidURI", "The path is not UTF-8."),
            Self::KeyTooLong => (400, "KeyTooLongError", "Your key is too long"),
            Self::MalformedXml => (400, "MalformedXML", "The XML that you provided was not well formed."),
            Self::MissingContentLength => {
                (411, "MissingContentLength", "You must provide the Content-Length HTTP header.")
            }
            Self::NoSuchBucket => (404, "NoSuchBucket", "The specified bucket does not exist"),
            Self::NoSuchKey => (404, "NoSuchKey", "The specified key does not exist."),
            Self::NotImplemented => (501, "NotImplemented", "This server does not have what you asked for."),
            Self::PreconditionFailed => {
                (412, "PreconditionFailed", "At least one of the pre-conditions you specified did not hold")
            }
            Self::RequestTimeTooSkewed => (
                403,
                "RequestTimeTooSkewed",
                "The difference between the request time and the current time is too large.",
            ),
            Self::SlowDown => (503, "SlowDown", "Please reduce your request rate."),
            // Not of S3, which is never full, but of servers that speak its protocol.
            Self::StorageFull => (507, "XMinioStorageFull", "The server has no more room for objects."),
            Self::ContentSha256Mismatch => (
                400,
                "XAmzContentSHA256Mismatch",
                "The provided 'x-amz-content-sha256' header does not match what was computed.",
            ),
        }
    }
}
