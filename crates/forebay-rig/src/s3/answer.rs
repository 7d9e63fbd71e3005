//! What goes out: a status, headers, and an error, a document or a part of an object.

use std::fmt::Write as _;
use std::io;
use std::ops::Range;
use std::sync::Arc;

use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimePrinter;

use super::error_code::ErrorCode;
use super::store::Object;
use super::wire::{Headers, Wire};
use super::xml::text_element;

const XML_DECLARATION: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n";

/// What goes out.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    headers: Headers,
    content: Content,
}

#[derive(Debug)]
enum Content {
    Bytes(Vec<u8>),
    Part(Arc<Object>, Range<usize>),
}

/// A moment as HTTP has it: `Sat, 13 Jul 2024 22:50:05 GMT`.
pub(super) fn http_date(moment: Timestamp) -> String {
    // It fails for years that have not four digits: no object is of one.
    DateTimePrinter::new().timestamp_to_rfc9110_string(&moment).unwrap_or_default()
}

impl Answer {
    /// One without content.
    pub(super) fn empty(status: u16) -> Self {
        Self { status, headers: Vec::new(), content: Content::Bytes(Vec::new()) }
    }

    /// A document of XML, without its declaration.
    pub(super) fn xml(status: u16, document: &str) -> Self {
        let content = Content::Bytes(format!("{XML_DECLARATION}{document}").into_bytes());
        let answer = Self { status, headers: Vec::new(), content };
        answer.header("Content-Type", "application/xml")
    }

    /// A part of an object.
    pub(super) fn object(status: u16, object: Arc<Object>, range: Range<usize>) -> Self {
        Self { status, headers: Vec::new(), content: Content::Part(object, range) }
    }

    /// An error about a resource.
    pub(super) fn error(code: ErrorCode, resource: &str) -> Self {
        let (status, name, message) = code.parts();
        let document = format!(
            "<Error>{}{}{}<RequestId>0</RequestId></Error>",
            text_element("Code", name),
            text_element("Message", message),
            text_element("Resource", resource)
        );
        Self::xml(status, &document)
    }

    pub(super) fn header(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Sends it; to a HEAD without its content, whose length it tells all the same.
    pub(super) fn send(&self, wire: &mut Wire, is_head: bool, is_last: bool) -> io::Result<()> {
        let content = match &self.content {
            Content::Bytes(bytes) => bytes.as_slice(),
            Content::Part(object, range) => object.bytes.get(range.clone()).unwrap_or_default(),
        };
        let mut head = format!(
            "HTTP/1.1 {} {}\r\nDate: {}\r\nServer: forebay-rig\r\nx-amz-request-id: 0\r\n",
            self.status,
            reason(self.status),
            http_date(Timestamp::now())
        );
        for (name, value) in &self.headers {
            // Writing to a string does not fail.
            let _ = write!(head, "{name}: {value}\r\n");
        }
        // An answer that never has content must not tell its length.
        if self.status != 204 {
            let _ = write!(head, "Content-Length: {}\r\n", content.len());
        }
        if is_last {
            head += "Connection: close\r\n";
        }
        head += "\r\n";
        wire.write(head.as_bytes())?;
        if is_head { Ok(()) } else { wire.write(content) }
    }
}

fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        204 => "No Content",
        206 => "Partial Content",
        400 => "Bad Request",
        403 => "Forbidden",
        404 => "Not Found",
        409 => "Conflict",
        411 => "Length Required",
        412 => "Precondition Failed",
        416 => "Range Not Satisfiable",
        501 => "Not Implemented",
        503 => "Slow Down",
        507 => "Insufficient Storage",
        _ => "Internal Server Error",
    }
}
