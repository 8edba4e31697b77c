// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";

/// @title ExactTransfer
/// @notice Takes a deposit and refuses a token that delivers another amount than was asked (a fee on transfer):
/// otherwise one depositor's shortfall would be paid out of another's money.
library ExactTransfer {
    error InexactTransfer(address token, uint256 expected, uint256 received);

    function pull(IERC20 token, address from, uint256 amount) internal {
        uint256 before = token.balanceOf(address(this));
        // `from` is the caller, or a payer whose signature of the opening was checked (Channels.openFor).
        // slither-disable-next-line arbitrary-send-erc20
        SafeERC20.safeTransferFrom(token, from, address(this), amount);
        uint256 received = token.balanceOf(address(this)) - before;
        if (received != amount) revert InexactTransfer(address(token), amount, received);
    }
}
