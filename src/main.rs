//! Desktop and command-line entry.

#![forbid(unsafe_code)]

#[cfg(not(target_arch = "wasm32"))]
fn main() -> std::process::ExitCode {
    mmuscope::cli::main()
}

#[cfg(target_arch = "wasm32")]
fn main() {}
