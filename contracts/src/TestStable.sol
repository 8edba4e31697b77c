// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";

/// @title TestStable
/// @notice FOR DEVELOPMENT CHAINS ONLY: anyone may mint any amount, so a unit of it is worth nothing.
/// @dev 6 decimals, like the stable coins it stands in for; production deployments name a real one instead.
contract TestStable is ERC20 {
    constructor() ERC20("Counterfoil TestStable (development chains only)", "tUSD") {}

    function decimals() public pure override returns (uint8) {
        return 6;
    }

    /// @notice Makes `amount` micro-units out of nothing and gives them to `to`.
    function mint(address to, uint256 amount) external {
        _mint(to, amount);
    }
}
