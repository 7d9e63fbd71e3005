//! What a request asks for: operation, bucket, key and query.

use super::error_code::ErrorCode;
use super::wire::Head;
use crate::http::{decode_path, decode_query};

/// S3 has no longer keys.
const KEY_BYTES_MAX: usize = 1_024;
/// Of some clients' own, and without a meaning for the server.
const QUERY_IGNORED: &str = "x-id";

/// What a request asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Operation {
    /// PUT of an object.
    Put,
    /// GET of an object.
    Get,
    /// HEAD of an object.
    Head,
    /// DELETE of an object.
    Delete,
    /// POST of keys to delete. It has no key of its own.
    DeleteMany,
    /// GET of the keys. Its key is the prefix that is listed.
    List,
    /// HEAD of the bucket. It has no key.
    HeadBucket,
    /// Anything else, which is answered with 501.
    Other,
}

/// What a fault is armed for and the log shows.
#[derive(Debug)]
pub(super) struct Target {
    pub(super) operation: Operation,
    /// Of a listing, the prefix.
    pub(super) key: String,
}

/// A request, taken apart.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) head: Head,
    pub(super) target: Target,
    pub(super) bucket: String,
    query: Vec<(String, String)>,
    /// Why the path is not valid.
    pub(super) refused: Option<ErrorCode>,
}

impl Request {
    pub(super) fn new(head: Head) -> Self {
        let (path, query) = head.target.split_once('?').unwrap_or((head.target.as_str(), ""));
        let query: Vec<(String, String)> = query
            .split('&')
            .filter(|pair| !pair.is_empty())
            .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
            .map(|(key, value)| (decode_query(key), decode_query(value)))
            .filter(|(key, _)| key != QUERY_IGNORED)
            .collect();
        let path = path.strip_prefix('/').unwrap_or(path);
        let (bucket, key) = path.split_once('/').unwrap_or((path, ""));
        let (key, refused) = match String::from_utf8(decode_path(key)) {
            Ok(key) if key.len() > KEY_BYTES_MAX => (key, Some(ErrorCode::KeyTooLong)),
            Ok(key) => (key, None),
            Err(error) => {
                (String::from_utf8_lossy(error.as_bytes()).into_owned(), Some(ErrorCode::InvalidUri))
            }
        };
        let bucket = String::from_utf8_lossy(&decode_path(bucket)).into_owned();
        let operation = operation(&head, &key, &query);
        let mut request = Self { head, target: Target { operation, key }, bucket, query, refused };
        if operation == Operation::List {
            request.target.key = request.parameter("prefix").unwrap_or_default().to_owned();
        }
        request
    }

    /// The value of a parameter of the query.
    pub(super) fn parameter(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// The access key that it is signed with.
    pub(super) fn access_key(&self) -> Option<&str> {
        let value = self.head.header("authorization")?;
        let (_, credential) = value.strip_prefix("AWS4-HMAC-SHA256 ")?.split_once("Credential=")?;
        credential.split('/').next()
    }
}

/// Parameters and headers that ask for more than this server has make it another operation.
fn operation(head: &Head, key: &str, query: &[(String, String)]) -> Operation {
    let has = |name: &str| query.iter().any(|(key, _)| key == name);
    let is_conditional = ["if-match", "if-none-match", "if-modified-since", "if-unmodified-since"]
        .iter()
        .any(|name| head.header(name).is_some());
    match (head.method.as_str(), key.is_empty()) {
        ("PUT", false) if query.is_empty() && head.header("x-amz-copy-source").is_none() => Operation::Put,
        ("GET", false) if query.is_empty() && !is_conditional => Operation::Get,
        ("HEAD", false) if query.is_empty() && !is_conditional => Operation::Head,
        ("DELETE", false) if query.is_empty() && !is_conditional => Operation::Delete,
        ("POST", true) if has("delete") => Operation::DeleteMany,
        ("GET", true) if query.iter().any(|(key, value)| key == "list-type" && value == "2") => {
            Operation::List
        }
        ("HEAD", true) if query.is_empty() => Operation::HeadBucket,
        _ => Operation::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(method: &str, target: &str, headers: &[(&str, &str)]) -> Request {
        let headers = headers.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
        Request::new(Head { method: method.into(), target: target.into(), headers, is_last: false })
    }

    #[test]
    fn a_request_is_taken_apart() {
        let put = request("PUT", "/b/a%20b/%C3%A4+1?x-id=PutObject", &[]);
        assert_eq!((put.bucket.as_str(), put.target.key.as_str()), ("b", "a b/ä+1"));
        assert_eq!((put.target.operation, put.refused), (Operation::Put, None));
        let list = request("GET", "/b?list-type=2&prefix=a%2Fb+c&delimiter=%2F", &[]);
        assert_eq!((list.target.operation, list.target.key.as_str()), (Operation::List, "a/b c"));
        assert_eq!((list.parameter("delimiter"), list.parameter("max-keys")), (Some("/"), None));
        assert_eq!(request("GET", "/b/%FF", &[]).refused, Some(ErrorCode::InvalidUri));
        assert_eq!(
            request("GET", &format!("/b/{}", "k".repeat(1_025)), &[]).refused,
            Some(ErrorCode::KeyTooLong)
        );
    }

    #[test]
    fn what_the_server_does_not_have_is_another_operation() {
        for (method, target, headers) in [
            ("PUT", "/b/k?partNumber=1&uploadId=u", &[][..]),
            ("PUT", "/b/k", &[("x-amz-copy-source", "/b/j")]),
            ("POST", "/b/k?uploads", &[]),
            ("GET", "/b?location", &[]),
            ("GET", "/b", &[]),
            ("GET", "/b/k", &[("if-match", "\"e\"")]),
            ("PUT", "/b", &[]),
            ("PATCH", "/b/k", &[]),
        ] {
            let operation = request(method, target, headers).target.operation;
            assert_eq!(operation, Operation::Other, "{method} {target}");
        }
    }

    #[test]
    fn the_access_key_stands_in_the_credential() {
        let signed = |value| request("GET", "/b/k", &[("authorization", value)]);
        let value = "AWS4-HMAC-SHA256 Credential=key/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=0";
        assert_eq!(signed(value).access_key(), Some("key"));
        assert_eq!(signed("Bearer Credential=key").access_key(), None);
        assert_eq!(request("GET", "/b/k", &[]).access_key(), None);
    }
}
