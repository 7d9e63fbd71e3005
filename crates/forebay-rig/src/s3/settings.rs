//! What a server is asked to be.

/// What a server is asked to be. All of it can be changed for the requests to come.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The one bucket that is there.
    pub bucket: String,
    /// The access key that requests must be signed with. Signatures are not checked, so any secret will do.
    pub access_key: String,
    /// Objects can be neither written nor deleted.
    pub is_read_only: bool,
    /// Keys may be listed.
    pub may_list: bool,
    /// Bytes of all objects, with the bodies that are being received. A PUT beyond is answered with 507.
    pub bytes_max: u64,
    /// Keys and common prefixes of one answer to a listing, unless the client asks for fewer. S3 has 1,000.
    pub page_max: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            bucket: "forebay".into(),
            access_key: "forebay-access-key".into(),
            is_read_only: false,
            may_list: true,
            bytes_max: 2 << 30,
            page_max: 1_000,
        }
    }
}
