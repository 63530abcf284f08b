use std::path::Path;

use stratus::stretch;
use stratus_groupspec::{AuthorizeError, Groupspec};

use crate::console::Console;
use crate::password::{self, Given};
use crate::stop::{Code, Failure};

/// Refuses a group in which nothing can be posted or heard.
pub(crate) fn check_posts(spec: &Groupspec) -> Result<(), Failure> {
    if !spec.capabilities().posting {
        return Err(no_posts());
    }
    if spec.capabilities().peer_to_peer_disabled {
        return Err(Failure::new(Code::Refused, "the members of this group may not connect to each other")
            .tried("its groupspec disables links between members, and nothing else carries posts yet")
            .hint("make another group"));
    }
    Ok(())
}

pub(super) fn no_posts() -> Failure {
    Failure::new(Code::Refused, "this group carries no posts")
        .tried("its groupspec does not have posting enabled")
        .hint("make a group without --no-posting")
}

/// The groupspec with the right to post, or why there is none.
pub(crate) async fn authorized(
    spec: Groupspec,
    path: Option<&Path>,
    console: Console,
) -> Result<Groupspec, Failure> {
    let needs_one = spec.posting_authority().is_some() && spec.posting_authorization().is_none();
    if path.is_none() && !needs_one {
        return Ok(spec);
    }
    if path.is_none() && !spec.has_posting_password() {
        return Err(not_authorized());
    }
    let Some(Given { password, place, .. }) = password::POSTING.read(path, console)? else {
        return Err(password_wanted());
    };
    stretch(move || spec.with_posting_password(&password)).await.map_err(|error| of_password(error, &place))
}

pub(super) fn not_authorized() -> Failure {
    Failure::new(Code::Refused, "this groupspec does not authorize posting")
        .tried("the group has a posting key, and this groupspec does not carry it")
        .hint("use the first of the two lines that \"stratus group new\" printed; \"stratus listen\" reads without it")
}

fn password_wanted() -> Failure {
    Failure::new(Code::Refused, "posting in this group needs its password")
        .tried("neither the groupspec nor the environment has it")
        .hint("give it by --posting-password-file FILE, or in the variable STRATUS_POSTING_PASSWORD")
}

fn of_password(error: AuthorizeError, place: &str) -> Failure {
    match error {
        AuthorizeError::WrongPassword => {
            Failure::new(Code::Refused, "the posting password is wrong").tried(place).hint(
                "ask for it again; each letter counts, and so do spaces, but not one line ending at the end",
            )
        }
        AuthorizeError::NothingToAuthorize => {
            Failure::new(Code::Usage, "this group needs no posting password: any member may post")
                .hint("leave --posting-password-file out")
        }
        AuthorizeError::NoPassword => Failure::new(Code::Refused, "this group has no posting password")
            .tried("its posting key is random")
            .hint("use the first of the two lines that \"stratus group new\" printed"),
        AuthorizeError::TooLong => {
            Failure::new(Code::Refused, "the groupspec has no room for an authorization")
                .hint("leave some of its hints out")
        }
    }
}
