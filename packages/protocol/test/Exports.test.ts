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
      "Audit: decode digest includes isUsed job leaf nonce prove request root",
      "AuditBundle: agrees fromJson isCommitted nonce toJson",
      "AuditHistory: entries strata subjects terms x",
      "AuditPage: AuditError check faults fromJson keyIds leafOf readStatistics toJson",
      "AuditParams: auditsMax bundleBytesMax pageBytesMax pathDigestsMax useShare xTolerancePpm",
      "Batch: deadline epochAt fromJson includes prove prover root toJson unused",
      "Bytes: HexError concat equal fromBigInt fromHex fromText isHex isWellFormed textLength toBigInt toHex zero32",
      "Calibration: cap decode id mean standing",
      "CalibrationRecords: digest fit matches",
      "Canonical: decode encode",
      "ChatRequest: toJob",
      "Claim: decode domain encode fromJson id toJson",
      "Decode: DecodeError address array boolean decimal digest finite hex hexUpTo integer literal nested object text",
      "Detectable: smallest",
      "Digest: hmac of ofJson preimage sha256",
      "EProcess: next paid start startWeight total value weightLeft",
      "Eip712: address digest recover sign typeHash",
      "Finish: names toNumber",
      "History: contextOf contexts decode id merge samplingOf samplings",
      "Job: decode digest promptTokensMax",
      "Key: fromJson id possession",
      "Margin: ScoringError includes of ofLogprob spread",
      "Merkle: emptyRoot hashLeaf hashNode prove prover root verify verifyConsistency",
      "ModelManifest: decode id",
      "Network: domain eip712 fromJson",
      "Nonce: salts samplerSeed samplerSeedOf",
      "Offer: charge decode encode fromJson id message toJson",
      "Output: decode digest readTokenLogprob",
      "P256: fromSubtle isLowS isUncompressed toLowS verify",
      "Params: batchLeavesMax claimBytes clockSkewMs contextTokensMax evidenceItemsMax jobBytesMax logprobUnitsPerNat manifestBytesMax manifestFilesMax manifestParentsMax messagesMax offerBytes outputBytesMax outputTokensDefault outputTokensMax promptTokensPerMessageMax proofDigestsMax publicKeyBytes receiptBytesMax samplerCandidates samplerTemperatureMin seedMax signatureBytes stopStringBytesMax stopStringsMax temperatureMax textCharsMax topLogprobsMax traceBlockTokens traceTokenBytes",
      "Policy: decode judge maxAgeSeconds",
      "ProviderHttp: channelStateToJson endToJson paths readAccess readBatch readChallenge readChannelState readEvent readJobPost readManifest readOffers readRefusal readRuntime readToken readUnpaid readVoucherPost unpaidMax voucherPostToJson",
      "PublicProcess: isConvicted next rounded start value withStakes",
      "Receipt: decode encode fromJson toJson",
      "Refusal: RefusedError codes isCode of toOpenAi",
      "Runtime: decode id",
      "SampledParams: answerFloorPpm answerTokensMin auditWindowSeconds auditorsMax bets calibrationError calibrationMachinesMax calibrationMachinesMin calibrationTokensMax calibrationTokensMin convictionValue detectableMaxPpm detectionPower factorPricePercent fullAnswerScore fullExcessUnits historyEntriesMax languageCharsMax logprobFactors machineTokensMin marginMaxLogits meanCapsPpm meanFloorPpm noiseFloorUnits pooledShare ppm processAnswersMax publicDelaySeconds referenceCandidates statisticBytes unitsPerLogit wealthMax",
      "Sampler: choose id noise philox shortlist",
      "Score: answer needsSecond token",
      "Statistic: decode encode of toHex",
      "Trace: decode encode fromJson length quantize root",
      "TrackRecord: describe errorBound fold isCovered judge",
      "Transcript: fromJson id toJson",
      "Usage: equal read",
      "Verdict: fails holds rungs unknown",
      "Voucher: digest fromJson sign signer toJson",
      "p256Noble",
      "verify",
      "verifySampled",
    ]
  `)
})
