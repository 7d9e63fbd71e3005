//! Listing the keys of the bucket, as `ListObjectsV2` does.

use std::fmt::Write as _;
use std::ops::Bound;
use std::sync::Arc;

use super::answer::Answer;
use super::error_code::ErrorCode;
use super::request::Request;
use super::settings::Settings;
use super::shared::Shared;
use super::store::{Object, hex};
use super::xml::text_element;
use crate::http::encode;

/// What is listed.
struct Query<'a> {
    prefix: &'a str,
    delimiter: &'a str,
    /// Behind this key.
    after: Option<&'a str>,
    /// A common prefix that the page before has told already.
    told: Option<&'a str>,
    max: usize,
}

/// One answer's worth of keys.
#[derive(Default)]
struct Page {
    objects: Vec<(String, Arc<Object>)>,
    /// What keys have in common up to the delimiter.
    prefixes: Vec<String>,
    /// The key or prefix from behind which more is to be had.
    continues_after: Option<String>,
}

/// Lists keys.
pub(super) fn list(shared: &Shared, settings: &Settings, request: &Request) -> Result<Answer, ErrorCode> {
    let encodes = match request.parameter("encoding-type") {
        None => false,
        Some("url") => true,
        Some(_) => return Err(ErrorCode::InvalidArgument),
    };
    let page_max = settings.page_max.max(1);
    let max = match request.parameter("max-keys") {
        None => page_max,
        Some(text) => text.parse::<usize>().map_err(|_| ErrorCode::InvalidArgument)?.min(page_max),
    };
    let told = match request.parameter("continuation-token") {
        Some(token) => Some(from_token(token).ok_or(ErrorCode::InvalidArgument)?),
        None => None,
    };
    let told = told.as_deref();
    let delimiter = request.parameter("delimiter").unwrap_or_default();
    let after = told.or(request.parameter("start-after"));
    let query = Query { prefix: &request.target.key, delimiter, after, told, max };
    let page = page(shared, &query);
    Ok(Answer::xml(200, &document(&query, &page, settings, request, encodes)))
}

fn page(shared: &Shared, query: &Query<'_>) -> Page {
    let mut page = Page::default();
    if query.max == 0 {
        return page;
    }
    let objects = shared.store.lock();
    // The prefix comes before all keys that begin with it.
    let from = match query.after {
        Some(after) if after >= query.prefix => Bound::Excluded(after),
        _ => Bound::Included(query.prefix),
    };
    let mut last = query.told;
    let mut count = 0;
    for (key, object) in objects.range::<str, _>((from, Bound::Unbounded)) {
        if !key.starts_with(query.prefix) {
            break;
        }
        let common = query.common_prefix(key);
        if common.is_some() && common == last {
            continue;
        }
        if count == query.max {
            page.continues_after = last.map(str::to_owned);
            break;
        }
        count += 1;
        last = Some(common.unwrap_or(key));
        match common {
            Some(common) => page.prefixes.push(common.to_owned()),
            None => page.objects.push((key.clone(), Arc::clone(object))),
        }
    }
    page
}

impl Query<'_> {
    /// What a key has in common with others, up to the delimiter.
    fn common_prefix<'a>(&self, key: &'a str) -> Option<&'a str> {
        if self.delimiter.is_empty() {
            return None;
        }
        let rest = key.strip_prefix(self.prefix)?;
        let at = rest.find(self.delimiter)?;
        Some(&key[..self.prefix.len() + at + self.delimiter.len()])
    }
}

fn document(query: &Query<'_>, page: &Page, settings: &Settings, request: &Request, encodes: bool) -> String {
    let key = |text: &str| if encodes { encode(text) } else { text.to_owned() };
    let mut xml = String::from("<ListBucketResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">");
    let mut add = |name: &str, text: &str| xml.push_str(&text_element(name, text));
    add("Name", &settings.bucket);
    add("Prefix", &key(query.prefix));
    if !query.delimiter.is_empty() {
        add("Delimiter", &key(query.delimiter));
    }
    if encodes {
        add("EncodingType", "url");
    }
    if let Some(after) = request.parameter("start-after") {
        add("StartAfter", &key(after));
    }
    if let Some(token) = request.parameter("continuation-token") {
        add("ContinuationToken", token);
    }
    add("MaxKeys", &query.max.to_string());
    add("KeyCount", &(page.objects.len() + page.prefixes.len()).to_string());
    add("IsTruncated", if page.continues_after.is_some() { "true" } else { "false" });
    if let Some(after) = &page.continues_after {
        add("NextContinuationToken", &to_token(after));
    }
    for (name, object) in &page.objects {
        // Writing to a string does not fail.
        let _ = write!(
            xml,
            "<Contents>{}{}{}{}<StorageClass>STANDARD</StorageClass></Contents>",
            text_element("Key", &key(name)),
            text_element("LastModified", &format!("{:.3}", object.modified)),
            text_element("ETag", &object.etag),
            text_element("Size", &object.bytes.len().to_string())
        );
    }
    for prefix in &page.prefixes {
        let _ = write!(xml, "<CommonPrefixes>{}</CommonPrefixes>", text_element("Prefix", &key(prefix)));
    }
    xml + "</ListBucketResult>"
}

/// Opaque to clients, so that none takes it for a key.
fn to_token(after: &str) -> String {
    hex(after.as_bytes())
}

fn from_token(token: &str) -> Option<String> {
    let digits = token.as_bytes().chunks(2).map(|pair| str::from_utf8(pair).ok().filter(|_| pair.len() == 2));
    let bytes: Option<Vec<u8>> =
        digits.map(|digits| digits.and_then(|digits| u8::from_str_radix(digits, 16).ok())).collect();
    String::from_utf8(bytes?).ok()
}
