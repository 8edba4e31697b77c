// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Audits} from "../src/Audits.sol";
import {Redemption, Voucher} from "../src/Channels.sol";
import {Merkle} from "../src/Merkle.sol";
import {Base} from "./Base.sol";
import {ClaimsHarness} from "./ClaimsHarness.sol";

/// @notice Gas of whole transactions, for scripts/gas.mjs, which runs this with --isolate: each call is then a transaction
/// of its own, with the base fee and its calldata counted.
contract GasTest is Base {
    event log_named_uint(string key, uint256 val);

    bytes32 private constant MODEL = keccak256("model");

    bytes32 private keyId;
    uint64 private epoch;

    /// Nobody's first: payer, payee and contracts hold coins, and the payer has approved more than it deposits.
    function settle() private {
        fund(PAYER, address(channels), 10_000e6);
        stable.mint(PROVIDER, 1);
        vm.prank(PAYER);
        channels.open(STRANGER, SIGNER, 1e6, "another's");
        epoch = currentEpoch();
        vm.warp(START + 3 * EPOCH);
    }

    function test_gas() public {
        fund(PROVIDER, address(providers), 3 * STAKE);
        vm.prank(PROVIDER);
        providers.register("https://provider.example", STAKE);
        measured("Providers.register");
        vm.prank(PROVIDER);
        providers.addStake(STAKE);
        measured("Providers.addStake");
        keyId = addKey(PROVIDER, RECEIPT_KEY);
        measured("Providers.addKey (P256VERIFY)");
        vm.prank(PROVIDER);
        models.publish(MODEL);
        measured("Models.publish");

        settle();
        bytes32 id = openAndMeasure();
        postAndMeasure();
        commitAndMeasure();

        redeemAndMeasure(Voucher(id, MODEL, 1e6, epoch), "Channels.redeem, a line's first");
        redeemAndMeasure(Voucher(id, MODEL, 3e6, epoch + 1), "Channels.redeem");
        vm.prank(PAYER);
        channels.topUp(id, 500);
        measured("Channels.topUp");
        vm.prank(PAYER);
        channels.requestClose(id);
        measured("Channels.requestClose");
        vm.warp(START + 2 days);
        channels.close(id);
        measured("Channels.close");
        closeNowAndMeasure();
    }

    function test_gasOfManyRedemptions() public {
        register(PROVIDER);
        keyId = addKey(PROVIDER, RECEIPT_KEY);
        settle();
        vm.startPrank(PROVIDER);
        commitments.post(keyId, epoch, keccak256("root"), 0, 1000);
        commitments.post(keyId, epoch + 1, keccak256("root"), 1000, 2000);
        vm.stopPrank();
        bytes32[] memory one = new bytes32[](1);
        bytes32[] memory twenty = new bytes32[](20);
        for (uint256 i = 0; i < 20; ++i) {
            vm.prank(PAYER);
            twenty[i] = channels.open(PROVIDER, SIGNER, 50e6, bytes32(i + 1));
        }
        one[0] = twenty[0];
        manyAndMeasure(one, 1e6, epoch, "20 lines of one channel, each line's first");
        manyAndMeasure(one, 2e6, epoch + 1, "20 lines of one channel");
        manyAndMeasure(twenty, 4e6, epoch, "20 channels, each line's first");
        manyAndMeasure(twenty, 5e6, epoch + 1, "20 channels");
    }

    function test_gasOfChecks() public {
        ClaimsHarness harness = new ClaimsHarness();
        bytes memory claim = new bytes(512);
        harness.decode(claim);
        measured("Claims.decode");
        bytes32 claimId = harness.hash(claim);
        measured("Claims.hash");
        (bytes32 x, bytes32 y) = point(RECEIPT_KEY);
        (bytes32 r, bytes32 s) = signLow(RECEIPT_KEY, claimId);
        harness.isSignedBy(claimId, r, s, x, y);
        measured("Claims.isSignedBy (P256VERIFY)");
        vm.mockCall(address(0x100), "", "");
        harness.isSignedBy(claimId, r, s, x, y);
        measured("Claims.isSignedBy (in Solidity)");
        harness.verify(0, 40_000, 65_536, claimId, new bytes32[](16));
        measured("Merkle.verify, one of 65,536");
    }

    /// From a batch of 65,536 claims: 16 digests of proof.
    function test_gasOfInclusion() public {
        register(PROVIDER);
        keyId = addKey(PROVIDER, RECEIPT_KEY);
        settle();
        (bytes memory data, bytes32[] memory path, bytes32 root) = claimInBatch(40_000);
        vm.prank(PROVIDER);
        commitments.post(keyId, epoch, root, 0, 65_536);
        (bytes memory omitted,,) = claimInBatch(40_001);
        fund(STRANGER, address(inclusions), 10 * BOND);
        demandAndMeasure(omitted, "");
        demandAndMeasure(data, "Inclusions.demand");
        inclusions.answer(data, path);
        measured("Inclusions.answer, one of 65,536");
        vm.warp(block.timestamp + ANSWER + 1);
        inclusions.fail(omitted);
        measured("Inclusions.fail");
        vm.prank(PROVIDER);
        inclusions.collect();
        measured("Inclusions.collect");
        vm.prank(PROVIDER);
        providers.revokeKey(keyId);
        measured("Providers.revokeKey");
    }

    function openAndMeasure() private returns (bytes32 id) {
        vm.prank(PAYER);
        id = channels.open(PROVIDER, SIGNER, 10e6, keccak256("salt"));
        measured("Channels.open");
    }

    function postAndMeasure() private {
        vm.prank(PROVIDER);
        commitments.post(keyId, epoch, keccak256("root"), 0, 1000);
        measured("Commitments.post, a key's first");
        vm.prank(PROVIDER);
        commitments.post(keyId, epoch + 1, keccak256("root"), 1000, 2000);
        measured("Commitments.post");
    }

    function redeemAndMeasure(Voucher memory voucher, string memory what) private {
        Redemption memory redemption = signed(voucher, keyId);
        channels.redeem(redemption);
        measured(what);
    }

    /// Twenty vouchers: one line on each channel, or all on one.
    function manyAndMeasure(bytes32[] memory ids, uint128 cumulative, uint64 of_, string memory what) private {
        Redemption[] memory list = new Redemption[](20);
        for (uint256 i = 0; i < 20; ++i) {
            bytes32 model = ids.length == 1 ? keccak256(abi.encode("model", i)) : MODEL;
            list[i] = signed(Voucher(ids[i % ids.length], model, cumulative, of_), keyId);
        }
        channels.redeemMany(PROVIDER, list);
        measured(string.concat("Channels.redeemMany, ", what));
        emit log_named_uint(
            string.concat("Channels.redeemMany, ", what, ": each"), vm.lastCallGas().gasTotalUsed / 20
        );
    }

    function commitAndMeasure() private {
        Audits audits = new Audits(EPOCH);
        audits.commit(currentEpoch(), keccak256("plan"), 64);
        vm.warp(block.timestamp + EPOCH);
        audits.commit(currentEpoch(), keccak256("plan"), 64);
        measured("Audits.commit");
        vm.warp(block.timestamp - EPOCH);
    }

    function closeNowAndMeasure() private {
        vm.prank(PAYER);
        bytes32 id = channels.open(PROVIDER, SIGNER, 10e6, keccak256("second"));
        bytes memory consent = sign(PROVIDER_KEY, channels.closeDigest(id));
        vm.prank(PAYER);
        channels.closeNow(id, consent);
        measured("Channels.closeNow");
    }

    function demandAndMeasure(bytes memory data, string memory what) private {
        (bytes32 r, bytes32 s) = signLow(RECEIPT_KEY, sha256(data));
        vm.prank(STRANGER);
        inclusions.demand(data, r, s);
        if (bytes(what).length != 0) measured(what);
    }

    /// A claim with words as full as real ones, its path of 16 digests, and the root that they give.
    function claimInBatch(uint64 sequence)
        private
        view
        returns (bytes memory data, bytes32[] memory path, bytes32 root)
    {
        data = claimOf(PROVIDER, keyId, sequence, epoch);
        path = new bytes32[](16);
        root = Merkle.leaf(abi.encodePacked(sha256(data)));
        for (uint256 i = 0; i < 16; ++i) {
            path[i] = keccak256(abi.encode("sibling", i));
            root = (sequence >> i) % 2 == 1 ? Merkle.node(path[i], root) : Merkle.node(root, path[i]);
        }
    }

    function measured(string memory what) private {
        emit log_named_uint(what, vm.lastCallGas().gasTotalUsed);
    }
}
