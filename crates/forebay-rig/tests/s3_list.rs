//! What is claimed of listings of the rig's bucket: pages of any size are together what a plain model says.

use std::collections::BTreeSet;

use fastrand::Rng;
use forebay_rig::s3::S3Server;

use super::s3_support::{answer, element, start};

/// Keys and common prefixes, each once.
type Listed = (Vec<String>, Vec<String>);

/// Every page, with at most `max` each.
fn pages(server: &S3Server, query: &str, max: usize) -> Listed {
    let (mut keys, mut prefixes) = (Vec::new(), Vec::new());
    let mut token = String::new();
    loop {
        let page = answer(server, "GET", &format!("/forebay?list-type=2&max-keys={max}{query}{token}"), b"");
        assert_eq!(page.status, 200, "{}", page.text());
        let texts = |container: &str, name: &str| -> Vec<String> {
            let open = format!("<{container}>");
            let parts = page.text().split(open.as_str()).skip(1);
            parts.map(|part| element(part, name).unwrap().to_owned()).collect()
        };
        let (of_page, of_prefixes) = (texts("Contents", "Key"), texts("CommonPrefixes", "Prefix"));
        let count = of_page.len() + of_prefixes.len();
        assert_eq!(element(page.text(), "KeyCount"), Some(count.to_string().as_str()));
        keys.extend(of_page);
        prefixes.extend(of_prefixes);
        let Some(next) = element(page.text(), "NextContinuationToken") else {
            assert_eq!(element(page.text(), "IsTruncated"), Some("false"));
            return (keys, prefixes);
        };
        assert_eq!((element(page.text(), "IsTruncated"), count), (Some("true"), max));
        assert!(keys.len() + prefixes.len() < 100, "listings that come to no end: {query}, {max}");
        token = format!("&continuation-token={next}");
    }
}

fn model(keys: &BTreeSet<String>, prefix: &str, delimiter: bool, after: &str) -> Listed {
    let (mut listed, mut prefixes) = (Vec::new(), BTreeSet::new());
    for key in keys.iter().filter(|key| key.starts_with(prefix) && key.as_str() > after) {
        match key[prefix.len()..].split_once('/').filter(|_| delimiter) {
            Some((folder, _)) => drop(prefixes.insert(format!("{prefix}{folder}/"))),
            None => listed.push(key.clone()),
        }
    }
    (listed, prefixes.into_iter().collect())
}

#[test]
fn pages_of_any_size_are_together_what_a_model_says() {
    for seed in 0..6 {
        let (server, mut rng) = (start(), Rng::with_seed(seed));
        let keys: BTreeSet<String> = (0..40)
            .map(|_| (0..rng.usize(1..6)).map(|_| rng.choice(['a', 'b', '/', '0', '~']).unwrap()).collect())
            .filter(|key: &String| !key.is_empty())
            .collect();
        for key in &keys {
            server.put(key, *b"x");
        }
        assert_eq!(server.keys(), keys.iter().cloned().collect::<Vec<_>>());
        for prefix in ["", "a", "a/", "b/a", "~", "none"] {
            for (delimiter, after) in [(false, ""), (true, ""), (false, "a/b"), (false, "~~~~~~~")] {
                let delimited = if delimiter { "&delimiter=%2F" } else { "" };
                let query = format!("&prefix={prefix}&start-after={after}{delimited}");
                let expected = model(&keys, prefix, delimiter, after);
                for max in [1, 2, 3, 7, 1_000] {
                    assert_eq!(pages(&server, &query, max), expected, "seed {seed}, {query}, {max}");
                }
            }
        }
    }
}

#[test]
fn an_entry_says_what_head_says() {
    let server = start();
    let put = answer(&server, "PUT", "/forebay/k", b"hello");
    let page = answer(&server, "GET", "/forebay?list-type=2", b"");
    let text = page.text();
    let etag = put.header("ETag").unwrap().replace('"', "&quot;");
    assert_eq!((element(text, "ETag"), element(text, "Size")), (Some(etag.as_str()), Some("5")));
    let modified: jiff::Timestamp = element(text, "LastModified").unwrap().parse().unwrap();
    let head = answer(&server, "HEAD", "/forebay/k", b"");
    let of_head = jiff::fmt::rfc2822::parse(head.header("Last-Modified").unwrap()).unwrap();
    assert_eq!(modified.as_second(), of_head.timestamp().as_second());
}

#[test]
fn keys_are_escaped_or_encoded_as_asked() {
    let server = start();
    server.put("a&b <ä>+.parquet", *b"x");
    let list = |query: &str| answer(&server, "GET", &format!("/forebay?list-type=2{query}"), b"");
    assert_eq!(element(list("").text(), "Key"), Some("a&amp;b &lt;ä&gt;+.parquet"));
    let encoded = list("&encoding-type=url&prefix=a%26");
    assert_eq!(element(encoded.text(), "Key"), Some("a%26b%20%3C%C3%A4%3E%2B.parquet"));
    assert_eq!(element(encoded.text(), "EncodingType"), Some("url"));
    for invalid in ["&encoding-type=x", "&max-keys=-1", "&continuation-token=zz", "&continuation-token=abc"] {
        assert_eq!(list(invalid).error(), (400, "InvalidArgument"), "{invalid}");
    }
    assert_eq!(element(list("&max-keys=0").text(), "KeyCount"), Some("0"));
}

#[test]
fn a_page_has_no_more_than_the_server_gives() {
    let server = start();
    for number in 0..5 {
        server.put(number.to_string(), *b"x");
    }
    server.change(|settings| settings.page_max = 2);
    let page = answer(&server, "GET", "/forebay?list-type=2&max-keys=1000", b"");
    assert_eq!(
        (element(page.text(), "KeyCount"), element(page.text(), "IsTruncated")),
        (Some("2"), Some("true"))
    );
}
