use std::fmt;

/// Why the lab cannot work: what failed, what was tried, what may help.
#[derive(Debug, thiserror::Error)]
pub struct Trouble {
    what: String,
    tried: Option<String>,
    hint: Option<&'static str>,
}

impl Trouble {
    /// Something failed.
    pub fn new(what: impl Into<String>) -> Self {
        Self { what: what.into(), tried: None, hint: None }
    }

    /// What was tried and what came of it.
    #[must_use]
    pub fn tried(mut self, tried: impl ToString) -> Self {
        self.tried = Some(tried.to_string());
        self
    }

    /// What may help.
    #[must_use]
    pub fn hint(mut self, hint: &'static str) -> Self {
        self.hint = Some(hint);
        self
    }

    /// For `map_err`: names what failed, and keeps the cause.
    pub fn of<E: ToString>(what: impl Into<String>) -> impl FnOnce(E) -> Self {
        let what = what.into();
        move |error| Self::new(what).tried(error)
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.what)?;
        if let Some(tried) = &self.tried {
            write!(f, "; tried: {tried}")?;
        }
        if let Some(hint) = self.hint {
            write!(f, "; hint: {hint}")?;
        }
        Ok(())
    }
}
