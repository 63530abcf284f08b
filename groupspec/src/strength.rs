use std::fmt;

use zxcvbn::feedback::{Feedback, Warning};
use zxcvbn::matching::patterns::MatchPattern;
use zxcvbn::{Entropy, zxcvbn};

use crate::password::Password;

/// Fewest characters of a password that a group is made with. Source: spec GS-13.
pub const FEWEST_PASSWORD_CHARACTERS: usize = 12;
/// Fewest guesses that finding the password must take: 10^12 is about 2^40, and at 0.12 s each some
/// 3,800 years of one core. Source: spec GS-13.
const FEWEST_GUESSES: u64 = 1_000_000_000_000;

/// Why a password is too weak to make a group with: any member can try passwords against the public key.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Weakness {
    /// Fewer than [`FEWEST_PASSWORD_CHARACTERS`] characters.
    Short,
    /// It is, or is made from, one of the passwords that people use most.
    Common,
    /// It is made from keys that lie side by side.
    Keyboard,
    /// It repeats itself.
    Repeats,
    /// It counts, as in `abc` or `6543`.
    Sequence,
    /// It is made from a year or a date.
    Date,
    /// It is made from names.
    Name,
    /// It is made from words that are tried first, the group's name among them.
    Word,
}

/// What is weak about `password` in a group of this name, if anything is.
///
/// Only the first hundred characters are judged. Cost: 40 ms the first time in a process, for the lists; then a tenth of a
/// millisecond for most, 30 ms for a hundred characters of patterns.
pub(crate) fn weakness(password: &Password, group_name: &str) -> Option<Weakness> {
    if password.as_str().chars().count() < FEWEST_PASSWORD_CHARACTERS {
        return Some(Weakness::Short);
    }
    let estimate = zxcvbn(password.as_str(), &[group_name, "stratus"]);
    if estimate.guesses() >= FEWEST_GUESSES {
        return None;
    }
    let patterns = estimate.sequence().iter().filter(|found| found.pattern != MatchPattern::BruteForce);
    let longest = patterns.max_by_key(|found| found.token.len());
    Some(longest.map_or(Weakness::Word, |found| of_pattern(&found.pattern, &estimate)))
}

fn of_pattern(pattern: &MatchPattern, estimate: &Entropy) -> Weakness {
    match pattern {
        MatchPattern::Spatial(_) => Weakness::Keyboard,
        MatchPattern::Repeat(_) => Weakness::Repeats,
        MatchPattern::Sequence(_) => Weakness::Sequence,
        MatchPattern::Date(_) | MatchPattern::Regex(_) => Weakness::Date,
        MatchPattern::Dictionary(_) | MatchPattern::BruteForce => of_words(estimate),
    }
}

/// Which dictionary it was is told only for the weaker ones.
fn of_words(estimate: &Entropy) -> Weakness {
    match estimate.feedback().and_then(Feedback::warning) {
        Some(
            Warning::ThisIsATop10Password
            | Warning::ThisIsATop100Password
            | Warning::ThisIsACommonPassword
            | Warning::ThisIsSimilarToACommonlyUsedPassword,
        ) => Weakness::Common,
        Some(
            Warning::NamesAndSurnamesByThemselvesAreEasyToGuess
            | Warning::CommonNamesAndSurnamesAreEasyToGuess,
        ) => Weakness::Name,
        _ => Weakness::Word,
    }
}

impl fmt::Display for Weakness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Short => "it has fewer than 12 characters",
            Self::Common => "it is much like passwords that many people use",
            Self::Keyboard => "it follows the keys of a keyboard",
            Self::Repeats => "it repeats itself",
            Self::Sequence => "it counts up or down",
            Self::Date => "it is made from a date",
            Self::Name => "it is made from names",
            Self::Word => "it is made from words that are tried first",
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn weakness_of(text: &str, group_name: &str) -> Option<Weakness> {
        weakness(&Password::new(text).unwrap(), group_name)
    }

    #[test]
    fn the_groups_name_is_tried_first() {
        assert_eq!(weakness_of("zwurbelknoxplut", "tuesday"), None);
        assert_eq!(weakness_of("zwurbelknoxplut", "zwurbelknoxplut"), Some(Weakness::Word));
    }

    // spec GS-13
    #[test]
    fn eleven_random_characters_are_too_few_and_twelve_are_enough() {
        assert_eq!(weakness_of("q7Xw!m2Kp9Z", ""), Some(Weakness::Short));
        assert_eq!(weakness_of("q7Xw!m2Kp9Zr", ""), None);
        assert_eq!(weakness_of("üøçñßåœæþðı", ""), Some(Weakness::Short), "characters, not bytes");
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(64) })]

        #[test]
        fn any_text_is_judged_without_a_panic(text in "\\PC{1,120}", name in "\\PC{0,40}") {
            let password = Password::new(&text).unwrap();
            let is_short = text.chars().count() < FEWEST_PASSWORD_CHARACTERS;
            prop_assert_eq!(weakness(&password, &name) == Some(Weakness::Short), is_short);
        }
    }
}
