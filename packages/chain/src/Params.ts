/** Limits of this room, unit last. */

/** One JSON-RPC call; a node that takes longer is away, and callers have time-outs of their own above this. */
export const rpcTimeoutMs = 5_000
/** A dropped connection is tried again this often: reads and raw transactions are safe to repeat. */
export const rpcRetries = 2
export const rpcRetryDelayMs = 150
/** How often a sent transaction is looked for: development chains seal every second, others every 2 to 12 s. */
export const pollMs = 250
/** A transaction not included by then is reported; five blocks of the slowest chain we run on. */
export const inclusionTimeoutMs = 60_000
/** A transaction that has waited this long as the account's next is signed again at a higher fee. */
export const stuckMs = 30_000
/** Nodes take a replacement from 10 % above the fees of what it replaces. */
export const feeBumpPercent = 125n
/** Forms of one transaction: after 16 bumps of a quarter the fee is 35 times the first, and the last form is sent on. */
export const signedFormsMax = 16
/** Gas limit beside the estimate: the transactions before it in its block may change what it finds. */
export const gasMarginPercent = 130n
/** A machine's clock further from the chain's time than this is wrong: the chain's time counts in its place. */
export const clockApartMs = 60_000
/** Blocks may be this far apart: chain time read lower by less is an older block, by more a chain that was set back. */
export const blockLagSeconds = 60
/** Providers that one call of `Providers.page` returns; the contract's own PAGE_MAX. */
export const providersPageMax = 100
/** Receipt keys that one call of `Commitments.keysOf` returns; the contract's own PAGE_MAX. */
export const keysPageMax = 256
/** Vouchers that one call of `Channels.redeemMany` takes; the contract's own REDEMPTIONS_MAX. */
export const redemptionsMax = 128
/** Channels between the same parties that are looked through: one a day for three years. */
export const numberedChannelsMax = 1_024
/** Commitments that one call of `Audits.page` returns; the contract's own PAGE_MAX. */
export const commitmentsPageMax = 256
/** Commitments that one list holds: those of ten auditors in a month of 600 s epochs, 13 MB. */
export const commitmentsListMax = 65_536
/** Blocks whose events one call asks for: what public nodes allow. */
export const logBlocksMax = 10_000n

/** Chains whose blocks somebody makes at will: anvil and hardhat. */
export const developmentChainIds = [31_337, 1_337] as const
/** A development chain finalizes two blocks behind its last: the third is the first that came after the commitment was final. */
export const prevrandaoBlocks = 3n
/** Ethereum finalizes within 13 minutes, its rollups' sequencers sooner: 15 leave room. */
export const drandDelaySeconds = 900
/** A relay that takes longer is left for the next. */
export const relayTimeoutMs = 5_000
/** A round is 300 characters of JSON. */
export const relayAnswerCharsMax = 4_096

/** What a production deployment gives a provider to answer a demand for inclusion. */
export const answerSeconds = 86_400n
/** How long after its root was due a claim can be demanded: leaves are kept for 30 days, an answer takes one. */
export const demandWindowSeconds = 28n * 86_400n
/** One unit of the stable coin: ten times the gas of an answer on the chains we mean. */
export const demandBondMicros = 1_000_000n

/** scrypt with 2^17, 8, 1 takes 128 MB and about half a second: OWASP's least for keys that a person's words protect. */
export const scryptCost = 131_072
/** What a file may ask for: 2^20 x 8 is 1 GB. EIP-2335's own example asks for 2^18. */
export const scryptCostMax = 1_048_576
export const scryptBlockMax = 8
export const scryptParallelMax = 4
/** A PEM of an EC key has 241 bytes. */
export const secretBytesMax = 4_096
