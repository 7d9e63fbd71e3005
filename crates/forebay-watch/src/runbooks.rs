//! The runbooks as a page: `docs/runbooks.md`, which is part of the program, so that an alert links to what is there.

use std::fmt::Write as _;
use std::sync::LazyLock;

/// The text, as the repository has it.
const TEXT: &str = include_str!("../../../docs/runbooks.md");

/// The page.
pub(super) fn page() -> &'static str {
    static PAGE: LazyLock<String> = LazyLock::new(|| render(TEXT));
    &PAGE
}

/// The page of a text: headings, paragraphs, and within them code, emphasis and links to headings. All else is text.
fn render(text: &str) -> String {
    let (mut body, mut index) = (String::new(), String::new());
    for block in text.split("\n\n").map(str::trim).filter(|block| !block.is_empty()) {
        if let Some(head) = block.strip_prefix("## ") {
            let (anchor, head) = (escaped(&head.to_ascii_lowercase()), escaped(head));
            let _ = writeln!(body, "<h2 id=\"{anchor}\">{head}</h2>");
            let _ = writeln!(index, "<li><a href=\"#{anchor}\">{head}</a></li>");
        } else if let Some(head) = block.strip_prefix("# ") {
            let _ = writeln!(body, "<h1>{}</h1>", escaped(head));
        } else {
            let _ = writeln!(body, "<p>{}</p>", inline(block));
        }
    }
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n<title>Forebay runbooks</title>\n\
         <link rel=\"stylesheet\" href=\"/page/style.css\">\n</head>\n<body class=\"runbooks\">\n\
         <p><a href=\"/\">The buffer now</a></p>\n<main>\n<article>\n{body}</article>\n\
         <nav aria-label=\"All alerts\"><ul>\n{index}</ul></nav>\n</main>\n</body>\n</html>\n"
    )
}

/// A paragraph's text.
fn inline(text: &str) -> String {
    let (mut html, mut rest) = (String::new(), text);
    while let Some(at) = rest.find(['`', '*', '[']) {
        html.push_str(&escaped(&rest[..at]));
        rest = &rest[at..];
        let (made, length) = marked(rest).unwrap_or_else(|| (rest[..1].to_owned(), 1));
        html.push_str(&made);
        rest = &rest[length..];
    }
    html + &escaped(rest)
}

/// What a marked text at the beginning becomes, and how long it is; none where it is not one.
fn marked(text: &str) -> Option<(String, usize)> {
    if let Some((code, length)) = between(text, "`", "`") {
        return Some((format!("<code>{}</code>", escaped(code)), length));
    }
    if let Some((strong, length)) = between(text, "**", "**") {
        return Some((format!("<strong>{}</strong>", inline(strong)), length));
    }
    if let Some((strong, length)) = between(text, "*", "*") {
        return Some((format!("<em>{}</em>", inline(strong)), length));
    }
    let (label, at) = between(text, "[", "]")?;
    let (anchor, length) = between(&text[at..], "(#", ")")?;
    Some((format!("<a href=\"#{}\">{}</a>", escaped(anchor), inline(label)), at + length))
}

/// What stands between two marks, of which the first begins the text, and how long all of it is.
fn between<'a>(text: &'a str, open: &str, close: &str) -> Option<(&'a str, usize)> {
    let inner = text.strip_prefix(open)?;
    let end = inner.find(close).filter(|end| *end > 0)?;
    Some((&inner[..end], open.len() + end + close.len()))
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_become_tags_and_everything_else_stays_text() {
        for (text, html) in [
            ("**Do.** `a < b` & *c*", "<strong>Do.</strong> <code>a &lt; b</code> &amp; <em>c</em>"),
            ("[A](#a), [b](http://c.example)", "<a href=\"#a\">A</a>, [b](http://c.example)"),
            ("`a*.aof` 2 * 3", "<code>a*.aof</code> 2 * 3"),
            ("<script>\"x\"</script>", "&lt;script&gt;&quot;x&quot;&lt;/script&gt;"),
            ("[<b>](#\"onclick=)", "<a href=\"#&quot;onclick=\">&lt;b&gt;</a>"),
        ] {
            assert_eq!(inline(text), html);
        }
    }

    #[test]
    fn every_link_of_the_page_has_its_heading() {
        let links: Vec<&str> =
            page().split("href=\"#").skip(1).filter_map(|rest| rest.split('"').next()).collect();
        assert!(links.len() > 29, "{}", links.len());
        for link in links {
            assert!(page().contains(&format!("<h2 id=\"{link}\">")), "{link}");
        }
        assert!(!page().contains("**") && !page().contains("](#"), "all marks are read");
    }
}
