//! Refused instructions: which rule, which bits, and what would be legal.

use super::format::bit_list;
use crate::arch::{Refusal, Rule};
use crate::language::Language;
use crate::machine::event::RefusedWhy;
use crate::machine::rule::says as rule;
use crate::tr;

/// A refusal in one sentence, with the exception, the rule's number and the bits at fault.
#[must_use]
pub fn refusal(refusal: &Refusal, language: Language) -> String {
    let words = rule(refusal.rule, language);
    if refusal.rule == Rule::Undefined {
        return tr!(language, "{what}: {why}", what = "#UD", why = words);
    }
    let name = format!("{:?}", refusal.rule);
    match refusal.bits {
        0 => tr!(language, "#GP(0), rule {rule}: {why}", rule = name, why = words),
        bits => {
            let bits = bit_list(bits, language);
            tr!(language, "#GP(0), rule {rule}, {bits}: {why}", rule = name, bits = bits, why = words)
        }
    }
}

/// Why a command was refused, in one sentence.
#[must_use]
pub fn refused(why: &RefusedWhy, language: Language) -> String {
    let (what, why) = match why {
        RefusedWhy::Rule { rule, bits } => return refusal(&Refusal { rule: *rule, bits: bits.0 }, language),
        RefusedWhy::Slot { error } => (tr!(language, "userspace"), error.say(language)),
        RefusedWhy::Map { error } => (tr!(language, "map"), error.say(language).to_owned()),
    };
    tr!(language, "{what}: {why}", what = what, why = why)
}
