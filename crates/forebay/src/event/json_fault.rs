//! Why a line is no JSON.

/// What stops a line from being JSON. The offset beside it is that of the byte it speaks of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// Something is still open where the line ends.
    #[error("the line ends before the value does")]
    Ended,
    /// No value starts like this.
    #[error("a value is expected")]
    NoValue,
    /// An object's member must start with a string.
    #[error("a key in quotes is expected")]
    NoKey,
    /// The key stands alone.
    #[error("a colon is expected after the key")]
    NoColon,
    /// Neither the next member or element nor the end.
    #[error("a comma or the closing bracket is expected")]
    NoComma,
    /// Text after the value.
    #[error("something follows the end of the value")]
    Trailing,
    /// A line feed as white space: an event is one line.
    #[error("a line feed stands between values, and an event is one line")]
    LineFeed,
    /// The file was saved with a mark in front.
    #[error("the line starts with a byte order mark")]
    ByteOrderMark,
    /// A raw byte below 0x20 in a string.
    #[error("a control character stands in a string and is not escaped")]
    Control,
    /// A backslash and then none of `"\/bfnrtu`, or fewer than four hex digits.
    #[error("the escape is not one of JSON's")]
    Escape,
    /// Half of a surrogate pair: no character.
    #[error("the escape is half of a surrogate pair")]
    LoneSurrogate,
    /// `01`, `1.`, `-`, `1e` and the like.
    #[error("the number is not written as JSON writes numbers")]
    Number,
    /// More than 127 objects and arrays inside each other.
    #[error("nested deeper than 127 levels")]
    TooDeep,
}
