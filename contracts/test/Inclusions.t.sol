// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Claims} from "../src/Claims.sol";
import {Commitments} from "../src/Commitments.sol";
import {Demand, Inclusions, Standing, State} from "../src/Inclusions.sol";
import {Merkle} from "../src/Merkle.sol";
import {Providers} from "../src/Providers.sol";
import {Base} from "./Base.sol";

contract InclusionsTest is Base {
    bytes32 private keyId;
    uint64 private epoch;
    uint256 private dueAt;

    function setUp() public override {
        super.setUp();
        register(PROVIDER);
        keyId = addKey(PROVIDER, RECEIPT_KEY);
        epoch = currentEpoch();
        dueAt = (uint256(epoch) + 2) * EPOCH;
        fund(STRANGER, address(inclusions), 10 * BOND);
        vm.warp(dueAt);
    }

    function claim(uint64 sequence) private view returns (bytes memory) {
        return claimOf(PROVIDER, keyId, sequence, epoch);
    }

    function demand(bytes memory data) private returns (bytes32) {
        (bytes32 r, bytes32 s) = signLow(RECEIPT_KEY, sha256(data));
        vm.prank(STRANGER);
        return inclusions.demand(data, r, s);
    }

    function refuse(bytes memory data, bytes memory refusal) private {
        (bytes32 r, bytes32 s) = signLow(RECEIPT_KEY, sha256(data));
        vm.expectRevert(refusal);
        vm.prank(STRANGER);
        inclusions.demand(data, r, s);
    }

    /// Posts claims [first, first + size) and returns the path of one of them.
    function post(uint64 first, uint64 size, uint64 sequence) private returns (bytes32[] memory path) {
        bytes32[] memory leaves = new bytes32[](size);
        for (uint64 i = 0; i < size; ++i) {
            leaves[i] = Merkle.leaf(abi.encodePacked(sha256(claim(first + i))));
        }
        path = pathOf(leaves, sequence - first);
        bytes32 root = Merkle.root(leaves);
        vm.prank(PROVIDER);
        commitments.post(keyId, epoch, root, first, first + size);
    }

    /// Siblings from the leaf upwards, level by level; an odd last node moves up without one.
    function pathOf(bytes32[] memory leaves, uint256 index) private pure returns (bytes32[] memory path) {
        bytes32[] memory level = new bytes32[](leaves.length);
        for (uint256 i = 0; i < leaves.length; ++i) {
            level[i] = leaves[i];
        }
        uint256 length;
        bytes32[32] memory found;
        for (uint256 size = level.length; size > 1; size = (size + 1) / 2) {
            uint256 sibling = index ^ 1;
            if (sibling < size) found[length++] = level[sibling];
            for (uint256 i = 0; i < size / 2; ++i) {
                level[i] = Merkle.node(level[2 * i], level[2 * i + 1]);
            }
            if (size % 2 == 1) level[size / 2] = level[size - 1];
            index /= 2;
        }
        path = new bytes32[](length);
        for (uint256 i = 0; i < length; ++i) {
            path[i] = found[i];
        }
    }

    function assertStanding(uint64 open, uint64 faults) private view {
        Standing memory standing = inclusions.standingOf(PROVIDER);
        vm.assertEq(standing.open, open, "open");
        vm.assertEq(standing.faults, faults, "faults");
    }

    // --- demands ---

    function test_aDemandTakesTheBondAndWaits() public {
        bytes memory data = claim(3);
        bytes32 claimId = sha256(data);
        uint64 answerBy = uint64(block.timestamp) + ANSWER;
        vm.expectEmit();
        emit Inclusions.Demanded(claimId, PROVIDER, STRANGER, keyId, 3, epoch, answerBy);
        vm.assertEq(demand(data), claimId);
        Demand memory made = inclusions.demandOf(claimId);
        vm.assertEq(made.by, STRANGER);
        vm.assertEq(made.answerBy, answerBy);
        vm.assertTrue(made.state == State.Open);
        vm.assertEq(stable.balanceOf(address(inclusions)), BOND);
        assertStanding(1, 0);
        refuse(data, abi.encodeWithSelector(Inclusions.AlreadyDemanded.selector, claimId, State.Open));
    }

    function testFuzz_notBeforeTheRootIsDueNorAfterTheWindow(uint32 early, uint32 late) public {
        bytes memory data = claim(0);
        uint256 time = dueAt - 1 - early % (2 * EPOCH);
        vm.warp(time);
        refuse(data, abi.encodeWithSelector(Inclusions.RootNotDue.selector, epoch, dueAt, time));
        time = dueAt + WINDOW + 1 + late;
        vm.warp(time);
        refuse(
            data,
            abi.encodeWithSelector(Inclusions.DemandTooLate.selector, sha256(data), dueAt + WINDOW, time)
        );
        vm.warp(dueAt + WINDOW);
        demand(data);
    }

    function test_onlyClaimsThatTheProvidersKeySigned() public {
        bytes memory data = claim(0);
        (bytes32 r, bytes32 s) = signLow(RECEIPT_KEY + 1, sha256(data));
        vm.expectRevert(abi.encodeWithSelector(Inclusions.BadClaimSignature.selector, sha256(data), keyId));
        inclusions.demand(data, r, s);

        bytes memory others = claimOf(STRANGER, keyId, 0, epoch);
        refuse(others, abi.encodeWithSelector(Inclusions.NotKeyOwner.selector, keyId, STRANGER, PROVIDER));
        bytes32 unknown = keccak256("unknown");
        refuse(
            claimOf(PROVIDER, unknown, 0, epoch),
            abi.encodeWithSelector(Inclusions.NotKeyOwner.selector, unknown, PROVIDER, address(0))
        );
        refuse(
            claimOf(address(0), unknown, 0, epoch),
            abi.encodeWithSelector(Inclusions.NotKeyOwner.selector, unknown, address(0), address(0))
        );
        bytes32 domain = providers.domain();
        data[31] ^= 0x01;
        refuse(
            data,
            abi.encodeWithSelector(Inclusions.WrongDomain.selector, domain ^ bytes32(uint256(1)), domain)
        );
        refuse(new bytes(511), abi.encodeWithSelector(Claims.WrongLength.selector, 511, 512));
    }

    /// The key was added in `epoch` for a year: the epoch before and the one after its end are not its own.
    function test_onlyEpochsInWhichTheKeyWasValid() public {
        bytes memory before = claimOf(PROVIDER, keyId, 0, epoch - 1);
        refuse(before, abi.encodeWithSelector(Inclusions.KeyNotValid.selector, keyId, epoch - 1));
        uint64 last = uint64((START + 365 days) / EPOCH);
        vm.warp((uint256(last) + 4) * EPOCH);
        bytes memory late = claimOf(PROVIDER, keyId, 0, last + 1);
        refuse(late, abi.encodeWithSelector(Inclusions.KeyNotValid.selector, keyId, last + 1));
        demand(claimOf(PROVIDER, keyId, 0, last));
    }

    // --- answers ---

    function testFuzz_aProofAnswers(uint8 size_, uint8 pick, uint8 first_) public {
        uint64 size = uint64(size_) % 40 + 1;
        uint64 first = first_;
        uint64 sequence = first + pick % size;
        if (first != 0) {
            vm.prank(PROVIDER);
            commitments.post(keyId, epoch - 1, keccak256("earlier"), 0, first);
        }
        bytes memory data = claim(sequence);
        demand(data);
        // The root may come late, within the time to answer.
        bytes32[] memory path = post(first, size, sequence);
        vm.warp(block.timestamp + ANSWER);
        vm.expectEmit();
        emit Inclusions.Answered(sha256(data), PROVIDER);
        vm.prank(PAYER);
        inclusions.answer(data, path);
        vm.assertTrue(inclusions.demandOf(sha256(data)).state == State.Answered);
        assertStanding(0, 0);
        vm.assertEq(inclusions.owed(PROVIDER), BOND);
        refuse(
            data, abi.encodeWithSelector(Inclusions.AlreadyDemanded.selector, sha256(data), State.Answered)
        );
        vm.expectEmit();
        emit Inclusions.Collected(PROVIDER, BOND);
        vm.prank(PROVIDER);
        vm.assertEq(inclusions.collect(), BOND);
        vm.assertEq(stable.balanceOf(PROVIDER), BOND);
        vm.expectRevert(abi.encodeWithSelector(Inclusions.NothingOwed.selector, PROVIDER));
        vm.prank(PROVIDER);
        inclusions.collect();
    }

    function test_whatIsNotInTheBatchAnswersNothing() public {
        bytes memory data = claim(9);
        demand(data);
        bytes32[] memory path = new bytes32[](0);
        vm.expectRevert(abi.encodeWithSelector(Inclusions.OutsideBatch.selector, keyId, epoch, 9, 0, 0));
        inclusions.answer(data, path);
        path = post(0, 8, 1);
        vm.expectRevert(abi.encodeWithSelector(Inclusions.OutsideBatch.selector, keyId, epoch, 9, 0, 8));
        inclusions.answer(data, path);

        // Another claim at a number of the batch, with the true path of that number.
        bytes memory twin = claim(1);
        twin[511] ^= 0x01;
        demand(twin);
        bytes32 root = commitments.batch(keyId, epoch).root;
        vm.expectRevert(abi.encodeWithSelector(Inclusions.NotIncluded.selector, sha256(twin), root));
        inclusions.answer(twin, path);

        bytes memory never = claim(1);
        vm.expectRevert(
            abi.encodeWithSelector(Inclusions.NotDemanded.selector, sha256(never), State.None)
        );
        inclusions.answer(never, path);
        vm.expectRevert(
            abi.encodeWithSelector(Inclusions.NotDemanded.selector, sha256(never), State.None)
        );
        inclusions.fail(never);
    }

    // --- faults ---

    function test_noAnswerIsAFaultAndKeepsTheStake() public {
        bytes memory data = claim(0);
        demand(data);
        uint64 answerBy = inclusions.demandOf(sha256(data)).answerBy;
        vm.warp(answerBy);
        vm.expectRevert(
            abi.encodeWithSelector(
                Inclusions.StillAnswerable.selector, sha256(data), answerBy, uint256(answerBy)
            )
        );
        inclusions.fail(data);
        vm.warp(answerBy + 1);
        bytes32[] memory path = post(0, 1, 0);
        vm.expectRevert(
            abi.encodeWithSelector(
                Inclusions.AnswerTooLate.selector, sha256(data), answerBy, uint256(answerBy) + 1
            )
        );
        inclusions.answer(data, path);

        vm.startPrank(PROVIDER);
        providers.requestExit();
        vm.warp(block.timestamp + UNBONDING);
        vm.expectRevert(abi.encodeWithSelector(Providers.DemandsOpen.selector, PROVIDER, 1));
        providers.withdraw();
        vm.stopPrank();

        vm.expectEmit();
        emit Inclusions.Failed(sha256(data), PROVIDER, keyId, 0, epoch);
        inclusions.fail(data);
        assertStanding(0, 1);
        vm.assertEq(inclusions.owed(STRANGER), BOND);
        vm.expectRevert(abi.encodeWithSelector(Inclusions.NotDemanded.selector, sha256(data), State.Failed));
        inclusions.fail(data);
        vm.expectRevert(abi.encodeWithSelector(Providers.FaultRecorded.selector, PROVIDER, 1));
        vm.prank(PROVIDER);
        providers.withdraw();
        vm.assertEq(stable.balanceOf(address(providers)), STAKE);
    }

    function test_anAnsweredDemandLetsTheStakeGo() public {
        bytes memory data = claim(0);
        demand(data);
        vm.startPrank(PROVIDER);
        providers.requestExit();
        vm.stopPrank();
        inclusions.answer(data, post(0, 1, 0));
        vm.warp(block.timestamp + UNBONDING);
        vm.prank(PROVIDER);
        providers.withdraw();
        vm.assertEq(stable.balanceOf(PROVIDER), STAKE);
    }

    // --- revocation ---

    /// A stolen key frames nobody: what it signs cannot be demanded once it is revoked. What was demanded before stays.
    function test_aRevokedKeysClaimsAreDemandedNoMore() public {
        bytes memory data = claim(0);
        demand(data);
        vm.prank(PROVIDER);
        providers.revokeKey(keyId);
        refuse(
            claim(1),
            abi.encodeWithSelector(Inclusions.KeyRevoked.selector, keyId, uint64(block.timestamp))
        );
        assertStanding(1, 0);
        // The root can still be posted, and the old demand answered.
        inclusions.answer(data, post(0, 2, 0));
        assertStanding(0, 0);
    }

    function test_anOldDemandOfARevokedKeyStillFails() public {
        bytes memory data = claim(0);
        demand(data);
        vm.prank(PROVIDER);
        providers.revokeKey(keyId);
        vm.warp(block.timestamp + ANSWER + 1);
        inclusions.fail(data);
        assertStanding(0, 1);
    }
}
