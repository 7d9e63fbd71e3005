//! The little XML that S3 needs: elements out, text of an element in.

use std::fmt::Write as _;

/// An element that has text.
pub(super) fn text_element(name: &str, text: &str) -> String {
    format!("<{name}>{}</{name}>", escape(text))
}

/// Text as XML has it. Control characters become references, of which XML 1.0 forbids most: clients that have such keys ask for
/// them to be URL-encoded.
pub(super) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for char in text.chars() {
        match char {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&apos;"),
            control if control.is_control() => {
                // Writing to a string does not fail.
                let _ = write!(escaped, "&#x{:X};", u32::from(control));
            }
            other => escaped.push(other),
        }
    }
    escaped
}

/// The text of XML; none where a reference is not valid.
pub(super) fn unescape(text: &str) -> Option<String> {
    let mut parts = text.split('&');
    let mut unescaped = parts.next()?.to_owned();
    for part in parts {
        let (name, rest) = part.split_once(';')?;
        unescaped.push(match name {
            "amp" => '&',
            "lt" => '<',
            "gt" => '>',
            "quot" => '"',
            "apos" => '\'',
            number => {
                let digits = number.strip_prefix('#')?;
                let code = match digits.strip_prefix('x') {
                    Some(digits) => u32::from_str_radix(digits, 16),
                    None => digits.parse(),
                };
                char::from_u32(code.ok()?)?
            }
        });
        unescaped.push_str(rest);
    }
    Some(unescaped)
}

/// The contents of each element of this name, in order; elements have no attributes and do not lie in their like.
pub(super) fn elements<'a>(xml: &'a str, name: &str) -> Vec<&'a str> {
    let (open, close) = (format!("<{name}>"), format!("</{name}>"));
    let after = xml.split(open.as_str()).skip(1);
    after.filter_map(|rest| rest.split_once(close.as_str())).map(|(content, _)| content).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_comes_back_from_xml() {
        for text in ["", "a&b<c>\"d'e", "&amp;", "\r\n\u{1}ä", "&&"] {
            assert_eq!(unescape(&escape(text)).as_deref(), Some(text));
        }
        assert_eq!(unescape("&#65;&#x42;").as_deref(), Some("AB"));
        for invalid in ["&", "&a;", "&#xD800;", "a&lt", "&#;"] {
            assert_eq!(unescape(invalid), None, "{invalid}");
        }
        assert_eq!(elements("<a><b>1</b><b>2</b><bb>3</bb><b>4</a>", "b"), ["1", "2"]);
    }
}
