// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Channels, Opening, Voucher} from "../src/Channels.sol";
import {Base} from "./Base.sol";
import {FakeContractAccount} from "./Fakes.sol";

/// @notice Opening and closing by signature, for EOAs and for contract accounts (ERC-1271); pausing.
contract AccountsTest is Base {
    FakeContractAccount private account;

    function setUp() public override {
        super.setUp();
        account = new FakeContractAccount(PAYER);
    }

    function openingOf(address payer) private view returns (Opening memory) {
        return Opening(payer, PROVIDER, SIGNER, 1000, "salt", uint64(block.timestamp));
    }

    function test_openDigestIsTypedData() public view {
        Opening memory o = openingOf(PAYER);
        bytes32 domain = keccak256(
            abi.encode(
                keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"),
                keccak256("Counterfoil"),
                keccak256("1"),
                block.chainid,
                address(channels)
            )
        );
        bytes32 openType = keccak256(
            "Open(address payer,address payee,address signer,uint96 amount,bytes32 salt,uint64 validUntil)"
        );
        bytes32 hash = keccak256(
            abi.encode(openType, o.payer, o.payee, o.signer, o.amount, o.salt, o.validUntil)
        );
        vm.assertEq(channels.openDigest(o), keccak256(abi.encodePacked(hex"1901", domain, hash)));
        bytes32 request = keccak256(abi.encode(keccak256("RequestClose(bytes32 channel)"), o.salt));
        vm.assertEq(channels.requestCloseDigest(o.salt), keccak256(abi.encodePacked(hex"1901", domain, request)));
    }

    /// The same steps for an EOA and for a contract account that it owns.
    function test_opensAndClosesForWhoSigned() public {
        address[2] memory payers = [PAYER, address(account)];
        for (uint256 i = 0; i < 2; ++i) {
            address payer = payers[i];
            fund(payer, address(channels), 1000);
            Opening memory opening = openingOf(payer);
            bytes memory signature = sign(PAYER_KEY, channels.openDigest(opening));
            bytes32 id = channels.idOf(payer, PROVIDER, SIGNER, "salt");
            vm.expectEmit();
            emit Channels.Opened(id, payer, PROVIDER, SIGNER, 1000);
            vm.prank(STRANGER);
            vm.assertEq(channels.openFor(opening, signature), id);
            vm.assertEq(channels.channelOf(id).payer, payer);
            vm.assertEq(stable.balanceOf(payer), 0);
            vm.expectRevert(abi.encodeWithSelector(Channels.AlreadyOpened.selector, id));
            channels.openFor(opening, signature);

            bytes memory request = sign(PAYER_KEY, channels.requestCloseDigest(id));
            uint64 closesAt = uint64(block.timestamp) + CLOSE_DELAY;
            vm.prank(STRANGER);
            channels.requestCloseFor(id, request);
            vm.assertEq(channels.channelOf(id).closesAt, closesAt);
            vm.expectRevert(abi.encodeWithSelector(Channels.ChannelClosing.selector, id, closesAt));
            channels.requestCloseFor(id, request);

            bytes memory byPayer = sign(PAYER_KEY, channels.closeDigest(id));
            bytes memory byPayee = sign(PROVIDER_KEY, channels.closeDigest(id));
            vm.prank(STRANGER);
            channels.closeNowFor(id, byPayer, byPayee);
            vm.assertEq(stable.balanceOf(payer), 1000);
            vm.assertTrue(channels.channelOf(id).closed);
        }
    }

    function test_anotherSignatureOpensNothing() public {
        fund(PAYER, address(channels), 1000);
        fund(address(account), address(channels), 1000);
        Opening memory opening = openingOf(PAYER);
        bytes memory signature = sign(PAYER_KEY, channels.openDigest(opening));
        Opening[6] memory changed = [opening, opening, opening, opening, opening, opening];
        // The owner's signature for itself is none for the account that it owns.
        changed[0] = openingOf(address(account));
        changed[1] = Opening(PAYER, STRANGER, SIGNER, 1000, "salt", opening.validUntil);
        changed[2] = Opening(PAYER, PROVIDER, STRANGER, 1000, "salt", opening.validUntil);
        changed[3] = Opening(PAYER, PROVIDER, SIGNER, 999, "salt", opening.validUntil);
        changed[4] = Opening(PAYER, PROVIDER, SIGNER, 1000, "other", opening.validUntil);
        changed[5] = Opening(PAYER, PROVIDER, SIGNER, 1000, "salt", opening.validUntil + 1);
        for (uint256 i = 0; i < changed.length; ++i) {
            vm.expectRevert(abi.encodeWithSelector(Channels.BadOpenSignature.selector, changed[i].payer));
            channels.openFor(changed[i], signature);
        }
        bytes memory byAnother = sign(SIGNER_KEY, channels.openDigest(opening));
        vm.expectRevert(abi.encodeWithSelector(Channels.BadOpenSignature.selector, PAYER));
        channels.openFor(opening, byAnother);
        vm.warp(opening.validUntil + 1);
        vm.expectRevert(
            abi.encodeWithSelector(
                Channels.OpeningExpired.selector, opening.validUntil, uint256(opening.validUntil) + 1
            )
        );
        channels.openFor(opening, signature);
    }

    function test_bothMustAgreeToCloseAtOnce() public {
        bytes32 id = open(1000);
        bytes memory byPayer = sign(PAYER_KEY, channels.closeDigest(id));
        bytes memory byPayee = sign(PROVIDER_KEY, channels.closeDigest(id));
        bytes memory request = sign(PAYER_KEY, channels.requestCloseDigest(id));
        vm.expectRevert(abi.encodeWithSelector(Channels.BadCloseSignature.selector, id, PAYER));
        channels.closeNowFor(id, byPayee, byPayee);
        vm.expectRevert(abi.encodeWithSelector(Channels.BadCloseSignature.selector, id, PROVIDER));
        channels.closeNowFor(id, byPayer, byPayer);
        // A wish to start closing is no consent to close at once, nor the other way round.
        vm.expectRevert(abi.encodeWithSelector(Channels.BadCloseSignature.selector, id, PAYER));
        channels.closeNowFor(id, request, byPayee);
        vm.expectRevert(abi.encodeWithSelector(Channels.BadCloseSignature.selector, id, PAYER));
        channels.requestCloseFor(id, byPayer);
        vm.expectRevert(abi.encodeWithSelector(Channels.BadCloseSignature.selector, id, PAYER));
        channels.requestCloseFor(id, byPayee);
    }

    function test_onlyTheGuardianPauses() public {
        vm.expectRevert(abi.encodeWithSelector(Channels.NotGuardian.selector, PAYER, GUARDIAN));
        vm.prank(PAYER);
        channels.setPaused(true);
        vm.expectEmit();
        emit Channels.PausedSet(true);
        vm.prank(GUARDIAN);
        channels.setPaused(true);
        vm.assertTrue(channels.paused());
    }

    /// Nothing of what is open depends on the guardian.
    function test_onlyOpeningIsPaused() public {
        register(PROVIDER);
        bytes32 keyId = addKey(PROVIDER, RECEIPT_KEY);
        uint64 epoch = currentEpoch();
        vm.warp(START + EPOCH);
        vm.prank(PROVIDER);
        commitments.post(keyId, epoch, keccak256("root"), 0, 1);
        (bytes32 id, bytes32 other) = (open(1000), open(1000));
        vm.prank(GUARDIAN);
        channels.setPaused(true);

        fund(PAYER, address(channels), 1500);
        vm.startPrank(PAYER);
        vm.expectRevert(abi.encodeWithSelector(Channels.OpeningPaused.selector));
        channels.open(PROVIDER, SIGNER, 1000, "paused");
        Opening memory opening = openingOf(PAYER);
        bytes memory signature = sign(PAYER_KEY, channels.openDigest(opening));
        vm.expectRevert(abi.encodeWithSelector(Channels.OpeningPaused.selector));
        channels.openFor(opening, signature);

        channels.topUp(id, 500);
        channels.redeem(signed(Voucher(id, keccak256("model"), 100, epoch), keyId));
        channels.requestClose(id);
        channels.closeNow(other, sign(PROVIDER_KEY, channels.closeDigest(other)));
        vm.warp(block.timestamp + CLOSE_DELAY);
        channels.close(id);
        vm.stopPrank();
        vm.prank(GUARDIAN);
        channels.setPaused(false);
        vm.prank(PAYER);
        channels.open(PROVIDER, SIGNER, 1000, "paused");
    }
}
