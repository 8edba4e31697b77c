// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Channel, Channels, Redemption, Voucher} from "../src/Channels.sol";
import {Base} from "./Base.sol";

/// @notice Does whatever people may do with money, in any order, and keeps its own books of what must follow.
contract Actor is Base {
    bytes32[] public ids;
    bytes32[2] public models_ = [keccak256("model 0"), keccak256("model 1")];
    address[2] public payees;
    bytes32[2] private _keys;
    uint64[2] private _ends;

    /// The highest cumulative that the payer ever signed on a line.
    mapping(bytes32 id => mapping(bytes32 model => uint128)) public signedOn;
    /// What each payee has been paid, and what the payer has got back.
    mapping(address who => uint256) public paidTo;
    uint256 public minted;
    uint256 public staked;
    uint256 public stakes;
    uint256 public redemptions;
    uint256 public closures;

    constructor() {
        setUp();
        payees = [PROVIDER, STRANGER];
        for (uint256 i = 0; i < 2; ++i) {
            register(payees[i]);
            staked += STAKE;
            minted += STAKE;
            _keys[i] = addKey(payees[i], RECEIPT_KEY + i);
        }
        stakes = 2;
    }

    function channelsContract() external view returns (Channels) {
        return channels;
    }

    function balances() external view returns (uint256 inChannels, uint256 inProviders, uint256 outside) {
        inChannels = stable.balanceOf(address(channels));
        inProviders = stable.balanceOf(address(providers));
        outside = stable.balanceOf(PAYER) + stable.balanceOf(payees[0]) + stable.balanceOf(payees[1]);
    }

    function payer() external view returns (address) {
        return PAYER;
    }

    function count() external view returns (uint256) {
        return ids.length;
    }

    // --- what people do ---

    function openChannel(uint8 payee, uint64 amount) external {
        if (ids.length == 8) return;
        uint96 deposit = uint96(amount) + 1;
        minted += deposit;
        ids.push(open(payees[payee % 2], deposit));
    }

    function topUp(uint8 pick, uint64 amount) external {
        (bytes32 id, Channel memory channel) = picked(pick);
        if (id == 0 || channel.closed || channel.closesAt != 0) return;
        uint96 more = uint96(amount) + 1;
        fund(PAYER, address(channels), more);
        minted += more;
        vm.prank(PAYER);
        channels.topUp(id, more);
    }

    /// Vouchers rise, fall and exceed the deposit; only what the contract takes is paid.
    function redeem(uint8 pick, uint8 line, uint64 cumulative, uint8 back) external {
        (bytes32 id, Channel memory channel) = picked(pick);
        if (id == 0) return;
        bytes32 model = models_[line % 2];
        bytes32 keyId = _keys[channel.payee == PROVIDER ? 0 : 1];
        (uint64 epoch,) = commitments.head(keyId);
        if (back % 8 == 0 && epoch != 0) epoch -= 1;
        Voucher memory voucher = Voucher(id, model, cumulative, epoch);
        if (cumulative > signedOn[id][model]) signedOn[id][model] = cumulative;
        Redemption memory redemption = signed(voucher, keyId);
        uint256 before = stable.balanceOf(channel.payee);
        try channels.redeem(redemption) returns (uint96 paid) {
            paidTo[channel.payee] += paid;
            redemptions += 1;
            vm.assertEq(stable.balanceOf(channel.payee), before + paid);
            vm.assertFalse(channel.closed);
        } catch {
            vm.assertEq(stable.balanceOf(channel.payee), before);
        }
    }

    function post(uint8 payee) external {
        uint256 i = payee % 2;
        (uint64 last, uint64 end) = commitments.head(_keys[i]);
        uint64 epoch = currentEpoch() - 1;
        if (end != 0 && last >= epoch) return;
        vm.prank(payees[i]);
        commitments.post(_keys[i], epoch, keccak256("root"), end, end + 1);
    }

    function requestClose(uint8 pick) external {
        (bytes32 id, Channel memory channel) = picked(pick);
        if (id == 0 || channel.closed || channel.closesAt != 0) return;
        vm.prank(PAYER);
        channels.requestClose(id);
    }

    function close(uint8 pick) external {
        (bytes32 id, Channel memory channel) = picked(pick);
        if (id == 0) return;
        try channels.close(id) {
            paidTo[PAYER] += channel.deposit - channel.redeemed;
            closures += 1;
        } catch {}
    }

    function closeNow(uint8 pick) external {
        (bytes32 id, Channel memory channel) = picked(pick);
        if (id == 0 || pick % 4 != 0) return;
        bytes memory consent = sign(PROVIDER_KEY, channels.closeDigest(id));
        vm.prank(PAYER);
        try channels.closeNow(id, consent) {
            vm.assertEq(channel.payee, PROVIDER);
            paidTo[PAYER] += channel.deposit - channel.redeemed;
            closures += 1;
        } catch {}
    }

    function addStake(uint8 payee, uint64 amount) external {
        address who = payees[payee % 2];
        fund(who, address(providers), amount);
        minted += amount;
        vm.prank(who);
        try providers.addStake(amount) {
            staked += amount;
        } catch {
            paidTo[who] += amount; // it stays where it was minted
        }
    }

    function exit(uint8 payee) external {
        address who = payees[payee % 2];
        vm.prank(who);
        try providers.requestExit() {} catch {}
        uint256 stake = providers.provider(who).stake;
        vm.prank(who);
        try providers.withdraw() {
            staked -= stake;
            paidTo[who] += stake;
            stakes -= 1;
        } catch {}
    }

    function pass(uint32 time) external {
        vm.warp(block.timestamp + time % 2 days);
    }

    function picked(uint8 pick) private view returns (bytes32 id, Channel memory channel) {
        if (ids.length == 0) return (0, channel);
        id = ids[pick % ids.length];
        channel = channels.channelOf(id);
    }
}

/// @notice What holds after any history: money is conserved to the unit, and a voucher pays at most its line and the deposit.
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
        bytes4[] memory selectors = new bytes4[](10);
        selectors[0] = Actor.openChannel.selector;
        selectors[1] = Actor.topUp.selector;
        selectors[2] = Actor.redeem.selector;
        selectors[3] = Actor.post.selector;
        selectors[4] = Actor.requestClose.selector;
        selectors[5] = Actor.close.selector;
        selectors[6] = Actor.closeNow.selector;
        selectors[7] = Actor.addStake.selector;
        selectors[8] = Actor.exit.selector;
        selectors[9] = Actor.pass.selector;
        list = new FuzzSelector[](1);
        list[0] = FuzzSelector(address(actor), selectors);
    }

    struct FuzzSelector {
        address addr;
        bytes4[] selectors;
    }

    function invariant_moneyIsConservedToTheUnit() public view {
        (uint256 inChannels, uint256 inProviders, uint256 outside) = actor.balances();
        vm.assertEq(inChannels + inProviders + outside, actor.minted(), "nothing lost, nothing made");
        vm.assertEq(inProviders, actor.staked(), "stakes");
        uint256 owed;
        uint256 drawn;
        for (uint256 i = 0; i < actor.count(); ++i) {
            Channel memory channel = actor.channelsContract().channelOf(actor.ids(i));
            owed += channel.deposit - channel.redeemed;
            drawn += channel.redeemed;
            if (channel.closed) vm.assertEq(channel.deposit, channel.redeemed, "closed and empty");
        }
        vm.assertEq(inChannels, owed, "what channels hold is what they owe");
        uint256 paid = actor.paidTo(actor.payer()) + actor.paidTo(actor.payees(0)) + actor.paidTo(actor.payees(1));
        vm.assertEq(outside, paid, "everybody has what they were paid");
    }

    function invariant_aVoucherPaysAtMostItsLineAndTheDeposit() public view {
        Channels channels_ = actor.channelsContract();
        for (uint256 i = 0; i < actor.count(); ++i) {
            bytes32 id = actor.ids(i);
            Channel memory channel = channels_.channelOf(id);
            uint256 lines;
            for (uint256 m = 0; m < 2; ++m) {
                uint256 redeemed = channels_.lineOf(id, actor.models_(m)).redeemed;
                vm.assertLe(redeemed, actor.signedOn(id, actor.models_(m)), "a line pays what was signed on it");
                lines += redeemed;
            }
            vm.assertEq(lines, channel.redeemed, "the lines' sum");
            vm.assertLe(channel.redeemed, channel.deposit, "at most the deposit");
        }
    }

    /// The history above does reach redemptions and closures (or the invariants would hold of nothing).
    function test_theActorReachesEverything() public {
        uint64[4] memory amounts = [uint64(1000), 10, 500, 70];
        for (uint8 i = 0; i < 4; ++i) {
            actor.openChannel(i, amounts[i]);
        }
        actor.pass(1200);
        actor.post(0);
        actor.post(1);
        actor.redeem(0, 0, 300, 1);
        actor.redeem(0, 1, 90_000, 1);
        actor.redeem(1, 0, 5, 1);
        actor.closeNow(0);
        actor.requestClose(1);
        actor.exit(0);
        for (uint256 i = 0; i < 22; ++i) {
            actor.pass(1 days);
        }
        actor.exit(0);
        actor.close(1);
        vm.assertEq(actor.redemptions(), 3);
        vm.assertEq(actor.closures(), 2);
        vm.assertEq(actor.stakes(), 1);
        invariant_moneyIsConservedToTheUnit();
        invariant_aVoucherPaysAtMostItsLineAndTheDeposit();
    }
}
