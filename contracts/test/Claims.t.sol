// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {P256} from "@openzeppelin/contracts/utils/cryptography/P256.sol";
import {Claim, Claims} from "../src/Claims.sol";
import {Base} from "./Base.sol";
import {ClaimsHarness} from "./ClaimsHarness.sol";
import {Vectors} from "./Vectors.sol";

contract ClaimsTest is Base, Vectors {
    ClaimsHarness private harness;

    function setUp() public override {
        harness = new ClaimsHarness();
    }

    // --- spec/vectors/claim ---

    function test_validVectors() public view {
        string memory json = read("claim/valid");
        uint256 cases = count(json, ".cases");
        for (uint256 i = 0; i < cases; ++i) {
            string memory at_ = item(".cases", i);
            string memory name = vm.parseJsonString(json, string.concat(at_, ".name"));
            bytes memory data = vm.parseJsonBytes(json, string.concat(at_, ".bytes"));
            assertClaim(json, at_, name, harness.decode(data));
            bytes32 id = vm.parseJsonBytes32(json, string.concat(at_, ".id"));
            vm.assertEq(harness.hash(data), id, name);
            assertSigned(json, at_, name, id);
        }
    }

    /// Each is refused for the protocol's reason, by the custom error that it names in `contract`.
    function test_invalidVectors() public view {
        string memory json = read("claim/invalid");
        uint256 cases = count(json, ".cases");
        for (uint256 i = 0; i < cases; ++i) {
            string memory at_ = item(".cases", i);
            string memory name = vm.parseJsonString(json, string.concat(at_, ".name"));
            bytes memory data = vm.parseJsonBytes(json, string.concat(at_, ".bytes"));
            bytes4 thrown = refusalOf(data);
            vm.assertTrue(thrown != 0, string.concat(name, ": accepted"));
            string memory code = vm.parseJsonString(json, string.concat(at_, ".error"));
            vm.assertEq(codeOf(thrown), code, string.concat(name, ": another reason"));
            string memory expected = vm.parseJsonString(json, string.concat(at_, ".contract"));
            vm.assertEq(nameOf(thrown), expected, string.concat(name, ": another error"));
        }
    }

    function assertClaim(string memory json, string memory at_, string memory name, Claim memory claim) private pure {
        string memory expected = string.concat(at_, ".claim");
        vm.assertEq(claim.domain, word(json, expected, ".domain"), name);
        vm.assertEq(claim.provider, vm.parseJsonAddress(json, string.concat(expected, ".provider")));
        vm.assertEq(claim.keyId, word(json, expected, ".keyId"), name);
        vm.assertEq(claim.sequence, number(json, expected, ".sequence"), name);
        vm.assertEq(claim.epoch, number(json, expected, ".epoch"), name);
        vm.assertEq(claim.model, word(json, expected, ".model"), name);
        vm.assertEq(claim.runtime, word(json, expected, ".runtime"), name);
        vm.assertEq(claim.offer, word(json, expected, ".offer"), name);
        vm.assertEq(claim.request, word(json, expected, ".request"), name);
        vm.assertEq(claim.answer, word(json, expected, ".answer"), name);
        vm.assertEq(claim.trace, word(json, expected, ".trace"), name);
        vm.assertEq(claim.promptTokens, number(json, expected, ".usage.promptTokens"), name);
        vm.assertEq(claim.cachedTokens, number(json, expected, ".usage.cachedTokens"), name);
        vm.assertEq(claim.outputTokens, number(json, expected, ".usage.outputTokens"), name);
        vm.assertEq(claim.finish, number(json, at_, ".finishNumber"), name);
        vm.assertEq(claim.channel, word(json, expected, ".channel"), name);
        vm.assertEq(claim.charged, number(json, expected, ".amount"), name);
        vm.assertEq(claim.startedMs, number(json, expected, ".time.started"), name);
        vm.assertEq(claim.firstTokenMs, number(json, expected, ".time.firstToken"), name);
        vm.assertEq(claim.endedMs, number(json, expected, ".time.ended"), name);
        vm.assertEq(claim.parents, word(json, expected, ".parents"), name);
        vm.assertEq(claim.evidence, word(json, expected, ".evidence"), name);
    }

    function assertSigned(string memory json, string memory at_, string memory name, bytes32 id) private view {
        bytes32 r = word(json, at_, ".signatureR");
        bytes32 s = word(json, at_, ".signatureS");
        bytes32 x = word(json, at_, ".publicKeyX");
        bytes32 y = word(json, at_, ".publicKeyY");
        vm.assertTrue(harness.isSignedBy(id, r, s, x, y), name);
        vm.assertFalse(harness.isSignedBy(id ^ bytes32(uint256(1)), r, s, x, y), name);
        vm.assertFalse(harness.isSignedBy(id, r, bytes32(P256.N - uint256(s)), x, y), "high s");
    }

    // --- properties ---

    function testFuzz_decodeReadsWhatAnyClaimHolds(bytes32 seed) public view {
        Claim memory claim = madeFrom(seed);
        vm.assertEq(keccak256(abi.encode(harness.decode(encode(claim)))), keccak256(abi.encode(claim)));
    }

    function testFuzz_hashAndDecodeRefuseOtherLengths(bytes calldata data) public {
        vm.assume(data.length != 512);
        bytes memory refusal = abi.encodeWithSelector(Claims.WrongLength.selector, data.length, 512);
        vm.expectRevert(refusal);
        harness.decode(data);
        vm.expectRevert(refusal);
        harness.hash(data);
    }

    /// Every bit that must be zero is refused when it is one.
    function testFuzz_everyPaddingBitIsRead(bytes32 seed, uint8 pick) public {
        uint256[4] memory words = [uint256(1), 3, 12, 13];
        uint256[4] memory lows = [uint256(160), 128, 128, 0];
        uint256[4] memory sizes = [uint256(96), 128, 128, 64];
        uint256 which = pick % 4;
        bytes memory data = encode(madeFrom(seed));
        uint256 place = 32 + 32 * words[which];
        uint256 bit = uint256(1) << (lows[which] + pick % sizes[which]);
        uint256 changed;
        assembly {
            changed := xor(mload(add(data, place)), bit)
            mstore(add(data, place), changed)
        }
        vm.expectRevert(abi.encodeWithSelector(Claims.NonzeroPadding.selector, words[which], bytes32(changed)));
        harness.decode(data);
    }

    function testFuzz_oneBitChangesTheId(bytes32 seed, uint16 bit) public view {
        bytes memory data = encode(madeFrom(seed));
        bytes32 id = harness.hash(data);
        data[(bit % 4096) / 8] ^= bytes1(uint8(1) << uint8(bit % 8));
        vm.assertFalse(harness.hash(data) == id);
    }

    function test_limitsAreExact() public {
        Claim memory claim = madeFrom("limits");
        claim.promptTokens = 16_777_216;
        claim.outputTokens = 131_072;
        claim.endedMs = 2 ** 53 - 1;
        harness.decode(encode(claim));
        claim.endedMs = 2 ** 53;
        refuse(claim, abi.encodeWithSelector(Claims.AboveLimit.selector, 2 ** 53, 2 ** 53 - 1));
        claim.outputTokens = 131_073;
        refuse(claim, abi.encodeWithSelector(Claims.AboveLimit.selector, 131_073, 131_072));
        claim.promptTokens = 16_777_217;
        refuse(claim, abi.encodeWithSelector(Claims.AboveLimit.selector, 16_777_217, 16_777_216));
    }

    function test_fieldsThatContradictEachOther() public {
        Claim memory claim = madeFrom("order");
        claim.cachedTokens = claim.promptTokens + 1;
        refuse(
            claim,
            abi.encodeWithSelector(
                Claims.CachedExceedsPrompt.selector, claim.cachedTokens, claim.promptTokens
            )
        );
        claim = madeFrom("order");
        (claim.startedMs, claim.firstTokenMs, claim.endedMs) = (2, 1, 3);
        refuse(claim, abi.encodeWithSelector(Claims.TimesOutOfOrder.selector, 2, 1, 3));
        (claim.startedMs, claim.firstTokenMs, claim.endedMs) = (1, 3, 2);
        refuse(claim, abi.encodeWithSelector(Claims.TimesOutOfOrder.selector, 1, 3, 2));
        claim = madeFrom("finish");
        claim.finish = 5;
        refuse(claim, abi.encodeWithSelector(Claims.UnknownFinish.selector, 5, 4));
    }

    function refuse(Claim memory claim, bytes memory refusal) private {
        vm.expectRevert(refusal);
        harness.decode(encode(claim));
    }

    function encode(Claim memory c) private pure returns (bytes memory) {
        return bytes.concat(
            abi.encode(c.domain, c.provider, c.keyId),
            abi.encodePacked(uint128(0), c.sequence, c.epoch, c.model, c.runtime, c.offer, c.request, c.answer),
            abi.encodePacked(c.trace, c.promptTokens, c.cachedTokens, c.outputTokens, c.finish, c.channel),
            abi.encodePacked(uint128(0), c.charged, c.startedMs, c.firstTokenMs, c.endedMs, uint64(0)),
            abi.encode(c.parents, c.evidence)
        );
    }

    function madeFrom(bytes32 seed) private pure returns (Claim memory c) {
        bytes32[16] memory w;
        for (uint256 i = 0; i < 16; ++i) {
            w[i] = keccak256(abi.encode(seed, i));
        }
        (c.domain, c.provider, c.keyId) = (w[0], address(bytes20(w[1])), w[2]);
        (c.sequence, c.epoch) = (uint64(bytes8(w[3])), uint64(uint256(w[3])));
        (c.model, c.runtime, c.offer, c.request, c.answer) = (w[4], w[5], w[6], w[7], w[8]);
        c.trace = w[9];
        c.promptTokens = uint64(uint256(w[10]) % 16_777_217);
        c.cachedTokens = uint64(uint256(w[1]) % (c.promptTokens + 1));
        c.outputTokens = uint64(uint256(w[2]) % 131_073);
        c.finish = uint64(uint256(w[3]) % 5);
        c.channel = w[11];
        c.charged = uint128(uint256(w[12]));
        c.startedMs = uint64(uint256(w[13]) % 2 ** 50);
        c.firstTokenMs = c.startedMs + uint64(uint256(w[14]) % 2 ** 50);
        c.endedMs = c.firstTokenMs + uint64(uint256(w[15]) % 2 ** 50);
        (c.parents, c.evidence) = (w[14], w[15]);
    }

    function refusalOf(bytes memory data) private view returns (bytes4 thrown) {
        try harness.decode(data) {}
        catch (bytes memory reason) {
            thrown = bytes4(reason);
        }
    }

    function nameOf(bytes4 thrown) private pure returns (string memory) {
        if (thrown == Claims.WrongLength.selector) return "WrongLength";
        if (thrown == Claims.NonzeroPadding.selector) return "NonzeroPadding";
        if (thrown == Claims.UnknownFinish.selector) return "UnknownFinish";
        if (thrown == Claims.AboveLimit.selector) return "AboveLimit";
        if (thrown == Claims.CachedExceedsPrompt.selector) return "CachedExceedsPrompt";
        if (thrown == Claims.TimesOutOfOrder.selector) return "TimesOutOfOrder";
        return "";
    }

    /// The protocol's code for the same refusal (packages/protocol/src/Decode.ts).
    function codeOf(bytes4 thrown) private pure returns (string memory) {
        if (thrown == Claims.WrongLength.selector) return "length";
        if (thrown == Claims.NonzeroPadding.selector) return "padding";
        if (thrown == Claims.TimesOutOfOrder.selector) return "order";
        return "range";
    }

    function word(string memory json, string memory at_, string memory key) private pure returns (bytes32) {
        return vm.parseJsonBytes32(json, string.concat(at_, key));
    }

    function number(string memory json, string memory at_, string memory key) private pure returns (uint256) {
        return vm.parseJsonUint(json, string.concat(at_, key));
    }
}
