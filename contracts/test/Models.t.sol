// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Models} from "../src/Models.sol";
import {Base} from "./Base.sol";

contract ModelsTest is Base {
    bytes32 private constant MODEL = keccak256("model");

    function testFuzz_firstComeOwns(bytes32 modelId, address first, address second) public {
        vm.assume(modelId != 0 && first != address(0));
        vm.assertEq(models.ownerOf(modelId), address(0));
        vm.expectEmit();
        emit Models.Published(modelId, first);
        vm.prank(first);
        models.publish(modelId);
        vm.assertEq(models.ownerOf(modelId), first);
        vm.expectRevert(abi.encodeWithSelector(Models.AlreadyPublished.selector, modelId, first));
        vm.prank(second);
        models.publish(modelId);
    }

    function test_refusesTheZeroId() public {
        vm.expectRevert(abi.encodeWithSelector(Models.ZeroModelId.selector));
        models.publish(0);
    }

    function test_transfersInTwoSteps() public {
        vm.prank(PAYER);
        models.publish(MODEL);
        vm.expectEmit();
        emit Models.TransferStarted(MODEL, PAYER, PROVIDER);
        vm.prank(PAYER);
        models.transfer(MODEL, PROVIDER);
        vm.assertEq(models.ownerOf(MODEL), PAYER);
        vm.assertEq(models.pendingOwnerOf(MODEL), PROVIDER);
        vm.expectEmit();
        emit Models.Transferred(MODEL, PAYER, PROVIDER);
        vm.prank(PROVIDER);
        models.accept(MODEL);
        vm.assertEq(models.ownerOf(MODEL), PROVIDER);
        vm.assertEq(models.pendingOwnerOf(MODEL), address(0));
    }

    function testFuzz_onlyTheOwnerOffers(address caller) public {
        vm.assume(caller != PAYER);
        vm.prank(PAYER);
        models.publish(MODEL);
        vm.expectRevert(abi.encodeWithSelector(Models.NotOwner.selector, MODEL, caller, PAYER));
        vm.prank(caller);
        models.transfer(MODEL, caller);
    }

    function testFuzz_onlyTheOfferedAccepts(address caller) public {
        vm.assume(caller != PROVIDER);
        vm.startPrank(PAYER);
        models.publish(MODEL);
        models.transfer(MODEL, PROVIDER);
        vm.stopPrank();
        vm.expectRevert(abi.encodeWithSelector(Models.NotPendingOwner.selector, MODEL, caller, PROVIDER));
        vm.prank(caller);
        models.accept(MODEL);
    }

    function test_anOfferCanBeWithdrawn() public {
        vm.startPrank(PAYER);
        models.publish(MODEL);
        models.transfer(MODEL, PROVIDER);
        models.transfer(MODEL, address(0));
        vm.stopPrank();
        vm.expectRevert(abi.encodeWithSelector(Models.NotPendingOwner.selector, MODEL, PROVIDER, address(0)));
        vm.prank(PROVIDER);
        models.accept(MODEL);
        // Nor does the zero address own what was never offered.
        vm.assertEq(models.ownerOf(MODEL), PAYER);
    }

    function testFuzz_nobodyOwnsAnUnpublishedId(bytes32 modelId, address caller) public {
        vm.assume(caller != address(0));
        vm.expectRevert(abi.encodeWithSelector(Models.NotOwner.selector, modelId, caller, address(0)));
        vm.prank(caller);
        models.transfer(modelId, caller);
    }
}
