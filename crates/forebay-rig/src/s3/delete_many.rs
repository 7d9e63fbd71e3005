//! Deleting many keys with one request, as `DeleteObjects` does.

use std::fmt::Write as _;

use super::answer::Answer;
use super::error_code::ErrorCode;
use super::settings::Settings;
use super::shared::Shared;
use super::xml::{elements, text_element, unescape};

/// S3 takes no more.
const KEYS_MAX: usize = 1_000;

/// Deletes the keys that the body names. Those that are not there are no error.
pub(super) fn delete_many(shared: &Shared, settings: &Settings, body: &[u8]) -> Result<Answer, ErrorCode> {
    let body = str::from_utf8(body).map_err(|_| ErrorCode::MalformedXml)?;
    let keys = keys(body).ok_or(ErrorCode::MalformedXml)?;
    let is_quiet = elements(body, "Quiet").first().is_some_and(|text| text.trim() == "true");
    let mut xml = String::from("<DeleteResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">");
    for key in keys {
        let key_element = text_element("Key", &key);
        if settings.is_read_only {
            let (_, code, message) = ErrorCode::AccessDenied.parts();
            let (code, message) = (text_element("Code", code), text_element("Message", message));
            // Writing to a string does not fail.
            let _ = write!(xml, "<Error>{key_element}{code}{message}</Error>");
            continue;
        }
        shared.store.lock().remove(&key);
        if !is_quiet {
            let _ = write!(xml, "<Deleted>{key_element}</Deleted>");
        }
    }
    Ok(Answer::xml(200, &(xml + "</DeleteResult>")))
}

fn keys(body: &str) -> Option<Vec<String>> {
    let objects = elements(body, "Object");
    if objects.is_empty() || objects.len() > KEYS_MAX {
        return None;
    }
    objects.into_iter().map(|object| unescape(elements(object, "Key").first()?)).collect()
}
