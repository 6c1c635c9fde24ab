//! Which cached translations an operation removes (SDM 4.10.4.1).
//!
//! Over-invalidation is always legal; these scopes are the least that the manual asks for.

use super::address::Gva;

/// A set of cached translations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// None.
    Nothing,
    /// INVLPG: the page in this PCID and global translations of it in any; every
    /// paging-structure-cache entry of this PCID.
    Page {
        /// Any address in the page.
        gva: Gva,
        /// The current PCID.
        pcid: u16,
    },
    /// INVPCID type 0: the page in that PCID, not global; that PCID's structure-cache entries for it.
    PageOfPcid {
        /// Any address in the page.
        gva: Gva,
        /// The PCID named in the descriptor.
        pcid: u16,
    },
    /// MOV CR3, INVPCID type 1: everything of the PCID but global translations.
    Pcid(u16),
    /// CR4.PAE changed or SMEP set: everything the PCID can use, global translations included.
    PcidAndGlobal(u16),
    /// INVPCID type 3: everything of every PCID but global translations.
    AllPcids,
    /// INVPCID type 2, CR4.PGE changed, paging switched off: everything.
    Everything,
}
