//! libFuzzer around one entry point, which `STRATUS_FUZZ_TARGET` names.
#![no_main]

use std::sync::OnceLock;

use libfuzzer_sys::fuzz_target;
use stratus_fuzz::Target;

fn chosen() -> Target {
    static CHOSEN: OnceLock<Target> = OnceLock::new();
    *CHOSEN.get_or_init(|| {
        let name = std::env::var("STRATUS_FUZZ_TARGET").expect("STRATUS_FUZZ_TARGET names an entry point");
        stratus_fuzz::target(&name).expect("an entry point of that name")
    })
}

fuzz_target!(|data: &[u8]| chosen()(data));
