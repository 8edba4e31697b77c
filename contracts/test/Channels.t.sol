// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {Channel, Channels, Line, Redemption, Voucher} from "../src/Channels.sol";
import {ExactTransfer} from "../src/ExactTransfer.sol";
import {Base} from "./Base.sol";
import {FakeContractAccount, FakeFeeToken, FakeReentrantToken} from "./Fakes.sol";

contract ChannelsTest is Base {
    bytes32 private constant MODEL = keccak256("model");
    bytes32 private constant OTHER_MODEL = keccak256("other model");
    bytes32 private keyId;
    uint64 private epoch;

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

    function redeem(Voucher memory voucher) private returns (uint96) {
        Redemption memory redemption = signed(voucher, keyId);
        vm.prank(STRANGER);
        return channels.redeem(redemption);
    }

    function refuse(Voucher memory voucher, bytes memory refusal) private {
        Redemption memory redemption = signed(voucher, keyId);
        vm.expectRevert(refusal);
        channels.redeem(redemption);
    }

    // --- open and top up ---

    function testFuzz_opensUnderAnIdKnownBefore(uint96 amount, bytes32 salt) public {
        amount = amount / 2 + 1;
        fund(PAYER, address(channels), 2 * uint256(amount));
        bytes32 expected =
            keccak256(abi.encode(block.chainid, address(channels), PAYER, PROVIDER, SIGNER, salt));
        vm.expectEmit();
        emit Channels.Opened(expected, PAYER, PROVIDER, SIGNER, amount);
        vm.startPrank(PAYER);
        bytes32 id = channels.open(PROVIDER, SIGNER, amount, salt);
        vm.assertEq(id, expected);
        vm.assertEq(channels.idOf(PAYER, PROVIDER, SIGNER, salt), expected);
        vm.assertFalse(channels.open(PROVIDER, SIGNER, amount, ~salt) == id);
        Channel memory channel = channels.channelOf(id);
        vm.assertEq(channel.payer, PAYER);
        vm.assertEq(channel.payee, PROVIDER);
        vm.assertEq(channel.signer, SIGNER);
        vm.assertEq(channel.deposit, amount);
        vm.assertEq(channel.redeemed, 0);
        vm.assertEq(channel.closesAt, 0);
        vm.assertFalse(channel.closed);
        vm.assertEq(stable.balanceOf(address(channels)), 2 * uint256(amount));
    }

    /// Sent twice, or again after the end: one channel, one id.
    function test_anIdNeverReturns() public {
        fund(PAYER, address(channels), 100);
        vm.startPrank(PAYER);
        bytes32 id = channels.open(PROVIDER, SIGNER, 10, "salt");
        bytes memory refusal = abi.encodeWithSelector(Channels.AlreadyOpened.selector, id);
        vm.expectRevert(refusal);
        channels.open(PROVIDER, SIGNER, 20, "salt");
        channels.closeNow(id, sign(PROVIDER_KEY, channels.closeDigest(id)));
        vm.expectRevert(refusal);
        channels.open(PROVIDER, SIGNER, 10, "salt");
    }

    function test_refusesToOpenWithNothing() public {
        vm.startPrank(PAYER);
        vm.expectRevert(abi.encodeWithSelector(Channels.ZeroAddress.selector, "payee"));
        channels.open(address(0), SIGNER, 1, 0);
        vm.expectRevert(abi.encodeWithSelector(Channels.ZeroAddress.selector, "signer"));
        channels.open(PROVIDER, address(0), 1, 0);
        vm.expectRevert(abi.encodeWithSelector(Channels.ZeroAmount.selector));
        channels.open(PROVIDER, SIGNER, 0, 0);
    }

    function test_refusesACoinWithAFee() public {
        FakeFeeToken token = new FakeFeeToken();
        Channels taxed = new Channels(token, commitments, CLOSE_DELAY, GUARDIAN);
        token.mint(PAYER, 1000);
        vm.startPrank(PAYER);
        token.approve(address(taxed), 1000);
        vm.expectRevert(
            abi.encodeWithSelector(ExactTransfer.InexactTransfer.selector, address(token), 1000, 990)
        );
        taxed.open(PROVIDER, SIGNER, 1000, 0);
    }

    function testFuzz_anyoneTopsUp(uint96 amount) public {
        amount = amount / 2 + 1;
        bytes32 id = open(100);
        fund(STRANGER, address(channels), amount);
        vm.expectEmit();
        emit Channels.ToppedUp(id, STRANGER, amount, 100 + amount);
        vm.prank(STRANGER);
        channels.topUp(id, amount);
        vm.assertEq(channels.channelOf(id).deposit, 100 + amount);
        vm.assertEq(stable.balanceOf(address(channels)), 100 + uint256(amount));
    }

    function test_refusesToTopUpWhatIsClosingOrWithNothing() public {
        bytes32 id = open(100);
        vm.startPrank(PAYER);
        vm.expectRevert(abi.encodeWithSelector(Channels.ZeroAmount.selector));
        channels.topUp(id, 0);
        channels.requestClose(id);
        uint64 closesAt = uint64(block.timestamp) + CLOSE_DELAY;
        vm.expectRevert(abi.encodeWithSelector(Channels.ChannelClosing.selector, id, closesAt));
        channels.topUp(id, 1);
    }

    function testFuzz_unknownChannelsAreRefusedEverywhere(bytes32 id) public {
        bytes memory refusal = abi.encodeWithSelector(Channels.UnknownChannel.selector, id);
        vm.expectRevert(refusal);
        channels.topUp(id, 1);
        refuse(Voucher(id, MODEL, 1, epoch), refusal);
        vm.expectRevert(refusal);
        channels.requestClose(id);
        vm.expectRevert(refusal);
        channels.close(id);
        vm.expectRevert(refusal);
        channels.closeNow(id, "");
    }

    // --- redeem ---

    /// The typed data by hand, as EIP-712 writes it.
    function testFuzz_voucherDigest(bytes32 id, bytes32 model, uint128 cumulative, uint64 last) public view {
        bytes32 domain = keccak256(
            abi.encode(
                keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"),
                keccak256("Counterfoil"),
                keccak256("1"),
                block.chainid,
                address(channels)
            )
        );
        bytes32 voucherType =
            keccak256("Voucher(bytes32 channel,bytes32 model,uint128 cumulative,uint64 epoch)");
        bytes32 voucher = keccak256(abi.encode(voucherType, id, model, cumulative, last));
        vm.assertEq(
            channels.voucherDigest(Voucher(id, model, cumulative, last)),
            keccak256(abi.encodePacked(hex"1901", domain, voucher))
        );
        bytes32 close = keccak256(abi.encode(keccak256("Close(bytes32 channel)"), id));
        vm.assertEq(channels.closeDigest(id), keccak256(abi.encodePacked(hex"1901", domain, close)));
    }

    function test_paysThePayeeWhoeverSends() public {
        bytes32 id = open(1000);
        Voucher memory voucher = Voucher(id, MODEL, 300, epoch);
        Redemption memory redemption = signed(voucher, keyId);
        vm.expectEmit();
        emit Channels.Redeemed(id, MODEL, PROVIDER, 300, 300, epoch);
        vm.prank(STRANGER);
        vm.assertEq(channels.redeem(redemption), 300);
        vm.assertEq(stable.balanceOf(PROVIDER), 300);
        vm.assertEq(stable.balanceOf(address(channels)), 700);
        Line memory line = channels.lineOf(id, MODEL);
        vm.assertEq(line.redeemed, 300);
        vm.assertEq(line.epoch, epoch);
        vm.assertEq(channels.channelOf(id).redeemed, 300);
    }

    /// Whatever two lines ask for, each pays what it adds and both together no more than the deposit.
    function testFuzz_paysTheLineAndAtMostTheDeposit(uint96 deposit, uint128 a, uint128 b, uint128 more) public {
        deposit = deposit / 2 + 1;
        a = a / 4 + 1;
        b = b / 4 + 1;
        more = more / 4 + 1;
        bytes32 id = open(deposit);
        uint96 paidA = redeem(Voucher(id, MODEL, a, epoch));
        vm.assertEq(paidA, a < deposit ? a : deposit);
        uint96 left = deposit - paidA;
        if (left == 0) {
            refuse(
                Voucher(id, OTHER_MODEL, b, epoch),
                abi.encodeWithSelector(Channels.DepositExhausted.selector, id, deposit)
            );
            return;
        }
        uint96 paidB = redeem(Voucher(id, OTHER_MODEL, b, epoch));
        vm.assertEq(paidB, b < left ? b : left);
        left -= paidB;
        if (left == 0) return;
        uint96 paidMore = redeem(Voucher(id, MODEL, a + more, epoch + 1));
        vm.assertEq(paidMore, more < left ? more : left);
        vm.assertEq(stable.balanceOf(PROVIDER), uint256(paidA) + paidB + paidMore);
        vm.assertEq(channels.channelOf(id).redeemed, paidA + paidB + paidMore);
    }

    function test_aVoucherIsPaidTheRestAfterATopUp() public {
        bytes32 id = open(100);
        Voucher memory voucher = Voucher(id, MODEL, 250, epoch);
        vm.assertEq(redeem(voucher), 100);
        refuse(voucher, abi.encodeWithSelector(Channels.DepositExhausted.selector, id, 100));
        fund(PAYER, address(channels), 500);
        vm.prank(PAYER);
        channels.topUp(id, 500);
        vm.assertEq(redeem(voucher), 150);
        refuse(voucher, abi.encodeWithSelector(Channels.NothingDue.selector, id, MODEL, 250, 250));
    }

    function testFuzz_paysNothingTwice(uint96 cumulative, uint128 lower) public {
        cumulative = cumulative / 2 + 1;
        lower = lower % (uint128(cumulative) + 1);
        bytes32 id = open(type(uint96).max / 2 + 1);
        redeem(Voucher(id, MODEL, cumulative, epoch));
        refuse(
            Voucher(id, MODEL, lower, epoch),
            abi.encodeWithSelector(Channels.NothingDue.selector, id, MODEL, lower, cumulative)
        );
    }

    function test_epochsOnALineNeverFall() public {
        bytes32 id = open(1000);
        redeem(Voucher(id, MODEL, 1, epoch + 1));
        refuse(
            Voucher(id, MODEL, 2, epoch),
            abi.encodeWithSelector(Channels.EpochFell.selector, id, MODEL, epoch, epoch + 1)
        );
        // Another line has epochs of its own.
        redeem(Voucher(id, OTHER_MODEL, 2, epoch));
        redeem(Voucher(id, MODEL, 2, epoch + 1));
    }

    function testFuzz_needsTheRootOfItsEpoch(uint64 missing) public {
        vm.assume(missing != epoch && missing != epoch + 1);
        bytes32 id = open(1000);
        refuse(Voucher(id, MODEL, 1, missing), abi.encodeWithSelector(Channels.NotCommitted.selector, PROVIDER, keyId, missing));
    }

    /// The root must be of a key of the payee: another provider's root of the same epoch is no help.
    function testFuzz_needsTheRootOfThePayeesKey(bytes32 other) public {
        vm.assume(other != keyId);
        register(STRANGER);
        bytes32 strangers = addKey(STRANGER, RECEIPT_KEY + 1);
        vm.prank(STRANGER);
        commitments.post(strangers, epoch, keccak256("root"), 0, 1);
        Voucher memory voucher = Voucher(open(1000), MODEL, 1, epoch);
        bytes32[2] memory keys = [strangers, other];
        for (uint256 i = 0; i < keys.length; ++i) {
            Redemption memory redemption = signed(voucher, keys[i]);
            vm.expectRevert(
                abi.encodeWithSelector(Channels.NotCommitted.selector, PROVIDER, keys[i], epoch)
            );
            channels.redeem(redemption);
        }
    }

    function testFuzz_onlyThePinnedKeySigns(uint256 key) public {
        key = key % (type(uint128).max) + 1;
        vm.assume(key != SIGNER_KEY);
        Redemption memory redemption = signedBy(key, channels, Voucher(open(1000), MODEL, 1, epoch), keyId);
        vm.expectRevert(abi.encodeWithSelector(Channels.BadVoucherSignature.selector, vm.addr(key), SIGNER));
        channels.redeem(redemption);
    }

    function test_refusesMalformedSignaturesAndChangedVouchers() public {
        bytes32 id = open(1000);
        Redemption memory good = signed(Voucher(id, MODEL, 1, epoch), keyId);
        // A high s that still fits 255 bits, and nothing at all.
        bytes32 top = bytes32(uint256(1) << 255);
        uint256 order = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141;
        bytes32 high = bytes32((order - uint256(good.vs & ~top)) & ~uint256(top)) | ((good.vs & top) ^ top);
        bytes32[2] memory malformed = [high, bytes32(0)];
        for (uint256 i = 0; i < malformed.length; ++i) {
            Redemption memory bad = Redemption(good.voucher, keyId, good.r, malformed[i]);
            vm.expectPartialRevert(Channels.BadVoucherSignature.selector);
            channels.redeem(bad);
        }
        Voucher[4] memory changed = [
            Voucher(open(1000), MODEL, 1, epoch),
            Voucher(id, OTHER_MODEL, 1, epoch),
            Voucher(id, MODEL, 2, epoch),
            Voucher(id, MODEL, 1, epoch + 1)
        ];
        for (uint256 i = 0; i < changed.length; ++i) {
            vm.expectPartialRevert(Channels.BadVoucherSignature.selector);
            channels.redeem(Redemption(changed[i], keyId, good.r, good.vs));
        }
    }

    function test_aVoucherIsForOneDeployment() public {
        Channels other = new Channels(stable, commitments, CLOSE_DELAY, GUARDIAN);
        Voucher memory voucher = Voucher(open(1000), MODEL, 1, epoch);
        vm.assertFalse(other.voucherDigest(voucher) == channels.voucherDigest(voucher));
        bytes32 here = channels.voucherDigest(voucher);
        vm.chainId(5);
        vm.assertFalse(channels.voucherDigest(voucher) == here);
    }

    // --- close ---

    function testFuzz_closesAfterTheDelayAndRefundsTheRest(uint64 early, uint96 drawn) public {
        early = early % CLOSE_DELAY;
        drawn = drawn % 1001;
        bytes32 id = open(1000);
        uint256 start = block.timestamp;
        uint64 closesAt = uint64(start) + CLOSE_DELAY;
        vm.expectRevert(abi.encodeWithSelector(Channels.CloseNotRequested.selector, id));
        channels.close(id);
        vm.expectEmit();
        emit Channels.CloseRequested(id, closesAt);
        vm.prank(PAYER);
        channels.requestClose(id);
        vm.assertEq(channels.channelOf(id).closesAt, closesAt);

        vm.warp(start + early);
        vm.expectRevert(
            abi.encodeWithSelector(Channels.TooEarlyToClose.selector, id, closesAt, start + early)
        );
        channels.close(id);
        // Within the delay, and after it until the close itself, the payee redeems.
        if (drawn != 0) redeem(Voucher(id, MODEL, drawn, epoch));

        vm.warp(closesAt - 1);
        vm.expectRevert(
            abi.encodeWithSelector(Channels.TooEarlyToClose.selector, id, closesAt, closesAt - 1)
        );
        channels.close(id);

        vm.warp(closesAt);
        vm.expectEmit();
        emit Channels.Closed(id, PAYER, 1000 - drawn);
        vm.prank(STRANGER);
        channels.close(id);
        vm.assertEq(stable.balanceOf(PAYER), 1000 - drawn);
        vm.assertEq(stable.balanceOf(PROVIDER), drawn);
        vm.assertEq(stable.balanceOf(address(channels)), 0);
        Channel memory channel = channels.channelOf(id);
        vm.assertTrue(channel.closed);
        vm.assertEq(channel.deposit, drawn);
    }

    function testFuzz_onlyThePayerCloses(address caller) public {
        vm.assume(caller != PAYER);
        bytes32 id = open(1000);
        bytes memory consent = sign(PROVIDER_KEY, channels.closeDigest(id));
        bytes memory refusal = abi.encodeWithSelector(Channels.NotPayer.selector, id, caller, PAYER);
        vm.startPrank(caller);
        vm.expectRevert(refusal);
        channels.requestClose(id);
        vm.expectRevert(refusal);
        channels.closeNow(id, consent);
    }

    function test_aRequestCannotBeRepeatedToPutOffTheEnd() public {
        bytes32 id = open(1000);
        vm.startPrank(PAYER);
        channels.requestClose(id);
        uint64 closesAt = uint64(block.timestamp) + CLOSE_DELAY;
        vm.warp(block.timestamp + 5);
        vm.expectRevert(abi.encodeWithSelector(Channels.ChannelClosing.selector, id, closesAt));
        channels.requestClose(id);
    }

    function test_closesAtOnceWithThePayeesSignature() public {
        bytes32 id = open(1000);
        redeem(Voucher(id, MODEL, 400, epoch));
        bytes memory consent = sign(PROVIDER_KEY, channels.closeDigest(id));
        vm.expectEmit();
        emit Channels.Closed(id, PAYER, 600);
        vm.prank(PAYER);
        channels.closeNow(id, consent);
        vm.assertEq(stable.balanceOf(PAYER), 600);
    }

    function test_consentIsForOneChannelAndByThePayee() public {
        bytes32 id = open(1000);
        bytes memory ofAnother = sign(PROVIDER_KEY, channels.closeDigest(open(1)));
        bytes memory byAnother = sign(PAYER_KEY, channels.closeDigest(id));
        bytes memory refusal = abi.encodeWithSelector(Channels.BadCloseSignature.selector, id, PROVIDER);
        vm.startPrank(PAYER);
        vm.expectRevert(refusal);
        channels.closeNow(id, ofAnother);
        vm.expectRevert(refusal);
        channels.closeNow(id, byAnother);
        vm.expectRevert(refusal);
        channels.closeNow(id, "");
    }

    function test_aContractPayeeConsentsByErc1271() public {
        FakeContractAccount payee = new FakeContractAccount(PROVIDER);
        fund(PAYER, address(channels), 10);
        vm.prank(PAYER);
        bytes32 id = channels.open(address(payee), SIGNER, 10, 0);
        bytes32 digest = channels.closeDigest(id);
        bytes memory byAnother = sign(PAYER_KEY, digest);
        vm.expectRevert(abi.encodeWithSelector(Channels.BadCloseSignature.selector, id, address(payee)));
        vm.prank(PAYER);
        channels.closeNow(id, byAnother);
        bytes memory consent = sign(PROVIDER_KEY, digest);
        vm.prank(PAYER);
        channels.closeNow(id, consent);
        vm.assertTrue(channels.channelOf(id).closed);
    }

    function test_nothingMovesOnAClosedChannel() public {
        bytes32 id = open(1000);
        bytes memory consent = sign(PROVIDER_KEY, channels.closeDigest(id));
        vm.prank(PAYER);
        channels.closeNow(id, consent);
        bytes memory refusal = abi.encodeWithSelector(Channels.ChannelClosed.selector, id);
        refuse(Voucher(id, MODEL, 1, epoch), refusal);
        vm.startPrank(PAYER);
        vm.expectRevert(refusal);
        channels.topUp(id, 1);
        vm.expectRevert(refusal);
        channels.requestClose(id);
        vm.expectRevert(refusal);
        channels.close(id);
        vm.expectRevert(refusal);
        channels.closeNow(id, consent);
    }

    function test_aDrainedChannelClosesWithoutARefund() public {
        bytes32 id = open(1000);
        redeem(Voucher(id, MODEL, 5000, epoch));
        bytes memory consent = sign(PROVIDER_KEY, channels.closeDigest(id));
        vm.prank(PAYER);
        channels.closeNow(id, consent);
        vm.assertEq(stable.balanceOf(PAYER), 0);
        vm.assertEq(stable.balanceOf(PROVIDER), 1000);
    }

    // --- a coin that calls back ---

    function test_aCoinCannotReenter() public {
        FakeReentrantToken token = new FakeReentrantToken();
        Channels reentered = new Channels(token, commitments, 0, GUARDIAN);
        token.mint(PAYER, 100);
        vm.startPrank(PAYER);
        token.approve(address(reentered), 1000);
        token.arm(address(reentered), abi.encodeCall(Channels.open, (PROVIDER, SIGNER, 1, "again")));
        bytes32 id = reentered.open(PROVIDER, SIGNER, 50, 0);
        assertReentrancyRefused(token);
        token.arm(address(reentered), abi.encodeCall(Channels.topUp, (id, 1)));
        reentered.topUp(id, 50);
        assertReentrancyRefused(token);

        Redemption memory redemption =
            signedBy(SIGNER_KEY, reentered, Voucher(id, MODEL, 10, epoch), keyId);
        token.arm(address(reentered), abi.encodeCall(Channels.redeem, (redemption)));
        reentered.redeem(redemption);
        assertReentrancyRefused(token);

        reentered.requestClose(id);
        token.arm(address(reentered), abi.encodeCall(Channels.close, (id)));
        reentered.close(id);
        assertReentrancyRefused(token);

        id = reentered.open(PROVIDER, SIGNER, 5, "second");
        bytes memory consent = sign(PROVIDER_KEY, reentered.closeDigest(id));
        token.arm(address(reentered), abi.encodeCall(Channels.closeNow, (id, consent)));
        reentered.closeNow(id, consent);
        assertReentrancyRefused(token);
    }

    function assertReentrancyRefused(FakeReentrantToken token) private view {
        vm.assertEq(
            bytes4(token.answer()), ReentrancyGuardTransient.ReentrancyGuardReentrantCall.selector, "re-entered"
        );
    }
}
