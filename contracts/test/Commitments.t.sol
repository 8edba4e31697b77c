// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Batch, Commitments} from "../src/Commitments.sol";
import {Base} from "./Base.sol";

contract CommitmentsTest is Base {
    bytes32 private constant ROOT = keccak256("root");
    bytes32 private keyId;
    uint64 private epoch;

    function setUp() public override {
        super.setUp();
        register(PROVIDER);
        keyId = addKey(PROVIDER, RECEIPT_KEY);
        epoch = currentEpoch();
        vm.warp(START + EPOCH);
    }

    function post(uint64 of_, uint64 first, uint64 end) private {
        vm.prank(PROVIDER);
        commitments.post(keyId, of_, ROOT, first, end);
    }

    function test_postsARoot() public {
        vm.assertFalse(commitments.covers(PROVIDER, keyId, epoch));
        vm.expectEmit();
        emit Commitments.Posted(keyId, PROVIDER, epoch, ROOT, 0, 3);
        post(epoch, 0, 3);
        Batch memory batch = commitments.batch(keyId, epoch);
        vm.assertEq(batch.root, ROOT);
        vm.assertEq(batch.first, 0);
        vm.assertEq(batch.end, 3);
        vm.assertEq(batch.postedAt, block.timestamp);
        vm.assertTrue(commitments.covers(PROVIDER, keyId, epoch));
        vm.assertFalse(commitments.covers(PROVIDER, keyId, epoch - 1));
        vm.assertFalse(commitments.covers(PAYER, keyId, epoch));
        (uint64 lastEpoch, uint64 end) = commitments.head(keyId);
        vm.assertEq(lastEpoch, epoch);
        vm.assertEq(end, 3);
    }

    function testFuzz_onlyTheKeysProviderPosts(address caller) public {
        vm.assume(caller != PROVIDER);
        vm.expectRevert(abi.encodeWithSelector(Commitments.NotKeyOwner.selector, keyId, caller, PROVIDER));
        vm.prank(caller);
        commitments.post(keyId, epoch, ROOT, 0, 1);
    }

    function testFuzz_anUnknownKeyPostsNothing(bytes32 unknown) public {
        vm.assume(unknown != keyId);
        vm.expectRevert(
            abi.encodeWithSelector(Commitments.NotKeyOwner.selector, unknown, PROVIDER, address(0))
        );
        vm.prank(PROVIDER);
        commitments.post(unknown, epoch, ROOT, 0, 1);
    }

    function testFuzz_anEpochMustBeClosed(uint64 ahead) public {
        uint64 current = currentEpoch();
        uint64 open = ahead > type(uint64).max - current ? ahead : current + ahead;
        vm.expectRevert(abi.encodeWithSelector(Commitments.EpochStillOpen.selector, open, uint256(current)));
        post(open, 0, 1);
        // Its last second is still open, the next is not.
        vm.warp((uint256(current) + 1) * EPOCH - 1);
        vm.expectRevert(abi.encodeWithSelector(Commitments.EpochStillOpen.selector, current, uint256(current)));
        post(current, 0, 1);
        vm.warp((uint256(current) + 1) * EPOCH);
        post(current, 0, 1);
    }

    function testFuzz_epochsRise(uint64 next) public {
        next = next % (epoch + 1);
        post(epoch, 0, 1);
        vm.expectRevert(abi.encodeWithSelector(Commitments.EpochNotAfterLast.selector, keyId, next, epoch));
        post(next, 1, 2);
        vm.warp(block.timestamp + EPOCH);
        post(epoch + 1, 1, 2);
    }

    function test_epochZeroCanBePostedOnce() public {
        post(0, 0, 1);
        vm.expectRevert(abi.encodeWithSelector(Commitments.EpochNotAfterLast.selector, keyId, 0, 0));
        post(0, 1, 2);
        post(1, 1, 2);
    }

    function testFuzz_rangesJoin(uint64 first, uint64 end) public {
        vm.assume(first != 0);
        vm.expectRevert(abi.encodeWithSelector(Commitments.SequenceGap.selector, keyId, first, 0));
        post(epoch - 1, first, end);
        post(epoch - 1, 0, 7);
        vm.assume(first != 7);
        vm.expectRevert(abi.encodeWithSelector(Commitments.SequenceGap.selector, keyId, first, 7));
        post(epoch, first, end);
    }

    function testFuzz_aRangeIsNotEmpty(uint64 end) public {
        end = end % 8;
        post(epoch - 1, 0, 7);
        vm.expectRevert(abi.encodeWithSelector(Commitments.EmptyRange.selector, keyId, 7, end));
        post(epoch, 7, end);
        post(epoch, 7, 8);
    }

    function test_refusesTheZeroRootAndEpochsOfNoLength() public {
        vm.expectRevert(abi.encodeWithSelector(Commitments.ZeroRoot.selector, keyId, epoch));
        vm.prank(PROVIDER);
        commitments.post(keyId, epoch, 0, 0, 1);
        vm.expectRevert(abi.encodeWithSelector(Commitments.ZeroEpochSeconds.selector));
        new Commitments(0);
    }

    function test_eachKeyHasItsOwnSequence() public {
        bytes32 second = addKey(PROVIDER, RECEIPT_KEY + 1);
        post(epoch, 0, 7);
        vm.prank(PROVIDER);
        commitments.post(second, epoch, ROOT, 0, 2);
        vm.assertEq(commitments.batch(second, epoch).end, 2);
        vm.assertEq(commitments.batch(keyId, epoch).end, 7);
        vm.assertEq(commitments.keyOf(PROVIDER, epoch), second, "the newest with a root");
        vm.warp(block.timestamp + EPOCH);
        post(epoch + 1, 7, 8);
        vm.assertEq(commitments.keyOf(PROVIDER, epoch + 1), keyId);
        vm.assertEq(commitments.keyOf(PROVIDER, epoch + 2), 0);
        vm.assertEq(commitments.keyOf(STRANGER, epoch), 0);
    }

    function testFuzz_pagesOfKeysCoverEachOnce(uint256 from, uint256 limit) public {
        bytes32[3] memory all = [keyId, addKey(PROVIDER, RECEIPT_KEY + 1), addKey(PROVIDER, RECEIPT_KEY + 2)];
        (from, limit) = (from % 5, limit % 5);
        bytes32[] memory page = commitments.keysOf(PROVIDER, from, limit);
        uint256 left = from >= 3 ? 0 : 3 - from;
        vm.assertEq(page.length, left < limit ? left : limit);
        for (uint256 i = 0; i < page.length; ++i) {
            vm.assertEq(page[i], all[from + i]);
        }
        vm.assertEq(commitments.keysOf(PROVIDER, 0, type(uint256).max).length, 3);
    }

    /// A batch has at most 2^32 leaves, and numbers end at 2^56.
    function test_aBatchAndASequenceHaveAnEnd() public {
        uint64 most = 2 ** 32;
        vm.expectRevert(
            abi.encodeWithSelector(Commitments.TooManyLeaves.selector, keyId, 0, most + 1, 2 ** 32)
        );
        post(epoch - 1, 0, most + 1);
        post(epoch - 1, 0, most);
        vm.assertEq(commitments.batch(keyId, epoch - 1).end, most);
    }

    function testFuzz_onlyProvidersAdmitsKeys(address caller) public {
        vm.assume(caller != address(providers));
        vm.expectRevert(
            abi.encodeWithSelector(Commitments.NotRegistry.selector, caller, address(providers))
        );
        vm.prank(caller);
        commitments.admit(keyId, caller);
    }

    function test_aRevokedKeyMayStillPost() public {
        vm.prank(PROVIDER);
        providers.revokeKey(keyId);
        post(epoch, 0, 1);
        vm.assertTrue(commitments.covers(PROVIDER, keyId, epoch));
    }
}
