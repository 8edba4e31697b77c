// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title Models
/// @notice Who answers for a model id (the digest of its manifest). First come, first served: publishing an id says
/// nothing about authorship, which only a signed manifest can.
contract Models {
    /// @notice Owner of a published id; zero when nobody has published it.
    mapping(bytes32 modelId => address) public ownerOf;
    /// @notice Who may accept ownership of an id, when a transfer is under way.
    mapping(bytes32 modelId => address) public pendingOwnerOf;

    event Published(bytes32 indexed modelId, address indexed owner);
    event TransferStarted(bytes32 indexed modelId, address indexed owner, address indexed pendingOwner);
    event Transferred(bytes32 indexed modelId, address indexed from, address indexed to);

    error ZeroModelId();
    error AlreadyPublished(bytes32 modelId, address owner);
    error NotOwner(bytes32 modelId, address caller, address owner);
    error NotPendingOwner(bytes32 modelId, address caller, address pendingOwner);

    /// @notice Takes an id that nobody has published.
    function publish(bytes32 modelId) external {
        if (modelId == 0) revert ZeroModelId();
        address owner = ownerOf[modelId];
        if (owner != address(0)) revert AlreadyPublished(modelId, owner);
        ownerOf[modelId] = msg.sender;
        emit Published(modelId, msg.sender);
    }

    /// @notice Offers ownership to `to`, who must accept: a mistyped address changes nothing. Zero withdraws the offer.
    function transfer(bytes32 modelId, address to) external {
        if (ownerOf[modelId] != msg.sender) revert NotOwner(modelId, msg.sender, ownerOf[modelId]);
        pendingOwnerOf[modelId] = to;
        emit TransferStarted(modelId, msg.sender, to);
    }

    /// @notice Takes up the ownership that was offered to the caller.
    function accept(bytes32 modelId) external {
        address pending = pendingOwnerOf[modelId];
        if (pending != msg.sender) revert NotPendingOwner(modelId, msg.sender, pending);
        address from = ownerOf[modelId];
        delete pendingOwnerOf[modelId];
        ownerOf[modelId] = msg.sender;
        emit Transferred(modelId, from, msg.sender);
    }
}
