// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Audits} from "../src/Audits.sol";
import {Voucher} from "../src/Channels.sol";
import {Base} from "./Base.sol";
import {ClaimsHarness} from "./ClaimsHarness.sol";

/// @notice Gas of whole transactions, for scripts/gas.mjs, which runs this with --isolate: each call is then a transaction
/// of its own, with the base fee and its calldata counted.
contract GasTest is Base {
    event log_named_uint(string key, uint256 val);

    bytes32 private constant MODEL = keccak256("model");

    function test_gas() public {
        fund(PROVIDER, address(providers), 2 * STAKE);
        vm.prank(PROVIDER);
        providers.register("https://provider.example", STAKE);
        measured("Providers.register");
        vm.prank(PROVIDER);
        providers.addStake(STAKE);
        measured("Providers.addStake");
        bytes32 keyId = addKey(PROVIDER, RECEIPT_KEY);
        measured("Providers.addKey (P256VERIFY)");
        vm.prank(PROVIDER);
        models.publish(MODEL);
        measured("Models.publish");

        bytes32 id = openAndMeasure();
        uint64 epoch = currentEpoch();
        vm.warp(START + 3 * EPOCH);
        vm.prank(PROVIDER);
        commitments.post(keyId, epoch, keccak256("root"), 0, 10);
        measured("Commitments.post, a key's first");
        vm.prank(PROVIDER);
        commitments.post(keyId, epoch + 1, keccak256("root"), 10, 20);
        measured("Commitments.post, later ones");
        commitAndMeasure();

        redeemAndMeasure(Voucher(id, MODEL, 100, epoch), "Channels.redeem, a line's first");
        redeemAndMeasure(Voucher(id, MODEL, 300, epoch + 1), "Channels.redeem, later ones");
        fund(PAYER, address(channels), 500);
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
        vm.prank(PROVIDER);
        providers.revokeKey(keyId);
        measured("Providers.revokeKey");
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

    function openAndMeasure() private returns (bytes32 id) {
        id = open(1000);
        measured("Channels.open");
    }

    function redeemAndMeasure(Voucher memory voucher, string memory what) private {
        bytes memory signature = signed(voucher);
        channels.redeem(voucher, signature);
        measured(what);
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
        bytes32 id = open(1000);
        bytes memory consent = sign(PROVIDER_KEY, channels.closeDigest(id));
        vm.prank(PAYER);
        channels.closeNow(id, consent);
        measured("Channels.closeNow");
    }

    function measured(string memory what) private {
        emit log_named_uint(what, vm.lastCallGas().gasTotalUsed);
    }
}
