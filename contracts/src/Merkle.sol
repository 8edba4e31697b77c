// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title Merkle
/// @notice Tree hashing and inclusion proofs of RFC 9162 with SHA-256, for trees of any size.
/// @dev Leaves and nodes are hashed under different first bytes, so that a node can never pass for a leaf.
library Merkle {
    error EmptyTree();

    /// @notice RFC 9162, 2.1.1: hash of one leaf's data.
    function leaf(bytes memory data) internal pure returns (bytes32) {
        return sha256(abi.encodePacked(bytes1(0x00), data));
    }

    /// @notice RFC 9162, 2.1.1: hash of two subtrees.
    function node(bytes32 left, bytes32 right) internal pure returns (bytes32) {
        return sha256(abi.encodePacked(bytes1(0x01), left, right));
    }

    /// @notice Root over leaf hashes; the array is overwritten. An empty tree is refused: no batch is empty.
    /// @dev Pairing level by level and carrying an odd last node up gives the RFC's split at the largest power of two.
    function root(bytes32[] memory hashes) internal pure returns (bytes32) {
        uint256 size = hashes.length;
        if (size == 0) revert EmptyTree();
        while (size > 1) {
            uint256 half = size / 2;
            for (uint256 i = 0; i < half; ++i) {
                hashes[i] = node(hashes[2 * i], hashes[2 * i + 1]);
            }
            if (size % 2 == 1) hashes[half] = hashes[size - 1];
            size = half + (size % 2);
        }
        return hashes[0];
    }

    /// @notice RFC 9162, 2.1.3.2: whether `leafHash` is the leaf at `index` of the tree of `size` leaves with this root.
    function verify(bytes32 treeRoot, uint64 index, uint64 size, bytes32 leafHash, bytes32[] memory proof)
        internal
        pure
        returns (bool)
    {
        if (index >= size) return false;
        uint64 position = index;
        uint64 last = size - 1;
        bytes32 hash = leafHash;
        for (uint256 i = 0; i < proof.length; ++i) {
            if (last == 0) return false;
            if (position % 2 == 1 || position == last) {
                hash = node(proof[i], hash);
                while (position % 2 == 0 && position != 0) {
                    position >>= 1;
                    last >>= 1;
                }
            } else {
                hash = node(hash, proof[i]);
            }
            position >>= 1;
            last >>= 1;
        }
        return last == 0 && hash == treeRoot;
    }
}
