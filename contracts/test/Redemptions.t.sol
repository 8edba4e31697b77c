// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Channels, Redemption, Voucher} from "../src/Channels.sol";
import {Base} from "./Base.sol";

/// @notice Many vouchers in one call.
contract RedemptionsTest is Base {
    bytes32 private constant MODEL = keccak256("model");
    bytes32 private constant OTHER_MODEL = keccak256("other model");
    bytes32 private keyId;
    uint64 private epoch;

    event Transfer(address indexed from, address indexed to, uint256 value);

    function setUp() public override {
        super.setUp();
        register(PROVIDER);
        keyId = addKey(PROVIDER, RECEIPT_KEY);
        epoch = currentEpoch();
        vm.warp(START + 2 * EPOCH);
        vm.startPrank(PROVIDER);
        commitments.post(keyId, epoch, keccak256("root"), 0, 1);
        commitments.post(keyId, epoch + 1, keccak256("root"), 1, 2);
        vm.stopPrank();
    }

    function one(bytes32 id, bytes32 model, uint128 cumulative, uint64 of_) private view returns (Redemption memory) {
        return signed(Voucher(id, model, cumulative, of_), keyId);
    }

    function redeem(Redemption[] memory list) private returns (uint256) {
        vm.prank(STRANGER);
        return channels.redeemMany(PROVIDER, list);
    }

    function test_paysLinesAndChannelsAtOnce() public {
        (bytes32 a, bytes32 b) = (open(1000), open(500));
        Redemption[] memory list = new Redemption[](4);
        list[0] = one(a, MODEL, 300, epoch);
        list[1] = one(a, OTHER_MODEL, 200, epoch + 1);
        list[2] = one(b, MODEL, 900, epoch);
        list[3] = one(a, MODEL, 350, epoch + 1);
        vm.expectEmit();
        emit Transfer(address(channels), PROVIDER, 300 + 200 + 500 + 50);
        vm.assertEq(redeem(list), 300 + 200 + 500 + 50);
        vm.assertEq(stable.balanceOf(PROVIDER), 1050);
        vm.assertEq(channels.channelOf(a).redeemed, 550);
        vm.assertEq(channels.lineOf(a, MODEL).redeemed, 350);
        vm.assertEq(channels.lineOf(a, MODEL).epoch, epoch + 1);
        vm.assertEq(channels.lineOf(b, MODEL).redeemed, 500);
    }

    /// One after the other or all at once: the books are the same.
    function testFuzz_isTheSumOfSingleOnes(uint96 deposit, uint64[6] memory cumulatives, uint8 late) public {
        deposit = deposit % 1e20 + 1;
        (bytes32 a, bytes32 b) = (open(deposit), open(deposit));
        Redemption[] memory list = new Redemption[](6);
        uint256 single;
        for (uint256 i = 0; i < 6; ++i) {
            bytes32 model = i % 2 == 0 ? MODEL : OTHER_MODEL;
            uint64 of_ = epoch + (late >> i) % 2;
            list[i] = one(a, model, cumulatives[i], of_);
            try channels.redeem(one(b, model, cumulatives[i], of_)) returns (uint96 paid) {
                single += paid;
            } catch {}
        }
        uint256 before = stable.balanceOf(PROVIDER);
        if (single == 0) {
            vm.expectRevert(abi.encodeWithSelector(Channels.NothingToRedeem.selector));
            redeem(list);
            return;
        }
        vm.assertEq(redeem(list), single);
        vm.assertEq(stable.balanceOf(PROVIDER) - before, single);
        vm.assertEq(channels.channelOf(a).redeemed, channels.channelOf(b).redeemed);
        vm.assertEq(channels.lineOf(a, MODEL).redeemed, channels.lineOf(b, MODEL).redeemed);
        vm.assertEq(channels.lineOf(a, OTHER_MODEL).epoch, channels.lineOf(b, OTHER_MODEL).epoch);
    }

    /// What others can do between the making of the call and its block does not stop the rest.
    function test_passesOverWhatBecameVoid() public {
        (bytes32 a, bytes32 closed, bytes32 drained) = (open(1000), open(1000), open(10));
        channels.redeem(one(a, MODEL, 300, epoch + 1));
        channels.redeem(one(drained, MODEL, 10, epoch));
        bytes memory consent = sign(PROVIDER_KEY, channels.closeDigest(closed));
        vm.prank(PAYER);
        channels.closeNow(closed, consent);

        Redemption[] memory list = new Redemption[](5);
        list[0] = one(a, MODEL, 300, epoch + 1);
        list[1] = one(a, MODEL, 400, epoch);
        list[2] = one(closed, MODEL, 5, epoch);
        list[3] = one(drained, MODEL, 50, epoch);
        list[4] = one(a, OTHER_MODEL, 7, epoch);
        vm.assertEq(redeem(list), 7);
        vm.assertEq(channels.lineOf(a, MODEL).redeemed, 300);
        vm.expectRevert(abi.encodeWithSelector(Channels.NothingToRedeem.selector));
        redeem(list);
    }

    function test_refusesWhatOnlyTheSenderCanHaveWrong() public {
        bytes32 id = open(1000);
        Redemption[] memory list = new Redemption[](2);
        list[0] = one(id, MODEL, 5, epoch);

        list[1] = signedBy(PAYER_KEY, channels, Voucher(id, OTHER_MODEL, 5, epoch), keyId);
        vm.expectRevert(abi.encodeWithSelector(Channels.BadVoucherSignature.selector, PAYER, SIGNER));
        redeem(list);

        list[1] = one(id, OTHER_MODEL, 5, epoch + 2);
        vm.expectRevert(
            abi.encodeWithSelector(Channels.NotCommitted.selector, PROVIDER, keyId, epoch + 2)
        );
        redeem(list);

        // The same epoch with another key is asked again.
        list[1] = signed(Voucher(id, OTHER_MODEL, 5, epoch), bytes32(uint256(7)));
        vm.expectRevert(
            abi.encodeWithSelector(Channels.NotCommitted.selector, PROVIDER, bytes32(uint256(7)), epoch)
        );
        redeem(list);

        bytes32 others = open(STRANGER, 10);
        list[1] = one(others, MODEL, 5, epoch);
        vm.expectRevert(abi.encodeWithSelector(Channels.OtherPayee.selector, others, STRANGER, PROVIDER));
        redeem(list);

        list[1] = one(keccak256("unknown"), MODEL, 5, epoch);
        vm.expectRevert(
            abi.encodeWithSelector(Channels.OtherPayee.selector, keccak256("unknown"), address(0), PROVIDER)
        );
        redeem(list);
        vm.assertEq(stable.balanceOf(PROVIDER), 0);
    }

    function test_aCallHasAnEnd() public {
        vm.expectRevert(abi.encodeWithSelector(Channels.NothingToRedeem.selector));
        redeem(new Redemption[](0));
        vm.expectRevert(abi.encodeWithSelector(Channels.TooManyRedemptions.selector, 129, 128));
        redeem(new Redemption[](129));
        // Channels that are not there belong to nobody.
        vm.expectRevert(abi.encodeWithSelector(Channels.ZeroAddress.selector, "payee"));
        channels.redeemMany(address(0), new Redemption[](1));
    }
}
