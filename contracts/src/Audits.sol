// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @notice What an auditor bound itself to: `count` audits under a Merkle root, made in block `blockNumber` at second
/// `time`. The first beacon after that block is final decides which of them are used.
struct Commitment {
    address auditor;
    uint64 epoch;
    uint32 count;
    uint64 blockNumber;
    uint64 time;
    bytes32 root;
}

/// @title Audits
/// @notice Commitments to audits, numbered over all auditors. Anybody may commit; readers choose whom they trust.
contract Audits {
    /// @dev Every audit that is not opened counts for the provider: more than so many could not be opened in an epoch.
    uint32 public constant COUNT_MAX = 4096;
    /// @dev Most commitments that one `page` call returns.
    uint256 public constant PAGE_MAX = 256;

    /// @notice Length of an epoch in seconds of chain time, as in Commitments.
    uint64 public immutable epochSeconds;

    Commitment[] private _commitments;
    /// @dev Number + 1 of an auditor's commitment of an epoch; 0 when there is none.
    mapping(address auditor => mapping(uint64 epoch => uint256)) private _places;

    event Committed(
        uint256 indexed number, address indexed auditor, uint64 indexed epoch, bytes32 root, uint32 count
    );

    error ZeroEpochSeconds();
    error ZeroRoot();
    error CountOutOfRange(uint32 count, uint32 max);
    error NotCurrentEpoch(uint64 epoch, uint256 current);
    error AlreadyCommitted(address auditor, uint64 epoch, uint256 number);
    error UnknownCommitment(uint256 number, uint256 length);

    constructor(uint64 epochSeconds_) {
        if (epochSeconds_ == 0) revert ZeroEpochSeconds();
        epochSeconds = epochSeconds_;
    }

    /// @notice Binds the caller to `count` audits, once per epoch and for ever: a plan can be neither changed nor made
    /// twice, so nobody commits to many and shows the one that pleases it.
    function commit(uint64 epoch, bytes32 root, uint32 count) external returns (uint256 number) {
        if (root == 0) revert ZeroRoot();
        if (count == 0 || count > COUNT_MAX) revert CountOutOfRange(count, COUNT_MAX);
        uint256 current = block.timestamp / epochSeconds;
        if (epoch != current) revert NotCurrentEpoch(epoch, current);
        uint256 place = _places[msg.sender][epoch];
        if (place != 0) revert AlreadyCommitted(msg.sender, epoch, place - 1);
        number = _commitments.length;
        _commitments.push(
            Commitment(msg.sender, epoch, count, uint64(block.number), uint64(block.timestamp), root)
        );
        _places[msg.sender][epoch] = number + 1;
        emit Committed(number, msg.sender, epoch, root, count);
    }

    /// @notice The commitment of this number.
    function commitment(uint256 number) external view returns (Commitment memory) {
        if (number >= _commitments.length) revert UnknownCommitment(number, _commitments.length);
        return _commitments[number];
    }

    /// @notice Number of an auditor's commitment of an epoch; `found` is false when there is none.
    function numberOf(address auditor, uint64 epoch) external view returns (bool found, uint256 number) {
        uint256 place = _places[auditor][epoch];
        return place == 0 ? (false, 0) : (true, place - 1);
    }

    /// @notice How many commitments there are: the range of `page`.
    function length() external view returns (uint256) {
        return _commitments.length;
    }

    /// @notice Up to `limit` commitments in order of their numbers.
    function page(uint256 from, uint256 limit) external view returns (Commitment[] memory list) {
        uint256 total = _commitments.length;
        if (limit > PAGE_MAX) limit = PAGE_MAX;
        uint256 size = from >= total ? 0 : total - from < limit ? total - from : limit;
        list = new Commitment[](size);
        for (uint256 i = 0; i < size; ++i) {
            list[i] = _commitments[from + i];
        }
    }
}
