// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {BitMaps} from "@openzeppelin/contracts/utils/structs/BitMaps.sol";
import {Providers} from "./Providers.sol";

/// @notice One epoch's claims of one key: the Merkle root over sequence numbers [first, end). `postedAt` is 0 when absent.
struct Batch {
    bytes32 root;
    uint64 first;
    uint64 end;
    uint64 postedAt;
}

/// @title Commitments
/// @notice Batch roots by receipt key and epoch. Ranges join without a gap, so every sequence number has one place.
contract Commitments {
    using BitMaps for BitMaps.BitMap;

    Providers public immutable providers;
    /// @notice Length of an epoch in seconds of chain time (600 in production).
    uint64 public immutable epochSeconds;

    struct Head {
        uint64 epoch;
        uint64 end;
    }

    mapping(bytes32 keyId => mapping(uint64 epoch => Batch)) private _batches;
    mapping(bytes32 keyId => Head) private _heads;
    mapping(address provider => BitMaps.BitMap) private _posted;

    event Posted(
        bytes32 indexed keyId, address indexed provider, uint64 indexed epoch, bytes32 root, uint64 first, uint64 end
    );

    error ZeroEpochSeconds();
    error ZeroRoot(bytes32 keyId, uint64 epoch);
    error NotKeyOwner(bytes32 keyId, address caller, address provider);
    error EpochStillOpen(uint64 epoch, uint256 current);
    error EpochNotAfterLast(bytes32 keyId, uint64 epoch, uint64 last);
    error SequenceGap(bytes32 keyId, uint64 first, uint64 expected);
    error EmptyRange(bytes32 keyId, uint64 first, uint64 end);

    constructor(Providers providers_, uint64 epochSeconds_) {
        if (epochSeconds_ == 0) revert ZeroEpochSeconds();
        providers = providers_;
        epochSeconds = epochSeconds_;
    }

    /// @notice Posts one key's root for a closed epoch. A revoked key may still post: readers compare `postedAt` with
    /// the revocation, and money earned before it is redeemed against the post.
    function post(bytes32 keyId, uint64 epoch, bytes32 root, uint64 first, uint64 end) external {
        address provider = providers.keyOwner(keyId);
        if (provider != msg.sender) revert NotKeyOwner(keyId, msg.sender, provider);
        if (root == 0) revert ZeroRoot(keyId, epoch);
        uint256 current = block.timestamp / epochSeconds;
        if (current <= epoch) revert EpochStillOpen(epoch, current);
        Head memory last = _heads[keyId];
        // A range is never empty, so end 0 means that nothing was posted yet and epoch 0 is still free.
        if (last.end != 0 && epoch <= last.epoch) revert EpochNotAfterLast(keyId, epoch, last.epoch);
        if (first != last.end) revert SequenceGap(keyId, first, last.end);
        if (end <= first) revert EmptyRange(keyId, first, end);
        _batches[keyId][epoch] = Batch(root, first, end, uint64(block.timestamp));
        _heads[keyId] = Head(epoch, end);
        _posted[provider].set(epoch);
        emit Posted(keyId, provider, epoch, root, first, end);
    }

    /// @notice The batch of a key and epoch; all zero when none was posted.
    function batch(bytes32 keyId, uint64 epoch) external view returns (Batch memory) {
        return _batches[keyId][epoch];
    }

    /// @notice The key's last epoch and the sequence number that its next batch starts at.
    function head(bytes32 keyId) external view returns (uint64 epoch, uint64 end) {
        return (_heads[keyId].epoch, _heads[keyId].end);
    }

    /// @notice Whether any key of this provider has a root for the epoch.
    function posted(address provider, uint64 epoch) external view returns (bool) {
        return _posted[provider].get(epoch);
    }
}
