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
/// @dev Three slots; redeeming reads the last two only. 2^96 micro-units are more than any coin has.
struct Channel {
    address payer;
    uint64 closesAt;
    bool closed;
    address payee;
    uint96 deposit;
    address signer;
    uint96 redeemed;
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

/// @notice A voucher with its signature (r and vs of EIP-2098), and the payee's key whose root for the epoch stands.
struct Redemption {
    Voucher voucher;
    bytes32 keyId;
    bytes32 r;
    bytes32 vs;
}

/// @notice What a payer signs so that somebody else can open a channel for it until `validUntil` (seconds, included).
struct Opening {
    address payer;
    address payee;
    address signer;
    uint96 amount;
    bytes32 salt;
    uint64 validUntil;
}

/// @title Channels
/// @notice Pay after: the payer locks a deposit, signs cumulative vouchers for answers that checked, and the payee
/// redeems them once its batch roots are posted.
contract Channels is EIP712, ReentrancyGuardTransient {
    bytes32 public constant VOUCHER_TYPEHASH =
        keccak256("Voucher(bytes32 channel,bytes32 model,uint128 cumulative,uint64 epoch)");
    bytes32 public constant OPEN_TYPEHASH = keccak256(
        "Open(address payer,address payee,address signer,uint96 amount,bytes32 salt,uint64 validUntil)"
    );
    bytes32 public constant REQUEST_CLOSE_TYPEHASH = keccak256("RequestClose(bytes32 channel)");
    bytes32 public constant CLOSE_TYPEHASH = keccak256("Close(bytes32 channel)");
    /// @dev Most vouchers in one call: a third of what a transaction's gas (2^24, EIP-7825) would carry.
    uint256 public constant REDEMPTIONS_MAX = 128;

    IERC20 public immutable stable;
    Commitments public immutable commitments;
    /// @notice Seconds in which the payee redeems after the payer asked to close (24 h in production).
    uint64 public immutable closeDelaySeconds;
    /// @notice Who may pause opening, and nothing else; zero: nobody.
    address public immutable guardian;

    /// @notice Whether opening is paused. What is open is topped up, redeemed and closed as ever.
    bool public paused;
    mapping(bytes32 id => Channel) private _channels;
    mapping(bytes32 id => mapping(bytes32 model => Line)) private _lines;

    event Opened(bytes32 indexed id, address indexed payer, address indexed payee, address signer, uint96 deposit);
    event ToppedUp(bytes32 indexed id, address indexed from, uint96 amount, uint96 deposit);
    event Redeemed(
        bytes32 indexed id,
        bytes32 indexed model,
        address indexed payee,
        uint96 amount,
        uint128 cumulative,
        uint64 epoch
    );
    event CloseRequested(bytes32 indexed id, uint64 closesAt);
    event Closed(bytes32 indexed id, address indexed payer, uint96 refund);
    event PausedSet(bool paused);

    error ZeroAddress(string role);
    error ZeroAmount();
    error OpeningPaused();
    error NotGuardian(address caller, address guardian);
    error AlreadyOpened(bytes32 id);
    error OpeningExpired(uint64 validUntil, uint256 time);
    error BadOpenSignature(address payer);
    error UnknownChannel(bytes32 id);
    error ChannelClosed(bytes32 id);
    error ChannelClosing(bytes32 id, uint64 closesAt);
    error CloseNotRequested(bytes32 id);
    error TooEarlyToClose(bytes32 id, uint64 closesAt, uint256 time);
    error NotPayer(bytes32 id, address caller, address payer);
    error BadVoucherSignature(address recovered, address signer);
    error BadCloseSignature(bytes32 id, address party);
    error NotCommitted(address payee, bytes32 keyId, uint64 epoch);
    error EpochFell(bytes32 id, bytes32 model, uint64 epoch, uint64 last);
    error NothingDue(bytes32 id, bytes32 model, uint128 cumulative, uint128 redeemed);
    error DepositExhausted(bytes32 id, uint96 deposit);
    error TooManyRedemptions(uint256 count, uint256 max);
    error OtherPayee(bytes32 id, address payee, address expected);
    error NothingToRedeem();

    constructor(IERC20 stable_, Commitments commitments_, uint64 closeDelaySeconds_, address guardian_) {
        stable = stable_;
        commitments = commitments_;
        closeDelaySeconds = closeDelaySeconds_;
        // Zero means that nobody can pause.
        // slither-disable-next-line missing-zero-check
        guardian = guardian_;
    }

    // --- opening ---

    /// @notice Locks `amount` for `payee`; vouchers are good only when `signer`, an EOA's key, signed them. `salt` tells
    /// channels between the same parties apart: sent twice, a channel is opened once, under the id that was known before.
    function open(address payee, address signer, uint96 amount, bytes32 salt)
        external
        nonReentrant
        returns (bytes32 id)
    {
        return _openChannel(msg.sender, payee, signer, amount, salt);
    }

    /// @notice Opens in the name of a payer that signed the opening: an EOA, or a contract account by ERC-1271. The
    /// deposit comes from the payer, who has approved it.
    function openFor(Opening calldata opening, bytes calldata signature) external nonReentrant returns (bytes32 id) {
        if (block.timestamp > opening.validUntil) revert OpeningExpired(opening.validUntil, block.timestamp);
        if (!SignatureCheckerLib.isValidSignatureNowCalldata(opening.payer, openDigest(opening), signature)) {
            revert BadOpenSignature(opening.payer);
        }
        return _openChannel(opening.payer, opening.payee, opening.signer, opening.amount, opening.salt);
    }

    /// @notice Stops or lets go on the opening of channels. Nothing else can be stopped by anybody.
    function setPaused(bool paused_) external {
        if (msg.sender != guardian) revert NotGuardian(msg.sender, guardian);
        paused = paused_;
        emit PausedSet(paused_);
    }

    /// @notice Adds to the deposit; anyone may, and what is left goes to the payer at the end.
    function topUp(bytes32 id, uint96 amount) external nonReentrant {
        Channel storage channel = _live(id);
        if (channel.closesAt != 0) revert ChannelClosing(id, channel.closesAt);
        if (amount == 0) revert ZeroAmount();
        channel.deposit += amount;
        emit ToppedUp(id, msg.sender, amount, channel.deposit);
        ExactTransfer.pull(stable, msg.sender, amount);
    }

    // --- redeeming ---

    /// @notice Draws what a voucher adds to its line, as far as the deposit goes; anyone may send it, the payee is paid.
    /// A voucher that the deposit did not cover can be redeemed again after a top-up.
    function redeem(Redemption calldata redemption) external nonReentrant returns (uint96 paid) {
        bytes32 id = redemption.voucher.channel;
        Channel storage channel = _channels[id];
        address payee = channel.payee;
        if (payee == address(0)) revert UnknownChannel(id);
        _checkSigned(redemption, channel.signer);
        _checkCommitted(payee, redemption.keyId, redemption.voucher.epoch);
        paid = _draw(redemption.voucher, channel, payee);
        if (paid == 0) _refuse(redemption.voucher);
        _pay(payee, paid);
    }

    /// @notice Draws many vouchers of one payee, on any of its channels, and pays it once. What became void since the call
    /// was made (redeemed, exhausted, closed, overtaken) is passed over, so that nobody can spoil the rest; all else that
    /// is wrong is refused.
    function redeemMany(address payee, Redemption[] calldata redemptions)
        external
        nonReentrant
        returns (uint256 total)
    {
        if (payee == address(0)) revert ZeroAddress("payee");
        if (redemptions.length > REDEMPTIONS_MAX) revert TooManyRedemptions(redemptions.length, REDEMPTIONS_MAX);
        bytes32 coveredKeyId = 0;
        uint64 coveredEpoch = 0;
        for (uint256 i = 0; i < redemptions.length; ++i) {
            Redemption calldata redemption = redemptions[i];
            Channel storage channel = _channels[redemption.voucher.channel];
            if (channel.payee != payee) revert OtherPayee(redemption.voucher.channel, channel.payee, payee);
            _checkSigned(redemption, channel.signer);
            uint64 epoch = redemption.voucher.epoch;
            if (i == 0 || redemption.keyId != coveredKeyId || epoch != coveredEpoch) {
                _checkCommitted(payee, redemption.keyId, epoch);
                (coveredKeyId, coveredEpoch) = (redemption.keyId, epoch);
            }
            total += _draw(redemption.voucher, channel, payee);
        }
        if (total == 0) revert NothingToRedeem();
        _pay(payee, total);
    }

    // --- closing ---

    /// @notice The payer starts the delay in which the payee redeems what it holds.
    function requestClose(bytes32 id) external {
        Channel storage channel = _live(id);
        if (msg.sender != channel.payer) revert NotPayer(id, msg.sender, channel.payer);
        _requestClose(id, channel);
    }

    /// @notice The same, with the payer's signature of RequestClose(channel).
    function requestCloseFor(bytes32 id, bytes calldata payerSignature) external {
        Channel storage channel = _live(id);
        _checkParty(id, channel.payer, requestCloseDigest(id), payerSignature);
        _requestClose(id, channel);
    }

    /// @notice After the delay, returns what is left to the payer; anyone may send it.
    function close(bytes32 id) external nonReentrant {
        Channel storage channel = _live(id);
        uint64 closesAt = channel.closesAt;
        if (closesAt == 0) revert CloseNotRequested(id);
        if (block.timestamp < closesAt) revert TooEarlyToClose(id, closesAt, block.timestamp);
        _close(id, channel);
    }

    /// @notice The payer closes at once, with the payee's signature of Close(channel): it has nothing more to redeem.
    function closeNow(bytes32 id, bytes calldata payeeSignature) external nonReentrant {
        Channel storage channel = _live(id);
        if (msg.sender != channel.payer) revert NotPayer(id, msg.sender, channel.payer);
        _checkParty(id, channel.payee, closeDigest(id), payeeSignature);
        _close(id, channel);
    }

    /// @notice The same, sent by anybody, with the signatures of Close(channel) by both.
    function closeNowFor(bytes32 id, bytes calldata payerSignature, bytes calldata payeeSignature)
        external
        nonReentrant
    {
        Channel storage channel = _live(id);
        bytes32 digest = closeDigest(id);
        _checkParty(id, channel.payer, digest, payerSignature);
        _checkParty(id, channel.payee, digest, payeeSignature);
        _close(id, channel);
    }

    // --- reading ---

    /// @notice The id of the channel that these parties open under this salt.
    function idOf(address payer, address payee, address signer, bytes32 salt) public view returns (bytes32) {
        return keccak256(abi.encode(block.chainid, address(this), payer, payee, signer, salt));
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

    /// @notice EIP-712 digest that a payer signs to have a channel opened.
    function openDigest(Opening calldata opening) public view returns (bytes32) {
        return _hashTypedData(keccak256(abi.encode(OPEN_TYPEHASH, opening)));
    }

    /// @notice EIP-712 digest that the payer signs to start closing.
    function requestCloseDigest(bytes32 id) public view returns (bytes32) {
        return _hashTypedData(keccak256(abi.encode(REQUEST_CLOSE_TYPEHASH, id)));
    }

    /// @notice EIP-712 digest that a party signs to close at once.
    function closeDigest(bytes32 id) public view returns (bytes32) {
        return _hashTypedData(keccak256(abi.encode(CLOSE_TYPEHASH, id)));
    }

    // --- inside ---

    function _openChannel(address payer, address payee, address signer, uint96 amount, bytes32 salt)
        private
        returns (bytes32 id)
    {
        if (paused) revert OpeningPaused();
        if (payee == address(0)) revert ZeroAddress("payee");
        if (signer == address(0)) revert ZeroAddress("signer");
        if (amount == 0) revert ZeroAmount();
        id = idOf(payer, payee, signer, salt);
        // A closed channel stays on record, so an id never returns.
        if (_channels[id].payer != address(0)) revert AlreadyOpened(id);
        _channels[id] = Channel(payer, 0, false, payee, amount, signer, 0);
        emit Opened(id, payer, payee, signer, amount);
        ExactTransfer.pull(stable, payer, amount);
    }

    function _checkSigned(Redemption calldata redemption, address signer) private view {
        bytes32 digest = voucherDigest(redemption.voucher);
        // Why nothing was recovered does not matter: then it is zero, which no signer is.
        // slither-disable-next-line unused-return
        (address recovered,,) = ECDSA.tryRecover(digest, redemption.r, redemption.vs);
        if (recovered != signer) revert BadVoucherSignature(recovered, signer);
    }

    function _checkCommitted(address payee, bytes32 keyId, uint64 epoch) private view {
        // In redeemMany's loop it asks a contract of ours, once for each epoch and key.
        // slither-disable-next-line calls-loop
        if (!commitments.covers(payee, keyId, epoch)) revert NotCommitted(payee, keyId, epoch);
    }

    /// @dev Books what the voucher adds to its line, as far as the deposit goes; 0 where `_refuse` knows why.
    function _draw(Voucher calldata voucher, Channel storage channel, address payee) private returns (uint96 paid) {
        Line storage line = _lines[voucher.channel][voucher.model];
        (uint128 drawn, uint64 last) = (line.redeemed, line.epoch);
        uint96 redeemed = channel.redeemed;
        uint96 left = channel.deposit - redeemed;
        if (voucher.epoch < last || voucher.cumulative <= drawn || left == 0) return 0;
        uint128 due = voucher.cumulative - drawn;
        // The lesser of the two fits 96 bits, as `left` does.
        paid = due < left ? uint96(due) : left;
        (line.redeemed, line.epoch) = (drawn + paid, voucher.epoch);
        channel.redeemed = redeemed + paid;
        emit Redeemed(voucher.channel, voucher.model, payee, paid, voucher.cumulative, voucher.epoch);
    }

    /// @dev Why a voucher draws nothing.
    function _refuse(Voucher calldata voucher) private view {
        Channel storage channel = _live(voucher.channel);
        Line storage line = _lines[voucher.channel][voucher.model];
        if (voucher.epoch < line.epoch) {
            revert EpochFell(voucher.channel, voucher.model, voucher.epoch, line.epoch);
        }
        if (voucher.cumulative <= line.redeemed) {
            revert NothingDue(voucher.channel, voucher.model, voucher.cumulative, line.redeemed);
        }
        revert DepositExhausted(voucher.channel, channel.deposit);
    }

    function _requestClose(bytes32 id, Channel storage channel) private {
        if (channel.closesAt != 0) revert ChannelClosing(id, channel.closesAt);
        channel.closesAt = uint64(block.timestamp) + closeDelaySeconds;
        emit CloseRequested(id, channel.closesAt);
    }

    function _checkParty(bytes32 id, address party, bytes32 digest, bytes calldata signature) private view {
        if (!SignatureCheckerLib.isValidSignatureNowCalldata(party, digest, signature)) {
            revert BadCloseSignature(id, party);
        }
    }

    function _close(bytes32 id, Channel storage channel) private {
        uint96 refund = channel.deposit - channel.redeemed;
        channel.deposit = channel.redeemed;
        channel.closed = true;
        emit Closed(id, channel.payer, refund);
        if (refund != 0) _pay(channel.payer, refund);
    }

    /// @dev The one door by which money leaves; split, holding and slashing will stand here.
    function _pay(address to, uint256 amount) private {
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
