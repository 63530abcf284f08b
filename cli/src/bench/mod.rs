//! bench
mod args;
mod load;
mod machine;
mod stage;
mod star;
mod tally;
pub(crate) fn star_probe(n: usize, secs: u64) {
    use std::time::Duration;
    for round in 0..3 { for signing in [star::Signing::None, star::Signing::Runs(3.0)] {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
        let t = runtime.block_on(star::run(load::Load{size:1128,rate:2_000_000}, n-1, stage::Schedule{warm_up:Duration::from_secs(1),measured:Duration::from_secs(secs)}, signing)).unwrap();
        println!("{round} {signing:?} delivery {} cpu/gb {:.2} p50 {} p99 {} max {}", t.delivery(), t.cpu_s_per_gb(1128), t.delay_ms(50), t.delay_ms(99), t.delay_ms(100));
    }}
}
