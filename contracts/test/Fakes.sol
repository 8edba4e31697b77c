// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {TestStable} from "../src/TestStable.sol";

/// @notice A coin that keeps a hundredth of every transfer.
contract FakeFeeToken is TestStable {
    function _update(address from, address to, uint256 value) internal override {
        uint256 fee = from == address(0) ? 0 : value / 100;
        super._update(from, to, value - fee);
        if (fee != 0) super._update(from, address(0xfee), fee);
    }
}

/// @notice A coin that calls back into a contract of ours while it is being moved.
contract FakeReentrantToken is TestStable {
    address private _target;
    bytes private _call;
    bytes public answer;

    function arm(address target, bytes calldata call) external {
        _target = target;
        _call = call;
    }

    function _update(address from, address to, uint256 value) internal override {
        super._update(from, to, value);
        if (_target == address(0)) return;
        (bool ok, bytes memory data) = _target.call(_call);
        answer = ok ? bytes("reentered") : data;
    }
}

/// @notice A contract account whose owner signs for it (ERC-1271).
contract FakeContractAccount {
    address private immutable _owner;

    constructor(address owner) {
        _owner = owner;
    }

    function isValidSignature(bytes32 digest, bytes calldata signature) external view returns (bytes4) {
        return ECDSA.recover(digest, signature) == _owner ? this.isValidSignature.selector : bytes4(0);
    }
}
