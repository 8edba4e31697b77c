// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Channel, Channels, Line, Opening, Redemption, Voucher} from "../src/Channels.sol";
import {Commitments} from "../src/Commitments.sol";
import {Inclusions} from "../src/Inclusions.sol";
import {Merkle} from "../src/Merkle.sol";
import {Base} from "./Base.sol";

/// @notice Does whatever people may do with money, keys and claims, in any order, and keeps its own books of what must follow.
/// What the contracts refuse changes nothing here either.
contract Actor is Base {
    uint256 public constant CHANNELS_MAX = 6;
    uint256 public constant DEMANDS_MAX = 6;
    address public constant DEMANDER = address(0xde3a);

    /// A batch that was posted: two claims, the first at number `first`.
    struct Posted {
        uint64 epoch;
        uint64 first;
    }

    struct Made {
        bytes data;
        bytes32[] path;
        uint256 payee;
        bool omitted;
        uint64 answerBy;
    }

    bytes32[] public ids;
    bytes32[2] public models_ = [keccak256("model 0"), keccak256("model 1")];
    address[2] public payees;
    bytes32[2] public keys;
    Posted[][2] private _posted;
    Made[] private _made;

    /// The highest cumulative that the payer ever signed on a line, and the line as it was last seen.
    mapping(bytes32 id => mapping(bytes32 model => uint128)) public signedOn;
    mapping(bytes32 id => mapping(bytes32 model => Line)) private _seen;
    /// The epoch of the voucher that a line drew last.
    mapping(bytes32 id => mapping(bytes32 model => uint64)) private _epochOf;
    mapping(bytes32 keyId => uint64) private _seenEnd;
    mapping(bytes32 keyId => uint64) private _seenEpoch;
    mapping(bytes32 id => bool) private _wasClosed;
    /// What everybody has been paid, and what bonds wait for them.
    mapping(address who => uint256) public paidTo;
    mapping(address who => uint256) public bondsOf;
    uint64[2] public openOf;
    uint64[2] public faultsOf;
    uint256 public minted;
    uint256 public staked;
    /// How often what happened: histories that reach nothing prove nothing.
    mapping(string what => uint256) public times;

    constructor() {
        setUp();
        payees = [PROVIDER, STRANGER];
        for (uint256 i = 0; i < 2; ++i) {
            enter(i);
            keys[i] = addKey(payees[i], RECEIPT_KEY + i);
        }
    }

    function contracts() external view returns (Channels, Commitments, Inclusions) {
        return (channels, commitments, inclusions);
    }

    function balances() external view returns (uint256[3] memory inside, uint256 outside) {
        inside = [
            stable.balanceOf(address(channels)),
            stable.balanceOf(address(providers)),
            stable.balanceOf(address(inclusions))
        ];
        outside = stable.balanceOf(PAYER) + stable.balanceOf(DEMANDER) + stable.balanceOf(payees[0])
            + stable.balanceOf(payees[1]);
    }

    function people() external view returns (address[4] memory) {
        return [PAYER, DEMANDER, payees[0], payees[1]];
    }

    function count() external view returns (uint256) {
        return ids.length;
    }

    // --- the payer ---

    function openChannel(uint8 pick, uint64 amount) external {
        if (ids.length == CHANNELS_MAX) return;
        uint96 deposit = uint96(amount) + 1;
        address payee = payees[pick % 2];
        bytes32 salt = bytes32(ids.length);
        fund(PAYER, address(channels), deposit);
        minted += deposit;
        bytes32 id = channels.idOf(PAYER, payee, SIGNER, salt);
        bool paused = channels.paused();
        bool worked;
        if (pick % 4 < 2) {
            vm.prank(PAYER);
            try channels.open(payee, SIGNER, deposit, salt) {
                worked = true;
            } catch {}
        } else {
            Opening memory opening = Opening(PAYER, payee, SIGNER, deposit, salt, uint64(block.timestamp));
            try channels.openFor(opening, sign(PAYER_KEY, channels.openDigest(opening))) {
                worked = true;
            } catch {}
        }
        vm.assertEq(worked, !paused, "only a pause stops an opening");
        if (worked) ids.push(id);
        else paidTo[PAYER] += deposit; // it stays where it was minted
        happened(worked, "opened");
    }

    function topUp(uint8 pick, uint64 amount) external {
        (bytes32 id, Channel memory channel) = picked(pick);
        if (id == 0) return;
        uint96 more = uint96(amount) + 1;
        fund(PAYER, address(channels), more);
        minted += more;
        vm.prank(PAYER);
        try channels.topUp(id, more) {
            vm.assertFalse(channel.closed || channel.closesAt != 0, "topped up while it closes");
            happened(true, "topped up");
        } catch {
            paidTo[PAYER] += more;
        }
    }

    function requestClose(uint8 pick) external {
        (bytes32 id, Channel memory channel) = picked(pick);
        if (id == 0) return;
        bytes memory signature = sign(PAYER_KEY, channels.requestCloseDigest(id));
        try channels.requestCloseFor(id, signature) {
            vm.assertFalse(channel.closed || channel.closesAt != 0, "the end was put off");
            happened(true, "close requested");
        } catch {}
    }

    function close(uint8 pick) external {
        (bytes32 id, Channel memory channel) = picked(pick);
        if (id == 0) return;
        try channels.close(id) {
            vm.assertTrue(channel.closesAt != 0 && block.timestamp >= channel.closesAt, "closed too early");
            ended(id, channel);
        } catch {}
    }

    function closeNow(uint8 pick) external {
        (bytes32 id, Channel memory channel) = picked(pick);
        if (id == 0 || pick % 4 != 0) return;
        bytes32 digest = channels.closeDigest(id);
        try channels.closeNowFor(id, sign(PAYER_KEY, digest), sign(PROVIDER_KEY, digest)) {
            vm.assertEq(channel.payee, PROVIDER);
            ended(id, channel);
        } catch {}
    }

    function ended(bytes32 id, Channel memory channel) private {
        vm.assertFalse(_wasClosed[id], "closed twice");
        _wasClosed[id] = true;
        paidTo[PAYER] += channel.deposit - channel.redeemed;
        happened(true, "closed");
    }

    // --- the payees ---

    /// Vouchers rise, fall and exceed the deposit; only what the contract takes is paid.
    function redeem(uint8 pick, uint8 line, uint64 cumulative, uint8 back) external {
        (bytes32 id, Channel memory channel) = picked(pick);
        if (id == 0) return;
        Redemption memory redemption = vouched(id, channel, line, cumulative, back);
        uint256 before = stable.balanceOf(channel.payee);
        try channels.redeem(redemption) returns (uint96 paid) {
            vm.assertFalse(channel.closed);
            Voucher memory voucher = redemption.voucher;
            vm.assertTrue(voucher.epoch >= _epochOf[id][voucher.model], "an older epoch was redeemed");
            _epochOf[id][voucher.model] = voucher.epoch;
            drawn(channel.payee, before, paid);
        } catch {
            vm.assertEq(stable.balanceOf(channel.payee), before);
        }
        lines(id);
    }

    /// Both lines of one channel and one of another, in one call.
    function redeemMany(uint8 pick, uint64 a, uint64 b, uint64 c, uint8 back) external {
        (bytes32 id, Channel memory channel) = picked(pick);
        if (id == 0) return;
        (bytes32 other, Channel memory second) = picked(uint8(pick / 8));
        bool three = second.payee == channel.payee;
        Redemption[] memory list = new Redemption[](three ? 3 : 2);
        list[0] = vouched(id, channel, 0, a, back);
        list[1] = vouched(id, channel, 1, b, back / 2);
        if (three) list[2] = vouched(other, second, 0, c, back / 4);
        uint256 before = stable.balanceOf(channel.payee);
        try channels.redeemMany(channel.payee, list) returns (uint256 paid) {
            drawn(channel.payee, before, paid);
        } catch {
            vm.assertEq(stable.balanceOf(channel.payee), before);
        }
        lines(id);
        lines(other);
    }

    function vouched(bytes32 id, Channel memory channel, uint8 line, uint64 cumulative, uint8 back)
        private
        returns (Redemption memory)
    {
        bytes32 model = models_[line % 2];
        bytes32 keyId = keys[channel.payee == PROVIDER ? 0 : 1];
        (uint64 epoch,) = commitments.head(keyId);
        if (back % 8 == 0 && epoch != 0) epoch -= 1;
        if (cumulative > signedOn[id][model]) signedOn[id][model] = cumulative;
        return signed(Voucher(id, model, cumulative, epoch), keyId);
    }

    function drawn(address payee, uint256 before, uint256 paid) private {
        vm.assertTrue(paid != 0, "a redemption pays");
        paidTo[payee] += paid;
        vm.assertEq(stable.balanceOf(payee), before + paid);
        happened(true, "redeemed");
    }

    /// Neither what a line has drawn nor its epoch falls.
    function lines(bytes32 id) private {
        for (uint256 m = 0; m < 2; ++m) {
            Line memory now_ = channels.lineOf(id, models_[m]);
            Line memory last = _seen[id][models_[m]];
            vm.assertTrue(now_.redeemed >= last.redeemed && now_.epoch >= last.epoch, "a line fell");
            _seen[id][models_[m]] = now_;
        }
    }

    function post(uint8 pick, uint8 back) external {
        uint256 i = pick % 2;
        (uint64 last, uint64 first) = commitments.head(keys[i]);
        uint64 epoch = currentEpoch() - back % 4;
        bytes32 root = Merkle.node(leafOf(i, first, epoch), leafOf(i, first + 1, epoch));
        vm.prank(payees[i]);
        try commitments.post(keys[i], epoch, root, first, first + 2) {
            vm.assertTrue(epoch < currentEpoch() && (first == 0 || epoch > last), "an epoch fell");
            _posted[i].push(Posted(epoch, first));
            happened(true, "posted");
        } catch {}
        (uint64 epochNow, uint64 endNow) = commitments.head(keys[i]);
        vm.assertTrue(epochNow >= _seenEpoch[keys[i]] && endNow >= _seenEnd[keys[i]], "a key fell");
        (_seenEpoch[keys[i]], _seenEnd[keys[i]]) = (epochNow, endNow);
    }

    function addStake(uint8 pick, uint64 amount) external {
        address who = payees[pick % 2];
        fund(who, address(providers), amount);
        minted += amount;
        vm.prank(who);
        try providers.addStake(amount) {
            staked += amount;
        } catch {
            paidTo[who] += amount;
        }
    }

    function exit(uint8 pick) external {
        uint256 i = pick % 2;
        address who = payees[i];
        uint256 stake = providers.provider(who).stake;
        vm.prank(who);
        try providers.requestExit() {} catch {}
        vm.prank(who);
        try providers.withdraw() {
            vm.assertTrue(openOf[i] == 0 && faultsOf[i] == 0, "a stake left with something open");
            staked -= stake;
            paidTo[who] += stake;
            happened(true, "withdrawn");
        } catch {}
    }

    function enter(uint256 pick) public {
        address who = payees[pick % 2];
        if (providers.provider(who).provider != address(0)) return;
        register(who);
        staked += STAKE;
        minted += STAKE;
    }

    function revoke(uint8 pick) external {
        if (pick % 16 > 1) return;
        vm.prank(payees[pick % 2]);
        try providers.revokeKey(keys[pick % 2]) {
            happened(true, "revoked");
        } catch {}
    }

    // --- who holds a claim ---

    /// Of a claim that stands in a posted batch, or of a twin that its key signed for the same number.
    function demand(uint8 pick, uint8 which, bool omitted) external {
        uint256 i = pick % 2;
        if (_posted[i].length == 0 || _made.length == DEMANDS_MAX) return;
        Posted memory batch = _posted[i][which % _posted[i].length];
        // A holder waits until the root is due.
        uint256 dueAt = (uint256(batch.epoch) + 2) * EPOCH;
        if (block.timestamp < dueAt) vm.warp(dueAt);
        uint64 sequence = batch.first + (which / 128);
        Made memory made;
        made.data = claimOf(payees[i], keys[i], sequence, batch.epoch);
        if (omitted) made.data[511] ^= 0x01;
        made.path = new bytes32[](1);
        made.path[0] = leafOf(i, sequence == batch.first ? sequence + 1 : batch.first, batch.epoch);
        (made.payee, made.omitted, made.answerBy) = (i, omitted, uint64(block.timestamp) + ANSWER);
        (bytes32 r, bytes32 s) = signLow(RECEIPT_KEY + i, sha256(made.data));
        fund(DEMANDER, address(inclusions), BOND);
        minted += BOND;
        bool revoked = providers.key(keys[i]).revokedAt != 0;
        vm.prank(DEMANDER);
        try inclusions.demand(made.data, r, s) {
            vm.assertFalse(revoked, "a revoked key's claim was demanded");
            openOf[i] += 1;
            _made.push(made);
            happened(true, "demanded");
        } catch {
            paidTo[DEMANDER] += BOND;
        }
    }

    function answer(uint8 pick) external {
        if (_made.length == 0) return;
        Made memory made = _made[pick % _made.length];
        try inclusions.answer(made.data, made.path) {
            vm.assertFalse(made.omitted, "a claim that is in no batch was shown");
            vm.assertLe(block.timestamp, made.answerBy, "answered too late");
            openOf[made.payee] -= 1;
            bondsOf[payees[made.payee]] += BOND;
            happened(true, "answered");
        } catch {}
    }

    function fail(uint8 pick) external {
        if (_made.length == 0) return;
        Made memory made = _made[pick % _made.length];
        try inclusions.fail(made.data) {
            vm.assertTrue(block.timestamp > made.answerBy, "failed too early");
            openOf[made.payee] -= 1;
            faultsOf[made.payee] += 1;
            bondsOf[DEMANDER] += BOND;
            happened(true, "failed");
        } catch {}
    }

    function collect(uint8 pick) external {
        address who = [DEMANDER, payees[0], payees[1]][pick % 3];
        vm.prank(who);
        try inclusions.collect() returns (uint256 amount) {
            vm.assertEq(amount, bondsOf[who]);
            bondsOf[who] = 0;
            paidTo[who] += amount;
            happened(true, "collected");
        } catch {
            vm.assertEq(bondsOf[who], 0);
        }
    }

    // --- everybody ---

    function pause(uint8 pick) external {
        vm.prank(GUARDIAN);
        channels.setPaused(pick % 4 == 0);
    }

    /// Some epochs, some hours, or all the time that leaving takes.
    function pass(uint32 time) external {
        uint256 most = time % 2 == 0 ? 4 * EPOCH : 2 days;
        vm.warp(block.timestamp + (time % 8 == 7 ? UNBONDING : time % most));
    }

    function leafOf(uint256 payee, uint64 sequence, uint64 epoch) private view returns (bytes32) {
        return Merkle.leaf(abi.encodePacked(sha256(claimOf(payees[payee], keys[payee], sequence, epoch))));
    }

    function picked(uint8 pick) private view returns (bytes32 id, Channel memory channel) {
        if (ids.length == 0) return (0, channel);
        id = ids[pick % ids.length];
        channel = channels.channelOf(id);
    }

    function happened(bool did, string memory what) private {
        if (did) times[what] += 1;
    }
}
