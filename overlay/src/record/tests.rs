use stratus_core::DirectVerify;
use stratus_core::testing::{identity, peer};

use super::*;

const GROUP: GroupId = GroupId::from_bytes([7; 32]);

fn draft() -> Draft {
    Draft {
        sequence: 700,
        addresses: vec!["192.168.1.3:5000".parse().unwrap(), "[2001:db8::7]:5000".parse().unwrap()],
        servers: vec!["203.0.113.1:1935".parse().unwrap()],
        introducers: vec![3, 50],
    }
}

#[test]
fn a_record_reads_back_and_holds_for_its_group_only() {
    // spec OV-2, OV-3
    let record = Record::sign(&identity(1), &GROUP, draft());
    let back = Record::from_bytes(record.to_bytes()).unwrap();
    assert_eq!(back, record);
    assert_eq!((back.peer(), back.draft()), (peer(1), &draft()));
    assert!(back.verify(&DirectVerify, &GROUP));
    assert!(!back.verify(&DirectVerify, &GroupId::from_bytes([8; 32])));
}

#[test]
fn the_bytes_of_a_record_never_change() {
    // spec OV-2: the committed vector
    let record = Record::sign(
        &Identity::from_seed([7; 32]),
        &GROUP,
        Draft { sequence: 300, addresses: vec!["203.0.113.7:1935".parse().unwrap()], ..Draft::default() },
    );
    let hex: String = record.to_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(hex, VECTOR);
}

const VECTOR: &str = "6e01ea4a6c63e29c520abef5507b132ec5f9954776aebebe7b92421eea691446d22c822c000104cb007107078f00007b\
    ddd8725ae2904418866799e1f2453782c92df9b3a1995ea449dbd67b0492dc46eb60be60a30213bdc03c1bef3d595dfd\
    cf0113503b5b051e24161b65aeb208";

#[test]
fn any_changed_byte_is_refused_or_breaks_the_signature() {
    let record = Record::sign(&identity(1), &GROUP, draft());
    let bytes = record.to_bytes();
    for position in 0..bytes.len() {
        let mut changed = bytes.to_vec();
        changed[position] ^= 0x10;
        let holds =
            Record::from_bytes(changed.into()).is_ok_and(|record| record.verify(&DirectVerify, &GROUP));
        assert!(!holds, "byte {position} is not protected");
    }
}

#[test]
fn the_largest_record_fits_and_what_is_over_a_limit_is_left_out() {
    let ip6 = |n: u16| SocketAddr::from(([0x2001, 0xdb8, 0, 0, 0, 0, 0, n], 5000));
    let wanted = Draft {
        sequence: u64::MAX,
        addresses: (0..20).map(ip6).collect(),
        servers: (0..20).map(ip6).collect(),
        introducers: (0..20).collect(),
    };
    let record = Record::sign(&identity(1), &GROUP, wanted);
    assert_eq!((record.addresses().len(), record.servers().len(), record.introducers().len()), (8, 2, 3));
    assert_eq!(record.to_bytes().len(), 327);
    assert_eq!(Record::from_bytes(record.to_bytes()), Ok(record));
}

#[test]
fn an_address_that_nobody_may_dial_is_neither_signed_nor_read() {
    let forbidden: SocketAddr = "224.0.0.251:5353".parse().unwrap();
    let good: SocketAddr = "192.168.1.3:5000".parse().unwrap();
    let signed = Record::sign(
        &identity(1),
        &GROUP,
        Draft { addresses: vec![forbidden, good, good], ..Draft::default() },
    );
    assert_eq!(signed.addresses(), [good]);

    let mut writer = Writer::new();
    write_unsigned(
        &mut writer,
        &identity(1).public(),
        &Draft { addresses: vec![forbidden], ..Draft::default() },
    );
    writer.raw(&[0; 64]);
    let mut outer = Writer::new();
    outer.sized(&writer.finish());
    assert_eq!(Record::from_bytes(outer.finish()), Err(DecodeError::Invalid));
}
