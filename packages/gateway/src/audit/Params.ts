// Every number that bounds what a gateway takes from auditors, unit last, with its reason.

/** Auditors that one gateway trusts; each is asked every second while it has something new. */
export const auditorsMax = 64
/** Calibrations of one gateway: a few runtimes a model, and their predecessors. */
export const calibrationsMax = 1_024
export const tokenCharsMax = 512

/** A page or a bundle has to be there within this. */
export const answerMs = 30_000
/** Pages of one auditor that are read in one round, and how many at once. */
export const pagesPerRoundMax = 16
export const pagesAtOnceMax = 4
/**
 * A page is read again after a sixtieth of its commitment's age: a young one at every round, one of an hour each minute,
 * one of a day three times an hour, because auditors open soon or never.
 */
export const pageAgeShare = 60
/** A page that was refused is looked at again after this: its auditor may mend it. */
export const refusedAgainMs = 60_000
/** Pause after an auditor did not answer; doubles up to the greatest. */
export const awayMs = 1_000
export const awayMsMax = 60_000
/** Commitments read from the chain at once; the contract's own bound. */
export const commitmentsPageMax = 256
/** Figures of a window are folded anew after this even if no page has changed: they move with time. */
export const findingsFreshMs = 60_000

/** Folding rests this many times as long as it took: 1,000 audits take 18 ms, 10,000 take 0.3 s. */
export const foldRest = 20

/** Bundles kept of one convicted provider and model: a conviction takes some tens of answers, slow ones some hundreds. */
export const bundlesMax = 512
/** Bundles fetched in one round. */
export const bundlesPerRoundMax = 8

/** The public's figures are folded for all who ask within this. */
export const publicFreshSeconds = 5
/** Pages and bundles that are served at once: each may have 32 MB. */
export const servedAtOnceMax = 8
/** Numbers that one list of commitments carries, as at auditors. */
export const numbersPageMax = 256

/** The header that carries a caller's policy. */
export const policyCharsMax = 256
/** Providers that a refusal names with their reasons. */
export const reasonsShownMax = 4
