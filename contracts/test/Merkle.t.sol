// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Merkle} from "../src/Merkle.sol";
import {Base} from "./Base.sol";
import {ClaimsHarness} from "./ClaimsHarness.sol";
import {Vectors} from "./Vectors.sol";

contract MerkleTest is Base, Vectors {
    ClaimsHarness private harness;

    function setUp() public override {
        harness = new ClaimsHarness();
    }

    // --- spec/vectors/merkle ---

    function test_validVectors() public view {
        string memory json = read("merkle/valid");
        uint256 cases = count(json, ".cases");
        for (uint256 i = 0; i < cases; ++i) {
            string memory one = item(".cases", i);
            string memory name = vm.parseJsonString(json, string.concat(one, ".name"));
            bytes[] memory leaves = vm.parseJsonBytesArray(json, string.concat(one, ".leaves"));
            bytes32[] memory hashes = new bytes32[](leaves.length);
            for (uint256 j = 0; j < leaves.length; ++j) {
                hashes[j] = Merkle.leaf(leaves[j]);
            }
            bytes32 root = vm.parseJsonBytes32(json, string.concat(one, ".root"));
            vm.assertEq(harness.root(hashes), root, name);
            string memory proofs = string.concat(one, ".proofs");
            for (uint256 j = count(json, proofs); j != 0; --j) {
                assertIncluded(json, item(proofs, j - 1), root, true, name);
            }
        }
    }

    function test_invalidVectors() public view {
        string memory json = read("merkle/invalid");
        for (uint256 i = count(json, ".cases"); i != 0; --i) {
            string memory one = item(".cases", i - 1);
            string memory name = vm.parseJsonString(json, string.concat(one, ".name"));
            assertIncluded(json, one, vm.parseJsonBytes32(json, string.concat(one, ".root")), false, name);
        }
    }

    function assertIncluded(
        string memory json,
        string memory one,
        bytes32 root,
        bool expected,
        string memory name
    ) private view {
        bool holds = harness.verify(
            root,
            uint64(vm.parseJsonUint(json, string.concat(one, ".index"))),
            uint64(vm.parseJsonUint(json, string.concat(one, ".size"))),
            vm.parseJsonBytes32(json, string.concat(one, ".leaf")),
            vm.parseJsonBytes32Array(json, string.concat(one, ".path"))
        );
        vm.assertEq(holds, expected, name);
    }

    // --- properties, against the RFC's recursive definitions ---

    function testFuzz_rootIsTheRfcsTreeHash(uint8 size, bytes32 seed) public view {
        bytes32[] memory hashes = leavesFrom(seed, uint256(size) % 80 + 1);
        vm.assertEq(harness.root(hashes), treeHash(hashes, 0, hashes.length));
    }

    function testFuzz_everyLeafIsIncludedAtItsPlaceOnly(uint8 size, uint8 pick, bytes32 seed) public view {
        bytes32[] memory hashes = leavesFrom(seed, uint256(size) % 80 + 1);
        uint64 index = uint64(pick % hashes.length);
        bytes32[] memory path = pathOf(hashes, index, 0, hashes.length);
        bytes32 root = treeHash(hashes, 0, hashes.length);
        uint64 total = uint64(hashes.length);
        vm.assertTrue(harness.verify(root, index, total, hashes[index], path));
        vm.assertFalse(harness.verify(root, index, total, hashes[index] ^ bytes32(uint256(1)), path));
        vm.assertFalse(harness.verify(root ^ bytes32(uint256(1)), index, total, hashes[index], path));
        for (uint64 other = 0; other < total; ++other) {
            if (other != index) vm.assertFalse(harness.verify(root, other, total, hashes[index], path));
        }
    }

    function testFuzz_indexAndSizeAreBounded(uint64 index, uint64 size, bytes32 leafHash) public view {
        // A path longer than any tree of u64 leaves needs never ends at its root.
        vm.assertFalse(harness.verify(leafHash, index, size, leafHash, new bytes32[](65)));
        if (index >= size) vm.assertFalse(harness.verify(leafHash, index, size, leafHash, new bytes32[](0)));
    }

    /// A path that goes on above the root of a tree of this size is refused even where it hashes to the root.
    function testFuzz_aPathEndsWithItsTree(bytes32 leafHash, bytes32 sibling) public view {
        bytes32[] memory path = new bytes32[](1);
        path[0] = sibling;
        vm.assertFalse(harness.verify(Merkle.node(sibling, leafHash), 0, 1, leafHash, path));
        vm.assertTrue(harness.verify(Merkle.node(sibling, leafHash), 1, 2, leafHash, path));
    }

    function test_anEmptyTreeHasNoRoot() public {
        vm.expectRevert(abi.encodeWithSelector(Merkle.EmptyTree.selector));
        harness.root(new bytes32[](0));
    }

    function leavesFrom(bytes32 seed, uint256 size) private pure returns (bytes32[] memory hashes) {
        hashes = new bytes32[](size);
        for (uint256 i = 0; i < size; ++i) {
            hashes[i] = Merkle.leaf(abi.encode(seed, i));
        }
    }

    /// RFC 9162, 2.1.1: MTH(D[from:to]) with the split at the largest power of two below the size.
    function treeHash(bytes32[] memory hashes, uint256 from, uint256 to) private pure returns (bytes32) {
        if (to - from == 1) return hashes[from];
        uint256 middle = from + split(to - from);
        return Merkle.node(treeHash(hashes, from, middle), treeHash(hashes, middle, to));
    }

    /// RFC 9162, 2.1.3.1: PATH(m, D[from:to]).
    function pathOf(bytes32[] memory hashes, uint256 index, uint256 from, uint256 to)
        private
        pure
        returns (bytes32[] memory path)
    {
        if (to - from == 1) return new bytes32[](0);
        uint256 middle = from + split(to - from);
        bool left = index < middle;
        bytes32[] memory lower = left ? pathOf(hashes, index, from, middle) : pathOf(hashes, index, middle, to);
        path = new bytes32[](lower.length + 1);
        for (uint256 i = 0; i < lower.length; ++i) {
            path[i] = lower[i];
        }
        path[lower.length] = left ? treeHash(hashes, middle, to) : treeHash(hashes, from, middle);
    }

    function split(uint256 size) private pure returns (uint256 power) {
        power = 1;
        while (power * 2 < size) power *= 2;
    }
}
