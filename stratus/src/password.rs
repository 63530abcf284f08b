use std::panic::resume_unwind;

use stratus_groupspec::SALT_BYTES;
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;

/// Stretching a password fills 64 MiB: one at a time, however many ask.
static STRETCHING: Semaphore = Semaphore::const_new(1);

/// Runs what stretches a password, about 0.12 s of one core and 64 MiB, away from the runtime's own threads.
///
/// One runs at a time in this process, and others wait for their turn. Dropping the future does not stop what has begun.
/// Must be called inside a tokio runtime.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use stratus::{GroupSpecifier, Groupspec, Password, random_salt, stretch};
///
/// let password = Password::new("tram ocelot fjord lantern")?;
/// let (specifier, typed, salt) = (GroupSpecifier::new("show")?, password.clone(), random_salt()?);
/// let spec = stretch(move || specifier.set_publish_password(&typed, salt)).await?.build();
///
/// // A member who has the public string and the password:
/// let public = Groupspec::parse(&spec.to_string_without_authorizations())?;
/// let mine = stretch(move || public.with_publish_password(&password)).await?;
/// assert!(mine.publish_authorization().is_some()); // Connection::join(&mine), then Group::publish
/// # Ok(())
/// # }
/// ```
pub async fn stretch<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    let turn = STRETCHING.acquire().await.expect("nobody closes it");
    let done = spawn_blocking(move || {
        // The turn ends with the work, even when nobody waits for it any more.
        let _turn = turn;
        work()
    });
    match done.await {
        Ok(value) => value,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => resume_unwind(panic),
            // Only a runtime that shuts down cancels it, and then nobody polls this again.
            Err(_) => std::future::pending().await,
        },
    }
}

/// The system gives no random bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the system gives no random numbers")]
pub struct NoEntropy;

/// A salt for [`GroupSpecifier::set_publish_password`](crate::GroupSpecifier::set_publish_password) and its sibling,
/// from the operating system.
pub fn random_salt() -> Result<[u8; SALT_BYTES], NoEntropy> {
    let mut salt = [0; SALT_BYTES];
    getrandom::fill(&mut salt).map_err(|_| NoEntropy)?;
    Ok(salt)
}
