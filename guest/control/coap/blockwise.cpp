#include "guest/control/coap/blockwise.hpp"

#include <algorithm>

namespace unibpf::coap {

namespace {

Operation without_tag(Operation operation) {
    operation.tag = {};
    operation.tag_length = 0;
    return operation;
}

// Did this block come before? Its client sends a train of blocks again when one of them was lost, under the same Request-Tag, which
// no other body has (RFC 9175 3.4): what is held stays, and the first block does not start anew.
bool came_before(const Operation& operation, Bytes held, const Block& block, Bytes payload) {
    if (operation.tag_length == 0 || !block.more || block.offset() + payload.size() > held.size()) return false;
    return std::ranges::equal(held.subspan(block.offset(), payload.size()), payload);
}

}  // namespace

Operation operation_of(const Endpoint& peer, Code method, const RequestOptions& options) {
    Operation operation{peer, method, options.path, {}, static_cast<std::uint8_t>(options.request_tag.size())};
    std::copy(options.request_tag.begin(), options.request_tag.end(), operation.tag.begin());
    return operation;
}

Result<const Buffer*> Uploads::add(const Operation& operation, const RequestOptions& options, const Arrival& arrival) {
    const Block block = options.block1.value_or(Block{});
    Transfer* transfer = find(operation);
    if (transfer != nullptr && came_before(operation, transfer->body.bytes(), block, arrival.payload)) {
        transfer->touched_ns = arrival.now_ns;
        return nullptr;
    }
    if (block.number == 0) {
        if (transfer != nullptr) finish(operation);  // RFC 7959 2.5: block 0 starts anew
        transfer = begin(operation, arrival.now_ns, is_spent(arrival.voucher) ? 0 : arrival.voucher);
        if (transfer == nullptr) return Error{"busy", "too many block-wise transfers are in progress", max_transfers};
    }
    if (transfer == nullptr) return Error{"incomplete", "no transfer is in progress that this block continues", block.number};
    transfer->touched_ns = arrival.now_ns;
    if (const Status status = append(*transfer, block, options, arrival); !status) {
        // A gap is no end where blocks of two bodies cannot mix: the client fills it.
        if (operation.tag_length == 0 || status.error().rule != std::string_view{"incomplete"}) finish(operation);
        return status.error();
    }
    return block.more ? nullptr : &transfer->body;
}

Status Uploads::append(Transfer& transfer, const Block& block, const RequestOptions& options, const Arrival& arrival) {
    const Bytes payload = arrival.payload;
    const std::size_t limit = arrival.limit;
    if (options.block1.has_value()) {
        if (block.more && payload.size() != block.size()) {
            return Error{"block", "a block that is not the last has another length than its exponent says", payload.size()};
        }
        if (payload.size() > block.size()) return Error{"block", "a block is longer than its exponent says", payload.size()};
        if (block.offset() != transfer.body.size()) {
            return Error{"incomplete", "a block does not continue where the one before it ended", block.offset()};
        }
    }
    const std::size_t wanted = transfer.body.size() + payload.size();
    const std::size_t announced = std::max<std::size_t>(wanted, options.size1.value_or(0));
    if (announced > limit) return Error{"size", "the body is longer than this resource takes", limit};
    if (wanted <= transfer.body.capacity()) {
        (void)transfer.body.append(payload);
        return done();
    }
    // Grow at once to what the client announced, else by doubling; never past the limit.
    const std::size_t capacity = block.more ? std::max(announced, std::min(limit, std::max<std::size_t>(8192, wanted * 2))) : wanted;
    if (!reserve(transfer, capacity)) return Error{"busy", "there is no memory for the body now", capacity};
    (void)transfer.body.append(payload);
    return done();
}

bool Uploads::reserve(Transfer& transfer, std::size_t capacity) {
    while (held() - transfer.body.capacity() + capacity > budget_ || !transfer.body.reserve(capacity)) {
        Transfer* stranger = nullptr;
        for (Transfer& other : transfers_) {
            if (!other.used || other.voucher != 0) continue;
            if (stranger == nullptr || other.touched_ns < stranger->touched_ns) stranger = &other;
        }
        if (transfer.voucher == 0 || stranger == nullptr) return false;
        stranger->used = false;
        stranger->body.clear();
    }
    return true;
}

void Uploads::finish(const Operation& operation) {
    if (Transfer* transfer = find(operation); transfer != nullptr) {
        transfer->used = false;
        transfer->body.clear();
    }
}

std::size_t Uploads::held() const {
    std::size_t total = 0;
    for (const Transfer& transfer : transfers_) total += transfer.body.capacity();
    return total;
}

Uploads::Transfer* Uploads::find(const Operation& operation) {
    for (Transfer& transfer : transfers_) {
        if (transfer.used && transfer.operation == operation) return &transfer;
    }
    return nullptr;
}

// What was seen may be sent again by others: a voucher is good for one transfer at a time.
bool Uploads::is_spent(std::uint64_t voucher) const {
    return std::ranges::any_of(transfers_, [voucher](const Transfer& one) { return one.used && one.voucher == voucher; });
}

std::size_t Uploads::held_by(std::uint32_t address) const {
    return static_cast<std::size_t>(std::ranges::count_if(
        transfers_, [address](const Transfer& one) { return one.used && one.operation.peer.address == address; }));
}

bool Uploads::must_give_way(const Transfer& transfer, const Endpoint& peer, std::uint64_t now_ns, std::uint64_t voucher) const {
    if (!transfer.used || now_ns - transfer.touched_ns > idle_before_eviction_ns) return true;
    if (transfer.voucher != 0) return false;
    return voucher != 0 || held_by(transfer.operation.peer.address) >= held_by(peer.address) + 2;
}

Uploads::Transfer* Uploads::begin(const Operation& operation, std::uint64_t now_ns, std::uint64_t voucher) {
    const auto rank = [now_ns](const Transfer& one) { return one.used ? now_ns - one.touched_ns : UINT64_MAX; };
    for (Transfer& transfer : transfers_) {
        if (!transfer.used || now_ns - transfer.touched_ns <= exchange_lifetime_ns) continue;
        transfer.used = false;
        transfer.body.clear();
    }
    Transfer* chosen = nullptr;
    for (Transfer& transfer : transfers_) {
        if (!must_give_way(transfer, operation.peer, now_ns, voucher)) continue;
        if (chosen == nullptr || rank(transfer) > rank(*chosen)) chosen = &transfer;
    }
    if (chosen == nullptr) return nullptr;
    chosen->body.clear();
    chosen->used = true;
    chosen->operation = operation;
    chosen->voucher = voucher;
    return chosen;
}

// The place of the same operation, else a free one, else the longest unasked for; an answer to a stranger takes none of those
// that somebody with a key is fetching.
Representation* Downloads::place_for(const Operation& key, bool sealed, std::uint64_t now_ns) {
    const auto rank = [now_ns](const Representation& one) { return one.used ? now_ns - one.touched_ns : UINT64_MAX; };
    Representation* chosen = nullptr;
    for (Representation& one : representations_) {
        if (one.used && one.operation == key) return &one;
        if (one.used && one.sealed && !sealed && now_ns - one.touched_ns <= idle_before_eviction_ns) continue;
        if (chosen == nullptr || rank(one) > rank(*chosen)) chosen = &one;
    }
    return chosen;
}

const Representation* Downloads::store(const Operation& operation, const Response& response, std::uint64_t now_ns) {
    const Operation key = without_tag(operation);
    Representation* place = place_for(key, response.sealed, now_ns);
    if (place == nullptr) return nullptr;
    place->used = false;
    place->body.clear();
    if (!place->body.append(response.body)) return nullptr;
    place->used = true;
    place->operation = key;
    place->code = response.code;
    place->format = response.format;
    place->etag = next_etag_++;
    place->touched_ns = now_ns;
    place->sealed = response.sealed;
    return place;
}

const Representation* Downloads::find(const Operation& operation, std::uint64_t now_ns) {
    const Operation key = without_tag(operation);
    for (Representation& representation : representations_) {
        if (!representation.used || !(representation.operation == key)) continue;
        if (now_ns - representation.touched_ns > exchange_lifetime_ns) return nullptr;
        representation.touched_ns = now_ns;
        return &representation;
    }
    return nullptr;
}

}  // namespace unibpf::coap
