// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Vm} from "./Vm.sol";

/// @notice Reads spec/vectors/<noun>/{valid,invalid}.json, the same files that TypeScript reads.
abstract contract Vectors {
    Vm private constant vm = Vm(address(uint160(uint256(keccak256("hevm cheat code")))));

    function read(string memory file) internal view returns (string memory) {
        return vm.readFile(string.concat("../spec/vectors/", file, ".json"));
    }

    /// @dev Path of one case, or of an item in one of its lists.
    function item(string memory list, uint256 index) internal pure returns (string memory) {
        return string.concat(list, "[", vm.toString(index), "]");
    }

    /// @dev How many items a list has; zero would make a test pass on nothing, so it is refused.
    function count(string memory json, string memory list) internal view returns (uint256 size) {
        while (vm.keyExistsJson(json, item(list, size))) ++size;
        vm.assertTrue(size != 0, string.concat("no vectors in ", list));
    }
}
