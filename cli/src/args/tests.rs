use super::live::parse_bytes;
use super::*;

const README: &str = include_str!("../../../README.md");

/// Every command of this program that stands in the README's code, as words.
fn readme_commands() -> Vec<Vec<String>> {
    let code = README.split("```").skip(1).step_by(2);
    let inline = README.split('`').filter(|text| text.starts_with("stratus ") && !text.contains('\n'));
    code.flat_map(str::lines)
        .chain(inline)
        .flat_map(|line| line.split('#').next().unwrap_or("").split('|'))
        .filter_map(|command| {
            let command = command.replace("cargo run --release -p stratus-cli --", "stratus");
            let words = words(command.split('>').next().unwrap_or(""));
            (words.first().map(String::as_str) == Some("stratus")).then_some(words)
        })
        .collect()
}

/// As a shell splits them: what stands in quotes is one word.
fn words(command: &str) -> Vec<String> {
    let split = |(index, part): (usize, &str)| match index % 2 {
        0 => part.split_whitespace().map(str::to_owned).collect(),
        _ => vec![part.to_owned()],
    };
    command.split('"').enumerate().flat_map(split).collect()
}

#[test]
fn every_command_in_the_readme_is_understood() {
    let commands = readme_commands();
    for words in &commands {
        if let Err(error) = Arguments::try_parse_from(words) {
            panic!("{words:?}: {error}");
        }
    }
    let verbs = ["demo", "group", "publish", "play"];
    assert!(verbs.iter().all(|verb| commands.iter().any(|words| words[1] == *verb)), "{commands:?}");
    assert!(commands.len() >= 8, "{commands:?}");
}

#[test]
fn the_readme_has_the_two_commands() {
    assert!(README.contains("\ncargo run --release -p stratus-cli -- demo "));
    assert!(README.contains("\ncargo test --workspace "));
}

#[test]
fn the_definitions_hold_together() {
    use clap::CommandFactory as _;
    Arguments::command().debug_assert();
}

#[test]
fn sizes_take_a_letter_for_thousands() {
    assert_eq!(parse_bytes("700"), Ok(700));
    assert_eq!(parse_bytes("2M"), Ok(2_000_000));
    for wrong in ["", "M", "2MB", "-3", "99999999999G"] {
        assert!(parse_bytes(wrong).is_err(), "{wrong:?}");
    }
}

#[test]
fn durations_take_units() {
    let parsed = Arguments::try_parse_from(["stratus", "demo", "--for", "1500ms"]).expect("understood");
    let Command::Demo(demo) = parsed.command else { panic!("demo was asked for") };
    assert_eq!((demo.duration, demo.viewers, demo.json), (Duration::from_millis(1500), 16, false));
    assert!(Arguments::try_parse_from(["stratus", "demo", "--for", "20"]).is_err(), "without a unit");
}

#[test]
fn pacing_is_for_transport_streams_only() {
    assert!(Arguments::try_parse_from(["stratus", "publish", "G:", "cam", "--realtime", "--raw"]).is_err());
}
