// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";

/// @notice One epoch's claims of one key: the Merkle root over sequence numbers [first, end). `postedAt` is 0 when absent.
struct Batch {
    bytes32 root;
    uint64 first;
    uint64 end;
    uint64 postedAt;
}

/// @title Commitments
/// @notice Batch roots by receipt key and epoch. Ranges join without a gap, so every sequence number has one place.
/// @dev Made by Providers, which says whose each key is when the key is added: posting asks nobody.
contract Commitments {
    /// @dev An inclusion proof has at most 32 steps (spec/merkle.md).
    uint256 public constant LEAVES_MAX = 2 ** 32;
    /// @dev Most keys that one `keysOf` call returns.
    uint256 public constant PAGE_MAX = 256;

    /// @notice The Providers contract that made this one.
    address public immutable registry;
    /// @notice Length of an epoch in seconds of chain time (600 in production).
    uint64 public immutable epochSeconds;

    /// @dev One slot: whose key, its last epoch, and where its next batch starts. 2^56 claims are 2 million a second for
    /// a thousand years.
    struct Head {
        address provider;
        uint40 epoch;
        uint56 end;
    }

    /// @dev By provider as well: whether a batch is a provider's own is then answered by the batch's slot alone.
    mapping(address provider => mapping(bytes32 keyId => mapping(uint64 epoch => Batch))) private _batches;
    mapping(bytes32 keyId => Head) private _heads;
    mapping(address provider => bytes32[]) private _keys;

    event Posted(
        bytes32 indexed keyId, address indexed provider, uint64 indexed epoch, bytes32 root, uint64 first, uint64 end
    );

    error ZeroEpochSeconds();
    error NotRegistry(address caller, address registry);
    error ZeroRoot(bytes32 keyId, uint64 epoch);
    error NotKeyOwner(bytes32 keyId, address caller, address provider);
    error EpochStillOpen(uint64 epoch, uint256 current);
    error EpochNotAfterLast(bytes32 keyId, uint64 epoch, uint64 last);
    error SequenceGap(bytes32 keyId, uint64 first, uint64 expected);
    error EmptyRange(bytes32 keyId, uint64 first, uint64 end);
    error TooManyLeaves(bytes32 keyId, uint64 first, uint64 end, uint256 max);

    constructor(uint64 epochSeconds_) {
        if (epochSeconds_ == 0) revert ZeroEpochSeconds();
        registry = msg.sender;
        epochSeconds = epochSeconds_;
    }

    /// @notice Only Providers: from now on, and for ever, `provider` posts for this key.
    function admit(bytes32 keyId, address provider) external {
        if (msg.sender != registry) revert NotRegistry(msg.sender, registry);
        _heads[keyId] = Head(provider, 0, 0);
        _keys[provider].push(keyId);
    }

    /// @notice Posts one key's root for a closed epoch. A revoked key may still post: readers compare `postedAt` with
    /// the revocation, and money earned before it is redeemed against the post.
    function post(bytes32 keyId, uint64 epoch, bytes32 root, uint64 first, uint64 end) external {
        Head memory last = _heads[keyId];
        if (last.provider != msg.sender) revert NotKeyOwner(keyId, msg.sender, last.provider);
        if (root == 0) revert ZeroRoot(keyId, epoch);
        uint256 current = block.timestamp / epochSeconds;
        if (current <= epoch) revert EpochStillOpen(epoch, current);
        // A range is never empty, so end 0 means that nothing was posted yet and epoch 0 is still free.
        if (last.end != 0 && epoch <= last.epoch) revert EpochNotAfterLast(keyId, epoch, last.epoch);
        if (first != last.end) revert SequenceGap(keyId, first, last.end);
        if (end <= first) revert EmptyRange(keyId, first, end);
        if (end - first > LEAVES_MAX) revert TooManyLeaves(keyId, first, end, LEAVES_MAX);
        _batches[msg.sender][keyId][epoch] = Batch(root, first, end, uint64(block.timestamp));
        _heads[keyId] = Head(msg.sender, SafeCast.toUint40(epoch), SafeCast.toUint56(end));
        emit Posted(keyId, msg.sender, epoch, root, first, end);
    }

    /// @notice Whether this key is the provider's and has a root for the epoch.
    function covers(address provider, bytes32 keyId, uint64 epoch) external view returns (bool) {
        return _batches[provider][keyId][epoch].end != 0;
    }

    /// @notice The batch of a key and epoch; all zero when none was posted.
    function batch(bytes32 keyId, uint64 epoch) external view returns (Batch memory) {
        return _batches[_heads[keyId].provider][keyId][epoch];
    }

    /// @notice The key's last epoch and the sequence number that its next batch starts at.
    function head(bytes32 keyId) external view returns (uint64 epoch, uint64 end) {
        return (_heads[keyId].epoch, _heads[keyId].end);
    }

    /// @notice The provider's newest key with a root for the epoch; zero when none has one. To be asked from outside: it
    /// walks all its keys.
    function keyOf(address provider, uint64 epoch) external view returns (bytes32 keyId) {
        bytes32[] storage keys = _keys[provider];
        for (uint256 i = keys.length; i != 0; --i) {
            if (_batches[provider][keys[i - 1]][epoch].end != 0) return keys[i - 1];
        }
    }

    /// @notice Up to `limit` of a provider's keys, revoked ones too, in the order in which they were added.
    function keysOf(address provider, uint256 from, uint256 limit) external view returns (bytes32[] memory list) {
        bytes32[] storage keys = _keys[provider];
        uint256 total = keys.length;
        if (limit > PAGE_MAX) limit = PAGE_MAX;
        uint256 size = from >= total ? 0 : total - from < limit ? total - from : limit;
        list = new bytes32[](size);
        for (uint256 i = 0; i < size; ++i) {
            list[i] = keys[from + i];
        }
    }
}
