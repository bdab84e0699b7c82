//! The panel's site is embedded at compile time: without it there would be a panel without its looks.

use std::path::Path;

fn main() {
    let site = Path::new("../target/site");
    println!("cargo::rerun-if-changed=../target/site");
    println!("cargo::rerun-if-changed=build.rs");
    for file in ["style.css", "pkg/tvox-dr.js", "pkg/tvox-dr_bg.wasm"] {
        if !site.join(file).is_file() {
            println!("cargo::error=target/site/{file} is missing: run `make site`");
        }
    }
}
