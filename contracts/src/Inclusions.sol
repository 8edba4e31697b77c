// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {Claim, Claims} from "./Claims.sol";
import {Batch, Commitments} from "./Commitments.sol";
import {ExactTransfer} from "./ExactTransfer.sol";
import {Merkle} from "./Merkle.sol";
import {Key, Providers} from "./Providers.sol";

/// @notice Where a demand stands; `None` when nobody demanded the claim.
enum State {
    None,
    Open,
    Answered,
    Failed
}

/// @notice A demand to show one claim in its batch until `answerBy` (seconds, included).
struct Demand {
    address by;
    uint64 answerBy;
    State state;
}

/// @notice How many demands a provider must still answer, and how many it never answered.
struct Standing {
    uint64 open;
    uint64 faults;
}

/// @title Inclusions
/// @notice Whoever holds a signed claim can demand, with a bond, that its batch shows it. An answer earns the provider the
/// bond; no answer is a fault, which keeps the stake where it is.
contract Inclusions is ReentrancyGuardTransient {
    Providers public immutable providers;
    Commitments public immutable commitments;
    IERC20 public immutable stable;
    /// @notice Seconds to answer (24 h in production).
    uint64 public immutable answerSeconds;
    /// @notice How long after its root was due a claim can be demanded: shorter than the leaves are kept, by the answer.
    uint64 public immutable windowSeconds;
    /// @notice Micro-units put down with a demand: they pay the answer of a provider who did nothing wrong.
    uint256 public immutable bond;

    mapping(bytes32 claimId => Demand) private _demands;
    mapping(address provider => Standing) private _standings;
    /// @notice Bonds that were won or came back and wait to be collected.
    mapping(address who => uint256) public owed;

    event Demanded(
        bytes32 indexed claimId,
        address indexed provider,
        address indexed by,
        bytes32 keyId,
        uint64 sequence,
        uint64 epoch,
        uint64 answerBy
    );
    event Answered(bytes32 indexed claimId, address indexed provider);
    event Failed(bytes32 indexed claimId, address indexed provider, bytes32 keyId, uint64 sequence, uint64 epoch);
    event Collected(address indexed who, uint256 amount);

    error WrongDomain(bytes32 domain, bytes32 expected);
    error NotKeyOwner(bytes32 keyId, address claimed, address provider);
    error KeyRevoked(bytes32 keyId, uint64 revokedAt);
    error KeyNotValid(bytes32 keyId, uint64 epoch);
    error BadClaimSignature(bytes32 claimId, bytes32 keyId);
    error RootNotDue(uint64 epoch, uint256 dueAt, uint256 time);
    error DemandTooLate(bytes32 claimId, uint256 last, uint256 time);
    error AlreadyDemanded(bytes32 claimId, State state);
    error NotDemanded(bytes32 claimId, State state);
    error AnswerTooLate(bytes32 claimId, uint64 answerBy, uint256 time);
    error StillAnswerable(bytes32 claimId, uint64 answerBy, uint256 time);
    error OutsideBatch(bytes32 keyId, uint64 epoch, uint64 sequence, uint64 first, uint64 end);
    error NotIncluded(bytes32 claimId, bytes32 root);
    error NothingOwed(address who);

    constructor(
        IERC20 stable_,
        Commitments commitments_,
        uint64 answerSeconds_,
        uint64 windowSeconds_,
        uint256 bond_
    ) {
        providers = Providers(msg.sender);
        stable = stable_;
        commitments = commitments_;
        answerSeconds = answerSeconds_;
        windowSeconds = windowSeconds_;
        bond = bond_;
    }

    /// @notice Demands that the batch of a signed claim shows it, once its root is due. A claim of a revoked key cannot be
    /// demanded: who stole a key could sign one for any epoch. Demands made before the revocation stand.
    function demand(bytes calldata data, bytes32 r, bytes32 s) external nonReentrant returns (bytes32 claimId) {
        Claim memory claim;
        (claimId, claim) = _read(data);
        _checkSigned(claimId, claim, r, s);
        uint256 dueAt = (uint256(claim.epoch) + 2) * commitments.epochSeconds();
        if (block.timestamp < dueAt) revert RootNotDue(claim.epoch, dueAt, block.timestamp);
        if (block.timestamp > dueAt + windowSeconds) {
            revert DemandTooLate(claimId, dueAt + windowSeconds, block.timestamp);
        }
        State state = _demands[claimId].state;
        if (state != State.None) revert AlreadyDemanded(claimId, state);
        uint64 answerBy = uint64(block.timestamp) + answerSeconds;
        _demands[claimId] = Demand(msg.sender, answerBy, State.Open);
        _standings[claim.provider].open += 1;
        emit Demanded(
            claimId, claim.provider, msg.sender, claim.keyId, claim.sequence, claim.epoch, answerBy
        );
        ExactTransfer.pull(stable, msg.sender, bond);
    }

    /// @notice Shows the claim at its number in the batch of its epoch, which may have been posted meanwhile; anyone may,
    /// the provider gets the bond.
    function answer(bytes calldata data, bytes32[] calldata path) external {
        (bytes32 claimId, Claim memory claim) = _read(data);
        Demand storage open = _open(claimId);
        if (block.timestamp > open.answerBy) revert AnswerTooLate(claimId, open.answerBy, block.timestamp);
        Batch memory batch = commitments.batch(claim.keyId, claim.epoch);
        if (claim.sequence < batch.first || claim.sequence >= batch.end) {
            revert OutsideBatch(claim.keyId, claim.epoch, claim.sequence, batch.first, batch.end);
        }
        bytes32 leaf = Merkle.leaf(abi.encodePacked(claimId));
        if (!Merkle.verify(batch.root, claim.sequence - batch.first, batch.end - batch.first, leaf, path)) {
            revert NotIncluded(claimId, batch.root);
        }
        open.state = State.Answered;
        _standings[claim.provider].open -= 1;
        owed[claim.provider] += bond;
        emit Answered(claimId, claim.provider);
    }

    /// @notice After the time to answer: records the fault and gives the bond back; anyone may.
    function fail(bytes calldata data) external {
        (bytes32 claimId, Claim memory claim) = _read(data);
        Demand storage open = _open(claimId);
        if (block.timestamp <= open.answerBy) revert StillAnswerable(claimId, open.answerBy, block.timestamp);
        open.state = State.Failed;
        Standing storage standing = _standings[claim.provider];
        standing.open -= 1;
        standing.faults += 1;
        owed[open.by] += bond;
        emit Failed(claimId, claim.provider, claim.keyId, claim.sequence, claim.epoch);
    }

    /// @notice Pays the caller the bonds it is owed. Nobody's answer or fault waits for a coin that refuses somebody.
    function collect() external nonReentrant returns (uint256 amount) {
        amount = owed[msg.sender];
        if (amount == 0) revert NothingOwed(msg.sender);
        owed[msg.sender] = 0;
        emit Collected(msg.sender, amount);
        SafeERC20.safeTransfer(stable, msg.sender, amount);
    }

    /// @notice The demand for a claim.
    function demandOf(bytes32 claimId) external view returns (Demand memory) {
        return _demands[claimId];
    }

    /// @notice What stands against a provider; with anything open or failed its stake stays.
    function standingOf(address provider) external view returns (Standing memory) {
        return _standings[provider];
    }

    function _read(bytes calldata data) private pure returns (bytes32 claimId, Claim memory claim) {
        bytes memory copy = data;
        return (Claims.hash(copy), Claims.decode(copy));
    }

    function _open(bytes32 claimId) private view returns (Demand storage open) {
        open = _demands[claimId];
        if (open.state != State.Open) revert NotDemanded(claimId, open.state);
    }

    /// @dev The key is the claimed provider's, was valid in some part of the epoch, is not revoked, and signed these bytes.
    function _checkSigned(bytes32 claimId, Claim memory claim, bytes32 r, bytes32 s) private view {
        bytes32 domain = providers.domain();
        if (claim.domain != domain) revert WrongDomain(claim.domain, domain);
        Key memory key = providers.key(claim.keyId);
        if (key.provider == address(0) || key.provider != claim.provider) {
            revert NotKeyOwner(claim.keyId, claim.provider, key.provider);
        }
        if (key.revokedAt != 0) revert KeyRevoked(claim.keyId, key.revokedAt);
        uint256 start = uint256(claim.epoch) * commitments.epochSeconds();
        if (start > key.notAfter || start + commitments.epochSeconds() <= key.notBefore) {
            revert KeyNotValid(claim.keyId, claim.epoch);
        }
        if (!Claims.isSignedBy(claimId, r, s, key.x, key.y)) revert BadClaimSignature(claimId, claim.keyId);
    }
}
