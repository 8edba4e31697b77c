// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Claim, Claims} from "../src/Claims.sol";
import {Merkle} from "../src/Merkle.sol";

/// @notice The libraries behind calls of their own, so that a test can see what they refuse.
contract ClaimsHarness {
    function decode(bytes calldata data) external pure returns (Claim memory) {
        return Claims.decode(data);
    }

    function hash(bytes calldata data) external pure returns (bytes32) {
        return Claims.hash(data);
    }

    function isSignedBy(bytes32 claimId, bytes32 r, bytes32 s, bytes32 x, bytes32 y) external view returns (bool) {
        return Claims.isSignedBy(claimId, r, s, x, y);
    }

    function root(bytes32[] calldata hashes) external pure returns (bytes32) {
        return Merkle.root(hashes);
    }

    function verify(bytes32 treeRoot, uint64 index, uint64 size, bytes32 leafHash, bytes32[] calldata path)
        external
        pure
        returns (bool)
    {
        return Merkle.verify(treeRoot, index, size, leafHash, path);
    }
}
