// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {P256} from "@openzeppelin/contracts/utils/cryptography/P256.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {ExactTransfer} from "../src/ExactTransfer.sol";
import {Key, Provider, Providers, Terms} from "../src/Providers.sol";
import {Base} from "./Base.sol";
import {FakeFeeToken, FakeReentrantToken} from "./Fakes.sol";

contract ProvidersTest is Base {
    string private constant ENDPOINT = "https://provider.example";

    function test_registersWithItsStake() public {
        fund(PROVIDER, address(providers), STAKE);
        vm.expectEmit();
        emit Providers.Registered(PROVIDER, ENDPOINT, STAKE);
        vm.prank(PROVIDER);
        providers.register(ENDPOINT, STAKE);
        Provider memory record = providers.provider(PROVIDER);
        vm.assertEq(record.provider, PROVIDER);
        vm.assertEq(record.stake, STAKE);
        vm.assertEq(record.exitsAt, 0);
        vm.assertEq(record.endpoint, ENDPOINT);
        vm.assertEq(stable.balanceOf(address(providers)), STAKE);
        vm.assertEq(providers.count(), 1);
    }

    function test_refusesASecondRegistrationNoStakeAndBadEndpoints() public {
        vm.startPrank(PROVIDER);
        vm.expectRevert(abi.encodeWithSelector(Providers.ZeroStake.selector));
        providers.register(ENDPOINT, 0);
        vm.expectRevert(abi.encodeWithSelector(Providers.EndpointLength.selector, 0, 256));
        providers.register("", 1);
        vm.expectRevert(abi.encodeWithSelector(Providers.EndpointLength.selector, 257, 256));
        providers.register(string(new bytes(257)), 1);
        vm.stopPrank();
        register(PROVIDER);
        vm.expectRevert(abi.encodeWithSelector(Providers.AlreadyRegistered.selector, PROVIDER));
        vm.prank(PROVIDER);
        providers.register(ENDPOINT, 1);
    }

    function test_takesTheLongestEndpoint() public {
        register(PROVIDER);
        string memory longest = string(new bytes(256));
        vm.expectEmit();
        emit Providers.EndpointSet(PROVIDER, longest);
        vm.startPrank(PROVIDER);
        providers.setEndpoint(longest);
        vm.assertEq(providers.provider(PROVIDER).endpoint, longest);
        vm.expectRevert(abi.encodeWithSelector(Providers.EndpointLength.selector, 257, 256));
        providers.setEndpoint(string(new bytes(257)));
    }

    function testFuzz_addsStake(uint96 amount) public {
        vm.assume(amount != 0);
        register(PROVIDER);
        fund(PROVIDER, address(providers), amount);
        vm.expectEmit();
        emit Providers.StakeAdded(PROVIDER, amount, STAKE + amount);
        vm.prank(PROVIDER);
        providers.addStake(amount);
        vm.assertEq(providers.provider(PROVIDER).stake, STAKE + amount);
        vm.assertEq(stable.balanceOf(address(providers)), STAKE + amount);
    }

    function test_strangersCanDoNothing() public {
        bytes memory refusal = abi.encodeWithSelector(Providers.NotRegistered.selector, STRANGER);
        vm.startPrank(STRANGER);
        vm.expectRevert(refusal);
        providers.addStake(1);
        vm.expectRevert(refusal);
        providers.setEndpoint(ENDPOINT);
        vm.expectRevert(refusal);
        providers.requestExit();
        vm.expectRevert(refusal);
        providers.withdraw();
        vm.expectRevert(refusal);
        providers.addKey(0, 0, 0, 1, 0, 0);
    }

    function test_addStakeRefusesZero() public {
        register(PROVIDER);
        vm.expectRevert(abi.encodeWithSelector(Providers.ZeroStake.selector));
        vm.prank(PROVIDER);
        providers.addStake(0);
    }

    function test_refusesACoinWithAFee() public {
        FakeFeeToken token = new FakeFeeToken();
        Providers taxed = new Providers(token, terms());
        token.mint(PROVIDER, 1000);
        vm.startPrank(PROVIDER);
        token.approve(address(taxed), 1000);
        vm.expectRevert(
            abi.encodeWithSelector(ExactTransfer.InexactTransfer.selector, address(token), 1000, 990)
        );
        taxed.register(ENDPOINT, 1000);
    }

    // --- exit ---

    function testFuzz_leavesAfterTheDelayAndNotASecondBefore(uint64 early) public {
        early = early % UNBONDING;
        register(PROVIDER);
        vm.startPrank(PROVIDER);
        vm.expectRevert(abi.encodeWithSelector(Providers.NotExiting.selector, PROVIDER));
        providers.withdraw();
        uint64 exitsAt = uint64(START) + UNBONDING;
        vm.expectEmit();
        emit Providers.ExitRequested(PROVIDER, exitsAt);
        providers.requestExit();
        vm.assertEq(providers.provider(PROVIDER).exitsAt, exitsAt);

        vm.warp(START + early);
        vm.expectRevert(
            abi.encodeWithSelector(Providers.StillBonded.selector, PROVIDER, exitsAt, START + early)
        );
        providers.withdraw();

        vm.warp(exitsAt - 1);
        vm.expectRevert(
            abi.encodeWithSelector(Providers.StillBonded.selector, PROVIDER, exitsAt, exitsAt - 1)
        );
        providers.withdraw();

        vm.warp(exitsAt);
        vm.expectEmit();
        emit Providers.Withdrawn(PROVIDER, STAKE);
        providers.withdraw();
        vm.assertEq(stable.balanceOf(PROVIDER), STAKE);
        vm.assertEq(stable.balanceOf(address(providers)), 0);
        vm.assertEq(providers.provider(PROVIDER).provider, address(0));
        vm.expectRevert(abi.encodeWithSelector(Providers.NotRegistered.selector, PROVIDER));
        providers.withdraw();
    }

    function test_oneThatLeavesBindsNothingNewButCanBeReached() public {
        register(PROVIDER);
        vm.startPrank(PROVIDER);
        providers.requestExit();
        bytes memory refusal =
            abi.encodeWithSelector(Providers.Exiting.selector, PROVIDER, uint64(START) + UNBONDING);
        vm.expectRevert(refusal);
        providers.addStake(1);
        vm.expectRevert(refusal);
        providers.requestExit();
        vm.expectRevert(refusal);
        providers.addKey(0, 0, 0, 1, 0, 0);
        providers.setEndpoint("https://still.here");
        vm.assertEq(providers.provider(PROVIDER).endpoint, "https://still.here");
    }

    function test_oneThatReturnsIsListedOnce() public {
        register(PROVIDER);
        vm.startPrank(PROVIDER);
        providers.requestExit();
        vm.warp(START + UNBONDING);
        providers.withdraw();
        vm.stopPrank();
        Provider[] memory gone = providers.page(0, 10);
        vm.assertEq(gone.length, 1);
        vm.assertEq(gone[0].provider, address(0));
        register(PROVIDER);
        vm.assertEq(providers.count(), 1);
        vm.assertEq(providers.page(0, 10)[0].provider, PROVIDER);
    }

    function testFuzz_pagesCoverEverybodyOnce(uint256 from, uint256 limit) public {
        for (uint160 i = 1; i <= 5; ++i) {
            register(address(i));
        }
        (from, limit) = (from % 8, limit % 8);
        Provider[] memory page = providers.page(from, limit);
        uint256 left = from >= 5 ? 0 : 5 - from;
        vm.assertEq(page.length, left < limit ? left : limit);
        for (uint256 i = 0; i < page.length; ++i) {
            vm.assertEq(page[i].provider, address(uint160(from + i + 1)));
        }
    }

    function test_aPageIsBounded() public {
        for (uint160 i = 1; i <= 101; ++i) {
            register(address(i));
        }
        vm.assertEq(providers.page(0, type(uint256).max).length, 100);
        vm.assertEq(providers.page(100, type(uint256).max).length, 1);
    }

    // --- receipt keys ---

    function test_domainIsTheClaimsFirstWord() public {
        bytes32 expected = sha256(
            bytes.concat(bytes("counterfoil/claim/1"), hex"00", abi.encode(block.chainid), bytes20(address(providers)))
        );
        vm.assertEq(providers.domain(), expected);
        vm.chainId(5);
        vm.assertFalse(providers.domain() == expected, "another chain, another domain");
    }

    function test_addsAKeyWithItsProof() public {
        register(PROVIDER);
        (bytes32 x, bytes32 y) = point(RECEIPT_KEY);
        bytes32 id = sha256(abi.encodePacked(hex"04", x, y));
        (bytes32 r, bytes32 s) = proof(RECEIPT_KEY, PROVIDER, 5, uint64(START) + 9);
        vm.expectEmit();
        emit Providers.KeyAdded(id, PROVIDER, 5, uint64(START) + 9, x, y);
        vm.prank(PROVIDER);
        vm.assertEq(providers.addKey(x, y, 5, uint64(START) + 9, r, s), id);
        Key memory key = providers.key(id);
        vm.assertEq(key.provider, PROVIDER);
        vm.assertEq(key.notBefore, 5);
        vm.assertEq(key.notAfter, START + 9);
        vm.assertEq(key.revokedAt, 0);
        vm.assertEq(key.x, x);
        vm.assertEq(key.y, y);
        vm.assertEq(providers.keyOwner(id), PROVIDER);
        vm.assertEq(providers.keyId(x, y), id);
    }

    /// The digest as the spec writes it, byte by byte.
    function testFuzz_possessionDigest(address provider, uint64 notBefore, uint64 notAfter) public view {
        bytes32 expected = sha256(
            bytes.concat(
                bytes("counterfoil/key/1"),
                hex"00",
                providers.domain(),
                abi.encode(provider),
                bytes8(notBefore),
                bytes8(notAfter)
            )
        );
        vm.assertEq(providers.possessionDigest(provider, notBefore, notAfter), expected);
    }

    function test_aKeyBelongsToOneProviderForEver() public {
        register(PROVIDER);
        register(PAYER);
        bytes32 id = addKey(PROVIDER, RECEIPT_KEY);
        vm.prank(PROVIDER);
        providers.revokeKey(id);
        uint64 notAfter = uint64(START) + 1000;
        (bytes32 x, bytes32 y) = point(RECEIPT_KEY);
        (bytes32 r, bytes32 s) = proof(RECEIPT_KEY, PAYER, 0, notAfter);
        vm.expectRevert(abi.encodeWithSelector(Providers.KeyTaken.selector, id, PROVIDER));
        vm.prank(PAYER);
        providers.addKey(x, y, 0, notAfter, r, s);
    }

    function test_refusesProofsForAnotherProviderIntervalOrKey() public {
        register(PROVIDER);
        uint64 notAfter = uint64(START) + 1000;
        refuseProof(RECEIPT_KEY, PAYER, 0, notAfter, false);
        refuseProof(RECEIPT_KEY, PROVIDER, 1, notAfter, false);
        refuseProof(RECEIPT_KEY, PROVIDER, 0, notAfter + 1, false);
        refuseProof(RECEIPT_KEY + 1, PROVIDER, 0, notAfter, false);
        refuseProof(RECEIPT_KEY, PROVIDER, 0, notAfter, true);
    }

    function test_refusesEmptyAndExpiredValidity() public {
        register(PROVIDER);
        vm.startPrank(PROVIDER);
        vm.expectRevert(abi.encodeWithSelector(Providers.EmptyValidity.selector, 7, 7));
        providers.addKey(0, 0, 7, 7, 0, 0);
        vm.expectRevert(abi.encodeWithSelector(Providers.ExpiredValidity.selector, uint64(START), START));
        providers.addKey(0, 0, 7, uint64(START), 0, 0);
    }

    function test_worksWhereThePrecompileIsMissing() public {
        vm.mockCall(address(0x100), "", "");
        (bytes32 x, bytes32 y) = point(RECEIPT_KEY);
        (bytes32 r, bytes32 s) = signLow(RECEIPT_KEY, keccak256("any"));
        (, bytes memory answer) = address(0x100).staticcall(abi.encode(keccak256("any"), r, s, x, y));
        vm.assertEq(answer.length, 0, "the precompile is there");
        register(PROVIDER);
        refuseProof(RECEIPT_KEY + 1, PROVIDER, 0, uint64(START) + 1000, false);
        vm.assertEq(providers.keyOwner(addKey(PROVIDER, RECEIPT_KEY)), PROVIDER);
    }

    function testFuzz_revokesOnceAndByItsOwnerOnly(address caller, uint32 later) public {
        vm.assume(caller != PROVIDER);
        register(PROVIDER);
        bytes32 id = addKey(PROVIDER, RECEIPT_KEY);
        vm.expectRevert(abi.encodeWithSelector(Providers.NotKeyOwner.selector, id, caller, PROVIDER));
        vm.prank(caller);
        providers.revokeKey(id);

        vm.warp(START + later);
        vm.expectEmit();
        emit Providers.KeyRevoked(id, PROVIDER, uint64(START) + later);
        vm.startPrank(PROVIDER);
        providers.revokeKey(id);
        vm.assertEq(providers.key(id).revokedAt, START + later);
        vm.expectRevert(abi.encodeWithSelector(Providers.AlreadyRevoked.selector, id, uint64(START) + later));
        providers.revokeKey(id);
    }

    function test_aCoinCannotReenter() public {
        FakeReentrantToken token = new FakeReentrantToken();
        Providers reentered = new Providers(token, Terms(0, EPOCH, ANSWER, WINDOW, BOND));
        token.mint(PROVIDER, 20);
        vm.startPrank(PROVIDER);
        token.approve(address(reentered), 20);
        token.arm(address(reentered), abi.encodeCall(Providers.register, (ENDPOINT, 1)));
        reentered.register(ENDPOINT, 10);
        assertReentrancyRefused(token);
        token.arm(address(reentered), abi.encodeCall(Providers.addStake, (1)));
        reentered.addStake(10);
        assertReentrancyRefused(token);
        reentered.requestExit();
        token.arm(address(reentered), abi.encodeCall(Providers.withdraw, ()));
        reentered.withdraw();
        assertReentrancyRefused(token);
    }

    function assertReentrancyRefused(FakeReentrantToken token) private view {
        vm.assertEq(
            bytes4(token.answer()), ReentrancyGuardTransient.ReentrancyGuardReentrantCall.selector, "re-entered"
        );
    }

    /// A proof by `key` for these words must not add RECEIPT_KEY for PROVIDER over [0, START + 1000].
    function refuseProof(uint256 key, address provider, uint64 notBefore, uint64 notAfter, bool highS) private {
        (bytes32 r, bytes32 s) = proof(key, provider, notBefore, notAfter);
        if (highS) s = bytes32(P256.N - uint256(s));
        (bytes32 x, bytes32 y) = point(RECEIPT_KEY);
        uint64 end = uint64(START) + 1000;
        bytes32 digest = providers.possessionDigest(PROVIDER, 0, end);
        bytes32 id = providers.keyId(x, y);
        vm.expectRevert(abi.encodeWithSelector(Providers.BadProofOfPossession.selector, id, digest));
        vm.prank(PROVIDER);
        providers.addKey(x, y, 0, end, r, s);
    }
}
