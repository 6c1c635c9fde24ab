//! Refused instructions: which rule, which bits, and what would be legal.

use super::format::bit_list;
use crate::arch::{Refusal, Rule};
use crate::machine::event::RefusedWhy;

/// What a rule says, in one sentence.
#[must_use]
pub const fn rule(rule: Rule) -> &'static str {
    match rule {
        Rule::G1 => "this instruction runs at CPL 0 only",
        Rule::G2 => "paging (CR0.PG) needs protected mode (CR0.PE)",
        Rule::G3 => "CR0.NW = 1 needs CR0.CD = 1",
        Rule::G4 => "bits 63:32 of CR0 must be 0",
        Rule::G5 => "with EFER.LME = 1, paging needs CR4.PAE = 1",
        Rule::G6 => "long mode cannot be entered while CS.L = 1",
        Rule::G7 => "long mode cannot be entered with a 16-bit TSS",
        Rule::G8 => "paging cannot be switched off in 64-bit mode: go to compatibility mode first",
        Rule::G9 => "paging cannot be switched off while CR4.PCIDE = 1",
        Rule::G10 => "CR0.WP cannot be cleared while CR4.CET = 1",
        Rule::G11 => "this processor does not have these bits of CR4",
        Rule::G12 => "CR4.PAE cannot be cleared in long mode",
        Rule::G13 => "CR4.LA57 cannot change in long mode: switch paging off first",
        Rule::G14 => "CR4.PCIDE can be set in long mode only, and with CR3 bits 11:0 zero",
        Rule::G15 => "CR4.CET = 1 needs CR0.WP = 1",
        Rule::G16 => "EFER.LME cannot change while paging is on",
        Rule::G17 => "this processor does not have these bits of EFER",
        Rule::G18 => "CR3 has bits set at or above MAXPHYADDR",
        Rule::G19 => "a present PDPTE in memory has reserved bits set: all four are checked before any is loaded",
        Rule::G20 => {
            "INVPCID: the type is 0 to 3, the PCID 12 bits, the address canonical, and PCID 0 while CR4.PCIDE = 0"
        }
        Rule::Q2 => "Linux 2.6.20 refuses bits 2:0 of CR3 outside long mode; the processor ignores them",
        Rule::Q3 => "Linux 2.6.20 refuses a CR3 that points to no memory; the processor accepts it",
        Rule::Q11 => "Linux 2.6.20 refuses reserved bits of CR0; the processor ignores them",
        Rule::Undefined => "this instruction does not exist here",
    }
}

/// A refusal in one sentence, with the exception, the rule's number and the bits at fault.
#[must_use]
pub fn refusal(refusal: &Refusal) -> String {
    if refusal.rule == Rule::Undefined {
        return format!("#UD: {}", rule(refusal.rule));
    }
    let bits = if refusal.bits == 0 { String::new() } else { format!(", {}", bit_list(refusal.bits)) };
    format!("#GP(0), rule {:?}{bits}: {}", refusal.rule, rule(refusal.rule))
}

/// Why a command was refused, in one sentence.
#[must_use]
pub fn refused(why: &RefusedWhy) -> String {
    match why {
        RefusedWhy::Rule { rule, bits } => refusal(&Refusal { rule: *rule, bits: bits.0 }),
        RefusedWhy::Slot { error } => format!("userspace: {error}"),
        RefusedWhy::Map { error } => format!("map: {error}"),
    }
}
