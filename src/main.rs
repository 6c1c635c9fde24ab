//! Desktop and command-line entry.

fn main() {}
