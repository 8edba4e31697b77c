// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {P256} from "@openzeppelin/contracts/utils/cryptography/P256.sol";
import {Channels, Redemption, Voucher} from "../src/Channels.sol";
import {Commitments} from "../src/Commitments.sol";
import {Inclusions} from "../src/Inclusions.sol";
import {Models} from "../src/Models.sol";
import {Providers, Terms} from "../src/Providers.sol";
import {TestStable} from "../src/TestStable.sol";
import {Vm} from "./Vm.sol";

/// @notice A deployment with a provider, its receipt key and a payer, for tests to act in.
abstract contract Base {
    Vm internal constant vm = Vm(address(uint160(uint256(keccak256("hevm cheat code")))));

    uint64 internal constant UNBONDING = 21 days;
    uint64 internal constant EPOCH = 600;
    uint64 internal constant CLOSE_DELAY = 1 days;
    uint64 internal constant ANSWER = 1 days;
    uint64 internal constant WINDOW = 28 days;
    uint256 internal constant BOND = 1e6;
    uint256 internal constant START = 1_800_000_000;
    uint256 internal constant STAKE = 1_000e6;

    uint256 internal constant PROVIDER_KEY = 0xa11ce;
    uint256 internal constant PAYER_KEY = 0xb0b;
    uint256 internal constant SIGNER_KEY = 0x51;
    uint256 internal constant RECEIPT_KEY = 0xc0ffee;

    address internal immutable PROVIDER = vm.addr(PROVIDER_KEY);
    address internal immutable PAYER = vm.addr(PAYER_KEY);
    address internal immutable SIGNER = vm.addr(SIGNER_KEY);
    address internal constant STRANGER = address(0x57a);
    address internal constant GUARDIAN = address(0x6a6d);

    TestStable internal stable;
    Providers internal providers;
    Models internal models;
    Commitments internal commitments;
    Inclusions internal inclusions;
    Channels internal channels;
    uint256 private _salt;

    function setUp() public virtual {
        vm.warp(START);
        stable = new TestStable();
        providers = new Providers(stable, terms());
        models = new Models();
        commitments = providers.commitments();
        inclusions = providers.inclusions();
        channels = new Channels(stable, commitments, CLOSE_DELAY, GUARDIAN);
    }

    function terms() internal pure returns (Terms memory) {
        return Terms(UNBONDING, EPOCH, ANSWER, WINDOW, BOND);
    }

    function fund(address who, address spender, uint256 amount) internal {
        stable.mint(who, amount);
        vm.prank(who);
        stable.approve(spender, amount);
    }

    function register(address who) internal {
        fund(who, address(providers), STAKE);
        vm.prank(who);
        providers.register("https://provider.example", STAKE);
    }

    /// @dev The key's signature of its possession digest, with low s.
    function proof(uint256 receiptKey, address provider, uint64 notBefore, uint64 notAfter)
        internal
        view
        returns (bytes32 r, bytes32 s)
    {
        return signLow(receiptKey, providers.possessionDigest(provider, notBefore, notAfter));
    }

    function signLow(uint256 receiptKey, bytes32 digest) internal pure returns (bytes32 r, bytes32 s) {
        (r, s) = vm.signP256(receiptKey, digest);
        if (uint256(s) > P256.N / 2) s = bytes32(P256.N - uint256(s));
    }

    function point(uint256 receiptKey) internal view returns (bytes32 x, bytes32 y) {
        (uint256 px, uint256 py) = vm.publicKeyP256(receiptKey);
        return (bytes32(px), bytes32(py));
    }

    function addKey(address provider, uint256 receiptKey) internal returns (bytes32) {
        uint64 notBefore = uint64(block.timestamp);
        uint64 notAfter = notBefore + 365 days;
        (bytes32 x, bytes32 y) = point(receiptKey);
        (bytes32 r, bytes32 s) = proof(receiptKey, provider, notBefore, notAfter);
        vm.prank(provider);
        return providers.addKey(x, y, notBefore, notAfter, r, s);
    }

    function open(uint96 amount) internal returns (bytes32) {
        return open(PROVIDER, amount);
    }

    function open(address payee, uint96 amount) internal returns (bytes32) {
        fund(PAYER, address(channels), amount);
        vm.prank(PAYER);
        return channels.open(payee, SIGNER, amount, bytes32(_salt++));
    }

    function sign(uint256 key, bytes32 digest) internal pure returns (bytes memory) {
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(key, digest);
        return abi.encodePacked(r, s, v);
    }

    /// @dev The voucher as the contract takes it, signed by the channel's signer, with the key whose root covers it.
    function signed(Voucher memory voucher, bytes32 keyId) internal view returns (Redemption memory) {
        return signedBy(SIGNER_KEY, channels, voucher, keyId);
    }

    function signedBy(uint256 key, Channels deployed, Voucher memory voucher, bytes32 keyId)
        internal
        view
        returns (Redemption memory)
    {
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(key, deployed.voucherDigest(voucher));
        return Redemption(voucher, keyId, r, v == 28 ? s | bytes32(uint256(1) << 255) : s);
    }

    function currentEpoch() internal view returns (uint64) {
        return uint64(block.timestamp / EPOCH);
    }

    /// @dev 512 bytes that decode: everything that a test does not name is a digest or a plausible number.
    function claimOf(address provider, bytes32 keyId, uint64 sequence, uint64 epoch)
        internal
        view
        returns (bytes memory)
    {
        bytes32[8] memory digests;
        for (uint256 i = 0; i < 8; ++i) {
            digests[i] = keccak256(abi.encode("digest", sequence, i));
        }
        uint64 ms = uint64(epoch * EPOCH * 1000);
        return bytes.concat(
            abi.encode(providers.domain(), provider, keyId),
            abi.encodePacked(uint128(0), sequence, epoch, digests[0], digests[1], digests[2], digests[3]),
            abi.encodePacked(digests[4], digests[5], uint64(900), uint64(0), uint64(300), uint64(1), digests[6]),
            abi.encodePacked(uint128(0), uint128(1200), ms, ms + 200, ms + 4000, uint64(0)),
            abi.encode(bytes32(0), digests[7])
        );
    }
}
