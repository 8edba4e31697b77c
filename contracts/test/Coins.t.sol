// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {Channels, Opening, Redemption, Voucher} from "../src/Channels.sol";
import {ExactTransfer} from "../src/ExactTransfer.sol";
import {Inclusions} from "../src/Inclusions.sol";
import {Providers} from "../src/Providers.sol";
import {Base} from "./Base.sol";
import {FakeFalseToken, FakeFeeToken, FakeLyingToken, FakeReentrantToken, FakeSilentToken} from "./Fakes.sol";

/// @notice What coins do to us, and that it gets them nowhere.
contract CoinsTest is Base {
    bytes32 private constant MODEL = keccak256("model");
    bytes32 private keyId;
    uint64 private epoch;

    function setUp() public override {
        super.setUp();
        register(PROVIDER);
        keyId = addKey(PROVIDER, RECEIPT_KEY);
        epoch = currentEpoch();
        vm.warp(START + EPOCH);
        vm.prank(PROVIDER);
        commitments.post(keyId, epoch, keccak256("root"), 0, 1);
    }

    function over(IERC20 coin) private returns (Channels) {
        return new Channels(coin, commitments, CLOSE_DELAY, GUARDIAN);
    }

    function refused(IERC20 coin) private pure returns (bytes memory) {
        return abi.encodeWithSelector(SafeERC20.SafeERC20FailedOperation.selector, address(coin));
    }

    function test_aFeeOnTransferIsRefusedWhereverMoneyComesIn() public {
        FakeFeeToken coin = new FakeFeeToken();
        Channels taxed = over(coin);
        Providers registry = new Providers(coin, terms());
        coin.mint(PAYER, 3000);
        vm.startPrank(PAYER);
        coin.approve(address(taxed), 3000);
        coin.approve(address(registry), 3000);
        bytes memory inexact =
            abi.encodeWithSelector(ExactTransfer.InexactTransfer.selector, address(coin), 1000, 990);
        vm.expectRevert(inexact);
        taxed.open(PROVIDER, SIGNER, 1000, 0);
        vm.expectRevert(inexact);
        registry.register("https://provider.example", 1000);
    }

    function test_aCoinThatLiesIsRefused() public {
        FakeLyingToken coin = new FakeLyingToken();
        Channels lied = over(coin);
        vm.expectRevert(
            abi.encodeWithSelector(ExactTransfer.InexactTransfer.selector, address(coin), 1000, 0)
        );
        vm.prank(PAYER);
        lied.open(PROVIDER, SIGNER, 1000, 0);
    }

    function test_noIsNoGoingInAndOut() public {
        FakeFalseToken coin = new FakeFalseToken();
        Channels channels_ = over(coin);
        coin.mint(PAYER, 2000);
        vm.startPrank(PAYER);
        coin.approve(address(channels_), 2000);
        bytes32 id = channels_.open(PROVIDER, SIGNER, 1000, 0);
        coin.setRefusing(true);
        vm.expectRevert(refused(coin));
        channels_.open(PROVIDER, SIGNER, 1000, "other");
        vm.expectRevert(refused(coin));
        channels_.topUp(id, 1);
        // What cannot be paid out is not booked either.
        Redemption memory redemption =
            signedBy(SIGNER_KEY, channels_, Voucher(id, MODEL, 10, epoch), keyId);
        vm.expectRevert(refused(coin));
        channels_.redeem(redemption);
        vm.assertEq(channels_.channelOf(id).redeemed, 0);
        bytes memory consent = sign(PROVIDER_KEY, channels_.closeDigest(id));
        vm.expectRevert(refused(coin));
        channels_.closeNow(id, consent);
        coin.setRefusing(false);
        channels_.redeem(redemption);
        channels_.closeNow(id, consent);
        vm.assertEq(coin.balanceOf(PROVIDER), 10);
        vm.assertEq(coin.balanceOf(PAYER), 1990);
    }

    function test_aCoinThatReturnsNothingIsTaken() public {
        FakeSilentToken coin = new FakeSilentToken();
        Channels channels_ = over(IERC20(address(coin)));
        coin.mint(PAYER, 1000);
        vm.startPrank(PAYER);
        bytes32 id = channels_.open(PROVIDER, SIGNER, 1000, 0);
        channels_.redeem(signedBy(SIGNER_KEY, channels_, Voucher(id, MODEL, 10, epoch), keyId));
        vm.assertEq(coin.balanceOf(PROVIDER), 10);
        vm.assertEq(coin.balanceOf(address(channels_)), 990);
    }

    /// While a redemption pays, the coin calls each of the other doors.
    function test_noDoorIsOpenWhileAnotherIs() public {
        FakeReentrantToken coin = new FakeReentrantToken();
        Channels channels_ = over(coin);
        coin.mint(PAYER, 1000);
        vm.startPrank(PAYER);
        coin.approve(address(channels_), 1000);
        bytes32 id = channels_.open(PROVIDER, SIGNER, 500, 0);
        Redemption[] memory list = new Redemption[](1);
        list[0] = signedBy(SIGNER_KEY, channels_, Voucher(id, MODEL, 400, epoch), keyId);
        Opening memory opening = Opening(PAYER, PROVIDER, SIGNER, 1, "more", type(uint64).max);
        bytes memory byPayer = sign(PAYER_KEY, channels_.openDigest(opening));
        bytes memory payers = sign(PAYER_KEY, channels_.closeDigest(id));
        bytes memory payees = sign(PROVIDER_KEY, channels_.closeDigest(id));
        bytes[8] memory doors = [
            abi.encodeCall(Channels.open, (PROVIDER, SIGNER, 1, "more")),
            abi.encodeCall(Channels.openFor, (opening, byPayer)),
            abi.encodeCall(Channels.topUp, (id, 1)),
            abi.encodeCall(Channels.redeem, (list[0])),
            abi.encodeCall(Channels.redeemMany, (PROVIDER, list)),
            abi.encodeCall(Channels.close, (id)),
            abi.encodeCall(Channels.closeNow, (id, payees)),
            abi.encodeCall(Channels.closeNowFor, (id, payers, payees))
        ];
        for (uint128 i = 0; i < doors.length; ++i) {
            Redemption memory one =
                signedBy(SIGNER_KEY, channels_, Voucher(id, MODEL, 10 * (i + 1), epoch), keyId);
            coin.arm(address(channels_), doors[i]);
            vm.assertEq(channels_.redeem(one), 10);
            assertShut(coin);
        }
        list[0] = signedBy(SIGNER_KEY, channels_, Voucher(id, MODEL, 90, epoch), keyId);
        coin.arm(address(channels_), doors[3]);
        channels_.redeemMany(PROVIDER, list);
        assertShut(coin);
        coin.arm(address(channels_), doors[2]);
        channels_.openFor(opening, byPayer);
        assertShut(coin);
        coin.arm(address(channels_), doors[5]);
        channels_.closeNowFor(id, payers, payees);
        assertShut(coin);
        vm.assertEq(coin.balanceOf(PROVIDER), 90);
        vm.assertEq(coin.balanceOf(PAYER), 1000 - 90 - 1);
    }

    function test_aCoinCannotReenterDemands() public {
        FakeReentrantToken coin = new FakeReentrantToken();
        Providers registry = new Providers(coin, terms());
        Inclusions inclusions_ = registry.inclusions();
        coin.mint(PROVIDER, 1);
        coin.mint(PAYER, BOND);
        vm.startPrank(PROVIDER);
        coin.approve(address(registry), 1);
        registry.register("https://provider.example", 1);
        vm.stopPrank();
        (providers, inclusions, commitments) = (registry, inclusions_, registry.commitments());
        bytes32 key = addKey(PROVIDER, RECEIPT_KEY);
        bytes memory data = claimOf(PROVIDER, key, 0, currentEpoch());
        (bytes32 r, bytes32 s) = signLow(RECEIPT_KEY, sha256(data));
        vm.warp(block.timestamp + 2 * EPOCH);
        vm.startPrank(PAYER);
        coin.approve(address(inclusions_), BOND);
        coin.arm(address(inclusions_), abi.encodeCall(Inclusions.demand, (data, r, s)));
        inclusions_.demand(data, r, s);
        assertShut(coin);
        vm.warp(block.timestamp + ANSWER + 1);
        inclusions_.fail(data);
        coin.arm(address(inclusions_), abi.encodeCall(Inclusions.collect, ()));
        inclusions_.collect();
        assertShut(coin);
        vm.assertEq(coin.balanceOf(PAYER), BOND);
    }

    function assertShut(FakeReentrantToken coin) private view {
        vm.assertEq(
            bytes4(coin.answer()), ReentrancyGuardTransient.ReentrancyGuardReentrantCall.selector, "re-entered"
        );
    }
}
