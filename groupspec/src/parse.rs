use stratus_core::Reader;
use zeroize::Zeroizing;

use crate::authority::{Authority, Seed};
use crate::error::{ParseError, Reason};
use crate::hints::{BootstrapPeer, IpMulticastAddress, is_server};
use crate::identity::{GroupIdentity, ORDER, VERSION};
use crate::spec::{Groupspec, Hints};
use crate::text::{decode, position};
use crate::tlv::{Field, Fields, Next, types};
use crate::{MOST_BOOTSTRAP_PEERS, MOST_IP_MULTICAST_ADDRESSES, MOST_NAME_BYTES, MOST_SERVERS};

/// Reads the identity up to the marker, then the hints to the end.
pub(crate) fn groupspec(text: &str) -> Result<Groupspec, ParseError> {
    let bytes = decode(text)?;
    let mut fields = Fields::new(&bytes);
    let identity = identity(&mut fields, &bytes)?;
    let extras = Zeroizing::new(bytes[fields.index()..].to_vec());
    let hints = hints(&mut fields, &identity)?;
    Ok(Groupspec { identity, extras, hints })
}

/// Source: spec GS-3, GS-4, GS-5.
fn identity(fields: &mut Fields, bytes: &[u8]) -> Result<GroupIdentity, ParseError> {
    let mut found = GroupIdentity::default();
    let mut last_rank = None;
    loop {
        let marker_at = fields.index();
        let field = match fields.next()? {
            Next::Field(field) => field,
            Next::End => return Err(Reason::CutShort.at(position(bytes.len()))),
            Next::Marker if last_rank.is_none() => return Err(Reason::Version(None).at(position(marker_at))),
            Next::Marker => return finish(found, marker_at),
        };
        let rank = rank(&field)?;
        if last_rank.is_none() && rank != 0 {
            return Err(field.fault(Reason::Version(None)));
        }
        match last_rank {
            Some(last) if rank < last => return Err(field.fault(Reason::Order)),
            Some(last) if rank == last && !is_tag(&found, &field) => return Err(field.fault(Reason::Twice)),
            Some(last) if rank == last => found.tag = Some(field.array()?),
            _ => option(&mut found, &field)?,
        }
        last_rank = Some(rank);
    }
}

fn rank(field: &Field) -> Result<usize, ParseError> {
    let rank = ORDER.iter().position(|kind| *kind == field.kind);
    rank.ok_or_else(|| field.fault(Reason::UnknownOption(field.kind)))
}

/// Whether `field` is the second of the two that the type of names may have.
fn is_tag(found: &GroupIdentity, field: &Field) -> bool {
    field.kind == types::NAME && found.tag.is_none()
}

fn option(found: &mut GroupIdentity, field: &Field) -> Result<(), ParseError> {
    match field.kind {
        types::VERSION => return version(field),
        types::PUBLISH_KEY => found.publish_authority = Some(authority(field)?),
        types::POSTING_KEY => found.posting_authority = Some(authority(field)?),
        types::NAME => found.name = name(field)?,
        kind => {
            field.empty()?;
            *found.capabilities.flag(kind).expect("what has a rank and is nothing above is a flag") = true;
        }
    }
    Ok(())
}

fn version(field: &Field) -> Result<(), ParseError> {
    let mut reader = Reader::new(field.value.clone().into());
    let number = reader.varint().map_err(|_| field.value_fault(Reason::Length))?;
    if reader.remaining() > 0 {
        return Err(field.value_fault(Reason::Length));
    }
    if number == VERSION { Ok(()) } else { Err(field.value_fault(Reason::Version(Some(number)))) }
}

/// Source: spec GS-12.
fn authority(field: &Field) -> Result<Authority, ParseError> {
    Authority::decode(&field.value).map_err(|reason| field.fault(reason))
}

fn name(field: &Field) -> Result<String, ParseError> {
    if field.value.len() > MOST_NAME_BYTES {
        return Err(field.fault(Reason::Length));
    }
    let name = text(field)?;
    match name.find(char::is_control) {
        Some(index) => Err(Reason::NotText.at(position(field.value_start + index))),
        None => Ok(name),
    }
}

fn text(field: &Field) -> Result<String, ParseError> {
    String::from_utf8(field.value.clone())
        .map_err(|error| Reason::NotText.at(position(field.value_start + error.utf8_error().valid_up_to())))
}

fn finish(found: GroupIdentity, marker_at: usize) -> Result<GroupIdentity, ParseError> {
    let is_named = !found.name.is_empty() || found.tag.is_some();
    if is_named { Ok(found) } else { Err(Reason::Nameless.at(position(marker_at))) }
}

/// Source: spec GS-7, GS-8, GS-9.
fn hints(fields: &mut Fields, identity: &GroupIdentity) -> Result<Hints, ParseError> {
    let mut found = Hints::default();
    loop {
        let start = fields.index();
        match fields.next()? {
            Next::Field(field) => hint(&mut found, &field, identity)?,
            Next::Marker => return Err(Reason::Twice.at(position(start))),
            Next::End => return Ok(found),
        }
    }
}

fn hint(found: &mut Hints, field: &Field, identity: &GroupIdentity) -> Result<(), ParseError> {
    let in_value = |reason| field.value_fault(reason);
    match field.kind {
        types::BOOTSTRAP_PEER => {
            let peer = BootstrapPeer::decode(&field.value).map_err(in_value)?;
            push(&mut found.bootstrap_peers, peer, MOST_BOOTSTRAP_PEERS, field)
        }
        types::IP_MULTICAST_ADDRESS => {
            let address = IpMulticastAddress::decode(&field.value).map_err(in_value)?;
            push(&mut found.ip_multicast_addresses, address, MOST_IP_MULTICAST_ADDRESSES, field)
        }
        types::SERVER => {
            let server = text(field)?;
            if !is_server(&server) {
                return Err(in_value(Reason::Server));
            }
            push(&mut found.servers, server, MOST_SERVERS, field)
        }
        types::PUBLISH_AUTHORIZATION => {
            authorization(&mut found.publish_seed, identity.publish_authority, field)
        }
        types::POSTING_AUTHORIZATION => {
            authorization(&mut found.posting_seed, identity.posting_authority, field)
        }
        kind if kind >= types::FIRST_IGNORABLE => Ok(()),
        kind => Err(field.fault(Reason::UnknownHint(kind))),
    }
}

fn push<T>(list: &mut Vec<T>, item: T, most: usize, field: &Field) -> Result<(), ParseError> {
    if list.len() == most {
        return Err(field.fault(Reason::TooMany));
    }
    list.push(item);
    Ok(())
}

/// An authorization is the seed of the key that the identity names, or it is refused.
fn authorization(
    found: &mut Option<Seed>,
    authority: Option<Authority>,
    field: &Field,
) -> Result<(), ParseError> {
    if found.is_some() {
        return Err(field.fault(Reason::Twice));
    }
    let seed = Zeroizing::new(field.array()?);
    let authority = authority.ok_or_else(|| field.fault(Reason::NothingToAuthorize))?;
    if Authority::of_seed(&seed).key != authority.key {
        return Err(field.value_fault(Reason::WrongAuthorization));
    }
    *found = Some(seed);
    Ok(())
}
