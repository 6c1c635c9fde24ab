//! Desktop and command-line entry.

#[cfg(not(target_arch = "wasm32"))]
fn main() -> std::process::ExitCode {
    mmuscope::cli::main()
}

#[cfg(target_arch = "wasm32")]
fn main() {}
