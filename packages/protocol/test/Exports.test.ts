import { expect, it } from 'vitest'
import * as Protocol from '../src/index.ts'

// Others build on these names: a change here is a change for every room, and shows in review.

it('exports these names and no others', () => {
  const names = Object.entries(Protocol).map(([name, value]) =>
    typeof value === 'object' && Reflect.get(value, Symbol.toStringTag) === 'Module'
      ? `${name}: ${Object.keys(value).sort().join(' ')}`
      : name,
  )
  expect(names.sort()).toMatchInlineSnapshot(`
    [
      "Access: digest fromJson sign signer",
      "Batch: deadline epochAt fromJson includes prove root toJson unused",
      "Bytes: HexError concat equal fromBigInt fromHex fromText isHex isWellFormed textLength toBigInt toHex zero32",
      "Canonical: decode encode",
      "ChatRequest: toJob",
      "Claim: decode domain encode fromJson id toJson",
      "Decode: DecodeError address array boolean decimal digest finite hex hexUpTo integer literal nested object text",
      "Digest: hmac of ofJson preimage sha256",
      "Eip712: address digest recover sign typeHash",
      "Finish: names toNumber",
      "Job: decode digest promptTokensMax",
      "Key: fromJson id possession",
      "Merkle: emptyRoot hashLeaf hashNode prove root verify verifyConsistency",
      "ModelManifest: decode id",
      "Network: domain eip712 fromJson",
      "Nonce: salts samplerSeed samplerSeedOf",
      "Offer: charge decode encode fromJson id message toJson",
      "Output: decode digest readTokenLogprob",
      "P256: fromSubtle isLowS isUncompressed toLowS verify",
      "Params: batchLeavesMax claimBytes clockSkewMs contextTokensMax evidenceItemsMax jobBytesMax logprobUnitsPerNat manifestBytesMax manifestFilesMax manifestParentsMax messagesMax offerBytes outputBytesMax outputTokensDefault outputTokensMax promptTokensPerMessageMax proofDigestsMax publicKeyBytes receiptBytesMax samplerCandidates samplerTemperatureMin seedMax signatureBytes stopStringBytesMax stopStringsMax temperatureMax textCharsMax topLogprobsMax traceBlockTokens traceTokenBytes",
      "Policy: decode judge",
      "ProviderHttp: channelStateToJson endToJson paths readAccess readBatch readChallenge readChannelState readEvent readJobPost readManifest readOffers readRefusal readRuntime readToken readUnpaid readVoucherPost unpaidMax voucherPostToJson",
      "Receipt: decode encode fromJson toJson",
      "Refusal: RefusedError codes isCode of toOpenAi",
      "Runtime: decode id",
      "Sampler: choose id noise philox shortlist",
      "Trace: decode encode fromJson length quantize root",
      "Transcript: fromJson id toJson",
      "Usage: equal read",
      "Verdict: fails holds rungs unknown",
      "Voucher: digest fromJson sign signer toJson",
      "p256Noble",
      "verify",
    ]
  `)
})
