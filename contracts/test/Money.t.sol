// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Channel, Channels} from "../src/Channels.sol";
import {Commitments} from "../src/Commitments.sol";
import {Inclusions, Standing} from "../src/Inclusions.sol";
import {Actor} from "./Actor.sol";
import {Base} from "./Base.sol";

/// @notice What holds after any history of the Actor, after every call: money is conserved to the unit; a voucher pays at most
/// its line and the deposit; what stands against a provider is what was not answered. That nothing is redeemed or closed
/// twice, that epochs never fall and that no stake leaves too early, the Actor asserts where it happens.
contract MoneyTest is Base {
    Actor private actor;

    function setUp() public override {
        actor = new Actor();
    }

    /// Forge calls the actor only.
    function targetContracts() external view returns (address[] memory list) {
        list = new address[](1);
        list[0] = address(actor);
    }

    function targetSelectors() external view returns (FuzzSelector[] memory list) {
        bytes4[] memory selectors = new bytes4[](19);
        selectors[0] = Actor.openChannel.selector;
        selectors[1] = Actor.topUp.selector;
        selectors[2] = Actor.redeem.selector;
        selectors[3] = Actor.redeemMany.selector;
        selectors[4] = Actor.post.selector;
        selectors[5] = Actor.requestClose.selector;
        selectors[6] = Actor.close.selector;
        selectors[7] = Actor.closeNow.selector;
        selectors[8] = Actor.addStake.selector;
        selectors[9] = Actor.exit.selector;
        selectors[10] = Actor.enter.selector;
        selectors[11] = Actor.revoke.selector;
        selectors[12] = Actor.demand.selector;
        selectors[13] = Actor.answer.selector;
        selectors[14] = Actor.fail.selector;
        selectors[15] = Actor.collect.selector;
        selectors[16] = Actor.pause.selector;
        selectors[17] = Actor.pass.selector;
        selectors[18] = Actor.post.selector;
        list = new FuzzSelector[](1);
        list[0] = FuzzSelector(address(actor), selectors);
    }

    struct FuzzSelector {
        address addr;
        bytes4[] selectors;
    }

    function invariant_money() public view {
        (Channels channels_, Commitments commitments_, Inclusions inclusions_) = actor.contracts();
        (uint256[3] memory inside, uint256 outside) = actor.balances();
        vm.assertEq(inside[0] + inside[1] + inside[2] + outside, actor.minted(), "nothing lost, nothing made");
        vm.assertEq(inside[1], actor.staked(), "stakes");
        checkChannels(channels_, inside[0]);
        checkDemands(inclusions_, inside[2]);
        address[4] memory people = actor.people();
        uint256 paid;
        for (uint256 i = 0; i < 4; ++i) {
            paid += actor.paidTo(people[i]);
        }
        vm.assertEq(outside, paid, "everybody has what they were paid");
        for (uint256 i = 0; i < 2; ++i) {
            (uint64 epoch, uint64 end) = commitments_.head(actor.keys(i));
            vm.assertTrue(end == 0 || commitments_.covers(actor.payees(i), actor.keys(i), epoch), "the head's batch");
        }
    }

    function checkChannels(Channels channels_, uint256 inside) private view {
        uint256 owed;
        uint256 count = actor.count();
        bytes32[2] memory models_ = [actor.models_(0), actor.models_(1)];
        for (uint256 i = 0; i < count; ++i) {
            bytes32 id = actor.ids(i);
            Channel memory channel = channels_.channelOf(id);
            vm.assertLe(channel.redeemed, channel.deposit, "at most the deposit");
            if (channel.closed) vm.assertEq(channel.deposit, channel.redeemed, "closed and empty");
            owed += channel.deposit - channel.redeemed;
            uint256 lines;
            for (uint256 m = 0; m < 2; ++m) {
                uint256 redeemed = channels_.lineOf(id, models_[m]).redeemed;
                vm.assertLe(redeemed, actor.signedOn(id, models_[m]), "a line pays what was signed on it");
                lines += redeemed;
            }
            vm.assertEq(lines, channel.redeemed, "the lines' sum");
        }
        vm.assertEq(inside, owed, "what channels hold is what they owe");
    }

    function checkDemands(Inclusions inclusions_, uint256 inside) private view {
        uint256 owed = inclusions_.owed(actor.DEMANDER());
        vm.assertEq(owed, actor.bondsOf(actor.DEMANDER()), "bonds that came back");
        for (uint256 i = 0; i < 2; ++i) {
            Standing memory standing = inclusions_.standingOf(actor.payees(i));
            vm.assertEq(standing.open, actor.openOf(i), "demands to answer");
            vm.assertEq(standing.faults, actor.faultsOf(i), "faults");
            vm.assertEq(inclusions_.owed(actor.payees(i)), actor.bondsOf(actor.payees(i)), "bonds won");
            owed += inclusions_.owed(actor.payees(i)) + standing.open * BOND;
        }
        vm.assertEq(inside, owed, "what demands hold is what they owe");
    }

    /// The Actor does reach all this (or the invariants would hold of nothing).
    function test_theActorReachesEverything() public {
        uint64[4] memory amounts = [uint64(1000), 10, 500, 70];
        for (uint8 i = 0; i < 4; ++i) {
            actor.openChannel(i, amounts[i]);
        }
        actor.pause(0);
        actor.openChannel(0, 5);
        actor.pause(1);
        actor.topUp(0, 9);
        actor.pass(1200);
        actor.post(0, 1);
        actor.post(1, 1);
        actor.redeem(0, 0, 300, 1);
        actor.redeem(0, 1, 90_000, 1);
        actor.redeem(1, 0, 5, 1);
        actor.redeemMany(2, 7, 8, 0, 1);
        actor.pass(2400);
        actor.pass(1200);
        actor.demand(0, 0, false);
        actor.demand(0, 128, false);
        actor.demand(1, 0, true);
        actor.answer(0);
        actor.answer(2);
        actor.revoke(0);
        actor.demand(0, 1, true);
        actor.closeNow(0);
        actor.requestClose(1);
        actor.exit(0);
        for (uint256 i = 0; i < 22; ++i) {
            actor.pass(86_401);
        }
        actor.exit(0);
        actor.fail(1);
        actor.fail(2);
        actor.exit(0);
        actor.exit(1);
        actor.collect(0);
        actor.collect(1);
        actor.close(1);
        string[12] memory all = [
            "opened",
            "topped up",
            "redeemed",
            "posted",
            "demanded",
            "answered",
            "failed",
            "revoked",
            "close requested",
            "closed",
            "collected",
            "redeemed"
        ];
        for (uint256 i = 0; i < all.length; ++i) {
            vm.assertTrue(actor.times(all[i]) != 0, all[i]);
        }
        vm.assertEq(actor.times("opened"), 4, "not while paused");
        vm.assertEq(actor.times("withdrawn"), 0, "not with a fault");
        vm.assertEq(actor.times("demanded"), 3, "not of a revoked key");
        invariant_money();
    }

    function test_aStakeWithNothingOpenLeaves() public {
        actor.exit(0);
        for (uint256 i = 0; i < 22; ++i) {
            actor.pass(86_401);
        }
        actor.exit(0);
        vm.assertEq(actor.times("withdrawn"), 1);
        actor.enter(0);
        invariant_money();
    }
}
