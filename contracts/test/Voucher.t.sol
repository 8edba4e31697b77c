// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {Channels, Voucher} from "../src/Channels.sol";
import {Base} from "./Base.sol";
import {Vectors} from "./Vectors.sol";

/// @notice spec/vectors/voucher: the digest that TypeScript signs is the one that Channels checks.
contract VoucherTest is Base, Vectors {
    function test_validVectors() public {
        string memory json = read("voucher/valid");
        for (uint256 i = count(json, ".cases"); i != 0; --i) {
            string memory one = item(".cases", i - 1);
            string memory name = vm.parseJsonString(json, string.concat(one, ".name"));
            bytes32 digest = digestOf(json, one);
            vm.assertEq(digest, vm.parseJsonBytes32(json, string.concat(one, ".digest")), name);
            vm.assertTrue(isSigned(json, one, digest), name);
        }
    }

    /// Cases that only JSON can hold (they have no digest) are TypeScript's alone.
    function test_invalidVectors() public {
        string memory json = read("voucher/invalid");
        uint256 read_;
        for (uint256 i = count(json, ".cases"); i != 0; --i) {
            string memory one = item(".cases", i - 1);
            if (!vm.keyExistsJson(json, string.concat(one, ".digest"))) continue;
            string memory name = vm.parseJsonString(json, string.concat(one, ".name"));
            vm.assertFalse(isSigned(json, one, digestOf(json, one)), name);
            read_ += 1;
        }
        vm.assertTrue(read_ != 0, "no invalid voucher was read");
    }

    /// The contract as it would compute at the case's address on the case's chain.
    function digestOf(string memory json, string memory one) private returns (bytes32) {
        address deployed = vm.parseJsonAddress(json, string.concat(one, ".channels"));
        vm.etch(deployed, address(channels).code);
        vm.chainId(vm.parseJsonUint(json, string.concat(one, ".chainId")));
        return Channels(deployed)
            .voucherDigest(
                Voucher(
                    vm.parseJsonBytes32(json, string.concat(one, ".channel")),
                    vm.parseJsonBytes32(json, string.concat(one, ".model")),
                    uint128(vm.parseJsonUint(json, string.concat(one, ".cumulative"))),
                    uint64(vm.parseJsonUint(json, string.concat(one, ".epoch")))
                )
            );
    }

    function isSigned(string memory json, string memory one, bytes32 digest) private pure returns (bool) {
        bytes memory signature = vm.parseJsonBytes(json, string.concat(one, ".signature"));
        (address recovered,,) = ECDSA.tryRecover(digest, signature);
        return recovered == vm.parseJsonAddress(json, string.concat(one, ".signer"));
    }
}
