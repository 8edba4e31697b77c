// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {P256} from "@openzeppelin/contracts/utils/cryptography/P256.sol";
import {Commitments} from "./Commitments.sol";
import {ExactTransfer} from "./ExactTransfer.sol";
import {Inclusions, Standing} from "./Inclusions.sol";

/// @notice A P-256 key that signs claims, valid from `notBefore` to `notAfter` (seconds of chain time, both included).
/// `revokedAt` is 0 while it is not revoked; `provider` is zero for a key that nobody added.
struct Key {
    address provider;
    uint64 notBefore;
    uint64 notAfter;
    uint64 revokedAt;
    bytes32 x;
    bytes32 y;
}

/// @notice A registered provider; `exitsAt` is 0 unless it is leaving.
struct Provider {
    address provider;
    uint256 stake;
    uint64 exitsAt;
    string endpoint;
}

/// @notice What a deployment fixes for ever (in production: 21 days, 600 s, 24 h, 28 days, and a bond above what an
/// answer's gas costs).
struct Terms {
    uint64 unbondingSeconds;
    uint64 epochSeconds;
    uint64 answerSeconds;
    uint64 windowSeconds;
    uint256 bond;
}

/// @title Providers
/// @notice Who provides: stake, endpoint and receipt keys. Claims carry `domain()`, so one is good on one deployment.
/// @dev Makes Commitments and Inclusions itself: the three know each other from birth, and nobody can change that.
contract Providers is ReentrancyGuardTransient {
    /// @dev An endpoint is a URL; longer ones only cost those who list providers.
    uint256 public constant ENDPOINT_BYTES_MAX = 256;
    /// @dev Most providers that one `page` call returns.
    uint256 public constant PAGE_MAX = 100;

    IERC20 public immutable stable;
    /// @notice Seconds between asking to leave and getting the stake back (21 days in production).
    uint64 public immutable unbondingSeconds;
    Commitments public immutable commitments;
    Inclusions public immutable inclusions;

    mapping(address provider => Provider) private _providers;
    mapping(bytes32 keyId => Key) private _keys;
    /// @dev Everybody who ever registered; those who left have an empty endpoint.
    address[] private _everRegistered;
    mapping(address provider => bool) private _listed;

    event Registered(address indexed provider, string endpoint, uint256 stake);
    event StakeAdded(address indexed provider, uint256 amount, uint256 stake);
    event EndpointSet(address indexed provider, string endpoint);
    event KeyAdded(
        bytes32 indexed keyId, address indexed provider, uint64 notBefore, uint64 notAfter, bytes32 x, bytes32 y
    );
    event KeyRevoked(bytes32 indexed keyId, address indexed provider, uint64 revokedAt);
    event ExitRequested(address indexed provider, uint64 exitsAt);
    event Withdrawn(address indexed provider, uint256 stake);

    error ZeroStake();
    error EndpointLength(uint256 length, uint256 max);
    error AlreadyRegistered(address provider);
    error NotRegistered(address provider);
    error Exiting(address provider, uint64 exitsAt);
    error NotExiting(address provider);
    error StillBonded(address provider, uint64 exitsAt, uint256 time);
    error DemandsOpen(address provider, uint64 open);
    error FaultRecorded(address provider, uint64 faults);
    error EmptyValidity(uint64 notBefore, uint64 notAfter);
    error ExpiredValidity(uint64 notAfter, uint256 time);
    error KeyTaken(bytes32 keyId, address provider);
    error BadProofOfPossession(bytes32 keyId, bytes32 digest);
    error NotKeyOwner(bytes32 keyId, address caller, address provider);
    error AlreadyRevoked(bytes32 keyId, uint64 revokedAt);

    constructor(IERC20 stable_, Terms memory terms) {
        stable = stable_;
        unbondingSeconds = terms.unbondingSeconds;
        commitments = new Commitments(terms.epochSeconds);
        inclusions =
            new Inclusions(stable_, commitments, terms.answerSeconds, terms.windowSeconds, terms.bond);
    }

    /// @notice H("claim", chainId ‖ this address): the first word of every claim made under this registry.
    function domain() public view returns (bytes32) {
        return sha256(abi.encodePacked("counterfoil/claim/1", bytes1(0x00), block.chainid, address(this)));
    }

    /// @notice Enters the caller as a provider, taking `stake` of the stable coin.
    function register(string calldata endpoint, uint256 stake) external nonReentrant {
        if (_isRegistered(msg.sender)) revert AlreadyRegistered(msg.sender);
        if (stake == 0) revert ZeroStake();
        _checkEndpoint(endpoint);
        _providers[msg.sender] = Provider(msg.sender, stake, 0, endpoint);
        if (!_listed[msg.sender]) {
            _listed[msg.sender] = true;
            _everRegistered.push(msg.sender);
        }
        emit Registered(msg.sender, endpoint, stake);
        ExactTransfer.pull(stable, msg.sender, stake);
    }

    /// @notice Adds to the caller's stake.
    function addStake(uint256 amount) external nonReentrant {
        Provider storage record = _active(msg.sender);
        if (amount == 0) revert ZeroStake();
        record.stake += amount;
        emit StakeAdded(msg.sender, amount, record.stake);
        ExactTransfer.pull(stable, msg.sender, amount);
    }

    /// @notice Changes where the caller is reached; allowed while leaving, for what is still owed.
    function setEndpoint(string calldata endpoint) external {
        if (!_isRegistered(msg.sender)) revert NotRegistered(msg.sender);
        _checkEndpoint(endpoint);
        _providers[msg.sender].endpoint = endpoint;
        emit EndpointSet(msg.sender, endpoint);
    }

    /// @notice Binds a receipt key to the caller for ever. (r, s) is the key's own signature of `possessionDigest`:
    /// nobody can claim a key that another holds.
    function addKey(bytes32 x, bytes32 y, uint64 notBefore, uint64 notAfter, bytes32 r, bytes32 s)
        external
        returns (bytes32 id)
    {
        _active(msg.sender);
        if (notAfter <= notBefore) revert EmptyValidity(notBefore, notAfter);
        if (notAfter <= block.timestamp) revert ExpiredValidity(notAfter, block.timestamp);
        id = keyId(x, y);
        if (_keys[id].provider != address(0)) revert KeyTaken(id, _keys[id].provider);
        bytes32 digest = possessionDigest(msg.sender, notBefore, notAfter);
        if (!P256.verify(digest, r, s, x, y)) revert BadProofOfPossession(id, digest);
        _keys[id] = Key(msg.sender, notBefore, notAfter, 0, x, y);
        emit KeyAdded(id, msg.sender, notBefore, notAfter, x, y);
        commitments.admit(id, msg.sender);
    }

    /// @notice From now on only batches that were posted before count for this key, and no inclusion of its claims can be
    /// demanded any more; what was demanded before must still be answered.
    function revokeKey(bytes32 id) external {
        Key storage record = _keys[id];
        if (record.provider != msg.sender) revert NotKeyOwner(id, msg.sender, record.provider);
        if (record.revokedAt != 0) revert AlreadyRevoked(id, record.revokedAt);
        record.revokedAt = uint64(block.timestamp);
        emit KeyRevoked(id, msg.sender, record.revokedAt);
    }

    /// @notice Starts leaving: the stake stays bound for `unbondingSeconds`.
    function requestExit() external {
        Provider storage record = _active(msg.sender);
        record.exitsAt = uint64(block.timestamp) + unbondingSeconds;
        emit ExitRequested(msg.sender, record.exitsAt);
    }

    /// @notice Returns the stake after the delay and strikes the caller off; it may register again. Not while an inclusion
    /// is demanded of it, nor once it failed to show one.
    function withdraw() external nonReentrant {
        Provider storage record = _providers[msg.sender];
        if (!_isRegistered(msg.sender)) revert NotRegistered(msg.sender);
        if (record.exitsAt == 0) revert NotExiting(msg.sender);
        if (block.timestamp < record.exitsAt) revert StillBonded(msg.sender, record.exitsAt, block.timestamp);
        Standing memory standing = inclusions.standingOf(msg.sender);
        if (standing.open != 0) revert DemandsOpen(msg.sender, standing.open);
        if (standing.faults != 0) revert FaultRecorded(msg.sender, standing.faults);
        uint256 stake = record.stake;
        delete _providers[msg.sender];
        emit Withdrawn(msg.sender, stake);
        SafeERC20.safeTransfer(stable, msg.sender, stake);
    }

    /// @notice What a receipt key signs to prove that its holder agrees to serve `provider` over this interval.
    function possessionDigest(address provider_, uint64 notBefore, uint64 notAfter) public view returns (bytes32) {
        return sha256(
            abi.encodePacked(
                "counterfoil/key/1", bytes1(0x00), domain(), uint256(uint160(provider_)), notBefore, notAfter
            )
        );
    }

    /// @notice sha256 of the uncompressed point.
    function keyId(bytes32 x, bytes32 y) public pure returns (bytes32) {
        return sha256(abi.encodePacked(bytes1(0x04), x, y));
    }

    /// @notice A key with its public point; all zero when nobody added it.
    function key(bytes32 id) external view returns (Key memory) {
        return _keys[id];
    }

    /// @notice Whose key this is, for ever; zero when nobody added it.
    function keyOwner(bytes32 id) external view returns (address) {
        return _keys[id].provider;
    }

    /// @notice A provider; with an empty endpoint when it is not registered.
    function provider(address account) external view returns (Provider memory) {
        return _providers[account];
    }

    /// @notice How many ever registered: the range of `page`.
    function count() external view returns (uint256) {
        return _everRegistered.length;
    }

    /// @notice Up to `limit` providers in order of first registration; those who left have an empty endpoint.
    function page(uint256 from, uint256 limit) external view returns (Provider[] memory list) {
        uint256 total = _everRegistered.length;
        if (limit > PAGE_MAX) limit = PAGE_MAX;
        uint256 size = from >= total ? 0 : total - from < limit ? total - from : limit;
        list = new Provider[](size);
        for (uint256 i = 0; i < size; ++i) {
            list[i] = _providers[_everRegistered[from + i]];
        }
    }

    function _isRegistered(address account) private view returns (bool) {
        return _providers[account].provider != address(0);
    }

    function _active(address account) private view returns (Provider storage record) {
        record = _providers[account];
        if (!_isRegistered(account)) revert NotRegistered(account);
        if (record.exitsAt != 0) revert Exiting(account, record.exitsAt);
    }

    function _checkEndpoint(string calldata endpoint) private pure {
        uint256 length = bytes(endpoint).length;
        if (length == 0 || length > ENDPOINT_BYTES_MAX) revert EndpointLength(length, ENDPOINT_BYTES_MAX);
    }
}
