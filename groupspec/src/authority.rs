use argon2::{Algorithm, Argon2, Block, Params, Version};
use stratus_core::{Identity, PublicKey};
use zeroize::Zeroizing;

use crate::error::{AuthorizeError, Reason};
use crate::password::Password;

/// Bytes of the salt that goes with a password.
pub const SALT_BYTES: usize = 16;

/// The one way of stretching passwords that this version knows. Source: spec GS-12.
const SCHEME: u8 = 1;
/// RFC 9106's choice for machines with little memory, but for the lanes: ours would run one after another, and only
/// those who guess would gain by several. 64 MiB and a tenth of a second once are nothing to a publisher, also on a phone.
const MEMORY_KIB: u32 = 64 * 1024;
const PASSES: u32 = 3;
const LANES: u32 = 1;

/// The seed of a signing key. Wiped when dropped.
pub(crate) type Seed = Zeroizing<[u8; 32]>;

/// What a signature may be needed for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Right {
    Publishing,
    Posting,
}

impl Right {
    /// Keeps the keys of equal passwords apart.
    fn context(self) -> &'static str {
        match self {
            Self::Publishing => "stratus 1 group publish password",
            Self::Posting => "stratus 1 group posting password",
        }
    }
}

/// Whose signature is needed, and how its key comes from a password, if it does.
///
/// | bytes | field |
/// |---|---|
/// | 32 | Ed25519 public key |
/// | 1, then 16 | only with a password: the scheme, 1, and the salt |
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Authority {
    pub(crate) key: PublicKey,
    pub(crate) salt: Option<[u8; SALT_BYTES]>,
}

impl Authority {
    /// The authority of a random seed.
    pub(crate) fn of_seed(seed: &[u8; 32]) -> Self {
        Self { key: Identity::from_seed(*seed).public(), salt: None }
    }

    /// The authority of a password, with the seed that it gives. Cost: [`stretch`].
    pub(crate) fn of_password(right: Right, password: &Password, salt: [u8; SALT_BYTES]) -> (Self, Seed) {
        let seed = stretch(right, password, &salt);
        (Self { salt: Some(salt), ..Self::of_seed(&seed) }, seed)
    }

    /// The seed that `password` gives, if it is the one. Cost: [`stretch`].
    pub(crate) fn unlock(&self, right: Right, password: &Password) -> Result<Seed, AuthorizeError> {
        let salt = self.salt.ok_or(AuthorizeError::NoPassword)?;
        let seed = stretch(right, password, &salt);
        let is_right = Self::of_seed(&seed).key == self.key;
        if is_right { Ok(seed) } else { Err(AuthorizeError::WrongPassword) }
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut bytes = self.key.0.to_vec();
        if let Some(salt) = &self.salt {
            bytes.push(SCHEME);
            bytes.extend_from_slice(salt);
        }
        bytes
    }

    pub(crate) fn decode(value: &[u8]) -> Result<Self, Reason> {
        let (key, rest) = value.split_first_chunk().ok_or(Reason::Length)?;
        let salt = match rest {
            [] => None,
            [SCHEME, salt @ ..] => Some(salt.try_into().map_err(|_| Reason::Length)?),
            [scheme, ..] => return Err(Reason::UnknownScheme(*scheme)),
        };
        Ok(Self { key: PublicKey(*key), salt })
    }
}

/// Turns a password into the seed of a signing key. Cost: 64 MiB for about 0.12 s of one core; blocks.
fn stretch(right: Right, password: &Password, salt: &[u8; SALT_BYTES]) -> Seed {
    let params = Params::new(MEMORY_KIB, PASSES, LANES, Some(32)).expect("constants within Argon2's bounds");
    let mut memory = Zeroizing::new(vec![Block::new(); params.block_count()]);
    let mut stretched = Zeroizing::new([0; 32]);
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password_into_with_memory(
            password.as_str().as_bytes(),
            salt,
            stretched.as_mut_slice(),
            memory.as_mut_slice(),
        )
        .expect("a password of 1 to 1024 bytes, a salt of 16, and as many blocks as asked for");
    Zeroizing::new(blake3::derive_key(right.context(), stretched.as_slice()))
}
