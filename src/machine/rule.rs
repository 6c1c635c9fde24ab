//! The rules of the manual in words: what a refusal of an instruction says, and that of a state to begin in.

use crate::arch::{Refusal, Rule};
use crate::language::Language;
use crate::tr;

/// What a rule says, in one sentence.
#[must_use]
pub fn says(rule: Rule, language: Language) -> &'static str {
    match rule {
        Rule::G1 => tr!(language, "this instruction runs at CPL 0 only"),
        Rule::G2 => tr!(language, "paging (CR0.PG) needs protected mode (CR0.PE)"),
        Rule::G3 => tr!(language, "CR0.NW = 1 needs CR0.CD = 1"),
        Rule::G4 => tr!(language, "bits 63:32 of CR0 must be 0"),
        Rule::G5 => tr!(language, "with EFER.LME = 1, paging needs CR4.PAE = 1"),
        Rule::G6 => tr!(language, "long mode cannot be entered while CS.L = 1"),
        Rule::G7 => tr!(language, "long mode cannot be entered with a 16-bit TSS"),
        Rule::G8 => tr!(language, "paging cannot be switched off in 64-bit mode: go to compatibility mode first"),
        Rule::G9 => tr!(language, "paging cannot be switched off while CR4.PCIDE = 1"),
        Rule::G10 => tr!(language, "CR0.WP cannot be cleared while CR4.CET = 1"),
        Rule::G11 => tr!(language, "this processor does not have these bits of CR4"),
        Rule::G12 => tr!(language, "CR4.PAE cannot be cleared in long mode"),
        Rule::G13 => tr!(language, "CR4.LA57 cannot change in long mode: switch paging off first"),
        Rule::G14 => tr!(language, "CR4.PCIDE can be set in long mode only, and with CR3 bits 11:0 zero"),
        Rule::G15 => tr!(language, "CR4.CET = 1 needs CR0.WP = 1"),
        Rule::G16 => tr!(language, "EFER.LME cannot change while paging is on"),
        Rule::G17 => tr!(language, "this processor does not have these bits of EFER"),
        Rule::G18 => tr!(language, "CR3 has bits set at or above MAXPHYADDR"),
        Rule::G19 => {
            tr!(language, "a present PDPTE in memory has reserved bits set: all four are checked before any is loaded")
        }
        Rule::G20 => {
            tr!(
                language,
                "INVPCID: the type is 0 to 3, the PCID 12 bits, the address canonical, and PCID 0 while CR4.PCIDE = 0"
            )
        }
        Rule::K1 => tr!(language, "KVM cannot read the four PDPTEs: CR3 points to no memory"),
        Rule::Q2 => tr!(language, "Linux 2.6.20 refuses bits 2:0 of CR3 outside long mode; the processor ignores them"),
        Rule::Q3 => tr!(language, "Linux 2.6.20 refuses a CR3 that points to no memory; the processor accepts it"),
        Rule::Q11 => tr!(language, "Linux 2.6.20 refuses reserved bits of CR0; the processor ignores them"),
        Rule::Undefined => tr!(language, "this instruction does not exist here"),
    }
}

/// Why no processor can be in a state: the rule, the bits at fault, and what the rule says.
#[must_use]
pub fn no_such_state(refusal: &Refusal, language: Language) -> String {
    let Refusal { rule, bits } = *refusal;
    tr!(
        language,
        "no processor can be in this state: rule {rule}, bits {bits}: {why}",
        rule = format!("{rule:?}"),
        bits = format!("{bits:#x}"),
        why = says(rule, language)
    )
}
