//! Words of the neighbours.

pub use crate::explain::{access_words as access, bit_list, command, error_code_bits, refused};
