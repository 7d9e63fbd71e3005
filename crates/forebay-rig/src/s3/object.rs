//! The operations on one object: PUT, GET, HEAD and DELETE.

use std::sync::Arc;

use super::answer::{Answer, http_date};
use super::aws_chunked;
use super::error_code::ErrorCode;
use super::fault::{Fault, Stage};
use super::range;
use super::request::Request;
use super::room::Held;
use super::shared::Shared;
use super::store::{Condition, Object, hex, sha256};
use super::wire::Headers;
use crate::http::FaultName;

const SHA256_HEADER: &str = "x-amz-checksum-sha256";
/// Checksums that are kept. Of these, SHA-256 alone is checked.
const CHECKSUM_HEADERS: [&str; 5] = [
    SHA256_HEADER,
    "x-amz-checksum-sha1",
    "x-amz-checksum-crc32",
    "x-amz-checksum-crc32c",
    "x-amz-checksum-crc64nvme",
];

/// Stores an object. A fault that acted on that is added to `acted`.
pub(super) fn put(
    shared: &Shared,
    request: &Request,
    mut body: Held,
    acted: &mut Vec<FaultName>,
) -> Result<Answer, ErrorCode> {
    let condition = condition(request)?;
    let trailers = if is_aws_chunked(request) {
        aws_chunked::decode(&mut body).ok_or(ErrorCode::IncompleteBody)?
    } else {
        Vec::new()
    };
    let decoded_length = request.head.header("x-amz-decoded-content-length");
    if decoded_length.is_some_and(|length| length.parse() != Ok(body.len())) {
        return Err(ErrorCode::IncompleteBody);
    }
    let digest = sha256(&body);
    let mut object = Object::new(body, &digest);
    object.metadata = metadata(request);
    object.checksums = checksums(request, trailers);
    check(request, &object, &digest)?;
    let mut objects = shared.store.lock();
    condition.check(objects.get(&request.target.key))?;
    let can_tear = !object.bytes.is_empty();
    let tear = can_tear.then(|| shared.faults.take(&request.target, Stage::Tear)).flatten();
    let fault = tear.or_else(|| shared.faults.take(&request.target, Stage::Forget));
    acted.extend(fault.map(Fault::name));
    if fault == Some(Fault::TornStore) {
        object = torn(object);
    }
    let answer = with_checksums(Answer::empty(200).header("ETag", &object.etag), &object);
    if fault != Some(Fault::Forgotten) {
        objects.insert(request.target.key.clone(), Arc::new(object));
    }
    Ok(answer)
}

fn condition(request: &Request) -> Result<Condition, ErrorCode> {
    let etag = request.head.header("if-match").map(str::to_owned);
    match request.head.header("if-none-match") {
        None => Ok(Condition { is_absent: false, etag }),
        Some("*") => Ok(Condition { is_absent: true, etag }),
        Some(_) => Err(ErrorCode::NotImplemented),
    }
}

fn is_aws_chunked(request: &Request) -> bool {
    let has = |name: &str, is_so: fn(&str) -> bool| request.head.header(name).is_some_and(is_so);
    has("content-encoding", |value| value.split(',').any(|coding| coding.trim() == "aws-chunked"))
        || has("x-amz-content-sha256", |value| value.starts_with("STREAMING-"))
}

/// Headers that come back with the object.
fn metadata(request: &Request) -> Headers {
    let is_kept =
        |name: &str| name.starts_with("x-amz-meta-") || ["content-type", "content-encoding"].contains(&name);
    let without_chunks = |value: &str| {
        let codings = value.split(',').map(str::trim).filter(|coding| *coding != "aws-chunked");
        codings.collect::<Vec<_>>().join(",")
    };
    let headers = request.head.headers.iter().filter(|(name, _)| is_kept(name));
    headers
        .map(|(name, value)| {
            let is_encoding = name == "content-encoding";
            (name.clone(), if is_encoding { without_chunks(value) } else { value.clone() })
        })
        .filter(|(_, value)| !value.is_empty())
        .collect()
}

fn checksums(request: &Request, trailers: Headers) -> Headers {
    let all = request.head.headers.iter().cloned().chain(trailers);
    all.filter(|(name, _)| CHECKSUM_HEADERS.contains(&name.as_str())).collect()
}

/// Are the bytes those that the client says it sent?
fn check(request: &Request, object: &Object, digest: &[u8; 32]) -> Result<(), ErrorCode> {
    let given = object.checksums.iter().find(|(name, _)| name == SHA256_HEADER);
    if given.is_some_and(|(_, value)| *value != base64(digest)) {
        return Err(ErrorCode::BadDigest);
    }
    // Anything shorter says that the payload is not signed, or that its chunks are.
    let signed = request.head.header("x-amz-content-sha256").filter(|value| value.len() == 64);
    if signed.is_some_and(|value| value != hex(digest)) {
        return Err(ErrorCode::ContentSha256Mismatch);
    }
    Ok(())
}

/// Half of an object, as if no more had been sent. Checksums other than SHA-256 are not known of it.
fn torn(mut whole: Object) -> Object {
    let half = whole.bytes.len() / 2;
    whole.bytes.truncate(half);
    let digest = sha256(&whole.bytes);
    let mut object = Object::new(whole.bytes, &digest);
    object.metadata = whole.metadata;
    let had_sha256 = whole.checksums.iter().any(|(name, _)| name == SHA256_HEADER);
    object.checksums = had_sha256.then(|| (SHA256_HEADER.into(), base64(&digest))).into_iter().collect();
    object
}

fn with_checksums(answer: Answer, object: &Object) -> Answer {
    object.checksums.iter().fold(answer, |answer, (name, value)| answer.header(name, value))
}

/// An object, or the part of it that is asked for; the connection leaves the content out for a HEAD.
pub(super) fn get(shared: &Shared, request: &Request) -> Result<Answer, ErrorCode> {
    let object = shared.store.get(&request.target.key).ok_or(ErrorCode::NoSuchKey)?;
    let len = object.bytes.len();
    let range = range::parse(request.head.header("range"), len)?;
    let mut answer = match &range {
        Some(range) => Answer::object(206, Arc::clone(&object), range.clone())
            .header("Content-Range", format!("bytes {}-{}/{len}", range.start, range.end - 1)),
        None => Answer::object(200, Arc::clone(&object), 0..len),
    };
    answer = answer
        .header("ETag", &object.etag)
        .header("Last-Modified", http_date(object.modified))
        .header("Accept-Ranges", "bytes");
    for (name, value) in &object.metadata {
        answer = answer.header(name, value);
    }
    // Of a part they would say nothing.
    let wants_checksums = request.head.header("x-amz-checksum-mode") == Some("ENABLED") && range.is_none();
    Ok(if wants_checksums { with_checksums(answer, &object) } else { answer })
}

/// Deletes an object; that it was not there is no error.
pub(super) fn delete(shared: &Shared, request: &Request) -> Answer {
    shared.store.lock().remove(&request.target.key);
    Answer::empty(204)
}

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for part in bytes.chunks(3) {
        let at = |index: usize| u32::from(part.get(index).copied().unwrap_or_default());
        let bits = at(0) << 16 | at(1) << 8 | at(2);
        for digit in 0..4 {
            let value = (bits >> (18 - 6 * digit)) & 63;
            text.push(if digit <= part.len() { char::from(DIGITS[value as usize]) } else { '=' });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_that_of_the_standard() {
        let vectors = [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
            ("foobar", "Zm9vYmFy"),
        ];
        for (bytes, text) in vectors {
            assert_eq!(base64(bytes.as_bytes()), text);
        }
        assert_eq!(base64(&[0xfb, 0xff, 0xfe]), "+//+");
    }
}
