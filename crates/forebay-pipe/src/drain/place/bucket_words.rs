//! What went wrong with a bucket, in one line: the status and the server's own word for it where it has answered, else what was in
//! the way. Bodies of answers are not shown.

/// Characters of what a server says, at the most.
const SAID_MAX: usize = 120;

/// Where a machine would have credentials of its own, asked where nothing else has any.
const OWN_CREDENTIALS: &str = "169.254.";

/// What went wrong.
pub(super) fn said(error: &dyn std::error::Error) -> String {
    let (whole, mut cause) = (error.to_string(), error);
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    let status =
        whole.split_once("status code: ").map(|(_, rest)| rest.split(':').next().unwrap_or_default());
    let number = status.and_then(|status| status.split_whitespace().next());
    let text = match (number, code_of(&whole), status) {
        (Some(number), Some(code), _) => format!("{number} {code}"),
        (None, Some(code), _) => code.to_owned(),
        (Some(_), None, Some(status)) => status.to_owned(),
        _ if whole.contains(OWN_CREDENTIALS) => {
            format!("no credentials: the environment and ~/.aws have none, nor has this machine ({cause})")
        }
        _ => cause.to_string(),
    };
    let printable = text.chars().map(|c| if c.is_control() { ' ' } else { c });
    let words: String = printable.take(SAID_MAX).collect();
    words.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// What it takes that a bucket is reached at all, by what was said.
pub(super) fn remedy(said: &str) -> &'static str {
    let has = |code: &str| said.contains(code);
    if has("NoSuchBucket") {
        "make the bucket, or look whether AWS_ENDPOINT_URL and AWS_REGION are its"
    } else if has("AccessDenied") {
        "the key needs the rights to list, get, put and delete"
    } else if has("InvalidAccessKeyId") || has("SignatureDoesNotMatch") || has("credentials") || has("403") {
        "credentials are AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE"
    } else {
        "it is looked for by AWS_ENDPOINT_URL and AWS_REGION"
    }
}

/// The word that a body has for it.
fn code_of(whole: &str) -> Option<&str> {
    let (_, rest) = whole.split_once("<Code>")?;
    rest.split_once("</Code>").map(|(code, _)| code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_one_line_with_its_status_and_without_the_body() {
        let body = "<?xml version=\"1.0\"?><Error><Code>AccessDenied</Code><Message>Access\nDenied</Message><Resource>/lake/x</Resource></Error>";
        for (whole, says) in [
            (
                format!("Error performing PUT http://127.0.0.1/x in 2ms - Server returned non-2xx status code: 403 Forbidden: {body}"),
                "403 AccessDenied",
            ),
            ("Error performing HEAD http://127.0.0.1/x in 2ms - Server returned non-2xx status code: 503 Service Unavailable: ".into(), "503 Service Unavailable"),
            (format!("Server returned error response: {body}"), "AccessDenied"),
            ("Connection refused (os error 111)".into(), "Connection refused (os error 111)"),
            ("x".repeat(999), &*"x".repeat(SAID_MAX)),
        ] {
            assert_eq!(said(&std::io::Error::other(whole)), says);
        }
        let own = std::io::Error::other("Error performing PUT 169.254.169.254/latest/api/token in 5s");
        assert!(said(&own).starts_with("no credentials: ") && remedy(&said(&own)).contains("AWS_PROFILE"));
    }
}
