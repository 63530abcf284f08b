use serde::Deserialize;

/// `[log]`: what the layers below may say, and how.
#[derive(Clone, Copy, Deserialize, Default, PartialEq, Eq, Debug)]
#[serde(deny_unknown_fields, default)]
pub struct LogSection {
    /// How much.
    pub level: Option<Level>,
    /// How a line looks.
    pub format: Option<Form>,
}

/// How much is logged.
#[derive(Clone, Copy, Deserialize, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// What failed.
    Error,
    /// And what should be looked at.
    Warn,
    /// And what a user would notice.
    Info,
    /// And branches off the usual path.
    Debug,
}

/// How a line of the log looks.
#[derive(Clone, Copy, Deserialize, PartialEq, Eq, Debug)]
#[serde(rename_all = "lowercase")]
pub enum Form {
    /// For people.
    Text,
    /// An object.
    Json,
}
