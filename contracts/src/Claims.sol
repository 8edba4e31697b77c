// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {P256} from "@openzeppelin/contracts/utils/cryptography/P256.sol";

/// @notice A provider's claim about one job; the fields of its 16 words, in their order.
struct Claim {
    bytes32 domain;
    address provider;
    bytes32 keyId;
    uint64 sequence;
    uint64 epoch;
    bytes32 model;
    bytes32 runtime;
    bytes32 offer;
    bytes32 request;
    bytes32 answer;
    bytes32 trace;
    uint64 promptTokens;
    uint64 cachedTokens;
    uint64 outputTokens;
    uint64 finish;
    bytes32 channel;
    uint128 charged;
    uint64 startedMs;
    uint64 firstTokenMs;
    uint64 endedMs;
    bytes32 parents;
    bytes32 evidence;
}

/// @title Claims
/// @notice Reads, hashes and checks the 512 bytes that a provider signs (spec/claim.md).
///
///   word  0 domain                                   word  8 answer
///   word  1 0 u96 | provider u160                    word  9 trace
///   word  2 keyId                                    word 10 prompt u64 | cached u64 | output u64 | finish u64
///   word  3 0 u128 | sequence u64 | epoch u64        word 11 channel
///   word  4 model                                    word 12 0 u128 | charged u128
///   word  5 runtime                                  word 13 started u64 | first token u64 | ended u64 | 0 u64
///   word  6 offer                                    word 14 parents
///   word  7 request                                  word 15 evidence
library Claims {
    uint256 internal constant BYTES = 512;
    /// @dev 0 stop, 1 length, 2 tool calls, 3 content filter, 4 aborted.
    uint64 internal constant FINISH_LAST = 4;
    /// @dev The limits of packages/protocol/src/Params.ts: what one reader refuses, all do.
    uint256 internal constant CONTEXT_TOKENS_MAX = 16_777_216;
    uint256 internal constant OUTPUT_TOKENS_MAX = 131_072;
    /// @dev Milliseconds that a JSON number holds exactly.
    uint256 internal constant TIME_MS_MAX = 2 ** 53 - 1;

    error WrongLength(uint256 length, uint256 expected);
    error NonzeroPadding(uint256 word, bytes32 value);
    error UnknownFinish(uint64 finish, uint64 last);
    error AboveLimit(uint256 value, uint256 max);
    error CachedExceedsPrompt(uint64 cachedTokens, uint64 promptTokens);
    error TimesOutOfOrder(uint64 startedMs, uint64 firstTokenMs, uint64 endedMs);

    /// @notice claimId: what the receipt key signs and what a batch commits to.
    function hash(bytes memory data) internal pure returns (bytes32) {
        if (data.length != BYTES) revert WrongLength(data.length, BYTES);
        return sha256(data);
    }

    /// @notice Reads the 16 words; padding must be zero, so that one claim has one encoding.
    function decode(bytes memory data) internal pure returns (Claim memory claim) {
        if (data.length != BYTES) revert WrongLength(data.length, BYTES);
        claim.domain = _word(data, 0);
        claim.provider = address(uint160(_padded(data, 1, 160)));
        claim.keyId = _word(data, 2);
        uint256 sequence = _padded(data, 3, 128);
        claim.sequence = uint64(sequence >> 64);
        claim.epoch = uint64(sequence);
        claim.model = _word(data, 4);
        claim.runtime = _word(data, 5);
        claim.offer = _word(data, 6);
        claim.request = _word(data, 7);
        claim.answer = _word(data, 8);
        claim.trace = _word(data, 9);
        uint256 usage = uint256(_word(data, 10));
        claim.promptTokens = _limited(usage >> 192, CONTEXT_TOKENS_MAX);
        claim.cachedTokens = _limited(usage >> 128, CONTEXT_TOKENS_MAX);
        claim.outputTokens = _limited(usage >> 64, OUTPUT_TOKENS_MAX);
        claim.finish = uint64(usage);
        if (claim.finish > FINISH_LAST) revert UnknownFinish(claim.finish, FINISH_LAST);
        if (claim.cachedTokens > claim.promptTokens) {
            revert CachedExceedsPrompt(claim.cachedTokens, claim.promptTokens);
        }
        claim.channel = _word(data, 11);
        claim.charged = uint128(_padded(data, 12, 128));
        uint256 time = uint256(_word(data, 13));
        if (uint64(time) != 0) revert NonzeroPadding(13, bytes32(time));
        claim.startedMs = _limited(time >> 192, TIME_MS_MAX);
        claim.firstTokenMs = _limited(time >> 128, TIME_MS_MAX);
        claim.endedMs = _limited(time >> 64, TIME_MS_MAX);
        if (claim.firstTokenMs < claim.startedMs || claim.endedMs < claim.firstTokenMs) {
            revert TimesOutOfOrder(claim.startedMs, claim.firstTokenMs, claim.endedMs);
        }
        claim.parents = _word(data, 14);
        claim.evidence = _word(data, 15);
    }

    /// @notice Whether the receipt key (x, y) signed this claimId; a high s is refused (one claim, one signature form).
    function isSignedBy(bytes32 claimId, bytes32 r, bytes32 s, bytes32 x, bytes32 y) internal view returns (bool) {
        return P256.verify(claimId, r, s, x, y);
    }

    function _word(bytes memory data, uint256 index) private pure returns (bytes32 word) {
        assembly ("memory-safe") {
            word := mload(add(add(data, 0x20), shl(5, index)))
        }
    }

    /// @dev The low u64 of `field`, at most `max`.
    function _limited(uint256 field, uint256 max) private pure returns (uint64 value) {
        value = uint64(field);
        if (value > max) revert AboveLimit(value, max);
    }

    /// @dev A word whose value takes its low `bits` only.
    function _padded(bytes memory data, uint256 index, uint256 bits) private pure returns (uint256 value) {
        value = uint256(_word(data, index));
        if (value >> bits != 0) revert NonzeroPadding(index, bytes32(value));
    }
}
