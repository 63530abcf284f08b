//! libFuzzer around one entry point, which `STRATUS_FUZZ_TARGET` names. With `STRATUS_FUZZ_EXAMPLES` the good examples of
//! all of them are written below that folder first.
#![no_main]

use std::path::Path;
use std::sync::OnceLock;
use std::{env, fs};

use libfuzzer_sys::fuzz_target;
use stratus_fuzz::{TARGETS, Target, examples};

fn chosen() -> Target {
    static CHOSEN: OnceLock<Target> = OnceLock::new();
    *CHOSEN.get_or_init(|| {
        if let Some(folder) = env::var_os("STRATUS_FUZZ_EXAMPLES") {
            write_examples(Path::new(&folder)).expect("a folder that can be written");
        }
        let name = env::var("STRATUS_FUZZ_TARGET").expect("STRATUS_FUZZ_TARGET names an entry point");
        stratus_fuzz::target(&name).expect("an entry point of that name")
    })
}

fn write_examples(folder: &Path) -> std::io::Result<()> {
    for (name, _) in TARGETS {
        fs::create_dir_all(folder.join(name))?;
        for (number, example) in examples(name).iter().enumerate() {
            fs::write(folder.join(name).join(format!("example-{number}")), example)?;
        }
    }
    Ok(())
}

fuzz_target!(|data: &[u8]| chosen()(data));
