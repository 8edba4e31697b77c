// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {EIP712} from "solady/utils/EIP712.sol";
import {SignatureCheckerLib} from "solady/utils/SignatureCheckerLib.sol";
import {Commitments} from "./Commitments.sol";
import {ExactTransfer} from "./ExactTransfer.sol";

/// @notice One deposit from a payer to a payee. `redeemed` is what all lines have drawn; after the end, deposit = redeemed.
/// `closesAt` is 0 until the payer asks to close.
struct Channel {
    address payer;
    uint64 closesAt;
    bool closed;
    address payee;
    address signer;
    uint128 deposit;
    uint128 redeemed;
}

/// @notice What one model's line has drawn, and the highest epoch redeemed on it.
struct Line {
    uint128 redeemed;
    uint64 epoch;
}

/// @notice The payer's word for everything accepted on one line up to and including `epoch`.
struct Voucher {
    bytes32 channel;
    bytes32 model;
    uint128 cumulative;
    uint64 epoch;
}

/// @title Channels
/// @notice Pay after: the payer locks a deposit, signs cumulative vouchers for answers that checked, and the payee
/// redeems them once its batch roots are posted.
contract Channels is EIP712, ReentrancyGuardTransient {
    bytes32 public constant VOUCHER_TYPEHASH =
        keccak256("Voucher(bytes32 channel,bytes32 model,uint128 cumulative,uint64 epoch)");
    bytes32 public constant CLOSE_TYPEHASH = keccak256("Close(bytes32 channel)");

    IERC20 public immutable stable;
    Commitments public immutable commitments;
    /// @notice Seconds in which the payee redeems after the payer asked to close (24 h in production).
    uint64 public immutable closeDelaySeconds;

    /// @notice How many channels were ever opened; part of each id, so that none returns.
    uint256 public opened;
    mapping(bytes32 id => Channel) private _channels;
    mapping(bytes32 id => mapping(bytes32 model => Line)) private _lines;

    event Opened(
        bytes32 indexed id, address indexed payer, address indexed payee, address signer, uint128 deposit
    );
    event ToppedUp(bytes32 indexed id, address indexed from, uint128 amount, uint128 deposit);
    event Redeemed(
        bytes32 indexed id,
        bytes32 indexed model,
        address indexed payee,
        uint128 amount,
        uint128 cumulative,
        uint64 epoch
    );
    event CloseRequested(bytes32 indexed id, uint64 closesAt);
    event Closed(bytes32 indexed id, address indexed payer, uint128 refund);

    error ZeroAddress(string role);
    error ZeroAmount();
    error UnknownChannel(bytes32 id);
    error ChannelClosed(bytes32 id);
    error ChannelClosing(bytes32 id, uint64 closesAt);
    error CloseNotRequested(bytes32 id);
    error TooEarlyToClose(bytes32 id, uint64 closesAt, uint256 time);
    error NotPayer(bytes32 id, address caller, address payer);
    error BadVoucherSignature(address recovered, address signer);
    error BadCloseSignature(bytes32 id, address payee);
    error NotCommitted(address payee, uint64 epoch);
    error EpochFell(bytes32 id, bytes32 model, uint64 epoch, uint64 last);
    error NothingDue(bytes32 id, bytes32 model, uint128 cumulative, uint128 redeemed);
    error DepositExhausted(bytes32 id, uint128 deposit);

    constructor(IERC20 stable_, Commitments commitments_, uint64 closeDelaySeconds_) {
        stable = stable_;
        commitments = commitments_;
        closeDelaySeconds = closeDelaySeconds_;
    }

    /// @notice Locks `amount` for `payee`; vouchers are good only when `signer`, an EOA's key, signed them.
    function open(address payee, address signer, uint128 amount) external nonReentrant returns (bytes32 id) {
        if (payee == address(0)) revert ZeroAddress("payee");
        if (signer == address(0)) revert ZeroAddress("signer");
        if (amount == 0) revert ZeroAmount();
        id = keccak256(abi.encode(block.chainid, address(this), msg.sender, payee, opened++));
        _channels[id] = Channel(msg.sender, 0, false, payee, signer, amount, 0);
        emit Opened(id, msg.sender, payee, signer, amount);
        ExactTransfer.pull(stable, msg.sender, amount);
    }

    /// @notice Adds to the deposit; anyone may, and what is left goes to the payer at the end.
    function topUp(bytes32 id, uint128 amount) external nonReentrant {
        Channel storage channel = _live(id);
        if (channel.closesAt != 0) revert ChannelClosing(id, channel.closesAt);
        if (amount == 0) revert ZeroAmount();
        channel.deposit += amount;
        emit ToppedUp(id, msg.sender, amount, channel.deposit);
        ExactTransfer.pull(stable, msg.sender, amount);
    }

    /// @notice Draws what a voucher adds to its line, as far as the deposit goes; anyone may send it, the payee is paid.
    /// A voucher that the deposit did not cover can be redeemed again after a top-up.
    function redeem(Voucher calldata voucher, bytes calldata signature) external nonReentrant returns (uint128 paid) {
        Channel storage channel = _live(voucher.channel);
        bytes32 digest = voucherDigest(voucher);
        (address recovered,,) = ECDSA.tryRecoverCalldata(digest, signature);
        if (recovered != channel.signer) revert BadVoucherSignature(recovered, channel.signer);
        if (!commitments.posted(channel.payee, voucher.epoch)) revert NotCommitted(channel.payee, voucher.epoch);

        Line storage line = _lines[voucher.channel][voucher.model];
        if (voucher.epoch < line.epoch) {
            revert EpochFell(voucher.channel, voucher.model, voucher.epoch, line.epoch);
        }
        if (voucher.cumulative <= line.redeemed) {
            revert NothingDue(voucher.channel, voucher.model, voucher.cumulative, line.redeemed);
        }
        uint128 left = channel.deposit - channel.redeemed;
        if (left == 0) revert DepositExhausted(voucher.channel, channel.deposit);
        uint128 due = voucher.cumulative - line.redeemed;
        paid = due < left ? due : left;

        line.redeemed += paid;
        line.epoch = voucher.epoch;
        channel.redeemed += paid;
        emit Redeemed(voucher.channel, voucher.model, channel.payee, paid, voucher.cumulative, voucher.epoch);
        _pay(channel.payee, paid);
    }

    /// @notice The payer starts the delay in which the payee redeems what it holds.
    function requestClose(bytes32 id) external {
        Channel storage channel = _live(id);
        if (msg.sender != channel.payer) revert NotPayer(id, msg.sender, channel.payer);
        if (channel.closesAt != 0) revert ChannelClosing(id, channel.closesAt);
        channel.closesAt = uint64(block.timestamp) + closeDelaySeconds;
        emit CloseRequested(id, channel.closesAt);
    }

    /// @notice After the delay, returns what is left to the payer; anyone may send it.
    function close(bytes32 id) external nonReentrant {
        Channel storage channel = _live(id);
        uint64 closesAt = channel.closesAt;
        if (closesAt == 0) revert CloseNotRequested(id);
        if (block.timestamp < closesAt) revert TooEarlyToClose(id, closesAt, block.timestamp);
        _close(id, channel);
    }

    /// @notice Closes at once, with the payee's signature of Close(channel): it has nothing more to redeem.
    function closeNow(bytes32 id, bytes calldata payeeSignature) external nonReentrant {
        Channel storage channel = _live(id);
        if (msg.sender != channel.payer) revert NotPayer(id, msg.sender, channel.payer);
        address payee = channel.payee;
        if (!SignatureCheckerLib.isValidSignatureNowCalldata(payee, closeDigest(id), payeeSignature)) {
            revert BadCloseSignature(id, payee);
        }
        _close(id, channel);
    }

    /// @notice A channel; all zero when the id was never opened.
    function channelOf(bytes32 id) external view returns (Channel memory) {
        return _channels[id];
    }

    /// @notice One model's line on a channel.
    function lineOf(bytes32 id, bytes32 model) external view returns (Line memory) {
        return _lines[id][model];
    }

    /// @notice EIP-712 digest that `signer` signs.
    function voucherDigest(Voucher calldata voucher) public view returns (bytes32) {
        return _hashTypedData(
            keccak256(
                abi.encode(
                    VOUCHER_TYPEHASH, voucher.channel, voucher.model, voucher.cumulative, voucher.epoch
                )
            )
        );
    }

    /// @notice EIP-712 digest that the payee signs to close at once.
    function closeDigest(bytes32 id) public view returns (bytes32) {
        return _hashTypedData(keccak256(abi.encode(CLOSE_TYPEHASH, id)));
    }

    function _close(bytes32 id, Channel storage channel) private {
        uint128 refund = channel.deposit - channel.redeemed;
        channel.deposit = channel.redeemed;
        channel.closed = true;
        emit Closed(id, channel.payer, refund);
        if (refund != 0) _pay(channel.payer, refund);
    }

    /// @dev The one door by which money leaves; split, holding and slashing will stand here.
    function _pay(address to, uint128 amount) private {
        SafeERC20.safeTransfer(stable, to, amount);
    }

    function _live(bytes32 id) private view returns (Channel storage channel) {
        channel = _channels[id];
        if (channel.payer == address(0)) revert UnknownChannel(id);
        if (channel.closed) revert ChannelClosed(id);
    }

    function _domainNameAndVersion() internal pure override returns (string memory, string memory) {
        return ("Counterfoil", "1");
    }
}
