// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Audits, Commitment} from "../src/Audits.sol";
import {Base} from "./Base.sol";

contract AuditsTest is Base {
    bytes32 private constant ROOT = keccak256("plan");
    Audits private audits;

    function setUp() public override {
        super.setUp();
        audits = new Audits(EPOCH);
    }

    function testFuzz_anybodyCommits(address auditor, bytes32 root, uint32 size) public {
        vm.assume(root != 0);
        size = size % audits.COUNT_MAX() + 1;
        vm.roll(77);
        vm.expectEmit();
        emit Audits.Committed(0, auditor, currentEpoch(), root, size);
        vm.prank(auditor);
        vm.assertEq(audits.commit(currentEpoch(), root, size), 0);
        Commitment memory made = audits.commitment(0);
        vm.assertEq(made.auditor, auditor);
        vm.assertEq(made.epoch, currentEpoch());
        vm.assertEq(made.count, size);
        vm.assertEq(made.blockNumber, 77);
        vm.assertEq(made.time, block.timestamp);
        vm.assertEq(made.root, root);
        vm.assertEq(audits.length(), 1);
        (bool found, uint256 number) = audits.numberOf(auditor, currentEpoch());
        vm.assertTrue(found);
        vm.assertEq(number, 0);
    }

    function test_numbersRunOverAllAuditors() public {
        vm.prank(PAYER);
        audits.commit(currentEpoch(), ROOT, 1);
        vm.prank(PROVIDER);
        vm.assertEq(audits.commit(currentEpoch(), ROOT, 2), 1);
        (bool found, uint256 number) = audits.numberOf(PROVIDER, currentEpoch());
        vm.assertTrue(found);
        vm.assertEq(number, 1);
        (found,) = audits.numberOf(STRANGER, currentEpoch());
        vm.assertFalse(found);
        (found,) = audits.numberOf(PROVIDER, currentEpoch() - 1);
        vm.assertFalse(found);
    }

    function test_onceAnEpoch() public {
        uint64 epoch = currentEpoch();
        vm.startPrank(PAYER);
        audits.commit(epoch, ROOT, 1);
        vm.expectRevert(abi.encodeWithSelector(Audits.AlreadyCommitted.selector, PAYER, epoch, 0));
        audits.commit(epoch, keccak256("a better plan"), 1);
        vm.warp((uint256(epoch) + 1) * EPOCH);
        vm.assertEq(audits.commit(epoch + 1, ROOT, 1), 1);
        vm.stopPrank();
    }

    function testFuzz_onlyForThePresentEpoch(uint64 other) public {
        uint64 epoch = currentEpoch();
        vm.assume(other != epoch);
        vm.expectRevert(abi.encodeWithSelector(Audits.NotCurrentEpoch.selector, other, uint256(epoch)));
        audits.commit(other, ROOT, 1);
    }

    function test_refusesNothingAndTooMuch() public {
        uint32 max = audits.COUNT_MAX();
        uint64 epoch = currentEpoch();
        vm.expectRevert(abi.encodeWithSelector(Audits.ZeroRoot.selector));
        audits.commit(epoch, 0, 1);
        vm.expectRevert(abi.encodeWithSelector(Audits.CountOutOfRange.selector, 0, max));
        audits.commit(epoch, ROOT, 0);
        vm.expectRevert(abi.encodeWithSelector(Audits.CountOutOfRange.selector, max + 1, max));
        audits.commit(epoch, ROOT, max + 1);
        vm.expectRevert(abi.encodeWithSelector(Audits.ZeroEpochSeconds.selector));
        new Audits(0);
    }

    function test_pagesInOrder() public {
        for (uint160 i = 1; i <= 5; ++i) {
            vm.prank(address(i));
            audits.commit(currentEpoch(), bytes32(uint256(i)), uint32(i));
        }
        Commitment[] memory some = audits.page(3, 100);
        vm.assertEq(some.length, 2);
        vm.assertEq(some[0].auditor, address(4));
        vm.assertEq(some[1].root, bytes32(uint256(5)));
        vm.assertEq(audits.page(0, 2).length, 2);
        vm.assertEq(audits.page(5, 1).length, 0);
        vm.expectRevert(abi.encodeWithSelector(Audits.UnknownCommitment.selector, 5, 5));
        audits.commitment(5);
    }

    function test_aPageHasABound() public {
        for (uint160 i = 1; i <= 257; ++i) {
            vm.prank(address(i));
            audits.commit(currentEpoch(), ROOT, 1);
        }
        vm.assertEq(audits.page(0, type(uint256).max).length, 256);
    }
}
