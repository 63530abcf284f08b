use std::fmt::Write as _;

use super::Way;

/// Deepest level told apart.
const LEVELS: usize = 16;

/// The shape of each slice's tree, from one late fragment: at each distance from the publisher, how many members
/// are there, how many of them relay, and to how many.
pub(super) fn lines(ways: &[Vec<Way>], slices: u8) -> Vec<String> {
    let mut lines = vec!["trees, by hops: members/of which relay/children".to_string()];
    lines.extend((0..slices).filter_map(|slice| Some(line(ways, slice, late_fragment(ways, slice)?))));
    lines
}

/// The last fragment of the slice that came to most members by push, of those not at the very end.
fn late_fragment(ways: &[Vec<Way>], slice: u8) -> Option<usize> {
    let longest = ways.iter().map(Vec::len).max()?;
    let is_pushed = |way: &Way| way.at > 0 && !way.is_repair && way.slice == slice;
    let pushed_to = |index: usize| ways.iter().filter(|own| own.get(index).is_some_and(is_pushed)).count();
    (longest / 2..longest * 9 / 10).max_by_key(|index| (pushed_to(*index), *index))
}

fn line(ways: &[Vec<Way>], slice: u8, index: usize) -> String {
    let mut children = vec![0; ways.len()];
    let reached = || ways.iter().enumerate().filter_map(|(member, own)| Some((member, own.get(index)?)));
    for (_, way) in reached().filter(|(_, way)| way.at > 0) {
        children[way.from as usize] += 1;
    }
    let mut levels = [(0, 0, 0); LEVELS];
    for (member, way) in reached().filter(|(_, way)| way.at > 0) {
        let level = &mut levels[usize::from(way.hops).min(LEVELS - 1)];
        level.0 += 1;
        level.1 += usize::from(children[member] > 0);
        level.2 += children[member];
    }
    let mut line = format!("slice {slice}:");
    for (hops, (members, relays, children)) in levels.iter().enumerate().filter(|(_, level)| level.0 > 0) {
        let _ = write!(line, "  {hops}: {members}/{relays}/{children}");
    }
    line
}
